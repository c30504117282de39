# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One look at AWS: what several readers want to know in it is asked for once, and all of them get the same answer.

A look is as old as its first answer. So whoever is going to write takes a new one once it holds the lock, and another one after it waited.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws

_READING = re.compile(r"(describe|get|list|batch_get|simulate)_")
# Values of secrets are not kept; locks and logs are asked for because they change.
_ALWAYS_ASKED = ("ssm", "dynamodb", "logs")


class Look:
    """An Aws over another one, for several threads. Writes are refused: what is read before a write and after it differs."""

    def __init__(self, call: Aws) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._asked: dict[str, Future[Any]] = {}

    def client(self, service: str) -> Any:
        return self._call.client(service)

    def once(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
        raise ValueError(f"A look only reads, and {service}'s {operation} is sent once because it writes.")

    def __call__(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
        if not _READING.match(operation):
            raise ValueError(f"A look only reads: {service}'s {operation} is none of its calls.")
        return self._first((service, operation, arguments), lambda: self._call(service, operation, doing, **arguments))

    def pages(self, service: str, operation: str, doing: str, key: str, /, **arguments: Any) -> list[Any]:
        return self._first((service, operation, key, arguments), lambda: self._call.pages(service, operation, doing, key, **arguments))

    def _first(self, asked: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
        """The answer to what is asked, of the first who asks: whoever asks the same meanwhile waits for that. A copy each, as readers may change theirs."""
        if asked[0] in _ALWAYS_ASKED:
            return ask()
        name = json.dumps(asked, sort_keys=True, default=str)
        with self._lock:
            known = self._asked.get(name)
            future = known or self._asked.setdefault(name, Future())
        if known is None:
            self._answer(name, future, ask)
        try:
            return copy.deepcopy(future.result())
        except CallFailed as failed:
            raise failed.saying(str(failed)) from failed

    def _answer(self, name: str, future: Future[Any], ask: Callable[[], Any]) -> None:
        try:
            future.set_result(ask())
        except CallFailed as failed:
            future.set_exception(failed)
        except BaseException as ended:
            # An interruption is no answer: whoever asks next asks AWS.
            with self._lock:
                self._asked.pop(name, None)
            future.set_exception(ended)
