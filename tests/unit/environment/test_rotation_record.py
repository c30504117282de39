"""The record of rotations."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment import rotation_record
from secrets_world import World


def entry(outcome="running", name="A"):
    return {"secrets": [name], "outcome": outcome, "started_at": "2026-01-31T12:00:00Z", "ended_at": "", "operator": "ana", "reason": ""}


def test_one_that_still_runs_has_died():
    content = rotation_record.begun({"rotations": [entry(), entry("reverted")]}, entry(name="B"))
    assert [item["outcome"] for item in content["rotations"]] == ["running", "interrupted", "reverted"]


def test_the_last_hundred_are_kept():
    content = {"rotations": [entry("succeeded")] * 100}
    assert len(rotation_record.begun(content, entry())["rotations"]) == 100


def test_the_end_is_written_into_the_newest():
    world = World()
    record = rotation_record.RotationRecord(world, "b", "rotations.json")
    assert record.read() == []
    record.begin(entry("succeeded"))
    record.begin(entry())
    record.end(outcome="reverted", reason="it was bad")
    assert [(item["outcome"], item["reason"]) for item in world.record()] == [("reverted", "it was bad"), ("succeeded", "")]


def test_another_format_is_not_written_over():
    world = World()
    world.objects["rotations.json"] = b'{"format": 2}'
    with pytest.raises(CallFailed, match="Upgrade the collection"):
        rotation_record.RotationRecord(world, "b", "rotations.json").begin(entry())
