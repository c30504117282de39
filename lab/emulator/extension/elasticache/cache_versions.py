"""A cache has a whole version, 7.1.0, where 7.1 was asked for; a whole one cannot be asked for.

MiniStack answers what it was asked. ElastiCache answers three numbers, and from Redis OSS 6 on takes two only: 'Specific version selection is not allowed'
(its words for 6, where they were seen; those for 7 are taken to be alike). That a snapshot says the same three numbers as its cache is not certain: whoever
compares them has to take 7.1 and 7.1.0 for one version.
"""

from __future__ import annotations

from typing import Any

from ministack.services import elasticache

from ..common.patching import replace
from . import caches


def apply() -> None:
    for name in ("_create_cache_cluster", "_create_replication_group", "_modify_cache_cluster", "_modify_replication_group"):
        replace(elasticache, name, _whole)


def whole(version: str) -> str:
    return f"{version}.0" if version.count(".") == 1 else version


def refusal(engine: str, version: str) -> str:
    """Why this version cannot be asked for; '' if it can."""
    numbers = version.split(".")
    if engine not in caches.REDIS_LIKE or len(numbers) < 3 or int(numbers[0]) < 6:
        return ""
    return f"Specific version selection is not allowed for '{version}', please use '{'.'.join(numbers[:2])}'"


def _whole(act: Any) -> Any:
    def act_whole(params: dict[str, Any]) -> Any:
        asked = elasticache._p(params, "EngineVersion")
        engine = elasticache._p(params, "Engine") or "redis"
        if not asked or engine not in caches.REDIS_LIKE:
            return act(params)
        refused = refusal(engine, asked)
        if refused:
            return elasticache._error("InvalidParameterValue", refused, 400)
        return act({**params, "EngineVersion": [whole(asked)]})

    return act_whole
