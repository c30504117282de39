# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rotations of an environment on record: which secrets, which services, who, when, how it ended; never a value. One object in the state bucket."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.core.stored_object import StoredObject

FORMAT = 1
RUNNING, SUCCEEDED, REVERTED, FAILED, INTERRUPTED = "running", "succeeded", "reverted", "failed", "interrupted"
# The bucket keeps every version: these are the ones at hand.
KEPT = 100


def begun(content: dict | None, entry: dict) -> dict:
    """The object with a new entry in front. One that still runs has died: only one run at a time has the lock."""
    earlier = [{**old, "outcome": INTERRUPTED} if old["outcome"] == RUNNING else old for old in (content or {}).get("rotations", [])]
    return {"format": FORMAT, "rotations": [entry, *earlier][:KEPT]}


def ended(content: dict, changes: dict) -> dict:
    """The object with its newest entry brought up to date."""
    newest, *earlier = content["rotations"]
    return {**content, "rotations": [{**newest, **changes}, *earlier]}


def line(entry: dict) -> str:
    """An entry in a line."""
    when = (entry["ended_at"] or entry["started_at"]).replace("T", " ").removesuffix("Z")
    who = entry["operator"].rsplit(":", 1)[-1].rsplit("/", 1)[-1]
    why = f": {entry['reason'].splitlines()[0]}" if entry["reason"] else ""
    return f"{when}  {', '.join(entry['secrets'])}  {entry['outcome']}, by {who}{why}"


class RotationRecord:
    """The object, of which a run writes one entry."""

    def __init__(self, call: Call, bucket: str, key: str) -> None:
        self._object = StoredObject(call, bucket, key, "the record of the rotations")
        self._content: dict[str, Any] | None = None

    def read(self) -> list[dict]:
        """All entries, newest first."""
        found = self._object.read()
        if found is not None and found.get("format") != FORMAT:
            raise CallFailed(f"{self._object.where} has format {found.get('format')}, which this version of atena.aws does not know. Upgrade the collection.")
        self._content = found
        return (found or {}).get("rotations", [])

    def begin(self, entry: dict) -> None:
        self.read()
        self._write(begun(self._content, entry))

    def end(self, **changes: Any) -> None:
        if self._content is None:
            raise ValueError("a rotation is begun before it ends")
        self._write(ended(self._content, changes))

    def _write(self, content: dict) -> None:
        self._object.write(content)
        self._content = content
