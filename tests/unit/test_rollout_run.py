"""A rollout against an ECS of a few lines: what is sent, how often, and what is left behind when it fails."""

import copy
import os
import signal

import pytest
from ansible_collections.atena.aws.plugins.module_utils import aws_calls, rollout_run
from ansible_collections.atena.aws.plugins.module_utils.aws_errors import CallFailed, Unanswered, failure
from ansible_collections.atena.aws.plugins.module_utils.interrupts import Interrupted, interruptible
from fakes import Pages

BASE = "arn:aws:ecs:us-east-1:1:task-definition/"
NAMES = ["api", "workers"]


class Ecs(Pages):
    """Services whose deployments are done after `looks` looks; `steps` is called with the number of the look."""

    def __init__(self, **revisions):
        self.updates, self.looks, self.clock, self.lose, self.refuse = [], 0, 0.0, [], {}
        self.bad, self.slow, self.at_look, self.stopped, self.templates = set(), set(), {}, [], set()
        self.services = {name: self._service(name, f"{name}:{revisions.get(name, 1)}") for name in NAMES}
        self.broken = []

    @staticmethod
    def _service(name, revision, count=1):
        return {
            "serviceName": name,
            "status": "ACTIVE",
            "taskDefinition": BASE + revision,
            "desiredCount": count,
            "runningCount": count,
            "pendingCount": 0,
            "events": [{"id": f"{name}-before", "message": f"(service {name}) has reached a steady state."}],
            "deployments": [
                {
                    "id": f"{name}-0",
                    "status": "PRIMARY",
                    "taskDefinition": BASE + revision,
                    "runningCount": count,
                    "pendingCount": 0,
                    "failedTasks": 0,
                    "rolloutState": "COMPLETED",
                }
            ],
        }

    def __call__(self, service, operation, doing, /, **arguments):
        return getattr(self, operation)(**arguments)

    def once(self, service, operation, doing, /, **arguments):
        name = arguments["service"]
        if self.refuse.get(name):
            raise CallFailed(self.refuse[name])
        how = self.lose.pop(0) if self.lose else None
        if how == "before":
            raise Unanswered("Could not update: the connection was reset.")
        answer = self.update_service(**arguments)
        if how == "after":
            raise Unanswered("Could not update: the connection was reset.")
        return answer

    def update_service(self, cluster, service, **change):
        self.updates.append((service, *change.values()))
        described = self.services[service]
        described.update(change)
        revision = described["taskDefinition"].removeprefix(BASE)
        described["taskDefinition"] = BASE + revision
        described["deployments"] = [
            {
                "id": f"{service}-{len(self.updates)}",
                "status": "PRIMARY",
                "taskDefinition": BASE + revision,
                "runningCount": 0 if revision in self.bad | self.slow else described["desiredCount"],
                "pendingCount": 0,
                "failedTasks": 3 if revision in self.bad else 0,
                "rolloutState": "FAILED" if revision in self.bad else "IN_PROGRESS" if revision in self.slow else "COMPLETED",
            }
        ]
        described["runningCount"] = described["desiredCount"]
        return {"service": copy.deepcopy(described)}

    def describe_services(self, cluster, services):
        if len(services) > 1:
            self.looks += 1
            self.at_look.get(self.looks, lambda: None)()
        if self.broken:
            raise self.broken.pop(0)
        return {"services": [copy.deepcopy(self.services[name]) for name in services]}

    def describe_task_definition(self, taskDefinition, include):
        name = taskDefinition.removeprefix(BASE)
        tags = [{"key": "atena:template", "value": "true"}] if name in self.templates else []
        return {"taskDefinition": {"taskDefinitionArn": BASE + name, "containerDefinitions": []}, "tags": tags}

    def list_tasks(self, **arguments):
        return {"taskArns": [task["taskArn"] for task in self.stopped if task["group"] == arguments["serviceName"]]}

    def describe_tasks(self, cluster, tasks):
        return {"tasks": [task for task in self.stopped if task["taskArn"] in tasks]}


@pytest.fixture
def ecs(monkeypatch):
    """Time passes only when somebody sleeps."""
    fake = Ecs()

    def sleep(seconds):
        fake.clock += seconds

    monkeypatch.setattr(rollout_run.time, "sleep", sleep)
    monkeypatch.setattr(rollout_run.time, "monotonic", lambda: fake.clock)
    monkeypatch.setattr(rollout_run, "Deadline", lambda seconds: aws_calls.Deadline(seconds, clock=lambda: fake.clock))
    return fake


def rollout(ecs, to=2, **options):
    services = [{"name": name, "task_definition": f"{name}:{to}", "initial_count": 1, **options.pop(name, {})} for name in NAMES]
    run = rollout_run.RolloutRun(ecs, "atena-prod-cluster", services, **options)
    run.read()
    return run


def at(ecs):
    return {name: service["taskDefinition"].removeprefix(BASE) for name, service in ecs.services.items()}


def test_each_service_is_updated_with_one_call_in_the_order_given(ecs):
    run = rollout(ecs)
    assert run.roll_out() == {}
    assert ecs.updates == [("api", BASE + "api:2"), ("workers", BASE + "workers:2")]
    assert [entry["updated"] for entry in run.entries()] == [True, True]


def test_what_already_runs_is_not_updated_but_proved_well(ecs):
    run = rollout(ecs, to=1)
    assert run.updated == [] and run.roll_out() == {}
    assert ecs.updates == []


def test_an_update_whose_answer_was_lost_is_not_sent_again(ecs):
    ecs.lose = ["after"]
    assert rollout(ecs).roll_out() == {}
    assert [update[0] for update in ecs.updates] == ["api", "workers"]


def test_an_update_that_never_arrived_is_sent_again(ecs):
    ecs.lose = ["before", "before", "after"]
    assert rollout(ecs).roll_out() == {}
    assert [update[0] for update in ecs.updates] == ["api", "workers"]


def test_an_update_that_never_gets_through_is_a_failure_with_its_reason(ecs):
    ecs.lose = ["before"] * 20
    assert "connection was reset" in rollout(ecs).roll_out()["api"]


def test_what_somebody_updated_meanwhile_is_not_updated_again(ecs):
    run = rollout(ecs)
    ecs.update_service("c", "api", taskDefinition=BASE + "api:2")
    ecs.updates.clear()
    assert run.roll_out() == {}
    assert ecs.updates == [("workers", BASE + "workers:2")]


def test_a_service_that_fails_brings_all_back_and_each_is_proved_stable(ecs):
    ecs.bad = {"workers:2"}
    run = rollout(ecs)
    assert "ECS ended the deployment" in run.roll_out()["workers"]
    assert run.revert() == {}
    assert at(ecs) == {"api": "api:1", "workers": "workers:1"}


def test_a_refused_update_brings_back_those_before_it(ecs):
    ecs.refuse = {"workers": "Could not update the service workers: AccessDenied."}
    run = rollout(ecs)
    assert run.roll_out() == {"workers": "Could not update the service workers: AccessDenied"}
    ecs.refuse = {}
    assert run.revert() == {}
    assert at(ecs) == {"api": "api:1", "workers": "workers:1"}


def test_a_revert_waits_for_every_service_though_one_fails_there(ecs):
    ecs.bad, ecs.slow = {"api:2", "api:1"}, {"workers:1"}
    run = rollout(ecs)
    run.roll_out()

    def done():
        ecs.services["workers"]["deployments"][0].update(runningCount=1, rolloutState="COMPLETED")

    ecs.at_look = {ecs.looks + 5: done}
    assert list(run.revert()) == ["api"]


def test_a_revert_that_takes_too_long_is_not_called_stable(ecs):
    ecs.bad, ecs.slow = {"api:2"}, {"api:1"}
    run = rollout(ecs)
    run.roll_out()
    assert "not done after 1200 s" in run.revert()["api"]


def test_a_first_release_goes_back_to_count_0(ecs):
    for service in ecs.services.values():
        service.update(desiredCount=0, runningCount=0)
        service["deployments"][0]["runningCount"] = 0
    ecs.templates, ecs.bad = {"api:1", "workers:1"}, {"workers:2"}
    run = rollout(ecs)
    run.roll_out()
    assert ecs.updates == [("api", BASE + "api:2", 1), ("workers", BASE + "workers:2", 1)]
    assert run.revert() == {}
    assert [service["desiredCount"] for service in ecs.services.values()] == [0, 0]


def test_after_an_interrupted_run_the_way_back_is_what_was_before_that_run(ecs):
    """api was updated by the run that was killed; workers fails in this one."""
    ecs.update_service("c", "api", taskDefinition=BASE + "api:2")
    ecs.updates.clear()
    ecs.bad = {"workers:2"}
    run = rollout(ecs, api={"previous": {"task_definition": "api:1", "desired_count": 1, "is_first": False}})
    assert run.updated == ["workers"]
    run.roll_out()
    assert run.revert() == {}
    assert at(ecs) == {"api": "api:1", "workers": "workers:1"}


def test_somebody_elses_deployment_is_a_failure_and_undone(ecs):
    ecs.slow = {"workers:2"}
    run = rollout(ecs)
    ecs.at_look = {ecs.looks + 3: lambda: ecs.update_service("c", "api", taskDefinition=BASE + "api:9")}
    assert "another deployment took over" in run.roll_out()["api"]
    assert run.revert() == {}
    assert at(ecs) == {"api": "api:1", "workers": "workers:1"}


def test_a_look_that_fails_is_tried_again_until_the_deadline(ecs):
    run = rollout(ecs)
    ecs.at_look = {ecs.looks + 1: lambda: ecs.broken.extend([CallFailed("Could not read: reset.")] * 3)}
    assert run.roll_out() == {}


def test_a_look_that_can_never_succeed_is_told_at_once(ecs):
    run = rollout(ecs)
    ecs.at_look = {ecs.looks + 1: lambda: ecs.broken.append(failure("Could not read: expired.", "ExpiredTokenException"))}
    with pytest.raises(CallFailed, match="expired"):
        run.roll_out()
    assert "told to change: api (deployment api-1), workers (deployment workers-2)" in run.left_behind()


def test_what_crashes_within_the_time_it_has_to_be_stable_is_a_failure(ecs):
    run = rollout(ecs, stable_seconds=60)

    def crash():
        ecs.services["workers"].update(runningCount=0)
        ecs.services["workers"]["deployments"][0]["runningCount"] = 0

    ecs.at_look = {ecs.looks + 10: crash}
    assert "had been stable, but not for 60 s" in run.roll_out()["workers"]


def test_what_stays_stable_is_done_when_its_time_is_over(ecs):
    run = rollout(ecs, stable_seconds=60)
    assert run.roll_out() == {}
    assert ecs.clock >= 60


def test_a_deadline_tells_the_last_that_ecs_said(ecs):
    ecs.slow = {"api:2"}
    run = rollout(ecs, wait_timeout=20)
    unable = {"id": "e9", "message": "(service api) was unable to place a task. Reason: RESOURCE:MEMORY."}
    ecs.at_look = {ecs.looks + 2: lambda: ecs.services["api"]["events"].insert(0, unable)}
    reason = run.roll_out()["api"]
    assert "not done after 20 s; ECS's last word: was unable to place a task. Reason: RESOURCE:MEMORY." in reason


def test_a_lost_lock_ends_the_run_before_the_next_write(ecs):
    class LockLost(CallFailed):
        pass

    def guard():
        if ecs.updates:
            raise LockLost("Somebody else has the lock.")

    run = rollout(ecs, guard=guard)
    with pytest.raises(LockLost):
        run.roll_out()
    with pytest.raises(LockLost):
        run.revert()
    assert [update[0] for update in ecs.updates] == ["api"]


def test_an_interrupted_wait_tells_the_state_it_leaves(ecs):
    ecs.slow = {"api:2"}
    run = rollout(ecs)
    assert run.left_behind() == "No service was changed."
    ecs.at_look = {ecs.looks + 2: lambda: os.kill(os.getpid(), signal.SIGTERM)}
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    try:
        with pytest.raises(Interrupted, match="SIGTERM"), interruptible():
            run.roll_out()
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), before, strict=True):
            signal.signal(number, handler)
    assert "api (deployment api-1), workers (deployment workers-2)" in run.left_behind()
    assert "Run the playbook again" in run.left_behind()


class TestWhatIsTold:
    def test_a_rollout_is_told_from_the_first_update_to_the_end(self, ecs):
        lines = []
        rollout(ecs, say=lines.append).roll_out()
        assert lines[:3] == [
            "api: told to run api:2 with 1 tasks",
            "workers: told to run workers:2 with 1 tasks",
            "[0:00 of 15:00] Waiting for api, workers to be done",
        ]
        assert "[0:00 of 15:00] api: desired 1, running 1, pending 0, failed 0, COMPLETED" in lines
        assert not any("steady state" in line for line in lines), "an event of before this run is no news"

    def test_a_failed_task_is_told_once_with_its_reason(self, ecs):
        ecs.slow = {"api:2"}
        lines = []
        run = rollout(ecs, say=lines.append, wait_timeout=30)

        def fail():
            ecs.services["api"]["deployments"][0]["failedTasks"] += 1
            number = len(ecs.stopped)
            ecs.stopped.append(
                {
                    "taskArn": f"arn:task/c/t{number}",
                    "group": "api",
                    "startedBy": "api-1",
                    "lastStatus": "STOPPED",
                    "containers": [{"name": "api", "exitCode": 3}],
                }
            )

        ecs.at_look = {ecs.looks + 3: fail, ecs.looks + 5: fail}
        run.roll_out()
        told = [line for line in lines if " failed: container" in line]
        assert [line.split("] ")[1] for line in told] == [
            "api: task t0 failed: container api exited with code 3.",
            "api: task t1 failed: container api exited with code 3.",
        ]

    def test_tasks_that_cannot_be_listed_fail_nothing(self, ecs, monkeypatch):
        ecs.slow = {"api:2"}
        run = rollout(ecs, say=lambda line: None, wait_timeout=30)

        def denied(**arguments):
            raise failure("Could not list: AccessDenied", "AccessDeniedException")

        monkeypatch.setattr(ecs, "list_tasks", denied)
        ecs.at_look = {ecs.looks + 3: lambda: ecs.services["api"]["deployments"][0].update(failedTasks=1)}
        assert "not done after 30 s" in run.roll_out()["api"]

    def test_nobody_who_listens_means_no_call_more(self, ecs, monkeypatch):
        ecs.bad = {"api:2"}
        monkeypatch.setattr(ecs, "list_tasks", lambda **arguments: pytest.fail("tasks were listed for nobody"))
        assert "api" in rollout(ecs).roll_out()

    def test_a_long_silence_is_broken(self, ecs):
        ecs.slow = {"api:2"}
        lines = []
        rollout(ecs, say=lines.append, wait_timeout=100).roll_out()
        assert sum("Still waiting for api" in line for line in lines) == 3
