"""A service's deployment goes as on ECS.

MiniStack calls a new service's deployment COMPLETED before its task runs, completes others without a look at the load balancer's
health checks or the containers' own, never replaces an unhealthy task, lists a FAILED deployment for ever (so that waiters never end after a rollback),
and records hardly any events.

It also lets two callers bring a service to its count at the same time, so that both start a task. And where a third deployment needs room while a
second one hangs, it stops the oldest task, which is the one that is well: ECS counts only what is healthy towards the minimum, and stops the other.

ECS looks at a service again and again. MiniStack does when a task has started or failed, which is too early or never when the task belongs to
a deployment that was replaced before it was done: it may take the place of the new one's. Such services are looked at every second here. So are
those whose tasks cannot be started: MiniStack tries again at once, some fifty times a second, where ECS waits longer each time.

With whole draining (common/lab_settings.py) a deployment is completed only when the tasks of the one before have ended, as on AWS; else when they
were told to.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections import defaultdict
from typing import Any

from ministack.core.concurrency import resource_lock, spawn_background
from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import ecs

from ..common import lab_settings
from ..common.patching import replace
from ..elbv2 import target_health
from .task_stop import CONTAINER_HEALTH_REASON, HEALTH_REASON

MAXIMUM_EVENTS = 100
INVENTED = "has begun draining connections on 1 tasks."
_draining_events: set[str] = set()
_watched: set[str] = set()  # deployments that wait for older tasks to end
LOOK_EVERY = 1.0
Key = tuple[str, str, str]  # account, region, "cluster/service"
_counting: dict[Key, threading.RLock] = defaultdict(threading.RLock)
_failed_at: dict[Key, float] = {}  # when a task of a service last failed to start
_later: set[Key] = set()  # services that wait for the next look, because of that


def apply() -> None:
    replace(ecs, "_make_deployment", _in_progress_first)
    replace(ecs, "_schedule_service_deployment_completion", lambda _: _watch_deployment)
    replace(ecs, "_complete_service_deployment", _with_events)
    replace(ecs, "_run_task", _with_start_event)
    replace(ecs, "_update_service", _without_invented_event)
    replace(ecs, "_fail_task_start", _with_failure_event)
    replace(ecs, "_reconcile_service_tasks", _one_at_a_time)
    target_health.unhealthy_listeners.append(_replace_unhealthy)
    threading.Thread(target=_look_for_ever, daemon=True, name="lab-service-scheduler").start()


def _one_at_a_time(reconcile: Any) -> Any:
    @functools.wraps(reconcile)
    def reconcile_alone(cluster: str, key: str) -> Any:
        whole = (get_account_id(), get_region(), key)
        with _counting[whole]:
            if waits(ecs._services.get(key), time.monotonic() - _failed_at.get(whole, 0.0)):
                _later.add(whole)
                return None
            _make_room(cluster, ecs._services.get(key))
            return reconcile(cluster, key)

    return reconcile_alone


def _make_room(cluster: str, service: dict[str, Any] | None) -> None:
    if not service or service.get("status") != "ACTIVE" or not target_groups(service):
        return
    primary = ecs._primary_deployment(service)
    group, states = f"service:{service['serviceName']}", {}
    for arn, task in list(ecs._tasks.items()):
        if task.get("group") == group and task.get("clusterArn") == service["clusterArn"] and task.get("lastStatus") in ecs._PRE_STOP_STATUSES:
            states[arn] = (ecs._deployment_for_task(service, task) is primary, load_balancer_state(service, task))
    percent = int((service.get("deploymentConfiguration") or {}).get("maximumPercent", 200))
    for arn in to_make_room(states, max(1, service.get("desiredCount", 0) * percent // 100), (primary or {}).get("rolloutState")):
        ecs._stop_task({"task": arn, "cluster": cluster, "reason": "Deployment capacity limit"})


def to_make_room(states: dict[str, tuple[bool, str]], most: int, rollout: str | None) -> list[str]:
    """Tasks of earlier deployments that are not well, where there are as many tasks as there may be and others are well. states: (is new, state)."""
    if rollout != "IN_PROGRESS" or len(states) < most or "healthy" not in [state for _, state in states.values()]:
        return []
    return [arn for arn, (is_new, state) in states.items() if not is_new and state != "healthy"]


def waits(service: dict[str, Any] | None, since_failure: float) -> bool:
    """Whether to start no other task now: the last one could not be started. A deployment that goes on is ended by its circuit breaker instead."""
    primary = ecs._primary_deployment(service) if service and service.get("desiredCount") else None
    return primary is not None and primary.get("rolloutState") == "COMPLETED" and since_failure < LOOK_EVERY


def _look_for_ever() -> None:
    while True:
        time.sleep(LOOK_EVERY)
        waiting = set(_later)
        _later.difference_update(waiting)
        for (account, region, key), service in list(ecs._services.all_items()):
            if (account, region, key) in waiting or was_overtaken(service):
                try:
                    with request_scope(account, region):
                        ecs._reconcile_service_tasks(key.partition("/")[0], key)
                except Exception:
                    ecs.logger.exception("the scheduler of %s", key)


def was_overtaken(service: dict[str, Any]) -> bool:
    """Whether a deployment goes on that replaced another one before that was done: the older tasks may have stood in its way."""
    if service.get("status") != "ACTIVE":
        return False
    going = [deployment["status"] for deployment in service.get("deployments", []) if deployment.get("rolloutState") == "IN_PROGRESS"]
    return "PRIMARY" in going and len(going) > 1


def add_event(service: dict[str, Any], message: str) -> str:
    event_id = new_uuid()
    service["events"].insert(0, {"id": event_id, "createdAt": ecs._iso(), "message": f"(service {service['serviceName']}) {message}"})
    del service["events"][MAXIMUM_EVENTS:]
    return event_id


def target_groups(service: dict[str, Any]) -> list[str]:
    return [entry["targetGroupArn"] for entry in service.get("loadBalancers") or [] if entry.get("targetGroupArn")]


def load_balancer_state(service: dict[str, Any], task: dict[str, Any]) -> str:
    """The worst state of the task in its service's target groups; healthy without one."""
    states = [target_health.target_state(group, ecs._task_ip(task) or "") for group in target_groups(service)]
    for state in ("unhealthy", "unused", "initial", None):
        if state in states:
            return state or "initial"
    return "healthy"


def container_state(task: dict[str, Any]) -> str:
    """How a task stands by its containers' own health checks; healthy if its definition has none."""
    definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) or {}
    if not any(container.get("healthCheck") and container.get("essential", True) for container in definition.get("containerDefinitions", [])):
        return "healthy"
    return {"HEALTHY": "healthy", "UNHEALTHY": "unhealthy"}.get(task.get("healthStatus", ""), "initial")


def within_grace_period(service: dict[str, Any], task: dict[str, Any]) -> bool:
    started = ecs._ts_to_epoch(task.get("startedAt")) or time.time()
    return time.time() - started < int(service.get("healthCheckGracePeriodSeconds") or 0)


def _in_progress_first(make: Any) -> Any:
    def make_deployment(task_definition: str, desired_count: int, status: str = "PRIMARY") -> dict[str, Any]:
        deployment = make(task_definition, desired_count, status)
        if desired_count > 0:
            deployment.update(rolloutState="IN_PROGRESS", rolloutStateReason=f"ECS deployment {deployment['id']} in progress.")
        return deployment

    return make_deployment


def _watch_deployment(cluster: str, key: str, account: str, region: str, healthy_task: dict[str, Any] | None = None) -> None:
    """Follow one task that has started until it is well and stable, or is not any more."""
    if not cluster or "/" not in key:
        return
    service = ecs._services.get(key)
    deployment = (ecs._deployment_for_task(service, healthy_task) if healthy_task else ecs._primary_deployment(service)) if service else None
    if not deployment:
        return

    def watch() -> None:
        time.sleep(ecs._ECS_DEPLOYMENT_STEADY_DELAY)
        with request_scope(account, region):
            while (current := ecs._services.get(key)) is service and current.get("status") == "ACTIVE":
                if healthy_task is not None:
                    if healthy_task.get("lastStatus") != "RUNNING":
                        return
                    states = load_balancer_state(service, healthy_task), container_state(healthy_task)
                    if "unhealthy" in states and not within_grace_period(service, healthy_task):
                        (_stop_failing if states[1] == "unhealthy" else _stop_unhealthy)(service, key, healthy_task)
                        return
                    if states != ("healthy", "healthy"):
                        time.sleep(0.1)
                        continue
                    ecs._record_service_task_healthy(key, healthy_task)
                ecs._refresh_service_state(cluster, f"service:{service['serviceName']}")
                ecs._reconcile_service_tasks(cluster, key)
                ecs._complete_service_deployment(cluster, key, expected_deployment_id=deployment["id"])
                return

    spawn_background(watch, thread_name=f"lab-deployment-{key.rsplit('/', 1)[-1][:8]}")


def _stop_unhealthy(service: dict[str, Any], key: str, task: dict[str, Any]) -> None:
    group = target_groups(service)[0].rpartition("targetgroup/")[2]
    task_id = task["taskArn"].rpartition("/")[2]
    port = (service.get("loadBalancers") or [{}])[0].get("containerPort")
    why = target_health.target_problem(target_groups(service)[0], ecs._task_ip(task) or "")
    add_event(service, f"(port {port}) is unhealthy in (target-group {target_groups(service)[0]}) due to (reason {why}).")
    add_event(service, f"has stopped 1 running tasks: (task {task_id}).")
    ecs._stop_task({"task": task["taskArn"], "cluster": key.partition("/")[0], "reason": f"{HEALTH_REASON}(target-group {group})"})
    ecs._record_service_task_failure(task)


def _replace_unhealthy(target_group: str, address: str) -> None:
    """A task of a stable service that turns unhealthy is replaced; one still being deployed is followed by its own watcher."""
    for key, service in list(ecs._services.items()):
        if service.get("status") != "ACTIVE" or target_group not in target_groups(service):
            continue
        for task in list(ecs._tasks.values()):
            if ecs._task_ip(task) == address and task.get("_startup_stable") and task.get("lastStatus") == "RUNNING" and not within_grace_period(service, task):
                _stop_unhealthy(service, key, task)


def _stop_failing(service: dict[str, Any], key: str, task: dict[str, Any]) -> None:
    add_event(service, f"(task {task['taskArn'].rpartition('/')[2]}) failed container health checks.")
    ecs._stop_task({"task": task["taskArn"], "cluster": key.partition("/")[0], "reason": CONTAINER_HEALTH_REASON})
    ecs._record_service_task_failure(task)


def replace_failing(task: dict[str, Any]) -> None:
    """A task whose container turned unhealthy, if a service started it that is stable; one still being deployed is followed by its own watcher."""
    key = f"{ecs._cluster_name_from_arn(task['clusterArn'])}/{task.get('group', '').removeprefix('service:')}"
    service = ecs._services.get(key)
    if service and service.get("status") == "ACTIVE" and task.get("_startup_stable") and not within_grace_period(service, task):
        _stop_failing(service, key, task)


def _with_events(complete: Any) -> Any:
    def complete_deployment(cluster: str, key: str, expected_deployment_id: str | None = None) -> None:
        service = ecs._services.get(key)
        if service and lab_settings.values["draining"] == "whole" and _drains_first(cluster, key, service, expected_deployment_id):
            return
        before = (ecs._primary_deployment(service) or {}).get("rolloutState") if service else None
        complete(cluster, key, expected_deployment_id)
        primary = ecs._primary_deployment(service) if service else None
        if primary and before == "IN_PROGRESS" and primary.get("rolloutState") == "COMPLETED":
            primary["rolloutStateReason"] = f"ECS deployment {primary['id']} completed."
            with resource_lock("ecs-service", key):
                add_event(service, f"(deployment {primary['id']}) deployment completed.")
                add_event(service, "has reached a steady state.")
                # A failed deployment is gone once the service is back where it was.
                service["deployments"] = [entry for entry in service["deployments"] if entry.get("rolloutState") != "FAILED" or entry["status"] == "PRIMARY"]

    return complete_deployment


def tasks_of(service: dict[str, Any]) -> list[dict[str, Any]]:
    group = f"service:{service['serviceName']}"
    return [task for task in list(ecs._tasks.values()) if task.get("group") == group and task.get("clusterArn") == service.get("clusterArn")]


def _drains_first(cluster: str, key: str, service: dict[str, Any], expected: str | None) -> bool:
    """Whether the deployment has to wait for older tasks to end; they are told to, and it is looked at again when they have."""
    primary = ecs._primary_deployment(service)
    if not primary or primary.get("rolloutState") != "IN_PROGRESS" or expected not in (None, primary["id"]):
        return False
    mine = [task for task in tasks_of(service) if task.get("_deployment_id") == primary["id"]]
    stable = [task for task in mine if task["lastStatus"] == "RUNNING" and task.get("_startup_stable")]
    older = [task for task in tasks_of(service) if task.get("_deployment_id") != primary["id"] and task["lastStatus"] != "STOPPED"]
    if len(stable) < service.get("desiredCount", 0) or not older:
        return False
    leaving = [task for task in older if task["desiredStatus"] != "STOPPED"]
    for task in leaving:
        ecs._stop_task({"task": task["taskArn"], "cluster": cluster, "reason": "Deployment completed"})
    if leaving and target_groups(service):
        _draining_events.add(add_event(service, f"has begun draining connections on {len(leaving)} tasks."))
    if primary["id"] not in _watched:
        _watched.add(primary["id"])
        spawn_background(_after_the_last, older, cluster, key, primary["id"], get_account_id(), get_region(), thread_name="lab-draining")
    return True


def _after_the_last(older: list[dict[str, Any]], cluster: str, key: str, deployment_id: str, account: str, region: str) -> None:
    while any(task["lastStatus"] != "STOPPED" for task in older):
        time.sleep(0.1)
    _watched.discard(deployment_id)
    with request_scope(account, region):
        ecs._complete_service_deployment(cluster, key, expected_deployment_id=deployment_id)


def _with_failure_event(fail: Any) -> Any:
    """A service says why a task of its did not start."""

    def fail_start(task: dict[str, Any], docker_client: Any, reason: str) -> None:
        kind, _, name = task.get("group", "").partition(":")
        service = ecs._services.get(f"{ecs._cluster_name_from_arn(task['clusterArn'])}/{name}") if kind == "service" else None
        if service is not None:
            _failed_at[get_account_id(), get_region(), f"{ecs._cluster_name_from_arn(task['clusterArn'])}/{name}"] = time.monotonic()
        fail(task, docker_client, reason)
        if service is not None:
            add_event(service, f"was unable to place a task. Reason: {task.get('stoppedReason') or reason}")

    return fail_start


def _with_start_event(run: Any) -> Any:
    def run_task(request: dict[str, Any]) -> Any:
        answer = run(request)
        kind, _, name = request.get("group", "").partition(":")
        service = ecs._services.get(f"{ecs._resolve_cluster_name(request.get('cluster', 'default'))}/{name}") if kind == "service" else None
        if service is not None and answer[0] == 200:
            ids = started_tasks(answer)
            if ids:
                add_event(service, f"has started {len(ids)} tasks: " + " ".join(f"(task {task_id})" for task_id in ids) + ".")
        return answer

    return run_task


def started_tasks(answer: Any) -> list[str]:
    return [task["taskArn"].rpartition("/")[2] for task in json.loads(answer[2])["tasks"]]


def _without_invented_event(update: Any) -> Any:
    """MiniStack writes 'has begun draining connections on 1 tasks' at each update, drained or not."""

    def update_service(request: dict[str, Any]) -> Any:
        answer = update(request)
        for service in ecs._services.values():
            service["events"] = [event for event in service["events"] if event["id"] in _draining_events or not event["message"].endswith(INVENTED)]
        return answer

    return update_service
