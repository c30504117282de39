# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a cache of Redis is made of: from a record or from a snapshot's own metadata, to boto3's arguments, and compared with what is. No call to AWS here.

    effective(snapshot, given) -> (parameters, [what is unknown])       # what is given, and for the rest what the snapshot keeps of its source
    refusals(parameters, snapshot, identifier, auth_token) -> list[str] # why ElastiCache would not, or should not, make that
    arguments(parameters, snapshot_name, identifier=None, auth_token=None) -> (operation, dict)
    differences(cache, parameters) -> list[str]                         # in words; parameters that are None are not looked at

`parameters` are those of redis.read.find. An AUTH token is no part of them: it is given where it is needed and never kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Answer
from ansible_collections.atena.aws.plugins.module_utils.redis.read import CLUSTER, GROUP

_IDENTIFIER = re.compile(r"[a-z](?:-?[a-z0-9])*")
_LONGEST = {CLUSTER: 50, GROUP: 40}
_TOKEN = re.compile(r"[A-Za-z0-9!&#$^<>-]{16,128}")
_OF_A_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_ONE_RANGE = re.compile(r"\d+-\d+")

# {parameter: boto3's argument} of both operations; what needs more than a new name is in arguments().
_PLAIN = {
    "engine": "Engine",
    "node_type": "CacheNodeType",
    "port": "Port",
    "subnet_group": "CacheSubnetGroupName",
    "security_group_ids": "SecurityGroupIds",
    "parameter_group": "CacheParameterGroupName",
    "maintenance_window": "PreferredMaintenanceWindow",
    "notification_topic_arn": "NotificationTopicArn",
    "snapshot_window": "SnapshotWindow",
    "snapshot_retention_limit": "SnapshotRetentionLimit",
    "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
    "network_type": "NetworkType",
    "ip_discovery": "IpDiscovery",
}
_PLAIN_OF = {
    CLUSTER: {"num_cache_nodes": "NumCacheNodes", "preferred_availability_zone": "PreferredAvailabilityZone"},
    GROUP: {
        "description": "ReplicationGroupDescription",
        "automatic_failover": "AutomaticFailoverEnabled",
        "multi_az": "MultiAZEnabled",
        "kms_key_id": "KmsKeyId",
        "user_group_ids": "UserGroupIds",
    },
}
# What decides how the cache is reached, and by whom: not kept with a snapshot, and not to be guessed quietly.
_UNKNOWN = {
    CLUSTER: ("security_group_ids", "tags", "transit_encryption", "auth", "log_delivery"),
    GROUP: (
        *("security_group_ids", "tags", "at_rest_encryption", "transit_encryption", "auth", "user_group_ids", "replicas_per_node_group"),
        *("automatic_failover", "multi_az", "log_delivery"),
    ),
}
# Parameters that a snapshot keeps of its source.
_KEPT = (
    *("engine", "engine_version", "node_type", "port", "subnet_group", "parameter_group", "maintenance_window", "snapshot_window"),
    *("snapshot_retention_limit", "auto_minor_version_upgrade", "notification_topic_arn"),
)
_KEPT_OF = {
    CLUSTER: ("num_cache_nodes", "preferred_availability_zone"),
    GROUP: ("num_node_groups", "automatic_failover", "data_tiering", "description", "kms_key_id"),
}
# The name may be another one, and a description says nothing of how it works.
_NOT_COMPARED = ("id", "description")

# The option `parameters`. Its documentation is the fragment atena.aws.redis_parameters.
OPTIONS = {
    "type": "dict",
    "options": {
        **dict.fromkeys(
            (
                *("id", "description", "engine", "engine_version", "node_type", "subnet_group", "parameter_group", "maintenance_window", "snapshot_window"),
                *("notification_topic_arn", "preferred_availability_zone", "cluster_mode", "durability", "kms_key_id", "transit_encryption_mode"),
                *("network_type", "ip_discovery"),
            ),
            {"type": "str"},
        ),
        **dict.fromkeys(("num_cache_nodes", "num_node_groups", "replicas_per_node_group", "port", "snapshot_retention_limit"), {"type": "int"}),
        **dict.fromkeys(
            (
                *("auto_minor_version_upgrade", "cluster_enabled", "automatic_failover", "multi_az", "data_tiering", "at_rest_encryption"),
                *("transit_encryption", "auth"),
            ),
            {"type": "bool"},
        ),
        **dict.fromkeys(("security_group_ids", "user_group_ids", "preferred_availability_zones"), {"type": "list", "elements": "str"}),
        "kind": {"type": "str", "choices": [CLUSTER, GROUP]},
        "tags": {"type": "dict"},
        "node_groups": {
            "type": "list",
            "elements": "dict",
            "options": {
                "id": {"type": "str"},
                "slots": {"type": "str"},
                "replica_count": {"type": "int"},
                "availability_zones": {"type": "list", "elements": "str"},
            },
        },
        "log_delivery": {
            "type": "list",
            "elements": "dict",
            "options": {
                "log_type": {"type": "str", "required": True},
                "log_format": {"type": "str"},
                "destination_type": {"type": "str", "required": True},
                "destination": {"type": "str", "required": True},
            },
        },
    },
}


def effective(snapshot: dict, given: dict | None = None) -> tuple[dict, list[str]]:
    """(parameters, names of those that are unknown) of what is made: what is given, and for the rest what the snapshot keeps of its source. Pure."""
    given = {name: value for name, value in (given or {}).items() if value is not None}
    kind = given.get("kind") or snapshot["kind"]
    kept = {name: snapshot.get(name) for name in (*_KEPT, *_KEPT_OF[kind])}
    if kind == GROUP:
        kept["cluster_enabled"] = snapshot["kind"] == GROUP and not snapshot["node"]
        if snapshot["node_groups"]:
            kept["node_groups"] = snapshot["node_groups"]
            replicas = [shard["replica_count"] for shard in snapshot["node_groups"] if shard["replica_count"] is not None]
            kept["replicas_per_node_group"] = max(replicas, default=None)
        if snapshot["kms_key_id"]:
            kept["at_rest_encryption"] = True
    if kind == CLUSTER:
        kept["num_cache_nodes"] = kept["num_cache_nodes"] or 1
    parameters = {"id": snapshot["source"], "kind": kind, **{name: value for name, value in kept.items() if value is not None}, **given}
    return parameters, [name for name in _UNKNOWN[kind] if name not in parameters]


def refusals(parameters: dict, snapshot: dict, identifier: str, auth_token: str | None = None) -> list[str]:
    """Why this is not to be tried: what ElastiCache refuses or would break, told before anything is changed. Pure."""
    told, found = parameters, _names(parameters["kind"], identifier)
    engine, was = told.get("engine"), snapshot["engine"]
    if engine == "memcached" or was == "memcached":
        found.append("Memcached has no snapshots.")
    if engine == "valkey" and told["kind"] == CLUSTER:
        found.append("ElastiCache makes Valkey as a replication group only (kind: replication_group, also for one node).")
    if was == "valkey" and engine == "redis":
        found.append("A snapshot of Valkey cannot be restored into Redis OSS.")
    if engine == was and _older(told.get("engine_version"), snapshot["engine_version"]):
        found.append(f"{engine} {told['engine_version']} is older than the snapshot's {snapshot['engine_version']}: it may not be able to read it.")
    if told["kind"] == CLUSTER and told.get("num_cache_nodes", 1) != 1:
        found.append("A cache cluster of Redis OSS has one node. With more, it is a replication group.")
    if snapshot["kind"] == GROUP and not snapshot["node"] and not told.get("cluster_enabled"):
        found.append("A snapshot of a group in cluster mode can be restored into a group in cluster mode only.")
    if snapshot["data_tiering"] and not str(told.get("node_type")).startswith("cache.r6gd."):
        found.append("A snapshot of a cache with data tiering can be restored to r6gd nodes only.")
    if told.get("node_type") == "cache.t1.micro" and not told.get("cluster_enabled"):
        found.append("cache.t1.micro can restore no snapshot.")
    if told.get("automatic_failover") and not told.get("cluster_enabled") and not told.get("replicas_per_node_group"):
        found.append("Automatic failover needs a replica.")
    if told.get("multi_az") and not told.get("automatic_failover"):
        found.append("Multi-AZ needs automatic failover.")
    return found + _token_problems(told, auth_token)


def _names(kind: str, identifier: str) -> list[str]:
    longest = _LONGEST[kind]
    if _IDENTIFIER.fullmatch(identifier) and len(identifier) <= longest:
        return []
    rules = f"up to {longest} lower-case letters, digits and single hyphens, with a letter first and no hyphen last"
    return [f"'{identifier}' cannot be the name of one: {rules}."]


def _token_problems(told: Answer, token: str | None) -> list[str]:
    if token is None:
        return ["It had an AUTH token, which nobody can read back: give one (auth_token)."] if told.get("auth") else []
    found = [] if told.get("transit_encryption") else ["An AUTH token needs encryption in transit (transit_encryption)."]
    if not _TOKEN.fullmatch(token):
        found.append("The AUTH token is invalid: it needs 16 to 128 letters, digits and any of !&#$^<>-.")
    return found


def _numbers(version: str | None) -> list[int]:
    match = _OF_A_NUMBER.match(version or "")
    return [int(part) for part in match[0].split(".")] if match else []


def _older(wanted: str | None, had: str | None) -> bool:
    """Whether version `wanted` is older than `had`, as far as both say: 7.1 is not older than 7.1.0."""
    pairs = list(zip(_numbers(wanted), _numbers(had), strict=False))
    return next((a < b for a, b in pairs if a != b), False)


def release_of(engine: str | None, version: str | None) -> str | None:
    """The version as the create operations take it. From Redis OSS 6 on, and for Valkey, they refuse the third number that they tell themselves."""
    parts = (version or "").split(".")
    if len(parts) > 2 and (engine == "valkey" or (parts[0].isdigit() and int(parts[0]) >= 6)):
        return ".".join(parts[:2])
    return version


def arguments(parameters: dict, snapshot_name: str, identifier: str | None = None, auth_token: str | None = None) -> tuple[str, dict[str, Any]]:
    """(boto3's operation, its arguments) that make a cache with these parameters from the snapshot. Pure."""
    told, kind = parameters, parameters["kind"]
    given = {argument: told.get(name) for name, argument in {**_PLAIN, **_PLAIN_OF[kind]}.items()}
    given["EngineVersion"] = release_of(told.get("engine"), told.get("engine_version"))
    given["SnapshotName"] = snapshot_name
    given["AuthToken"] = auth_token
    # False is what they do without it, and an engine that is too old for it would refuse it.
    given["TransitEncryptionEnabled"] = told.get("transit_encryption") or None
    given["LogDeliveryConfigurations"] = [_log(entry) for entry in told.get("log_delivery") or []]
    given["Tags"] = [{"Key": key, "Value": value} for key, value in sorted((told.get("tags") or {}).items())]
    if kind == CLUSTER:
        given["CacheClusterId"] = identifier or told["id"]
        return "create_cache_cluster", _present(given)
    given["ReplicationGroupId"] = identifier or told["id"]
    given["ReplicationGroupDescription"] = told.get("description") or identifier or told["id"]
    given["DataTieringEnabled"] = told.get("data_tiering") or str(told.get("node_type")).startswith("cache.r6gd.") or None
    # Valkey encrypts unless it is told not to, Redis OSS the other way round.
    given["AtRestEncryptionEnabled"] = told.get("at_rest_encryption") if told.get("engine") == "valkey" else told.get("at_rest_encryption") or None
    if told.get("at_rest_encryption") is False:
        given["KmsKeyId"] = None
    if told.get("transit_encryption") and told.get("transit_encryption_mode") == "preferred":
        given["TransitEncryptionMode"] = "preferred"
    if told.get("durability") not in (None, "default"):
        given["Durability"] = told["durability"]
    return "create_replication_group", _present({**given, **_shards(told)})


def _shards(told: Answer) -> dict[str, Any]:
    if not told.get("cluster_enabled"):
        # Without cluster mode nodes are counted, not replicas.
        count, zones = 1 + (told.get("replicas_per_node_group") or 0), told.get("preferred_availability_zones") or []
        return {"NumCacheClusters": count, "PreferredCacheClusterAZs": zones if len(zones) == count else None}
    shards = told.get("node_groups") or []
    given = {"NumNodeGroups": told.get("num_node_groups") or len(shards) or None, "ReplicasPerNodeGroup": told.get("replicas_per_node_group")}
    if told.get("cluster_mode") not in (None, "disabled"):
        given["ClusterMode"] = told["cluster_mode"]
    if shards and len(shards) == given["NumNodeGroups"]:
        # Slots that were moved about are several ranges, which cannot be given; the snapshot's own are taken then.
        whole = all(_ONE_RANGE.fullmatch(shard.get("slots") or "") for shard in shards)
        given["NodeGroupConfiguration"] = [_shard(shard, whole) for shard in shards]
    return given


def _shard(shard: Answer, with_slots: bool) -> dict[str, Any]:
    count, zones = shard.get("replica_count"), shard.get("availability_zones") or []
    given = {"NodeGroupId": shard.get("id"), "Slots": shard["slots"] if with_slots else None, "ReplicaCount": count}
    if count is not None and len(zones) == count + 1:
        given.update(PrimaryAvailabilityZone=zones[0], ReplicaAvailabilityZones=zones[1:])
    return _present(given)


def _log(entry: Answer) -> dict[str, Any]:
    details = {"CloudWatchLogsDetails": {"LogGroup": entry["destination"]}}
    if entry["destination_type"] == "kinesis-firehose":
        details = {"KinesisFirehoseDetails": {"DeliveryStream": entry["destination"]}}
    return _present(
        {"LogType": entry["log_type"], "DestinationType": entry["destination_type"], "DestinationDetails": details, "LogFormat": entry.get("log_format")}
    )


def _present(given: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not set. A 0 and a False are set: a retention of 0 days means no automatic snapshots."""
    return {name: value for name, value in given.items() if value is not None and value != [] and value != ""}


def differences(cache: dict, parameters: dict) -> list[str]:
    """What is not as recorded, one phrase each. Pure."""
    now, found = cache["parameters"], []
    for name, wanted in sorted(parameters.items()):
        if wanted is None or name in _NOT_COMPARED:
            continue
        is_now = now.get(name)
        if _plain(name, is_now, now) != _plain(name, wanted, parameters):
            found.append(f"{name} is {is_now}, recorded {wanted}")
    return found


def _plain(name: str, value: Any, parameters: Answer) -> Any:
    """A value as it is compared."""
    if name == "engine_version":
        return release_of(parameters.get("engine") or "", value)
    if name in ("security_group_ids", "user_group_ids", "preferred_availability_zones"):
        return sorted(value or [])
    if name == "transit_encryption_mode":
        return value or ("required" if parameters.get("transit_encryption") else None)
    if name == "durability":
        return value or "default"
    if name == "cluster_mode":
        return value or ("enabled" if parameters.get("cluster_enabled") else "disabled")
    if name == "tags":
        return {key: text for key, text in (value or {}).items() if not key.startswith("aws:")}
    if name == "node_groups":
        return sorted((shard.get("id") or "", shard.get("replica_count") or 0) for shard in value or [])
    return value
