"""What becomes of a state that Terraform could not write: errored.tfstate. The texts in the answers are Terraform's own."""

import contextlib
import datetime
import getpass
import json
import os
import socket
import stat

import pytest
from ansible_collections.atena.aws.plugins.module_utils.cost import run as cost_run
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import LockLost
from ansible_collections.atena.aws.plugins.module_utils.terraform import cli as terraform_cli, saved as terraform_saved
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import Terraform, TerraformError
from ansible_collections.atena.aws.plugins.module_utils.terraform.unrecorded import Unrecorded
from ansible_collections.atena.aws.plugins.modules import terraform_apply, terraform_working_copy
from planned import plan_and_apply

# In `errored` is what an apply leaves as errored.tfstate, in `failure` what it says then, in `refusal` what a push says that is refused, once or always.
SCRIPT = """#!/bin/sh
echo "$@" >> {directory}/asked
case "$1" in
  version) echo '{{"terraform_version": "1.11.4"}}' ;;
  init) mkdir -p .terraform/providers ;;
  plan) for word in "$@"; do case "$word" in -out=*) echo plan > "${{word#-out=}}" ;; esac; done; exit 2 ;;
  show) echo '{{"resource_changes": []}}' ;;
  force-unlock) rm {directory}/refusal ;;
  state)
    if [ -e {directory}/refusal ]; then cat {directory}/refusal; exit 1; fi
    if [ "$2" = push ]; then for file in "$@"; do :; done; cp "$file" {directory}/remote; fi ;;
  apply)
    if [ -e {directory}/failure ]; then
      if [ -e {directory}/errored ]; then cat {directory}/errored > errored.tfstate; fi
      cat {directory}/failure
      exit 1
    fi
    echo '{{"type":"outputs","outputs":{{}}}}' ;;
esac
"""
SECRET = '{"serial": 8, "lineage": "a", "password": "hunter2"}'
NEWER = "Failed to write state: cannot import state with serial 2 over newer state with serial 5"
EXPIRED = "operation error S3: PutObject, api error ExpiredToken: The provided token has expired."
DENIED = "operation error S3: PutObject, api error AccessDenied: not today"
ADVICE = {"summary": "Failed to persist state to backend", "detail": 'Running "terraform apply" again at this point will create a forked state.'}


@pytest.fixture
def world(tmp_path):
    """A Terraform that writes down what it is asked, and a working copy."""
    program = tmp_path / "terraform"
    program.write_text(SCRIPT.format(directory=tmp_path))
    program.chmod(0o755)
    project = tmp_path / "project"
    project.mkdir()
    return tmp_path, Terraform(str(program), project, environment={"PATH": os.environ["PATH"]})


@pytest.fixture
def waiting(world):
    """The same, with the state of an apply that could not write it."""
    file = world[1].directory / "errored.tfstate"
    file.write_text(SECRET)
    file.chmod(0o644)
    return file


def run(terraform, **options):
    with terraform.scratch() as scratch:
        return plan_and_apply(terraform, scratch, **options)


def asked(directory):
    path = directory / "asked"
    return path.read_text().splitlines() if path.exists() else []


def verbs(directory):
    return [line.split(" -")[0] for line in asked(directory)]


def fails(directory, *diagnostics, errored=SECRET):
    """The next apply fails with these errors."""
    lines = [json.dumps({"type": "diagnostic", "diagnostic": {"severity": "error", **one}}) for one in diagnostics]
    (directory / "failure").write_text("\n".join(lines) + "\n")
    if errored:
        (directory / "errored").write_text(errored)


def in_flight(why):
    return [{"summary": f"creating number {number}: {why}", "address": f"aws_x.n{number}"} for number in range(9)]


def unsaved(why):
    return [{"summary": "Failed to save state", "detail": f"Error saving state: failed to upload state: {why}"}, ADVICE]


# --- Before a plan ----------------------------------------------------------------------------------------------------
def test_a_state_that_waits_is_pushed_under_the_lock_before_the_plan_and_removed(world, waiting):
    directory, terraform = world
    result = run(terraform)
    assert asked(directory)[0] == "state push -lock-timeout=5s errored.tfstate"
    assert verbs(directory) == ["state push", "plan", "show", "apply"]
    assert (directory / "remote").read_text() == SECRET and not waiting.exists()
    assert str(waiting) in result["warnings"][0] and "was pushed" in result["warnings"][0] and "hunter2" not in str(result)


def test_where_the_caller_holds_the_lock_terraform_takes_none(world, waiting):
    directory, terraform = world
    run(terraform, lock_timeout=None)
    assert asked(directory)[0] == "state push -lock=false errored.tfstate"


def test_where_none_waits_nothing_is_pushed(world):
    directory, terraform = world
    assert run(terraform)["warnings"] == [] and verbs(directory) == ["plan", "show", "apply"]


def test_a_plan_that_is_only_kept_begins_with_the_state_that_waits(world, waiting):
    directory, terraform = world
    run(terraform, save_as=str(directory / "kept"))
    assert asked(directory)[0] == "state push -lock-timeout=5s errored.tfstate" and not waiting.exists()


def test_a_kept_plan_is_judged_by_the_state_that_was_pushed(world, waiting, monkeypatch):
    directory, terraform = world
    monkeypatch.setattr(terraform_saved, "state_of", lambda path: {})
    monkeypatch.setattr(terraform_saved, "check", lambda *_: pytest.fail("it was not pushed") if waiting.exists() else None)
    monkeypatch.setattr(terraform_saved, "forget", lambda path: None)
    run(terraform, saved=str(directory / "kept"))
    assert verbs(directory)[0] == "state push"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (NEWER, ["newer state with serial 5", "show errored.tfstate", "delete the file"]),
        (
            'Failed to write state: cannot import state with lineage "a" over unrelated state with lineage "b"',
            ["unrelated", "state list", "delete the file"],
        ),
        ("Failed to load destination state: " + EXPIRED, ["ExpiredToken", "get new ones", "state push errored.tfstate"]),
    ],
)
def test_a_push_that_is_refused_ends_it_before_the_plan(world, waiting, said, words):
    directory, terraform = world
    (directory / "refusal").write_text(said + "\n")
    with pytest.raises(TerraformError, match="Nothing was planned") as refused:
        run(terraform)
    assert verbs(directory) == ["state push"] and waiting.read_text() == SECRET
    for word in [str(waiting), f"-chdir={terraform.directory}", *words]:
        assert word in str(refused.value)
    assert "hunter2" not in str(refused.value) and "-force" not in str(asked(directory))
    assert stat.S_IMODE(waiting.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_removed_is_told_before_anything_is_planned(world, waiting, monkeypatch):
    directory, terraform = world

    unlink = os.unlink

    def refuse(path, **options):
        if str(path) == str(waiting):
            raise PermissionError(1, "Operation not permitted")
        unlink(path, **options)

    with monkeypatch.context() as patched, pytest.raises(TerraformError, match="in the remote state now.*Operation not permitted.*delete it"):
        patched.setattr("os.unlink", refuse)
        run(terraform)
    assert verbs(directory) == ["state push"]


def test_with_check_nothing_is_pushed_or_planned(world, waiting):
    directory, terraform = world
    with pytest.raises(TerraformError, match="run again without --check, pushes that file") as refused:
        run(terraform, check=True)
    assert asked(directory) == [] and str(waiting) in str(refused.value) and waiting.exists()


def test_a_plan_for_its_costs_is_refused_too(world, waiting):
    directory, terraform = world
    with pytest.raises(TerraformError, match="false prediction"):
        cost_run.read_plan(terraform.executable, {"project_path": str(terraform.directory), "file": "", "parallelism": 1})
    assert not any(verb.startswith(("plan", "state")) for verb in verbs(directory))
    assert cost_run.read_plan(terraform.executable, {"project_path": str(terraform.directory), "file": "x", "parallelism": 1}) == {"resource_changes": []}


def test_the_working_copy_leaves_it_alone(tmp_path):
    for name in ("main.tf", "errored.tfstate"):
        (tmp_path / name).write_text("x")
    assert sorted(terraform_working_copy.configuration_files(tmp_path)) == ["main.tf"]


# --- The lock of the apply that left it -------------------------------------------------------------------------------
def held(waiting, *, who="", seconds=-5, operation="OperationTypeApply"):
    """What a push says while somebody holds the lock, who took it so many seconds after the file was written, which was an hour ago."""
    an_hour_ago = waiting.stat().st_mtime - 3600
    os.utime(waiting, (an_hour_ago, an_hour_ago))
    created = datetime.datetime.fromtimestamp(waiting.stat().st_mtime + seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.123456789 +0000 UTC")
    who = who or f"{getpass.getuser()}@{socket.gethostname()}"
    lock = f"│ Lock Info:\n│   ID:        an-id\n│   Operation: {operation}\n│   Who:       {who}\n│   Created:   {created}\n"
    return f"╷\n│ Error: Error acquiring the state lock\n│ \n│ Error message: ConditionalCheckFailedException\n{lock}╵\n"


def test_the_lock_that_the_apply_could_not_give_back_is_given_back(world, waiting, monkeypatch):
    directory, terraform = world
    monkeypatch.setattr(terraform_cli, "others_at_work", lambda *_: False)
    (directory / "refusal").write_text(held(waiting))
    run(terraform)
    assert verbs(directory)[:3] == ["state push", "force-unlock", "state push"] and not waiting.exists()
    assert asked(directory)[1] == "force-unlock -force an-id"


@pytest.mark.parametrize(
    ("others", "holder"),
    [(True, {}), (False, {"who": "somebody@elsewhere"}), (False, {"seconds": 5}), (False, {"operation": "OperationTypePlan"})],
)
def test_a_lock_that_may_be_somebody_elses_stays(world, waiting, monkeypatch, others, holder):
    directory, terraform = world
    monkeypatch.setattr(terraform_cli, "others_at_work", lambda *_: others)
    (directory / "refusal").write_text(held(waiting, **holder))
    with pytest.raises(TerraformError, match="force-unlock an-id"):
        run(terraform)
    assert verbs(directory) == ["state push"] and waiting.exists()


# --- After an apply that failed ---------------------------------------------------------------------------------------
def test_credentials_that_expired_in_an_apply_are_told_with_the_file_first(world):
    directory, terraform = world
    fails(directory, *in_flight("api error ExpiredToken"), *unsaved(EXPIRED))
    with pytest.raises(Unrecorded) as failed:
        run(terraform)
    file, text = terraform.directory / "errored.tfstate", str(failed.value)
    assert text.startswith(f"What Terraform did is not recorded in the remote state, but in {file} alone. Get new credentials")
    assert "the same playbook again on this machine" in text and "save the file first" in text and "more errors" in text
    assert "done and recorded" not in text and "forked state" not in text and "hunter2" not in text
    assert verbs(directory) == ["plan", "show", "apply"], "a push without credentials only costs time"
    assert file.read_text() == SECRET and stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_next_run_goes_on_from_what_that_apply_did(world):
    directory, terraform = world
    fails(directory, *unsaved(EXPIRED))
    with pytest.raises(Unrecorded):
        run(terraform)
    (directory / "failure").unlink()
    (directory / "asked").unlink()
    run(terraform)
    assert verbs(directory) == ["state push", "plan", "show", "apply"] and (directory / "remote").read_text() == SECRET


def test_a_state_that_could_not_be_written_once_is_pushed_at_once(world):
    directory, terraform = world
    fails(directory, {"summary": "creating RDS: no"}, *unsaved("connection reset by peer"))
    with pytest.raises(TerraformError) as failed:
        run(terraform)
    assert verbs(directory)[-2:] == ["apply", "state push"] and not (terraform.directory / "errored.tfstate").exists()
    assert not isinstance(failed.value, Unrecorded) and "pushed afterwards" in str(failed.value) and "creating RDS: no" in str(failed.value)
    assert (directory / "remote").read_text() == SECRET


def test_one_that_cannot_be_pushed_at_once_either_is_told_first(world):
    directory, terraform = world
    fails(directory, *unsaved(DENIED))
    (directory / "refusal").write_text(f"Failed to write state: {DENIED}\n")
    with pytest.raises(Unrecorded) as failed:
        run(terraform)
    assert str(failed.value).startswith("What Terraform did is not recorded") and "Fix what is reported below" in failed.value.sentence
    assert "A push at once failed too. Terraform could not push" in failed.value.rest and (terraform.directory / "errored.tfstate").exists()


def test_an_interruption_is_not_said_to_have_written_the_state(world):
    directory, terraform = world
    fails(directory, *unsaved(EXPIRED))
    checked = terraform.checked

    def interrupted(doing, *arguments, **options):
        try:
            return checked(doing, *arguments, **options)
        except TerraformError:
            terraform.interrupted = True
            terraform.stop_if_interrupted()

    terraform.checked = interrupted
    with pytest.raises(Unrecorded, match="What Terraform did is not recorded.*\nThe run was interrupted") as failed:
        run(terraform)
    assert "wrote what it had done to its state" not in str(failed.value) and verbs(directory)[-1] == "apply"


def test_an_apply_whose_state_was_written_says_so(world):
    directory, terraform = world
    fails(directory, {"summary": "creating RDS: no"}, errored="")
    with pytest.raises(TerraformError, match="apply all of the plan; what it did before that is done and recorded.*creating RDS: no") as failed:
        run(terraform)
    assert not isinstance(failed.value, Unrecorded) and verbs(directory)[-1] == "apply"


def test_a_state_that_could_be_written_nowhere_is_not_said_to_be(world):
    directory, terraform = world
    fails(directory, *unsaved(DENIED), {"summary": "Failed to create local state file", "detail": "no space left on device"}, errored="")
    with pytest.raises(TerraformError, match="^What Terraform did is recorded nowhere") as failed:
        run(terraform)
    assert "no space left" in str(failed.value) and "done and recorded" not in str(failed.value)


def test_the_lost_lock_of_the_environment_stands_behind_it(world, monkeypatch):
    directory, terraform = world
    fails(directory, *unsaved(EXPIRED))

    class Lost:
        def check(self):
            raise LockLost("This run could not renew the lock.", None)

        def prove(self):
            pass

    class Module:
        check_mode, params = False, {"lock": None}

    monkeypatch.setattr(terraform_apply, "Caller", lambda module: None)
    monkeypatch.setattr(terraform_apply, "holding", lambda *_: contextlib.nullcontext(Lost()))
    monkeypatch.setattr(terraform_apply, "work", lambda module, terraform, scratch, lock, say: plan_and_apply(terraform, scratch))
    with pytest.raises(TerraformError) as failed:
        terraform_apply.locked_work(Module, terraform, print)
    assert str(failed.value).startswith("What Terraform did is not recorded") and str(failed.value).endswith("could not renew the lock.")
