"""A load balancer is `provisioning` before it is active, and takes no traffic until then.

MiniStack's is active at once. common/lab_settings.py sets the time and failures.
"""

from __future__ import annotations

import json
import time
from typing import Any

from ministack.services import alb

from ..common import lab_settings
from ..common.patching import replace


def apply() -> None:
    replace(alb, "_create_lb", _provisioning_first)
    replace(alb, "_describe_lbs", _as_of_now)
    replace(alb, "dispatch_request", _only_active)


def settle(balancer: dict[str, Any]) -> None:
    if balancer["State"] == "provisioning" and lab_settings.over("load_balancer_create", balancer["_began"]):
        balancer["State"] = "failed" if lab_settings.fails("load_balancer_create") else "active"


def _provisioning_first(create: Any) -> Any:
    def create_provisioning(params: dict[str, Any]) -> Any:
        known = set(alb._lbs.keys())
        status, headers, body = create(params)
        for arn in set(alb._lbs.keys()) - known:
            alb._lbs[arn].update(State="provisioning", _began=time.time())
        return status, headers, body.replace(b"<Code>active</Code>", b"<Code>provisioning</Code>")

    return create_provisioning


def _as_of_now(describe: Any) -> Any:
    def describe_now(params: dict[str, Any]) -> Any:
        for balancer in alb._lbs.values():
            settle(balancer)
        return describe(params)

    return describe_now


def _only_active(dispatch: Any) -> Any:
    async def dispatch_active(balancer: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        settle(balancer)
        if balancer["State"] != "active":
            body = json.dumps({"message": f"the load balancer {balancer['LoadBalancerName']} is {balancer['State']}"}).encode()
            return 503, {"Content-Type": "application/json"}, body
        return await dispatch(balancer, *arguments, **options)

    return dispatch_active
