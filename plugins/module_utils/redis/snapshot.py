# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Snapshots of Redis: read, take, prove, prune, delete.

    list_snapshots(call, identifier) -> list[dict]                      # newest first, also of a cache that is gone
    read(call, name) -> dict | None                                     # one of them
    refusals(cache) -> list[str]                                        # pure: why ElastiCache takes no snapshot of it, now or ever
    create(call, cache, name, *, timeout, delay, say, guard, tags=None, wait=True) -> dict
    problems(snapshot, cache) -> list[str]                              # pure: why it does not prove that `cache` can be made again; [] = verified
    prune_plan(snapshots, keep, protected, prefix="", restored=None) -> list[str]      # pure: names
    delete(call, name, *, timeout, delay, say, guard, wait=True) -> bool

A snapshot: {"name", "status", "source", "node", "kind", "created_at" (ISO, '' until the data are taken), "manual", "size", "arn", "source_created_at",
"shards", "incomplete", and what ElastiCache keeps with it of its source, named as in a cache's parameters}.

A group without cluster mode is not snapshot as such: a node of it is, and the snapshot tells the node's name alone. We take the primary, whose data are the
freshest (so does AWS for a final snapshot), and give the snapshot the tag `atena:source`, by which it is found again when the group is gone.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, NotFound, absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.redis.parameters import release_of
from ansible_collections.atena.aws.plugins.module_utils.redis.read import (
    ATTEMPTS,
    BUSY,
    CLUSTER,
    GROUP,
    READY,
    Patience,
    find,
    is_code,
    iso,
    last_events,
    standing,
    status_of,
    tags_of,
    write,
)

if TYPE_CHECKING:
    from typing import TypeGuard

SOURCE_TAG = "atena:source"
# The API's rules; uppercase letters it would quietly change to lower ones.
_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
# A node of a replication group: 'atena-prod-001', 'atena-prod-0002-001'.
_NODE = re.compile(r"(.+?)(?:-\d{4})?-\d{3}")

# Statuses of a snapshot whose data will be there, or won't be. In any other one they are there, if perhaps in use (restoring, exporting).
_COMING, GONE = ("creating", "copying"), ("deleting", "failed")
# Compared by `problems`: what ElastiCache keeps with a snapshot and what decides whether the cache can be made from it as it is.
_PROOF = ("engine", "engine_version", "node_type", "port", "parameter_group", "subnet_group", "num_cache_nodes", "num_node_groups")


def name_problem(name: str) -> str:
    """Why a snapshot cannot have this name; '' if it can."""
    if _NAME.fullmatch(name):
        return ""
    return f"'{name}' cannot be a snapshot's name: lower-case letters, digits and single hyphens, with a letter first and no hyphen last."


def describe(raw: dict, source: str | None = None) -> dict:
    """A snapshot as this file tells it, from DescribeSnapshots' one. Pure."""
    nodes = raw.get("NodeSnapshots") or []
    moments = sorted(iso(node["SnapshotCreateTime"]) for node in nodes if node.get("SnapshotCreateTime"))
    group = raw.get("ReplicationGroupId") or ""
    source = source or group or raw.get("CacheClusterId") or ""
    node = "" if group or raw.get("CacheClusterId") == source else raw.get("CacheClusterId", "")
    return {
        "name": raw["SnapshotName"],
        "status": raw["SnapshotStatus"],
        "source": source,
        "node": node,
        "kind": GROUP if group or node else CLUSTER,
        # The oldest part: no more is certain of the whole.
        "created_at": moments[0] if moments and len(moments) == len(nodes) else "",
        "source_created_at": iso(raw.get("CacheClusterCreateTime")),
        "manual": raw.get("SnapshotSource", "manual") == "manual",
        "size": ", ".join(node["CacheSize"] for node in nodes if node.get("CacheSize")),
        "arn": raw.get("ARN", ""),
        "shards": len(nodes),
        "incomplete": [node.get("NodeGroupId") or node.get("CacheNodeId") or "?" for node in nodes if not node.get("SnapshotCreateTime")],
        "engine": raw.get("Engine"),
        "engine_version": raw.get("EngineVersion"),
        "node_type": raw.get("CacheNodeType"),
        "num_cache_nodes": raw.get("NumCacheNodes"),
        "num_node_groups": raw.get("NumNodeGroups"),
        "node_groups": [_shard(node) for node in nodes if group and node.get("NodeGroupConfiguration")],
        "port": raw.get("Port"),
        "subnet_group": raw.get("CacheSubnetGroupName"),
        "parameter_group": raw.get("CacheParameterGroupName"),
        "maintenance_window": raw.get("PreferredMaintenanceWindow"),
        "snapshot_window": raw.get("SnapshotWindow"),
        "snapshot_retention_limit": raw.get("SnapshotRetentionLimit"),
        "auto_minor_version_upgrade": raw.get("AutoMinorVersionUpgrade"),
        "preferred_availability_zone": raw.get("PreferredAvailabilityZone"),
        "automatic_failover": str(raw["AutomaticFailover"]).startswith("enabl") if raw.get("AutomaticFailover") else None,
        "data_tiering": raw.get("DataTiering") == "enabled" or str(raw.get("CacheNodeType")).startswith("cache.r6gd."),
        "notification_topic_arn": raw.get("TopicArn"),
        "description": raw.get("ReplicationGroupDescription"),
        "kms_key_id": raw.get("KmsKeyId"),
    }


def _shard(node: dict) -> dict:
    told = node["NodeGroupConfiguration"]
    zones = [zone for zone in (told.get("PrimaryAvailabilityZone"), *(told.get("ReplicaAvailabilityZones") or [])) if zone]
    number = told.get("NodeGroupId") or node.get("NodeGroupId")
    return {"id": number, "slots": told.get("Slots"), "replica_count": told.get("ReplicaCount"), "availability_zones": zones}


def list_snapshots(call: Aws, identifier: str, cache: dict | None = None) -> list[dict[str, Any]]:
    """All snapshots of the cache, newest first, one that is being taken before all. cache: find's answer where it is at hand; it saves a question.

    All of the account's are read: asked for those of a cluster that is gone, ElastiCache may answer that there is no such cluster.
    """
    found, nodes = [], cache["nodes"] if cache else []
    for raw in call.pages("elasticache", "describe_snapshots", "list the snapshots of Redis", "Snapshots", ShowNodeGroupConfig=True):
        told = describe(raw)
        if told["source"] != identifier and _is_node_of(told["source"], identifier):
            # A node that is known, or one that its snapshot's tag tells of; not a cluster that merely looks like one.
            if told["source"] in nodes or _tagged_source(call, told) == identifier:
                told = describe(raw, identifier)
        if told["source"] == identifier:
            found.append(told)
    return newest_first(found)


def newest_first(snapshots: list[dict]) -> list[dict]:
    return sorted(snapshots, key=lambda told: (told["created_at"] or "9", told["name"]), reverse=True)


def _is_node_of(node: str, group: str) -> bool:
    match = _NODE.fullmatch(node)
    return match is not None and match[1] == group


def _tagged_source(call: Call, snapshot: dict) -> str | None:
    """The group that a node's snapshot says it is of. One whose tags cannot be read yet, or any more, says nothing."""
    try:
        return tags_of(call, snapshot["arn"], snapshot["name"]).get(SOURCE_TAG) if snapshot["arn"] else None
    except CallFailed as failed:
        if isinstance(failed, NotFound) or is_code(failed, "InvalidSnapshotState", "InvalidCacheClusterState"):
            return None
        raise


def read(call: Call, name: str, cache: dict | None = None) -> dict[str, Any] | None:
    """The snapshot of this name; None if there is none. cache: whose it probably is, where that is at hand."""
    doing = f"read the snapshot {name}"
    found: list[dict[str, Any]] = absent_as(
        [], "Snapshot", lambda: call("elasticache", "describe_snapshots", doing, SnapshotName=name, ShowNodeGroupConfig=True)["Snapshots"]
    )
    if not found:
        return None
    told = describe(found[0])
    if told["kind"] == CLUSTER and _NODE.fullmatch(told["source"]):
        known = cache["id"] if cache and told["source"] in cache["nodes"] else None
        told = describe(found[0], known or _tagged_source(call, told))
    return told


def is_of(snapshot: dict, cache: dict) -> bool:
    """Whether the snapshot was taken of this cache, or of one of this name."""
    return snapshot["source"] == cache["id"] or (snapshot["node"] or snapshot["source"]) in cache["nodes"]


def refusals(cache: dict) -> list[str]:
    """Why ElastiCache takes no snapshot of this cache. [] also of one that is busy: that passes."""
    told, found = cache["parameters"], []
    if told["engine"] == "memcached":
        found.append(f"{cache['id']} runs Memcached. ElastiCache takes snapshots of Valkey and Redis OSS only.")
    if told["node_type"] == "cache.t1.micro" and not told.get("cluster_enabled"):
        found.append(f"{cache['id']} runs on cache.t1.micro, the one node type without snapshots. Change its node type first.")
    if cache["member_of"]:
        found.append(f"{cache['id']} is a node of the replication group {cache['member_of']}. Name the group: what is restored is the whole of it.")
    if standing(cache["status"]) not in (READY, BUSY):
        found.append(f"{cache['id']} is {cache['status']}. ElastiCache takes snapshots of available caches only.")
    return found


def _compared(field: str, value: Any, told: dict) -> Any:
    """A value as it is compared: 7.1 and 7.1.0 are one version, of which AWS chooses the third number."""
    return release_of(told.get("engine"), value) if field == "engine_version" else value


def problems(snapshot: dict | None, cache: dict) -> list[str]:
    """Why this snapshot does not prove that `cache` can be made again, with its data. [] means verified: the cache may be deleted."""
    if snapshot is None:
        return [f"there is no snapshot of {cache['id']}"]
    found, name, told = [], snapshot["name"], cache["parameters"]
    if snapshot["status"] != "available":
        found.append(f"{name} is {snapshot['status']}, not available")
    if not is_of(snapshot, cache):
        found.append(f"{name} was taken of {snapshot['node'] or snapshot['source']}, not of {cache['id']}")
    if snapshot["incomplete"] or not snapshot["shards"]:
        found.append(f"{name} does not show when it took the data of {', '.join(snapshot['incomplete']) or 'its nodes'}")
    if not snapshot["manual"]:
        found.append(f"{name} was taken automatically: AWS deletes it with its source")
    found += _of_another_life(snapshot, cache)
    for field in _PROOF:
        kept, now = snapshot.get(field), told.get(field)
        if kept is not None and now is not None and _compared(field, kept, snapshot) != _compared(field, now, told):
            found.append(f"{name} has {field} {kept}, and {cache['id']} has {now}")
    if cache["kind"] == GROUP and told.get("cluster_enabled") and told.get("num_node_groups") != snapshot["shards"]:
        found.append(f"{name} holds {snapshot['shards']} shards, and {cache['id']} has {told.get('num_node_groups')}")
    return found


def _of_another_life(snapshot: dict, cache: dict) -> list[str]:
    """An environment that is off every night makes a cluster of the same name each morning: yesterday's snapshot proves nothing of today's."""
    if cache["kind"] == CLUSTER and snapshot["source_created_at"] and cache["created_at"]:
        if snapshot["source_created_at"] != cache["created_at"]:
            return [f"{snapshot['name']} was taken of a {cache['id']} that was made at {snapshot['source_created_at']}, and this one at {cache['created_at']}"]
    elif snapshot["created_at"] and cache["created_at"] and snapshot["created_at"] < cache["created_at"]:
        return [f"{snapshot['name']} is of {snapshot['created_at']}, and {cache['id']} was made after that, at {cache['created_at']}"]
    return []


def prune_plan(snapshots: list[dict], keep: int, protected: Collection[str], prefix: str = "", restored: str | None = None) -> list[str]:
    """Names of the snapshots to delete, oldest first: manual ones that are available, but for the newest `keep` and those in `protected`.

    prefix: only names that start so; others are somebody's own. restored: the name of a snapshot that was restored, and so proved good; only older ones
    go, and none if it is not there. Automatic snapshots go by themselves.
    """
    ours = [told for told in newest_first(snapshots) if told["manual"] and told["status"] == "available" and told["name"].startswith(prefix)]
    old = ours[keep:]
    if restored is not None:
        proved = next((told["created_at"] for told in snapshots if told["name"] == restored), "")
        old = [told for told in old if told["created_at"] and told["created_at"] < proved]
    return [told["name"] for told in reversed(old) if told["name"] not in protected]


def create(
    call: Aws,
    cache: dict,
    name: str,
    patience: Patience,
    *,
    tags: dict | None = None,
    wait: bool = True,
) -> dict[str, Any]:
    """Takes a snapshot of `cache` unless there is one of this name, and waits until it is available. Raises CallFailed with the reason.

    A cache that is busy is waited for. When the time is over all stays as it is: a snapshot that is being taken goes on by itself.
    """
    problem = name_problem(name)
    if problem:
        raise CallFailed(f"{problem} Nothing was changed.")
    if read(call, name, cache) is None:
        _send(call, cache, name, patience, tags)
    return _await(call, cache, name, patience, wait)


def _send(call: Aws, cache: dict[str, Any], name: str, patience: Patience, tags: dict[str, str] | None) -> None:
    source = {"ReplicationGroupId": cache["id"]} if cache["parameters"].get("cluster_enabled") else {"CacheClusterId": cache["primary"]}
    if cache["kind"] == GROUP and "CacheClusterId" in source:
        tags = {**(tags or {}), SOURCE_TAG: cache["id"]}
    given = {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]} if tags else {}
    unsure = 0
    while True:
        _ready(call, cache, name, patience)
        if unsure and read(call, name, cache):
            return
        patience.guard()
        try:
            write(call, "create_snapshot", f"take the snapshot {name} of {cache['id']}", SnapshotName=name, **source, **given)
            return patience.tell(f"{cache['id']}: snapshot requested: {name}")
        except CallFailed as failed:
            # Refused because an attempt of ours arrived, whose answer was lost. Whose it is, is looked at next.
            if is_code(failed, "SnapshotAlreadyExists"):
                return None
            # Something else, such as the daily snapshot, was faster than we.
            too_early = is_code(failed, "InvalidCacheClusterState", "InvalidReplicationGroupState") and not patience.passed
            unsure += failed.unsure
            if not too_early and (not failed.unsure or unsure >= ATTEMPTS):
                raise
            patience.tell(f"{failed} Checking again.")
            patience.rest()


def _ready(call: Aws, cache: dict[str, Any], name: str, patience: Patience) -> None:
    """Waits until the cache is available; raises CallFailed if it never will be, or cannot be snapshot at all."""

    def is_ready(now: dict[str, Any] | None) -> bool:
        found = refusals(now) if now else [f"{cache['id']} does not exist (any more)."]
        if now is None or found:
            raise CallFailed(f"The snapshot {name} was not taken: {' '.join(found)} Nothing was changed.")
        patience.tell(f"{cache['id']}: {now['status']}")
        return standing(now["status"]) == READY

    patience.until(
        lambda: find(call, cache["id"], tags=False), is_ready, lambda now: f"{cache['id']} stays {status_of(now)}: the snapshot {name} was not taken."
    )


def _await(call: Aws, cache: dict[str, Any], name: str, patience: Patience, wait: bool) -> dict[str, Any]:
    def is_there(snapshot: dict[str, Any] | None) -> TypeGuard[dict[str, Any]]:
        if patience.is_gone(snapshot):
            gone = f"The snapshot {name} of {cache['id']} is gone: ElastiCache gave it up, or somebody deleted it. {why()}"
            raise CallFailed(gone.rstrip())
        if snapshot is None:
            return False
        if not is_of(snapshot, cache):
            whose = snapshot["node"] or snapshot["source"]
            raise CallFailed(f"There is a snapshot {name} already, of {whose} and not of {cache['id']}. Take another name.")
        if snapshot["status"] in GONE:
            raise CallFailed(
                f"The snapshot {name} of {cache['id']} is {snapshot['status']}. {why()} "
                f"{cache['id']} was not touched. Delete the snapshot or take another name."
            )
        patience.tell(f"{cache['id']}: snapshot {name}: {snapshot['status']}")
        return not wait or snapshot["status"] not in _COMING

    def why() -> str:
        return last_events(call, cache["id"], cache["kind"])

    def late(snapshot: dict[str, Any] | None) -> str:
        return f"The snapshot {name} of {cache['id']} is still {status_of(snapshot)}. It continues, and {cache['id']} is as it was; run this again."

    return patience.until(lambda: read(call, name, cache), is_there, late)


def usable(call: Aws, name: str, patience: Patience) -> dict[str, Any]:
    """The snapshot of this name, when it is available: what is being taken, copied, exported or restored elsewhere is waited for."""

    def is_usable(snapshot: dict[str, Any] | None) -> TypeGuard[dict[str, Any]]:
        if snapshot is None or snapshot["status"] in GONE:
            what = f"is {snapshot['status']}" if snapshot else "does not exist"
            raise CallFailed(f"The snapshot {name} {what}. Nothing was changed.")
        patience.tell(f"snapshot {name}: {snapshot['status']}")
        return snapshot["status"] == "available"

    return patience.until(lambda: read(call, name), is_usable, lambda snapshot: f"The snapshot {name} stays {status_of(snapshot)}. Nothing was changed.")


def delete(call: Aws, name: str, patience: Patience, *, wait: bool = True) -> bool:
    """Deletes a snapshot and waits until it is gone. False if there was none. One that is in use is waited for."""
    sent = False
    while True:
        patience.guard()
        snapshot = read(call, name)
        if snapshot is None:
            return sent
        if snapshot["status"] in ("available", "failed"):
            try:
                write(call, "delete_snapshot", f"delete the snapshot {name}", SnapshotName=name)
                patience.tell(f"snapshot {name}: deletion requested")
            except CallFailed as failed:
                if not failed.unsure and not isinstance(failed, NotFound) and not is_code(failed, "InvalidSnapshotState"):
                    raise
            sent = True
        if (sent or snapshot["status"] == "deleting") and not wait:
            return True
        patience.tell(f"snapshot {name}: {snapshot['status']}")
        if patience.passed:
            raise CallFailed(f"The snapshot {name} is still {snapshot['status']} after {round(patience.deadline.elapsed)} s. Run this again.")
        patience.rest()
