# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a service stands, in a line that a person reads. No call to AWS here."""

from __future__ import annotations

import datetime


def age(then: str, now: datetime.datetime) -> str:
    """'3 min', '5 h', '12 d' since an ISO 8601 moment."""
    seconds = (now - datetime.datetime.fromisoformat(then)).total_seconds()
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {word}"
    return f"{max(0, int(seconds))} s"


def waits_for(service: dict, deployment: dict) -> str:
    """What a described service waits for, in ECS's own words; '' when it is settled. deployment: its primary one."""
    counts = (service["runningCount"] == service["desiredCount"], service["pendingCount"] == 0, len(service.get("deployments", [])) <= 1)
    if all(counts) and deployment.get("rolloutState", "COMPLETED") == "COMPLETED":
        return ""
    event = next((event["message"] for event in service.get("events", [])), "")
    return "; ".join(part for part in (deployment.get("rolloutStateReason", ""), event) if part) or "ECS has reported nothing yet"


def service_line(service: dict, now: datetime.datetime | None = None) -> str:
    targets = service["targets"]
    health = f", {targets.count('healthy')} of {len(targets)} targets healthy" if service["has_load_balancer"] else ""
    release = service["release"] or ("no release yet" if service["is_template"] else "unknown release")
    if now and service.get("released_at"):
        release += f" of {age(service['released_at'], now)} ago"
    waits = f"; waits: {service['waits_for']}" if service.get("waits_for") else ""
    return (
        f"{service['name']}: {service['running_count']} of {service['desired_count']} running, {service['pending_count']} pending{health}; "
        f"{release}; {service['task_definition'].rsplit('/', 1)[-1]}, {service['rollout_state'] or 'no rollout state'}{waits}"
    )
