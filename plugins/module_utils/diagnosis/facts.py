# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From AWS's answers to the facts of a diagnosis: only what helps to find a cause, and never a secret's value. No call to AWS here."""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.connection_url import ConnectionUrl
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import (
    FAILED,
    RUNNING,
    STOPPED,
    Balancer,
    Container,
    Database,
    Definition,
    Deployment,
    Image,
    Line,
    Listener,
    LoadBalancer,
    Network,
    Parameter,
    Redis,
    SecretReference,
    Service,
    Target,
    TargetGroup,
    Task,
    TaskContainer,
)
from ansible_collections.atena.aws.plugins.module_utils.ecs import references as task_references
from ansible_collections.atena.aws.plugins.module_utils.ecs.failure_words import what_aws_says
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import RELEASE_TAG, is_template, tags_of
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout import primary
from ansible_collections.atena.aws.plugins.module_utils.ecs.task import outcome, task_id
from ansible_collections.atena.aws.plugins.module_utils.environment.read import redis_endpoint
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import DatabaseUrl

# ECS keeps the last hundred events of a service; the causes of what is wrong now are among the newest.
_EVENTS = 30
# libpq's, and node-postgres's own.
# What the names of the users end with that rotate_database_password.yml makes.
_ROTATED = ("_app_a", "_app_b")
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full", "no-verify")


def moment(value: datetime.datetime | None) -> str:
    """ISO 8601 in UTC, '' for nothing."""
    return value.astimezone(datetime.UTC).isoformat(timespec="seconds") if value else ""


def service_entry(service: dict[str, Any]) -> Service:
    network = (service.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    balancers = [item for item in service.get("loadBalancers", []) if item.get("targetGroupArn")]
    return Service(
        name=service["serviceName"],
        desired_count=service["desiredCount"],
        running_count=service["runningCount"],
        pending_count=service["pendingCount"],
        task_definition=service["taskDefinition"],
        rollout_state=primary(service).get("rolloutState", ""),
        has_load_balancer=bool(balancers),
        balancers=[
            Balancer(target_group=item["targetGroupArn"], container=item.get("containerName", ""), port=item.get("containerPort")) for item in balancers
        ],
        subnets=network.get("subnets", []),
        security_groups=network.get("securityGroups", []),
        has_public_address=network.get("assignPublicIp") == "ENABLED",
        deployments=[_deployment_entry(deployment) for deployment in service.get("deployments", [])],
        events=[Line(at=moment(event.get("createdAt")), message=event["message"]) for event in service.get("events", [])[:_EVENTS]],
    )


def _deployment_entry(deployment: dict[str, Any]) -> Deployment:
    return Deployment(
        id=deployment["id"],
        status=deployment["status"],
        task_definition=deployment["taskDefinition"],
        rollout_state=deployment.get("rolloutState", ""),
        reason=deployment.get("rolloutStateReason", ""),
        running_count=deployment.get("runningCount", 0),
        failed_tasks=deployment.get("failedTasks", 0),
        created_at=moment(deployment.get("createdAt")),
    )


def definition_entry(definition: dict[str, Any]) -> Definition:
    return Definition(
        name=f"{definition['family']}:{definition['revision']}",
        is_template=is_template(definition),
        release=tags_of(definition).get(RELEASE_TAG, ""),
        cpu=definition.get("cpu", ""),
        memory=definition.get("memory", ""),
        architecture=(definition.get("runtimePlatform") or {}).get("cpuArchitecture", "X86_64"),
        execution_role=definition.get("executionRoleArn", ""),
        containers=[_container_entry(definition, container) for container in definition["containerDefinitions"]],
    )


def _container_entry(definition: dict[str, Any], container: dict[str, Any]) -> Container:
    return Container(
        name=container["name"],
        image=container.get("image", ""),
        memory=container.get("memory") or int(definition.get("memory") or 0),
        ports=task_references.ports_of(definition, container["name"]) or [],
        stop_timeout=container.get("stopTimeout", 30),
        secrets=[SecretReference(name=secret["name"], source=secret["valueFrom"]) for secret in container.get("secrets", [])],
        bundle=bundle_of(container),
    )


def bundle_of(container: dict[str, Any]) -> str:
    """The file with certificates that a container is told to trust; '' if only its image may say so."""
    told = {item["name"]: item["value"] for item in container.get("environment", [])}
    return told.get("NODE_EXTRA_CA_CERTS") or told.get("PGSSLROOTCERT") or ""


def ending(task: dict[str, Any]) -> str:
    """'running', 'succeeded', 'failed', or 'stopped': ended because somebody or a deployment wanted it so, whatever the exit code."""
    state = outcome(task)["state"]
    if state == RUNNING:
        return state
    wanted = task.get("stopCode") in ("ServiceSchedulerInitiated", "UserInitiated")
    if wanted and not what_aws_says(task.get("stoppedReason", "")):
        return STOPPED
    # A service's task has no end of its own, not even a good one.
    return FAILED if wanted or task.get("group", "").startswith("service:") else state


def addresses_of(task: dict[str, Any]) -> list[str]:
    """The addresses under which its target groups know it."""
    return [
        detail["value"] for attachment in task.get("attachments", []) for detail in attachment.get("details", []) if detail.get("name") == "privateIPv4Address"
    ]


def task_entry(task: dict[str, Any]) -> Task:
    group = task.get("group", "")
    return Task(
        task_id=task_id(task["taskArn"]),
        task_arn=task["taskArn"],
        service=group.removeprefix("service:") if group.startswith("service:") else "",
        started_by=task.get("startedBy", ""),
        task_definition=task["taskDefinitionArn"],
        last_status=task.get("lastStatus", ""),
        state=ending(task),
        stop_code=task.get("stopCode", ""),
        stopped_reason=task.get("stoppedReason", ""),
        created_at=moment(task.get("createdAt")),
        started_at=moment(task.get("startedAt")),
        stopped_at=moment(task.get("stoppedAt")),
        addresses=addresses_of(task),
        containers=[
            TaskContainer(name=container["name"], exit_code=container.get("exitCode"), reason=container.get("reason", ""))
            for container in task.get("containers", [])
        ],
    )


def target_group_entry(group: dict[str, Any], targets: list[dict[str, Any]]) -> TargetGroup:
    port = group.get("HealthCheckPort", "traffic-port")
    return TargetGroup(
        name=group["TargetGroupName"],
        load_balancers=group.get("LoadBalancerArns", []),
        path=group.get("HealthCheckPath", "/"),
        port=group.get("Port") if port == "traffic-port" else int(port),
        answers=(group.get("Matcher") or {}).get("HttpCode", "200"),
        timeout=group.get("HealthCheckTimeoutSeconds"),
        interval=group.get("HealthCheckIntervalSeconds"),
        targets=[
            Target(
                id=target["Target"]["Id"],
                port=target["Target"].get("Port"),
                state=target["TargetHealth"]["State"],
                reason=target["TargetHealth"].get("Reason", ""),
                description=target["TargetHealth"].get("Description", ""),
            )
            for target in targets
        ],
    )


def load_balancer_entry(balancer: dict[str, Any], listeners: list[dict[str, Any]]) -> LoadBalancer:
    return LoadBalancer(
        name=balancer["LoadBalancerName"],
        dns_name=balancer["DNSName"],
        state=balancer.get("State", {}).get("Code", ""),
        security_groups=balancer.get("SecurityGroups", []),
        listeners=[Listener(port=listener.get("Port"), protocol=listener.get("Protocol", "")) for listener in listeners],
    )


def database_entry(database: dict[str, Any]) -> Database:
    endpoint = database.get("Endpoint") or {}
    return Database(
        id=database["DBInstanceIdentifier"],
        status=database["DBInstanceStatus"],
        engine=database["Engine"],
        engine_version=database["EngineVersion"],
        endpoint=endpoint.get("Address", ""),
        port=endpoint.get("Port") or 5432,
        restarts_at=moment(database.get("AutomaticRestartTime")),
        security_groups=[group["VpcSecurityGroupId"] for group in database.get("VpcSecurityGroups", [])],
    )


def redis_entry(cluster: dict[str, Any], came_back_empty_at: str = "") -> Redis:
    endpoint = redis_endpoint(cluster)
    return Redis(
        id=cluster["CacheClusterId"],
        status=cluster["CacheClusterStatus"],
        engine_version=f"{cluster['Engine']} {cluster['EngineVersion']}",
        endpoint=endpoint.get("Address", ""),
        port=endpoint.get("Port") or 6379,
        node_type=cluster.get("CacheNodeType", ""),
        security_groups=[group["SecurityGroupId"] for group in cluster.get("SecurityGroups", [])],
        came_back_empty_at=came_back_empty_at,
    )


def user_kind(url: str) -> str | None:
    """Whose DATABASE_URL is: 'rotated' (rotate_database_password.yml's own users) or 'other'; None for what is no URL. The name is not told."""
    try:
        return "rotated" if DatabaseUrl.parse(url).user.endswith(_ROTATED) else "other"
    except ValueError:
        return None


def sslmode_of(url: str) -> str | None:
    """What a DATABASE_URL says of TLS: '' for nothing, None for what is no URL. Only a word of these is told."""
    try:
        said = DatabaseUrl.parse(url).sslmode
    except ValueError:
        return None
    return said if said in ("", *SSLMODES) else "another"


def points_to(url: str, part: Database | Redis | None) -> bool | None:
    """Whether a URL such as REDIS_URL names the endpoint of this part; None if there is nothing to compare with. No part of the URL is told."""
    if not part or not part.endpoint:
        return None
    try:
        return ConnectionUrl.parse(url).is_at(part.endpoint, part.port)
    except ValueError:
        return False


# What preflight.network looks at, of AWS's own answers.
_NETWORK_KEYS = {
    "groups": ("GroupId", "GroupName", "IpPermissions", "IpPermissionsEgress"),
    "subnets": ("SubnetId", "VpcId", "CidrBlock"),
    "route_tables": ("RouteTableId", "VpcId", "Associations", "Routes"),
    "nat_gateways": ("NatGatewayId", "State"),
    "endpoints": ("ServiceName", "VpcEndpointType", "State", "RouteTableIds", "Groups"),
}


def network_entry(answers: dict[str, Any]) -> Network:
    """The parts, reduced to what matters; None for one that was not read."""
    parts: dict[str, Any] = {
        part: None if answers.get(part) is None else [{key: item[key] for key in keys if key in item} for item in answers[part]]
        for part, keys in _NETWORK_KEYS.items()
    }
    return Network(**parts)


def image_entry(image: dict[str, Any] | None) -> Image | None:
    return Image(exists=image["exists"], platforms=image["platforms"], why=image["why"]) if image else None


def parameter_entry(parameter: dict[str, Any], placeholder: str) -> Parameter:
    """A parameter without its value."""
    return Parameter(name=parameter["Name"], is_set=parameter["Value"] not in ("", placeholder), last_modified=moment(parameter["LastModifiedDate"]))


def _ended_badly(task: Task) -> bool:
    """Whether a container ended by itself, and not well: neither by a signal, nor with 0."""
    return any(0 < (container.exit_code or 0) < 126 for container in task.containers)


def logs_worth_reading(tasks: list[Task], asked: list[str]) -> list[str]:
    """ARNs of the tasks whose logs tell something: those asked for; and of each service, or kind of one-off task, the two newest that failed and
    the newest that runs or was stopped as wanted, but ended with an error by that. Many tasks of a service that cannot start say the same."""
    chosen: list[str] = []
    counts: dict[tuple[str, str], int] = {}
    for task in sorted(tasks, key=lambda task: task.last_moment, reverse=True):
        kind = (task.service or task.task_definition + task.started_by, task.state)
        limit = {FAILED: 2, RUNNING: 1, STOPPED: int(_ended_badly(task))}.get(task.state, 0)
        if task.task_arn in asked or counts.get(kind, 0) < limit:
            counts[kind] = counts.get(kind, 0) + 1
            chosen.append(task.task_arn)
    return chosen
