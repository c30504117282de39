"""Jobs run by ansible-runner as AWX runs them: project, inventory, extra variables and environment in a private data directory, the outcome read from
its artifacts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ansible_runner
import yaml
from conftest import CHECKOUT
from runner_cases import Case

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
        hosts = {"environments": {"hosts": {self.lab.name: None}, "vars": {**self.described, **case.described}}}
        for name, content in (("env/extravars", variables), ("env/envvars", environment), ("env/settings", {}), ("inventory/hosts.yml", hosts)):
            (directory / name).write_text(yaml.safe_dump(content))
        (directory / "env/cmdline").write_text(f"--limit {self.lab.name}{' --check' if case.check else ''}")
        playbook = f"playbooks/{TEMPLATES[case.verb]['playbook']}"
        ansible_runner.run(private_data_dir=str(directory), playbook=playbook, ident="job", quiet=True, suppress_env_files=True, timeout=900)
        return Job(directory / "artifacts" / "job")
