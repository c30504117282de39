"""Reading several log groups against a CloudWatch of a few lines: pages, late lines, new streams, refusals, and how much is held at once."""

import functools
import itertools
import tracemalloc

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import calls as aws_calls
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.logs import search as log_search
from ansible_collections.atena.aws.plugins.module_utils.logs.lines import OVERLAP, Seen
from ansible_collections.atena.aws.plugins.module_utils.logs.output import LineOutput, Unheard
from ansible_collections.atena.aws.plugins.module_utils.logs.search import GroupReader, LogSearch

START = 1_000_000_000


class Logs:
    """Groups of events in the order in which CloudWatch got them; pages of `page` events, every other one empty."""

    def __init__(self, page=3, **groups):
        self.groups, self.page = groups, page
        self.requests, self.fails, self.begin_of = [], {}, {}
        self.number = itertools.count()

    def put(self, group, at, message="a line", stream="api/api/one"):
        self.groups.setdefault(group, []).append(
            {"timestamp": START + at, "eventId": f"id-{next(self.number)}", "message": message, "logStreamName": stream, "ingestionTime": 0}
        )

    def __call__(self, service, operation, doing, /, **arguments):
        assert (service, operation) == ("logs", "filter_log_events")
        self.requests.append(arguments)
        if failed := self.fails.pop(len(self.requests), None):
            raise failed
        if arguments["logGroupName"] not in self.groups:
            raise failure("Could not read the log: ResourceNotFoundException.", "ResourceNotFoundException")
        found = [entry for entry in self.groups[arguments["logGroupName"]] if arguments["startTime"] <= entry["timestamp"] < arguments.get("endTime", 2**60)]
        found.sort(key=lambda entry: entry["timestamp"])
        at, empty = arguments.get("nextToken", (0, False))
        if empty:
            return {"events": [], "nextToken": (at, False)}
        rest = at + self.page
        return {"events": found[at:rest], **({"nextToken": (rest, True)} if rest < len(found) else {})}


@pytest.fixture
def clock(monkeypatch):
    """Time passes only when somebody sleeps; `at` says what happens then."""

    class Clock:
        now, at = 0.0, {}

        def sleep(self, seconds):
            self.now += seconds
            for moment in [moment for moment in self.at if moment <= self.now]:
                self.at.pop(moment)()

    fake = Clock()
    fake.at = {}
    monkeypatch.setattr(log_search.time, "sleep", fake.sleep)
    monkeypatch.setattr(log_search, "Deadline", lambda seconds: aws_calls.Deadline(seconds, clock=lambda: fake.now))
    return fake


def searching(logs, *groups, pattern="", end=None, said=None, clock=None):
    readers = [GroupReader(logs, group.rsplit("/", 1)[-1], group, pattern, START, end) for group in groups]
    return LogSearch(readers, said.append if said is not None else lambda text: None, clock=lambda: START / 1000 + (clock.now if clock else 0))


def messages(found):
    return [f"{reader.service}: {event['message']}" for reader, event in found if reader]


def test_lines_of_all_groups_come_in_the_order_of_time_over_all_pages():
    logs = Logs()
    for number in range(10):
        logs.put("/ecs/api", number * 10, f"{number}")
        logs.put("/ecs/workers", number * 10 + 5, f"{number}")
    assert messages(searching(logs, "/ecs/api", "/ecs/workers").once()) == [f"{service}: {number}" for number in range(10) for service in ("api", "workers")]


def test_an_end_and_a_pattern_are_cloudwatchs_business():
    logs = Logs()
    logs.put("/ecs/api", 0)
    list(searching(logs, "/ecs/api", pattern="?ERROR ?WARN", end=START + 50).once())
    assert logs.requests == [{"logGroupName": "/ecs/api", "startTime": START, "endTime": START + 50, "filterPattern": "?ERROR ?WARN"}]


def test_a_missing_group_is_told_before_the_first_line_with_the_remedy():
    logs = Logs()
    logs.put("/ecs/api", 0)
    with pytest.raises(CallFailed, match="The service web has no log: there is no log group /ecs/web. Run infra.yml"):
        next(searching(logs, "/ecs/api", "/ecs/web").once())


def test_a_pattern_that_cloudwatch_refuses_is_told_with_examples():
    logs = Logs()
    logs.put("/ecs/api", 0)
    logs.fails = {1: failure("Could not read the log: InvalidParameterException: Invalid filter pattern.", "InvalidParameterException")}
    with pytest.raises(CallFailed, match=r"If it is the pattern \(\{ broken\): words as in ERROR"):
        list(searching(logs, "/ecs/api", pattern="{ broken").once())


def test_what_comes_is_followed_late_lines_and_new_streams_too_and_none_twice(clock):
    logs = Logs()
    logs.put("/ecs/api", 1000, "first")
    logs.put("/ecs/api", 2000, "second")
    clock.at = {
        2: lambda: (logs.put("/ecs/api", 1500, "late"), logs.put("/ecs/api", 3000, "third")),
        4: lambda: logs.put("/ecs/api", 4000, "of another task", stream="api/api/two"),
    }
    assert messages(searching(logs, "/ecs/api", clock=clock).follow(10)) == ["api: first", "api: second", "api: late", "api: third", "api: of another task"]


def test_later_looks_begin_shortly_before_the_newest_line(clock):
    logs = Logs()
    logs.put("/ecs/api", 10 * OVERLAP, "much later")
    list(searching(logs, "/ecs/api", clock=clock).follow(5))
    assert {request["startTime"] for request in logs.requests[1:]} == {START + 9 * OVERLAP}


def test_a_refusal_while_following_loses_no_line_and_shows_none_twice(clock):
    logs, said = Logs(page=2), []
    for number in range(6):
        logs.put("/ecs/api", number, f"{number}")
        logs.put("/ecs/workers", number, f"{number}")
    # Of the first look all is there (5 pages each); the second is broken off between two pages.
    logs.fails = {12: failure("Could not read the log: ThrottlingException.", "ThrottlingException")}
    clock.at = {0.5: lambda: [logs.put(group, 100 + number, f"new {number}") for number in range(5) for group in ("/ecs/api", "/ecs/workers")]}
    found = messages(searching(logs, "/ecs/api", "/ecs/workers", said=said, clock=clock).follow(10))
    assert said == ["Could not read the log: ThrottlingException. Checking again."]
    assert len(found) == len(set(found)) == 22


def test_what_waiting_does_not_mend_ends_it(clock):
    logs = Logs()
    logs.put("/ecs/api", 0)
    logs.fails = {2: failure("Could not read the log: ExpiredToken.", "ExpiredToken")}
    with pytest.raises(CallFailed, match="ExpiredToken"):
        list(searching(logs, "/ecs/api", clock=clock).follow(10))


def test_many_groups_are_asked_less_often(clock):
    logs = Logs()
    groups = [f"/ecs/{number}" for number in range(10)]
    for group in groups:
        logs.put(group, 0)
    list(searching(logs, *groups, clock=clock).follow(20))
    assert len(logs.requests) / 20 <= 3.5


class Endless(Logs):
    """So many lines, made when they are asked for."""

    def __init__(self, count):
        super().__init__(page=100)
        self.count = count

    def __call__(self, service, operation, doing, /, **arguments):
        first = arguments.get("nextToken", 0)
        events = [
            {"timestamp": START + number, "eventId": f"{number:056}", "message": f"line {number} " + "x" * 100, "logStreamName": "api/api/one"}
            for number in range(first, min(first + self.page, self.count))
        ]
        return {"events": events, **({"nextToken": first + self.page} if first + self.page < self.count else {})}


@pytest.mark.parametrize("follow", [False, True])
def test_more_lines_take_no_more_memory(clock, tmp_path, monkeypatch, follow):
    # What is remembered while following has an end that takes long to reach; that it is REMEMBERED, test_log_lines.py says.
    monkeypatch.setattr(log_search, "Seen", functools.partial(Seen, most=500))

    def peak(count):
        search, output = searching(Endless(count), "/ecs/api", clock=clock), LineOutput(Progress(None), str(tmp_path / "lines"), keep=100)
        tracemalloc.start()
        for reader, event in search.follow(0.01) if follow else search.once():
            if reader:
                output.add(event["message"], event["message"])
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        output.close()
        assert len(output.last) == 100
        assert output.count >= count
        return highest

    small, large = (peak(1_000), peak(10_000)) if follow else (peak(500), peak(5_000))
    assert large < small * 1.3, (small, large)


def test_lines_go_to_a_private_file_whole_and_without_control_codes(tmp_path):
    path = tmp_path / "lines"
    output = LineOutput(Progress(None), str(path), keep=1)
    output.add("\x1b[31mred\x1b[0m " + "x" * 5000 + "\n  below", "one")
    output.add('{"a": 1}', "two", raw=True)
    output.close()
    assert path.read_text() == "red " + "x" * 5000 + '\n  below\n{"a": 1}\n'
    assert path.stat().st_mode & 0o777 == 0o600
    assert (output.count, list(output.last), output.shown) == (2, ["two"], False)


def test_a_link_is_not_written_through(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        LineOutput(Progress(None), str(tmp_path / "link"))


def test_it_ends_when_nobody_watches_any_more(tmp_path):
    progress = Progress(str(tmp_path / "told"))
    output = LineOutput(progress)
    output.add("seen", "seen")
    assert output.shown
    progress._file = None  # as after a broken pipe
    with pytest.raises(Unheard):
        output.add("not seen", "not seen")
