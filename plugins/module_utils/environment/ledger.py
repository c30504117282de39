# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger of releases: one JSON object a release in the state bucket, written by conditional writes only, so never half and never over another's.

The decisions (what ran last, what to go back to, what must be kept) are pure functions over records, newest first, as `recent` returns them.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, overload

from ansible_collections.atena.aws.plugins.module_utils.core import commit as commits
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Conflict, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.parallel import each
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Sleep
from ansible_collections.atena.aws.plugins.module_utils.core.stored_object import no_bucket, put_over
from ansible_collections.atena.aws.plugins.module_utils.environment.release_record import (
    ROLLBACK,
    RUNNING,
    SUCCEEDED,
    ReleaseRecord,
    decode,
    encode,
)

_Found = TypeVar("_Found")
# How many records are read in one go.
_AT_A_TIME = 8
# What may have changed the schema; a failed migration may have done half of it.
_MIGRATED = {"running", "succeeded", "failed", "incomplete", "unknown"}
# Of a migration whose run died, and of whose task ECS knows nothing (any more).
UNKNOWN = "unknown"


# --- Decisions over records, newest first -----------------------------------------------------------------------------
def interrupted(records: Sequence[ReleaseRecord]) -> ReleaseRecord | None:
    """The release whose run died: still `running` though we hold the lock. Only the newest can be: each run deals with the one before it first."""
    return records[0] if records and records[0].outcome == RUNNING else None


def _good(records: Sequence[ReleaseRecord]) -> Iterator[ReleaseRecord]:
    return (record for record in records if record.outcome == SUCCEEDED)


def last_good(records: Sequence[ReleaseRecord]) -> ReleaseRecord | None:
    """The newest release that succeeded, of whatever kind."""
    return next(_good(records), None)


def previous_good(records: Sequence[ReleaseRecord], running: ReleaseRecord | None) -> ReleaseRecord | None:
    """What 'back to the previous release' means when `running` runs.

    The newest success before it with another commit. After a rollback it goes on from where that release first came, not forth again to what was
    rolled back from. Without `running` (nothing known runs) it is the last success.
    """
    if running is None:
        return last_good(records)
    older = [record for record in _good(records) if record.id < running.id]
    if running.kind == ROLLBACK:
        source = next((record for record in older if record.release == running.release and record.kind != ROLLBACK), None)
        older = [record for record in older if source is not None and record.id < source.id]
    return next((record for record in older if record.release != running.release), None)


def migrated_since(records: Sequence[ReleaseRecord], target: ReleaseRecord) -> list[ReleaseRecord]:
    """The releases after `target` whose migration may have changed the schema that target's code knows.

    A migration that ran with the very migrations that target has changed nothing; where one of the two is unknown, it may have.
    """
    return [
        record
        for record in records
        if record.id > target.id and record.migration.outcome in _MIGRATED and not (record.schema and record.schema == target.schema)
    ]


def migrations_unknown(records: Sequence[ReleaseRecord], target: ReleaseRecord) -> list[ReleaseRecord]:
    """Those of migrated_since of which nobody can say: which migrations the release has, or target has, is not on record."""
    return [record for record in migrated_since(records, target) if not (record.schema and target.schema)]


def obstacle(records: Sequence[ReleaseRecord], target: ReleaseRecord, source: str) -> str:
    """Why going back to `target` may meet a newer schema, and what would tell; '' if none stands in the way. `source`: where the migrations are."""
    unknown = [record.id for record in migrations_unknown(records, target)]
    changed = [record.id for record in migrated_since(records, target) if record.id not in unknown]
    says, since = [], f"since {target.short} was released"
    if changed:
        says.append(f"Migrations ran {since} ({', '.join(changed)}), and a rollback does not undo them: the old code would meet the newer schema.")
    if unknown:
        where = f"only where git finds {source} (atena_migration_source) in its commit" if source else "for none, as atena_migration_source is empty"
        says.append(
            f"Whether the migrations that ran {since} ({', '.join(unknown)}) changed the schema is not known: which ones a release has is recorded {where}. "
            "With atena_migration_source set to the directory that the application has its migrations in, releases from the next one on are compared."
        )
    return " ".join(says)


def kept(records: Sequence[ReleaseRecord], count: int) -> list[ReleaseRecord]:
    """The records whose images and revisions must stay: all of the last `count` commits that succeeded, and of what is running or was interrupted."""
    releases: list[str] = []
    for record in _good(records):
        if record.release not in releases:
            releases.append(record.release)
    keep = set(releases[:count])
    return [record for record in records if record.release in keep or record.outcome == RUNNING]


def _revision(arn: str | None) -> str:
    return (arn or "").rsplit("/", 1)[-1]


def running_of(records: Sequence[ReleaseRecord], task_definitions: dict[str, str]) -> ReleaseRecord | None:
    """The one that runs. `task_definitions`: {service's name: task definition's ARN}.

    A record matches when every service that it names runs the revision that it names; of several, the newest success wins. None may match.
    """
    matching = [
        record
        for record in records
        if record.services and all(_revision(entry.task_definition) == _revision(task_definitions.get(entry.name, "")) for entry in record.services)
    ]
    return last_good(matching) or next(iter(matching), None)


def _took(record: ReleaseRecord) -> str:
    if not record.ended_at:
        return ""
    begin, end = (datetime.datetime.fromisoformat(moment) for moment in (record.started_at, record.ended_at))
    seconds = int((end - begin).total_seconds())
    return f"{seconds // 60} min {seconds % 60:02d} s" if seconds >= 60 else f"{seconds} s"


def lines(records: Sequence[ReleaseRecord], running: ReleaseRecord | None = None) -> list[str]:
    """A table for people; `*` marks what runs (see running_of)."""
    if not records:
        return ["No release is recorded."]
    head = ("", "release", "kind", "outcome", "started", "took", "migration", "operator", "id", "")
    rows = [
        (
            "*" if running is not None and record.id == running.id else " ",
            record.short,
            record.kind + (" of the working tree" if record.build.source == "working_tree" else ""),
            record.outcome,
            record.started_at.replace("T", " ").removesuffix("Z"),
            _took(record),
            record.migration.outcome.replace("_", " "),
            record.operator.rsplit(":", 1)[-1].rsplit("/", 1)[-1],
            record.id,
            record.reason.splitlines()[0] if record.reason else "",
        )
        for record in records
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)]


# --- Read as they are asked for ---------------------------------------------------------------------------------------
class Recent(Sequence[ReleaseRecord]):
    """The newest records, newest first. Most who ask want the first of them: the others are read when somebody comes to them, some at a time."""

    def __init__(self, identities: list[str], read: Callable[[list[str]], list[ReleaseRecord]]) -> None:
        self._identities, self._read_these = identities, read
        self._read: list[ReleaseRecord] = []

    def __len__(self) -> int:
        return len(self._identities)

    @overload
    def __getitem__(self, index: int) -> ReleaseRecord: ...

    @overload
    def __getitem__(self, index: slice) -> list[ReleaseRecord]: ...

    def __getitem__(self, index: int | slice) -> ReleaseRecord | list[ReleaseRecord]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        while at >= len(self._read):
            begin = len(self._read)
            self._read += self._read_these(self._identities[begin : begin + (_AT_A_TIME if begin else 1)])
        return self._read[at]


# --- The objects ------------------------------------------------------------------------------------------------------
class Ledger:
    """The records below `prefix` in `bucket`. It remembers the version of each record that it read or wrote, and changes no other."""

    def __init__(self, call: Aws, bucket: str, prefix: str, *, sleep: Sleep = time.sleep) -> None:
        self.bucket, self.prefix = bucket, prefix
        self._call, self._sleep = call, sleep
        self._etags: dict[str, str] = {}
        # The records of these versions, and the versions that S3 listed last.
        self._records: dict[str, ReleaseRecord] = {}
        self._listed: dict[str, str] = {}

    def _key(self, identity: str) -> str:
        return f"{self.prefix}{identity}.json"

    def _where(self, identity: str) -> str:
        return f"s3://{self.bucket}/{self._key(identity)}"

    def _asked(self, asking: Callable[[], _Found]) -> _Found:
        """What `asking`, a call to S3, gives."""
        try:
            return asking()
        except NotFound as error:
            if error.what != "Bucket":
                raise
            raise no_bucket(error, self.bucket) from error

    def _s3(self, operation: str, doing: str, **arguments: Any) -> dict[str, Any]:
        return self._asked(lambda: self._call("s3", operation, doing, Bucket=self.bucket, **arguments))

    def _get(self, identity: str) -> ReleaseRecord:
        answer = self._s3("get_object", f"read {self._where(identity)}", Key=self._key(identity))
        record = decode(answer["Body"].read(), self._where(identity))
        self._etags[identity], self._records[identity] = answer["ETag"], record
        return record

    def _put(self, record: ReleaseRecord, over: str) -> bool:
        """Whether it was written over this version; over none if it is ''."""
        identity = record.id

        def put(**condition: str) -> dict[str, Any]:
            asked = {"Key": self._key(identity), "Body": encode(record), "ContentType": "application/json"}
            return self._s3("put_object", f"write {self._where(identity)}", **asked, **condition)

        etag = put_over(over, put, lambda: self._version_of(record), self._sleep)
        if etag:
            self._etags[identity], self._records[identity] = etag, record
        return bool(etag)

    def _version_of(self, record: ReleaseRecord) -> str:
        """The version that is there, if this is what it says; else ''."""
        identity = record.id
        known, found = self._etags.get(identity), self._get(identity)
        etag = self._etags.pop(identity)
        if known:
            self._etags[identity] = known
        return etag if encode(found) == encode(record) else ""

    def create(self, record: ReleaseRecord) -> ReleaseRecord:
        """Writes a record that must not be there yet."""
        if not self._put(record, ""):
            raise CallFailed(f"{self._where(record.id)} exists already. Nothing was written. Run this again: the release then has another id.")
        return record

    def save(self, record: ReleaseRecord) -> ReleaseRecord:
        """Writes a record that this object created or read; refused if somebody else changed it since."""
        identity = record.id
        try:
            if self._put(record, self._etags[identity]):
                return record
        except NotFound as error:
            if error.what != "Key":
                raise
            raise error.saying(f"{self._where(identity)} was deleted while this release was in progress. Restore its last version.") from error
        raise Conflict(
            f"{self._where(identity)} was changed by another run meanwhile; nothing was written over it. This run no longer knows the current "
            "status: see releases.yml and lock.yml, then run it again.",
            "PreconditionFailed",
        )

    def _ids(self) -> list[str]:
        """All ids, newest first."""
        doing = f"list the releases in s3://{self.bucket}/{self.prefix}"
        found = self._asked(lambda: self._call.pages("s3", "list_objects_v2", doing, "Contents", Bucket=self.bucket, Prefix=self.prefix))
        listed = {entry["Key"][len(self.prefix) :]: entry.get("ETag", "") for entry in found}
        self._listed = {key.removesuffix(".json"): etag for key, etag in listed.items() if key.endswith(".json") and "/" not in key}
        return sorted(self._listed, reverse=True)

    def _as_listed(self, identity: str) -> ReleaseRecord:
        """A record in the version that S3 listed, which need not be read if it is the one that is known."""
        etag = self._listed.get(identity)
        return self._records[identity] if etag and etag == self._etags.get(identity) else self._get(identity)

    def _read(self, identities: list[str]) -> list[ReleaseRecord]:
        return each(self._as_listed, identities)

    def recent(self, count: int = 50) -> list[ReleaseRecord]:
        """The last `count` records, newest first."""
        return self._read(self._ids()[:count])

    def lazily(self, count: int = 50) -> Recent:
        """The same, each read when it is asked for."""
        return Recent(self._ids()[:count], self._read)

    def named(self, reference: str) -> list[ReleaseRecord]:
        """The records that an id, a commit, or the beginning of one may mean, newest first."""
        identities = self._ids()
        if reference in identities:
            return [self._get(reference)]
        digits = commits.short(reference.lower())
        wanted = [identity for identity in identities if identity.startswith(reference) or _commit(identity).startswith(digits)]
        return [record for record in self._read(wanted if reference else []) if commits.means(reference, record.release, [record.id])]

    def find(self, reference: str) -> ReleaseRecord:
        """The record that an id, a commit, or the beginning of one names; of several of one commit, its newest success, else its newest.

        Raises CallFailed if there is none, or if they are of different commits, and lists what there is.
        """
        found = self.named(reference)
        commit = commits.resolve(reference, names_of(found), nobody="No recorded release", listed=lambda _: lines(found or self.recent(10)))
        of_it = [record for record in found if record.release == commit]
        return last_good(of_it) or of_it[0]


def names_of(records: Sequence[ReleaseRecord]) -> dict[str, list[str]]:
    """{commit: ids of its releases}, as commit.resolve takes it."""
    names: dict[str, list[str]] = {}
    for record in records:
        names.setdefault(record.release, []).append(record.id)
    return names


def _commit(identity: str) -> str:
    parts = identity.split("-")
    return parts[1] if len(parts) > 1 else ""
