# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A destroy, in order: services to 0 and every task stopped, so that the snapshots hold the last that was written; the database started if it is stopped;
a last snapshot of Redis, verified; then Terraform lets go of images and logs, and destroys all else - the database into its final snapshot, which is
looked for afterwards; at the end the record says what is left and from what redeploy.yml makes the environment again.

A stop or a start that died may have left things that Terraform does not know, and over which it could not destroy the network: what an apply had made is
taken into the state before, and a Redis that was let go of, or restored and not adopted yet, is deleted with its last snapshot as the proof.
"""

from __future__ import annotations

import collections
import datetime
import re
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment import destroy_record, gates as power_gates, journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.destroy_record import DESTROYED, DESTROYING, REDEPLOYING
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import this_host
from ansible_collections.atena.aws.plugins.module_utils.environment.read import describe_database, side_by_side
from ansible_collections.atena.aws.plugins.module_utils.power import database as databases, redis as power_redis
from ansible_collections.atena.aws.plugins.module_utils.power.services import Down, counts_and_bounds, name_of
from ansible_collections.atena.aws.plugins.module_utils.power.terraform import REDIS_RESOURCE
from ansible_collections.atena.aws.plugins.module_utils.recovery import ran, read as recovery_read
from ansible_collections.atena.aws.plugins.module_utils.recovery.run import RecoveryRun
from ansible_collections.atena.aws.plugins.module_utils.redis import read as redis_read, restore as redis_restore, snapshot as redis_snapshot
from ansible_collections.atena.aws.plugins.module_utils.terraform import plan as terraform_plan
from ansible_collections.atena.aws.plugins.module_utils.terraform.plan import Change

DATABASE, FINAL_NAME = "aws_db_instance.main", "random_id.final_snapshot"
# What stays though Terraform made it: the releases on record, and what is known of the time before.
KEPT = {"aws_ecr_repository": "repositories", "aws_ecr_lifecycle_policy": "lifecycle_policies", "aws_cloudwatch_log_group": "log_groups"}
_HISTORY = 20
# Seconds after which it is looked at again whether really a task runs.
_SECOND_LOOK = 3
_TAGS = {"atena:recovery": "destroy"}


# --- Decisions --------------------------------------------------------------------------------------------------------
def kept(addresses: Iterable[str]) -> dict[str, list[str]]:
    """{kind of KEPT: [service]} of the addresses that stay."""
    found: dict[str, list[str]] = {kind: [] for kind in KEPT.values()}
    for address in sorted(addresses):
        match = re.fullmatch(r'(\w+)\.service\["(.+)"\]', address)
        if match and match[1] in KEPT:
            found[KEPT[match[1]]].append(match[2])
    return found


def stays(address: str) -> bool:
    return any(kept([address]).values())


def goes(seen: dict) -> list[Change]:
    """What Terraform would destroy, with what it is made to take in before, and without what it is made to let go of."""
    taken_in = [
        Change(address=address, type=address.split(".")[0], action="destroy", reason="", attributes=[], destroys=True, outside=[], impossible="")
        for address, _identity in seen["orphans"]
    ]
    return [change for change in [*seen["changes"], *taken_in] if not stays(change["address"])]


def objections(seen: dict) -> list[str]:
    """Why this environment must not be destroyed as it is."""
    database, before, found = seen["database"], seen["before"].get(DATABASE), []
    if seen["beside"]:
        found.append(
            f"{', '.join(seen['beside'])} still exists, kept or half-made by a restore, in the environment's network. Decide about it first: "
            f"restore_database.yml -e restore_database_remove_original={seen['beside'][0]} deletes it into a final snapshot."
        )
    if database is None:
        return found
    name = database["DBInstanceIdentifier"]
    if database.get("DeletionProtection"):
        found.append(
            f"The database {name} has deletion protection. Whoever is to destroy it removes that first: set deletion_protection: false in "
            "atena_database, run infra.yml, then destroy.yml."
        )
    action, reason = databases.toward(database["DBInstanceStatus"], databases.START)
    if action == databases.REFUSE:
        found.append(f"The database {name} cannot be backed up: {reason}")
    if before is None:
        found.append(
            f"The database {name} exists, but not in Terraform's state, so that nothing would give it a final snapshot. Run infra.yml, which shows why."
        )
    elif before.get("skip_final_snapshot") or not before.get("final_snapshot_identifier"):
        found.append(f"Terraform's state names no final snapshot for {name}: a restore is incomplete. Run infra.yml, which completes it.")
    return found


def remaining(seen: dict) -> list[dict]:
    """[{"step", "says"}] in order; [] if there is nothing left."""
    record, going, cache, found = seen["record"] or {}, goes(seen), seen["redis"], []

    def add(step: str, says: str) -> None:
        found.append({"step": step, "says": says})

    if not going and seen["database"] is None and cache is None and record.get("state") != DESTROYING:
        return []
    up = {name: service["desiredCount"] for name, service in seen["services"].items() if service["desiredCount"]}
    if seen.get("release"):
        add("record", f"Would record that the release {seen['release']} runs, which redeploy.yml restores")
    if up or seen["tasks"]:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(up.items()))
        running = f" (now: {', '.join(sorted(name_of(task) for task in seen['tasks']))})" if seen["tasks"] else ""
        add("services", f"Would bring to 0: {counts or 'nothing more'}, and wait until every task is STOPPED{running}")
    database = seen["database"]
    if database and databases.toward(database["DBInstanceStatus"], databases.START)[0] != databases.DONE:
        add("database", f"Would start the database {database['DBInstanceIdentifier']} ({database['DBInstanceStatus']}), so that it can be backed up")
    if power_redis.at_stop(cache) == power_redis.SNAPSHOT:
        add("redis", f"Would take a last snapshot of Redis {cache['id']} ({cache['status']}) and verify it")
    if seen["orphans"]:
        made = ", ".join(address for address, _identity in seen["orphans"])
        add("terraform", f"Would take into Terraform's state what a run that was killed had made: {made}")
    if cache and REDIS_RESOURCE not in seen["before"]:
        add(
            "redis",
            f"Would delete Redis {cache['id']} ({cache['status']}), which Terraform does not know since a stop or start was interrupted, and wait for its end",
        )
    if going:
        add("terraform", f"Would have Terraform destroy {len(going)} objects: {summed(going)}")
        for change in going:
            add("terraform", f"  {terraform_plan.describe(change)}")
    if database:
        final = (seen["before"].get(DATABASE) or {}).get("final_snapshot_identifier")
        name = "a new name" if final in seen["snapshot_names"] else final
        automatic = sum(1 for one in seen["snapshots"] if one["SnapshotType"] == "automated")
        gone = f"; its {automatic} automatic backups go with it" if automatic else ""
        add("final", f"The database {database['DBInstanceIdentifier']} would go into its final snapshot, {name}{gone}")
    add("record", "Would record what is left, and from which snapshots redeploy.yml recreates the environment")
    return found


def summed(changes: Iterable[Change]) -> str:
    """'2 aws_subnet, 1 aws_vpc'."""
    counts = collections.Counter(change["type"] for change in changes)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def staying(seen: dict, storage: dict, ssm_path: str) -> list[str]:
    """What a destroy leaves, a line each."""
    manual = [one["DBSnapshotIdentifier"] for one in seen["snapshots"] if one["SnapshotType"] == "manual"]
    lines = [
        f"images: {', '.join(f'{count} in {name}' for name, count in sorted(seen['images'].items())) or 'none'}",
        f"logs: {', '.join(seen['log_groups']) or 'none'}",
        f"snapshots of the database: {', '.join(sorted(manual)) or 'none so far'}",
        f"snapshots of Redis: {', '.join(sorted(told['name'] for told in seen['redis_snapshots'] if told['manual'])) or 'none so far'}",
        f"secrets that people set, below {ssm_path}: {', '.join(name.rsplit('/', 1)[-1] for name in seen['secrets']) or 'none'}",
        f"the bucket {storage['bucket']} with state, records and evidence, and the lock table",
    ]
    return [f"Stays: {line}" for line in lines]


def first_record(before: dict | None, database: dict | None) -> dict:
    """What the record of a destroy begins with. before: the record so far. database: the instance, as described.

    A redeploy that did not get to its end has put into the environment what is there now; what it had not yet put there is still in the snapshots that it
    was made from.
    """
    half = before if before and before.get("state") == REDEPLOYING else None
    return {
        "database": dict(half["database"] or {}) if half and database is None else {},
        "redis": dict(half["redis"] or {}) if half else {},
        "kept": {},
        "destroyed": [],
    }


def what_ran(before: dict | None, release: str, services: dict) -> dict:
    """{"release", "counts"} for the record. What a run before has written of services that are gone by now stays."""
    known = before or {}
    return {"release": release or known.get("release") or "", "counts": {**known.get("counts", {}), **ran.counts_of(services)}}


def final_record(record: dict, now: str) -> dict:
    """The record of an environment that is gone; what was before is kept in short."""
    short = {"at": now, "operator": record["operator"], "database": record["database"], "redis": record["redis"], "release": record.get("release", "")}
    return {**record, "history": [*record.get("history", []), short][-_HISTORY:]}


# --- Doing it ---------------------------------------------------------------------------------------------------------
class Destroy(RecoveryRun):
    WANTED, GOING, VERB, PLAYBOOK, OPPOSITE = DESTROYED, DESTROYING, "destroy", "destroy.yml", "start.yml"
    RECORD, CONFIRM, WHAT = destroy_record.WHAT, "destroy_confirm", "This destroys {name}"

    def observe(self) -> dict:
        params, call = self.params, self.call
        found = side_by_side(
            call,
            {
                "record": self.journal.read,
                "power": self.power.read,
                "gates": self.gates.read,
                "database": lambda: describe_database(call, params["database_id"]),
                "instances": lambda: recovery_read.instances(call),
                "snapshots": lambda: recovery_read.snapshots(call, params["database_id"]),
                "redis": lambda: redis_read.find(call, params["redis_id"]),
                "redis_snapshots": lambda: redis_snapshot.list_snapshots(call, params["redis_id"]),
                "services": lambda: recovery_read.services(call, self.cluster),
                "tasks": lambda: recovery_read.tasks(call, self.cluster),
                "images": lambda: recovery_read.image_counts(call, [service["name"] for service in params["services"]]),
                "log_groups": lambda: recovery_read.log_groups(call, params["log_prefix"]),
                "secrets": lambda: [name for name in recovery_read.parameter_names(call, params["ssm_path"]) if name in params["kept_parameters"]],
            },
        )
        found["beside"] = recovery_read.beside(found.pop("instances"), params["database_id"])
        found["snapshot_names"] = {one["DBSnapshotIdentifier"] for one in found["snapshots"]}
        found["changes"], found["before"] = self._terraform(self.terraform.destroy_plan)
        found["release"] = ran.running(call, found["services"])
        found["orphans"] = self.orphans(set(found["before"])) if self._unsettled() else []
        self.stays = staying(found, params["storage"], params["ssm_path"])
        return found

    def _unsettled(self) -> bool:
        """Whether a stop or start may have left in AWS what is not in the state. A stop closes the gate only when it has taken that in."""
        return bool((self.power.record or {}).get("unsettled")) and self.gates.now.power == power_gates.ON

    def _terraform(self, work: Callable[[], Any]) -> Any:
        return self.branches.side_by_side({"terraform": work})["terraform"]

    def remaining(self) -> list[dict]:
        return remaining(self.seen)

    def diff(self) -> dict:
        before = sorted(change["address"] for change in goes(self.seen))
        return {"before": "".join(f"{address}\n" for address in before), "after": ""}

    def objections(self) -> list[str]:
        return objections(self.seen)

    def predict(self) -> dict:
        result = super().predict()
        return {**result, "would": result["would"] + (self.stays if self.steps else [])}

    def _nothing(self) -> dict:
        return {**super()._nothing(), "lines": self._told()}

    def work(self) -> None:
        for line in [entry["says"] for entry in self.steps] + self.stays:
            self.say(line)
        self._begin()
        self.ready_terraform()
        self.ran = bool(self.seen["tasks"])
        if self.needs("services"):
            down = Down(self.call, self.cluster, branches=self.branches, say=self.say, delay=self.params["wait_delay"])
            with self.journal.step("services") as step:
                step.says = ", ".join(f"{name} to 0" for name in down.to_zero(self.seen["services"]))
                down.all_stopped(self.params["timeouts"]["tasks"])
        parts: dict[str, Callable[[], object]] = {"Redis": self._redis}
        if self.needs("database"):
            parts["Database"] = self.database.start
        self.branches.side_by_side(parts)
        self._look_again()
        self._terraform(self._destroy)
        self._verify()
        self._open_gates()
        self.journal.save(final_record(self.journal.held, power_journal.stamp()))
        self.end_record(DESTROYED)
        self.result["lines"] = self._told()

    def _begin(self) -> None:
        fresh = {} if self.going_on() else first_record(self.journal.record, self.seen["database"])
        mode = recovery_read.sslmode(self.call, self.params["ssm_path"])
        if mode:
            fresh["sslmode"] = mode
        # A destroy begins as a stop does. Should it not get to its end, start.yml knows what to bring back, and from which snapshot.
        power = self.power.record or power_journal.new(self.params["name"])
        counts = power_journal.counts_to_keep(self.power.record, counts_and_bounds(self.call, self.cluster, self.seen["services"]))
        self.begin_record(**fresh, **what_ran(self.journal.record, self.seen["release"], counts))
        if power_journal.state_of(power) != power_journal.STOPPED:
            power = power_journal.begun(power, power_journal.STOPPING, self.params["operator"], this_host())
        self.power.save({**power, "services": counts})
        waiting = power_journal.unrestored(power)
        if waiting:
            self.journal.change(redis={"snapshot": waiting})

    def _redis(self) -> None:
        """The queue, as it is when nobody works on it any more: of a Redis that lives, always anew, since it may have been used after an earlier run."""
        cache = redis_read.find(self.call, self.params["redis_id"])
        self.redis: tuple[dict[str, Any] | None, dict[str, Any] | None] = cache, None
        if cache is None or power_redis.at_stop(cache) != power_redis.SNAPSHOT:
            return
        name = f"{cache['id']}-final-{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}"
        with self.journal.step("redis_snapshot") as step:
            snapshot = redis_snapshot.create(self.call, cache, name, self.redis_patience, tags={**self.params["tags"], **_TAGS})
            # Its tags and its address are told of an available one only.
            cache = redis_read.find(self.call, cache["id"]) or cache
            wrong = redis_snapshot.problems(snapshot, cache)
            if wrong:
                raise CallFailed(f"The snapshot {name} is not sufficient to recreate Redis: {'; '.join(wrong)}. Nothing was destroyed.")
            changes, note = power_redis.after_snapshot(self.power.held, cache, name, self.ran)
            self.power.change(redis=changes)
            step.says = name
            step.records(redis={"snapshot": power_journal.unrestored(self.power.record)})
        self.redis = cache, snapshot
        if note:
            self.note(note)

    def _look_again(self) -> None:
        """Before what cannot be undone: minutes may have gone by since the snapshots, and one answer that was behind may have kept Redis from having any."""
        names = self._tasks()
        if names:
            # ECS forgets a task an hour after its end, and lists it for a moment more: that is none that was started.
            self.branches.sleep(min(self.params["wait_delay"], _SECOND_LOOK))
            names = self._tasks()
        if names:
            raise CallFailed(
                f"Tasks were started while this destroy was in progress: {', '.join(names)}. What they write is in no snapshot. Nothing was "
                f"destroyed. Run destroy.yml "
                "again: it stops them, and takes new ones."
            )
        if self.redis[0] is None and REDIS_RESOURCE in self.seen["before"]:
            raise CallFailed(
                f"Terraform sees the Redis {self.params['redis_id']}, and ElastiCache does not list it, so that it has no last snapshot. Nothing was "
                "destroyed. Run destroy.yml again: it checks again."
            )

    def _tasks(self) -> list[str]:
        return sorted(name_of(task) for task in recovery_read.tasks(self.call, self.cluster))

    def _destroy(self) -> None:
        with self.journal.step("terraform") as step, self.terraform.locked():
            if self._unsettled():
                self.terraform.take_in(self.orphans(self.terraform.state()))
            final = self._final_name()
            if final:
                self.journal.change(database={"snapshot": final})
            state, known = self.terraform.state(), self.journal.held["kept"]
            found = kept(state)
            self.journal.change(kept={kind: sorted({*known.get(kind, []), *found[kind]}) for kind in found})
            self.terraform.let_go(*(address for address in state if stays(address)))
            if REDIS_RESOURCE not in state:
                self._delete_redis()
            done = self.terraform.apply(["*"], destroy=True)
            step.says = summed(done["changes"])
            self.journal.change(destroyed=[*self.journal.held["destroyed"], *(change["address"] for change in done["changes"])])

    def _delete_redis(self) -> None:
        """What Terraform does not know would keep Redis's subnet group and security group from going. The gate is closed before, as by a stop: should this
        run die, a start restores the snapshot, and until then no plan makes an empty one, or looks for one to adopt."""
        cache, proof = self.redis
        if cache is None:
            return
        with self.journal.step("redis_delete") as step:
            waiting = power_journal.unrestored(self.power.record)
            self.gates.write(power_gates.wanted(self.gates.now.power, power_gates.ABSENT, waiting))
            redis_restore.delete(self.call, cache, proof, self.redis_patience)
            step.says = f"{cache['id']} is gone"

    def _final_name(self) -> str:
        """The name that the final snapshot gets. Where a snapshot has it already, RDS would refuse to delete the instance: a new one is drawn, before Terraform
        lets go of anything, since it would make that anew - unless it is the one that a run before had asked for."""
        before = self.terraform.destroy_plan()[1].get(DATABASE) or {}
        taken = {one["DBSnapshotIdentifier"] for one in recovery_read.snapshots(self.call, self.params["database_id"])}
        taken.discard((self.journal.held["database"] or {}).get("snapshot"))
        if before.get("final_snapshot_identifier") in taken:
            self.terraform.let_go(FINAL_NAME)
            self.terraform.apply()
            before = self.terraform.destroy_plan()[1].get(DATABASE) or {}
        return before.get("final_snapshot_identifier") or ""

    def _verify(self) -> None:
        """Nothing is said to be in a snapshot that was not seen."""
        name = (self.journal.held["database"] or {}).get("snapshot")
        if not name:
            return

        def reasons() -> list[str]:
            found = recovery_read.snapshot(self.call, name)
            return [] if found and found["Status"] == "available" else [f"the final snapshot {name} is {found['Status'] if found else 'not there'}"]

        self.wait_for(reasons, lambda found: f"{found[0]}. Check it in RDS; then run destroy.yml again, which records it.", self.params["timeouts"]["database"])

    def _open_gates(self) -> None:
        """The next environment of this name begins switched on, and its queue is in the snapshot that the record names."""
        self.gates.read()
        self.gates.write(power_gates.wanted(power_gates.ON, power_gates.PRESENT))
        record = self.power.record
        if record:
            redis = {**record["redis"], "restored": True} if record["redis"] else None
            self.power.save({**power_journal.new(self.params["name"]), "redis": redis, "ended_at": power_journal.stamp()})

    def _or_else(self) -> str:
        """A start turns round what was only brought down; what Terraform began to destroy, nothing but a redeploy makes again."""
        if self.seen["database"] and power_journal.last_step(self.journal.record, "terraform") is None:
            return super()._or_else()
        return "; when it has ended, redeploy.yml recreates the environment"

    def _told(self) -> list[str]:
        record = self.journal.record or {}
        database, redis = (record.get("database") or {}).get("snapshot"), (record.get("redis") or {}).get("snapshot")
        self.result.update(database_snapshot=database or "", redis_snapshot=redis or "")
        found = [f"Database: in the snapshot {database}"] if database else []
        found += [f"Queue: in the snapshot {redis}"] if redis else []
        found += [f"Release: {record['release']} ran; redeploy.yml releases it again"] if record.get("release") else []
        again = ["redeploy.yml recreates the environment from them"] if found else []
        return [*found, *self.stays, *again]
