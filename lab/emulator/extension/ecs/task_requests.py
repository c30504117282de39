"""RunTask and CreateService refuse what ECS refuses, and a repeated RunTask starts nothing twice.

`startedBy` has the characters that RunTask's reference allows; whether ECS insists on them is not known, so the lab does.

MiniStack creates a cluster that does not exist, runs an awsvpc task without a network configuration, and ignores clientToken.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import ec2, ecs

from ..common.patching import replace

_lock = threading.Lock()
_started: dict[tuple[str, str, str, str], tuple[str, list[str]]] = {}


def network_problem(request: dict[str, Any], definition: dict[str, Any], subnets: Any) -> str | None:
    """Why ECS would not run this definition with this network configuration."""
    if definition.get("networkMode") != "awsvpc":
        return None
    config = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    if not config.get("subnets"):
        return "Network Configuration must be provided when networkMode 'awsvpc' is specified."
    missing = [subnet for subnet in config["subnets"] if subnet not in subnets]
    return f"Error retrieving subnet information for {missing}: The subnet ID '{missing[0]}' does not exist" if missing else None


def started_by_problem(request: dict[str, Any]) -> str | None:
    if re.fullmatch(r"[A-Za-z0-9_/-]{0,128}", request.get("startedBy", "")):
        return None
    return "startedBy may have up to 128 letters, numbers, hyphens, forward slashes and underscores."


def apply() -> None:
    replace(ecs, "_run_task", lambda run: _once(_checked(run)))
    replace(ecs, "_create_service", _checked)


def _checked(act: Any) -> Any:
    def act_if_valid(request: dict[str, Any]) -> Any:
        cluster = ecs._resolve_cluster_name(request.get("cluster", "default"))
        if cluster not in ecs._clusters:
            return error_response_json("ClusterNotFoundException", "Cluster not found.", 400)
        definition = ecs._task_defs.get(ecs._resolve_td_key(request.get("taskDefinition", "")))
        problem = started_by_problem(request) or (network_problem(request, definition, ec2._subnets) if definition else None)
        if problem:
            return error_response_json("InvalidParameterException", problem, 400)
        return act(request)

    return act_if_valid


def _once(run: Any) -> Any:
    def run_once(request: dict[str, Any]) -> Any:
        token = request.get("clientToken")
        if not token:
            return run(request)
        key = (get_account_id(), get_region(), ecs._resolve_cluster_name(request.get("cluster", "default")), token)
        content = json.dumps(request, sort_keys=True)
        with _lock:
            if key in _started:
                before, arns = _started[key]
                if before != content:
                    text = "The clientToken was used before with other parameters."
                    return error_response_json("ConflictException", text, 400)
                return json_response({"tasks": [ecs._sanitize(ecs._tasks[arn]) for arn in arns if arn in ecs._tasks], "failures": []})
            answer = run(request)
            if answer[0] == 200:
                _started[key] = (content, [task["taskArn"] for task in json.loads(answer[2])["tasks"]])
        return answer

    return run_once
