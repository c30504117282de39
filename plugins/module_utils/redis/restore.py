# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redis made again from a snapshot, and - with a verified snapshot only - deleted.

    restore(call, parameters, snapshot_name, patience, *, identifier=None, auth_token=None, wait=True) -> cache
    await_available(call, name, patience) -> cache
    delete(call, cache, snapshot, patience)
    arguments(parameters, snapshot_name, identifier=None, auth_token=None), differences(cache, parameters): pure, see redis.parameters

restore() leaves a cache that is there as it is, and waits for it: compare what it returns with differences().
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.redis import parameters as redis_parameters, snapshot as redis_snapshot
from ansible_collections.atena.aws.plugins.module_utils.redis.read import (
    ATTEMPTS,
    CLUSTER,
    FAILED,
    LEAVING,
    READY,
    STILLBORN,
    Patience,
    find,
    is_code,
    last_events,
    standing,
    status_of,
    write,
)

if TYPE_CHECKING:
    from typing import TypeGuard

arguments, differences = redis_parameters.arguments, redis_parameters.differences


def restore(
    call: Aws,
    parameters: dict,
    snapshot_name: str,
    patience: Patience,
    *,
    identifier: str | None = None,
    auth_token: str | None = None,
    wait: bool = True,
) -> dict[str, Any]:
    """Makes the cache from the snapshot unless it is there, and waits until it is available. Returns it. Raises CallFailed with the reason.

    What is there is left as it is: compare it with differences(). One that never came up (an earlier restore that failed) is cleared away first: there
    was nothing in it, and the snapshot is left as it was by it. When the time is over all goes on by itself, and the next run waits for it.
    """
    name = identifier or parameters["id"]
    cache = _standing_cache(call, name, patience)
    if cache is None:
        snapshot = redis_snapshot.usable(call, snapshot_name, patience)
        found = redis_parameters.refusals(parameters, snapshot, name, auth_token)
        if found:
            raise CallFailed(f"{name} was not restored from {snapshot_name}: {' '.join(found)} Nothing was changed.")
        _send(call, parameters, snapshot_name, name, auth_token, patience)
    return _await(call, name, snapshot_name, patience, wait)


def await_available(call: Aws, name: str, patience: Patience) -> dict[str, Any]:
    """Waits for a cache that is there, whatever it was made from. Returns it."""
    return _await(call, name, None, patience, True)


def _standing_cache(call: Aws, name: str, patience: Patience) -> dict[str, Any] | None:
    """The cache of this name, if there is one that stays: one that is being deleted is waited for, and one that never came up is deleted."""
    cleared = set()

    def has_settled(cache: dict[str, Any] | None) -> bool:
        if cache is None or standing(cache["status"]) not in (LEAVING, FAILED):
            return True
        if standing(cache["status"]) == FAILED and cache["status"] not in STILLBORN:
            why = last_events(call, name, cache["kind"])
            raise CallFailed(f"{name} is {cache['status']}, and was not touched. {why} It is not known whether there are data in it.")
        patience.tell(f"{name}: {cache['status']}")
        if cache["status"] in STILLBORN and cache["created_at"] not in cleared and _delete(call, cache, patience):
            cleared.add(cache["created_at"])
        return False

    return patience.until(
        lambda: find(call, name, tags=False), has_settled, lambda cache: f"{name} is still {status_of(cache)}. Nothing was restored; run this again."
    )


def _send(call: Aws, parameters: dict[str, Any], snapshot_name: str, name: str, auth_token: str | None, patience: Patience) -> None:
    operation, given = arguments(parameters, snapshot_name, name, auth_token)
    unsure = 0
    while True:
        patience.guard()
        try:
            write(call, operation, f"restore {name} from the snapshot {snapshot_name}", **given)
            return patience.tell(f"{name}: restore requested from {snapshot_name}")
        except CallFailed as failed:
            if is_code(failed, "CacheClusterAlreadyExists", "ReplicationGroupAlreadyExists") and unsure:
                return None  # ours: there was none when we looked, and the answer to an attempt was lost
            unsure += failed.unsure
            busy = is_code(failed, "InvalidSnapshotState") and not patience.passed
            if not busy and (not failed.unsure or unsure >= ATTEMPTS):
                raise failed.saying(f"{failed} The snapshot {snapshot_name} is as it was.") from failed
            patience.tell(f"{failed} Checking again.")
            patience.rest()
            if unsure and find(call, name, tags=False):
                return None


def _await(call: Aws, name: str, snapshot_name: str | None, patience: Patience, wait: bool) -> dict[str, Any]:
    def is_there(cache: dict[str, Any] | None) -> TypeGuard[dict[str, Any]]:
        if patience.is_gone(cache):
            raise CallFailed(f"{name} is gone while it was waited for: somebody deleted it.")
        if cache is None:
            return False
        if standing(cache["status"]) in (FAILED, LEAVING):
            why = last_events(call, name, cache["kind"])
            restored = f"It could not be restored from {snapshot_name}. " if snapshot_name else ""
            raise CallFailed(f"{name} is {cache['status']}. {restored}{why} No snapshot was touched; correct the cause and run this again.")
        patience.tell(f"{name}: {cache['status']}")
        return not wait or standing(cache["status"]) == READY

    def late(cache: dict[str, Any] | None) -> str:
        return f"{name} is still {status_of(cache)}. It continues; no snapshot was touched. Run this again."

    cache = patience.until(lambda: find(call, name, tags=False), is_there, late)
    return find(call, name) or cache


def delete(call: Aws, cache: dict, snapshot: dict | None, patience: Patience) -> None:
    """Deletes the cache and waits until it is gone. Refuses unless the snapshot, as it is now, proves that it can be made again (redis_snapshot.problems)."""
    sent = False
    while True:
        patience.guard()
        now = find(call, cache["id"], tags=False)
        if now is None or (sent and now["created_at"] != cache["created_at"]):
            return
        if standing(now["status"]) != LEAVING and not sent:
            _must_be_safe(call, now, cache, snapshot)
            # Busy passes by itself; a stillborn one can go.
            if standing(now["status"]) == READY or now["status"] in STILLBORN:
                sent = _delete(call, now, patience)
        patience.tell(f"{cache['id']}: {now['status']}")
        if patience.passed:
            done = "Its deletion was requested and continues" if sent else "It was not deleted"
            raise CallFailed(f"{cache['id']} is still {now['status']} after {round(patience.deadline.elapsed)} s. {done}; run this again.")
        patience.rest()


def _must_be_safe(call: Aws, now: dict[str, Any], cache: dict[str, Any], snapshot: dict[str, Any] | None) -> None:
    if now["created_at"] != cache["created_at"]:
        raise CallFailed(f"{cache['id']} was not deleted: it is another one than before, made at {now['created_at']}.")
    if now["global_datastore"]:
        raise CallFailed(f"{cache['id']} was not deleted: it belongs to the global datastore {now['global_datastore']}. Remove it from that first.")
    if now["status"] in STILLBORN:
        return
    fresh = redis_snapshot.read(call, snapshot["name"], now) if snapshot else None
    found = redis_snapshot.problems(fresh, now)
    if found:
        raise CallFailed(f"{cache['id']} was not deleted: {'; '.join(found)}.")


def _delete(call: Aws, cache: dict[str, Any], patience: Patience) -> bool:
    """Sends the deletion. False if it is not known whether it arrived, or was too early."""
    operation, argument = ("delete_cache_cluster", "CacheClusterId") if cache["kind"] == CLUSTER else ("delete_replication_group", "ReplicationGroupId")
    patience.guard()
    try:
        write(call, operation, f"delete {cache['id']}", **{argument: cache["id"]})
    except CallFailed as failed:
        if isinstance(failed, NotFound):
            return True
        if not failed.unsure and not is_code(failed, "InvalidCacheClusterState", "InvalidReplicationGroupState"):
            raise
        patience.tell(f"{failed} Checking again.")
        return False
    patience.tell(f"{cache['id']}: deletion requested")
    return True
