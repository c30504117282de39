"""Working hours: what they may say, and what follows from them - over clock changes, holidays, midnight and 'keep on until'."""

import datetime
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.atena.aws.plugins.module_utils.schedule import working_hours
from ansible_collections.atena.aws.plugins.module_utils.schedule.working_hours import due, next_actions, parse

OFFICE = {"days": "mon-fri", "start": "08:00", "stop": "19:00"}
NIGHT = {"days": "fri", "start": "22:00", "stop": "02:00"}


def schedule(*hours, timezone="America/Sao_Paulo", **more):
    return parse({"timezone": timezone, "hours": list(hours or [OFFICE]), **more})


def utc(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


def planned(plan, now, count=10):
    return [(action["action"], action["at"].strftime("%Y-%m-%d %H:%M")) for action in next_actions(plan, utc(now), count)]


# --- What the data may say --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("days", "found"),
    [
        ("mon-fri", (0, 1, 2, 3, 4)),
        (["mon", "wed"], (0, 2)),
        ("Monday, SATURDAY", (0, 5)),
        ("fri-mon", (0, 4, 5, 6)),
        (["tue-thu", "sun"], (1, 2, 3, 6)),
        ("sun", (6,)),
    ],
)
def test_days_are_names_lists_and_ranges(days, found):
    assert schedule({**OFFICE, "days": days}).hours[0].days == found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"timezone": None}, "timezone: is missing; give an IANA name"),
        ({"timezone": "Brasilia"}, "timezone: 'Brasilia' is no IANA time zone"),
        ({"timezone": "America"}, "timezone: 'America' is no IANA time zone"),
        ({"timezone": "../etc/passwd"}, "is no IANA time zone"),
        ({"hours": []}, "hours: must be a list such as"),
        ({"hours": {"mon": 8}}, "hours: must be a list such as"),
        ({"hours": ["8-19"]}, "hours[0]: must look like"),
        ({"hours": [{**OFFICE, "end": "19:00"}]}, "hours[0]: there is no such key: end"),
        ({"hours": [{**OFFICE, "days": "mo-fr"}]}, "hours[0]: days: 'mo' is no weekday"),
        ({"hours": [{**OFFICE, "days": ""}]}, "days: '' is no weekday"),
        ({"hours": [{**OFFICE, "days": "mon-wed-fri"}]}, "'mon-wed-fri' is no range"),
        ({"hours": [OFFICE, {**OFFICE, "stop": 1140}]}, 'hours[1]: stop is the number 1140; write it in quotes: "19:00"'),
        ({"hours": [{**OFFICE, "start": "8am"}]}, "start is '8am'; it must be a time in quotes"),
        ({"hours": [{**OFFICE, "start": "25:00"}]}, "it must be a time in quotes"),
        ({"hours": [{**OFFICE, "stop": "24:30"}]}, "it must be a time in quotes"),
        ({"hours": [{"days": "mon", "stop": "19:00"}]}, "start is None"),
        ({"hours": [{**OFFICE, "start": "24:00"}]}, "start is 24:00"),
        ({"hours": [{**OFFICE, "stop": "08:00"}]}, "start and stop are both 08:00"),
        ({"holidays": ["25/12"]}, "holidays[0]: '25/12' is neither a date"),
        ({"holidays": ["2027-12-24", "13-01"]}, "holidays[1]: '13-01' is neither"),
        ({"holidays": ["2028-01-02/2027-12-24"]}, "ends before it begins"),
        ({"keep_on_until": "tonight"}, "keep_on_until: 'tonight' is no date with a time of day"),
        ({"keep_on_until": "2027-03-05"}, "is no date with a time of day"),
        ({"on": True}, "on: there is no such key"),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_stands(change, says):
    with pytest.raises(ValueError) as refused:
        parse({"timezone": "UTC", "hours": [OFFICE], **change})
    assert says in str(refused.value)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(ValueError) as refused:
        parse({"timezone": "X", "hours": [{"days": "x"}], "holidays": ["x"], "keep_on_until": "x"})
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == ["timezone", "hours[0]", "holidays[0]", "keep_on_until"]


def test_what_is_no_mapping_is_refused():
    with pytest.raises(ValueError, match="no mapping"):
        parse("8 to 19")


def test_a_machine_without_a_time_zone_database_is_told_so(monkeypatch):
    def missing(_name):
        raise working_hours.zoneinfo.ZoneInfoNotFoundError("x")

    monkeypatch.setattr(working_hours.zoneinfo, "ZoneInfo", missing)
    monkeypatch.setattr(working_hours.zoneinfo, "available_timezones", lambda: set())
    with pytest.raises(ValueError, match="no time zone database"):
        schedule()


# --- What follows -----------------------------------------------------------------------------------------------------
def test_a_week_in_a_zone_without_summer_time():
    # 2027-03-05 is a Friday; São Paulo is three hours behind.
    assert planned(schedule(), "2027-03-05T12:00", 4) == [
        ("stop", "2027-03-05 22:00"),
        ("start", "2027-03-08 11:00"),
        ("stop", "2027-03-08 22:00"),
        ("start", "2027-03-09 11:00"),
    ]


@pytest.mark.parametrize(
    ("timezone", "now", "found"),
    [
        # New York springs forward on Sunday, 14 March 2027, and falls back on Sunday, 7 November 2027.
        ("America/New_York", "2027-03-12T20:00", [("stop", "2027-03-13 00:00"), ("start", "2027-03-15 12:00"), ("stop", "2027-03-15 23:00")]),
        ("America/New_York", "2027-11-05T20:00", [("stop", "2027-11-05 23:00"), ("start", "2027-11-08 13:00"), ("stop", "2027-11-09 00:00")]),
        # The southern half of the year the other way round; half an hour of summer time; a quarter of an hour of zone.
        ("Australia/Lord_Howe", "2027-04-02T00:00", [("stop", "2027-04-02 08:00"), ("start", "2027-04-04 21:30"), ("stop", "2027-04-05 08:30")]),
        ("Asia/Kathmandu", "2027-04-05T00:00", [("start", "2027-04-05 02:15"), ("stop", "2027-04-05 13:15")]),
        ("UTC", "2027-04-05T00:00", [("start", "2027-04-05 08:00"), ("stop", "2027-04-05 19:00")]),
    ],
)
def test_local_hours_stay_local_over_clock_changes(timezone, now, found):
    assert planned(schedule(timezone=timezone), now, len(found)) == found


def test_a_time_that_the_clock_skips_is_the_moment_after_the_gap():
    plan = schedule({"days": "sun", "start": "02:30", "stop": "06:00"}, timezone="America/New_York")
    assert planned(plan, "2027-03-13T12:00", 2) == [("start", "2027-03-14 07:30"), ("stop", "2027-03-14 10:00")]
    assert working_hours.local_text(utc("2027-03-14T07:30"), plan.zone) == "sun 2027-03-14 03:30 EDT"


def test_a_time_that_comes_twice_is_the_first():
    plan = schedule({"days": "sun", "start": "01:30", "stop": "06:00"}, timezone="America/New_York")
    assert planned(plan, "2027-11-06T12:00", 2) == [("start", "2027-11-07 05:30"), ("stop", "2027-11-07 11:00")]


def test_hours_may_go_past_midnight_and_touch():
    assert planned(schedule(NIGHT, timezone="UTC"), "2027-03-05T00:00", 2) == [("start", "2027-03-05 22:00"), ("stop", "2027-03-06 02:00")]
    whole = {"start": "00:00", "stop": "24:00"}
    assert planned(schedule({"days": "fri-sun", **whole}, timezone="UTC"), "2027-03-04T00:00", 3) == [
        ("start", "2027-03-05 00:00"),
        ("stop", "2027-03-08 00:00"),
        ("start", "2027-03-12 00:00"),
    ]
    both = schedule(OFFICE, {"days": "wed", "start": "12:00", "stop": "21:00"}, timezone="UTC")
    assert planned(both, "2027-03-03T00:00", 2) == [("start", "2027-03-03 08:00"), ("stop", "2027-03-03 21:00")]


def test_what_is_always_on_has_no_actions():
    assert planned(schedule({"days": "mon-sun", "start": "00:00", "stop": "24:00"}), "2027-03-05T12:00") == []


@pytest.mark.parametrize("holidays", [["2027-03-05"], ["03-05"], [datetime.date(2027, 3, 5)], ["2027-03-05/2027-03-07"]])
def test_holidays_begin_no_hours(holidays):
    assert planned(schedule(timezone="UTC", holidays=holidays), "2027-03-04T12:00", 2) == [("stop", "2027-03-04 19:00"), ("start", "2027-03-08 08:00")]


def test_what_began_before_a_holiday_ends_on_it():
    assert planned(schedule(NIGHT, timezone="UTC", holidays=["03-06"]), "2027-03-05T00:00", 2) == [("start", "2027-03-05 22:00"), ("stop", "2027-03-06 02:00")]


@pytest.mark.parametrize(
    ("keep", "found"),
    [
        # Later the same evening; into the next day's hours; to the very end; a moment already past the last stop.
        ("2027-03-04 22:30", [("stop", "2027-03-04 22:30"), ("start", "2027-03-05 08:00"), ("stop", "2027-03-05 19:00")]),
        ("2027-03-05 10:00", [("start", "2027-03-05 08:00"), ("stop", "2027-03-05 19:00"), ("start", "2027-03-08 08:00")]),
        ("2027-03-05 19:00", [("start", "2027-03-05 08:00"), ("stop", "2027-03-05 19:00"), ("start", "2027-03-08 08:00")]),
        ("2027-03-06 20:00", [("start", "2027-03-05 08:00"), ("stop", "2027-03-06 20:00"), ("start", "2027-03-08 08:00")]),
        ("2027-03-04 15:00", [("stop", "2027-03-04 19:00"), ("start", "2027-03-05 08:00"), ("stop", "2027-03-05 19:00")]),
        ("2027-03-01 15:00", [("stop", "2027-03-04 19:00"), ("start", "2027-03-05 08:00"), ("stop", "2027-03-05 19:00")]),
        ("2027-03-04T22:29:30", [("stop", "2027-03-04 22:30"), ("start", "2027-03-05 08:00"), ("stop", "2027-03-05 19:00")]),
        (datetime.datetime(2027, 3, 4, 22, 30), [("stop", "2027-03-04 22:30"), ("start", "2027-03-05 08:00"), ("stop", "2027-03-05 19:00")]),
    ],
)
def test_kept_on_until_then_no_stop_comes_before(keep, found):
    assert planned(schedule(timezone="UTC", keep_on_until=keep), "2027-03-04T12:00", 3) == found


def test_keep_on_until_is_local_unless_it_says_otherwise():
    assert schedule(keep_on_until="2027-03-04 22:30").keep_on_until == utc("2027-03-05T01:30")
    assert schedule(keep_on_until="2027-03-04T22:30+01:00").keep_on_until == utc("2027-03-04T21:30")


# --- What is due ------------------------------------------------------------------------------------------------------
LATE = timedelta(hours=3)


@pytest.mark.parametrize(
    ("now", "state", "changed", "action", "says"),
    [
        # Thursday, hours 08:00 to 19:00 UTC.
        ("2027-03-04T19:00", "running", "2027-03-04T08:05", "stop", "Due: stop of thu 2027-03-04 19:00 UTC"),
        ("2027-03-04T18:59", "running", "2027-03-04T08:05", "", "no action of the last 180 minutes"),
        ("2027-03-04T21:59", "running", None, "stop", "Due"),
        ("2027-03-04T22:00", "running", None, "stop", "Due"),
        ("2027-03-04T22:01", "running", None, "", "no action of the last"),
        ("2027-03-04T20:00", "stopped", "2027-03-04T19:06", "", "is done, the environment is stopped"),
        ("2027-03-04T20:00", "stopped", "2027-03-04T18:00", "", "is done"),
        ("2027-03-04T20:00", "running", "2027-03-04T19:30", "", "What somebody decided since remains in force"),
        ("2027-03-04T20:00", "starting", "2027-03-04T19:30", "", "it is starting since"),
        ("2027-03-04T20:00", "stopping", "2027-03-04T19:06", "stop", "Due"),
        ("2027-03-04T20:00", "starting", "2027-03-04T08:00", "stop", "Due"),
        ("2027-03-05T08:00", "stopped", "2027-03-04T19:06", "start", "Due: start of fri 2027-03-05 08:00 UTC (working hours)"),
        ("2027-03-05T09:00", "starting", "2027-03-05T08:01", "start", "Due"),
        ("2027-03-05T09:00", "stopped", "2027-03-05T08:30", "", "What somebody decided since remains in force"),
        ("2027-03-05T09:00", "running", "2027-03-05T08:09", "", "is done, the environment is running"),
        ("2027-03-07T12:00", "running", None, "", "no action of the last"),
    ],
)
def test_only_what_fell_due_lately_and_nobody_decided_since_is_done(now, state, changed, action, says):
    found = due(schedule(timezone="UTC"), utc(now), state, changed and utc(changed), LATE)
    assert found["action"] == action
    assert says in found["says"]


def test_the_cron_line_of_the_other_half_of_the_year_finds_nothing_due():
    plan = schedule(timezone="America/New_York")
    # In winter 08:00 is 13:00 UTC; summer's line wakes it at 12:00.
    assert due(plan, utc("2027-01-12T12:00"), "stopped", utc("2027-01-12T00:06"), LATE)["action"] == ""
    assert due(plan, utc("2027-01-12T13:00"), "stopped", utc("2027-01-12T00:06"), LATE)["action"] == "start"
    # In summer it is 12:00; winter's line wakes it an hour after.
    assert due(plan, utc("2027-07-13T12:00"), "stopped", utc("2027-07-12T23:06"), LATE)["action"] == "start"
    assert due(plan, utc("2027-07-13T13:00"), "running", utc("2027-07-13T12:09"), LATE)["action"] == ""


def test_no_stop_is_due_while_it_is_kept_on():
    plan = schedule(timezone="UTC", keep_on_until="2027-03-04 22:30")
    assert due(plan, utc("2027-03-04T19:00"), "running", None, LATE)["action"] == ""
    assert due(plan, utc("2027-03-04T22:30"), "running", None, LATE)["action"] == "stop"


def test_a_local_hour_is_told_with_its_zone():
    assert working_hours.local_text(utc("2027-07-13T12:00"), ZoneInfo("America/New_York")) == "tue 2027-07-13 08:00 EDT"
