"""StopDBInstance and StartDBInstance stop and start the database, and take the time and the states that RDS takes.

MiniStack writes `stopped` or `available` and lets the container run; nothing is refused in any state. Here the instance passes
through `stopping` and `starting`, its PostgreSQL really ends and comes back on the same data at the same address, a stopped instance
says when AWS will start it again (AutomaticRestartTime, seven days later), and its events tell what happened. common/lab_settings.py sets
times and failures; lab_clock.py lets the seven days pass.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from ministack.core.concurrency import resource_lock, spawn_background
from ministack.services import rds

from ..common import lab_settings
from ..common.patching import replace
from . import database_events, database_snapshots

logger = logging.getLogger("lab.database_power")
DAY = 86400
STOPPED_DAYS = 7
STOP_SECONDS = 30  # PostgreSQL is told to end its sessions (SIGINT), so this is for a stuck one


def apply() -> None:
    replace(rds, "_stop_db_instance", lambda _: _stop)
    replace(rds, "_start_db_instance", lambda _: _start)
    replace(rds, "_modify_db_instance", _only_running)
    replace(rds, "_instance_xml", _telling_restart)


def not_found(params: dict[str, Any]) -> Any:
    return rds._error("DBInstanceNotFound", f"DBInstance {rds._p(params, 'DBInstanceIdentifier')} not found.", 404)


def answer(operation: str, instance: dict[str, Any]) -> Any:
    return rds._single_instance_response(f"{operation}DBInstanceResponse", f"{operation}DBInstanceResult", instance)


# -- stop ------------------------------------------------------------------------------------------------------------------------


def _stop(params: dict[str, Any]) -> Any:
    instance = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
    if instance is None:
        return not_found(params)
    name, last = instance["DBInstanceIdentifier"], rds._p(params, "DBSnapshotIdentifier")
    with resource_lock("rds", name):
        if instance["DBInstanceStatus"] != "available":
            return rds._error("InvalidDBInstanceState", f"Instance {name} is not in available state.", 400)
        if instance.get("ReadReplicaDBInstanceIdentifiers"):
            return rds._error("InvalidDBInstanceState", f"Cannot stop or start a DB instance that has a read replica: {name}.", 400)
        if last and last in rds._snapshots:
            return rds._error("DBSnapshotAlreadyExists", f"Cannot create the snapshot because a snapshot with the identifier {last} already exists.", 400)
        instance["DBInstanceStatus"] = "stopping"
        snapshot = database_snapshots.begin(instance, last) if last else None
    spawn_background(_stopped, instance, snapshot, thread_name=f"lab-stop-{name}")
    return answer("Stop", instance)


def _stopped(instance: dict[str, Any], snapshot: dict[str, Any] | None) -> None:
    if snapshot:
        database_snapshots.finish(instance, snapshot)
    began = time.time()
    container = _container(instance)
    if container is not None:
        container.stop(timeout=STOP_SECONDS)
    lab_settings.wait("database_stop", began)
    with resource_lock("rds", instance["DBInstanceIdentifier"]):
        if _is_there(instance):
            now = time.time()
            # The last moment to which one can restore stays as it is from now on.
            instance.update(DBInstanceStatus="stopped", AutomaticRestartTime=now + STOPPED_DAYS * DAY, LatestRestorableTime=rds._format_time(now))
            database_events.record(instance, "stopped")


# -- start -----------------------------------------------------------------------------------------------------------------------


def _start(params: dict[str, Any]) -> Any:
    instance = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
    if instance is None:
        return not_found(params)
    if not begin_start(instance):
        return rds._error("InvalidDBInstanceState", f"Instance {instance['DBInstanceIdentifier']} is not stopped, it cannot be started.", 400)
    return answer("Start", instance)


def begin_start(instance: dict[str, Any]) -> bool:
    """Start a stopped instance; False for one that is not stopped."""
    with resource_lock("rds", instance["DBInstanceIdentifier"]):
        if instance["DBInstanceStatus"] != "stopped":
            return False
        instance["DBInstanceStatus"] = "starting"
        instance.pop("AutomaticRestartTime", None)
    spawn_background(_started, instance, thread_name=f"lab-start-{instance['DBInstanceIdentifier']}")
    return True


def _started(instance: dict[str, Any]) -> None:
    began = time.time()
    try:
        good = _bring_up(instance)
    except Exception:
        logger.exception("the database %s does not start", instance["DBInstanceIdentifier"])
        good = False
    lab_settings.wait("database_start", began)
    good = good and not lab_settings.fails("database_start")
    with resource_lock("rds", instance["DBInstanceIdentifier"]):
        if _is_there(instance):
            instance["DBInstanceStatus"] = "available" if good else "failed"
            database_events.record(instance, "started" if good else "failed")


def _bring_up(instance: dict[str, Any]) -> bool:
    container = _container(instance)
    if container is None:
        return True
    container.start()
    container.reload()
    found = container.attrs["NetworkSettings"]["Networks"]
    address = next((one["IPAddress"] for one in found.values() if one.get("IPAddress")), None)
    if address and address != instance["_internal_address"]:
        logger.warning("the database %s came back at another address: the lab's network has no part for databases", instance["DBInstanceIdentifier"])
        instance["_internal_address"] = instance["Endpoint"]["Address"] = address
    return answers(instance)


def answers(instance: dict[str, Any]) -> bool:
    """Whether its PostgreSQL gets ready, and knows the master user's password."""
    container = _container(instance)

    def alive() -> bool:
        container.reload()
        return container.status not in ("exited", "dead", "removing")

    return rds._wait_for_database_ready(
        instance["_internal_address"], instance["_internal_port"], instance["Engine"], instance["MasterUsername"],
        instance["_MasterUserPassword"], instance.get("DBName"), alive,
    )  # fmt: skip


def _container(instance: dict[str, Any]) -> Any:
    container = instance.get("_docker_container_id")
    return rds._get_docker().containers.get(container) if container else None


def _is_there(instance: dict[str, Any]) -> bool:
    return rds._instances.get(instance["DBInstanceIdentifier"]) is instance


# -- what it looks like ----------------------------------------------------------------------------------------------------------


def _only_running(modify: Any) -> Any:
    def modify_running(params: dict[str, Any]) -> Any:
        instance = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
        if instance and instance["DBInstanceStatus"] in ("stopping", "stopped", "starting", "renaming"):
            name = instance["DBInstanceIdentifier"]
            return rds._error("InvalidDBInstanceState", f"Database instance {name} is not in available state.", 400)
        return modify(params)

    return modify_running


def _telling_restart(render: Any) -> Any:
    def render_all(instance: dict[str, Any]) -> str:
        shown, more = instance, ""
        if instance.get("AutomaticRestartTime"):
            more = f"<AutomaticRestartTime>{rds._format_time(instance['AutomaticRestartTime'])}</AutomaticRestartTime>"
        elif instance.get("BackupRetentionPeriod"):
            shown = {**instance, "LatestRestorableTime": rds._format_time(restorable(time.time()))}
        return render(shown) + more

    return render_all


def restorable(now: float) -> float:
    """RDS writes its log to S3 every five minutes: up to then a running instance can be restored."""
    every = lab_settings.values.get("database_log", 300)
    return now // every * every
