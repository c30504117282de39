"""Whether a deployment is done, failed or going on: a table of answers as ECS gives them."""

import datetime

import pytest
from ansible_collections.atena.aws.plugins.module_utils.ecs import rollout as ecs_rollout
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout import DONE, FAILED, GOING, TAKEN, UNSEEN, Started


def deployment(identifier, status="PRIMARY", running=1, pending=0, state="COMPLETED", revision=2, **more):
    return {
        "id": identifier,
        "status": status,
        "runningCount": running,
        "pendingCount": pending,
        "failedTasks": 0,
        "rolloutState": state,
        "taskDefinition": f"arn:aws:ecs:us-east-1:1:task-definition/atena-prod-api:{revision}",
        **more,
    }


def service(*deployments, desired=1, running=1, pending=0, revision=2):
    return {
        "serviceName": "api",
        "desiredCount": desired,
        "runningCount": running,
        "pendingCount": pending,
        "taskDefinition": f"arn:aws:ecs:us-east-1:1:task-definition/atena-prod-api:{revision}",
        "deployments": list(deployments),
    }


def at(minute):
    return datetime.datetime(2026, 7, 1, 12, minute, tzinfo=datetime.UTC)


OLD = deployment("old", status="ACTIVE", revision=1)
# Ours replaced `old`, at 12:30.
OURS = Started("new", at(30), frozenset({"old"}), OLD["taskDefinition"])
FAILED_EVENT = {"id": "e", "message": "(service api) (deployment new) deployment failed: tasks failed to start."}
CASES = {
    "complete, all run": (service(deployment("new")), [], False, DONE),
    "complete, target healthy": (service(deployment("new")), ["healthy"], True, DONE),
    "COMPLETED before its task runs": (service(deployment("new", running=0), running=0), [], False, GOING),
    "in progress": (service(deployment("new", state="IN_PROGRESS"), OLD, running=2), [], False, GOING),
    "complete, target still initial": (service(deployment("new")), ["initial"], True, GOING),
    "complete, no target registered yet": (service(deployment("new")), [], True, GOING),
    "complete, the old target drains": (service(deployment("new")), ["healthy", "draining"], True, DONE),
    "complete, the old tasks still run": (service(deployment("new"), OLD, running=2), ["healthy"], True, GOING),
    "a task pending": (service(deployment("new", pending=1), pending=1), [], False, GOING),
    "two wanted, one healthy": (service(deployment("new", running=2), desired=2, running=2), ["healthy", "unhealthy"], True, GOING),
    "scaled to 0": (service(deployment("new", running=0), desired=0, running=0), [], True, DONE),
    "ended by the circuit breaker": (
        service(deployment("new", status="ACTIVE", running=0, state="FAILED", rolloutStateReason="tasks failed to start"), deployment("back", revision=1)),
        ["healthy"],
        True,
        FAILED,
    ),
    "failed and still primary": (service(deployment("new", state="FAILED", running=0), running=0), [], False, FAILED),
    "rolled back, ours is gone": (service(deployment("back", revision=1, rolloutStateReason="rolling back"), revision=1), ["healthy"], True, FAILED),
    "rolled back long ago, as its event says": (
        {**service(deployment("back", revision=1, createdAt=at(31)), revision=1), "events": [FAILED_EVENT]},
        ["healthy"],
        True,
        FAILED,
    ),
    "ECS rolled back to the very deployment of before": (
        service({**OLD, "status": "PRIMARY"}, deployment("new", status="ACTIVE", state="IN_PROGRESS", running=0), revision=1),
        [],
        False,
        FAILED,
    ),
    "somebody else's deployment": (service(deployment("theirs", revision=9, state="IN_PROGRESS", createdAt=at(31)), revision=9), [], False, TAKEN),
    "somebody else's deployment of the revision of before": (service(deployment("theirs", revision=1, createdAt=at(31)), revision=1), [], False, TAKEN),
    "an answer of before ours": (service({**OLD, "status": "PRIMARY"}, revision=1), ["healthy"], True, UNSEEN),
    "an answer of long before ours": (service(deployment("older", revision=1, createdAt=at(10)), revision=1), ["healthy"], True, UNSEEN),
    "not listed yet": (service(), [], False, UNSEEN),
    "a failed deployment stays listed as ACTIVE without tasks": (
        service(deployment("new"), {**OLD, "runningCount": 0, "rolloutState": "FAILED"}),
        [],
        False,
        DONE,
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_deployment_is_told_apart(case):
    described, targets, balanced, wanted = CASES[case]
    state, reason = ecs_rollout.assess(described, OURS, targets, balanced)
    assert state == wanted
    assert reason.startswith("api: ")


def test_a_rollback_names_why_and_to_what():
    described = service(deployment("back", revision=1, rolloutStateReason="ECS deployment circuit breaker: rolling back"), revision=1)
    assert "atena-prod-api:1" in ecs_rollout.assess(described, OURS, [], False)[1]
    assert "circuit breaker" in ecs_rollout.assess(described, OURS, [], False)[1]


NEW = "arn:aws:ecs:us-east-1:1:task-definition/atena-prod-api:3"


@pytest.mark.parametrize(
    ("described", "first", "count", "wanted"),
    [
        (service(revision=2), False, 1, {"taskDefinition": NEW}),
        (service(revision=3), False, 1, {}),
        (service(revision=2, desired=0), True, 1, {"taskDefinition": NEW, "desiredCount": 1}),
        (service(revision=2, desired=4), False, 1, {"taskDefinition": NEW}),  # a count that somebody scaled is left alone
        (service(revision=2, desired=0), False, 1, {"taskDefinition": NEW}),  # scaled to 0 on purpose
        (service(revision=2, desired=0), True, None, {"taskDefinition": NEW}),
    ],
)
def test_an_update_says_only_what_changes(described, first, count, wanted):
    assert ecs_rollout.plan_update(described, NEW, first, count) == wanted


def test_a_release_that_failed_goes_back_to_the_one_before():
    old = service(revision=1)["taskDefinition"]
    assert ecs_rollout.plan_revert(service(revision=2), {"taskDefinition": old, "desiredCount": 1, "is_first": False}) == {"taskDefinition": old}


def test_what_the_circuit_breaker_already_brought_back_is_left_alone():
    old = service(revision=1)["taskDefinition"]
    assert ecs_rollout.plan_revert(service(revision=1), {"taskDefinition": old, "desiredCount": 1, "is_first": False}) == {}


def test_a_first_release_goes_back_to_count_0():
    template = "arn:template:1"
    back = ecs_rollout.plan_revert(service(revision=2, desired=1), {"taskDefinition": template, "desiredCount": 0, "is_first": True})
    assert back == {"taskDefinition": template, "desiredCount": 0}


def test_draining_and_unhealthy_targets_are_named_while_it_waits():
    reason = ecs_rollout.assess(service(deployment("new", state="IN_PROGRESS")), OURS, ["initial", "draining"], True)[1]
    assert "0 of 1 targets healthy" in reason
    assert "1 target(s) still draining (deregistration delay)" in reason


@pytest.mark.parametrize(
    "task, is_one",
    [
        ({"startedAt": "then", "stopCode": "EssentialContainerExited"}, True),
        ({"startedAt": "then", "stopCode": "ServiceSchedulerInitiated"}, False),
        ({"startedAt": "then", "stopCode": "UserInitiated"}, False),
        ({"stopCode": "TaskFailedToStart"}, False),
        ({"stopCode": "EssentialContainerExited"}, False),
    ],
)
def test_a_task_that_ran_and_ended_by_itself_has_crashed(task, is_one):
    assert ecs_rollout.crashed([task]) == ([task] if is_one else [])


@pytest.mark.parametrize(
    ("was_listed", "looks", "seconds", "gone"),
    [
        (True, 1, 60, False),  # one look
        (True, 9, 5, False),  # many, but at once
        (True, 4, 10, True),
        (False, 500, 800, False),  # not listed yet: UpdateService has confirmed it
    ],
)
def test_a_deployment_is_gone_after_several_looks_over_some_seconds(was_listed, looks, seconds, gone):
    assert ecs_rollout.is_gone(was_listed, looks, seconds) == gone


THEIRS = deployment("theirs", revision=9, createdAt=at(31))
STRANGERS = {
    "ours": (service(deployment("new")), False, False),
    "theirs, newer": (service(THEIRS), True, False),
    "theirs, after ECS had ended ours": ({**service(THEIRS), "events": [FAILED_EVENT]}, True, False),
    "the one that ours replaced: an answer that is behind": (service({**OLD, "status": "PRIMARY"}), False, True),
    "one that is older than ours: an answer that is behind": (service({**THEIRS, "createdAt": at(29)}), False, True),
    "none yet": (service(), False, True),
    "ECS rolling back": (service({**THEIRS, "rolloutStateReason": "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."}), False, False),
    "ECS back with a new one": ({**service(deployment("back", revision=1, createdAt=at(31))), "events": [FAILED_EVENT]}, False, False),
    "ECS back with the old one": ({**service({**OLD, "status": "PRIMARY"}), "events": [FAILED_EVENT]}, False, False),
}


@pytest.mark.parametrize("case", STRANGERS, ids=str)
def test_whose_deployment_it_is_and_whether_the_answer_is_behind(case):
    described, is_strange, is_behind = STRANGERS[case]
    assert bool(ecs_rollout.stranger(described, OURS)) == is_strange
    assert ecs_rollout.is_behind(described, OURS) == is_behind


def test_what_was_followed_before_is_older_than_what_is_followed_now():
    answer = service(deployment("newest", createdAt=at(40)), deployment("new", status="ACTIVE"))
    following = ecs_rollout.started(answer, service(deployment("new"), revision=2), OURS)
    assert following == Started("newest", at(40), frozenset({"new", "old"}), service(revision=2)["taskDefinition"])


STILL_OLD = deployment("old", status="ACTIVE", revision=1)
STEADY = {
    "all tasks run": (service(deployment("new")), [], False, False, True),
    "while the older tasks still drain": (service(deployment("new", state="IN_PROGRESS"), STILL_OLD, running=2), ["healthy", "draining"], True, False, True),
    "while the older tasks are still healthy, too": (service(deployment("new"), STILL_OLD, running=2), ["healthy", "healthy"], True, False, True),
    "only the older task is a target yet": (service(deployment("new"), STILL_OLD, running=2), ["healthy"], True, False, False),
    "its target is still initial": (service(deployment("new"), STILL_OLD, running=2), ["healthy", "initial"], True, False, False),
    "later, when the older target is gone before its task": (service(deployment("new"), STILL_OLD, running=2), ["healthy"], True, True, True),
    "a task is lost": (service(deployment("new", running=0, pending=1), pending=1, running=0), [], False, True, False),
    "its target is not healthy any more": (service(deployment("new")), ["unhealthy"], True, True, False),
    "not ours": (service(THEIRS), [], False, False, False),
    "no task": (service(deployment("new", running=0), desired=0, running=0), [], False, False, False),
}


@pytest.mark.parametrize("case", STEADY, ids=str)
def test_a_deployment_is_steady_when_its_own_tasks_are(case):
    described, targets, balanced, before, wanted = STEADY[case]
    assert ecs_rollout.is_steady(described, OURS, targets, balanced, was_steady=before) == wanted
    assert not ecs_rollout.is_steady(described, OURS, targets, balanced, "a container health check", was_steady=before)


def task(name, health=None, by="new"):
    return {"taskArn": f"arn:task/c/{name}", "startedBy": by, "containers": [{"name": "api", **({"healthStatus": health} if health else {})}, {"name": "log"}]}


@pytest.mark.parametrize(
    ("tasks", "lacks"),
    [
        ([task("t1", "HEALTHY"), task("t2", "HEALTHY")], ""),
        ([task("t1", "HEALTHY"), task("t2", "UNKNOWN")], "container health checks: api of task t2 is UNKNOWN"),
        ([task("t1", "HEALTHY"), task("t2")], "container health checks: api of task t2 is UNKNOWN"),
        ([task("t1", "UNHEALTHY"), task("t2", "HEALTHY")], "container health checks: api of task t1 is UNHEALTHY"),
        ([task("t1", "HEALTHY"), task("t2", "HEALTHY"), task("t0", "UNHEALTHY", by="old")], ""),
        ([task("t1", "HEALTHY")], "container health checks: only 1 of 2 tasks listed"),
    ],
)
def test_containers_with_a_health_check_have_to_pass_it(tasks, lacks):
    assert ecs_rollout.container_health(tasks, "new", frozenset({"api"}), 2) == lacks
    state, reason = ecs_rollout.assess(service(deployment("new", running=2), desired=2, running=2), OURS, [], False, lacks)
    assert (state, lacks in reason) == (GOING if lacks else DONE, True)


@pytest.mark.parametrize(
    ("ended", "is_one"),
    [
        ({"stopCode": "EssentialContainerExited"}, True),
        ({"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Task failed container health checks"}, True),
        ({"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Task failed ELB health checks in (target-group arn:tg)"}, True),
        ({"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Scaling activity initiated by (deployment ecs-svc/1)"}, False),
        ({"stopCode": "UserInitiated", "stoppedReason": "Task stopped by ana"}, False),
        ({"stopCode": "SpotInterruption"}, False),
        ({"stopCode": "EssentialContainerExited", "taskArn": "before"}, False),
    ],
)
def test_a_task_that_was_steady_and_ended_has_fallen(ended, is_one):
    lost = {"taskArn": "t", "startedAt": "then", **ended}
    assert ecs_rollout.fallen([lost], frozenset({"before"})) == ([lost] if is_one else [])
