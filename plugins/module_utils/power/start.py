# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A start, in order: side by side the database, Redis from its snapshot, and load balancer and NAT gateway by Terraform; then Terraform adopts Redis and
REDIS_URL gets its address; when all of that is ready, services to their counts with a new deployment, health, and what the start was asked to bring back.

Each step may be repeated, and the whole may follow a stop that did not get to its end.
"""

from __future__ import annotations

import uuid

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.health import Application
from ansible_collections.atena.aws.plugins.module_utils.ecs import task_run
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_task_definition
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import is_template
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import failure_text
from ansible_collections.atena.aws.plugins.module_utils.environment import gates as power_gates, journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.power import database as databases, read as power_read, redis as power_redis, text as power_text
from ansible_collections.atena.aws.plugins.module_utils.power.run import PowerFailed, PowerRun
from ansible_collections.atena.aws.plugins.module_utils.power.services import Back, primaries
from ansible_collections.atena.aws.plugins.module_utils.power.terraform import REDIS_RESOURCE
from ansible_collections.atena.aws.plugins.module_utils.redis import (
    losses,
    parameters as redis_parameters,
    read as redis_read,
    restore as redis_restore,
    snapshot as redis_snapshot,
)
from ansible_collections.atena.aws.plugins.module_utils.secrets import address as address_secret, store as parameter_store
from ansible_collections.atena.aws.plugins.module_utils.secrets.redis_url import RedisUrl

_NO_COMMAND = "no command is set that re-enqueues what the database knows (atena_reenqueue_command)"


# --- Decisions --------------------------------------------------------------------------------------------------------
def remaining(seen: dict, redis: tuple[str, str], hook: str = "", lost_at: str = "") -> list[dict]:
    """[{"step", "says"}] in order; [] if the environment is on.

    redis: power.redis.at_start's answer. hook: the command that brings back lost jobs. lost_at: when the Redis that is there came back empty; '' if it did not.
    """
    gates, parts, record = seen["gates"], seen["power"], seen["journal"]
    action, which = redis
    was_off = power_journal.state_of(record) != power_journal.RUNNING
    found = []

    def add(step: str, says: str) -> None:
        found.append({"step": step, "says": says})

    database = seen["database"]
    status, (doing, reason) = database["DBInstanceStatus"], databases.toward(database["DBInstanceStatus"], databases.START)
    if doing != databases.DONE:
        words = {databases.ACT: "would start it", databases.WAIT: "would wait until it can be started, and start it", databases.REFUSE: f"WOULD FAIL: {reason}"}
        add("database", f"The database {database['DBInstanceIdentifier']} ({status}): {words[doing]}")
    if action == power_redis.RESTORE:
        add("redis", f"In parallel: would restore Redis from the snapshot {which}, with the parameters that it had")
    elif action == power_redis.ADOPT:
        add("redis", f"Would wait for Redis {seen['redis']['id']} ({seen['redis']['status']}), which is there")
    elif action == power_redis.CREATE:
        add("redis", "Would have Terraform make an EMPTY Redis: there is nothing to restore it from, and that was allowed")
    elif action == power_redis.REFUSE:
        add("redis", f"WOULD FAIL: {which}")
    off = gates.power != power_gates.ON or gates.redis != power_gates.PRESENT
    missing = [word for word, there in (("NAT gateway", parts["nat_gateway"]), ("load balancer", parts["load_balancer"])) if not there]
    if was_off or off or missing:
        made = " and ".join(missing) or "what is missing"
        adopts = "; then adopt Redis (gate redis=adopt, present)" if action in (power_redis.RESTORE, power_redis.ADOPT) else ""
        add("power", f"In parallel: would open the gate (power on) and have Terraform make {made}, with route and listener{adopts}")
    if was_off or any(entry["step"] in ("redis", "power") for entry in found):
        add("redis_url", "Would update REDIS_URL if Redis has another address than before (it is never shown)")
        counts = power_text.counts((record or {}).get("services") or {})
        known = f": {counts}" if (record or {}).get("services") else ", which the inventory names"
        add("services", f"When all of that is ready: would restore the services' counts{known}, with a new deployment, and wait for it")
        add("health", "Would ask the application's health")
    if hook and (action == power_redis.CREATE or lost_at):
        because = f"{losses.says('', lost_at)}. " if lost_at else ""
        add("reenqueue", f"{because}Would run {hook}, which re-enqueues what the database knows")
    elif lost_at:
        add("reenqueue", f"{losses.says('', lost_at)}. Would record that this was seen: {_NO_COMMAND}")
    return found


def counts_back(record: dict | None, services: dict, given: dict, templates: set) -> dict:
    """{service: {"desired_count", "bounds"}} to bring back. Without a record: what runs now, else what the inventory says, but never a mere template."""
    known = (record or {}).get("services") or {}
    wanted = {name: entry for name, entry in known.items() if name in services}
    for name, service in services.items():
        if name not in wanted:
            count = service["desiredCount"] or (0 if name in templates else given.get(name, 0))
            wanted[name] = {"desired_count": count, "bounds": None}
    return wanted


def not_ready(parts: dict, database: dict, cache: dict | None) -> list[str]:
    """Why the services may not start yet; [] if they may."""
    found = []
    balancer, gateway = parts["load_balancer"], parts["nat_gateway"]
    if balancer and balancer.get("State", {}).get("Code", "active") not in ("active", "active_impaired"):
        found.append(f"the load balancer is {balancer['State']['Code']}")
    if balancer and not parts["listeners"]:
        found.append("the load balancer has no listener")
    if gateway is None or gateway["State"] != "available":
        found.append(f"the NAT gateway is {gateway['State'] if gateway else 'not there'}")
    elif not parts["route_tables"]:
        found.append("no route leads to the NAT gateway")
    if database["DBInstanceStatus"] not in databases.SERVING:
        found.append(f"the database is {database['DBInstanceStatus']}")
    if cache is None or redis_read.standing(cache["status"]) != redis_read.READY:
        found.append(f"Redis is {cache['status'] if cache else 'not there'}")
    return found


# --- Doing it ---------------------------------------------------------------------------------------------------------
class Start(PowerRun):
    WANTED, GOING, VERB, PLAYBOOK, OPPOSITE = "started", power_journal.STARTING, "start", "start.yml", "stop.yml"

    def remaining(self) -> list[dict]:
        options, seen = self.params["redis"], self.seen
        self.redis = power_redis.at_start(seen["journal"], seen["gates"], seen["redis"], options["snapshot"], options["without_queue"])
        if self.redis == (power_redis.REFUSE, ""):
            self.redis = (power_redis.REFUSE, self._no_snapshot())
        elif self.redis == (power_redis.RESTORE, options["snapshot"]):
            self.redis = power_redis.if_own(options["snapshot"], self.params["redis_id"], redis_snapshot.list_snapshots(self.call, self.params["redis_id"]))
        self.lost_at = self._loss()
        hook = self.params["reenqueue"]
        return remaining(seen, self.redis, " ".join(hook["command"]) if hook else "", self.lost_at)

    def _loss(self) -> str:
        """When the Redis that is kept, or the one whose snapshot is restored, came back empty, if nobody has dealt with that yet."""
        record, cache = self.seen["journal"], self.seen["redis"]
        since = (cache or {}).get("created_at") if self.redis[0] == power_redis.KEEP else ((record or {}).get("redis") or {}).get("created_at")
        if not since or self.redis[0] in (power_redis.CREATE, power_redis.REFUSE):
            return ""
        return losses.unsettled(losses.read(self.call, self.params["redis_id"], since), record)

    def after(self) -> dict:
        wanted = {name: service["desiredCount"] for name, service in self.seen["services"].items()}
        if self.needs("services"):
            wanted = {name: entry["desired_count"] for name, entry in self._wanted().items()}
        return {"power": power_gates.ON, "redis": power_gates.PRESENT, "database": "available", "counts": wanted}

    def _wanted(self) -> dict:
        """The counts and bounds to bring back."""
        services = self.seen["services"]
        record = self.journal.record if power_journal.state_of(self.journal.record) != power_journal.RUNNING else None
        known = (record or {}).get("services") or {}
        # Whether it is a mere template counts only of a service at 0 of which nothing is on record.
        unknown = {name: service["taskDefinition"] for name, service in services.items() if name not in known and not service["desiredCount"]}
        templates = {name for name, arn in unknown.items() if is_template(describe_task_definition(self.call, arn))}
        given = {service["name"]: service["desired_count"] for service in self.params["services"]}
        return counts_back(record, services, given, templates)

    def _no_snapshot(self) -> str:
        snapshots = redis_snapshot.list_snapshots(self.call, self.params["redis_id"])
        return (
            "There is no Redis, and no recorded snapshot to restore it from: this is a first start, or the record is lost. "
            f"{power_redis.may_still_be(snapshots)} To start with an empty queue, on purpose: -e start_without_queue=true"
        )

    def refuse(self) -> None:
        if self.redis[0] == power_redis.REFUSE:
            raise PowerFailed(f"{self.redis[1]} Nothing was changed.")

    def work(self) -> None:
        self._record()
        if any(entry["step"] != "reenqueue" for entry in self.steps):
            self.branches.side_by_side({"terraform": self._ready_terraform})
            self.branches.side_by_side({"Database": self._database, "Redis, load balancer and NAT gateway": self._redis_and_power})
        if self.needs("services"):
            self._wait_until_ready()
            self._services()
            self._health()
        self._reenqueue()
        self.end_record(power_journal.RUNNING)
        self._prune()
        self.result["lines"] = power_text.started(self.result, self.journal.held)

    def _record(self) -> None:
        self.begin_record(services=self._wanted())
        action, which = self.redis
        waiting = power_journal.unrestored(self.journal.record)
        if self.lost_at:
            self.journal.change(redis={"loss": self.lost_at, "reenqueue": str(uuid.uuid4())})
        if action == power_redis.CREATE:
            self.journal.change(redis={"restored": True, "reenqueue": str(uuid.uuid4())})
            if waiting:
                self.note(f"The snapshot {waiting} was left alone, as was asked for: the queue in it was not restored.")
        elif action == power_redis.RESTORE and which != waiting:
            known = {} if (self.journal.held["redis"] or {}).get("parameters") else self._of_snapshot(which)
            self.journal.change(redis={**known, "snapshot": which, "restored": False, "restoring_at": "", "restored_created_at": ""})
            if waiting:
                self.note(f"The snapshot {waiting} was left alone for {which}, as was asked for.")

    def _of_snapshot(self, name: str) -> dict:
        """What the journal of an environment that was never stopped lacks: how Redis was made. The snapshot has most of that of its source; the security group,
        which it has not, is the one that infra/ makes, and Terraform sees to the rest when it adopts Redis."""
        snapshot, identifier = redis_snapshot.read(self.call, name), self.params["redis_id"]
        if snapshot is None:
            raise CallFailed(f"The snapshot {name} does not exist (any more). Nothing was changed.")
        filters = [{"Name": "group-name", "Values": [f"{identifier}-sg"]}]
        groups = self.call.pages("ec2", "describe_security_groups", f"read the security group of {identifier}", "SecurityGroups", Filters=filters)
        given = {"id": identifier, "security_group_ids": [group["GroupId"] for group in groups] or None}
        parameters, _unknown = redis_parameters.effective(snapshot, given)
        self.note(f"No stop has recorded how Redis was made: {identifier} is made as the snapshot {name} says.")
        return {"parameters": parameters, "created_at": snapshot["source_created_at"] or "unknown"}

    def _ready_terraform(self) -> None:
        self.terraform.recover()
        self.terraform.prepare()

    def _database(self) -> None:
        if not self.needs("database"):
            return
        with self.journal.step("database") as step:
            self.database.start()
            step.records(database={"stopped_at": "", "restarts_at": ""})

    # --- Redis, and what the power gate switches ------------------------------------------------------------------------
    def _redis_and_power(self) -> None:
        if not self.needs("power", "redis"):
            return
        action = self.redis[0]
        if action == power_redis.RESTORE:
            self.branches.side_by_side({"Redis": self._restore, "Load balancer and NAT gateway": lambda: self._power_on(power_gates.ABSENT)})
        else:
            if action in (power_redis.KEEP, power_redis.ADOPT):
                self._await_redis()
            self._power_on(power_redis.gate_at_first(action))
        if action == power_redis.RESTORE:
            with self.journal.step("redis_adopt", leads_on=True) as step, self.terraform.locked():
                self.gates.write(power_gates.wanted(power_gates.ON, power_gates.ADOPT))
                step.says = "; ".join(self.terraform.apply(self.params["terraform"]["allow_destroy"])["lines"])
        # With the cluster in the state, `adopt` and `present` mean the same to Terraform: no apply is needed.
        self.gates.write(power_gates.wanted(power_gates.ON, power_gates.PRESENT))
        self._redis_url()

    def _restore(self) -> None:
        redis, name = self.journal.held["redis"], self.redis[1]
        with self.journal.step("redis_restore", redis={"restoring_at": redis.get("restoring_at") or power_journal.stamp()}) as step:
            token = self._token() if redis["parameters"].get("auth") else None
            cache = redis_restore.restore(*(self.call, redis["parameters"], name, self.redis_patience), identifier=self.params["redis_id"], auth_token=token)
            step.says = f"{cache['id']} from {name}"
            step.records(redis={"address": cache["address"], "restored_created_at": cache["created_at"]})
        self.result["redis_restored"] = name
        for difference in redis_restore.differences(cache, redis["parameters"]):
            self.note(f"Redis is not as recorded: {difference}. Terraform shows what it does about that.")

    def _await_redis(self) -> None:
        """A cluster that is there: left by a stop that did not get to its end, or restored by a start that did not."""

        def reasons() -> list[str]:
            cache = redis_read.find(self.call, self.params["redis_id"], tags=False)
            standing = redis_read.standing(cache["status"]) if cache else redis_read.LEAVING
            if standing in (redis_read.LEAVING, redis_read.FAILED):
                raise CallFailed(f"Redis {self.params['redis_id']} is {cache['status'] if cache else 'gone'}. Run start.yml again: it checks again.")
            return [] if standing == redis_read.READY else [f"Redis is {redis_read.status_of(cache)}"]

        self.wait_for(reasons, lambda found: f"{found[0]} all the time; run start.yml again.", self.params["timeouts"]["redis"])

    def _power_on(self, redis: str) -> None:
        orphans = self.journal.held.get("unsettled")
        with self.journal.step("power_on", unsettled=True) as step, self.terraform.locked():
            waiting = power_journal.unrestored(self.journal.record) if redis == power_gates.ABSENT else ""
            self.gates.write(power_gates.wanted(power_gates.ON, redis, waiting))
            if redis == power_gates.ABSENT:
                # Of a Redis that somebody deleted the state still knows. What is restored under its name meanwhile would be what it knows, and the closed
                # gate would have that destroyed.
                self.terraform.let_go(REDIS_RESOURCE)
            if orphans:
                self.take_in_orphans()
            step.says = "; ".join(self.terraform.apply(self.params["terraform"]["allow_destroy"])["lines"])
            step.records(unsettled=False)

    # --- REDIS_URL ----------------------------------------------------------------------------------------------------
    def _token(self) -> str | None:
        """The AUTH token in REDIS_URL, which a restore needs; None if there is none."""
        try:
            return RedisUrl.parse(address_secret.read(self.call, self.params["redis_url_parameter"])).password or None
        except ValueError:
            return None

    def _redis_url(self) -> None:
        name, cache = self.params["redis_url_parameter"], redis_read.find(self.call, self.params["redis_id"], tags=False)
        if cache is None or not cache["address"]:
            raise CallFailed(f"Redis {self.params['redis_id']} has no address yet, so that REDIS_URL could not be brought up to date.")
        with self.journal.step("redis_url", redis={"address": cache["address"]}) as step:
            there, wanted = address_secret.read_and_move(self.call, name, RedisUrl, (cache["address"], cache["port"]), "start.yml")
            self.result["redis_url"] = step.says = "unchanged"
            if wanted != there:
                parameter_store.rewrite(self.call, name, wanted)
                self.result["redis_url"] = step.says = "updated"
                self._say_redis("REDIS_URL updated: the address changed")

    # --- Services -----------------------------------------------------------------------------------------------------
    def _wait_until_ready(self) -> None:
        def reasons() -> list[str]:
            parts = self.seen["power"] = power_read.power_parts(self.call, self.params["name"])
            return not_ready(parts, self.database.describe(), redis_read.find(self.call, self.params["redis_id"], tags=False))

        self.wait_for(reasons, lambda found: f"The services were not started, because {'; '.join(found)}.")
        self.say("load balancer, listener, NAT gateway, route, database and Redis are ready")

    def _services(self) -> None:
        record = self.journal.held
        last = power_journal.last_step(record, "services")
        # Where a run died in the middle of this, what it started is not started again; where it failed, it is.
        goes_on = last is not None and last["outcome"] in ("", power_journal.INTERRUPTED)
        before = record["deployments_before"] if goes_on else primaries(power_read.services_of(self.call, self.cluster))
        recorded = record["services"]
        # From now on the application writes: what is in the snapshot is no longer the newest.
        redis = {"redis": {"restored": True}} if record["redis"] else {}
        with self.journal.step("services", leads_on=True, deployments_before=before, **redis) as step:
            counts = {name: entry["desired_count"] for name, entry in recorded.items()}
            options = {name: self.params[name] for name in ("wait_timeout", "wait_delay", "log_lines")}
            back = Back(self.call, self.cluster, counts, before, say=self.tell, guard=self.branches.guard, **options)
            back.read()
            failed = back.roll_out()
            if failed:
                raise CallFailed(failure_text(failed, back.evidence(failed), [], {}))
            self.warnings += back.bounds_back({name: entry["bounds"] for name, entry in recorded.items()})
            step.says = power_text.counts(recorded)

    def _health(self) -> None:
        balancer = self.seen["power"]["load_balancer"]
        self.result["alb_dns_name"] = balancer["DNSName"] if balancer else ""
        application = Application(self.params["health"], lambda: balancer)
        self.result["address"] = application.address
        counts = {name: entry["desired_count"] for name, entry in self.journal.held["services"].items()}
        if any(counts.values()):
            self.ask(application, idle=[name for name, count in counts.items() if not count])

    def _reenqueue(self) -> None:
        """After a start without the queue: the application's own command, once."""
        hook, token = self.params["reenqueue"], (self.journal.held["redis"] or {}).get("reenqueue")
        if not token:
            return
        self.result.update(redis_empty=True, redis_lost_at=self.lost_at)
        if not hook:
            self.journal.change(redis={"reenqueue": ""})
            self.warnings.append(f"The queue starts empty, and {_NO_COMMAND}.")
            return
        with self.journal.step("reenqueue") as step:
            definition, arguments = task_run.plan_run(
                self.call,
                {
                    "cluster": self.cluster,
                    "service": hook["service"],
                    "container_overrides": [{"name": hook["container"], "command": hook["command"]}],
                    "started_by": "atena-aws/start",
                    "client_token": token,
                },
            )
            patience = {"patience": hook["timeout"], "delay": self.params["wait_delay"]}
            # A task that failed is repeated by another one. One whose end was not seen is not: by the same token the next run gets that very task.
            another = {"redis": {"reenqueue": str(uuid.uuid4())}}
            try:
                arn = task_run.start(self.call, arguments, say=self.tell, guard=self.branches.guard, **patience)
            except task_run.NotStarted:
                step.failing = another
                raise
            options = {"wait_timeout": hook["timeout"], "wait_delay": self.params["wait_delay"], "say": self.tell, "guard": self.branches.guard}
            succeeded, ended = task_run.TaskRun(self.call, task_run.Started(self.cluster, definition, arn), **options).finish()
            if not succeeded:
                step.failing = another
                raise CallFailed(f"All is on, but the jobs could not be re-enqueued. {task_run.failure_text(arn, ended)}")
            step.says = " ".join(hook["command"])
            step.records(redis={"reenqueue": ""})
        self.result["reenqueued"] = " ".join(hook["command"])

    # --- Afterwards ---------------------------------------------------------------------------------------------------
    def _prune(self) -> None:
        """Old snapshots go only now that a later one was restored. That some stay is nothing to fail for."""
        restored = self.result.get("redis_restored")
        if not restored:
            return
        identifier, keep = self.params["redis_id"], self.params["redis"]["snapshots_kept"]
        try:
            snapshots = redis_snapshot.list_snapshots(self.call, identifier)
            gone = redis_snapshot.prune_plan(snapshots, keep, {restored}, prefix=power_redis.own_prefix(identifier), restored=restored)
            for name in gone + power_redis.failed_snapshots(snapshots, identifier):
                redis_snapshot.delete(self.call, name, self.redis_patience, wait=False)
            if gone:
                self._say_redis(f"deleted old snapshots of stops: {', '.join(gone)}")
        except CallFailed as failed:
            self.warnings.append(f"Old snapshots of Redis were not pruned: {failed}")
