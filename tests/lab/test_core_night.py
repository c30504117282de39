"""One night: off with all its jobs in the queue, on with all of them; predicted by --check, and not done twice. The long nights are in test_power.py."""

from __future__ import annotations

import pytest
from emulator_world import until
from power import emptied_afterwards
from test_core_playbooks import again, checked, typed

pytestmark = [pytest.mark.lab, pytest.mark.core]
# Tomorrow's, so that none is worked off meanwhile.
DELAYED = 500
# How many calls of ours a stop and a start take, besides those of their waiting.
OFF, ON = 80, 95


@pytest.fixture(scope="module")
def power(lab):
    with emptied_afterwards(lab) as made:
        yield made


def test_one_night(power):
    lab = power.lab
    assert lab.app.get("/notes", {"text": "tomorrow", "delay": 86400, "count": DELAYED}, timeout=60)[0] == 202
    assert lab.app.get("/notes", {"text": "never", "fail": 1, "attempts": 1, "count": 3})[0] == 202
    until(lambda: lab.app.get("/jobs")[1]["failed"] >= 3)
    rows, counts = lab.app.get("/jobs")[1]["notes"]["all"], power.counts()
    assert checked(lab, "stop.yml").changed == 1
    assert power.counts() == counts and power.cache()["CacheClusterStatus"] == "available"
    stopped, wire = typed(lab, "stop.yml")
    assert wire.ours_besides_waiting() <= OFF, wire.ours()
    assert "Still costs, a month: about $" in stopped.text
    power.is_off()
    again(lab, "stop.yml")
    assert "STOPPED since" in lab.playbook("status.yml").must_succeed().text
    assert "The environment is stopped" in lab.playbook("deploy.yml", "-e", f"release={lab.app.commit}").must_fail().text
    again(lab, "guard.yml")
    assert checked(lab, "start.yml").changed == 1
    assert power.gates["power"] == "off"
    started, wire = typed(lab, "start.yml")
    assert wire.ours_besides_waiting() <= ON, wire.ours()
    assert "Redis: restored from the snapshot" in started.text
    power.is_on()
    jobs = lab.app.get("/jobs")[1]
    assert (jobs["delayed"], jobs["failed"], jobs["notes"]["all"]) == (DELAYED, 3, rows), jobs
    again(lab, "start.yml")
