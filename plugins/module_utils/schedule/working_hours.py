# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Working hours as data: when an environment is to be started and stopped, across clock changes and holidays. No call to AWS here, no clock read.

Hours are local, of an IANA time zone; moments are UTC. A local time that a clock change skips means the moment after the gap (02:30 becomes 03:30), one
that it repeats means the first of the two.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

_Value = TypeVar("_Value")

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
START, STOP = "start", "stop"
HOURS_BEGIN, HOURS_END, KEPT = "working hours", "end of working hours", "kept on until now"
DAY = 24 * 60
# How far a look ahead goes: past any clock change and any row of holidays.
_HORIZON = timedelta(days=400)
# The longest span there is, and a day for the zones' offsets.
_MARGIN = timedelta(days=3)
_KEYS = ("timezone", "hours", "holidays", "keep_on_until")
_TIME = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")


@dataclass(frozen=True)
class Hours:
    """On these weekdays (0 is Monday) from `start` to `stop`, in minutes after midnight; beyond 24 h it ends on the next day."""

    days: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Schedule:
    zone: zoneinfo.ZoneInfo
    hours: tuple[Hours, ...]
    # (first, last) of dates, and (month, day) of every year.
    holidays: tuple[tuple[datetime.date, datetime.date], ...] = ()
    yearly: tuple[tuple[int, int], ...] = ()
    keep_on_until: datetime.datetime | None = None

    def is_holiday(self, day: datetime.date) -> bool:
        return (day.month, day.day) in self.yearly or any(first <= day <= last for first, last in self.holidays)


# --- From data --------------------------------------------------------------------------------------------------------
def parse(data: dict) -> Schedule:
    """The schedule that `data` describes. Raises ValueError with every problem in it, a line each, by the place where it is."""
    problems: list[str] = []

    def tried(where: str, function: Callable[[Any], _Value], value: object) -> _Value | None:
        try:
            return function(value)
        except ValueError as error:
            problems.append(f"{where}: {error}")
            return None

    if not isinstance(data, dict):
        raise ValueError("the schedule is no mapping with timezone and hours")
    problems += [f"{key}: there is no such key; there are {', '.join(_KEYS)}" for key in sorted(map(str, set(data) - set(_KEYS)))]
    zone = tried("timezone", _zone, data.get("timezone"))
    given = data.get("hours")
    if not isinstance(given, list) or not given:
        problems.append('hours: must be a list such as [{days: mon-fri, start: "08:00", stop: "19:00"}]')
        given = []
    hours = [tried(f"hours[{index}]", _hours, entry) for index, entry in enumerate(given)]
    holidays = [tried(f"holidays[{index}]", _holiday, value) for index, value in enumerate(data.get("holidays") or [])]
    keep = tried("keep_on_until", lambda value: _moment_of(value, zone or datetime.UTC), data["keep_on_until"]) if data.get("keep_on_until") else None
    if problems or zone is None:
        raise ValueError("\n".join(problems))
    read = [item for item in holidays if item is not None]
    ranges = tuple((first, last) for first, last in read if isinstance(first, datetime.date) and isinstance(last, datetime.date))
    yearly = tuple((month, day) for month, day in read if isinstance(month, int) and isinstance(day, int))
    return Schedule(zone, tuple(span for span in hours if span is not None), ranges, yearly, keep)


def _zone(name: object) -> zoneinfo.ZoneInfo:
    if not isinstance(name, str) or not name:
        raise ValueError("is missing; give an IANA name such as America/Sao_Paulo")
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        if not zoneinfo.available_timezones():
            raise ValueError("this machine has no time zone database; install its package tzdata, or Python's") from error
        raise ValueError(f"'{name}' is no IANA time zone; they look like America/Sao_Paulo or UTC") from error


def _hours(entry: object) -> Hours:
    if not isinstance(entry, dict):
        raise ValueError('must look like {days: mon-fri, start: "08:00", stop: "19:00"}')
    unknown = sorted(map(str, set(entry) - {"days", "start", "stop"}))
    if unknown:
        raise ValueError(f"there is no such key: {', '.join(unknown)}; there are days, start, stop")
    start, stop = _minutes("start", entry.get("start")), _minutes("stop", entry.get("stop"))
    if start == DAY:
        raise ValueError("start is 24:00; say 00:00 of the next day")
    if start == stop:
        raise ValueError(f'start and stop are both {clock(start)}; a whole day is start: "00:00", stop: "24:00"')
    return Hours(_days(entry.get("days")), start, stop if stop > start else stop + DAY)


def _minutes(side: str, value: object) -> int:
    # YAML takes 19:00 without quotes for a number of base 60.
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f'{side} is the number {value}; write it in quotes: "{clock(value) if 0 <= value <= DAY else "08:00"}"')
    match = _TIME.fullmatch(str(value or "").strip())
    minutes = int(match[1]) * 60 + int(match[2]) if match else DAY + 1
    if minutes > DAY:
        raise ValueError(f'{side} is {value!r}; it must be a time in quotes from "00:00" to "24:00"')
    return minutes


def _days(value: object) -> tuple[int, ...]:
    parts = value if isinstance(value, list) else str(value or "").split(",")
    found: set[int] = set()
    for part in (str(part).strip().lower() for part in parts):
        ends = [_day(name.strip()) for name in part.split("-")]
        if len(ends) > 2:
            raise ValueError(f"days: '{part}' is no range such as mon-fri")
        # fri-mon goes over the weekend.
        found |= {(ends[0] + step) % 7 for step in range((ends[-1] - ends[0]) % 7 + 1)}
    return tuple(sorted(found))


def _day(name: str) -> int:
    if name[:3] in DAYS and datetime.date(2024, 1, 1 + DAYS.index(name[:3])).strftime("%A").lower().startswith(name):
        return DAYS.index(name[:3])
    raise ValueError(f"days: '{name}' is no weekday; use {', '.join(DAYS)}, or a range such as mon-fri")


def _holiday(value: object) -> tuple[datetime.date, datetime.date] | tuple[int, int]:
    """(first, last) as dates, or (month, day)."""
    if isinstance(value, datetime.date):
        day = value.date() if isinstance(value, datetime.datetime) else value
        return day, day
    text = str(value).strip()
    try:
        if re.fullmatch(r"[0-9]{2}-[0-9]{2}", text):
            # A leap year, so that 29 February can be one.
            day = datetime.date.fromisoformat(f"2024-{text}")
            return day.month, day.day
        ends = text.split("/", 1)
        first, last = datetime.date.fromisoformat(ends[0]), datetime.date.fromisoformat(ends[-1])
    except ValueError as error:
        raise ValueError(f"'{text}' is neither a date (2027-12-24), nor one of every year (12-25), nor from/to (2027-12-24/2028-01-02)") from error
    if first > last:
        raise ValueError(f"'{text}' ends before it begins")
    return first, last


def _moment_of(value: object, zone: datetime.tzinfo) -> datetime.datetime:
    """UTC, to the minute after: nobody can be woken between two minutes."""
    text = str(value).strip()
    try:
        at: datetime.datetime | None = datetime.datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or ":" not in text:
        raise ValueError(f"'{text}' is no date with a time of day; say it in local time: \"2027-03-05 22:00\"")
    at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(datetime.UTC)
    return at if at == at.replace(second=0, microsecond=0) else at.replace(second=0, microsecond=0) + timedelta(minutes=1)


# --- Moments ----------------------------------------------------------------------------------------------------------
def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def moment(day: datetime.date, minutes: int, zone: datetime.tzinfo) -> datetime.datetime:
    """The UTC moment of so many minutes after a local day's midnight, as clocks on the wall count them."""
    wall = datetime.datetime.combine(day, datetime.time()) + timedelta(minutes=minutes)
    return wall.replace(tzinfo=zone).astimezone(datetime.UTC)


def spans(schedule: Schedule, begin: datetime.datetime, end: datetime.datetime) -> list[tuple[datetime.datetime, datetime.datetime]]:
    """(from, to) of all times on that begin on a local day between the two, in order; those that touch are one. Holidays begin none."""
    day, last, found = begin.astimezone(schedule.zone).date(), end.astimezone(schedule.zone).date(), []
    while day <= last:
        if not schedule.is_holiday(day):
            found += [
                (moment(day, hours.start, schedule.zone), moment(day, hours.stop, schedule.zone)) for hours in schedule.hours if day.weekday() in hours.days
            ]
        day += timedelta(days=1)
    merged: list[tuple[datetime.datetime, datetime.datetime]] = []
    for start, stop in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        elif stop > start:
            merged.append((start, stop))
    return merged


def actions(schedule: Schedule, begin: datetime.datetime, end: datetime.datetime) -> list[dict]:
    """What is to be done from `begin` to before `end`: {'action': 'start'|'stop', 'at': UTC, 'why'}, in order.

    keep_on_until lets no stop happen before it, and stops then what would be off by that time. Starts stay as they are: what is on stays on.
    """
    keep, on = schedule.keep_on_until, spans(schedule, begin - _MARGIN, end + _MARGIN)
    found: list[dict[str, Any]] = [{"action": START, "at": start, "why": HOURS_BEGIN} for start, _stop in on]
    found += [{"action": STOP, "at": stop, "why": HOURS_END} for _start, stop in on if keep is None or stop >= keep]
    if keep is not None and not any(start <= keep <= stop for start, stop in on):
        found.append({"action": STOP, "at": keep, "why": KEPT})
    return [action for action in sorted(found, key=lambda action: action["at"]) if begin <= action["at"] < end]


def next_actions(schedule: Schedule, now: datetime.datetime, count: int) -> list[dict]:
    """The next `count` actions after `now`; fewer if the year ahead has no more."""
    return actions(schedule, now + timedelta(microseconds=1), now + _HORIZON)[:count]


# --- What is due ------------------------------------------------------------------------------------------------------
_STATES = {START: ("running", "starting"), STOP: ("stopped", "stopping")}


def due(schedule: Schedule, now: datetime.datetime, state: str, changed_at: datetime.datetime | None, late: timedelta) -> dict:
    """{'action': 'start', 'stop' or '', 'at': UTC or None, 'says'}: what a run at `now` is to do.

    `state` and `changed_at` are the power journal's. Only an action of the last `late` counts, so that a run at any other time, such as the cron line of
    the other half of the year, does nothing; and what somebody did since then stands.
    """
    past = actions(schedule, now - late, now + timedelta(microseconds=1))
    if not past:
        return {"action": "", "at": None, "says": f"Nothing is due: no action of the last {round(late.total_seconds() / 60)} minutes."}
    last = past[-1]
    done, going = _STATES[last["action"]]
    what, local = last["action"], local_text(last["at"], schedule.zone)
    if state == done:
        return {"action": "", "at": last["at"], "says": f"Nothing is due: the {what} of {local} is done, the environment is {done}."}
    # A stop or start of the same kind that did not end is gone on with, whoever began it.
    if state != going and changed_at is not None and changed_at >= last["at"]:
        other = f"it is {state} since {local_text(changed_at, schedule.zone)}, after the {what} of {local} was due"
        return {"action": "", "at": last["at"], "says": f"Nothing is done: {other}. What somebody decided since remains in force until the next action."}
    return {"action": what, "at": last["at"], "says": f"Due: {what} of {local} ({last['why']}); the environment is {state}."}


def local_text(at: datetime.datetime, zone: datetime.tzinfo) -> str:
    local = at.astimezone(zone)
    return f"{DAYS[local.weekday()]} {local.strftime('%Y-%m-%d %H:%M')} {local.tzname()}"
