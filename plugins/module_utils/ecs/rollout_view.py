# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person who waits for a rollout is told: the lines that follow from how a service was and how it is now. No call to AWS here."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.progress import clock
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout import primary
from ansible_collections.atena.aws.plugins.module_utils.ecs.task import outcome, task_id

# What the service scheduler says of a task that it stops because it is not wanted any more (not because it failed).
_NOT_WANTED = ("Scaling activity initiated by", "Task stopped by")


def stamp(text: str, elapsed: float, limit: float) -> str:
    """The line with the time that has passed, and how long there is."""
    return f"[{clock(elapsed)} of {clock(limit)}] {text}"


def counts(service: dict, deployment_id: str, targets: list[str], is_balanced: bool) -> str:
    """One line on how the deployment stands; the same words as long as it stands the same."""
    ours = next((deployment for deployment in service["deployments"] if deployment["id"] == deployment_id), None) or primary(service)
    older = sum(deployment.get("runningCount", 0) for deployment in service["deployments"] if deployment is not ours)
    parts = [
        f"desired {service['desiredCount']}",
        *(f"{word} {ours.get(f'{word}{kind}', 0)}" for word, kind in (("running", "Count"), ("pending", "Count"), ("failed", "Tasks"))),
    ]
    if older:
        parts.append(f"of earlier deployments {older}")
    parts.append(ours.get("rolloutState") or "no rollout state")
    if is_balanced:
        states = [f"{targets.count(state)} {state}" for state in sorted(set(targets))]
        parts.append(f"targets: {' + '.join(states) or 'none'}")
    return f"{service['serviceName']}: {', '.join(parts)}"


def events(service: dict) -> dict:
    """{id: message without the service's own name}, oldest first."""
    name = f"(service {service['serviceName']}) "
    return {event["id"]: event["message"].removeprefix(name) for event in reversed(service.get("events", []))}


def snapshot(service: dict, deployment_id: str, targets: list[str], is_balanced: bool) -> dict:
    """What is compared from look to look."""
    ours: dict[str, Any] = next((deployment for deployment in service["deployments"] if deployment["id"] == deployment_id), {})
    return {
        "name": service["serviceName"],
        "counts": counts(service, deployment_id, targets, is_balanced),
        "running": ours.get("runningCount", 0),
        "failed": ours.get("failedTasks", 0),
        "events": events(service),
    }


def essence(service: dict) -> str:
    """What of a service tells how its deployments stand: as long as it is the same, nothing has happened to them."""
    counts = ("desiredCount", "runningCount", "pendingCount")
    deployments = [
        [deployment["id"], deployment["status"], deployment.get("rolloutState"), *(deployment.get(key, 0) for key in (*counts, "failedTasks"))]
        for deployment in service["deployments"]
    ]
    return json.dumps([*(service.get(key, 0) for key in counts), deployments])


def news(before: dict, now: dict) -> list[str]:
    """The lines to tell: events that were not there before, each once, then how it stands if that is different. `before`: {} at the first look."""
    old = before.get("events", {})
    lines = [f"{now['name']}: ECS: {message}" for identifier, message in now["events"].items() if identifier not in old]
    if before.get("counts") != now["counts"]:
        lines.append(now["counts"])
    return lines


def has_lost_task(before: dict, now: dict) -> bool:
    """Whether a task of the deployment may have ended since: then it is worth asking which, and why."""
    return now["failed"] > before.get("failed", 0) or now["running"] < before.get("running", 0)


def ended_badly(task: dict, deployment_id: str) -> bool:
    """Whether a stopped task is one of the deployment's that failed, and not one that was merely not needed any more."""
    if task.get("startedBy") != deployment_id or task.get("lastStatus") != "STOPPED":
        return False
    return not (task.get("stopCode") == "ServiceSchedulerInitiated" and task.get("stoppedReason", "").startswith(_NOT_WANTED))


def failure(service_name: str, task: dict) -> str:
    """Why a task ended, in a line."""
    ended = outcome(task)
    reason = ended["reason"] or task.get("stoppedReason") or "it ended by itself with exit code 0, which a service's task never should"
    return f"{service_name}: task {task_id(task['taskArn'])} failed: {reason}"


def task_state(name: str, task: dict) -> str:
    """One line on the state of a task that is run once."""
    state = task["lastStatus"]
    if state != "STOPPED":
        return f"{name}: {state}"
    ended = outcome(task)
    codes = ", ".join(f"{container} {'never ran' if code is None else code}" for container, code in ended["exit_codes"].items())
    return f"{name}: STOPPED, exit codes: {codes or 'none'}" + (f"; {ended['reason']}" if ended["reason"] else "")
