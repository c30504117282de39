# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lines that a module tells while it works. Ansible shows a module's output only at its end; the action plugin of the same name reads these as they come."""

from __future__ import annotations

import json
import os

from ansible_collections.atena.aws.plugins.module_utils.core.redaction import clean

LONGEST = 1000


def plain(text: str, longest: int | None = LONGEST) -> str:
    """The clean text without tabs, cut where it is endless. To be used after the secrets are taken out: what is cut in half is no longer found."""
    text = clean(text).replace("\t", "    ")
    return text if longest is None or len(text) <= longest else f"{text[:longest]} ... ({len(text) - longest} more characters)"


def clock(seconds: float) -> str:
    """'0:07', '15:00', '1:02:03'."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Writes one JSON object a line to `path`; does nothing without one. What is told is a help to the one who waits: it never fails the work."""

    def __init__(self, path: str | None):
        self._file = None
        if path:
            try:
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except OSError:
                return
            # So that the action plugin can pass a signal on to the one process that knows what to say about it.
            self._write({"pid": os.getpid()})

    @property
    def heard(self) -> bool:
        """Whether anybody listens: what is read only to be told need not be read else."""
        return self._file is not None

    def say(self, text: str) -> None:
        for line in text.splitlines():
            if line.strip():
                self._write({"text": plain(line)})

    def line(self, text: str) -> None:
        """A line that is shown as it is: whole, and with nothing before it."""
        self._write({"line": text})

    def _write(self, message: dict) -> None:
        if self._file is None:
            return
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            self._file = None
