"""A service's target group must belong to a load balancer.

ECS refuses to create a service, or to give one a target group, while no listener forwards to that group; MiniStack takes it.
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import alb, ecs

from ..common.patching import replace
from ..elbv2.listeners import has_load_balancer


def refusal(target_groups: list[str], known: Any) -> str | None:
    for target_group in target_groups:
        if target_group not in known:
            return f"The specified target group does not exist: {target_group}"
        if not has_load_balancer(target_group):
            return f"The target group with targetGroupArn {target_group} does not have an associated load balancer."
    return None


def apply() -> None:
    for name in ("_create_service", "_update_service"):
        replace(ecs, name, _with_load_balancer)


def _with_load_balancer(act: Any) -> Any:
    def act_if_balanced(request: dict[str, Any]) -> Any:
        groups = [entry["targetGroupArn"] for entry in request.get("loadBalancers") or [] if entry.get("targetGroupArn")]
        problem = refusal(groups, alb._tgs)
        return error_response_json("InvalidParameterException", problem, 400) if problem else act(request)

    return act_if_balanced
