"""Which target groups the listeners of a load balancer forward to."""

from __future__ import annotations

from typing import Any

from ministack.services import alb


def action_targets(actions: list[dict[str, Any]]) -> set[str]:
    found = set()
    for action in actions:
        found.add(action.get("TargetGroupArn"))
        found.update(group.get("TargetGroupArn") for group in (action.get("ForwardConfig") or {}).get("TargetGroups") or [])
    return {arn for arn in found if arn}


def has_load_balancer(target_group: str) -> bool:
    rules = [rule.get("Actions") or [] for rule in alb._rules.values()]
    listeners = [listener.get("DefaultActions") or [] for listener in alb._listeners.values()]
    return any(target_group in action_targets(actions) for actions in (*rules, *listeners))
