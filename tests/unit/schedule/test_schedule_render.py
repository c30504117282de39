"""Cron lines and AWX schedules wake schedule.yml at every moment at which there may be something to do."""

import datetime
import re
from datetime import UTC, timedelta

import pytest
from ansible_collections.atena.aws.plugins.module_utils.schedule import render as schedule_render
from ansible_collections.atena.aws.plugins.module_utils.schedule.working_hours import actions, parse
from dateutil.rrule import rrulestr

OFFICE = {"days": "mon-fri", "start": "08:00", "stop": "19:00"}
NOW = datetime.datetime(2027, 1, 15, 12, 0, tzinfo=UTC)
PLANS = {
    "office": {"hours": [OFFICE]},
    "night": {"hours": [{"days": "fri,sun", "start": "22:00", "stop": "02:00"}]},
    "whole days": {"hours": [{"days": "fri-sun", "start": "00:00", "stop": "24:00"}], "holidays": ["2027-03-13"]},
    "two": {"hours": [OFFICE, {"days": "sat", "start": "09:00", "stop": "13:30"}], "holidays": ["02-09", "2027-12-24/2028-01-02"]},
    "kept on": {"hours": [OFFICE], "keep_on_until": "2027-01-20 23:15"},
}
ZONES = ["America/Sao_Paulo", "America/New_York", "Europe/Lisbon", "Australia/Sydney", "Asia/Kathmandu", "Pacific/Kiritimati"]


def plan(name, zone):
    return parse({"timezone": zone, **PLANS[name]})


def fires(expression, at):
    """Whether a cron line in UTC fires in that minute. As in cron, day of month and weekday are alternatives, unless one is *."""
    minute, hour, day, month, weekday = expression.split()
    assert "*" in (day, weekday)
    return all(
        field == "*" or str(value) in field.split(",")
        for field, value in ((minute, at.minute), (hour, at.hour), (day, at.day), (month, at.month), (weekday, at.isoweekday() % 7))
    )


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", PLANS)
def test_every_action_of_the_year_has_a_cron_line_that_fires_then(name, zone):
    schedule = plan(name, zone)
    lines = schedule_render.cron(schedule, NOW)
    year = actions(schedule, NOW, NOW + timedelta(days=360))
    assert len(year) > 40
    for action in year:
        assert [line for line in lines if line["action"] == action["action"] and fires(line["cron"], action["at"])], action


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", PLANS)
def test_every_action_of_the_year_has_an_awx_schedule_that_fires_then(name, zone):
    schedule = plan(name, zone)
    rules = [rrulestr(entry["rrule"].replace(" ", "\n"), forceset=True) for entry in schedule_render.awx(schedule, NOW, "p", "t")]
    end = NOW + timedelta(days=360)
    # In the rule's own zone: to compare moments of two zones, dateutil asks both for their offset, ten thousand times.
    between = {rule: (NOW.astimezone(rule[0].tzinfo), end.astimezone(rule[0].tzinfo)) for rule in rules}
    moments = {at.astimezone(UTC) for rule in rules for at in rule.between(*between[rule], inc=True)}
    assert {action["at"] for action in actions(schedule, NOW, end)} <= moments


@pytest.mark.parametrize("name", PLANS)
def test_awx_takes_the_rules(name):
    """By the checks of AWX's API: one DTSTART with a zone, an INTERVAL, no COUNT beside UNTIL, no EXDATE, no numbered BYDAY."""
    for entry in schedule_render.awx(plan(name, "America/New_York"), NOW, "atena-prod", "Schedule of atena-prod"):
        assert re.fullmatch(r"DTSTART;TZID=America/New_York:\d{8}T\d{6} RRULE:FREQ=(WEEKLY|DAILY);INTERVAL=1;(BYDAY=[A-Z,]+|COUNT=1)", entry["rrule"])
        assert entry["extra_data"] == {"schedule_act": "true"}


def test_names_and_rules_stay_the_same_from_day_to_day():
    schedule = plan("office", "America/New_York")
    assert schedule_render.awx(schedule, NOW, "p", "t") == schedule_render.awx(schedule, NOW + timedelta(days=90), "p", "t")
    assert [entry["name"] for entry in schedule_render.awx(schedule, NOW, "p", "t")] == ["p start 08:00", "p stop 19:00"]


def test_without_summer_time_there_is_one_line_for_each_local_time():
    assert schedule_render.cron(plan("office", "America/Sao_Paulo"), NOW) == [
        {"cron": "0 11 * * 1,2,3,4,5", "action": "start", "local": "08:00 mon-fri", "valid": "all year"},
        {"cron": "0 22 * * 1,2,3,4,5", "action": "stop", "local": "19:00 mon-fri", "valid": "all year"},
    ]


def test_with_summer_time_each_line_says_for_which_part_of_the_year_it_is():
    lines = schedule_render.cron(plan("office", "America/New_York"), NOW)
    assert [(line["cron"], line["valid"]) for line in lines if line["action"] == "start"] == [
        ("0 13 * * 1,2,3,4,5", "2027-01-15 to 2027-03-12 and 2027-11-08 to 2028-01-14"),
        ("0 12 * * 1,2,3,4,5", "2027-03-15 to 2027-11-05"),
    ]
    # 19:00 in New York is midnight in UTC in winter: the weekdays shift.
    assert [line["cron"] for line in lines if line["action"] == "stop"] == ["0 0 * * 2,3,4,5,6", "0 23 * * 1,2,3,4,5"]


def test_kept_on_until_adds_one_line_while_it_lies_ahead():
    lines = schedule_render.cron(plan("kept on", "America/Sao_Paulo"), NOW)
    assert lines[-1] == {"cron": "15 2 21 1 *", "action": "stop", "local": "wed 2027-01-20 23:15 -03", "valid": "once"}
    assert len(schedule_render.cron(plan("kept on", "America/Sao_Paulo"), NOW + timedelta(days=30))) == len(lines) - 1


def test_lines_that_fire_together_are_written_once():
    both = parse({"timezone": "UTC", "hours": [{"days": "mon", "start": "08:00", "stop": "12:00"}, {"days": "mon", "start": "12:00", "stop": "18:00"}]})
    text = schedule_render.cron_text(schedule_render.cron(both, NOW), "UTC")
    assert text[1] == '- cron: "0 12 * * 1"  # start 12:00 mon UTC, all year; stop 12:00 mon UTC, all year'
    assert len(text) == 3


@pytest.mark.parametrize(
    ("days", "text"),
    [((0, 1, 2, 3, 4), "mon-fri"), ((0, 2), "mon,wed"), (tuple(range(7)), "daily"), ((5, 6), "sat,sun"), ((4,), "fri"), ((0, 1, 2, 4), "mon,tue,wed,fri")],
)
def test_days_are_told_shortly(days, text):
    assert schedule_render.days_text(days) == text


def test_people_read_local_time_utc_and_how_long_it_is_until_then():
    schedule = plan("kept on", "America/Sao_Paulo")
    found = schedule_render.action_lines(actions(schedule, NOW, NOW + timedelta(days=5, hours=15)), schedule.zone, NOW)
    assert found == [
        "start  mon 2027-01-18 08:00 -03 = 2027-01-18 11:00 UTC, in 2 d 23 h",
        "start  tue 2027-01-19 08:00 -03 = 2027-01-19 11:00 UTC, in 3 d 23 h",
        "start  wed 2027-01-20 08:00 -03 = 2027-01-20 11:00 UTC, in 4 d 23 h",
        "stop   wed 2027-01-20 23:15 -03 = 2027-01-21 02:15 UTC, in 5 d 14 h: kept on until now",
    ]
    assert schedule_render.action_lines(actions(plan("office", "UTC"), NOW, NOW + timedelta(hours=8)), UTC, NOW) == [
        "stop   fri 2027-01-15 19:00 UTC = 2027-01-15 19:00 UTC, in 7 h 00 min"
    ]
