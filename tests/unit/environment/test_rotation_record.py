"""The record of rotations."""

import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment import rotation_record
from ansible_collections.atena.aws.plugins.module_utils.environment.rotation_record import Rotation, Rotations, Versions
from secrets_world import World


def entry(outcome="running", name="A"):
    return Rotation(secrets=[name], outcome=outcome, started_at="2026-01-31T12:00:00Z", operator="ana")


def test_one_that_still_runs_has_died():
    content = rotation_record.begun(Rotations(rotations=[entry(), entry("reverted")]), entry(name="B"))
    assert [item.outcome for item in content.rotations] == ["running", "interrupted", "reverted"]


def test_the_last_hundred_are_kept():
    content = Rotations(rotations=[entry("succeeded")] * 100)
    assert len(rotation_record.begun(content, entry()).rotations) == 100


def test_the_end_is_written_into_the_newest():
    world = World()
    record = rotation_record.RotationRecord(world, "b", "rotations.json")
    assert record.read() == []
    record.begin(entry("succeeded"))
    record.begin(entry())
    record.end("reverted", "it was bad", "2026-01-31T12:01:00Z", {"A": Versions(before=1, after=2)})
    assert [(item["outcome"], item["reason"]) for item in world.record()] == [("reverted", "it was bad"), ("succeeded", "")]


def test_what_a_later_version_added_stays_and_what_an_earlier_one_lacks_is_not_added():
    old = {"secrets": ["A"], "operator": "ana", "started_at": "2026-01-31T12:00:00Z", "outcome": "running", "ticket": 7}
    world = World()
    world.objects["rotations.json"] = json.dumps({"format": 1, "rotations": [old], "since": "2026"}).encode()
    rotation_record.RotationRecord(world, "b", "rotations.json").begin(entry(name="B"))
    stored = json.loads(world.objects["rotations.json"])
    assert stored["since"] == "2026" and stored["rotations"][1] == {**old, "outcome": "interrupted"}


@pytest.mark.parametrize(
    ("rotations", "cause"),
    [
        ([{"secrets": "A", "operator": "ana", "started_at": ""}], r"rotations\[0\].secrets is text, not a list"),
        ([{"secrets": ["A"], "operator": "ana"}], r"rotations\[0\].started_at is missing"),
        ({}, "rotations is an object, not a list"),
    ],
)
def test_one_that_somebody_damaged_is_named_and_not_written_over(rotations, cause):
    world = World()
    there = world.objects["rotations.json"] = json.dumps({"format": 1, "rotations": rotations}).encode()
    with pytest.raises(CallFailed, match=f"s3://b/rotations.json is not a record of rotations: {cause}. .* --bucket b --prefix rotations.json` names"):
        rotation_record.RotationRecord(world, "b", "rotations.json").begin(entry())
    assert world.objects["rotations.json"] == there


def test_another_format_is_not_written_over():
    world = World()
    world.objects["rotations.json"] = b'{"format": 2}'
    with pytest.raises(CallFailed, match="Upgrade the collection"):
        rotation_record.RotationRecord(world, "b", "rotations.json").begin(entry())
