# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps what is known of a failed release, on this machine and in the state bucket: ECS forgets a stopped task within the hour."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.failure import Failure
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.diagnosis import read as diagnosis_read, text as diagnosis
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.remedies import is_rollback
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.text import reason_lines, step_line
from ansible_collections.atena.aws.plugins.module_utils.environment.release_record import ReleaseRecord


class Evidence(NamedTuple):
    """causes: the first findings of the diagnosis. notes: where all of it is. key: of the JSON in the bucket; path: of the text here; '' without one."""

    causes: list[dict[str, Any]]
    notes: list[str]
    key: str = ""
    path: str = ""


def gather_evidence(call: Aws, params: dict[str, Any], cluster: str, record: ReleaseRecord, tasks: list[str]) -> Evidence:
    """Diagnoses what these tasks of the release met, and saves it.

    Never fails: what went wrong with the release matters more than what went wrong here, which is told in the text.
    """
    request = {
        **{name: value for name, value in params["preflight"].items() if value},
        "name": params["name"],
        "cluster": cluster,
        "services": [item["name"] for item in params["services"]],
        "log_lines": params["log_lines"],
        "tasks": tasks,
        # What ended before has nothing to do with this release.
        "since": record.started_at,
        "playbook_command": params["evidence"].get("playbook_command") or "",
    }
    found = diagnosis_read.diagnose(call, request)
    document = json.dumps(found, indent=1, sort_keys=True, default=str)
    key, failed = _uploaded(call, params, record.id, document)
    path, problem = _saved(params["evidence"]["directory"], record.id, document, diagnosis.as_text(found))
    notes = [*failed, *([f"The whole diagnosis: {path}"] if path else []), *problem]
    return Evidence(causes_of(found["findings"]), notes, key, path)


def causes_of(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first causes, without the way back: by then every service is back, or no service was changed."""
    return [{**item, "steps": [step for step in item["steps"] if not is_rollback(step["command"])]} for item in diagnosis.first_causes(findings)]


def explain(failure: Failure, found: Evidence) -> Failure:
    """The failure with its causes before what it was seen by, and the steps that fix them."""
    failure.why[:0] = [line for item in found.causes for line in reason_lines(item)]
    failure.next += [step_line(step) for item in found.causes for step in item["steps"]] + found.notes
    failure.code = failure.code or (found.causes[0]["code"] if found.causes else "")
    return failure


def _uploaded(call: Aws, params: dict[str, Any], identity: str, document: str) -> tuple[str, list[str]]:
    """(the key or '', what went wrong)"""
    key, bucket = f"{params['evidence']['prefix']}{identity}.json", params["ledger"]["bucket"]
    try:
        # Without a condition: the id is this release's own, and a later diagnosis of it knows more than an earlier one.
        doing = f"save the diagnosis to s3://{bucket}/{key}"
        call("s3", "put_object", doing, Bucket=bucket, Key=key, Body=document.encode(), ContentType="application/json")
    except CallFailed as failed:
        return "", [f"The diagnosis could not be saved to the bucket: {failed}"]
    return key, []


def _saved(directory: str, identity: str, document: str, text: str) -> tuple[str, list[str]]:
    """(the path or '', what went wrong)"""
    if not directory:
        return "", []
    try:
        return _write(directory, identity, document, text), []
    except OSError as failed:
        return "", [f"The diagnosis could not be saved to {directory}: {failed.strerror}"]


def _write(directory: str, identity: str, document: str, text: str) -> str:
    """Two private files; returns the readable one's path."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    for suffix, content in ((".json", document), (".txt", text)):
        path = os.path.join(directory, identity + suffix)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
    return path
