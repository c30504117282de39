"""What happened to a database is in its events.

MiniStack records a restart after RebootDBInstance, and nothing else. AWS tells no number of an event, only its words: these are the
words of RDS-EVENT-0087, -0088, -0154, -0001, -0002, -0042, -0091 and -0031.
"""

from __future__ import annotations

import time
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import rds

MESSAGES = {
    "stopped": ("notification", "DB instance stopped."),
    "started": ("notification", "DB instance started."),
    "started by AWS": ("notification", "DB instance is being started due to it exceeding the maximum allowed time being stopped."),
    "backing up": ("backup", "Backing up DB instance"),
    "backed up": ("backup", "Finished DB Instance backup"),
    "failed": ("failure", "DB instance put into failed state. RDS recommends that you initiate a point-in-time-restore."),
    "manual snapshot": ("creation", "Manual snapshot created"),
    "automated snapshot": ("creation", "Automated snapshot created"),
}
OF_SNAPSHOTS = ("manual snapshot", "automated snapshot")


def apply() -> None:
    """Nothing to replace: the pieces about databases call record()."""


def record(source: dict[str, Any], what: str, at: float | None = None) -> None:
    """An event of a DB instance, or of a snapshot for what is told of snapshots."""
    category, message = MESSAGES[what]
    snapshot = what in OF_SNAPSHOTS
    rds._events[new_uuid()] = {
        "SourceIdentifier": source["DBSnapshotIdentifier" if snapshot else "DBInstanceIdentifier"],
        "SourceType": "db-snapshot" if snapshot else "db-instance",
        "SourceArn": source["DBSnapshotArn" if snapshot else "DBInstanceArn"],
        "Message": message,
        "Date": time.time() if at is None else at,
        "EventCategories": [category],
    }
