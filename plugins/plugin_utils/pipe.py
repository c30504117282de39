# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lines through a pipe instead of a file: for modules that tell more than should lie anywhere. Who writes waits for who shows."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import uuid
from typing import Any

from ansible import constants as C
from ansible.utils.display import Display
from ansible_collections.atena.aws.plugins.plugin_utils.progress import _SIGNALS, ProgressAction, Tail

_LOOK_EVERY = 0.1
_AT_ONCE = 1 << 16


def by_pipe(prefix: str) -> Tail:
    path = os.path.join(C.DEFAULT_LOCAL_TMP, f"lines-{uuid.uuid4().hex}")
    os.mkfifo(path, 0o600)
    # For both directions, so that neither opening it nor reading from it waits for the module.
    return _PipeTail(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC), path, prefix)


class _PipeTail(Tail):
    """Shows what comes through a pipe, many lines at a time where there are many."""

    _open = True

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            while not self._ended.is_set():
                select.select([self._handle], [], [], _LOOK_EVERY)
                self._read()
            self._read()
        except Exception as problem:
            # Who writes must not wait for ever for who no longer reads.
            os.close(self._handle)
            self._open = False
            with contextlib.suppress(Exception):
                Display().warning(f"The lines of this task can no longer be shown: {problem}")

    def finish(self) -> None:
        self._ended.set()
        self._thread.join()
        if self._open:
            os.close(self._handle)
        self._remove()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while fresh := os.read(self._handle, _AT_ONCE):
                *lines, self._rest = (self._rest + fresh).split(b"\n")
                self._show([json.loads(line) for line in lines])

    def _show(self, messages: list[dict[str, Any]]) -> None:
        told: list[str] = []
        for message in messages:
            if "pid" in message:
                self._tell(message)
            else:
                told += [message["line"]] if "line" in message else self._laid_out(message["text"])
        if told:
            self._show_lines(told)


class PipedAction(ProgressAction):
    """Base of the action plugins of modules that show lines without an end."""

    _way = staticmethod(by_pipe)
