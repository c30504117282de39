"""Every job template of extensions/awx, run by ansible-runner as AWX runs it: project, inventory, extra variables and environment in a private data
directory, the outcome read from its artifacts.

What AWX adds around it is not here: its database, its scheduler, containers around the jobs, and the image.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ansible_runner
import pytest
import yaml
from conftest import CHECKOUT
from runner_cases import CASES, ELSEWHERE, SECRETS, Case

TEMPLATES = {template["verb"]: template for template in yaml.safe_load((CHECKOUT / "extensions/awx/job_templates.yml").read_text())["awx_job_templates"]}
EXTRA_VARS = yaml.safe_load((CHECKOUT / "extensions/awx/settings.yml").read_text())["awx_defaults"]["extra_vars"]


class Job:
    """A finished job, as its artifacts tell of it."""

    def __init__(self, artifacts: Path):
        self.artifacts = artifacts
        self.rc, self.status = int((artifacts / "rc").read_text()), (artifacts / "status").read_text()
        self.output = re.sub(r"\x1b\[[0-9;]*m", "", (artifacts / "stdout").read_text())
        self.events = [json.loads(path.read_text()) for path in (artifacts / "job_events").glob("*.json")]

    def of(self, kind: str) -> list[dict]:
        return [event["event_data"] for event in self.events if event["event"] == kind]

    @property
    def changed(self) -> bool:
        return any(event["res"].get("changed") for event in self.of("runner_on_ok"))

    def result(self, name: str) -> dict:
        """What AWX keeps as the job's artifacts, and hands to later nodes of a workflow."""
        return self.of("playbook_on_stats")[0]["artifact_data"]["atena_result"][name]

    def holds(self, text: str) -> list[str]:
        """`command` has the whole environment of the process: AWX reads it, hides the values and deletes it."""
        files = [path for path in self.artifacts.rglob("*") if path.is_file() and path.name != "command"]
        return [str(path) for path in files if text in path.read_text(errors="replace")]


class Controller:
    """Private data directories as AWX prepares them. The project is what a checkout of the repository holds."""

    def __init__(self, lab, root: Path):
        self.lab, self.root = lab, root
        self.project = root / "project"
        kept = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
        for name in kept.stdout.split("\0"):
            if name.startswith(("playbooks/", "ansible.cfg")) and (CHECKOUT / name).is_file():
                (self.project / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(CHECKOUT / name, self.project / name)
        self.described = yaml.safe_load((CHECKOUT / "inventories/lab/group_vars/environments.yml").read_text())
        # Secrets come by a credential, as environment variables.
        del self.described["atena_secrets"]
        # Hours whose last action was long ago, so that nothing is due.
        begins, ends = ((datetime.now(UTC) + timedelta(hours=hours)).strftime("%H:%M") for hours in (-6, 6))
        self.described["atena_schedule"] = {"timezone": "UTC", "hours": [{"days": "mon-sun", "start": begins, "stop": ends}]}

    def run(self, case: Case, answers: dict) -> Job:
        directory = self.root / case.id
        (directory / "env").mkdir(parents=True)
        (directory / "inventory").mkdir()
        (directory / "project").symlink_to(self.project)
        variables = {**EXTRA_VARS, "atena_result_file": str(directory / "result.json"), **answers}
        credentials = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        # The image has the collection where Ansible looks for it; here the checkout is linked.
        environment = {**credentials, **case.environment, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".collections"), "HOME": str(directory)}
        hosts = {"environments": {"hosts": {self.lab.name: None}, "vars": self.described}}
        for name, content in (("env/extravars", variables), ("env/envvars", environment), ("env/settings", {}), ("inventory/hosts.yml", hosts)):
            (directory / name).write_text(yaml.safe_dump(content))
        (directory / "env/cmdline").write_text(f"--limit {self.lab.name}{' --check' if case.check else ''}")
        playbook = f"playbooks/{TEMPLATES[case.verb]['playbook']}"
        ansible_runner.run(private_data_dir=str(directory), playbook=playbook, ident="job", quiet=True, suppress_env_files=True, timeout=900)
        return Job(directory / "artifacts" / "job")


class Releases:
    """Two commits whose images are in ECR: `later` runs, `earlier` ran before it."""

    def __init__(self, lab):
        self.earlier = lab.app.commit
        self.later = lab.app.change("For the runner", **{"packages/api/NOTES.md": f"{datetime.now(UTC)}\n"})
        lab.playbook("deploy.yml").must_succeed()


@pytest.fixture(scope="module")
def controller(lab, tmp_path_factory):
    return Controller(lab, tmp_path_factory.mktemp("controller"))


@pytest.fixture(scope="module")
def releases(lab):
    return Releases(lab)


def test_every_job_template_has_a_case():
    missing = sorted(set(TEMPLATES) - {case.verb for case in CASES} - ELSEWHERE)
    assert not missing, f"Add a case for {', '.join(missing)} to tests/lab/runner_cases.py: what its survey is answered with, and what must come of it."


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id, marks=[pytest.mark.soak] if case.soak else []) for case in CASES])
def test_a_job_template_runs_as_awx_runs_it(lab, controller, case, request):
    answers = case.answers(request.getfixturevalue("releases")) if callable(case.answers) else case.answers
    assert all(isinstance(answer, str) for answer in answers.values()), "surveys send text"
    job = controller.run(case, answers)
    assert (job.rc, job.status) == (0, "successful"), job.output
    assert case.says in " ".join(job.output.split()), job.output
    assert job.changed == case.changed, job.output
    result = job.result(lab.name)
    assert (result["outcome"], result["changed"], result["check_mode"]) == ("succeeded", case.changed, case.check)
    assert not [path for value in (*SECRETS.values(), os.environ["AWS_SECRET_ACCESS_KEY"]) for path in job.holds(value)]


def test_a_job_that_is_refused_fails_and_says_why_in_its_artifacts(lab, controller):
    job = controller.run(Case("lock", "", check=True), {"lock_force": "atena-other"})
    assert (job.rc, job.status) == (2, "failed")
    assert "this environment is atena-prod. Nothing was released" in job.result(lab.name)["reason"]


def test_after_all_of_it_the_environment_is_as_terraform_left_it(lab):
    assert lab.app.version == lab.app.commit
    assert lab.plan()[0] == 0
