"""Terraform as the machine has it and as the lab brings it along, side by side: both do the same at plans, locks and signals."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import boto3
import pytest
from emulator_world import until
from faults import Faults
from inprocess import module_utils
from test_killed import descendants

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

from atena_lab import own_terraform, settings  # noqa: E402 - found through the line above

terraform_cli = module_utils("terraform.cli")
ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not ENDPOINT, reason='no lab: start one with `lab/lab up` and `eval "$(lab/lab env)"`')]

HCL = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" { region = "us-east-1" }
resource "aws_cloudwatch_log_group" "first" { name = "NAME-first" }
resource "aws_cloudwatch_log_group" "second" {
  name       = "NAME-second"
  depends_on = [aws_cloudwatch_log_group.first]
}
output "name" { value = aws_cloudwatch_log_group.second.name }
"""
CREATE = "logs:CreateLogGroup"
APPLY = ("apply", "-auto-approve", "-input=false", "-no-color")


@pytest.fixture(scope="module", params=["of the machine", "of the lab"])
def program(request, tmp_path_factory):
    """The path of an executable; the lab's own is installed for the test where the lab needs none."""
    if request.param == "of the machine":
        found = own_terraform.of_machine()
        return found or pytest.skip("no Terraform is installed on this machine")
    why_not = own_terraform.unavailable()
    if why_not:
        pytest.skip(why_not)
    lab = settings.read()
    if not own_terraform.is_current(lab):
        lab = dataclasses.replace(lab, directory=tmp_path_factory.mktemp("own"))
        own_terraform.install(lab)
    return str(own_terraform.executable(lab))


class Copy:
    """A working copy with an S3 backend and its lock table."""

    def __init__(self, program: str, directory: Path, name: str) -> None:
        self.program, self.directory, self.name = program, directory, name
        self.environment = {**os.environ, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        self.started: list[subprocess.Popen] = []
        directory.mkdir()
        (directory / "main.tf").write_text(HCL.replace("NAME", name))
        backend = {
            "bucket": name, "key": "state", "dynamodb_table": name, "region": "us-east-1",
            "use_path_style": True, "skip_credentials_validation": True, "skip_requesting_account_id": True,
        }  # fmt: skip
        (directory / "backend_override.tf.json").write_text(json.dumps({"terraform": {"backend": {"s3": backend}}}))

    def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        done = subprocess.run(
            [self.program, *arguments], cwd=self.directory, env={**self.environment, **environment}, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == code, f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def start(self, *arguments: str) -> subprocess.Popen:
        """In a session of its own, as terraform.cli does."""
        process = subprocess.Popen(
            [self.program, *arguments], cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self.started.append(process)
        return process

    def state(self) -> set[str]:
        """The names of what the remote state holds."""
        objects = boto3.client("s3").list_objects_v2(Bucket=self.name).get("Contents", [])
        if not objects:
            return set()
        state = json.load(boto3.client("s3").get_object(Bucket=self.name, Key="state")["Body"])
        return {resource["name"] for resource in state["resources"] if resource["instances"]}

    def lock(self) -> dict | None:
        item = boto3.client("dynamodb").get_item(TableName=self.name, Key={"LockID": {"S": f"{self.name}/state"}}, ConsistentRead=True).get("Item")
        return json.loads(item["Info"]["S"]) if item else None

    def made(self) -> set[str]:
        groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix=self.name)["logGroups"]
        return {group["logGroupName"].rpartition("-")[2] for group in groups}


def others_at_work(copy: Copy, pids: list[int], proc: Path) -> bool:
    """As a run in this working copy would see it, of these processes only: others' tests have Terraforms of their own."""
    (proc / "self").mkdir(parents=True)
    for pid in pids:
        (proc / str(pid)).symlink_to(f"/proc/{pid}")
    return terraform_cli.others_at_work(copy.program, copy.directory, copy.environment, proc)


@pytest.fixture
def copies(program, tmp_path):
    """Makes working copies of one state."""
    name = f"own-{uuid.uuid4().hex[:8]}"
    boto3.client("s3").create_bucket(Bucket=name)
    boto3.client("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}], AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
    )  # fmt: skip
    made: list[Copy] = []

    def make() -> Copy:
        made.append(Copy(program, tmp_path / f"copy-{len(made)}", name))
        made[-1].run("init", "-input=false", "-no-color")
        return made[-1]

    yield make
    for process in (process for copy in made for process in copy.started):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.communicate()
    for group in boto3.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]:
        boto3.client("logs").delete_log_group(logGroupName=group["logGroupName"])


@pytest.fixture
def faults():
    with Faults(ENDPOINT) as faults:
        yield faults


def test_it_answers_as_the_command_does(program, tmp_path):
    def ask(*arguments, **environment):
        done = subprocess.run([program, *arguments], cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "x.tf").write_text('output   "x" { value = 1 }\n')
    code, output, error = ask("version", "-json")
    assert code == 0 and json.loads(output)["terraform_version"] and error == ""
    assert ask("fmt", "-check")[:2] == (0, "")
    assert ask("-chdir=below", "fmt", "-check")[:2] == (3, "x.tf\n")
    assert ask("fmt", TF_CLI_ARGS_fmt="-check -recursive")[:2] == (3, "below/x.tf\n")
    code, output, error = ask("pln")
    assert code == 1 and output == "" and 'no command named "pln"' in error
    code, output, _ = ask("apply", "-help")
    assert code == 0 and output.startswith("Usage: terraform [global options] apply")


def test_nobody_who_reads_ends_it_as_any_command(program):
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen([program, "-help"], stdout=writer)
    os.close(writer)
    assert process.wait(timeout=60) == -signal.SIGPIPE


def test_it_plans_and_applies_and_then_there_is_nothing_to_do(copies):
    copy = copies()
    # 2: there are changes.
    assert "2 to add" in copy.run("plan", "-detailed-exitcode", "-input=false", "-out=plan", code=2)
    assert "\x1b[" not in copy.run("apply", "-input=false", "plan", TF_CLI_ARGS_apply="-no-color")
    assert "No changes" in copy.run("plan", "-detailed-exitcode", "-input=false")
    assert copy.run("output", "-raw", "name") == f"{copy.name}-second"
    assert copy.state() == copy.made() == {"first", "second"} and copy.lock() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_ends_it_in_good_order(copies, faults, number):
    copy = copies()
    held = faults.hold(CREATE)
    process = copy.start(*APPLY)
    faults.met(held)
    process.send_signal(number)
    lines = iter(process.stdout.readline, "")
    assert any("Gracefully shutting down" in line for line in lines)
    faults.remove(held)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 1, rest
    # What was under way is done and written, the next is not begun, nobody is locked out.
    assert copy.made() == copy.state() == {"first"} and copy.lock() is None
    assert "1 added" in copy.run(*APPLY)


def test_a_second_signal_ends_it_at_once(copies, faults):
    copy = copies()
    held = faults.hold(CREATE)
    process = copy.start(*APPLY)
    faults.met(held)
    process.send_signal(signal.SIGINT)
    assert any("Gracefully shutting down" in line for line in iter(process.stdout.readline, ""))
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 1 and "Two interrupts received" in output and faults.hits(held) == 1


def test_a_signal_while_it_starts_is_never_lost(copies, faults):
    """It ends it, or stops it in good order, whenever it comes: terraform.cli sends one and no more."""
    copy = copies()
    # Long enough that none is through when its signal comes.
    faults.delay("dynamodb:PutItem", 2)
    for hundredths in (0, 2, 5, 10, 20, 40, 80):
        process = copy.start(*APPLY)
        time.sleep(hundredths / 100)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
        assert process.returncode in (1, -signal.SIGINT), f"after {hundredths / 100} s: {process.returncode} {output}"
        assert copy.lock() is None, f"after {hundredths / 100} s: {output}"
    assert copy.made() == set()


def test_one_that_was_killed_leaves_its_lock_and_is_not_at_work(copies, faults, tmp_path):
    copy = copies()
    held = faults.hold(CREATE)
    process = copy.start(*APPLY)
    faults.met(held)
    family = [process.pid, *descendants(process.pid)]
    assert others_at_work(copy, family, tmp_path / "before") is True
    process.kill()
    process.wait()
    faults.remove(held)
    left = copy.lock()
    assert left["Operation"] == "OperationTypeApply" and terraform_cli.is_own_lock(left, time.time() - 120)
    assert others_at_work(copy, family, tmp_path / "after") is False
    assert left["ID"] in copy.run(*APPLY, code=1)
    copy.run("force-unlock", "-force", left["ID"])
    assert copy.lock() is None


def test_of_two_at_once_the_second_is_refused_and_takes_nothing_away(copies, faults, tmp_path):
    first, second = copies(), copies()
    held = faults.hold(CREATE)
    process = first.start(*APPLY)
    faults.met(held)
    holder = first.lock()
    assert "Error acquiring the state lock" in second.run(*APPLY, code=1)
    assert others_at_work(second, [process.pid, *descendants(process.pid)], tmp_path / "proc") is True
    assert first.lock() == holder
    faults.remove(held)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert "No changes" in second.run("plan", "-input=false", "-no-color") and second.lock() is None


def test_the_modules_stop_it_in_good_order(copies, faults):
    """As terraform_apply runs it: one signal, however often it is interrupted."""
    copy = copies()
    terraform = terraform_cli.Terraform(copy.program, copy.directory, copy.environment)
    held = faults.hold(CREATE)

    def on_line(line):
        if "Creating..." in line:
            faults.met(held)
            terraform.interrupt()
            terraform.interrupt()
        if "Gracefully" in line:
            faults.remove(held)

    terraform.on_line = on_line
    with terraform.scratch() as scratch, pytest.raises(terraform_cli.TerraformError, match="asked to stop"):
        terraform.checked("apply", *APPLY, scratch=scratch)
    assert copy.state() == {"first"} and copy.lock() is None
    # Nothing of it goes on in the background.
    until(lambda: terraform.survivors() == [])


def test_the_labs_own_reaches_nothing_but_a_lab(program, copies):
    if not own_terraform.is_launcher(Path(program)):
        pytest.skip("the machine's Terraform goes wherever it is pointed at")
    copy = copies()
    for environment, why in [
        ({"AWS_ENDPOINT_URL": ""}, "AWS_ENDPOINT_URL is not set"),
        ({"AWS_ENDPOINT_URL": "https://ec2.us-east-1.amazonaws.com"}, "no lab's"),
        ({"AWS_ENDPOINT_URL_S3": "https://s3.amazonaws.com"}, "no lab's"),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "turns AWS_ENDPOINT_URL off"),
    ]:
        for command in ("init", "plan", "apply", "destroy", "state"):
            text = copy.run(command, code=1, **environment)
            assert text.startswith("Refused") and why in text and "BUSL" in text, text
        copy.run("version", **environment)
