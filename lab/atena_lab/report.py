"""How the lab talks to the person in front of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class LabError(Exception):
    """One paragraph for the user: what failed, and what to do about it."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy


def say(text: str) -> None:
    print(text, flush=True)


def warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)


class Step:
    """The outcome of one step, filled in by the code that carries it out."""

    def __init__(self) -> None:
        self.outcome = "ready"

    def was(self, outcome: str) -> None:
        self.outcome = outcome


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Report one step with what came of it and how long it took."""
    started = time.monotonic()
    current = Step()
    yield current
    say(f"  {name:<16} {current.outcome} ({time.monotonic() - started:.1f} s)")
