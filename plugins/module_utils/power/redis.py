# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redis's part of a stop and a start: whose cluster that is, what is to become of it, and the address in REDIS_URL. Decisions only; no call to AWS.

The journal's `redis`: {"parameters", "snapshot", "restored", "address", "created_at" (of the cluster that the snapshot was taken of), "restoring_at" (when a
start began to restore it), "restored_created_at" (of the cluster that came of it), "replacing" (whether the cluster that is there is one that a restore was
going to delete)}.
"""

from __future__ import annotations

import datetime

from ansible_collections.atena.aws.plugins.module_utils.environment import gates as power_gates
from ansible_collections.atena.aws.plugins.module_utils.environment.journal import unrestored
from ansible_collections.atena.aws.plugins.module_utils.redis.read import LEAVING, STILLBORN, standing

NONE, OWN, SOURCE, RESTORED, FOREIGN = "none", "own", "source", "restored", "foreign"
KEEP, ADOPT, RESTORE, CREATE, REFUSE = "keep", "adopt", "restore", "create", "refuse"
SNAPSHOT, DELETE, NOTHING = "snapshot", "delete", "nothing"
# Between this machine's clock and AWS's.
_CLOCKS_APART = datetime.timedelta(minutes=10)


def origin(record: dict | None, cache: dict | None) -> str:
    """Whose cluster this is: OWN (the environment's), or while a snapshot waits to be restored, the SOURCE that it was taken of, what was RESTORED from it,
    or FOREIGN: somebody made it meanwhile, and the queue is not in it."""
    if cache is None:
        return NONE
    if record is None or not unrestored(record):
        return OWN
    redis, created = record["redis"], cache["created_at"]
    if created == redis.get("created_at", ""):
        return SOURCE
    if created and created == redis.get("restored_created_at"):
        return RESTORED
    began = redis.get("restoring_at")
    if began and (not created or _moment(created) >= _moment(began) - _CLOCKS_APART):
        return RESTORED
    return FOREIGN


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def half_replaced(record: dict | None, cache: dict | None) -> bool:
    """Whether a restore died before it deleted the Redis in whose place its snapshot was to come."""
    return bool(((record or {}).get("redis") or {}).get("replacing")) and origin(record, cache) == SOURCE


def at_stop(cache: dict | None) -> str:
    """What a stop does first: SNAPSHOT (then delete), DELETE (nothing can be in it, or it goes already), or NOTHING (it is gone)."""
    if cache is None:
        return NOTHING
    return DELETE if standing(cache["status"]) == LEAVING or cache["status"] in STILLBORN else SNAPSHOT


def snapshot_name(cache: dict, now: datetime.datetime) -> str:
    return f"{own_prefix(cache['id'])}{now.astimezone(datetime.UTC).strftime('%Y%m%d-%H%M%S')}"


def own_prefix(identifier: str) -> str:
    return f"{identifier}-stop-"


def failed_snapshots(snapshots: list[dict], identifier: str) -> list[str]:
    """Names of the stops' own snapshots that failed: there is nothing in them, and they count towards the quota."""
    return [told["name"] for told in snapshots if told["status"] == "failed" and told["manual"] and told["name"].startswith(own_prefix(identifier))]


def after_snapshot(record: dict, cache: dict, name: str, ran: bool) -> tuple[dict, str]:
    """(changes of the journal's `redis`, a note or '') when the new snapshot is verified. ran: whether any task was running when this stop began.

    The new one is what a start restores - unless the cluster is a foreign one that the application never used: then the queue is still in the old one.
    """
    old, whose = unrestored(record), origin(record, cache)
    made = {"parameters": cache["parameters"], "address": cache["address"], "created_at": cache["created_at"], "restoring_at": ""}
    made.update({"restored_created_at": "", "replacing": False})
    if whose == FOREIGN and not ran:
        return {"foreign": name}, (
            f"{cache['id']} was made by somebody while the queue waited in the snapshot {old}, and no task was using it: its content is in {name}, and a start "
            f"restores {old}."
        )
    note = ""
    if whose == FOREIGN:
        note = f"The snapshot {old} was never restored: tasks ran on another {cache['id']}, whose content is in {name}. A start restores {name}."
    return {**made, "snapshot": name, "restored": False}, note


def lost(record: dict | None, gates: power_gates.Switched, cache: dict | None) -> bool:
    """Whether there is no Redis, though there should be one, and no snapshot on record holds its queue."""
    gone = cache is None or standing(cache["status"]) == LEAVING
    return gone and gates.redis != power_gates.ABSENT and not unrestored(record)


def at_start(record: dict | None, gates: power_gates.Switched, cache: dict | None, named: str = "", without_queue: str = "") -> tuple[str, str]:
    """(KEEP | ADOPT | RESTORE | CREATE | REFUSE, the snapshot or the reason).

    named: a snapshot that was asked for. without_queue: 'true', or the name of the snapshot that may be left alone.
    """
    waiting = unrestored(record)
    consent = without_queue.lower() in ("true", "yes", "1") or (bool(without_queue) and without_queue == waiting)
    if cache is not None and standing(cache["status"]) != LEAVING and cache["status"] not in STILLBORN:
        if named and origin(record, cache) in (OWN, FOREIGN):
            return REFUSE, f"{cache['id']} is there ({cache['status']}): the snapshot {named} is restored only where there is no Redis."
        if origin(record, cache) == FOREIGN and without_queue != waiting:
            return REFUSE, (
                f"{cache['id']} is there, made at {cache['created_at']}, but it is not what held the queue: that waits in the snapshot {waiting}. Delete "
                f"{cache['id']} if nobody needs it, and start again; or start with it as it is: -e start_without_queue={waiting}"
            )
        if half_replaced(record, cache) and without_queue != waiting:
            return REFUSE, (
                f"A restore was going to put the snapshot {waiting} in place of what is in {cache['id']}, and was interrupted before it deleted "
                f"{cache['id']}. To "
                f"finish that: restore_redis.yml -e restore_redis_snapshot={waiting}; to keep what is in it: -e start_without_queue={waiting}"
            )
        return (KEEP if gates.redis == power_gates.PRESENT else ADOPT), ""
    if named:
        return RESTORE, named
    if waiting and without_queue != waiting:
        return RESTORE, waiting
    if consent:
        return CREATE, ""
    return REFUSE, ""


def if_own(named: str, identifier: str, snapshots: list[dict]) -> tuple[str, str]:
    """(RESTORE, the snapshot that a person named), or (REFUSE, why): one environment's tasks must not work another's queue."""
    if named in {told["name"] for told in snapshots}:
        return RESTORE, named
    return REFUSE, f"The snapshot {named} is none of {identifier}, or does not exist. {may_still_be(snapshots)}"


def may_still_be(snapshots: list[dict]) -> str:
    """What a person may restore instead, as a sentence."""
    usable = [told for told in snapshots if told["status"] == "available"]
    if not usable:
        return "ElastiCache has no snapshot of it."
    listed = ", ".join(f"{told['name']} ({told['created_at']})" for told in usable[:5])
    return f"ElastiCache has these snapshots of it: {listed}. To restore one: -e start_redis_snapshot={usable[0]['name']}"


def gate_at_first(action: str) -> str:
    """What the Redis gate says in the apply that brings the power back."""
    return {KEEP: power_gates.PRESENT, ADOPT: power_gates.ADOPT, RESTORE: power_gates.ABSENT, CREATE: power_gates.PRESENT}[action]
