"""Off at night, on in the morning, with real queue data: what was in the queue is there again, and nothing else changes."""

from __future__ import annotations

import re

import pytest
from emulator_world import until
from faults import Faults
from power import Power, plan_says
from wire import Wire

pytestmark = pytest.mark.lab
# Two thirds of it wait for tomorrow; what is to be worked off is more than the workers get through before they are stopped.
DELAYED, WAITING = 7000, 3000


@pytest.fixture(scope="module")
def power(lab):
    made = Power(lab)
    yield made
    made.run("started", redis={"without_queue": "true"})
    with made.redis() as connection:
        connection("FLUSHALL")


def fill(power):
    """At least 10,000 jobs in every state, of which the workers are at work on some."""
    app = power.lab.app
    for _ in range(DELAYED // 1000):
        assert app.get("/notes", {"text": "tomorrow", "delay": 86400, "count": 1000})[0] == 202
    assert app.get("/notes", {"text": "never", "fail": 1, "attempts": 1, "count": 20})[0] == 202
    until(lambda: app.get("/jobs")[1]["failed"] >= 20)
    assert app.get("/notes", {"text": "slow", "seconds": 60, "count": 5})[0] == 202
    for _ in range(WAITING // 1000):
        assert app.get("/notes", {"text": "later", "seconds": 1, "count": 1000})[0] == 202
    with power.redis() as connection:
        connection("SET", "kept", b"\x00\xff bytes")
        connection("SET", "passing", "x", "EX", "2")
    return app.get("/jobs")[1]


class Watch:
    """Looks into Redis at the moments that matter, from between the collection and AWS."""

    def __init__(self, power):
        self.power, self.at_snapshot, self.before_services, self.lost = power, None, None, b""

    def before(self, call):
        if str(call) == "elasticache:CreateSnapshot" and self.at_snapshot is None:
            self.at_snapshot = self.power.content()
        if str(call) == "elasticache:DeleteCacheCluster":
            with self.power.redis() as connection:
                connection("SET", "written-after-the-snapshot", "x")
        if (
            str(call) == "ecs:UpdateService"
            and self.before_services is None
            and self.power.gates["power"] == "on"
            and self.power.journal["state"] == "starting"
        ):
            self.before_services = self.power.content()


def cycle(power, *, more=lambda: None):
    """One night by playbook. Returns what was in the queue at the snapshot, and what the outputs said."""
    filled = fill(power)
    assert filled["delayed"] + filled["waiting"] + filled["failed"] >= 10_000
    watch = Watch(power)
    with Wire(power.lab.endpoint, watch.before) as wire:
        stop = power.lab.playbook("stop.yml", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
        power.is_off()
        more()
        start = power.lab.playbook("start.yml", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    power.is_on()
    assert watch.before_services == watch.at_snapshot
    assert b"kept" in watch.at_snapshot and b"passing" not in watch.at_snapshot
    assert len([key for key in watch.at_snapshot if key.startswith(b"bull:notes:") and len(key) > 40]) >= 10_000
    with power.redis() as connection:
        assert connection("EXISTS", "written-after-the-snapshot") == 0
    return stop, start


def test_three_nights(power):
    """The queue is there again each morning, and the second stop and the second start write nothing."""
    lab = power.lab

    def again(name, words):
        with Wire(lab.endpoint) as wire:
            run = lab.playbook(name, environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
        assert wire.writes() == [] and run.changed == 0
        assert words in run.text

    def seen_from_outside():
        again("stop.yml", "Nothing to do: atena-prod is stopped")
        status = lab.playbook("status.yml").must_succeed()
        assert "STOPPED since" in status.text and "Stopped, as it is meant to be" in status.text and "newest backup" in status.text
        refused = lab.playbook("deploy.yml", "-e", f"release={lab.first_commit}").must_fail()
        assert "The environment is stopped" in refused.text and "start.yml" in refused.text
        assert lab.playbook("infra.yml").must_succeed().changed == 0
        power.is_off()

    stop, start = cycle(power, more=seen_from_outside)
    for words in ("they come back to atena-prod-api 1, atena-prod-workers 1", "Still costs, a month: about $8", "AWS starts the database again by itself at"):
        assert words in stop.text
    assert "Redis: restored from the snapshot" in start.text
    again("start.yml", "Nothing to do: atena-prod is started")
    cycle(power)
    cycle(power)
    jobs = power.lab.app.get("/jobs")[1]
    assert jobs["notes"]["more_than_once"] == 0 and jobs["delayed"] == 3 * DELAYED


def test_check_mode_tells_each_step_and_writes_nothing(power):
    lab = power.lab

    def predicted(name, *words):
        with Wire(lab.endpoint) as wire:
            run = lab.playbook(name, "--check", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
        assert wire.writes() == [] and run.changed == 1
        assert re.search(".*".join(words), run.text), run.output

    predicted("stop.yml", "services|atena-prod-api 1", "every task", "database", "snapshot of it, verify", "load balancer and the NAT", r"\$93 less")
    power.run("stopped")
    predicted("start.yml", "database atena-prod-db .stopped.", "restore Redis from", "power on", "REDIS_URL", "atena-prod-api 1", "health")
    power.run("started")


def plans_in_between(power, wanted):
    """{(call, what a person's plan says then)} after the writing calls that `wanted` accepts, of a stop and of a start."""
    lab, seen, said = power.lab, set(), set()

    def plan(call):
        if call.writes and not call.lock and not str(call).startswith("dynamodb:") and "tfstate" not in str(call) and wanted(str(call), seen):
            seen.add(str(call))
            said.add((str(call), plan_says(*lab.plan())))

    with Wire(lab.endpoint, after=plan) as wire:
        for name in ("stop.yml", "start.yml"):
            lab.playbook(name, environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert {what for _call, what in said} == {"empty", "locked"}, [entry for entry in said if entry[1] not in ("empty", "locked")]
    return said


def test_a_person_may_type_terraform_plan_at_any_time(power):
    """The plan is empty, or the state is locked, as by any apply. Locked is what belongs to one; what takes long without one is in the open."""
    gates = f"s3:PUT /{power.bucket}/atena/prod/gates.json"
    calls = {"ecs:UpdateService", "rds:StopDBInstance", "elasticache:CreateSnapshot", "rds:StartDBInstance", "elasticache:CreateCacheCluster", gates}
    said = plans_in_between(power, lambda call, seen: call in calls - seen)
    assert said == {(call, "locked" if call == gates else "empty") for call in calls}


@pytest.mark.soak
def test_a_person_may_type_terraform_plan_after_every_write(power):
    plans_in_between(power, lambda call, seen: True)


def test_a_start_without_the_queue_needs_its_snapshots_name_and_is_really_empty(power, monkeypatch):
    """Were restores empty anyway, the nights above would prove nothing. The database gives back what it knows."""
    fill(power)
    power.run("stopped")
    waiting = power.journal["redis"]["snapshot"]
    hook = {"service": "atena-prod-api", "container": "api", "command": ["python3", "packages/queue_jobs/reenqueue.py"], "timeout": 60}
    emptied = []

    def look(call):
        if str(call) == "ecs:UpdateService" and not emptied:
            with power.redis() as connection:
                emptied.append(connection("DBSIZE"))

    with Wire(power.lab.endpoint, before=look) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        result = power.run("started", redis={"without_queue": waiting}, reenqueue=hook)
        monkeypatch.undo()
    assert emptied == [0]
    assert result["redis_empty"] and result["reenqueued"].endswith("reenqueue.py")
    assert waiting in power.snapshots()
    until(lambda: power.lab.app.get("/jobs")[1]["delayed"] >= DELAYED)
    power.is_on()


def test_without_a_snapshot_on_record_a_start_asks_first(power):
    power.run("stopped")
    s3, key = power.lab.client("s3"), {"Bucket": power.bucket, "Key": "atena/prod/power.json"}
    journal = s3.get_object(**key)["Body"].read()
    s3.delete_object(**key)
    refused = power.fails("started")
    assert "no snapshot on record" in refused and power.snapshots()[-1] in refused and "start_without_queue=true" in refused
    assert power.gates["power"] == "off" and power.cache() is None
    s3.put_object(**key, Body=journal)
    power.run("started")
    power.is_on()


def test_times_go_side_by_side(power):
    """The longest chain decides, not the sum."""
    with Faults(power.lab.endpoint) as faults:
        faults.times(database_stop=6, database_start=6, cache_create=4, cache_delete=4, cache_snapshot=4, nat_create=2, nat_delete=2)
        power.run("stopped")
        power.run("started")
    power.is_on()
