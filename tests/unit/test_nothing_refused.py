"""The checks at the beginning of a role, where they refuse nothing: what they would say is made out then, too."""

import subprocess

import pytest
from plays import Plays

INVENTORY = """
environments:
  vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  hosts: {atena-prod: {atena_stage: prod}}
"""


@pytest.fixture
def application(tmp_path):
    directory = tmp_path / "app"
    directory.mkdir()
    git = ["git", "-C", str(directory), "-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "First"]):
        subprocess.run([*git, *arguments], check=True)
    return directory


def test_a_commit_that_can_be_released(tmp_path, application, ansible):
    tasks = [
        {"ansible.builtin.include_role": {"name": "atena.aws.deploy", "tasks_from": "source"}},
        {"ansible.builtin.assert": {"that": "deploy_commit is match('[0-9a-f]{40}$')"}},
    ]
    done = Plays(tmp_path, INVENTORY, ansible).play(tasks, "-e", f"atena_app_path={application}")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("role", "variable", "more"),
    [("exec", "__exec_refused", {"exec_command": "df"}), ("ci_setup", "__ci_setup_refused", {"atena_github": {"repository": "acme/app"}})],
)
def test_settings_that_are_right(tmp_path, application, ansible, role, variable, more):
    """The first task passes; the role ends where it would ask AWS or Terraform."""
    keywords = {"vars": {**more, "atena_app_path": str(application)}}
    tasks = [{"ansible.builtin.include_role": {"name": f"atena.aws.{role}"}}]
    done = Plays(tmp_path, INVENTORY, ansible).play(tasks, "-e", "atena_endpoint_url=http://127.0.0.1:9", **keywords)
    first = done.stdout[done.stdout.index(f"TASK [atena.aws.{role} : Validate the ") :].split("TASK [")[1]
    assert "ok: [atena-prod]" in first and variable not in done.stdout, done.stdout
