"""What a person sees while a release goes on: lines as things happen, plain ones, or - asked to be quiet - the end alone."""

import contextlib
import os
import pty
import re
import subprocess
import threading

import bad_commits
import pytest
from conftest import CHECKOUT
from emulator_world import until
from faults import Faults

API, WORKERS = "atena-prod-api", "atena-prod-workers"
STAMP = r"\[\d+:\d\d of \d+:\d\d\] "


class Watched:
    """A playbook's output as it grows."""

    def __init__(self, process):
        self.process, self.text = process, ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.text += line

    def end(self) -> str:
        self.process.wait(600)
        self._reader.join()
        return self.text


def test_what_happens_is_told_when_it_happens(lab, good):
    good.change("A migration", **{bad_commits.new_migration("live_view"): "SELECT 1;\n"})
    with Faults(lab.endpoint) as faults:
        held = faults.hold("ecs:UpdateService", times=1)
        run = Watched(lab.start("deploy.yml"))
        faults.met(held, 120)
        # The module stands still before its first service: what it has done so far must have been told.
        until(lambda: "_live_view.sql" in run.text, 20)
        assert re.search(r"preflight: \d+ checks, 0 warnings", run.text), run.text
        assert re.search(rf"{STAMP}migration: STOPPED, exit codes: api 0|{STAMP}.*STOPPED, exit codes: api 0", run.text), run.text
        assert "Released" not in run.text
        faults.remove(held)
        text = run.end()
    assert run.process.returncode == 0, text
    for service in (API, WORKERS):
        assert re.search(rf"{STAMP}{service}: 1 of 1 running.*COMPLETED", text), text
    assert not re.search(rf"{API}: ECS: .*has started 1 tasks", text), "what the counts say is told twice"
    assert re.search(rf"{API}: .*targets .*healthy", text), text
    lines = [line for line in text.splitlines() if ": ECS: " in line]
    assert len(lines) == len(set(re.sub(STAMP, "", line) for line in lines)), "an event was told twice"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text), "control codes where no terminal is"


def test_a_failing_task_is_told_before_the_end(lab, good):
    bad_commits.crash_at_start(good)
    with Faults(lab.endpoint) as faults:
        # The second UpdateService of the workers is their way back. (The API may be back already: ECS's circuit breaker sees to that.)
        held = faults.hold("ecs:UpdateService", match=WORKERS, every=2, times=1)
        run = Watched(lab.start("deploy.yml"))
        faults.met(held, 180)
        until(lambda: re.search(rf"{API}: task \S+ failed: .*exited with code 3", run.text), 20)
        until(lambda: "Rolling back" in run.text, 20)
        assert "fatal:" not in run.text
        faults.remove(held)
        text = run.end()
    assert run.process.returncode != 0
    assert bad_commits.ERROR_LINE in text


def test_the_quiet_variant_tells_the_end_alone(lab, good):
    bad_commits.harmless(good)
    run = lab.playbook("deploy.yml", "-e", "atena_progress=quiet").must_succeed()
    assert "Released" in run.text
    assert not re.search(STAMP, run.output)
    assert "preflight:" not in run.output


@pytest.mark.parametrize("color", ["0", "1"])
def test_on_a_terminal_lines_are_never_overwritten(lab, good, color):
    bad_commits.harmless(good)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": color, "ANSIBLE_NOCOLOR": "" if color == "1" else "1", "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        ["ansible-playbook", "-i", "inventories/lab", "playbooks/deploy.yml"], cwd=CHECKOUT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    text = b""
    with contextlib.suppress(OSError):  # what a pseudo-terminal says when its other side is closed
        while part := os.read(ours, 65536):
            text += part
    os.close(ours)
    assert process.wait(60) == 0, text.decode()
    shown = re.sub(rb"\x1b\[[\d;]*m", b"", text).replace(b"\r\n", b"\n").decode()  # colours are all that a terminal gets
    assert re.search(rf"{STAMP}{API}: 1 of 1 running", shown), shown
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", shown), shown
