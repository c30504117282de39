# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a destroy and a restore have in common: look, decide, ask for the typed name, lock, record, end. It is PowerRun with a record of its own."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Say
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import this_host
from ansible_collections.atena.aws.plugins.module_utils.power.run import PowerFailed, PowerRun

_CLIENTS = ("s3", "ecs", "rds", "elasticache", "dynamodb", "ecr", "logs", "ssm", "elbv2", "application-autoscaling")


def unconfirmed(typed: str, name: str, variable: str, what: str) -> str:
    """Why this is not done without the environment's name; '' if it was typed."""
    if typed == name:
        return ""
    got = f"{variable} is '{typed}', but this environment is {name}." if typed else f"{what}: that is not done without its name."
    return f"{got} Nothing was changed. Look first at what would be done, with --check; then type the name: -e {variable}={name}"


class RecoveryRun(PowerRun):
    """The journal is this work's own record, under storage.record_key; `power` is the journal of stops and starts."""

    RECORD, CONFIRM, WHAT = "the record", "", ""

    def __init__(self, call: Aws, params: dict, *, say: Say | None = None, check_mode: bool = False) -> None:
        super().__init__(call, params, say=say, check_mode=check_mode)
        storage = params["storage"]
        self.power, self.journal = self.journal, power_journal.Journal(call, storage["bucket"], storage["record_key"], what=self.RECORD)
        self.terraform.journal = self.journal

    def look(self) -> None:
        for name in _CLIENTS:
            self.call.client(name)
        self.seen = self.observe()
        self.steps = self.remaining()
        self.result["diff"] = self.diff()

    def observe(self) -> dict:
        raise NotImplementedError

    def refuse(self) -> None:
        """In check mode nobody has to type anything, and is told what would stand in the way."""
        wrong = unconfirmed(self.params["confirm"], self.params["name"], self.CONFIRM, self.WHAT.format(**self.params))
        if wrong:
            raise PowerFailed(wrong)
        against = self.objections()
        if against:
            raise PowerFailed(" ".join(against) + " Nothing was changed.")

    def objections(self) -> list[str]:
        """Sentences that say why what was seen must not be done; [] if it may."""
        return []

    def predict(self) -> dict:
        result = super().predict()
        against = self.objections() if self.steps else []
        return {**result, "would": [f"WOULD FAIL: {sentence}" for sentence in against] + result["would"]}

    def begin_record(self, **changes: Any) -> dict[str, Any]:
        record = self.journal.record or {**power_journal.new(self.params["name"]), "state": ""}
        record = power_journal.begun(record, self.GOING, self.params["operator"], this_host())
        self.result["changed"] = True
        return self.journal.save({**record, **changes})

    def going_on(self) -> bool:
        """Whether a run of this kind has not got to its end."""
        return (self.journal.record or {}).get("state") == self.GOING

    def ready_terraform(self) -> None:
        """In a thread of its own: a signal is not to tear the main thread from a Terraform that goes on."""

        def ready() -> None:
            # A stop or a start that was killed named its lock in a journal of its own.
            self.terraform.recover(self.power)
            self.terraform.recover()
            self.terraform.prepare()

        self.branches.side_by_side({"terraform": ready})
