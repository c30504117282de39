# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module and shows the lines that it tells while it works."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from ansible import constants as C
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash
from ansible_collections.atena.aws.plugins.module_utils.core.progress import clock
from ansible_collections.atena.aws.plugins.plugin_utils.failure import for_people
from ansible_collections.atena.aws.plugins.plugin_utils.screen import fold, width
from ansible_collections.atena.aws.plugins.plugin_utils.warm import WarmAction

_LOOK_EVERY = 0.1
_TIMED = re.compile(r"^(?P<branch>[a-z ]+): (?P<time>\[[\d:]+ of [\d:]+\]) ")
# Seconds without a line: at the beginning, and later.
_FIRST_SILENCE, _SILENCE = 2, 15
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ProgressAction(WarmAction):
    """Base of the action plugins of modules with the option `progress_file`."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        del tmp  # tmp no longer has any effect
        variables = task_vars or {}
        wrap_async = self._task.async_val and not self._connection.has_native_async
        arguments = dict(self._task.args)
        if wrap_async or not self._is_shown(arguments, variables):
            result = merge_hash(result, self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=wrap_async))
        else:
            with _shown(_prefix(variables), self._way) as path:
                arguments["progress_file"] = path
                result = merge_hash(result, self._execute_module(module_args=arguments, task_vars=task_vars))
            # A name that is gone already, and another in each run.
            result.get("invocation", {}).get("module_args", {}).pop("progress_file", None)
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return for_people(self, result, variables)

    @staticmethod
    def _way(prefix: str) -> Tail:
        """What makes the way from the module to the screen: a file."""
        return _by_file(prefix)

    def _is_shown(self, arguments: dict[str, Any], variables: dict[str, Any]) -> bool:
        """A file on this machine helps only where the module runs on it, as the same user; and what is secret stays so."""
        if arguments.get("progress_file") or self._task.no_log:
            return False
        if self._connection.transport != "local" or self._connection.become:
            return False
        return str(self._templar.template(variables.get("atena_progress", "full"))) != "quiet"


def _prefix(variables: dict[str, Any]) -> str:
    """The host's name in front of each line when there are several, whose lines come mixed."""
    several = len(variables.get("ansible_play_hosts_all") or []) > 1
    return f"  {variables.get('inventory_hostname', '')}: " if several else "  "


@contextlib.contextmanager
def _shown(prefix: str, way: Callable[[str], Tail] | None = None) -> Iterator[str]:
    """Gives the path of a new private file, and shows each line that comes to be in it until the end."""
    tail = (way or _by_file)(prefix)
    tail.start()
    with tail.passing_signals_on():
        try:
            yield tail.path
        finally:
            tail.finish()


def _by_file(prefix: str) -> Tail:
    return Tail(*tempfile.mkstemp(prefix="progress-", dir=C.DEFAULT_LOCAL_TMP), prefix)


class Tail:
    """Shows the lines of a file as they come, in a thread of its own.

    It has the thread instead of being one: threading.Thread's private names are its own (`_handle` since Python 3.13), and may be any tomorrow.
    """

    def __init__(self, handle: int, path: str, prefix: str) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True, name="progress")
        self._handle, self.path, self._prefix = handle, path, prefix
        self._rest, self._at, self._ended = b"", 0, threading.Event()
        self._started = self._told = time.monotonic()
        self._pid: int | None = None
        self._came: list[int] = []
        self._direct: int | None = None
        # Whoever reads a JSON document from standard output wants nothing else there.
        self._to_stderr = C.DEFAULT_STDOUT_CALLBACK.endswith("json")

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        # A signal that the system hands to this thread would not wake the main one, whose handler is waited for.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            while not self._ended.wait(_LOOK_EVERY):
                self._read()
                self._break_silence()
            self._read()
        except Exception as problem:  # the module's work is not to fail because it cannot be watched
            with contextlib.suppress(Exception):
                Display().warning(f"The progress of this task can no longer be shown: {problem}")

    def finish(self) -> None:
        self._ended.set()
        self._thread.join()
        os.close(self._handle)
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def _read(self) -> None:
        while fresh := os.pread(self._handle, 65536, self._at):
            self._at += len(fresh)
            *lines, self._rest = (self._rest + fresh).split(b"\n")
            for line in lines:
                self._tell(json.loads(line))

    def _tell(self, message: dict[str, Any]) -> None:
        if "pid" in message:
            pid = self._pid = message["pid"]
            # Both sides have it open: nothing is left behind, however this ends.
            self._remove()
            if self._came:
                self._pass_on(pid)
        else:
            self._show_lines(self._laid_out(message["text"]))

    def _laid_out(self, text: str) -> list[str]:
        """The line with its time, unless it has one of its own (that of a step), folded at the width of the screen."""
        self._told = time.monotonic()
        # 'redis: [0:07 of 1:00:00] creating': of work that is done in parallel.
        text = _TIMED.sub(r"\g<time> \g<branch>: ", text)
        timed = text if text.startswith("[") else f"[{clock(self._told - self._started)}] {text}"
        first, *rest = fold(timed, width() - len(self._prefix) - 4)
        return [f"{self._prefix}{first}", *(f"{self._prefix}    {line}" for line in rest)]

    def _show_lines(self, lines: list[str]) -> None:
        if self._direct is not None:
            os.write(self._direct, "".join(f"{line}\n" for line in lines).encode())
        else:
            Display().display("\n".join(lines), stderr=self._to_stderr)

    def _break_silence(self) -> None:
        """Work that says nothing for long is told to go on: by whoever waits it is taken for a hang otherwise."""
        now = time.monotonic()
        if now - self._told >= (_FIRST_SILENCE if self._told == self._started else _SILENCE):
            self._show_lines(self._laid_out("still running"))

    @contextlib.contextmanager
    def passing_signals_on(self) -> Iterator[None]:
        """Passes Ctrl-C and SIGTERM to the module and waits for its last words, before this process does with them what it would have done.

        Ansible's worker ends at once, and its main process no longer shows what workers send: so they go to its standard error directly,
        where the system has a way there.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        error_output = _standard_error_of(os.getppid())

        def remember(number: int, _frame: FrameType | None) -> None:
            self._came.append(number)
            self._direct = error_output
            if self._pid is not None and len(self._came) == 1:
                self._pass_on(self._pid)

        previous = {number: signal.signal(number, remember) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            if error_output is not None:
                os.close(error_output)
            if self._came:
                os.kill(os.getpid(), self._came[0])

    def _pass_on(self, pid: int) -> None:
        with contextlib.suppress(OSError):
            os.kill(pid, self._came[0])


def _standard_error_of(pid: int) -> int | None:
    try:
        return os.open(f"/proc/{pid}/fd/2", os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
