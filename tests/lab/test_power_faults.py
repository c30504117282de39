"""What goes wrong in a stop or a start: each fault with its reason, nothing lost, and the next run goes on."""

from __future__ import annotations

import json
import threading

import pytest
from emulator_world import until
from faults import Faults
from power import Power
from wire import Wire

pytestmark = pytest.mark.lab
KEPT = {b"mark": b"\x00kept\xff"}


@pytest.fixture
def power(lab):
    made = Power(lab)
    made.run("started", redis={"without_queue": "true"})
    with made.redis() as connection:
        connection("FLUSHALL")
        connection.many([("SET", key, value) for key, value in KEPT.items()])
    yield made
    made.run("started", redis={"without_queue": "true"})


@pytest.fixture
def faults(power):
    with Faults(power.lab.endpoint) as made:
        yield made


def is_kept(power):
    with power.redis() as connection:
        assert {key: connection("GET", key) for key in KEPT} == KEPT


def redis_is_untouched(power):
    assert power.cache()["CacheClusterStatus"] in ("available", "snapshotting")
    assert power.gates == {"power": "on", "redis": "present"}
    assert power.lab.plan()[0] == 0
    is_kept(power)


def test_what_can_fail_in_a_stop(power, faults):
    full = {"<DBInstanceStatus>available<": "<DBInstanceStatus>storage-full<"}
    storage_full = faults.rewrite("rds:DescribeDBInstances", replace=full)
    nothing_goes(power, "storage-full", "atena_database.allocated_storage")
    faults.remove(storage_full)

    # It comes to that state when the services are down already.
    down = faults.hold("ecs:UpdateService", times=1)
    later = threading.Thread(target=lambda: (faults.met(down), faults.rewrite("rds:DescribeDBInstances", replace=full), faults.remove(down)))
    later.start()
    faults.failing("cache_snapshot")
    why = power.fails("stopped")
    later.join()
    assert "Database: " in why and "storage-full" in why and "atena_database.allocated_storage" in why
    assert "Redis" in why and "failed" in why and "run stop.yml again" in why
    redis_is_untouched(power)
    assert power.journal["state"] == "stopping"

    faults.clear()
    faults.failing()
    faults.cache_snapshots(0)
    why = power.fails("stopped")
    assert "SnapshotQuotaExceeded" in why
    redis_is_untouched(power)
    assert power.database()["DBInstanceStatus"] == "stopped"

    faults.cache_snapshots(None)
    faults.times(cache_snapshot=120)
    why = power.fails("stopped", timeouts={"redis": 3})
    assert "still creating" in why
    redis_is_untouched(power)

    faults.times(cache_snapshot=0)
    faults.error("elbv2:DeleteLoadBalancer", "AccessDenied", "not for you", times=30)
    throttled = faults.throttle("elasticache:DeleteCacheCluster", times=3)
    why = power.fails("stopped")
    assert "Terraform could not" in why and "not for you" in why
    assert faults.hits(throttled) == 3 and power.cache() is None
    assert power.journal["redis"]["restored"] is False and power.journal["redis"]["snapshot"] in power.snapshots()
    assert power.counts() == {"atena-prod-api": 0, "atena-prod-workers": 0}
    assert {name: entry["desired_count"] for name, entry in power.journal["services"].items()} == {"atena-prod-api": 1, "atena-prod-workers": 1}

    faults.clear()
    power.run("stopped")
    power.is_off()
    power.run("started")
    power.is_on()
    is_kept(power)


def nothing_goes(power, *words: str) -> None:
    """A stop is refused before its first write."""
    before = power.counts()
    with Wire(power.lab.endpoint) as wire:
        run = power.lab.playbook("stop.yml", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_fail()
        told = power.lab.playbook("stop.yml", "--check", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert all(word in run.text for word in (*words, "Nothing was changed")), run.output
    assert "WOULD FAIL" in told.text
    assert wire.writes() == [] and power.counts() == before and power.state == "running"


def test_a_database_that_has_a_replica_keeps_the_services(power, faults):
    """As described: the emulator's replicas share the source's container."""
    replica = "<ReadReplicaDBInstanceIdentifier>reports</ReadReplicaDBInstanceIdentifier>"
    faults.rewrite("rds:DescribeDBInstances", replace={"(?<=<ReadReplicaDBInstanceIdentifiers>)(?=</)": replica})
    nothing_goes(power, "reports is a read replica of it", "Delete or promote it first")


def test_what_can_fail_in_a_start(power, faults):
    lab, name = power.lab, "/atena/prod/REDIS_URL"
    power.run("stopped")
    right = power.redis_url()
    lab.client("ssm").put_parameter(Name=name, Value="redis://:t0ken@elsewhere.local:6380/3", Type="SecureString", Overwrite=True)

    faults.failing("cache_create")
    waiting = power.journal["redis"]["snapshot"]
    why = power.fails("started")
    assert waiting in why and "restored" in why and "run start.yml again" in why
    assert power.counts() == {"atena-prod-api": 0, "atena-prod-workers": 0}
    assert power.journal["redis"]["restored"] is False and waiting in power.snapshots()

    faults.failing()
    denied = faults.error("ssm:PutParameter", "AccessDeniedException", "not for you")
    why = power.fails("started")
    assert "update the secret /atena/prod/REDIS_URL" in why and "t0ken" not in why
    assert power.counts() == {"atena-prod-api": 0, "atena-prod-workers": 0}
    assert lab.plan()[0] == 0
    faults.remove(denied)

    lost = faults.drop("ecs:UpdateService", times=1, carried_out=True)
    result = power.run("started")
    assert faults.hits(lost) == 1
    assert result["redis_url"] == "updated" and "t0ken" not in str(result)
    endpoint = power.cache()["CacheNodes"][0]["Endpoint"]
    assert power.redis_url() == f"redis://:t0ken@{endpoint['Address']}:{endpoint['Port']}/3"
    lab.client("ssm").put_parameter(Name=name, Value=right, Type="SecureString", Overwrite=True)
    is_kept(power)


def test_a_redis_that_somebody_deleted_and_a_database_that_is_busy(power, faults):
    """The stop goes to its end, and says what is lost; the start asks, and restores what is named."""
    lab = power.lab
    elasticache, rds, cache, database = lab.client("elasticache"), lab.client("rds"), f"{lab.name}-redis", f"{lab.name}-db"
    elasticache.create_snapshot(SnapshotName="by-hand", CacheClusterId=cache)
    until(lambda: elasticache.describe_snapshots(SnapshotName="by-hand")["Snapshots"][0]["SnapshotStatus"] == "available")
    elasticache.delete_cache_cluster(CacheClusterId=cache)
    until(lambda: power.cache() is None)
    faults.times(database_snapshot=3)
    rds.create_db_snapshot(DBInstanceIdentifier=database, DBSnapshotIdentifier="by-hand")

    result = power.run("stopped")
    assert any("somebody deleted it" in warning and "by-hand" in warning for warning in result["warnings"])
    assert power.gates["redis"] == "absent" and power.database()["DBInstanceStatus"] == "stopped"
    assert any("NO snapshot" in line for line in result["lines"])
    assert power.lab.plan()[0] == 0

    why = power.fails("started")
    assert "-e start_redis_snapshot=by-hand" in why
    assert power.gates["power"] == "off"
    power.run("started", redis={"snapshot": "by-hand"})
    power.is_on()
    is_kept(power)
    for client, arguments in ((elasticache.delete_snapshot, {"SnapshotName": "by-hand"}), (rds.delete_db_snapshot, {"DBSnapshotIdentifier": "by-hand"})):
        client(**arguments)


def snapshot_by_hand(power) -> str:
    cache, name = power.lab.client("elasticache"), f"{power.lab.name}-redis-by-hand"
    cache.create_snapshot(SnapshotName=name, CacheClusterId=f"{power.lab.name}-redis")
    until(lambda: cache.describe_snapshots(SnapshotName=name)["Snapshots"][0]["SnapshotStatus"] == "available")
    return name


def test_a_redis_that_somebody_deletes_while_it_is_on_is_restored_in_one_run(power):
    """Terraform's state knows it still: what is restored under its name is not to be what a closed gate has destroyed."""
    lab, cache = power.lab, power.lab.client("elasticache")
    content, snapshot = power.content(), snapshot_by_hand(power)
    cache.delete_cache_cluster(CacheClusterId=f"{lab.name}-redis")
    until(lambda: power.cache() is None)
    refused = lab.playbook("infra.yml").must_fail().text
    assert "was deleted outside of Terraform, with its queue. Nothing was changed." in refused and power.cache() is None
    why = power.fails("started")
    assert f"-e start_redis_snapshot={snapshot}" in why and "Nothing was changed" in why
    power.run("started", redis={"snapshot": snapshot})
    power.is_on()
    # The worker writes its queue's settings when it begins.
    now = power.content()
    assert {key: now.get(key) for key in content} == content
    cache.delete_snapshot(SnapshotName=snapshot)


def test_a_redis_whose_node_aws_replaced_is_told_of_and_gets_its_jobs_back_once(power, faults):
    lab = power.lab
    status, answer = lab.app.get("/notes", {"text": "waits", "count": 5, "delay": 600})
    assert status == 202, answer
    until(lambda: lab.app.get("/jobs")[1]["delayed"] >= 5)
    assert "Nothing to do" in lab.playbook("start.yml").must_succeed().text
    faults.node_replaced(f"{lab.name}-redis")
    assert lab.app.get("/jobs")[1]["delayed"] == 0
    words = f"Redis {lab.name}-redis came back empty at "
    assert words in lab.playbook("guard.yml").must_succeed().text
    told = lab.playbook("status.yml").must_succeed().text
    assert words in told and "start.yml re-enqueues what the database knows" in told and "Healthy" not in told
    assert f"REDIS_EMPTY, {lab.name}-redis:" in lab.playbook("diagnose.yml").must_succeed().text
    hook = ("-e", json.dumps({"atena_reenqueue_command": ["node", "packages/workers/dist/reenqueue.js"]}))
    run = lab.playbook("start.yml", *hook).must_succeed()
    assert run.changed == 1 and "Re-enqueued by" in run.text, run.output
    until(lambda: lab.app.get("/jobs")[1]["delayed"] >= 5)
    again = lab.playbook("start.yml").must_succeed()
    assert again.changed == 0 and "Nothing to do" in again.text
    assert words not in lab.playbook("status.yml").must_succeed().text and words not in lab.playbook("guard.yml").must_succeed().text
    power.is_on()


@pytest.mark.soak
def test_a_database_that_is_stopped_already_and_a_service_that_cannot_come_back(power, faults):
    lab = power.lab
    lab.client("rds").stop_db_instance(DBInstanceIdentifier=f"{lab.name}-db")
    until(lambda: power.database()["DBInstanceStatus"] == "stopped")
    power.run("stopped")
    power.is_off()
    # No room for the tasks: the services do not get stable, and a start run again gets them there with another deployment.
    faults.capacity(lab.cluster, 256, "RESOURCE:MEMORY")
    why = power.fails("started", wait_timeout=5)
    assert "atena-prod-api" in why and "run start.yml again" in why
    assert power.journal["state"] == "starting"
    faults.clear()
    power.run("started")
    power.is_on()
    is_kept(power)
