# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps what is known of a failed release, on this machine and in the state bucket: ECS forgets a stopped task within the hour."""

from __future__ import annotations

import json
import os

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.diagnosis import read as diagnosis_read, text as diagnosis


def gather_evidence(call: Aws, params: dict, cluster: str, identity: str, tasks: list[str]) -> tuple[str, str, str]:
    """Diagnoses and saves. Returns (what to add to the failure's text, the S3 key or '', the local path or '').

    Never fails: what went wrong with the release matters more than what went wrong here, which is told in the text.
    """
    request = {
        **{name: value for name, value in params["preflight"].items() if value},
        "name": params["name"],
        "cluster": cluster,
        "services": [item["name"] for item in params["services"]],
        "log_lines": params["log_lines"],
        "tasks": tasks,
    }
    found = diagnosis_read.diagnose(call, request)
    text = diagnosis.as_text(found)
    words = [""] + [f"Likely cause: {item['cause']}. {item['remedy']}" for item in found["findings"][:2]]
    key, path = "", ""
    try:
        key = f"{params['evidence']['prefix']}{identity}.json"
        # Without a condition: the id is this release's own, and a later diagnosis of it knows more than an earlier one.
        body = json.dumps(found, indent=1, sort_keys=True, default=str).encode()
        bucket = params["ledger"]["bucket"]
        call("s3", "put_object", f"save the diagnosis to s3://{bucket}/{key}", Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    except CallFailed as failed:
        key = ""
        words.append(f"The diagnosis could not be saved to the bucket: {failed}")
    directory = params["evidence"]["directory"]
    if directory:
        try:
            path = _write(directory, identity, json.dumps(found, indent=1, sort_keys=True, default=str), text)
            words.append(f"The whole diagnosis: {path}")
        except OSError as failed:
            words.append(f"The diagnosis could not be saved to {directory}: {failed.strerror}")
    return "\n".join(words), key, path


def _write(directory: str, identity: str, document: str, text: str) -> str:
    """Two private files; returns the readable one's path."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    for suffix, content in ((".json", document), (".txt", text)):
        path = os.path.join(directory, identity + suffix)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
    return path
