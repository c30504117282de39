"""A cache passes through `creating` and `deleting`, and is left alone meanwhile; a final snapshot is taken.

MiniStack calls a cache available before its Redis answers, deletes it within the call, and knows no FinalSnapshotIdentifier. AWS tells
no endpoint before the cache is available, nodes only to who asks for them, refuses changes of what is not available, and then does
not even read its tags. common/lab_settings.py sets times and failures.
"""

from __future__ import annotations

import logging
import re
import socket
import time
from typing import Any

from ministack.core.concurrency import resource_lock, spawn_background
from ministack.services import elasticache

from ..common import lab_settings
from ..common.patching import replace
from . import cache_snapshots, caches

logger = logging.getLogger("lab.cache_states")
DELETABLE = ("available", "failed", "incompatible-parameters", "incompatible-network", "restore-failed", "recovering", "create-failed")
READY_SECONDS = 60
NODES = re.compile(rb"<CacheNodes>.*?</CacheNodes>", re.DOTALL)


def apply() -> None:
    replace(elasticache, "_create_cache_cluster", _creating("CacheClusterId", caches.cluster))
    replace(elasticache, "_create_replication_group", _creating("ReplicationGroupId", caches.replication_group))
    replace(elasticache, "_delete_cache_cluster", _deleting("CacheClusterId", caches.cluster))
    replace(elasticache, "_delete_replication_group", _deleting("ReplicationGroupId", caches.replication_group))
    replace(elasticache, "_describe_cache_clusters", _nodes_when_asked)
    replace(elasticache, "_cluster_xml_inner", _without_endpoint("CacheClusterStatus", "CacheNodes"))
    replace(elasticache, "_rg_xml", _without_endpoint("Status", "NodeGroups"))
    for name in ("_modify_cache_cluster", "_reboot_cache_cluster", "_modify_replication_group"):
        replace(elasticache, name, _only_available)
    for name in ("_list_tags", "_add_tags", "_remove_tags"):
        replace(elasticache, name, _tags_only_available)


def answer(operation: str, cache: caches.Cache) -> Any:
    if cache.kind == "cluster":
        return elasticache._xml_cluster_response(f"{operation}CacheClusterResponse", f"{operation}CacheClusterResult", cache.record)
    inner = f"<{operation}ReplicationGroupResult><ReplicationGroup>{elasticache._rg_xml(cache.record)}</ReplicationGroup></{operation}ReplicationGroupResult>"
    return elasticache._xml(200, f"{operation}ReplicationGroupResponse", inner)


def state_error(cache: caches.Cache, message: str) -> Any:
    code = "InvalidCacheClusterState" if cache.kind == "cluster" else "InvalidReplicationGroupState"
    return elasticache._error(code, message, 400)


# -- creating --------------------------------------------------------------------------------------------------------------------


def _creating(name: str, find: Any) -> Any:
    def wrap(create: Any) -> Any:
        def create_slowly(params: dict[str, Any]) -> Any:
            began = time.time()
            made = create(params)
            cache = find(elasticache._p(params, name))
            if made[0] != 200 or cache is None:
                return made
            cache.set_status("creating")
            snapshot = elasticache._snapshots.get(elasticache._p(params, "SnapshotName"))
            if snapshot:
                snapshot["SnapshotStatus"] = "restoring"
            spawn_background(_become_available, cache, snapshot, began, thread_name=f"lab-create-{cache.id}")
            return answer("Create", cache)

        return create_slowly

    return wrap


def _become_available(cache: caches.Cache, snapshot: dict[str, Any] | None, began: float) -> None:
    good = bool(cache.containers) and all(_answers(cache, container) for container in cache.containers.values())
    lab_settings.wait("cache_create", began)
    good = good and not lab_settings.fails("cache_create")
    if snapshot:
        snapshot["SnapshotStatus"] = "available"
    if not good:
        logger.warning("the cache %s was not made", cache.id)
    with resource_lock("elasticache", cache.id):
        if cache.is_there and cache.status == "creating":
            cache.set_status("available" if good else "restore-failed" if snapshot else "create-failed")


def _answers(cache: caches.Cache, container: str) -> bool:
    """Whether its Redis gets ready: it answers, and has loaded its data."""
    found = elasticache._get_docker().containers.get(container)
    if cache.record.get("TransitEncryptionEnabled"):
        return elasticache._wait_redis_ready(found, READY_SECONDS, elasticache._node_cli_args(True, elasticache._record_auth(cache.record)))
    address = found.attrs["NetworkSettings"]["Networks"][elasticache.DOCKER_NETWORK]["IPAddress"]
    question, port = (b"PING\r\n", 6379) if cache.record.get("Engine") in caches.REDIS_LIKE else (b"version\r\n", 11211)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, port), timeout=2) as connection:
                connection.sendall(question)
                if connection.recv(64).startswith((b"+PONG", b"-NOAUTH", b"VERSION")):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def _without_endpoint(status: str, key: str) -> Any:
    def wrap(render: Any) -> Any:
        return lambda record: render({**record, key: []} if record[status] == "creating" else record)

    return wrap


def _nodes_when_asked(describe: Any) -> Any:
    def describe_as_asked(params: dict[str, Any]) -> Any:
        status, headers, body = describe(params)
        asked = elasticache._p(params, "ShowCacheNodeInfo", "false").lower() == "true"
        return status, headers, body if asked else NODES.sub(b"", body)

    return describe_as_asked


# -- deleting --------------------------------------------------------------------------------------------------------------------


def _deleting(name: str, find: Any) -> Any:
    def wrap(delete: Any) -> Any:
        def delete_slowly(params: dict[str, Any]) -> Any:
            cache = find(elasticache._p(params, name))
            if cache is None:
                return delete(params)
            final = elasticache._p(params, "FinalSnapshotIdentifier")
            with resource_lock("elasticache", cache.id):
                if cache.kind == "cluster" and cache.record.get("ReplicationGroupId"):
                    return state_error(cache, "Cannot delete the cache cluster since it is a member of a replication group. Delete the group instead.")
                if cache.status not in DELETABLE:
                    what = "cache clusters" if cache.kind == "cluster" else "replication groups"
                    return state_error(cache, f"Can only delete {what} with state in: {', '.join(DELETABLE)}. Cluster {cache.id} has state: {cache.status}.")
                refused = cache_snapshots.refusal(cache, final) if final else None
                if refused:
                    return refused
                snapshot = cache_snapshots.begin(cache, final) if final else None
                if snapshot:
                    elasticache._tags[snapshot["ARN"]] = []
                cache.set_status("snapshotting" if snapshot else "deleting")
            spawn_background(_disappear, cache, snapshot, lambda: delete(params), thread_name=f"lab-delete-{cache.id}")
            return answer("Delete", cache)

        return delete_slowly

    return wrap


def _disappear(cache: caches.Cache, snapshot: dict[str, Any] | None, delete: Any) -> None:
    if snapshot:
        cache_snapshots.fill(cache, snapshot)
        if snapshot["SnapshotStatus"] != "available":
            cache.set_status("available")
            return
        cache.set_status("deleting")
    began = time.time()
    elasticache._teardown_containers(elasticache._get_docker(), list(cache.containers.values()))
    cache.record.update(_docker_container_id=None, _docker_container_ids=[])
    lab_settings.wait("cache_delete", began)
    delete()


# -- what has to wait ------------------------------------------------------------------------------------------------------------


def _only_available(act: Any) -> Any:
    def act_if_available(params: dict[str, Any]) -> Any:
        cache = caches.cluster(elasticache._p(params, "CacheClusterId")) or caches.replication_group(elasticache._p(params, "ReplicationGroupId"))
        if cache and cache.status != "available":
            return state_error(cache, f"{'Cluster' if cache.kind == 'cluster' else 'Replication group'} {cache.id} is not in available state.")
        return act(params)

    return act_if_available


def _tags_only_available(act: Any) -> Any:
    def act_if_available(params: dict[str, Any]) -> Any:
        kind, _, name = elasticache._p(params, "ResourceName").rpartition(":")
        cache = caches.cluster(name) if kind.endswith(":cluster") else caches.replication_group(name) if kind.endswith(":replicationgroup") else None
        if cache and cache.status != "available":
            return elasticache._error("InvalidReplicationGroupState", "Cluster not in available state to perform tagging operations.", 400)
        return act(params)

    return act_if_available
