"""`kill -9` of everything that a deployment runs, at each of its writing calls: the next run ends in a right state."""

import os
import signal
import time
from pathlib import Path

import pytest
from releases import assert_settled, released
from wire import Wire

# How often the lock is renewed depends on how long things take; every other writing call has its number.
RENEWAL = "dynamodb:UpdateItem"
# The lock is taken, the migration runs, a service has its new release: what a run may die at in every test run; `make test-soak` takes all.
TURNING_POINTS = {"dynamodb:PutItem", "ecs:RunTask", "ecs:UpdateService"}
# A lock of a run that died is free soon; the next one waits for that.
LOCK = ("-e", "atena_lock_expiry_seconds=3", "-e", "atena_lock_wait_seconds=60")


@pytest.fixture(scope="module")
def pair(lab):
    before = lab.app.commit
    yield [before, *released(lab, 1)]
    lab.app.back_to(before)
    lab.playbook("deploy.yml", *LOCK).must_succeed()


def descendants(pid: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found, queue = [], [pid]
    while queue:
        for child in parents.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


def kill(pids) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Killer:
    """Kills a deployment at its n-th writing call (of those in `names`, if given), before AWS gets it or when AWS has done it and nobody knows yet."""

    def __init__(self, number: int, when: str, names: set[str] | None):
        self.number, self.when, self.names, self.pid, self.victim = number, when, names, None, ""
        self.numbers, self.renewals = {}, 0

    def before(self, call):
        if str(call) == RENEWAL:
            self.renewals += 1
        if call.writes and (str(call) in self.names if self.names else str(call) != RENEWAL or self.renewals == 1):
            self.numbers[id(call)] = len(self.numbers) + 1
            if self.when == "before":
                self.strike(call)

    def after(self, call):
        if self.when == "after":
            self.strike(call)

    def strike(self, call):
        if self.numbers.get(id(call)) == self.number and not self.victim:
            self.victim = str(call)
            kill([self.pid, *descendants(self.pid)])
            raise ConnectionAbortedError("the caller is dead")


def die_at(lab, killer: Killer, release: str) -> str:
    """Returns the call it died at; '' if the deployment has fewer."""
    with Wire(lab.endpoint, killer.before, killer.after) as wire:
        process = lab.start("deploy.yml", "-e", f"release={release}", *LOCK, environment={"AWS_ENDPOINT_URL": wire.endpoint})
        killer.pid = process.pid
        process.communicate(timeout=300)
    return killer.victim


def dies_everywhere(lab, pair, when, names=None):
    """Kills a deployment at its first writing call, the next at its second, and so on. Each next run finishes it, or goes back, by turns."""
    lab.playbook("deploy.yml", "-e", f"release={pair[1]}", *LOCK).must_succeed()
    standing, victims = [pair[1], pair[0]], []

    def dies(killer):
        """Of the release that does not run. Whether there was such a call; if not, that release runs now."""
        now, other = standing
        victim = die_at(lab, killer, other)
        if not victim:
            standing.reverse()
            return False
        victims.append(victim)
        wanted = other if len(victims) % 2 else now
        run = lab.playbook("deploy.yml", "-e", f"release={wanted}", *LOCK)
        assert run.code == 0, f"after it died {when} {victim}:\n{run.output}"
        records = lab.records()
        assert "running" not in [record["outcome"] for record in records], f"after it died {when} {victim}"
        if records[0]["release"] == wanted and records[0]["outcome"] == "succeeded":
            # One that died with its work done leaves its lock; the next has nothing to do and so takes none. It expires.
            assert_settled(lab, wanted, unlocked=False)
        assert lab.app.version == wanted, f"after it died {when} {victim}"
        assert lab.lock() is None or int(lab.lock()["expires_at"]["N"]) < time.time() + 3
        assert lab.tasks_of_releases() == []
        if wanted == other:
            standing.reverse()
        return True

    while dies(Killer(len(victims) + 1, when, names)):
        pass
    assert not names or victims.count("ecs:UpdateService") == 2
    assert names or any(victim.startswith("s3:PUT") for victim in victims)
    # What goes on side by side has another order each time, so that a number may have missed one of these.
    for name in sorted(TURNING_POINTS - set(victims)):
        assert dies(Killer(1, when, {name})), name


@pytest.mark.core
def test_one_that_died_when_a_service_had_its_new_release_is_finished(lab, pair):
    now, other = lab.app.version, next(commit for commit in pair if commit != lab.app.version)
    assert die_at(lab, Killer(1, "after", {"ecs:UpdateService"}), other) == "ecs:UpdateService"
    lab.playbook("deploy.yml", "-e", f"release={other}", *LOCK).must_succeed()
    assert now != other
    assert [record["outcome"] for record in lab.records()[:2]] == ["succeeded", "interrupted"]
    assert_settled(lab, other)


def test_after_a_turning_point_that_nobody_knows_of(lab, pair):
    dies_everywhere(lab, pair, "after", TURNING_POINTS)


@pytest.mark.soak
@pytest.mark.parametrize("when", ["before", "after"])
def test_at_each_write(lab, pair, when):
    dies_everywhere(lab, pair, when)


def test_ansible_alone_is_killed_and_the_module_ends_in_good_order(lab, pair):
    now, other = lab.app.version, next(commit for commit in pair if commit != lab.app.version)
    process = None

    def strike(call):
        if str(call) == "ecs:UpdateService":
            kill([process.pid])

    with Wire(lab.endpoint, after=strike) as wire:
        process = lab.start("deploy.yml", "-e", f"release={other}", environment={"AWS_ENDPOINT_URL": wire.endpoint})
        process.wait(timeout=300)
        assert process.returncode == -signal.SIGKILL
        # What was started goes on to its end, on record and under the lock; the next run waits for that and has nothing left to do.
        run = lab.playbook("deploy.yml", "-e", f"release={other}", "-e", "atena_lock_wait_seconds=120").must_succeed()
    assert f"{other} already runs" in run.text
    assert now != other
    assert_settled(lab, other)
