# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ctrl-C and SIGTERM in a module that waits: it ends with a word about the state it leaves, and never between a write and its answer."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked this run to end; its text names the signal.

    No Exception, as KeyboardInterrupt is none: botocore takes any Exception that it meets within a call for a broken connection, and tries again.
    """


class _State:
    """Signal handlers belong to the process, and so does this."""

    shields = 0
    pending: int | None = None
    active = False


def _handle(number: int, _frame: FrameType | None) -> None:
    if _State.shields:
        _State.pending = number
    else:
        _raise(number)


def _raise(number: int) -> NoReturn:
    _State.pending = None
    raise Interrupted(f"This run was interrupted ({signal.Signals(number).name}).")


def in_background() -> None:
    """What a thread beside the main one calls first: a signal that the system hands to it would not wake the main thread, which handles it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """While it holds, the first signal raises Interrupted in the main thread; later ones are ignored, so that the answer gets out."""
    if _State.active:
        yield
        return

    def once(number: int, frame: FrameType | None) -> None:
        for other in _NUMBERS:
            signal.signal(other, signal.SIG_IGN)
        _handle(number, frame)

    previous = [(number, signal.signal(number, once)) for number in _NUMBERS]
    _State.active = True
    try:
        yield
    except Interrupted:
        # The handlers stay away: what is left to do is to say what happened.
        previous = []
        raise
    finally:
        _State.active, _State.pending = False, None
        for number, handler in previous:
            signal.signal(number, handler)


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """While it holds, a signal waits for its end: around a call that changes something, whose answer must be known."""
    _State.shields += 1
    try:
        yield
    finally:
        _State.shields -= 1
    if _State.pending is not None and not _State.shields:
        _raise(_State.pending)
