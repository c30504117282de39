"""From an empty account to an application that does its work, and nothing to do the second time."""

import time

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.core]


def test_a_write_ends_as_a_row_that_the_worker_committed(lab):
    status, note = lab.app.get("/notes", {"text": "buy milk"})
    assert status in (200, 201, 202), note
    deadline = time.monotonic() + 30
    while True:
        status, row = lab.app.get(f"/notes/{note['id']}")
        if status == 200 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert (status, row["text"]) == (200, "buy milk")


def test_the_application_tells_the_commit_that_was_released(lab):
    assert lab.app.version == lab.app.commit


def test_the_first_run_tells_the_address_and_the_release(lab):
    assert lab.app.url in lab.first_run.output
    assert f"Released {lab.first_commit}" in lab.first_run.text


def test_the_second_run_changes_nothing(lab):
    assert lab.playbook("site.yml").must_succeed().changed == 0


def test_terraform_plans_nothing_afterwards(lab):
    code, output = lab.plan()
    assert code == 0, output


def test_status_says_that_all_is_well(lab):
    run = lab.playbook("status.yml").must_succeed()
    assert "Healthy." in run.text
    assert lab.app.commit in run.output
    assert run.changed == 0


def test_images_run_by_digest(lab):
    ecs = lab.client("ecs")
    for arn in lab.revisions().values():
        containers = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["containerDefinitions"]
        assert all("@sha256:" in container["image"] for container in containers)


def test_manual_secrets_are_not_in_the_state(lab):
    s3 = lab.client("s3")
    state = s3.get_object(Bucket=f"atena-terraform-state-{lab.account}", Key="atena/prod/terraform.tfstate")["Body"].read().decode()
    values = [
        lab.client("ssm").get_parameter(Name=f"/atena/prod/{name}", WithDecryption=True)["Parameter"]["Value"]
        for name in ("CLAUDE_API_KEY", "ADMIN_TOKEN", "TELEGRAM_BOT_TOKEN")
    ]
    assert all(values) and not any(value in state for value in values)
