"""Whether an environment is on: nothing may be started in one that is stopped, or half-way."""

import datetime

import pytest
from ansible_collections.atena.aws.plugins.module_utils.aws_calls import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.power_state import journal_standing, why_not_on

ON, OFF = {"power": "on", "redis": "present"}, {"power": "off", "redis": "absent"}


@pytest.mark.parametrize(
    ("gates", "journal", "says"),
    [
        (ON, None, ""),
        (ON, {"state": "running"}, ""),
        (ON, {"state": "stopping"}, "Run stop.yml again"),
        (OFF, {"state": "stopping"}, "Run stop.yml again"),
        (ON, {"state": "starting"}, "Run start.yml again"),
        (OFF, {"state": "stopped"}, "Run start.yml first"),
        (OFF, None, "Run start.yml first"),
        ({}, None, "Run start.yml first"),
        ({"power": "on", "redis": "absent"}, None, "Run start.yml again"),
        ({"power": "on", "redis": "adopt"}, {"state": "running"}, "Run start.yml again"),
        (None, None, "Run bootstrap.yml"),
        (ON, {}, "does not say"),
        (ON, {"state": "asleep"}, "does not say"),
    ],
)
def test_only_what_is_wholly_on_is_on(gates, journal, says):
    found = why_not_on({"gates": gates, "journal": journal})
    assert bool(found) == bool(says)
    assert says in found


def test_whoever_does_not_ask_is_not_held_up():
    assert why_not_on(None) == ""


AT = datetime.datetime(2027, 3, 4, 19, 6, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("journal", "standing"),
    [
        (None, ("running", None)),
        ({"state": "stopped", "began_at": "2027-03-04T19:00:00Z", "ended_at": "2027-03-04T19:06:00Z"}, ("stopped", AT)),
        ({"state": "stopping", "began_at": "2027-03-04T19:06:00Z", "ended_at": ""}, ("stopping", AT)),
        # The end is the last stop's; a start began since.
        ({"state": "starting", "began_at": "2027-03-04T19:06:00Z", "ended_at": "2027-03-03T19:06:00Z"}, ("starting", AT)),
        ({"state": "running"}, ("running", None)),
    ],
)
def test_a_journal_tells_how_it_stands_and_since_when(journal, standing):
    assert journal_standing(journal) == standing


@pytest.mark.parametrize("journal", [{}, {"state": "asleep"}, {"state": "stopped", "began_at": "yesterday"}, {"state": "stopped", "began_at": 7}])
def test_a_journal_that_tells_neither_is_no_ground_to_act_on(journal):
    with pytest.raises(CallFailed, match="does not say"):
        journal_standing(journal)
