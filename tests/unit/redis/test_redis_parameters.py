"""What a cache is made of: arguments that boto3 takes, refusals before anything is changed, and what differs afterwards."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.redis import parameters as redis_parameters, read as redis_read, snapshot as redis_snapshot
from botocore.validate import ParamValidator
from fakes import SESSION
from redis_world import GROUP, NAME, SNAPSHOT, cluster, group, node, sharded, snapshot, snapshot_of_shards

TOKEN = "0123456789abcdef"


def recorded(told=None, **changes):
    return {**redis_read.from_cluster(told or cluster())["parameters"], "tags": {"Name": NAME}, **changes}


def recorded_group(told=None, **changes):
    return {**redis_read.from_group(told or group(), node("002", EngineVersion="8.0.1"))["parameters"], "tags": {"Name": GROUP}, **changes}


@pytest.fixture(scope="module")
def model():
    return SESSION.get_service_model("elasticache")


LOG = {"log_type": "slow-log", "log_format": "json", "destination_type": "cloudwatch-logs", "destination": "/redis/slow"}
HOSE = {"log_type": "engine-log", "log_format": "text", "destination_type": "kinesis-firehose", "destination": "redis"}


@pytest.mark.parametrize(
    "parameters",
    [
        recorded(),
        recorded(log_delivery=[HOSE, LOG], snapshot_retention_limit=7),
        recorded_group(),
        recorded_group(sharded()),
        recorded_group(data_tiering=True),
        redis_parameters.effective(redis_snapshot.describe(snapshot()))[0],
        redis_parameters.effective(redis_snapshot.describe(snapshot_of_shards()))[0],
    ],
)
def test_boto3_takes_the_arguments(model, parameters):
    operation, given = redis_parameters.arguments(parameters, SNAPSHOT, "another", TOKEN)
    name = {"create_cache_cluster": "CreateCacheCluster", "create_replication_group": "CreateReplicationGroup"}[operation]
    shape = model.operation_model(name).input_shape
    assert set(given) <= set(shape.members)
    assert ParamValidator().validate(given, shape).generate_report() == ""


def test_it_takes_the_durability_since_it_knows_it(model):
    """Not in the oldest boto3 that is supported, which never reads one either: only a group that a newer one wrote down has one."""
    shape = model.operation_model("CreateReplicationGroup").input_shape
    given = redis_parameters.arguments(recorded_group(durability="sync"), SNAPSHOT, "another", TOKEN)[1]
    complaint = ParamValidator().validate(given, shape).generate_report()
    assert complaint == "" if "Durability" in shape.members else 'Unknown parameter in input: "Durability"' in complaint


def test_a_cluster_is_made_as_it_was():
    assert redis_parameters.arguments(recorded(), SNAPSHOT) == (
        "create_cache_cluster",
        {
            "CacheClusterId": NAME,
            "SnapshotName": SNAPSHOT,
            "Engine": "redis",
            "EngineVersion": "7.1",
            "CacheNodeType": "cache.t4g.micro",
            "NumCacheNodes": 1,
            "Port": 6379,
            "CacheSubnetGroupName": "atena-prod-redis",
            "SecurityGroupIds": ["sg-1", "sg-2"],
            "CacheParameterGroupName": "atena-prod-redis7",
            "PreferredMaintenanceWindow": "sun:05:00-sun:06:00",
            "NotificationTopicArn": "arn:aws:sns:us-east-1:1:cache",
            "SnapshotWindow": "03:00-04:00",
            "SnapshotRetentionLimit": 0,
            "AutoMinorVersionUpgrade": True,
            "PreferredAvailabilityZone": "us-east-1a",
            "NetworkType": "ipv4",
            "IpDiscovery": "ipv4",
            "Tags": [{"Key": "Name", "Value": NAME}],
        },
    )


def test_a_group_is_made_as_it_was():
    operation, given = redis_parameters.arguments(recorded_group(), SNAPSHOT, "second", TOKEN)
    assert operation == "create_replication_group"
    assert given == {
        "ReplicationGroupId": "second",
        "ReplicationGroupDescription": "Queues of Atena",
        "SnapshotName": SNAPSHOT,
        "Engine": "valkey",
        "EngineVersion": "8.0",
        "CacheNodeType": "cache.t4g.small",
        "NumCacheClusters": 2,
        "PreferredCacheClusterAZs": ["us-east-1b", "us-east-1a"],
        "Port": 6380,
        "CacheSubnetGroupName": "atena-prod-redis",
        "SecurityGroupIds": ["sg-1", "sg-2"],
        "CacheParameterGroupName": "atena-prod-redis7",
        "PreferredMaintenanceWindow": "sun:05:00-sun:06:00",
        "NotificationTopicArn": "arn:aws:sns:us-east-1:1:cache",
        "SnapshotWindow": "03:00-04:00",
        "SnapshotRetentionLimit": 3,
        "AutoMinorVersionUpgrade": False,
        "AutomaticFailoverEnabled": True,
        "MultiAZEnabled": True,
        "AtRestEncryptionEnabled": True,
        "KmsKeyId": "key-1",
        "TransitEncryptionEnabled": True,
        "AuthToken": TOKEN,
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
        "Tags": [{"Key": "Name", "Value": GROUP}],
    }


def test_shards_get_their_slots_and_zones_back():
    _operation, given = redis_parameters.arguments(recorded_group(sharded()), SNAPSHOT)
    assert (given["NumNodeGroups"], given["ReplicasPerNodeGroup"], given["ClusterMode"]) == (2, 1, "enabled")
    assert given["NodeGroupConfiguration"][1] == {
        "NodeGroupId": "0002",
        "Slots": "8192-16383",
        "ReplicaCount": 1,
        "PrimaryAvailabilityZone": "us-east-1b",
        "ReplicaAvailabilityZones": ["us-east-1a"],
    }
    assert "NumCacheClusters" not in given


def test_slots_that_were_moved_about_are_left_to_the_snapshot():
    parameters = recorded_group(sharded())
    parameters["node_groups"][0]["slots"] = "0-99,200-8191"
    shards = redis_parameters.arguments(parameters, SNAPSHOT)[1]["NodeGroupConfiguration"]
    assert [set(shard) & {"Slots"} for shard in shards] == [set(), set()]


@pytest.mark.parametrize(
    "changes, argument, value",
    [
        ({"at_rest_encryption": False}, "AtRestEncryptionEnabled", False),  # Valkey would encrypt, were it not told
        ({"at_rest_encryption": False, "engine": "redis"}, "AtRestEncryptionEnabled", None),
        ({"at_rest_encryption": False}, "KmsKeyId", None),
        ({"transit_encryption_mode": "preferred"}, "TransitEncryptionMode", "preferred"),
        ({"transit_encryption_mode": "required"}, "TransitEncryptionMode", None),
        ({"node_type": "cache.r6gd.xlarge"}, "DataTieringEnabled", True),
        ({"durability": "default"}, "Durability", None),
        ({"replicas_per_node_group": 0, "preferred_availability_zones": None}, "NumCacheClusters", 1),
        ({"preferred_availability_zones": ["us-east-1a"]}, "PreferredCacheClusterAZs", None),
        ({"port": None}, "Port", None),
        ({"security_group_ids": []}, "SecurityGroupIds", None),
    ],
)
def test_what_a_group_is_told(changes, argument, value):
    assert redis_parameters.arguments(recorded_group(**changes), SNAPSHOT)[1].get(argument) == value


@pytest.mark.parametrize(
    "engine, version, given",
    [
        ("redis", "7.1.0", "7.1"),
        ("redis", "6.2.6", "6.2"),
        ("redis", "5.0.6", "5.0.6"),
        ("redis", "6.x", "6.x"),
        ("valkey", "8.0.1", "8.0"),
        ("redis", "7.1", "7.1"),
        ("redis", None, None),
    ],
)
def test_the_version_is_given_as_elasticache_takes_it(engine, version, given):
    """'Specific version selection is not allowed for '6.2.6', please use '6.2'."""
    assert redis_parameters.release_of(engine, version) == given


class TestFromTheSnapshotAlone:
    def test_a_cluster_is_known_but_for_what_its_snapshot_does_not_keep(self):
        parameters, unknown = redis_parameters.effective(redis_snapshot.describe(snapshot()))
        assert unknown == ["security_group_ids", "tags", "transit_encryption", "auth", "log_delivery"]
        assert parameters["id"] == NAME
        assert parameters == {name: value for name, value in recorded().items() if name in parameters}
        assert (parameters["port"], parameters["snapshot_retention_limit"], parameters["num_cache_nodes"]) == (6379, 0, 1)

    def test_what_is_given_goes_first_and_null_is_not_given(self):
        given = {"security_group_ids": ["sg-9"], "node_type": "cache.m7g.large", "port": None, "tags": {}}
        parameters, unknown = redis_parameters.effective(redis_snapshot.describe(snapshot()), given)
        assert (parameters["security_group_ids"], parameters["node_type"], parameters["port"]) == (["sg-9"], "cache.m7g.large", 6379)
        assert unknown == ["transit_encryption", "auth", "log_delivery"]

    def test_shards_and_their_replicas_are_known(self):
        parameters, unknown = redis_parameters.effective(redis_snapshot.describe(snapshot_of_shards()))
        assert (parameters["kind"], parameters["cluster_enabled"], parameters["num_node_groups"]) == ("replication_group", True, 2)
        assert (parameters["replicas_per_node_group"], parameters["automatic_failover"]) == (1, True)
        assert "security_group_ids" in unknown and "replicas_per_node_group" not in unknown

    def test_a_node_s_snapshot_does_not_tell_how_many_replicas_there_were(self):
        told = redis_snapshot.describe(snapshot(CacheClusterId=f"{GROUP}-001"), GROUP)
        parameters, unknown = redis_parameters.effective(told)
        assert (parameters["id"], parameters["kind"], parameters["cluster_enabled"]) == (GROUP, "replication_group", False)
        assert {"replicas_per_node_group", "automatic_failover", "multi_az"} <= set(unknown)

    def test_a_key_means_that_it_was_encrypted(self):
        told = redis_snapshot.describe(snapshot_of_shards(KmsKeyId="key-2"))
        given = redis_parameters.arguments(redis_parameters.effective(told)[0], SNAPSHOT)[1]
        assert (given["KmsKeyId"], given["AtRestEncryptionEnabled"]) == ("key-2", True)


@pytest.mark.parametrize(
    "parameters, taken, name, token, because",
    [
        (recorded(), snapshot(), NAME, None, None),
        (recorded(engine_version="7.1"), snapshot(), NAME, None, None),
        (recorded(engine_version="7.2"), snapshot(), NAME, None, None),
        (recorded_group(), snapshot(CacheClusterId=f"{GROUP}-001", Engine="valkey"), GROUP, TOKEN, None),
        (recorded_group(auth=False), snapshot(), GROUP, None, None),  # Redis OSS into Valkey
        (recorded(), snapshot(), "Atena", None, "lower-case"),
        (recorded(), snapshot(), "a--b", None, "single hyphens"),
        (recorded(), snapshot(), "a" * 51, None, "up to 50"),
        (recorded_group(auth=False), snapshot(), "a" * 41, None, "up to 40"),
        (recorded(engine_version="7.0"), snapshot(), NAME, None, "7.0 is older than the snapshot's 7.1.0"),
        (recorded(engine_version="5.0.6"), snapshot(), NAME, None, "older"),
        (recorded(engine="memcached"), snapshot(), NAME, None, "Memcached has no snapshots"),
        (recorded(engine="valkey"), snapshot(), NAME, None, "as a replication group only"),
        (recorded_group(engine="redis"), snapshot(Engine="valkey"), GROUP, TOKEN, "cannot be restored into Redis OSS"),
        (recorded(num_cache_nodes=2), snapshot(), NAME, None, "has one node"),
        (recorded_group(), snapshot_of_shards(), GROUP, TOKEN, "in cluster mode only"),
        (recorded(), snapshot(DataTiering="enabled"), NAME, None, "r6gd"),
        (recorded(), snapshot(CacheNodeType="cache.r6gd.xlarge"), NAME, None, "r6gd"),
        (recorded(node_type="cache.t1.micro"), snapshot(), NAME, None, "t1.micro"),
        (recorded_group(replicas_per_node_group=0), snapshot(), GROUP, TOKEN, "needs a replica"),
        (recorded_group(automatic_failover=False), snapshot(), GROUP, TOKEN, "Multi-AZ needs"),
        (recorded_group(), snapshot(), GROUP, None, "nobody can read back"),
        (recorded(), snapshot(), NAME, TOKEN, "needs encryption in transit"),
        (recorded_group(), snapshot(), GROUP, "short", "16 to 128"),
        (recorded_group(), snapshot(), GROUP, "sixteen letters and blanks", "16 to 128"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(parameters, taken, name, token, because):
    told = redis_snapshot.describe(taken, GROUP if taken.get("CacheClusterId") == f"{GROUP}-001" else None)
    found = redis_parameters.refusals(parameters, told, name, token)
    assert (found == []) if because is None else (len(found) == 1 and because in found[0]), found
    assert not token or token not in " ".join(found)


@pytest.mark.parametrize(
    "changes, difference",
    [
        ({}, []),
        ({"engine_version": "7.1"}, []),
        ({"engine_version": "7.1.3"}, []),  # AWS gives the newest patch of a release
        ({"security_group_ids": ["sg-2", "sg-1"]}, []),
        ({"id": "another", "tags": None, "port": None}, []),
        ({"tags": {"Name": NAME, "aws:x": "y"}}, []),
        ({"port": 6380}, ["port is 6379, recorded 6380"]),
        ({"engine_version": "7.0"}, ["engine_version is 7.1.0, recorded 7.0"]),
        ({"auth": True}, ["auth is False, recorded True"]),
        ({"node_type": "a", "snapshot_retention_limit": 7}, ["node_type is cache.t4g.micro, recorded a", "snapshot_retention_limit is 0, recorded 7"]),
        ({"tags": {}}, [f"tags is {{'Name': '{NAME}'}}, recorded {{}}"]),
        ({"log_delivery": [LOG]}, [f"log_delivery is [], recorded [{LOG}]"]),
    ],
)
def test_what_is_not_as_recorded_is_named(changes, difference):
    now = {"parameters": recorded()}
    assert redis_parameters.differences(now, recorded(**changes)) == difference


def test_a_group_is_as_recorded_after_a_failover():
    now = {"parameters": recorded_group()}
    zones = list(reversed(recorded_group()["preferred_availability_zones"]))
    assert redis_parameters.differences(now, recorded_group(preferred_availability_zones=zones, description="Another")) == []
    assert redis_parameters.differences({"parameters": recorded_group(sharded())}, recorded_group(sharded())) == []
    fewer = recorded_group(sharded())
    fewer["node_groups"][0]["replica_count"] = 0
    assert len(redis_parameters.differences({"parameters": fewer}, recorded_group(sharded()))) == 1
