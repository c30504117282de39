"""A schedule of EventBridge Scheduler may call StopDBInstance and StartDBInstance, and tries again when RDS refuses for now.

MiniStack's schedules reach queues, topics and functions; the universal targets (arn:aws:scheduler:::aws-sdk:rds:stopDBInstance) it
logs and drops. `POST /_lab/schedules {"name": "group/name"}` fires an enabled schedule at once, `GET` tells what was called, and how it
ended.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterable
from typing import Any

import botocore.loaders
from ministack.core.concurrency import spawn_background
from ministack.core.responses import request_scope
from ministack.services import eventbridge, rds, scheduler

from ..common import control
from ..common.patching import replace

logger = logging.getLogger("lab.schedule_targets")
UNIVERSAL = re.compile(r"arn:aws:scheduler:::aws-sdk:rds:((?:stop|start)DBInstance)")
RETRIES, AGE = 185, 86400  # AWS's own, where the schedule does not say
PAUSES = (1, 2, 4, 8)  # seconds; AWS's grow to minutes
FOR_GOOD = re.compile(rb"<Code>(\w*NotFound\w*|MissingParameter|InvalidParameter\w*)</Code>")
calls: list[dict[str, Any]] = []


def apply() -> None:
    replace(eventbridge, "_invoke_target", _universal_too)
    control.subjects["schedules"] = answer


def answer(method: str, rest: list[str], wish: Any) -> tuple[int, Any]:
    if method == "GET":
        return 200, calls
    if method != "POST":
        return 405, {"error": "GET or POST"}
    if not isinstance(wish, dict) or not isinstance(wish.get("name"), str):
        raise ValueError('{"name": "group/name"}')
    fired = False
    for (account, region, key), schedule in scheduler._schedules.all_items():
        if key == wish["name"] and schedule["State"] == "ENABLED":
            with request_scope(account, region):
                eventbridge._invoke_target(schedule["Target"], {"Detail": "{}", "Resources": [schedule["Arn"]], "Time": time.time()}, schedule)
            fired = True
    return 200, {"fired": fired}


def _universal_too(invoke: Any) -> Any:
    def invoke_target(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *more: Any, **options: Any) -> None:
        match = UNIVERSAL.fullmatch(target.get("Arn", ""))
        if match is None:
            invoke(target, event, rule, *more, **options)
            return
        spawn_background(_call, match[1], target, rule.get("Name", ""), thread_name="lab-schedule")

    return invoke_target


def _call(operation: str, target: dict[str, Any], schedule: str) -> None:
    action = operation[0].upper() + operation[1:]
    params = parameters(json.loads(target.get("Input") or "{}"), names_of(action))
    policy = target.get("RetryPolicy") or {}
    deadline = time.time() + int(policy.get("MaximumEventAgeInSeconds", AGE))
    for attempt in range(int(policy.get("MaximumRetryAttempts", RETRIES)) + 1):
        status, _, body = rds._ACTION_MAP[action](params)
        calls.append({"schedule": schedule, "operation": operation, "at": time.time(), "status": status, "code": code_of(body)})
        if status == 200 or FOR_GOOD.search(body) or time.time() > deadline:
            return
        time.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])


def code_of(body: bytes) -> str:
    match = re.search(rb"<Code>(\w+)</Code>", body)
    return match[1].decode() if match else ""


def names_of(action: str) -> list[str]:
    model = botocore.loaders.Loader().load_service_model("rds", "service-2")
    return list(model["shapes"][model["operations"][action]["input"]["shape"]]["members"])


def parameters(given: dict[str, Any], names: Iterable[str]) -> dict[str, list[str]]:
    """A schedule's input has the names of the Java SDK: DbInstanceIdentifier for DBInstanceIdentifier."""
    known = {name.lower(): name for name in names}
    return {known[name.lower()]: [str(value)] for name, value in given.items() if name.lower() in known}
