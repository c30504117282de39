"""Gone and back: an environment destroyed and made again with its rows, and a bad migration undone by a restore while the rest goes on answering."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import textwrap
import threading
import time
from datetime import UTC, datetime

import psycopg2
import pytest
import yaml
from bad_commits import new_migration
from conftest import CHECKOUT, LOCKS
from database_address import libpq
from documented import documentation, faults
from emulator_world import until
from faults import Faults
from power import Power, without_new_snapshots
from test_killed import descendants, kill
from wire import Wire

# Minutes long, but for what is of the core.
pytestmark = [pytest.mark.lab, pytest.mark.soak]
# A lock of a run that died is free soon; the next one waits for that.
LOCK = ("-e", "atena_lock_expiry_seconds=15", "-e", "atena_lock_wait_seconds=90")
NAME = "atena-prod"
DESTROY = ("environment_destroy", "Destroy the environment")
RESTORE = ("database_restore", "Restore the database, undo the restore, or delete the instance it replaced")


def as_documented(run, module: str, task: str) -> None:
    """Whether the task's result, which a run with -v shows, is what the module's documentation says."""
    shown = run.output.split(f": {task}]")[1]
    result = re.search(r"^(?:ok|changed): \[[^]]+\] =>\s*\n((?:    .*\n)+)", shown, re.MULTILINE)
    assert result, shown[:3000]
    documented = documentation(CHECKOUT / "plugins" / "modules" / f"{module}.py")[1]
    assert faults(documented, yaml.safe_load(textwrap.dedent(result[1]))) == []


class Recovery:
    """The environment, looked at from outside."""

    def __init__(self, lab):
        self.lab, self.database_id = lab, f"{NAME}-db"
        self.rds, self.bucket = lab.client("rds"), f"atena-terraform-state-{lab.account}"

    def record(self, name: str) -> dict:
        return json.load(self.lab.client("s3").get_object(Bucket=self.bucket, Key=f"atena/prod/{name}.json")["Body"])

    def write(self, count: int) -> list[str]:
        """Notes by the application's own API; each processed by the worker."""
        status, answer = self.lab.app.get("/notes", {"text": "kept", "count": count})
        assert status == 202, answer
        ids = answer.get("ids") or [answer["id"]]
        deadline = time.monotonic() + 30
        while any(self.lab.app.get(f"/notes/{one}")[0] != 200 for one in ids):
            assert time.monotonic() < deadline, "the worker does not process the notes"
            time.sleep(0.2)
        return ids

    def has(self, ids: list[str]) -> bool:
        return all(self.lab.app.get(f"/notes/{one}")[0] == 200 for one in ids)

    def notes(self) -> int:
        return self.lab.app.get("/jobs")[1]["notes"]["all"]

    def instances(self) -> list[str]:
        return sorted(one["DBInstanceIdentifier"] for one in self.rds.describe_db_instances()["DBInstances"] if one["DBInstanceIdentifier"].startswith(NAME))

    def snapshots(self) -> list[str]:
        return sorted(one["DBSnapshotIdentifier"] for one in self.rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"])

    def version(self) -> str:
        return self.rds.describe_db_instances(DBInstanceIdentifier=self.database_id)["DBInstances"][0]["EngineVersion"]

    def planned_with(self, version: str, **more: bool) -> str:
        """What a bare plan says of the database's version, if the inventory asked for this one."""
        database = json.loads((self.lab.infra / "terraform.auto.tfvars.json").read_text())["database"]
        code, output = self.lab.plan("-var", f"database={json.dumps({**database, 'engine_version': version, **more})}")
        assert code in (0, 2), output
        return " ".join(next((line.split("=")[1] for line in output.splitlines() if " engine_version " in line), "").split())

    def query(self, sql: str) -> list[tuple]:
        url = self.lab.client("ssm").get_parameter(Name="/atena/prod/DATABASE_URL", WithDecryption=True)["Parameter"]["Value"]
        with psycopg2.connect(libpq(url), connect_timeout=5) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def plan_is_empty(self) -> None:
        code, output = self.lab.plan()
        assert code == 0, output
        assert self.lab.lock() is None


class Polled:
    """Asks the application all the time; what it answered, and when."""

    def __init__(self, app):
        self.app, self.answers, self._stop = app, [], threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self) -> None:
        while not self._stop.is_set():
            for path in ("/health", "/"):
                try:
                    status = self.app.get(path, timeout=5)[0]
                except OSError:
                    status = 0
                self.answers.append((time.time(), path, status))
            self._stop.wait(0.2)

    def __enter__(self) -> Polled:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)

    def bad(self, until: float) -> list[tuple]:
        return [answer for answer in self.answers if answer[0] < until and answer[2] != 200]


@pytest.fixture(scope="module")
def recovery(lab):
    with without_new_snapshots(lab):
        yield Recovery(lab)


@pytest.fixture
def quick(recovery):
    """The database's log is kept every second, not every five minutes."""
    with Faults(recovery.lab.endpoint) as faults:
        faults.database_log(1)
        yield faults


class TestDestroyAndRedeploy:
    @pytest.mark.core
    def test_without_the_typed_name_nothing_is_done_and_a_check_tells_all(self, recovery):
        run = recovery.lab.playbook("destroy.yml").must_fail()
        assert "This destroys atena-prod: that is not done without its name. Nothing was changed." in run.text
        run = recovery.lab.playbook("destroy.yml", "-e", "destroy_confirm=atena-staging").must_fail()
        assert "destroy_confirm is 'atena-staging', but this environment is atena-prod" in run.text
        with Wire(recovery.lab.endpoint) as wire:
            run = recovery.lab.playbook("destroy.yml", "--check", "-v", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
        as_documented(run, *DESTROY)
        assert wire.writes() == [] and run.changed == 1
        for words in (
            "- aws_db_instance.main",
            "- aws_elasticache_cluster.main[0]",
            "would go into its final snapshot, atena-prod-db-final-",
            "Stays: images:",
        ):
            assert words in run.text, run.output
        assert "- aws_ecr_repository" not in run.text and "- aws_cloudwatch_log_group" not in run.text
        recovery.plan_is_empty()

    def test_deletion_protection_is_no_surprise(self, recovery):
        recovery.rds.modify_db_instance(DBInstanceIdentifier=recovery.database_id, DeletionProtection=True, ApplyImmediately=True)
        try:
            run = recovery.lab.playbook("destroy.yml", "-e", f"destroy_confirm={NAME}").must_fail()
            assert "has deletion protection" in run.text and "deletion_protection: false" in run.text and "Nothing was changed" in run.text
        finally:
            recovery.rds.modify_db_instance(DBInstanceIdentifier=recovery.database_id, DeletionProtection=False, ApplyImmediately=True)

    @pytest.mark.core
    def test_rows_outlive_a_destroy(self, recovery):
        """The name of the final snapshot is taken, as after a deletion by hand: another one is drawn."""
        ids, before = recovery.write(20), recovery.notes()
        state = json.loads((recovery.lab.client("s3").get_object(Bucket=recovery.bucket, Key="atena/prod/terraform.tfstate")["Body"]).read())
        final = next(one for one in state["resources"] if one["type"] == "aws_db_instance")["instances"][0]["attributes"]["final_snapshot_identifier"]
        recovery.rds.create_db_snapshot(DBInstanceIdentifier=recovery.database_id, DBSnapshotIdentifier=final)
        time.sleep(3)
        destroyed(recovery)
        assert recovery.record("destroyed")["database"]["snapshot"] != final
        again = recovery.lab.playbook("destroy.yml", "-e", f"destroy_confirm={NAME}").must_succeed()
        assert again.changed == 0 and "Nothing to do" in again.text
        with Wire(recovery.lab.endpoint) as wire:
            predicted = recovery.lab.playbook("redeploy.yml", "--check", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
        assert wire.writes() == [] and predicted.changed > 0
        # What the account lost besides: secrets come back from where they are kept.
        recovery.lab.client("ssm").delete_parameter(Name="/atena/prod/ADMIN_TOKEN")
        redeployed(recovery, ids, before)
        assert recovery.lab.playbook("redeploy.yml").must_succeed().changed == 0

    def test_a_second_destroy_has_a_snapshot_of_its_own(self, recovery):
        taken = []
        for _ in range(2):
            ids, before = recovery.write(5), recovery.notes()
            destroyed(recovery)
            taken.append(recovery.record("destroyed")["database"]["snapshot"])
            again = recovery.lab.playbook("destroy.yml", "-e", f"destroy_confirm={NAME}").must_succeed()
            assert again.changed == 0 and "Nothing to do" in again.text
            redeployed(recovery, ids, before)
            again = recovery.lab.playbook("redeploy.yml").must_succeed()
            assert again.changed == 0, again.output
        assert len(set(taken)) == 2 and set(taken) <= set(recovery.snapshots())

    def test_one_that_is_stopped_keeps_its_queue_and_one_that_is_killed_is_finished(self, recovery):
        ids, before = recovery.write(5), recovery.notes()
        recovery.lab.playbook("stop.yml").must_succeed()
        dies(recovery, "destroy.yml", "rds:DeleteDBInstance", "-e", f"destroy_confirm={NAME}")
        recovery.lab.playbook("destroy.yml", "-e", f"destroy_confirm={NAME}", *LOCK).must_succeed()
        record = recovery.record("destroyed")
        assert record["state"] == "destroyed" and "-redis-stop-" in record["redis"]["snapshot"]
        redeployed(recovery, ids, before)

    @pytest.mark.parametrize(
        ("playbook", "call"),
        # A gateway that no state knows; a Redis that was let go of, and is there; one that was restored, and not adopted.
        [("start.yml", "ec2:CreateNatGateway"), ("stop.yml", "elasticache:DeleteCacheCluster"), ("start.yml", "elasticache:CreateCacheCluster")],
    )
    def test_what_a_killed_stop_or_start_left_goes_too(self, recovery, playbook, call):
        ids, before = recovery.write(5), recovery.notes()
        if playbook == "start.yml":
            recovery.lab.playbook("stop.yml").must_succeed()
        dies(recovery, playbook, call)
        recovery.lab.playbook("destroy.yml", "-e", f"destroy_confirm={NAME}", *LOCK).must_succeed()
        gateways = recovery.lab.client("ec2").describe_nat_gateways(Filters=[{"Name": "tag:Name", "Values": [f"{NAME}-nat"]}])["NatGateways"]
        assert [one["State"] for one in gateways if one["State"] != "deleted"] == []
        redeployed(recovery, ids, before)


# What AWS creates under a name that is given once; the provider sends a call again that got no answer, and then it exists.
LOST = (
    *("ec2:CreateSecurityGroup", "iam:CreateRole", "ecs:CreateService", "elbv2:CreateTargetGroup", "elbv2:CreateLoadBalancer", "elbv2:CreateListener"),
    *("rds:CreateDBSubnetGroup", "rds:RestoreDBInstanceFromDBSnapshot", "elasticache:CreateCacheSubnetGroup", "elasticache:CreateCacheParameterGroup"),
    *("elasticache:CreateCacheCluster", "ssm:PutParameter", "ec2:CreateRoute", "ec2:AuthorizeSecurityGroupIngress"),
)


class TestAnswersThatWereLost:
    def test_a_redeploy_goes_on_from_whatever_is_there(self, recovery, good):
        """What is checked out meanwhile is not what ran. Killed when it had made its network, then without an answer to its first creation of each kind: each
        run takes in what the one before left."""
        ids, lab = recovery.write(7), recovery.lab
        waiting = Power(lab)
        with waiting.redis() as connection:
            connection("SET", "mark", "before the destroy")
        rows = recovery.query("SELECT * FROM notes ORDER BY id")
        ran = good.commit
        destroyed(recovery)
        good.change("Nobody released this", **{"README.md": "Not yet.\n"})
        dies(recovery, "redeploy.yml", "ec2:CreateVpc")
        told = []
        with Faults(lab.endpoint) as faults:
            lost = {operation: faults.drop(operation, times=1, carried_out=True) for operation in LOST}
            for _ in range(12):
                run = lab.playbook("redeploy.yml", *LOCK, timeout=900)
                told.append(run.text)
                if run.code == 0:
                    break
            assert run.code == 0, run.output
            # What stands on nothing may have been made by the run that was killed.
            made_before = {"iam:CreateRole", "elasticache:CreateCacheParameterGroup"}
            assert {operation for operation, fault in lost.items() if not faults.hits(fault)} <= made_before
        good.back_to(ran)
        said = " ".join(told)
        assert f"Release: {ran}, which ran before" in said and recovery.record("destroyed")["release"] == ran
        for address in ("aws_vpc.main", "aws_db_instance.main", "aws_elasticache_cluster.main[0]", "aws_ssm_parameter.database_url", "aws_security_group."):
            assert re.search(rf"{re.escape(address)}\S*: is there already \(\S+\), and is imported", said), said[-6000:]
        assert recovery.query("SELECT * FROM notes ORDER BY id") == rows and recovery.has(ids)
        with waiting.redis() as connection:
            assert connection("GET", "mark") == b"before the destroy"
        assert lab.app.get("/health")[1]["status"] == "ok" and recovery.record("destroyed")["state"] == "redeployed"
        recovery.plan_is_empty()
        self.nothing_is_open_or_there_twice(recovery)

    def nothing_is_open_or_there_twice(self, recovery) -> None:
        ec2 = recovery.lab.client("ec2")
        assert len([vpc for vpc in ec2.describe_vpcs()["Vpcs"] if {"Key": "Name", "Value": f"{NAME}-vpc"} in vpc.get("Tags", [])]) == 1
        groups = [one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"] if one["GroupName"].startswith(NAME)]
        rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": groups}])["SecurityGroupRules"]
        assert [rule for rule in rules if rule["IsEgress"] and rule["IpProtocol"] == "-1"] == []


def destroyed(recovery) -> None:
    lab = recovery.lab
    run = lab.playbook("destroy.yml", "-v", "-e", f"destroy_confirm={NAME}").must_succeed()
    as_documented(run, *DESTROY)
    assert run.changed == 1 and "Destroyed atena-prod" in run.text
    record = recovery.record("destroyed")
    assert record["state"] == "destroyed" and record["database"]["snapshot"] in recovery.snapshots()
    assert recovery.instances() == []
    assert [one for one in lab.client("elasticache").describe_cache_clusters()["CacheClusters"] if one["CacheClusterId"].startswith(NAME)] == []
    assert [vpc for vpc in lab.client("ec2").describe_vpcs()["Vpcs"] if {"Key": "Name", "Value": f"{NAME}-vpc"} in vpc.get("Tags", [])] == []
    assert lab.client("ecr").describe_images(repositoryName=f"{NAME}-api")["imageDetails"]
    told = lab.playbook("status.yml").must_succeed().text
    assert f"It ran the release {record['release']}" in told and record["database"]["snapshot"] in told.split("left: ")[1] and "cost: still about $" in told
    assert lab.client("logs").describe_log_groups(logGroupNamePrefix=f"/ecs/{NAME}-api")["logGroups"]


def redeployed(recovery, ids: list[str], before: int) -> None:
    run = recovery.lab.playbook("redeploy.yml", timeout=900).must_succeed()
    record = recovery.record("destroyed")
    assert f"from the snapshot {record['database']['snapshot']}" in run.text and f"Release: {record['release']}, which ran before" in run.text
    assert recovery.lab.app.get("/health")[1]["status"] == "ok"
    assert recovery.has(ids) and recovery.notes() == before
    assert recovery.record("destroyed")["state"] == "redeployed"
    recovery.plan_is_empty()


def dies(recovery, playbook: str, call: str, *arguments: str, number: int = 1) -> None:
    """A playbook whose processes are all killed when AWS has done this so many times, and nobody knows yet of the last."""
    struck = []

    def after(made):
        if len(struck) < number and call in str(made):
            struck.append(str(made))
            if len(struck) == number:
                kill([process.pid, *descendants(process.pid)])
                raise ConnectionAbortedError("the caller is dead")

    with Wire(recovery.lab.endpoint, after=after) as wire:
        process = recovery.lab.start(playbook, *LOCK, *arguments, environment={"AWS_ENDPOINT_URL": wire.endpoint})
        process.communicate(timeout=600)
    assert len(struck) == number, f"{playbook} ended without {call}"


@pytest.fixture
def bad(recovery, good, quick):
    """A release whose migration forgets what the notes said; the moment before it, and the notes that were there then."""
    ids = recovery.write(10)
    time.sleep(1.2)
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    time.sleep(1.2)
    commit = good.commit
    # The application would make the same mistake again at its next release: the commit goes, too.
    good.change("Forget everything", **{new_migration("forget_everything"): "DELETE FROM notes;\nALTER TABLE notes DROP COLUMN wishes;\n"})
    recovery.lab.playbook("deploy.yml").must_succeed()
    assert recovery.notes() == 0
    yield moment, ids
    good.back_to(commit)
    recovery.lab.playbook("deploy.yml").must_succeed()


class TestRestoringTheDatabase:
    @pytest.mark.core
    def test_a_bad_migration_is_undone_while_the_rest_goes_on_answering(self, recovery, bad):
        lab, (moment, ids) = recovery.lab, bad
        asked = ("-e", f"restore_database_time={moment}")
        run = lab.playbook("restore_database.yml", "--check", *asked).must_succeed()
        assert f"Would restore the point in time {moment} into a new database" in run.text and run.changed == 1
        assert recovery.instances() == [recovery.database_id]
        with Polled(lab.app) as polled:
            run = lab.playbook("restore_database.yml", "-v", *asked, "-e", f"restore_database_confirm={NAME}").must_succeed()
        as_documented(run, *RESTORE)
        record = recovery.record("restored")
        swap = next(step for step in record["steps"] if step["step"] == "swap")
        began = datetime.fromisoformat(swap["began_at"]).timestamp()
        assert polled.bad(began) == []
        assert {path for _, path, status in polled.answers if status != 200} <= {"/health"}, "the API itself went down"
        assert recovery.has(ids) and lab.app.get("/health")[1]["status"] == "ok"
        assert (
            "notes: " in run.text
            and "(the original: 0)" in run.text
            and re.search(r"migrations that only the original has: \d+_forget_everything.sql", run.text)
        )
        kept = record["original"]["aside"]
        assert recovery.instances() == sorted([recovery.database_id, kept]) and kept in run.text
        recovery.plan_is_empty()
        assert "skip_final_snapshot" in run.text, "what the import left different was not told"
        self.cleared_away(recovery, kept)

    def cleared_away(self, recovery, kept: str) -> None:
        """The old one goes when its name is typed; while it stands nothing is destroyed. (Other names: tests/unit/recovery/test_recovery_runs.py.)"""
        run = recovery.lab.playbook("destroy.yml", "-e", f"destroy_confirm={NAME}").must_fail()
        assert f"{kept} still exists" in run.text
        run = recovery.lab.playbook("restore_database.yml", "-v", "-e", f"restore_database_remove_original={kept}").must_succeed()
        as_documented(run, *RESTORE)
        assert recovery.instances() == [recovery.database_id] and f"{kept}-final" in recovery.snapshots()

    def test_what_was_restored_is_upgraded_by_aws_and_no_plan_wants_it_back(self, recovery, quick):
        """The inventory says 16. The instance that Terraform took in has a whole version in its state, and RDS takes no older one."""
        quick.days(1)
        recovery.write(3)
        before = recovery.version()
        assert re.fullmatch(r"16\.\d+", before)
        recovery.lab.playbook("restore_database.yml", "-e", f"restore_database_confirm={NAME}").must_succeed()
        assert recovery.version() == before
        recovery.plan_is_empty()
        quick.upgraded(recovery.database_id, "16.90")
        recovery.plan_is_empty()
        assert recovery.lab.playbook("infra.yml").must_succeed().changed == 0
        assert [recovery.planned_with(version) for version in ("16", "16.90", "16.91", "17")] == ["", "", '"16.90" -> "16.91"', '"16.90" -> "17"']
        # Back to the first, whose version was never raised, and which Terraform takes in again.
        recovery.lab.playbook("restore_database.yml", "-e", f"restore_database_undo={NAME}").must_succeed()
        assert recovery.version() == before
        recovery.plan_is_empty()
        aside = recovery.record("restored")["restored"]["aside"]
        recovery.lab.playbook("restore_database.yml", "-e", f"restore_database_remove_original={aside}").must_succeed()

    def test_one_that_is_killed_in_the_swap_goes_on_and_can_be_taken_back(self, recovery, quick):
        recovery.write(3)
        quick.days(1)
        confirmed = ("-e", f"restore_database_confirm={NAME}")
        before = recovery.notes()
        resource = recovery.rds.describe_db_instances(DBInstanceIdentifier=recovery.database_id)["DBInstances"][0]["DbiResourceId"]
        # The first is about its settings; the second takes the name from the old one.
        dies(recovery, "restore_database.yml", "rds:ModifyDBInstance", *confirmed, number=2)
        sentence, command = "a restore of the database began at", f"restore_database.yml -e restore_database_confirm={NAME}"
        told = recovery.lab.playbook("status.yml").must_succeed().text
        assert sentence in told and f"{command} finishes it" in told and "Healthy" not in told
        told = recovery.lab.playbook("diagnose.yml").must_succeed().text
        assert f"WORK_INCOMPLETE, {NAME}:" in told and sentence[1:] in told and f"playbooks/{command}" in told
        assert f"{command} finishes it" in recovery.lab.playbook("preflight.yml").must_fail().text
        run = recovery.lab.playbook("restore_database.yml", *confirmed, *LOCK).must_succeed()
        assert re.search(r"Restored the snapshot rds:atena-prod-db-\d{4}", run.text) and recovery.notes() == before
        recovery.plan_is_empty()
        run = recovery.lab.playbook("restore_database.yml", "-e", f"restore_database_undo={NAME}").must_succeed()
        assert recovery.rds.describe_db_instances(DBInstanceIdentifier=recovery.database_id)["DBInstances"][0]["DbiResourceId"] == resource
        assert recovery.notes() == before
        recovery.plan_is_empty()
        aside = recovery.record("restored")["restored"]["aside"]
        recovery.lab.playbook("restore_database.yml", "-e", f"restore_database_remove_original={aside}").must_succeed()

    def test_what_terraform_would_destroy_is_told_before_anything_is_swapped(self, recovery, quick):
        """Other subnets in the inventory, and nobody applied them: the apply after the swap would be refused."""
        lab = recovery.lab
        quick.days(1)
        ids, confirmed = recovery.write(3), ("-e", f"restore_database_confirm={NAME}")
        other = ("-e", json.dumps({"atena_private_subnet_cidrs": ["10.0.110.0/24", "10.0.120.0/24"]}))
        run = lab.playbook("restore_database.yml", "--check", *other).must_succeed()
        assert "WOULD FAIL: What the configuration says was not applied" in run.text
        with Wire(lab.endpoint) as wire:
            run = lab.playbook("restore_database.yml", *confirmed, *other, environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_fail()
        assert re.search(r"aws_subnet\.private\[\S+\] would be replaced", run.text) and "infra.yml" in run.text and "Nothing was changed." in run.text
        assert [made for made in wire.writes() if "dynamodb:" not in str(made)] == []
        assert recovery.instances() == [recovery.database_id] and recovery.has(ids)
        assert "Healthy" in lab.playbook("status.yml").must_succeed().text
        # In an emergency the application comes first. Here the database stands on what is to be replaced, so that nothing at all is applied.
        run = lab.playbook("restore_database.yml", *confirmed, *other, "-e", "restore_allow_unapplied=true").must_succeed()
        assert re.search(r"Not applied, as asked: .*aws_subnet\.private", run.text), run.output
        assert recovery.has(ids)
        lab.playbook("infra.yml").must_succeed()
        recovery.plan_is_empty()
        lab.playbook("restore_database.yml", "-e", f"restore_database_undo={NAME}").must_succeed()
        recovery.plan_is_empty()
        aside = recovery.record("restored")["restored"]["aside"]
        lab.playbook("restore_database.yml", "-e", f"restore_database_remove_original={aside}").must_succeed()

    def test_one_that_does_not_come_up_leaves_all_as_it_was(self, recovery, quick):
        quick.days(1)
        quick.failing("database_restore")
        confirmed = ("-e", f"restore_database_confirm={NAME}")
        run = recovery.lab.playbook("restore_database.yml", *confirmed).must_fail()
        assert "is restore-error" in run.text and "restore_database_undo=atena-prod" in run.text
        recovery.plan_is_empty()
        recovery.lab.playbook("restore_database.yml", "-e", f"restore_database_undo={NAME}").must_succeed()
        assert recovery.instances() == [recovery.database_id]


class TestKilledBetweenTheStateAndItsDigest:
    def test_infra_goes_on_from_there(self, recovery):
        """Its Terraform's lock is there, too: nobody has to type force-unlock."""
        lab = recovery.lab
        dies(recovery, "infra.yml", f"s3:PUT /{recovery.bucket}/atena/prod/terraform.tfstate", "-e", "atena_log_retention_days=14")
        table, path = lab.client("dynamodb"), f"{recovery.bucket}/atena/prod/terraform.tfstate"
        items = {key: table.get_item(TableName=LOCKS, Key={"LockID": {"S": f"{path}{key}"}}).get("Item") for key in ("", "-md5")}
        state = lab.client("s3").get_object(Bucket=recovery.bucket, Key="atena/prod/terraform.tfstate")["Body"].read()
        assert items[""] and items["-md5"]["Digest"]["S"] != hashlib.md5(state).hexdigest(), "it was not killed there"
        run = lab.playbook("infra.yml", *LOCK).must_succeed()
        assert "was released that a Terraform of this machine held" in run.text and "ended the digest of the state" in run.text
        recovery.plan_is_empty()


class TestRestoredByHand:
    """By console or CLI, as a handbook says; then one command."""

    ROWS = "SELECT * FROM notes ORDER BY id"

    def snapshot(self, recovery, name: str) -> str:
        recovery.rds.create_db_snapshot(DBInstanceIdentifier=recovery.database_id, DBSnapshotIdentifier=name)
        until(lambda: recovery.rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]["Status"] == "available")
        return name

    def restored(self, recovery, snapshot: str, identifier: str) -> None:
        asked = {"DBInstanceIdentifier": identifier, "DBSnapshotIdentifier": snapshot, "DBSubnetGroupName": f"{NAME}-db"}
        recovery.rds.restore_db_instance_from_db_snapshot(**asked)
        found = recovery.rds.describe_db_instances
        until(lambda: found(DBInstanceIdentifier=identifier)["DBInstances"][0]["DBInstanceStatus"] == "available", 120)

    def test_under_another_name_beside_the_one_that_serves(self, recovery, quick):
        recovery.write(5)
        rows, snapshot = recovery.query(self.ROWS), self.snapshot(recovery, f"{NAME}-by-hand")
        recovery.write(2)
        self.restored(recovery, snapshot, "by-hand")
        try:
            confirmed = ("-e", "restore_database_instance=by-hand", "-e", f"restore_database_confirm={NAME}")
            recovery.lab.playbook("restore_database.yml", *confirmed).must_succeed()
            assert recovery.query(self.ROWS) == rows
            recovery.plan_is_empty()
            recovery.lab.playbook("restore_database.yml", "-e", f"restore_database_undo={NAME}").must_succeed()
            assert len(recovery.query(self.ROWS)) == len(rows) + 2
            recovery.plan_is_empty()
        finally:
            recovery.lab.playbook("restore_database.yml", "-e", "restore_database_remove_original=by-hand")
            recovery.rds.delete_db_snapshot(DBSnapshotIdentifier=snapshot)

    def test_under_its_own_name_after_somebody_deleted_it(self, recovery, quick):
        lab = recovery.lab
        ids = recovery.write(5)
        rows, snapshot = recovery.query(self.ROWS), self.snapshot(recovery, f"{NAME}-by-hand")
        recovery.rds.delete_db_instance(DBInstanceIdentifier=recovery.database_id, SkipFinalSnapshot=True)
        until(lambda: recovery.database_id not in recovery.instances(), 60)
        self.restored(recovery, snapshot, recovery.database_id)
        refused = lab.playbook("infra.yml").must_fail().text
        assert f"{recovery.database_id} is there already" in refused and "Nothing was changed" in refused
        command = re.search(r"infra\.yml -e '(\{.*?\})'", refused)[1]
        run = lab.playbook("infra.yml", "-e", command).must_succeed()
        assert f"aws_db_instance.main ({recovery.database_id})" in run.text
        lab.playbook("restart.yml").must_succeed()
        assert recovery.query(self.ROWS) == rows and recovery.has(ids) and lab.app.get("/health")[1]["status"] == "ok"
        recovery.plan_is_empty()
        recovery.rds.delete_db_snapshot(DBSnapshotIdentifier=snapshot)

    def test_a_terraform_destroy_by_hand_is_followed_by_a_redeploy_that_asks(self, recovery, quick):
        """It stops at repositories that hold images; the database goes into its final snapshot, the queue with its cluster."""
        lab, ids = recovery.lab, recovery.write(4)
        rows = recovery.query(self.ROWS)
        subprocess.run(["terraform", f"-chdir={lab.infra}", "destroy", "-auto-approve", "-input=false"], check=False, capture_output=True, timeout=600)
        assert recovery.instances() == []
        final = next(name for name in recovery.snapshots() if name.startswith(f"{NAME}-db-final-"))
        refused = lab.playbook("redeploy.yml").must_fail().text
        assert "it is not known which rows" in refused and final in refused and "Nothing was changed" in refused
        named = ("-e", f"redeploy_database_snapshot={final}", "-e", "redeploy_redis_snapshot=none")
        lab.playbook("redeploy.yml", *named, timeout=900).must_succeed()
        assert recovery.query(self.ROWS) == rows and recovery.has(ids)
        recovery.plan_is_empty()


class TestMajorVersions:
    def test_another_one_is_a_persons_decision(self, recovery, quick):
        lab, wanted = recovery.lab, ("-e", json.dumps({"atena_database": {"engine_version": "17"}}))
        with Wire(lab.endpoint) as wire:
            run = lab.playbook("infra.yml", *wanted, environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_fail()
        assert "to 17. RDS does that only where it is allowed" in run.text and "allow_major_version_upgrade: true in atena_database" in run.text
        assert [made for made in wire.writes() if "dynamodb:" not in str(made)] == []
        quick.days(1)
        run = lab.playbook("restore_database.yml", "--check", *wanted).must_succeed()
        assert "WOULD FAIL: " in run.text and "to 17. RDS does that only where it is allowed" in run.text
        allowed = ("-e", json.dumps({"atena_database": {"engine_version": "17", "allow_major_version_upgrade": True}}))
        run = lab.playbook("infra.yml", "--check", *allowed).must_succeed()
        assert "engine_version" in run.text
        lab.playbook("infra.yml", "--check").must_succeed()
        recovery.plan_is_empty()


class TestRestoringRedis:
    @pytest.mark.core
    def test_comes_back_to_a_snapshot_and_what_there_was_is_kept(self, recovery):
        lab, power = recovery.lab, Power(recovery.lab)
        name, cache = f"{NAME}-redis", lab.client("elasticache")
        with power.redis() as connection:
            connection("SET", "mark", "then")
        snapshot = f"{name}-rehearsal"
        cache.create_snapshot(CacheClusterId=name, SnapshotName=snapshot)
        until(lambda: cache.describe_snapshots(SnapshotName=snapshot)["Snapshots"][0]["SnapshotStatus"] == "available")
        try:
            with power.redis() as connection:
                connection("SET", "mark", "now")
            asked = ("-e", f"restore_redis_snapshot={snapshot}")
            run = lab.playbook("restore_redis.yml", *asked).must_fail()
            assert "This throws away what is in atena-prod-redis" in run.text and "Nothing was changed" in run.text
            with Wire(lab.endpoint) as wire:
                run = lab.playbook("restore_redis.yml", "--check", *asked, environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
            assert wire.writes() == [] and f"Would restore {snapshot} under the same name" in run.text and run.changed == 1
            run = lab.playbook("restore_redis.yml", *asked, "-e", f"restore_redis_confirm={NAME}").must_succeed()
            assert run.changed == 1
            with power.redis() as connection:
                assert connection("GET", "mark") == b"then"
                connection("DEL", "mark")
            power.is_on()
            kept = re.search(rf"{name}-before-\d{{8}}-\d{{6}}", run.text)[0]
            assert kept in power.snapshots()
            cache.delete_snapshot(SnapshotName=kept)
        finally:
            cache.delete_snapshot(SnapshotName=snapshot)
