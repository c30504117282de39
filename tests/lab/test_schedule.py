"""Working hours: shown, rendered, and acted upon; and EventBridge Scheduler where nothing else is there."""

import datetime
import json
from datetime import UTC, timedelta

import pytest
from emulator_world import until
from faults import Faults
from wire import Wire

DATABASE = "atena-prod-db"
OFFICE = {"timezone": "America/New_York", "hours": [{"days": "mon-fri", "start": "08:00", "stop": "19:00"}], "holidays": ["12-25"]}
WINTER = "2027-01-15T12:00:00Z"


def given(hours, **more):
    return ("-e", json.dumps({"atena_schedule": hours, **more}))


def test_without_hours_it_says_that_nothing_happens_by_itself(lab):
    run = lab.playbook("schedule.yml", "-e", "schedule_act=true").must_succeed()
    assert run.changed == 0
    assert "has no working hours: it is started and stopped manually" in run.text


def test_it_shows_the_next_ten_actions_and_asks_aws_nothing(lab):
    with Wire(lab.endpoint) as wire:
        run = lab.playbook("schedule.yml", *given(OFFICE, schedule_now=WINTER), environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert [call.service for call in wire.calls] == ["sts"]
    assert len([line for line in run.output.splitlines() if " EST = 2027-" in line]) == 10
    assert "start fri 2027-01-15 08:00 EST = 2027-01-15 13:00 UTC, in 1 h 00 min" in run.text


def test_cron_lines_and_rules_can_be_copied_as_they_stand(lab):
    cron = lab.playbook("schedule.yml", *given(OFFICE, schedule_now=WINTER, schedule_show="cron")).must_succeed()
    lines = [line.strip() for line in cron.output.splitlines() if "- cron:" in line]
    assert lines[1] == '- cron: "0 12 * * 1,2,3,4,5"  # start 08:00 mon-fri America/New_York, 2027-03-15 to 2027-11-05'
    assert len(lines) == 4
    awx = lab.playbook("schedule.yml", *given(OFFICE, schedule_now=WINTER, schedule_show="awx")).must_succeed()
    rules = [line.strip() for line in awx.output.splitlines() if "rrule:" in line]
    assert rules[0] == "rrule: DTSTART;TZID=America/New_York:20240101T080000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,TU,WE,TH,FR"


@pytest.mark.parametrize(
    ("hours", "says"),
    [
        ({**OFFICE, "timezone": "Brasilia"}, "timezone: 'Brasilia' is no IANA time zone"),
        ({**OFFICE, "hours": [{"days": "mon", "start": "08:00", "stop": 1140}]}, 'stop is the number 1140; write it in quotes: "19:00"'),
    ],
)
def test_hours_that_cannot_be_meant_are_refused_where_they_stand(lab, hours, says):
    run = lab.playbook("schedule.yml", *given(hours)).must_fail()
    assert f"The schedule of {lab.name} cannot be used" in run.text
    assert says in run.text


def around(moment, begins, ends):
    """Daily hours that begin and end so many minutes after a moment."""
    times = {side: (moment + timedelta(minutes=minutes)).strftime("%H:%M") for side, minutes in (("start", begins), ("stop", ends))}
    return {"timezone": "UTC", "hours": [{"days": "mon-sun", **times}]}


def power(lab):
    gates = lab.client("s3").get_object(Bucket=f"atena-terraform-state-{lab.account}", Key="atena/prod/gates.json")
    return json.load(gates["Body"])["power"]


def database(lab):
    return lab.client("rds").describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"][0]["DBInstanceStatus"]


def scheduler_state(lab):
    return lab.client("scheduler").get_schedule(Name=f"{lab.name}-stop-database", GroupName="default")["State"]


@pytest.mark.soak
def test_what_is_due_is_done_once_and_the_scheduler_keeps_the_database_off_meanwhile(lab):
    with_scheduler = {"atena_database_stop_schedule": {"enabled": True, "every_minutes": 60}}
    lab.playbook("infra.yml", "-e", json.dumps(with_scheduler)).must_succeed()
    assert scheduler_state(lab) == "DISABLED"
    now = datetime.datetime.now(UTC)

    def act(hours, minutes):
        later = (now + timedelta(minutes=minutes)).isoformat()
        return lab.playbook("schedule.yml", *given(hours, schedule_act=True, schedule_now=later, **with_scheduler), timeout=900).must_succeed()

    try:
        ends = around(now, -50, 10)
        early = act(ends, 9)
        assert early.changed == 0 and power(lab) == "on"
        stop = act(ends, 11)
        assert "Due: stop of" in stop.text and stop.changed
        assert (power(lab), database(lab)) == ("off", "stopped")
        assert lab.plan()[0] == 0
        again = act(ends, 12)
        assert again.changed == 0 and "is done, the environment is stopped" in again.text

        assert scheduler_state(lab) == "ENABLED"
        with Faults(lab.endpoint) as emulator:
            assert emulator.days(7) == [DATABASE]
            until(lambda: database(lab) == "available", 60)
            assert emulator.fire(f"default/{lab.name}-stop-database")
            until(lambda: database(lab) == "stopped", 60)

        # Its hours began long before it was stopped by hand, as far as they know: what was decided since stands.
        stands = act(around(now, -60, 120), 1)
        assert stands.changed == 0 and "What somebody decided since remains in force" in stands.text
        start = act(around(now, 20, 80), 21)
        assert "Due: start of" in start.text and start.changed
        assert (power(lab), database(lab)) == ("on", "available")
        assert scheduler_state(lab) == "DISABLED"
        with Faults(lab.endpoint) as emulator:
            assert not emulator.fire(f"default/{lab.name}-stop-database")
    finally:
        lab.playbook("start.yml", "-e", json.dumps(with_scheduler), timeout=900)
        lab.playbook("infra.yml", "-e", '{"infra_allow_destroy": ["*.stop_database*"]}').must_succeed()
    assert lab.app.version == lab.app.commit
    assert lab.plan()[0] == 0
