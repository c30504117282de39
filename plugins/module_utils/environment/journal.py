# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The power journal: what a stop or a start has done so far, and what the environment is to come back to. One object in the state bucket.

It is written before and after every step, by conditional writes only, so that a run that was killed is finished by the next one.
"""

from __future__ import annotations

import contextlib
import copy
import datetime
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import Interrupted
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.core.stored_object import StoredObject
from ansible_collections.atena.aws.plugins.module_utils.ecs import autoscaling
from ansible_collections.atena.aws.plugins.module_utils.environment.branches import Ended
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import LockLost
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import (
    FORMAT,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    PowerRecord,
    RedisPart,
    WorkRecord,
    checked,
)

__all__ = [
    "DONE",
    "FAILED",
    "INTERRUPTED",
    "RUNNING",
    "STARTING",
    "STOPPED",
    "STOPPING",
    "Journal",
    "Standing",
    "Step",
    "begun",
    "counts_to_keep",
    "ended",
    "last_step",
    "new",
    "stamp",
    "standing",
    "state_of",
    "unrestored",
]

DONE, FAILED, INTERRUPTED = "done", "failed", "interrupted"
# Enough for several runs of the same stop; what was before that helps nobody.
_STEPS_KEPT, _NOTES_KEPT = 80, 40


# --- Decisions over records -------------------------------------------------------------------------------------------
def stamp(now: datetime.datetime | None = None) -> str:
    """ISO 8601 in UTC to the second."""
    return (now or datetime.datetime.now(datetime.UTC)).astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new(environment: str) -> dict:
    """The journal of an environment that was never stopped, with every key that a journal has."""
    return {
        "format": FORMAT,
        "environment": environment,
        "state": RUNNING,
        "operator": "",
        "host": "",
        "began_at": "",
        "ended_at": "",
        "services": {},
        "redis": None,
        "database": None,
        "terraform_lock": None,
        "deployments_before": {},
        # Whether an apply that creates things was begun and its end is not on record.
        "unsettled": False,
        "steps": [],
        "notes": [],
    }


def state_of(record: dict | None) -> str:
    return record["state"] if record else RUNNING


def begun(record: dict, state: str, operator: str, host: str, now: datetime.datetime | None = None) -> dict:
    """The record of a stop or start that begins. One that goes on after its run died keeps its steps; the opposite one begins anew."""
    same = record["state"] == state
    return {
        **record,
        "state": state,
        "operator": operator,
        "host": host,
        "began_at": record["began_at"] if same else stamp(now),
        "ended_at": "",
        "steps": record["steps"] if same else [],
    }


def ended(record: dict, state: str, now: datetime.datetime | None = None) -> dict:
    return {**record, "state": state, "ended_at": stamp(now), "terraform_lock": None}


def unrestored(record: dict | None) -> str:
    """Name of the snapshot that holds the queue and was not restored yet; '' if there is none. Nothing may create an empty Redis then."""
    return RedisPart.of((record or {}).get("redis") or {}).waiting


def counts_to_keep(record: dict | None, observed: dict) -> dict:
    """{service: {"desired_count", "bounds"}} to come back to.

    record: the journal. observed: {service: {"desired_count", "bounds"}} as ECS has it now. What was recorded is never overwritten by a zero that a
    stop or a half-done start made. In a running environment a zero is somebody's wish - unless all are zero, which is a stop by other means.
    """
    known = (record or {}).get("services") or {}
    was_running = state_of(record) == RUNNING
    all_zero = not any(entry["desired_count"] for entry in observed.values())
    kept = {}
    for name, now in observed.items():
        before = known.get(name)
        if before is None or (was_running and not all_zero):
            kept[name] = {"desired_count": now["desired_count"], "bounds": _bounds_to_keep((before or {}).get("bounds"), now["bounds"])}
        else:
            # What a stop did to the bounds is not what they were.
            kept[name] = {"desired_count": now["desired_count"] or before["desired_count"], "bounds": before["bounds"] or now["bounds"]}
    if not was_running:
        # A service that cannot be seen now is not forgotten: it may be somebody's half-done replacement.
        kept.update({name: entry for name, entry in known.items() if name not in kept})
    return kept


def _bounds_to_keep(before: dict[str, Any] | None, now: dict[str, Any] | None) -> dict[str, Any] | None:
    """The bounds of a service of a running environment. before: those on record.

    That nothing may scale it is what a stop leaves. Where it was not so before that stop, a start could not take it back: else it would be so for good.
    """
    if before and now and now.get("suspended") == autoscaling.PAUSED["suspended"] != before.get("suspended"):
        return {**now, "suspended": before.get("suspended", [])}
    return now


def last_step(record: dict | None, name: str) -> dict | None:
    """The newest entry of a step in the journal."""
    return next((step for step in reversed((record or {}).get("steps", [])) if step["step"] == name), None)


class Standing(NamedTuple):
    """What people and other playbooks may know at a glance: state, since, by, the step that a half-done one is at, and the last notes."""

    state: str = RUNNING
    since: str = ""
    operator: str = ""
    host: str = ""
    step: str = ""
    snapshot: str = ""
    restarts_at: str = ""
    redis_loss: str = ""
    notes: tuple[dict[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As modules return it, and facts have it."""
        return {**self._asdict(), "notes": list(self.notes)}


def standing(record: PowerRecord | None) -> Standing:
    if record is None:
        return Standing()
    going = record.state in (STOPPING, STARTING)
    return Standing(
        state=record.state,
        since=record.began_at if going else record.ended_at,
        operator=record.operator,
        host=record.host,
        step=next((step.step for step in reversed(record.steps)), "") if going else "",
        snapshot=record.redis.waiting if record.redis else "",
        restarts_at=(record.database.restarts_at or "") if record.database and record.state == STOPPED else "",
        redis_loss=(record.redis.loss or "") if record.redis else "",
        notes=tuple(note.as_dict() for note in record.notes[-3:]),
    )


# --- The object -------------------------------------------------------------------------------------------------------
class Journal:
    """May be used by several threads: each change is made to what the object holds, and written at once."""

    def __init__(self, call: Call, bucket: str, key: str, *, what: str = PowerRecord.WHAT, now: Callable[[], str] = stamp) -> None:
        self.object = StoredObject(call, bucket, key, what)
        self.record: dict[str, Any] | None = None
        # As the object has it: `record` may know of the end of a step that is written with what comes next.
        self._written: dict[str, Any] | None = None
        self._now = now
        self._one_at_a_time = threading.RLock()

    def read(self) -> dict[str, Any] | None:
        """The record, or None if the environment was never stopped."""
        with self._one_at_a_time:
            found = self.object.read()
            if found is not None:
                checked(found, self.object.what, self.object.where)
            self.record, self._written = found, copy.deepcopy(found)
            return copy.deepcopy(found)

    def look(self) -> WorkRecord | None:
        """The record, for who decides by it and does not write."""
        found = self.read()
        return None if found is None else checked(found, self.object.what, self.object.where)

    def save(self, record: dict[str, Any]) -> dict[str, Any]:
        """Writes the record; refused if somebody else changed it since it was read."""
        with self._one_at_a_time:
            record = {**record, "steps": record["steps"][-_STEPS_KEPT:], "notes": record["notes"][-_NOTES_KEPT:]}
            if record != self._written:
                self.object.write(record)
                self.record, self._written = copy.deepcopy(record), copy.deepcopy(record)
            return record

    def settle(self) -> None:
        """Writes the end of a step that nothing came after."""
        with self._one_at_a_time:
            if self.record is not None:
                self.save(self.record)

    def change(self, **changes: Any) -> dict[str, Any]:
        """Writes other values of some keys. A dict for `redis` or `database` changes the keys that it names."""
        with self._one_at_a_time:
            return self.save(self._changed(changes))

    @property
    def held(self) -> dict[str, Any]:
        """The record, of which there is one: it was read, or saved."""
        if self.record is None:
            raise ValueError("a journal is changed after it was read or saved")
        return self.record

    def _changed(self, changes: dict) -> dict[str, Any]:
        record = copy.deepcopy(self.held)
        for key, value in changes.items():
            merge = key in ("redis", "database") and isinstance(value, dict)
            record[key] = {**(record[key] or {}), **value} if merge else value
        return record

    def note(self, text: str) -> None:
        with self._one_at_a_time:
            self.change(notes=[*self.held["notes"], {"at": self._now(), "says": text}])

    @contextlib.contextmanager
    def step(self, name: str, *, leads_on: bool = False, **changes: Any) -> Iterator[Step]:
        """Around one step: on record before it begins, with `changes`, and when it has ended. Yields a Step.

        leads_on: the next step begins at once, and its beginning is written together with this end. Killed in between, a run is as one that was killed
        at the end of this step: it is done again.
        """
        step = Step()
        with self._one_at_a_time:
            steps = self.held["steps"]
            entry = {"step": name, "began_at": self._now(), "ended_at": "", "outcome": "", "says": ""}
            self.save({**self._changed(changes), "steps": [*steps, entry]})
        try:
            yield step
        except LockLost:
            raise  # the journal is another run's now
        except (Interrupted, Exception) as failed:
            outcome = INTERRUPTED if isinstance(failed, (Interrupted, Ended)) else FAILED
            with contextlib.suppress(CallFailed), self._one_at_a_time:  # why the step failed matters more
                self.save(self._ended(entry, outcome, (str(failed).splitlines() or [""])[0], step.failing))
            raise
        with self._one_at_a_time:
            record = self._ended(entry, DONE, step.says, step.changes)
            if leads_on:
                self.record = record
            else:
                self.save(record)

    def _ended(self, entry: dict, outcome: str, says: str, changes: dict) -> dict[str, Any]:
        """The record with the end of a step."""
        record = self._changed(changes)
        index = max(i for i, step in enumerate(record["steps"]) if step["step"] == entry["step"] and step["began_at"] == entry["began_at"])
        record["steps"][index].update(ended_at=self._now(), outcome=outcome, says=says)
        return record


class Step:
    """What a step leaves in the journal at its end: words, and changes of the record. `failing` are the changes of a step that fails."""

    def __init__(self) -> None:
        self.says = ""
        self.changes: dict[str, Any] = {}
        self.failing: dict[str, Any] = {}

    def records(self, **changes: Any) -> None:
        self.changes.update(changes)
