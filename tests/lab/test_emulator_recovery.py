"""Databases that come back, on the emulator: what snapshots hold, restores beside the original, points in time, other names."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

import psycopg2
import pytest
from botocore.exceptions import ClientError
from emulator_world import World, until
from faults import Faults

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not ENDPOINT, reason='no lab: start one with `lab/lab up` and `eval "$(lab/lab env)"`')]


@pytest.fixture(scope="module")
def world():
    world = World(ENDPOINT)
    yield world
    world.close()


class Databases:
    def __init__(self, world: World) -> None:
        self.world, self.rds, self.name = world, world.client("rds"), world.name

    def create(self, name: str) -> dict:
        self.rds.create_db_instance(
            DBInstanceIdentifier=name, Engine="postgres", EngineVersion="16", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
            MasterUsername="atena", MasterUserPassword="it's-secret", DBName="atena", BackupRetentionPeriod=3,
        )  # fmt: skip
        return self.reach(name)

    def look(self, name: str) -> dict | None:
        return next((one for one in self.rds.describe_db_instances()["DBInstances"] if one["DBInstanceIdentifier"] == name), None)

    def reach(self, name: str, status: str = "available") -> dict:
        return until(lambda: (found := self.look(name)) and found["DBInstanceStatus"] == status and found, 60)

    def query(self, name: str, sql: str, password: str = "it's-secret") -> list[tuple]:
        endpoint = self.look(name)["Endpoint"]
        with psycopg2.connect(
            host=endpoint["Address"], port=endpoint["Port"], user="atena", password=password, dbname="atena", sslmode="require", connect_timeout=5
        ) as connection, connection.cursor() as cursor:  # fmt: skip
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def rows(self, name: str) -> list[int]:
        return [row[0] for row in self.query(name, "SELECT id FROM kept ORDER BY id")]

    def snapshot(self, of: str, name: str) -> None:
        self.rds.create_db_snapshot(DBInstanceIdentifier=of, DBSnapshotIdentifier=name)
        until(lambda: self.rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]["Status"] == "available", 60)

    def drop_all(self) -> None:
        for one in self.rds.describe_db_instances()["DBInstances"]:
            if one["DBInstanceIdentifier"].startswith(self.name):
                self.rds.delete_db_instance(DBInstanceIdentifier=one["DBInstanceIdentifier"], SkipFinalSnapshot=True)
        for one in self.rds.describe_db_snapshots()["DBSnapshots"]:
            if one["DBInstanceIdentifier"].startswith(self.name):
                self.rds.delete_db_snapshot(DBSnapshotIdentifier=one["DBSnapshotIdentifier"])


@pytest.fixture(scope="module")
def databases(world):
    databases = Databases(world)
    databases.create(world.name)
    databases.query(world.name, "CREATE TABLE kept (id int)")
    databases.query(world.name, "INSERT INTO kept VALUES (1)")
    yield databases
    databases.drop_all()


def code_of(act, **arguments) -> str:
    with pytest.raises(ClientError) as error:
        act(**arguments)
    return error.value.response["Error"]["Code"]


class TestRestoringADatabase:
    def test_from_a_snapshot_beside_the_original_with_the_password_of_then(self, databases):
        rds, name = databases.rds, databases.name
        databases.snapshot(name, f"{name}-s")
        databases.query(name, "INSERT INTO kept VALUES (2)")
        rds.modify_db_instance(DBInstanceIdentifier=name, MasterUserPassword="another-one", ApplyImmediately=True)
        try:
            group = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DBSubnetGroup"]["DBSubnetGroupName"]
            made = rds.restore_db_instance_from_db_snapshot(
                DBInstanceIdentifier=f"{name}-r", DBSnapshotIdentifier=f"{name}-s", DBSubnetGroupName=group, VpcSecurityGroupIds=["sg-1"],
                CopyTagsToSnapshot=True, Tags=[{"Key": "a", "Value": "b"}],
            )["DBInstance"]  # fmt: skip
            assert made["DBInstanceStatus"] == "creating"
            restored = databases.reach(f"{name}-r")
            assert databases.rows(f"{name}-r") == [1]
            assert databases.query(name, "SELECT count(*) FROM kept", "another-one") == [(2,)]
            assert [one["VpcSecurityGroupId"] for one in restored["VpcSecurityGroups"]] == ["sg-1"] and restored["CopyTagsToSnapshot"]
            assert restored["TagList"] == [{"Key": "a", "Value": "b"}]
            with pytest.raises(psycopg2.OperationalError):
                databases.query(f"{name}-r", "SELECT 1", "another-one")
        finally:
            rds.modify_db_instance(DBInstanceIdentifier=name, MasterUserPassword="it's-secret", ApplyImmediately=True)

    def test_to_a_point_in_time(self, databases):
        rds, name = databases.rds, databases.name
        with Faults(ENDPOINT) as faults:
            faults.database_log(1)
            databases.query(name, "INSERT INTO kept VALUES (3)")
            time.sleep(1.1)
            moment = datetime.now(UTC).replace(microsecond=0)
            time.sleep(1.1)
            databases.query(name, "DROP TABLE kept")
            late = {"RestoreTime": datetime(2100, 1, 1, tzinfo=UTC)}
            early = {"RestoreTime": datetime(2020, 1, 1, tzinfo=UTC)}
            ask = {"SourceDBInstanceIdentifier": name, "TargetDBInstanceIdentifier": f"{name}-p"}
            for wrong in (late, early):
                assert code_of(rds.restore_db_instance_to_point_in_time, **ask, **wrong) == "InvalidParameterValue"
            rds.restore_db_instance_to_point_in_time(**ask, RestoreTime=moment)
            databases.reach(f"{name}-p")
        assert 3 in databases.rows(f"{name}-p")
        databases.query(f"{name}-p", "INSERT INTO kept VALUES (4)")

    def test_a_failed_one_says_so(self, databases):
        rds, name = databases.rds, databases.name
        with Faults(ENDPOINT) as faults:
            faults.failing("database_restore")
            rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=f"{name}-f", DBSnapshotIdentifier=f"{name}-s")
            databases.reach(f"{name}-f", "restore-error")
        rds.delete_db_instance(DBInstanceIdentifier=f"{name}-f", SkipFinalSnapshot=True)


class TestNamesAndEnds:
    def test_two_swap_their_names_and_keep_their_data(self, databases):
        rds, name = databases.rds, databases.name
        resources = {databases.look(one)["DbiResourceId"]: one for one in (name, f"{name}-r")}
        assert (
            code_of(rds.modify_db_instance, DBInstanceIdentifier=f"{name}-r", NewDBInstanceIdentifier=name, ApplyImmediately=True) == "DBInstanceAlreadyExists"
        )
        for old, new in ((name, f"{name}-before"), (f"{name}-r", name)):
            began = rds.modify_db_instance(DBInstanceIdentifier=old, NewDBInstanceIdentifier=new, ApplyImmediately=True)["DBInstance"]
            assert began["DBInstanceStatus"] == "renaming"
            assert databases.reach(new)["DBInstanceArn"].endswith(f":{new}")
            assert databases.look(old) is None
        assert databases.rows(name) == [1]
        now = {databases.look(one)["DbiResourceId"]: one for one in (f"{name}-before", name)}
        assert list(now) == list(resources)

    def test_a_final_snapshot_holds_the_last_rows_and_its_name_is_taken_then(self, databases):
        rds, name = databases.rds, databases.name
        databases.query(name, "INSERT INTO kept VALUES (5)")
        assert code_of(rds.delete_db_instance, DBInstanceIdentifier=name, FinalDBSnapshotIdentifier=f"{name}-s") == "DBSnapshotAlreadyExists"
        rds.delete_db_instance(DBInstanceIdentifier=name, FinalDBSnapshotIdentifier=f"{name}-final")
        until(lambda: databases.look(name) is None)
        rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-final")
        databases.reach(name)
        assert databases.rows(name) == [1, 5]

    def test_a_new_one_under_a_name_that_was_given_away_is_empty(self, databases):
        name = f"{databases.name}-r"
        databases.create(name)
        assert databases.query(name, "SELECT to_regclass('kept')") == [(None,)]
        assert databases.rows(f"{databases.name}-p")
