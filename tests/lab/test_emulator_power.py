"""What stops and starts, on the emulator: snapshots with their data, states and times, the seven days of a stopped database."""

from __future__ import annotations

import os
import time
import uuid
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from botocore.exceptions import ClientError
from emulator_world import World, until
from faults import Faults
from redis_wire import Redis

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not ENDPOINT, reason='no lab: start one with `lab/lab up` and `eval "$(lab/lab env)"`')]


@pytest.fixture(scope="module")
def world():
    world = World(ENDPOINT)
    yield world
    world.close()


@pytest.fixture
def lab():
    with Faults(ENDPOINT) as lab:
        yield lab


@pytest.fixture
def names(world):
    """Names of caches and snapshots; what was made under them is deleted."""
    made: list[str] = []

    def name() -> str:
        made.append(f"{world.name}-{uuid.uuid4().hex[:6]}")
        return made[-1]

    yield name
    client = world.client("elasticache")
    for one in made:
        world.drop_cache(one)
        for snapshot in client.describe_snapshots()["Snapshots"]:
            if snapshot["SnapshotName"] == one:
                client.delete_snapshot(SnapshotName=one)


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def refused(code: str, act, **arguments) -> str:
    """The message with which AWS refuses."""
    with pytest.raises(ClientError) as error:
        act(**arguments)
    assert code_of(error) == code, error.value
    return error.value.response["Error"]["Message"]


def snapshot_is(world, name: str, status: str = "available") -> dict:
    def ask():
        found = world.client("elasticache").describe_snapshots(SnapshotName=name)["Snapshots"][0]
        return found if found["SnapshotStatus"] == status else None

    return until(ask)


def redis(cache: dict) -> Redis:
    return Redis(cache["Endpoint"]["Address"], cache["Endpoint"]["Port"])


def fill(connection: Redis, count: int = 500) -> None:
    connection.many([("SET", f"text:{i}", f"value {i} \x00") for i in range(count)])
    connection.many([("ZADD", "set", i, f"member {i}") for i in range(count)])
    connection.many([("HSET", f"hash:{i}", "a", i, "b", "ü") for i in range(20)])
    connection("RPUSH", "list", *range(100))
    connection("XADD", "stream", "1-1", "field", "value")


class TestCacheSnapshot:
    def test_what_was_there_is_there_again_and_what_came_later_is_not(self, world, names):
        client, cache, snapshot = world.client("elasticache"), names(), names()
        world.cache(cache)
        with redis(world.cache_is(cache)) as connection:
            fill(connection)
            connection("SET", "short", "x", "PX", 1500)
            connection("SET", "long", "x", "EX", 3600)
            kept = connection.dump()
            client.create_snapshot(SnapshotName=snapshot, CacheClusterId=cache)
            snapshot_is(world, snapshot)
            connection("SET", "later", "x")
        world.drop_cache(cache)
        world.cache(cache, SnapshotName=snapshot)
        with redis(world.cache_is(cache)) as connection:
            until(lambda: connection("EXISTS", "short") == 0)
            kept.pop(b"short")
            assert connection.dump() == kept
            assert 3500 < connection("TTL", "long") <= 3600

    def test_a_cache_without_a_snapshot_is_empty(self, world, names):
        cache = world.cache(names())
        with redis(world.cache_is(cache)) as connection:
            assert connection("DBSIZE") == 0

    def test_it_tells_what_it_was_taken_of(self, world, names):
        client, cache, snapshot = world.client("elasticache"), names(), names()
        world.cache(cache, SnapshotRetentionLimit=3, SnapshotWindow="04:00-05:00", PreferredMaintenanceWindow="sun:05:00-sun:06:00")
        world.cache_is(cache)
        first = client.create_snapshot(SnapshotName=snapshot, CacheClusterId=cache, Tags=[{"Key": "a", "Value": "b"}])["Snapshot"]
        assert (first["SnapshotStatus"], first["NodeSnapshots"][0].get("CacheSize", "")) == ("creating", "")
        taken = snapshot_is(world, snapshot)
        told = {key: taken[key] for key in ("SnapshotSource", "CacheClusterId", "Engine", "EngineVersion", "CacheNodeType", "NumCacheNodes", "Port",
                                            "CacheParameterGroupName", "SnapshotRetentionLimit", "SnapshotWindow", "PreferredMaintenanceWindow")}  # fmt: skip
        assert told == {
            "SnapshotSource": "manual", "CacheClusterId": cache, "Engine": "redis", "EngineVersion": "7.1.0", "CacheNodeType": "cache.t4g.micro",
            "NumCacheNodes": 1, "Port": 6379, "CacheParameterGroupName": "default.redis7", "SnapshotRetentionLimit": 3,
            "SnapshotWindow": "04:00-05:00", "PreferredMaintenanceWindow": "sun:05:00-sun:06:00",
        }  # fmt: skip
        node = taken["NodeSnapshots"][0]
        assert node["CacheSize"].endswith(" MB")
        assert abs(node["SnapshotCreateTime"] - datetime.now(UTC)) < timedelta(minutes=1)
        assert client.list_tags_for_resource(ResourceName=taken["ARN"])["TagList"] == [{"Key": "a", "Value": "b"}]
        assert [one["SnapshotName"] for one in client.describe_snapshots(CacheClusterId=cache, SnapshotSource="user")["Snapshots"]] == [snapshot]
        assert client.describe_snapshots(CacheClusterId=cache, SnapshotSource="system")["Snapshots"] == []

    def test_the_cache_is_snapshotting_meanwhile_and_left_alone(self, world, names, lab):
        client, cache, snapshot = world.client("elasticache"), names(), names()
        world.cache(cache)
        arn = world.cache_is(cache)["ARN"]
        lab.times(cache_snapshot=1)
        client.create_snapshot(SnapshotName=snapshot, CacheClusterId=cache)
        began = time.monotonic()
        with redis(world.cache_is(cache, "snapshotting")) as connection:
            assert connection("PING") == b"PONG"
        assert "snapshotting" in refused("InvalidCacheClusterState", client.delete_cache_cluster, CacheClusterId=cache)
        refused("InvalidCacheClusterState", client.create_snapshot, SnapshotName=names(), CacheClusterId=cache)
        refused("InvalidCacheClusterState", client.modify_cache_cluster, CacheClusterId=cache, SnapshotRetentionLimit=1)
        refused("InvalidSnapshotState", client.delete_snapshot, SnapshotName=snapshot)
        assert "not in available state" in refused("InvalidReplicationGroupState", client.list_tags_for_resource, ResourceName=arn)
        snapshot_is(world, snapshot)
        assert time.monotonic() - began > 0.9
        world.cache_is(cache)
        assert client.list_tags_for_resource(ResourceName=arn)["TagList"] == []

    def test_what_aws_refuses(self, world, names, lab):
        client, cache, snapshot = world.client("elasticache"), names(), names()
        refused("CacheClusterNotFound", client.create_snapshot, SnapshotName=snapshot, CacheClusterId=cache)
        refused("SnapshotNotFoundFault", client.describe_snapshots, SnapshotName=snapshot)
        refused("SnapshotNotFoundFault", client.delete_snapshot, SnapshotName=snapshot)
        refused("SnapshotNotFoundFault", world.cache, name=cache, SnapshotName=snapshot)
        world.cache(cache)
        world.cache_is(cache)
        client.create_snapshot(SnapshotName=snapshot, CacheClusterId=cache)
        snapshot_is(world, snapshot)
        world.cache_is(cache)
        refused("SnapshotAlreadyExistsFault", client.create_snapshot, SnapshotName=snapshot, CacheClusterId=cache)
        refused("SnapshotAlreadyExistsFault", client.delete_cache_cluster, CacheClusterId=cache, FinalSnapshotIdentifier=snapshot)
        refused("InvalidParameterCombination", world.cache, name=names(), SnapshotName=snapshot, EngineVersion="6.2")
        # Tests of other files may have left some.
        lab.cache_snapshots(len(client.describe_snapshots()["Snapshots"]))
        refused("SnapshotQuotaExceededFault", client.create_snapshot, SnapshotName=names(), CacheClusterId=cache)
        client.delete_snapshot(SnapshotName=snapshot)
        client.create_snapshot(SnapshotName=snapshot, CacheClusterId=cache)
        snapshot_is(world, snapshot)

    def test_it_can_fail(self, world, names, lab):
        client, cache, snapshot = world.client("elasticache"), names(), names()
        world.cache(cache)
        world.cache_is(cache)
        lab.failing("cache_snapshot")
        client.create_snapshot(SnapshotName=snapshot, CacheClusterId=cache)
        snapshot_is(world, snapshot, "failed")
        world.cache_is(cache)
        refused("InvalidSnapshotState", world.cache, name=names(), SnapshotName=snapshot)

    def test_a_second_cache_beside_the_first(self, world, names):
        client, first, second, snapshot = world.client("elasticache"), names(), names(), names()
        world.cache(first)
        one = world.cache_is(first)
        with redis(one) as connection:
            connection("SET", "a", "before")
            client.create_snapshot(SnapshotName=snapshot, CacheClusterId=first)
            snapshot_is(world, snapshot)
            connection("SET", "a", "after")
            client.create_cache_cluster(CacheClusterId=second, SnapshotName=snapshot)
            two = world.cache_is(second)
            with redis(two) as other:
                assert (connection("GET", "a"), other("GET", "a")) == (b"after", b"before")
        assert {key: two[key] for key in ("Engine", "EngineVersion", "CacheNodeType")} == {
            key: one[key] for key in ("Engine", "EngineVersion", "CacheNodeType")
        }
        assert one["Endpoint"] != two["Endpoint"]

    def test_of_a_replication_group(self, world, names):
        client, group, snapshot = world.client("elasticache"), names()[:30], names()

        def is_available() -> dict | None:
            found = client.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"][0]
            return found if found["Status"] == "available" else None

        def is_gone() -> bool:
            return group not in [one["ReplicationGroupId"] for one in client.describe_replication_groups()["ReplicationGroups"]]

        request = {"ReplicationGroupId": group, "ReplicationGroupDescription": "x", "CacheNodeType": "cache.t4g.micro", "EngineVersion": "7.1"}
        assert client.create_replication_group(**request)["ReplicationGroup"]["Status"] == "creating"
        endpoint = until(is_available)["NodeGroups"][0]["PrimaryEndpoint"]
        with Redis(endpoint["Address"], endpoint["Port"]) as connection:
            fill(connection, 10)
            kept = connection.dump()
        client.create_snapshot(SnapshotName=snapshot, ReplicationGroupId=group)
        taken = snapshot_is(world, snapshot)
        assert (taken["ReplicationGroupId"], taken["NumNodeGroups"], taken["NodeSnapshots"][0]["NodeGroupId"]) == (group, 1, "0001")
        until(is_available)
        client.delete_replication_group(ReplicationGroupId=group)
        until(is_gone)
        client.create_replication_group(**request, SnapshotName=snapshot)
        endpoint = until(is_available)["NodeGroups"][0]["PrimaryEndpoint"]
        with Redis(endpoint["Address"], endpoint["Port"]) as connection:
            assert connection.dump() == kept
        client.delete_replication_group(ReplicationGroupId=group)
        until(is_gone)


class TestCacheStates:
    def test_it_is_creating_first_and_has_no_endpoint_then(self, world, names, lab):
        client, cache = world.client("elasticache"), names()
        lab.times(cache_create=1)
        made = client.create_cache_cluster(CacheClusterId=cache, Engine="redis", CacheNodeType="cache.t4g.micro", NumCacheNodes=1)["CacheCluster"]
        assert (made["CacheClusterStatus"], made.get("CacheNodes", [])) == ("creating", [])
        assert world.cache_is(cache, "creating")["Endpoint"] is None
        refused("InvalidCacheClusterState", client.delete_cache_cluster, CacheClusterId=cache)
        refused("InvalidCacheClusterState", client.create_snapshot, SnapshotName=names(), CacheClusterId=cache)
        refused("CacheClusterAlreadyExists", world.cache, name=cache)
        with redis(world.cache_is(cache)) as connection:
            assert connection("PING") == b"PONG"
        assert "CacheNodes" not in client.describe_cache_clusters(CacheClusterId=cache)["CacheClusters"][0]

    def test_it_is_deleting_until_it_is_gone(self, world, names, lab):
        client, cache = world.client("elasticache"), names()
        world.cache(cache)
        endpoint = world.cache_is(cache)["Endpoint"]
        lab.times(cache_delete=1.5)
        assert client.delete_cache_cluster(CacheClusterId=cache)["CacheCluster"]["CacheClusterStatus"] == "deleting"
        refused("InvalidCacheClusterState", client.delete_cache_cluster, CacheClusterId=cache)
        refused("CacheClusterAlreadyExists", world.cache, name=cache)

        def unreachable() -> bool:
            try:
                Redis(endpoint["Address"], timeout=1).close()
            except OSError:
                return True
            return False

        until(unreachable)
        world.cache_is(cache, "deleting")
        until(lambda: not [one for one in client.describe_cache_clusters()["CacheClusters"] if one["CacheClusterId"] == cache])

    def test_a_final_snapshot_is_taken_before_it_is_deleted(self, world, names):
        cache, snapshot = names(), names()
        world.cache(cache)
        with redis(world.cache_is(cache)) as connection:
            fill(connection, 10)
            kept = connection.dump()
        world.drop_cache(cache, FinalSnapshotIdentifier=snapshot)
        snapshot_is(world, snapshot)
        world.cache(cache, SnapshotName=snapshot)
        with redis(world.cache_is(cache)) as connection:
            assert connection.dump() == kept

    def test_the_snapshot_is_restoring_meanwhile(self, world, names, lab):
        client, cache, snapshot = world.client("elasticache"), names(), names()
        world.cache(cache)
        world.cache_is(cache)
        world.drop_cache(cache, FinalSnapshotIdentifier=snapshot)
        lab.times(cache_create=1)
        world.cache(cache, SnapshotName=snapshot)
        assert client.describe_snapshots(SnapshotName=snapshot)["Snapshots"][0]["SnapshotStatus"] == "restoring"
        refused("InvalidSnapshotState", client.delete_snapshot, SnapshotName=snapshot)
        world.cache_is(cache)
        snapshot_is(world, snapshot)

    def test_a_restore_can_fail(self, world, names, lab):
        cache, snapshot = names(), names()
        world.cache(cache)
        world.cache_is(cache)
        world.drop_cache(cache, FinalSnapshotIdentifier=snapshot)
        lab.failing("cache_create")
        world.cache(cache, SnapshotName=snapshot)
        world.cache_is(cache, "restore-failed")
        snapshot_is(world, snapshot)
        lab.failing()
        world.drop_cache(cache)
        world.cache(cache, SnapshotName=snapshot)
        world.cache_is(cache)

    def test_its_redis_has_the_settings_of_its_parameter_group(self, world, names):
        client, cache, group = world.client("elasticache"), names(), f"{world.name}-group"
        client.create_cache_parameter_group(CacheParameterGroupName=group, CacheParameterGroupFamily="redis7", Description="x")
        policy = {"CacheParameterGroupName": group, "ParameterNameValues": [{"ParameterName": "maxmemory-policy", "ParameterValue": "noeviction"}]}
        client.modify_cache_parameter_group(**policy)
        try:
            world.cache(cache, CacheParameterGroupName=group)
            with redis(world.cache_is(cache)) as connection:
                assert connection("CONFIG", "GET", "maxmemory-policy") == [b"maxmemory-policy", b"noeviction"]
                client.modify_cache_cluster(CacheClusterId=cache, CacheParameterGroupName="default.redis7", ApplyImmediately=True)
                until(lambda: connection("CONFIG", "GET", "maxmemory-policy")[1] == b"volatile-lru")
                client.modify_cache_cluster(CacheClusterId=cache, CacheParameterGroupName=group, ApplyImmediately=True)
                until(lambda: connection("CONFIG", "GET", "maxmemory-policy")[1] == b"noeviction")
                client.reset_cache_parameter_group(**policy)
                until(lambda: connection("CONFIG", "GET", "maxmemory-policy")[1] == b"volatile-lru")
            refused("CacheParameterGroupNotFound", world.cache, name=names(), CacheParameterGroupName=f"{group}-none")
        finally:
            world.drop_cache(cache)
            client.delete_cache_parameter_group(CacheParameterGroupName=group)


class Database:
    def __init__(self, world: World) -> None:
        self.world, self.rds, self.name = world, world.client("rds"), world.name
        self.rds.create_db_instance(
            DBInstanceIdentifier=self.name, Engine="postgres", EngineVersion="16", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
            MasterUsername="atena", MasterUserPassword="it's-secret", DBName="atena", BackupRetentionPeriod=3,
        )  # fmt: skip
        world.database()

    def look(self) -> dict:
        return self.rds.describe_db_instances(DBInstanceIdentifier=self.name)["DBInstances"][0]

    def reach(self, status: str) -> dict:
        return until(lambda: (found := self.look())["DBInstanceStatus"] == status and found, 60)

    def stop(self, **options) -> dict:
        return self.rds.stop_db_instance(DBInstanceIdentifier=self.name, **options)["DBInstance"]

    def start(self) -> dict:
        return self.rds.start_db_instance(DBInstanceIdentifier=self.name)["DBInstance"]

    def query(self, sql: str) -> list[tuple]:
        endpoint = self.look()["Endpoint"]
        with psycopg2.connect(
            host=endpoint["Address"], port=endpoint["Port"], user="atena", password="it's-secret", dbname="atena", sslmode="require", connect_timeout=5
        ) as connection, connection.cursor() as cursor:  # fmt: skip
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def events(self, minutes: int = 20160) -> list[str]:
        answer = self.rds.describe_events(SourceIdentifier=self.name, SourceType="db-instance", Duration=minutes)
        return [event["Message"] for event in answer["Events"]]

    def snapshots(self, kind: str) -> list[dict]:
        return self.rds.describe_db_snapshots(DBInstanceIdentifier=self.name, SnapshotType=kind)["DBSnapshots"]


@pytest.fixture(scope="module")
def database(world):
    database = Database(world)
    database.query("CREATE TABLE kept (id int)")
    yield database
    database.rds.delete_db_instance(DBInstanceIdentifier=database.name, SkipFinalSnapshot=True)


@pytest.fixture
def available(database):
    """The database, started again afterwards whatever the test did to it."""
    yield database
    until(lambda: database.look()["DBInstanceStatus"] in ("stopped", "available"), 60)
    if database.look()["DBInstanceStatus"] == "stopped":
        database.start()
        database.reach("available")


class TestDatabasePower:
    def test_it_really_stops_and_comes_back_with_its_data_at_its_address(self, available):
        available.query("INSERT INTO kept VALUES (1)")
        before = available.look()
        assert available.stop()["DBInstanceStatus"] == "stopping"
        stopped = available.reach("stopped")
        assert timedelta(days=6, hours=23) < stopped["AutomaticRestartTime"] - datetime.now(UTC) <= timedelta(days=7)
        with pytest.raises(psycopg2.OperationalError):
            available.query("SELECT 1")
        assert available.start()["DBInstanceStatus"] == "starting"
        started = available.reach("available")
        assert "AutomaticRestartTime" not in started
        assert started["Endpoint"] == before["Endpoint"]
        assert available.query("SELECT id FROM kept") == [(1,)]
        assert available.events(5)[-2:] == ["DB instance stopped.", "DB instance started."]

    def test_its_times_are_as_set(self, available, lab):
        lab.times(database_stop=1.5, database_start=3)
        for act, between, end, seconds in ((available.stop, "stopping", "stopped", 1.5), (available.start, "starting", "available", 3)):
            began = time.monotonic()
            act()
            time.sleep(0.7)
            assert available.look()["DBInstanceStatus"] == between
            available.reach(end)
            assert seconds - 0.1 < time.monotonic() - began < seconds + 10

    def test_what_aws_refuses(self, available, lab):
        rds, name = available.rds, available.name
        assert "is not stopped, it cannot be started" in refused("InvalidDBInstanceState", available.start)
        refused("DBInstanceNotFound", rds.stop_db_instance, DBInstanceIdentifier=f"{name}-none")
        lab.times(database_stop=1)
        available.stop()
        for status in ("stopping", "stopped"):
            available.reach(status)
            assert "is not in available state" in refused("InvalidDBInstanceState", available.stop)
            refused("InvalidDBInstanceState", rds.create_db_snapshot, DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-s")
            refused("InvalidDBInstanceState", rds.modify_db_instance, DBInstanceIdentifier=name, BackupRetentionPeriod=1)
        assert "not currently in the available state" in refused(
            "InvalidDBInstanceState", rds.create_db_snapshot, DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-s"
        )

    def test_a_snapshot_takes_its_time_and_the_instance_is_backing_up(self, available, lab):
        rds, name = available.rds, f"{available.name}-manual"
        lab.times(database_snapshot=1)
        first = rds.create_db_snapshot(DBInstanceIdentifier=available.name, DBSnapshotIdentifier=name)["DBSnapshot"]
        assert (first["Status"], first["PercentProgress"]) == ("creating", 0)
        available.reach("backing-up")
        refused("InvalidDBInstanceState", available.stop)
        refused("InvalidDBSnapshotState", rds.delete_db_snapshot, DBSnapshotIdentifier=name)
        refused("DBSnapshotAlreadyExists", rds.create_db_snapshot, DBInstanceIdentifier=available.name, DBSnapshotIdentifier=name)
        assert available.query("SELECT 1") == [(1,)]
        available.reach("available")
        assert rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]["Status"] == "available"
        rds.delete_db_snapshot(DBSnapshotIdentifier=name)

    def test_a_stop_can_take_a_snapshot_first(self, available, lab):
        name = f"{available.name}-last"
        lab.times(database_snapshot=1)
        assert available.stop(DBSnapshotIdentifier=name)["DBInstanceStatus"] == "stopping"
        assert available.rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]["Status"] == "creating"
        available.reach("stopped")
        assert available.rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]["Status"] == "available"
        available.start()
        available.reach("available")
        refused("DBSnapshotAlreadyExists", available.stop, DBSnapshotIdentifier=name)
        available.rds.delete_db_snapshot(DBSnapshotIdentifier=name)

    def test_aws_starts_it_after_seven_days(self, available, lab):
        available.stop()
        available.reach("stopped")
        assert available.name not in lab.days(3)
        assert available.reach("stopped")["AutomaticRestartTime"] - datetime.now(UTC) < timedelta(days=4, minutes=1)
        assert available.name in lab.days(4)
        available.reach("available")
        assert available.events()[-3:] == [
            "DB instance stopped.", "DB instance is being started due to it exceeding the maximum allowed time being stopped.", "DB instance started.",
        ]  # fmt: skip
        assert available.query("SELECT 1") == [(1,)]

    def test_only_a_running_one_has_daily_backups(self, available, lab):
        lab.days(2)
        taken = available.snapshots("automated")
        assert len(taken) == 2
        assert all(one["DBSnapshotIdentifier"].startswith(f"rds:{available.name}-") for one in taken)
        age = datetime.now(UTC) - max(one["SnapshotCreateTime"] for one in taken)
        assert age < timedelta(days=1)
        available.stop()
        available.reach("stopped")
        lab.days(2)
        assert len(available.snapshots("automated")) == 2
        assert datetime.now(UTC) - max(one["SnapshotCreateTime"] for one in available.snapshots("automated")) == pytest.approx(
            age + timedelta(days=2), abs=timedelta(minutes=1)
        )
        assert datetime.now(UTC) - available.look()["LatestRestorableTime"] > timedelta(days=2)
        refused("InvalidDBSnapshotState", available.rds.delete_db_snapshot, DBSnapshotIdentifier=taken[0]["DBSnapshotIdentifier"])


class TestSchedule:
    def test_a_schedule_stops_the_database_as_soon_as_it_can(self, available, lab):
        scheduler, name = available.world.client("scheduler"), f"{available.name}-stop"
        target = {
            "Arn": "arn:aws:scheduler:::aws-sdk:rds:stopDBInstance",
            "RoleArn": f"arn:aws:iam::{available.world.account}:role/x",
            "Input": f'{{"DbInstanceIdentifier": "{available.name}"}}',
        }
        schedule = {"Name": name, "ScheduleExpression": "rate(7 days)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
        scheduler.create_schedule(**schedule, State="DISABLED")
        try:
            assert not lab.fire(f"default/{name}")
            scheduler.update_schedule(**schedule)
            available.stop()
            available.reach("stopped")
            lab.times(database_start=2)
            available.start()
            assert lab.fire(f"default/{name}")
            until(lambda: lab.scheduled(name) and lab.scheduled(name)[-1]["status"] == 200)
            available.reach("stopped")
            assert [call["code"] for call in lab.scheduled(name)[:-1]] == ["InvalidDBInstanceState"] * (len(lab.scheduled(name)) - 1) != []
        finally:
            scheduler.delete_schedule(Name=name)


class TestNetwork:
    @pytest.fixture
    def address(self, world):
        ec2 = world.client("ec2")
        allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
        yield allocation
        ec2.release_address(AllocationId=allocation)

    def gateway(self, world, identifier: str) -> dict:
        return world.client("ec2").describe_nat_gateways(NatGatewayIds=[identifier])["NatGateways"][0]

    def is_in(self, world, identifier: str, state: str) -> dict:
        return until(lambda: (found := self.gateway(world, identifier))["State"] == state and found)

    def test_a_nat_gateway_takes_its_time(self, world, address, lab):
        ec2 = world.client("ec2")
        lab.times(nat_create=1, nat_delete=1)
        made = ec2.create_nat_gateway(SubnetId=world.subnet, AllocationId=address)["NatGateway"]
        assert (made["State"], self.gateway(world, made["NatGatewayId"])["State"]) == ("pending", "pending")
        assert self.is_in(world, made["NatGatewayId"], "available")["NatGatewayAddresses"][0]["AllocationId"] == address
        ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])
        self.is_in(world, made["NatGatewayId"], "deleting")
        refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=address)
        again = ec2.create_nat_gateway(SubnetId=world.subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
        assert self.is_in(world, again, "failed")["FailureCode"] == "Resource.AlreadyAssociated"
        self.is_in(world, made["NatGatewayId"], "deleted")

    def test_without_a_time_it_is_ready_at_the_next_look(self, world, address):
        ec2 = world.client("ec2")
        made = ec2.create_nat_gateway(SubnetId=world.subnet, AllocationId=address)["NatGateway"]
        assert (made["State"], self.gateway(world, made["NatGatewayId"])["State"]) == ("pending", "available")
        ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])
        assert self.gateway(world, made["NatGatewayId"])["State"] == "deleted"

    def test_a_load_balancer_takes_its_time(self, world, lab):
        elbv2 = world.client("elbv2")
        lab.times(load_balancer_create=1)
        made = elbv2.create_load_balancer(Name=f"{world.name}-t", Subnets=[world.subnet])["LoadBalancers"][0]
        arn = made["LoadBalancerArn"]

        def state() -> str:
            return elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["State"]["Code"]

        assert (made["State"]["Code"], state()) == ("provisioning", "provisioning")
        until(lambda: state() == "active")
        elbv2.delete_load_balancer(LoadBalancerArn=arn)


class TestScaling:
    @pytest.fixture
    def service(self, world):
        name = f"scaled-{uuid.uuid4().hex[:6]}"
        world.service(name, world.define(["sleep", "600"], stopTimeout=1), 0)
        yield name
        world.client("ecs").delete_service(cluster=world.name, service=name, force=True)

    @pytest.fixture
    def resource(self, world, service):
        return {"ServiceNamespace": "ecs", "ResourceId": f"service/{world.name}/{service}", "ScalableDimension": "ecs:service:DesiredCount"}

    @pytest.fixture
    def scaling(self, world):
        return world.client("application-autoscaling")

    def count(self, world, service) -> int:
        return world.describe(service)["desiredCount"]

    def test_a_target_is_registered_told_and_deregistered(self, world, service, resource, scaling):
        asked = {"ServiceNamespace": "ecs", "ResourceIds": [resource["ResourceId"]]}
        assert scaling.describe_scalable_targets(**asked)["ScalableTargets"] == []
        refused("ObjectNotFoundException", scaling.deregister_scalable_target, **resource)
        refused("ValidationException", scaling.register_scalable_target, **resource, MinCapacity=1)
        refused("ValidationException", scaling.register_scalable_target, **resource, MinCapacity=3, MaxCapacity=2)
        refused("ValidationException", scaling.register_scalable_target, **{**resource, "ResourceId": "service/none/none"}, MinCapacity=1, MaxCapacity=2)
        scaling.register_scalable_target(**resource, MinCapacity=0, MaxCapacity=4)
        target = scaling.describe_scalable_targets(**asked)["ScalableTargets"][0]
        assert (target["MinCapacity"], target["MaxCapacity"], target["SuspendedState"]["DynamicScalingOutSuspended"]) == (0, 4, False)
        scaling.register_scalable_target(**resource, MaxCapacity=5)
        target = scaling.describe_scalable_targets(**asked)["ScalableTargets"][0]
        assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 5)
        scaling.deregister_scalable_target(**resource)
        assert scaling.describe_scalable_targets(**asked)["ScalableTargets"] == []

    def test_bounds_bring_the_count_inside(self, world, service, resource, scaling):
        scaling.register_scalable_target(**resource, MinCapacity=2, MaxCapacity=4)
        assert self.count(world, service) == 2
        world.update(service, desiredCount=0)
        assert self.count(world, service) == 0
        scaling.register_scalable_target(**resource, SuspendedState={"ScheduledScalingSuspended": True})
        assert self.count(world, service) == 2
        world.update(service, desiredCount=3)
        scaling.register_scalable_target(**resource, MinCapacity=0, MaxCapacity=0)
        assert self.count(world, service) == 0
        activities = scaling.describe_scaling_activities(**resource)["ScalingActivities"]
        assert [one["Cause"] for one in activities] == ["maximum capacity was set to 0", *["minimum capacity was set to 2"] * 2]
        scaling.deregister_scalable_target(**resource)

    def test_a_suspended_target_leaves_the_count_alone(self, world, service, resource, scaling, lab):
        suspended = dict.fromkeys(("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"), True)
        scaling.register_scalable_target(**resource, MinCapacity=1, MaxCapacity=4, SuspendedState=suspended)
        assert (self.count(world, service), lab.scale(resource["ResourceId"], 2)) == (0, None)
        scaling.register_scalable_target(**resource, SuspendedState=dict.fromkeys(suspended, False))
        assert self.count(world, service) == 1
        scaling.deregister_scalable_target(**resource)

    def test_a_policy_may_raise_what_was_set_to_nothing(self, world, service, resource, scaling, lab):
        scaling.register_scalable_target(**resource, MinCapacity=1, MaxCapacity=2)
        world.update(service, desiredCount=0)
        assert (lab.scale(resource["ResourceId"], 9), self.count(world, service)) == (2, 2)
        assert lab.scale("service/none/none", 1) is None
        scaling.deregister_scalable_target(**resource)
