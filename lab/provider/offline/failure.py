"""What goes wrong and is told to a person."""

from __future__ import annotations


class Failure(Exception):
    """What a person should read instead of a traceback."""

    def __init__(self, summary: str, detail: str = "", code: str = "") -> None:
        super().__init__(summary)
        self.summary, self.detail, self.code = summary, detail, code
