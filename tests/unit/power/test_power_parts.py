"""The parts of a stop and a start at work, on an AWS of a few lines: threads, database, tasks, Terraform's lock, stored objects."""

import hashlib
import io
import json
import threading
import types
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import calls as aws_calls
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.environment.branches import Branches, Ended, SeveralFailed
from ansible_collections.atena.aws.plugins.module_utils.environment.gates import Gates, wanted
from ansible_collections.atena.aws.plugins.module_utils.environment.journal import Journal, new
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import LockLost, this_host
from ansible_collections.atena.aws.plugins.module_utils.power import (
    database as power_database,
    services as power_services,
    start as power_start,
    stop as power_stop,
    terraform as power_terraform,
)
from ansible_collections.atena.aws.plugins.module_utils.power.terraform import PowerTerraform, StateLock
from ansible_collections.atena.aws.plugins.module_utils.redis import snapshot as redis_snapshot
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import CommandFailed, Terraform
from fakes import Asked, Pages
from test_ledger import Bucket


class Clock(Branches):
    """Time passes only when somebody sleeps."""

    def __init__(self, monkeypatch, *modules):
        super().__init__()
        self.now, self.at = 0.0, {}
        for module in modules:
            monkeypatch.setattr(module, "Deadline", lambda seconds: aws_calls.Deadline(seconds, clock=lambda: self.now))

    def sleep(self, seconds):
        self.now += seconds
        for moment in [moment for moment in self.at if moment <= self.now]:
            self.at.pop(moment)()


# --- Side by side -----------------------------------------------------------------------------------------------------
def test_each_part_goes_to_its_end_though_another_fails():
    done = threading.Event()

    def fails():
        raise CallFailed("the database is on fire")

    def works():
        assert done.wait(0) is False
        done.set()

    with pytest.raises(CallFailed, match="on fire"):
        Branches().side_by_side({"database": fails, "redis": works})
    assert done.is_set()


def test_every_reason_is_told():
    def fails(text):
        def part():
            raise CallFailed(text)

        return part

    with pytest.raises(SeveralFailed) as failed:
        Branches().side_by_side({"Database": fails("no rds"), "Redis": fails("no cache")})
    assert str(failed.value) == "Database: no rds\nRedis: no cache"


def test_a_lost_lock_is_what_is_told_and_parts_may_nest():
    def loses():
        raise LockLost("another run has it", None)

    def fails():
        raise CallFailed("whatever")

    branches = Branches()
    assert branches.side_by_side({"a": lambda: branches.side_by_side({"b": lambda: 1, "c": lambda: 2}), "d": lambda: 3}) == {"a": {"b": 1, "c": 2}, "d": 3}
    with pytest.raises(LockLost):
        branches.side_by_side({"a": fails, "b": loses})


def test_all_parts_end_when_the_run_is_to_end():
    ended = []
    branches = Branches(on_end=lambda: ended.append(True))

    def waits():
        while True:
            branches.guard()
            branches.sleep(0.01)

    with pytest.raises(Ended):
        branches.side_by_side({"a": waits, "b": lambda: branches.end()})
    branches.end()
    assert ended == [True]


# --- The database -----------------------------------------------------------------------------------------------------
class Rds(Pages):
    """An instance whose state is a list of what it will be at each look; the last one stays."""

    def __init__(self, *states, snapshots=()):
        self.states, self.sent, self.refuse = list(states), [], {}
        self.shots = {name: list(stages) for name, stages in dict(snapshots).items()}

    def __call__(self, service, operation, doing, /, **arguments):
        if operation.startswith("describe"):
            return getattr(self, operation)(**arguments)
        self.sent.append((operation, next(iter(arguments.get(key) for key in ("DBSnapshotIdentifier", "DBInstanceIdentifier") if key in arguments))))
        if operation in self.refuse:
            raise failure(f"Could not {doing}: refused.", self.refuse.pop(operation))
        if operation == "stop_db_instance":
            self.states = ["stopping", "stopping", "stopped"]
        elif operation == "start_db_instance":
            self.states = ["starting", "configuring-enhanced-monitoring"]
        elif operation == "create_db_snapshot":
            self.shots[arguments["DBSnapshotIdentifier"]] = ["creating", "creating", "available"]
        elif operation == "delete_db_snapshot":
            self.shots.pop(arguments["DBSnapshotIdentifier"])
        return {}

    def describe_db_instances(self, DBInstanceIdentifier):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"DBInstances": [{"DBInstanceStatus": state, "DBInstanceIdentifier": DBInstanceIdentifier}]}

    def describe_db_snapshots(self, DBInstanceIdentifier="", DBSnapshotIdentifier=""):
        found = []
        if DBSnapshotIdentifier and DBSnapshotIdentifier not in self.shots:
            raise failure("DBSnapshot not found", "DBSnapshotNotFound")
        for name, stages in self.shots.items():
            if DBSnapshotIdentifier not in ("", name):
                continue
            stage = stages.pop(0) if len(stages) > 1 else stages[0]
            found.append(
                {
                    **{"DBSnapshotIdentifier": name, "Status": stage, "SnapshotType": "manual"},
                    **{"SnapshotCreateTime": datetime.now(UTC), "DbiResourceId": "db-1"},
                }
            )
        return {"DBSnapshots": found}


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch, power_database, power_services)


def database(rds, clock, **options):
    said = []
    made = power_database.Database(rds, "db", branches=clock, say=said.append, **{"timeout": 600, "delay": 10, **options})
    made.said = said
    return made


@pytest.mark.parametrize("before", [["available"], ["backing-up", "available"], ["starting", "available"], ["modifying", "modifying", "available"]])
def test_a_database_is_stopped_once_it_can_be(clock, before):
    rds = Rds(*before)
    assert database(rds, clock).stop()["DBInstanceStatus"] == "stopped"
    assert rds.sent == [("stop_db_instance", "db")]


@pytest.mark.parametrize("before", [["stopped"], ["stopping", "stopped"]])
def test_a_database_that_stops_already_is_only_waited_for(clock, before):
    rds = Rds(*before)
    database(rds, clock).stop()
    assert rds.sent == []


def test_a_database_is_started_and_waited_for(clock):
    rds = Rds("stopping", "stopped")
    assert database(rds, clock).start()["DBInstanceStatus"] == "configuring-enhanced-monitoring"
    assert rds.sent == [("start_db_instance", "db")]


def test_a_state_that_changed_under_the_call_is_looked_at_again(clock):
    rds = Rds("available", "backing-up", "available")
    rds.refuse["stop_db_instance"] = "InvalidDBInstanceState"
    database(rds, clock).stop()
    assert rds.sent == [("stop_db_instance", "db")] * 2


def test_a_look_that_is_behind_does_not_fail_a_stop_that_was_carried_out(clock):
    """RDS shows 'available' for seconds after it was told to stop, and refuses to be told again."""

    class Behind(Rds):
        def __call__(self, service, operation, doing, /, **arguments):
            told_before = any(sent == "stop_db_instance" for sent, _ in self.sent)
            if operation == "stop_db_instance" and told_before:
                self.refuse[operation] = "InvalidDBInstanceState"
            answer = super().__call__(service, operation, doing, **arguments)
            if operation == "stop_db_instance":
                self.states = ["available", "available", "available", "stopping", "stopped"]
            return answer

    rds = Behind("available")
    assert database(rds, clock).stop()["DBInstanceStatus"] == "stopped"
    assert len(rds.sent) > 1


def test_a_refusal_that_every_look_contradicts_ends_some_time(clock):
    class Refusing(Rds):
        def __call__(self, service, operation, doing, /, **arguments):
            self.refuse["stop_db_instance"] = "InvalidDBInstanceState"
            return super().__call__(service, operation, doing, **arguments)

    rds = Refusing("available")
    with pytest.raises(CallFailed, match="stop the database db"):
        database(rds, clock).stop()
    assert 2 < len(rds.sent) < 10


@pytest.mark.parametrize(
    ("state", "words"),
    [("storage-full", "more storage"), ("incompatible-parameters", "parameter group"), ("storage-optimization", "can take hours"), ("modifying", "more time")],
)
def test_a_database_that_cannot_be_stopped_is_left_with_the_reason(clock, state, words):
    rds = Rds(state)
    with pytest.raises(CallFailed, match=words):
        database(rds, clock).stop()
    assert rds.sent == []


def test_a_refusal_that_is_none_of_state_is_told(clock):
    rds = Rds("available")
    rds.refuse["stop_db_instance"] = "AccessDenied"
    with pytest.raises(CallFailed, match="stop the database db"):
        database(rds, clock).stop()


def test_a_backup_is_taken_once_and_waited_for(clock):
    rds = Rds("available")
    database(rds, clock).back_up("db-stop-1", {"a": "b"})
    assert rds.sent == [("create_db_snapshot", "db-stop-1")]
    database(rds, clock).back_up("db-stop-1", {})
    assert len(rds.sent) == 1


@pytest.mark.parametrize(
    ("shots", "code", "words"),
    [
        ({"s": ["creating", "failed"]}, None, "is failed. The database was not stopped"),
        ({"s": ["creating"]}, None, "still creating after 10:0"),
        ({}, "SnapshotQuotaExceeded", "atena_power_database_snapshots_kept"),
        ({}, "AccessDenied", "take the snapshot s"),
    ],
)
def test_a_backup_that_fails_says_so(clock, shots, code, words):
    rds = Rds("available", snapshots=shots)
    if code:
        rds.refuse["create_db_snapshot"] = code
    with pytest.raises(CallFailed, match=words):
        database(rds, clock).back_up("s", {})


def test_old_snapshots_of_stops_are_deleted(clock):
    names = [f"db-stop-2027011{day}-000000" for day in range(4)]
    rds = Rds("stopped", snapshots={name: ["available"] for name in [*names, "mine"]})
    assert database(rds, clock).prune(2) == names[:2]
    assert sorted(rds.shots) == sorted([*names[2:], "mine"])


def stop_of(rds, clock, resource):
    """A stop of the instance of this resource id, which looks for its backup."""
    stop = object.__new__(power_stop.Stop)
    stop.params = {"database_id": "db", "database": {"backup_max_age_hours": 24}, "tags": {}}
    stop.database, stop.seen, stop.result = database(rds, clock), {"database": {"DbiResourceId": resource}}, {}
    stop.say = lambda text: None
    stop.journal = Journal(Bucket(), "state", "power.json")
    stop.journal.read()
    stop.journal.save(new("e"))
    return stop


@pytest.mark.parametrize(("resource", "taken"), [("db-1", False), ("db-2", True)])
def test_the_final_snapshot_of_an_instance_of_the_same_name_is_no_backup_of_this_one(clock, resource, taken):
    rds = Rds("available", snapshots={"db-final-1": ["available"]})
    stop = stop_of(rds, clock, resource)
    assert (stop._fresh(stop._snapshots()) is None) is taken
    stop._back_up()
    assert [operation for operation, _ in rds.sent] == (["create_db_snapshot"] if taken else [])
    assert stop.journal.record["database"]["snapshot"].startswith("db-stop-" if taken else "db-final-1")


def test_only_a_snapshot_of_this_very_instance_that_is_being_taken_is_waited_for(clock):
    stop = stop_of(Rds("available", snapshots={"db-stop-20200101-000000": ["creating", "creating", "creating", "available"]}), clock, "db-1")
    stop._back_up()
    assert stop.result["database_snapshot"] == "db-stop-20200101-000000"
    stop = stop_of(Rds("available", snapshots={"db-stop-20200101-000000": ["creating"]}), clock, "db-2")
    stop._back_up()
    assert stop.result["database_snapshot"] > "db-stop-20200101-000000"


# --- REDIS_URL --------------------------------------------------------------------------------------------------------
class Secret(Pages):
    """A parameter with a key of its own, as somebody may have made it."""

    def __init__(self):
        self.parameter = {"Name": "/e/REDIS_URL", "Value": "redis://old:6379/0", "Type": "SecureString", "Tier": "Advanced", "KeyId": "alias/customer"}

    def __call__(self, service, operation, doing, /, **arguments):
        if operation == "put_parameter":
            assert arguments.pop("Overwrite") is True
            self.parameter = arguments
            return {"Version": 2}
        return {"get_parameter": {"Parameter": self.parameter}, "describe_parameters": {"Parameters": [self.parameter]}}[operation]


def test_a_new_address_of_redis_is_written_with_the_key_and_the_tier_that_the_secret_has(monkeypatch):
    start, secret = object.__new__(power_start.Start), Secret()
    start.params, start.call, start.result, start.say = {"redis_url_parameter": "/e/REDIS_URL", "redis_id": "e-redis"}, secret, {}, lambda text: None
    start.journal = Journal(Bucket(), "state", "power.json")
    start.journal.read()
    start.journal.save(new("e"))
    monkeypatch.setattr(power_start.redis_read, "find", lambda *_, **__: {"address": "new.cache", "port": 6379})
    before = secret.parameter
    start._redis_url()
    assert start.result["redis_url"] == "updated" and secret.parameter == {**before, "Value": "redis://new.cache:6379/0"}


# --- Tasks ------------------------------------------------------------------------------------------------------------
class Ecs:
    def __init__(self, *tasks, counts=None):
        self.tasks = {arn: {"taskArn": arn, "group": group, "lastStatus": "RUNNING", "desiredStatus": "RUNNING"} for arn, group in tasks}
        self.counts, self.sent = counts or {}, []

    def pages(self, service, operation, doing, key, /, **arguments):
        if operation == "list_services":
            return [f"arn:aws:ecs:r:1:service/c/{name}" for name in self.counts]
        return [arn for arn, task in self.tasks.items() if task["desiredStatus"] == arguments["desiredStatus"]]

    def __call__(self, service, operation, doing, /, **arguments):
        if operation == "describe_tasks":
            return {"tasks": [self.tasks[arn] for arn in arguments["tasks"] if arn in self.tasks]}
        if operation == "describe_services":
            return {"services": [{"serviceName": name, "status": "ACTIVE", "desiredCount": self.counts[name]} for name in arguments["services"]]}
        if operation == "describe_scalable_targets":
            return {"ScalableTargets": [{"ResourceId": "service/c/api", "MinCapacity": 1, "MaxCapacity": 4, "SuspendedState": {}}]}
        self.sent.append((operation, arguments.get("service") or arguments.get("task") or arguments.get("ResourceId"), arguments.get("desiredCount")))
        return {}


def down(ecs, clock):
    return power_services.Down(ecs, "c", branches=clock, say=lambda text: None)


def test_counts_go_to_zero_and_autoscaling_is_suspended_first(clock):
    ecs = Ecs(counts={"api": 2, "workers": 0})
    assert down(ecs, clock).to_zero({"api": {"desiredCount": 2}, "workers": {"desiredCount": 0}}) == ["api"]
    assert ecs.sent == [("register_scalable_target", "service/c/api", None), ("update_service", "api", 0)]


def test_a_task_that_is_told_to_stop_is_waited_for_until_it_is_stopped(clock):
    ecs = Ecs(("t/1", "service:workers"))
    ecs.tasks["t/1"].update(desiredStatus="STOPPED", lastStatus="STOPPING")  # ECS counts it as running no more
    clock.at[100] = lambda: ecs.tasks["t/1"].update(lastStatus="STOPPED")
    assert down(ecs, clock).all_stopped(900) == []
    assert clock.now >= 100 and ecs.sent == []


def test_a_task_that_is_listed_and_not_described_has_not_stopped(clock):
    """DescribeTasks answers MISSING for a task that runs: nothing that cannot be undone may follow from that."""
    ecs = Ecs(("t/1", "service:workers"), counts={"workers": 0})
    hidden = ecs.tasks.pop("t/1")
    ecs.pages = lambda service, operation, doing, key, /, **arguments: (
        ["arn:aws:ecs:r:1:service/c/workers"]
        if operation == "list_services"
        else ["t/1"]
        if clock.now < 100 and arguments["desiredStatus"] == "RUNNING"
        else []
    )
    clock.at[50] = lambda: ecs.tasks.update({"t/1": {**hidden, "lastStatus": "STOPPED"}})
    down(ecs, clock).all_stopped(900)
    assert clock.now >= 50
    assert power_services.tasks_of(ecs, "c") == []


def test_one_that_is_never_described_ends_the_stop_without_being_told_to(clock):
    ecs = Ecs(("t/1", "service:workers"), counts={"workers": 0})
    ecs.tasks.clear()
    ecs.pages = lambda service, operation, doing, key, /, **arguments: ["arn:x:service/c/workers"] if operation == "list_services" else ["t/1"]
    with pytest.raises(CallFailed, match="1 .somebody, missing.*database and Redis were not touched"):
        down(ecs, clock).all_stopped(300)
    assert ecs.sent == []


def test_that_all_have_stopped_is_seen_twice_some_seconds_apart(clock):
    """A list that is behind: nobody seems to run, and then somebody does."""
    ecs, looks = Ecs(("t/1", "service:workers"), counts={"workers": 0}), []

    def pages(service, operation, doing, key, /, **arguments):
        if arguments.get("desiredStatus") != "RUNNING":
            return ["arn:x:service/c/workers"] if operation == "list_services" else []
        looks.append(clock.now)
        return ["t/1"] if len(looks) in (2, 3) else []

    ecs.pages = pages
    down(ecs, clock).all_stopped(900)
    assert len(looks) >= 5 and looks[1] - looks[0] >= 3


def test_a_one_off_task_may_end_by_itself_and_is_stopped_after_its_time(clock):
    ecs = Ecs(("t/1", "family:api"), counts={"api": 0})

    def stop():
        assert ("stop_task", "t/1", None) in ecs.sent
        ecs.tasks["t/1"].update(desiredStatus="STOPPED", lastStatus="STOPPED")

    clock.at[320] = stop
    assert [name.split()[0] for name in down(ecs, clock).all_stopped(300)] == ["1"]
    assert ecs.sent == [("stop_task", "t/1", None)]


def test_a_task_that_never_stops_ends_the_stop_before_anything_else_is_touched(clock):
    ecs = Ecs(("t/1", "service:workers"), counts={"workers": 0})
    ecs.tasks["t/1"]["desiredStatus"] = "STOPPED"
    with pytest.raises(CallFailed, match="1 .workers, running.*database and Redis were not touched"):
        down(ecs, clock).all_stopped(300)


def test_somebody_who_raises_a_count_meanwhile_is_told(clock):
    ecs = Ecs(("t/1", "service:workers"), counts={"workers": 3})
    with pytest.raises(CallFailed, match="Somebody raised workers"):
        down(ecs, clock).all_stopped(300)


# --- Terraform's lock -------------------------------------------------------------------------------------------------
class Table:
    """The lock table, and the object with the state."""

    def __init__(self, state=b"{}"):
        self.items, self.state, self.lose, self.read = {}, state, 0, []

    def __call__(self, service, operation, doing, /, **arguments):
        if service == "s3":
            if self.state is None:
                raise failure("no", "NoSuchKey")
            return {"Body": io.BytesIO(self.state)}
        key = arguments.get("Key", arguments.get("Item"))["LockID"]["S"]
        if operation == "get_item":
            self.read.append(key)
            return {"Item": self.items.get(key)}
        if operation == "put_item":
            if "ConditionExpression" in arguments and key in self.items:
                raise failure("taken", "ConditionalCheckFailedException")
            self.items[key] = arguments["Item"]
            if self.lose:
                self.lose -= 1
                raise failure("taken", "ConditionalCheckFailedException")  # the retry of a call whose answer was lost
            return {}
        if self.items.get(key, {}).get("Info") != arguments["ExpressionAttributeValues"][":info"]:
            raise failure("changed", "ConditionalCheckFailedException")
        return self.items.pop(key) and {}


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def lock(table):
    return StateLock(table, "locks", "state", "atena/prod/terraform.tfstate")


def take(lock, identity="id-1", wait=0, sleep=lambda seconds: None):
    lock.take(identity, "stop of atena-prod by ana", wait=wait, project="/infra", guard=lambda: None, sleep=sleep)


def test_the_lock_reads_as_terraforms_own(lock, table):
    take(lock)
    item = table.items["state/atena/prod/terraform.tfstate"]
    info = json.loads(item["Info"]["S"])
    assert set(info) == {"ID", "Operation", "Info", "Who", "Version", "Created", "Path"}
    assert (info["ID"], info["Path"], info["Who"]) == ("id-1", "state/atena/prod/terraform.tfstate", this_host())
    datetime.fromisoformat(info["Created"])


def test_a_lock_of_somebody_else_is_told_with_the_way_out(lock):
    take(lock)
    with pytest.raises(CallFailed, match="stop of atena-prod by ana.*-chdir=/infra force-unlock id-1"):
        take(lock, "id-2")
    assert lock.release("id-2") is False
    assert lock.release("id-1") is True
    take(lock, "id-2")


def test_a_lock_that_was_taken_here_is_given_back_with_one_call_and_only_if_it_is_still_ours(lock, table):
    take(lock)
    table.read = []
    assert lock.release("id-1") is True and table.items == {}
    take(lock)
    table.items["state/atena/prod/terraform.tfstate"] = {"Info": {"S": '{"ID": "somebody-else"}'}}
    assert lock.release("id-1") is False and table.items and table.read == []


def test_a_lock_is_waited_for(lock):
    take(lock)
    take(lock, "id-2", wait=60, sleep=lambda seconds: lock.release("id-1"))
    assert lock.read()["ID"] == "id-2"


def test_a_lock_whose_answer_was_lost_is_ours(lock, table):
    table.lose = 1
    take(lock)
    assert lock.read()["ID"] == "id-1"


def test_the_digest_is_mended_where_terraform_died_before_it_wrote_it(lock, table):
    assert lock.mend_digest() is False  # no digest: a state that was never locked
    table.items["state/atena/prod/terraform.tfstate-md5"] = {"Digest": {"S": "old"}}
    assert lock.mend_digest() is True
    assert table.items["state/atena/prod/terraform.tfstate-md5"]["Digest"]["S"] == hashlib.md5(b"{}").hexdigest()
    assert lock.mend_digest() is False
    table.state = None
    assert lock.mend_digest() is False


def test_the_digest_is_mended_only_where_nobody_has_the_lock(lock, table):
    table.items["state/atena/prod/terraform.tfstate-md5"] = {"Digest": {"S": "old"}}
    take(lock)
    assert lock.mend_if_free() is False and table.items["state/atena/prod/terraform.tfstate-md5"]["Digest"]["S"] == "old"
    lock.release("id-1")
    assert lock.mend_if_free() is True and lock.mend_if_free() is False


@pytest.fixture
def power(lock, tmp_path, monkeypatch):
    journal = Journal(Bucket(), "state", "power.json")
    journal.read()
    journal.save(new("atena-prod"))
    made = PowerTerraform(
        Terraform("terraform", tmp_path),
        lock,
        journal,
        branches=Clock(monkeypatch, power_terraform),
        say=lambda text: None,
        operation="stop",
        limits=power_terraform.Limits(0),
    )
    return made


@pytest.fixture
def planning(power, monkeypatch):
    """Terraform's commands, and a plan that replaces a VPC and changes a database."""
    commands = []
    changes = [("aws_vpc.main", ["delete", "create"]), ("aws_db_instance.main", ["update"])]
    resources = [
        {"address": address, "type": address.split(".")[0], "change": {"actions": actions, "before": {}, "after": {}, "after_unknown": {}}}
        for address, actions in changes
    ]
    monkeypatch.setattr(power.terraform, "version", lambda scratch: "1.11.4")
    monkeypatch.setattr(power.terraform, "initialize", lambda *_: False)
    monkeypatch.setattr(power.terraform, "checked", lambda doing, *arguments, **_: commands.append(arguments) or (2, [], []))
    monkeypatch.setattr(power.terraform, "json", lambda *_, **__: {"resource_changes": resources})
    return commands


def test_what_an_apply_would_change_is_asked_without_a_lock(power, planning):
    assert [(change["address"], change["action"]) for change in power.plan()] == [("aws_vpc.main", "replace"), ("aws_db_instance.main", "update")]
    assert [command[0] for command in planning] == ["plan"] and "-lock=false" in planning[0] and "-destroy" not in planning[0]


def test_a_part_can_be_applied_by_its_address(power, planning):
    power.apply(["aws_vpc.main"], targets=("aws_db_instance.main",))
    assert [command[0] for command in planning] == ["plan", "apply"] and "-target=aws_db_instance.main" in planning[0]


def test_the_journal_names_the_lock_before_it_is_taken(power, lock):
    with power.locked():
        assert lock.read()["ID"] == power.journal.record["terraform_lock"]["id"]
        assert power.journal.record["terraform_lock"]["host"] == this_host()
    assert lock.read() is None


def test_the_lock_of_a_run_that_was_killed_is_given_back(power, lock, table):
    identity = "id-1"
    take(lock, identity)
    assert power.recover() is False  # nobody knows whose it is
    power.journal.change(terraform_lock={"id": identity, "host": this_host(), "at": datetime.now(UTC).isoformat()})
    table.items["state/atena/prod/terraform.tfstate-md5"] = {"Digest": {"S": "old"}}
    assert power.recover() is True
    assert lock.read() is None and table.items["state/atena/prod/terraform.tfstate-md5"]["Digest"]["S"] != "old"
    assert power.recover() is False


def test_the_lock_of_a_run_with_another_record_is_given_back(power, lock):
    """A destroy has a record of its own, and may follow a stop that was killed."""
    take(lock, "id-1")
    stop = Journal(Bucket(), "state", "power.json")
    stop.read()
    assert power.recover(stop) is False  # there was none
    stop.save({**new("atena-prod"), "terraform_lock": {"id": "id-1", "host": this_host(), "at": datetime.now(UTC).isoformat()}})
    assert power.recover() is False and lock.read() is not None
    assert power.recover(stop) is True and lock.read() is None


def test_a_terraform_that_survived_its_run_is_waited_for(power, lock, monkeypatch):
    take(lock)
    power.journal.change(terraform_lock={"id": "id-1", "host": this_host(), "at": datetime.now(UTC).isoformat()})
    going = [4711]
    monkeypatch.setattr(power.terraform, "survivors", lambda: going)
    power._branches.at[5] = going.clear
    assert power.recover() is True and power._branches.now >= 5
    take(lock)
    going.append(4711)
    with pytest.raises(CallFailed, match="force-unlock"):
        power.recover()


def test_a_run_on_another_machine_has_time_to_end(power, lock, monkeypatch):
    take(lock)
    power.journal.change(terraform_lock={"id": "id-1", "host": "bo@there", "at": (datetime.now(UTC) - timedelta(minutes=20)).isoformat()})
    assert power.recover() is True and power._branches.now == 0
    take(lock)
    power.journal.change(terraform_lock={"id": "id-1", "host": "bo@there", "at": datetime.now(UTC).isoformat()})
    with pytest.raises(CallFailed, match="force-unlock"):
        power.recover()


def test_the_reason_is_told_though_the_lock_cannot_be_given_back_either(power, monkeypatch):
    def expired(identity):
        raise failure("The credentials expired.", "ExpiredToken")

    monkeypatch.setattr(power.lock, "release", expired)
    with pytest.raises(CallFailed, match="the apply failed"), power.locked():
        raise CallFailed("the apply failed")
    monkeypatch.setattr(power.lock, "take", lambda *_, **__: None)
    with pytest.raises(CallFailed, match="The credentials expired"), power.locked():
        pass


# --- A state that Terraform could not write ---------------------------------------------------------------------------
@pytest.fixture
def working(power, monkeypatch):
    """A Terraform that is ready, and what was asked of it. An apply fails for want of credentials."""
    asked = []

    def checked(doing, *arguments, scratch, accept=(0,)):
        asked.append(" ".join(arguments[:2] if arguments[0] == "state" else arguments[:1]))
        if arguments[0] == "apply":
            (power.terraform.directory / "errored.tfstate").write_text("secret")
            errors = [{"severity": "error", "summary": "Failed to save state", "detail": "ExpiredToken"}]
            raise CommandFailed(doing, errors, [], power.terraform.directory)
        return 2, [], []

    monkeypatch.setattr(power.terraform, "version", lambda scratch: "1.11.4")
    monkeypatch.setattr(power.terraform, "initialize", lambda version, scratch: False)
    monkeypatch.setattr(power.terraform, "json", lambda *_, **__: {"resource_changes": []})
    monkeypatch.setattr(power.terraform, "checked", checked)
    return asked


def test_a_state_that_waits_is_pushed_before_anything_else_is_written_to_the_state(power, working):
    waits = power.terraform.directory / "errored.tfstate"
    waits.write_text("secret")
    power.prepare()
    assert working == ["state push"] and not waits.exists() and "was pushed" in power.warnings[0]
    power.prepare()
    assert working == ["state push"]


def test_with_check_a_state_that_waits_is_told_and_not_pushed(power, working):
    power.refuse_unrecorded()
    (power.terraform.directory / "errored.tfstate").write_text("secret")
    with pytest.raises(CallFailed, match="without --check, pushes that file"):
        power.refuse_unrecorded()
    assert working == []


def test_what_an_apply_could_not_write_down_is_known_whatever_else_ends_the_run(power, working):
    with pytest.raises(CallFailed, match="^Terraform could not apply all of the plan"):
        power.apply()
    assert power.unrecorded.startswith("What Terraform did is not recorded in the remote state")
    power.unrecorded = ""
    (power.terraform.directory / "errored.tfstate").unlink()
    power._branches._check = lambda: (_ for _ in ()).throw(LockLost("not renewed", None)) if "apply" in working[2:] else None
    with pytest.raises(LockLost):
        power.apply()
    assert power.unrecorded.startswith("What Terraform did is not recorded in the remote state")


# --- Stored objects ---------------------------------------------------------------------------------------------------
def test_gates_are_written_only_over_what_was_read():
    bucket = Bucket()
    bucket.objects["gates.json"] = b'{"power": "on", "redis": "present"}'
    mine, other = Gates(bucket, "state", "gates.json"), Gates(bucket, "state", "gates.json")
    assert mine.read() == other.read() == wanted("on", "present")
    assert mine.write(wanted("on", "present")) is False
    assert mine.write(wanted("off", "absent")) is True
    with pytest.raises(CallFailed, match="changed by another run"):
        other.write(wanted("on", "adopt"))
    # The same write again, whose answer was lost.
    mine.object._etag = '"older"'
    mine.object.write({"power": "off", "redis": "absent"})


def test_what_a_later_version_added_to_the_gates_stays():
    bucket = Bucket()
    bucket.objects["gates.json"] = b'{"power": "off", "redis": "absent", "redis_snapshot": "s-1", "cdn": "on"}'
    gates = Gates(bucket, "state", "gates.json")
    gates.read()
    assert gates.write(wanted("off", "absent", "s-1")) is False and gates.write(wanted("on", "present")) is True
    assert json.loads(bucket.objects["gates.json"]) == {"power": "on", "redis": "present", "cdn": "on"}


@pytest.mark.parametrize(("body", "words"), [(b"", "not a JSON object"), (b"[]", "not a JSON object"), (b"{}", "power is missing"), (None, "does not exist")])
def test_gates_that_cannot_be_read_stop_everything(body, words):
    bucket = Bucket()
    if body is not None:
        bucket.objects["gates.json"] = body
    with pytest.raises(CallFailed, match=words):
        Gates(bucket, "state", "gates.json").read()


# --- A Redis of which no stop has recorded how it was made ------------------------------------------------------------
def test_a_snapshot_says_how_redis_was_made_where_no_stop_has_recorded_it(monkeypatch):
    notes = []
    raw = {"SnapshotName": "by-hand", "SnapshotStatus": "available", "CacheClusterId": "e-redis", "CacheNodeType": "cache.t4g.micro", "Engine": "redis"}
    found = redis_snapshot.describe({**raw, "EngineVersion": "7.1.0", "Port": 6379, "CacheSubnetGroupName": "e-redis", "NumCacheNodes": 1})
    monkeypatch.setattr(power_start.redis_snapshot, "read", lambda call, name: found if name == "by-hand" else None)
    call = Asked(lambda *_, **__: {"SecurityGroups": [{"GroupId": "sg-1"}]})
    start = types.SimpleNamespace(call=call, params={"redis_id": "e-redis"}, note=notes.append)
    known = power_start.Start._of_snapshot(start, "by-hand")
    wanted = {"id": "e-redis", "node_type": "cache.t4g.micro", "subnet_group": "e-redis", "security_group_ids": ["sg-1"]}
    assert {name: known["parameters"][name] for name in wanted} == wanted and "e-redis is made as the snapshot by-hand says" in notes[0]
    # Any moment would do but that of a cluster that has none yet.
    assert known["created_at"] == "unknown"
    with pytest.raises(CallFailed, match="gone does not exist"):
        power_start.Start._of_snapshot(start, "gone")
