# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What our modules read from ECS, each with its words for the user when it fails."""

from __future__ import annotations

from typing import Any, Literal, overload

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, NotFound, absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown
from ansible_collections.atena.aws.plugins.module_utils.ecs.logs import tail_of_task
from ansible_collections.atena.aws.plugins.module_utils.ecs.task import outcome, task_id

# Limits of the API reference.
_SERVICES_A_CALL = 10
_TASKS_A_CALL = 100
# What ECS tells in words, among them those of registries, load balancers and containers.
_WORDS = ("message", "reason", "stoppedReason", "rolloutStateReason")


def _shown(found: dict[str, Any], *lists: str) -> dict[str, Any]:
    """What ECS described, and what it holds in `lists`, with words that can be shown."""
    words = {key: shown(found[key]) for key in _WORDS if found.get(key)}
    return {**found, **words, **{key: [_shown(item) for item in found[key]] for key in lists if found.get(key)}}


def active_services(call: Call, cluster: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """{name: service} of those that there are and that are ACTIVE."""
    found = {}
    for start in range(0, len(names), _SERVICES_A_CALL):
        answer = call("ecs", "describe_services", f"read the services of {cluster}", cluster=cluster, services=names[start : start + _SERVICES_A_CALL])
        active = [service for service in answer["services"] if service["status"] == "ACTIVE"]
        found.update({service["serviceName"]: _shown(service, "events", "deployments") for service in active})
    return found


def describe_services(call: Call, cluster: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """{name: service} for ACTIVE services; raises CallFailed naming those that are missing or inactive."""
    found = active_services(call, cluster, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise NotFound(
            f"The cluster {cluster} has no active service {', '.join(missing)}. Run infra.yml first, and check the names; of an environment that was "
            "destroyed, redeploy.yml.",
            "ServiceNotFound",
        )
    return found


def running_task_definitions(call: Call, cluster: str, names: list[str]) -> dict[str, str]:
    """{name: task definition's ARN} of those services that there are; {} where there is no such cluster."""
    found = absent_as({}, "Cluster", lambda: active_services(call, cluster, names))
    return {name: service["taskDefinition"] for name, service in found.items()}


@overload
def describe_task_definition(call: Call, name: str, absent_ok: Literal[False] = False) -> dict[str, Any]: ...


@overload
def describe_task_definition(call: Call, name: str, absent_ok: bool) -> dict[str, Any] | None: ...


def describe_task_definition(call: Call, name: str, absent_ok: bool = False) -> dict[str, Any] | None:
    """A task definition by family (its newest ACTIVE revision), family:revision or ARN, with its tags under 'tags'."""
    try:
        answer = call("ecs", "describe_task_definition", f"read the task definition {name}", taskDefinition=name, include=["TAGS"])
    except CallFailed as failed:
        if absent_ok and failed.code == "ClientException":
            return None
        raise
    return {**answer["taskDefinition"], "tags": answer.get("tags", [])}


def describe_tasks(call: Call, cluster: str, arns: list[str]) -> list[dict[str, Any]]:
    tasks = []
    for start in range(0, len(arns), _TASKS_A_CALL):
        tasks.extend(call("ecs", "describe_tasks", f"read tasks of {cluster}", cluster=cluster, tasks=arns[start : start + _TASKS_A_CALL])["tasks"])
    return [_shown({**task, "containers": [_shown(item, "managedAgents") for item in task.get("containers", [])]}) for task in tasks]


def described_task(call: Call, cluster: str, arn: str) -> dict[str, Any]:
    """One task as it is now. Raises NotFound if ECS does not list it (yet, or any more: an hour after its end)."""
    found = describe_tasks(call, cluster, [arn])
    if not found:
        raise NotFound(f"ECS does not list the task {arn} in {cluster}: it has only just been started, or ended more than an hour ago.", "TaskNotFound")
    return found[0]


def target_states(call: Call, service: dict) -> list[str]:
    """Health states of all targets of the service's target groups ('healthy', 'initial', 'draining', ...)."""
    states: list[str] = []
    for balancer in service.get("loadBalancers", []):
        if balancer.get("targetGroupArn"):
            answer = call("elbv2", "describe_target_health", f"read the targets' health of {service['serviceName']}", TargetGroupArn=balancer["targetGroupArn"])
            states.extend(target["TargetHealth"]["State"] for target in answer["TargetHealthDescriptions"])
    return states


def running_tasks(call: Aws, cluster: str, service_name: str = "") -> list[dict[str, Any]]:
    """The described tasks of a service that run or shall run; those of the whole cluster without one."""
    of = {"serviceName": service_name} if service_name else {}
    arns = call.pages("ecs", "list_tasks", f"list tasks of {service_name or cluster}", "taskArns", cluster=cluster, desiredStatus="RUNNING", **of)
    return describe_tasks(call, cluster, arns)


def tasks_that_ended(call: Aws, cluster: str, service_name: str, deployment_id: str) -> list[dict[str, Any]]:
    """The described tasks of a deployment that are stopped."""
    arns = call.pages(
        "ecs", "list_tasks", f"list stopped tasks of {service_name}", "taskArns", cluster=cluster, serviceName=service_name, desiredStatus="STOPPED"
    )
    return [task for task in describe_tasks(call, cluster, arns) if task.get("startedBy") == deployment_id]


def stopped_tasks(call: Aws, cluster: str, service_name: str, deployment_id: str, log_lines: int = 20, most: int = 3) -> list[dict[str, Any]]:
    """The newest tasks of a deployment that ended: why, with exit codes and last log lines (AWS keeps them about an hour)."""
    tasks = tasks_that_ended(call, cluster, service_name, deployment_id)
    tasks.sort(key=lambda task: str(task.get("stoppedAt", "")), reverse=True)
    evidence = []
    for task in tasks[:most]:
        ended = outcome(task)
        definition = describe_task_definition(call, task["taskDefinitionArn"])
        evidence.append(
            {
                "task_arn": task["taskArn"],
                "task_id": task_id(task["taskArn"]),
                "reason": ended["reason"] or task.get("stoppedReason", ""),
                "stop_code": task.get("stopCode", ""),
                "stopped_reason": task.get("stoppedReason", ""),
                "exit_codes": ended["exit_codes"],
                "log_tail": tail_of_task(call, definition, task_id(task["taskArn"]), log_lines),
            }
        )
    return evidence
