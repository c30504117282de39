"""A deleted load balancer takes its listeners and their rules along, and its target groups no longer name it.

MiniStack leaves them behind: a target group then seems to have a load balancer for ever.
"""

from __future__ import annotations

from typing import Any

from ministack.services import alb

from ..common.patching import replace


def apply() -> None:
    replace(alb, "_delete_lb", _with_listeners)


def _with_listeners(delete: Any) -> Any:
    def delete_all(params: dict[str, Any]) -> Any:
        balancer = alb._p(params, "LoadBalancerArn")
        answer = delete(params)
        if answer[0] == 200:
            for arn in [arn for arn, listener in alb._listeners.items() if listener["LoadBalancerArn"] == balancer]:
                alb._delete_listener({"ListenerArn": [arn]})
            for group in alb._tgs.values():
                group["LoadBalancerArns"] = [arn for arn in group["LoadBalancerArns"] if arn != balancer]
        return answer

    return delete_all
