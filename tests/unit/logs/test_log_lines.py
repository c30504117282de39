"""Times that people give, events that were shown already, and how a line is written."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.atena.aws.plugins.module_utils.logs import lines as log_lines
from ansible_collections.atena.aws.plugins.module_utils.logs.lines import REMEMBERED, Seen, as_json, as_text, moment, zone_named
from ansible_collections.atena.aws.plugins.modules.ecs_service_logs_info import span

NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
SAO_PAULO = zone_named("America/Sao_Paulo")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        (" 1d ", NOW - timedelta(days=1)),
        ("45s", NOW - timedelta(seconds=45)),
        ("2 w", NOW - timedelta(weeks=2)),
        ("2026-01-10T03:15Z", datetime(2026, 1, 10, 3, 15, tzinfo=UTC)),
        ("2026-01-10T03:15", datetime(2026, 1, 10, 6, 15, tzinfo=UTC)),
        ("2026-01-10 03:15:30", datetime(2026, 1, 10, 6, 15, 30, tzinfo=UTC)),
        ("2026-01-10", datetime(2026, 1, 10, 3, 0, tzinfo=UTC)),
        ("2026-01-10T03:15+02:00", datetime(2026, 1, 10, 1, 15, tzinfo=UTC)),
    ],
)
def test_a_time_is_so_long_ago_or_of_iso_8601(text, expected):
    assert moment(text, NOW, SAO_PAULO, "since") == expected


@pytest.mark.parametrize("text", ["30", "half an hour", "", "30x", "-5m", "2026-13-01"])
def test_any_other_is_told_what_would_do(text):
    with pytest.raises(ValueError, match="since: '.*' is neither a time ago, such as 30m, 2h or 1d, nor a time such as"):
        moment(text, NOW, UTC, "since")


def test_what_has_not_come_yet_is_refused():
    with pytest.raises(ValueError, match="until: 2026-01-10T13:00Z has not come yet; it is 2026-01-10T09:00:00-03:00"):
        moment("2026-01-10T13:00Z", NOW, SAO_PAULO, "until")


def test_an_unknown_time_zone_is_named():
    with pytest.raises(ValueError, match="timezone: 'Brazil/Nowhere'"):
        zone_named("Brazil/Nowhere")


def asked(**options):
    return {"timezone": "UTC", "since": "30m", "until": None, "follow": False, **options}


def test_the_span_ends_now_or_at_a_time_that_was():
    assert span(asked(), NOW)[1:] == (NOW - timedelta(minutes=30), None)
    assert span(asked(since="2h", until="1h"), NOW)[1:] == (NOW - timedelta(hours=2), NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"until": "1h"}, "until: 1h is not after since .30m."),
        ({"until": "10m", "follow": True}, "leave out until, or follow"),
        ({"timezone": "Nowhere"}, "timezone"),
    ],
)
def test_a_span_that_cannot_be_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        span(asked(**options), NOW)


def event(at, identifier=None, message="a line", stream="api/api/3f2a91c7d0e14b"):
    return {"timestamp": at, "eventId": identifier or f"event-{at}", "message": message, "logStreamName": stream}


def test_the_next_look_begins_before_the_newest_and_what_was_shown_is_known():
    seen = Seen(0, overlap=100)
    for at in (1000, 1050, 1200):
        seen.add(event(at))
    seen.rest(now=1200)
    assert seen.begin == 1100
    assert event(1200) in seen
    assert event(1150) not in seen
    # Older ones cannot come again: they are forgotten.
    assert len(seen) == 1


def test_a_look_never_begins_before_the_first():
    seen = Seen(1000, overlap=500)
    seen.add(event(1100))
    seen.rest(now=1200)
    assert seen.begin == 1000


def test_a_silent_log_is_not_read_from_its_last_line_for_ever():
    seen = Seen(0, overlap=100)
    seen.add(event(1000))
    seen.rest(now=10_000_000)
    assert seen.begin == 10_000_000 - log_lines.PATIENCE - 100


def test_what_is_remembered_has_an_end_and_nothing_is_shown_twice_for_it():
    seen = Seen(0, overlap=10**9, most=100)
    for at in range(1000):
        seen.add(event(at))
    assert len(seen) == 100
    # The next look begins after the last one that was forgotten.
    seen.rest(now=1000)
    assert seen.begin == 900
    assert all(event(at) in seen for at in range(900, 1000))


def test_so_many_are_remembered_unless_said_otherwise():
    seen = Seen(0)
    for at in range(REMEMBERED + 10):
        seen.add(event(at))
    assert len(seen) == REMEMBERED == 20_000


def test_an_event_becomes_a_line_for_people():
    found = log_lines.entry(event(1768046100123, message="ERROR at start\n  in main\n"), "api", SAO_PAULO)
    assert found["time"] == "2026-01-10T08:55:00.123-03:00"
    assert (found["container"], found["task"]) == ("api", "3f2a91c7d0e14b")
    assert as_text(found, 7) == "2026-01-10 08:55:00.123 api     3f2a91c7  ERROR at start\n" + " " * 44 + "in main"


def test_a_stream_of_another_kind_is_named_whole():
    found = log_lines.entry(event(0, message="", stream="something-else"), "api", UTC)
    assert (found["container"], found["task"]) == ("", "")
    assert as_text(found) == "1970-01-01 00:00:00.000 api something-else  "


def test_a_line_for_programs_is_one_line_and_moves_no_cursor():
    found = log_lines.entry(event(0, message='two\nlines, "quoted", São \x1b[31m\x9b\u202e\u2028'), "api", UTC)
    text = as_json(found, "atena-prod")
    assert "\n" not in text
    assert "São" in text
    assert not set(text) & {"\x1b", "\x9b", "\u202e", "\u2028"}
    assert json.loads(text) == {"environment": "atena-prod", **found}
    assert "environment" not in json.loads(as_json(found, ""))
