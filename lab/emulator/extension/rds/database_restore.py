"""RestoreDBInstanceFromDBSnapshot and RestoreDBInstanceToPointInTime make a database that holds what it should.

MiniStack's restore writes an instance down as available, with nothing behind it and half of what was asked for; of points in time it knows
nothing. Here the instance passes through `creating`, its PostgreSQL starts on the snapshot's data, with the master password of then, or is
brought to the moment by the write-ahead log of the instance that it is restored from, which has to run. common/lab_settings.py sets times and failures.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

from ministack.core.concurrency import spawn_background
from ministack.services import rds

from ..common import lab_settings
from ..common.patching import replace
from . import database_data, database_power

logger = logging.getLogger("lab.database_restore")
# One record more, after the moment: PostgreSQL stops at the first one that is too late. Then what is written is closed, and copied.
LOG = """
psql -X -q -v ON_ERROR_STOP=1 -h /run/postgresql -U "$POSTGRES_USER" -d postgres -c "SELECT pg_logical_emit_message(true, 'lab', 'end')" \
    -c "SELECT pg_switch_wal()" >/dev/null
cd "$PGDATA" && tar -cf - $(ls -d pg_wal/* | grep -E '^pg_wal/[0-9A-F]{8}(\\.history|[0-9A-F]{16})$' |
    awk -v first="pg_wal/FIRST" '/history/ || $0 >= first') | gzip -1
"""
originals: dict[str, Any] = {}  # MiniStack's functions
YES = ("AutoMinorVersionUpgrade", "CopyTagsToSnapshot", "DeletionProtection", "MultiAZ", "PubliclyAccessible")


def apply() -> None:
    replace(rds, "_restore_from_snapshot", _from_snapshot)
    rds._ACTION_MAP["RestoreDBInstanceToPointInTime"] = _to_point_in_time
    # MiniStack calls an instance available as soon as its container runs; here it is when its PostgreSQL answers.
    replace(rds, "_instance_available_unless_stopped", lambda make: lambda instance: None if instance.get("_restoring") else make(instance))


# -- what is asked for -----------------------------------------------------------------------------------------------------------


def _from_snapshot(create: Any) -> Any:
    def restore(params: dict[str, Any]) -> Any:
        snapshot = rds._snapshots.get(rds._p(params, "DBSnapshotIdentifier"))
        if snapshot and snapshot["Status"] != "available":
            message = f"The snapshot {snapshot['DBSnapshotIdentifier']} is not in the available state."
            return rds._error("InvalidDBSnapshotState", message, 400)
        answer = create(params)
        if answer[0] != 200 or snapshot is None:
            return answer
        name = rds._p(params, "DBInstanceIdentifier")
        held = database_data.kept.get(snapshot["DBSnapshotArn"])
        return begin(name, params, snapshot, lambda: database_data.Seed(held.result(database_data.PATIENCE).archives) if held else None)

    originals["restore"] = create
    return restore


def _to_point_in_time(params: dict[str, Any]) -> Any:
    wanted = rds._p(params, "SourceDBInstanceIdentifier") or rds._p(params, "SourceDbiResourceId")
    source = next((one for one in rds._instances.values() if wanted in (one["DBInstanceIdentifier"], one["DbiResourceId"])), None)
    target = rds._p(params, "TargetDBInstanceIdentifier")
    if source is None:
        return rds._error("DBInstanceNotFound", f"DBInstance {wanted} not found.", 404)
    if target in rds._instances:
        return rds._error("DBInstanceAlreadyExists", f"DBInstance {target} already exists.", 400)
    if not source.get("BackupRetentionPeriod"):
        return rds._error("PointInTimeRestoreNotEnabled", f"Point in time restore is not enabled for {wanted}.", 400)
    latest = database_power.restorable(time.time())
    asked = rds._p(params, "RestoreTime")
    moment = latest if rds._p(params, "UseLatestRestorableTime") == "true" else epoch(asked)
    if moment > latest:
        message = f"The specified instance cannot be restored to a time later than {rds._format_time(latest)}."
        return rds._error("InvalidParameterValue", message, 400)
    base = base_for(source, moment)
    if base is None:
        return rds._error("InvalidParameterValue", f"The specified instance cannot be restored to {asked}: there is no backup from before.", 400)
    if source["DBInstanceStatus"] in ("stopping", "stopped", "starting"):
        return rds._error("InvalidDBInstanceState", f"In the lab {wanted} has to run to be restored to a point in time: its log is read from it.", 400)
    # MiniStack's own restore writes the instance down; it wants a snapshot to take everything from.
    made_up = f"lab:{target}"
    snapshot = rds._create_snapshot_internal(made_up, source)
    try:
        answer = originals["restore"]({**params, "DBInstanceIdentifier": [target], "DBSnapshotIdentifier": [made_up]})
    finally:
        rds._snapshots.pop(made_up)
    if answer[0] != 200:
        return answer
    return begin(target, params, snapshot, lambda: seed_at(source, base, moment), "RestoreDBInstanceToPointInTime")


def epoch(moment: str) -> float:
    found = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return found.replace(tzinfo=found.tzinfo or UTC).timestamp()


def base_for(source: dict[str, Any], moment: float) -> database_data.Backup | None:
    """The newest backup of the instance from before the moment."""
    keys = [one["DBSnapshotArn"] for one in rds._snapshots.values() if one["DbiResourceId"] == source["DbiResourceId"]]
    held = [database_data.kept[key] for key in [source["DbiResourceId"], *keys] if key in database_data.kept]
    ready = [one.result() for one in held if one.done() and not one.exception()]
    return max((one for one in ready if one.taken <= moment), key=lambda one: one.taken, default=None)


# -- the work --------------------------------------------------------------------------------------------------------------------


def seed_at(source: dict[str, Any], base: database_data.Backup, moment: float) -> database_data.Seed:
    container = rds._get_docker().containers.get(source["_docker_container_id"])
    log = database_data.run(container, LOG.replace("FIRST", base.first))
    target = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
    # No archive to fetch from: what is missing is in pg_wal. The arguments mean nothing any more once the moment is reached.
    options = {"restore_command": "false", "recovery_target_time": target, "recovery_target_action": "promote"}
    arguments = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return database_data.Seed([*base.archives, log, database_data.files({"recovery.signal": b""})], arguments)


def begin(name: str, params: dict[str, Any], snapshot: dict[str, Any], seed: Any, operation: str = "RestoreDBInstanceFromDBSnapshot") -> Any:
    instance = rds._instances[name]
    instance.update(settings(params, instance), DBInstanceStatus="creating", _MasterUserPassword=snapshot.get("_MasterUserPassword"), _restoring=True)
    tags = rds._parse_tags(params)
    if tags:
        rds._tags[instance["DBInstanceArn"]] = instance["TagList"] = tags
    spawn_background(_restore, name, instance, seed, thread_name=f"lab-restore-{name}")
    return rds._single_instance_response(f"{operation}Response", f"{operation}Result", instance)


def settings(params: dict[str, Any], instance: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, and MiniStack's restore does not hear."""
    found: dict[str, Any] = {key: rds._p(params, key) == "true" for key in YES if rds._p(params, key)}
    group = rds._subnet_groups.get(rds._p(params, "DBSubnetGroupName"))
    if group:
        found["DBSubnetGroup"] = group
    groups = rds._parse_member_list(params, "VpcSecurityGroupIds")
    if groups:
        found["VpcSecurityGroups"] = [{"VpcSecurityGroupId": one, "Status": "active"} for one in groups]
    major = instance["EngineVersion"].partition(".")[0]
    parameters = rds._p(params, "DBParameterGroupName") or f"default.{instance['Engine']}{major}"
    found["DBParameterGroups"] = [{"DBParameterGroupName": parameters, "ParameterApplyStatus": "in-sync"}]
    options = rds._p(params, "OptionGroupName") or f"default:{instance['Engine']}-{major}"
    found["OptionGroupMemberships"] = [{"OptionGroupName": options, "Status": "in-sync"}]
    return found


def _restore(name: str, instance: dict[str, Any], seed: Any) -> None:
    began = time.time()
    try:
        content = seed()
        if content is None:
            raise RuntimeError("the snapshot holds no data: it was not taken of a PostgreSQL of this lab")
        database_data.start_with(content, name, instance)
        good = database_power.answers(instance)
    except Exception:
        logger.exception("the restore of %s failed", name)
        good = False
    lab_settings.wait("database_restore", began)
    good = good and not lab_settings.fails("database_restore")
    if rds._instances.get(name) is instance:
        instance["DBInstanceStatus"] = "available" if good else "restore-error"
        instance.pop("_restoring")
        if good:
            database_data.first_backup(instance)
