"""elasticache_snapshot and elasticache_restore on real Redis: what was in it comes back byte for byte, and nothing is lost on a bad day.

They need the lab's emulator and no environment in it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid

import boto3
import pytest
from conftest import CHECKOUT
from documented import documentation, faults
from emulator_world import until
from faults import Faults
from inprocess import run_module
from redis_wire import Redis
from wire import Wire

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not ENDPOINT, reason='no lab: start one with `lab/lab up` and `eval "$(lab/lab env)"`')]
RETURN = {name: documentation(CHECKOUT / "plugins" / "modules" / f"{name}.py")[1] for name in ("elasticache_snapshot", "elasticache_restore")}


def called(module, check=False, endpoint=ENDPOINT, /, **options):
    """A run that must succeed, and must return what its documentation says."""
    result = run_module(module, endpoint, check, **{"wait_delay": 1, "wait_timeout": 60, **options})
    assert not result.get("failed"), result
    assert faults(RETURN[module], result) == []
    return result


def failed(module, /, **options):
    result = run_module(module, ENDPOINT, **{"wait_delay": 1, "wait_timeout": 60, **options})
    assert result.get("failed"), result
    return result


def thrice(module, /, **options):
    """Check mode, which writes nothing and predicts; for real; and again, which changes nothing and writes nothing. The real result."""
    with Wire(ENDPOINT) as wire:
        predicted = called(module, True, wire.endpoint, **options)
    assert predicted["changed"] and predicted["diff"]
    assert wire.calls and wire.writes() == []
    real = called(module, **options)
    assert real["changed"] and real["diff"] == predicted["diff"]
    with Wire(ENDPOINT) as wire:
        again = called(module, False, wire.endpoint, **options)
    assert not again["changed"] and wire.calls and wire.writes() == []
    return real


class Caches:
    """What a test makes; taken away at its end."""

    def __init__(self):
        self.client, self.ec2 = boto3.client("elasticache"), boto3.client("ec2")
        self.id = f"rm-{uuid.uuid4().hex[:8]}"
        self.vpc = self.ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]
        self.group = self.ec2.create_security_group(GroupName=self.id, Description="Redis", VpcId=self.vpc)["GroupId"]
        self.client.create_cache_subnet_group(CacheSubnetGroupName=self.id, CacheSubnetGroupDescription="x", SubnetIds=[self.subnet])
        self.client.create_cache_parameter_group(CacheParameterGroupName=self.id, CacheParameterGroupFamily="redis7", Description="x")

    def cluster(self, name, **options):
        self.client.create_cache_cluster(
            **{"CacheClusterId": name, "Engine": "redis", "EngineVersion": "7.1", "CacheNodeType": "cache.t4g.micro", "NumCacheNodes": 1},
            **{"CacheSubnetGroupName": self.id, "CacheParameterGroupName": self.id, "SecurityGroupIds": [self.group]},
            **{"SnapshotWindow": "04:00-05:00", "SnapshotRetentionLimit": 0, "PreferredMaintenanceWindow": "mon:01:00-mon:02:00"},
            **{"AutoMinorVersionUpgrade": False, "Tags": [{"Key": "Name", "Value": name}], **options},
        )
        return self.available(name)

    def available(self, name):
        return until(lambda: (found := self.of(name)) and found["CacheClusterStatus"] == "available" and found, 60)

    def of(self, name):
        found = self.client.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
        return next((one for one in found if one["CacheClusterId"] == name), None)

    def snapshots(self):
        return {one["SnapshotName"]: one for one in self.client.describe_snapshots()["Snapshots"]}

    def close(self):
        for group in self.client.describe_replication_groups()["ReplicationGroups"]:
            if group["ReplicationGroupId"].startswith(self.id):
                until(lambda name=group["ReplicationGroupId"]: self._delete(self.client.delete_replication_group, ReplicationGroupId=name), 30)
        for cluster in self.client.describe_cache_clusters()["CacheClusters"]:
            if cluster["CacheClusterId"].startswith(self.id) and not cluster.get("ReplicationGroupId"):
                until(lambda name=cluster["CacheClusterId"]: self._delete(self.client.delete_cache_cluster, CacheClusterId=name), 30)
        for name in self.snapshots():
            if name.startswith(self.id):
                until(lambda name=name: self._delete(self.client.delete_snapshot, SnapshotName=name), 30)
        until(lambda: not [one for one in self.client.describe_cache_clusters()["CacheClusters"] if one["CacheClusterId"].startswith(self.id)], 60)
        self.client.delete_cache_subnet_group(CacheSubnetGroupName=self.id)
        self.client.delete_cache_parameter_group(CacheParameterGroupName=self.id)
        self.ec2.delete_security_group(GroupId=self.group)
        self.ec2.delete_subnet(SubnetId=self.subnet)
        self.ec2.delete_vpc(VpcId=self.vpc)

    def _delete(self, act, **arguments):
        """Whether it is told to go, or gone: what is busy is not."""
        try:
            act(**arguments)
        except self.client.exceptions.ClientError as error:
            return "NotFound" in error.response["Error"]["Code"]
        return True


@pytest.fixture(scope="module")
def caches():
    made = Caches()
    yield made
    made.close()


@pytest.fixture
def name(caches):
    """A new name for a cache or a snapshot: taken away with the fixture `caches`."""
    return lambda: f"{caches.id}-{uuid.uuid4().hex[:6]}"


@pytest.fixture
def lab():
    with Faults(ENDPOINT) as lab:
        yield lab


def redis(cache):
    """A connection to what a module returned, or boto3 described."""
    return Redis(cache["address"], cache["port"]) if "address" in cache else Redis(*cache["CacheNodes"][0]["Endpoint"].values())


def fill(connection):
    """Data of each kind, with bytes that no encoding has, as queues have them. Returns what Redis says of all of it."""
    connection.many([("HSET", f"bull:jobs:{i}", "data", b"\x00\xff\r\n" + bytes([i % 256]) * 50, "attempts", i) for i in range(2000)])
    connection("RPUSH", "bull:jobs:wait", *range(1000))
    connection.many([("ZADD", "bull:jobs:delayed", 1_700_000_000 + i, i) for i in range(500)])
    connection("XADD", "bull:jobs:events", "1-1", "event", "added")
    connection("SET", "empty", "")
    return connection.dump()


def test_what_was_in_it_comes_back_beside_it_and_instead_of_it(caches, name):
    """A named snapshot into a second cluster beside the first, verified, then removed; and the first deleted and made again as it was."""
    first, second, taken, of_second = name(), name(), name(), name()
    made = caches.cluster(first)
    with redis(made) as connection:
        kept = fill(connection)
        snapshot = thrice("elasticache_snapshot", source=first, name=taken, tags={"By": "test"})
        connection("SET", "later", "x")
    assert (snapshot["snapshot"]["status"], snapshot["snapshot"]["source"], snapshot["cache"]["id"]) == ("available", first, first)
    record = json.loads(json.dumps(snapshot["cache"]["parameters"]))
    assert (record["security_group_ids"], record["tags"], record["subnet_group"]) == ([caches.group], {"Name": first}, caches.id)

    restored = thrice("elasticache_restore", name=second, snapshot=taken, parameters={**record, "node_type": "cache.t4g.small"})
    assert restored["snapshot"] == taken and restored["unknown"] == [] and restored["cache"]["parameters"]["node_type"] == "cache.t4g.small"
    with redis(restored) as connection, redis(made) as beside:
        assert connection.dump() == kept
        assert beside("GET", "later") == b"x"

    assert "there is no snapshot" in failed("elasticache_restore", name=second, state="absent")["msg"]
    assert f"taken of {first}" in failed("elasticache_restore", name=second, state="absent", snapshot=taken)["msg"]
    called("elasticache_snapshot", source=second, name=of_second)
    assert thrice("elasticache_restore", name=second, state="absent", snapshot=of_second)["cache"] is None
    assert caches.of(second) is None and caches.of(first)

    thrice("elasticache_restore", name=first, state="absent", snapshot=taken)
    back = thrice("elasticache_restore", name=first, parameters=record)
    assert (back["snapshot"], back["unknown"]) == (taken, [])
    now = caches.of(first)
    for field in ("Engine", "EngineVersion", "CacheNodeType", "CacheSubnetGroupName", "SecurityGroups", "PreferredMaintenanceWindow", "SnapshotWindow"):
        assert now[field] == made[field], field
    assert back["cache"]["parameters"] == record
    with redis(back) as connection:
        assert connection.dump() == kept, "what was written after the snapshot is lost, and nothing else"

    # That cluster is a new one: the old snapshot proves nothing of it any more.
    refused = failed("elasticache_restore", name=first, state="absent", snapshot=taken)
    assert "and this one at" in refused["msg"] and not refused["changed"] and caches.of(first)


def test_without_a_record_the_snapshot_s_own_metadata_serve_and_what_is_unknown_is_told(caches, name):
    first, second, taken = name(), name(), name()
    caches.cluster(first)
    called("elasticache_snapshot", source=first, name=taken)
    restored = called("elasticache_restore", name=second, source=first)
    assert restored["unknown"] == ["security_group_ids", "tags", "transit_encryption", "auth", "log_delivery"]
    assert "Nothing is known of security_group_ids, tags" in json.dumps(restored["warnings"])
    now, was = caches.of(second), caches.of(first)
    for field in ("EngineVersion", "CacheNodeType", "CacheSubnetGroupName", "PreferredMaintenanceWindow", "SnapshotWindow", "SnapshotRetentionLimit"):
        assert now.get(field) == was.get(field), field
    assert now["CacheParameterGroup"] == was["CacheParameterGroup"]


def test_a_living_cluster_is_replaced_only_by_name_and_with_its_own_snapshot(caches, name):
    first, taken = name(), name()
    with redis(caches.cluster(first)) as connection:
        kept = fill(connection)
        called("elasticache_snapshot", source=first, name=taken)
        connection("SET", "later", "x")
    left = called("elasticache_restore", name=first, snapshot=taken)
    assert (left["changed"], left["snapshot"]) == (False, "")
    assert "must be equal" in failed("elasticache_restore", name=first, snapshot=taken, replace="another")["msg"]
    differs = failed("elasticache_restore", name=first, snapshot=taken, parameters={"node_type": "cache.m7g.large"})
    assert differs["differences"] == ["node_type is cache.t4g.micro, recorded cache.m7g.large"] and not differs["changed"]

    with Wire(ENDPOINT) as wire:
        predicted = called("elasticache_restore", True, wire.endpoint, name=first, snapshot=taken, replace=first)
    assert predicted["changed"] and wire.writes() == []
    with redis(caches.available(first)) as connection:
        assert connection("GET", "later") == b"x"
    replaced = called("elasticache_restore", name=first, snapshot=taken, replace=first)
    with redis(replaced) as connection:
        assert connection.dump() == kept
    undone = called("elasticache_restore", name=name(), snapshot=replaced["taken"])
    with redis(undone) as connection:
        assert connection.dump() == {**kept, b"later": connection("DUMP", "later")}


def test_a_group_comes_back_with_its_replicas(caches, name):
    group, taken = name(), name()
    caches.client.create_replication_group(
        **{"ReplicationGroupId": group, "ReplicationGroupDescription": "Queues", "Engine": "redis", "EngineVersion": "7.1", "NumCacheClusters": 2},
        **{"CacheNodeType": "cache.t4g.micro", "CacheSubnetGroupName": caches.id, "SecurityGroupIds": [caches.group], "AutomaticFailoverEnabled": True},
        **{"CacheParameterGroupName": caches.id, "SnapshotWindow": "04:00-05:00", "Tags": [{"Key": "Name", "Value": group}]},
    )
    listed = until(lambda: (found := called("elasticache_snapshot", source=group, state="listed"))["cache"]["status"] == "available" and found, 60)
    assert (listed["cache"]["kind"], listed["snapshots"]) == ("replication_group", [])
    with redis(listed["cache"]) as connection:
        kept = fill(connection)
        snapshot = thrice("elasticache_snapshot", source=group, name=taken)
        connection("SET", "later", "x")
    assert (snapshot["snapshot"]["source"], snapshot["snapshot"]["node"]) == (group, snapshot["cache"]["primary"])
    record = snapshot["cache"]["parameters"]
    assert (record["kind"], record["replicas_per_node_group"], record["automatic_failover"]) == ("replication_group", 1, True)
    node = snapshot["cache"]["nodes"][0]
    assert f"is a node of the replication group {group}" in failed("elasticache_snapshot", source=node, name=name())["msg"]

    thrice("elasticache_restore", name=group, state="absent", snapshot=taken)
    back = thrice("elasticache_restore", name=group, parameters=record)
    assert back["snapshot"] == taken, "found again by its tag, though the group was gone"
    with redis(back) as connection:
        assert connection.dump() == kept


def test_shards_come_back_each_with_its_own(caches, name):
    group, taken = name(), name()
    caches.client.create_replication_group(
        **{"ReplicationGroupId": group, "ReplicationGroupDescription": "Shards", "Engine": "redis", "EngineVersion": "7.1", "NumNodeGroups": 3},
        **{"CacheNodeType": "cache.t4g.micro", "CacheParameterGroupName": "default.redis7.cluster.on", "AutomaticFailoverEnabled": True},
        **{"ReplicasPerNodeGroup": 1, "CacheSubnetGroupName": caches.id, "SecurityGroupIds": [caches.group]},
    )

    def shards():
        found = caches.client.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"][0]
        return found["Status"] == "available" and [part["PrimaryEndpoint"]["Address"] for part in found["NodeGroups"]]

    kept = []
    for number, address in enumerate(until(shards, 60)):
        with Redis(address) as connection:
            connection.many([("SET", f"shard:{number}:{i}", i) for i in range(100)])
            kept.append(connection.dump())
    snapshot = called("elasticache_snapshot", source=group, name=taken)
    assert (snapshot["snapshot"]["shards"], snapshot["snapshot"]["node"]) == (3, "")
    record = snapshot["cache"]["parameters"]
    assert (record["cluster_enabled"], record["num_node_groups"], record["replicas_per_node_group"]) == (True, 3, 1)
    called("elasticache_restore", name=group, state="absent", snapshot=taken)
    called("elasticache_restore", name=group, parameters=record)
    for data, address in zip(kept, shards(), strict=True):
        with Redis(address) as connection:
            assert connection.dump() == data


def test_a_token_is_needed_again_and_never_shown(caches, name):
    group, second, taken, token = name(), name(), name(), "0123456789-abcdef"
    caches.client.create_replication_group(
        **{"ReplicationGroupId": group, "ReplicationGroupDescription": "Secret", "Engine": "redis", "EngineVersion": "7.1", "NumCacheClusters": 1},
        **{"CacheNodeType": "cache.t4g.micro", "CacheSubnetGroupName": caches.id, "TransitEncryptionEnabled": True, "AuthToken": token},
    )
    until(lambda: caches.client.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"][0]["Status"] == "available", 60)
    snapshot = called("elasticache_snapshot", source=group, name=taken)
    record = snapshot["cache"]["parameters"]
    assert (record["auth"], record["transit_encryption"]) == (True, True)
    assert "nobody can read back" in failed("elasticache_restore", name=second, snapshot=taken, parameters=record)["msg"]
    restored = thrice("elasticache_restore", name=second, snapshot=taken, parameters=record, auth_token=token)
    assert restored["cache"]["parameters"]["auth"] is True
    assert token not in json.dumps([snapshot, restored])


def test_old_snapshots_are_pruned_and_those_that_were_not_proved_stay(caches, name):
    source = name()
    caches.cluster(source)
    names = [f"{source}-{number}" for number in range(4)]
    for one in [*names, f"{caches.id}-mine"]:
        called("elasticache_snapshot", source=source, name=one)
        # Which one is older is told to the second.
        moment = caches.snapshots()[one]["NodeSnapshots"][0]["SnapshotCreateTime"].timestamp()
        until(lambda moment=moment: int(time.time()) > int(moment), 5)
    options = {"source": source, "state": "pruned"}
    assert called("elasticache_snapshot", keep=0, restored=names[0], **options)["pruned"] == []
    pruned = thrice("elasticache_snapshot", keep=1, restored=names[3], protect=[names[1]], **options)
    assert pruned["pruned"] == [names[0], names[2]]
    assert [one["name"] for one in pruned["snapshots"]] == [f"{caches.id}-mine", names[3], names[1]]
    assert f"is of {source}" in failed("elasticache_snapshot", source="another", name=names[1], state="absent")["msg"]
    thrice("elasticache_snapshot", source=source, name=names[1], state="absent")
    assert set(caches.snapshots()) & set(names) == {names[3]}


class TestBadDays:
    @pytest.fixture
    def first(self, caches, name):
        made = name()
        caches.cluster(made)
        return made

    def test_a_snapshot_that_takes_too_long_is_left_to_itself(self, caches, name, lab, first):
        taken = name()
        lab.times(cache_snapshot=6)
        late = failed("elasticache_snapshot", source=first, name=taken, wait_timeout=1)
        assert "still creating" in late["msg"] and late["changed"]
        # Nothing older is restored in its place.
        predicted = called("elasticache_restore", True, name=name(), source=first)
        assert predicted["snapshot"] == taken
        # What reads that way is busy: it is waited for.
        with Wire(ENDPOINT) as wire:
            called("elasticache_snapshot", False, wire.endpoint, source=first, name=taken)
        assert wire.writes() == []
        assert caches.snapshots()[taken]["SnapshotStatus"] == "available"

    def test_a_busy_cluster_is_waited_for(self, name, lab, first):
        one, two = name(), name()
        lab.times(cache_snapshot=2)
        assert called("elasticache_snapshot", source=first, name=one, wait=False)["snapshot"]["status"] == "creating"
        assert called("elasticache_snapshot", source=first, name=two)["snapshot"]["status"] == "available"

    def test_a_snapshot_that_fails_tells_why_and_touches_nothing(self, caches, name, lab, first):
        taken = name()
        lab.failing("cache_snapshot")
        said = failed("elasticache_snapshot", source=first, name=taken)["msg"]
        assert "is failed" in said and "ElastiCache's last words: " in said and f"{first} was not touched" in said
        assert "is failed, not available" in failed("elasticache_restore", name=first, state="absent", snapshot=taken)["msg"]
        assert caches.available(first)

    def test_the_quota_is_told_with_what_to_do(self, name, lab, first):
        lab.cache_snapshots(0)
        said = failed("elasticache_snapshot", source=first, name=name())
        assert "SnapshotQuotaExceededFault" in said["msg"] and "state=pruned" in said["msg"] and not said["changed"]

    @pytest.mark.parametrize("fault", ["lost", "late", "throttled"])
    def test_a_bad_connection_makes_nothing_twice(self, caches, name, lab, first, fault):
        second, taken, of_second = name(), name(), name()
        for operation in ("CreateSnapshot", "CreateCacheCluster", "DeleteCacheCluster"):
            if fault == "throttled":
                lab.throttle(f"elasticache:{operation}", times=3)
            else:
                lab.drop(f"elasticache:{operation}", times=1, carried_out=fault == "lost")
        called("elasticache_snapshot", source=first, name=taken)
        restored = called("elasticache_restore", name=second, snapshot=taken, parameters={"id": first})
        assert restored["cache"]["status"] == "available"
        called("elasticache_snapshot", source=second, name=of_second)
        assert called("elasticache_restore", name=second, state="absent", snapshot=of_second)["changed"]
        assert caches.of(second) is None
        assert sum(fault["hits"] for fault in lab.list()) == (9 if fault == "throttled" else 3)

    def test_a_restore_that_fails_leaves_the_snapshot_and_the_next_one_succeeds(self, caches, name, lab, first):
        second, taken = name(), name()
        with redis(caches.available(first)) as connection:
            kept = fill(connection)
        called("elasticache_snapshot", source=first, name=taken)
        lab.failing("cache_create")
        broken = failed("elasticache_restore", name=second, snapshot=taken)
        assert "is restore-failed" in broken["msg"] and broken["changed"] and broken["snapshot"] == taken
        assert caches.snapshots()[taken]["SnapshotStatus"] == "available"
        lab.failing()
        with redis(called("elasticache_restore", name=second, snapshot=taken)) as connection:
            assert connection.dump() == kept

    def test_a_restore_that_takes_too_long_is_waited_for_by_the_next_run(self, name, lab, first):
        second, taken = name(), name()
        called("elasticache_snapshot", source=first, name=taken)
        lab.times(cache_create=5)
        assert "still creating. It continues" in failed("elasticache_restore", name=second, snapshot=taken, wait_timeout=1)["msg"]
        again = called("elasticache_restore", name=second, snapshot=taken)
        assert (again["changed"], again["cache"]["status"]) == (False, "available")

    def test_who_is_interrupted_learns_that_it_goes_on(self, name, lab, first):
        taken = name()
        lab.times(cache_snapshot=4)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGTERM))
        timer.start()
        try:
            said = failed("elasticache_snapshot", source=first, name=taken)
        finally:
            timer.join()
            for number, handler in handlers.items():
                signal.signal(number, handler)
        assert "interrupted (SIGTERM)" in said["msg"] and "does so in time" in said["msg"]
        again = called("elasticache_snapshot", source=first, name=taken)
        assert (again["changed"], again["snapshot"]["status"]) == (False, "available")

    def test_what_cannot_be_is_refused_before_anything_is_written(self, name, first):
        taken = name()
        called("elasticache_snapshot", source=first, name=taken)
        refusals = [
            ("elasticache_snapshot", {"source": "no-such-cache", "name": name()}, "There is no cache cluster or replication group no-such-cache"),
            ("elasticache_snapshot", {"source": first, "name": "Upper"}, "cannot be a snapshot's name"),
            ("elasticache_snapshot", {"source": "no-such-cache", "name": taken}, f"is of {first}, not of"),
            ("elasticache_restore", {"name": name(), "source": "no-such-cache"}, "There is no snapshot of no-such-cache to restore"),
            ("elasticache_restore", {"name": name(), "snapshot": "no-such-snapshot"}, "There is no snapshot no-such-snapshot"),
            ("elasticache_restore", {"name": name(), "snapshot": taken, "parameters": {"engine_version": "6.2"}}, "older than the snapshot's"),
            ("elasticache_restore", {"name": name(), "snapshot": taken, "parameters": {"engine": "valkey"}}, "as a replication group only"),
            ("elasticache_restore", {"name": name(), "snapshot": taken, "parameters": {"auth": True}}, "AUTH token"),
            ("elasticache_restore", {"name": name(), "snapshot": taken, "auth_token": "0123456789abcdef"}, "needs encryption in transit"),
        ]
        with Wire(ENDPOINT) as wire:
            for module, options, because in refusals:
                for check in (True, False):
                    result = run_module(module, wire.endpoint, check, **options)
                    assert result.get("failed") and because in result["msg"] and not result["changed"], result
                    assert "0123456789abcdef" not in json.dumps(result)
        assert wire.calls and wire.writes() == []


def test_nothing_is_written_under_a_lock_that_was_lost(caches, name):
    source, taken, table = name(), name(), name()
    caches.cluster(source)
    client = boto3.client("dynamodb")
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
    )
    try:
        lock = run_module("environment_lock", ENDPOINT, table=table, name=source, operator="test")["lock"]
        with Wire(ENDPOINT) as wire:
            lost = run_module("elasticache_snapshot", wire.endpoint, source=source, name=taken, lock={**lock, "token": "another"})
        assert lost["failed"] and "lost the lock" in lost["msg"] and not lost["changed"]
        assert wire.writes(besides_lock=True) == []
        assert called("elasticache_snapshot", source=source, name=taken, lock=lock)["changed"]
    finally:
        client.delete_table(TableName=table)


def test_both_work_as_tasks_and_tell_what_goes_on(caches, name):
    """As a playbook has them: with their action plugins, whose lines appear while they work."""
    first, second, taken = name(), name(), name()
    caches.cluster(first)
    for module, options in (("elasticache_snapshot", {"source": first, "name": taken}), ("elasticache_restore", {"name": second, "snapshot": taken})):
        done = subprocess.run(
            [
                *("ansible", "localhost", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", "-m", f"atena.aws.{module}"),
                *("-a", json.dumps({**options, "region": "us-east-1", "wait_delay": 1})),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=CHECKOUT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "requested" in done.stdout and "CHANGED" in done.stdout
    assert caches.available(second)
