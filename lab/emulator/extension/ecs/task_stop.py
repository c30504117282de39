"""A task is stopped as ECS stops it.

MiniStack's StopTask answers STOPPED with exit code 0 at once and only then stops the container, with 5 seconds' grace, under the
load balancer's requests. ECS takes the task out of its target groups, lets requests in flight end (for the group's deregistration
delay at most), sends SIGTERM, sends SIGKILL after stopTimeout, and reports the container's true exit code. Also here: a container
that the kernel killed for its memory says so.
"""

from __future__ import annotations

import logging
from typing import Any

from ministack.core.concurrency import resource_lock, spawn_background
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, request_scope
from ministack.services import ecs

from ..common.patching import replace
from ..elbv2 import target_health
from . import task_logs

logger = logging.getLogger("lab.task_stop")
DEFAULT_STOP_TIMEOUT = 30
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
# The reasons that MiniStack's own service scheduler gives to _stop_task; everything else comes from a caller of StopTask.
SCHEDULER_REASONS = ("Service scaling down", "Deployment completed", "Task definition updated", "Deployment capacity limit", "Service deleted")
HEALTH_REASON = "Task failed ELB health checks in "
CONTAINER_HEALTH_REASON = "Task failed container health checks"


def stop_code(reason: str) -> str:
    return "ServiceSchedulerInitiated" if reason in (*SCHEDULER_REASONS, CONTAINER_HEALTH_REASON) or reason.startswith(HEALTH_REASON) else "UserInitiated"


def stop_timeout(definition: dict[str, Any] | None, container: str) -> int:
    for candidate in (definition or {}).get("containerDefinitions", []):
        if candidate["name"] == container:
            return int(candidate.get("stopTimeout") or DEFAULT_STOP_TIMEOUT)
    return DEFAULT_STOP_TIMEOUT


def apply() -> None:
    replace(ecs, "_stop_task", lambda _: _stop_task)
    replace(ecs, "_mark_task_stopped", _with_memory_reason)
    replace(ecs, "_cleanup_task_resources", _also_after_its_own_end)


def _stop_task(data: dict[str, Any]) -> Any:
    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    if cluster is None:
        return error_response_json("ClusterNotFoundException", "Cluster not found.", 400)
    task = ecs._resolve_task(data.get("task", ""), cluster)
    if not task:
        return error_response_json("InvalidParameterException", "The referenced task was not found.", 400)
    reason = data.get("reason") or "Task stopped by user"
    arn = task["taskArn"]
    with resource_lock("ecs-task", arn):
        if not ecs._task_is_active(arn, task):
            return json_response({"task": ecs._sanitize(task)})
        code = stop_code(reason)
        deployment = task.get("_deployment_id") or task.get("startedBy")
        ecs._bump_task_version(task)
        task.update(
            desiredStatus="STOPPED",
            lastStatus="DEACTIVATING",
            stoppingAt=ecs._iso(),
            stopCode=code,
            stoppedReason=f"Scaling activity initiated by (deployment {deployment})" if reason in SCHEDULER_REASONS else reason,
        )
    ecs._recount_cluster(cluster)
    ecs._refresh_service_state(cluster, task.get("group", ""))  # takes it out of its target groups
    spawn_background(_stop_containers, task, cluster, get_account_id(), get_region(), thread_name=f"lab-stop-{arn.rsplit('/', 1)[-1][:8]}")
    return json_response({"task": ecs._sanitize(task)})


def _stop_containers(task: dict[str, Any], cluster: str, account: str, region: str) -> None:
    with request_scope(account, region):
        definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"]))
        address = ecs._task_ip(task)
        if address:
            target_health.wait_until_drained(address)
        task["lastStatus"] = "STOPPING"
        client = ecs._get_docker()
        ids = list(task.get("_docker_ids") or [])
        for index, container_id in enumerate(ids):
            container = task["containers"][index]
            try:
                running = client.containers.get(container_id)
                running.stop(timeout=stop_timeout(definition, container["name"]))
                running.reload()
                container["exitCode"] = running.attrs["State"]["ExitCode"]
            except Exception as error:  # already gone: then there is no exit code to tell
                logger.info("stopping %s: %s", container_id[:12], error)
        if address:
            target_health.forget(address)
        task_logs.finish(ids, timeout=task_logs.PATIENCE)
        with resource_lock("ecs-task", task["taskArn"]):
            for container in task["containers"]:
                container["lastStatus"] = "STOPPED"
            task["executionStoppedAt"] = task["stoppedAt"] = ecs._iso()
            ecs._bump_task_version(task)
            ecs._bump_task_version(task)
            task["lastStatus"] = "STOPPED"
        ecs._cleanup_task_resources(task, client)
        ecs._recount_cluster(cluster)
        ecs._refresh_service_state(cluster, task.get("group", ""))


def _with_memory_reason(mark_stopped: Any) -> Any:
    def mark_with_reason(task_arn: str, task: dict[str, Any], reason: str, code: str, exit_code: int | None = None) -> bool:
        if code == "EssentialContainerExited":
            for container_id, container in zip(task.get("_docker_ids") or [], task.get("containers", []), strict=False):
                try:
                    killed = ecs._get_docker().containers.get(container_id).attrs["State"]["OOMKilled"]
                except Exception:
                    killed = False
                if killed:
                    container["reason"] = reason = OUT_OF_MEMORY
        return mark_stopped(task_arn, task, reason, code, exit_code)

    return mark_with_reason


def _also_after_its_own_end(cleanup: Any) -> Any:
    """A task that ended by itself leaves its containers behind, running side-cars too: remove those as well."""

    def cleanup_always(task: dict[str, Any], docker_client: Any, extra_container: Any = None) -> None:
        if docker_client is not None:
            cleanup(task, docker_client, extra_container)
        else:
            spawn_background(cleanup, task, ecs._get_docker(), thread_name="lab-cleanup")

    return cleanup_always
