# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One release of all services, under the lock: preflight, prepare, record, migrate, roll out, health; and on any failure all of them back.

The order and what is written when are here; each step's work is in the file that is named after it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import commit as commits, resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.failure import Failure
from ansible_collections.atena.aws.plugins.module_utils.core.health import NOBODY, Application
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import Interrupted, interruptible
from ansible_collections.atena.aws.plugins.module_utils.core.look import Look
from ansible_collections.atena.aws.plugins.module_utils.core.parallel import each
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Say
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor
from ansible_collections.atena.aws.plugins.module_utils.ecs import task as ecs_task, task_run
from ansible_collections.atena.aws.plugins.module_utils.ecs.known_secrets import redactor_of
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_services, describe_task_definition, described_task
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import RolloutRun, failure_of
from ansible_collections.atena.aws.plugins.module_utils.environment import ledger, release_record, state as power_state
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import Lock, this_host
from ansible_collections.atena.aws.plugins.module_utils.environment.read import describe_load_balancer
from ansible_collections.atena.aws.plugins.module_utils.environment.release_record import ROLLBACK, Build, Migration, ReleaseRecord, Service
from ansible_collections.atena.aws.plugins.module_utils.images import tags as ecr_tags
from ansible_collections.atena.aws.plugins.module_utils.preflight import check as preflight
from ansible_collections.atena.aws.plugins.module_utils.release import reference as release_reference, targets as release_targets
from ansible_collections.atena.aws.plugins.module_utils.release.evidence import Evidence, explain, gather_evidence
from ansible_collections.atena.aws.plugins.module_utils.secrets.store import parameters_below


class ReleaseFailed(Exception):
    """The release did not succeed; its text is what the user reads, `outcome` what the ledger says."""

    def __init__(self, failure: str | Failure, outcome: str = release_record.FAILED) -> None:
        super().__init__(failure.text() if isinstance(failure, Failure) else failure)
        self.outcome = outcome
        self.failure = failure if isinstance(failure, Failure) else None


class Release:
    """One run. `params` are ecs_release's options; `result` grows as it goes, so that a failure returns what was known."""

    def __init__(self, call: Aws, params: dict, *, say: Say | None = None, check_mode: bool = False) -> None:
        self.call, self.params, self.check_mode = call, params, check_mode
        self.tell = say  # None if nobody listens: what is read only to be told is not read then
        self.say = say or (lambda text: None)
        self._redactor: Redactor | None = None
        self.cluster = params["cluster"] or resource_names.cluster(params["name"])
        self.ledger = ledger.Ledger(call, params["ledger"]["bucket"], params["ledger"]["prefix"])
        self.lock = Lock(call, params["lock"]["table"], params["lock"]["name"], expires_in=params["lock"]["expires_in"])
        self.begin = time.monotonic()
        # What plan() read, for what comes right after it.
        self.look = Look(call)
        self.records: Sequence[ReleaseRecord] = ()
        self.targets: list[release_targets.Target] = []
        self.record: ReleaseRecord | None = None
        self.goal: ReleaseRecord | None = None
        self.rollout: RolloutRun | None = None
        self.last_lines: task_run.LastLines | None = None
        self.warnings: list[str] = []
        self.result: dict[str, Any] = {"changed": False, "outcome": "", "release": params["release"] or "", "release_id": "", "migration": None, "health": None}

    # --- What is to be done -------------------------------------------------------------------------------------------
    def plan(self, records: Sequence[ReleaseRecord] | None = None) -> None:
        """Reads the services, the ledger and the task definitions, and decides; writes nothing. records: the ledger's, if they were read just now."""
        items, bundles = self._known_commit(), bool(self.params.get("ca_bundles"))
        look = self.look = Look(self.call)
        services = describe_services(look, self.cluster, [item["name"] for item in items])
        self.records = self.ledger.lazily() if records is None else records
        if self.params["rollback_to"]:
            goal = self.goal = self._rollback_goal(services)
            self.result["release"] = goal.release
            self.targets = release_targets.of_record(look, goal, items, services, bundles)
        else:
            self.targets = each(lambda item: release_targets.Preparation(look, item, services[item["name"]], bundles), items)
        self.unfinished = release_targets.unfinished_release(self.records)
        self.result.update(
            services=[self._entry(target) for target in self.targets],
            counts_kept=[] if self.goal else self._counts_kept(),
            diff=[diff for target in self.targets for diff in target.diff()],
        )

    def _known_commit(self) -> list[dict]:
        """The services, with the images of the commit that is meant where only its beginning was given."""
        self.result["release"], items = release_reference.followed(self.call, self.ledger, self.params["release"] or "", self.params["services"])
        return items

    def _rollback_goal(self, services: dict) -> ReleaseRecord:
        running = ledger.running_of(self.records, {name: service["taskDefinition"] for name, service in services.items()})
        goal: ReleaseRecord | None
        if self.params["rollback_to"] != "previous":
            goal = self.ledger.find(self.params["rollback_to"])
        else:
            goal = ledger.previous_good(self.records, running or ledger.last_good(self.records))
        if goal is None:
            raise ReleaseFailed("The ledger has no earlier release that succeeded. Nothing was changed. releases.yml shows what there is.")
        if goal.outcome != release_record.SUCCEEDED and not any(r.release == goal.release and r.outcome == release_record.SUCCEEDED for r in self.records):
            raise ReleaseFailed(f"The release {goal.id} never succeeded ({goal.outcome}: {goal.reason or 'no recorded reason'}). Nothing was changed.")
        over = ledger.migrated_since(self.records, goal)
        self.result["migrated_since"] = [record.id for record in over]
        self.result["migrations_unknown"] = [record.id for record in ledger.migrations_unknown(self.records, goal)]
        if over and not self.params["allow_over_migration"] and (running is None or running.id != goal.id):
            raise ReleaseFailed(
                f"{ledger.obstacle(self.records, goal, self.params.get('migration_source') or '')} Nothing was changed. "
                "If the old code can live with the schema as it is, confirm it: -e rollback_over_migration=true"
            )
        return goal

    def _counts_kept(self) -> list[dict]:
        """Services that run another count than is configured: that one is the first release's, and has no effect any more."""
        configured = {item["name"]: item["initial_count"] for item in self.params["services"]}
        return [
            {"name": target.name, "count": target.service["desiredCount"], "configured": configured[target.name]}
            for target in self.targets
            if not target.is_first and target.service["desiredCount"] != configured[target.name]
        ]

    def _entry(self, target: release_targets.Target) -> dict[str, Any]:
        return {
            "name": target.name,
            "task_definition": target.arn,
            "previous": target.service["taskDefinition"],
            "rollout_needed": target.rollout_needed,
            "registered": target.same is None,
            "images": target.images,
            "differences": list(target.changes),
            "deployment_id": "",
        }

    @property
    def nothing_to_do(self) -> bool:
        return not self.unfinished and not any(target.rollout_needed for target in self.targets)

    def run(self) -> dict:
        """Returns the result; raises ReleaseFailed or CallFailed, after which `result` tells what is known."""
        records = self.ledger.lazily()
        if self.check_mode or self._may_run_already(records):
            self.plan(records)
            if not self.nothing_to_do:
                self._refuse_half_a_migration(self.records)
            if self.check_mode:
                return self._predict()
            if self.nothing_to_do:
                return self._confirm()
        reason = f"{'rollback' if self.goal else 'deploy'} {commits.short(self.result['release'])}"
        frame = {"wait": self.params["lock"]["wait"], "say": self.say, "warn": self.warnings.append}
        with interruptible(), self.lock.running(reason, self.params["operator"], **frame):
            # Somebody else may have released since: what was read before the lock decides no write.
            self.plan()
            if self.nothing_to_do:
                return self._confirm()
            self._warn_of_unknown_migrations()
            # All of them before anything is done: one that is damaged is told now.
            self.records = list(self.records)
            return self._release()

    def _may_run_already(self, records: Sequence[ReleaseRecord]) -> bool:
        """Whether it is worth the calls to find out without the lock if there is anything to do: not where the newest record is of another commit."""
        release = (self.params["release"] or "").lower()
        return not records or not commits.is_whole(release) or records[0].release == release

    def _must_be_on(self) -> None:
        """The preflight says so too, but what runs already has none: in a stopped environment all services are stable, at 0."""
        where = self.params["preflight"]
        if where.get("gates_bucket") and where.get("journal_key"):
            off = power_state.why_not_on(power_state.read(self.call, {**where, "bucket": where["gates_bucket"]}))
            if off:
                raise ReleaseFailed(f"{off} Nothing was changed.")

    def _predict(self) -> dict:
        if not self.nothing_to_do:
            self._warn_of_unknown_migrations()
        migrates = bool(self.params["migration"]) and any(target.rollout_needed for target in self.targets) and not self.goal
        would = [f"Would change {target.name}: {', '.join(target.changes) or 'nothing of it'}" for target in self.targets if target.rollout_needed]
        if migrates:
            would.insert(0, f"Would run {' '.join(self.params['migration']['command'])} with the new revision of {self.params['migration']['service']} first")
        return {**self.result, "changed": not self.nothing_to_do, "outcome": "predicted", "would": would, "would_migrate": migrates}

    def _confirm(self) -> dict:
        """It runs already: see that it does so well. Nothing is written."""
        self._must_be_on()
        rollout = self._new_rollout({})
        rollout.resolve({target.name: target.service for target in self.targets})
        failed = rollout.wait(list(rollout.items))
        if failed:
            raise ReleaseFailed(
                f"{commits.short(self.result['release'])} is what the services have, but they are unhealthy. " + " ".join(f"{r}." for r in failed.values())
            )
        health = self._health()
        if not health["healthy"]:
            raise ReleaseFailed(f"{commits.short(self.result['release'])} already runs, but {self._health_words(health)}.")
        return {**self.result, "outcome": "nothing_to_do", "duration_seconds": self._took()}

    # --- Doing it -----------------------------------------------------------------------------------------------------
    def _release(self) -> dict:
        try:
            self._settle_unfinished()
            self._refuse_half_a_migration(self.records)
            self._preflight()
            self._prepare()
            self._migrate()
            self._roll_out()
            self._read_last_lines()
        except ReleaseFailed as failed:
            self._end(failed.outcome, str(failed))
            self._read_last_lines()
            raise
        except Interrupted as interrupted:
            left = self.rollout.left_behind() if self.rollout else "No service was changed. Run the playbook again."
            self._end(release_record.INTERRUPTED, f"{interrupted} {left}")
            raise ReleaseFailed(f"{interrupted} {left}", release_record.INTERRUPTED) from interrupted
        except CallFailed as lost_sight:
            if self.record is None:
                raise
            # Not `failed`: what became of it is not known, and the next run has to find out.
            self._end(release_record.INTERRUPTED, str(lost_sight))
            raise ReleaseFailed(
                f"{lost_sight} {self.rollout.left_behind() if self.rollout else 'No service was changed.'}", release_record.INTERRUPTED
            ) from lost_sight
        self._end(release_record.SUCCEEDED, "")
        self._protect()
        return {**self.result, "changed": True, "outcome": release_record.SUCCEEDED, "duration_seconds": self._took()}

    def _settle_unfinished(self) -> None:
        """Deals with a release whose run died: its task is waited for, its record closed, and what it had to go back to is kept."""
        found = self.unfinished
        if not found:
            return
        at = found.step.replace("_", " ")
        self.say(f"The release {found.id} of {found.operator} was interrupted while {at}; this one takes over from it.")
        settled = replace(found, migration=self._settled_migration(found))
        self.look = Look(self.call)  # that may have taken long
        if found.outcome == release_record.RUNNING:
            settled = release_record.ended(settled, release_record.INTERRUPTED, f"its run ended without a word while {at}")
        if settled != found:
            self.ledger.save(settled)
        self._refuse_half_a_migration([settled])

    def _settled_migration(self, found: ReleaseRecord) -> Migration:
        """What became of the migration of a release that was interrupted, as far as ECS still knows; one that still runs is waited for."""
        migration = found.migration
        if migration.outcome != "running":
            return migration
        arns = task_run.left_by(self.call, self.cluster, self._started_by(found.id))
        if not arns:
            self.say("The outcome of its migration is not known: ECS knows no task of it (any more).")
            return replace(migration, outcome=ledger.UNKNOWN)
        self.say(f"Its migration is the task {arns[0].rsplit('/', 1)[-1]}; waiting for its end: two at once could harm the schema.")
        task = described_task(self.call, self.cluster, arns[0])
        ended = self._migration_run(describe_task_definition(self.call, task["taskDefinitionArn"]), arns[0]).finish()[1]
        codes = [ended["exit_codes"].get(name) for name in ecs_task.commanded(task)]
        return replace(migration, outcome=ended["outcome"], task_arn=arns[0], exit_code=codes[0] if codes else None)

    def _refuse_half_a_migration(self, records: Sequence[ReleaseRecord]) -> None:
        """A migration that was stopped from outside may have done half of it: whether it can run again, a person has to say."""
        last = next((record for record in records if record.migration.outcome not in ("not_needed", "running", ledger.UNKNOWN)), None)
        options = self.params["migration"]
        if self.goal or not options or options["repeat_incomplete"] or not last or last.migration.outcome != ecs_task.INCOMPLETE:
            return
        raise ReleaseFailed(
            f"The migration of release {last.id} was stopped from outside on its way (task {last.migration.task_arn.rsplit('/', 1)[-1]}) and may have "
            "done part of its work. No service was changed. Check the database; if the migration can run again as it is, run this with "
            "-e deploy_repeat_migration=true"
        )

    def _preflight(self) -> None:
        paths = {service["name"]: service["health_path"] for service in self.params["services"]}
        request = {
            **self.params["preflight"],
            "name": self.params["name"],
            "cluster": self.cluster,
            "services": [
                {"name": t.name, "images": t.images, "health_path": paths.get(t.name), **({"task_definition": t.arn} if t.same else {})} for t in self.targets
            ],
            "rollout_timeout": self.params["wait_timeout"],
            "ca_bundles": bool(self.params.get("ca_bundles")),
            # That the lock is held was proved when it was taken, and is proved again and again.
            "lock_held": True,
        }
        verdict = preflight.preflight(self.look, request)
        self.result["preflight"] = verdict
        for finding in verdict["findings"]:
            if finding["status"] == "warning":
                self.warnings.append(f"{finding['subject']}: {finding['says']} {finding['remedy']}".strip())
        if verdict["failed"]:
            raise ReleaseFailed("\n".join([*preflight.verdict_lines(verdict), "Nothing was changed."]))
        self.say(f"preflight: {len(verdict['findings'])} checks, {verdict['warnings']} warnings")

    def _prepare(self) -> None:
        each(lambda target: target.register(self.call, self.result["release"], self.params["tags"]), self.targets)
        self.warnings.extend(warning for target in self.targets for warning in target.warnings())
        self.result["services"] = [{**self._entry(target), "rollout_needed": target.rollout_needed} for target in self.targets]
        begun = release_record.new_record(environment=self.params["name"], release=self.result["release"], operator=self.params["operator"], host=this_host())
        record = replace(
            begun,
            kind=ROLLBACK if self.goal else begun.kind,
            images={container: image for target in self.targets for container, image in target.images.items()},
            services=[
                Service(
                    name=target.name,
                    task_definition=target.arn,
                    desired_count=target.service["desiredCount"],
                    previous=release_targets.come_back_to(target, self.unfinished),
                )
                for target in self.targets
            ],
            schema=self._schema(),
            secrets=self._secret_versions(),
            build=self._build(),
        )
        self.record = self.ledger.create(record)
        self.result["release_id"] = record.id
        self.result["changed"] = True

    def _schema(self) -> str:
        """Which migrations the release knows; for one that was not built here, as its commit's earlier record says."""
        if self.goal:
            return self.goal.schema
        return self.params["schema"] or next((r.schema for r in self.records if r.release == self.result["release"] and r.schema), "")

    def _warn_of_unknown_migrations(self) -> None:
        """Said when there is time to do something about it, not only when somebody has to go back."""
        source = self.params.get("migration_source")
        if self.goal or not source or not self.params["migration"] or self._schema():
            return
        commit = commits.short(self.result["release"])
        built = (self.params.get("build") or {}).get("from")
        why = f"the commit {commit} has no {source} (atena_migration_source)" if built else f"no release of {commit} that was built here is recorded"
        self.warnings.append(
            f"Which migrations this release has is not known: {why}. A rollback to it, or to one before it, cannot determine whether a migration is "
            f"in its way, and "
            "is refused until somebody says -e rollback_over_migration=true. "
            + (
                "Set atena_migration_source to the directory of the migrations in the application's repository; empty, nothing is compared, or said."
                if built
                else "deploy.yml without `release`, in the application's repository, looks."
            )
        )

    def _build(self) -> Build:
        """What its images were built from; for one that was not built here, as its commit's earlier record says."""
        if self.goal:
            return self.goal.build
        given = Build.of(self.params.get("build") or {})
        earlier = (r.build for r in self.records if r.release == self.result["release"] and r.build.source)
        return given if given.source else next(earlier, Build())

    def _secret_versions(self) -> dict:
        path = self.params["preflight"].get("ssm_path")
        if not path:
            return {}
        return {parameter["Name"].rsplit("/", 1)[-1]: parameter["Version"] for parameter in parameters_below(self.call, path, decrypted=False)}

    def _started_by(self, identity: str) -> str:
        return f"atena-aws/{identity}"

    def _migrate(self) -> None:
        options = self.params["migration"]
        target = next((t for t in self.targets if options and t.name == options["service"]), None)
        if self.goal or target is None or not any(t.rollout_needed for t in self.targets):
            return
        definition, arguments = task_run.plan_run(
            self.call,
            {
                "cluster": self.cluster,
                "known": (target.service, target.definition),
                "container_overrides": [{"name": options["container"], "command": options["command"]}],
                "started_by": self._started_by(self.written.id),
                "client_token": self.written.id,
            },
        )
        self._save(step="migrating", migration=replace(self.written.migration, outcome="running"))
        began, arn = time.monotonic(), ""
        try:
            arn = self._start_migration(arguments)
            ended = self._follow_migration(definition, arn)
        except task_run.NotStarted as refused:
            # Anything else that goes wrong here leaves open what became of the task: then the release is interrupted, not failed.
            ended = {"outcome": ecs_task.FAILED, "reason": str(refused), "logs": {}, "exit_codes": {}, "beside": ""}
        migration = Migration(
            outcome=ended["outcome"],
            task_arn=arn,
            exit_code=ended["exit_codes"].get(options["container"]),
            duration_seconds=round(time.monotonic() - began, 1),
        )
        self.result["migration"] = {**migration.as_dict(), "reason": ended["reason"], "logs": ended["logs"].get(options["container"], [])}
        succeeded = ended["outcome"] == ecs_task.SUCCEEDED
        self._save(migration=migration, **({"step": "migrated"} if succeeded else {}))
        if ended["beside"]:
            self.warnings.append(f"Of the migration's task, in addition to its containers that decide: {ended['beside']}.")
        if not succeeded:
            words = task_run.failure_text(arn, ended) if arn else ended["reason"]
            how = "was stopped on its way" if ended["outcome"] == ecs_task.INCOMPLETE else "failed"
            failure = Failure(f"The migration {how}, so no service was changed.", words.splitlines())
            raise ReleaseFailed(explain(failure, self._evidence([arn] if arn else [])))

    def _start_migration(self, arguments: dict) -> str:
        options = self.params["migration"]
        say = self.tell or (lambda text: None)
        return task_run.start(self.call, arguments, patience=options["timeout"], delay=self.params["wait_delay"], say=say, guard=self.lock.check)

    def _migration_run(self, definition: dict, arn: str, say: Say | None = None) -> task_run.TaskRun:
        timeout = (self.params["migration"] or {}).get("timeout", 900)
        options = {"wait_timeout": timeout, "wait_delay": self.params["wait_delay"], "say": say, "guard": self.lock.check}
        return task_run.TaskRun(self.call, task_run.Started(self.cluster, definition, arn), **options)

    def _follow_migration(self, definition: dict, arn: str) -> dict[str, Any]:
        """What became of this release's migration, when it has ended. How it did tell its exit codes: the last lines of one that succeeded may come later."""
        run = self._migration_run(definition, arn, self.tell)
        task, timed_out = run.wait_for_end()
        succeeded, ended = run.result(task, timed_out)
        if succeeded:
            self.last_lines = task_run.LastLines(run, task)
            return ended
        run.drain(task)
        return run.result(task, timed_out)[1]

    def _read_last_lines(self) -> None:
        """Completes the migration's log in the result."""
        if self.last_lines:
            options = self.params["migration"]
            self.result["migration"]["logs"] = self.last_lines.all().get(options["container"], [])

    # --- Rolling out, and back ----------------------------------------------------------------------------------------
    def _new_rollout(self, previous: dict) -> RolloutRun:
        given = {item["name"]: {key: item[key] for key in ("initial_count", "stable_seconds")} for item in self.params["services"]}
        items = [
            {"name": t.name, "task_definition": t.arn, "previous": previous.get(t.name), "known": (t.definition, t.running), **given[t.name]}
            for t in self.targets
        ]
        options = {name: self.params[name] for name in ("wait_timeout", "wait_delay", "log_lines")}
        return RolloutRun(self.call, self.cluster, items, say=self.tell, guard=self.lock.check if previous else None, **options)

    def _roll_out(self) -> None:
        rollout = self.rollout = self._new_rollout({entry.name: entry.previous.as_dict() if entry.previous else None for entry in self.written.services})
        rollout.read()
        counts = {entry["name"]: entry["desired_count"] for entry in rollout.entries()}
        self._save(step="rolling_out", services=[replace(entry, desired_count=counts[entry.name]) for entry in self.written.services])
        failed = rollout.roll_out()
        for entry in self.result["services"]:
            entry["deployment_id"] = rollout.deployments.get(entry["name"], "")
        words = ""
        if not failed:
            health = self._health()
            if health["healthy"]:
                return
            words = f"All services were stable on {commits.short(self.result['release'])}, but {self._health_words(health)}."
        evidence = rollout.evidence(failed or rollout.items)
        found = self._evidence([task["task_arn"] for tasks in evidence.values() for task in tasks if task.get("task_arn")])
        self._save(step="reverting")
        if words:  # of a deployment that failed it was shown as it failed
            self.say(words)
        lost = rollout.revert()
        # What somebody else deployed meanwhile is theirs: it stays, and the release is not simply taken back.
        taken = rollout.taken
        lost = {**{name: failed.get(name, "") for name in taken}, **lost}
        reverted = [name for name in rollout.items if name not in lost]
        self._save(reverted=reverted, not_reverted=sorted(lost))
        self.result.update(reverted=reverted, not_reverted=sorted(lost), failed_tasks=evidence, taken_over=taken)
        failure = explain(failure_of(failed or {"health": words}, evidence if failed else {}, reverted, lost, taken), found)
        raise ReleaseFailed(failure, release_record.INTERRUPTED if taken else release_record.FAILED)

    def _health(self) -> dict:
        self.application = Application(self.params["health"], lambda: describe_load_balancer(self.call, resource_names.load_balancer(self.params["name"])))
        self.result["address"] = self.application.address
        begins = {item["name"]: item["initial_count"] for item in self.params["services"]}
        idle = [target.name for target in self.targets if not (begins[target.name] if target.is_first else target.service["desiredCount"])]
        if not self.result["address"] or len(idle) == len(self.targets):
            return dict(NOBODY)
        health = self.application.ask(self.say, hide=self._without_secrets, idle=idle)
        self.result["health"] = health if health["attempts"] else None
        return health

    def _without_secrets(self, text: str) -> str:
        """What an application that is not well says of itself. The environment's secrets are read when it first says something."""
        if self._redactor is None:
            self._redactor = redactor_of(self.call, self.params["preflight"].get("ssm_path"))[0]
        return self._redactor.text(text)

    def _health_words(self, health: dict) -> str:
        return self.application.words(health)

    # --- The record ---------------------------------------------------------------------------------------------------
    @property
    def written(self) -> ReleaseRecord:
        """The record, which is there once the release is prepared."""
        if self.record is None:
            raise ValueError("a release is recorded before it does anything")
        return self.record

    def _save(self, **changes: Any) -> None:
        self.record = self.ledger.save(replace(self.written, **changes))

    def _end(self, outcome: str, reason: str) -> None:
        """Writes the end into the record. Where that cannot be written, the record stays `running`, which the next run reads as interrupted."""
        self.result.update(outcome=outcome, duration_seconds=self._took())
        if self.record is None:
            return
        try:
            self.record = self.ledger.save(release_record.ended(self.record, outcome, reason.splitlines()[0] if reason else ""))
        except CallFailed as failed:
            self.warnings.append(f"The ledger could not be brought up to date: {failed}")

    def _evidence(self, tasks: list[str]) -> Evidence:
        """Diagnoses before AWS forgets."""
        found = gather_evidence(self.call, self.params, self.cluster, self.written, tasks)
        self.result.update(evidence=found.path, findings=found.causes, code=found.causes[0]["code"] if found.causes else "")
        self.record = replace(self.written, evidence=found.key)
        return found

    def _protect(self) -> None:
        """The images of the last releases get the tag that protects them. A failure here says so, but the release has succeeded."""
        try:
            ecr_tags.keep(self.call, ledger.kept([self.written, *(r for r in self.records if r.id != self.written.id)], self.params["kept_releases"]))
        except CallFailed as failed:
            self.warnings.append(f"The images of the last releases could not be protected from prune: {failed}")

    def _took(self) -> float:
        return round(time.monotonic() - self.begin, 1)
