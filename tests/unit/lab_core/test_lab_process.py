import os
import socket
import subprocess
import sys

import pytest
from atena_lab import process
from atena_lab.report import LabError


@pytest.fixture
def sleeper():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield child
    child.kill()
    child.wait()


def test_a_pid_file_names_a_live_process(tmp_path, sleeper):
    process.write_pid(tmp_path / "pid", sleeper.pid)
    assert process.read_pid(tmp_path / "pid") == sleeper.pid


def test_a_pid_file_of_a_dead_process_names_none(tmp_path, sleeper):
    process.write_pid(tmp_path / "pid", sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert process.read_pid(tmp_path / "pid") is None


def test_a_pid_that_another_process_got_is_not_taken_for_ours(tmp_path):
    (tmp_path / "pid").write_text(f"{os.getpid()} 1\n")
    assert process.read_pid(tmp_path / "pid") is None


@pytest.mark.parametrize("content", ["", "x", "-1 5", "0 0", "99999999 1"])
def test_nonsense_in_a_pid_file_names_none(tmp_path, content):
    (tmp_path / "pid").write_text(content)
    assert process.read_pid(tmp_path / "pid") is None


def test_no_pid_file_names_none(tmp_path):
    assert process.read_pid(tmp_path / "pid") is None


def test_a_process_is_stopped_once(sleeper):
    assert process.stop(sleeper.pid)
    assert not process.stop(sleeper.pid)


def test_a_process_that_ignores_sigterm_is_killed():
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal,time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    assert process.stop(child.pid, grace=0.2)


def test_a_taken_port_is_seen_with_its_owner():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.listen()
        assert not process.port_is_free(port)
        assert f"process {os.getpid()} " in (process.port_owner(port) or "")
    assert process.port_is_free(port)
    assert process.port_owner(port) is None


def test_a_failed_command_tells_its_last_words():
    with pytest.raises(LabError, match="it broke"):
        process.run(["sh", "-c", "echo it broke >&2; exit 3"])


def test_a_missing_command_is_named():
    with pytest.raises(LabError, match="no-such-program"):
        process.run(["no-such-program"])
