"""An environment from its first minute: beside another in the same account, interrupted while it is made, and with a first release that fails."""

import os
import signal
import time

import pytest
from bad_commits import API, dead_at_once

NAME = "atena-second"


@pytest.fixture(scope="module")
def arguments(lab):
    given = ["-e", "atena_stage=second", "-e", f"atena_work_dir={lab.directory}/work/{NAME}"]
    lab.playbook("bootstrap.yml", *given).must_succeed()
    return given


def services(lab):
    described = lab.client("ecs").describe_services(cluster=f"{NAME}-cluster", services=[f"{NAME}-api", f"{NAME}-workers"])["services"]
    return {service["serviceName"]: service for service in described}


def vpcs(lab):
    return lab.client("ec2").describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [f"{NAME}-vpc"]}])["Vpcs"]


def test_an_interrupted_apply_loses_nothing(lab, arguments):
    process = lab.start("infra.yml", *arguments)
    deadline = time.monotonic() + 120
    while not vpcs(lab):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, "the apply did not come to the VPC"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
    process.communicate(timeout=60)
    assert process.returncode != 0
    # The one that was interrupted may still be finishing: this one waits for its lock, which it gives back when Terraform has stopped.
    lab.playbook("infra.yml", *arguments, "-e", "atena_lock_wait_seconds=120").must_succeed()
    assert len(vpcs(lab)) == 1
    assert lab.playbook("infra.yml", "--check", *arguments).must_succeed().changed == 0


def test_a_first_release_that_fails_goes_back_to_no_task(lab, arguments, good):
    lab.playbook("secrets.yml", *arguments).must_succeed()
    templates = {name: service["taskDefinition"] for name, service in services(lab).items()}
    good.change("Crash at the first start", **{API: dead_at_once(4, "ERROR no coffee")})
    run = lab.playbook("deploy.yml", *arguments).must_fail()
    assert "no coffee" in run.output
    assert "exited with code 4" in run.text
    for name, service in services(lab).items():
        assert (service["taskDefinition"], service["desiredCount"], service["runningCount"]) == (templates[name], 0, 0)


def test_the_next_good_release_is_served_and_the_neighbour_never_noticed(lab, arguments):
    lab.playbook("deploy.yml", *arguments).must_succeed()
    assert {service["runningCount"] for service in services(lab).values()} == {1}
    code, output = lab.plan()
    assert code == 0, output
    assert {service["runningCount"] for service in lab.services().values()} == {1}
