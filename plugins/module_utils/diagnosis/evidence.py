# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps a diagnosis after AWS has forgotten what it was made from: as JSON and as text, in files and in S3."""

from __future__ import annotations

import json
import os
import tempfile

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.text import as_text

EXTENSIONS = ("json", "txt")


def base_name(diagnosis: dict) -> str:
    """'atena-prod-20260110T031500Z': sorts by time."""
    moment = diagnosis["at"].partition("+")[0].replace("-", "").replace(":", "")
    return f"{diagnosis['environment']}-{moment}Z"


def contents(diagnosis: dict) -> dict:
    """{extension: (content type, text)}"""
    document = json.dumps(diagnosis, indent=2, sort_keys=True) + "\n"
    return dict(zip(EXTENSIONS, (("application/json", document), ("text/plain; charset=utf-8", as_text(diagnosis))), strict=True))


def paths(diagnosis: dict, directory: str, name: str = "") -> list[str]:
    return [os.path.join(directory, f"{name or base_name(diagnosis)}.{extension}") for extension in EXTENSIONS]


def save(diagnosis: dict, directory: str, name: str = "") -> list[str]:
    """Writes both files, each whole or not at all, for their owner's eyes only: an application may log what nobody listed as a secret.

    name: of the files, without extension. Returns the paths, the JSON's first. Raises OSError.
    """
    os.makedirs(directory, mode=0o700, exist_ok=True)
    written = paths(diagnosis, directory, name)
    for path, (_type, text) in zip(written, contents(diagnosis).values(), strict=True):
        handle, temporary = tempfile.mkstemp(dir=directory, prefix=".")  # made with mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    return written


def keys(diagnosis: dict, prefix: str, name: str = "") -> list[str]:
    return [f"{prefix}{name or base_name(diagnosis)}.{extension}" for extension in EXTENSIONS]


def upload(call: Call, diagnosis: dict, bucket: str, prefix: str, name: str = "") -> str:
    """Puts both into the bucket below `prefix` ('atena/prod/evidence/'); the key of the JSON object. Raises CallFailed."""
    # Without a condition: nobody reads it to change it, and of the same name, to the second, is only what the same look found.
    written = keys(diagnosis, prefix, name)
    for key, (content_type, text) in zip(written, contents(diagnosis).values(), strict=True):
        call("s3", "put_object", f"keep the diagnosis as s3://{bucket}/{key}", Bucket=bucket, Key=key, Body=text.encode(), ContentType=content_type)
    return written[0]
