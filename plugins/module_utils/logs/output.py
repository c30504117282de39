# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where lines go as they come: to the one who watches or into a file. Of all that was written only the last lines are kept."""

from __future__ import annotations

import collections
import os
from typing import Generic, TypeVar

from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import shielded
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress, plain

_Kept = TypeVar("_Kept")


class Unheard(Exception):
    """Who watched is gone: there is nobody to go on for."""


class LineOutput(Generic[_Kept]):
    """progress: of the run. path: a file instead of the screen, made anew. keep: how many lines the result has at the most."""

    def __init__(self, progress: Progress, path: str | None = None, keep: int = 100) -> None:
        self._progress, self._file = progress, None
        self._watched = progress.heard and not path
        self.count = 0
        self.last: collections.deque[_Kept] = collections.deque(maxlen=keep)
        if path:
            self._file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "w", encoding="utf-8")

    @property
    def shown(self) -> bool:
        """Whether somebody sees the lines as they come."""
        return self._watched

    def add(self, line: str, kept: _Kept, raw: bool = False) -> None:
        """kept: what the result has of it. raw: shown as it is, such as JSON that is harmless already. Raises Unheard, and OSError of the file."""
        self.count += 1
        self.last.append(kept)
        if not self._watched and self._file is None:
            return
        line = line if raw else "\n".join(plain(part, None) for part in line.split("\n"))
        # Never half a line, whatever signal comes.
        with shielded():
            if self._file is not None:
                self._file.write(f"{line}\n")
            else:
                self._progress.line(line)
        if self._watched and not self._progress.heard:
            raise Unheard

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
