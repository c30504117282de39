"""Which lines follow from how a service was and how it is: tables of answers as ECS gives them."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.ecs import rollout_view

TASK = "arn:aws:ecs:us-east-1:1:task/atena-prod-cluster/0f1e"


def deployment(identifier="new", status="PRIMARY", running=1, pending=0, failed=0, state="COMPLETED"):
    return {"id": identifier, "status": status, "runningCount": running, "pendingCount": pending, "failedTasks": failed, "rolloutState": state}


def service(*deployments, desired=1, events=()):
    return {
        "serviceName": "atena-prod-api",
        "desiredCount": desired,
        "deployments": list(deployments),
        "events": [{"id": identifier, "message": message} for identifier, message in events],
    }


OLD = deployment("old", status="ACTIVE")
COUNTS = {
    "just started": (
        service(deployment(running=0, state="IN_PROGRESS"), OLD),
        ["healthy"],
        True,
        "atena-prod-api: 0 of 1 running, 1 of earlier deployments, targets 1 healthy, IN_PROGRESS",
    ),
    "both at once": (
        service(deployment(pending=1, failed=2, state="IN_PROGRESS"), OLD, desired=2),
        ["initial", "healthy", "draining", "healthy"],
        True,
        "atena-prod-api: 1 of 2 running, 1 pending, 2 failed, 1 of earlier deployments, targets 1 draining + 2 healthy + 1 initial, IN_PROGRESS",
    ),
    "done, without a load balancer": (service(deployment()), [], False, "atena-prod-api: 1 of 1 running, COMPLETED"),
    "no target at all": (service(deployment()), [], True, "atena-prod-api: 1 of 1 running, targets none, COMPLETED"),
    "rolled back: ours is told, not the one that took over": (
        service(deployment("back"), deployment("new", status="ACTIVE", running=0, failed=3, state="FAILED")),
        [],
        False,
        "atena-prod-api: 0 of 1 running, 3 failed, 1 of earlier deployments, FAILED",
    ),
    "ours is gone": (service(deployment("back")), [], False, "atena-prod-api: 1 of 1 running, COMPLETED"),
    "a controller without rollout states": (
        service({"id": "new", "status": "PRIMARY", "runningCount": 1}),
        [],
        False,
        "atena-prod-api: 1 of 1 running, no rollout state",
    ),
}


@pytest.mark.parametrize("case", COUNTS, ids=str)
def test_how_a_deployment_stands_is_one_line(case):
    described, targets, balanced, line = COUNTS[case]
    assert rollout_view.counts(described, "new", targets, balanced) == line


STARTED = ("e1", "(service atena-prod-api) has started 1 tasks: (task 0f1e).")
STEADY = ("e2", "(service atena-prod-api) has reached a steady state.")
BEFORE = ("e0", "(service atena-prod-api) has reached a steady state.")
GOING = rollout_view.snapshot(service(deployment(running=0, state="IN_PROGRESS"), events=[STARTED, BEFORE]), "new", [], False)
DONE = rollout_view.snapshot(service(deployment(), events=[STEADY, STARTED, BEFORE]), "new", [], False)
NEWS = ("e4", "(service atena-prod-api) was unable to place a task: no capacity.")
NEWS_LINE = "atena-prod-api: ECS: was unable to place a task: no capacity."
STUCK = rollout_view.snapshot(service(deployment(running=0, state="IN_PROGRESS"), events=[NEWS, STARTED, BEFORE]), "new", [], False)
DONE_LINE = "atena-prod-api: 1 of 1 running, COMPLETED"


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        ({"events": {"e0": "has reached a steady state."}}, GOING, []),
        (GOING, GOING, []),
        (GOING, DONE, [DONE_LINE]),
        ({"events": {"e0": "has reached a steady state."}}, DONE, [DONE_LINE]),
        (GOING, STUCK, [NEWS_LINE]),
    ],
    ids=["first look: that nothing runs yet is no news", "nothing new", "done", "all at one look", "an event that the counts do not say"],
)
def test_only_what_is_new_is_told(before, now, lines):
    assert rollout_view.news(before, now) == lines


def test_the_same_words_of_another_event_are_told_again():
    again = rollout_view.snapshot(service(deployment(running=0, state="IN_PROGRESS"), events=[("e5", NEWS[1]), NEWS, STARTED, BEFORE]), "new", [], False)
    assert rollout_view.news(STUCK, again) == [NEWS_LINE]


def looked(*deployments, targets=("healthy",)):
    return rollout_view.snapshot(service(*deployments), "new", list(targets), True)


def test_tasks_that_come_and_go_are_shown_as_failures_and_not_as_progress():
    going = [looked(deployment(running=running, failed=failed, state="IN_PROGRESS"), OLD) for running, failed in ((1, 1), (0, 2), (1, 2))]
    assert [rollout_view.news(before, now) for before, now in zip(going, going[1:], strict=False)] == [[], []]
    assert len(rollout_view.news(going[-1], looked(deployment(running=0, failed=3, state="FAILED"), OLD))) == 1


def test_running_and_healthy_are_progress():
    looks = [
        looked(deployment(running=0, state="IN_PROGRESS"), OLD),
        looked(deployment(state="IN_PROGRESS"), OLD, targets=("healthy", "initial")),
        looked(deployment(state="IN_PROGRESS"), OLD, targets=("healthy", "healthy")),
        looked(deployment(state="COMPLETED")),
    ]
    assert [len(rollout_view.news(before, now)) for before, now in zip(looks, looks[1:], strict=False)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("before", "now", "wanted"),
    [
        ({}, {"failed": 0, "running": 0}, False),
        ({}, {"failed": 1, "running": 0}, True),
        ({"failed": 1, "running": 0}, {"failed": 1, "running": 1}, False),
        ({"failed": 1, "running": 0}, {"failed": 2, "running": 0}, True),
        ({"failed": 0, "running": 1}, {"failed": 0, "running": 0}, True),
    ],
)
def test_tasks_are_asked_for_only_when_one_may_have_ended(before, now, wanted):
    assert rollout_view.has_lost_task(before, now) is wanted


def task(code=3, **more):
    return {
        "taskArn": TASK,
        "lastStatus": "STOPPED",
        "startedBy": "new",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "api", **({} if code is None else {"exitCode": code})}],
        **more,
    }


SCALED_IN = {"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Scaling activity initiated by (deployment ecs-svc/1)"}
UNHEALTHY = {"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Task failed ELB health checks in (target-group arn:x)"}


@pytest.mark.parametrize(
    ("described", "wanted"),
    [
        (task(), True),
        (task(0), True),
        (task(None, stopCode="TaskFailedToStart", stoppedReason="CannotPullContainerError: x"), True),
        (task(137, **UNHEALTHY), True),
        (task(0, **SCALED_IN), False),
        (task(startedBy="old"), False),
        (task(lastStatus="DEACTIVATING"), False),
    ],
    ids=["crashed", "exited on its own", "never started", "unhealthy", "not needed any more", "of another deployment", "not stopped yet"],
)
def test_a_task_that_failed_is_told_from_one_that_was_not_needed(described, wanted):
    assert rollout_view.ended_badly(described, "new") is wanted


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (task(), ["atena-prod-api: task 0f1e failed", "container api exited with code 3"]),
        (task(0), ["Essential container in task exited"]),
        (task(137, **UNHEALTHY), ["code 137", "ELB health checks"]),
        (task(None, stopCode="TaskFailedToStart", stoppedReason="CannotPullContainerError: no such image"), ["never ran", "CannotPullContainerError"]),
    ],
)
def test_a_failed_task_is_one_line_with_its_reason(described, words):
    line = rollout_view.failure("atena-prod-api", described)
    assert "\n" not in line
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("described", "line"),
    [
        ({"lastStatus": "PENDING", "containers": []}, "task 0f1e: PENDING"),
        (task(0), "task 0f1e: STOPPED, exit codes: api 0"),
        (task(3), "task 0f1e: STOPPED, exit codes: api 3; container api exited with code 3."),
        ({"lastStatus": "STOPPED", "containers": []}, "task 0f1e: STOPPED, exit codes: none; no container ever started."),
    ],
)
def test_the_state_of_a_task_is_one_line(described, line):
    assert rollout_view.task_state("task 0f1e", described) == line


def test_a_line_tells_how_much_time_there_is():
    assert rollout_view.stamp("x", 7.2, 900) == "[0:07 of 15:00] x"
