# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One rotation of secrets: the old values marked, the new ones written, new tasks of the services that read them; and back if those are not well.

What is done with each secret is decided in rotation.plan. rotation.database puts its own steps around these.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, told
from ansible_collections.atena.aws.plugins.module_utils.core.health import HEALTH_OPTIONS, Application
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import Interrupted, interruptible
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Module, Say
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_services
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import failure_text
from ansible_collections.atena.aws.plugins.module_utils.environment import rotation_record, state as power_state
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import LOCK_OPTIONS, Lock, NoLock, holding, iso, this_host
from ansible_collections.atena.aws.plugins.module_utils.environment.read import describe_load_balancer
from ansible_collections.atena.aws.plugins.module_utils.rotation import plan as secret_rotation, readers as secret_readers
from ansible_collections.atena.aws.plugins.module_utils.rotation.plan import FORGET, LABEL, WRITE
from ansible_collections.atena.aws.plugins.module_utils.rotation.rollout import SecretRollout
from ansible_collections.atena.aws.plugins.module_utils.secrets import plan as secret_plan, store as parameter_store

# Options of every module that rotates. Their documentation is the fragment atena.aws.rotation.
ROTATION_OPTIONS = {
    "name": {"type": "str", "required": True},
    "path": {"type": "str", "required": True},
    "services": {"type": "list", "elements": "str", "required": True},
    "power": power_state.POWER_OPTIONS,
    "record": {
        "type": "dict",
        "options": {"bucket": {"type": "str", "required": True}, "key": {"type": "str", "required": True, "no_log": False}},
        "required": True,
    },
    "operator": {"type": "str", "default": ""},
    "health": {
        "type": "dict",
        "options": HEALTH_OPTIONS,
    },
    "wait_timeout": {"type": "int", "default": 900},
    "wait_delay": {"type": "int", "default": 3},
    "stable_seconds": {"type": "int", "default": 0},
    "log_lines": {"type": "int", "default": 20},
    "progress_file": {"type": "path"},
    "lock": LOCK_OPTIONS,
}


class RotationFailed(Exception):
    """The rotation did not succeed; its text is what the user reads, `outcome` what the record says."""

    def __init__(self, message: str, outcome: str = rotation_record.FAILED) -> None:
        super().__init__(message)
        self.outcome = outcome


class Rotation:
    """One run. `params` are the module's options; `result` grows as it goes, so that a failure returns what was known."""

    kind = "secrets"
    when_off = "Only new tasks show whether a new value is a good one; to write it all the same, without a way back: secrets_action=set."

    def __init__(self, call: Aws, params: dict[str, Any], lock: Lock | NoLock, *, say: Say | None = None, check_mode: bool = False) -> None:
        self.call, self.params, self.lock, self.check_mode = call, params, lock, check_mode
        self.cluster, self.path = resource_names.cluster(params["name"]), params["path"]
        self.listened = say
        self._known: list[str] = []
        self.redactor = Redactor([])
        self.found: dict[str, secret_rotation.Standing] = {}
        self.decided: dict[str, str] = {}
        self.left: dict[str, int] = {}
        self.kept: dict[str, parameter_store.Kept] = {}
        self.services: dict[str, str] = {}
        self.idle: list[str] = []
        self.record = rotation_record.RotationRecord(call, params["record"]["bucket"], params["record"]["key"])
        self.recorded, self.begin = False, time.monotonic()
        self.rollout: SecretRollout | None = None
        self.result: dict[str, Any] = {"changed": False, "outcome": "", "secrets": [], "services": [], "lines": []}

    def say(self, text: str) -> None:
        if self.listened:
            self.listened(self.redactor.text(text))

    # --- What is to be done -------------------------------------------------------------------------------------------
    def wanted(self) -> dict[str, str]:
        """{name: new value} of what shall be rotated."""
        return self.params["values"]

    def names(self) -> list[str]:
        return self.params["names"]

    def read(self) -> None:
        """Reads the secrets and the services, decides, and refuses what cannot be done; writes nothing."""
        histories = {name: parameter_store.history(self.call, self.path, name) for name in self.names()}
        found = {name: secret_rotation.standing(history) for name, history in histories.items()}
        self.found = {name: now for name, now in found.items() if now}
        self.know(value for now in self.found.values() for value in (now.value, now.before))
        self.know(self.wanted().values())
        wrong = secret_rotation.problems(self.names(), found, self.wanted(), self.params["placeholder"])
        if wrong:
            raise CallFailed(f"Nothing was changed: {'; '.join(wrong)}.")
        self.left = self._older(histories)
        self.result["left"] = list(self.left)
        self.decided = secret_rotation.actions(self.found, {name: value for name, value in self.wanted().items() if name not in self.left})
        self.keep()
        self._find_services()

    def _older(self, histories: dict) -> dict[str, int]:
        """{name: version} of given values that were there before and were changed since, where nobody named them: of a file that is older than the change."""
        named = self.params.get("named")
        if named is None:
            return {}
        found = {
            name: secret_plan.superseded(histories.get(name, []), value, self.params["placeholder"])
            for name, value in self.wanted().items()
            if name not in named
        }
        return {name: version for name, version in found.items() if version is not None}

    def keep(self) -> None:
        """What the new values leave of the parameters; asked before anything is written."""
        self.kept = parameter_store.kept(self.call, [f"{self.path}/{name}" for name in self.moved])

    def know(self, values: Iterable[object]) -> None:
        """Values that no line may show."""
        self._known += [value for value in values if isinstance(value, str)]
        self.redactor = Redactor(self._known)

    @property
    def moved(self) -> list[str]:
        """Names of the secrets whose value the services have to take up."""
        return [name for name, action in self.decided.items() if action != FORGET]

    def _find_services(self) -> None:
        readers = secret_readers.read(self.call, self.cluster, self.params["services"], self.path)
        names = secret_rotation.readers_of(self.moved, readers)
        described = describe_services(self.call, self.cluster, names) if names else {}
        self.services = {name: described[name]["taskDefinition"] for name in names if described[name]["desiredCount"] > 0}
        self.idle = [name for name in names if name not in self.services]
        self.result.update(services=list(self.services), secrets=self._entries())

    def _entries(self) -> list[dict]:
        return [
            {"name": name, "action": self.decided.get(name, "nothing"), "version": now.version, "previous_version": now.before_version or now.version}
            for name, now in self.found.items()
        ]

    def lines(self, would: bool) -> list[str]:
        told_of = [secret_plan.left_line(name, version, self.found[name].version) for name, version in self.left.items()]
        if self.left and not self.decided:
            return told_of
        return secret_rotation.lines(self.decided, self.found, list(self.services), self.idle, would) + told_of

    def diff(self) -> list[dict]:
        return [{"before": f"{name}: set\n", "after": f"{name}: set (another value)\n"} for name, action in self.decided.items() if action == WRITE]

    def must_be_on(self) -> None:
        off = power_state.why_not_on(power_state.read(self.call, self.params["power"]))
        if off:
            raise CallFailed(f"{off} Nothing was changed. {self.when_off}")

    def run(self) -> dict[str, Any]:
        self.read()
        if not self.decided:
            return {**self.result, "outcome": "nothing_to_do", "lines": self.lines(False)}
        self.result.update(changed=True, diff=self.diff())
        self.must_be_on()
        if self.check_mode:
            return {**self.result, "outcome": "predicted", "lines": self.lines(True)}
        with interruptible():
            return self._rotate()

    # --- Doing it -----------------------------------------------------------------------------------------------------
    def _rotate(self) -> dict[str, Any]:
        said = self.lines(False)
        self._begin()
        try:
            self.change()
            self._take_up()
            self.settle()
        except RotationFailed as failed:
            self._end(failed.outcome, str(failed))
            raise
        except Interrupted as interrupted:
            raise self._left(str(interrupted)) from interrupted
        except CallFailed as lost_sight:
            raise self._left(str(lost_sight)) from lost_sight
        self._end(rotation_record.SUCCEEDED, "")
        return {**self.result, "outcome": rotation_record.SUCCEEDED, "lines": [self.redactor.text(line) for line in said], "duration_seconds": self.took}

    def _left(self, why: str) -> RotationFailed:
        """What a run that ends here leaves: the label tells the next one."""
        text = (
            f"{why} The rotation is incomplete. The value that the services had is kept in Parameter Store (label {LABEL}). Run the same playbook again: "
            "it resumes from there, and still rolls back to that value if the new tasks fail their health checks."
        )
        self.say(text)
        self._end(rotation_record.INTERRUPTED, why)
        return RotationFailed(self.redactor.text(text), rotation_record.INTERRUPTED)

    def change(self) -> None:
        """The old versions are marked before anything is written; what a dead run marked stays marked, however often it is tried again."""
        for name, action in self.decided.items():
            self.lock.check()
            now = self.found[name]
            if action == WRITE:
                if now.before_version is None:
                    parameter_store.label(self.call, self.path, name, now.version, LABEL)
                    self.found[name] = now._replace(before=now.value, before_version=now.version)
                self.write(name, self.wanted()[name])
            elif action == FORGET and now.before_version is not None:
                parameter_store.unlabel(self.call, self.path, name, now.before_version, LABEL)

    def write(self, name: str, value: str) -> None:
        version = parameter_store.update(self.call, self.path, name, value, self.kept.get(f"{self.path}/{name}"))
        self.found[name] = self.found[name]._replace(value=value, version=version)
        self.say(f"{name}: version {version} written")

    def _take_up(self) -> None:
        """New tasks of every service that reads them; if those are not well, the old values and new tasks once more."""
        if not self.moved:
            return
        failed, words = self._roll_out(), ""
        if not failed:
            words = self._unhealthy()
            if not words:
                return
        evidence = self.rollout.evidence(failed or self.services) if self.rollout else {}
        self.say(f"rolling back: {words or ' '.join(failed.values())}")
        for name in self.moved:
            now = self.found[name]
            if now.before is not None and now.value != now.before:
                self.write(name, now.before)
        lost = self.rollout.revert() if self.rollout else {}
        back = [name for name in self.services if name not in lost]
        self.result.update(secrets=self._entries(), failed_tasks=self.redactor.everything(evidence), reverted=back, not_reverted=sorted(lost))
        text = failure_text(failed or {"health": words}, evidence, back, lost).replace("The rollout failed.", "The new value was not adopted.", 1)
        if lost:
            text += f"\nThe old value is written again. Run this playbook again when the cause is fixed: it resumes from there (label {LABEL})."
            raise RotationFailed(self.redactor.text(text))
        self.unmark()
        raise RotationFailed(self.redactor.text(f"{text}\nThe old value is in place again."), rotation_record.REVERTED)

    def _roll_out(self) -> dict[str, str]:
        if not self.services:
            return {}
        options = {name: self.params[name] for name in ("wait_timeout", "wait_delay", "stable_seconds", "log_lines")}
        say = self.say if self.listened else None
        rollout = self.rollout = SecretRollout(self.call, self.cluster, self.services, say=say, guard=self.lock.check, **options)
        rollout.read()
        return rollout.roll_out()

    def _unhealthy(self) -> str:
        """Why the application is not well by its own word, or ''. Not asked where nothing was started, or nothing has an address."""
        if not self.services:
            return ""
        application = Application(self.params["health"], lambda: describe_load_balancer(self.call, resource_names.load_balancer(self.params["name"])))
        if not application.address:
            return ""
        found = application.ask(self.say, hide=self.redactor.text, idle=self.idle)
        return "" if found["healthy"] else f"All services were stable, but {application.words(found)}"

    def settle(self) -> None:
        """When the new tasks are well."""
        self.unmark()

    def unmark(self) -> None:
        for name in self.moved:
            marked = self.found[name].before_version
            if marked is not None:
                parameter_store.unlabel(self.call, self.path, name, marked, LABEL)

    # --- The record ---------------------------------------------------------------------------------------------------
    @property
    def took(self) -> float:
        return round(time.monotonic() - self.begin, 1)

    def _begin(self) -> None:
        self.record.begin(
            rotation_record.Rotation(
                kind=self.kind,
                secrets=list(self.decided),
                services=list(self.services),
                operator=self.params["operator"],
                host=this_host(),
                started_at=iso(time.time()),
                versions=self._versions(),
            )
        )
        self.recorded = True

    def _versions(self) -> dict[str, rotation_record.Versions]:
        found = {name: self.found[name] for name in self.decided}
        return {name: rotation_record.Versions(before=now.before_version or now.version, after=now.version) for name, now in found.items()}

    def _end(self, outcome: str, reason: str) -> None:
        """Where the end cannot be written the entry stays `running`, which the next run reads as interrupted."""
        self.result.update(outcome=outcome, secrets=self._entries(), duration_seconds=self.took)
        reason = self.redactor.text(reason).splitlines()[0] if reason else ""
        try:
            self.record.end(outcome, reason, iso(time.time()), self._versions())
        except CallFailed as failed:
            self.say(f"The record could not be brought up to date: {failed}")


def run_module(module: Module, kind: type[Rotation]) -> None:
    """What the modules' main() does beside naming their options. kind: Rotation, or a class made of it."""
    call, progress = Caller(module), Progress(module.params["progress_file"])
    try:
        with holding(call, module.params["lock"], module.check_mode) as lock:
            rotation = kind(call, module.params, lock, say=progress.say if progress.heard else None, check_mode=module.check_mode)
            result = rotation.run()
    except RotationFailed as failed:
        module.fail_json(**told(failed), **rotation.result)
    except Interrupted as interrupted:
        module.fail_json(msg=f"{interrupted} Nothing was changed.")
    except CallFailed as failed:
        module.fail_json(**told(failed))
    module.exit_json(**result)
