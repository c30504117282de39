"""What cannot work is refused in one paragraph with the remedy, before anything is done."""

import json
import os
import shutil
import stat

import pytest
from wire import Wire


def refused(lab, playbook, *arguments, environment=None, words=()):
    """The playbook fails, says all of `words`, shows no traceback, and wrote nothing but the lock that it took and gave back."""
    with Wire(lab.endpoint) as wire:
        run = lab.playbook(playbook, *arguments, environment={"AWS_ENDPOINT_URL": wire.endpoint, **(environment or {})}).must_fail()
    assert "Traceback" not in run.output
    for word in words:
        assert word in run.text, run.output
    assert wire.writes(besides_lock=True) == []
    return run


@pytest.fixture
def elsewhere(lab, tmp_path):
    """A copy of the application's repository that a test may spoil."""
    target = tmp_path / "app"
    shutil.copytree(lab.app.repository, target)
    return target


def tools_without(tmp_path, name):
    """A PATH with every tool but one."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for part in os.environ["PATH"].split(os.pathsep):
        if os.path.isdir(part):
            for tool in os.listdir(part):
                if tool != name and not (directory / tool).exists():
                    (directory / tool).symlink_to(os.path.join(part, tool))
    return {"PATH": str(directory)}


def fake_tool(tmp_path, name, text):
    directory = tmp_path / "fake"
    directory.mkdir()
    tool = directory / name
    tool.write_text(text)
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}


def test_no_docker(lab, good, tmp_path):
    good.change("Needs a build")
    refused(lab, "deploy.yml", environment=tools_without(tmp_path, "docker"), words=["no `docker` command", "Install Docker"])


def test_no_docker_engine(lab, good):
    good.change("Needs a build too")
    refused(lab, "deploy.yml", environment={"DOCKER_HOST": "unix:///nonexistent/docker.sock"}, words=["Docker engine does not answer"])


# The lab's inventory names the lab's own Terraform, where it has one.
FROM_PATH = ("-e", "infra_terraform_executable=terraform")


def test_no_terraform(lab, tmp_path):
    refused(lab, "infra.yml", *FROM_PATH, environment=tools_without(tmp_path, "terraform"), words=["Terraform", "1.7"])


def test_terraform_too_old(lab, tmp_path):
    text = '#!/bin/sh\necho \'{"terraform_version": "1.5.7", "platform": "linux_amd64"}\'\n'
    refused(lab, "infra.yml", *FROM_PATH, environment=fake_tool(tmp_path, "terraform", text), words=["1.5.7", "1.7"])


def test_credentials_of_another_account(lab):
    words = ["These credentials belong to account 999999999999", f"is in account {lab.account}", "Nothing was done"]
    refused(lab, "deploy.yml", environment={"AWS_ACCESS_KEY_ID": "999999999999"}, words=words)


@pytest.mark.parametrize("playbook", ["bootstrap.yml", "infra.yml", "secrets.yml", "deploy.yml", "migrate.yml", "status.yml"])
def test_an_unknown_region(lab, playbook):
    refused(lab, playbook, "-e", "atena_region=us-east-9", words=["knows no AWS region 'us-east-9'", "us-east-1"])


def test_a_repository_without_a_commit(lab, tmp_path):
    lab.app.git("init", "--quiet", str(tmp_path / "empty"))
    refused(lab, "deploy.yml", "-e", f"atena_app_path={tmp_path / 'empty'}", words=["has no commit yet", "Nothing was built or changed"])


def test_what_is_no_repository(lab, tmp_path):
    refused(lab, "deploy.yml", "-e", f"atena_app_path={tmp_path}", words=["is not a git repository", "atena_app_path"])


def test_a_dirty_tree_names_its_files(lab, elsewhere):
    (elsewhere / "packages" / "api" / "forgotten.txt").write_text("x")
    words = ["changes that are not committed", "packages/api/forgotten.txt", "Commit or stash"]
    refused(lab, "deploy.yml", "-e", f"atena_app_path={elsewhere}", "-e", "atena_build_from=working_tree", words=words)


def test_a_missing_dockerfile(lab, good):
    good.git("rm", "--quiet", "packages/workers/Dockerfile")
    good.change("Lose the Dockerfile")
    refused(lab, "deploy.yml", words=["no packages/workers/Dockerfile", "atena_services", "Nothing was built or pushed"])


def test_nothing_answers_at_the_endpoint(lab):
    run = lab.playbook("status.yml", environment={"AWS_ENDPOINT_URL": "http://localhost:9"}).must_fail()
    assert "Could not read the caller's identity" in run.text and "Traceback" not in run.output


@pytest.mark.parametrize("value", ["CHANGE_ME", "", " padded "])
def test_secrets_that_cannot_be_meant(lab, value):
    refused(lab, "secrets.yml", "-e", f'{{"atena_secrets": {{"ADMIN_TOKEN": "{value}"}}}}', words=["ADMIN_TOKEN"])


@pytest.mark.parametrize("playbook", ["destroy", "restore_database", "restore_redis"])
def test_what_takes_data_away_is_for_one_environment_in_a_known_account(lab, tmp_path, playbook):
    typed = ("-e", f"{playbook}_confirm={lab.name}")
    unknown = ("-e", json.dumps({"atena_expected_account_id": ""}))
    refused(lab, f"{playbook}.yml", *typed, *unknown, words=["Nobody has said in which account atena-prod is", f"These are of account {lab.account}"])
    neighbours = tmp_path / "more.yml"
    neighbours.write_text(json.dumps({"environments": {"hosts": {"atena-other": {"atena_stage": "other"}}}}))
    refused(lab, f"{playbook}.yml", *typed, "-i", str(neighbours), words=["meant for 2 environments", "Choose one: --limit atena-"])
