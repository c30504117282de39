"""Running a command against an ECS and an agent of a few lines: what is asked, waited for, told, and ended."""

import re

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import calls as aws_calls
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import Interrupted
from ansible_collections.atena.aws.plugins.module_utils.exec import run as exec_run
from ansible_collections.atena.aws.plugins.module_utils.exec.channel import SessionEnded, SessionRefused
from ansible_collections.atena.aws.plugins.module_utils.exec.run import ExecRun, NotRun, Place
from ansible_collections.atena.aws.plugins.module_utils.exec.websocket import WebSocketError
from test_ecs_exec import SERVICE, task


class Ecs:
    """A service with its tasks; ExecuteCommand answers, or fails as `refusals` say."""

    def __init__(self, *tasks):
        self.tasks, self.refusals, self.commands, self.looks = list(tasks), [], [], []
        self.cluster = {"clusterName": "c"}

    def __call__(self, service, operation, doing, /, **arguments):
        return getattr(self, operation)(**arguments)

    def pages(self, service, operation, doing, key, /, **arguments):
        return [entry["taskArn"] for entry in self.tasks]

    def once(self, service, operation, doing, /, **arguments):
        self.commands.append(arguments)
        if self.refusals:
            raise self.refusals.pop(0)
        return {"session": {"streamUrl": "wss://there", "tokenValue": "token"}}

    def describe_services(self, cluster, services):
        return {"services": [{**SERVICE, "status": "ACTIVE"}] if services == ["p-api"] else []}

    def describe_clusters(self, clusters, include):
        return {"clusters": [self.cluster]}

    def describe_tasks(self, cluster, tasks):
        if self.looks:
            self.tasks = self.looks.pop(0)
        return {"tasks": [entry for entry in self.tasks if entry["taskArn"] in tasks]}


class Channel:
    """Says `script`: bytes, an exception, or seconds that pass; then nothing."""

    script, made = [], []

    def __init__(self, socket, token):
        self.socket, self.token, self.ready, self.terminated, self.closed = socket, token, True, False, False
        self.made.append(self)

    def receive(self, timeout):
        said = self.script.pop(0) if self.script else timeout
        if isinstance(said, BaseException):
            raise said
        if isinstance(said, bytes):
            return said
        self.clock.now += said
        return b""

    def terminate(self):
        self.terminated = True

    def close(self):
        self.closed = True


@pytest.fixture
def world(monkeypatch):
    """Time passes only when somebody sleeps or listens."""

    class Clock:
        now = 0.0

        def sleep(self, seconds):
            self.now += seconds

    clock = Clock()
    Channel.clock, Channel.script, Channel.made = clock, [], []
    monkeypatch.setattr(exec_run.time, "sleep", clock.sleep)
    monkeypatch.setattr(exec_run, "Deadline", lambda seconds: aws_calls.Deadline(seconds, clock=lambda: clock.now))
    monkeypatch.setattr(exec_run, "Channel", Channel)
    monkeypatch.setattr(exec_run.uuid, "uuid4", lambda: type("Id", (), {"hex": "1"})())
    return clock


def running(ecs, task=None, container=None, **options):
    run = ExecRun(ecs, Place("c", "p-api", "api", task, container), connect=lambda url: url, **options)
    run.find()
    return run


BEGIN, END = b"atena.aws-exec-1 begin\r\n", b"\r\natena.aws-exec-1 end 3\r\n"


def test_a_command_is_run_and_its_output_told(world):
    ecs, lines = Ecs(task(1)), []
    Channel.script = [BEGIN + b"one\r\nt", 0.1, b"wo\r\n" + END]
    assert running(ecs).run("df -h", 60, lines.append) == 3
    assert lines == ["one", "two"]
    (asked,) = ecs.commands
    assert (asked["task"], asked["container"], asked["interactive"]) == (task(1)["taskArn"], "api", True)
    assert asked["command"].endswith("'df -h'")
    (channel,) = Channel.made
    assert (channel.socket, channel.token, channel.closed, channel.terminated) == ("wss://there", "token", True, False)


def test_an_agent_that_is_still_starting_is_waited_for(world):
    ecs = Ecs(task(1, agent="PENDING"))
    ecs.looks = [[task(1, agent="PENDING")], [task(1, agent="PENDING")], [task(1)]]
    running(ecs)
    assert world.now == 2


def test_but_not_for_ever(world):
    with pytest.raises(NotRun, match="did not start within 5 s. Run restart.yml"):
        running(Ecs(task(1, agent="PENDING")), agent_timeout=5)


@pytest.mark.parametrize(
    ("tasks", "options", "words"),
    [
        ([], {}, "No task of p-api runs, though it should have 1"),
        ([task(1, enabled=False)], {}, "switched on|not switched on"),
        ([task(1), task(2)], {"task": "00000000"}, "More than one running task is called 00000000"),
        ([task(1)], {"task": "ffff"}, r"No running task is called ffff. There are: 0{31}1"),
        ([task(1)], {"container": "proxy"}, "has no container proxy"),
    ],
)
def test_what_stands_in_the_way_is_told_before_anything_is_run(world, tasks, options, words):
    ecs = Ecs(*tasks)
    with pytest.raises(NotRun, match=words):
        running(ecs, **options)
    assert ecs.commands == []


def test_a_task_is_taken_by_its_name(world):
    ecs = Ecs(task(0xABCD << 112), task(2))
    assert running(ecs, task="abcd").task["taskArn"] == task(0xABCD << 112)["taskArn"]


def test_an_agent_that_is_not_connected_yet_is_asked_again(world):
    ecs, said = Ecs(task(1)), []
    ecs.refusals = [failure("Could not: TargetNotConnectedException.", "TargetNotConnectedException")]
    Channel.script = [BEGIN, END]
    assert running(ecs, say=said.append).run("true", 60, print) == 3
    assert len(ecs.commands) == 2
    assert "asking again" in said[0]


@pytest.mark.parametrize(
    ("code", "words", "times"),
    [("TargetNotConnectedException", "ssmmessages", 6), ("AccessDeniedException", "Could not", 1), ("InvalidParameterException", "atena_execute_command", 1)],
)
def test_a_refusal_is_told_with_its_remedy(world, code, words, times):
    ecs = Ecs(task(1))
    ecs.refusals = [failure(f"Could not run it: {code}.", code) for _ in range(20)]
    with pytest.raises(CallFailed, match=words):
        running(ecs).run("true", 60, print)
    assert len(ecs.commands) == times


def test_a_command_that_takes_too_long_is_ended(world):
    Channel.script = [BEGIN, b"working\r\n", 61, SessionEnded("")]
    lines = []
    with pytest.raises(NotRun, match="not done after 60 s, and was ended. It may have done part"):
        running(Ecs(task(1))).run("sleep 99", 60, lines.append)
    assert lines == ["working"]
    assert Channel.made[0].terminated and Channel.made[0].closed


def test_an_interrupted_one_is_ended_too(world):
    Channel.script = [BEGIN, Interrupted("SIGINT")]
    run = running(Ecs(task(1)))
    with pytest.raises(Interrupted):
        run.run("sleep 99", 60, print)
    assert run.ended == ", and was asked to end; whether it did is not known"
    assert Channel.made[0].terminated and Channel.made[0].closed


def test_an_interruption_before_the_session_ran_nothing(world):
    ecs = Ecs(task(1))
    run = ExecRun(ecs, Place("c", "p-api", "api"), connect=lambda url: (_ for _ in ()).throw(Interrupted("SIGINT")))
    run.find()
    with pytest.raises(Interrupted):
        run.run("sleep 99", 60, print)
    assert run.ended == ", and was not started"


def test_an_agent_that_does_not_answer_is_told(world, monkeypatch):
    monkeypatch.setattr(Channel, "__init__", lambda self, socket, token: self.__dict__.update(ready=False))
    with pytest.raises(NotRun, match="did not answer within 30 s"):
        running(Ecs(task(1))).run("true", 600, print)


@pytest.mark.parametrize("stopped", [False, True])
def test_an_end_without_an_exit_code_is_told_with_what_is_known(world, stopped):
    ecs, lines = Ecs(task(1)), []
    Channel.script = [BEGIN + b"half a li", SessionEnded("the session was terminated")]
    run = running(ecs)
    if stopped:
        ecs.tasks = [{**task(1, status="STOPPED", wanted="STOPPED"), "stoppedReason": "Scaling activity initiated by (deployment x)"}]
    with pytest.raises(NotRun) as why:
        run.run("true", 60, lines.append)
    assert lines == ["half a li"]
    assert "ended before the command returned its exit code: the session was terminated." in str(why.value)
    assert ("Scaling activity" if stopped else "The task still runs") in str(why.value)


def test_a_shell_that_is_not_there_is_told_in_its_own_words(world):
    Channel.script = [b"exec: /bin/sh: no such file\r\n", SessionEnded("")]
    with pytest.raises(NotRun, match=re.escape("What was said instead: exec: /bin/sh: no such file")):
        running(Ecs(task(1))).run("true", 60, print)


@pytest.mark.parametrize(
    ("failure", "words"), [(WebSocketError("there broke the connection off."), "there broke the connection off"), (SessionRefused("KMS"), "cannot do: KMS")]
)
def test_a_connection_that_is_lost_and_a_session_that_is_refused_are_told(world, failure, words):
    Channel.script = [BEGIN, failure]
    with pytest.raises(NotRun, match=words):
        running(Ecs(task(1))).run("true", 60, print)
    assert Channel.made[0].closed
