"""The power journal: what is come back to, that no step goes unrecorded, and that no run writes over another's."""

from datetime import UTC, datetime

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Unanswered
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import Interrupted
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as journals
from ansible_collections.atena.aws.plugins.module_utils.environment.branches import Ended
from ansible_collections.atena.aws.plugins.module_utils.environment.journal import RUNNING, STARTING, STOPPED, STOPPING, Journal
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import LockLost
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import PowerRecord
from test_ledger import Bucket

NOON = datetime(2027, 1, 15, 12, 0, 0, tzinfo=UTC)


def seen(**counts):
    return {name: {"desired_count": count, "bounds": None} for name, count in counts.items()}


def record(state, **counts):
    return {**journals.new("atena-prod"), "state": state, "services": seen(**counts)}


@pytest.mark.parametrize(
    ("state", "known", "now", "kept"),
    [
        (None, {}, {"api": 2, "workers": 1}, {"api": 2, "workers": 1}),
        (None, {}, {"api": 0, "workers": 0}, {"api": 0, "workers": 0}),
        # A stop that was killed, or the start after it: zeros are its own.
        (STOPPING, {"api": 2, "workers": 1}, {"api": 0, "workers": 1}, {"api": 2, "workers": 1}),
        (STOPPING, {"api": 2, "workers": 1}, {"api": 0, "workers": 0}, {"api": 2, "workers": 1}),
        (STARTING, {"api": 2, "workers": 1}, {"api": 0, "workers": 0}, {"api": 2, "workers": 1}),
        (STOPPED, {"api": 2}, {"api": 0}, {"api": 2}),
        # What somebody scaled up meanwhile is what runs.
        (STARTING, {"api": 2, "workers": 1}, {"api": 5, "workers": 0}, {"api": 5, "workers": 1}),
        # In a running environment a zero is a wish ...
        (RUNNING, {"api": 2, "workers": 1}, {"api": 2, "workers": 0}, {"api": 2, "workers": 0}),
        # ... unless all are zero: that is a stop by other means.
        (RUNNING, {"api": 2, "workers": 1}, {"api": 0, "workers": 0}, {"api": 2, "workers": 1}),
        (RUNNING, {"api": 2, "gone": 1}, {"api": 2}, {"api": 2}),
        # A service that cannot be seen in the middle of a stop is not forgotten.
        (STOPPING, {"api": 2, "gone": 1}, {"api": 0}, {"api": 2, "gone": 1}),
        (RUNNING, {"api": 0}, {"api": 0, "new": 3}, {"api": 0, "new": 3}),
    ],
)
def test_recorded_counts_are_never_overwritten_by_zeros(state, known, now, kept):
    before = record(state, **known) if state else None
    assert {name: entry["desired_count"] for name, entry in journals.counts_to_keep(before, seen(**now)).items()} == kept


def test_bounds_that_a_stop_suspended_are_not_taken_for_what_they_were():
    before = record(STOPPING, api=2)
    before["services"]["api"]["bounds"] = {"min": 1, "max": 4, "suspended": []}
    now = {"api": {"desired_count": 0, "bounds": {"min": 1, "max": 4, "suspended": ["dynamic_scaling_in"]}}}
    assert journals.counts_to_keep(before, now)["api"] == {"desired_count": 2, "bounds": {"min": 1, "max": 4, "suspended": []}}
    now["api"]["desired_count"] = 3
    assert journals.counts_to_keep({**before, "state": RUNNING}, now)["api"] == now["api"]


ALL = ["dynamic_scaling_in", "dynamic_scaling_out", "scheduled_scaling"]


@pytest.mark.parametrize(
    ("recorded", "now", "kept"),
    [
        # A start could not take back what its stop had suspended: that is no wish of anybody's.
        ([], ALL, []),
        (["scheduled_scaling"], ALL, ["scheduled_scaling"]),
        (ALL, ALL, ALL),
        ([], ["scheduled_scaling"], ["scheduled_scaling"]),
        (["scheduled_scaling"], [], []),
    ],
)
def test_autoscaling_that_a_start_left_suspended_is_not_suspended_for_good(recorded, now, kept):
    before = record(RUNNING, api=2)
    before["services"]["api"]["bounds"] = {"min": 1, "max": 4, "suspended": recorded}
    # The bounds themselves are as somebody set them since: a stop does not touch them.
    found = journals.counts_to_keep(before, {"api": {"desired_count": 3, "bounds": {"min": 2, "max": 6, "suspended": now}}})
    assert found["api"] == {"desired_count": 3, "bounds": {"min": 2, "max": 6, "suspended": kept}}


def test_a_service_that_is_no_longer_registered_or_was_not_before_has_the_bounds_of_now():
    paused = {"min": 1, "max": 4, "suspended": ALL}
    before = record(RUNNING, api=2, workers=1)
    before["services"]["api"]["bounds"] = {"min": 1, "max": 4, "suspended": []}
    before["services"]["workers"]["bounds"] = None
    observed = {"api": {"desired_count": 2, "bounds": None}, "workers": {"desired_count": 1, "bounds": paused}}
    found = journals.counts_to_keep(before, observed)
    assert (found["api"]["bounds"], found["workers"]["bounds"]) == (None, paused)


def test_a_run_that_goes_on_keeps_its_steps_and_the_opposite_one_begins_anew():
    going = {**record(STOPPING), "began_at": "2027-01-15T11:00:00Z", "steps": [{"step": "tasks"}]}
    again = journals.begun(going, STOPPING, "bo", "bo@there", NOON)
    assert (again["began_at"], again["steps"], again["operator"], again["ended_at"]) == ("2027-01-15T11:00:00Z", [{"step": "tasks"}], "bo", "")
    back = journals.begun(going, STARTING, "bo", "bo@there", NOON)
    assert (back["state"], back["began_at"], back["steps"]) == (STARTING, "2027-01-15T12:00:00Z", [])


@pytest.mark.parametrize(
    ("redis", "name"),
    [
        (None, ""),
        ({"snapshot": "s-1", "restored": False}, "s-1"),
        ({"snapshot": "s-1", "restored": True}, ""),
        ({"snapshot": "", "restored": False}, ""),
        ({"address": "somewhere"}, ""),
    ],
)
def test_which_snapshot_waits_to_be_restored(redis, name):
    assert journals.unrestored({**record(STOPPED), "redis": redis}) == name
    assert journals.unrestored(None) == ""


def test_what_people_may_know_at_a_glance():
    assert journals.standing(None).state == RUNNING
    step = {"step": "power_off", "began_at": "", "ended_at": "", "outcome": "", "says": ""}
    stopped = {**record(STOPPED), "ended_at": "2027-03-04", "database": {"restarts_at": "r"}, "steps": [step]}
    told = journals.standing(PowerRecord.of(stopped))
    assert (told.state, told.since, told.restarts_at, told.step) == ("stopped", "2027-03-04", "r", "")
    told = journals.standing(PowerRecord.of({**stopped, "state": STARTING, "began_at": "2027-03-05"}))
    assert (told.since, told.restarts_at, told.step) == ("2027-03-05", "", "power_off")
    assert (
        set(told.as_dict()) == {"state", "since", "operator", "host", "step", "snapshot", "restarts_at", "redis_loss", "notes"}
        and told.as_dict()["notes"] == []
    )


@pytest.fixture
def bucket():
    return Bucket()


@pytest.fixture
def journal(bucket):
    made = Journal(bucket, "state", "atena/prod/power.json", now=lambda: "now")
    assert made.read() is None
    made.save(record(STOPPING, api=1))
    return made


def other(bucket):
    found = Journal(bucket, "state", "atena/prod/power.json")
    found.read()
    return found


def test_a_step_is_on_record_before_it_begins_and_when_it_has_ended(journal, bucket):
    with journal.step("redis_snapshot", redis={"pending": "s"}) as step:
        inside = other(bucket).record
        assert (inside["steps"][-1]["step"], inside["steps"][-1]["outcome"], inside["redis"]) == ("redis_snapshot", "", {"pending": "s"})
        step.says = "s-1"
        step.records(redis={"snapshot": "s-1"})
    after = other(bucket).record
    assert after["steps"] == [{"step": "redis_snapshot", "began_at": "now", "ended_at": "now", "outcome": "done", "says": "s-1"}]
    assert after["redis"] == {"pending": "s", "snapshot": "s-1"}
    assert journals.last_step(after, "redis_snapshot") == after["steps"][-1] and journals.last_step(after, "gates") is None


@pytest.mark.parametrize(("error", "outcome"), [(CallFailed("no\nmore"), "failed"), (Interrupted("SIGTERM"), "interrupted"), (Ended("over"), "interrupted")])
def test_a_step_that_fails_is_on_record_with_its_reason(journal, bucket, error, outcome):
    with pytest.raises(type(error)):
        with journal.step("database") as step:
            step.records(database={"id": "never written"})
            step.failing = {"database": {"tried": True}}
            raise error
    after = other(bucket).record
    assert (after["steps"][-1]["outcome"], after["steps"][-1]["says"]) == (outcome, str(error).splitlines()[0])
    assert after["database"] == {"tried": True}


def test_the_end_of_a_step_that_leads_on_is_written_with_the_beginning_of_the_next(journal, bucket):
    written = []
    bucket.every["put_object"] = lambda: written.append(1)
    with journal.step("services", leads_on=True) as step:
        step.records(redis={"snapshot": "s-1"})
    assert len(written) == 1 and other(bucket).record["steps"][-1]["outcome"] == ""
    assert journals.last_step(journal.record, "services")["outcome"] == "done"
    with journal.step("tasks", leads_on=True):
        found = other(bucket).record
        assert [(one["step"], one["outcome"]) for one in found["steps"]] == [("services", "done"), ("tasks", "")] and found["redis"] == {"snapshot": "s-1"}
    assert len(written) == 2
    journal.settle()
    journal.settle()
    assert len(written) == 3 and [one["outcome"] for one in other(bucket).record["steps"]] == ["done", "done"]


def test_a_step_that_leads_on_and_fails_is_on_record_at_once(journal, bucket):
    with pytest.raises(CallFailed), journal.step("gates", leads_on=True):
        raise CallFailed("no")
    assert other(bucket).record["steps"][-1]["outcome"] == "failed"


def test_a_run_that_lost_the_lock_writes_no_more(journal, bucket):
    with pytest.raises(LockLost):
        with journal.step("database"):
            raise LockLost("gone", None)
    assert other(bucket).record["steps"][-1]["outcome"] == ""


def test_nothing_is_written_over_another_run(journal, bucket):
    other(bucket).change(operator="somebody else")
    with pytest.raises(CallFailed, match="changed by another run"):
        journal.change(operator="me")
    assert other(bucket).record["operator"] == "somebody else"


def test_what_does_not_change_is_not_written(journal, bucket):
    bucket.before["put_object"] = lambda: pytest.fail("written")
    journal.change(operator="")
    journal.save(journal.record)


def test_a_write_whose_answer_was_lost_counts(journal, bucket):
    def lose():
        bucket.before["put_object"] = lambda: None
        raise Unanswered("the connection was reset")

    bucket.after["put_object"] = lose
    with pytest.raises(CallFailed):
        journal.change(operator="me")
    journal.change(operator="me")
    assert other(bucket).record["operator"] == "me"


def test_only_the_last_steps_and_notes_are_kept(journal):
    for _number in range(90):
        with journal.step("tasks"):
            pass
        journal.note("again")
    assert (len(journal.record["steps"]), len(journal.record["notes"])) == (80, 40)
