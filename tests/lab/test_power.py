"""Off at night, on in the morning, with real queue data: what was in the queue is there again, and nothing else changes."""

from __future__ import annotations

import contextlib
import re
import threading
from datetime import datetime

import pytest
from emulator_world import until
from faults import Faults
from power import emptied_afterwards, plan_says
from wire import Wire

pytestmark = pytest.mark.lab
# Two thirds of it wait for tomorrow; what is to be worked off is more than the workers get through before they are stopped.
DELAYED, WAITING = 7000, 3000


@pytest.fixture(scope="module")
def power(lab):
    with emptied_afterwards(lab) as made:
        yield made


def fill(power):
    """Jobs in every state: some that wait for tomorrow, some that failed, and more than the workers get through before they are stopped."""
    app = power.lab.app
    for _ in range(DELAYED // 1000):
        assert app.get("/notes", {"text": "tomorrow", "delay": 86400, "count": 1000}, timeout=60)[0] == 202
    assert app.get("/notes", {"text": "never", "fail": 1, "attempts": 1, "count": 20})[0] == 202
    until(lambda: app.get("/jobs")[1]["failed"] >= 20)
    # Longer than a worker that is stopped has patience: it has to give them back.
    assert app.get("/notes", {"text": "slow", "seconds": 60, "count": 5})[0] == 202
    for _ in range(WAITING // 1000):
        assert app.get("/notes", {"text": "later", "seconds": 1, "count": 1000}, timeout=60)[0] == 202


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


def producing(power, done, made):
    """Somebody writes notes for as long as the application takes them."""
    while not done.is_set():
        with contextlib.suppress(OSError, ValueError):
            if power.lab.app.get("/notes", {"text": "until the very stop"}, timeout=5)[0] == 202:
                made.append(1)


def night(power, stop, start):
    """One night. stop, start: what switches, with the endpoint that it is to use. Returns what both gave."""
    with power.redis() as connection:
        connection("SET", "kept", b"\x00\xff bytes")
        connection("SET", "passing", "x", "EX", "2")
    watch, done, made = Watch(power), threading.Event(), []
    producer = threading.Thread(target=producing, args=(power, done, made), daemon=True)
    producer.start()
    with Wire(power.lab.endpoint, watch.before) as wire:
        stopped = stop(wire.endpoint)
        done.set()
        power.is_off()
        started = start(wire.endpoint)
    power.is_on()
    assert made, "nobody produced anything"
    assert watch.before_services == watch.at_snapshot
    jobs = [key for key in watch.at_snapshot if re.fullmatch(rb"bull:notes:[0-9a-f-]{36}", key)]
    assert len(jobs) >= 10_000
    assert watch.at_snapshot[b"kept"] == b"\x00\xff bytes" and b"passing" not in watch.at_snapshot
    assert b"bull:notes:active" not in watch.at_snapshot, "a job was not given back"
    with power.redis() as connection:
        assert connection("EXISTS", "written-after-the-snapshot") == 0
    return stopped, started


def again(lab, name, words):
    with Wire(lab.endpoint) as wire:
        run = lab.playbook(name, environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert wire.writes() == [] and run.changed == 0
    assert words in run.text


def test_three_nights(power, monkeypatch):
    """The queue is there again each morning, and the second stop and the second start write nothing."""
    lab = power.lab
    running = lab.app.version

    def playbook(name):
        return lambda endpoint: lab.playbook(name, environment={"AWS_ENDPOINT_URL": endpoint}).must_succeed()

    def start(endpoint):
        again(lab, "stop.yml", "Nothing to do: atena-prod is stopped")
        status = lab.playbook("status.yml").must_succeed()
        assert "STOPPED since" in status.text and "Stopped, as it is meant to be" in status.text and "newest backup" in status.text
        refused = lab.playbook("deploy.yml", "-e", f"release={running}").must_fail()
        assert "The environment is stopped" in refused.text and "start.yml" in refused.text, refused.output
        assert lab.playbook("infra.yml").must_succeed().changed == 0
        return playbook("start.yml")(endpoint)

    fill(power)
    stopped, started = night(power, playbook("stop.yml"), start)
    for words in ("they come back to atena-prod-api 1, atena-prod-workers 1", "Still costs, a month: about $7", "starts the database again automatically at"):
        assert words in stopped.text
    assert "Redis: restored from the snapshot" in started.text
    again(lab, "start.yml", "Nothing to do: atena-prod is started")
    nights_in_process(power, monkeypatch, 2)


@pytest.mark.soak
def test_twenty_nights(power, monkeypatch):
    fill(power)
    nights_in_process(power, monkeypatch, 20)


def nights_in_process(power, monkeypatch, number):
    def switch(state):
        def run(endpoint):
            with monkeypatch.context() as patch:
                patch.setenv("AWS_ENDPOINT_URL", endpoint)
                return power.run(state)

        return run

    for _ in range(number):
        night(power, switch("stopped"), switch("started"))
    notes = power.lab.app.get("/jobs")[1]["notes"]
    assert notes["more_than_once"] == 0
    assert len(power.snapshots()) <= 7 + 1


def test_check_mode_tells_each_step_and_writes_nothing(power):
    lab = power.lab

    def predicted(name, *words):
        with Wire(lab.endpoint) as wire:
            run = lab.playbook(name, "--check", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
        assert wire.writes() == [] and run.changed == 1
        assert re.search(".*".join(words), run.text), run.output

    predicted("stop.yml", "services|atena-prod-api 1", "every task", "database", "snapshot of it, verify", "load balancer and the NAT", r"\$10\d less")
    power.run("stopped")
    predicted("start.yml", "database atena-prod-db .stopped.", "restore Redis from", "power on", "REDIS_URL", "atena-prod-api 1", "health")
    power.run("started")


def plans_in_between(power, wanted):
    """{(call, what a person's plan says then)} after the writing calls that `wanted` accepts, of a stop and of a start."""
    lab, seen, said, one = power.lab, set(), set(), threading.Lock()

    def plan(call):
        if call.writes and not call.lock and not str(call).startswith("dynamodb:") and "tfstate" not in str(call):
            with one:  # two plans of ours would find each other's lock
                if wanted(str(call), seen):
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
    calls = {"ecs:UpdateService", "rds:StopDBInstance", "elasticache:CreateSnapshot", "rds:StartDBInstance", gates}
    said = plans_in_between(power, lambda call, seen: call in calls - seen)
    assert {call for call, _what in said} == calls
    # What goes on beside an apply finds it at work or not, as it happens.
    assert {(gates, "locked"), ("ecs:UpdateService", "empty"), ("elasticache:CreateSnapshot", "empty")} <= said


@pytest.mark.soak
def test_a_person_may_type_terraform_plan_after_every_write(power):
    plans_in_between(power, lambda call, seen: True)


def test_a_start_without_the_queue_needs_its_snapshots_name_and_is_really_empty(power, monkeypatch):
    """Were restores empty anyway, the nights above would prove nothing. The database gives back what it knows."""
    fill(power)
    power.run("stopped")
    waiting = power.journal["redis"]["snapshot"]
    hook = {"service": "atena-prod-api", "container": "api", "command": ["node", "packages/workers/dist/reenqueue.js"], "timeout": 60}
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
    assert result["redis_empty"] and result["reenqueued"].endswith("reenqueue.js")
    assert waiting in power.snapshots()
    until(lambda: power.lab.app.get("/jobs")[1]["delayed"] >= DELAYED)
    power.is_on()


def test_without_a_snapshot_on_record_a_start_asks_first(power):
    power.run("stopped")
    s3, key = power.lab.client("s3"), {"Bucket": power.bucket, "Key": "atena/prod/power.json"}
    journal = s3.get_object(**key)["Body"].read()
    s3.delete_object(**key)
    refused = power.fails("started")
    assert "no recorded snapshot" in refused and power.snapshots()[-1] in refused and "start_without_queue=true" in refused
    assert power.gates["power"] == "off" and power.cache() is None
    s3.put_object(**key, Body=journal)
    power.run("started")
    power.is_on()


def test_what_does_not_need_the_other_goes_on_side_by_side(power):
    with Faults(power.lab.endpoint) as faults:
        faults.times(database_stop=12, database_start=12, cache_create=4, cache_delete=4, cache_snapshot=4, nat_create=3, nat_delete=3)
        stop = power.run("stopped")["steps"]
        start = power.run("started")["steps"]
    for steps, one, others in ((stop, "database", ("redis_snapshot", "redis_delete", "power_off")), (start, "database", ("redis_restore", "power_on"))):
        for other in others:
            assert overlap(steps, one, other), steps
    assert overlap(stop, "redis_delete", "power_off") and overlap(start, "redis_restore", "power_on")
    power.is_on()


def overlap(steps, one, other):
    spans = {step["step"]: (step["began_at"], step["ended_at"]) for step in steps}
    return spans[one][0] < spans[other][1] and spans[other][0] < spans[one][1]


@pytest.mark.soak
def test_the_longest_chain_decides(power):
    """With AWS's proportions a stop and a start take as long as their longest chain, and 15 % more at the most."""
    times = {
        **{"database_snapshot": 30, "database_stop": 60, "database_start": 60, "cache_snapshot": 40, "cache_delete": 40, "cache_create": 40},
        **{"nat_create": 20, "nat_delete": 20, "load_balancer_create": 30},
    }
    with Faults(power.lab.endpoint) as faults:
        faults.times(**times)
        stop, start = (power.run(state, database={"backup_max_age_hours": 0}) for state in ("stopped", "started"))
    spans = {step["step"]: seconds(step) for step in start["steps"]}
    chains = {
        "stop": max(times["database_snapshot"] + times["database_stop"], times["cache_snapshot"] + times["cache_delete"]),
        "start": max(times["database_start"], times["cache_create"] + spans["redis_adopt"]) + spans["services"],
    }
    for name, result in (("stop", stop), ("start", start)):
        print(f"{name}: {result['duration_seconds']} s; longest chain {chains[name]} s; sum of what AWS takes {sum(times.values()) // 2} s")
        assert result["duration_seconds"] <= 1.15 * chains[name]


def seconds(step):
    began, ended = (datetime.fromisoformat(step[key]) for key in ("began_at", "ended_at"))
    return (ended - began).total_seconds()
