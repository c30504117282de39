# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What destroy.yml and redeploy.yml write down of an environment, as others read it."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal

DESTROYING, DESTROYED, REDEPLOYING = "destroying", "destroyed", "redeploying"
# As errors name it.
WHAT = "the record of the destroy"
WHERE_OPTIONS = {"type": "dict", "options": {"bucket": {"type": "str", "required": True}, "key": {"type": "str", "required": True, "no_log": False}}}


def journal(call: Call, bucket: str, key: str) -> power_journal.Journal:
    return power_journal.Journal(call, bucket, key, what=WHAT)


def read(call: Call, bucket: str, key: str) -> dict[str, Any] | None:
    """The record; None of an environment that was never destroyed."""
    return journal(call, bucket, key).read()


def standing(record: dict | None) -> dict | None:
    """{state, at, operator, database_snapshot, redis_snapshot, release} of an environment that is destroyed, or on its way there; else None."""
    if not record or record["state"] not in (DESTROYING, DESTROYED):
        return None
    snapshots = {f"{kind}_snapshot": (record.get(kind) or {}).get("snapshot") or "" for kind in ("database", "redis")}
    known = {"state": record["state"], "operator": record["operator"], "release": record.get("release", "")}
    return {**known, "at": record["ended_at"] or record["began_at"], **snapshots}


def says(standing: dict) -> str:
    """The sentence about it, with what to do."""
    by = f", by {standing['operator']}" if standing["operator"] else ""
    if standing["state"] == DESTROYING:
        return f"a destroy began at {standing['at']}{by}, and has not ended: run destroy.yml again; redeploy.yml then makes the environment again"
    rows = f"its rows are in the snapshot {standing['database_snapshot']}" if standing["database_snapshot"] else "it had no rows"
    queue = f", its queue in {standing['redis_snapshot']}" if standing["redis_snapshot"] else ""
    ran = f". It ran the release {standing['release']}" if standing.get("release") else ""
    return f"DESTROYED at {standing['at']}{by}; {rows}{queue}{ran}. redeploy.yml makes it again"
