# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What destroy.yml and redeploy.yml write down of an environment, as others read it."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import DestroyRecord, WorkRecord

DESTROYING, DESTROYED, REDEPLOYING = "destroying", "destroyed", "redeploying"
# As errors name it.
WHAT = DestroyRecord.WHAT
WHERE_OPTIONS = {"type": "dict", "options": {"bucket": {"type": "str", "required": True}, "key": {"type": "str", "required": True, "no_log": False}}}


def journal(call: Call, bucket: str, key: str) -> power_journal.Journal:
    return power_journal.Journal(call, bucket, key, what=WHAT)


def read(call: Call, bucket: str, key: str) -> WorkRecord | None:
    """The record; None of an environment that was never destroyed."""
    return journal(call, bucket, key).look()


class Standing(NamedTuple):
    """Of an environment that is destroyed, or on its way there."""

    state: str
    at: str
    operator: str = ""
    database_snapshot: str = ""
    redis_snapshot: str = ""
    # That it ran.
    release: str = ""


def standing(record: WorkRecord | None) -> Standing | None:
    if not record or record.state not in (DESTROYING, DESTROYED):
        return None
    database, redis = ((part.snapshot if part else "") or "" for part in (record.database, record.redis))
    release = record.release if isinstance(record, DestroyRecord) else ""
    return Standing(record.state, record.ended_at or record.began_at, record.operator, database, redis, release)


def says(stands: Standing) -> str:
    """The sentence about it, with what to do."""
    by = f", by {stands.operator}" if stands.operator else ""
    if stands.state == DESTROYING:
        return f"a destroy began at {stands.at}{by}, and is incomplete: run destroy.yml again; redeploy.yml then recreates the environment"
    rows = f"its rows are in the snapshot {stands.database_snapshot}" if stands.database_snapshot else "it had no rows"
    queue = f", its queue in {stands.redis_snapshot}" if stands.redis_snapshot else ""
    ran = f". It ran the release {stands.release}" if stands.release else ""
    return f"DESTROYED at {stands.at}{by}; {rows}{queue}{ran}. redeploy.yml recreates it"
