# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stop and start, restore, destroy and redeploy write down of an environment while they work: one object each, with the steps done so far.

Of the records of earlier versions some lack what later ones have; what only a later version knows is kept. Other parts of a record than those named here are
its writer's own.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar

from ansible_collections.atena.aws.plugins.module_utils.core.record import Record, damaged, dataclass, is_moment, newer

FORMAT = 1
RUNNING, STOPPING, STOPPED, STARTING = "running", "stopping", "stopped", "starting"


@dataclass(frozen=True, kw_only=True)
class StepEntry(Record):
    step: str
    began_at: str
    ended_at: str
    outcome: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Note(Record):
    at: str
    says: str


@dataclass(frozen=True, kw_only=True)
class TerraformLock(Record):
    """Of the state, taken by a run: one that was killed leaves it."""

    id: str


@dataclass(frozen=True, kw_only=True)
class ServiceCount(Record):
    """What a service is to come back to."""

    desired_count: int
    bounds: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class RedisPart(Record):
    snapshot: str | None = ""
    restored: bool = True
    parameters: dict[str, Any] | None = None
    # When Redis came back empty, as far as somebody has dealt with that.
    loss: str | None = ""

    @property
    def waiting(self) -> str:
        """The snapshot that holds the queue and was not restored yet; '' if there is none."""
        return "" if self.restored else self.snapshot or ""


@dataclass(frozen=True, kw_only=True)
class DatabasePart(Record):
    snapshot: str | None = ""
    stopped_at: str | None = ""
    restarts_at: str | None = ""


@dataclass(frozen=True, kw_only=True)
class WorkRecord(Record):
    # As errors name it.
    WHAT: ClassVar[str] = ""

    format: int
    environment: str
    state: str
    operator: str
    host: str
    began_at: str
    ended_at: str
    steps: list[StepEntry]
    notes: list[Note]
    services: dict[str, ServiceCount] = field(default_factory=dict)
    redis: RedisPart | None = None
    database: DatabasePart | None = None
    terraform_lock: TerraformLock | None = None

    def problem(self) -> str:
        return next((f"{name} is no moment in ISO 8601" for name in ("began_at", "ended_at") if not is_moment(getattr(self, name))), "")


@dataclass(frozen=True, kw_only=True)
class PowerRecord(WorkRecord):
    """The power journal."""

    WHAT: ClassVar[str] = "the power journal"

    # Whether an apply that creates things was begun and its end is not on record.
    unsettled: bool = False

    def problem(self) -> str:
        if self.state not in (RUNNING, STOPPING, STOPPED, STARTING):
            return f'state is "{self.state}", not "{RUNNING}", "{STOPPING}", "{STOPPED}" or "{STARTING}"'
        return super().problem()


@dataclass(frozen=True, kw_only=True)
class DestroyRecord(WorkRecord):
    WHAT: ClassVar[str] = "the record of the destroy"

    # That ran; records of earlier versions lack it.
    release: str = ""


@dataclass(frozen=True, kw_only=True)
class Instance(Record):
    """A database that a restore deals with: the id that AWS never gives twice, and the name that it has when it is out of the way."""

    resource: str
    aside: str


@dataclass(frozen=True, kw_only=True)
class RestoreRecord(WorkRecord):
    WHAT: ClassVar[str] = "the record of the restore"

    original: Instance | None = None
    restored: Instance | None = None
    # The id of the database that was taken out of the way and is kept.
    kept: str = ""


KINDS: dict[str, type[WorkRecord]] = {kind.WHAT: kind for kind in (PowerRecord, DestroyRecord, RestoreRecord)}


def checked(found: dict[str, Any], what: str, where: str) -> WorkRecord:
    """A stored record, by its name. Raises CallFailed if it is not what it should be."""
    if found.get("format") != FORMAT:
        raise newer(where, found.get("format"))
    try:
        return KINDS[what].of(found)
    except ValueError as error:
        raise damaged(where, what, error) from error
