# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a stop and a start have in common: look, decide, lock, journal, end. The order of the steps is in power.stop and power.start."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller, Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, told
from ansible_collections.atena.aws.plugins.module_utils.core.health import Application
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import Interrupted, interruptible
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Module, Say
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor
from ansible_collections.atena.aws.plugins.module_utils.ecs.known_secrets import redactor_of
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.branches import Branches
from ansible_collections.atena.aws.plugins.module_utils.environment.gates import Gates
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import Lock, LockLost, this_host
from ansible_collections.atena.aws.plugins.module_utils.power import read as power_read, terraform as power_terraform, text as power_text
from ansible_collections.atena.aws.plugins.module_utils.power.database import Database
from ansible_collections.atena.aws.plugins.module_utils.redis.read import Patience
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import Terraform, executable_path

# Clients that threads need are made one after the other before, each the first time that one is asked for.
_CLIENTS = ("s3", "ecs", "rds", "elasticache", "elbv2", "ec2", "dynamodb", "application-autoscaling")


class PowerFailed(Exception):
    """The stop or start did not get to its end; its text is what the user reads."""


class PowerRun:
    """One run. `params` are environment_power's options; `result` grows as it goes, so that a failure returns what was known."""

    WANTED, GOING, VERB, PLAYBOOK, OPPOSITE = "", "", "", "", ""
    # Whether Terraform has a part in it.
    PLANS = True
    _redactor: Redactor | None = None

    def __init__(self, call: Aws, params: dict, *, say: Say | None = None, check_mode: bool = False) -> None:
        self.call, self.params, self.check_mode = call, params, check_mode
        self.tell = say  # None if nobody listens
        self.say = say or (lambda text: None)
        self.cluster = params["cluster"] = params["cluster"] or resource_names.cluster(params["name"])
        storage, lock = params["storage"], params["lock"]
        self.lock = Lock(call, lock["table"], lock["name"], expires_in=lock["expires_in"])
        self.gates = Gates(call, storage["bucket"], storage["gates_key"])
        self.journal = power_journal.Journal(call, storage["bucket"], storage["journal_key"])
        terraform = Terraform(params["terraform"]["executable"], params["terraform"]["project_path"], on_line=power_terraform.teller(say))
        self.branches = Branches(self.lock.check, terraform.interrupt)
        self.terraform = power_terraform.PowerTerraform(
            *(terraform, power_terraform.StateLock(call, lock["table"], storage["bucket"], storage["state_key"]), self.journal),
            branches=self.branches,
            say=self.say,
            operation=f"{self.VERB} of {params['name']} by {params['operator']}",
            limits=power_terraform.Limits(params["terraform"]["lock_timeout"], params["terraform"]["parallelism"]),
        )
        timeouts = params["timeouts"]
        self.database = Database(call, params["database_id"], branches=self.branches, say=self.say, timeout=timeouts["database"], delay=params["wait_delay"])
        self.seen: dict[str, Any] = {}
        self.steps: list[dict] = []
        self.begin = time.monotonic()
        self.warnings: list[str] = []
        self.result: dict[str, Any] = {"changed": False, "outcome": "", "name": params["name"], "wanted": self.WANTED, "lines": []}

    @property
    def redis_patience(self) -> Patience:
        """A new one for each function that touches Redis: its time begins with it."""
        return Patience(self.params["timeouts"]["redis"], self.params["wait_delay"], self._say_redis, self.branches.guard)

    def _say_redis(self, text: str) -> None:
        self.say(f"redis: {text}")

    # --- The frame ----------------------------------------------------------------------------------------------------
    def look(self) -> None:
        """Reads how everything stands and decides what is left to do; writes nothing."""
        for name in _CLIENTS:
            self.call.client(name)
        self.seen = power_read.observe(self.call, self.params, self.gates, self.journal)
        self.steps = self.remaining()
        self.result["diff"] = self.diff()

    def remaining(self) -> list[dict]:
        """[{"step", "says"}] that are left to do, in order."""
        raise NotImplementedError

    def after(self) -> Any:
        """What is to be, as this run's `diff` takes it: power_text.picture's arguments."""
        raise NotImplementedError

    def diff(self) -> dict:
        return power_text.diff(self.seen, self.after() if self.steps else None)

    def refuse(self) -> None:
        """Raises PowerFailed if what was seen must not be done. Nothing was changed then."""

    def work(self) -> None:
        raise NotImplementedError

    def needs(self, *steps: str) -> bool:
        return any(entry["step"] in steps for entry in self.steps)

    def run(self) -> dict:
        """Returns the result; raises PowerFailed or CallFailed, after which `result` tells what is known."""
        if self.check_mode and self.PLANS:
            self.terraform.refuse_unrecorded()
        elif self.PLANS:
            self.terraform.mend_digest()
        self.look()
        if self.check_mode:
            return self.predict()
        if not self.steps:
            return self._nothing()
        self.refuse()
        frame = {"wait": self.params["lock"]["wait"], "say": self.say, "warn": self.warnings.append, "on_lost": self.branches.end}
        with interruptible(), self.lock.running(self.VERB, self.params["operator"], **frame):
            # Somebody else may have changed something since: what was read before the lock decides no write.
            self.look()
            self.refuse()
            if not self.steps:
                return self._nothing()
            self._work()
        return {**self.result, "changed": True, "outcome": self.WANTED, "duration_seconds": self._took()}

    def predict(self) -> dict:
        would = [entry["says"] for entry in self.steps]
        return {**self.result, "changed": bool(self.steps), "outcome": "predicted", "would": would}

    def _nothing(self) -> dict:
        return {**self.result, "outcome": "nothing_to_do", "duration_seconds": self._took()}

    def _work(self) -> None:
        try:
            self.work()
        except Interrupted as interrupted:
            self.branches.end()
            self._settle()
            raise PowerFailed(f"{self._unrecorded()}{interrupted} {self._left()}") from interrupted
        except CallFailed as failed:
            if not isinstance(failed, LockLost):  # the journal is another run's then
                self._settle()
            raise PowerFailed(f"{self._unrecorded()}{failed}\n{self._left()}") from failed
        finally:
            self.warnings += self.terraform.warnings
            self.result["duration_seconds"] = self._took()
            self.result["steps"] = (self.journal.record or {}).get("steps", [])

    def _settle(self) -> None:
        with contextlib.suppress(CallFailed):  # what it failed for matters more
            self.journal.settle()

    def _unrecorded(self) -> str:
        return f"{self.terraform.unrecorded}\n" if self.terraform.unrecorded else ""

    def _left(self) -> str:
        """What a run that ends now leaves, in a sentence."""
        record = self.journal.record or {}
        done = [step["step"] for step in record.get("steps", []) if step["outcome"] == power_journal.DONE]
        safe = "Run" if self.terraform.unrecorded else "Nothing is lost: run"
        return (
            f"The {self.VERB} is incomplete (done and recorded: {', '.join(dict.fromkeys(done)) or 'nothing'}). {safe} {self.PLAYBOOK} "
            f"again and it resumes from there{self._or_else()}."
        )

    def _or_else(self) -> str:
        """What else may be done than to go on, as the end of that sentence."""
        return f", or {self.OPPOSITE} to reverse it"

    def _took(self) -> float:
        return round(time.monotonic() - self.begin, 1)

    def ask(self, application: Application, idle: Collection[str] = ()) -> None:
        """The application itself, if it has an address, whether it is well (health.Application): the last step of what starts its tasks. idle: services
        that run none."""
        if not application.address:
            return
        with self.journal.step("health", leads_on=True) as step:
            found = self.result["health"] = application.ask(self.say, sleep=self.branches.sleep, hide=self._without_secrets, idle=idle)
            step.says = f"{found['status']} {found['content']}"
            if not found["healthy"]:
                raise CallFailed(f"All services are stable, but {application.words(found)}. diagnose.yml shows more.")

    def _without_secrets(self, text: str) -> str:
        """What an application that is not well says of itself, which goes on record too. Its secrets are read when it first says something."""
        if self._redactor is None:
            parameter = self.params.get("redis_url_parameter") or self.params.get("database_url_parameter") or ""
            self._redactor, unknown = redactor_of(self.call, parameter.rpartition("/")[0])
            self.warnings += [unknown] if unknown else []
        return self._redactor.text(text)

    # --- The journal --------------------------------------------------------------------------------------------------
    def begin_record(self, **changes: Any) -> dict[str, Any]:
        """Writes that this begins."""
        record = self.journal.record or power_journal.new(self.params["name"])
        record = power_journal.begun(record, self.GOING, self.params["operator"], this_host())
        self.result["changed"] = True
        return self.journal.save({**record, **changes})

    def end_record(self, state: str) -> None:
        self.journal.save(power_journal.ended(self.journal.held, state))

    def note(self, text: str) -> None:
        """For the journal, and a warning for the person."""
        self.warnings.append(text)
        self.journal.note(text)

    def take_in_orphans(self) -> None:
        """What an apply of a killed run had made is in AWS, but not in the state: it is imported, or the next apply would fail over it."""
        if self.journal.held.get("unsettled"):
            self.terraform.take_in(self.orphans(self.terraform.state()))

    def orphans(self, known: set[str]) -> list[tuple[str, str]]:
        """[(address, id)] of what the power gate switches and is in AWS, but not in the state. known: the addresses in it."""
        parts = power_read.power_parts(self.call, self.params["name"])
        parts["record"] = power_read.alias_of(self.call, self.params["domain"], parts["load_balancer"])
        return power_terraform.missing_from_state(known, parts, self.params["name"])

    def wait_for(self, what: Callable[[], list[str]], late: Callable[[list[str]], str], seconds: float = 600) -> None:
        """Looks until `what()` has no reason left to wait for."""
        deadline, told = Deadline(seconds), None
        while reasons := what():
            self.branches.guard()
            if deadline.passed:
                raise CallFailed(late(reasons))
            if reasons != told:
                told = reasons
                self.say(f"waiting: {'; '.join(reasons)}")
            self.branches.sleep(pace(deadline.elapsed, self.params["wait_delay"]))

    @property
    def costs(self) -> dict:
        return self.params["costs"]

    def saving(self) -> list[str]:
        return power_text.saving(self.costs)


# --- The module around it ---------------------------------------------------------------------------------------------
def find_terraform(module: Module) -> None:
    """Puts Terraform's path into the options; fails where it, or its working copy, is not there."""
    options = module.params["terraform"]
    executable = executable_path(options["executable"])
    if executable is None:
        module.fail_json(
            msg=f"There is no '{options['executable']}' in PATH. Nothing was changed. Install Terraform 1.7 or newer from "
            "https://developer.hashicorp.com/terraform/install, or name it with infra_terraform_executable."
        )
    if not os.path.isdir(options["project_path"]):
        module.fail_json(msg=f"The working copy {options['project_path']} does not exist. infra.yml makes it.")
    options["executable"] = executable


def run_module(module: Module, kind: type[PowerRun], summary: Callable[[dict[str, Any]], list[str]]) -> None:
    """Makes a run of this kind, runs it, and ends the module with its result. summary(result): lines for people."""
    progress = Progress(module.params["progress_file"])
    power = kind(Caller(module), module.params, say=progress.say if progress.heard else None, check_mode=module.check_mode)
    problem = None
    try:
        power.result = power.run()
    except (PowerFailed, CallFailed, Interrupted) as failed:
        problem = told(failed)
    for warning in power.warnings:
        module.warn(warning)
    changes = power.result.pop("diff", None)
    if module._diff and changes:
        power.result["diff"] = changes
    if problem:
        module.fail_json(**{**problem, **power.result, "outcome": "failed"})
    module.exit_json(**power.result, summary=summary(power.result))
