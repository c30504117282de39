"""A function that runs in a fork ends, writes and is interrupted as a program does, and leaves nothing in the process that it came from."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.atena.aws.plugins.plugin_utils import forked as module
from ansible_collections.atena.aws.plugins.plugin_utils.forked import forked


def run(work, environment=None, directory="/"):
    return forked(work, environment or {}, directory)


def test_what_it_writes_and_its_code_come_back():
    def work():
        print("to standard output: ü")
        print("and to the other", file=sys.stderr)
        sys.exit(3)

    assert run(work) == (3, "to standard output: ü\n".encode(), b"and to the other\n")


@pytest.mark.parametrize(("end", "code"), [(None, 0), (0, 0), (7, 7), ("a text", 1)])
def test_its_code_is_that_of_sys_exit(end, code):
    assert run(lambda: sys.exit(end)).code == code


def test_a_function_that_returns_ends_well():
    assert run(lambda: None) == (0, b"", b"")


def test_an_error_is_a_traceback_and_code_one():
    ended = run(lambda: 1 // 0)
    assert ended.code == 1 and ended.output == b"" and b"ZeroDivisionError" in ended.errors


def test_more_than_a_pipe_holds_comes_out_of_both():
    def work():
        for stream in (sys.stderr, sys.stdout, sys.stderr):
            stream.write("x" * 300_000)

    ended = run(work)
    assert (len(ended.output), len(ended.errors)) == (300_000, 600_000)


def test_environment_and_directory_are_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("ATENA_KEPT", "kept")
    before = os.getcwd()
    ended = run(lambda: print(os.getcwd(), os.environ["ATENA_KEPT"], os.environ["ATENA_FRESH"]), {"ATENA_FRESH": "fresh"}, str(tmp_path))
    assert ended.output.decode() == f"{tmp_path} kept fresh\n"
    assert os.getcwd() == before and "ATENA_FRESH" not in os.environ


def test_what_it_starts_has_them_too(tmp_path):
    ended = run(
        lambda: subprocess.run("echo $PWD $ATENA_FRESH; read line || echo nothing to read", shell=True, check=True), {"ATENA_FRESH": "1"}, str(tmp_path)
    )
    assert ended.output.decode() == f"{tmp_path} 1\nnothing to read\n"


def test_only_its_own_end_is_run(tmp_path):
    def of_the_parent():
        (tmp_path / "parent").touch()

    atexit.register(of_the_parent)
    try:
        run(lambda: atexit.register(lambda: (tmp_path / "child").touch()))
    finally:
        atexit.unregister(of_the_parent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["child"]


def test_a_thread_that_it_leaves_is_waited_for():
    def work():
        threading.Thread(target=lambda: (time.sleep(0.05), print("the thread"))).start()

    assert run(work).output == b"the thread\n"


def test_signals_mean_what_they_mean_to_a_program(monkeypatch):
    """This process handles SIGTERM by itself, as Ansible's worker does."""
    came = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        ended = run(lambda: os.kill(os.getpid(), signal.SIGTERM) or time.sleep(30))
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert ended.code == 128 + signal.SIGTERM and came == []


def test_ctrl_c_is_a_keyboard_interrupt():
    previous = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        ended = run(lambda: os.kill(os.getpid(), signal.SIGINT) or time.sleep(30))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert ended.code != 0 and b"KeyboardInterrupt" in ended.errors


def test_a_signal_that_is_ignored_stays_so():
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ended = run(lambda: os.kill(os.getpid(), signal.SIGINT) or print("goes on"))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert ended.output == b"goes on\n"


def test_the_signals_of_this_process_are_let_through_again():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert run(lambda: print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))).output.decode() == f"{sorted(before)}\n"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_the_log_of_this_process_gets_nothing(caplog):
    with caplog.at_level(logging.INFO):
        log = logging.getLogger("a.library")
        ended = run(lambda: log.info("found the keys") or log.warning("as a program says it"))
    assert ended.errors == b"as a program says it\n" and not caplog.records


def test_no_file_is_left_open():
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    for _ in range(3):
        run(lambda: sys.exit(1))
    assert len(os.listdir("/proc/self/fd") if before else []) == len(before)


def test_what_fails_before_it_begins_is_told():
    ended = run(lambda: print("never"), directory="/nowhere/at/all")
    assert ended.code == 1 and ended.output == b"" and b"/nowhere/at/all" in ended.errors
    assert module.Ended._fields == ("code", "output", "errors")
