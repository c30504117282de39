"""ecs_run_task against real containers: a task that ends well, and each way in which one does not."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

# As process 1 it gets no default handler: without one of its own SIGTERM would be ignored for all of stopTimeout.
SLEEPER = "process.on('SIGTERM', () => process.exit(1)); setTimeout(() => {}, 600_000)"
CHECKOUT = Path(__file__).resolve().parents[2]


def run_task(lab, *, command=None, check=False, **options):
    """Calls the module as a task does. Returns (its result, whether it failed)."""
    arguments = {"cluster": lab.cluster, "service": f"{lab.name}-api", "wait_timeout": 60, **options}
    if command:
        arguments["container_overrides"] = [{"name": "api", "command": command}]
    command_line = ["ansible", "localhost", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", "-m", "atena.aws.ecs_run_task"]
    done = subprocess.run(
        [*command_line, "-a", json.dumps({**arguments, "region": "us-east-1"}), *(["--check"] if check else [])],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=CHECKOUT,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"},
    )
    printed = done.stdout[done.stdout.index("=> {") + 3 :]
    return json.JSONDecoder().raw_decode(printed)[0], done.returncode != 0


@pytest.fixture
def family(lab):
    """Registers a variation of the running API's task definition; deregistered afterwards."""
    made = []

    def make(**changes):
        ecs = lab.client("ecs")
        running = ecs.describe_task_definition(taskDefinition=lab.revisions()[f"{lab.name}-api"])["taskDefinition"]
        container = {**running["containerDefinitions"][0], **changes}
        keep = ("networkMode", "executionRoleArn", "taskRoleArn", "requiresCompatibilities", "cpu", "memory")
        definition = {key: running[key] for key in keep if running.get(key)}
        answer = ecs.register_task_definition(family=f"try-{uuid.uuid4().hex[:8]}", containerDefinitions=[container], **definition)
        made.append(answer["taskDefinition"]["taskDefinitionArn"])
        return made[-1]

    yield make
    for arn in made:
        lab.client("ecs").deregister_task_definition(taskDefinition=arn)


def test_a_task_that_ends_well_returns_all_its_lines(lab):
    result, failed = run_task(lab, command=["node", "-e", "for (let i = 0; i < 3000; i++) console.log('line', i)"])
    assert not failed
    assert result["exit_codes"] == {"api": 0}
    assert result["logs"]["api"] == [f"line {number}" for number in range(3000)]
    assert result["reason"] == "" and result["duration_seconds"] > 0 and result["stopped_at"]


def test_a_non_zero_exit_code_is_a_failure_with_its_lines(lab):
    result, failed = run_task(lab, command=["sh", "-c", "echo so far so good; exit 7"])
    assert failed
    assert result["exit_codes"] == {"api": 7}
    assert "exited with code 7" in result["msg"] and "so far so good" in result["msg"]


def test_a_task_that_takes_too_long_is_stopped(lab):
    result, failed = run_task(lab, command=["node", "-e", SLEEPER], wait_timeout=5)
    assert failed
    assert "took longer than 5 s and was stopped" in result["msg"]
    tasks = lab.client("ecs").describe_tasks(cluster=lab.cluster, tasks=[result["task_arn"]])["tasks"]
    assert tasks[0]["lastStatus"] == "STOPPED"


def test_a_missing_image_is_told(lab, family):
    repository = f"{lab.account}.dkr.ecr.us-east-1.amazonaws.com/{lab.name}-api"
    result, failed = run_task(lab, task_definition=family(image=f"{repository}@sha256:{'0' * 64}"))
    assert failed
    assert "CannotPullContainerError" in result["msg"] and "pushed to ECR" in result["msg"]
    assert result["exit_codes"]["api"] is None


def test_a_missing_secret_is_told(lab, family):
    parameter = f"arn:aws:ssm:us-east-1:{lab.account}:parameter/atena/prod/NO_SUCH_SECRET"
    result, failed = run_task(lab, task_definition=family(secrets=[{"name": "X", "valueFrom": parameter}]))
    assert failed
    assert "ResourceInitializationError" in result["msg"]


def test_too_little_memory_is_told(lab, family):
    arn = family(memory=64)
    result, failed = run_task(lab, task_definition=arn, command=["node", "-e", "Buffer.alloc(300_000_000, 1)"])
    assert failed
    assert result["exit_codes"]["api"] == 137
    assert "raise the service's memory" in result["msg"] or "out of memory" in result["msg"]


def test_the_same_token_runs_the_task_once(lab):
    token = uuid.uuid4().hex
    first, _ = run_task(lab, command=["echo", "once"], client_token=token)
    second, _ = run_task(lab, command=["echo", "once"], client_token=token)
    assert first["task_arn"] == second["task_arn"]


def test_check_mode_says_what_it_would_run(lab):
    before = [task["taskArn"] for task in lab.ended_tasks()]
    result, failed = run_task(lab, command=["true"], check=True)
    assert not failed
    assert result["task_definition"] == lab.revisions()[f"{lab.name}-api"] and result["task_arn"] == ""
    assert [task["taskArn"] for task in lab.ended_tasks()] == before


def test_an_unknown_container_is_refused(lab):
    result, failed = run_task(lab, container_overrides=[{"name": "apl", "command": ["true"]}])
    assert failed
    assert "has no container apl; it has: api" in result["msg"]
