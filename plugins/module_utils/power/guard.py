# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a database that should be stopped runs, and whose doing that is. Decisions over what was read; no call to AWS here.

AWS starts an instance again that was stopped for seven days. Only its events tell that from a person's start: DescribeEvents has their words but not
their numbers, and covers 14 days.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import PowerRecord
from ansible_collections.atena.aws.plugins.module_utils.power.database import ACT, DONE, REFUSE, STOP, toward
from ansible_collections.atena.aws.plugins.module_utils.redis import losses

# RDS user guide, 'Amazon RDS event categories and event messages': RDS-EVENT-0154, RDS-EVENT-0088, RDS-EVENT-0087.
_BY_AWS = re.compile(r"is being started due to it exceeding the maximum allowed time being stopped", re.IGNORECASE)
_STARTED = re.compile(r"^(the )?DB instance (has been )?started\b", re.IGNORECASE)
_STOPPED = re.compile(r"^(the )?DB instance (has been )?stopped\b", re.IGNORECASE)

AWS, PERSON, UNKNOWN = "aws", "person", "unknown"
# What came of a look.
NOT_STOPPED, OFF, UNFINISHED, ABSENT, LEFT, UNCLEAR, HOPELESS, LATER, AGAIN = (
    *("environment_not_stopped", "already_stopped", "stop_or_start_unfinished", "no_database", "left_to_a_person", "unclear", "cannot_stop"),
    *("come_again", "stopped_again"),
)
EMPTIED = "redis_came_back_empty"
STOP_IT, WAIT_FOR_IT = "stop", "wait"


@dataclass(frozen=True)
class Verdict:
    verdict: str
    says: str
    act: str = ""
    started_by: str = ""
    started_at: str = ""


def started_by(events: list[dict], stopped_at: str) -> tuple[str, str]:
    """(AWS | PERSON | UNKNOWN, when) of the start since the instance was stopped last, by its events ([{'Message', 'Date'}]).

    stopped_at: what the journal says, where the events do not reach so far back.
    """
    events = sorted(events, key=lambda event: event["Date"])
    begin = max((event["Date"] for event in events if _STOPPED.search(event["Message"])), default=None)
    if begin is None and stopped_at:
        begin = datetime.datetime.fromisoformat(stopped_at)
    since = [event for event in events if begin is None or event["Date"] > begin]
    for who, words in ((AWS, _BY_AWS), (PERSON, _STARTED)):
        found = [event for event in since if words.search(event["Message"])]
        if found:
            return who, power_journal.stamp(found[0]["Date"])
    return UNKNOWN, ""


def judge(journal: PowerRecord | None, instance: dict | None, events: list[dict], identifier: str) -> Verdict:
    """What to do about a database. `instance`: as RDS describes it, or None."""
    stands = power_journal.standing(journal)
    if stands.state == power_journal.RUNNING:
        return Verdict(NOT_STOPPED, "Nothing to do: the environment is not recorded as stopped.")
    if stands.state != power_journal.STOPPED:
        verb = "stop" if stands.state == power_journal.STOPPING else "start"
        by = f"by {stands.operator} since {stands.since}"
        return Verdict(UNFINISHED, f"Nothing was done: a {verb} is in progress, or is incomplete ({by}). If nothing runs, run {verb}.yml again.")
    if instance is None:
        return Verdict(ABSENT, f"Nothing to do: there is no database {identifier}.")
    status = instance["DBInstanceStatus"]
    what, why = toward(status, STOP)
    if what == DONE or status == "stopping":
        restart = instance.get("AutomaticRestartTime")
        until = f"; AWS starts it again at {power_journal.stamp(restart)}" if restart else ""
        return Verdict(OFF, f"Nothing to do: {identifier} is {status}{until}.")
    who, when = started_by(events, (journal.database.stopped_at if journal and journal.database else "") or "")
    told = {"started_by": who, "started_at": when}
    if who == PERSON:
        says = f"{identifier} is {status}, though the environment is stopped: somebody started it at {when}. It is left alone; stop.yml stops it."
        return Verdict(LEFT, says, **told)
    if what == REFUSE:
        return Verdict(HOPELESS, f"{identifier}: {why}", **told)
    if what != ACT:
        # Of a start that is going on, the word of a person's comes at its end.
        return Verdict(LATER, f"{identifier} is {status} and cannot be stopped yet. Run guard.yml again later.", WAIT_FOR_IT, **told)
    if who == UNKNOWN:
        says = (
            f"{identifier} runs, though the environment is stopped, and none of its events of the last 14 days shows who started it. It is left alone: "
            "stop.yml stops it, start.yml starts the rest."
        )
        return Verdict(UNCLEAR, says, **told)
    return Verdict(AGAIN, f"AWS started {identifier} again at {when}, after seven days. It was stopped again.", STOP_IT, **told)


def judge_redis(identifier: str, lost_at: str) -> Verdict:
    """What to do about the Redis of an environment that is on. lost_at: when it came back empty, '' if it did not or somebody has dealt with that."""
    if not lost_at:
        return Verdict(NOT_STOPPED, "Nothing to do: the environment is not recorded as stopped.")
    return Verdict(EMPTIED, f"{losses.says(identifier, lost_at)}. start.yml re-enqueues what the database knows (atena_reenqueue_command).")


def after_stop(journal: dict, verdict: Verdict, restarts_at: datetime.datetime | None, now: datetime.datetime) -> dict:
    """What changes in the journal once the instance was told to stop: {'database', 'notes'}."""
    restarts_at = restarts_at or now + datetime.timedelta(days=7)
    database = {"stopped_at": power_journal.stamp(now), "restarts_at": power_journal.stamp(restarts_at)}
    note = {"at": power_journal.stamp(now), "says": f"guard: {verdict.says}"}
    return {"database": database, "notes": [*journal["notes"], note]}
