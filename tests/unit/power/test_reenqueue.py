"""The command that brings back lost jobs: one task, however the run that started it ended."""

from types import SimpleNamespace

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Unanswered
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import Interrupted
from ansible_collections.atena.aws.plugins.module_utils.ecs import task_run
from ansible_collections.atena.aws.plugins.module_utils.environment.journal import Journal, new
from ansible_collections.atena.aws.plugins.module_utils.power.start import Start
from test_ledger import Bucket

HOOK = {"service": "s", "container": "api", "command": ["bring", "back"], "timeout": 1}


def run(monkeypatch, ends):
    """The token on record after the step, of which `ends` is what following the task gives. The one before was 'first'."""
    journal = Journal(Bucket(), "state", "power.json")
    journal.read()
    journal.save({**new("e"), "redis": {"reenqueue": "first"}})
    asked = []

    def start(call, arguments, **_):
        asked.append(arguments)
        if isinstance(ends, task_run.NotStarted):
            raise ends
        return "arn:task/1"

    class Task:
        def __init__(self, *_, **__):
            pass

        def finish(self):
            if isinstance(ends, BaseException):
                raise ends
            return ends, {"outcome": "failed", "reason": "exit code 1", "logs": {}}

    monkeypatch.setattr(task_run, "plan_run", lambda call, options: ({}, options["client_token"]))
    monkeypatch.setattr(task_run, "start", start)
    monkeypatch.setattr(task_run, "TaskRun", Task)
    params = {"reenqueue": HOOK, "wait_delay": 1}
    started = SimpleNamespace(
        **{"params": params, "journal": journal, "call": None, "cluster": "c", "tell": None, "result": {}, "warnings": [], "lost_at": ""},
        branches=SimpleNamespace(guard=lambda: None),
    )
    try:
        Start._reenqueue(started)
    except (CallFailed, Interrupted):
        pass
    assert asked == ["first"]
    return journal.read()["redis"]["reenqueue"]


@pytest.mark.parametrize("ends", [Unanswered("ECS does not answer"), CallFailed("the lock was lost"), Interrupted("Ctrl-C")])
def test_a_task_whose_end_was_not_seen_is_the_next_runs_too(monkeypatch, ends):
    """With another token the next run would start a second one beside it, and bring each job back twice."""
    assert run(monkeypatch, ends) == "first"


@pytest.mark.parametrize("ends", [False, task_run.NotStarted("ECS refused it")])
def test_one_that_failed_is_started_anew(monkeypatch, ends):
    assert run(monkeypatch, ends) not in ("first", "")


def test_one_that_ended_well_is_not_started_again(monkeypatch):
    assert run(monkeypatch, True) == ""
