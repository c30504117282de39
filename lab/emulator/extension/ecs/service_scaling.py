"""Application Auto Scaling of ECS services, as far as their bounds go.

MiniStack has no such service. Here: targets are registered, changed, suspended, told and deregistered, a service whose count lies
outside of the bounds that are registered is brought inside, and activities tell so. There are no policies; what one would decide is
asked for with `POST /_lab/scaling {"resource_id": "service/cluster/name", "desired": 3}`: the count is then set within the bounds,
also that of a service which somebody has set to 0.
"""

from __future__ import annotations

import json
import time
from typing import Any

from ministack.core import router
from ministack.core.responses import AccountRegionScopedDict, error_response_json, get_account_id, get_region, json_response, new_uuid, request_scope
from ministack.services import ecs

from ..common import control

SERVICE, PREFIX = "application-autoscaling", "AnyScaleFrontendService."
NAMESPACE, DIMENSION = "ecs", "ecs:service:DesiredCount"
SUSPENSIONS = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
PAGE = 50
_targets = AccountRegionScopedDict()  # resource id -> the target as AWS tells it
_activities = AccountRegionScopedDict()  # resource id -> newest first


def apply() -> None:
    from ministack import app

    router.SERVICE_PATTERNS[SERVICE] = {"host_patterns": [rf"{SERVICE}\."], "target_prefixes": [PREFIX], "credential_scope": SERVICE}
    app.SERVICE_HANDLERS[SERVICE] = handle
    control.subjects["scaling"] = decide


async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
    operation = headers.get("x-amz-target", "").removeprefix(PREFIX)
    request = json.loads(body or b"{}")
    if request.get("ServiceNamespace") != NAMESPACE or request.get("ScalableDimension", DIMENSION) != DIMENSION:
        return error_response_json("ValidationException", f"The lab scales {DIMENSION} alone.", 400)
    act = OPERATIONS.get(operation)
    return act(request) if act else error_response_json("UnknownOperationException", f"The lab's scaling has no {operation}.", 400)


def service_of(resource: str) -> dict[str, Any] | None:
    kind, _, key = resource.partition("/")
    service = ecs._services.get(key) if kind == "service" else None
    return service if service and service.get("status") == "ACTIVE" else None


# -- operations ------------------------------------------------------------------------------------------------------------------


def _register(request: dict[str, Any]) -> Any:
    resource = request["ResourceId"]
    service, before = service_of(resource), _targets.get(resource)
    if service is None:
        return error_response_json("ValidationException", f"ECS service doesn't exist: {resource}", 400)
    problem = wrong(request, before)
    if problem:
        return error_response_json("ValidationException", problem, 400)
    target = merged(before or _new(resource), request)
    _targets[resource] = target
    count, cause = within(int(service["desiredCount"]), target)
    if cause:
        _scale(resource, count, cause)
    return json_response({"ScalableTargetARN": target["ScalableTargetARN"]})


def _new(resource: str) -> dict[str, Any]:
    role = f"arn:aws:iam::{get_account_id()}:role/aws-service-role/ecs.{SERVICE}.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService"
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": resource,
        "ScalableDimension": DIMENSION,
        "RoleARN": role,
        "CreationTime": time.time(),
        "SuspendedState": dict.fromkeys(SUSPENSIONS, False),
        "ScalableTargetARN": f"arn:aws:{SERVICE}:{get_region()}:{get_account_id()}:scalable-target/{new_uuid().replace('-', '')[:20]}",
    }


def _deregister(request: dict[str, Any]) -> Any:
    resource = request["ResourceId"]
    if _targets.pop(resource, None) is None:
        message = f"No scalable target registered for namespace: {NAMESPACE}, resource ID: {resource}, scalable dimension: {DIMENSION}"
        return error_response_json("ObjectNotFoundException", message, 400)
    return json_response({})


def _describe(request: dict[str, Any]) -> Any:
    wanted = request.get("ResourceIds")
    return _page("ScalableTargets", [target for name, target in sorted(_targets.items()) if not wanted or name in wanted], request)


def _describe_activities(request: dict[str, Any]) -> Any:
    resource = request.get("ResourceId")
    return _page("ScalingActivities", [one for name, several in _activities.items() if resource in (None, name) for one in several], request)


def _page(name: str, found: list[dict[str, Any]], request: dict[str, Any]) -> Any:
    begin, size = int(request.get("NextToken") or 0), int(request.get("MaxResults") or PAGE)
    more = {"NextToken": str(begin + size)} if begin + size < len(found) else {}
    return json_response({name: found[begin : begin + size], **more})


OPERATIONS = {
    "RegisterScalableTarget": _register,
    "DeregisterScalableTarget": _deregister,
    "DescribeScalableTargets": _describe,
    "DescribeScalingActivities": _describe_activities,
    "DescribeScalingPolicies": lambda request: json_response({"ScalingPolicies": []}),
    "DescribeScheduledActions": lambda request: json_response({"ScheduledActions": []}),
}


# -- decisions -------------------------------------------------------------------------------------------------------------------


def wrong(request: dict[str, Any], before: dict[str, Any] | None) -> str:
    """What AWS does not take of a registration; empty if it takes it."""
    low, high = (request.get(name, (before or {}).get(name)) for name in ("MinCapacity", "MaxCapacity"))
    if low is None or high is None:
        return "Minimum and maximum capacity must be given to register a new scalable target."
    if low < 0 or high < 0:
        return "Capacities are 0 or more."
    return "Maximum capacity cannot be less than minimum capacity." if high < low else ""


def merged(before: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """What a registration leaves out stays as it was."""
    bounds: dict[str, Any] = {name: request[name] for name in ("MinCapacity", "MaxCapacity") if name in request}
    suspended = {**before["SuspendedState"], **request.get("SuspendedState", {})}
    return {**before, **bounds, "SuspendedState": suspended}


def within(count: int, target: dict[str, Any]) -> tuple[int, str]:
    """The count inside the bounds, and what moved it there; no words if nothing did."""
    if count < target["MinCapacity"] and not target["SuspendedState"]["DynamicScalingOutSuspended"]:
        return target["MinCapacity"], f"minimum capacity was set to {target['MinCapacity']}"
    if count > target["MaxCapacity"] and not target["SuspendedState"]["DynamicScalingInSuspended"]:
        return target["MaxCapacity"], f"maximum capacity was set to {target['MaxCapacity']}"
    return count, ""


def _scale(resource: str, count: int, cause: str) -> None:
    cluster, _, name = resource.partition("/")[2].partition("/")
    ecs._update_service({"cluster": cluster, "service": name, "desiredCount": count})
    activity = {
        "ActivityId": new_uuid(), "ServiceNamespace": NAMESPACE, "ResourceId": resource, "ScalableDimension": DIMENSION,
        "Description": f"Setting desired count to {count}.", "Cause": cause, "StartTime": time.time(), "EndTime": time.time(), "StatusCode": "Successful",
        "StatusMessage": f"Successfully set desired count to {count}. Change successfully fulfilled by ecs.",
    }  # fmt: skip
    _activities.setdefault(resource, []).insert(0, activity)


def decide(method: str, rest: list[str], wish: Any) -> tuple[int, Any]:
    """What a scaling policy decides: the desired count of every account's service of this name that has a target."""
    if method != "POST":
        return 405, {"error": "POST"}
    if not isinstance(wish, dict) or not isinstance(wish.get("desired"), int) or "resource_id" not in wish:
        raise ValueError('{"resource_id": "service/cluster/name", "desired": a number}')
    set_to = None
    for (account, region, resource), target in _targets.all_items():
        with request_scope(account, region):
            service = service_of(resource)
            if resource != wish["resource_id"] or service is None:
                continue
            count = min(max(wish["desired"], target["MinCapacity"]), target["MaxCapacity"])
            direction = "DynamicScalingOutSuspended" if count > service["desiredCount"] else "DynamicScalingInSuspended"
            if count != service["desiredCount"] and not target["SuspendedState"][direction]:
                _scale(resource, count, "monitor alarm of the lab in state ALARM triggered policy lab")
                set_to = count
    return 200, {"desired": set_to}
