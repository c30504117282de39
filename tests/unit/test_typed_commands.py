"""What README, docs and roles tell people to type works where they say it is typed: in a fresh clone, without `make setup` or anybody's settings."""

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from plays import said

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from typed import clone, commands  # noqa: E402

# Where the fresh clone finds collections that are not its own, and whether awx.awx is one of them: ansible 14 does not bring it.
INSTALLED = [Path(sysconfig.get_paths()["purelib"]), Path("/usr/share/ansible/collections")]
AWX = any((root / "ansible_collections/awx/awx/MANIFEST.json").is_file() for root in INSTALLED)
COMMANDS = commands("README.md", "docs/*.md", "roles/*/README.md")
# A reader who stays where the page left him finds these; docs/install.md shows the inventory that it names.
INVENTORIES = {"inventories/prod", "inventories/lab", "hosts.yml"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return clone(tmp_path_factory.mktemp("clone") / "checkout")


def typed(place, line, home):
    """Only what a new user's shell has; ansible-playbook is that of this environment, whose package `ansible` brings amazon.aws."""
    environment = {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "LANG": "C.UTF-8", "NO_COLOR": "1"}
    done = subprocess.run(["bash", "-c", line], cwd=place, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("command", [pytest.param(one.line, id=one.place) for one in COMMANDS])
def test_a_command_names_an_inventory_and_a_playbook_that_are_there(place, command):
    words = shlex.split(re.sub(r"^.*?(?=ansible-playbook )", "", command))
    assert words[1] == "-i", "without an inventory the playbook finds no host, does nothing, and ends well"
    assert words[2] in INVENTORIES
    assert (place / re.sub(r"^atena\.aws\.(\w+)$", r"playbooks/\1.yml", words[3])).is_file(), words[3]


@pytest.fixture(scope="module")
def tasks(place, tmp_path_factory):
    """Of all playbooks that are named: what one run lists. Those below extensions/awx need a collection that not each package `ansible` brings."""
    named = sorted({re.search(r" ((?:playbooks/|extensions/|atena\.aws\.)\S+)", one.line)[1] for one in COMMANDS})
    found = [name for name in named if AWX or not name.startswith("extensions/awx/")]
    code, output = typed(place, f"ansible-playbook -i inventories/prod {' '.join(found)} --list-tasks", tmp_path_factory.mktemp("home"))
    return named, code, output


def test_every_playbook_that_is_named_is_found_with_its_roles_in_a_fresh_clone(tasks):
    _named, code, output = tasks
    assert code == 0, output
    assert "atena.aws.environment : " in output


@pytest.mark.skipif(not AWX, reason="the collection awx.awx is not installed here: what is below extensions/awx was not searched for")
def test_so_is_each_that_needs_the_collection_of_awx(tasks):
    named, code, output = tasks
    below = [name for name in named if name.startswith("extensions/awx/")]
    assert below and code == 0, output
    assert all(f"playbook: {name}\n" in output for name in below), output


def test_the_first_command_on_a_real_account_works_as_it_stands(place, tmp_path):
    block = [one.line for one in commands("README.md") if "inventories/prod" in one.line]
    assert [re.search(r"playbooks/(\w+)", line)[1] for line in block] == ["bootstrap", "infra", "site"]
    code, output = typed(place, f"{block[0]} --list-hosts", tmp_path)
    assert code == 0 and "atena-prod" in output, output


@pytest.mark.parametrize(("role", "tasks", "nothing"), [("deploy", "source", "Nothing was built or changed."), ("ci_setup", "main", "Nothing was written.")])
def test_started_in_the_checkout_without_the_application_s_path_it_is_refused(place, tmp_path, role, tasks, nothing):
    """The default is the directory that a playbook is started in, and this one is a git repository, too."""
    only = [{"ansible.builtin.import_role": {"name": f"atena.aws.{role}", "tasks_from": tasks}}]
    default = "{{ lookup('ansible.builtin.env', 'PWD') }}"
    given = {
        "atena_github": {"repository": "acme/app"},
        "atena_name": "atena-prod",
        "atena_stage": "prod",
        "atena_app_path": default,
        "atena_build_from": "commit",
    }
    playbook = tmp_path / "only.yml"
    playbook.write_text(json.dumps([{"hosts": "environments", "gather_facts": False, "vars": given, "tasks": only}]))
    code, output = typed(place, f"git init -q . && ansible-playbook -i inventories/prod {playbook}", tmp_path)
    assert code != 0
    text = said(output)
    assert f"{place} is the checkout of this collection, not the application's repository." in text, output
    assert "Set atena_app_path in the inventory" in text, output
    assert nothing in text
