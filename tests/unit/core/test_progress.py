"""What a module tells while it works: plain lines in a private file, shown as they come."""

import ast
import json
import os
import signal
import stat
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.progress import LONGEST, Progress, clock, plain
from ansible_collections.atena.aws.plugins.plugin_utils import progress as action

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("applied 0001_init.sql", "applied 0001_init.sql"),
        ("\x1b[31mred\x1b[0m and \x1b[1;4mbold\x1b[m", "red and bold"),
        ("\x1b[2K\x1b[1Aover the line before", "over the line before"),
        ("\x1b]0;a new title\x07after it", "after it"),
        ("\x1b]8;;https://example.com\x1b\\a link", "a link"),
        ("50 %\r100 %", "50 %100 %"),
        ("bell\x07, nul\x00, next line\x85", "bell, nul, next line"),
        ("a\tb", "a    b"),
        ("right to \u202eleft", "right to left"),
        ("São Paulo, 東京", "São Paulo, 東京"),
    ],
)
def test_no_control_code_is_passed_on(told, shown):
    assert plain(told) == shown


def test_an_endless_line_is_cut():
    assert plain("x" * (LONGEST + 5)) == "x" * LONGEST + " ... (5 more characters)"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (7.9, "0:07"), (900, "15:00"), (3723, "1:02:03")])
def test_a_time_reads_like_a_clock(seconds, text):
    assert clock(seconds) == text


def messages(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_is_in_the_file_as_soon_as_it_is_told(tmp_path):
    path = tmp_path / "told"
    progress = Progress(str(path))
    assert progress.heard
    progress.say("one\n\n  two")
    assert messages(path) == [{"pid": os.getpid()}, {"text": "one"}, {"text": "  two"}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("path", [None, "", "/no/such/directory/told"])
def test_without_a_file_nothing_is_told_and_nothing_fails(path):
    progress = Progress(path)
    progress.say("nobody hears it")
    assert not progress.heard


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert not Progress(str(tmp_path / "link")).heard
    assert not (tmp_path / "elsewhere").exists()


class Screen:
    def __init__(self):
        self.lines = []

    def __call__(self):
        return self

    def display(self, text, stderr=False):
        self.lines.append((text, stderr))


@pytest.fixture
def screen(monkeypatch, tmp_path):
    shown = Screen()
    monkeypatch.setattr(action, "Display", shown)
    monkeypatch.setattr(action.C, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return shown


def test_lines_are_shown_in_order_and_the_file_is_gone(screen, tmp_path):
    with action._shown("  ") as path:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        progress = Progress(path)
        for number in range(500):
            progress.say(f"line {number}")
    assert [text for text, _ in screen.lines] == [f"  [0:00] line {number}" for number in range(500)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [path for path in sorted(PLUGINS.rglob("*.py")) if "progress_file" in path.read_text()], ids=lambda path: path.name)
def test_a_module_opens_it_once(path):
    """The file is gone when it was opened: what is told to a second one is shown to nobody, and lies about."""
    tree = ast.parse(path.read_text())
    opened = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Progress"]
    assert len(opened) <= 1, opened


def test_the_file_is_gone_also_when_the_module_fails_or_never_opens_it(screen, tmp_path):
    with pytest.raises(RuntimeError), action._shown("  "):
        raise RuntimeError("the module could not be started")
    assert list(tmp_path.iterdir()) == []


def test_a_line_written_in_two_parts_is_shown_once(screen):
    with action._shown("") as path, open(path, "a") as file:
        file.write('{"text": "ha')
        file.flush()
        file.write('lf"}\n')
    assert screen.lines == [("[0:00] half", False)]


def test_a_line_with_the_time_of_a_step_keeps_it_and_a_long_one_is_folded(screen, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    with action._shown("  ") as path:
        Progress(path).say("[0:07 of 4:00] atena-prod-api: desired 1, running 1, failed 2")
    assert screen.lines == [("  [0:07 of 4:00] atena-prod-api: desired 1,\n      running 1, failed 2", False)]


def test_work_that_says_nothing_is_told_to_go_on(screen, monkeypatch):
    monkeypatch.setattr(action, "_FIRST_SILENCE", 0.05)
    told = threading.Event()
    monkeypatch.setattr(screen, "display", lambda text, stderr=False: (screen.lines.append((text, stderr)), told.set()))
    with action._shown("  "):
        assert told.wait(10)
    assert screen.lines[0][0] == "  [0:00] still running"


def test_a_screen_that_is_gone_fails_nothing(screen, monkeypatch):
    def gone(text, stderr=False):
        raise BrokenPipeError

    monkeypatch.setattr(screen, "display", gone)
    with action._shown("") as path:
        Progress(path).say("nobody sees it")


@pytest.mark.parametrize(("callback", "to_stderr"), [("default", False), ("json", True), ("ansible.posix.json", True)])
def test_standard_output_stays_a_json_document_where_it_is_one(screen, monkeypatch, callback, to_stderr):
    monkeypatch.setattr(action.C, "DEFAULT_STDOUT_CALLBACK", callback)
    with action._shown("") as path:
        Progress(path).say("a line")
    assert screen.lines == [("[0:00] a line", to_stderr)]


def test_a_signal_goes_to_the_module_and_then_does_what_it_does_else(screen, monkeypatch, tmp_path):
    """Here the module and the worker are one process: the signal comes back, and is not passed on twice."""
    came = []
    monkeypatch.setattr(action, "_standard_error_of", lambda pid: os.open(tmp_path / "terminal", os.O_WRONLY | os.O_CREAT))
    previous = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        with action._shown("  ") as path:
            progress = Progress(path)
            os.kill(os.getpid(), signal.SIGTERM)
            assert came == []
            progress.say("the state that is left")
        assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert (tmp_path / "terminal").read_text() == "  [0:00] the state that is left\n"


def worker(*, no_log=False, transport="local", become=None):
    return SimpleNamespace(
        _task=SimpleNamespace(no_log=no_log), _connection=SimpleNamespace(transport=transport, become=become), _templar=SimpleNamespace(template=lambda v: v)
    )


@pytest.mark.parametrize(
    ("task", "arguments", "variables", "shown"),
    [
        (worker(), {}, {}, True),
        (worker(), {}, {"atena_progress": "full"}, True),
        (worker(), {}, {"atena_progress": "quiet"}, False),
        (worker(), {"progress_file": "/tmp/my-own"}, {}, False),
        (worker(no_log=True), {}, {}, False),
        (worker(transport="ssh"), {}, {}, False),
        (worker(become=object()), {}, {}, False),
    ],
    ids=["by default", "full", "quiet", "a file of the caller's", "secret", "on another machine", "as another user"],
)
def test_a_file_is_passed_only_where_it_can_be_read_and_may_be_shown(task, arguments, variables, shown):
    assert action.ProgressAction._is_shown(task, arguments, variables) is shown


def test_the_host_is_named_when_there_are_several():
    assert action._prefix({"inventory_hostname": "atena-prod", "ansible_play_hosts_all": ["atena-prod"]}) == "  "
    assert action._prefix({"inventory_hostname": "atena-prod", "ansible_play_hosts_all": ["atena-prod", "atena-test"]}) == "  atena-prod: "
