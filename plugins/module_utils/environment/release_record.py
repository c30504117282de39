# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record of one release in the ledger. What it says is written when it is known: first that it began, at last how it ended."""

from __future__ import annotations

import datetime
import json
import secrets as random_source
from dataclasses import field, replace

from ansible_collections.atena.aws.plugins.module_utils.core import commit as commits
from ansible_collections.atena.aws.plugins.module_utils.core.record import Record, damaged, dataclass, is_moment, newer, stored_as

FORMAT = 1
RUNNING, SUCCEEDED, FAILED, INTERRUPTED = "running", "succeeded", "failed", "interrupted"
DEPLOY, ROLLBACK = "deploy", "rollback"
NOT_NEEDED = "not_needed"


@dataclass(frozen=True, kw_only=True)
class Previous(Record):
    """What a service had before, to go back to."""

    task_definition: str
    desired_count: int
    is_first: bool


@dataclass(frozen=True, kw_only=True)
class Service(Record):
    name: str
    task_definition: str
    desired_count: int
    previous: Previous | None


@dataclass(frozen=True, kw_only=True)
class Migration(Record):
    outcome: str = NOT_NEEDED
    task_arn: str = ""
    exit_code: int | None = None
    duration_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Build(Record):
    """What the images were built from: the commit, or the working tree; and the files of the working tree that were added."""

    source: str = field(default="", metadata=stored_as("from"))
    include: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ReleaseRecord(Record):
    format: int
    id: str
    environment: str
    release: str
    kind: str
    outcome: str
    step: str
    reason: str
    operator: str
    host: str
    started_at: str
    ended_at: str
    images: dict[str, str]
    services: list[Service]
    migration: Migration
    schema: str
    secrets: dict[str, int]
    reverted: list[str]
    not_reverted: list[str]
    evidence: str
    # Records of earlier versions lack it.
    build: Build = field(default_factory=Build)

    def problem(self) -> str:
        return next((f"{name} is no moment in ISO 8601" for name in ("started_at", "ended_at") if not is_moment(getattr(self, name))), "")

    @property
    def short(self) -> str:
        """The commit, as people are shown it."""
        return commits.short(self.release)


def stamp(now: datetime.datetime | None = None) -> str:
    """ISO 8601 in UTC to the second, as all times of a record."""
    return (now or datetime.datetime.now(datetime.UTC)).astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_id(now: datetime.datetime, sha: str, rand: str) -> str:
    """Sorts by time, tells the commit, and differs between two of the same second."""
    return f"{now.astimezone(datetime.UTC).strftime('%Y%m%dT%H%M%SZ')}-{commits.short(sha)}-{rand[:4]}"


def new_record(*, environment: str, release: str, operator: str, host: str, now: datetime.datetime | None = None, rand: str | None = None) -> ReleaseRecord:
    """A record of a release that begins."""
    now = now or datetime.datetime.now(datetime.UTC)
    return ReleaseRecord(
        format=FORMAT,
        id=new_id(now, release, rand or random_source.token_hex(2)),
        environment=environment,
        release=release,
        kind=DEPLOY,
        outcome=RUNNING,
        step="prepared",
        reason="",
        operator=operator,
        host=host,
        started_at=stamp(now),
        ended_at="",
        images={},
        services=[],
        migration=Migration(),
        schema="",
        secrets={},
        reverted=[],
        not_reverted=[],
        evidence="",
    )


def ended(record: ReleaseRecord, outcome: str, reason: str = "", now: datetime.datetime | None = None) -> ReleaseRecord:
    """The record with its end written into it. A copy."""
    return replace(record, outcome=outcome, reason=reason, ended_at=stamp(now), step="done" if outcome == SUCCEEDED else record.step)


def encode(record: ReleaseRecord) -> bytes:
    return (json.dumps(record.as_dict(), indent=1, sort_keys=True) + "\n").encode()


def decode(body: bytes, where: str) -> ReleaseRecord:
    try:
        found = json.loads(body)
        if isinstance(found, dict) and found.get("format", FORMAT) != FORMAT:
            raise newer(where, found["format"])
        return ReleaseRecord.of(found)
    except ValueError as error:
        cause = "it is no JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else error
        raise damaged(where, "a record of a release", cause) from error
