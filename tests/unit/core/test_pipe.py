"""Lines through a pipe: shown in order and at once, never lying anywhere, and who writes waits for who shows."""

import os
import stat
import threading

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.plugin_utils import pipe, progress
from test_progress import Screen


@pytest.fixture
def screen(monkeypatch, tmp_path):
    shown = Screen()
    monkeypatch.setattr(progress, "Display", shown)
    monkeypatch.setattr(pipe, "Display", shown)
    monkeypatch.setattr(progress.C, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return shown


def lines(screen):
    return [line for text, _ in screen.lines for line in text.split("\n")]


def test_lines_are_shown_in_order_and_the_pipe_is_gone(screen, tmp_path):
    with progress._shown("  ", pipe.by_pipe) as path:
        assert stat.S_ISFIFO(os.stat(path).st_mode)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        told = Progress(path)
        told.say("from 03:15 on")
        for number in range(20_000):
            told.line(f"line {number} {'x' * 100}")
    assert lines(screen) == ["  [0:00] from 03:15 on", *(f"line {number} {'x' * 100}" for number in range(20_000))]
    assert list(tmp_path.iterdir()) == []


def test_the_pipe_is_gone_also_when_the_module_never_opens_it(screen, tmp_path):
    with pytest.raises(RuntimeError), progress._shown("", pipe.by_pipe):
        raise RuntimeError("the module could not be started")
    assert list(tmp_path.iterdir()) == []


def test_a_line_longer_than_the_pipe_comes_whole(screen):
    with progress._shown("", pipe.by_pipe) as path:
        Progress(path).line("x" * 1_000_000)
    assert lines(screen) == ["x" * 1_000_000]


def test_a_screen_that_is_gone_stops_who_writes(screen, monkeypatch):
    def gone(text, stderr=False):
        raise BrokenPipeError

    monkeypatch.setattr(screen, "display", gone)
    with progress._shown("", pipe.by_pipe) as path:
        told = Progress(path)

        def write():
            while told.heard:
                told.line("nobody sees it")

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        writer.join(60)
        assert not writer.is_alive()
