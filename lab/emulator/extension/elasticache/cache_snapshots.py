"""Snapshots of caches hold their data, and a cache that is made from one starts with it.

MiniStack writes down a name and calls it available; a cache made from it is empty. Here the real Redis saves its data, the snapshot
keeps the file (keys keep their time to live) with what AWS tells of the source, and it passes through `creating`, the cache through
`snapshotting`. What AWS refuses is refused. common/lab_settings.py sets times, the quota and failures.
"""

from __future__ import annotations

import contextvars
import copy
import io
import logging
import tarfile
import time
from typing import Any

from docker.models.containers import ContainerCollection
from ministack.core.concurrency import resource_lock, spawn_background
from ministack.services import elasticache

from ..common import lab_settings
from ..common.patching import replace
from . import caches

logger = logging.getLogger("lab.cache_snapshots")
NO_SNAPSHOTS_OF = ("cache.t1.micro",)
# What a snapshot tells of its source, by the names of a cluster's record; a group's differ where told.
COPIED = ("Engine", "EngineVersion", "CacheNodeType", "CacheSubnetGroupName", "PreferredMaintenanceWindow", "SnapshotRetentionLimit", "SnapshotWindow",
          "AutoMinorVersionUpgrade")  # fmt: skip
# A request that names a snapshot gets these from it where it says nothing itself.
TAKEN_OVER = ("Engine", "EngineVersion", "CacheNodeType")
# SAVE rather than BGSAVE: what it writes is what there is at this moment, and it says when it has.
SAVE = """
until saved=$(redis SAVE) && [ "$saved" = OK ]; do [ "${tries:=0}" -lt 100 ] || { echo "$saved"; exit 1; }; tries=$((tries + 1)); sleep 0.1; done
cp "$(redis CONFIG GET dir | tail -n 1)/$(redis CONFIG GET dbfilename | tail -n 1)" /tmp/lab.rdb
redis INFO memory | sed -n 's/^used_memory:\\([0-9]*\\).*/\\1/p'
"""
_seeds: contextvars.ContextVar[dict[str, bytes] | None] = contextvars.ContextVar("seeds", default=None)


def apply() -> None:
    replace(elasticache, "_create_snapshot", lambda _: _create)
    replace(elasticache, "_delete_snapshot", lambda _: _delete)
    replace(elasticache, "_describe_snapshots", lambda _: _describe)
    replace(elasticache, "_snapshot_xml", lambda _: render)
    replace(elasticache, "_create_cache_cluster", _restoring)
    replace(elasticache, "_create_replication_group", _restoring)
    create = ContainerCollection.create

    def create_with_data(self: ContainerCollection, image: Any, command: Any = None, **settings: Any) -> Any:
        container = create(self, image, command, **settings)
        labels = settings.get("labels") or {}
        seeds = _seeds.get()
        if seeds and labels.get("ministack") == "elasticache":
            container.put_archive("/data", packed("dump.rdb", seeds[labels.get("node_group", "0001")]))
        return container

    replace(ContainerCollection, "create", lambda _: create_with_data)


# -- what is asked for and refused -----------------------------------------------------------------------------------------------


def refusal(cache: caches.Cache | None, name: str) -> Any:
    """Why AWS takes no snapshot of this cache under this name, as its answer; None if it does."""
    if name in elasticache._snapshots:
        return elasticache._error("SnapshotAlreadyExistsFault", f"Snapshot with specified name already exists: {name}", 400)
    if cache is None:
        return None
    if cache.record.get("Engine") not in caches.REDIS_LIKE or cache.record.get("CacheNodeType") in NO_SNAPSHOTS_OF:
        what = cache.record.get("CacheNodeType") if cache.record.get("Engine") in caches.REDIS_LIKE else cache.record.get("Engine")
        return elasticache._error("SnapshotFeatureNotSupportedFault", f"Snapshot feature is not supported for {what}.", 400)
    limit = lab_settings.values["cache_snapshots"]
    if limit is not None and sum(1 for one in elasticache._snapshots.values() if one["SnapshotSource"] == "manual") >= limit:
        return elasticache._error("SnapshotQuotaExceededFault", f"The maximum number of snapshots has been reached: {limit}.", 400)
    return None


def _create(params: dict[str, Any]) -> Any:
    name = elasticache._p(params, "SnapshotName")
    cluster, group = elasticache._p(params, "CacheClusterId"), elasticache._p(params, "ReplicationGroupId")
    if bool(cluster) == bool(group):
        return elasticache._error("InvalidParameterCombination", "Exactly one of CacheClusterId and ReplicationGroupId must be provided.", 400)
    cache = caches.cluster(cluster) if cluster else caches.replication_group(group)
    if cache is None and cluster:
        return elasticache._error("CacheClusterNotFound", f"CacheCluster not found: {cluster}", 404)
    if cache is None:
        return elasticache._error("ReplicationGroupNotFoundFault", f"ReplicationGroup {group} not found.", 404)
    with resource_lock("elasticache", cache.id):
        refused = refusal(cache, name)
        if refused:
            return refused
        if cache.status != "available":
            code = "InvalidCacheClusterState" if cluster else "InvalidReplicationGroupState"
            return elasticache._error(code, f"{'Cluster' if cluster else 'Replication group'} {cache.id} is not in available state.", 400)
        snapshot = begin(cache, name)
        elasticache._tags[snapshot["ARN"]] = elasticache._extract_tags(params)
        cache.set_status("snapshotting")
    spawn_background(_take, cache, snapshot, thread_name=f"lab-snapshot-{name}")
    return elasticache._xml(200, "CreateSnapshotResponse", f"<CreateSnapshotResult><Snapshot>{render(snapshot)}</Snapshot></CreateSnapshotResult>")


def _delete(params: dict[str, Any]) -> Any:
    name = elasticache._p(params, "SnapshotName")
    snapshot = elasticache._snapshots.get(name)
    if snapshot is None:
        return elasticache._error("SnapshotNotFoundFault", f"Snapshot not found: {name}", 404)
    if snapshot["SnapshotStatus"] not in ("available", "failed"):
        return elasticache._error("InvalidSnapshotState", f"Snapshot {name} is in state {snapshot['SnapshotStatus']} and cannot be deleted.", 400)
    elasticache._snapshots.pop(name)
    elasticache._tags.pop(snapshot["ARN"], None)
    gone = {**snapshot, "SnapshotStatus": "deleting"}
    return elasticache._xml(200, "DeleteSnapshotResponse", f"<DeleteSnapshotResult><Snapshot>{render(gone)}</Snapshot></DeleteSnapshotResult>")


def _describe(params: dict[str, Any]) -> Any:
    name = elasticache._p(params, "SnapshotName")
    if name and name not in elasticache._snapshots:
        return elasticache._error("SnapshotNotFoundFault", f"Snapshot not found: {name}", 404)
    asked = {key: elasticache._p(params, key) for key in ("SnapshotName", "CacheClusterId", "ReplicationGroupId")}
    asked["SnapshotSource"] = {"user": "manual", "system": "automated"}.get(elasticache._p(params, "SnapshotSource"), "")
    found = [one for one in elasticache._snapshots.values() if all(one.get(key) == value for key, value in asked.items() if value)]
    size = int(elasticache._p(params, "MaxRecords") or 50)
    begin_at = int(elasticache._p(params, "Marker") or 0)
    page = found[begin_at : begin_at + size]
    marker = f"<Marker>{begin_at + size}</Marker>" if begin_at + size < len(found) else ""
    members = "".join(f"<Snapshot>{render(one)}</Snapshot>" for one in page)
    return elasticache._xml(200, "DescribeSnapshotsResponse", f"<DescribeSnapshotsResult>{marker}<Snapshots>{members}</Snapshots></DescribeSnapshotsResult>")


# -- the work --------------------------------------------------------------------------------------------------------------------


def begin(cache: caches.Cache, name: str, source: str = "manual") -> dict[str, Any]:
    """The record of a snapshot that is being taken."""
    now = time.time()
    parameter_group, group = cache.parameter_group, cache.kind == "replication_group"
    member = cache.members[0]
    snapshot = {
        "SnapshotName": name,
        "SnapshotStatus": "creating",
        "SnapshotSource": source,
        **{key: cache.record.get(key) for key in COPIED},
        "CacheParameterGroupName": parameter_group,
        "Port": (member.get("_endpoint") or {}).get("Port", 6379),
        "VpcId": (elasticache._subnet_groups.get(cache.record.get("CacheSubnetGroupName")) or {}).get("VpcId"),
        "ARN": elasticache._arn_snapshot(name),
        "_created": now,
        "_data": {},
    }
    if group:
        snapshot.update(
            ReplicationGroupId=cache.id,
            ReplicationGroupDescription=cache.record.get("Description"),
            NumNodeGroups=len(cache.record["NodeGroups"]),
            AutomaticFailover=cache.record.get("AutomaticFailover"),
        )
    else:
        snapshot.update(
            CacheClusterId=cache.id,
            NumCacheNodes=cache.record.get("NumCacheNodes", 1),
            CacheClusterCreateTime=iso(member["CacheClusterCreateTime"]),
            PreferredAvailabilityZone=cache.record.get("PreferredAvailabilityZone"),
        )
    snapshot["NodeSnapshots"] = [
        {**({"NodeGroupId": node_group, "CacheClusterId": member["CacheClusterId"]} if group else {}), "CacheNodeId": "0001", "CacheSize": "",
         "CacheNodeCreateTime": iso(member["CacheClusterCreateTime"]), "SnapshotCreateTime": iso(now), "_node_group": node_group}
        for node_group, member in sources(cache).items()
    ]  # fmt: skip
    elasticache._snapshots[name] = snapshot
    return snapshot


def sources(cache: caches.Cache) -> dict[str, dict[str, Any]]:
    """{node group: the cluster whose data its snapshot has}"""
    if cache.kind == "cluster":
        return {"0001": cache.record}
    first = {group["NodeGroupId"]: group["NodeGroupMembers"][0]["CacheClusterId"] for group in cache.record["NodeGroups"]}
    return {group: elasticache._clusters[name] for group, name in first.items()}


def fill(cache: caches.Cache, snapshot: dict[str, Any]) -> None:
    """Save the data; the snapshot is `available`, or `failed`, when its time is over."""
    began = snapshot["_created"]
    try:
        containers = cache.containers or _of_its_group(cache)
        for node in snapshot["NodeSnapshots"]:
            node["SnapshotCreateTime"] = iso(time.time())
            size = cache.run(containers[node["_node_group"]], SAVE)
            snapshot["_data"][node["_node_group"]] = unpacked(elasticache._get_docker().containers.get(containers[node["_node_group"]]), "/tmp/lab.rdb")
            node["CacheSize"] = f"{max(1, round(int(size) / 2**20))} MB"
        lab_settings.wait("cache_snapshot", began)
        failed = lab_settings.fails("cache_snapshot")
    except Exception:
        logger.exception("the snapshot %s of %s failed", snapshot["SnapshotName"], cache.id)
        failed = True
    if failed:
        snapshot["_data"] = {}
    snapshot["SnapshotStatus"] = "failed" if failed else "available"
    elasticache._record_event(cache.id, "cache-cluster" if cache.kind == "cluster" else "replication-group",
                              f"Snapshot {'failed' if failed else 'succeeded'} for snapshot with ID '{snapshot['SnapshotName']}'")  # fmt: skip


def _of_its_group(cache: caches.Cache) -> dict[str, str]:
    """A member has its data where its group has them."""
    group = caches.replication_group(cache.record.get("ReplicationGroupId") or "")
    return {"0001": next(iter(group.containers.values()))} if group and group.containers else {}


def _take(cache: caches.Cache, snapshot: dict[str, Any]) -> None:
    fill(cache, snapshot)
    with resource_lock("elasticache", cache.id):
        if cache.is_there and cache.status == "snapshotting":
            cache.set_status("available")


# -- a cache from a snapshot -----------------------------------------------------------------------------------------------------


def _restoring(create: Any) -> Any:
    def create_from(params: dict[str, Any]) -> Any:
        name = elasticache._p(params, "SnapshotName")
        if not name:
            return create(params)
        snapshot = elasticache._snapshots.get(name)
        if snapshot is None:
            return elasticache._error("SnapshotNotFoundFault", f"Snapshot not found: {name}", 404)
        if snapshot["SnapshotStatus"] not in ("available", "restoring"):
            return elasticache._error("InvalidSnapshotState", f"Snapshot {name} is not in available state.", 400)
        refused = mismatch(params, snapshot)
        if refused:
            return elasticache._error("InvalidParameterCombination", refused, 400)
        token = _seeds.set(snapshot["_data"])
        try:
            return create({**{key: [snapshot[key]] for key in TAKEN_OVER}, **params})
        finally:
            _seeds.reset(token)

    return create_from


def mismatch(params: dict[str, Any], snapshot: dict[str, Any]) -> str:
    """Why this snapshot does not fit the cache that is asked for; empty if it does."""
    engine, version = elasticache._p(params, "Engine"), elasticache._p(params, "EngineVersion")
    if engine == "memcached" or (engine == "redis" and snapshot["Engine"] == "valkey"):
        return f"Cannot restore a snapshot of {snapshot['Engine']} into {engine}."
    if engine in ("", snapshot["Engine"]) and version and numbers(version) < numbers(snapshot["EngineVersion"])[: len(numbers(version))]:
        return f"Cannot restore a snapshot of version {snapshot['EngineVersion']} into version {version}."
    groups = int(elasticache._p(params, "NumNodeGroups") or 1)
    if groups != len(snapshot["NodeSnapshots"]):
        return f"The snapshot has {len(snapshot['NodeSnapshots'])} node groups, not {groups}."
    return ""


def numbers(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]


# -- files and answers -----------------------------------------------------------------------------------------------------------


def packed(name: str, data: bytes) -> bytes:
    """A tar archive of one file, as Docker wants it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def unpacked(container: Any, path: str) -> bytes:
    stream, _ = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        file = archive.extractfile(archive.getmembers()[0])
        assert file is not None
        return file.read()


def iso(moment: float | str) -> str:
    return moment if isinstance(moment, str) else time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03}Z"


def render(snapshot: dict[str, Any]) -> str:
    def fields(values: dict[str, Any]) -> str:
        return "".join(f"<{key}>{_text(value)}</{key}>" for key, value in values.items() if not key.startswith("_") and value is not None)

    shown = copy.copy(snapshot)
    nodes = "".join(f"<NodeSnapshot>{fields(node)}</NodeSnapshot>" for node in shown.pop("NodeSnapshots"))
    return f"{fields(shown)}<NodeSnapshots>{nodes}</NodeSnapshots>"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else elasticache.xml_escape(str(value))
