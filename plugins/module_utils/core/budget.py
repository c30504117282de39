# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How often one may look: a wait of twenty minutes over many services is not to take from the account what others need of AWS's rate limits."""

from __future__ import annotations

import threading
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws

# Calls in a minute that a wait settles at; how many more its beginning may take, where much happens at once; and the longest pause that this makes.
A_MINUTE, AT_FIRST, LONGEST = 60, 120, 30


class Counted:
    """An Aws that counts what goes through it, from any thread. A list over several pages counts as one: nearly all have one."""

    def __init__(self, call: Aws) -> None:
        self._call, self._lock, self.count = call, threading.Lock(), 0

    def _add(self) -> None:
        with self._lock:
            self.count += 1

    def client(self, service: str) -> Any:
        return self._call.client(service)

    def __call__(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
        self._add()
        return self._call(service, operation, doing, **arguments)

    def once(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
        self._add()
        return self._call.once(service, operation, doing, **arguments)

    def pages(self, service: str, operation: str, doing: str, key: str, /, **arguments: Any) -> list[Any]:
        self._add()
        return self._call.pages(service, operation, doing, key, **arguments)


def pause(made: int, elapsed: float, wanted: float) -> float:
    """Seconds to sleep before the next look: `wanted`, or more where that would take more calls than there may be. made: calls since the wait began;
    elapsed: seconds since then."""
    return max(wanted, min(LONGEST, (made - AT_FIRST) * 60 / A_MINUTE - elapsed))
