"""What AWS did not answer is not called failed: one task, one record, settled by the same run or by the next."""

from __future__ import annotations

import threading

import bad_commits
import pytest
from bad_commits import new_migration
from emulator_world import until
from faults import Faults
from releases import assert_settled

pytestmark = pytest.mark.lab
# A migration that is longer than every gap in the answers here.
SLOW = "SELECT pg_sleep(6);\n"
NO_PAUSES = {"ATENA_AWS_PAUSE_SCALE": "0.05"}


@pytest.fixture
def slow(good):
    """A commit whose migration takes some seconds, not released yet; the application is brought back afterwards."""
    before = good.commit
    commit = good.change("Take its time", **{new_migration("slow"): SLOW})
    yield commit
    good.back_to(before)


def migrations(lab, record: dict) -> list[dict]:
    """Tasks of a release's migration, whatever became of them."""
    ecs = lab.client("ecs")
    arns = [
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in ecs.list_tasks(cluster=lab.cluster, startedBy=f"atena-aws/{record['id']}", desiredStatus=status)["taskArns"]
    ]
    return ecs.describe_tasks(cluster=lab.cluster, tasks=arns)["tasks"] if arns else []


def is_released(lab, commit: str) -> dict:
    assert_settled(lab, commit)
    record = lab.records()[0]
    assert len(migrations(lab, record)) == 1
    assert (record["migration"]["outcome"], record["migration"]["exit_code"]) == ("succeeded", 0)
    return record


def test_a_migration_whose_start_is_never_answered_is_found_and_not_run_twice(lab, slow):
    with Faults(lab.endpoint) as faults:
        lost = faults.drop("ecs:RunTask", carried_out=True)
        run = lab.playbook("deploy.yml", environment=NO_PAUSES).must_succeed()
        assert faults.hits(lost)
    assert "Checking whether the task was started." in run.text
    is_released(lab, slow)


def test_ecs_out_of_reach_for_some_seconds_while_a_migration_runs(lab, slow):
    with Faults(lab.endpoint) as faults:
        started = faults.hold("ecs:RunTask", carried_out=True, seconds=0.1, times=1)
        process = lab.start("deploy.yml", environment=NO_PAUSES)
        until(lambda: faults.hits(started), 120)
        gone = faults.drop("ecs:*")
        faults.remove(started)
        threading.Timer(4, faults.remove, [gone]).start()
        output = " ".join(process.communicate(timeout=300)[0].split())
    assert process.returncode == 0, output
    assert "Looking" in output
    is_released(lab, slow)


def test_what_was_never_observed_is_interrupted_and_the_next_run_settles_it(lab, slow):
    with Faults(lab.endpoint) as faults:
        faults.drop("ecs:DescribeTasks")
        run = lab.playbook("deploy.yml", "-e", "atena_migration_timeout_seconds=4", environment=NO_PAUSES, timeout=900).must_fail()
    record = lab.records()[0]
    assert (record["release"], record["outcome"]) == (slow, "interrupted"), run.output
    assert lab.app.version != slow and lab.lock() is None
    again = lab.playbook("deploy.yml").must_succeed()
    assert "was interrupted while migrating" in again.text
    newest, before = lab.records()[:2]
    assert_settled(lab, slow)
    # It was told to stop by the first run when its time was over.
    assert (before["id"], before["outcome"], before["migration"]["outcome"]) == (record["id"], "interrupted", "failed")
    first, second = migrations(lab, before), migrations(lab, newest)
    assert len(first) == len(second) == 1 and first[0]["stoppedAt"] <= second[0]["createdAt"]


# Handles SIGTERM, and ends with 0 though it has done half of its work.
HALF = """process.on("SIGTERM", () => process.exit(0));
console.log("half of it is done");
setTimeout(() => {}, 60_000);
"""


def test_a_migration_that_was_stopped_from_outside_is_not_done_and_not_repeated_unasked(lab, good):
    before, running = good.commit, lab.app.version
    source = good.read(bad_commits.MIGRATE)
    good.change("Stop half-way", **{bad_commits.MIGRATE: HALF})
    process = lab.start("deploy.yml")
    ecs = lab.client("ecs")

    def task():
        return [arn for arn in lab.tasks_of_releases() if ecs.describe_tasks(cluster=lab.cluster, tasks=[arn])["tasks"][0]["lastStatus"] == "RUNNING"]

    (arn,) = until(task, 120)
    ecs.stop_task(cluster=lab.cluster, task=arn, reason="somebody")
    output = " ".join(process.communicate(timeout=300)[0].split())
    assert process.returncode != 0 and "stopped from outside (UserInitiated: somebody)" in output, output
    record = lab.records()[0]
    assert (record["outcome"], record["migration"]["outcome"], record["migration"]["exit_code"]) == ("failed", "incomplete", 0)
    assert lab.app.version == running
    whole = good.change("Go all the way", **{bad_commits.MIGRATE: source})
    refused = lab.playbook("deploy.yml").must_fail()
    assert "-e deploy_repeat_migration=true" in refused.text and len(lab.records()) and lab.records()[0]["id"] == record["id"]
    lab.playbook("deploy.yml", "-e", "deploy_repeat_migration=true").must_succeed()
    assert_settled(lab, whole)
    good.back_to(before)
    lab.playbook("deploy.yml").must_succeed()


def test_a_container_that_aws_puts_into_the_task_does_not_decide(lab, good):
    """GuardDuty's agent, whose image the execution role may not pull."""
    agent = '{"name": "aws-guardduty-agent-0a1b", "lastStatus": "STOPPED", "reason": "CannotPullContainerError: access denied"}, '
    commit = bad_commits.harmless(good)
    with Faults(lab.endpoint) as faults:
        faults.rewrite("ecs:DescribeTasks", replace={r'"containers": ?\[(?=\{)': f'"containers": [{agent}'}, match='"tasks"')
        run = lab.playbook("deploy.yml").must_succeed()
    assert "aws-guardduty-agent-0a1b never ran" in run.text
    is_released(lab, commit)


def test_the_first_call_of_a_playbook_is_as_patient_as_every_other(lab):
    with Faults(lab.endpoint) as faults:
        throttled = faults.throttle("sts:GetCallerIdentity", times=15)
        lab.playbook("status.yml", environment=NO_PAUSES).must_succeed()
        assert faults.hits(throttled) == 15
