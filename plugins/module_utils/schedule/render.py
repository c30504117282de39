# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Working hours as cron lines for CI and as AWX schedules. No call to AWS here.

Both only wake schedule.yml at every moment at which there may be something to do; that playbook decides whether there is. So the lines need to know
neither holidays, nor spans that touch, nor which half of the year it is: cron in UTC cannot.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from datetime import timedelta

from ansible_collections.atena.aws.plugins.module_utils.schedule.working_hours import (
    DAY,
    DAYS,
    HOURS_BEGIN,
    HOURS_END,
    START,
    STOP,
    Schedule,
    clock,
    local_text,
    moment,
)

_YEAR = 366
# A Monday in the past: AWX wants a beginning, and one that moves with each rendering would change every schedule each time.
_ANCHOR = datetime.date(2024, 1, 1)
_ICAL = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def triggers(schedule: Schedule) -> dict[tuple[str, int], tuple[int, ...]]:
    """{(action, minutes after midnight): weekdays} of every local time at which there may be something to do."""
    found: dict[tuple[str, int], set[int]] = defaultdict(set)
    for hours in schedule.hours:
        for action, minutes in ((START, hours.start), (STOP, hours.stop)):
            found[action, minutes % DAY] |= {(day + minutes // DAY) % 7 for day in hours.days}
    return {key: tuple(sorted(days)) for key, days in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))}


def days_text(days: tuple[int, ...]) -> str:
    """'mon-fri', 'mon,wed', 'daily'."""
    if len(days) == 7:
        return "daily"
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
    return ",".join(DAYS[day] for day in days)


# --- Cron -------------------------------------------------------------------------------------------------------------
def cron(schedule: Schedule, now: datetime.datetime) -> list[dict]:
    """[{'cron', 'action', 'local', 'valid'}] in UTC for the year from `now`; of a zone with summer time two for each local time.

    'valid' says when a line is the right one. At other times it wakes schedule.yml an hour off, which then finds nothing due.
    """
    today, lines = now.astimezone(schedule.zone).date(), []
    for (action, minutes), days in triggers(schedule).items():
        variants: dict[tuple[int, int, int], dict] = {}
        before = None
        for day in (today + timedelta(days=ahead) for ahead in range(_YEAR)):
            if day.weekday() not in days:
                continue
            at = moment(day, minutes, schedule.zone)
            shift = (at.date() - day).days
            variant = (at.hour, at.minute, shift)
            entry = variants.setdefault(variant, {"days": set(), "periods": []})
            entry["days"].add((at.isoweekday()) % 7)
            if variant == before:
                entry["periods"][-1][1] = day
            else:
                entry["periods"].append([day, day])
            before = variant
        for (hour, minute, _shift), entry in variants.items():
            valid = "all year" if len(variants) == 1 else " and ".join(f"{first} to {last}" for first, last in entry["periods"])
            days_field = "*" if len(entry["days"]) == 7 else ",".join(map(str, sorted(entry["days"])))
            lines.append({"cron": f"{minute} {hour} * * {days_field}", "action": action, "local": f"{clock(minutes)} {days_text(days)}", "valid": valid})
    keep = schedule.keep_on_until
    if keep is not None and keep > now:
        at = keep.astimezone(datetime.UTC)
        entry = {"cron": f"{at.minute} {at.hour} {at.day} {at.month} *", "action": STOP, "local": local_text(keep, schedule.zone), "valid": "once"}
        lines.append(entry)
    return lines


def cron_text(lines: list[dict], zone: str) -> list[str]:
    """As GitHub Actions takes them; what stands before the # is what any cron in UTC takes."""
    unique: dict[str, list[str]] = {}
    for line in lines:
        unique.setdefault(line["cron"], []).append(f"{line['action']} {line['local']} {zone}, {line['valid']}")
    return [f'- cron: "{expression}"  # {"; ".join(said)}' for expression, said in unique.items()]


# --- AWX --------------------------------------------------------------------------------------------------------------
def awx(schedule: Schedule, now: datetime.datetime, name: str, template: str) -> list[dict]:
    """awx.awx.schedule's arguments, one for each local time. AWX knows time zones: each fires at the right moment all year round."""
    zone, found = schedule.zone.key, []
    # Text, as a survey of the job template has it: AWX refuses a boolean there.
    common = {"unified_job_template": template, "extra_data": {"schedule_act": "true"}, "enabled": True}
    for (action, minutes), days in triggers(schedule).items():
        rule = f"RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY={','.join(_ICAL[day] for day in days)}"
        found.append({"name": f"{name} {action} {clock(minutes)}", "rrule": f"{_begin(zone, _ANCHOR, minutes)} {rule}", **common})
    keep = schedule.keep_on_until
    if keep is not None and keep > now:
        local = keep.astimezone(schedule.zone)
        begin = _begin(zone, local.date(), local.hour * 60 + local.minute)
        found.append({"name": f"{name} kept on until", "rrule": f"{begin} RRULE:FREQ=DAILY;INTERVAL=1;COUNT=1", **common})
    return found


def _begin(zone: str, day: datetime.date, minutes: int) -> str:
    return f"DTSTART;TZID={zone}:{day.strftime('%Y%m%d')}T{clock(minutes).replace(':', '')}00"


# --- For people -------------------------------------------------------------------------------------------------------
def action_lines(actions: list[dict], zone: datetime.tzinfo, now: datetime.datetime) -> list[str]:
    return [_line(action, zone, now) for action in actions]


def _line(action: dict, zone: datetime.tzinfo, now: datetime.datetime) -> str:
    utc = action["at"].astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    special = "" if action["why"] in (HOURS_BEGIN, HOURS_END) else f": {action['why']}"
    return f"{action['action']:5}  {local_text(action['at'], zone)} = {utc}, {_ahead(action['at'] - now)}{special}"


def _ahead(ahead: timedelta) -> str:
    hours, minutes = divmod(int(ahead.total_seconds()) // 60, 60)
    return f"in {hours // 24} d {hours % 24} h" if hours >= 48 else f"in {hours} h {minutes:02} min"
