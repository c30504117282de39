"""A cluster can be full.

MiniStack starts any number of tasks, and RunTask's `failures` are always empty. Here a cluster may be given an amount of memory
(common/lab_settings.py). RunTask then names the tasks that do not fit under `failures`; a service that cannot place a task says so in its
events, counts a failed task, on which its circuit breaker acts, and tries again.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from ministack.core.concurrency import spawn_background
from ministack.core.responses import get_account_id, get_region, json_response, new_uuid, request_scope
from ministack.services import ecs

from ..common import lab_settings
from ..common.patching import replace
from .service_deployments import add_event

RETRY_EVERY = 1.0
FARGATE_REASON = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
INSTANCE_REASON = "RESOURCE:MEMORY"
_placing = threading.RLock()
_waiting: set[tuple[str, str]] = set()


def memory_of(definition: dict[str, Any]) -> int:
    """MiB that a task of this definition takes."""
    containers = definition.get("containerDefinitions", [])
    return int(definition.get("memory") or sum(int(container.get("memory") or container.get("memoryReservation") or 0) for container in containers))


def places(room: int, taken: int, each: int, count: int) -> int:
    """How many of `count` tasks fit."""
    return count if each <= 0 else max(0, min(count, (room - taken) // each))


def reason_for(room: dict[str, Any], launch_type: str | None) -> str:
    return room.get("reason") or (FARGATE_REASON if launch_type == "FARGATE" else INSTANCE_REASON)


def event_for(reason: str) -> str:
    """A service's words for a task that cannot be placed."""
    help_text = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
    if reason.startswith("RESOURCE:"):
        resource = reason.removeprefix("RESOURCE:").lower()
        return (
            "was unable to place a task because no container instance met all of its requirements. The closest matching container-instance "
            f"has insufficient {resource} available. {help_text}"
        )
    return f"was unable to place a task. Reason: {reason.rstrip('.')}. {help_text}"


def apply() -> None:
    replace(ecs, "_run_task", _with_capacity)


def _taken(cluster: str) -> int:
    arn = ecs._clusters[cluster]["clusterArn"]
    running = [task for task in list(ecs._tasks.values()) if task.get("clusterArn") == arn and task.get("lastStatus") != "STOPPED"]
    return sum(int(task.get("memory") or 0) for task in running)


def _with_capacity(run: Any) -> Any:
    def run_what_fits(request: dict[str, Any]) -> Any:
        cluster = ecs._resolve_cluster_name(request.get("cluster", "default"))
        definition = ecs._task_defs.get(ecs._resolve_td_key(request.get("taskDefinition", "")))
        room = lab_settings.values["capacity"].get(cluster)
        if room is None or definition is None or cluster not in ecs._clusters:
            return run(request)
        count = int(request.get("count") or 1)
        with _placing:
            fit = places(room["memory"], _taken(cluster), memory_of(definition), count)
            answer = run({**request, "count": fit}) if fit else json_response({"tasks": [], "failures": []})
        if answer[0] != 200 or fit == count:
            return answer
        reason = reason_for(room, request.get("launchType"))
        content = json.loads(answer[2])
        instance = f"arn:aws:ecs:{get_region()}:{get_account_id()}:container-instance/{cluster}/{new_uuid()}"
        content["failures"] = [{"arn": instance, "reason": reason} for _ in range(count - fit)]
        if request.get("_deploymentId"):
            _try_again(request, cluster, reason)
        return json_response(content)

    return run_what_fits


def _try_again(request: dict[str, Any], cluster: str, reason: str) -> None:
    """The service counts a failed task and, after a moment, looks for a place again."""
    deployment, key = request["_deploymentId"], f"{cluster}/{request['group'].partition(':')[2]}"
    service, waiting = ecs._services.get(key), (key, deployment)
    if service is None or waiting in _waiting:
        return
    _waiting.add(waiting)
    add_event(service, event_for(reason))
    account, region = get_account_id(), get_region()
    unplaced = {"taskArn": "", "group": request["group"], "clusterArn": ecs._clusters[cluster]["clusterArn"], "_deployment_id": deployment}

    def count_and_retry() -> None:
        time.sleep(RETRY_EVERY)
        _waiting.discard(waiting)
        with request_scope(account, region):
            if ecs._services.get(key) is service:
                ecs._record_service_task_failure(unplaced)

    spawn_background(count_and_retry, thread_name="lab-capacity")
