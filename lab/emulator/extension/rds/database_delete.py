"""A deleted database takes its data and its automatic backups along, and leaves its final snapshot.

MiniStack leaves the volume behind, and a database made later under the same name starts on the old one's tables and password. It writes the
final snapshot down without its data, also over one of the same name, and keeps the automatic backups of what is gone.
"""

from __future__ import annotations

import logging
from typing import Any

from docker.errors import APIError, NotFound
from ministack.services import rds

from ..common.patching import replace
from . import database_data, database_events, database_power

logger = logging.getLogger("lab.database_delete")
NOT_WITH_SNAPSHOT = ("creating", "failed", "incompatible-restore", "incompatible-network", "restore-error")


def apply() -> None:
    replace(rds, "_delete_db_instance", _with_all)


def refusal(instance: dict[str, Any], final: str) -> Any:
    """Why AWS deletes no instance into this snapshot, as its answer; None if it does."""
    if final in rds._snapshots:
        return rds._error("DBSnapshotAlreadyExists", f"Cannot create the snapshot because a snapshot with the identifier {final} already exists.", 400)
    status = instance["DBInstanceStatus"]
    if status in NOT_WITH_SNAPSHOT:
        return rds._error("InvalidDBInstanceState", f"Cannot create a final snapshot because the DB instance has the status {status}.", 400)
    return None


def _with_all(delete: Any) -> Any:
    def delete_all(params: dict[str, Any]) -> Any:
        instance = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
        if instance is None or instance.get("DeletionProtection"):
            return delete(params)
        final = "" if rds._p(params, "SkipFinalSnapshot") == "true" else rds._p(params, "FinalDBSnapshotIdentifier")
        refused = refusal(instance, final) if final else None
        if refused:
            return refused
        held = _last_backup(instance) if final and database_data.has_container(instance) else None
        volume = instance.get("_docker_volume_name")
        answer = delete(params)
        if answer[0] != 200:
            return answer
        if held:
            snapshot = rds._snapshots[final]
            database_data.kept[snapshot["DBSnapshotArn"]] = held
            database_events.record(snapshot, "manual snapshot")
        _forget(instance, volume, rds._p(params, "DeleteAutomatedBackups") != "false")
        return answer

    return delete_all


def _last_backup(instance: dict[str, Any]) -> Any:
    """What the database holds at its end; a stopped one is started for that."""
    if instance["DBInstanceStatus"] == "stopped":
        database_power._bring_up(instance)
    held = database_data.take(instance)
    held.result(database_data.PATIENCE)
    return held


def _forget(instance: dict[str, Any], volume: str | None, backups: bool) -> None:
    resource = instance["DbiResourceId"]
    database_data.kept.pop(resource, None)
    for name, one in list(rds._snapshots.items()) if backups else []:
        if one["SnapshotType"] == "automated" and one["DbiResourceId"] == resource:
            database_data.kept.pop(rds._snapshots.pop(name)["DBSnapshotArn"], None)
    try:
        if volume:
            rds._get_docker().volumes.get(volume).remove()
    except NotFound:
        pass  # its container had not started yet
    except APIError as error:
        logger.warning("the volume %s of the deleted database stays: %s", volume, error)
