"""A rollout against an ECS of a few lines: what is sent, how often, and what is left behind when it fails."""

import collections
import copy
import itertools
import os
import signal

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import budget, calls as aws_calls
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Unanswered, failure
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import Interrupted, interruptible
from ansible_collections.atena.aws.plugins.module_utils.ecs import rollout_run
from fakes import Pages

BASE = "arn:aws:ecs:us-east-1:1:task-definition/"
NAMES = ["api", "workers"]


class Ecs(Pages):
    """Services whose deployments are done after `looks` looks; `steps` is called with the number of the look."""

    def __init__(self, **revisions):
        self.updates, self.looks, self.clock, self.lose, self.refuse = [], 0, 0.0, [], {}
        self.bad, self.slow, self.at_look, self.stopped, self.templates = set(), set(), {}, [], set()
        self.services = {name: self._service(name, f"{name}:{revisions.get(name, 1)}") for name in NAMES}
        self.broken, self.described, self.targets = [], [], ["healthy"]
        # The answers that come before the true ones: {service: [described service, ...]}.
        self.stale, self.running, self.checked, self.asked = {}, [], set(), []

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
        self.asked.append((self.clock, "describe_services"))
        if self.broken:
            raise self.broken.pop(0)
        return {"services": [self.stale[name].pop(0) if self.stale.get(name) else copy.deepcopy(self.services[name]) for name in services]}

    def describe_task_definition(self, taskDefinition, include):
        name = taskDefinition.removeprefix(BASE)
        tags = [{"key": "atena:template", "value": "true"}] if name in self.templates else []
        containers = [{"name": name.split(":")[0], **({"healthCheck": {"command": ["CMD", "true"]}} if name in self.checked else {})}]
        definition = {"taskDefinitionArn": BASE + name, "containerDefinitions": containers, "registeredBy": f"arn:aws:iam::1:user/of-{name}"}
        return {"taskDefinition": definition, "tags": tags}

    def list_tasks(self, **arguments):
        tasks = self.stopped if arguments["desiredStatus"] == "STOPPED" else self.running
        self.asked.append((self.clock, "list_tasks"))
        return {"taskArns": [task["taskArn"] for task in tasks if arguments.get("serviceName") in (None, task["group"])]}

    def describe_target_health(self, TargetGroupArn):
        self.asked.append((self.clock, "describe_target_health"))
        return {"TargetHealthDescriptions": [{"TargetHealth": {"State": state}} for state in self.targets]}

    def describe_tasks(self, cluster, tasks):
        self.asked.append((self.clock, "describe_tasks"))
        self.described += tasks
        return {"tasks": [copy.deepcopy(task) for task in [*self.stopped, *self.running] if task["taskArn"] in tasks]}

    def lose_task(self, name, code=3, replaced=False, **more):
        """A task of the service's deployment ends by itself."""
        described = self.services[name]
        self.stopped.append(
            {
                "taskArn": f"arn:task/c/lost{len(self.stopped)}",
                "group": name,
                "taskDefinitionArn": described["taskDefinition"],
                "startedBy": described["deployments"][0]["id"],
                "startedAt": "then",
                "lastStatus": "STOPPED",
                "stopCode": "EssentialContainerExited",
                "containers": [{"name": name, "exitCode": code}],
                **more,
            }
        )
        if not replaced:
            described.update(runningCount=0)
            described["deployments"][0]["runningCount"] = 0


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


def test_somebody_elses_deployment_stays_and_ours_goes_back(ecs):
    ecs.slow = {"workers:2"}
    run = rollout(ecs)
    ecs.at_look = {ecs.looks + 3: lambda: ecs.update_service("c", "api", taskDefinition=BASE + "api:9")}
    failed = run.roll_out()
    words = "api: another deployment took over: deployment api-3 of api:9, registered by arn:aws:iam::1:user/of-api:9"
    assert failed == {"api": words}
    assert run.revert() == {"api": words}
    assert at(ecs) == {"api": "api:9", "workers": "workers:1"}
    entry = {"deployment_id": "api-3", "task_definition": f"{BASE}api:9", "release": "", "registered_by": "arn:aws:iam::1:user/of-api:9"}
    assert run.taken == {"api": entry}
    text = rollout_run.failure_text(failed, {}, ["workers"], {"api": words}, run.taken)
    assert text.startswith("The rollout was interrupted.") and "Left as somebody else deployed it: api: deployment api-3 of api:9" in text
    assert "NOT proved stable" not in text and "Back on what they had before, and stable: workers." in text


def test_what_somebody_deploys_after_ours_failed_is_seen_just_before_the_way_back(ecs):
    ecs.bad = {"workers:2"}
    run = rollout(ecs)
    assert list(run.roll_out()) == ["workers"]
    ecs.update_service("c", "api", taskDefinition=BASE + "api:9")
    assert list(run.revert()) == ["api"]
    assert at(ecs) == {"api": "api:9", "workers": "workers:1"} and list(run.taken) == ["api"]


def test_what_somebody_deployed_since_it_was_read_is_not_overwritten(ecs):
    run = rollout(ecs)
    ecs.update_service("c", "api", taskDefinition=BASE + "api:9")
    assert "another deployment took over: deployment api-1 of api:9" in run.roll_out()["api"]
    assert list(run.revert()) == ["api"]
    assert at(ecs) == {"api": "api:9", "workers": "workers:1"}


def test_an_answer_of_before_the_update_is_no_takeover(ecs):
    """ECS answers as it was before UpdateService: with the deployment that ours replaced."""
    run = rollout(ecs)
    before = copy.deepcopy(ecs.services["api"])
    ecs.at_look = {ecs.looks + 1: lambda: ecs.stale.update(api=[before])}
    assert run.roll_out() == {}
    assert at(ecs) == {"api": "api:2", "workers": "workers:2"}


def test_an_answer_that_is_behind_in_the_middle_is_looked_at_again(ecs):
    ecs.slow = {"workers:2"}
    run = rollout(ecs, wait_timeout=60)
    before = copy.deepcopy(ecs.services["api"])

    def done():
        ecs.services["workers"]["deployments"][0].update(runningCount=1, rolloutState="COMPLETED")

    ecs.at_look = {ecs.looks + 4: lambda: ecs.stale.update(api=[before] * 3), ecs.looks + 9: done}
    assert run.roll_out() == {}


def test_a_deployment_that_was_listed_and_stays_away_is_gone(ecs):
    ecs.slow = {"workers:2"}
    run = rollout(ecs)
    before = copy.deepcopy(ecs.services["api"])
    ecs.at_look = {ecs.looks + 3: lambda: ecs.services.update(api=before)}
    assert "it is gone" in run.roll_out()["api"]
    assert 10 <= ecs.clock < 60
    assert run.revert() == {}, "ECS itself went back: nobody else's"


def test_a_deployment_that_is_never_listed_is_waited_for_until_the_deadline(ecs):
    run = rollout(ecs, wait_timeout=120)
    before = copy.deepcopy(ecs.services["api"])
    ecs.at_look = {ecs.looks + 1: lambda: ecs.stale.update(api=[before] * 1000)}
    assert "older than our deployment api-1, and not that one; not done after 120 s" in run.roll_out()["api"]


def test_a_way_back_does_not_start_from_an_answer_that_is_behind(ecs):
    """It would say that the service has what it had before, and nothing would be sent."""
    ecs.bad = {"workers:2"}
    run = rollout(ecs)
    before = copy.deepcopy(ecs.services["api"])
    run.roll_out()
    ecs.stale = {"api": [before, before]}
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
    assert "asked to change: api (deployment api-1), workers (deployment workers-2)" in run.left_behind()


def test_what_crashes_within_the_time_it_has_to_be_stable_is_a_failure(ecs):
    """The worker that dies 25 s after its start."""
    run = rollout(ecs, stable_seconds=60)
    ecs.at_look = {ecs.looks + 9: lambda: ecs.lose_task("workers")}
    assert run.roll_out() == {"workers": "workers: it was steady, but not for 60 s: workers: task lost0 failed: container workers exited with code 3."}
    assert 20 < ecs.clock < 40, "the failure does not wait for the end of that time"


def test_a_crash_that_was_replaced_between_two_looks_is_a_failure(ecs):
    run = rollout(ecs, stable_seconds=60)
    ecs.at_look = {ecs.looks + 15: lambda: ecs.lose_task("workers", replaced=True)}
    assert "1 task(s) of the new deployment started and then exited on their own" in run.roll_out()["workers"]


@pytest.mark.parametrize(
    ("ended", "fails"),
    [
        ({"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Task failed container health checks"}, True),
        ({"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Scaling activity initiated by (deployment ecs-svc/1)"}, False),
        ({"stopCode": "UserInitiated", "stoppedReason": "Task stopped by ana"}, False),
    ],
)
def test_only_what_ends_by_itself_fails_a_release_that_was_steady(ecs, ended, fails):
    run = rollout(ecs, stable_seconds=60)
    ecs.at_look = {ecs.looks + 15: lambda: ecs.lose_task("workers", replaced=True, **ended)}
    assert list(run.roll_out()) == (["workers"] if fails else [])


def test_what_stays_stable_is_done_when_its_time_is_over(ecs):
    run = rollout(ecs, stable_seconds=60)
    assert run.roll_out() == {}
    assert 60 <= ecs.clock < 65


def test_no_stable_seconds_wait_for_nothing(ecs):
    assert rollout(ecs, stable_seconds=0).roll_out() == {}
    assert ecs.clock == 0


def test_each_service_can_have_its_own_time(ecs):
    lines = []
    run = rollout(ecs, stable_seconds=60, workers={"stable_seconds": 20}, api={"stable_seconds": 0}, say=lines.append)
    assert run.roll_out() == {}
    assert 20 <= ecs.clock < 24
    assert lines[2] == "[0:00 of 15:00] Waiting for api, workers to be done, and to stay up for workers 20 s"


def test_the_time_runs_beside_the_other_waiting_and_not_after_it(ecs):
    """The new tasks are well from the first look on; an older one takes 50 s to leave."""
    run = rollout(ecs, stable_seconds=60)

    def leaving():
        ecs.services["api"]["deployments"].append({**ecs._service("api", "api:1")["deployments"][0], "status": "ACTIVE"})

    times = []

    def left():
        times.append(ecs.clock)
        del ecs.services["api"]["deployments"][1:]

    ecs.at_look = {ecs.looks + 1: leaving, ecs.looks + 46: left}
    assert run.roll_out() == {}
    assert times[0] > 40 and 60 <= ecs.clock < 65


def test_an_answer_that_is_behind_does_not_begin_the_time_anew(ecs):
    before = copy.deepcopy(ecs.services["api"])
    run = rollout(ecs, stable_seconds=60)
    ecs.at_look = {ecs.looks + 46: lambda: ecs.stale.update(api=[before])}
    assert run.roll_out() == {}
    assert 60 <= ecs.clock < 65


def test_the_deadline_does_not_cut_the_time_short_nor_make_it_a_failure(ecs):
    assert rollout(ecs, stable_seconds=60, wait_timeout=10).roll_out() == {}
    assert ecs.clock >= 60


def test_what_already_runs_and_the_way_back_are_not_watched(ecs):
    assert rollout(ecs, to=1, stable_seconds=60).roll_out() == {}
    assert ecs.clock == 0
    ecs.bad = {"workers:2"}
    run = rollout(ecs, stable_seconds=60)
    run.roll_out()
    assert run.revert() == {} and ecs.clock < 10


def test_a_scaling_within_the_time_is_no_failure(ecs):
    run = rollout(ecs, stable_seconds=30)

    def scale():
        ecs.services["workers"].update(desiredCount=2)

    def scaled():
        ecs.services["workers"].update(runningCount=2)
        ecs.services["workers"]["deployments"][0].update(runningCount=2)

    ecs.at_look = {ecs.looks + 10: scale, ecs.looks + 13: scaled}
    assert run.roll_out() == {}


def test_containers_with_a_health_check_are_waited_for(ecs):
    ecs.checked = {"workers:2"}
    container = {"name": "workers", "healthStatus": "UNKNOWN"}
    ecs.running = [{"taskArn": "arn:task/c/t1", "group": "workers", "startedBy": "workers-2", "lastStatus": "RUNNING", "containers": [container]}]
    run = rollout(ecs, wait_timeout=30)
    assert "container health checks: workers of task t1 is UNKNOWN; not done after 30 s" in run.roll_out()["workers"]
    ecs.services = {name: ecs._service(name, f"{name}:1") for name in NAMES}
    ecs.updates.clear()
    run, begin = rollout(ecs), ecs.clock
    ecs.at_look = {ecs.looks + 10: lambda: container.update(healthStatus="HEALTHY")}
    assert run.roll_out() == {}
    assert ecs.clock > begin


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
            "api: updated to run api:2 with 1 tasks",
            "workers: updated to run workers:2 with 1 tasks",
            "[0:00 of 15:00] Waiting for api, workers to be done",
        ]
        assert "[0:00 of 15:00] api: 1 of 1 running, COMPLETED" in lines
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


class TestHowOftenAwsIsAsked:
    """A wait costs the account calls that others need, too."""

    @staticmethod
    def of_minutes(ecs):
        minutes = collections.Counter(int(at // 60) for at, _operation in ecs.asked)
        return [minutes[minute] for minute in range(int(ecs.clock // 60) + 1)]

    @staticmethod
    def balanced(ecs, *names):
        for name in names:
            ecs.services[name]["loadBalancers"] = [{"targetGroupArn": f"arn:group/{name}"}]

    @pytest.mark.parametrize("checked", [(), ("api:2", "workers:2")])
    def test_a_rollout_of_twenty_minutes_keeps_to_a_rate(self, ecs, checked):
        ecs.slow, ecs.checked = {"api:2", "workers:2"}, set(checked)
        self.balanced(ecs, "api", "workers")
        assert "not done after 1200 s" in rollout(ecs, wait_timeout=1200, say=lambda line: None).roll_out()["api"]
        first, *later = self.of_minutes(ecs)
        a_look = 3 + 2 * bool(checked)
        assert first <= budget.AT_FIRST + budget.A_MINUTE + a_look and len(later) == 20
        assert max(later) <= budget.A_MINUTE + a_look, later

    def test_a_longer_pause_is_kept_to_from_the_beginning(self, ecs):
        ecs.slow = {"api:2"}
        rollout(ecs, wait_timeout=60, wait_delay=24).roll_out()
        looks = sorted({at for at, _operation in ecs.asked})
        assert [after - before for before, after in itertools.pairwise(looks)][:3] == [2, 2, 2]

    def test_what_is_done_is_not_asked_about_in_detail_again(self, ecs):
        ecs.slow = {"workers:2"}
        self.balanced(ecs, "api")
        rollout(ecs, wait_timeout=120).roll_out()
        assert [operation for _at, operation in ecs.asked].count("describe_target_health") == 1

    def test_what_changes_after_it_was_done_is_asked_about_again(self, ecs):
        ecs.slow = {"workers:2"}
        self.balanced(ecs, "api")
        run = rollout(ecs, wait_timeout=120)
        ecs.at_look = {ecs.looks + 10: lambda: ecs.services["api"].update(runningCount=0, pendingCount=1)}
        reasons = run.roll_out()
        assert "api: 1/1 running, 0 pending, 0 failed; not done after 120 s" in reasons["api"]

    def test_a_task_that_stopped_is_described_once(self, ecs):
        ecs.slow = {"api:2"}
        run = rollout(ecs, say=lambda line: None, wait_timeout=60)

        def lose():
            ecs.lose_task("api")
            ecs.services["api"]["deployments"][0]["failedTasks"] += 1

        ecs.at_look = {ecs.looks + number: lose for number in (3, 5, 7)}
        run.roll_out()
        assert sorted(ecs.described) == ["arn:task/c/lost0", "arn:task/c/lost1", "arn:task/c/lost2"]

    def test_a_revision_that_is_known_is_not_read_again(self, ecs, monkeypatch):
        known = [ecs.describe_task_definition(f"{BASE}api:{number}", ["TAGS"])["taskDefinition"] | {"tags": []} for number in (1, 2)]
        read = []
        original = ecs.describe_task_definition
        monkeypatch.setattr(ecs, "describe_task_definition", lambda **asked: read.append(asked["taskDefinition"]) or original(**asked))
        assert rollout(ecs, api={"task_definition": f"{BASE}api:2", "known": known}).roll_out() == {}
        assert [name for name in read if "api" in name] == []
