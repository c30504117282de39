"""Application Auto Scaling knows its targets.

MiniStack has no such service. Here targets can be registered, read and deregistered, with their bounds and what is suspended; nothing scales.
"""

from __future__ import annotations

import json
import re
from typing import Any

import hypercorn.asyncio

from .control import read_body, send_answer

TARGET = b"AnyScaleFrontendService."
# {(account, region): {(namespace, resource, dimension): target}}
targets: dict[tuple[str, str], dict[tuple[str, str, str], dict[str, Any]]] = {}

_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/")
_SUSPENDED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


def key_of(request: dict[str, Any]) -> tuple[str, str, str]:
    return request["ServiceNamespace"], request["ResourceId"], request["ScalableDimension"]


def register(known: dict, request: dict[str, Any]) -> tuple[int, Any]:
    now = known.get(key_of(request))
    low, high = (request.get(side, (now or {}).get(side)) for side in ("MinCapacity", "MaxCapacity"))
    if low is None or high is None:
        return 400, error("ValidationException", "MinCapacity and MaxCapacity are required when a scalable target is registered")
    if low > high:
        return 400, error("ValidationException", f"Maximum capacity cannot be less than minimum capacity: {low} > {high}")
    suspended = {**dict.fromkeys(_SUSPENDED, False), **(now or {}).get("SuspendedState", {}), **request.get("SuspendedState", {})}
    names = {name: request[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
    known[key_of(request)] = {**names, "MinCapacity": low, "MaxCapacity": high, "SuspendedState": suspended, "RoleARN": "", "CreationTime": 0}
    return 200, {}


def describe(known: dict, request: dict[str, Any]) -> tuple[int, Any]:
    wanted = request.get("ResourceIds")
    found = [target for target in known.values() if target["ServiceNamespace"] == request["ServiceNamespace"]]
    return 200, {"ScalableTargets": [target for target in found if not wanted or target["ResourceId"] in wanted]}


def deregister(known: dict, request: dict[str, Any]) -> tuple[int, Any]:
    if known.pop(key_of(request), None) is None:
        return 400, error("ObjectNotFoundException", f"No scalable target found for {'/'.join(key_of(request))}")
    return 200, {}


def error(code: str, message: str) -> dict[str, str]:
    return {"__type": code, "message": message}


OPERATIONS = {"RegisterScalableTarget": register, "DescribeScalableTargets": describe, "DeregisterScalableTarget": deregister}


def answer(operation: str, authorization: str, body: bytes) -> tuple[int, Any]:
    scope = _SCOPE.search(authorization)
    if operation not in OPERATIONS:
        return 400, error("UnknownOperationException", f"the lab knows {', '.join(OPERATIONS)} of Application Auto Scaling, not {operation}")
    return OPERATIONS[operation](targets.setdefault(scope.groups() if scope else ("", ""), {}), json.loads(body or b"{}"))


def with_targets(app: Any) -> Any:
    async def app_with_targets(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", []))
        target = headers.get(b"x-amz-target", b"")
        if scope["type"] != "http" or not target.startswith(TARGET):
            await app(scope, receive, send)
            return
        body, whole = await read_body(receive)
        if whole:
            status, content = answer(target[len(TARGET) :].decode(), headers.get(b"authorization", b"").decode(), body)
            await send_answer(send, status, {"content-type": "application/x-amz-json-1.1"}, json.dumps(content).encode())

    return app_with_targets


def apply() -> None:
    serve = hypercorn.asyncio.serve

    async def serve_targets_too(app: Any, config: Any, **options: Any) -> None:
        await serve(with_targets(app), config, **options)

    hypercorn.asyncio.serve = serve_targets_too
