# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gathers what a diagnosis judges, in four rounds of calls side by side. A part that cannot be read is itself a fact: nothing here fails."""

from __future__ import annotations

import concurrent.futures
import datetime
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core import health, resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, absent_as, explain
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor
from ansible_collections.atena.aws.plugins.module_utils.diagnosis import facts as facts_of, rights, rules as diagnosis
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import (
    FAILED,
    RUNNING,
    Database,
    Facts,
    Health,
    Line,
    LoadBalancer,
    Redis,
    Secrets,
    Service,
    TargetGroup,
    Task,
)
from ansible_collections.atena.aws.plugins.module_utils.ecs import references as task_references
from ansible_collections.atena.aws.plugins.module_utils.ecs.known_secrets import earlier_values
from ansible_collections.atena.aws.plugins.module_utils.ecs.logs import last_lines, log_streams
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_task_definition, describe_tasks
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import is_template
from ansible_collections.atena.aws.plugins.module_utils.environment import read as environment_read, sources, unfinished
from ansible_collections.atena.aws.plugins.module_utils.environment.journal import Journal
from ansible_collections.atena.aws.plugins.module_utils.images import read as image_read
from ansible_collections.atena.aws.plugins.module_utils.redis import losses
from ansible_collections.atena.aws.plugins.module_utils.secrets import store as parameter_store

FORMAT = 2
_THREADS = 12
_SERVICES_A_CALL = 10
_LOG_LINES = 20
# So many are read: Node.js prints what belongs to an error after its message, such as a whole certificate, or the Lua script that Redis refused.
_LOG_LINES_READ = 400


# What the names of parts begin with that there may be several of.
_DEFINITION, _TARGET_GROUP, _IMAGE, _LOG_GROUP, _RIGHTS = "task definition ", "target group ", "image ", "log group ", "rights of "


class _Known(NamedTuple):
    """What was read before the third round: what that one needs. definitions: as described. outside: parameters that are not below the environment's path."""

    services: dict[str, Service]
    tasks: list[Task]
    definitions: dict[str, dict[str, Any]]
    subnets: list[dict[str, Any]]
    parameters: list[dict[str, Any]] | None
    referred: dict[str, str]
    outside: set[str]


class _Reading:
    """One gathering: the request, the pool, and what could not be read."""

    def __init__(self, call: Aws, request: dict, pool: concurrent.futures.Executor) -> None:
        self.call, self.request, self._pool = call, request, pool
        self._log_lines: int = request.get("log_lines") or _LOG_LINES
        self.unreadable: list[dict[str, str]] = []

    def round(self, parts: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
        """{part: result} of `parts` {part: (default, function, *arguments)}, side by side; a part that fails is noted and gets its default."""
        started = {part: self._pool.submit(function, *arguments) for part, (_default, function, *arguments) in parts.items()}
        results = {}
        for part, future in started.items():
            try:
                results[part] = future.result()
            except CallFailed as failed:
                self.unreadable.append({"part": part, "why": str(failed), "code": failed.code})
                results[part] = parts[part][0]
            except Exception as error:
                # A diagnosis is made when something else failed: an answer of an unforeseen shape must not hide that.
                self.unreadable.append({"part": part, "why": explain(error, f"make sense of the answer on {part}"), "code": type(error).__name__})
                results[part] = parts[part][0]
        return results

    # --- What depends on nothing ---

    def services(self) -> dict[str, Service]:
        names, found = self.request["services"], []
        for start in range(0, len(names), _SERVICES_A_CALL):
            found += [service for service in self._described(names[start : start + _SERVICES_A_CALL]) if service["status"] == "ACTIVE"]
        return {service["serviceName"]: facts_of.service_entry(service) for service in found}

    def _described(self, some: list[str]) -> list[dict[str, Any]]:
        cluster = self.request["cluster"]
        doing = f"read the services of {cluster}"
        return absent_as([], "Cluster", lambda: self.call("ecs", "describe_services", doing, cluster=cluster, services=some)["services"])

    def tasks(self) -> list[Task]:
        """Running tasks, and those that ended within about the last hour; AWS forgets the others."""
        cluster, arns = self.request["cluster"], list(self.request.get("tasks") or [])
        for status in ("STOPPED", "RUNNING"):
            arns += self._listed(status)
        described = describe_tasks(self.call, cluster, list(dict.fromkeys(arns)))
        entries = [facts_of.task_entry(task) for task in described]
        since, asked = self._since(), self.request.get("tasks") or []
        return [task for task in entries if not task.stopped_at or task.stopped_at >= since or task.task_arn in asked]

    def _since(self) -> str:
        given = self.request.get("since")
        return facts_of.moment(datetime.datetime.fromisoformat(given)) if given else ""

    def _listed(self, status: str) -> list[str]:
        cluster = self.request["cluster"]
        doing = f"list the tasks of {cluster}"
        return absent_as([], "Cluster", lambda: self.call.pages("ecs", "list_tasks", doing, "taskArns", cluster=cluster, desiredStatus=status))

    def load_balancer(self) -> LoadBalancer | None:
        name = resource_names.load_balancer(self.request["name"])
        balancer = environment_read.describe_load_balancer(self.call, name)
        if not balancer:
            return None
        return facts_of.load_balancer_entry(balancer, environment_read.listeners_of(self.call, balancer))

    def database(self) -> Database | None:
        found = environment_read.describe_database(self.call, self.request["database_id"])
        return facts_of.database_entry(found) if found else None

    def redis(self) -> Redis:
        identifier = self.request["redis_id"]
        found = environment_read.describe_redis(self.call, identifier)
        if found:
            return facts_of.redis_entry(found, self.loss(identifier, found.get("CacheClusterCreateTime")))
        snapshots = self.call.pages("elasticache", "describe_snapshots", f"list the snapshots of {identifier}", "Snapshots", CacheClusterId=identifier)
        return Redis(id=identifier, status="absent", snapshots=[snapshot["SnapshotName"] for snapshot in snapshots])

    def loss(self, identifier: str, created_at: datetime.datetime | None) -> str:
        """When Redis came back empty, if the power journal does not say that somebody has dealt with that."""
        where = self.request.get("records") or {}
        lost_at = losses.read(self.call, identifier, created_at)
        record = Journal(self.call, where["bucket"], where["journal_key"]).read() if lost_at and where.get("journal_key") else None
        return losses.unsettled(lost_at, record)

    def parameters(self) -> list[dict[str, Any]]:
        return parameter_store.parameters_below(self.call, self.request["ssm_path"])

    def health(self, url: str) -> Health:
        status, content = health.read(url, timeout=5)  # which secrets are in it is known later
        return Health(url=url, status=status, content=content)

    def first_round(self) -> dict[str, Any]:
        request = self.request
        parts: dict[str, tuple[Any, ...]] = {"services": ({}, self.services), "tasks": ([], self.tasks), "load_balancer": (None, self.load_balancer)}
        for part, needed in (("database", "database_id"), ("redis", "redis_id"), ("parameters", "ssm_path")):
            if request.get(needed):
                parts[part] = (None, getattr(self, part))
        if request.get("gates_bucket"):
            parts["gates"] = (None, sources.gates, self.call, request["gates_bucket"], request["gates_key"])
        if request.get("records"):
            parts["unfinished"] = (None, unfinished.read, self.call, request["records"], request["name"])
        return self.round(parts)

    # --- What services, tasks and the others name ---

    def definition(self, arn: str) -> dict[str, Any] | None:
        return describe_task_definition(self.call, arn, absent_ok=True)

    def target_group(self, arn: str) -> TargetGroup | None:
        group = sources.target_group(self.call, arn)
        if not group:
            return None
        targets = self.call("elbv2", "describe_target_health", f"read the targets' health in {arn}", TargetGroupArn=arn)["TargetHealthDescriptions"]
        return facts_of.target_group_entry(group, targets)

    def second_round(self, first: dict[str, Any]) -> dict[str, Any]:
        services: list[Service] = list(first["services"].values())
        arns = {arn for service in services for arn in service.revisions}
        arns |= {task.task_definition for task in first["tasks"] if task.state in (FAILED, RUNNING)}
        url = self.request.get("url")
        if not url and self.request.get("health_path") and first["load_balancer"]:
            url = f"http://{first['load_balancer'].dns_name}{self.request['health_path']}"
        subnets = {subnet for service in services for subnet in service.subnets}
        parts: dict[str, tuple[Any, ...]] = {f"{_DEFINITION}{arn}": (None, self.definition, arn) for arn in arns}
        for service in services:
            parts.update({f"{_TARGET_GROUP}{item.target_group}": (None, self.target_group, item.target_group) for item in service.balancers})
        if url:
            parts["health"] = (None, self.health, url)
        if subnets:
            parts["subnets"] = ([], sources.subnets, self.call, sorted(subnets))
        return self.round(parts)

    # --- What task definitions name, and the logs ---

    def other_parameters(self, names: list[str]) -> dict[str, Any]:
        """Parameters outside the environment's path: {'values': {name: value}, 'missing': [names]}."""
        found, missing = parameter_store.parameters_named(self.call, names, f"read the parameters {', '.join(names)}")
        return {"values": {parameter["Name"]: parameter["Value"] for parameter in found}, "missing": missing}

    def third_round(self, known: _Known) -> dict[str, Any]:
        parts: dict[str, tuple[Any, ...]] = {}
        if known.parameters:
            parts["earlier values of the secrets"] = ([], earlier_values, self.call, known.parameters)
        vpcs = sorted({subnet["VpcId"] for subnet in known.subnets})
        for part in sources.NETWORK if vpcs else ():
            parts[part] = (None, sources.of_vpcs, self.call, part, vpcs)
        for definition in known.definitions.values():
            region = definition["taskDefinitionArn"].split(":")[3]
            parts.update({f"{_IMAGE}{image}": (None, image_read.image, self.call, image, region) for image in task_references.images_of(definition).values()})
            groups = [group for group, its_region in task_references.log_groups_of(definition, region).items() if its_region == region]
            parts.update({f"{_LOG_GROUP}{group}": (None, sources.log_group, self.call, group) for group in groups})
        if known.outside:
            parts["other parameters"] = (None, self.other_parameters, sorted(known.outside))
        return self.round({**parts, **self._rights(known), **self._logs(known)})

    def _rights(self, known: _Known) -> dict[str, tuple[Any, ...]]:
        """Of the execution roles with which a task of these services would start now."""
        by_role: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for service in known.services.values():
            for definition in filter(None, map(known.definitions.get, service.revisions)):
                role = definition.get("executionRoleArn")
                if role and not is_template(definition):
                    by_role.setdefault(role, {}).setdefault(service.name, []).append(definition)
        parts: dict[str, tuple[Any, ...]] = {}
        for role, users in by_role.items():
            definitions = [definition for used in users.values() for definition in used]
            parts[f"{_RIGHTS}{role}"] = ([], rights.of_role, self.call, role, definitions, sorted(users))
        return parts

    def _logs(self, known: _Known) -> dict[str, tuple[Any, ...]]:
        count = max(self._log_lines, _LOG_LINES_READ)
        worth = facts_of.logs_worth_reading(known.tasks, self.request.get("tasks") or [])
        parts: dict[str, tuple[Any, ...]] = {}
        for task in known.tasks:
            run = known.definitions.get(task.task_definition)
            if task.task_arn in worth and run:
                for container, (group, stream) in log_streams(run, task.task_id).items():
                    parts[_log_of(container, task)] = ([], last_lines, self.call, group, stream, count)
        return parts

    # --- All of it ---

    def facts(self) -> dict[str, Any]:
        first = self.first_round()
        second = self.second_round(first)
        definitions: dict[str, dict[str, Any]] = _named(second, _DEFINITION)
        known = _Known(first["services"], first["tasks"], definitions, second.get("subnets", []), first.get("parameters"), *self._parameters_named(definitions))
        third = self.third_round(known)
        others = third.get("other parameters") or {"values": {}, "missing": []}
        found = Facts(
            at="",
            request={},
            services=first["services"],
            tasks=first["tasks"],
            load_balancer=first["load_balancer"],
            database=first.get("database"),
            redis=first.get("redis"),
            gates=first.get("gates"),
            unfinished=first.get("unfinished"),
            missing_services=[name for name in self.request["services"] if name not in first["services"]],
            definitions={arn: facts_of.definition_entry(definition) for arn, definition in definitions.items()},
            target_groups=_named(second, _TARGET_GROUP),
            health=second.get("health"),
            network=facts_of.network_entry({key: third.get(key) for key in sources.NETWORK}),
            images={name: facts_of.image_entry(image) for name, image in _all_named(third, _IMAGE).items()},
            log_groups=_all_named(third, _LOG_GROUP),
            access=[entry for entries in _named(third, _RIGHTS).values() for entry in entries],
            secrets=self.secrets(known, others["missing"], first.get("database"), first.get("redis")),
        )
        self.attach_logs(found.tasks, definitions, third)
        values = [parameter["Value"] for parameter in known.parameters or [] if parameter["Type"] == "SecureString"]
        values += [*others["values"].values(), *third.get("earlier values of the secrets", [])]
        knows_all = known.parameters is not None or not self.request.get("ssm_path")
        return self.redacted(found.as_dict(), values, knows_all and (not known.outside or third.get("other parameters") is not None))

    def _parameters_named(self, definitions: dict[str, dict[str, Any]]) -> tuple[dict[str, str], set[str]]:
        """({as a task definition has it: the parameter}, those outside the environment's path)."""
        referred: dict[str, str] = {}
        for arn, definition in definitions.items():
            names = {reference: task_references.parameter_name(reference, arn.split(":")[3]) for reference in task_references.secrets_of(definition)}
            referred.update({reference: name for reference, name in names.items() if name})
        path = (self.request.get("ssm_path") or "").rstrip("/") + "/"
        return referred, {name for name in referred.values() if not name.startswith(path)}

    def secrets(self, known: _Known, missing_outside: list[str], database: Database | None, redis: Redis | None) -> Secrets | None:
        """What may be known of the secrets; None if they could not be read."""
        parameters = known.parameters
        if parameters is None:
            return None
        below = {parameter["Name"] for parameter in parameters}
        missing = {name for name in known.referred.values() if name in missing_outside or (name not in below and name not in known.outside)}
        by_name = {parameter["Name"].rsplit("/", 1)[-1]: parameter["Value"] for parameter in parameters}
        placeholder = self.request.get("placeholder") or parameter_store.PLACEHOLDER
        database_url, redis_url = by_name.get("DATABASE_URL"), by_name.get("REDIS_URL")
        return Secrets(
            path=self.request["ssm_path"],
            parameters=[facts_of.parameter_entry(parameter, placeholder) for parameter in parameters],
            referred=known.referred,
            missing=sorted(missing),
            database_url_is_right=facts_of.points_to(database_url, database) if database_url is not None else None,
            database_url_sslmode=facts_of.sslmode_of(database_url) if database_url is not None else None,
            database_url_user=facts_of.user_kind(database_url) if database_url is not None else None,
            redis_url_is_tls=redis_url.startswith("rediss:") if redis_url is not None else None,
            redis_url_is_right=facts_of.points_to(redis_url, redis) if redis_url is not None else None,
        )

    def attach_logs(self, tasks: list[Task], definitions: dict[str, dict[str, Any]], third: dict[str, Any]) -> None:
        for task in tasks:
            definition = definitions.get(task.task_definition)
            for container in log_streams(definition, task.task_id) if definition else {}:
                lines = [Line.of(line) for line in third.get(_log_of(container, task)) or []]
                if lines:
                    task.log_tail[container] = lines[-self._log_lines :]
                    task.log_before[container] = lines[: -self._log_lines]

    def redacted(self, found: dict[str, Any], values: list[str], knows_all: bool) -> dict[str, Any]:
        """The facts without secrets. Log lines of which it is not known what in them is secret are left out: CloudWatch keeps them."""
        redactor = Redactor(values, harmless=(self.request.get("placeholder") or parameter_store.PLACEHOLDER,))
        for task in found["tasks"]:
            task["stopped_reason"] = redactor.text(task["stopped_reason"])
            for container in task["containers"]:
                container["reason"] = redactor.text(container["reason"])
            if not knows_all:
                task["log_tail"], task["log_before"] = {}, {}
            for lines in (*task["log_tail"].values(), *task["log_before"].values()):
                for line in lines:
                    line["message"] = redactor.text(line["message"])
        for service in found["services"].values():
            for event in service["events"]:
                event["message"] = redactor.text(event["message"])
        if found["health"]:
            found["health"]["content"] = health.beginning(redactor.text(found["health"]["content"])) if knows_all else ""
        found["logs_withheld"] = not knows_all
        found["unreadable"] = [{**item, "why": redactor.text(item["why"])} for item in self.unreadable]
        return redactor.everything(found)


def _log_of(container: str, task: Task) -> str:
    return f"log of {container} in task {task.task_id}"


def _all_named(parts: dict[str, Any], prefix: str) -> dict[str, Any]:
    """{what comes after the prefix: what was read} of the parts with this prefix."""
    return {part.removeprefix(prefix): item for part, item in parts.items() if part.startswith(prefix)}


def _named(parts: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The same of what is there."""
    return {name: item for name, item in _all_named(parts, prefix).items() if item}


def gather(call: Aws, request: dict) -> dict:
    """All facts of one diagnosis, without any secret's value in them."""
    call.client("ecs")  # a profile or region that cannot be used fails here, once, and not in each thread
    with concurrent.futures.ThreadPoolExecutor(max_workers=_THREADS) as pool:
        return _Reading(call, request, pool).facts()


def diagnose(call: Aws, request: dict) -> dict:
    """{"format": 2, "at", "environment", "findings": [...], "facts": {...}}: why the environment does not work. Never raises CallFailed; writes nothing.

    request: name, cluster, services (names), and where they apply ssm_path, placeholder ("CHANGE_ME"), database_id, redis_id, log_lines (20),
    tasks (ARNs of tasks that must be looked at, such as a migration's), since (ISO 8601: tasks that ended before are not looked at),
    gates_bucket and gates_key (what is off on purpose), records (what has not ended:
    environment.unfinished), url (the application's health address, asked once) or health_path (asked at the load balancer's own name), playbook_command
    ("ansible-playbook {playbook}": how the remedies name a playbook). diagnosis.text.as_text() makes it readable, evidence.save() and .upload() keep
    it. All of it is JSON, and no secret's value is in it. ECS knows a task that ended for about an hour, so services can be brought back first.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    facts = {**gather(call, request), "at": now, "request": {key: value for key, value in request.items() if value}}
    return {"format": FORMAT, "at": now, "environment": request["name"], "findings": diagnosis.findings(facts), "facts": facts}
