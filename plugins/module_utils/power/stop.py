# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stop, in order: journal, counts to 0, every task STOPPED; then side by side the database (backup, stop) and Redis (snapshot, verified; the gates are
closed; deleted, while Terraform takes away load balancer and NAT gateway).

Each step may be repeated, and the whole may follow a start that did not get to its end.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment import gates as power_gates, journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.power import database as databases, redis as power_redis, text as power_text
from ansible_collections.atena.aws.plugins.module_utils.power.run import PowerFailed, PowerRun
from ansible_collections.atena.aws.plugins.module_utils.power.services import Down, counts_and_bounds, name_of, tasks_of
from ansible_collections.atena.aws.plugins.module_utils.power.terraform import POWER_RESOURCES, REDIS_RESOURCE
from ansible_collections.atena.aws.plugins.module_utils.redis import read as redis_read, restore as redis_restore, snapshot as redis_snapshot

# AWS starts an instance again after so long; where RDS does not say when, this is the time.
_RESTART = datetime.timedelta(days=7)
_TAGS = {"atena:power": "stop"}


# --- Decisions --------------------------------------------------------------------------------------------------------
def remaining(seen: dict, backup_needed: bool) -> list[dict]:
    """[{"step", "says"}] in order; [] if the environment is stopped. `seen` as power.read.observe returns it."""
    gates, cache, parts = seen["gates"], seen["redis"], seen["power"]
    half_done = power_journal.state_of(seen["journal"]) in (power_journal.STOPPING, power_journal.STARTING)
    up = {name: service["desiredCount"] for name, service in seen["services"].items() if service["desiredCount"]}
    found = []

    def add(step: str, says: str) -> None:
        found.append({"step": step, "says": says})

    if up:
        add("services", "Would bring to 0, and record as what to come back to: " + ", ".join(f"{name} {count}" for name, count in sorted(up.items())))
    if up or seen["tasks"]:
        now = f" (now {len(seen['tasks'])}: {', '.join(sorted(name_of(task) for task in seen['tasks']))})" if seen["tasks"] else ""
        add("tasks", f"Would wait until every task of the cluster is STOPPED, one-off ones too{now}")
    add_database(seen["database"], backup_needed, add)
    if power_redis.at_stop(cache) != power_redis.NOTHING:
        first = "take a snapshot of it, verify that, and only then " if power_redis.at_stop(cache) == power_redis.SNAPSHOT else ""
        add("redis", f"In parallel: Redis {cache['id']} ({cache['status']}): would {first}delete it; Terraform only removes it from its state")
    standing = [word for word, there in (("the load balancer", parts["load_balancer"]), ("the NAT gateway", parts["nat_gateway"])) if there]
    open_gates = gates.power != power_gates.OFF or gates.redis != power_gates.ABSENT
    if open_gates or standing or half_done:
        gone = " and ".join(standing) or "nothing more"
        close = "close the gates (power off, redis absent) and " if open_gates else ""
        add("power", f"Would {close}have Terraform destroy {gone}, its listener and route first; the NAT gateway's address stays")
    return found


def add_database(database: dict, backup_needed: bool, add: Callable[[str, str], None]) -> None:
    status, refused = database["DBInstanceStatus"], databases.cannot_stop(database)
    action = databases.toward(status, databases.STOP)[0]
    if action == databases.DONE:
        return
    backup = "take a snapshot, because there is no fresh backup, and " if backup_needed else ""
    doing = f"WOULD FAIL: {refused}" if refused else f"would {'wait, then ' if action == databases.WAIT else ''}{backup}stop it"
    add("database", f"The database {database['DBInstanceIdentifier']} ({status}): {doing}")


def impossible(seen: dict) -> list[str]:
    """What AWS will refuse, as far as that can be known before anything is changed. A stop that fails over it later has taken everything else down."""
    database, cache = seen["database"], seen["redis"]
    refused = databases.cannot_stop(database)
    found = [f"The database {database['DBInstanceIdentifier']}: {refused}"] if refused else []
    if power_redis.at_stop(cache) == power_redis.SNAPSHOT:
        found += redis_snapshot.refusals(cache)
    return found


# --- Doing it ---------------------------------------------------------------------------------------------------------
class Stop(PowerRun):
    WANTED, GOING, VERB, PLAYBOOK, OPPOSITE = "stopped", power_journal.STOPPING, "stop", "stop.yml", "start.yml"

    def remaining(self) -> list[dict]:
        needed = databases.toward(self.seen["database"]["DBInstanceStatus"], databases.STOP)[0] != databases.DONE and self._fresh(self._snapshots()) is None
        return remaining(self.seen, needed)

    def after(self) -> dict:
        return {"power": power_gates.OFF, "redis": power_gates.ABSENT, "database": "stopped", "counts": dict.fromkeys(self.seen["services"], 0)}

    def predict(self) -> dict:
        result = super().predict()
        return {**result, "lines": self.saving() if self.steps else []}

    def _nothing(self) -> dict:
        lines = power_text.stopped(self.result, self.journal.record, self.costs) if self.journal.record else []
        return {**super()._nothing(), "lines": lines}

    def _fresh(self, snapshots: list[dict]) -> dict | None:
        hours = self.params["database"]["backup_max_age_hours"]
        return databases.fresh_backup(snapshots, datetime.datetime.now(datetime.UTC), hours)

    def _snapshots(self) -> list[dict]:
        return databases.of_this_life(self.database.snapshots(), self.seen["database"])

    def refuse(self) -> None:
        found = impossible(self.seen)
        if found:
            raise PowerFailed("\n".join([*found, "Nothing was changed."]))

    def work(self) -> None:
        self._record()
        self.branches.side_by_side({"terraform": self._ready_terraform})
        down = Down(self.call, self.cluster, branches=self.branches, say=self.say, delay=self.params["wait_delay"])
        self.ran = self.needs("services", "tasks")
        if self.needs("services"):
            with self.journal.step("services", leads_on=True) as step:
                step.says = ", ".join(f"{name} to 0" for name in down.to_zero(self.seen["services"], self.observed))
        with self.journal.step("tasks", leads_on=True) as step:
            stopped = down.all_stopped(self.params["timeouts"]["tasks"])
            if stopped:
                self.note(f"Stop requested, because they did not stop on their own: {', '.join(stopped)}")
        self.branches.side_by_side({"Database": self._database, "Redis, load balancer and NAT gateway": self._redis_and_power})
        self.end_record(power_journal.STOPPED)
        self.result["lines"] = power_text.stopped(self.result, self.journal.held, self.costs)

    def _record(self) -> None:
        """What to come back to, before anything is changed."""
        observed = self.observed = counts_and_bounds(self.call, self.cluster, self.seen["services"])
        before, cache = self.journal.record or {}, self.seen["redis"]
        redis = before.get("redis")
        if power_redis.origin(self.journal.record, cache) == power_redis.OWN and cache["status"] == "available":
            redis = {"snapshot": "", "restored": True, **(redis or {}), "parameters": cache["parameters"], "address": cache["address"]}
        self.begin_record(
            services=power_journal.counts_to_keep(self.journal.record, observed),
            redis=redis,
            database={**(before.get("database") or {}), "id": self.params["database_id"]},
        )
        if power_redis.lost(self.journal.record, self.seen["gates"], cache):
            self.note(
                f"There was no Redis {self.params['redis_id']} to take a snapshot of, though there should have been one: somebody deleted it. "
                f"{power_redis.may_still_be(redis_snapshot.list_snapshots(self.call, self.params['redis_id']))}"
            )

    def _ready_terraform(self) -> None:
        self.terraform.recover()
        self.terraform.prepare()

    # --- The database -------------------------------------------------------------------------------------------------
    def _database(self) -> None:
        if self.needs("database") and self.database.settle(databases.STOP)[0] == databases.ACT:
            self._back_up()
            with self.journal.step("database") as step:
                stopped = self.database.stop()
                step.records(database=self._stopped(stopped))
        else:
            self.journal.change(database=self._stopped(self.database.describe()))
        try:
            gone = self.database.prune(self.params["database"]["snapshots_kept"])
            if gone:
                self.say(f"database: deleted old snapshots of stops: {', '.join(gone)}")
        except CallFailed as failed:
            self.warnings.append(f"Old snapshots of the database were not pruned: {failed}")

    def _back_up(self) -> None:
        snapshots = self._snapshots()
        fresh = self._fresh(snapshots)
        if fresh:
            self.say(f"database: {fresh['DBSnapshotIdentifier']} of {fresh['SnapshotCreateTime']:%Y-%m-%d %H:%M} UTC is a fresh backup")
            self.journal.change(database={"snapshot": fresh["DBSnapshotIdentifier"]})
            return
        identifier, now = self.params["database_id"], datetime.datetime.now(datetime.UTC)
        # One that a run which was killed had asked for is as good as a new one.
        begun = [item["DBSnapshotIdentifier"] for item in snapshots if item["Status"] == "creating"]
        name = next((item for item in begun if item.startswith(databases.own_prefix(identifier))), databases.own_name(identifier, now))
        with self.journal.step("database_backup", leads_on=True) as step:
            self.database.back_up(name, {**self.params["tags"], **_TAGS})
            step.says = name
            step.records(database={"snapshot": name})
        self.result["database_snapshot"] = name

    def _stopped(self, described: dict) -> dict:
        now = datetime.datetime.now(datetime.UTC)
        known = (self.journal.held.get("database") or {}) if not self.needs("database") else {}
        restart = described.get("AutomaticRestartTime")
        stopped_at = known.get("stopped_at") or power_journal.stamp(now)
        restarts_at = power_journal.stamp(restart) if restart else known.get("restarts_at") or power_journal.stamp(now + _RESTART)
        self.result["restarts_at"] = restarts_at
        return {"id": self.params["database_id"], "stopped_at": stopped_at, "restarts_at": restarts_at}

    # --- Redis, and what the power gate switches ------------------------------------------------------------------------
    def _redis_and_power(self) -> None:
        cache, proof = self.seen["redis"], None
        if power_redis.at_stop(cache) == power_redis.SNAPSHOT:
            cache, proof = self._snapshot()
        if not self.needs("redis", "power"):
            return
        with self.terraform.locked():
            self._close_gates()
            parts = {"Load balancer and NAT gateway": self._power_off}
            if cache is not None:
                parts["Redis"] = lambda: self._delete(cache, proof)
            self.branches.side_by_side(parts)

    def _snapshot(self) -> tuple[dict, dict]:
        """A new snapshot, verified, and on record as what a start restores."""
        identifier = self.params["redis_id"]
        cache = redis_read.find(self.call, identifier, tags=False)
        if cache is None:
            raise CallFailed(f"Redis {identifier} was deleted by somebody while this stop was in progress, before it had a snapshot.")
        name = power_redis.snapshot_name(cache, datetime.datetime.now(datetime.UTC))
        with self.journal.step("redis_snapshot", leads_on=True) as step:
            snapshot = redis_snapshot.create(self.call, cache, name, self.redis_patience, tags={**self.params["tags"], **_TAGS})
            # Its tags and its address are told of an available one only.
            cache = redis_read.find(self.call, identifier) or cache
            wrong = redis_snapshot.problems(snapshot, cache)
            if wrong:
                raise CallFailed(f"The snapshot {name} is not sufficient to recreate Redis: {'; '.join(wrong)}. Redis was not touched.")
            changes, note = power_redis.after_snapshot(self.journal.held, cache, name, self.ran)
            step.says = name
            step.records(redis=changes)
        if note:
            self.note(note)
        self.result["redis_snapshot"] = name
        self._say_redis(f"the snapshot {name} is verified")
        return cache, snapshot

    def _close_gates(self) -> None:
        with self.journal.step("gates", leads_on=True):
            if self.gates.now.power == power_gates.ON:
                self.take_in_orphans()
            self.gates.write(power_gates.wanted(power_gates.OFF, power_gates.ABSENT, power_journal.unrestored(self.journal.record)))
            self.terraform.let_go(REDIS_RESOURCE)

    def _delete(self, cache: dict, proof: dict | None) -> None:
        with self.journal.step("redis_delete") as step:
            # Minutes may have gone by since the snapshot: what a task writes meanwhile is not in it.
            names = sorted(name_of(task) for task in tasks_of(self.call, self.cluster))
            if names:
                raise CallFailed(
                    f"Tasks were started while this stop was in progress: {', '.join(names)}. What they put into Redis is not in its snapshot, so that "
                    f"{cache['id']} was not deleted. Run stop.yml again: it stops them and takes another one."
                )
            redis_restore.delete(self.call, cache, proof, self.redis_patience)
            step.says = f"{cache['id']} is gone"

    def _power_off(self) -> None:
        with self.journal.step("power_off") as step:
            done = self.terraform.apply([*POWER_RESOURCES, *self.params["terraform"]["allow_destroy"]])
            step.says = "; ".join(done["lines"])
            step.records(unsettled=False)
