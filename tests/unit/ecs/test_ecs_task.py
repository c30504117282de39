"""How a task's start and end are read. The answers are shaped like those of ECS's API."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.ecs import task as ecs_task


def stopped(*containers, reason="Essential container in task exited"):
    return {"lastStatus": "STOPPED", "stoppedReason": reason, "containers": list(containers)}


def test_a_task_that_was_placed_has_no_start_failure():
    assert ecs_task.start_failures({"tasks": [{"taskArn": "a"}], "failures": []}) is None


def test_a_start_failure_names_reason_and_remedy():
    text = ecs_task.start_failures({"tasks": [], "failures": [{"arn": "x", "reason": "RESOURCE:MEMORY"}]})
    assert "RESOURCE:MEMORY" in text and "Lower the memory" in text


def test_an_unknown_start_failure_keeps_ecs_own_words_and_detail():
    assert "ODD (because)" in ecs_task.start_failures({"tasks": [], "failures": [{"reason": "ODD", "detail": "because"}]})


def test_no_task_and_no_failure_is_a_failure_too():
    assert "named no failure" in ecs_task.start_failures({"tasks": [], "failures": []})


@pytest.mark.parametrize("status", ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING"])
def test_every_status_but_stopped_is_running(status):
    assert ecs_task.outcome({"lastStatus": status, "containers": [{"name": "api", "exitCode": 0}]})["state"] == "running"


def test_all_zero_is_success():
    ended = ecs_task.outcome(stopped({"name": "api", "exitCode": 0}, {"name": "sidecar", "exitCode": 0}))
    assert (ended["state"], ended["reason"], ended["exit_codes"]) == ("succeeded", "", {"api": 0, "sidecar": 0})


def test_one_non_zero_exit_code_is_failure_and_named():
    ended = ecs_task.outcome(stopped({"name": "api", "exitCode": 3}, {"name": "sidecar", "exitCode": 0}))
    assert ended["state"] == "failed"
    assert "api exited with code 3" in ended["reason"] and "sidecar" not in ended["reason"]


def test_a_container_without_exit_code_never_ran():
    task = stopped({"name": "api", "reason": "CannotPullContainerError: not found"}, reason="Task failed to start")
    ended = ecs_task.outcome(task)
    assert ended["state"] == "failed"
    assert "never ran: CannotPullContainerError" in ended["reason"]
    assert "pushed to ECR" in ended["reason"]
    assert ended["exit_codes"] == {"api": None}


def test_a_task_without_containers_failed():
    assert ecs_task.outcome({"lastStatus": "STOPPED", "containers": []})["state"] == "failed"


def test_the_way_to_stopped_does_not_matter():
    assert ecs_task.outcome({**stopped({"name": "api", "exitCode": 0}), "desiredStatus": "STOPPED", "startedAt": None})["state"] == "succeeded"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("CannotPullContainerError: pull image manifest", "NAT gateway"),
        ("ResourceInitializationError: unable to pull secrets or registry auth: invalid ssm parameters", "secrets.yml"),
        ("ResourceInitializationError: unable to pull secrets or registry auth: something new", "ssm:GetParameters"),
        ("OutOfMemoryError: Container killed due to memory usage", "atena_api_memory"),
        ("Task failed ELB health checks in (target-group x)", "health check's path"),
        ("anything else", ""),
    ],
)
def test_known_reasons_have_a_remedy(text, word):
    remedy = ecs_task.likely_cause(text)
    assert (word in remedy) if word else remedy == ""


def test_exit_137_without_reason_says_what_it_may_be():
    assert "out of memory" in ecs_task.outcome(stopped({"name": "api", "exitCode": 137}))["reason"]


def test_overrides_leave_out_what_is_unset():
    items = [{"name": "api", "command": ["a", "b"], "environment": {"B": 2, "A": "x"}, "cpu": None, "memory": 64}, {"name": "w", "command": None}]
    assert ecs_task.overrides(items) == {
        "containerOverrides": [
            {"name": "api", "command": ["a", "b"], "environment": [{"name": "A", "value": "x"}, {"name": "B", "value": "2"}], "memory": 64},
            {"name": "w"},
        ]
    }
    assert ecs_task.overrides([]) == {}


def test_an_empty_command_is_an_override():
    assert ecs_task.overrides([{"name": "api", "command": []}])["containerOverrides"][0]["command"] == []


def test_overrides_for_unknown_containers_are_found():
    definition = {"containerDefinitions": [{"name": "api"}]}
    assert ecs_task.unknown_containers(definition, [{"name": "api"}, {"name": "apl"}]) == ["apl"]


SERVICE = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s1"], "securityGroups": ["g1"], "assignPublicIp": "DISABLED"}}}


@pytest.mark.parametrize(
    ("service", "given", "wanted"),
    [
        (SERVICE, None, {"subnets": ["s1"], "securityGroups": ["g1"], "assignPublicIp": "DISABLED"}),
        (SERVICE, {"subnets": ["s2"]}, {"subnets": ["s2"], "securityGroups": ["g1"], "assignPublicIp": "DISABLED"}),
        (SERVICE, {"assign_public_ip": True}, {"subnets": ["s1"], "securityGroups": ["g1"], "assignPublicIp": "ENABLED"}),
        (None, {"subnets": ["s2"], "security_groups": ["g2"]}, {"subnets": ["s2"], "securityGroups": ["g2"], "assignPublicIp": "DISABLED"}),
        (None, None, None),
        ({}, {"security_groups": ["g2"]}, None),
    ],
)
def test_network_given_wins_over_the_services_own(service, given, wanted):
    assert ecs_task.network_of(service, given) == wanted


# --- Who decides, and who stopped it -------------------------------------------------------------------------------------
DEFINITION = {"containerDefinitions": [{"name": "api"}, {"name": "logs", "essential": True}, {"name": "helper", "essential": False}]}
COMMANDED = {"overrides": {"containerOverrides": [{"name": "api", "command": ["migrate"]}]}}


def judged(*containers, **more):
    return ecs_task.outcome({**COMMANDED, **stopped(*containers), **more}, DEFINITION)


def test_a_container_that_aws_put_into_the_task_does_not_decide():
    """GuardDuty's agent, whose image the execution role may not pull: it is in no task definition."""
    agent = {"name": "aws-guardduty-agent-0a1b", "reason": "CannotPullContainerError: access denied"}
    ended = judged({"name": "api", "exitCode": 0}, {"name": "logs", "exitCode": 0}, agent)
    assert ended["state"] == "succeeded" and "aws-guardduty-agent-0a1b never ran" in ended["beside"]
    assert judged({"name": "api", "exitCode": 1}, agent)["state"] == "failed"


def test_a_container_that_is_not_essential_does_not_decide_and_is_told():
    ended = judged({"name": "api", "exitCode": 0}, {"name": "logs", "exitCode": 0}, {"name": "helper", "exitCode": 9})
    assert (ended["state"], ended["beside"]) == ("succeeded", "container helper exited with code 9")


def test_an_essential_one_decides_unless_ecs_ended_it_after_the_work_was_done():
    assert judged({"name": "api", "exitCode": 0}, {"name": "logs", "exitCode": 143})["state"] == "succeeded"
    assert judged({"name": "api", "exitCode": 0}, {"name": "logs", "exitCode": 2})["state"] == "failed"
    assert judged({"name": "api", "exitCode": 1}, {"name": "logs", "exitCode": 143})["state"] == "failed"


def test_without_a_command_the_essential_ones_decide():
    task = stopped({"name": "api", "exitCode": 0}, {"name": "logs", "exitCode": 143}, {"name": "helper", "exitCode": 9})
    assert ecs_task.outcome(task, DEFINITION)["state"] == "failed"


@pytest.mark.parametrize("code", ["UserInitiated", "SpotInterruption", "TerminationNotice"])
@pytest.mark.parametrize("exit_code", [0, 143, None])
def test_what_was_stopped_from_outside_is_incomplete_whatever_its_exit_code(code, exit_code):
    ended = judged({"name": "api", "exitCode": exit_code}, {"name": "logs", "exitCode": 0}, stopCode=code, stoppedReason="somebody")
    assert ended["state"] == "incomplete"
    assert code in ended["reason"] and "part of its work" in ended["reason"]


@pytest.mark.parametrize("code", ["EssentialContainerExited", "TaskFailedToStart", None])
def test_any_other_stop_is_judged_by_exit_codes(code):
    assert judged({"name": "api", "exitCode": 0}, {"name": "logs", "exitCode": 0}, stopCode=code)["state"] == "succeeded"
    assert judged({"name": "api", "exitCode": 1}, stopCode=code)["state"] == "failed"
