"""`kill -9` of everything that a stop or a start runs, Terraform too: the same playbook again, or the opposite one, ends in a right state."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from power import Power
from test_killed import descendants, kill
from wire import Wire

pytestmark = pytest.mark.lab
# A lock of a run that died is free soon; the next one waits for that.
LOCK = ("-e", "atena_lock_expiry_seconds=15", "-e", "atena_lock_wait_seconds=90")
OPPOSITE = {"stop.yml": "start.yml", "start.yml": "stop.yml"}


@pytest.fixture(scope="module")
def power(lab):
    made = Power(lab)
    made.run("started")
    with made.redis() as connection:
        connection.many([("SET", f"mark:{number}", f"value {number}") for number in range(1000)])
    yield made
    made.run("started")
    with made.redis() as connection:
        connection("FLUSHALL")


class Killer:
    """Kills a playbook at a writing call: the n-th one, or the first one of a name; before AWS gets it, or when AWS has done it and nobody knows yet."""

    def __init__(self, when: str, number: int = 0, name: str = ""):
        self.when, self.number, self.name, self.seen, self.pid, self.victim = when, number, name, 0, None, ""
        # Calls go on side by side: one's answer comes when others have begun, so that each keeps its own number.
        self.numbers, self.one_at_a_time = {}, threading.Lock()

    def before(self, call):
        if call.writes and not call.lock:
            with self.one_at_a_time:
                self.seen += 1
                self.numbers[id(call)] = self.seen
            if self.when == "before":
                self.strike(call)

    def after(self, call):
        if call.writes and not call.lock and self.when == "after":
            self.strike(call)

    def strike(self, call):
        if not self.victim and (self.numbers[id(call)] == self.number if self.number else self.name in str(call)):
            self.victim = str(call)
            kill([self.pid, *descendants(self.pid)])
            raise ConnectionAbortedError("the caller is dead")


def die(power, playbook: str, killer: Killer) -> str:
    """Returns the call it died at; '' if it came to its end."""
    with Wire(power.lab.endpoint, killer.before, killer.after) as wire:
        process = power.lab.start(playbook, *LOCK, environment={"AWS_ENDPOINT_URL": wire.endpoint})
        killer.pid = process.pid
        process.communicate(timeout=600)
    return killer.victim


def is_right(power, playbook: str) -> None:
    if playbook == "stop.yml":
        power.is_off()
        return
    power.is_on()
    with power.redis() as connection:
        assert connection.many([("GET", f"mark:{number}") for number in range(1000)]) == [f"value {number}".encode() for number in range(1000)]


def dies_and_goes_on(power, playbook: str, killer: Killer, then: str) -> str:
    """A run that dies in `playbook` and is followed by `then`, which has to end well."""
    if playbook == "start.yml" and power.state != "stopped":
        power.lab.playbook("stop.yml", *LOCK).must_succeed()
    if playbook == "stop.yml" and power.state != "running":
        power.lab.playbook("start.yml", *LOCK).must_succeed()
    victim = die(power, playbook, killer)
    assert victim or not killer.number or killer.seen < killer.number, f"{playbook} made {killer.seen} writing calls, and the {killer.number}th was missed"
    if victim:
        # A count that is on record is not overwritten, whatever ran meanwhile.
        run = power.lab.playbook(then, *LOCK)
        assert run.code == 0, f"{playbook} died {killer.when} {victim}, and then:\n{run.output}"
        assert power.counts_on_record in (None, {"atena-prod-api": 1, "atena-prod-workers": 1})
        deadline = time.monotonic() + 20
        while (held := power.lab.lock()) and int(held["expires_at"]["N"]) >= time.time() and time.monotonic() < deadline:
            time.sleep(0.5)
        is_right(power, then)
    return victim


# Where the queue could be lost; in the soak, where a gateway could be left that nobody knows of. The soak below takes every call, and turns round, too.
@pytest.mark.parametrize(
    ("playbook", "call"),
    [("stop.yml", "elasticache:DeleteCacheCluster"), pytest.param("start.yml", "ec2:CreateNatGateway", marks=pytest.mark.soak)],
)
def test_after_what_matters_most(power, playbook, call):
    assert dies_and_goes_on(power, playbook, Killer("after", name=call), playbook)


def test_an_interrupted_stop_says_where_it_is_and_can_be_turned_round(power):
    """Ctrl-C while Terraform works: it ends in good order, and so does all else."""
    lab, process = power.lab, None
    # Whatever a test before left: there must be something to stop.
    power.run("started")

    def interrupt(call):
        if str(call) == "ec2:DeleteNatGateway":
            os.killpg(process.pid, signal.SIGINT)

    with Wire(lab.endpoint, before=interrupt) as wire:
        process = lab.start("stop.yml", environment={"AWS_ENDPOINT_URL": wire.endpoint})
        output, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    journal = power.journal
    assert journal["state"] == "stopping", output
    assert "interrupted" in {step["outcome"] for step in journal["steps"]}
    assert lab.lock() is None
    # Terraform gave its own back: nothing is locked, and a start turns it round.
    lab.playbook("start.yml").must_succeed()
    is_right(power, "start.yml")


@pytest.mark.soak
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("playbook", ["stop.yml", "start.yml"])
def test_at_every_writing_call(power, playbook, when):
    victims = []
    # By turns the same playbook goes on, or the opposite one turns round.
    while victim := dies_and_goes_on(power, playbook, Killer(when, number=len(victims) + 1), playbook if len(victims) % 2 else OPPOSITE[playbook]):
        victims.append(victim)
    is_right(power, playbook)
    wanted = {
        "stop.yml": ["ecs:UpdateService", "rds:StopDBInstance", "elasticache:CreateSnapshot", "elasticache:DeleteCacheCluster", "ec2:DeleteNatGateway"],
        "start.yml": ["ecs:UpdateService", "rds:StartDBInstance", "elasticache:CreateCacheCluster", "ec2:CreateNatGateway", "ec2:CreateRoute"],
    }[playbook]
    # What goes on side by side has another order each time, so that the numbers may have missed one of these.
    for name in (*wanted, "gates.json", "terraform.tfstate"):
        if not any(name in victim for victim in victims):
            assert dies_and_goes_on(power, playbook, Killer(when, name=name), playbook), f"{playbook} ended without {name}"
