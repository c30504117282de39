# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work that goes on side by side: each part goes on to its end though another fails, and all end when the run is interrupted or loses its lock."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import in_background
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Guard
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import LockLost

_LOOK_EVERY = 0.2


class Ended(CallFailed):
    """The run is to end: a part that waits stops waiting."""


class SeveralFailed(CallFailed):
    """More than one part failed; the text has each one's reason."""


class Branches:
    """check: raises when the run may go on no longer (a lost lock). on_end: called once when the run is to end, for what does not look at guard."""

    def __init__(self, check: Guard = lambda: None, on_end: Callable[[], object] = lambda: None) -> None:
        self._check, self._on_end = check, on_end
        self._ending = threading.Event()

    def end(self) -> None:
        """All parts are to end. Also called from the lock's own thread."""
        if not self._ending.is_set():
            self._ending.set()
            self._on_end()

    @property
    def ending(self) -> bool:
        return self._ending.is_set()

    def guard(self) -> None:
        """What each loop calls before it looks or writes."""
        self._check()
        if self._ending.is_set():
            raise Ended("It was ended with the run.")

    def sleep(self, seconds: float) -> None:
        """Sleeps, but not longer than the run goes on."""
        self._ending.wait(seconds)

    def side_by_side(self, parts: dict) -> dict:
        """{name: result} of {name: function}. Raises what the one part raised that failed, or SeveralFailed; an interruption when all have ended."""
        # Any number of parts may wait inside of each other: each gets a thread of its own. So does a single one: a signal that the main thread gets must
        # not tear it from a Terraform that goes on.
        with concurrent.futures.ThreadPoolExecutor(max_workers=len(parts), initializer=in_background) as pool:
            futures = {name: pool.submit(function) for name, function in parts.items()}
            try:
                # In short waits: in a wait without an end the main thread would not run a signal's handler.
                while concurrent.futures.wait(futures.values(), timeout=_LOOK_EVERY).not_done:
                    pass
            except BaseException:
                self.end()
                raise
        failed = {name: error for name, future in futures.items() if (error := future.exception()) is not None}
        told = {name: error for name, error in failed.items() if not isinstance(error, Ended)} or failed
        lost = [error for error in told.values() if isinstance(error, LockLost)]
        if lost or len(told) == 1:
            raise lost[0] if lost else next(iter(told.values()))
        if told:
            for error in told.values():
                if not isinstance(error, CallFailed):
                    raise error
            raise SeveralFailed("\n".join(f"{name}: {error}" for name, error in told.items()))
        return {name: future.result() for name, future in futures.items()}
