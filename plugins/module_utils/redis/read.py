# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ElastiCache says of a cache - a cache cluster, or a replication group - and of what happens to it.

    find(call, identifier) -> dict | None

        {"id", "kind": "cluster" | "replication_group", "status", "address", "port", "parameters": {...}}, and besides: "arn", "created_at" (which tells one
        cache from a later one of the same name), "nodes" (a group's cache clusters), "primary" (the one that has the freshest data), "member_of" (the
        group that a cluster is a node of, else ""), "global_datastore". "address" is "" until it is available.

"parameters" is all that is needed to make it again (redis.restore.arguments), JSON-able; what ElastiCache does not tell is None. Tags are told of available
caches only, so that a record is to be taken of one that is available. A token (AUTH) is never told, only whether there is one.
"""

from __future__ import annotations

import contextlib
import datetime
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller, Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import shielded
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Answer, Aws, Call, Guard, Say
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_view import stamp

if TYPE_CHECKING:
    from typing import TypeAlias, TypeGuard

    # A cache or a snapshot as it is looked at; None where there is none.
    Seen: TypeAlias = "dict[str, Any] | None"

CLUSTER, GROUP = "cluster", "replication_group"

READY, BUSY, LEAVING, FAILED = "ready", "busy", "leaving", "failed"
_STANDINGS = {"available": READY, "deleting": LEAVING, "deleted": LEAVING, "create-failed": FAILED, "restore-failed": FAILED, "incompatible-network": FAILED}
# Never came up: there was no data in it that could be lost.
STILLBORN = ("create-failed", "restore-failed")

# After a write whose fate is unknown, or that was too early: how often it is sent at the most.
ATTEMPTS = 6
# What was accepted is not always listed at once: for so many seconds it is not called gone.
_UNLISTED = 30
# Seconds without news after which a person is told that it still goes on.
_SILENCE = 30


def standing(status: str) -> str:
    """What a cache's status means to those who wait: READY, BUSY (passes by itself: creating, modifying, snapshotting, rebooting …), LEAVING or FAILED."""
    return _STANDINGS.get(status, BUSY)


def is_code(failed: CallFailed, *codes: str) -> bool:
    """Whether it is one of these errors. ElastiCache spells some with 'Fault' at the end, and some without."""
    return failed.code.removesuffix("Fault") in codes


def iso(moment: datetime.datetime | None) -> str:
    """A moment as botocore gives it, as ISO 8601 to the second, UTC; '' for none."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def find(call: Call, identifier: str, tags: bool = True) -> dict[str, Any] | None:
    """The cache of this name; None if there is none. Without `tags` its tags are not asked for: for those who only look how it goes on."""
    cluster = _one(call, "describe_cache_clusters", "CacheClusters", "CacheCluster", CacheClusterId=identifier, ShowCacheNodeInfo=True)
    if cluster:
        cache = from_cluster(cluster)
    else:
        group = _one(call, "describe_replication_groups", "ReplicationGroups", "ReplicationGroup", ReplicationGroupId=identifier)
        if group is None:
            return None
        # The group itself does not tell its version, port, windows or groups: its nodes do.
        node = primary_of(group)
        member = _one(call, "describe_cache_clusters", "CacheClusters", "CacheCluster", CacheClusterId=node, ShowCacheNodeInfo=True) if node else None
        cache = from_group(group, member or {})
    if cache["status"] == "deleted":
        return None
    if tags and cache["arn"] and standing(cache["status"]) == READY:
        cache["parameters"]["tags"] = tags_of(call, cache["arn"], cache["id"])
    return cache


def _one(call: Call, operation: str, key: str, absent: str, /, **arguments: Any) -> dict[str, Any] | None:
    identifier = next(iter(arguments.values()))
    found: list[dict[str, Any]] = absent_as([], absent, lambda: call("elasticache", operation, f"read Redis {identifier}", **arguments)[key])
    return found[0] if found else None


def tags_of(call: Call, arn: str, name: str) -> dict[str, str]:
    """AWS's own tags (aws:…) cannot be given, and are left out."""
    found = call("elasticache", "list_tags_for_resource", f"read the tags of {name}", ResourceName=arn)["TagList"]
    return {tag["Key"]: tag.get("Value") or "" for tag in found if not tag["Key"].startswith("aws:")}


def from_cluster(cluster: dict) -> dict:
    """find's answer for a described cache cluster. Pure."""
    endpoint: Answer = next((node["Endpoint"] for node in cluster.get("CacheNodes", []) if node.get("Endpoint")), {})
    ready = standing(cluster["CacheClusterStatus"]) == READY
    zone = cluster.get("PreferredAvailabilityZone")
    return {
        "id": cluster["CacheClusterId"],
        "kind": CLUSTER,
        "status": cluster["CacheClusterStatus"],
        "address": endpoint.get("Address", "") if ready else "",
        "port": endpoint.get("Port"),
        "arn": cluster.get("ARN", ""),
        "created_at": iso(cluster.get("CacheClusterCreateTime")),
        "nodes": [],
        "primary": cluster["CacheClusterId"],
        "member_of": cluster.get("ReplicationGroupId") or "",
        "global_datastore": "",
        "parameters": {
            "id": cluster["CacheClusterId"],
            "kind": CLUSTER,
            **_of_nodes(cluster, endpoint.get("Port")),
            "num_cache_nodes": cluster.get("NumCacheNodes"),
            "preferred_availability_zone": zone if zone and zone != "Multiple" else None,
            **_common(cluster),
        },
    }


def from_group(group: dict, member: dict) -> dict:
    """find's answer for a described replication group and the described cluster of its primary node. Pure."""
    shards = group.get("NodeGroups", [])
    first = shards[0] if shards else {}
    endpoint = group.get("ConfigurationEndpoint") or first.get("PrimaryEndpoint") or {}
    ready = standing(group["Status"]) == READY
    enabled = bool(group.get("ClusterEnabled"))
    described = [_shard(shard) for shard in shards]
    return {
        "id": group["ReplicationGroupId"],
        "kind": GROUP,
        "status": group["Status"],
        "address": endpoint.get("Address", "") if ready else "",
        "port": endpoint.get("Port"),
        "arn": group.get("ARN", ""),
        "created_at": iso(group.get("ReplicationGroupCreateTime") or member.get("CacheClusterCreateTime")),
        "nodes": sorted(group.get("MemberClusters", [])),
        "primary": primary_of(group),
        "member_of": "",
        "global_datastore": (group.get("GlobalReplicationGroupInfo") or {}).get("GlobalReplicationGroupId") or "",
        "parameters": {
            "id": group["ReplicationGroupId"],
            "kind": GROUP,
            "description": group.get("Description") or group["ReplicationGroupId"],
            **_of_nodes({**member, "Engine": group.get("Engine") or member.get("Engine")}, endpoint.get("Port")),
            "node_type": group.get("CacheNodeType") or member.get("CacheNodeType"),
            "cluster_enabled": enabled,
            "cluster_mode": group.get("ClusterMode"),
            "num_node_groups": len(shards) or None,
            "replicas_per_node_group": max((shard["replica_count"] for shard in described), default=None),
            "node_groups": described if enabled else None,
            "preferred_availability_zones": None if enabled or not first else _zones(first),
            "automatic_failover": str(group.get("AutomaticFailover", "disabled")).startswith("enabl"),
            "multi_az": group.get("MultiAZ") == "enabled",
            "data_tiering": group.get("DataTiering") == "enabled",
            "durability": group.get("Durability"),
            "kms_key_id": group.get("KmsKeyId"),
            "user_group_ids": sorted(group.get("UserGroupIds") or []),
            **_common({**member, **{name: value for name, value in group.items() if value is not None}}),
        },
    }


def primary_of(group: dict) -> str:
    """The node of a group with the freshest data: of the only shard, or of the first. Where the roles are not told, the first node."""
    members = [member for shard in group.get("NodeGroups", [])[:1] for member in shard.get("NodeGroupMembers", [])]
    members.sort(key=lambda member: member.get("CurrentRole") != "primary")
    return next((member["CacheClusterId"] for member in members), next(iter(sorted(group.get("MemberClusters", []))), ""))


def _of_nodes(cluster: dict, port: int | None) -> dict:
    """What a cache cluster tells of itself, and a node of its group."""
    topic = cluster.get("NotificationConfiguration") or {}
    return {
        "engine": cluster.get("Engine"),
        "engine_version": cluster.get("EngineVersion"),
        "node_type": cluster.get("CacheNodeType"),
        "port": port,
        "subnet_group": cluster.get("CacheSubnetGroupName"),
        "security_group_ids": sorted(group["SecurityGroupId"] for group in cluster.get("SecurityGroups") or []),
        "parameter_group": (cluster.get("CacheParameterGroup") or {}).get("CacheParameterGroupName"),
        "maintenance_window": cluster.get("PreferredMaintenanceWindow"),
        "notification_topic_arn": topic.get("TopicArn") if topic.get("TopicStatus", "active") == "active" else None,
    }


def _common(told: dict) -> dict:
    return {
        "snapshot_window": told.get("SnapshotWindow"),
        "snapshot_retention_limit": told.get("SnapshotRetentionLimit"),
        "auto_minor_version_upgrade": told.get("AutoMinorVersionUpgrade"),
        "at_rest_encryption": bool(told.get("AtRestEncryptionEnabled")),
        "transit_encryption": bool(told.get("TransitEncryptionEnabled")),
        "transit_encryption_mode": told.get("TransitEncryptionMode"),
        "auth": bool(told.get("AuthTokenEnabled")),
        "log_delivery": sorted((_log(entry) for entry in told.get("LogDeliveryConfigurations") or []), key=lambda entry: str(entry["log_type"])),
        "network_type": told.get("NetworkType"),
        "ip_discovery": told.get("IpDiscovery"),
        "tags": None,
    }


def _log(entry: dict) -> dict:
    details = entry.get("DestinationDetails") or {}
    return {
        "log_type": entry.get("LogType"),
        "log_format": entry.get("LogFormat"),
        "destination_type": entry.get("DestinationType"),
        "destination": (details.get("CloudWatchLogsDetails") or {}).get("LogGroup") or (details.get("KinesisFirehoseDetails") or {}).get("DeliveryStream"),
    }


def _zones(shard: dict) -> list[str]:
    """The zones of a shard's nodes, the primary's first."""
    members = sorted(shard.get("NodeGroupMembers", []), key=lambda member: member.get("CurrentRole") != "primary")
    return [member["PreferredAvailabilityZone"] for member in members if member.get("PreferredAvailabilityZone")]


def _shard(shard: dict) -> dict:
    members = shard.get("NodeGroupMembers", [])
    return {"id": shard.get("NodeGroupId"), "slots": shard.get("Slots"), "replica_count": max(len(members) - 1, 0), "availability_zones": _zones(shard)}


def last_events(call: Aws, cache_id: str, kind: str, most: int = 5) -> str:
    """What ElastiCache told of the cache in the last hour, newest last, as a sentence; '' if nothing, or if it may not be asked."""
    source = {CLUSTER: "cache-cluster", GROUP: "replication-group"}[kind]
    with contextlib.suppress(CallFailed):  # it only helps to explain
        doing = f"read the events of {cache_id}"
        found = call.pages("elasticache", "describe_events", doing, "Events", SourceIdentifier=cache_id, SourceType=source, Duration=60)
        messages = [shown(event["Message"]).rstrip(". ") for event in sorted(found, key=lambda event: iso(event.get("Date"))) if event.get("Message")]
        if messages:
            return f"ElastiCache's last words: {'; '.join(messages[-most:])}."
    return ""


class Witness(Caller):
    """A Caller that knows whether anything was changed by write(), or may have been: what a module that fails has to tell."""

    wrote = False

    def once(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
        try:
            answer = super().once(service, operation, doing, **arguments)
        except CallFailed as failed:
            self.wrote = self.wrote or failed.unsure
            raise
        self.wrote = True
        return answer


def status_of(seen: Seen) -> str:
    return seen["status"] if seen else "not listed"


class Patience:
    """How long is waited, and what is told meanwhile. say: takes a line for the person who waits, or None. guard: called before each look and each
    write; what it raises (a lost lock) ends the wait."""

    def __init__(self, timeout: float, delay: float, say: Say | None = None, guard: Guard | None = None) -> None:
        self.deadline, self._delay, self._say = Deadline(timeout), delay, say
        self.guard = guard or (lambda: None)
        self._told: str | None = None
        self._spoke = 0.0
        self._missing: float | None = None

    @property
    def passed(self) -> bool:
        return self.deadline.passed

    def tell(self, text: str) -> None:
        """Tells what is new; and what is not, when nothing was told for a while."""
        if not self._say or (text == self._told and self.deadline.elapsed - self._spoke < _SILENCE):
            return
        self._told, self._spoke = text, self.deadline.elapsed
        self._say(stamp(text, self.deadline.elapsed, self.deadline.seconds))

    def is_gone(self, seen: object) -> bool:
        """Whether what was made is there no more, or never came to be."""
        if seen is not None or self._missing is None:
            self._missing = None if seen is not None else self.deadline.elapsed
            return False
        return self.deadline.elapsed - self._missing >= _UNLISTED

    def rest(self) -> None:
        time.sleep(pace(self.deadline.elapsed, self._delay))

    @overload
    def until(self, look: Callable[[], Seen], is_done: Callable[[Seen], TypeGuard[dict[str, Any]]], late: Callable[[Seen], str]) -> dict[str, Any]: ...

    @overload
    def until(self, look: Callable[[], Seen], is_done: Callable[[Seen], bool], late: Callable[[Seen], str]) -> Seen: ...

    def until(self, look: Callable[[], Seen], is_done: Callable[[Seen], bool], late: Callable[[Seen], str]) -> Seen:
        """look() again and again until is_done(what it gave), which it returns. is_done raises CallFailed when there is nothing to wait for any more.

        late(what it gave last): what is to be said when the time is over, which raises CallFailed.
        """
        while True:
            self.guard()
            seen = look()
            if is_done(seen):
                return seen
            if self.passed:
                raise CallFailed(f"{late(seen)} (waited {round(self.deadline.elapsed)} s)")
            self.rest()


def write(call: Aws, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
    """Sends something that must not be done twice, and keeps a signal waiting for its answer. Only the main thread gets signals."""
    main = threading.current_thread() is threading.main_thread()
    with shielded() if main else contextlib.nullcontext():
        return call.once("elasticache", operation, doing, **arguments)
