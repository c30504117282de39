"""One task from RunTask to its end: its lines as they come, and what is told when it does not end well."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import calls as aws_calls
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Unanswered, failure
from ansible_collections.atena.aws.plugins.module_utils.ecs import logs as ecs_logs, task_run

SINCE = datetime(2026, 1, 2, tzinfo=UTC)
ARN = "arn:aws:ecs:us-east-1:1:task/atena-prod-cluster/0f1e"
LOG = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/a", "awslogs-stream-prefix": "ecs"}}
DEFINITION = {
    "taskDefinitionArn": "arn:td/api:1",
    "networkMode": "awsvpc",
    "containerDefinitions": [{"name": "api", "image": "i@sha256:0", "logConfiguration": LOG}],
}
SERVICE = {
    "serviceName": "api",
    "status": "ACTIVE",
    "taskDefinition": "arn:td/api:1",
    "platformVersion": "1.4.0",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s1"], "securityGroups": ["g1"]}},
}


def state(name, code=None, **more):
    return {"lastStatus": name, "containers": [{"name": "api", **({} if code is None else {"exitCode": code})}], **more}


class Ecs:
    """Each look shows the next state; the log grows by `lines[look]`."""

    def __init__(self, *states, lines=(), run=None):
        self.states, self.lines, self.run = list(states), list(lines), run or {"tasks": [{"taskArn": ARN}]}
        self.look, self.stops, self.clock, self.log_error = -1, [], 0.0, None

    def __call__(self, service, operation, doing, /, **arguments):
        return getattr(self, operation)(**arguments)

    def describe_services(self, **arguments):
        return {"services": [SERVICE]}

    def describe_task_definition(self, **arguments):
        return {"taskDefinition": DEFINITION}

    def run_task(self, **arguments):
        return self.run

    def describe_tasks(self, **arguments):
        self.look += 1
        return {"tasks": [self.states[min(self.look, len(self.states) - 1)]]}

    def stop_task(self, **arguments):
        self.stops.append(arguments["reason"])
        self.states = [state("STOPPED", 137, startedAt=SINCE)]

    def get_log_events(self, nextToken="0", **arguments):
        if self.log_error:
            raise self.log_error
        there = [line for lines in self.lines[: self.look + 1] for line in lines]
        fresh = there[int(nextToken) :]
        return {"events": [{"message": line} for line in fresh], "nextForwardToken": str(len(there))}


@pytest.fixture
def follow(monkeypatch):
    def make(ecs, **options):
        def sleep(seconds):
            ecs.clock += seconds

        for module in (task_run, ecs_logs):
            monkeypatch.setattr(module.time, "sleep", sleep)
            monkeypatch.setattr(module.time, "monotonic", lambda: ecs.clock)
        monkeypatch.setattr(task_run, "Deadline", lambda seconds: aws_calls.Deadline(seconds, clock=lambda: ecs.clock))
        return task_run.TaskRun(ecs, task_run.Started("atena-prod-cluster", DEFINITION, ARN), **options)

    return make


RUNNING = state("RUNNING", startedAt=SINCE)
ENDED = state("STOPPED", 0, startedAt=SINCE)


def test_what_is_left_out_has_the_modules_defaults():
    definition, arguments = task_run.plan_run(Ecs(), {"cluster": "c", "service": "api"})
    assert definition["taskDefinitionArn"] == "arn:td/api:1"
    assert arguments["launchType"] == "FARGATE" and arguments["platformVersion"] == "1.4.0" and arguments["clientToken"]
    assert arguments["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["s1"]


def test_a_container_that_is_not_there_is_refused():
    with pytest.raises(CallFailed, match="has no container apl; it has: api"):
        task_run.plan_run(Ecs(), {"cluster": "c", "service": "api", "container_overrides": [{"name": "apl"}]})


def test_a_task_that_ecs_did_not_place_is_a_failure():
    ecs = Ecs(run={"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]})
    with pytest.raises(CallFailed, match="RESOURCE:MEMORY"):
        task_run.start(ecs, {"cluster": "c", "taskDefinition": "arn:td/api:1"})


def test_lines_are_told_as_they_come_between_the_states(follow):
    told = []
    ecs = Ecs(state("PENDING"), RUNNING, RUNNING, ENDED, lines=[[], ["one"], ["two"], [], ["three, late"]])
    ecs_lines = []
    succeeded, result = follow(ecs, say=told.append, on_line=lambda container, line: ecs_lines.append((container, line))).finish()
    assert succeeded and result["exit_codes"] == {"api": 0}
    assert [line.split("] ")[-1] for line in told] == [
        "task 0f1e: PENDING",
        "api | one",
        "task 0f1e: RUNNING",
        "api | two",
        "task 0f1e: STOPPED, exit codes: api 0",
    ]
    assert result["logs"] == {"api": ["one", "two"]} and ecs_lines == [("api", "one"), ("api", "two")]


def test_lines_that_come_after_the_stop_are_there_too(follow):
    ecs = Ecs(ENDED, lines=[["one", "two"]])
    assert follow(ecs).finish()[1]["logs"] == {"api": ["one", "two"]}


def test_a_task_that_takes_too_long_is_stopped_and_told(follow):
    told = []
    ecs = Ecs(RUNNING)
    succeeded, result = follow(ecs, wait_timeout=60, say=told.append).finish()
    assert not succeeded and ecs.stops == ["atena.aws: longer than 60 s"]
    assert "took longer than 60 s and was stopped" in result["reason"]
    assert any("takes too long, and is being stopped" in line for line in told)
    assert any("still RUNNING" in line for line in told)


def test_a_log_that_may_not_be_read_is_a_line_and_no_failure(follow):
    ecs = Ecs(RUNNING, ENDED)
    ecs.log_error = failure("Could not read the log /ecs/a: AccessDeniedException", "AccessDeniedException")
    succeeded, result = follow(ecs).finish()
    assert succeeded
    assert result["logs"]["api"] == ["(no more of the log: Could not read the log /ecs/a: AccessDeniedException)"]


def test_a_failed_task_is_told_with_its_last_lines(follow):
    ecs = Ecs(state("STOPPED", 7, startedAt=SINCE), lines=[["so far so good"]])
    succeeded, result = follow(ecs).finish()
    assert not succeeded
    text = task_run.failure_text(ARN, result)
    assert "The task 0f1e failed" in text and "exited with code 7" in text and "so far so good" in text


def test_a_guard_ends_the_waiting(follow):
    def guard():
        raise CallFailed("Somebody else has the lock.")

    with pytest.raises(CallFailed, match="lock"):
        follow(Ecs(RUNNING), guard=guard).finish()


# --- Answers that do not come --------------------------------------------------------------------------------------------
REQUEST = {"cluster": "c", "taskDefinition": "arn:td/api:1", "startedBy": "atena-aws/r-1", "clientToken": "r-1"}


class Lossy(Ecs):
    """RunTask's answers are lost so many times; carried_out: though ECS starts the task."""

    def __init__(self, *states, lost=1, carried_out=True, **more):
        super().__init__(*states, **more)
        self.lost, self.carried_out, self.sent, self.running = lost, carried_out, [], []

    def run_task(self, **arguments):
        self.sent.append(arguments["clientToken"])
        if self.carried_out:
            self.running = [ARN]
        if self.lost:
            self.lost -= 1
            raise Unanswered("Could not run it: the connection was reset.")
        return self.run

    def pages(self, service, operation, doing, key, /, **arguments):
        return self.running if (arguments["startedBy"], arguments["desiredStatus"]) == ("atena-aws/r-1", "RUNNING") else []


@pytest.fixture
def clock(follow):
    """Lets time pass without waiting, as for `follow`."""
    return lambda ecs: follow(ecs)


def test_a_task_whose_start_was_not_answered_is_found(clock):
    ecs = Lossy(lost=99)
    clock(ecs)
    assert task_run.start(ecs, REQUEST, patience=60) == ARN
    assert ecs.sent == ["r-1"]


def test_one_that_was_not_started_is_asked_for_again_by_the_same_token(clock):
    ecs = Lossy(lost=2, carried_out=False)
    clock(ecs)
    assert task_run.start(ecs, REQUEST, patience=60) == ARN
    assert ecs.sent == ["r-1"] * 3


def test_where_nothing_is_ever_known_it_is_not_called_not_started(clock):
    ecs = Lossy(lost=10**6, carried_out=False)
    clock(ecs)
    with pytest.raises(Unanswered, match="Whether arn:td/api:1 was started is not known") as failed:
        task_run.start(ecs, REQUEST, patience=60)
    assert not isinstance(failed.value, task_run.NotStarted) and ecs.clock >= 60


def test_what_others_have_started_is_not_taken_for_it(clock):
    ecs = Lossy(lost=1)
    clock(ecs)
    ecs.pages = lambda *arguments, **more: pytest.fail("looked for tasks of a name that is not its own")
    assert task_run.start(ecs, {**REQUEST, "startedBy": "somebody"}, patience=60) == ARN


def test_a_refusal_is_not_started_and_after_a_lost_answer_it_proves_nothing(clock):
    refused = failure("Could not run it: AccessDeniedException", "AccessDeniedException")

    class Refusing(Lossy):
        def run_task(self, **arguments):
            if self.lost:
                return super().run_task(**arguments)
            raise refused

    for lost, kind in ((0, task_run.NotStarted), (1, CallFailed)):
        ecs = Refusing(lost=lost, carried_out=False)
        clock(ecs)
        with pytest.raises(kind) as failed:
            task_run.start(ecs, REQUEST, patience=60)
        assert isinstance(failed.value, task_run.NotStarted) == (not lost) and failed.value.code == "AccessDeniedException"


def test_ecs_that_does_not_answer_for_a_while_is_asked_again(follow):
    told = []
    ecs = Ecs(RUNNING, RUNNING, ENDED)
    answers, real = iter([None, *[Unanswered("Could not read: reset.")] * 5, failure("Could not read: slow down.", "Throttling")]), ecs.describe_tasks

    def describe_tasks(**arguments):
        broken = next(answers, None)
        if broken:
            raise broken
        return real(**arguments)

    ecs.describe_tasks = describe_tasks
    succeeded, result = follow(ecs, say=told.append).finish()
    assert succeeded and result["outcome"] == "succeeded" and ecs.stops == []
    assert any("Checking again" in line for line in told)


def test_a_task_that_its_time_ended_has_failed_also_for_the_next_run(follow):
    task = state("STOPPED", 143, startedAt=SINCE, stopCode="UserInitiated", stoppedReason="atena.aws: longer than 900 s")
    assert follow(Ecs(task)).finish()[1]["outcome"] == "failed"
    assert follow(Ecs({**task, "stoppedReason": "somebody"})).finish()[1]["outcome"] == "incomplete"


def listing_after(looks):
    """ECS's lists, which have the task from so many looks on."""
    asked = []

    def pages(service, operation, doing, key, /, desiredStatus, **_):
        asked.append(desiredStatus)
        return [ARN] if desiredStatus == "RUNNING" and asked.count("RUNNING") > looks else []

    return SimpleNamespace(pages=pages), asked


@pytest.mark.parametrize(("looks", "found"), [(0, [ARN]), (2, [ARN]), (9, [])])
def test_a_task_of_a_dead_run_is_looked_for_more_than_once(monkeypatch, looks, found):
    """It may have been started a moment before, and not be listed yet: a second migration would run beside it."""
    slept = []
    monkeypatch.setattr(task_run.time, "sleep", slept.append)
    call, asked = listing_after(looks)
    assert task_run.left_by(call, "c", "atena-aws/1") == found
    assert asked.count("RUNNING") == min(looks + 1, 4) and len(slept) == asked.count("RUNNING") - 1


def test_what_is_known_of_a_service_and_its_revision_is_not_read_again():
    def nobody(*_, **__):
        raise AssertionError("it was read")

    definition, arguments = task_run.plan_run(nobody, {"cluster": "c", "known": (SERVICE, DEFINITION)})
    assert definition is DEFINITION and arguments["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["s1"]


def test_the_last_lines_of_a_task_that_ended_well_are_read_beside_what_comes_next(follow):
    run = follow(Ecs(ENDED, lines=[["one"], []]))
    task, timed_out = run.wait_for_end()
    assert run.result(task, timed_out)[0] is True
    run.call.lines, run.call.look = [["one"], ["two, late"]], 1
    assert task_run.LastLines(run, task).all() == {"api": ["one", "two, late"]}
