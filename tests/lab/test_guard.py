"""What AWS started after seven days is stopped again; what a person started is not."""

import json

import pytest
from emulator_world import until
from faults import Faults
from wire import Wire

DATABASE = "atena-prod-db"


def status(lab):
    return lab.client("rds").describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"][0]["DBInstanceStatus"]


def comes_to(lab, wanted, seconds=90):
    until(lambda: status(lab) == wanted, seconds)


def journal(lab):
    return json.load(lab.client("s3").get_object(Bucket=f"atena-terraform-state-{lab.account}", Key="atena/prod/power.json")["Body"])


def guard(lab, *arguments):
    """(run, what it wrote, the lock not counted)."""
    with Wire(lab.endpoint) as wire:
        run = lab.playbook("guard.yml", *arguments, environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    return run, wire.writes(besides_lock=True)


@pytest.fixture(scope="module")
def stopped(lab):
    """The environment, stopped; it is on again for the tests that follow."""
    lab.playbook("stop.yml").must_succeed()
    yield lab
    lab.playbook("start.yml").must_succeed()


@pytest.fixture
def emulator(lab):
    with Faults(lab.endpoint) as faults:
        yield faults


def test_an_environment_that_runs_needs_no_guard(lab):
    with Wire(lab.endpoint) as wire:
        run = lab.playbook("guard.yml", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert run.changed == 0
    assert "Nothing to do: the environment is not recorded as stopped" in run.text
    assert wire.writes() == []
    assert not [call for call in wire.calls if call.service == "rds"]


def test_a_database_that_is_stopped_needs_none_either(stopped):
    run, writes = guard(stopped)
    assert (run.changed, writes) == (0, [])
    assert f"Nothing to do: {DATABASE} is stopped; AWS starts it again at" in run.text


def test_what_aws_started_is_stopped_again_and_noted(stopped, emulator):
    assert emulator.days(7) == [DATABASE]
    comes_to(stopped, "available")
    predicted, writes = guard(stopped, "--check", "--diff")
    assert (predicted.changed, writes) == (1, [])
    assert "It would be stopped again" in predicted.text
    before = journal(stopped)
    run, writes = guard(stopped)
    assert run.changed == 1
    assert f"AWS started {DATABASE} again" in run.text
    assert [write for write in writes if not write.startswith("s3:PUT")] == ["rds:StopDBInstance"]
    after = journal(stopped)
    assert after["notes"][-1]["says"].startswith(f"guard: AWS started {DATABASE} again")
    assert after["database"]["stopped_at"] > before["database"]["stopped_at"]
    assert {key: value for key, value in after.items() if key not in ("notes", "database")} == {
        key: value for key, value in before.items() if key not in ("notes", "database")
    }
    assert stopped.lock() is None
    comes_to(stopped, "stopped")
    again, writes = guard(stopped)
    assert (again.changed, writes) == (0, [])
    assert stopped.plan()[0] == 0


def test_a_database_that_is_only_just_starting_is_waited_for(stopped, emulator):
    emulator.times(database_start=40)
    assert emulator.days(7) == [DATABASE]
    assert status(stopped) == "starting"
    later, writes = guard(stopped, "-e", "guard_wait_seconds=0")
    assert (later.changed, writes) == (0, [])
    assert "cannot be stopped yet. Run guard.yml again later" in later.text
    run, _ = guard(stopped)
    assert run.changed == 1
    assert f"{DATABASE} is starting: waiting up to 900 s" in run.text
    comes_to(stopped, "stopped")


def test_what_a_person_started_is_left_alone_and_told(stopped):
    stopped.client("rds").start_db_instance(DBInstanceIdentifier=DATABASE)
    comes_to(stopped, "available")
    try:
        run, writes = guard(stopped)
        assert (run.changed, writes) == (0, [])
        assert "somebody started it at" in run.text
        assert status(stopped) == "available"
    finally:
        stopped.client("rds").stop_db_instance(DBInstanceIdentifier=DATABASE)
        comes_to(stopped, "stopped")


def test_a_run_that_meets_a_held_lock_says_so_and_changes_nothing(stopped, emulator):
    assert emulator.days(7) == [DATABASE]
    comes_to(stopped, "available")
    table, key = "atena-terraform-locks", {"LockID": {"S": f"atena.aws/{stopped.name}"}}
    texts = {"owner": "ana", "host": "laptop", "reason": "start", "token": "hers", "acquired_at": "now", "heartbeat_at": "now"}
    stopped.client("dynamodb").put_item(TableName=table, Item={**key, "expires_at": {"N": "9999999999"}, **{name: {"S": text} for name, text in texts.items()}})
    try:
        run, writes = guard(stopped)
        assert (run.changed, writes) == (0, [])
        assert "another run has the lock" in run.text and "ana on laptop" in run.text
        assert status(stopped) == "available"
    finally:
        stopped.client("dynamodb").delete_item(TableName=table, Key=key)
    assert guard(stopped)[0].changed == 1
    comes_to(stopped, "stopped")
