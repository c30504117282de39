# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions about rolling out: what each service needs, and whether a deployment is done, failed or going on. No call to AWS here."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

DONE, FAILED, GOING = "done", "failed", "going"
# TAKEN: somebody else's deployment is in its place. UNSEEN: the answer does not show it, which may be an answer that is behind.
# WATCHED: it is as it should be, but not for long enough yet.
TAKEN, UNSEEN, WATCHED = "taken over", "unseen", "watched"

# A deployment that was listed before is gone when it is missing in so many answers in a row, over so many seconds: DescribeServices is eventually
# consistent, and one answer may be older than the one before it.
_GONE_LOOKS, _GONE_SECONDS = 4, 10


# --- Whose deployment ------------------------------------------------------------------------------------------------
class Started(NamedTuple):
    """A deployment that is followed, and what tells it from others: what was listed beside it, and when it began by ECS's clock."""

    id: str
    created: datetime.datetime | None = None
    older: frozenset = frozenset()
    # What the service ran before, where ECS's circuit breaker goes back to.
    came_from: str = ""


def primary(service: dict) -> dict:
    """The deployment that the service is at or is going to; {} while ECS has none yet."""
    return next((deployment for deployment in service.get("deployments", []) if deployment["status"] == "PRIMARY"), {})


def listed(service: dict, deployment_id: str) -> dict | None:
    """The deployment as this answer describes it; None if it does not."""
    return next((deployment for deployment in service.get("deployments", []) if deployment["id"] == deployment_id), None)


def started(answer: dict, before: dict | None = None, known: Started | None = None) -> Started:
    """The service's primary deployment to be followed. `answer`: the service as UpdateService or DescribeServices returned it; `before`: as it was
    described before that. `known`: what was followed so far, which is older by now."""
    now = primary(answer)
    others = {deployment["id"] for service in (answer, before or {}) for deployment in service.get("deployments", [])}
    if known:
        others |= known.older | {known.id}
    came_from = (before or {}).get("taskDefinition", "") or (known.came_from if known else "")
    return Started(now.get("id", ""), now.get("createdAt"), frozenset(others - {now.get("id"), ""}), came_from)


def newer(service: dict, ours: Started) -> dict:
    """The primary deployment if it began after ours. {} if it is ours or an older one: then the answer is behind, or ECS went back."""
    now = primary(service)
    if not now or not ours.id or now["id"] == ours.id or now["id"] in ours.older:
        return {}
    if ours.created and now.get("createdAt") and now["createdAt"] < ours.created:
        return {}
    return now


def ended_by_ecs(service: dict, ours: Started) -> str:
    """Why ECS ended our deployment, in its words; '' if nothing says that it did."""
    found = listed(service, ours.id)
    if found and found.get("rolloutState") == "FAILED":
        return found.get("rolloutStateReason") or "no reason given"
    # The deployment itself is not listed any more once the service is back.
    mark = f"(deployment {ours.id})"
    said = [event["message"] for event in service.get("events", []) if ours.id and mark in event["message"] and "deployment failed" in event["message"]]
    return said[0] if said else ""


def stranger(service: dict, ours: Started) -> dict:
    """The deployment of somebody else that is in the place of ours; {} if there is none. What ECS itself goes back to is nobody's."""
    now = newer(service, ours)
    reason = now.get("rolloutStateReason", "").lower()
    if not now or "rolling back" in reason or "rollback" in reason:
        return {}
    if ended_by_ecs(service, ours) and now["taskDefinition"] == ours.came_from:
        return {}
    return now


def is_behind(service: dict, ours: Started) -> bool:
    """Whether the answer may be from before our deployment: it does not list it, and nothing newer, nor a word of its end."""
    return bool(ours.id) and listed(service, ours.id) is None and not newer(service, ours) and not ended_by_ecs(service, ours)


def is_gone(was_listed: bool, looks: int, seconds: float) -> bool:
    """Whether a deployment that the last `looks` answers, over `seconds`, did not show is gone. One that was never listed is not listed *yet*: UpdateService
    has confirmed it, so only the deadline ends that."""
    return was_listed and looks >= _GONE_LOOKS and seconds >= _GONE_SECONDS


# --- What is to be done ----------------------------------------------------------------------------------------------
def plan_update(service: dict, target: str, is_first: bool, initial_count: int | None) -> dict:
    """UpdateService's arguments beside cluster and service; {} if nothing is to be done.

    is_first: no release ever ran here (the service has its template). Only then the count is set, to `initial_count`; later the count
    belongs to whoever scaled the service. A service that was scaled to 0 stays there.
    """
    update: dict[str, Any] = {}
    if service["taskDefinition"] != target:
        update["taskDefinition"] = target
    if is_first and initial_count is not None and service["desiredCount"] != initial_count:
        update["desiredCount"] = initial_count
    return update


def plan_revert(service: dict, previous: dict) -> dict:
    """UpdateService's arguments that bring a service back to `previous` {'taskDefinition', 'desiredCount', 'is_first'}; {} if it is there.

    A first release goes back to count 0: its template was never meant to run.
    """
    update = {}
    if service["taskDefinition"] != previous["taskDefinition"]:
        update["taskDefinition"] = previous["taskDefinition"]
    count = 0 if previous["is_first"] else previous["desiredCount"]
    if previous["is_first"] and service["desiredCount"] != count:
        update["desiredCount"] = count
    return update


# --- How it stands ---------------------------------------------------------------------------------------------------
def is_settled(service: dict) -> bool:
    """Whether the service runs all of its tasks on one deployment that no failure ended."""
    now = primary(service)
    others = [d for d in service["deployments"] if d["status"] != "PRIMARY" and d.get("runningCount", 0) + d.get("pendingCount", 0) > 0]
    return (
        now.get("rolloutState", "COMPLETED") == "COMPLETED"
        and now.get("runningCount", 0) == service["desiredCount"]
        and service["runningCount"] == service["desiredCount"]
        and service["pendingCount"] == 0
        and not others
    )


def assess(service: dict, ours: Started, targets: list[str], is_balanced: bool, unwell: str = "") -> tuple[str, str]:
    """(DONE|FAILED|GOING|TAKEN|UNSEEN, reason) of the deployment that was started.

    `targets`: health states of the service's targets. `unwell`: see container_health. rolloutState alone is not trusted: a first deployment can be
    COMPLETED before its task runs, and after a rollback the *old* deployment is PRIMARY and COMPLETED, which is a failure of ours.
    """
    name = service["serviceName"]
    found, now, why = listed(service, ours.id), primary(service), ended_by_ecs(service, ours)
    if found and found.get("rolloutState") == "FAILED":
        return FAILED, f"{name}: ECS ended the deployment: {why}"
    if now and now["id"] != ours.id:
        theirs = stranger(service, ours)
        if theirs:
            return TAKEN, f"{name}: another deployment took over ({named(theirs)}): {theirs.get('rolloutStateReason') or 'it was started after ours'}"
        if found or why or newer(service, ours):
            return FAILED, f"{name}: ECS rolled back to {named(now)}: {why or now.get('rolloutStateReason') or 'no reason given'}"
        return UNSEEN, f"{name}: ECS shows {named(now)}, which is older than our deployment {ours.id}, and not that one"
    if found is None:
        return UNSEEN, f"{name}: waiting for ECS to list the deployment"
    wanted = service["desiredCount"]
    healthy = targets.count("healthy")
    counts = f"{found.get('runningCount', 0)}/{wanted} running, {found.get('pendingCount', 0)} pending, {found.get('failedTasks', 0)} failed"
    if not is_settled(service):
        leaving = f", {targets.count('draining')} target(s) still draining (deregistration delay)" if "draining" in targets else ""
        unhealthy = f", {healthy} of {wanted} targets healthy" if is_balanced and healthy < wanted else ""
        return GOING, f"{name}: {counts}{unhealthy}{leaving}{', ' + unwell if unwell else ''}"
    if is_balanced and wanted > 0 and healthy < wanted:
        return GOING, f"{name}: {counts}, {healthy} of {wanted} targets healthy"
    if unwell:
        return GOING, f"{name}: {counts}, {unwell}"
    return DONE, f"{name}: {counts}"


def named(deployment: dict) -> str:
    return f"{deployment['id']}, {deployment['taskDefinition'].rsplit('/', 1)[-1]}"


def is_steady(service: dict, ours: Started, targets: list[str], is_balanced: bool, unwell: str = "", was_steady: bool = False) -> bool:
    """Whether all tasks of our deployment run and are healthy, whatever the older tasks still do: from then on its stable_seconds count.

    A target does not say whose it is. So at first every target must be healthy or on its way out, and there must be one for each task, older ones
    included; later, while these go, it is enough that those of ours can all be among the healthy ones.
    """
    now, wanted = primary(service), service["desiredCount"]
    if now.get("id") != ours.id or not wanted or now.get("runningCount", 0) < wanted or unwell:
        return False
    if is_balanced and targets.count("healthy") < wanted:
        return False
    if was_steady:
        return True
    older = sum(deployment.get("runningCount", 0) for deployment in service["deployments"] if deployment["id"] != ours.id)
    return now.get("pendingCount", 0) == 0 and (
        not is_balanced or (set(targets) <= {"healthy", "draining"} and targets.count("healthy") + targets.count("draining") >= wanted + older)
    )


def container_health(tasks: list[dict], deployment_id: str, checked: frozenset, wanted: int) -> str:
    """What the deployment lacks by its containers' own health checks; '' if nothing. `checked`: the containers that have one.

    Until the first check has passed ECS says UNKNOWN, and so it does for ever of a container that has none.
    """
    ours = [task for task in tasks if task.get("startedBy") == deployment_id]
    bad = [
        f"{container['name']} of task {task['taskArn'].rsplit('/', 1)[-1]} is {container.get('healthStatus', 'UNKNOWN')}"
        for task in ours
        for container in task.get("containers", [])
        if container["name"] in checked and container.get("healthStatus", "UNKNOWN") != "HEALTHY"
    ]
    if bad:
        return f"container health checks: {', '.join(bad)}"
    return f"container health checks: only {len(ours)} of {wanted} tasks listed" if len(ours) < wanted else ""


# --- Tasks that ended ------------------------------------------------------------------------------------------------
def crashed(tasks: list[dict]) -> list[dict]:
    """Of a deployment's stopped tasks those that ran and then ended by themselves.

    ECS replaces such a task and may call the deployment completed all the same: the next one is well, for as long as this one was.
    """
    return [task for task in tasks if task.get("startedAt") and task.get("stopCode") == "EssentialContainerExited"]


def fallen(tasks: list[dict], before: frozenset) -> list[dict]:
    """Of a deployment's stopped tasks those that were lost after it was steady: crashed, or stopped because they failed their health checks.

    `before`: ARNs of those that had ended by then. What a person, a scaling or AWS (Spot, maintenance) stopped did not end by itself.
    """
    ended = [task for task in tasks if task["taskArn"] not in before]
    unhealthy = [task for task in ended if task.get("stopCode") == "ServiceSchedulerInitiated" and "health check" in task.get("stoppedReason", "")]
    return [*crashed(ended), *unhealthy]
