# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An environment that is made again: from which snapshots, and what of it is still there. The making itself is Terraform's and a release's."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.environment import destroy_record, journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.destroy_record import DESTROYED, DESTROYING, REDEPLOYING
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import this_host
from ansible_collections.atena.aws.plugins.module_utils.environment.read import describe_database, side_by_side
from ansible_collections.atena.aws.plugins.module_utils.recovery import ran, read as recovery_read
from ansible_collections.atena.aws.plugins.module_utils.redis import snapshot as redis_snapshot

REDEPLOYED = "redeployed"
EMPTY = "none"
# Between this machine's clock and AWS's.
_CLOCKS_APART = datetime.timedelta(minutes=10)


# --- Decisions --------------------------------------------------------------------------------------------------------
def no_empty_database(record: dict | None, redeploying: bool) -> str:
    """Why an apply must not make a database; '' if it may. redeploying: it is the one that begins with the snapshots."""
    state = (record or {}).get("state", "")
    if state == DESTROYING:
        return "A destroy of this environment is incomplete. Run destroy.yml again; redeploy.yml then recreates the environment."
    if record is None or redeploying or state not in (DESTROYED, REDEPLOYING):
        return ""
    snapshot = choice(record, "database", "")
    rows = f"whose rows are in the snapshot {snapshot}" if snapshot else "which had none"
    return (
        f"{_destroyed(record)}, {rows}. redeploy.yml recreates it from there. To begin with an empty database, on purpose: redeploy.yml -e "
        "redeploy_database_snapshot=none"
    )


def no_empty_redis(record: dict | None, redeploying: bool, waiting: str) -> str:
    """Why an apply must not make a Redis; '' if it may. waiting: the snapshot that a stop took and no start restored yet, '' for none.

    A destroy leaves no snapshot that waits for a start: what it took waits for the redeploy, until one has got to its end. One that died may have brought
    back the database alone.
    """
    if waiting:
        return (
            f"The queue waits in the snapshot {waiting}, which was not restored yet. Run start.yml, which restores it. To do without the queue, on purpose: "
            f"start.yml -e start_without_queue={waiting}"
        )
    snapshot = choice(record, "redis", "")
    if record is None or redeploying or not snapshot or record["state"] not in (DESTROYED, REDEPLOYING):
        return ""
    return (
        f"{_destroyed(record)}, and no redeploy was completed since: its queue is in the snapshot {snapshot}. Run redeploy.yml, which makes Redis from "
        "there. To do without the queue, on purpose: redeploy.yml -e redeploy_redis_snapshot=none"
    )


def _destroyed(record: dict) -> str:
    return f"This environment was destroyed ({record['ended_at'] or record['began_at']}, by {record['operator']})"


def choice(record: dict | None, kind: str, asked: str) -> str:
    """Name of the snapshot of this kind ('database' or 'redis') to begin with; '' for an empty one."""
    if asked:
        return "" if asked == EMPTY else asked
    return ((record or {}).get(kind) or {}).get("snapshot") or ""


def chosen(record: dict | None) -> dict | None:
    """{"database", "redis"}: names of the snapshots with which the redeploy on record begins, '' for an empty one. None where none is on record."""
    if (record or {}).get("state") not in (DESTROYED, REDEPLOYING):
        return None
    return {kind: choice(record, kind, "") for kind in ("database", "redis")}


def lived_since(record: dict, snapshots: list[dict]) -> bool:
    """Whether snapshots of the database tell that it was there after the redeploy on record had chosen one: newer ones than that.

    Those that are older than the choice were there to be chosen, and an older one was meant, or one of another database, which is not among these.
    """
    usable = recovery_read.newest(snapshots)
    chosen_at = datetime.datetime.fromisoformat((record["database"] or {}).get("chosen_at") or record["began_at"])
    since = [one["SnapshotCreateTime"] for one in usable if one["DBSnapshotIdentifier"] == choice(record, "database", "")]
    return any(one["SnapshotCreateTime"] > max([chosen_at, *since]) for one in usable)


def unclear(record: dict | None, snapshots: list[dict]) -> str:
    """Why nobody can tell which rows are wanted; '' if the record tells."""
    state, snapshot = (record or {}).get("state", ""), choice(record, "database", "")
    if state == REDEPLOYED:
        return "The environment was recreated since the recorded destroy"
    if not snapshot:
        return "The record of the destroy names no snapshot of the database" if record else "No destroy is recorded"
    if record and state == REDEPLOYING and lived_since(record, snapshots):
        return f"A redeploy from the snapshot {snapshot} is recorded without its end, but there are newer snapshots, of a database that was there since"
    return ""


def problem(record: dict | None, database: dict | None, asked: dict, snapshots: list[dict], caches: list[str]) -> str:
    """Why the environment cannot be made again as it is asked for; '' if it can.

    caches: names of Redis's snapshots, newest first. Which of them is wanted is no more known than which rows are, where no destroy is on record that tells.

    asked: {"database", "redis"}: snapshots that were named, '' for those on record, 'none' for an empty one. snapshots: the database's.
    """
    state = (record or {}).get("state", "")
    if state == DESTROYING:
        return "A destroy of this environment is incomplete. Run destroy.yml again first."
    if database is not None and state not in (REDEPLOYING, REDEPLOYED):
        name = database["DBInstanceIdentifier"]
        return (
            f"The database {name} exists, and nothing is put into one that exists. To restore its rows: restore_database.yml. To make it what infra/ "
            "says: infra.yml. To begin with an older snapshot in place of it: destroy.yml first."
        )
    if database is not None:
        return ""
    why = unclear(record, snapshots)
    return _which(why, asked, recovery_read.listed(snapshots), caches) if why else ""


def _which(why: str, asked: dict, databases: str, caches: list[str]) -> str:
    """What a person has to say where no record does; '' if they have. A queue that there is no snapshot of is no question."""
    wanted = []
    if not asked["database"]:
        wanted.append(("rows", f"Snapshots of the database, newest first: {databases}.", "-e redeploy_database_snapshot=<name>"))
    if not asked["redis"] and caches:
        wanted.append(("jobs", f"Snapshots of Redis, newest first: {', '.join(caches[:5])}.", "-e redeploy_redis_snapshot=<name>"))
    if not wanted:
        return ""
    what, there, option = (list(part) for part in zip(*wanted, strict=True))
    empty = "one" if len(wanted) > 1 else "database" if what == ["rows"] else "queue"
    return (
        f"{why}, so that it is not known which {' and which '.join(what)} are wanted. {' '.join(there)} Name one with {' '.join(option)}, or begin with an "
        f"empty {empty}: {option[0].replace('<name>', 'none')}"
    )


def older_than_the_redeploy(record: dict, address: str, identity: str, made_at: str) -> str:
    """Why a database or Redis that Terraform does not know is not what a redeploy on record made; '' if it may be."""
    if record["state"] != REDEPLOYING or not made_at:
        return ""
    if datetime.datetime.fromisoformat(made_at) >= datetime.datetime.fromisoformat(record["began_at"]) - _CLOCKS_APART:
        return ""
    allowed = json.dumps({"infra_take_in": [address]})
    return (
        f"{identity} is there, made at {made_at}, before this redeploy began ({record['began_at']}): it was made by somebody else, and not from the snapshots "
        f"of the destroy. Nothing was changed. Delete it, and run redeploy.yml again; or keep what is in it: redeploy.yml -e '{allowed}'"
    )


def unusable(kind: str, name: str, found: dict | None, status: str) -> str:
    """Why a snapshot cannot be restored; '' if it can."""
    if found is None:
        return f"The snapshot {name} of the {kind} does not exist."
    return "" if status == "available" else f"The snapshot {name} of the {kind} is {status}, not available."


def foreign_queue(name: str, found: dict | None, redis_id: str) -> str:
    """Why a queue must not be restored here; '' if it is this environment's own: its workers would do another's jobs."""
    if not found or found["source"] == redis_id:
        return ""
    return f"The snapshot {name} holds the queue of {found['source']}, not of {redis_id}."


def foreign_rows(found: dict | None, database_id: str) -> str:
    """Name of the other database whose rows a snapshot holds; '' if they are this one's own, also of one that a restore left aside."""
    whose = (found or {}).get("DBInstanceIdentifier", database_id)
    return "" if whose == database_id or recovery_read.is_beside(whose, database_id) else whose


def variables(database: str, redis: str, kept: dict, sslmode: str = "") -> dict:
    """What infra/ takes for the one apply that makes the environment. sslmode: of the DATABASE_URL that was destroyed, '' if that is not on record: the
    images may have no certificates with which a database could be verified."""
    return {"database_snapshot": database or None, "database_sslmode": sslmode or None, "redis_snapshot": redis or None, "kept": kept}


def still_there(name: str, keys: list[str], repositories: list[str], policies: list[str], groups: list[str]) -> dict:
    """The services whose repository, lifecycle policy and log group exist."""
    return {
        "repositories": [key for key in keys if f"{name}-{key}" in repositories],
        "lifecycle_policies": [key for key in keys if f"{name}-{key}" in policies],
        "log_groups": [key for key in keys if f"/ecs/{name}-{key}" in groups],
    }


def told(result: dict) -> list[str]:
    kept = result["terraform_variables"]["kept"]
    lines = [f"Database: {result['database_from']}", f"Redis: {result['redis_from']}"]
    if not result["done"]:
        lines.append(f"Release: {result['release']}, which ran before" if result["release"] else "Release: the commit that is checked out")
    if result["counts"]:
        lines.append(f"Counts, as they were: {', '.join(f'{name} {count}' for name, count in sorted(result['counts'].items()))}")
    if kept["repositories"] or kept["log_groups"]:
        lines.append(f"Taken in as they are: images of {', '.join(kept['repositories']) or 'none'}; logs of {', '.join(kept['log_groups']) or 'none'}")
    return lines


def moment_of_choice(record: dict, database: str, there: bool, snapshots: list[dict]) -> dict:
    """{"chosen_at": now} where a snapshot of the database is chosen; {} where the choice on record stands, or the database is there already."""
    before = record["database"] or {}
    stands = record["state"] == REDEPLOYING and before.get("snapshot") == database and before.get("chosen_at") and not lived_since(record, snapshots)
    return {} if there or stands else {"chosen_at": power_journal.stamp()}


def begun(record: dict, database: str, redis: str, operator: str, chosen: dict) -> dict:
    """The record of a redeploy that begins, or goes on. Which snapshots it is made from is on it, so that a run that goes on does not take others.

    chosen: moment_of_choice's answer.
    """
    return {
        **power_journal.begun(record, REDEPLOYING, operator, this_host()),
        "database": {**(record["database"] or {}), "snapshot": database, **chosen},
        "redis": {**(record["redis"] or {}), "snapshot": redis},
    }


# --- Doing it ---------------------------------------------------------------------------------------------------------
class Redeploy:
    """begin() before the apply, end() when the application is healthy. The record is that of the destroy."""

    def __init__(self, call: Aws, params: dict, *, check_mode: bool = False) -> None:
        self.call, self.params, self.check_mode, self.rows_of = call, params, check_mode, ""
        storage = params["storage"]
        self.journal = destroy_record.journal(call, storage["bucket"], storage["record_key"])

    def begin(self, prove: Callable[[], object] = lambda: None) -> dict[str, Any]:
        """Raises CallFailed. prove: what shows that the environment's lock is held."""
        params, call = self.params, self.call
        keys, name = params["services"], params["name"]
        repositories = [f"{name}-{key}" for key in keys]
        seen = side_by_side(
            call,
            {
                "record": self.journal.read,
                "database": lambda: describe_database(call, params["database_id"]),
                "snapshots": lambda: recovery_read.snapshots(call, params["database_id"]),
                "caches": lambda: [told["name"] for told in redis_snapshot.list_snapshots(call, resource_names.redis(name)) if told["status"] == "available"],
                "images": lambda: recovery_read.image_counts(call, repositories),
                "policies": lambda: recovery_read.lifecycle_policies(call, repositories),
                "groups": lambda: recovery_read.log_groups(call, f"/ecs/{name}-"),
            },
        )
        record, asked = seen["record"], {"database": params["database_snapshot"], "redis": params["redis_snapshot"]}
        wrong = problem(record, seen["database"], asked, seen["snapshots"], seen["caches"])
        if wrong:
            raise CallFailed(f"{wrong} Nothing was changed.")
        done = seen["database"] is not None and record["state"] == REDEPLOYED
        # What an older destroy left is not guessed to be what is wanted now.
        telling = record if seen["database"] is not None or not unclear(record, seen["snapshots"]) else None
        database, redis = ("", "") if done else (choice(telling, "database", asked["database"]), choice(telling, "redis", asked["redis"]))
        if seen["database"] is None:
            self._must_be_usable(database, redis)
        release = "" if done else self._release(telling, repositories)
        kept = still_there(name, keys, list(seen["images"]), seen["policies"], seen["groups"])
        result: dict[str, Any] = {
            "changed": False,
            "done": done,
            "release": release,
            "counts": {} if done else (telling or {}).get("counts") or {},
            "already_there": seen["database"] is not None,
            "terraform_variables": variables(database, redis, kept, (record or {}).get("sslmode", "")),
            "database_from": self._from(database, seen["database"] is not None and not database)
            + (f", which has the rows of another database: {self.rows_of}" if self.rows_of else ""),
            "redis_from": self._from(redis, done),
        }
        if not done and not self.check_mode:
            prove()
            before = record or {**power_journal.new(name), "state": DESTROYED}
            chosen = moment_of_choice(before, database, result["already_there"], seen["snapshots"])
            self.journal.save(begun(before, database, redis, params["operator"], chosen))
        return {**result, "lines": told(result)}

    def _release(self, record: dict | None, repositories: list[str]) -> str:
        """The release to make it with, whose images are there; '' for the commit that is checked out, which is built."""
        release = ran.asked(record, self.params["release"])
        missing = ran.missing_images(self.call, release, repositories) if release else []
        if missing:
            raise CallFailed(f"{ran.gone_text(release, missing)} Nothing was changed.")
        return release

    def end(self, prove: Callable[[], object] = lambda: None) -> dict[str, Any]:
        """Writes that it is done. Whether it was to be written."""
        record = self.journal.read()
        if not record or record["state"] != REDEPLOYING:
            return {"changed": False}
        if not self.check_mode:
            prove()
            self.journal.save(power_journal.ended(record, REDEPLOYED))
        return {"changed": False}

    def _from(self, snapshot: str, there: bool) -> str:
        return f"from the snapshot {snapshot}" if snapshot else "is there" if there else "empty"

    def _must_be_usable(self, database: str, redis: str) -> None:
        wrong = []
        if database:
            found = recovery_read.snapshot(self.call, database)
            wrong.append(unusable("database", database, found, (found or {}).get("Status", "")))
            self.rows_of = foreign_rows(found, self.params["database_id"])
        if redis:
            found = redis_snapshot.read(self.call, redis)
            wrong += [unusable("queue", redis, found, (found or {}).get("status", "")), foreign_queue(redis, found, resource_names.redis(self.params["name"]))]
        said = [sentence for sentence in wrong if sentence]
        if said:
            other = "Name another with -e redeploy_database_snapshot= or -e redeploy_redis_snapshot=, or 'none' to do without."
            raise CallFailed(f"{' '.join(said)} Nothing was changed. {other}")
