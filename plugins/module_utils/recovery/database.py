# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore of the database, in order: a plan, as what Terraform would refuse at the end is not begun; a new instance beside the old one; its password and
backups as the old one's; what it holds, told and compared; then, under Terraform's lock, the old one renamed aside, the new one to its name, DATABASE_URL, and
Terraform made to know the new one; at last the services with a new deployment, and health. The old one stays until a person says otherwise, and can take its
place again.

Each step may be repeated: instances are known by their resource id, whatever they are called at the moment.
"""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Conflict, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.health import Application
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Say
from ansible_collections.atena.aws.plugins.module_utils.ecs import task_run
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import failure_text
from ansible_collections.atena.aws.plugins.module_utils.environment import destroy_record, journal as power_journal, restore_record
from ansible_collections.atena.aws.plugins.module_utils.environment.read import describe_database, describe_load_balancer, side_by_side
from ansible_collections.atena.aws.plugins.module_utils.environment.restore_record import REMOVED, RESTORED, RESTORING, UNDOING, UNDONE
from ansible_collections.atena.aws.plugins.module_utils.power import database as databases
from ansible_collections.atena.aws.plugins.module_utils.power.run import PowerFailed
from ansible_collections.atena.aws.plugins.module_utils.power.services import Back, primaries
from ansible_collections.atena.aws.plugins.module_utils.recovery import read as recovery_read, redeploy as redeploy_run, restore_plan
from ansible_collections.atena.aws.plugins.module_utils.recovery.restore_plan import ADDRESS
from ansible_collections.atena.aws.plugins.module_utils.recovery.run import RecoveryRun
from ansible_collections.atena.aws.plugins.module_utils.secrets import address as address_secret, store as parameter_store
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import DatabaseUrl
from ansible_collections.atena.aws.plugins.module_utils.terraform import versions
from ansible_collections.atena.aws.plugins.module_utils.terraform.plan import Change


# --- Decisions --------------------------------------------------------------------------------------------------------
def names(record: dict, identifier: str, undo: bool = False) -> list[tuple[str, str]]:
    """[(resource id, name)] in the order in which they are to be renamed: who has the environment's name gives it away first."""
    original, restored = record["original"], record["restored"]
    if undo:
        return [(restored["resource"], restored["aside"]), (original["resource"], identifier)]
    return [*([(original["resource"], original["aside"])] if original else []), (restored["resource"], identifier)]


def stands(instances: list[dict], resource: str | None) -> dict | None:
    return next((one for one in instances if resource and one["DbiResourceId"] == resource), None)


def lives(instance: dict | None) -> bool:
    """Whether an instance is there and stays: one that is being deleted is as good as gone."""
    return instance is not None and instance.get("DBInstanceStatus") not in ("deleting", "delete-precheck")


def pending_name(instance: dict | None) -> str:
    """The name that RDS is going to give an instance, but has not given it yet; '' if it keeps its own."""
    return ((instance or {}).get("PendingModifiedValues") or {}).get("DBInstanceIdentifier", "")


def swap_begun(record: dict, original: dict | None, restored: dict | None, identifier: str) -> bool:
    """Whether the original has begun to give its name away. RDS lists the old name for a while after it was told: what the record says counts, too.

    To take back a swap that was begun and not carried out renames nothing, and deletes nothing.
    """
    begun = power_journal.last_step(record, "swap") is not None
    if original is None:
        return restored is not None and (begun or restored["DBInstanceIdentifier"] == identifier)
    return begun or bool(pending_name(original)) or original["DBInstanceIdentifier"] != identifier


def fallback(settings: dict, security_groups: list[str]) -> dict:
    """What the inventory says, described as RDS describes an instance: for a database that is gone."""
    return {
        "DBInstanceClass": settings["instance_class"],
        "DBSubnetGroup": {"DBSubnetGroupName": settings["subnet_group"]},
        "VpcSecurityGroups": [{"VpcSecurityGroupId": group} for group in security_groups],
        "StorageType": settings["storage_type"],
        "MultiAZ": settings["multi_az"],
        "DeletionProtection": settings["deletion_protection"],
        "PubliclyAccessible": False,
        "AutoMinorVersionUpgrade": True,
        "CopyTagsToSnapshot": True,
        "BackupRetentionPeriod": settings["backup_retention_days"],
        "PreferredBackupWindow": settings["backup_window"],
        "PreferredMaintenanceWindow": settings["maintenance_window"],
        "TagList": [{"Key": key, "Value": value} for key, value in sorted(settings["tags"].items())],
    }


def off(seen: dict) -> str:
    """Why nothing can be checked and swapped in an environment that is off; '' if it is on."""
    state = power_journal.state_of(seen["power"])
    if state == power_journal.RUNNING:
        return ""
    return f"The environment is {state}: what a restored database holds is asked by a task, which needs the NAT gateway. Run start.yml first."


def version_of(source: dict, seen: dict) -> str:
    """The version of PostgreSQL that a restore from there brings; '' if that is not known."""
    if source.get("kind") == restore_plan.SNAPSHOT:
        found = next((one for one in seen.get("snapshots", []) if one["DBSnapshotIdentifier"] == source["name"]), None)
    elif source.get("kind") == restore_plan.INSTANCE:
        found = stands(seen["instances"], source["resource"])
    else:
        found = seen["database"]
    return (found or {}).get("EngineVersion") or ""


# --- Doing it ---------------------------------------------------------------------------------------------------------
class DatabaseRun(RecoveryRun):
    """What the three have in common: looking, renaming, DATABASE_URL, Terraform, services."""

    RECORD = restore_record.WHAT
    # Addresses that Terraform would destroy or replace, and that stay as they are.
    left_unapplied: tuple = ()

    def observe(self) -> dict:
        params, call = self.params, self.call
        found = side_by_side(
            call,
            {
                "record": self.journal.read,
                "power": self.power.read,
                "database": lambda: describe_database(call, params["database_id"]),
                "instances": lambda: recovery_read.instances(call),
                "services": lambda: recovery_read.services(call, self.cluster),
            },
        )
        resource = (found["database"] or {}).get("DbiResourceId", "")
        found["snapshots"] = recovery_read.snapshots(call, params["database_id"], resource)
        return found

    def __init__(self, call: Aws, params: dict, *, say: Say | None = None, check_mode: bool = False) -> None:
        super().__init__(call, params, say=say, check_mode=check_mode)
        self.terraform.no_redis = self._no_redis

    def _no_redis(self) -> str:
        """After half a redeploy the queue is still in the destroy's snapshot: the apply at the end of a restore must not make an empty one."""
        storage = self.params["storage"]
        key = storage.get("destroy_key")
        record = destroy_record.journal(self.call, storage["bucket"], key).read() if key else None
        return redeploy_run.no_empty_redis(record, False, power_journal.unrestored(self.power.record))

    def diff(self) -> dict:
        now = f"{self.params['database_id']}: {(self.seen['database'] or {}).get('DbiResourceId', 'not there')}\n"
        return {"before": now, "after": self.after() if self.steps else now}

    # --- Instances ----------------------------------------------------------------------------------------------------
    def _tell(self, text: str) -> None:
        self.say(f"database: {text}")

    def _look(self, resource: str) -> dict[str, Any] | None:
        return stands(recovery_read.instances(self.call), resource)

    def _await(self, resource: str, name: str, what: str) -> dict[str, Any]:
        """The instance when it is available under this name ('' for any)."""
        last: dict = {}

        def reasons() -> list[str]:
            found = self._look(resource)
            if found is None:
                return [f"the instance {resource} is not listed"]
            status = found["DBInstanceStatus"]
            action, why = databases.toward(status, databases.START)
            if action == databases.REFUSE:
                raise CallFailed(f"{what}: {found['DBInstanceIdentifier']} is {status}. {why}")
            last.update(found)
            if pending_name(found):
                return [f"{found['DBInstanceIdentifier']} is to be renamed to {pending_name(found)}"]
            return [] if status == "available" and name in ("", found["DBInstanceIdentifier"]) else [f"{found['DBInstanceIdentifier']} is {status}"]

        self.wait_for(reasons, lambda found: f"{what}: {found[0]} all the time. Run {self.PLAYBOOK} again: it resumes.", self.params["timeouts"]["database"])
        return last

    def _rename(self, resource: str, name: str) -> None:
        found = self._await(resource, "", f"The rename to {name}")
        old = found["DBInstanceIdentifier"]
        if old == name:
            return
        self.branches.guard()
        doing = f"rename the database {old} to {name}"
        try:
            self.call("rds", "modify_db_instance", doing, DBInstanceIdentifier=old, NewDBInstanceIdentifier=name, ApplyImmediately=True)
        except (Conflict, NotFound):
            # It may be under way by this very call, whose first answer was lost.
            now = self._look(resource)
            if now is None or name not in (now["DBInstanceIdentifier"], pending_name(now)):
                raise
        self._tell(f"{old} is renamed to {name}")
        self._await(resource, name, f"The rename of {old}")

    def _delete(self, instance: dict, final: str) -> None:
        """Deletes the instance and waits until it is gone. final: its last snapshot; '' for a copy that nothing was written to, while its original stands."""
        name, resource = instance["DBInstanceIdentifier"], instance["DbiResourceId"]
        how = {"FinalDBSnapshotIdentifier": final, "SkipFinalSnapshot": False, "DeleteAutomatedBackups": False} if final else {"SkipFinalSnapshot": True}
        if instance["DBInstanceStatus"] != "deleting":
            self.branches.guard()
            if instance.get("DeletionProtection"):
                doing = f"remove the deletion protection of {name}"
                self.call("rds", "modify_db_instance", doing, DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
                if final:  # which needs an instance that is available; a copy that failed never is
                    self._await(resource, "", "The change of its deletion protection")
            try:
                self.call("rds", "delete_db_instance", f"delete the database {name}", DBInstanceIdentifier=name, **how)
            except (Conflict, NotFound):
                if lives(self._look(resource)):  # as above
                    raise
            self._tell(f"{name} is being deleted{f', into the snapshot {final}' if final else ''}")

        def reasons() -> list[str]:
            found = self._look(resource)
            return [f"{name} is {found['DBInstanceStatus']}"] if found else []

        self.wait_for(reasons, lambda found: f"{found[0]} all the time. Check it in RDS.", self.params["timeouts"]["database"])

    def _version(self, actual: str) -> list[str]:
        """Why the apply after a swap to an instance of this version would be refused; [] if it would not."""
        settings = self.params.get("settings") or {}
        wrong = versions.problem(self.params["database_id"], actual, settings.get("engine_version") or "", settings.get("allow_major_version_upgrade", False))
        return [wrong] if wrong else []

    # --- The environment follows --------------------------------------------------------------------------------------
    def _swap(self, undo: bool = False) -> None:
        """Under Terraform's lock: a plan in between would propose to rename everything back."""
        identifier = self.params["database_id"]

        def work() -> None:
            with self.terraform.locked():
                for resource, name in names(self.journal.held if undo else self._standing(), identifier, undo):
                    self._rename(resource, name)
                self._database_url()
                with self.journal.step("terraform") as step:
                    self.terraform.let_go(ADDRESS)
                    self.terraform.take_in([(ADDRESS, identifier)], "which has the name now")
                    done = self._apply()
                    step.says = "; ".join(done["lines"])
                    self.result["terraform_lines"] = done["lines"]

        with self.journal.step("swap"):
            self.branches.side_by_side({"swap": work})

    def _apply(self) -> dict:
        allowed = self.params["terraform"]["allow_destroy"]
        if not self.left_unapplied:
            return self.terraform.apply(allowed)
        self.note(f"Not applied, as asked: {', '.join(self.left_unapplied)}. infra.yml --check shows what differs.")
        try:
            return self.terraform.apply(allowed, targets=(ADDRESS,))
        except CallFailed as failed:
            # What the database stands on is to be replaced, too: the application is what an emergency is about.
            self.note(f"Terraform took the database in and applied nothing: {str(failed).splitlines()[0]}")
            return {"lines": []}

    # --- Before anything is written -----------------------------------------------------------------------------------
    def swaps(self) -> bool:
        """Whether what is left to do has a swap, and so an apply at its end."""
        return True

    def _in_the_way(self) -> list[Change]:
        planned: list[Change] = []

        def look() -> None:
            planned.extend(self.terraform.plan())

        self.branches.side_by_side({"plan": look})
        why = self._no_redis() if any(change["type"] == "aws_elasticache_cluster" and change["action"] == "create" for change in planned) else ""
        if why:
            raise CallFailed(f"The {self.VERB} ends with an apply, which would make an empty Redis. {why}")
        return restore_plan.in_the_way(planned, self.params["terraform"]["allow_destroy"])

    def plan_first(self) -> None:
        """Terraform made ready, and asked what it would refuse after the swap. Raises PowerFailed, while nothing was written yet."""
        begun = self.going_on()
        try:
            self.ready_terraform()
            if not self.swaps():
                return
            found = self._in_the_way()
        except CallFailed as failed:
            if begun:
                raise
            raise PowerFailed(f"{self._unrecorded()}{failed}\nNothing was changed.") from failed
        if found and not self.params["allow_unapplied"]:
            raise PowerFailed(self._unrecorded() + restore_plan.unapplied(found, self.VERB, self._in_the_swap()))
        self.left_unapplied = tuple(change["address"] for change in found)

    def _in_the_swap(self) -> bool:
        """Whether an earlier run died in the swap, which an apply by other means would make worse."""
        record = self.journal.record or {}
        swap = power_journal.last_step(record, "swap")
        return record.get("state") in (RESTORING, UNDOING) and swap is not None and swap["outcome"] != power_journal.DONE

    def predict(self) -> dict:
        result = super().predict()
        if not (self.PLANS and self.steps and self.swaps()):
            return result
        try:
            found = self._in_the_way()
            against = restore_plan.unapplied(found, self.VERB, self._in_the_swap()) if found and not self.params["allow_unapplied"] else ""
        except CallFailed as failed:
            against = str(failed)
        return {**result, "would": [*([f"WOULD FAIL: {against}"] if against else []), *result["would"]]}

    def _standing(self) -> dict[str, Any]:
        """The record, without an original that somebody deleted since: that has no name to give away, and stays as nothing."""
        record = self.journal.held
        gone = record["original"] and self._look(record["original"]["resource"]) is None
        return {**record, "original": None} if gone else record

    def _endpoint(self) -> dict[str, Any]:
        """Where the database is that has the environment's name."""
        found = describe_database(self.call, self.params["database_id"])
        if found is None:
            raise CallFailed(f"RDS does not list {self.params['database_id']}, which a database was renamed to.")
        return found["Endpoint"]

    def _database_url(self) -> None:
        name = self.params["database_url_parameter"]
        endpoint = self._endpoint()
        with self.journal.step("database_url") as step:
            there, wanted = address_secret.read_and_move(self.call, name, DatabaseUrl, (endpoint["Address"], endpoint["Port"]), self.PLAYBOOK)
            self.result["database_url"] = step.says = "unchanged"
            if wanted != there:
                parameter_store.rewrite(self.call, name, wanted)
                self.result["database_url"] = step.says = "updated"
                self._tell("DATABASE_URL updated: the address changed")

    def _services(self) -> None:
        """A new deployment of what runs: tasks that were connected to the other one are replaced."""
        last = power_journal.last_step(self.journal.record, "services")
        goes_on = last is not None and last["outcome"] in ("", power_journal.INTERRUPTED)
        now = recovery_read.services(self.call, self.cluster)
        before = self.journal.held["deployments_before"] if goes_on else primaries(now)
        counts = {name: service["desiredCount"] for name, service in now.items() if service["desiredCount"]}
        if not counts:
            self.warnings.append("No service runs, so that none was redeployed.")
            return
        with self.journal.step("services", deployments_before=before) as step:
            options = {name: self.params[name] for name in ("wait_timeout", "wait_delay", "log_lines")}
            back = Back(self.call, self.cluster, counts, before, say=self.tell, guard=self.branches.guard, **options)
            back.read()
            failed = back.roll_out()
            if failed:
                raise CallFailed(failure_text(failed, back.evidence(failed), [], {}))
            step.says = ", ".join(sorted(counts))
        self._health(idle=[name for name in now if name not in counts])

    def _health(self, idle: list[str]) -> None:
        application = Application(self.params["health"], lambda: describe_load_balancer(self.call, resource_names.load_balancer(self.params["name"])))
        self.ask(application, idle=idle)

    def _left(self) -> str:
        record = self.journal.record or {}
        done = [step["step"] for step in record.get("steps", []) if step["outcome"] == power_journal.DONE]
        name = self.params["name"]
        return (
            f"The {self.VERB} is incomplete (done and recorded: {', '.join(dict.fromkeys(done)) or 'nothing'}). Both databases are there: run the same "
            f"command again and it resumes, or undo it: restore_database.yml -e restore_database_undo={name}"
        )

    def _end(self, state: str, lines: list[str]) -> None:
        self.end_record(state)
        followed = self.result.get("terraform_lines")
        if followed is not None:
            lines = [*lines, f"Terraform: {'; '.join(followed) or 'nothing to change'}"]
        self.result["lines"] = lines


class Restore(DatabaseRun):
    WANTED, GOING, VERB, PLAYBOOK = RESTORED, RESTORING, "restore", "restore_database.yml"
    CONFIRM, WHAT = "restore_database_confirm", "This puts another database in place of {database_id}"

    def observe(self) -> dict:
        found = super().observe()
        asked, now = self._asked(), datetime.datetime.now(datetime.UTC)
        record = found["record"] or {}
        if record.get("state") == RESTORING:
            # What was begun is gone on with: another source would be another restore.
            other = any(asked.values()) and asked != record["asked"]
            self.source = record["source"]
            begun = f"A restore from {restore_plan.told(self.source)} is incomplete."
            how = f"Run it again without naming another source, or undo it: -e restore_database_undo={self.params['name']}"
            self.wrong = f"{begun} {how}" if other else ""
        elif asked.get("instance"):
            self.source, self.wrong = restore_plan.taken_over(asked["instance"], found["instances"], found["database"], self.params["database_id"])
        else:
            self.source, self.wrong = restore_plan.source(asked, found["database"], found["snapshots"], now)
        return found

    def _asked(self) -> dict:
        """What was asked for, as the record has it: the instance only where one is named."""
        instance = self.params.get("instance")
        return {**{name: self.params[name] for name in ("snapshot", "time")}, **({"instance": instance} if instance else {})}

    def objections(self) -> list[str]:
        found, record = [self.wrong] if self.wrong else [], self.seen["record"] or {}
        found += [off(self.seen)] if off(self.seen) else []
        found += self._version(version_of(self.source, self.seen)) if self.source else []
        kept = stands(self.seen["instances"], record.get("kept"))
        if record.get("state") == UNDOING:
            found.append(f"A restore that is being undone is incomplete: -e restore_database_undo={self.params['name']} resumes it.")
        elif kept and not self.going_on():
            name = kept["DBInstanceIdentifier"]
            found.append(f"{name} of the last restore still exists. Delete it first, if nobody needs it: -e restore_database_remove_original={name}")
        return found

    def remaining(self) -> list[dict]:
        identifier, seen = self.params["database_id"], self.seen
        if self.wrong:
            return [{"step": "restore", "says": "Would restore the database"}]
        stamp = (seen["record"] or {}).get("stamp", "") if self.going_on() else "<time>"
        new, aside = (recovery_read.aside_name(identifier, kind, stamp) for kind in (recovery_read.RESTORED, recovery_read.BEFORE))
        command = self.params["check_command"]
        counts = f"by {' '.join(command['command'])}, as a task" if command else "not: no command is set that counts (atena_restore_check_command)"
        found = [("restore", f"Would restore {restore_plan.told(self.source)} into a new database, {new}, in addition to {identifier}, which keeps serving")]
        if self.source.get("kind") == restore_plan.INSTANCE:
            found = [("restore", f"Would take {restore_plan.told(self.source)}, which somebody restored, with the password that is in DATABASE_URL")]
        found.append(("check", f"Would check what it holds, and compare it with {identifier}: {counts}"))
        old = f"rename {identifier} to {aside}, and " if seen["database"] else ""
        found.append(("swap", f"Would {old}rename the new one to {identifier}, with DATABASE_URL at its address; meanwhile the application has no database"))
        found.append(("terraform", "Would remove the old one from the Terraform state, import the new one, and apply what that leaves"))
        running = sorted(name for name, service in seen["services"].items() if service["desiredCount"])
        found.append(("services", f"Would redeploy {', '.join(running) or 'no service'}, and ask the application's health"))
        if seen["database"]:
            found.append(("keep", f"Would leave {aside} where it is; it costs as before until it is deleted (-e restore_database_remove_original={aside})"))
        return [{"step": step, "says": says} for step, says in found]

    def after(self) -> str:
        return f"{self.params['database_id']}: a new one, of {restore_plan.told(self.source) if self.source else 'nothing'}\n"

    def work(self) -> None:
        self.plan_first()
        self._begin()
        restored = self._restore()
        self._as_the_original(restored)
        self._check()
        self._swap()
        self._services()
        original = self._standing()["original"]
        self.journal.change(kept=original["resource"] if original else "")
        lines = [f"Restored {restore_plan.told(self.source)}, at {self._endpoint()['Address']}"]
        lines += self.journal.held["counted"]
        lines.append(f"DATABASE_URL: {self.result.get('database_url', 'unchanged')}")
        if original:
            aside = original["aside"]
            lines.append(f"The old database stays as {aside}, and costs as before. When nobody needs it: -e restore_database_remove_original={aside}")
            lines.append(f"To return to it: -e restore_database_undo={self.params['name']}")
        lines.append("The new database has no automatic backups yet: RDS takes the first within a day. The old one's stay with it.")
        self._end(RESTORED, lines)

    def _begin(self) -> None:
        identifier, database = self.params["database_id"], self.seen["database"]
        if self.going_on():
            self.begin_record()
            return
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
        aside = recovery_read.aside_name(identifier, recovery_read.BEFORE, stamp)
        self.begin_record(
            steps=[],
            notes=[],
            stamp=stamp,
            source=self.source,
            asked=self._asked(),
            original={"resource": database["DbiResourceId"], "aside": aside} if database else None,
            restored=self._to_come(stamp),
            kept="",
            counted=[],
        )

    def _to_come(self, stamp: str) -> dict:
        """What the record has of the instance that takes the place: one that somebody restored is there, and has its own name to go back to."""
        if self.source["kind"] == restore_plan.INSTANCE:
            return {"resource": self.source["resource"], "aside": self.source["name"]}
        return {"resource": "", "aside": recovery_read.aside_name(self.params["database_id"], recovery_read.RESTORED, stamp)}

    def _like(self) -> dict[str, Any]:
        original = self.journal.held["original"]
        found = self._look(original["resource"]) if original else None
        if found:
            return found
        settings = self.params["settings"]
        filters = [{"Name": "group-name", "Values": [settings["security_group"]]}]
        groups = self.call.pages("ec2", "describe_security_groups", f"read the security group {settings['security_group']}", "SecurityGroups", Filters=filters)
        return fallback(settings, [group["GroupId"] for group in groups])

    def _restore(self) -> dict[str, Any]:
        record = self.journal.held
        name = record["restored"]["aside"]
        found = stands(recovery_read.instances(self.call), record["restored"]["resource"]) or describe_database(self.call, name)
        if found is None and self.source["kind"] == restore_plan.INSTANCE:
            raise CallFailed(f"{name} is gone. Undo the restore, which changes nothing: -e restore_database_undo={self.params['name']}")
        if found is None:
            with self.journal.step("restore") as step:
                original = stands(self.seen["instances"], record["original"]["resource"]) if record["original"] else None
                operation, sent = restore_plan.arguments(self.source, original, {} if original else self._like(), name)
                self.branches.guard()
                try:
                    self.call("rds", operation, f"restore {restore_plan.told(self.source)} into {name}", **sent)
                except CallFailed as failed:
                    if "DBInstanceAlreadyExists" not in failed.code:  # the answer to the first attempt was lost
                        raise
                self._tell(f"{name} is made from {restore_plan.told(self.source)}")
                found = describe_database(self.call, name)
                if found is None:
                    raise CallFailed(f"RDS does not list {name} yet, which it was asked to make.")
                step.says = name
                step.records(restored={**record["restored"], "resource": found["DbiResourceId"]})
        elif not record["restored"]["resource"]:
            self.journal.change(restored={**record["restored"], "resource": found["DbiResourceId"]})
        return self._await(found["DbiResourceId"], "", "The restore")

    def _as_the_original(self, restored: dict) -> None:
        """Backups and windows as the original has them; and the master password, which else is the snapshot's, as it is in DATABASE_URL."""
        if restored["DBInstanceIdentifier"] == self.params["database_id"]:
            return  # it was swapped in by the run before
        with self.journal.step("settings") as step:
            changes = restore_plan.afterwards(self._like(), restored)
            step.says = ", ".join(sorted(changes))
            try:
                who = DatabaseUrl.parse(address_secret.read(self.call, self.params["database_url_parameter"]))
            except ValueError as wrong:
                raise CallFailed(f"The secret {self.params['database_url_parameter']} cannot be used: {wrong}.") from wrong
            if who.user == restored["MasterUsername"] and who.password:
                changes["MasterUserPassword"] = who.password
            if changes:
                name = restored["DBInstanceIdentifier"]
                self.call("rds", "modify_db_instance", f"set up the database {name}", DBInstanceIdentifier=name, ApplyImmediately=True, **changes)
            self._await_settled(restored["DbiResourceId"])

    def _await_settled(self, resource: str) -> None:
        """A change of the password takes RDS some seconds to begin with."""
        found = self._await(resource, "", "The change of the restored database")
        if "MasterUserPassword" in (found.get("PendingModifiedValues") or {}):
            self.wait_for(
                lambda: ["its password is being set"] if "MasterUserPassword" in ((self._look(resource) or {}).get("PendingModifiedValues") or {}) else [],
                lambda found: f"The restored database: {found[0]} all the time.",
                self.params["timeouts"]["database"],
            )
            self._await(resource, "", "The change of the restored database")

    # --- What it holds ------------------------------------------------------------------------------------------------
    def _check(self) -> None:
        record, command = self.journal.held, self.params["check_command"]
        last = power_journal.last_step(record, "check")
        if last and last["outcome"] == power_journal.DONE:
            return
        with self.journal.step("check") as step:
            if not command:
                self.warnings.append("Nothing checked what the restored database holds: no command is set that counts (atena_restore_check_command).")
                step.says = "not checked"
                return
            instance = self._look(record["restored"]["resource"])
            if instance is None:
                raise CallFailed("The restored database is gone: somebody deleted it. Nothing was swapped.")
            restored = self._count(instance)
            if not restored["migrations"]:
                raise CallFailed("The restored database has no migrations: it is empty, or another application's. Nothing was swapped.")
            original = self._count_original(record)
            lines = restore_plan.compared(restored, original)
            for line in lines:
                self._tell(line)
            self.result["counted"] = {"restored": restored, "original": original}
            step.says = "; ".join(lines)
            step.records(counted=lines)

    def _count_original(self, record: dict) -> dict | None:
        found = self._look(record["original"]["resource"]) if record["original"] else None
        if found is None or found["DBInstanceStatus"] not in databases.SERVING:
            return None
        try:
            return self._count(found)
        except CallFailed as failed:
            self.note(f"The original could not be counted, so that nothing was compared: {str(failed).splitlines()[0]}")
            return None

    def _count(self, instance: dict) -> dict:
        command, name = self.params["check_command"], instance["DBInstanceIdentifier"]
        override = {"name": command["container"], "command": command["command"], "environment": {"DATABASE_HOST": instance["Endpoint"]["Address"]}}
        asked = {"cluster": self.cluster, "service": command["service"], "container_overrides": [override]}
        definition, arguments = task_run.plan_run(self.call, asked)
        patience = {"patience": command["timeout"], "delay": self.params["wait_delay"]}
        arn = task_run.start(self.call, arguments, say=self.tell, guard=self.branches.guard, **patience)
        options = {"wait_timeout": command["timeout"], "wait_delay": self.params["wait_delay"], "say": self.tell, "guard": self.branches.guard}
        succeeded, ended = task_run.TaskRun(self.call, task_run.Started(self.cluster, definition, arn), **options).finish()
        if not succeeded:
            raise CallFailed(f"{name} could not be checked: {task_run.failure_text(arn, ended)}")
        found = restore_plan.counted(ended["logs"].get(command["container"], []))
        if found is None:
            raise CallFailed(
                f"{' '.join(command['command'])} wrote no line of JSON with migrations and rows (docs/recovery.md), so that {name} is not known to be good."
            )
        return found


class Undo(DatabaseRun):
    """The original takes its place again; what was restored stands aside. A restore that was never swapped in is deleted."""

    WANTED, GOING, VERB, PLAYBOOK = UNDONE, UNDOING, "undo of the restore", "restore_database.yml"
    CONFIRM, WHAT = "restore_database_undo", "This takes the restore of {database_id} back"

    def _states(self) -> tuple[dict, dict | None, dict | None]:
        record = self.seen["record"] or {}
        instances = self.seen["instances"]
        original = stands(instances, (record.get("original") or {}).get("resource"))
        return record, original, stands(instances, (record.get("restored") or {}).get("resource"))

    def remaining(self) -> list[dict]:
        record, original, _restored = self._states()
        if record.get("state") not in (RESTORING, RESTORED, UNDOING):
            return []
        identifier = self.params["database_id"]
        if not self._swapped() and self._not_ours():
            return [{"step": "remove", "says": f"Would leave {record['restored']['aside']} as it is; {identifier} was not touched"}]
        if not self._swapped():
            copy = self._copy()
            what = copy["DBInstanceIdentifier"] if copy else "what was begun"
            if not lives(original):
                return [{"step": "remove", "says": f"Would delete {what}, into the final snapshot {record['restored']['aside']}-final"}]
            return [{"step": "remove", "says": f"Would delete {what}, a copy that nothing was written to; {identifier} was not touched"}]
        aside, old = record["restored"]["aside"], original["DBInstanceIdentifier"] if original else "?"
        return [
            {
                "step": "swap",
                "says": f"Would rename {identifier} to {aside} and {old} to {identifier}, with DATABASE_URL at its address, and Terraform after it",
            },
            {
                "step": "services",
                "says": "Would redeploy the services, and ask the application's health. What was written since the restore is in the former only",
            },
        ]

    def _not_ours(self) -> bool:
        """Whether somebody restored what was to take the place: then it is not deleted here."""
        return (self._states()[0].get("source") or {}).get("kind") == restore_plan.INSTANCE

    def _swapped(self) -> bool:
        """Whether there is a swap to take back, rather than a copy to delete."""
        record, original, restored = self._states()
        if record.get("state") == UNDOING:
            return record["swapped"]
        return swap_begun(record, original, restored, self.params["database_id"])

    def objections(self) -> list[str]:
        found = [off(self.seen)] if off(self.seen) else []
        record, original, _restored = self._states()
        if original is not None and lives(original):
            return found + (self._version(original.get("EngineVersion", "")) if self._swapped() else [])
        if self._swapped():
            found.append("The original is gone: there is nothing to return to.")
        elif record.get("original") and (copy := self._copy()) and lives(copy) and not self._not_ours():
            found.append(self._last_copy(record, copy))
        return found

    def swaps(self) -> bool:
        return self._swapped()

    def _copy(self) -> dict | None:
        """What the restore made. Where the answer to that was lost, it is known by its name alone."""
        record, _original, restored = self._states()
        name = (record.get("restored") or {}).get("aside")
        return restored or next((one for one in self.seen["instances"] if one["DBInstanceIdentifier"] == name), None)

    def _last_copy(self, record: dict[str, Any], copy: dict[str, Any]) -> str:
        """Why a copy is not deleted whose original was deleted since."""
        name, identifier = copy["DBInstanceIdentifier"], self.params["database_id"]
        go_on = ""
        if record["state"] == RESTORING and not lives(self.seen["database"]):
            go_on = f" To put it in place of {identifier}, continue the restore: restore_database.yml -e restore_database_confirm={self.params['name']}."
        return (
            f"The original is gone, so that the copy {name} may be all that is left of the database: it is not deleted.{go_on} If nobody needs it, "
            f"delete {name} manually, into a final snapshot; then run this again, which closes the record."
        )

    def after(self) -> str:
        return f"{self.params['database_id']}: {((self.seen['record'] or {}).get('original') or {}).get('resource', '')}\n"

    def work(self) -> None:
        swapped = self._swapped()
        self.plan_first()
        self.begin_record(swapped=swapped)
        if not swapped:
            final = "" if self._not_ours() else self._remove()
            kept = [f"What the copy held is in the snapshot {final}"] if final else []
            self._end(UNDONE, [f"The restore was undone: {self.params['database_id']} is what it was", *kept])
            return
        record = self.journal.held
        if not record["restored"]["resource"]:
            raise CallFailed("The record does not show which database was restored. Rename manually, then run infra.yml.")
        self._swap(undo=True)
        self._services()
        self.journal.change(kept=record["restored"]["resource"])
        aside = record["restored"]["aside"]
        self._end(UNDONE, [f"The original is back. What was restored stays as {aside}. When nobody needs it: -e restore_database_remove_original={aside}"])

    def _remove(self) -> str:
        """Deletes the copy. Returns its final snapshot, '' if it needed none: it does where nothing else holds the rows."""
        record, _original, restored = self._states()
        name, original = record["restored"]["aside"], record["original"]
        restored = restored or describe_database(self.call, name)
        if restored is None:
            return ""
        final = "" if original and lives(self._look(original["resource"])) else f"{name}-final"
        with self.journal.step("remove") as step:
            self._delete(restored, final)
            step.says = f"{name} is gone"
        return final


class Remove(DatabaseRun):
    """Deletes what a restore, or its undoing, left aside, into a final snapshot."""

    WANTED, GOING, VERB, PLAYBOOK = REMOVED, "removing", "removal", "restore_database.yml"
    PLANS = False

    def kept(self) -> dict | None:
        return stands(self.seen["instances"], (self.seen["record"] or {}).get("kept"))

    def remaining(self) -> list[dict]:
        found = self.kept()
        if found is None:
            return []
        name = found["DBInstanceIdentifier"]
        guarded = ", whose deletion protection is removed first" if found.get("DeletionProtection") else ""
        return [{"step": "remove", "says": f"Would delete {name}{guarded}, into the final snapshot {name}-final; its automatic backups stay until they expire"}]

    def _confirmed(self) -> dict[str, Any]:
        """What is to be deleted, which is what was typed."""
        found, typed = self.kept(), self.params["confirm"]
        if found is None or typed != found["DBInstanceIdentifier"] or typed == self.params["database_id"]:
            there = f"it is {found['DBInstanceIdentifier']}" if found else "there is none"
            raise CallFailed(f"restore_database_remove_original is '{typed}', but of what the last restore left aside {there}. Nothing was deleted.")
        return found

    def refuse(self) -> None:
        self._confirmed()

    def after(self) -> str:
        return f"{self.params['database_id']}: {(self.seen['database'] or {}).get('DbiResourceId', 'not there')}\n"

    def predict(self) -> dict:
        self.refuse()
        return super().predict()

    def _left(self) -> str:
        return "Run it again: it resumes."

    def work(self) -> None:
        found = self._confirmed()
        name = found["DBInstanceIdentifier"]
        with self.journal.step("remove") as step:
            self._delete(found, f"{name}-final")
            step.says = f"{name} is gone"
            step.records(kept="")
        self.result.update(changed=True, final_snapshot=f"{name}-final", lines=[f"{name} is gone; its last state is in the snapshot {name}-final"])
