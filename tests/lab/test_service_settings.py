"""Settings of a service reach its task definition, its tasks and its deployments; a worker's own health check decides over its release.

The tests of this file go on from each other; the last one takes the settings away again.
"""

from __future__ import annotations

import json
import subprocess
import time

import pytest
from bad_commits import WORKER
from emulator_world import docker, until

pytestmark = pytest.mark.lab

API = {"cpu": 256, "port": 3000, "health_check_path": "/health", "desired_count": 1, "dockerfile": "packages/api/Dockerfile"}
WORKERS = {"cpu": 256, "desired_count": 1, "dockerfile": "packages/workers/Dockerfile"}
# As the sample application's README has it, at a pace for the lab.
CHECK = {
    "command": ["CMD-SHELL", "test $(( $(date +%s) - $(stat -c %Y /tmp/alive) )) -lt 15"],
    **{"interval": 5, "timeout": 3, "retries": 2, "start_period": 5},
}
SET = {
    "api": {
        **API,
        **{"health_check_grace_period": 90, "circuit_breaker": {"enable": True, "rollback": False}},
        **{"readonly_root_filesystem": True, "drop_capabilities": ["NET_RAW", "MKNOD"]},
    },
    "workers": {
        **WORKERS,
        **{"minimum_healthy_percent": 0, "maximum_percent": 100, "health_check": CHECK},
        **{"user": "1000:1000", "drop_capabilities": ["ALL"], "ephemeral_storage": 30},
    },
}
API_NAME, WORKERS_NAME = "atena-prod-api", "atena-prod-workers"


def given(services: dict) -> tuple[str, str]:
    return "-e", json.dumps({"atena_services": services})


def running(lab, service: str) -> tuple[dict, dict]:
    """A service's only task and what Docker says of its container."""
    ecs = lab.client("ecs")
    (arn,) = ecs.list_tasks(cluster=lab.cluster, serviceName=service)["taskArns"]
    (container,) = docker("ps", "--quiet", "--filter", f"name=ecs-{arn.rpartition('/')[2][:8]}").split()
    return ecs.describe_tasks(cluster=lab.cluster, tasks=[arn])["tasks"][0], json.loads(docker("inspect", container))[0]


def health(lab) -> list[str]:
    """How the tasks of the workers are by their health checks."""
    ecs = lab.client("ecs")
    arns = ecs.list_tasks(cluster=lab.cluster, serviceName=WORKERS_NAME)["taskArns"]
    return [task["healthStatus"] for task in ecs.describe_tasks(cluster=lab.cluster, tasks=arns)["tasks"]] if arns else []


def test_they_reach_the_services_at_once_and_the_tasks_with_the_next_release(lab, good):
    run = lab.playbook("infra.yml", *given(SET)).must_succeed()
    assert " 0 destroyed" in run.text, run.output
    deployment = lab.services()[WORKERS_NAME]["deploymentConfiguration"]
    assert (deployment["minimumHealthyPercent"], deployment["maximumPercent"]) == (0, 100)
    api = lab.services()[API_NAME]
    assert (api["healthCheckGracePeriodSeconds"], api["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"]) == (90, False)
    assert running(lab, WORKERS_NAME)[0]["healthStatus"] == "UNKNOWN", "the release that runs has no health check"
    good.change("Say nothing", **{"packages/workers/NOTES.md": "settings\n"})
    lab.playbook("deploy.yml", *given(SET)).must_succeed()
    code, output = lab.plan()
    assert code == 0, output


def test_a_release_waited_for_the_workers_own_health_check(lab):
    task, container = running(lab, WORKERS_NAME)
    assert (task["healthStatus"], task["containers"][0]["healthStatus"]) == ("HEALTHY", "HEALTHY")
    assert container["Config"]["Healthcheck"]["Test"] == CHECK["command"]
    assert task["ephemeralStorage"]["sizeInGiB"] == 30
    definition = lab.client("ecs").describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    assert definition["ephemeralStorage"]["sizeInGiB"] == 30


def test_the_containers_are_as_they_were_asked_for(lab):
    _, worker = running(lab, WORKERS_NAME)
    assert (worker["Config"]["User"], worker["HostConfig"]["CapDrop"], worker["HostConfig"]["ReadonlyRootfs"]) == ("1000:1000", ["ALL"], False)
    _, api = running(lab, API_NAME)
    assert (api["HostConfig"]["ReadonlyRootfs"], api["HostConfig"]["CapDrop"]) == (True, ["MKNOD", "NET_RAW"])
    written = subprocess.run(["docker", "exec", api["Id"], "touch", "/app/here"], capture_output=True, text=True)
    assert written.returncode != 0 and "Read-only file system" in written.stderr
    assert lab.app.get("/health")[0] == 200


def test_a_worker_that_hangs_is_replaced(lab):
    task, container = running(lab, WORKERS_NAME)
    # Its event loop stands still: no job is taken, nothing is logged, and the process is there.
    docker("kill", "--signal", "STOP", container["Id"])
    try:
        ended = until(lambda: (now := lab.client("ecs").describe_tasks(cluster=lab.cluster, tasks=[task["taskArn"]])["tasks"][0])["stoppedReason"] and now, 90)
    finally:
        subprocess.run(["docker", "kill", "--signal", "CONT", container["Id"]], capture_output=True)
    assert ended["stoppedReason"] == "Task failed container health checks"
    until(lambda: [item for item in lab.client("ecs").list_tasks(cluster=lab.cluster, serviceName=WORKERS_NAME)["taskArns"] if item != task["taskArn"]], 90)
    until(lambda: health(lab) == ["HEALTHY"], 90)


def test_a_release_whose_worker_shows_no_life_goes_back(lab, good):
    before, version = lab.revisions(), lab.app.version
    source = good.read(WORKER)
    assert source.count('"/tmp/alive"') == 1
    good.change("Write the sign of life elsewhere", **{WORKER: source.replace('"/tmp/alive"', '"/tmp/elsewhere"')})
    begin = time.monotonic()
    run = lab.playbook("deploy.yml", *given(SET)).must_fail()
    assert time.monotonic() - begin < 200, "the release waited for its deadline"
    assert "health check" in run.text and WORKERS_NAME in run.text, run.output
    assert lab.revisions() == before and lab.app.version == version
    until(lambda: health(lab) == ["HEALTHY"], 90)


def test_the_lab_is_as_it_was(lab):
    assert " 0 destroyed" in lab.playbook("infra.yml").must_succeed().text
    lab.playbook("deploy.yml").must_succeed()
    assert "healthcheck" not in str(running(lab, WORKERS_NAME)[1]["Config"]).lower()
    assert lab.services()[WORKERS_NAME]["deploymentConfiguration"]["minimumHealthyPercent"] == 100
    assert lab.plan()[0] == 0
