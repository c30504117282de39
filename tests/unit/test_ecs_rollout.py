"""Whether a deployment is done, failed or going on: a table of answers as ECS gives them."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils import ecs_rollout
from ansible_collections.atena.aws.plugins.module_utils.ecs_rollout import DONE, FAILED, GOING


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


OLD = deployment("old", status="ACTIVE", revision=1)
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
    "somebody else's deployment": (service(deployment("theirs", revision=9, state="IN_PROGRESS"), revision=9), [], False, FAILED),
    "not listed yet": (service(), [], False, GOING),
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
    state, reason = ecs_rollout.assess(described, "new", targets, balanced)
    assert state == wanted
    assert reason.startswith("api: ")


def test_a_rollback_names_why_and_to_what():
    described = service(deployment("back", revision=1, rolloutStateReason="ECS deployment circuit breaker: rolling back"), revision=1)
    assert "atena-prod-api:1" in ecs_rollout.assess(described, "new", [], False)[1]
    assert "circuit breaker" in ecs_rollout.assess(described, "new", [], False)[1]


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
    reason = ecs_rollout.assess(service(deployment("new", state="IN_PROGRESS")), "new", ["initial", "draining"], True)[1]
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
