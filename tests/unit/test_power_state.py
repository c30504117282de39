"""Whether an environment is on: nothing may be started in one that is stopped, or half-way."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.power_state import why_not_on

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
