# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person who waits for a rollout is told: the lines that follow from how a service was and how it is now. No call to AWS here."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.progress import clock
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout import primary
from ansible_collections.atena.aws.plugins.module_utils.ecs.task import outcome, task_id

# Events of which the counts say the same.
_ROUTINE = re.compile(r"^has started \d+ tasks|^has reached a steady state|^(?:de)?registered \d+ targets|deployment completed|^has begun draining")
# As many digits of a task's ID as tell it from others; the diagnosis has all of them.
_SHORT = 8
# What the service scheduler says of a task that it stops because it is not wanted any more (not because it failed).
_NOT_WANTED = ("Scaling activity initiated by", "Task stopped by")


def stamp(text: str, elapsed: float, limit: float) -> str:
    """The line with the time that has passed, and how long there is."""
    return f"[{clock(elapsed)} of {clock(limit)}] {text}"


def counts(service: dict, deployment_id: str, targets: list[str], is_balanced: bool) -> str:
    """One line on how the deployment stands; the same words as long as it stands the same."""
    ours = next((deployment for deployment in service["deployments"] if deployment["id"] == deployment_id), None) or primary(service)
    older = sum(deployment.get("runningCount", 0) for deployment in service["deployments"] if deployment is not ours)
    parts = [f"{ours.get('runningCount', 0)} of {service['desiredCount']} running"]
    parts += [f"{count} {word}" for word, count in (("pending", ours.get("pendingCount", 0)), ("failed", ours.get("failedTasks", 0))) if count]
    if older:
        parts.append(f"{older} of earlier deployments")
    if is_balanced:
        states = [f"{targets.count(state)} {state}" for state in sorted(set(targets))]
        parts.append(f"targets {' + '.join(states) or 'none'}")
    parts.append(ours.get("rolloutState") or "no rollout state")
    return f"{service['serviceName']}: {', '.join(parts)}"


def stage(service: dict, deployment_id: str, targets: list[str]) -> tuple[str, bool, int]:
    """What makes a new line worth showing. Once tasks fail, those that come and go are shown as failures, not as progress."""
    ours: dict[str, Any] = next((deployment for deployment in service["deployments"] if deployment["id"] == deployment_id), {})
    well = not ours.get("failedTasks", 0)
    runs = ours.get("runningCount", 0) >= service["desiredCount"]
    return ours.get("rolloutState") or "", well and runs, targets.count("healthy") if well else 0


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
        "stage": stage(service, deployment_id, targets),
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
    """The lines to show: events that were not there before, each once, then the counts if they say something new. `before`: {} at the first look."""
    old = before.get("events", {})
    lines = [f"{now['name']}: ECS: {message}" for identifier, message in now["events"].items() if identifier not in old and not _ROUTINE.search(message)]
    # That nothing runs yet is no news at the first look.
    if before.get("stage", ("IN_PROGRESS", False, now["stage"][2])) != now["stage"]:
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
    reason = ended["reason"] or task.get("stoppedReason") or "it exited on its own with exit code 0, which a service's task never should"
    # That a container was essential is why the task ended with it, and no news.
    return f"{service_name}: task {task_id(task['taskArn'])[:_SHORT]} failed: {reason.partition('; ECS says: Essential container')[0]}"


def task_state(name: str, task: dict) -> str:
    """One line on the state of a task that is run once."""
    state = task["lastStatus"]
    if state != "STOPPED":
        return f"{name}: {state}"
    ended = outcome(task)
    codes = ", ".join(f"{container} {'never ran' if code is None else code}" for container, code in ended["exit_codes"].items())
    return f"{name}: STOPPED, exit codes: {codes or 'none'}" + (f"; {ended['reason']}" if ended["reason"] else "")
