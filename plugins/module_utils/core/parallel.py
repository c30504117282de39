# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same work for several things at a time: twenty services take about as long as two."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable
from typing import TypeVar

from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import in_background

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
# Few enough that AWS does not refuse for too many calls, and that each has its connection (botocore keeps ten a client).
_WORKERS = 8


def each(function: Callable[[_Item], _Result], items: Iterable[_Item], workers: int = _WORKERS) -> list[_Result]:
    """The results in the order of the items. Raises what the first of them raised that failed, when those that began have ended; the others do not begin."""
    every = list(items)
    if len(every) < 2:
        return [function(item) for item in every]
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(workers, len(every)), initializer=in_background) as pool:
        futures = [pool.submit(function, item) for item in every]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
