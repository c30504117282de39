# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The facts that a diagnosis goes by, as types. They are kept as JSON with each diagnosis, and are checked where that is read."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.record import Record, dataclass, stored_as

RUNNING, SUCCEEDED, FAILED, STOPPED = "running", "succeeded", "failed", "stopped"


@dataclass(frozen=True, kw_only=True)
class Line(Record):
    """One line of a log, or one event of a service."""

    at: str
    message: str


@dataclass(frozen=True, kw_only=True)
class TaskContainer(Record):
    name: str
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Task(Record):
    """A task. service: '' for a one-off task. state: 'stopped' is ended because somebody or a deployment wanted it so, whatever the exit code.

    log_tail, log_before: {container: lines}: the last ones, which are shown; and those before, in which a cause is looked for.
    """

    task_id: str
    task_arn: str
    service: str
    started_by: str
    task_definition: str
    last_status: str
    state: str
    stop_code: str = ""
    stopped_reason: str = ""
    created_at: str = ""
    started_at: str = ""
    stopped_at: str = ""
    addresses: list[str] = field(default_factory=list)
    containers: list[TaskContainer] = field(default_factory=list)
    log_tail: dict[str, list[Line]] = field(default_factory=dict)
    log_before: dict[str, list[Line]] = field(default_factory=dict)

    @property
    def last_moment(self) -> str:
        return self.stopped_at or self.created_at

    @property
    def is_one_off(self) -> bool:
        return not self.service


@dataclass(frozen=True, kw_only=True)
class Deployment(Record):
    id: str
    status: str
    task_definition: str
    rollout_state: str
    reason: str = ""
    running_count: int = 0
    failed_tasks: int = 0
    created_at: str = ""


@dataclass(frozen=True, kw_only=True)
class Balancer(Record):
    """A service's side of a target group."""

    target_group: str
    container: str = ""
    port: int | None = None


@dataclass(frozen=True, kw_only=True)
class Service(Record):
    name: str
    desired_count: int
    running_count: int
    pending_count: int
    task_definition: str
    rollout_state: str
    has_load_balancer: bool = False
    balancers: list[Balancer] = field(default_factory=list)
    subnets: list[str] = field(default_factory=list)
    security_groups: list[str] = field(default_factory=list)
    has_public_address: bool = False
    deployments: list[Deployment] = field(default_factory=list)
    events: list[Line] = field(default_factory=list)

    @property
    def revisions(self) -> list[str]:
        """Task definitions that the service runs or is going to."""
        return list(dict.fromkeys([self.task_definition, *(item.task_definition for item in self.deployments)]))


@dataclass(frozen=True, kw_only=True)
class SecretReference(Record):
    name: str
    source: str = field(metadata=stored_as("from"))


@dataclass(frozen=True, kw_only=True)
class Container(Record):
    """memory: its own hard limit, else the task's. bundle: the file with certificates that it is given; '' if only its image may name one."""

    name: str
    image: str = ""
    memory: int = 0
    ports: list[int] = field(default_factory=list)
    stop_timeout: int = 30
    secrets: list[SecretReference] = field(default_factory=list)
    bundle: str = ""


@dataclass(frozen=True, kw_only=True)
class Definition(Record):
    name: str
    is_template: bool = False
    release: str = ""
    cpu: str = ""
    memory: str = ""
    architecture: str = "X86_64"
    execution_role: str = ""
    containers: list[Container] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Target(Record):
    id: str
    port: int | None = None
    state: str = ""
    reason: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class TargetGroup(Record):
    name: str
    load_balancers: list[str] = field(default_factory=list)
    path: str = "/"
    port: int | None = None
    answers: str = "200"
    timeout: int | None = None
    interval: int | None = None
    targets: list[Target] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Listener(Record):
    port: int | None = None
    protocol: str = ""


@dataclass(frozen=True, kw_only=True)
class LoadBalancer(Record):
    name: str
    dns_name: str
    state: str = ""
    security_groups: list[str] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Database(Record):
    id: str
    status: str
    engine: str = ""
    engine_version: str = ""
    endpoint: str = ""
    port: int = 5432
    restarts_at: str = ""
    security_groups: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Redis(Record):
    """status 'absent': ElastiCache has no such cluster."""

    id: str
    status: str
    engine_version: str = ""
    endpoint: str = ""
    port: int = 6379
    node_type: str = ""
    security_groups: list[str] = field(default_factory=list)
    came_back_empty_at: str = ""
    snapshots: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Parameter(Record):
    name: str
    is_set: bool
    last_modified: str = ""


@dataclass(frozen=True, kw_only=True)
class Secrets(Record):
    """What may be known of the secrets. referred: {as the task definition has it: the parameter}."""

    path: str
    parameters: list[Parameter] = field(default_factory=list)
    referred: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    database_url_is_right: bool | None = None
    database_url_sslmode: str | None = None
    database_url_user: str | None = None
    redis_url_is_tls: bool | None = None
    redis_url_is_right: bool | None = None

    def modified(self, name: str) -> str:
        """When a parameter was written last; '' if that is not known."""
        return next((item.last_modified for item in self.parameters if item.name == name), "")


@dataclass(frozen=True, kw_only=True)
class Image(Record):
    exists: bool
    platforms: list[dict[str, str]] | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Access(Record):
    """Whether an execution role may do what a task of its services needs before a container runs. refused: 'action on resource'."""

    role: str
    purpose: str
    refused: list[str] = field(default_factory=list)
    # Not refused, but conditions or a permissions boundary leave it open.
    undetermined: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Health(Record):
    url: str
    status: int
    content: str = ""


@dataclass(frozen=True, kw_only=True)
class Network(Record):
    """What preflight.network goes by, of AWS's own answers; None for a part that was not read."""

    groups: list[dict[str, Any]] | None = None
    subnets: list[dict[str, Any]] | None = None
    route_tables: list[dict[str, Any]] | None = None
    nat_gateways: list[dict[str, Any]] | None = None
    endpoints: list[dict[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class Unread(Record):
    part: str
    why: str
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts(Record):
    """All of one diagnosis. Of what is None nobody asked, or it does not exist; `unreadable` names what could not be read."""

    at: str
    request: dict[str, Any]
    services: dict[str, Service] = field(default_factory=dict)
    missing_services: list[str] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    definitions: dict[str, Definition] = field(default_factory=dict)
    target_groups: dict[str, TargetGroup] = field(default_factory=dict)
    load_balancer: LoadBalancer | None = None
    database: Database | None = None
    redis: Redis | None = None
    gates: dict[str, Any] | None = None
    unfinished: list[dict[str, Any]] | None = None
    health: Health | None = None
    secrets: Secrets | None = None
    images: dict[str, Image | None] = field(default_factory=dict)
    log_groups: dict[str, bool | None] = field(default_factory=dict)
    access: list[Access] = field(default_factory=list)
    network: Network = field(default_factory=Network)
    unreadable: list[Unread] = field(default_factory=list)
    logs_withheld: bool = False
