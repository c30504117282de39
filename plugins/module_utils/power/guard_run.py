# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One look of the guard: read, wait if the database is on its way, and stop it again under the lock. The decisions are in guard."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Denied
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import shielded
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Say
from ansible_collections.atena.aws.plugins.module_utils.environment.journal import RUNNING, STOPPED, Journal
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import Lock, LockTaken
from ansible_collections.atena.aws.plugins.module_utils.environment.read import describe_database, describe_redis
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import PowerRecord
from ansible_collections.atena.aws.plugins.module_utils.power import guard
from ansible_collections.atena.aws.plugins.module_utils.redis import losses

# As far back as DescribeEvents goes, in minutes.
_FORTNIGHT = 14 * 24 * 60
LOCKED = "locked"


class Guarded(NamedTuple):
    """An environment. database, redis: identifiers. power: {'bucket', 'journal_key'}. lock: {'table', 'name', 'expires_in', 'wait'}."""

    database: str
    power: Mapping[str, Any]
    lock: Mapping[str, Any]
    operator: str
    redis: str = ""


class GuardRun:
    """It waits without the lock, so that a person who wants to start the environment meanwhile can."""

    def __init__(
        self, call: Aws, of: Guarded, *, wait_timeout: float = 0, wait_delay: float = 15, check_mode: bool = False, say: Say = lambda text: None
    ) -> None:
        self.call, self.database, self.operator, self.check_mode, self._say = call, of.database, of.operator, check_mode, say
        self.journal = Journal(call, of.power["bucket"], of.power["journal_key"])
        self.lock = Lock(call, of.lock["table"], of.lock["name"], expires_in=of.lock["expires_in"])
        self.patience, self.wait_timeout, self.wait_delay = of.lock["wait"], wait_timeout, wait_delay
        self.redis, self.status = of.redis, ""

    def look(self) -> guard.Verdict:
        """Reads as little as tells what to do: of an environment that is not stopped its journal, and whether Redis came back empty."""
        found, instance, events = self.journal.look(), None, []
        record = found if isinstance(found, PowerRecord) else None
        if record and record.state == STOPPED:
            instance = describe_database(self.call, self.database)
            self.status = (instance or {}).get("DBInstanceStatus", "")
            if instance is not None and self.status not in ("stopped", "stopping"):
                events = self._events()
        elif (record is None or record.state == RUNNING) and self.redis:
            return guard.judge_redis(self.redis, self._loss(self.journal.record))
        return guard.judge(record, instance, events, self.database)

    def _loss(self, record: dict[str, Any] | None) -> str:
        """When Redis came back empty, if nobody has dealt with that yet; '' also for a role that may do no more than stop the database."""
        try:
            cache = describe_redis(self.call, self.redis)
        except Denied:
            return ""
        lost_at = losses.read(self.call, self.redis, cache.get("CacheClusterCreateTime")) if cache else ""
        return losses.unsettled(lost_at, record)

    def _events(self) -> list[dict]:
        asked = {"SourceType": "db-instance", "SourceIdentifier": self.database, "Duration": _FORTNIGHT}
        return self.call.pages("rds", "describe_events", f"read the events of {self.database}", "Events", **asked)

    def run(self) -> tuple[bool, guard.Verdict]:
        """(whether the database was stopped, or in check mode would be; why)."""
        deadline, told = Deadline(self.wait_timeout), ""
        verdict = self.look()
        while verdict.act == guard.WAIT_FOR_IT and not self.check_mode and not deadline.passed:
            if self.status != told:
                told = self.status
                self._say(f"{self.database} is {self.status}: waiting up to {self.wait_timeout} s for it to be available")
            time.sleep(pace(deadline.elapsed, self.wait_delay))
            verdict = self.look()
        if verdict.act != guard.STOP_IT:
            return False, verdict
        if self.check_mode:
            return True, dataclasses.replace(verdict, says=verdict.says.replace("It was stopped", "It would be stopped"))
        return self._stop()

    def _stop(self) -> tuple[bool, guard.Verdict]:
        try:
            with self.lock.running("guard", self.operator, wait=self.patience, say=self._say, warn=self._say) as lock:
                # What was true before the lock was ours need not be any more.
                verdict = self.look()
                if verdict.act != guard.STOP_IT:
                    return False, verdict
                lock.check()
                return self._stop_again(verdict)
        except LockTaken as taken:
            return False, guard.Verdict(LOCKED, f"Nothing was done, since another run has the lock: {taken}")

    def _stop_again(self, verdict: guard.Verdict) -> tuple[bool, guard.Verdict]:
        try:
            with shielded():
                answer = self.call("rds", "stop_db_instance", f"stop the database {self.database}", DBInstanceIdentifier=self.database)
        except CallFailed as failed:
            # It changed its state between the look and the call; or the call was carried out and its answer lost.
            if "InvalidDBInstanceState" not in failed.code:
                raise
            now = self.look()
            if now.verdict != guard.OFF:
                return False, dataclasses.replace(now, verdict=guard.LATER, says=f"{failed} Run guard.yml again later.", act="")
            answer = {}
        restarts_at = answer.get("DBInstance", {}).get("AutomaticRestartTime")
        self.journal.change(**guard.after_stop(self.journal.record or {}, verdict, restarts_at, datetime.datetime.now(datetime.UTC)))
        return True, verdict
