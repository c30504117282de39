"""Two runs started in the same second: one runs; the other refuses with the owner's name, or waits if it was asked to."""

import pytest
from emulator_world import until
from faults import Faults
from releases import assert_settled, released


@pytest.fixture(scope="module")
def pair(lab):
    before = lab.app.commit
    yield [before, *released(lab, 1)]
    lab.app.back_to(before)
    lab.playbook("deploy.yml").must_succeed()


def outputs(runs):
    """[(exit code, output with runs of blanks folded)]."""
    return [(run.returncode, " ".join(output.split())) for run, output in [(run, run.communicate(timeout=300)[0]) for run in runs]]


@pytest.mark.parametrize("other", [pytest.param("deploy.yml", marks=pytest.mark.core), "rollback.yml"])
def test_one_runs_and_the_other_is_told_whose_lock_it_is(lab, pair, other):
    old, new = pair
    lab.playbook("deploy.yml", "-e", f"release={new}").must_succeed()
    count = len(lab.records())
    with Faults(lab.endpoint) as faults:
        # Whichever came first stands still while it has the lock, until the other has ended.
        held = faults.hold("ecs:UpdateService", times=1)
        runs = [lab.start("deploy.yml", "-e", f"release={old}"), lab.start(other, "-e", f"release={old}")]
        until(lambda: any(run.poll() is not None for run in runs), 120)
        assert sorted(run.poll() is None for run in runs) == [False, True]
        faults.met(held)
        faults.remove(held)
        results = outputs(runs)
    assert sorted(code == 0 for code, _ in results) == [False, True], results
    refused = next(text for code, text in results if code != 0)
    assert "is locked by arn:aws" in refused
    assert "Nothing was changed" in refused
    assert len(lab.records()) == count + 1
    assert_settled(lab, old)


def test_the_one_that_waits_goes_on_from_what_the_other_left(lab, pair):
    old, new = pair
    lab.playbook("deploy.yml", "-e", f"release={old}").must_succeed()
    count = len(lab.records())
    arguments = ("deploy.yml", "-e", f"release={new}", "-e", "atena_lock_wait_seconds=120")
    results = outputs([lab.start(*arguments), lab.start(*arguments)])
    assert [code for code, _ in results] == [0, 0], results
    assert sum("Nothing to do" in text for _, text in results) == 1
    assert len(lab.records()) == count + 1
    assert_settled(lab, new)
