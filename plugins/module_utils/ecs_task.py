# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions about one ECS task: did it start, is it done, how did it end, and why. No call to AWS here."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.failure_words import what_aws_says


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
        reason = failure.get("reason", "unknown")
        detail = f" ({failure['detail']})" if failure.get("detail") else ""
        sentences.append(f"{reason}{detail}. {likely_cause(reason)}".strip())
    return " ".join(sentences)


def likely_cause(text: str) -> str:
    """The remedy for a stopped reason or container reason that AWS gives; '' for one we do not know."""
    words = what_aws_says(text)
    return words.remedy if words else ""


def outcome(task: dict) -> dict:
    """How a described task stands.

    {'state': 'running'|'succeeded'|'failed', 'exit_codes': {container: int|None}, 'reason': str}. A task that went from
    PENDING straight to STOPPED is read like any other; a container without an exit code never started, which is a failure.
    """
    containers = task.get("containers", [])
    codes = {container["name"]: container.get("exitCode") for container in containers}
    if task.get("lastStatus") != "STOPPED":
        return {"state": "running", "exit_codes": codes, "reason": task.get("lastStatus", "")}
    reasons = []
    for container in containers:
        code = container.get("exitCode")
        if code == 0 and not container.get("reason"):
            continue
        said = f": {container['reason']}" if container.get("reason") else ""
        if code is None:
            reasons.append(f"container {container['name']} never ran{said}")
        elif code != 0:
            killed = " (killed: out of memory, or not stopped in time)" if code == 137 and not said else ""
            reasons.append(f"container {container['name']} exited with code {code}{killed}{said}")
    if not containers:
        reasons.append("no container ever started")
    if not reasons:
        return {"state": "succeeded", "exit_codes": codes, "reason": ""}
    stopped = task.get("stoppedReason")
    if stopped and stopped != "Essential container in task exited":
        reasons.append(f"ECS says: {stopped}")
    text = "; ".join(reasons)
    return {"state": "failed", "exit_codes": codes, "reason": f"{text}. {likely_cause(text)}".strip()}


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
    merged = {
        "subnets": (given or {}).get("subnets") or base.get("subnets"),
        "securityGroups": (given or {}).get("security_groups") or base.get("securityGroups"),
        "assignPublicIp": base.get("assignPublicIp", "DISABLED"),
    }
    if (given or {}).get("assign_public_ip") is not None:
        merged["assignPublicIp"] = "ENABLED" if given["assign_public_ip"] else "DISABLED"
    if not merged["subnets"]:
        return None
    return {key: value for key, value in merged.items() if value}
