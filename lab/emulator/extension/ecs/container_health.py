"""A container's own health check runs in the container, and a service's task that fails it is replaced.

MiniStack runs none: every container's health is UNKNOWN for ever, so that a deployment which waits for it would never end. Here Docker runs the check
as the definition says, with ECS's defaults; an image's own HEALTHCHECK is not looked at, as on ECS. A task that no service started is only reported.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import ecs

from ..common.patching import replace
from . import service_deployments

# Of ECS's API reference, where a definition leaves them out.
DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0}
SECOND = 1_000_000_000
STATES = {"starting": "UNKNOWN", "healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}
LOOK_EVERY = 0.25


def docker_check(container: dict[str, Any]) -> dict[str, Any] | None:
    """docker-py's argument for a container definition's health check; None if it has none."""
    check = container.get("healthCheck")
    if not check:
        return None
    times = {name: int(check.get(name) or value) for name, value in DEFAULTS.items()}
    return {
        "test": check["command"],
        "retries": times["retries"],
        "interval": times["interval"] * SECOND,
        "timeout": times["timeout"] * SECOND,
        "start_period": times["startPeriod"] * SECOND,
    }


def checked(definition: dict[str, Any] | None) -> set[str]:
    """The containers of a task definition that have a health check."""
    return {container["name"] for container in (definition or {}).get("containerDefinitions", []) if container.get("healthCheck")}


def task_state(containers: list[dict[str, Any]], essential: list[bool], names: set[str]) -> str:
    """A task's health: that of its essential containers which have a check."""
    states = {container["healthStatus"] for container, counts in zip(containers, essential, strict=False) if counts and container["name"] in names}
    for state in ("UNHEALTHY", "UNKNOWN", "HEALTHY"):
        if state in states:
            return state
    return "UNKNOWN"


def apply() -> None:
    replace(ecs, "_build_run_kwargs", _with_check)
    threading.Thread(target=_look_for_ever, daemon=True, name="lab-container-health").start()


def _with_check(build: Any) -> Any:
    def build_checked(container: dict[str, Any], *arguments: Any) -> dict[str, Any]:
        check = docker_check(container)
        return {**build(container, *arguments), **({"healthcheck": check} if check else {})}

    return build_checked


def _look_for_ever() -> None:
    while True:
        time.sleep(LOOK_EVERY)
        for (account, region, _arn), task in list(ecs._tasks.all_items()):
            if task.get("lastStatus") != "RUNNING":
                continue
            try:
                with request_scope(account, region):
                    _look_at(task)
            except Exception:
                ecs.logger.exception("the container health checks of %s", task["taskArn"])


def _look_at(task: dict[str, Any]) -> None:
    names = checked(ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])))
    client = ecs._get_docker() if names else None
    if client is None:
        return
    for container_id, container in zip(task.get("_docker_ids") or [], task["containers"], strict=False):
        if container["name"] in names:
            container["healthStatus"] = _docker_state(client, container_id) or container["healthStatus"]
    before = task["healthStatus"]
    task["healthStatus"] = task_state(task["containers"], task.get("_container_essentials") or [], names)
    if task["healthStatus"] == "UNHEALTHY" != before:
        service_deployments.replace_failing(task)


def _docker_state(client: Any, container_id: str) -> str | None:
    """None of one that is going, or gone."""
    from docker.errors import NotFound

    try:
        state = client.api.inspect_container(container_id)["State"]
    except NotFound:
        return None
    return STATES.get((state.get("Health") or {}).get("Status", "")) if state.get("Running") else None
