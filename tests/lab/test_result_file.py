"""The result file of real playbooks. What the callback does with each kind of result is in tests/unit/test_result_callback.py."""

import json
import os
import stat
import subprocess
import uuid

import pytest
from conftest import CHECKOUT


class Asked:
    """A playbook with a result file: `run` the playbook, `read` what it wrote."""

    def __init__(self, lab, path):
        self.lab, self.path = lab, path

    def run(self, playbook, *arguments):
        return self.lab.playbook(playbook, "-e", f"atena_result_file={self.path}", *arguments)

    def read(self):
        assert stat.S_IMODE(self.path.stat().st_mode) == 0o600
        return json.loads(self.path.read_text())


@pytest.fixture
def asked(lab, tmp_path):
    return Asked(lab, tmp_path / "result.json")


def test_a_release_says_what_it_released_and_what_by(lab, asked):
    commit = lab.app.change("For the result", **{"packages/api/NOTES.md": f"{uuid.uuid4()}\n"})
    asked.run("deploy.yml").must_succeed()
    result = asked.read()
    assert (result["playbook"], result["environment"], result["check_mode"]) == ("deploy.yml", lab.name, False)
    assert (result["outcome"], result["reason"], result["changed"]) == ("succeeded", "", True)
    assert any(line.startswith(f"Released {commit}") for line in result["did"])
    ids = result["ids"]
    assert (ids["release"], ids["account"]) == (commit, lab.account)
    assert ids["task_definitions"] == lab.revisions()
    assert ids["deployment_ids"] == {name: service["deployments"][0]["id"] for name, service in lab.services().items()}
    assert commit[:12] in ids["release_id"]
    assert ":task/" in ids["task_arn"]


def test_a_refused_release_tells_why_and_fails_as_ever(lab, asked):
    without = lab.playbook("deploy.yml", "-e", "release=0000000").must_fail()
    run = asked.run("deploy.yml", "-e", "release=0000000").must_fail()
    result = asked.read()
    assert (run.code, result["outcome"], result["changed"]) == (without.code, "failed", False)
    assert "0000000" in result["reason"]
    assert run.output.count("fatal:") == without.output.count("fatal:") == 1


def test_what_fails_before_the_playbooks_own_tasks_is_told_too(asked):
    asked.run("infra.yml", "-e", "atena_expected_account_id=999999999999").must_fail()
    assert asked.read()["outcome"] == "failed"
    assert "999999999999" in asked.read()["reason"]


def test_site_in_check_mode_is_one_result_of_all_its_steps(asked):
    run = asked.run("site.yml", "--check").must_succeed()
    result = asked.read()
    assert (result["playbook"], result["check_mode"], result["outcome"]) == ("site.yml", True, "succeeded")
    assert result["changed"] == (run.changed > 0)
    assert len(result["did"]) > 3


def test_no_secret_is_in_it(lab, asked):
    asked.run("secrets.yml").must_succeed()
    text = asked.path.read_text()
    assert "ADMIN_TOKEN" in text, "the names are what it tells"
    parameters = lab.client("ssm").get_parameters_by_path(Path="/atena/prod", Recursive=True, WithDecryption=True)["Parameters"]
    assert len(parameters) >= 5
    for parameter in parameters:
        assert parameter["Value"] not in text, parameter["Name"]


def test_the_installed_collection_has_it_without_any_configuration(lab, asked, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment.update(ANSIBLE_COLLECTIONS_PATH=str(CHECKOUT / ".collections"), HOME=str(tmp_path), ATENA_LAB_DIR=str(lab.directory))
    arguments = ["-i", str(CHECKOUT / "inventories/lab"), "-e", f"atena_result_file={asked.path}"]
    done = subprocess.run(["ansible-playbook", "atena.aws.status", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    result = asked.read()
    assert (result["playbook"], result["outcome"], result["changed"]) == ("status.yml", "succeeded", False)
    assert any("atena-prod-api" in line for line in result["did"])
