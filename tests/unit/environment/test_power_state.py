"""Whether an environment is on: nothing may be started in one that is stopped, or half-way."""

import datetime

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.state import journal_standing, why_not_on

ON, OFF = {"power": "on", "redis": "present"}, {"power": "off", "redis": "absent"}


def journal(state, **changes):
    return {**power_journal.new("atena-prod"), "state": state, **changes}


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
        (journal("stopped", began_at="2027-03-04T19:00:00Z", ended_at="2027-03-04T19:06:00Z"), ("stopped", AT)),
        (journal("stopping", began_at="2027-03-04T19:06:00Z"), ("stopping", AT)),
        (journal("starting", began_at="2027-03-04T19:06:00Z"), ("starting", AT)),
        (journal("running", began_at="2027-03-04T19:00:00Z", ended_at="2027-03-04T19:06:00Z"), ("running", AT)),
        (journal("running"), ("running", None)),
    ],
)
def test_a_journal_tells_how_it_stands_and_since_when(journal, standing):
    assert journal_standing(journal) == standing


@pytest.mark.parametrize("journal", [{}, journal("asleep"), journal("stopped", ended_at="yesterday"), journal("stopped", ended_at=7)])
def test_a_journal_that_tells_neither_is_no_ground_to_act_on(journal):
    with pytest.raises(CallFailed, match="does not say"):
        journal_standing(journal)
    with pytest.raises(CallFailed, match="does not say"):
        why_not_on({"gates": ON, "journal": journal})
