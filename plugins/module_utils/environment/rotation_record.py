# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rotations of an environment on record: which secrets, which services, who, when, how it ended; never a value. One object in the state bucket."""

from __future__ import annotations

from dataclasses import field, replace

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.core.record import Record, dataclass
from ansible_collections.atena.aws.plugins.module_utils.core.stored_object import StoredObject, read_stored

FORMAT = 1
RUNNING, SUCCEEDED, REVERTED, FAILED, INTERRUPTED = "running", "succeeded", "reverted", "failed", "interrupted"
# The bucket keeps every version: these are the ones at hand.
KEPT = 100


@dataclass(frozen=True, kw_only=True)
class Versions(Record):
    """Of one secret, in Parameter Store."""

    before: int
    after: int


@dataclass(frozen=True, kw_only=True)
class Rotation(Record):
    secrets: list[str]
    operator: str
    started_at: str
    outcome: str = RUNNING
    kind: str = ""
    services: list[str] = field(default_factory=list)
    host: str = ""
    ended_at: str = ""
    reason: str = ""
    versions: dict[str, Versions] = field(default_factory=dict)

    @property
    def line(self) -> str:
        when = (self.ended_at or self.started_at).replace("T", " ").removesuffix("Z")
        who = self.operator.rsplit(":", 1)[-1].rsplit("/", 1)[-1]
        why = f": {self.reason.splitlines()[0]}" if self.reason else ""
        return f"{when}  {', '.join(self.secrets)}  {self.outcome}, by {who}{why}"


@dataclass(frozen=True, kw_only=True)
class Rotations(Record):
    """The object, newest first."""

    format: int = FORMAT
    rotations: list[Rotation] = field(default_factory=list)


def begun(content: Rotations | None, entry: Rotation) -> Rotations:
    """The object with a new entry in front. One that still runs has died: only one run at a time has the lock."""
    content = content or Rotations()
    earlier = [replace(old, outcome=INTERRUPTED) if old.outcome == RUNNING else old for old in content.rotations]
    return replace(content, rotations=[entry, *earlier][:KEPT])


def ended(content: Rotations, outcome: str, reason: str, ended_at: str, versions: dict[str, Versions]) -> Rotations:
    """The object with its newest entry brought up to date."""
    newest, *earlier = content.rotations
    return replace(content, rotations=[replace(newest, outcome=outcome, reason=reason, ended_at=ended_at, versions=versions), *earlier])


class RotationRecord:
    """The object, of which a run writes one entry."""

    def __init__(self, call: Call, bucket: str, key: str) -> None:
        self._object = StoredObject(call, bucket, key, "the record of the rotations")
        self._content: Rotations | None = None

    def read(self) -> list[Rotation]:
        """All entries, newest first."""
        self._content = read_stored(self._object, Rotations, "a record of rotations", FORMAT)
        return self._content.rotations if self._content else []

    def begin(self, entry: Rotation) -> None:
        self.read()
        self._write(begun(self._content, entry))

    def end(self, outcome: str, reason: str, ended_at: str, versions: dict[str, Versions]) -> None:
        """Of the entry that this run began."""
        if self._content is None:
            raise ValueError("a rotation is begun before it ends")
        self._write(ended(self._content, outcome, reason, ended_at, versions))

    def _write(self, content: Rotations) -> None:
        self._object.write(content.as_dict())
        self._content = content
