"""How Terraform is run. The executable here is a shell script that does what its test needs."""

import datetime
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.atena.aws.plugins.module_utils.terraform import cli as terraform_cli
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import Terraform, TerraformError, version_problem


@pytest.fixture
def make(tmp_path):
    def make(script, **environment):
        program = tmp_path / "terraform"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        return Terraform(str(program), project, environment={"PATH": os.environ["PATH"], **environment})

    return make


@pytest.mark.parametrize(
    ("version", "accepted"), [("1.7.0", True), ("1.11.4", True), ("2.0.0", True), ("1.7.0-rc1", True), ("1.6.9", False), ("0.15.5", False)]
)
def test_old_versions_are_refused_with_the_remedy(version, accepted):
    problem = version_problem(version)
    assert (problem is None) is accepted
    if problem:
        assert version in problem and "1.7.0" in problem and "nstall" in problem


def test_an_old_terraform_stops_the_run(make):
    terraform = make('echo \'{"terraform_version": "1.5.7"}\'')
    with terraform.scratch() as scratch, pytest.raises(TerraformError, match=r"1\.5\.7"):
        terraform.version(scratch)


def test_the_scratch_directory_is_private_and_removed(make):
    terraform = make("true")
    with terraform.scratch() as scratch:
        assert Path(scratch).stat().st_mode & 0o077 == 0
        (Path(scratch) / "plan").write_text("x")
    assert not Path(scratch).exists()


def test_the_scratch_directory_is_removed_after_an_error(make):
    terraform = make("true")
    with pytest.raises(RuntimeError), terraform.scratch() as scratch:
        raise RuntimeError
    assert not Path(scratch).exists()


def test_leftovers_of_dead_runs_are_removed_and_those_of_living_ones_kept(make):
    terraform = make("true")
    dead = subprocess.Popen(["true"])
    dead.wait()
    terraform.data.mkdir()
    leftover, living = terraform.data / f"atena-run-{dead.pid}-x", terraform.data / f"atena-run-{os.getppid()}-y"
    for directory in (leftover, living):
        directory.mkdir()
        (directory / "plan").write_text("secret")
    with terraform.scratch():
        assert not leftover.exists() and living.exists()


def test_a_terraform_that_survived_its_run_is_known_and_keeps_its_files(make, tmp_path):
    terraform = make("true")
    dead = subprocess.Popen(["true"])
    dead.wait()
    leftover = terraform.data / f"atena-run-{dead.pid}-x"
    leftover.mkdir(parents=True)
    for here, survives in ((terraform.directory, True), (tmp_path, False)):  # another process may have got the number
        process = subprocess.Popen(["cat"], cwd=here, stdin=subprocess.PIPE)
        try:
            (leftover / "process").write_text(str(process.pid))
            assert terraform.survivors() == ([process.pid] if survives else [])
            if survives:
                with terraform.scratch():
                    assert leftover.exists()
        finally:
            process.kill()
            process.wait()
    with terraform.scratch():
        assert not leftover.exists()


def test_the_process_is_written_down_for_those_who_come_after(make):
    terraform = make("echo $$")
    with terraform.scratch() as scratch:
        _code, lines = terraform.run(scratch, scratch=scratch)
        assert (Path(scratch) / "process").read_text() == lines[-1]


def test_the_callers_environment_cannot_change_what_is_run(make):
    terraform = make("env", TF_CLI_ARGS="-destroy", TF_CLI_ARGS_plan="-destroy", TF_WORKSPACE="other", TF_DATA_DIR="/elsewhere", AWS_PROFILE="ana")
    with terraform.scratch() as scratch:
        _code, lines = terraform.run("plan", scratch=scratch)
    assert not [line for line in lines if line.startswith("TF_CLI_ARGS")]
    assert "TF_WORKSPACE=default" in lines and f"TF_DATA_DIR={terraform.data}" in lines and "AWS_PROFILE=ana" in lines


def test_a_failure_is_told_by_its_diagnostics(make):
    message = json.dumps({"type": "diagnostic", "diagnostic": {"severity": "error", "summary": "Boom", "detail": "why", "address": "aws_x.y"}})
    terraform = make(f"echo '{message}'; exit 1")
    with terraform.scratch() as scratch, pytest.raises(TerraformError, match="aws_x.y: Boom: why"):
        terraform.checked("plan", "plan", scratch=scratch)


def test_a_warning_before_a_json_document_does_not_hurt(make):
    terraform = make("echo 'There are some problems with the CLI configuration:'; echo '{'; echo '\"a\": 1}'; echo done")
    with terraform.scratch() as scratch:
        assert terraform.json("say", "show", scratch=scratch) == {"a": 1}


def test_init_runs_once_and_again_when_the_backend_changes(make, tmp_path):
    terraform = make(f'echo "$1" >> {tmp_path}/calls; mkdir -p .terraform/providers; echo lock > .terraform.lock.hcl')
    backend = terraform.directory / "backend_override.tf.json"
    backend.write_text("one")
    with terraform.scratch() as scratch:
        assert [terraform.initialize("1.11.4", scratch), terraform.initialize("1.11.4", scratch)] == [True, False]
        backend.write_text("two")
        assert [terraform.initialize("1.11.4", scratch), terraform.initialize("1.11.4", scratch)] == [True, False]
        assert terraform.initialize("1.12.0", scratch) is True
    assert (tmp_path / "calls").read_text().split() == ["init"] * 3


def test_a_failed_init_is_tried_again(make):
    terraform = make("mkdir -p .terraform/providers; exit 1")
    with terraform.scratch() as scratch:
        for _attempt in range(2):
            with pytest.raises(TerraformError):
                terraform.initialize("1.11.4", scratch)


def test_an_interruption_reaches_terraform_once_and_is_waited_for(make, tmp_path):
    # The script counts its interruptions, ends by itself after the first, and says when it is ready for one.
    os.mkfifo(tmp_path / "ready")
    terraform = make(
        f"trap 'echo int >> {tmp_path}/signals' INT\n: > {tmp_path}/ready\n"
        f"while [ ! -s {tmp_path}/signals ]; do sleep 0.02; done\necho saved > {tmp_path}/state\nexit 1"
    )

    before = signal.getsignal(signal.SIGTERM)
    with terraform.guarded(), terraform.scratch() as scratch:
        # Another process sends the signals, as Ansible does: from a thread of this one they might not wake its main thread.
        killer = subprocess.Popen(["sh", "-c", f"cat {tmp_path}/ready; kill -TERM {os.getpid()}; kill -INT {os.getpid()}"])
        with pytest.raises(TerraformError, match="interrupted"):
            terraform.checked("apply", "apply", scratch=scratch)
        with pytest.raises(TerraformError, match="interrupted"):
            terraform.run("output", scratch=scratch)
    killer.wait()
    assert (tmp_path / "state").exists() and (tmp_path / "signals").read_text() == "int\n"
    assert not Path(scratch).exists() and signal.getsignal(signal.SIGTERM) is before


def test_terraform_is_in_a_session_of_its_own(make):
    terraform = make("ps -o sid= -p $$")
    with terraform.scratch() as scratch:
        _code, lines = terraform.run(scratch=scratch)
    assert int(lines[0]) != os.getsid(0)


# --- A lock that this very run took without knowing ---
ME = f"{getpass.getuser()}@{socket.gethostname()}"
LOCKED = """
if [ "$1" = force-unlock ]; then echo "$3" > unlocked; exit 0; fi
[ -e unlocked ] && exit 0
sed "s/NOW/$(date -u '+%Y-%m-%d %H:%M:%S.123456789 +0000 UTC')/" answer
exit 1
"""


@pytest.fixture
def locked(make):
    def locked(who, created="NOW"):
        """NOW: when Terraform runs, as that of a lock that it takes."""
        terraform = make(LOCKED)
        detail = f"Lock Info:\\n  ID:        an-id\\n  Operation: plan\\n  Who:       {who}\\n  Created:   {created}\\n".replace("\\n", "\n")
        diagnostic = {"severity": "error", "summary": "Error acquiring the state lock", "detail": detail}
        (terraform.directory / "answer").write_text(json.dumps({"type": "diagnostic", "diagnostic": diagnostic}) + "\n")
        return terraform

    return locked


def test_a_lock_whose_answer_was_lost_is_given_back_and_the_command_repeated(locked, monkeypatch):
    monkeypatch.setattr(terraform_cli, "others_at_work", lambda *_: False)
    terraform = locked(ME)
    with terraform.scratch() as scratch:
        terraform.checked("plan", "plan", scratch=scratch)
    assert (terraform.directory / "unlocked").read_text().strip() == "an-id"


@pytest.mark.parametrize(("who", "before", "others"), [(ME, 60, False), ("somebody@elsewhere", 0, False), (ME, 0, True)])
def test_a_lock_that_may_be_somebody_elses_stays(locked, monkeypatch, who, before, others):
    monkeypatch.setattr(terraform_cli, "others_at_work", lambda *_: others)
    earlier = datetime.datetime.fromtimestamp(time.time() - before, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.123456789 +0000 UTC")
    terraform = locked(who, earlier if before else "NOW")
    with terraform.scratch() as scratch, pytest.raises(TerraformError, match="force-unlock an-id"):
        terraform.checked("plan", "plan", scratch=scratch)
    assert not (terraform.directory / "unlocked").exists()


# --- Another Terraform on this machine, as real processes ----------------------------------------------------------------
@pytest.fixture
def beside(tmp_path):
    """Starts a program in a working copy of its own, and asks whether a Terraform of this state may be at work; of all processes only that one is seen."""
    started = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    (tmp_path / "here" / "backend_override.tf.json").write_text("the same")

    def beside(command, backend="the same", endpoint="a", then=lambda process: None, becomes=""):
        if backend:
            (tmp_path / "there" / "backend_override.tf.json").write_text(backend)
        process = subprocess.Popen(command, cwd=tmp_path / "there", env={"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": endpoint}, start_new_session=True)
        started.append(process)
        # A wrapper's process has the program's name once it has become that, and the arguments a moment later.
        program, until = os.path.realpath(becomes or command[0]), time.monotonic() + 10
        while os.readlink(f"/proc/{process.pid}/exe") != program or "60" not in Path(f"/proc/{process.pid}/cmdline").read_text():
            assert time.monotonic() < until, os.readlink(f"/proc/{process.pid}/exe")
            time.sleep(0.01)
        then(process)
        (tmp_path / "proc" / "self").mkdir(parents=True)
        (tmp_path / "proc" / str(process.pid)).symlink_to(f"/proc/{process.pid}")
        return terraform_cli.others_at_work("/usr/bin/terraform", tmp_path / "here", {"AWS_ENDPOINT_URL": "a", "PATH": "/bin"}, tmp_path / "proc")

    yield beside
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def program(tmp_path):
    def program(name, text=None):
        """An executable; without a text it is sleep, as a binary."""
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        if text is None:
            shutil.copy(shutil.which("sleep"), path)
        else:
            path.write_text(text)
        path.chmod(0o755)
        return str(path)

    return program


@pytest.mark.parametrize(("backend", "endpoint", "expected"), [("the same", "a", True), ("the same", "b", False), ("another", "a", False), (None, "a", True)])
def test_a_terraform_counts_unless_it_works_on_another_state(beside, program, backend, endpoint, expected):
    assert beside([program("terraform"), "60"], backend, endpoint) is expected


WAITING = "import time; time.sleep(60)"


@pytest.mark.parametrize(
    ("name", "text", "becomes"),
    [
        ("terraform", "#!/bin/sh\nsleep 60\n", "/bin/sh"),
        ("terraform", f"#!{sys.executable}\n{WAITING}\n", sys.executable),
        # As the lab's own: a shell that becomes an interpreter, which reads the same file.
        ("terraform", f'#!/bin/sh\n"""exec" {sys.executable} -IS "$0" "$@" #"""\n{WAITING}\n', sys.executable),
        # As of distributions that wrap programs: the name that was called stands in the arguments only.
        ("wrapper", f'#!/bin/bash\nexec -a "${{0%/*}}/terraform" {shutil.which("sleep")} "$@"\n', shutil.which("sleep")),
    ],
    ids=["shell", "interpreter", "launcher", "renamed"],
)
def test_a_terraform_counts_whatever_runs_it(beside, program, name, text, becomes):
    assert beside([program(name, text), "60"], becomes=becomes) is True


def test_a_terraform_counts_that_was_replaced_by_a_newer_one_meanwhile(beside, program):
    binary = program("terraform")
    # Called through a link of another name: nothing but its program tells.
    link = Path(binary).with_name("other")
    link.symlink_to(binary)
    assert beside([str(link), "60"], then=lambda _: os.unlink(binary)) is True


def test_what_a_run_started_counts_whatever_it_is_called(beside, program, tmp_path):
    def note(process):
        scratch = tmp_path / "there" / ".terraform" / f"atena-run-{os.getpid()}-x"
        scratch.mkdir(parents=True)
        (scratch / "process").write_text(str(process.pid))

    assert beside([program("tf-1.9"), "60"], then=note) is True


def test_the_executable_counts_under_its_own_name_too(program, tmp_path):
    process = subprocess.Popen([program("tf-1.9"), "60"], cwd=tmp_path)
    try:
        (tmp_path / "proc" / "self").mkdir(parents=True)
        (tmp_path / "proc" / str(process.pid)).symlink_to(f"/proc/{process.pid}")
        assert terraform_cli.others_at_work("/opt/tf-1.9", tmp_path, {}, tmp_path / "proc") is True
    finally:
        process.kill()
        process.wait()


def test_other_programs_do_not_count(beside, program):
    assert beside([program("sleeper"), "60"]) is False


def test_an_argument_that_names_terraform_does_not_make_it_one(beside, program):
    assert beside([program("sleeper", "#!/bin/sh\nsleep 60\n"), "60", "/usr/bin/terraform"], becomes="/bin/sh") is False


def test_without_proc_nothing_is_known(tmp_path):
    assert terraform_cli.others_at_work("/usr/bin/terraform", tmp_path, {}, tmp_path / "nothing") is True
