# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions about rolling out: what each service needs, and whether a deployment is done, failed or going on. No call to AWS here."""

from __future__ import annotations

DONE, FAILED, GOING = "done", "failed", "going"


def primary(service: dict) -> dict:
    """The deployment that the service is at or is going to; {} while ECS has none yet."""
    return next((deployment for deployment in service.get("deployments", []) if deployment["status"] == "PRIMARY"), {})


def plan_update(service: dict, target: str, is_first: bool, initial_count: int | None) -> dict:
    """UpdateService's arguments beside cluster and service; {} if nothing is to be done.

    is_first: no release ever ran here (the service has its template). Only then the count is set, to `initial_count`; later the count
    belongs to whoever scaled the service. A service that was scaled to 0 stays there.
    """
    update = {}
    if service["taskDefinition"] != target:
        update["taskDefinition"] = target
    if is_first and initial_count is not None and service["desiredCount"] != initial_count:
        update["desiredCount"] = initial_count
    return update


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


def assess(service: dict, deployment_id: str, targets: list[str], is_balanced: bool) -> tuple[str, str]:
    """(DONE|FAILED|GOING, reason) of the deployment that was started.

    `targets`: health states of the service's targets. rolloutState alone is not trusted: a first deployment can be COMPLETED before its task
    runs, and after a rollback the *old* deployment is PRIMARY and COMPLETED, which is a failure of ours.
    """
    name = service["serviceName"]
    ours = next((deployment for deployment in service["deployments"] if deployment["id"] == deployment_id), None)
    now = primary(service)
    if ours and ours.get("rolloutState") == "FAILED":
        return FAILED, f"{name}: ECS ended the deployment: {ours.get('rolloutStateReason') or 'no reason given'}"
    if now and now["id"] != deployment_id:
        if ours is None and not now.get("rolloutStateReason"):
            why = "it was replaced"
        else:
            why = now.get("rolloutStateReason") or "no reason given"
        return FAILED, f"{name}: another deployment took over ({now['id']}, {now['taskDefinition'].rsplit('/', 1)[-1]}): {why}"
    if ours is None:
        return GOING, f"{name}: waiting for ECS to list the deployment"
    wanted = service["desiredCount"]
    healthy = targets.count("healthy")
    counts = f"{ours.get('runningCount', 0)}/{wanted} running, {ours.get('pendingCount', 0)} pending, {ours.get('failedTasks', 0)} failed"
    if not is_settled(service):
        leaving = f", {targets.count('draining')} target(s) still draining (deregistration delay)" if "draining" in targets else ""
        unhealthy = f", {healthy} of {wanted} targets healthy" if is_balanced and healthy < wanted else ""
        return GOING, f"{name}: {counts}{unhealthy}{leaving}"
    if is_balanced and wanted > 0 and healthy < wanted:
        return GOING, f"{name}: {counts}, {healthy} of {wanted} targets healthy"
    return DONE, f"{name}: {counts}"


def crashed(tasks: list[dict]) -> list[dict]:
    """Of a deployment's stopped tasks those that ran and then ended by themselves.

    ECS replaces such a task and may call the deployment completed all the same: the next one is well, for as long as this one was.
    """
    return [task for task in tasks if task.get("startedAt") and task.get("stopCode") == "EssentialContainerExited"]


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
