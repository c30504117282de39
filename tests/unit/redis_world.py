"""An ElastiCache of a few lines: what it is told, and states that pass as time does. Its answers have boto3's shapes (test_redis_read checks that)."""

from __future__ import annotations

import copy
import datetime

from ansible_collections.atena.aws.plugins.module_utils.core.errors import Unanswered, failure
from fakes import Pages

START = datetime.datetime(2026, 1, 31, 12, 0, tzinfo=datetime.UTC)
NAME, GROUP, SNAPSHOT = "atena-prod-redis", "atena-prod-group", "atena-prod-redis-20260131"
REGION = "arn:aws:elasticache:us-east-1:123456789012:"


def cluster(name=NAME, **changes):
    """DescribeCacheClusters' cluster, with its nodes."""
    return {
        "CacheClusterId": name,
        "ARN": f"{REGION}cluster:{name}",
        "CacheClusterStatus": "available",
        "CacheClusterCreateTime": START,
        "Engine": "redis",
        "EngineVersion": "7.1.0",
        "CacheNodeType": "cache.t4g.micro",
        "NumCacheNodes": 1,
        "PreferredAvailabilityZone": "us-east-1a",
        "PreferredMaintenanceWindow": "sun:05:00-sun:06:00",
        "NotificationConfiguration": {"TopicArn": "arn:aws:sns:us-east-1:1:cache", "TopicStatus": "active"},
        "CacheParameterGroup": {"CacheParameterGroupName": "atena-prod-redis7", "ParameterApplyStatus": "in-sync"},
        "CacheSubnetGroupName": "atena-prod-redis",
        "CacheNodes": [{"CacheNodeId": "0001", "Endpoint": {"Address": f"{name}.x.cache.amazonaws.com", "Port": 6379}}],
        "AutoMinorVersionUpgrade": True,
        "SecurityGroups": [{"SecurityGroupId": "sg-2", "Status": "active"}, {"SecurityGroupId": "sg-1", "Status": "active"}],
        "SnapshotRetentionLimit": 0,
        "SnapshotWindow": "03:00-04:00",
        "AuthTokenEnabled": False,
        "TransitEncryptionEnabled": False,
        "AtRestEncryptionEnabled": False,
        "LogDeliveryConfigurations": [],
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
        **changes,
    }


def node(number, **changes):
    return cluster(f"{GROUP}-{number}", ReplicationGroupId=GROUP, **changes)


def shard(number, *nodes, slots=None):
    members = [{"CacheClusterId": name, "CacheNodeId": "0001", "CurrentRole": role, "PreferredAvailabilityZone": zone} for name, role, zone in nodes]
    described = {"NodeGroupId": number, "Status": "available", "NodeGroupMembers": members, "PrimaryEndpoint": {"Address": f"{GROUP}.x", "Port": 6380}}
    return {**described, "Slots": slots} if slots else described


def group(**changes):
    """DescribeReplicationGroups' group: one shard whose second node is the primary, since a failover."""
    return {
        "ReplicationGroupId": GROUP,
        "Description": "Queues of Atena",
        "ARN": f"{REGION}replicationgroup:{GROUP}",
        "Status": "available",
        "ReplicationGroupCreateTime": START,
        "MemberClusters": [f"{GROUP}-001", f"{GROUP}-002"],
        "NodeGroups": [shard("0001", (f"{GROUP}-001", "replica", "us-east-1a"), (f"{GROUP}-002", "primary", "us-east-1b"))],
        "AutomaticFailover": "enabled",
        "MultiAZ": "enabled",
        "SnapshotRetentionLimit": 3,
        "SnapshotWindow": "03:00-04:00",
        "ClusterEnabled": False,
        "ClusterMode": "disabled",
        "CacheNodeType": "cache.t4g.small",
        "AuthTokenEnabled": True,
        "TransitEncryptionEnabled": True,
        "TransitEncryptionMode": "required",
        "AtRestEncryptionEnabled": True,
        "KmsKeyId": "key-1",
        "UserGroupIds": [],
        "DataTiering": "disabled",
        "AutoMinorVersionUpgrade": False,
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
        "Engine": "valkey",
        **changes,
    }


def sharded(**changes):
    """One in cluster mode, with two shards."""
    shards = [
        shard("0001", (f"{GROUP}-0001-001", "primary", "us-east-1a"), (f"{GROUP}-0001-002", "replica", "us-east-1b"), slots="0-8191"),
        shard("0002", (f"{GROUP}-0002-001", "primary", "us-east-1b"), (f"{GROUP}-0002-002", "replica", "us-east-1a"), slots="8192-16383"),
    ]
    return group(
        NodeGroups=shards,
        MemberClusters=[f"{GROUP}-{shard}-{number}" for shard in ("0001", "0002") for number in ("001", "002")],
        ConfigurationEndpoint={"Address": f"clustercfg.{GROUP}.x", "Port": 6379},
        **{"ClusterEnabled": True, "ClusterMode": "enabled", **changes},
    )


def snapshot(name=SNAPSHOT, hours=1, **changes):
    """DescribeSnapshots' snapshot of a cluster, taken so many hours after the cluster was made."""
    return {
        "SnapshotName": name,
        "ARN": f"{REGION}snapshot:{name}",
        "SnapshotStatus": "available",
        "SnapshotSource": "manual",
        "CacheClusterId": NAME,
        "CacheClusterCreateTime": START,
        "CacheNodeType": "cache.t4g.micro",
        "Engine": "redis",
        "EngineVersion": "7.1.0",
        "NumCacheNodes": 1,
        "PreferredAvailabilityZone": "us-east-1a",
        "PreferredMaintenanceWindow": "sun:05:00-sun:06:00",
        "Port": 6379,
        "CacheParameterGroupName": "atena-prod-redis7",
        "CacheSubnetGroupName": "atena-prod-redis",
        "AutoMinorVersionUpgrade": True,
        "SnapshotRetentionLimit": 0,
        "SnapshotWindow": "03:00-04:00",
        "NodeSnapshots": [{"CacheNodeId": "0001", "CacheSize": "6 MB", "SnapshotCreateTime": START + datetime.timedelta(hours=hours)}],
        **changes,
    }


def snapshot_of_shards(name="atena-prod-group-20260131", **changes):
    """One of a group in cluster mode."""
    nodes = [
        {
            "NodeGroupId": number,
            "CacheSize": "6 MB",
            "SnapshotCreateTime": START + datetime.timedelta(hours=1),
            "NodeGroupConfiguration": {"Slots": slots, "ReplicaCount": 1, "PrimaryAvailabilityZone": "us-east-1a", "ReplicaAvailabilityZones": ["us-east-1b"]},
        }
        for number, slots in (("0001", "0-8191"), ("0002", "8192-16383"))
    ]
    told = snapshot(name, NodeSnapshots=nodes, NumNodeGroups=2, ReplicationGroupId=GROUP, Engine="valkey", AutomaticFailover="enabled", **changes)
    return {key: value for key, value in told.items() if key not in ("CacheClusterId", "CacheClusterCreateTime", "NumCacheNodes", "PreferredAvailabilityZone")}


class Cache(Pages):
    """`call`: clusters, groups and snapshots by name; what was told to write; and how it behaves.

    after: {(name, status): (seconds, next status or None for gone)}. lose / refuse: {operation: [...]}, one a write: 'before', 'after' (the answer is lost,
    and the write did not, or did, arrive), or an error's code.
    """

    def __init__(self):
        self.clusters, self.groups, self.snapshots, self.tags, self.events = {}, {}, {}, {}, []
        self.writes, self.clock, self.after, self.since, self.lose, self.at = [], 0.0, {}, {}, {}, []

    # --- Time passes only when somebody sleeps ----------------------------------------------------------------------
    def sleep(self, seconds):
        self.clock += seconds

    def _pass_time(self):
        for when, act in list(self.at):
            if self.clock >= when:
                self.at.remove((when, act))
                act()
        for things, key in ((self.clusters, "CacheClusterStatus"), (self.groups, "Status"), (self.snapshots, "SnapshotStatus")):
            for name, thing in list(things.items()):
                state = (name, thing[key])
                self.since = {known: since for known, since in self.since.items() if known[0] != name or known == state}
                since = self.since.setdefault(state, self.clock)
                seconds, then = self.after.get(state, self.after.get(("*", thing[key]), (None, None)))
                if seconds is not None and self.clock - since >= seconds:
                    if then is None:
                        del things[name]
                    else:
                        thing[key] = then

    # --- The calls --------------------------------------------------------------------------------------------------
    def __call__(self, service, operation, doing, /, **arguments):
        assert service == "elasticache"
        self._pass_time()
        return copy.deepcopy(getattr(self, operation)(**arguments))

    def once(self, service, operation, doing, /, **arguments):
        assert service == "elasticache"
        self._pass_time()
        how = self.lose.get(operation, []).pop(0) if self.lose.get(operation) else None
        if how == "before":
            raise Unanswered(f"Could not {doing}: the connection was reset.")
        if how not in (None, "after"):
            raise failure(f"Could not {doing}: {how}.", how)
        self.writes.append((operation, arguments))
        answer = getattr(self, operation)(**arguments)
        if how == "after":
            raise Unanswered(f"Could not {doing}: the connection was reset.")
        return answer

    @staticmethod
    def _only(things, name, code):
        if name is None:
            return list(things.values())
        if name not in things:
            raise failure(f"{name} was not found.", code)
        return [things[name]]

    def describe_cache_clusters(self, CacheClusterId=None, ShowCacheNodeInfo=False):
        return {"CacheClusters": self._only(self.clusters, CacheClusterId, "CacheClusterNotFound")}

    def describe_replication_groups(self, ReplicationGroupId=None):
        return {"ReplicationGroups": self._only(self.groups, ReplicationGroupId, "ReplicationGroupNotFoundFault")}

    def describe_snapshots(self, SnapshotName=None, ShowNodeGroupConfig=False, Marker=None):
        found = self._only(self.snapshots, SnapshotName, "SnapshotNotFoundFault")
        if SnapshotName:
            return {"Snapshots": found}
        start = int(Marker or 0)  # two a page, so that several are read
        return {"Snapshots": found[start : start + 2], **({"Marker": str(start + 2)} if len(found) > start + 2 else {})}

    def list_tags_for_resource(self, ResourceName):
        return {"TagList": [{"Key": key, "Value": value} for key, value in self.tags.get(ResourceName, {}).items()]}

    def describe_events(self, **_):
        return {"Events": [{"Message": message, "Date": START} for message in self.events]}

    def create_snapshot(self, SnapshotName, CacheClusterId=None, ReplicationGroupId=None, Tags=()):
        if SnapshotName in self.snapshots:
            raise failure("There is one already.", "SnapshotAlreadyExistsFault")
        made = snapshot(SnapshotName, CacheClusterId=CacheClusterId, SnapshotStatus="creating") if CacheClusterId else snapshot_of_shards(SnapshotName)
        self.snapshots[SnapshotName] = {**made, "SnapshotStatus": "creating"}
        self.tags[made["ARN"]] = {tag["Key"]: tag["Value"] for tag in Tags}
        return {"Snapshot": made}

    def delete_snapshot(self, SnapshotName):
        self._only(self.snapshots, SnapshotName, "SnapshotNotFoundFault")[0]["SnapshotStatus"] = "deleting"
        return {}

    def create_cache_cluster(self, CacheClusterId, SnapshotName, **_):
        if CacheClusterId in self.clusters:
            raise failure("There is one already.", "CacheClusterAlreadyExists")
        self.clusters[CacheClusterId] = cluster(CacheClusterId, CacheClusterStatus="creating", CacheClusterCreateTime=START + datetime.timedelta(days=1))
        return {}

    def create_replication_group(self, ReplicationGroupId, SnapshotName, **_):
        if ReplicationGroupId in self.groups:
            raise failure("There is one already.", "ReplicationGroupAlreadyExists")
        self.groups[ReplicationGroupId] = group(Status="creating", ReplicationGroupCreateTime=START + datetime.timedelta(days=1))
        return {}

    def delete_cache_cluster(self, CacheClusterId):
        self._only(self.clusters, CacheClusterId, "CacheClusterNotFound")[0]["CacheClusterStatus"] = "deleting"
        return {}

    def delete_replication_group(self, ReplicationGroupId):
        self._only(self.groups, ReplicationGroupId, "ReplicationGroupNotFoundFault")[0]["Status"] = "deleting"
        return {}
