"""Parameter Store's sizes, and labels that can be taken away.

MiniStack takes a value of any size into any tier, and has no UnlabelParameterVersion. AWS refuses more than 4096 bytes in the standard tier
and more than 8192 in the advanced one.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import ssm

from ..common.patching import replace

MOST = {"Standard": 4096, "Advanced": 8192}


def apply() -> None:
    replace(ssm, "_put_parameter", _within_limits)
    replace(ssm, "handle_request", _with_unlabel)


def refusal(size: int, tier: str) -> str:
    """AWS's words on a value that is too long for its tier; '' for one that is not."""
    if size <= MOST[tier]:
        return ""
    advice = ". To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier" if tier == "Standard" else ""
    return f"{tier} tier parameters support a maximum parameter value of {MOST[tier]} characters{advice}."


def _within_limits(put: Any) -> Any:
    def put_within(data: dict[str, Any]) -> Any:
        value, existing = data.get("Value", ""), ssm._parameters.get(data.get("Name"))
        tier = data.get("Tier") or ssm._default_tier(data, value, existing)
        if tier == "Intelligent-Tiering":
            tier = "Advanced"
        if problem := refusal(len(value.encode()), tier):
            return error_response_json("ValidationException", problem, 400)
        if existing and existing.get("Tier") == "Advanced" and data.get("Tier") == "Standard":
            problem = "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard one."
            return error_response_json("ValidationException", problem, 400)
        return put(data)

    return put_within


def _with_unlabel(handle: Any) -> Any:
    async def handle_more(method: str, path: str, headers: dict[str, str], body: bytes, query_params: Any) -> Any:
        if headers.get("x-amz-target", "").endswith(".UnlabelParameterVersion"):
            return unlabel(json.loads(body))
        return await handle(method, path, headers, body, query_params)

    return handle_more


def unlabel(data: dict[str, Any]) -> Any:
    """Takes labels from one version; those that it does not have are named as invalid."""
    entries = ssm._parameter_history.get(data["Name"])
    if entries is None:
        return error_response_json("ParameterNotFound", f"Parameter {data['Name']} not found", 400)
    entry = next((entry for entry in entries if entry["Version"] == data["ParameterVersion"]), None)
    if entry is None:
        return error_response_json("ParameterVersionNotFound", f"Version {data['ParameterVersion']} of parameter {data['Name']} not found", 400)
    had = [label for label in data["Labels"] if label in entry.get("Labels", [])]
    entry["Labels"] = [label for label in entry.get("Labels", []) if label not in had]
    return json_response({"RemovedLabels": had, "InvalidLabels": [label for label in data["Labels"] if label not in had]})
