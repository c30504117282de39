# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether an environment is on, as its gates and its power journal say: for what may only be done to one that is. No call to AWS decides here."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.sources import gates as read_gates
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import PowerRecord

# Option `power` of modules that look at it first.
POWER_OPTIONS = {
    "type": "dict",
    "options": {
        "bucket": {"type": "str", "required": True},
        "gates_key": {"type": "str", "required": True, "no_log": False},
        "journal_key": {"type": "str", "required": True, "no_log": False},
    },
}
_UNFINISHED = {power_journal.STOPPING: "stop", power_journal.STARTING: "start"}


class Power(NamedTuple):
    """What gates and journal say; each None where there is no such object."""

    gates: dict[str, Any] | None
    journal: PowerRecord | None


def read(call: Call, power: dict[str, Any] | None) -> Power | None:
    """None if `power` is."""
    if power is None:
        return None
    return Power(read_gates(call, power["bucket"], power["gates_key"]), read_journal(call, power["bucket"], power["journal_key"]))


def read_journal(call: Call, bucket: str, key: str) -> PowerRecord | None:
    """The power journal, only to look at; None if there is none: the environment was never stopped."""
    found = power_journal.Journal(call, bucket, key).look()
    return found if isinstance(found, PowerRecord) else None


def journal_standing(journal: PowerRecord | None) -> tuple[str, datetime.datetime | None]:
    """(state, since when) as a journal says; an environment without one was never stopped."""
    stands = power_journal.standing(journal)
    return stands.state, datetime.datetime.fromisoformat(stands.since) if stands.since else None


def why_not_on(state: Power | None) -> str:
    """Why nothing may be started here now, with the remedy; '' if the environment is on (or nobody asked)."""
    if state is None:
        return ""
    gates, recorded = state.gates, journal_standing(state.journal)[0]
    if gates is None:
        return "The environment has no gates object, so it is not known whether it is on. Run bootstrap.yml."
    if recorded in _UNFINISHED:
        verb = _UNFINISHED[recorded]
        return f"A {verb} of the environment is incomplete. Run {verb}.yml again: it resumes from there."
    if recorded == power_journal.STOPPED or gates.get("power") != "on":
        return "The environment is stopped: there is nothing to reach or to use for a task. Run start.yml first; it restores the counts from before."
    if gates.get("redis") != "present":
        return f"A start of the environment is incomplete (Redis: {gates.get('redis')}). Run start.yml again: it resumes from there."
    return ""
