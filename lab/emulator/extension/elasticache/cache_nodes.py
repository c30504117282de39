"""AWS replaces the node of a cache, which comes back empty: `/_lab/cache_node`.

MiniStack's nodes live as long as their cache. ElastiCache replaces one that fails, or for maintenance: name, address and status stay, what was in
a Redis without replica is gone, and two events tell of it (their words are in the API reference, under TestFailover).

`PUT /_lab/cache_node {"cache": NAME}`: at once, where AWS takes minutes.
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import request_scope
from ministack.services import elasticache

from ..common import control
from . import caches

TOLD = ("Recovering cache nodes 0001", "Finished recovery for cache nodes 0001")


def apply() -> None:
    control.subjects["cache_node"] = answer


def answer(method: str, rest: list[str], wish: Any) -> tuple[int, Any]:
    if method != "PUT":
        return 405, {"error": "PUT"}
    name = wish.get("cache") if isinstance(wish, dict) else None
    if not isinstance(name, str):
        raise ValueError('{"cache": its name}')
    for (account, region, one), _record in elasticache._clusters.all_items():
        if one == name:
            with request_scope(account, region):
                replaced(caches.cluster(name))
                return 200, {"replaced": name}
    return 404, {"error": f"there is no cache {name}"}


def replaced(cache: caches.Cache | None) -> None:
    if cache is None or cache.status != "available":
        raise ValueError("only the node of an available cache is replaced")
    for container in cache.containers.values():
        cache.run(container, "redis FLUSHALL; redis CLIENT KILL TYPE normal SKIPME yes")
    for message in TOLD:
        elasticache._record_event(cache.id, "cache-cluster", message)
