"""Restores and destroys at work, on an AWS of a few lines: databases with their states and names, the secret, the record; what dies is gone on with."""

import contextlib
import datetime
import itertools
import json

import pytest
import redis_world
from ansible_collections.atena.aws.plugins.module_utils.core import calls as aws_calls, health
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.environment import destroy_record, lock as environment_lock
from ansible_collections.atena.aws.plugins.module_utils.environment.branches import Branches
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import DestroyRecord
from ansible_collections.atena.aws.plugins.module_utils.power import run as power_run
from ansible_collections.atena.aws.plugins.module_utils.power.run import PowerFailed
from ansible_collections.atena.aws.plugins.module_utils.recovery import (
    database as restore_run,
    destroy as destroy_run,
    redeploy as redeploy_run,
    restore_plan,
    run as recovery_run,
)
from ansible_collections.atena.aws.plugins.module_utils.redis import read as redis_read
from fakes import Pages
from test_ledger import Bucket

URL = "postgresql://atena:p%40ss@old:5432/atena?sslmode=require"
NOW = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)
REDIS = "aws_elasticache_cluster.main[0]"


RELEASE = "3f2a91c0d4e5f6071829304a5b6c7d8e9f001122"


class Aws(Pages):
    """call(service, operation, doing, **arguments). `fails` maps an operation and its number to an error, before it is carried out."""

    def __init__(self):
        self.bucket, self.url, self.fails, self.sent = Bucket(), URL, {}, []
        self.bucket.objects["gates"] = b'{"power": "on", "redis": "present"}'
        self.numbers = itertools.count(2)
        self.instances = [self.instance("e-db", "db-1", "old")]
        self.snapshots = [{"DBSnapshotIdentifier": "rds:1", "SnapshotType": "automated", "Status": "available", "SnapshotCreateTime": NOW}]
        self.elasticache = None

    @staticmethod
    def instance(name, resource, address, **more):
        return {
            **{"DBInstanceIdentifier": name, "DbiResourceId": resource, "DBInstanceStatus": "available", "MasterUsername": "atena", "TagList": []},
            **{"Endpoint": {"Address": address, "Port": 5432}, "DBSubnetGroup": {"DBSubnetGroupName": "e-db"}, "BackupRetentionPeriod": 7},
            **{"VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}], **more},
        }

    def client(self, name):
        pass

    def __call__(self, service, operation, doing, /, **arguments):
        if service == "s3":
            return self.bucket(service, operation, doing, **arguments)
        if service == "elasticache":
            return self.elasticache(service, operation, doing, **arguments)
        self.sent.append((operation, arguments))
        number = sum(1 for name, _ in self.sent if name == operation)
        if (operation, number) in self.fails:
            raise self.fails.pop((operation, number))
        return getattr(self, operation)(**arguments)

    def once(self, service, operation, doing, /, **arguments):
        return self.elasticache.once(service, operation, doing, **arguments)

    def describe_db_instances(self, DBInstanceIdentifier=None):
        found = [one for one in self.instances if DBInstanceIdentifier in (None, one["DBInstanceIdentifier"])]
        if DBInstanceIdentifier and not found:
            raise failure("none", "DBInstanceNotFound")
        answer = {"DBInstances": [dict(one) for one in found]}
        for one in found:  # what goes on is over at the next look
            if one["DBInstanceStatus"] in ("creating", "modifying", "renaming"):
                one["DBInstanceStatus"] = "available"
            if one["DBInstanceStatus"] == "deleting":
                self.instances.remove(one)
        return answer

    def describe_db_snapshots(self, **arguments):
        name = arguments.get("DBSnapshotIdentifier")
        found = [one for one in self.snapshots if name in (None, one["DBSnapshotIdentifier"])]
        if name and not found:
            raise failure("none", "DBSnapshotNotFound")
        return {"DBSnapshots": found}

    def restore_db_instance_from_db_snapshot(self, DBInstanceIdentifier, DBSnapshotIdentifier, **_):
        resource = f"db-{next(self.numbers)}"
        self.instances.append(self.instance(DBInstanceIdentifier, resource, f"new-{resource}", DBInstanceStatus="creating", BackupRetentionPeriod=1))

    def _named(self, name):
        return next(one for one in self.instances if one["DBInstanceIdentifier"] == name)

    def modify_db_instance(self, DBInstanceIdentifier, ApplyImmediately, NewDBInstanceIdentifier=None, **changes):
        found = self._named(DBInstanceIdentifier)
        if NewDBInstanceIdentifier:
            assert NewDBInstanceIdentifier not in self.names()
            found.update(DBInstanceIdentifier=NewDBInstanceIdentifier, DBInstanceStatus="renaming")
        else:
            found.update(changes, DBInstanceStatus="modifying")

    def delete_db_instance(self, DBInstanceIdentifier, SkipFinalSnapshot=True, FinalDBSnapshotIdentifier=None, DeleteAutomatedBackups=True):
        assert not self._named(DBInstanceIdentifier).get("DeletionProtection")
        self._named(DBInstanceIdentifier)["DBInstanceStatus"] = "deleting"
        if FinalDBSnapshotIdentifier:
            self.final(FinalDBSnapshotIdentifier)

    def final(self, name):
        self.snapshots.append({"DBSnapshotIdentifier": name, "SnapshotType": "manual", "Status": "available", "SnapshotCreateTime": NOW})

    def get_parameter(self, **_):
        return {"Parameter": {"Value": self.url, "Type": "SecureString"}}

    def describe_parameters(self, ParameterFilters):
        if ParameterFilters[0]["Key"] == "Path":
            return {"Parameters": [{"Name": "/e/TOKEN"}]}
        return {"Parameters": [{"Name": name, "Type": "SecureString", "KeyId": "alias/k"} for name in ParameterFilters[0]["Values"]]}

    def put_parameter(self, Value, KeyId, **_):
        assert KeyId == "alias/k"
        self.url = Value
        return {"Version": 2}

    def list_services(self, **_):
        return {"serviceArns": []}

    def list_tasks(self, **_):
        return {"taskArns": []}

    def describe_log_groups(self, **_):
        return {"logGroups": [{"logGroupName": "/ecs/e-api"}]}

    # Tags of the images that ECR has; None for any.
    image_tags = None

    def describe_images(self, imageIds=(), **_):
        if self.image_tags is not None and any(one["imageTag"] not in self.image_tags for one in imageIds):
            raise failure("none", "ImageNotFoundException")
        return {"imageDetails": [{}]}

    def describe_task_definition(self, **_):
        return {"taskDefinition": {"family": "e-api", "revision": 1}, "tags": [{"key": "atena:release", "value": RELEASE}]}

    def describe_load_balancers(self, **_):
        raise failure("none", "LoadBalancerNotFound")

    def names(self):
        return {one["DBInstanceIdentifier"]: one["DbiResourceId"] for one in self.instances}

    def record(self, key="record"):
        return json.loads(self.bucket.objects[key])


class Terraform:
    """What the state knows, and what was done to it."""

    warnings: list = []
    unrecorded = ""
    mended = 0

    def __init__(self, aws):
        self.aws, self.did = aws, []
        self.known = {"aws_db_instance.main", "aws_vpc.main", 'aws_ecr_repository.service["api"]', "random_id.final_snapshot", REDIS}
        self.final = "e-db-final-1"
        # What is in AWS and not in the state, and would keep subnets and security groups from going.
        self.recovered, self.outside = [], lambda: []
        # What the configuration says and nobody applied.
        self.unapplied: list = []

    def recover(self, journal=None):
        self.recovered.append(journal)

    def mend_digest(self):
        self.mended += 1

    def prepare(self):
        pass

    def refuse_unrecorded(self):
        pass

    @contextlib.contextmanager
    def locked(self):
        yield

    def state(self):
        return set(self.known)

    def let_go(self, *addresses):
        self.known -= set(addresses)
        self.did.append(("let go", sorted(addresses)))
        if addresses == ("random_id.final_snapshot",):
            self.final = "e-db-final-2"

    def take_in(self, missing, why=""):
        self.did.append(("take in", missing))
        self.known |= {address for address, _ in missing}

    def destroy_plan(self):
        changes = [{"address": address, "type": address.split(".")[0], "action": "destroy", "attributes": []} for address in sorted(self.known)]
        return changes, {"aws_db_instance.main": {"final_snapshot_identifier": self.final}} if "aws_db_instance.main" in self.known else {}

    def plan(self):
        return self.unapplied

    def apply(self, allow_destroy=(), destroy=False, targets=()):
        self.did.append(("destroy" if destroy else "apply", ", ".join(targets)))
        if not destroy and not targets and any(change["destroys"] for change in self.unapplied):
            raise CallFailed("Terraform would destroy 1 object, with what it holds. Nothing was changed")
        if not destroy:
            assert 'aws_ecr_repository.service["api"]' in self.known, "it would be recreated"
            return {"lines": ["~ aws_db_instance.main (skip_final_snapshot)"], "changes": []}
        changes, _ = self.destroy_plan()
        assert not [change for change in changes if destroy_run.stays(change["address"])]
        if self.outside():
            raise CallFailed(f"DependencyViolation: {', '.join(self.outside())}")
        self.aws.instances.clear()
        self.aws.final(self.final)
        self.known.clear()
        return {"lines": [], "changes": changes}


class Lock:
    def acquire(self, *_):
        return {"taken_over": None}

    @contextlib.contextmanager
    def renewing(self, on_lost=None):
        yield

    def give_back(self, _warn):
        pass

    running = environment_lock.Lock.running

    def check(self):
        pass


class Services:
    """Back, without ECS."""

    rolled: list = []

    def __init__(self, call, cluster, counts, before, **_):
        self.counts = counts

    def read(self):
        pass

    def roll_out(self):
        Services.rolled.append(dict(self.counts))


@pytest.fixture
def aws(monkeypatch):
    monkeypatch.setattr(restore_run, "Back", Services)
    monkeypatch.setattr(Services, "rolled", [])
    monkeypatch.setattr(health, "wait_until_healthy", lambda *_, **__: {"healthy": True, "status": 200, "content": "ok", "attempts": 1})
    monkeypatch.setattr(
        restore_run.recovery_read,
        "services",
        lambda *_: {"e-api": {"desiredCount": 2, "taskDefinition": "e-api:1", "deployments": [{"id": "d", "status": "PRIMARY"}]}},
    )
    monkeypatch.setattr(power_run, "interruptible", contextlib.nullcontext)
    monkeypatch.setattr(Branches, "sleep", lambda *_: None)
    return Aws()


@pytest.fixture
def terraform(aws):
    return Terraform(aws)


def params(**more):
    return {
        **{"name": "e", "cluster": None, "database_id": "e-db", "redis_id": "e-redis", "operator": "o", "tags": {}, "confirm": "e"},
        **{"snapshot": "", "time": "", "allow_unapplied": False, "check_command": None, "database_url_parameter": "/e/DATABASE_URL", "settings": {}},
        "storage": {"bucket": "state", "state_key": "s", "gates_key": "gates", "journal_key": "power", "record_key": "record"},
        "terraform": {"project_path": "/nowhere", "executable": "terraform", "lock_timeout": 1, "parallelism": 1, "allow_destroy": []},
        "lock": {"table": "t", "name": "e", "expires_in": 300, "wait": 0},
        "health": {"url": "http://e", "path": "/health", "attempts": 1, "delay": 0},
        "timeouts": {"tasks": 1, "database": 60, "redis": 60},
        **{"wait_timeout": 1, "wait_delay": 0, "log_lines": 1},
        **{"domain": {}, "services": [{"name": "e-api"}], "ssm_path": "/e", "kept_parameters": ["/e/TOKEN"], "log_prefix": "/ecs/e-"},
        **more,
    }


def made(kind, aws, terraform, **more):
    run = kind(aws, params(**more))
    terraform.journal = None
    run.terraform, run.lock = terraform, Lock()
    return run


def test_a_restore_ends_with_the_new_one_in_the_old_ones_place(aws, terraform, monkeypatch):
    counted = {"db-2": {"migrations": ["1"], "rows": {"n": 3}}, "db-1": {"migrations": ["1", "2"], "rows": {"n": 0}}}
    monkeypatch.setattr(restore_run.Restore, "_count", lambda self, instance: counted[instance["DbiResourceId"]])
    result = made(restore_run.Restore, aws, terraform, check_command={"command": ["c"]}).run()
    record = aws.record()
    assert result["outcome"] == record["state"] == "restored" and result["changed"]
    assert aws.names() == {record["original"]["aside"]: "db-1", "e-db": "db-2"}
    assert aws.url == "postgresql://atena:p%40ss@new-db-2:5432/atena?sslmode=require"
    restored = aws._named("e-db")
    assert (restored["MasterUserPassword"], restored["BackupRetentionPeriod"]) == ("p@ss", 7)
    assert terraform.did == [("let go", ["aws_db_instance.main"]), ("take in", [("aws_db_instance.main", "e-db")]), ("apply", "")]
    assert Services.rolled == [{"e-api": 2}] and record["kept"] == "db-1"
    said = " ".join(result["lines"])
    assert "n: 3 rows (the original: 0)" in said and "migrations that only the original has: 2" in said and "skip_final_snapshot" in said
    assert "p@ss" not in json.dumps(record) and "p%40ss" not in json.dumps(result)


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (("restore_db_instance_from_db_snapshot", 1), "restore"),
        (("modify_db_instance", 1), "settings"),
        (("modify_db_instance", 2), "the old one's name"),
        (("modify_db_instance", 3), "the new one's name"),
        (("put_parameter", 1), "the secret"),
    ],
)
def test_one_that_dies_is_gone_on_with_or_taken_back(aws, terraform, where, what):
    aws.fails[where] = CallFailed(what, "Whatever")
    with pytest.raises(PowerFailed, match=f"{what}\nThe restore is incomplete.*restore_database_undo=e"):
        made(restore_run.Restore, aws, terraform).run()
    assert aws.record()["state"] == "restoring"
    with pytest.raises(PowerFailed, match="is incomplete"):
        made(restore_run.Restore, aws, terraform, snapshot="rds:1").run()
    other = Aws()
    other.__dict__.update(instances=[dict(one) for one in aws.instances], url=aws.url, bucket=aws.bucket, numbers=aws.numbers)
    saved = dict(aws.bucket.objects)
    assert made(restore_run.Restore, aws, terraform).run()["outcome"] == "restored"
    assert aws.names()["e-db"] == "db-2" and len(aws.instances) == 2 and "new-db-2" in aws.url
    other.bucket.objects = saved
    assert made(restore_run.Undo, other, Terraform(other)).run()["outcome"] == "undone"
    assert other.names()["e-db"] == "db-1" and "@old:" in other.url


def test_a_copy_that_is_not_listed_yet_is_told_and_gone_on_with(aws, terraform):
    aws.restore_db_instance_from_db_snapshot = lambda **_: None
    with pytest.raises(PowerFailed, match=r"RDS does not list e-db-restored-\S+ yet.*\nThe restore is incomplete"):
        made(restore_run.Restore, aws, terraform).run()
    del aws.restore_db_instance_from_db_snapshot
    assert made(restore_run.Restore, aws, terraform).run()["outcome"] == "restored"


def test_a_copy_that_somebody_deletes_before_it_was_looked_at_is_told_and_nothing_is_swapped(aws, terraform, monkeypatch):
    monkeypatch.setattr(restore_run.Restore, "_as_the_original", lambda self, restored: aws.instances.remove(aws._named(restored["DBInstanceIdentifier"])))
    with pytest.raises(PowerFailed, match="The restored database is gone: somebody deleted it. Nothing was swapped."):
        made(restore_run.Restore, aws, terraform, check_command={"command": ["c"]}).run()
    assert aws.names() == {"e-db": "db-1"} and aws.url == URL


def test_a_database_that_is_not_listed_under_its_new_name_is_told(aws, terraform, monkeypatch):
    monkeypatch.setattr(restore_run.Restore, "_rename", lambda *_: None)
    listed = restore_run.describe_database
    monkeypatch.setattr(restore_run, "describe_database", lambda call, name: None if name == "e-db" and len(aws.instances) > 1 else listed(call, name))
    with pytest.raises(PowerFailed, match="RDS does not list e-db, which a database was renamed to."):
        made(restore_run.Restore, aws, terraform).run()


def test_a_restore_that_ended_can_be_taken_back_and_what_is_left_aside_deleted(aws, terraform):
    made(restore_run.Restore, aws, terraform).run()
    with pytest.raises(PowerFailed, match="of the last restore still exists"):
        made(restore_run.Restore, aws, terraform).run()
    assert made(restore_run.Undo, aws, terraform).run()["outcome"] == "undone"
    aside = aws.record()["restored"]["aside"]
    assert aws.names() == {"e-db": "db-1", aside: "db-2"} and "@old:" in aws.url
    aws._named(aside)["DeletionProtection"] = True
    with pytest.raises(CallFailed, match="Nothing was deleted"):
        made(restore_run.Remove, aws, terraform, confirm="e").run()
    result = made(restore_run.Remove, aws, terraform, confirm=aside).run()
    assert aws.names() == {"e-db": "db-1"} and result["final_snapshot"] == f"{aside}-final" and result["outcome"] == "removed"
    assert made(restore_run.Remove, aws, terraform, confirm=aside).run()["outcome"] == "nothing_to_do"
    assert made(restore_run.Undo, aws, terraform).run()["outcome"] == "nothing_to_do"


@pytest.mark.parametrize("operation", ["modify_db_instance", "delete_db_instance"])
def test_what_was_done_by_a_call_whose_answer_was_lost_is_no_failure(aws, terraform, monkeypatch, operation):
    """The attempt after it is refused, since the instance is being renamed or deleted by then."""
    carry_out, twice = getattr(aws, operation), []

    def lost(**arguments):
        carry_out(**arguments)
        if "NewDBInstanceIdentifier" in arguments or operation.startswith("delete"):
            twice.append(arguments)
            raise failure(f"{arguments['DBInstanceIdentifier']} is not available", "InvalidDBInstanceState")

    monkeypatch.setattr(aws, operation, lost)
    made(restore_run.Restore, aws, terraform).run()
    aside = aws.record()["original"]["aside"]
    made(restore_run.Remove, aws, terraform, confirm=aside).run()
    assert aws.names() == {"e-db": "db-2"} and twice


@pytest.mark.parametrize("operation", ["modify_db_instance", "delete_db_instance"])
def test_what_rds_refuses_is_one(aws, terraform, operation):
    aws.fails[(operation, 2 if operation.startswith("modify") else 1)] = failure("it is being backed up", "InvalidDBInstanceState")
    with pytest.raises(PowerFailed, match="being backed up"):
        made(restore_run.Restore, aws, terraform).run()
        made(restore_run.Remove, aws, terraform, confirm=aws.record()["original"]["aside"]).run()


def would(address, action="replace", reason="name cannot be changed in place"):
    return {"address": address, "type": address.split(".")[0], "action": action, "reason": reason, "attributes": [], "destroys": action != "update"}


GROUP = would("aws_security_group.redis")


@pytest.mark.parametrize("kind", [restore_run.Restore, restore_run.Undo])
def test_what_terraform_would_refuse_at_the_end_is_not_begun(aws, terraform, kind):
    if kind is restore_run.Undo:
        made(restore_run.Restore, aws, terraform).run()
    terraform.unapplied, terraform.did = [GROUP, would("aws_db_instance.main", "update")], []
    before, names, url, sent = dict(aws.bucket.objects), aws.names(), aws.url, len(aws.sent)
    with pytest.raises(PowerFailed) as failed:
        made(kind, aws, terraform).run()
    said = str(failed.value)
    assert "aws_security_group.redis would be replaced, because name cannot be changed in place" in said and "aws_db_instance" not in said
    assert "infra.yml" in said and "restore_allow_unapplied=true" in said and said.endswith("Nothing was changed.")
    assert (aws.bucket.objects, aws.names(), aws.url, terraform.did) == (before, names, url, [])
    assert not [operation for operation, _ in aws.sent[sent:] if not operation.startswith(("describe_", "get_", "list_"))]


def test_in_an_emergency_the_database_alone_is_applied_and_what_is_left_is_told(aws, terraform):
    terraform.unapplied = [GROUP]
    run = made(restore_run.Restore, aws, terraform, allow_unapplied=True)
    assert run.run()["outcome"] == "restored" and aws.names()["e-db"] == "db-2"
    assert terraform.did[-1] == ("apply", "aws_db_instance.main")
    assert "Not applied, as asked: aws_security_group.redis. infra.yml" in " ".join(run.warnings)


def test_in_an_emergency_the_application_comes_before_what_the_database_stands_on(aws, terraform, monkeypatch):
    terraform.unapplied = [would("aws_security_group.database")]
    monkeypatch.setattr(terraform, "apply", lambda *_, **__: (_ for _ in ()).throw(CallFailed("Terraform would destroy 1 object.\n  more")))
    run = made(restore_run.Restore, aws, terraform, allow_unapplied=True)
    assert run.run()["outcome"] == "restored" and Services.rolled == [{"e-api": 2}]
    assert "applied nothing: Terraform would destroy 1 object." in " ".join(run.warnings)


@pytest.mark.parametrize(
    ("planned", "allowed", "refused"),
    [
        ([would("aws_vpc.main", "update")], [], []),
        ([would("aws_vpc.main", "destroy")], [], ["aws_vpc.main"]),
        ([would("aws_vpc.main")], ["aws_vpc.*"], []),
        # Another one takes its place; but one that the inventory wants otherwise would be replaced, too.
        ([would("aws_db_instance.main", reason="its creation failed half-way (it is tainted)")], [], []),
        ([would("aws_db_instance.main", reason="db_name cannot be changed in place")], [], ["aws_db_instance.main"]),
        ([would("aws_nat_gateway.main[0]", reason="its creation failed half-way (it is tainted)")], [], []),
    ],
)
def test_what_is_in_the_way_is_what_the_apply_would_be_refused_for(planned, allowed, refused):
    assert [change["address"] for change in restore_plan.in_the_way(planned, allowed)] == refused


def test_a_copy_that_was_not_swapped_in_is_deleted_whatever_was_not_applied(aws, terraform):
    begun_beside(aws, terraform)
    terraform.unapplied = [GROUP]
    assert made(restore_run.Undo, aws, terraform).run()["outcome"] == "undone" and aws.names() == {"e-db": "db-1"}


def test_one_that_died_in_the_swap_is_not_sent_to_infra(aws, terraform):
    aws.fails[("modify_db_instance", 3)] = CallFailed("no", "Whatever")
    with pytest.raises(PowerFailed, match="is incomplete"):
        made(restore_run.Restore, aws, terraform).run()
    terraform.unapplied = [GROUP]
    with pytest.raises(PowerFailed, match="Nothing more was changed") as failed:
        made(restore_run.Restore, aws, terraform).run()
    assert "infra.yml" not in str(failed.value) and "Take the change" in str(failed.value)
    assert made(restore_run.Restore, aws, terraform, allow_unapplied=True).run()["outcome"] == "restored"


def test_a_plan_that_cannot_be_made_begins_nothing(aws, terraform, monkeypatch):
    monkeypatch.setattr(terraform, "plan", lambda: (_ for _ in ()).throw(CallFailed("Terraform could not plan.")))
    with pytest.raises(PowerFailed, match="Terraform could not plan.\nNothing was changed."):
        made(restore_run.Restore, aws, terraform).run()
    assert "record" not in aws.bucket.objects
    run = made(restore_run.Restore, aws, terraform)
    run.check_mode = True
    assert run.run()["would"][0] == "WOULD FAIL: Terraform could not plan."


def test_a_check_tells_what_terraform_would_refuse_at_the_end(aws, terraform):
    terraform.unapplied = [GROUP]
    for allowed in (False, True):
        run = made(restore_run.Restore, aws, terraform, allow_unapplied=allowed)
        run.check_mode = True
        assert run.run()["would"][0].startswith("WOULD FAIL: What the configuration says was not applied") is not allowed


def begun_beside(aws, terraform):
    """A restore that made its copy and went no further."""
    aws.fails[("modify_db_instance", 1)] = failure("no", "Whatever")
    with pytest.raises(PowerFailed, match="is incomplete"):
        made(restore_run.Restore, aws, terraform).run()
    copy = aws.record()["restored"]["aside"]
    aws._named(copy)["DeletionProtection"] = True
    return copy


def deleted(aws):
    return [arguments for operation, arguments in aws.sent if operation == "delete_db_instance"]


def test_a_copy_is_deleted_without_a_snapshot_only_while_the_original_stands(aws, terraform, monkeypatch):
    copy = begun_beside(aws, terraform)
    kept = dict(aws.bucket.objects)
    assert made(restore_run.Undo, aws, terraform).run()["outcome"] == "undone"
    assert deleted(aws) == [{"DBInstanceIdentifier": copy, "SkipFinalSnapshot": True}] and aws.names() == {"e-db": "db-1"}
    # The same, with an original that goes after the look.
    aws.bucket.objects = kept
    aws.instances = [aws.instance(copy, "db-2", "new", DeletionProtection=True)]
    monkeypatch.setattr(restore_run.Undo, "objections", lambda self: [])
    result = made(restore_run.Undo, aws, terraform).run()
    assert deleted(aws)[-1] == {
        "DBInstanceIdentifier": copy,
        "FinalDBSnapshotIdentifier": f"{copy}-final",
        "SkipFinalSnapshot": False,
        "DeleteAutomatedBackups": False,
    }
    assert f"{copy}-final" in result["lines"][-1] and aws.instances == []


def test_the_last_database_is_not_deleted_by_an_undo_and_the_restore_goes_on(aws, terraform, monkeypatch):
    copy = begun_beside(aws, terraform)
    aws.instances = [one for one in aws.instances if one["DBInstanceIdentifier"] == copy]
    with pytest.raises(PowerFailed, match=f"the copy {copy} may be all that is left.*Nothing was changed"):
        made(restore_run.Undo, aws, terraform).run()
    assert deleted(aws) == [] and aws._named(copy)["DeletionProtection"] is True
    monkeypatch.setattr(restore_run.Restore, "_like", lambda self: aws.instance("e-db", "", "old"))
    result = made(restore_run.Restore, aws, terraform).run()
    assert result["outcome"] == "restored" and aws.names() == {"e-db": "db-2"} and aws.record()["kept"] == ""
    assert not any("The old database stays" in line for line in result["lines"])


def test_what_terraform_could_not_write_down_is_told_first(aws, terraform, monkeypatch):
    nothing_runs(monkeypatch)

    def apply(*_, **__):
        terraform.unrecorded = "It is in errored.tfstate alone."
        raise CallFailed("The credentials expired.")

    monkeypatch.setattr(terraform, "apply", apply)
    with pytest.raises(PowerFailed) as failed:
        made(destroy_run.Destroy, aws, terraform).run()
    first, second, third = str(failed.value).splitlines()
    assert (first, second) == ("It is in errored.tfstate alone.", "The credentials expired.") and "Nothing is lost" not in third and "Run destroy.yml" in third


def test_a_check_is_refused_while_a_state_waits_to_be_pushed(aws, terraform, monkeypatch):
    nothing_runs(monkeypatch)
    aws.instances.append(aws.instance("e-db-before-1", "db-0", "older"))
    aws.bucket.objects["record"] = json.dumps({**recovery_run.power_journal.new("e"), "kept": "db-0"}).encode()
    monkeypatch.setattr(terraform, "refuse_unrecorded", lambda: (_ for _ in ()).throw(CallFailed("a state waits")))
    # To delete what stands aside is nothing of Terraform's.
    for kind, waits in ((destroy_run.Destroy, True), (restore_run.Restore, True), (restore_run.Remove, False)):
        run = made(kind, aws, terraform, confirm="e-db-before-1")
        run.check_mode = True
        with pytest.raises(CallFailed, match="a state waits") if waits else contextlib.nullcontext():
            assert run.run()["outcome"] == "predicted"


def test_an_empty_one_is_not_swapped_in(aws, terraform, monkeypatch):
    monkeypatch.setattr(restore_run.Restore, "_count", lambda self, instance: {"migrations": [], "rows": {}})
    with pytest.raises(PowerFailed, match="has no migrations.*Nothing was swapped"):
        made(restore_run.Restore, aws, terraform, check_command={"command": ["c"]}).run()
    assert aws.names()["e-db"] == "db-1" and terraform.did == [] and aws.url == URL


@pytest.mark.parametrize("kind", [restore_run.Restore, destroy_run.Destroy])
def test_check_mode_writes_nothing_and_without_the_name_nothing_is_done(aws, terraform, kind, monkeypatch):
    nothing_runs(monkeypatch)
    before = dict(aws.bucket.objects)
    run = made(kind, aws, terraform, confirm="")
    run.check_mode = True
    assert run.run()["outcome"] == "predicted"
    with pytest.raises(PowerFailed, match="that is not done without its name. Nothing was changed"):
        made(kind, aws, terraform, confirm="").run()
    assert aws.bucket.objects == before and terraform.did == []
    assert not [operation for operation, _ in aws.sent if not operation.startswith(("describe_", "get_", "list_"))]


def nothing_runs(monkeypatch):
    monkeypatch.setattr(redis_read, "find", lambda *_, **__: None)
    monkeypatch.setattr(destroy_run.redis_snapshot, "list_snapshots", lambda *_: [])
    monkeypatch.setattr(destroy_run.recovery_read, "services", lambda *_: {})


def test_a_destroy_leaves_a_snapshot_of_a_new_name_and_a_record(aws, terraform, monkeypatch):
    nothing_runs(monkeypatch)
    aws.final("e-db-final-1")
    result = made(destroy_run.Destroy, aws, terraform).run()
    record = aws.record()
    assert result["outcome"] == record["state"] == "destroyed" and result["database_snapshot"] == "e-db-final-2"
    assert (record["release"], record["counts"]) == ("", {}), "none was ever released"
    assert record["kept"]["repositories"] == ["api"] and "aws_vpc.main" in record["destroyed"]
    assert record["sslmode"] == "require"
    assert [what for what, _ in terraform.did] == ["let go", "apply", "let go", "destroy"]
    assert made(destroy_run.Destroy, aws, terraform).run()["outcome"] == "nothing_to_do"


def test_a_queue_that_waits_in_a_stops_snapshot_is_left_there(aws, terraform, monkeypatch):
    nothing_runs(monkeypatch)
    journal = {**recovery_run.power_journal.new("e"), "state": "stopped", "redis": {"snapshot": "r-stop-1", "restored": False}}
    aws.bucket.objects["power"] = json.dumps(journal).encode()
    assert made(destroy_run.Destroy, aws, terraform).run()["redis_snapshot"] == "r-stop-1"
    assert aws.record("power")["state"] == "running" and aws.record("power")["redis"]["restored"] is True


def test_a_redis_that_terraform_sees_and_elasticache_does_not_tell_of_is_not_destroyed_without_a_snapshot(aws, terraform, monkeypatch):
    """One answer that is behind would be enough for a queue to go without one."""
    nothing_runs(monkeypatch)
    plan = terraform.destroy_plan
    monkeypatch.setattr(terraform, "destroy_plan", lambda: (plan()[0], {**plan()[1], REDIS: {"cluster_id": "e-redis"}}))
    with pytest.raises(PowerFailed, match="Terraform sees the Redis e-redis, and ElastiCache does not.*Run destroy.yml again"):
        made(destroy_run.Destroy, aws, terraform).run()
    assert "destroy" not in [what for what, _ in terraform.did]


def test_nothing_is_destroyed_under_a_task_that_came_after_the_snapshots(aws, terraform, monkeypatch):
    nothing_runs(monkeypatch)
    looks = iter([[], []])  # before the lock, and in it
    late = [{"taskArn": "arn:aws:ecs:::task/c/1", "group": "family:report", "lastStatus": "RUNNING"}]
    monkeypatch.setattr(destroy_run.recovery_read, "tasks", lambda *_: next(looks, late))
    with pytest.raises(PowerFailed, match="Tasks were started while this destroy was in progress: 1 .*report.*Nothing was destroyed"):
        made(destroy_run.Destroy, aws, terraform).run()
    assert "destroy" not in [what for what, _ in terraform.did]


def test_a_task_that_ecs_is_about_to_forget_is_none_that_came(aws, terraform, monkeypatch):
    nothing_runs(monkeypatch)
    looks = iter([[], [], [{"taskArn": "arn:aws:ecs:::task/c/1", "lastStatus": "MISSING"}]])
    monkeypatch.setattr(destroy_run.recovery_read, "tasks", lambda *_: next(looks, []))
    assert made(destroy_run.Destroy, aws, terraform).run()["outcome"] == "destroyed"


class Redis:
    """A living Redis, and the snapshots that were taken of it."""

    def __init__(self, monkeypatch):
        self.taken = []
        self.cache = {"id": "e-redis", "status": "available", "created_at": "2026-11-01T00:00:00Z", "parameters": {"engine": "redis"}, "address": "r"}
        monkeypatch.setattr(redis_read, "find", lambda *_, **__: self.cache)
        monkeypatch.setattr(destroy_run.redis_snapshot, "list_snapshots", lambda *_: [])
        monkeypatch.setattr(destroy_run.redis_snapshot, "problems", lambda *_: [])
        monkeypatch.setattr(destroy_run.redis_snapshot, "create", self.create)

    def create(self, call, cache, name, _patience, **_):
        self.taken.append(f"{name}-{len(self.taken)}")
        return {"name": name}


@pytest.fixture
def killed_destroy(aws, terraform, monkeypatch):
    """A destroy that died when all its snapshots were taken, before Terraform destroyed anything."""
    redis = Redis(monkeypatch)
    monkeypatch.setattr(destroy_run.recovery_read, "services", lambda *_: {"e-api": {"desiredCount": 2, "taskDefinition": "e-api:1"}})
    monkeypatch.setattr(destroy_run.Down, "to_zero", lambda self, services: list(services))
    monkeypatch.setattr(destroy_run.Down, "all_stopped", lambda self, patience: [])
    monkeypatch.setattr(destroy_run, "counts_and_bounds", lambda call, cluster, services: {"e-api": {"desired_count": 2, "bounds": None}})
    monkeypatch.setattr(terraform, "locked", lambda: (_ for _ in ()).throw(CallFailed("the machine died")))
    with pytest.raises(PowerFailed, match="the machine died"):
        made(destroy_run.Destroy, aws, terraform).run()
    monkeypatch.undo()
    monkeypatch.setattr(power_run, "interruptible", contextlib.nullcontext)
    monkeypatch.setattr(Branches, "sleep", lambda *_: None)
    return redis


def test_a_destroy_that_died_leaves_start_what_to_bring_back(aws, killed_destroy):
    power = aws.record("power")
    assert (power["state"], power["services"]["e-api"]["desired_count"]) == ("stopping", 2)
    assert power["redis"]["snapshot"] == aws.record()["redis"]["snapshot"] and power["redis"]["restored"] is False
    assert power["redis"]["parameters"] == {"engine": "redis"}


def test_a_destroy_that_goes_on_takes_a_snapshot_of_what_redis_holds_now(aws, killed_destroy, terraform, monkeypatch):
    first = aws.record()["redis"]["snapshot"]
    # Started again meanwhile, and used.
    aws.bucket.objects["power"] = json.dumps({**aws.record("power"), "state": "running", "redis": {**aws.record("power")["redis"], "restored": True}}).encode()
    again = Redis(monkeypatch)
    monkeypatch.setattr(destroy_run.recovery_read, "services", lambda *_: {})
    monkeypatch.setattr(destroy_run.redis_snapshot, "create", lambda call, cache, name, _patience, **_: again.taken.append(name) or {"name": name})
    clock = type("Later", (datetime.datetime,), {"now": classmethod(lambda cls, zone=None: datetime.datetime(2026, 12, 1, tzinfo=zone))})
    monkeypatch.setattr(destroy_run.datetime, "datetime", clock)
    result = made(destroy_run.Destroy, aws, terraform).run()
    assert again.taken == [result["redis_snapshot"]] == ["e-redis-final-20261201-000000"] and result["redis_snapshot"] != first
    assert aws.record("power")["state"] == "running" and aws.record("power")["redis"]["restored"] is True


def test_a_destroy_that_goes_on_keeps_the_snapshot_of_a_redis_that_is_gone(aws, killed_destroy, terraform, monkeypatch):
    first = aws.record()["redis"]["snapshot"]
    nothing_runs(monkeypatch)
    assert made(destroy_run.Destroy, aws, terraform).run()["redis_snapshot"] == first


def test_a_destroy_goes_by_the_newest_stop_when_it_goes_on(aws, killed_destroy, terraform, monkeypatch):
    power = aws.record("power")
    aws.bucket.objects["power"] = json.dumps({**power, "state": "stopped", "redis": {**power["redis"], "snapshot": "r-stop-2"}}).encode()
    nothing_runs(monkeypatch)
    assert made(destroy_run.Destroy, aws, terraform).run()["redis_snapshot"] == "r-stop-2"


# --- A destroy after a stop or a start that died ------------------------------------------------------------------------
@pytest.fixture
def elasticache(aws, terraform, monkeypatch):
    """A Redis that lives and is not in Terraform's state. Time passes only when somebody sleeps."""
    world = aws.elasticache = redis_world.Cache()
    world.clusters["e-redis"] = redis_world.cluster("e-redis")
    world.after[("*", "creating")], world.after[("*", "deleting")] = (30, "available"), (30, None)
    monkeypatch.setattr(redis_read.time, "sleep", lambda _seconds: world.sleep(10))
    monkeypatch.setattr(redis_read, "Deadline", lambda seconds: aws_calls.Deadline(seconds, clock=lambda: world.clock))
    monkeypatch.setattr(destroy_run.recovery_read, "services", lambda *_: {})
    terraform.known.discard(REDIS)
    terraform.outside = lambda: list(world.clusters)
    return world


def died(aws, state: str, gates: dict, **more) -> None:
    """A stop or a start that died: its journal, and the gates. The queue is in a stop's snapshot."""
    redis = {"snapshot": "e-redis-stop-1", "restored": False, "created_at": "2026-01-31T12:00:00Z", "parameters": {"engine": "redis"}}
    journal = {**recovery_run.power_journal.new("e"), "state": state, "redis": redis, **more}
    aws.bucket.objects["power"], aws.bucket.objects["gates"] = json.dumps(journal).encode(), json.dumps(gates).encode()


CLOSED = {"power": "off", "redis": "absent", "redis_snapshot": "e-redis-stop-1"}
OPENING = {**CLOSED, "power": "on"}


@pytest.mark.parametrize(
    ("state", "gates", "status", "writes"),
    [
        # A stop that died when Terraform had let go of Redis, before or in its deletion.
        ("stopping", CLOSED, "available", ["create_snapshot", "delete_cache_cluster"]),
        ("stopping", CLOSED, "deleting", []),
        # A start that died before Terraform adopted what it restored, or in the restore.
        ("starting", OPENING, "available", ["create_snapshot", "delete_cache_cluster"]),
        ("starting", OPENING, "creating", ["create_snapshot", "delete_cache_cluster"]),
        ("starting", {"power": "on", "redis": "adopt"}, "available", ["create_snapshot", "delete_cache_cluster"]),
        # A restore that failed: nothing is in it, and the queue is where it was.
        ("starting", OPENING, "restore-failed", ["delete_cache_cluster"]),
    ],
)
def test_a_destroy_deletes_a_redis_that_terraform_does_not_know(aws, terraform, elasticache, state, gates, status, writes):
    elasticache.clusters["e-redis"]["CacheClusterStatus"] = status
    died(aws, state, gates)
    seen = []
    terraform.outside = lambda: seen.append(aws.record("gates")) or list(elasticache.clusters)
    result = made(destroy_run.Destroy, aws, terraform).run()
    assert result["outcome"] == "destroyed" and elasticache.clusters == {} and [operation for operation, _ in elasticache.writes] == writes
    taken = [arguments["SnapshotName"] for operation, arguments in elasticache.writes if operation == "create_snapshot"]
    assert result["redis_snapshot"] == aws.record()["redis"]["snapshot"] == (taken or ["e-redis-stop-1"])[0]
    assert not taken or aws.record("power")["redis"]["address"], "it is told of an available Redis only"
    # The gate was closed when Redis went, and named what a start would have restored.
    assert seen[0] == {"power": gates["power"], "redis": "absent", "redis_snapshot": result["redis_snapshot"]}
    assert aws.record("gates") == {"power": "on", "redis": "present"}


def test_a_redis_that_terraform_knows_is_terraforms(aws, terraform, elasticache):
    died(aws, "stopping", CLOSED)
    terraform.known.add(REDIS)
    terraform.outside = lambda: []
    assert made(destroy_run.Destroy, aws, terraform).run()["outcome"] == "destroyed"
    assert [operation for operation, _ in elasticache.writes] == ["create_snapshot"]


def test_a_redis_that_the_snapshot_does_not_prove_is_not_deleted(aws, terraform, elasticache, monkeypatch):
    """Another one of this name took its place when the snapshot was taken."""
    died(aws, "stopping", CLOSED)
    let_go, other = terraform.let_go, redis_world.cluster("e-redis", CacheClusterCreateTime=redis_world.START + datetime.timedelta(days=1))
    monkeypatch.setattr(terraform, "let_go", lambda *addresses: let_go(*addresses) or elasticache.clusters.update({"e-redis": other}))
    with pytest.raises(PowerFailed, match="e-redis was not deleted: it is another one than before"):
        made(destroy_run.Destroy, aws, terraform).run()
    assert "e-redis" in elasticache.clusters and aws.instances and ("destroy", "") not in terraform.did


ALB, NAT = "aws_lb.main[0]", "aws_nat_gateway.main[0]"


@pytest.fixture
def orphans(monkeypatch, terraform):
    """What a start's apply had made when it was killed, in AWS and not in the state: {address: id}; and how often it was looked for."""
    listener = {"Port": 80, "ListenerArn": "arn:l", "DefaultActions": [{"TargetGroupArn": "arn:aws:elasticloadbalancing:r:1:targetgroup/e-api-tg/1"}]}
    parts = {
        **{"load_balancer": {"LoadBalancerArn": "arn:alb"}, "listeners": [listener], "rules": [], "nat_gateway": {"NatGatewayId": "nat-1"}},
        "route_tables": [{"RouteTableId": "rtb-1", "Routes": [{"NatGatewayId": "nat-1"}]}],
    }
    asked = []
    monkeypatch.setattr(power_run.power_read, "power_parts", lambda call, name: asked.append(name) or dict(parts))
    monkeypatch.setattr(power_run.power_read, "alias_of", lambda call, domain, balancer: f"{domain['zone_id']}_app_A" if domain else "")
    made_by_it = {ALB: "arn:alb", 'aws_lb_listener.http["api"]': "arn:l", NAT: "nat-1", "aws_route.private_nat[0]": "rtb-1_0.0.0.0/0"}
    terraform.outside = lambda: [address for address in made_by_it if address not in terraform.known]
    return made_by_it, asked


def test_a_destroy_takes_in_what_the_apply_of_a_killed_start_had_made(aws, terraform, orphans, monkeypatch):
    nothing_runs(monkeypatch)
    died(aws, "starting", OPENING, unsettled=True)
    # The final snapshot's name is taken: an apply draws another one, and would make a second load balancer.
    aws.final("e-db-final-1")
    terraform.known.add(NAT)
    result = made(destroy_run.Destroy, aws, terraform, domain={"name": "app", "zone_id": "Z"}).run()
    wanted = {**orphans[0], "aws_route53_record.main[0]": "Z_app_A"}
    assert [what for what, _ in terraform.did] == ["take in", "let go", "apply", "let go", "destroy"]
    assert dict(terraform.did[0][1]) == {address: wanted[address] for address in wanted if address != NAT}
    assert result["outcome"] == "destroyed" and set(wanted) <= set(aws.record()["destroyed"])
    assert aws.record("power")["unsettled"] is False


@pytest.mark.parametrize(
    ("gates", "unsettled"),
    # A stop takes all in before it closes the gate; with the gate closed Terraform imports nothing.
    [(OPENING, False), (CLOSED, True)],
)
def test_a_destroy_looks_for_that_only_where_it_may_be(aws, terraform, orphans, monkeypatch, gates, unsettled):
    nothing_runs(monkeypatch)
    died(aws, "stopping", gates, unsettled=unsettled)
    terraform.outside = lambda: []
    assert made(destroy_run.Destroy, aws, terraform).run()["outcome"] == "destroyed"
    assert orphans[1] == [] and "take in" not in [what for what, _ in terraform.did]


def test_a_check_tells_what_stands_beside_terraforms_state(aws, terraform, elasticache, orphans):
    died(aws, "starting", OPENING, unsettled=True)
    before = dict(aws.bucket.objects)
    run = made(destroy_run.Destroy, aws, terraform, confirm="")
    run.check_mode = True
    result = run.run()
    said = " ".join(result["would"])
    assert f"what a run that was killed had made: {ALB}" in said and "Would delete Redis e-redis (available)" in said
    assert "1 aws_lb, " in said and f"{ALB}\n" in result["diff"]["before"]
    assert aws.bucket.objects == before and terraform.did == [] and elasticache.writes == []


def test_a_destroy_gives_back_the_lock_of_a_stop_that_was_killed(aws, terraform, monkeypatch):
    nothing_runs(monkeypatch)
    died(aws, "stopping", CLOSED)
    run = made(destroy_run.Destroy, aws, terraform)
    run.run()
    assert terraform.recovered == [run.power, None]


def test_a_destroy_that_died_names_what_turns_it_round_only_where_that_does(aws, terraform, elasticache):
    died(aws, "stopped", CLOSED)
    elasticache.lose["create_snapshot"] = ["SnapshotQuotaExceeded"]
    with pytest.raises(PowerFailed, match="resumes from there, or start.yml to reverse it"):
        made(destroy_run.Destroy, aws, terraform).run()
    instances, aws.instances = aws.instances, []
    elasticache.lose["create_snapshot"] = ["SnapshotQuotaExceeded"]
    with pytest.raises(PowerFailed, match="when it has ended, redeploy.yml recreates the environment"):
        made(destroy_run.Destroy, aws, terraform).run()
    aws.instances, terraform.outside = instances, lambda: ["sg-1"]
    with pytest.raises(PowerFailed, match="DependencyViolation: sg-1") as failed:
        made(destroy_run.Destroy, aws, terraform).run()
    said = str(failed.value)
    assert "run destroy.yml again and it resumes from there; when it has ended, redeploy.yml recreates the environment" in said and "turn round" not in said


# --- A redeploy -------------------------------------------------------------------------------------------------------
def redeploy(aws, **more):
    asked = {"name": "e", "services": ["api"], "database_id": "e-db", "database_snapshot": "", "redis_snapshot": "", "operator": "o", "release": "", **more}
    return redeploy_run.Redeploy(aws, {**asked, "storage": {"bucket": "state", "record_key": "record"}}).begin()


@pytest.fixture
def lost(aws, monkeypatch):
    """An environment that was destroyed, an hour ago."""
    monkeypatch.setattr(redeploy_run.recovery_read, "lifecycle_policies", lambda *_: [])
    monkeypatch.setattr(redeploy_run.redis_snapshot, "list_snapshots", lambda *_: [{"name": name, "status": "available"} for name in aws.caches])
    aws.caches = []
    aws.instances.clear()
    aws.final("d")
    aws.snapshots[-1]["SnapshotCreateTime"] = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    record = {**recovery_run.power_journal.new("e"), "state": "destroyed", "database": {"snapshot": "d"}}
    aws.bucket.objects["record"] = json.dumps(record).encode()
    return aws


def test_a_redeploy_that_died_goes_on_until_the_database_has_lived(lost):
    assert redeploy(lost)["database_from"] == redeploy(lost)["database_from"] == "from the snapshot d"
    lost.final("later")
    lost.snapshots[-1]["SnapshotCreateTime"] = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=90)
    with pytest.raises(CallFailed, match=r"there are newer snapshots.*newest first: later .*Nothing was changed"):
        redeploy(lost)
    assert redeploy(lost, database_snapshot="later")["database_from"] == "from the snapshot later"
    assert lost.record()["database"]["snapshot"] == "later" and redeploy(lost)["database_from"] == "from the snapshot later"


def test_which_queue_is_wanted_is_asked_where_no_record_tells(lost, monkeypatch):
    """The snapshot on record is of the queue of a destroy that is over."""
    monkeypatch.setattr(redeploy_run.Redeploy, "_must_be_usable", lambda *_: None)
    over = {**lost.record(), "state": "redeployed", "redis": {"snapshot": "of-a-year-ago"}}
    lost.caches = ["r-2", "r-1"]
    lost.bucket.objects["record"] = json.dumps(over).encode()
    with pytest.raises(CallFailed, match=r"which rows and which jobs are wanted.*newest first: r-2, r-1.*redeploy_redis_snapshot=<name>.*Nothing was changed"):
        redeploy(lost)
    with pytest.raises(CallFailed, match=r"which jobs are wanted.*or begin with an empty queue: -e redeploy_redis_snapshot=none"):
        redeploy(lost, database_snapshot="d")
    found = redeploy(lost, database_snapshot="d", redis_snapshot="none")
    assert (found["database_from"], found["redis_from"]) == ("from the snapshot d", "empty")
    # There is nothing to ask for.
    lost.caches = []
    lost.bucket.objects["record"] = json.dumps(over).encode()
    assert redeploy(lost, database_snapshot="d")["redis_from"] == "empty"


def test_a_redeploy_releases_what_ran_with_its_counts(lost):
    record = lost.record()
    lost.bucket.objects["record"] = json.dumps({**record, "release": RELEASE, "counts": {"e-api": 3}}).encode()
    found = redeploy(lost)
    assert (found["release"], found["counts"], found["done"]) == (RELEASE, {"e-api": 3}, False)
    assert f"Release: {RELEASE}, which ran before" in found["lines"] and "Counts, as they were: e-api 3" in found["lines"]
    assert redeploy(lost, release="checked_out")["release"] == "" and redeploy(lost, release="b" * 40)["release"] == "b" * 40
    lost.image_tags = {"latest"}
    with pytest.raises(CallFailed, match=rf"images of the release {RELEASE}.*e-api:sha-{RELEASE}.*redeploy_release=checked_out.*Nothing was changed"):
        redeploy(lost)


def test_a_record_that_names_no_release_has_the_commit_that_is_checked_out(lost):
    assert redeploy(lost)["release"] == "" and "Release: the commit that is checked out" in redeploy(lost)["lines"]


def test_a_restore_after_half_a_redeploy_makes_no_empty_redis(aws, terraform):
    half = {**recovery_run.power_journal.new("e"), "state": "redeploying", "began_at": "2026-11-30T10:00:00Z", "database": {"snapshot": "d"}}
    aws.bucket.objects["destroyed"] = json.dumps({**half, "redis": {"snapshot": "r"}}).encode()
    terraform.unapplied = [{"address": REDIS, "type": "aws_elasticache_cluster", "action": "create", "destroys": False, "reason": "", "attributes": []}]
    storage = {**params()["storage"], "destroy_key": "destroyed"}
    with pytest.raises(PowerFailed, match=r"would make an empty Redis.*its queue is in the snapshot r. Run redeploy.yml(?s:.*)Nothing was changed"):
        made(restore_run.Restore, aws, terraform, storage=storage).run()
    assert terraform.did == [] and "record" not in aws.bucket.objects and terraform.mended == 1
    # One that made Redis, and whose release failed, is no hindrance.
    terraform.unapplied = []
    assert made(restore_run.Restore, aws, terraform, storage=storage).run()["outcome"] == "restored"


# --- A version that RDS would refuse after the swap ---------------------------------------------------------------------
def wanting(version, allowed=False):
    return {"engine_version": version, "allow_major_version_upgrade": allowed}


def test_what_is_restored_in_another_major_version_is_refused_before_anything_is_written(aws, terraform):
    for one in aws.instances:
        one["EngineVersion"] = "16.13"
    with pytest.raises(PowerFailed, match="from PostgreSQL 16.13 to 17.*Nothing was changed"):
        made(restore_run.Restore, aws, terraform, time="latest", settings=wanting("17")).run()
    assert terraform.did == [] and "record" not in aws.bucket.objects
    # The way back from an upgrade: what is there is newer than what the inventory says again, what is restored is not.
    assert "never returns to 15" in " ".join(objections(aws, terraform, wanting("15")))
    assert objections(aws, terraform, wanting("17", True)) == []


def objections(aws, terraform, settings):
    run = made(restore_run.Restore, aws, terraform, time="latest", settings=settings)
    run.look()
    return run.objections()


# --- An instance that a person restored by hand -------------------------------------------------------------------------
def by_hand(aws, **changes):
    """`restore-db-instance-from-db-snapshot`, without the security group."""
    like = next(one for one in aws.instances if one["DBInstanceIdentifier"] == "e-db")
    like.update(StorageEncrypted=True, MasterUsername="atena")
    found = {**like, "DBInstanceIdentifier": "by-hand", "DbiResourceId": "db-hand", "DBInstanceStatus": "available", "VpcSecurityGroups": [], **changes}
    found["Endpoint"] = {"Address": "hand", "Port": 5432}
    aws.instances.append(found)
    return found


def test_a_database_that_a_person_restored_takes_the_place_by_one_command(aws, terraform):
    by_hand(aws)
    result = made(restore_run.Restore, aws, terraform, instance="by-hand").run()
    record = aws.record()
    assert result["outcome"] == "restored" and aws.names()["e-db"] == "db-hand" and record["kept"] == "db-1"
    assert aws._named("e-db")["MasterUserPassword"] == "p@ss" and "@hand:5432" in aws.url
    # Taken back it has its own name again.
    made(restore_run.Undo, aws, terraform).run()
    assert aws.names() == {"e-db": "db-1", "by-hand": "db-hand"}


def test_what_a_person_restored_is_not_deleted_where_it_was_not_swapped_in(aws, terraform, monkeypatch):
    by_hand(aws)
    monkeypatch.setattr(restore_run.Restore, "_as_the_original", lambda *_: (_ for _ in ()).throw(CallFailed("no")))
    with pytest.raises(PowerFailed):
        made(restore_run.Restore, aws, terraform, instance="by-hand").run()
    made(restore_run.Undo, aws, terraform).run()
    assert aws.names() == {"e-db": "db-1", "by-hand": "db-hand"} and aws.record()["state"] == "undone"


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("by-hand", {"StorageEncrypted": False}, "is not encrypted"),
        ("by-hand", {"MasterUsername": "root"}, "has the master user root"),
        ("by-hand", {"DBInstanceStatus": "creating"}, "is creating, not available"),
        ("nowhere", {}, "There is no database nowhere"),
        ("e-db", {}, "has the environment's name already"),
    ],
)
def test_what_cannot_take_the_place_is_refused_with_the_reason(aws, terraform, name, changes, words):
    by_hand(aws, **changes)
    with pytest.raises(PowerFailed, match=words):
        made(restore_run.Restore, aws, terraform, instance=name).run()
    assert terraform.did == []


def test_a_destroy_records_which_release_ran_and_how_often(aws, terraform, monkeypatch):
    nothing_runs(monkeypatch)
    stopped = {**recovery_run.power_journal.new("e"), "state": "stopped", "services": {"e-api": {"desired_count": 3, "bounds": None}}}
    aws.bucket.objects["power"] = json.dumps(stopped).encode()
    services = {"e-api": {"desiredCount": 0, "taskDefinition": "e-api:1"}}
    monkeypatch.setattr(destroy_run.recovery_read, "services", lambda *_: services)
    monkeypatch.setattr(destroy_run, "counts_and_bounds", lambda *_: {"e-api": {"desired_count": 0, "bounds": None}})
    result = made(destroy_run.Destroy, aws, terraform).run()
    # The zero is the stop's.
    assert (aws.record()["release"], aws.record()["counts"]) == (RELEASE, {"e-api": 3})
    assert f"Release: {RELEASE} ran; redeploy.yml releases it again" in result["lines"]
    assert f"It ran the release {RELEASE}" in destroy_record.says(destroy_record.standing(DestroyRecord.of(aws.record())))
