"""What builds that were released wrote into state bucket and lock table is read by this one, and said what it said then.

recorded/<commit>/ holds the documents, as that build wrote them in the lab; names of people and machines, and what proves a lock, are replaced. They stay as
they are for as long as somebody may have an environment of that build: a reader that can no longer read one is what has to change.
"""

import io
import json
from pathlib import Path

import pytest
from ansible_collections.atena.aws.plugins.module_utils.environment import (
    destroy_record,
    gates as power_gates,
    journal as power_journal,
    ledger,
    lock as environment_lock,
    release_record,
    rotation_record,
)
from ansible_collections.atena.aws.plugins.module_utils.github import secrets as github_secrets
from ansible_collections.atena.aws.plugins.module_utils.power import redis as power_redis, terraform as power_terraform
from ansible_collections.atena.aws.plugins.module_utils.recovery import database as restore_run

RECORDED = Path(__file__).parent / "recorded"
BUILDS = ["e5eeb5e"]


class Stored:
    """call(service, operation, …) of a bucket and a table that hold one document."""

    def __init__(self, body: bytes):
        self.body = body

    def __call__(self, service, operation, doing, /, **arguments):
        if service == "dynamodb":
            return {"Item": json.loads(self.body)}
        assert (service, operation) == ("s3", "get_object")
        return {"Body": io.BytesIO(self.body), "ETag": '"1"'}


@pytest.fixture(params=BUILDS)
def recorded(request):
    """The document of this name, of a build: (its bytes, what reads from where it lies)."""
    return lambda name: Stored((RECORDED / request.param / f"{name}.json").read_bytes())


def journal(call, what="the power journal"):
    """As its writer reads it."""
    return power_journal.Journal(call, "state", "key", what=what).read()


def looked_at(call, what="the power journal"):
    return power_journal.Journal(call, "state", "key", what=what).look()


# --- Releases ---------------------------------------------------------------------------------------------------------
NEWEST_FIRST = ("release-rollback", "release-third", "release-failed", "release-second", "release-first")


@pytest.fixture
def releases(recorded):
    """Newest first; the rollback, which is the last, went back to the second."""
    return [release_record.decode(recorded(name).body, name) for name in NEWEST_FIRST]


def test_a_release_is_read_and_would_be_written_as_it_was(recorded, releases):
    for name, record in zip(NEWEST_FIRST, releases, strict=True):
        assert release_record.encode(record) == recorded(name).body, name


def test_what_ran_and_what_to_go_back_to_is_known_of_old_releases(releases):
    rollback, third, failed, second, first = releases
    assert [record.outcome for record in releases] == ["succeeded", "succeeded", "failed", "succeeded", "succeeded"]
    assert rollback.kind == "rollback" and rollback.release == second.release
    assert ledger.last_good(releases) is rollback
    assert ledger.previous_good(releases[1:], third) is second
    assert ledger.previous_good(releases, rollback) is first
    # All have the same migrations.
    assert ledger.migrated_since(releases, first) == []
    runs = {entry.name: entry.task_definition for entry in third.services}
    assert ledger.running_of(releases, runs) is third
    assert ledger.kept(releases, 1) == [rollback, second]
    shown = ledger.lines(releases)
    assert len(shown) == 6 and failed.reason.splitlines()[0] in shown[3]


# --- Power ------------------------------------------------------------------------------------------------------------
def test_a_stop_that_was_killed_says_what_to_bring_back(recorded):
    record = journal(recorded("power-stopping"))
    told = power_journal.standing(looked_at(recorded("power-stopping")))
    assert (told.state, told.step) == ("stopping", "redis_delete") and told.snapshot == power_journal.unrestored(record) != ""
    observed = {name: {"desired_count": 0, "bounds": None} for name in record["services"]}
    counts = power_journal.counts_to_keep(record, observed)
    assert len(counts) == 2 and {entry["desired_count"] for entry in counts.values()} == {1}
    gates = power_gates.Gates(recorded("gates-off"), "state", "key").read()
    assert gates == power_gates.wanted("off", "absent", told.snapshot)
    assert power_redis.at_start(record, gates, None) == (power_redis.RESTORE, told.snapshot)


def test_an_environment_that_is_stopped_or_was_started_again_is_known_for_that(recorded):
    stopped, started = looked_at(recorded("power-stopped")), looked_at(recorded("power-running"))
    told = power_journal.standing(stopped)
    assert told.state == "stopped" and told.since == stopped.ended_at and told.restarts_at == stopped.database.restarts_at != ""
    assert power_journal.standing(started).state == "running" and power_journal.unrestored(started.as_dict()) == ""
    assert power_gates.Gates(recorded("gates-on"), "state", "key").read() == power_gates.wanted("on", "present")


def test_a_lock_is_known_for_whose_it_is(recorded):
    lock = environment_lock.Lock(recorded("lock"), "locks", "atena-prod").read()
    assert lock.owner.startswith("arn:aws:") and lock.host == "ops@workstation" and lock.token and lock.reason
    assert environment_lock.expired(lock, lock.expires_at) and not environment_lock.expired(lock, lock.expires_at - 1)
    assert set(environment_lock.public(lock)) == {"name", "owner", "host", "reason", "acquired_at", "heartbeat_at", "expires_at"}
    # Of a release that goes on: what is written again is the item as it was.
    assert environment_lock.to_item(lock) == json.loads(recorded("lock").body)


def test_the_lock_of_the_state_that_a_stop_takes_is_read(recorded):
    found = power_terraform.StateLock(recorded("state-lock"), "locks", "state", "key").read()
    assert found["ID"] and found["Operation"] and found["Who"] == "ops@workstation"
    # A stop that was killed named it in its journal, by which the next one gives it back.
    assert journal(recorded("power-stopping"))["terraform_lock"]["id"] == found["ID"]


# --- Gone and back ----------------------------------------------------------------------------------------------------
def test_a_destroyed_environment_names_the_snapshots_that_hold_it(recorded):
    record = journal(recorded("destroyed"), destroy_record.WHAT)
    standing = destroy_record.standing(looked_at(recorded("destroyed"), destroy_record.WHAT))
    assert standing.state == "destroyed" and "-db-final-" in standing.database_snapshot and "-redis-final-" in standing.redis_snapshot
    assert f"its rows are in the snapshot {standing.database_snapshot}, its queue in {standing.redis_snapshot}" in destroy_record.says(standing)
    assert sorted(record["kept"]["repositories"]) == ["api", "workers"] and record["destroyed"]


def test_one_that_is_being_destroyed_is_known_for_that_and_one_that_was_made_again_stands(recorded):
    going = destroy_record.standing(looked_at(recorded("destroying"), destroy_record.WHAT))
    assert going.state == "destroying" and "run destroy.yml again" in destroy_record.says(going)
    assert destroy_record.standing(looked_at(recorded("redeployed"), destroy_record.WHAT)) is None


def test_a_restore_knows_which_database_is_which(recorded):
    record = journal(recorded("restoring"), restore_run.Restore.RECORD)
    original, restored = record["original"], record["restored"]
    assert restore_run.names(record, "e-db") == [(original["resource"], original["aside"]), (restored["resource"], "e-db")]
    assert restore_run.names(record, "e-db", undo=True) == [(restored["resource"], restored["aside"]), (original["resource"], "e-db")]
    before, after = ({"DBInstanceIdentifier": name, "DbiResourceId": one["resource"]} for name, one in (("e-db", original), ("new", restored)))
    assert restore_run.swap_begun(record, before, after, "e-db")
    ended = journal(recorded("restored"), restore_run.Restore.RECORD)
    assert ended["state"] == restore_run.RESTORED and ended["kept"] == record["original"]["resource"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        *((name, "the power journal") for name in ("power-stopping", "power-stopped", "power-running")),
        *((name, destroy_record.WHAT) for name in ("destroying", "destroyed", "redeployed")),
        *((name, restore_run.Restore.RECORD) for name in ("restoring", "restored")),
    ],
)
def test_a_record_of_work_would_be_written_as_it_was(recorded, name, what):
    assert looked_at(recorded(name), what).as_dict() == json.loads(recorded(name).body)


# --- Secrets ----------------------------------------------------------------------------------------------------------
def test_rotations_are_listed_and_the_next_is_put_before_them(recorded):
    read = rotation_record.RotationRecord(recorded("rotations"), "state", "key").read()
    assert [entry.kind for entry in read] == ["database password", "secrets"] and {entry.outcome for entry in read} == {"succeeded"}
    assert "DATABASE_URL  succeeded, by " in read[0].line
    content = rotation_record.begun(rotation_record.Rotations(rotations=read), rotation_record.Rotation(secrets=["A"], operator="ana", started_at="now"))
    assert content.as_dict()["rotations"][1:] == json.loads(recorded("rotations").body)["rotations"]


def test_what_github_was_told_is_not_told_again(recorded):
    known = json.loads(recorded("github").body)["secrets"]
    there = {name: entry["updated_at"] for name, entry in known.items()}
    assert {entry["action"] for entry in github_secrets.plan({name: f"the value of {name}" for name in known}, there, known)} == {github_secrets.KEEP}
