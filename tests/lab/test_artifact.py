"""The artifact that `make build` makes works by itself: installed in an empty home, run from an empty directory with an inventory of its own."""

from __future__ import annotations

import tarfile
import uuid

import pytest
import yaml
from conftest import CHECKOUT
from installed import Installed


@pytest.fixture(scope="module")
def installed(lab, tmp_path_factory):
    ours = Installed(tmp_path_factory.mktemp("installed"), lab.directory)
    ours.install()
    described = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "atena_expected_account_id": lab.account,
        "atena_app_path": str(lab.app.repository),
        "atena_public_url": lab.app.url,
        "atena_health_delay_seconds": 1,
        "atena_deregistration_delay_seconds": 5,
        "atena_execute_command": True,
    }
    (ours.empty / "hosts.yml").write_text(yaml.safe_dump({"environments": {"hosts": {lab.name: None}, "vars": described}}))
    return ours


def test_it_holds_what_a_run_needs_and_nothing_that_only_this_repository_needs(tmp_path, lab):
    with tarfile.open(Installed(tmp_path, lab.directory).build()) as artifact:
        names = artifact.getnames()
    tops = {name.split("/")[0] for name in names}
    assert {"infra", "playbooks", "plugins", "roles", "meta", "inventories", "docs", "README.md", "LICENSE"} <= tops
    assert not tops & {"lab", "tests", "build", "Makefile", "pyproject.toml", "ansible.cfg", "dist"}
    assert not [name for name in names if name.startswith(".") or "/molecule" in name or "__pycache__" in name]
    assert "infra/versions.tf" in names and "playbooks/callback_plugins/atena_aws_result_file.py" in names


def test_its_terraform_sources_travel_with_it(installed):
    run = installed.run("ansible-playbook", "-i", "hosts.yml", "atena.aws.infra", "--check").must_succeed()
    assert run.changed == 0, run.output
    assert (installed.home / ".local/state/atena/atena-prod/infra/versions.tf").is_file()


def test_it_deploys_and_reads_nothing_of_a_checkout(lab, installed):
    commit = lab.app.change("For the artifact", **{"packages/api/NOTES.md": f"{uuid.uuid4()}\n"})
    run = installed.run("ansible-playbook", "-i", "hosts.yml", "atena.aws.deploy", "-e", "atena_result_file=result.json").must_succeed()
    assert f"Released {commit}" in run.text
    assert lab.app.version == commit
    assert f'"release": "{commit}"' in (installed.empty / "result.json").read_text()
    assert installed.opened == []


def test_the_witness_would_have_told(installed):
    play = [{"hosts": "environments", "gather_facts": False, "vars_files": [f"{CHECKOUT}/galaxy.yml"], "tasks": []}]
    (installed.empty / "reads.yml").write_text(yaml.safe_dump(play))
    installed.run("ansible-playbook", "-i", "hosts.yml", "reads.yml").must_succeed()
    assert installed.opened == [f"{CHECKOUT}/galaxy.yml"]
