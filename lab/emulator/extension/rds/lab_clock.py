"""Days pass for the databases when they are told to: `/_lab/clock`.

`PUT {"advance_days": 7}` makes all that is known of databases seven days older, as if nobody had looked since: an instance that was
stopped for seven days is started by AWS, with its event, and one that was running has had its daily backups, as many as it retains.
`GET` tells how many days were let pass. (The clock that programs and other services read goes on as before.)
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import rds

from ..common import control
from . import database_data, database_events, database_power, database_snapshots

DAY = database_power.DAY
MOMENTS = {
    "instance": ("InstanceCreateTime", "LatestRestorableTime"),
    "snapshot": ("SnapshotCreateTime", "OriginalSnapshotCreateTime", "SnapshotDatabaseTime", "InstanceCreateTime"),
}
_passed = {"days": 0.0}


def apply() -> None:
    control.subjects["clock"] = answer


def answer(method: str, rest: list[str], wish: Any) -> tuple[int, Any]:
    if method == "PUT":
        days = (wish or {}).get("advance_days") if isinstance(wish, dict) else None
        if isinstance(days, bool) or not isinstance(days, int | float) or not 0 < days <= 365:
            raise ValueError('{"advance_days": a number up to 365}')
        started = advance(days)
        _passed["days"] += days
        return 200, {"days": _passed["days"], "started": started}
    return (200, {"days": _passed["days"]}) if method == "GET" else (405, {"error": "GET or PUT"})


def advance(days: float) -> list[str]:
    """Make everything so much older, then do what AWS did meanwhile; the instances that it started."""
    for event in rds._events.all_values():
        event["Date"] -= days * DAY
    for snapshot in rds._snapshots.all_values():
        snapshot.update(older(snapshot, MOMENTS["snapshot"], days))
    started = []
    for (account, region, name), instance in rds._instances.all_items():
        instance.update(older(instance, MOMENTS["instance"], days))
        restarts = instance.get("AutomaticRestartTime")
        with request_scope(account, region):
            if restarts is None:
                back_up(instance, days)
                continue
            instance["AutomaticRestartTime"] = restarts - days * DAY
            if instance["AutomaticRestartTime"] <= time.time() and database_power.begin_start(instance):
                database_events.record(instance, "started by AWS", at=restarts - days * DAY)
                started.append(name)
    return started


def older(record: dict[str, Any], names: tuple[str, ...], days: float) -> dict[str, Any]:
    return {name: rds._format_time(epoch(record[name]) - days * DAY) for name in names if record.get(name)}


def epoch(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).replace(tzinfo=UTC).timestamp()


def back_up(instance: dict[str, Any], days: float) -> None:
    """The backups of the days that passed, in the instance's window; RDS keeps one for each day of the retention period."""
    retained = int(instance.get("BackupRetentionPeriod") or 0)
    if instance["DBInstanceStatus"] not in database_snapshots.READY:
        return
    now = time.time()
    moments = backup_moments(now - days * DAY, now, instance.get("PreferredBackupWindow") or "03:00-04:00", retained)
    held = database_data.take(instance) if moments and database_data.has_container(instance) else None
    for moment in moments:
        snapshot = database_snapshots.automated(instance, moment, held)
        database_events.record(snapshot, "automated snapshot", at=moment)
    mine = [
        (epoch(one["SnapshotCreateTime"]), name)
        for name, one in rds._snapshots.items()
        if one["SnapshotType"] == "automated" and one["DBInstanceIdentifier"] == instance["DBInstanceIdentifier"]
    ]
    for _, name in sorted(mine)[: max(0, len(mine) - retained)]:
        database_data.kept.pop(rds._snapshots.pop(name)["DBSnapshotArn"], None)


def backup_moments(since: float, until: float, window: str, retained: int) -> list[float]:
    """When the window began on the days between, the last ones that are retained."""
    hours, _, minutes = window.partition("-")[0].partition(":")
    first = since // DAY * DAY + int(hours) * 3600 + int(minutes) * 60
    moments = [first + day * DAY for day in range(int((until - since) // DAY) + 2)]
    return [moment for moment in moments if since < moment <= until][-retained:] if retained else []
