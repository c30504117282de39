"""A release: what it changes, what it leaves alone, and what it says when it fails."""

import re
import uuid

import pytest
from bad_commits import API, dead_at_once, new_migration
from wire import Wire


@pytest.fixture
def healthy_before_and_after(lab):
    version = lab.app.version
    revisions = lab.revisions()
    yield revisions
    assert lab.revisions() == revisions
    assert lab.app.version == version


def test_a_commit_is_served_and_the_second_run_writes_nothing(lab):
    commit = lab.app.change("Change a word", **{"packages/api/NOTES.md": f"{uuid.uuid4()}\n"})
    first = lab.playbook("deploy.yml").must_succeed()
    assert first.changed > 0
    assert lab.app.version == commit
    with Wire(lab.endpoint) as wire:
        second = lab.playbook("deploy.yml", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert second.changed == 0
    assert f"{commit} already runs" in second.text
    assert wire.calls, "nothing came through the proxy, so nothing was counted"
    assert {"ecr", "ecs", "sts"} <= {call.service for call in wire.calls}
    assert wire.writes() == []


def test_the_proxy_does_see_the_writes_of_a_release(lab):
    lab.app.change("Change a word again", **{"packages/api/NOTES.md": f"{uuid.uuid4()}\n"})
    with Wire(lab.endpoint) as wire:
        lab.playbook("deploy.yml", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    writes = wire.writes()
    for expected in ("ecs:RegisterTaskDefinition", "ecs:UpdateService", "ecs:RunTask", "ecr:PutImage"):
        assert expected in writes
    assert any(write.startswith("registry:PUT") for write in writes)
    assert writes.count("ecs:UpdateService") == 2, "one call for each service"


def test_a_migration_that_fails_leaves_the_services_alone(lab, good, healthy_before_and_after):
    good.change("Break the schema", **{new_migration("broken"): "CREATE TABLE half (id int);\nSELECT * FROM no_such_table;\n"})
    run = lab.playbook("deploy.yml").must_fail()
    assert "no_such_table" in run.output
    assert re.search(r"exited with code [1-9]", run.text)
    deployments = [deployment["taskDefinition"] for service in lab.services().values() for deployment in service["deployments"]]
    assert set(deployments) == set(healthy_before_and_after.values())


def test_an_image_that_crashes_is_told_and_taken_back(lab, good, healthy_before_and_after):
    good.change("Crash at start", **{API: dead_at_once(3)})
    run = lab.playbook("deploy.yml").must_fail()
    assert "the flux capacitor is missing" in run.output
    assert "exited with code 3" in run.text
    assert "Back on what they had before, and stable" in run.text


def test_a_change_of_memory_reaches_the_service_with_the_next_release(lab):
    def memory():
        arn = lab.revisions()[f"{lab.name}-api"]
        return lab.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]["memory"]

    try:
        lab.playbook("infra.yml", "-e", "atena_api_memory=1024").must_succeed()
        assert memory() == "512"
        predicted = lab.playbook("deploy.yml", "--check", "--diff", "-e", "atena_api_memory=1024").must_succeed()
        assert "memory: 1024" in predicted.text
        lab.playbook("deploy.yml", "-e", "atena_api_memory=1024").must_succeed()
        assert memory() == "1024"
    finally:
        lab.playbook("infra.yml").must_succeed()
        lab.playbook("deploy.yml").must_succeed()
    assert memory() == "512"


def test_migrate_runs_the_running_revision(lab):
    run = lab.playbook("migrate.yml").must_succeed()
    assert lab.revisions()[f"{lab.name}-api"].split("/")[-1] in run.output
