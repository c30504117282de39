"""A command in a running task: which task, what stands in the way, how the command is wrapped, and what is made of its output."""

import shlex
import subprocess

import pytest
from ansible_collections.atena.aws.plugins.module_utils.exec import plan as ecs_exec
from ansible_collections.atena.aws.plugins.module_utils.exec.plan import Output, chosen, container_of, why_no_task, why_not, wrapped

SERVICE = {"serviceName": "p-api", "desiredCount": 1, "enableExecuteCommand": True, "deployments": [{"id": "new", "status": "PRIMARY"}]}


def task(number, *, started="2026-01-01", by="new", agent="RUNNING", enabled=True, status="RUNNING", wanted="RUNNING", containers=("api",), reason=""):
    agents = [{"name": "ExecuteCommandAgent", "lastStatus": agent, **({"reason": reason} if reason else {})}] if agent else []
    return {
        "taskArn": f"arn:aws:ecs:us-east-1:1:task/c/{number:032x}",
        "lastStatus": status,
        "desiredStatus": wanted,
        "startedAt": started,
        "startedBy": by,
        "enableExecuteCommand": enabled,
        "containers": [{"name": name, "managedAgents": agents} for name in containers],
    }


@pytest.mark.parametrize(
    ("others", "taken"),
    [
        ([], 1),
        ([task(2, started="2025-01-01")], 2),
        ([task(2, started="2025-01-01", by="old")], 1),
        ([task(2, started="2025-01-01", agent="PENDING")], 1),
        ([task(2, started="2025-01-01", enabled=False)], 1),
        ([task(2, started="2025-01-01", status="PENDING")], 1),
        ([task(2, started="2025-01-01", wanted="STOPPED")], 1),
    ],
    ids=["the only one", "the older one", "not of before", "not without agent", "not without the switch", "not before it runs", "not one that leaves"],
)
def test_the_task_that_is_taken(others, taken):
    assert chosen([*others, task(1)], SERVICE)["taskArn"] == task(taken)["taskArn"]


def test_one_that_cannot_be_had_is_taken_where_there_is_no_other_so_that_it_can_be_told():
    assert chosen([task(1, enabled=False)], SERVICE) is not None
    assert chosen([task(1, status="STOPPED")], SERVICE) is None


@pytest.mark.parametrize(("name", "meant"), [("00000000000000000000000000001234", True), ("0000000", True), ("000", False), ("1234", False)])
def test_a_task_is_named_by_its_id_or_the_beginning_of_it(name, meant):
    assert ecs_exec.is_named(task(0x1234), name) is meant


def test_a_task_is_named_by_its_arn():
    assert ecs_exec.is_named(task(1), task(1)["taskArn"])


@pytest.mark.parametrize(
    ("containers", "wanted", "found", "problem"),
    [
        (("api",), None, "api", ""),
        (("api", "proxy"), None, "api", ""),
        (("api", "proxy"), "proxy", "proxy", ""),
        (("web",), None, "web", ""),
        (("web", "proxy"), None, "", "several containers (web, proxy); name one"),
        (("api",), "proxy", "", "has no container proxy; it has api"),
    ],
)
def test_the_container(containers, wanted, found, problem):
    name, why = container_of(task(1, containers=containers), wanted, "api")
    assert name == found
    assert problem in why and bool(problem) == bool(why)


@pytest.mark.parametrize(
    ("one", "service", "cluster", "words"),
    [
        (task(1), SERVICE, {}, []),
        (task(1, agent="PENDING"), SERVICE, {}, []),
        (task(1, agent=""), SERVICE, {}, []),
        (
            task(1, enabled=False),
            {**SERVICE, "enableExecuteCommand": False},
            {},
            ["not switched on", "atena_execute_command: true", "infra.yml", "restart.yml"],
        ),
        (task(1, enabled=False), SERVICE, {}, ["switched on for p-api after the task", "restart.yml"]),
        (task(1, enabled=False), None, {}, ["not switched on"]),
        (task(1, agent="STOPPED", reason="it crashed."), SERVICE, {}, ["has stopped (it crashed)", "ssmmessages"]),
        (
            task(1),
            SERVICE,
            {"clusterName": "c", "configuration": {"executeCommandConfiguration": {"kmsKeyId": "a-key"}}},
            ["cluster c encrypts", "a-key", "aws ecs execute-command"],
        ),
    ],
)
def test_what_stands_in_the_way_is_told_with_its_remedy(one, service, cluster, words):
    said = why_not(one, service, cluster, "api")
    assert [word for word in words if word not in said] == []
    assert bool(words) == bool(said)


def test_without_a_task_the_reason_depends_on_what_is_wanted():
    assert "desired count is 0. Run start.yml" in why_no_task({**SERVICE, "desiredCount": 0})
    assert "Run diagnose.yml" in why_no_task(SERVICE)


COMMANDS = [
    "echo one",
    "echo 'single' \"double\" $HOME `echo back` | cat; echo two",
    "printf 'no end'",
    "printf 'a\\n\\nb\\n\\n'",
    "echo out; echo err >&2; exit 7",
    "exit 0",
    "cat",
    "kill -9 $$",
    "no-such-command",
    "echo 'line one\nline two'",
    "if then",
    "echo São Paulo",
    "exec 2>/dev/null; ls /no/such/place",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_wrapping_tells_output_and_exit_code_of_any_command(command):
    """Run by the shell of this machine, with the words that the agent would make of the line."""
    plain = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    there = subprocess.run(shlex.split(wrapped(command, "mark")), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    output = Output("mark")
    # As a terminal would: with a carriage return before each line's end, and in pieces of any size.
    data = b"The agent greets.\r\n" + there.stdout.replace(b"\n", b"\r\n")
    lines = [line for at in range(0, len(data), 3) for line in output.feed(data[at : at + 3])]
    assert output.code == (plain.returncode if plain.returncode >= 0 else 128 - plain.returncode)
    # The shell around it says of a killed one that it was.
    said = plain.stdout.decode().removesuffix("\n")
    assert lines == (["Killed"] if "kill" in command else said.split("\n") if said else [])
    assert output.around == ["The agent greets."]


def test_a_mark_within_the_output_is_no_end():
    output = Output("mark")
    lines = output.feed(b"mark begin\nps: /bin/sh -c echo mark begin; code=$?; echo mark end $code\nmark end x\n mark end 0\n")
    assert output.code is None
    assert len(lines) == 3
    assert output.feed(b"\nmark end 0\n") == []
    assert output.code == 0
    assert output.feed(b"the shell says good-bye\n") == []


def test_a_line_without_an_end_does_not_grow_for_ever():
    output = Output("mark")
    output.feed(b"mark begin\n")
    lines = [line for _ in range(100) for line in output.feed(b"." * 10_000)]
    assert sum(len(line) for line in lines) >= 900_000
    assert max(len(line) for line in lines) < 80_000


def test_a_session_that_breaks_off_keeps_what_came():
    output = Output("mark")
    assert output.feed(b"mark begin\r\none\r\ntw") == ["one"]
    assert output.finish() == ["tw"]
    assert output.code is None


def test_a_shell_that_is_not_there_is_heard():
    output = Output("mark")
    assert output.feed(b"exec: /bin/sh: no such file\r\n") == []
    assert output.around == ["exec: /bin/sh: no such file"]


def test_errors_of_the_call_have_their_remedy():
    assert "OpenDataChannel" in ecs_exec.connect_remedy("TargetNotConnectedException")
    assert "atena_execute_command" in ecs_exec.connect_remedy("InvalidParameterException")
    assert ecs_exec.connect_remedy("AccessDeniedException") == ""
