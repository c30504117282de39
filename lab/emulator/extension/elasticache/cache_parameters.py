"""A cache's Redis has the settings of its parameter group, from its start and when they change.

MiniStack keeps parameter groups and starts Redis as it comes: with maxmemory-policy noeviction, which ElastiCache has in no default
group. It also takes a group that does not exist.
"""

from __future__ import annotations

import contextvars
import logging
import shlex
from typing import Any

from ministack.core.concurrency import spawn_background
from ministack.services import elasticache

from ..common.patching import replace
from . import caches

logger = logging.getLogger("lab.cache_parameters")
# The parameters that are Redis's own settings under the same name, and can be changed while it runs.
KNOWN = ("maxmemory-policy", "maxmemory-samples", "timeout", "tcp-keepalive", "notify-keyspace-events")
_starting_with: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar("starting_with", default=None)


def apply() -> None:
    for name in ("_create_cache_cluster", "_create_replication_group"):
        replace(elasticache, name, _with_parameters)
    replace(elasticache, "_node_server_args", _also_starting_with)
    for name in ("_modify_cache_parameter_group", "_reset_cache_parameter_group"):
        replace(elasticache, name, _reaching_its_caches)
    for name in ("_modify_cache_cluster", "_modify_replication_group"):
        replace(elasticache, name, _with_another_group)


def redis_settings(parameters: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What a parameter group says of Redis's own settings."""
    return {name: str(parameters[name]["Value"]) for name in KNOWN if parameters.get(name, {}).get("Value") not in (None, "")}


def _group_asked_for(params: dict[str, Any]) -> str:
    engine = elasticache._p(params, "Engine") or "redis"
    version = elasticache._p(params, "EngineVersion") or {"redis": "7.0", "valkey": "8.0"}.get(engine, "1.6")
    return elasticache._p(params, "CacheParameterGroupName") or elasticache._default_param_group_for_engine(engine, version)


def _with_parameters(create: Any) -> Any:
    def create_with(params: dict[str, Any]) -> Any:
        group = _group_asked_for(params)
        if group not in elasticache._param_groups:
            return elasticache._error("CacheParameterGroupNotFound", f"CacheParameterGroup not found: {group}", 404)
        redis = (elasticache._p(params, "Engine") or "redis") in caches.REDIS_LIKE
        token = _starting_with.set(redis_settings(elasticache._param_group_params.get(group, {})) if redis else {})
        try:
            return create(params)
        finally:
            _starting_with.reset(token)

    return create_with


def _also_starting_with(arguments: Any) -> Any:
    def all_arguments(port: int, transit: bool, auth_token: str | None) -> list[str]:
        return arguments(port, transit, auth_token) + [word for name, value in (_starting_with.get() or {}).items() for word in (f"--{name}", value)]

    return all_arguments


def _reaching_its_caches(act: Any) -> Any:
    def act_and_reach(params: dict[str, Any]) -> Any:
        answer = act(params)
        if answer[0] == 200:
            group = elasticache._p(params, "CacheParameterGroupName")
            for cache in caches.every():
                if cache.parameter_group == group:
                    spawn_background(_set, cache, group, thread_name="lab-cache-parameters")
        return answer

    return act_and_reach


def _with_another_group(modify: Any) -> Any:
    def modify_and_set(params: dict[str, Any]) -> Any:
        group = elasticache._p(params, "CacheParameterGroupName")
        if group and group not in elasticache._param_groups:
            return elasticache._error("CacheParameterGroupNotFound", f"CacheParameterGroup not found: {group}", 404)
        answer = modify(params)
        cache = caches.cluster(elasticache._p(params, "CacheClusterId")) or caches.replication_group(elasticache._p(params, "ReplicationGroupId"))
        if group and answer[0] == 200 and cache:
            spawn_background(_set, cache, group, thread_name="lab-cache-parameters")
        return answer

    return modify_and_set


def _set(cache: caches.Cache, group: str) -> None:
    words = [word for pair in redis_settings(elasticache._param_group_params.get(group, {})).items() for word in pair]
    if cache.record.get("Engine") not in caches.REDIS_LIKE or not words:
        return
    for container in cache.containers.values():
        try:
            cache.run(container, f"redis CONFIG SET {shlex.join(words)}")
        except Exception as error:  # it is being deleted: then there is nothing left to set
            logger.info("the parameters of %s were not set: %s", cache.id, error)
