# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A diagnosis as text. A command stands on a line of its own, to be copied as it is."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import CERTAIN
from ansible_collections.atena.aws.plugins.module_utils.ecs.service_text import service_line

_CAUSES, _SHOWN = 2, 2
_WITHHELD = "Log lines were left out: the secrets' values could not be read, so they could not be redacted. In CloudWatch they are whole."


def state_lines(facts: dict[str, Any]) -> list[str]:
    """The state of each part, a line each."""
    lines = []
    for service in facts["services"].values():
        definition = facts["definitions"].get(service["task_definition"], {})
        targets = [target["state"] for item in service["balancers"] for target in (facts["target_groups"].get(item["target_group"]) or {}).get("targets", [])]
        known = {"release": definition.get("release", ""), "is_template": definition.get("is_template", False)}
        lines.append(service_line({**service, **known, "targets": targets}))
        if service["events"]:
            event = service["events"][0]
            lines.append(f"  newest event, {event['at']}: {event['message']}")
    for part, label in (("load_balancer", "load balancer"), ("database", "database"), ("redis", "Redis")):
        entry = facts.get(part)
        where = (entry or {}).get("endpoint") or (entry or {}).get("dns_name") or ""
        lines.append(f"{label}: {entry['state' if part == 'load_balancer' else 'status']}{', ' + where if where else ''}" if entry else f"{label}: none")
    health = facts.get("health")
    if health:
        lines.append(f"{health['url']}: {health['status'] or 'no answer'} {health['content']}".rstrip())
    return lines


def headline(found: list[dict[str, Any]]) -> str:
    """How many causes there are. What is over, and what is only worth knowing, is not counted."""
    now = [item for item in found if not item["over"] and not item["minor"]]
    causes = sum(not item["caused_by"] for item in now)
    if not now:
        return "Nothing is wrong now." if any(item["over"] for item in found) else "Nothing wrong was found."
    consequences = len(now) - causes
    text = f"{causes} cause{'s' if causes > 1 else ''}"
    if consequences:
        text += f", with {consequences} consequence{'s' if consequences > 1 else ''}"
    return text + "."


def as_text(diagnosis: dict[str, Any]) -> str:
    """What a person reads at two in the morning: each cause with its remedy and what shows it, its consequences, then the state of everything."""
    found, facts = diagnosis["findings"], diagnosis["facts"]
    lines = [f"Diagnosis of {diagnosis['environment']}, {diagnosis['at']}", "", headline(found), ""]
    causes = [item for item in found if not item["over"] and not item["minor"] and not item["caused_by"]]
    consequences = [item for item in found if not item["over"] and item["caused_by"]]
    for number, item in enumerate(causes, 1):
        lines += [f"{number}. {_title(item)}", *_details(item), ""]
        for other in [other for other in consequences if other["caused_by"] == item["code"]]:
            consequences.remove(other)
            lines += [f"   Consequence: {_title(other)}", *_evidence(other, "     "), ""]
    for title, part in (
        ("Worth knowing:", [item for item in found if item["minor"] and not item["over"] and not item["caused_by"]]),
        ("Earlier, over:", [item for item in found if item["over"]]),
    ):
        if part:
            lines += [title, *(line for item in part for line in (_over_line(item) if item["over"] else [f"- {_title(item)}", *_details(item)])), ""]
    lines += ["Status:", *(f"  {line}" for line in state_lines(facts))]
    if facts.get("logs_withheld"):
        lines += ["", _WITHHELD]
    return "\n".join(lines) + "\n"


def first_causes(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a person reads after a failure: the first causes of now. The rest is where the diagnosis is kept."""
    return [item for item in found if not (item["over"] or item["minor"] or item["caused_by"])][:_CAUSES]


def reason_lines(item: dict[str, Any]) -> list[str]:
    """A cause in a line, and the first of what shows it."""
    return [cause_line(item), *(f"  {line}" for line in item["evidence"][:_SHOWN])]


def cause_line(item: dict[str, Any]) -> str:
    """A finding in one line."""
    return f"{_title(item)}."


def step_line(step: dict[str, Any]) -> str:
    """A step in one line, its command in backticks."""
    text = step_text(step)
    return f"{text}: `{step['command']}`" if step["command"] else f"{text}."


def step_text(step: dict[str, Any]) -> str:
    return f"Or: {step['text'][:1].lower()}{step['text'][1:]}" if step["instead"] else str(step["text"])


def _title(item: dict[str, Any]) -> str:
    return f"{item['code']}, {item['resource']}: {item['cause']}{'' if item['certainty'] == CERTAIN else ' (likely)'}"


def _over_line(item: dict[str, Any]) -> list[str]:
    times = f" ({item['times']} times)" if item["times"] > 1 else ""
    return [f"  {item['at']} {item['code']}, {item['resource']}: {item['cause']}{times}"]


def _details(item: dict[str, Any]) -> list[str]:
    lines = ["   Remedy:"]
    for step in item["steps"]:
        lines.append(f"   - {step_text(step)}{':' if step['command'] else '.'}")
        if step["command"]:
            lines.append(f"       {step['command']}")
    return [*lines, *(["   Evidence:", *_evidence(item, "     ")] if item["evidence"] else [])]


def _evidence(item: dict[str, Any], indent: str) -> list[str]:
    return [f"{indent}{line}" for line in item["evidence"]]
