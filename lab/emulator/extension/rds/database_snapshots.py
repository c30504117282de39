"""A database's snapshot passes through `creating`, its instance through `backing-up`; what RDS refuses is refused.

MiniStack writes a snapshot down as available, whatever state the instance is in, and empty. What it holds is in database_data.py; a snapshot
whose data could not be had is `failed`.
"""

from __future__ import annotations

import concurrent.futures
import logging
import time
from typing import Any

from ministack.core.concurrency import resource_lock, spawn_background
from ministack.services import rds

from ..common import lab_settings
from ..common.patching import replace
from . import database_data, database_events

logger = logging.getLogger("lab.database_snapshots")
READY = ("available", "storage-optimization")


def apply() -> None:
    replace(rds, "_create_snapshot_internal", _with_more)
    replace(rds, "_create_db_snapshot", lambda _: _create)
    replace(rds, "_delete_db_snapshot", _only_finished)


def _create(params: dict[str, Any]) -> Any:
    name, wanted = rds._p(params, "DBSnapshotIdentifier"), rds._p(params, "DBInstanceIdentifier")
    instance = rds._resolve_instance(wanted)
    if instance is None:
        return rds._error("DBInstanceNotFound", f"DBInstance {wanted} not found.", 404)
    with resource_lock("rds", instance["DBInstanceIdentifier"]):
        if name in rds._snapshots:
            return rds._error("DBSnapshotAlreadyExists", f"Cannot create the snapshot because a snapshot with the identifier {name} already exists.", 400)
        before = instance["DBInstanceStatus"]
        if before not in READY:
            message = f"Cannot create a snapshot because the database instance {instance['DBInstanceIdentifier']} is not currently in the available state."
            return rds._error("InvalidDBInstanceState", message, 400)
        snapshot = begin(instance, name)
        tags = rds._parse_tags(params)
        if tags:
            rds._tags[snapshot["DBSnapshotArn"]] = snapshot["TagList"] = tags
        instance["DBInstanceStatus"] = "backing-up"
    spawn_background(_take, instance, snapshot, before, thread_name=f"lab-snapshot-{name}")
    return rds._xml(200, "CreateDBSnapshotResponse", f"<CreateDBSnapshotResult><DBSnapshot>{rds._snapshot_xml(snapshot)}</DBSnapshot></CreateDBSnapshotResult>")


def begin(instance: dict[str, Any], name: str) -> dict[str, Any]:
    snapshot = rds._create_snapshot_internal(name, instance)
    snapshot.update(Status="creating", PercentProgress=0, _began=time.time())
    if database_data.has_container(instance):
        database_data.kept[snapshot["DBSnapshotArn"]] = database_data.take(instance)
    database_events.record(instance, "backing up")
    return snapshot


def _with_more(create: Any) -> Any:
    """What a restore needs to know of the instance, and MiniStack leaves out."""

    def create_with_more(name: str, instance: dict[str, Any]) -> dict[str, Any]:
        snapshot = create(name, instance)
        snapshot.update(VpcId=(instance.get("DBSubnetGroup") or {}).get("VpcId", ""), _MasterUserPassword=instance.get("_MasterUserPassword"))
        return snapshot

    return create_with_more


def finish(instance: dict[str, Any], snapshot: dict[str, Any]) -> None:
    """Return when the snapshot has had its time and is available, or failed."""
    held = database_data.kept.get(snapshot["DBSnapshotArn"])
    try:
        if held:
            held.result(database_data.PATIENCE)
    except (RuntimeError, concurrent.futures.TimeoutError) as error:
        logger.warning("the snapshot %s failed: %s", snapshot["DBSnapshotIdentifier"], error)
        snapshot["Status"] = "failed"
        return
    lab_settings.wait("database_snapshot", snapshot["_began"])
    snapshot.update(Status="available", PercentProgress=100)
    database_events.record(instance, "backed up")
    database_events.record(snapshot, "manual snapshot")


def _take(instance: dict[str, Any], snapshot: dict[str, Any], before: str) -> None:
    finish(instance, snapshot)
    with resource_lock("rds", instance["DBInstanceIdentifier"]):
        if instance["DBInstanceStatus"] == "backing-up":
            instance["DBInstanceStatus"] = before


def automated(instance: dict[str, Any], at: float, held: concurrent.futures.Future[database_data.Backup] | None) -> dict[str, Any]:
    """The daily backup that RDS took then; what it holds is of now, as days pass here without work."""
    name = f"rds:{instance['DBInstanceIdentifier']}-{time.strftime('%Y-%m-%d-%H-%M', time.gmtime(at))}"
    snapshot = rds._create_snapshot_internal(name, instance)
    moment = rds._format_time(at)
    snapshot.update(SnapshotType="automated", SnapshotCreateTime=moment, OriginalSnapshotCreateTime=moment, SnapshotDatabaseTime=moment)
    if held:
        database_data.kept[snapshot["DBSnapshotArn"]] = held
    return snapshot


def _only_finished(delete: Any) -> Any:
    def delete_finished(params: dict[str, Any]) -> Any:
        name = rds._p(params, "DBSnapshotIdentifier")
        snapshot = rds._snapshots.get(name)
        if snapshot and snapshot["SnapshotType"] == "automated":
            return rds._error("InvalidDBSnapshotState", f"Automated snapshots cannot be deleted: {name}.", 400)
        if snapshot and snapshot["Status"] not in ("available", "failed"):
            message = f"Cannot delete the snapshot because it is not currently in the available or failed state: {name}."
            return rds._error("InvalidDBSnapshotState", message, 400)
        if snapshot:
            database_data.kept.pop(snapshot["DBSnapshotArn"], None)
        return delete(params)

    return delete_finished
