"""Whether an environment is on: nothing may be started in one that is stopped, or half-way."""

import datetime
import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.state import Power, journal_standing, read_journal, why_not_on
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import PowerRecord
from fakes import work
from test_ledger import Bucket

ON, OFF = {"power": "on", "redis": "present"}, {"power": "off", "redis": "absent"}


def journal(state, **changes):
    return work(state, PowerRecord, **changes)


@pytest.mark.parametrize(
    ("gates", "journal", "says"),
    [
        (ON, None, ""),
        (ON, journal("running"), ""),
        (ON, journal("stopping"), "Run stop.yml again"),
        (OFF, journal("stopping"), "Run stop.yml again"),
        (ON, journal("starting"), "Run start.yml again"),
        (OFF, journal("stopped"), "Run start.yml first"),
        (OFF, None, "Run start.yml first"),
        ({}, None, "Run start.yml first"),
        ({"power": "on", "redis": "absent"}, None, "Run start.yml again"),
        ({"power": "on", "redis": "adopt"}, journal("running"), "Run start.yml again"),
        (None, None, "Run bootstrap.yml"),
    ],
)
def test_only_what_is_wholly_on_is_on(gates, journal, says):
    found = why_not_on(Power(gates, journal))
    assert bool(found) == bool(says)
    assert says in found


def test_whoever_does_not_ask_is_not_held_up():
    assert why_not_on(None) == ""


AT = datetime.datetime(2027, 3, 4, 19, 6, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("journal", "standing"),
    [
        (None, ("running", None)),
        (journal("stopped", began_at="2027-03-04T19:00:00Z", ended_at="2027-03-04T19:06:00Z"), ("stopped", AT)),
        (journal("stopping", began_at="2027-03-04T19:06:00Z"), ("stopping", AT)),
        (journal("starting", began_at="2027-03-04T19:06:00Z"), ("starting", AT)),
        (journal("running", began_at="2027-03-04T19:00:00Z", ended_at="2027-03-04T19:06:00Z"), ("running", AT)),
        (journal("running"), ("running", None)),
    ],
)
def test_a_journal_tells_how_it_stands_and_since_when(journal, standing):
    assert journal_standing(journal) == standing


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"state": "asleep"}, 'state is "asleep", not "running", "stopping", "stopped" or "starting"'),
        ({"state": None}, "state is null, not text"),
        ({"ended_at": "yesterday"}, "ended_at is no moment in ISO 8601"),
        ({"ended_at": 7}, "ended_at is a whole number, not text"),
        ({"redis": {"restored": "no"}}, "redis.restored is text, not true or false"),
        ({"services": {"api": {"desired_count": "2"}}}, "services.api.desired_count is text, not a whole number"),
        ({"steps": [{"step": "gates"}]}, r"steps\[0\].began_at is missing"),
    ],
)
def test_a_journal_that_somebody_damaged_is_no_ground_to_act_on(changes, cause):
    bucket = Bucket()
    bucket.objects["power.json"] = json.dumps({**work("stopped").as_dict(), **changes}).encode()
    with pytest.raises(CallFailed, match=f"s3://state/power.json is not the power journal: {cause}. .* --bucket state --prefix power.json` names"):
        read_journal(bucket, "state", "power.json")


def test_what_a_later_version_wrote_into_a_journal_is_read_and_stays():
    bucket, later = Bucket(), {**work("stopped").as_dict(), "cdn": {"id": "c"}, "redis": {"snapshot": "s-1", "restored": False, "shards": 2}}
    bucket.objects["power.json"] = json.dumps(later).encode()
    assert journal_standing(read_journal(bucket, "state", "power.json")) == ("stopped", None)
    found = power_journal.Journal(bucket, "state", "power.json")
    found.read()
    found.change(redis={"restored": True})
    assert json.loads(bucket.objects["power.json"]) == {**later, "redis": {"snapshot": "s-1", "restored": True, "shards": 2}}
