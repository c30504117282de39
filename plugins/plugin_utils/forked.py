# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a function in a fork of this process, as if it were a program that was started: own signals, own standard files, own end.

What was imported before is there already; that is the gain. Nothing that the function does to its process (environment, directory, signals, files open
for its end) reaches this one.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import selectors
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, NoReturn

_AT_ONCE = 1 << 16
# Held back while it is not yet said which process they are for.
_HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What a shell says of a program that a signal ended.
_BY_SIGNAL = 128


class Ended(NamedTuple):
    code: int
    output: bytes
    errors: bytes


def forked(work: Callable[[], object], environment: Mapping[str, str], directory: str) -> Ended:
    """Runs `work` in a fork, in `directory` and with `environment` added, and waits for its end."""
    sys.stdout.flush()
    sys.stderr.flush()
    (output, output_end), (errors, errors_end) = os.pipe(), os.pipe()
    with _signals_held_back() as before:
        pid = os.fork()
        if not pid:
            _become(work, environment, directory, (output_end, errors_end), before)
    os.close(output_end)
    os.close(errors_end)
    try:
        told = _read_to_the_end(output, errors)
    finally:
        os.close(output)
        os.close(errors)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Ended(code if code >= 0 else _BY_SIGNAL - code, *told)


@contextlib.contextmanager
def _signals_held_back() -> Iterator[set[signal.Signals]]:
    before = {signal.Signals(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)}
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _read_to_the_end(*pipes: int) -> tuple[bytes, bytes]:
    """All that comes out of two pipes: of both at a time, or who writes would wait for who reads the other."""
    read: dict[int, list[bytes]] = {pipe: [] for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ready in selector.select():
                fresh = os.read(key.fd, _AT_ONCE)
                read[key.fd].append(fresh)
                if not fresh:
                    selector.unregister(key.fd)
    first, second = (b"".join(parts) for parts in read.values())
    return first, second


# --- In the fork --------------------------------------------------------------------------------------------------------
def _become(work: Callable[[], object], environment: Mapping[str, str], directory: str, ends: tuple[int, int], mask: set[signal.Signals]) -> NoReturn:
    code = 1
    try:
        _begin(environment, directory, ends)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = _code_of(work)
        _finish()
    except BaseException:  # of the beginning or the end; there is no one to raise it to
        with contextlib.suppress(BaseException):
            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(code)


def _begin(environment: Mapping[str, str], directory: str, ends: tuple[int, int]) -> None:
    """What the system does for a program that starts, and Python for itself."""
    # What is registered for the other process's end, and who reads its log, are that one's.
    atexit._clear()
    # What is here already stays: to look through it for garbage would copy all of it.
    gc.freeze()
    logging.root.handlers.clear()
    logging.root.setLevel(logging.WARNING)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for handle, end in enumerate((os.open(os.devnull, os.O_RDONLY), *ends)):
        os.dup2(end, handle)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(handle, mode, encoding="utf-8", closefd=False) for handle, mode in enumerate("rww"))
    os.chdir(directory)
    os.environ.update(environment)


def _code_of(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _finish() -> None:
    """What Python does before a program ends."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
