"""What was begun and is on record without its end, each with the command that finishes it."""

import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal, unfinished
from ansible_collections.atena.aws.plugins.module_utils.environment.rotation_record import Rotation
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import WorkRecord
from test_ledger import Bucket

WHERE = {"bucket": "state", "journal_key": "power", "restore_key": "restored", "destroy_key": "destroyed", "rotations_key": "rotations"}


def record(state):
    return {**power_journal.new("e"), "state": state, "began_at": "2027-01-15T12:00:00Z", "operator": "ana"}


def rotation(outcome, kind="secrets"):
    return Rotation(kind=kind, secrets=["A", "B"], outcome=outcome, started_at="2027-01-15T12:00:00Z", operator="ana")


def stored(**objects):
    bucket = Bucket()
    for key, content in objects.items():
        bucket.objects[key] = json.dumps(content).encode()
    return bucket


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("stopping", "a stop began at 2027-01-15T12:00:00Z, by ana, and is incomplete: stop.yml finishes it; start.yml reverses it"),
        ("starting", "a start began at 2027-01-15T12:00:00Z, by ana, and is incomplete: start.yml finishes it; stop.yml reverses it"),
        (
            "restoring",
            "a restore of the database began at 2027-01-15T12:00:00Z, by ana, and is incomplete: "
            "restore_database.yml -e restore_database_confirm=e finishes it; -e restore_database_undo=e undoes it",
        ),
        (
            "undoing",
            "an undo of a restore of the database began at 2027-01-15T12:00:00Z, by ana, and is incomplete: "
            "restore_database.yml -e restore_database_undo=e finishes it",
        ),
        (
            "destroying",
            "a destroy began at 2027-01-15T12:00:00Z, by ana, and is incomplete: destroy.yml -e destroy_confirm=e finishes it; "
            "redeploy.yml then recreates the environment",
        ),
        ("redeploying", "a redeploy began at 2027-01-15T12:00:00Z, by ana, and is incomplete: redeploy.yml finishes it; it resumes with the same snapshots"),
    ],
)
def test_each_work_has_one_sentence_with_the_command_that_finishes_it(state, says):
    assert [unfinished.says(entry) for entry in unfinished.of_record(WorkRecord.of(record(state)), "e")] == [says]


@pytest.mark.parametrize("state", ["running", "stopped", "restored", "undone", "destroyed", "redeployed", ""])
def test_what_has_ended_is_not_told(state):
    assert unfinished.of_record(WorkRecord.of(record(state)), "e") == [] == unfinished.of_record(None, "e")


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([], []),
        ([rotation("succeeded"), rotation("interrupted")], []),
        ([rotation("reverted")], []),
        ([rotation("failed")], []),
        (
            [rotation("running")],
            ["a rotation of A, B began at 2027-01-15T12:00:00Z, by ana, and is incomplete: secrets.yml -e secrets_action=rotate finishes it"],
        ),
        (
            [rotation("interrupted", "database password")],
            ["a rotation of A, B began at 2027-01-15T12:00:00Z, by ana, and is incomplete: rotate_database_password.yml finishes it"],
        ),
    ],
)
def test_the_newest_rotation_alone_may_be_without_its_end(entries, says):
    assert [unfinished.says(entry) for entry in unfinished.of_rotations(entries)] == says


def test_all_records_are_read_that_have_a_key():
    bucket = stored(
        power=record("starting"),
        restored=record("restoring"),
        destroyed=record("redeploying"),
        rotations={"format": 1, "rotations": [rotation("running").as_dict()]},
    )
    assert [entry["work"] for entry in unfinished.read(bucket, WHERE, "e")] == ["start", "restore of the database", "redeploy", "rotation of A, B"]
    some = {**WHERE, "journal_key": None, "destroy_key": None}
    assert [entry["work"] for entry in unfinished.read(bucket, some, "e")] == ["restore of the database", "rotation of A, B"]
    assert unfinished.read(stored(), WHERE, "e") == [] and unfinished.read(bucket, None, "e") is None
