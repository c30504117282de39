"""What a destroy, a redeploy and a restore decide, on described databases, plans and records."""

from __future__ import annotations

import datetime
import types

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.recovery import (
    database as restore_run,
    destroy as destroy_run,
    read as recovery_read,
    redeploy as redeploy_run,
    redis as power_restore,
    restore_plan,
    run as recovery_run,
)
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import DatabaseUrl

NOW = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)


def snapshot(name: str, hours: float = 1, **more) -> dict:
    taken = NOW - datetime.timedelta(hours=hours)
    return {"DBSnapshotIdentifier": name, "Status": "available", "SnapshotType": "manual", "SnapshotCreateTime": taken, **more}


def instance(**more) -> dict:
    return {
        **{"DBInstanceIdentifier": "e-db", "DbiResourceId": "db-1", "DBInstanceStatus": "available", "MasterUsername": "atena"},
        **{"DBInstanceClass": "db.t4g.micro", "StorageType": "gp3", "Iops": 3000, "MultiAZ": False, "CopyTagsToSnapshot": True},
        **{"DBSubnetGroup": {"DBSubnetGroupName": "e-db"}, "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1", "Status": "active"}]},
        **{"DBParameterGroups": [{"DBParameterGroupName": "default.postgres16"}], "OptionGroupMemberships": [], "Endpoint": {"Address": "a", "Port": 5432}},
        **{"TagList": [{"Key": "Name", "Value": "e-db"}, {"Key": "aws:x", "Value": "y"}], "BackupRetentionPeriod": 7},
        **{"LatestRestorableTime": NOW - datetime.timedelta(minutes=5), "PreferredBackupWindow": "03:00-04:00"},
        **more,
    }


class TestTheTypedName:
    @pytest.mark.parametrize(("typed", "beginning"), [("e", ""), ("", "This destroys e: that is"), ("f", "destroy_confirm is 'f', but this environment is e.")])
    def test_is_the_environments(self, typed, beginning):
        said = recovery_run.unconfirmed(typed, "e", "destroy_confirm", "This destroys e")
        assert said.startswith(beginning) and bool(said) == bool(beginning)
        assert not said or ("Nothing was changed" in said and "-e destroy_confirm=e" in said)


class TestTheUrl:
    URL = "postgresql://atena:p%40ss@old.host:5432/atena?sslmode=require"

    def test_gets_another_address_and_keeps_the_rest(self):
        assert DatabaseUrl.parse(self.URL).with_address("new.host", 5433).text == "postgresql://atena:p%40ss@new.host:5433/atena?sslmode=require"
        assert DatabaseUrl.parse("postgres://[::1]/a").with_address("h", 1).text == "postgres://h:1/a"

    def test_tells_who_is_in_it(self):
        assert (DatabaseUrl.parse(self.URL).user, DatabaseUrl.parse(self.URL).password) == ("atena", "p@ss")
        assert (DatabaseUrl.parse("postgresql://h/a").user, DatabaseUrl.parse("postgresql://h/a").password) == ("", "")

    def test_that_is_none_is_not_shown(self):
        with pytest.raises(ValueError, match="it is no postgresql:// URL"):
            DatabaseUrl.parse("mysql://u:secret@h")


class TestTheSource:
    SNAPSHOTS = [snapshot("m", 1), snapshot("rds:e-db-1", 30, SnapshotType="automated"), snapshot("rds:e-db-2", 6, SnapshotType="automated")]

    def source(self, database=None, snapshots=None, **asked):
        given = {"snapshot": "", "time": "", **asked}
        return restore_plan.source(given, database if database is not None else instance(), self.SNAPSHOTS if snapshots is None else snapshots, NOW)

    def test_is_the_latest_automatic_backup(self):
        assert self.source() == ({"kind": "snapshot", "name": "rds:e-db-2"}, "")

    def test_without_one_is_to_be_named(self):
        found, wrong = self.source(snapshots=[snapshot("m")])
        assert found == {} and wrong.startswith("There is no automatic backup. Snapshots, newest first: m (2026-11-25 11:00 UTC).")

    def test_is_the_snapshot_that_is_named(self):
        assert self.source(snapshot="m") == ({"kind": "snapshot", "name": "m"}, "")
        assert "is none of this database" in self.source(snapshot="x")[1]
        assert "is creating, not available" in self.source(snapshots=[snapshot("m", Status="creating")], snapshot="m")[1]
        assert "not both" in self.source(snapshot="m", time="latest")[1]

    @pytest.mark.parametrize("text", ["2026-11-25T11:00:00Z", "2026-11-25 11:00:00", "2026-11-25T08:00:00-03:00"])
    def test_is_the_point_in_time_that_is_named(self, text):
        assert self.source(time=text) == ({"kind": "moment", "time": "2026-11-25T11:00:00Z"}, "")

    def test_that_cannot_be_is_told_before_anything_is_done(self):
        assert "too late: the database can be restored up to 2026-11-25 11:55:00 UTC" in self.source(time="2026-11-25T11:58:00Z")[1]
        assert "is no point in time" in self.source(time="yesterday")[1]
        assert "keeps no automatic backups" in self.source(database=instance(BackupRetentionPeriod=0), time="latest")[1]
        assert "is gone, and with it the points in time" in restore_plan.source({"snapshot": "", "time": "latest"}, None, self.SNAPSHOTS, NOW)[1]


class TestTheRestore:
    def test_takes_over_what_the_original_has(self):
        operation, sent = restore_plan.arguments({"kind": "snapshot", "name": "s"}, instance(), {}, "e-db-restored-1")
        assert operation == "restore_db_instance_from_db_snapshot"
        assert sent == {
            **{"DBInstanceClass": "db.t4g.micro", "StorageType": "gp3", "MultiAZ": False, "CopyTagsToSnapshot": True, "Port": 5432},
            **{"DBSubnetGroupName": "e-db", "VpcSecurityGroupIds": ["sg-1"], "DBParameterGroupName": "default.postgres16"},
            **{"Tags": [{"Key": "Name", "Value": "e-db"}], "DBSnapshotIdentifier": "s", "DBInstanceIdentifier": "e-db-restored-1"},
        }

    def test_to_a_moment_names_the_original(self):
        operation, sent = restore_plan.arguments({"kind": "moment", "time": "2026-11-25T11:00:00Z"}, instance(), {}, "n")
        assert operation == "restore_db_instance_to_point_in_time"
        assert sent["SourceDBInstanceIdentifier"] == "e-db" and sent["RestoreTime"] == NOW - datetime.timedelta(hours=1)
        assert restore_plan.arguments({"kind": "moment", "time": "latest"}, instance(), {}, "n")[1]["UseLatestRestorableTime"] is True

    def test_of_one_that_is_gone_goes_by_the_inventory(self):
        settings = {
            **{"instance_class": "db.m6g.large", "subnet_group": "g", "storage_type": "gp3", "multi_az": True, "deletion_protection": True},
            **{"backup_retention_days": 5, "backup_window": "01:00-02:00", "maintenance_window": None, "tags": {"a": "b"}},
        }
        like = restore_run.fallback(settings, ["sg-9"])
        sent = restore_plan.arguments({"kind": "snapshot", "name": "s"}, None, like, "n")[1]
        assert (sent["DBInstanceClass"], sent["VpcSecurityGroupIds"], sent["DeletionProtection"]) == ("db.m6g.large", ["sg-9"], True)
        restored = instance(VpcSecurityGroups=[{"VpcSecurityGroupId": "sg-9"}])
        assert restore_plan.afterwards(like, restored) == {"BackupRetentionPeriod": 5, "PreferredBackupWindow": "01:00-02:00"}

    def test_changes_afterwards_only_what_differs(self):
        assert restore_plan.afterwards(instance(), instance(BackupRetentionPeriod=1)) == {"BackupRetentionPeriod": 7}


class TestWhatItHolds:
    def test_is_in_the_last_line_of_json(self):
        lines = ["INFO hello", '{"migrations": ["001"], "rows": {"a": 1}}', '{"migrations": ["001", "002"], "rows": {"a": "2"}}', "[1]", "bye"]
        assert restore_plan.counted(lines) == {"migrations": ["001", "002"], "rows": {"a": 2}}
        assert restore_plan.counted(["nothing", "{}"]) is None

    def test_is_compared_with_the_original(self):
        restored, original = {"migrations": ["1"], "rows": {"a": 5, "b": 1}}, {"migrations": ["1", "2"], "rows": {"a": 7, "b": 1, "c": 3}}
        assert restore_plan.compared(restored, original) == [
            "a: 5 rows (the original: 7)",
            "b: 1 rows",
            "c: no such table (the original: 3)",
            "migrations: 1, the last is 1",
            "migrations that only the original has: 2",
        ]
        assert restore_plan.compared(restored, None) == ["a: 5 rows", "b: 1 rows", "migrations: 1, the last is 1"]


class TestNames:
    RECORD = {"original": {"resource": "db-1", "aside": "e-db-before-1"}, "restored": {"resource": "db-2", "aside": "e-db-restored-1"}}

    def test_are_given_away_before_they_are_taken(self):
        assert restore_run.names(self.RECORD, "e-db") == [("db-1", "e-db-before-1"), ("db-2", "e-db")]
        assert restore_run.names(self.RECORD, "e-db", undo=True) == [("db-2", "e-db-restored-1"), ("db-1", "e-db")]
        assert restore_run.names({**self.RECORD, "original": None}, "e-db") == [("db-2", "e-db")]

    def test_of_what_stands_beside_are_known(self):
        listed = [{"DBInstanceIdentifier": name} for name in ("e-db", "e-db-before-1", "e-db-restored-2", "e-db-replica", "f-db-before-1")]
        assert recovery_read.beside(listed, "e-db") == ["e-db-before-1", "e-db-restored-2"]


class TestDestroy:
    CHANGES = [
        {"address": address, "type": address.split(".")[0], "action": "destroy", "attributes": []}
        for address in ("aws_vpc.main", "aws_db_instance.main", 'aws_ecr_repository.service["api"]', 'aws_cloudwatch_log_group.service["api"]')
    ]

    def seen(self, **more):
        known = {
            "aws_db_instance.main": {"final_snapshot_identifier": "e-db-final-1", "skip_final_snapshot": False},
            "aws_elasticache_cluster.main[0]": {},
        }
        return {
            **{
                "record": None,
                "changes": self.CHANGES,
                "before": known,
                "orphans": [],
                "database": instance(),
                "beside": [],
                "redis": {"id": "e-redis", "status": "available"},
            },
            **{"services": {"e-api": {"desiredCount": 2}}, "tasks": [], "snapshots": [], "snapshot_names": set(), "redis_snapshots": []},
            **{"images": {"e-api": 3}, "log_groups": ["/ecs/e-api"], "secrets": ["/e/TOKEN"]},
            **more,
        }

    def test_tells_what_goes_in_order_and_leaves_images_and_logs_out(self):
        steps = destroy_run.remaining(self.seen())
        assert [entry["step"] for entry in steps] == ["services", "redis", "terraform", "terraform", "terraform", "final", "record"]
        said = " ".join(entry["says"] for entry in steps)
        assert "destroy 2 objects: 1 aws_db_instance, 1 aws_vpc" in said and "aws_ecr" not in said and "into its final snapshot, e-db-final-1" in said

    def test_a_stopped_database_is_started_for_its_snapshot(self):
        steps = destroy_run.remaining(self.seen(database=instance(DBInstanceStatus="stopped")))
        assert "database" in [entry["step"] for entry in steps]

    def test_automatic_backups_that_go_are_told_and_a_name_that_is_taken_is_not_used(self):
        said = destroy_run.remaining(self.seen(snapshots=[snapshot("a", SnapshotType="automated")], snapshot_names={"e-db-final-1"}))[-2]["says"]
        assert "a new name; its 1 automatic backups go with it" in said

    def test_of_nothing_has_no_steps_but_one_that_was_killed_ends(self):
        nothing = {"changes": self.CHANGES[2:], "database": None, "redis": None, "services": {}}
        assert destroy_run.remaining(self.seen(**nothing)) == []
        assert [entry["step"] for entry in destroy_run.remaining(self.seen(**nothing, record={"state": "destroying"}))] == ["record"]

    def said(self, step: str, **more) -> list[str]:
        return [entry["says"] for entry in destroy_run.remaining(self.seen(**more)) if entry["step"] == step]

    @pytest.mark.parametrize(
        ("status", "snapshot", "known", "count"),
        [
            ("available", True, True, 1),
            ("available", True, False, 2),
            ("creating", True, False, 2),
            # What goes already, and what never came up, has no last snapshot.
            ("deleting", False, False, 1),
            ("restore-failed", False, False, 1),
            ("deleting", False, True, 0),
        ],
    )
    def test_tells_what_becomes_of_a_redis_that_terraform_knows_and_of_one_that_it_does_not(self, status, snapshot, known, count):
        before = self.seen()["before"] if known else {"aws_db_instance.main": {}}
        said = self.said("redis", redis={"id": "e-redis", "status": status}, before=before)
        assert len(said) == count and any("Would take a last snapshot" in line for line in said) is snapshot
        assert any(f"Would delete Redis e-redis ({status}), which Terraform does not know" in line for line in said) is not known

    def test_counts_what_is_taken_in_first_among_what_goes(self):
        orphans = [("aws_lb.main[0]", "arn:1"), ("aws_nat_gateway.main[0]", "nat-1")]
        said = self.said("terraform", orphans=orphans)
        assert said[0].endswith("what a run that was killed had made: aws_lb.main[0], aws_nat_gateway.main[0]")
        assert "destroy 4 objects: 1 aws_db_instance, 1 aws_lb, 1 aws_nat_gateway, 1 aws_vpc" in said[1] and "  - aws_lb.main[0]" in said
        assert "Would take" not in " ".join(self.said("terraform")) and len(self.said("terraform")) == 3

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"database": instance(DeletionProtection=True)}, "deletion_protection: false"),
            ({"beside": ["e-db-before-1"]}, "restore_database_remove_original=e-db-before-1"),
            ({"before": {}}, "not in Terraform's state"),
            ({"before": {"aws_db_instance.main": {"skip_final_snapshot": True}}}, "names no final snapshot"),
            ({"database": instance(DBInstanceStatus="storage-full")}, "cannot be backed up"),
        ],
    )
    def test_is_refused_with_the_remedy(self, change, words):
        assert words in " ".join(destroy_run.objections(self.seen(**change)))
        assert destroy_run.objections(self.seen()) == []

    def test_keeps_what_it_lets_go_of(self):
        addresses = {'aws_ecr_repository.service["api"]', 'aws_ecr_lifecycle_policy.service["api"]', 'aws_cloudwatch_log_group.service["x"]', "aws_vpc.main"}
        assert destroy_run.kept(addresses) == {"repositories": ["api"], "lifecycle_policies": ["api"], "log_groups": ["x"]}
        assert not destroy_run.stays("aws_ecr_repository.other") and destroy_run.stays('aws_ecr_repository.service["api"]')

    def test_after_half_a_redeploy_keeps_what_was_not_brought_back_yet(self):
        half = {"state": "redeploying", "database": {"snapshot": "d"}, "redis": {"snapshot": "r"}, "kept": {"log_groups": ["api"]}}
        assert destroy_run.first_record(half, None) == {"database": {"snapshot": "d"}, "redis": {"snapshot": "r"}, "kept": {}, "destroyed": []}
        assert destroy_run.first_record(half, instance())["database"] == {}
        assert destroy_run.first_record({**half, "state": "redeployed"}, None)["redis"] == {}
        assert destroy_run.first_record(None, None)["redis"] == {}

    def test_leaves_a_history(self):
        record = {"operator": "o", "database": {"snapshot": "a"}, "redis": {"snapshot": "b"}}
        once = destroy_run.final_record(record, "t1")
        twice = destroy_run.final_record({**once, "database": {"snapshot": "c"}}, "t2")
        assert [(entry["at"], entry["database"]["snapshot"]) for entry in twice["history"]] == [("t1", "a"), ("t2", "c")]

    def test_says_what_stays(self):
        lines = destroy_run.staying(self.seen(snapshots=[snapshot("m")]), {"bucket": "b"}, "/e")
        assert "Stays: images: 3 in e-api" in lines and "Stays: snapshots of the database: m" in lines
        assert "Stays: secrets that people set, below /e: TOKEN" in lines


class TestRedeploy:
    NONE = {"database": "", "redis": ""}
    DESTROYED = {"state": "destroyed", "began_at": "2026-11-20T12:00:00Z", "database": {"snapshot": "d"}, "redis": {"snapshot": "r"}}

    def test_takes_the_snapshots_on_record_unless_others_are_named(self):
        assert redeploy_run.choice(self.DESTROYED, "database", "") == "d"
        assert redeploy_run.choice(self.DESTROYED, "redis", "x") == "x"
        assert redeploy_run.choice(self.DESTROYED, "redis", "none") == ""
        assert redeploy_run.choice(None, "redis", "") == ""

    @pytest.mark.parametrize(
        ("record", "database", "asked", "words"),
        [
            (DESTROYED, None, NONE, ""),
            (None, None, NONE, "No destroy is recorded"),
            ({**DESTROYED, "state": "redeploying", "database": {"snapshot": ""}}, None, NONE, "names no snapshot of the database, so that it is not known"),
            (None, None, {"database": "none", "redis": ""}, ""),
            (DESTROYED, instance(), NONE, "e-db exists, and nothing is put into one that exists"),
            (None, instance(), NONE, "nothing is put into one that exists"),
            ({**DESTROYED, "state": "redeploying"}, instance(), NONE, ""),
            ({**DESTROYED, "state": "redeployed"}, instance(), NONE, ""),
            ({**DESTROYED, "state": "redeployed"}, None, NONE, "recreated since the recorded destroy, so that it is not known which rows"),
            ({**DESTROYED, "state": "redeployed"}, None, {"database": "d", "redis": ""}, ""),
            ({**DESTROYED, "state": "destroying"}, None, NONE, "Run destroy.yml again first"),
        ],
    )
    def test_puts_nothing_into_what_exists_and_guesses_nothing(self, record, database, asked, words):
        said = redeploy_run.problem(record, database, asked, [snapshot("m")], [])
        assert words in said and bool(said) == bool(words)

    def test_goes_on_with_the_same_snapshot_unless_the_database_lived_since(self):
        """The redeploy's release failed, deploy.yml mended it, and nothing recorded the end. Months later the database is lost."""
        record = {**self.DESTROYED, "state": "redeploying"}
        final, old, later = snapshot("d", 121), snapshot("o", 500), snapshot("rds:e-db-9", 3, SnapshotType="automated")
        assert redeploy_run.problem(record, None, self.NONE, [old, final], []) == ""
        said = redeploy_run.problem(record, None, self.NONE, [old, final, later], [])
        assert "A redeploy from the snapshot d is recorded without its end, but there are newer snapshots" in said
        assert "newest first: rds:e-db-9 (2026-11-25 09:00 UTC), d (2026-11-20 11:00 UTC), o (" in said and "-e redeploy_database_snapshot=<name>" in said
        assert redeploy_run.problem(record, None, {"database": "d", "redis": ""}, [later], []) == ""
        assert redeploy_run.problem(record, instance(), self.NONE, [final, later], []) == ""
        # One that is not there yet can be none that is wanted; one on record that is gone tells nothing of the others.
        assert redeploy_run.problem(record, None, self.NONE, [final, {**later, "Status": "creating"}], []) == ""
        assert "newer snapshots" in redeploy_run.problem(record, None, self.NONE, [later], [])

    def test_goes_on_with_an_older_snapshot_that_was_named(self):
        record = {
            **self.DESTROYED,
            "state": "redeploying",
            "database": {"snapshot": "o", "chosen_at": "2026-11-24T12:00:00Z"},
            "began_at": "2026-11-20T12:00:00Z",
        }
        old, final, since = snapshot("o", 500), snapshot("d", 121), snapshot("s", 23)
        assert redeploy_run.problem(record, None, self.NONE, [old, final, snapshot("m", 25)], []) == ""
        assert "newer snapshots" in redeploy_run.problem(record, None, self.NONE, [old, final, since], [])

    @pytest.mark.parametrize(
        ("state", "redeploying", "words"),
        [
            ("destroying", False, "Run destroy.yml again"),
            ("destroying", True, "Run destroy.yml again"),
            ("destroyed", False, "whose rows are in the snapshot d. redeploy.yml recreates it"),
            ("redeploying", False, "whose rows are in the snapshot d"),
            ("destroyed", True, ""),
            ("redeploying", True, ""),
            ("redeployed", False, ""),
        ],
    )
    def test_is_all_that_makes_a_database_after_a_destroy(self, state, redeploying, words):
        record = {**self.DESTROYED, "state": state, "operator": "o", "began_at": "t", "ended_at": ""}
        said = redeploy_run.no_empty_database(record, redeploying)
        assert words in said and bool(said) == bool(words)
        assert redeploy_run.no_empty_database(None, False) == ""

    def test_remembers_what_was_named_for_the_run_that_goes_on(self):
        record = redeploy_run.begun({**recovery_run.power_journal.new("e"), **self.DESTROYED, "redis": None}, "x", "", "o", {"chosen_at": "then"})
        assert (record["state"], record["database"]["snapshot"], record["redis"]["snapshot"]) == ("redeploying", "x", "")
        assert record["database"]["chosen_at"] == "then"
        assert redeploy_run.choice(record, "database", "") == "x"

    def test_chooses_once_unless_another_is_named_or_the_database_lived_since(self):
        record = {**recovery_run.power_journal.new("e"), "state": "redeploying", "database": {"snapshot": "x", "chosen_at": "2026-01-01T00:00:00Z"}}
        later = {"DBSnapshotIdentifier": "y", "Status": "available", "SnapshotCreateTime": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)}
        assert redeploy_run.moment_of_choice(record, "x", False, []) == {}
        assert redeploy_run.moment_of_choice(record, "x", True, [later]) == {}
        for chosen in (
            redeploy_run.moment_of_choice(record, "z", False, []),
            redeploy_run.moment_of_choice(record, "x", False, [later]),
            redeploy_run.moment_of_choice({**record, "state": "destroyed"}, "x", False, []),
        ):
            assert chosen["chosen_at"] > "2026-01-01T00:00:00Z"

    def test_takes_in_what_is_still_there(self):
        found = redeploy_run.still_there("e", ["api", "workers"], ["e-api"], [], ["/ecs/e-api", "/ecs/e-workers", "/ecs/e-old"])
        assert found == {"repositories": ["api"], "lifecycle_policies": [], "log_groups": ["api", "workers"]}
        assert redeploy_run.variables("d", "", found) == {"database_snapshot": "d", "database_sslmode": None, "redis_snapshot": None, "kept": found}
        assert redeploy_run.variables("d", "", found, "require")["database_sslmode"] == "require", "its images may have no certificates"


class TestRedis:
    SNAPSHOTS = [
        {"name": "r-stop-1", "status": "available", "created_at": "2026-11-24T00:00:00Z"},
        {"name": "r-before-2", "status": "available", "created_at": "2026-11-25T00:00:00Z"},
        {"name": "r-stop-3", "status": "creating", "created_at": ""},
    ]

    def test_comes_back_to_the_newest_snapshot_that_was_not_put_aside(self):
        assert power_restore.choose(self.SNAPSHOTS, "") == ("r-stop-1", "")
        assert power_restore.choose(self.SNAPSHOTS, "r-before-2") == ("r-before-2", "")
        assert "is none of this Redis that can be restored" in power_restore.choose(self.SNAPSHOTS, "r-stop-3")[1]
        assert "There is no snapshot" in power_restore.choose([], "")[1]

    @pytest.mark.parametrize(
        ("state", "cache", "words"),
        [
            ("running", {"status": "available"}, ""),
            ("running", None, "There is no Redis r"),
            ("running", {"status": "modifying"}, "Wait until it is available"),
            ("stopped", None, "start.yml -e start_redis_snapshot="),
            ("starting", {"status": "available"}, "it finishes what was begun"),
            ("stopping", {"status": "available"}, "it finishes what was begun"),
        ],
    )
    def test_is_restored_in_an_environment_that_is_on(self, state, cache, words):
        said = power_restore.objection({"journal": {"state": state}, "redis": cache}, "r")
        assert words in said and bool(said) == bool(words)

    def test_that_died_before_redis_was_deleted_is_run_again(self):
        redis = {"snapshot": "s", "restored": False, "created_at": "2026-11-24T00:00:00Z", "replacing": True}
        cache = {"id": "r", "status": "available", "created_at": "2026-11-24T00:00:00Z"}
        seen = {"journal": {"state": "starting", "redis": redis}, "redis": cache}
        assert power_restore.objection(seen, "r") == ""
        assert "it finishes what was begun" in power_restore.objection({**seen, "redis": None}, "r")
        assert "it finishes what was begun" in power_restore.objection({**seen, "redis": {**cache, "created_at": "2026-11-25T00:00:00Z"}}, "r")


class TestARestoreOnRecord:
    """What the next run does, by what the record says and which instances stand."""

    RECORD = {
        **{"state": "restored", "stamp": "1", "source": {"kind": "snapshot", "name": "s"}, "asked": {"snapshot": "s", "time": ""}, "kept": "db-1"},
        **{"original": {"resource": "db-1", "aside": "e-db-before-1"}, "restored": {"resource": "db-2", "aside": "e-db-restored-1"}},
    }
    SWAPPED = {"db-1": "e-db-before-1", "db-2": "e-db"}
    NOT_YET = {"db-1": "e-db", "db-2": "e-db-restored-1"}

    def run_of(self, kind, names: dict, record: dict | None, confirm: str = "", **seen):
        run = object.__new__(kind)
        run.params = {"name": "e", "database_id": "e-db", "confirm": confirm, "check_command": None, "snapshot": "", "time": ""}
        listed = [{"DBInstanceIdentifier": name, "DbiResourceId": resource} for resource, name in names.items()]
        run.seen = {"record": record, "power": None, "instances": listed, "database": instance(), "services": {"e-api": {"desiredCount": 1}}, **seen}
        run.journal = types.SimpleNamespace(record=record)
        run.source, run.wrong = {"kind": "snapshot", "name": "s"}, ""
        return run

    def test_is_not_begun_twice(self):
        assert "e-db-before-1 of the last restore still exists" in self.run_of(restore_run.Restore, self.SWAPPED, self.RECORD).objections()[0]
        assert self.run_of(restore_run.Restore, self.SWAPPED, {**self.RECORD, "state": "restoring"}).objections() == []
        assert self.run_of(restore_run.Restore, {"db-2": "e-db"}, self.RECORD).objections() == []
        assert "being undone" in self.run_of(restore_run.Restore, self.SWAPPED, {**self.RECORD, "state": "undoing"}).objections()[0]

    def test_needs_an_environment_that_is_on(self):
        said = self.run_of(restore_run.Restore, self.NOT_YET, None, power={"state": "stopped"}).objections()
        assert "The environment is stopped" in said[0] and "start.yml first" in said[0]

    def test_goes_on_under_the_names_that_it_began_with(self):
        steps = self.run_of(restore_run.Restore, self.NOT_YET, {**self.RECORD, "state": "restoring"}).remaining()
        assert [entry["step"] for entry in steps] == ["restore", "check", "swap", "terraform", "services", "keep"]
        assert "e-db-restored-1" in steps[0]["says"] and "e-db-before-1" in steps[2]["says"]

    def test_is_taken_back_by_names_where_it_was_swapped_and_by_deleting_the_copy_where_it_was_not(self):
        assert [entry["step"] for entry in self.run_of(restore_run.Undo, self.SWAPPED, self.RECORD).remaining()] == ["swap", "services"]
        between = {"db-1": "e-db-before-1", "db-2": "e-db-restored-1"}
        begun = {**self.RECORD, "state": "restoring"}
        assert [entry["step"] for entry in self.run_of(restore_run.Undo, between, begun).remaining()] == ["swap", "services"]
        assert [entry["step"] for entry in self.run_of(restore_run.Undo, self.NOT_YET, begun).remaining()] == ["remove"]
        told = {**begun, "steps": [{"step": "restore"}, {"step": "swap", "outcome": "failed"}]}
        assert [entry["step"] for entry in self.run_of(restore_run.Undo, self.NOT_YET, told).remaining()] == ["swap", "services"]
        assert self.run_of(restore_run.Undo, self.NOT_YET, {**self.RECORD, "state": "undone"}).remaining() == []
        assert self.run_of(restore_run.Undo, self.NOT_YET, None).remaining() == []
        assert "nothing to return to" in self.run_of(restore_run.Undo, {"db-2": "e-db"}, self.RECORD).objections()[0]

    def test_does_not_delete_a_copy_whose_original_was_deleted_since(self):
        begun = {**self.RECORD, "state": "restoring"}
        run = self.run_of(restore_run.Undo, {"db-2": "e-db-restored-1"}, begun, database=None)
        (said,) = run.objections()
        assert "the copy e-db-restored-1 may be all that is left" in said and "restore_database_confirm=e" in said and "manually" in said
        assert "final snapshot e-db-restored-1-final" in run.remaining()[0]["says"] and "was not touched" not in run.remaining()[0]["says"]
        unknown = {**begun, "restored": {"resource": "", "aside": "e-db-restored-1"}}  # the answer to the restore was lost
        assert "e-db-restored-1" in self.run_of(restore_run.Undo, {"db-2": "e-db-restored-1"}, unknown, database=None).objections()[0]
        undoing = {**begun, "state": "undoing", "swapped": False}
        (said,) = self.run_of(restore_run.Undo, {"db-2": "e-db-restored-1"}, undoing, database=None).objections()
        assert "manually" in said and "continue the restore" not in said
        # With the copy gone too there is nothing to lose, and the record can be closed.
        assert self.run_of(restore_run.Undo, {}, undoing, database=None).objections() == []
        assert self.run_of(restore_run.Undo, self.NOT_YET, begun).objections() == []

    def test_an_original_that_is_being_deleted_is_as_good_as_gone(self):
        begun = {**self.RECORD, "state": "restoring"}
        for names, words in ((self.NOT_YET, "all that is left"), (self.SWAPPED, "nothing to return to")):
            run = self.run_of(restore_run.Undo, names, begun)
            run.seen["instances"][0]["DBInstanceStatus"] = "deleting"
            assert words in run.objections()[0]

    def test_is_swapped_when_rds_was_told_to_rename_though_it_lists_the_old_name(self):
        begun = {**self.RECORD, "state": "restoring"}
        original = instance(PendingModifiedValues={"DBInstanceIdentifier": "e-db-before-1"})
        restored = instance(DBInstanceIdentifier="e-db-restored-1", DbiResourceId="db-2")
        assert restore_run.swap_begun(begun, original, restored, "e-db") is True
        assert restore_run.swap_begun(begun, instance(PendingModifiedValues={}), restored, "e-db") is False
        assert restore_run.swap_begun(begun, None, restored, "e-db") is False
        assert restore_run.swap_begun(begun, None, instance(), "e-db") is True

    @pytest.mark.parametrize("typed", ["", "e-db", "e", "e-db-before-2"])
    def test_what_it_left_aside_is_deleted_by_its_own_name_only(self, typed):
        with pytest.raises(CallFailed, match="it is e-db-before-1. Nothing was deleted"):
            self.run_of(restore_run.Remove, self.SWAPPED, self.RECORD, typed).refuse()
        self.run_of(restore_run.Remove, self.SWAPPED, self.RECORD, "e-db-before-1").refuse()
        assert self.run_of(restore_run.Remove, {"db-2": "e-db"}, {**self.RECORD, "kept": ""}).remaining() == []


def test_a_queue_of_another_environment_is_not_restored_and_its_rows_are_told():
    own, other = {"source": "app-redis"}, {"source": "app-prod-redis"}
    assert redeploy_run.foreign_queue("s", own, "app-redis") == redeploy_run.foreign_queue("s", None, "app-redis") == ""
    assert redeploy_run.foreign_queue("s", other, "app-redis") == "The snapshot s holds the queue of app-prod-redis, not of app-redis."
    for identifier in ("app-db", "app-db-before-20270115", "app-db-restored-20270115"):
        assert redeploy_run.foreign_rows({"DBInstanceIdentifier": identifier}, "app-db") == ""
    assert redeploy_run.foreign_rows({"DBInstanceIdentifier": "app-db2"}, "app-db") == "app-db2"
