# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions about one ECS task: did it start, is it done, how did it end, and why. No call to AWS here."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown
from ansible_collections.atena.aws.plugins.module_utils.ecs.failure_words import what_aws_says

RUNNING, SUCCEEDED, FAILED, INCOMPLETE = "running", "succeeded", "failed", "incomplete"
# Stop codes (API reference of Task, stopCode) of a task that somebody, or AWS for reasons of its own, stopped: its work may be half done.
_FROM_OUTSIDE = {"UserInitiated", "SpotInterruption", "TerminationNotice"}
# How a container ends that ECS stops (SIGTERM, then SIGKILL) because an essential one has ended.
_ENDED_BY_SIGNAL = {137, 143}


def task_id(task_arn: str) -> str:
    """The last part of a task's ARN."""
    return task_arn.rsplit("/", 1)[-1]


def start_failures(answer: dict) -> str | None:
    """RunTask answers 200 and an empty list when it could not place the task: one sentence on why, or None."""
    if answer.get("tasks"):
        return None
    failures = answer.get("failures") or [{"reason": "RunTask started no task and named no failure"}]
    sentences = []
    for failure in failures:
        reason = shown(failure.get("reason", "unknown"))
        detail = f" ({shown(failure['detail'])})" if failure.get("detail") else ""
        sentences.append(f"{reason}{detail}. {likely_cause(reason)}".strip())
    return " ".join(sentences)


def likely_cause(text: str) -> str:
    """The remedy for a stopped reason or container reason that AWS gives; '' for one we do not know."""
    words = what_aws_says(text)
    return words.remedy if words else ""


def commanded(task: dict) -> set[str]:
    """The containers of a described task whose command was given to RunTask."""
    return {entry["name"] for entry in (task.get("overrides") or {}).get("containerOverrides") or [] if entry.get("command")}


def deciding(task: dict, definition: dict) -> set[str]:
    """The containers by which a one-off task is judged: those whose command was given, and the task definition's essential ones.

    Others do not decide: side-cars, and what AWS puts into a task beside them, such as GuardDuty's agent, which is in no task definition.
    """
    essential = {container["name"] for container in definition.get("containerDefinitions", []) if container.get("essential", True)}
    return commanded(task) | essential


def outcome(task: dict, definition: dict | None = None) -> dict:
    """How a described task stands.

    {'state': 'running'|'succeeded'|'failed'|'incomplete', 'exit_codes': {container: int|None}, 'reason': str, 'beside': str}. A task that went from
    PENDING straight to STOPPED is read like any other; a container without an exit code never started, which is a failure. With its task definition
    only the containers that decide are judged (`deciding`), and `beside` tells what became of the others. 'incomplete' is what was stopped from
    outside, whatever its exit codes: a program that handles SIGTERM may well exit with 0 half-way.
    """
    containers = task.get("containers", [])
    codes = {container["name"]: container.get("exitCode") for container in containers}
    if task.get("lastStatus") != "STOPPED":
        return {"state": RUNNING, "exit_codes": codes, "reason": task.get("lastStatus", ""), "beside": ""}
    judged = set(codes) if definition is None else deciding(task, definition)
    ours = commanded(task)
    done = bool(ours) and all(codes.get(name) == 0 for name in ours)
    reasons: list[str] = []
    beside: list[str] = []
    for container in containers:
        said = _what_became_of(container)
        # An essential side-car that ECS ended after the container whose command was given had done its work.
        ended_after = done and container["name"] not in ours and container.get("exitCode") in _ENDED_BY_SIGNAL
        (reasons if container["name"] in judged and not ended_after else beside).extend(said)
    if not judged & set(codes):
        reasons.append("no container ever started")
    stopped = task.get("stoppedReason")
    if task.get("stopCode") in _FROM_OUTSIDE:
        reasons.insert(0, f"it was stopped from outside ({task['stopCode']}: {stopped or 'no reason was given'}) and may have done part of its work")
    elif reasons and stopped and stopped != "Essential container in task exited":
        reasons.append(f"ECS says: {stopped}")
    told = {"exit_codes": codes, "beside": "; ".join(beside)}
    if not reasons:
        return {"state": SUCCEEDED, "reason": "", **told}
    text = "; ".join(reasons)
    state = INCOMPLETE if task.get("stopCode") in _FROM_OUTSIDE else FAILED
    return {"state": state, "reason": f"{text}. {likely_cause(text)}".strip(), **told}


def _what_became_of(container: dict) -> list[str]:
    """A clause on a stopped container; [] of one that ended well."""
    code, said = container.get("exitCode"), f": {container['reason']}" if container.get("reason") else ""
    if code is None:
        return [f"container {container['name']} never ran{said}"]
    if code == 0:
        return []
    killed = " (killed: out of memory, or not stopped in time)" if code == 137 and not said else ""
    return [f"container {container['name']} exited with code {code}{killed}{said}"]


def overrides(items: list[dict] | None) -> dict:
    """RunTask's `overrides` from the module's list of container overrides; what is unset stays out."""
    result = []
    for item in items or []:
        entry = {"name": item["name"]}
        if item.get("command") is not None:
            entry["command"] = item["command"]
        if item.get("environment"):
            entry["environment"] = [{"name": name, "value": str(value)} for name, value in sorted(item["environment"].items())]
        for key in ("cpu", "memory"):
            if item.get(key) is not None:
                entry[key] = item[key]
        result.append(entry)
    return {"containerOverrides": result} if result else {}


def unknown_containers(task_definition: dict, items: list[dict] | None) -> list[str]:
    """Names in the overrides that the task definition has no container for (RunTask would refuse them)."""
    known = {container["name"] for container in task_definition.get("containerDefinitions", [])}
    return sorted({item["name"] for item in items or []} - known)


def network_of(service: dict | None, given: dict | None) -> dict | None:
    """awsvpcConfiguration: what is given wins over the service's own; None if neither names subnets."""
    base = ((service or {}).get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    given = given or {}
    merged = {
        "subnets": given.get("subnets") or base.get("subnets"),
        "securityGroups": given.get("security_groups") or base.get("securityGroups"),
        "assignPublicIp": base.get("assignPublicIp", "DISABLED"),
    }
    if given.get("assign_public_ip") is not None:
        merged["assignPublicIp"] = "ENABLED" if given["assign_public_ip"] else "DISABLED"
    if not merged["subnets"]:
        return None
    return {key: value for key, value in merged.items() if value}
