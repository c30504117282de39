"""The lock and the ledger on the real emulator: races, killed runs, lost locks; what is on record, and which of it runs."""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

# Ansible's own importing of collections, as in the unit tests.
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from botocore.exceptions import ClientError
from conftest import CHECKOUT
from faults import Faults
from wire import Wire

if not any(isinstance(finder, _AnsibleCollectionFinder) for finder in sys.meta_path):
    _AnsibleCollectionFinder(paths=[str(CHECKOUT / ".collections")])._install()
aws_errors, locks, ledgers, records = (
    importlib.import_module(f"ansible_collections.atena.aws.plugins.module_utils.{name}")
    for name in ("core.errors", "environment.lock", "environment.ledger", "environment.release_record")
)
CallFailed, Lock, LockLost, LockTaken, Ledger = aws_errors.CallFailed, locks.Lock, locks.LockLost, locks.LockTaken, ledgers.Ledger

TABLE = "atena-terraform-locks"
OTHER = "arn:aws:iam::123456789012:user/bo"


class Call:
    """The modules' way of calling AWS, without a module."""

    def __init__(self, lab):
        self._clients = {service: lab.client(service) for service in ("dynamodb", "s3")}

    def __call__(self, service, operation, doing, /, **arguments):
        try:
            return getattr(self._clients[service], operation)(**arguments)
        except ClientError as error:
            raise aws_errors.failure_of(error, doing) from error

    def pages(self, service, operation, doing, key, /, **arguments):
        return [item for page in self._clients[service].get_paginator(operation).paginate(**arguments) for item in page.get(key, [])]


@pytest.fixture
def call(lab):
    return Call(lab)


@pytest.fixture
def others(lab, call):
    """The lock of the deployed environment as another run sees it; free before and after the test."""
    lock = Lock(call, TABLE, lab.name)
    lock.force_release()
    yield lock
    lock.force_release()


def run_module(module, environment=None, /, **arguments):
    """Runs a module as a task does. Returns (its result, whether it failed)."""
    command = ["ansible", "localhost", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", "-m", f"atena.aws.{module}"]
    done = subprocess.run(
        [*command, "-a", json.dumps({**arguments, "region": "us-east-1"})],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=CHECKOUT,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", **(environment or {})},
    )
    return json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("=> {") + 3 :])[0], done.returncode != 0


def documented(name, *conditions):
    """The names that a module's documentation says it returns: always, or under one of these conditions."""
    text = (CHECKOUT / "plugins" / "modules" / f"{name}.py").read_text()
    said = {key: value["returned"] for key, value in yaml.safe_load(text.split('RETURN = r"""')[1].split('"""')[0]).items()}
    return {key for key, when in said.items() if when in ("always", "success") or any(condition in when for condition in conditions)} | {"changed"}


def returned(result):
    return set(result) - {"invocation", "warnings", "deprecations"}


def start(playbook, *arguments, environment=None):
    return subprocess.Popen(
        ["ansible-playbook", "-i", "inventories/lab", f"playbooks/{playbook}", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def until(ask, what, seconds=120):
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return answer


def folded(text):
    return " ".join(text.split())


# --- The lock ---------------------------------------------------------------------------------------------------------
def test_of_many_that_take_it_at_the_same_time_exactly_one_gets_it(others, call):
    for _ in range(5):
        together = threading.Barrier(8)

        def attempt(number, together=together):
            lock = Lock(call, TABLE, others.name)
            together.wait(timeout=30)
            try:
                lock.acquire("deploy", f"arn:{number}")
            except LockTaken as taken:
                return taken.holder["owner"]
            return lock.token

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(attempt, range(8)))
        held = others.read()
        assert answers.count(held.token) == 1
        assert answers.count(held.owner) == 7
        others.force_release()


def test_of_many_that_find_it_expired_exactly_one_takes_it_over(others, call):
    Lock(call, TABLE, others.name, expires_in=0).acquire("deploy", OTHER)
    together = threading.Barrier(8)

    def attempt(number):
        together.wait(timeout=30)
        try:
            return Lock(call, TABLE, others.name).acquire("infra", f"arn:{number}")["taken_over"]["owner"]
        except LockTaken:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(8)), key=str) == [None] * 7 + [OTHER]


def test_two_modules_at_the_same_time(others, lab):
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: run_module("environment_lock", table=TABLE, name=lab.name, reason="deploy"), range(2)))
    ((won, _), (lost, _)) = sorted(results, key=lambda result: result[1])
    assert [failed for _, failed in sorted(results, key=lambda result: result[1])] == [False, True]
    assert won["changed"] and won["lock"]["token"] == others.read().token
    assert "is locked by" in lost["msg"] and lost["holder"]["reason"] == "deploy"


def test_a_playbook_refuses_and_names_whose_run_it_is(others, lab):
    others.acquire("deploy", OTHER)
    with Wire(lab.endpoint) as wire:
        run = lab.playbook("migrate.yml", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_fail()
    assert f"is locked by {OTHER}" in run.text and "'deploy'" in run.text and "lock.yml -e lock_force=atena-prod" in run.text
    assert wire.writes(besides_lock=True) == []
    assert others.read().token == others.token


def test_a_playbook_waits_for_another_run_and_then_does_its_work(others, lab):
    others.acquire("deploy", OTHER)
    with Wire(lab.endpoint) as wire:
        process = start("secrets.yml", "-e", "atena_lock_wait_seconds=600", environment={"AWS_ENDPOINT_URL": wire.endpoint})
        until(lambda: [entry for entry in wire.calls if entry.lock], "its check the lock")
        assert others.release()
        output = folded(process.communicate(timeout=300)[0])
    assert process.returncode == 0, output
    assert "Waiting up to 600 s for the lock of atena-prod" in output and OTHER in output
    assert others.read() is None


def test_two_migrations_at_once_run_one_after_the_other(others, lab):
    before = {task["taskArn"] for task in lab.ended_tasks()}
    processes = [start("migrate.yml", "-e", "atena_lock_wait_seconds=600") for _ in range(2)]
    for process in processes:
        output = process.communicate(timeout=600)[0]
        assert process.returncode == 0, output
    first, second = sorted((task for task in lab.ended_tasks() if task["taskArn"] not in before), key=lambda task: task["createdAt"])
    assert first["stoppedAt"] <= second["createdAt"]
    assert others.read() is None


def test_terraform_does_not_wait_for_a_lock_that_its_own_run_took_without_knowing(lab):
    with Faults(lab.endpoint) as faults:
        lost = faults.drop("dynamodb:PutItem", match="terraform.tfstate", times=1, carried_out=True)
        lab.playbook("infra.yml", "-e", "infra_lock_timeout=2").must_succeed()
        assert faults.hits(lost) == 1
    assert lab.plan()[0] == 0


def test_an_expired_lock_is_taken_over_with_a_notice(others, lab, call):
    Lock(call, TABLE, lab.name, expires_in=0).acquire("infra", OTHER)
    run = lab.playbook("secrets.yml").must_succeed()
    assert "[WARNING]: Took over the lock of atena-prod" in run.text and OTHER in run.text
    assert others.read() is None


def test_a_killed_run_locks_nobody_out_beyond_its_expiry(others, lab):
    ecs = lab.client("ecs")
    sleeper = ["node", "-e", "process.on('SIGTERM', () => process.exit(1)); setTimeout(() => {}, 600_000)"]
    before = set(ecs.list_tasks(cluster=lab.cluster)["taskArns"])
    process = start("migrate.yml", "-e", json.dumps({"atena_migration_command": sleeper, "atena_lock_expiry_seconds": 20}))
    arns = until(lambda: set(ecs.list_tasks(cluster=lab.cluster)["taskArns"]) - before, "the task's start")
    # The module itself outlives ansible-playbook, and keeps the lock as long as it follows its task.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    for arn in arns:
        ecs.stop_task(cluster=lab.cluster, task=arn)
    assert others.read().reason == "migrate"
    run = lab.playbook("secrets.yml", "-e", "atena_lock_wait_seconds=300").must_succeed()
    assert "Took over the lock of atena-prod" in run.text
    assert others.read() is None


@pytest.mark.parametrize(
    ("module", "arguments", "write"),
    [
        ("ssm_secrets", {"path": "/atena/prod", "names": ["ADMIN_TOKEN"], "values": {"ADMIN_TOKEN": "something else"}}, "ssm:PutParameter"),
        ("ecs_run_task", {"cluster": "atena-prod-cluster", "service": "atena-prod-api"}, "ecs:RunTask"),
    ],
)
def test_a_module_whose_lock_was_taken_away_writes_nothing(others, lab, module, arguments, write):
    mine = {"table": TABLE, "name": lab.name, "token": str(uuid.uuid4())}
    others.acquire("deploy", OTHER)
    with Wire(lab.endpoint) as wire:
        result, failed = run_module(module, {"AWS_ENDPOINT_URL": wire.endpoint}, **arguments, lock=mine)
    assert failed and "This run lost the lock of the environment atena-prod" in result["msg"] and OTHER in result["msg"]
    assert wire.calls and write not in wire.writes()


@pytest.fixture
def terraform(tmp_path):
    """Makes an executable that does something of its own at some of Terraform's commands, and is Terraform otherwise."""

    def make(**commands):
        program = tmp_path / "terraform-wrapper"
        steal = (
            f"{sys.executable} -c \"import boto3; boto3.client('dynamodb', region_name='us-east-1')"
            f".delete_item(TableName='{TABLE}', Key={{'LockID': {{'S': 'atena.aws/atena-prod'}}}})\""
        )
        cases = "".join(f"{name}) {script.replace('STEAL', steal)} ;;\n" for name, script in commands.items())
        program.write_text(f'#!/bin/sh\ncase "$1" in\n{cases}*) exec terraform "$@" ;;\nesac\n')
        program.chmod(0o755)
        return ["-e", f"infra_terraform_executable={program}", "-e", "atena_log_retention_days=14"]

    return make


def retention(lab):
    groups = lab.client("logs").describe_log_groups(logGroupNamePrefix="/ecs/atena-prod")["logGroups"]
    return {group.get("retentionInDays") for group in groups}


def test_a_plan_is_not_applied_once_the_lock_is_lost(others, lab, terraform):
    """Somebody forces the lock while Terraform plans."""
    before = retention(lab)
    run = lab.playbook("infra.yml", *terraform(plan='terraform "$@"; code=$?; STEAL; exit $code')).must_fail()
    assert "This run lost the lock of the environment atena-prod. It was released by force" in run.text
    assert retention(lab) == before == {30}
    # Terraform's own lock is not left behind either.
    lab.playbook("infra.yml").must_succeed()


def test_an_apply_stops_in_good_order_when_its_lock_is_lost(others, lab, terraform):
    """Somebody forces the lock during the apply. This Terraform ends when it is asked to, and at nothing else."""
    stubborn = "trap 'exit 1' INT; STEAL; while :; do sleep 0.1; done"
    run = lab.playbook("infra.yml", *terraform(apply=stubborn), "-e", "atena_lock_expiry_seconds=5").must_fail()
    assert "This run lost the lock of the environment atena-prod" in run.text
    assert "Terraform was asked to stop" in run.text
    lab.playbook("infra.yml").must_succeed()


def test_check_mode_takes_no_lock_and_needs_none(others, lab):
    others.acquire("deploy", OTHER)
    before = others.read()
    with Wire(lab.endpoint) as wire:
        lab.playbook("secrets.yml", "--check", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert wire.writes() == []
    assert others.read() == before


def test_a_second_run_writes_nothing_but_the_lock(others, lab):
    with Wire(lab.endpoint) as wire:
        for playbook in ("bootstrap.yml", "secrets.yml"):
            assert lab.playbook(playbook, environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed().changed == 0
    assert wire.writes(besides_lock=True) == []
    # Taken and given back, twice.
    assert [write for write in wire.writes() if write != "dynamodb:UpdateItem"] == ["dynamodb:PutItem", "dynamodb:DeleteItem"] * 2
    assert others.read() is None


def test_lock_yml_shows_and_releases_by_force_with_the_name_typed_out(others, lab):
    assert "atena-prod is not locked." in lab.playbook("lock.yml").must_succeed().text
    others.acquire("deploy", OTHER)
    shown = lab.playbook("lock.yml").must_succeed()
    assert f"atena-prod is locked by {OTHER}" in shown.text and shown.changed == 0
    refused = lab.playbook("lock.yml", "-e", "lock_force=atena-stage").must_fail()
    assert "lock_force is 'atena-stage', but this environment is atena-prod. Nothing was released." in refused.text
    would = lab.playbook("lock.yml", "-e", "lock_force=atena-prod", "--check").must_succeed()
    assert "Would take the lock of atena-prod away" in would.text
    assert others.read().token == others.token
    forced = lab.playbook("lock.yml", "-e", "lock_force=atena-prod").must_succeed()
    assert f"Took the lock of atena-prod away from {OTHER}" in forced.text and forced.changed == 1
    assert others.read() is None
    with pytest.raises(LockLost, match="released by force"), others.held():
        pass


def test_what_the_lock_modules_return_is_what_they_document(others, lab):
    common = {"table": TABLE, "name": lab.name}
    held, _ = run_module("environment_lock", **common)
    assert returned(held) == documented("environment_lock", "O(state=held)")
    again, _ = run_module("environment_lock", **common, token=held["lock"]["token"])
    assert (held["changed"], again["changed"]) == (True, False)
    info, _ = run_module("environment_lock_info", **common)
    assert returned(info) == documented("environment_lock_info")
    assert info["locked"] and held["lock"]["token"] not in json.dumps(info)
    released, _ = run_module("environment_lock", **common, token=held["lock"]["token"], state="released")
    assert returned(released) == documented("environment_lock", "O(state=released)")
    assert released["changed"] and run_module("environment_lock_info", **common)[0]["holder"] is None
    forced, _ = run_module("environment_lock", **common, state="forced")
    assert returned(forced) == documented("environment_lock", "O(state=forced)")
    assert not forced["changed"]


# --- The ledger -------------------------------------------------------------------------------------------------------
@pytest.fixture
def ledger(lab, call):
    """A ledger of its own in the state bucket; removed afterwards."""
    made = Ledger(call, f"atena-terraform-state-{lab.account}", f"test-{uuid.uuid4().hex}/releases/")
    yield made
    s3 = lab.client("s3")
    versions = s3.list_object_versions(Bucket=made.bucket, Prefix=made.prefix)
    for version in versions.get("Versions", []) + versions.get("DeleteMarkers", []):
        s3.delete_object(Bucket=made.bucket, Key=version["Key"], VersionId=version["VersionId"])


def again(call, ledger):
    return Ledger(call, ledger.bucket, ledger.prefix)


def begun(letter="a", rand="0000", **more):
    return replace(records.new_record(environment="atena-prod", release=letter * 40, operator=OTHER, host="bo@desk", rand=rand), **more)


def test_of_many_that_create_a_record_at_the_same_time_exactly_one_does(ledger, call):
    record, together = begun(), threading.Barrier(8)

    def attempt(number):
        together.wait(timeout=30)
        try:
            again(call, ledger).create(replace(record, host=str(number)))
        except CallFailed:
            return None
        return str(number)

    with ThreadPoolExecutor(8) as pool:
        winners = [host for host in pool.map(attempt, range(8)) if host]
    assert winners == [ledger.recent()[0].host]


def test_of_many_that_save_a_record_at_the_same_time_exactly_one_does(ledger, call):
    ledger.create(begun())
    together = threading.Barrier(8)

    def attempt(number):
        own = again(call, ledger)
        (record,) = own.recent()
        together.wait(timeout=30)
        try:
            own.save(records.ended(record, "failed", str(number)))
        except CallFailed as refused:
            assert "changed by another run" in str(refused)
            return None
        return str(number)

    with ThreadPoolExecutor(8) as pool:
        winners = [reason for reason in pool.map(attempt, range(8)) if reason]
    assert winners == [ledger.recent()[0].reason]


def test_what_a_record_said_before_is_kept(ledger, lab):
    record = ledger.create(begun())
    ledger.save(records.ended(record, "succeeded"))
    versions = lab.client("s3").list_object_versions(Bucket=ledger.bucket, Prefix=ledger.prefix)["Versions"]
    assert len(versions) == 2


def test_a_release_is_found_by_the_beginning_of_its_commit(ledger, call):
    for letter in "abc":
        ledger.save(records.ended(ledger.create(begun(letter)), "succeeded"))
    assert again(call, ledger).find("bbbbbbb").release == "b" * 40
    with pytest.raises(CallFailed, match="No recorded release is called 'ddddddd'") as unknown:
        again(call, ledger).find("ddddddd")
    assert "cccccccccccc" in str(unknown.value)


@pytest.fixture
def released(ledger, lab):
    """Three releases on record: an earlier one, the one that runs, and one that failed."""
    running = [records.Service(name=name, task_definition=arn, previous=None, desired_count=1) for name, arn in lab.revisions().items()]
    gone = [replace(service, task_definition="arn:aws:ecs:us-east-1:000000000000:task-definition/gone:1") for service in running]
    plan = [("a", gone, "succeeded", ""), ("b", running, "succeeded", ""), ("c", gone, "failed", "the migration failed")]
    made = []
    for second, (letter, services, outcome, reason) in enumerate(plan):
        record = begun(letter, services=services, schema=letter)
        record = replace(record, id=f"20270115T12000{second}Z-{letter * 12}-0000", migration=replace(record.migration, outcome="succeeded"))
        made.append(ledger.save(records.ended(ledger.create(record), outcome, reason)))
    return made


def test_release_info_tells_what_runs_and_what_was_before(released, ledger, lab):
    result, failed = run_module("release_info", bucket=ledger.bucket, prefix=ledger.prefix, cluster=lab.cluster, reference="aaaaaaa")
    assert not failed
    assert [record["running"] for record in result["releases"]] == [False, True, False]
    assert (result["running"], result["previous"], result["interrupted"]) == (released[1].id, released[0].id, "")
    assert result["release"] == released[0].as_dict()
    assert result["migrated_since"] == [released[2].id, released[1].id]
    assert returned(result) == documented("release_info", "O(reference)")
    said = yaml.safe_load(Path(CHECKOUT / "plugins/modules/release_info.py").read_text().split('RETURN = r"""')[1].split('"""')[0])
    assert set(result["releases"][0]) == set(said["releases"]["contains"])


def test_release_info_refuses_a_release_that_is_not_on_record(released, ledger):
    result, failed = run_module("release_info", bucket=ledger.bucket, prefix=ledger.prefix, reference="ddddddd")
    assert failed and "No recorded release is called 'ddddddd'" in result["msg"] and "the migration failed" in result["msg"]


def test_releases_yml_lists_them_and_marks_the_one_that_runs(released, ledger, lab):
    with Wire(lab.endpoint) as wire:
        run = lab.playbook(
            "releases.yml", "-e", f"atena_releases_prefix={ledger.prefix}", "-e", "releases_show=bbbbbbb", environment={"AWS_ENDPOINT_URL": wire.endpoint}
        ).must_succeed()
    assert "* bbbbbbbbbbbb deploy succeeded" in run.text
    assert "cccccccccccc deploy failed" in run.text and "the migration failed" in run.text
    assert run.text.count(f"release: {'b' * 40}") == 1
    assert wire.writes() == [] and run.changed == 0
