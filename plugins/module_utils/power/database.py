# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The database's part of a stop and a start: its states, a backup of its own before it stops, and what is kept of those.

AWS takes no automatic backup of an instance that is stopped, and its window may lie in the night: an environment that is off every night would
never have one. So a stop takes a snapshot unless a fresh backup exists.
"""

from __future__ import annotations

import contextlib
import datetime
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Conflict, NotFound, absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.progress import clock
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Say
from ansible_collections.atena.aws.plugins.module_utils.environment.branches import Branches
from ansible_collections.atena.aws.plugins.module_utils.environment.read import describe_database

STOP, START = "stop", "start"
DONE, ACT, WAIT, REFUSE = "done", "act", "wait", "refuse"
# States of the RDS user guide, 'Viewing DB instance status'. In these something goes on that ends by itself ...
_SOON = (
    *("backing-up", "configuring-enhanced-monitoring", "configuring-iam-database-auth", "configuring-log-exports", "converting-to-vpc", "creating"),
    *(
        "maintenance",
        "modifying",
        "moving-to-vpc",
        "rebooting",
        "renaming",
        "resetting-master-credentials",
        "snapshotting",
        "starting",
        "stopping",
        "upgrading",
    ),
)
# ... in these too, but it may be hours, in which RDS refuses to stop the instance; it serves meanwhile ...
_LONG = ("storage-config-upgrade", "storage-initialization", "storage-optimization")
# ... and in these it serves connections.
SERVING = ("available", "backing-up", "configuring-enhanced-monitoring", "configuring-log-exports", "snapshotting", *_LONG)
_HOPELESS = {
    "storage-full": "Give it more storage (atena_database.allocated_storage, infra.yml), then run this again.",
    "failed": "Restore it: a failed instance does not come back.",
    "deleting": "Somebody deletes it.",
    "delete-precheck": "Somebody deletes it.",
    "restore-error": "Its restore failed: restore it again.",
    "inaccessible-encryption-credentials": "Its KMS key is disabled or gone: enable the key, then restore the instance.",
    "inaccessible-encryption-credentials-recoverable": "Its KMS key is disabled: enable the key, then start the instance.",
    "incompatible-network": "Its subnet group has no address left, or its network changed.",
    "incompatible-option-group": "Correct its option group.",
    "incompatible-parameters": "Correct its parameter group.",
    "incompatible-restore": "Its restore failed: restore it again.",
    "insufficient-capacity": "AWS has no capacity for its class in this zone.",
}
_SILENCE = 30
# Seconds between two looks after something was sent, and how many refusals in a row contradict what a look shows.
_SECOND_LOOK, _REFUSALS = 3, 4


# --- Decisions --------------------------------------------------------------------------------------------------------
def toward(status: str, goal: str) -> tuple[str, str]:
    """(DONE | ACT | WAIT | REFUSE, reason): what brings an instance of this status to the goal (STOP or START) next."""
    if status in _HOPELESS:
        return REFUSE, f"RDS cannot {goal} it while it is {status}. {_HOPELESS[status]}"
    if goal == STOP:
        return {"stopped": (DONE, ""), "available": (ACT, "")}.get(status, (WAIT, f"it is {status}"))
    if status == "stopped":
        return ACT, ""
    # What goes on after a start (configuring-..., a backup) need not be waited for.
    return (DONE, "") if status in SERVING else (WAIT, f"it is {status}")


def never_stops(instance: dict) -> str:
    """Why RDS stops this instance in no state ('Stopping an Amazon RDS DB instance temporarily', Limitations); '' if nothing is known against it."""
    replicas = sorted([*instance.get("ReadReplicaDBInstanceIdentifiers", []), *instance.get("ReadReplicaDBClusterIdentifiers", [])])
    if replicas:
        verb, noun = ("is a", "replica") if len(replicas) == 1 else ("are", "replicas")
        return f"{', '.join(replicas)} {verb} read {noun} of it. Delete or promote {'it' if len(replicas) == 1 else 'them'} first."
    if instance.get("ReadReplicaSourceDBInstanceIdentifier"):
        return f"it is a read replica of {instance['ReadReplicaSourceDBInstanceIdentifier']}. Promote it first."
    if instance.get("DBClusterIdentifier"):
        return f"it belongs to the cluster {instance['DBClusterIdentifier']}, which is stopped as a whole."
    return ""


def cannot_stop(instance: dict) -> str:
    """Why it is no use to ask RDS for a stop now; '' if it is stopped, or will be once asked."""
    action, reason = toward(instance["DBInstanceStatus"], STOP)
    if action == REFUSE:
        return reason
    why = never_stops(instance) if action != DONE else ""
    return f"RDS does not stop it: {why}" if why else ""


def too_late(identifier: str, status: str, goal: str, seconds: float) -> str:
    """Why waiting for a state was given up."""
    if goal == STOP and status in _LONG:
        why = f"That can take hours, and RDS refuses to stop it meanwhile. It serves and costs on; {goal}.yml run later stops it."
    else:
        why = f"Check it in the RDS console, or give it more time (atena_power_timeouts.database); {goal}.yml resumes from there."
    return f"The database {identifier} was still {status} after {clock(seconds)}. {why}"


def of_this_life(snapshots: list[dict], instance: dict) -> list[dict]:
    """Those of this very instance: RDS lists by name, and one that was destroyed, or put aside by a restore, may have had the same."""
    resource = instance.get("DbiResourceId")
    return [item for item in snapshots if resource and item.get("DbiResourceId") == resource]


def fresh_backup(snapshots: list[dict], now: datetime.datetime, hours: float) -> dict | None:
    """The newest complete snapshot, automatic or manual, if it is younger than so many hours."""
    complete = [item for item in snapshots if item.get("Status") == "available" and item.get("SnapshotCreateTime")]
    newest = max(complete, key=lambda item: item["SnapshotCreateTime"], default=None)
    if newest is None or now - newest["SnapshotCreateTime"] > datetime.timedelta(hours=hours):
        return None
    return newest


def own_prefix(identifier: str) -> str:
    return f"{identifier}-stop-"


def own_name(identifier: str, now: datetime.datetime) -> str:
    return f"{own_prefix(identifier)}{now.astimezone(datetime.UTC).strftime('%Y%m%d-%H%M%S')}"


def surplus(snapshots: list[dict], identifier: str, keep: int) -> list[str]:
    """Names of a stop's own snapshots beyond the newest `keep`, oldest first. Anybody else's stay, and so does the last one."""
    own = [
        item["DBSnapshotIdentifier"]
        for item in snapshots
        if item["DBSnapshotIdentifier"].startswith(own_prefix(identifier)) and item.get("SnapshotType", "manual") == "manual" and item["Status"] == "available"
    ]
    return sorted(own)[: max(0, len(own) - max(1, keep))]


# --- Doing it ---------------------------------------------------------------------------------------------------------
class Database:
    """branches: see environment.branches. say: takes a line for the person who waits."""

    def __init__(self, call: Aws, identifier: str, *, branches: Branches, say: Say, timeout: float = 3600, delay: float = 10) -> None:
        self.call, self.identifier = call, identifier
        self._branches, self._tell = branches, say
        self.timeout, self.delay = timeout, delay

    def _say(self, text: str) -> None:
        self._tell(f"database: {text}")

    def describe(self) -> dict:
        found = describe_database(self.call, self.identifier)
        if found is None:
            raise CallFailed(f"The database {self.identifier} does not exist. Run infra.yml first, and check atena_project and atena_stage.")
        return found

    def snapshots(self) -> list[dict]:
        doing = f"list the snapshots of {self.identifier}"
        return self.call.pages("rds", "describe_db_snapshots", doing, "DBSnapshots", DBInstanceIdentifier=self.identifier)

    def _snapshot(self, name: str) -> dict[str, Any] | None:
        doing = f"read the snapshot {name}"
        found: list[dict[str, Any]] = absent_as(
            [], "DBSnapshot", lambda: self.call("rds", "describe_db_snapshots", doing, DBSnapshotIdentifier=name)["DBSnapshots"]
        )
        return found[0] if found else None

    def settle(self, goal: str) -> tuple[str, dict]:
        """Waits until something is to be done, or nothing. Returns (DONE or ACT, described instance)."""
        deadline, told, spoke = Deadline(self.timeout), None, 0.0
        while True:
            self._branches.guard()
            found = self.describe()
            status = found["DBInstanceStatus"]
            action, reason = toward(status, goal)
            if action == REFUSE:
                raise CallFailed(f"The database {self.identifier}: {reason}")
            if action != WAIT:
                return action, found
            if deadline.passed:
                raise CallFailed(too_late(self.identifier, status, goal, deadline.elapsed))
            if status != told or deadline.elapsed - spoke >= _SILENCE:
                told, spoke = status, deadline.elapsed
                self._say(f"{status}, {clock(deadline.elapsed)} of {clock(self.timeout)}")
            self._branches.sleep(pace(deadline.elapsed, self.delay))

    def _reach(self, goal: str, operation: str, status: str) -> dict:
        """Brings the instance to the goal. Somebody's own change may come in between: it is looked at again, and told again what to do."""
        deadline, refusals = Deadline(self.timeout), 0
        while True:
            action, found = self.settle(goal)
            if action == DONE:
                self._say(found["DBInstanceStatus"])
                return found
            if deadline.passed:
                raise CallFailed(too_late(self.identifier, found["DBInstanceStatus"], goal, deadline.elapsed))
            self._branches.guard()
            try:
                self.call("rds", operation, f"{goal} the database {self.identifier}", DBInstanceIdentifier=self.identifier)
                self._say(f"asked to {goal}")
            except Conflict as failed:
                # It changed its state between the look and the call; the call was carried out and its answer lost; or the look was behind, which it can be
                # for seconds: one that shows the state in which this would work is a contradiction, but no proof.
                refusals += 1
                if "InvalidDBInstanceState" not in failed.code or (refusals >= _REFUSALS and self.describe()["DBInstanceStatus"] == status):
                    raise
            self._branches.sleep(max(min(self.delay, _SECOND_LOOK), pace(deadline.elapsed, self.delay)))

    def stop(self) -> dict:
        """Stops it and waits until it is stopped. Returns it as described then."""
        return self._reach(STOP, "stop_db_instance", "available")

    def start(self) -> dict:
        """Starts it and waits until it serves. Returns it as described then."""
        return self._reach(START, "start_db_instance", "stopped")

    def back_up(self, name: str, tags: dict) -> dict[str, Any]:
        """Takes a snapshot of that name, unless there is one, and waits until it is complete."""
        deadline, told, sent = Deadline(self.timeout), None, False
        while True:
            self._branches.guard()
            found = self._snapshot(name)
            status = found["Status"] if found else "absent"
            if found is not None and status == "available":
                return found
            if status in ("failed", "incompatible-restore", "deleting"):
                raise CallFailed(f"The snapshot {name} of {self.identifier} is {status}. The database was not stopped. Run this again: it takes another one.")
            if deadline.passed:
                raise CallFailed(
                    f"The snapshot {name} of {self.identifier} was still {status} after {clock(deadline.elapsed)}, and the database was not stopped. "
                    "Run this again: it resumes waiting for it."
                )
            if found is None and not sent:
                self._take(name, tags)
                sent = True
            elif status != told:
                told = status
                self._say(f"snapshot {name}: {status} {found.get('PercentProgress', 0) if found else 0} %")
            self._branches.sleep(pace(deadline.elapsed, self.delay))

    def _take(self, name: str, tags: dict) -> None:
        arguments = {"DBInstanceIdentifier": self.identifier, "DBSnapshotIdentifier": name}
        pairs = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        try:
            self.call("rds", "create_db_snapshot", f"take the snapshot {name} of {self.identifier}", **arguments, Tags=pairs)
        except CallFailed as failed:
            if "DBSnapshotAlreadyExists" in failed.code:
                return  # the answer to the first attempt was lost
            if "SnapshotQuotaExceeded" in failed.code:
                raise failed.saying(
                    f"{failed} The database was not stopped. Delete manual snapshots that nobody needs, request a higher quota, or keep fewer "
                    "(atena_power_database_snapshots_kept)."
                ) from failed
            raise
        self._say(f"taking the snapshot {name}, because there is no fresh backup")

    def prune(self, keep: int) -> list[str]:
        """Deletes a stop's own snapshots beyond `keep`. Returns the names of those deleted."""
        gone = surplus(self.snapshots(), self.identifier, keep)
        for name in gone:
            self._branches.guard()
            with contextlib.suppress(NotFound):
                self.call("rds", "delete_db_snapshot", f"delete the snapshot {name}", DBSnapshotIdentifier=name)
        return gone
