"""Every command that README and docs tell people to type is typed here, as it stands, in the directory that they name: a fresh clone of this repository, which
knows nothing of this one's settings. What its inventories/prod says is the lab. --check is added where a command takes something away or takes long - there
it is run for real by the test that `FOR_REAL` names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess

import pytest
from conftest import CHECKOUT
from typed import clone, commands

pytestmark = [pytest.mark.lab, pytest.mark.soak]
COMMANDS = commands("README.md", "docs/*.md")
# These are run by other tests, as they need what no lab has: an AWX server, GitHub's API, somebody who types Ctrl-C.
ELSEWHERE = {
    "extensions/awx/configure.yml": "test_awx_configure.py",
    "ci_setup.yml": "test_ci.py",
    "logs_follow=true": "test_operate.py",
}
# With --check here.
FOR_REAL = {
    "stop": "test_power.py",
    "destroy": "test_recovery.py",
    "redeploy": "test_recovery.py",
    "restore_database": "test_recovery.py",
    "restore_redis": "test_recovery.py",
    "rotate_database_password": "test_secrets_verbs.py",
    "secrets_action=rotate": "test_secrets_verbs.py",
}
# What a person has to put in.
REFUSED = {
    "restore_database_remove_original=": "of what the last restore left aside there is none. Nothing was deleted.",
    "atena.aws.redeploy": "nothing is put into one that exists",
}


@pytest.fixture(scope="module")
def desk(lab, tmp_path_factory):
    """The clone, with what the commands name: a vault file, a file with a token, a `pass`, and the lab as the environment that the inventories describe."""
    place = clone(tmp_path_factory.mktemp("desk") / "checkout")
    shutil.rmtree(place / "inventories" / "prod")
    shutil.copytree(place / "inventories" / "lab", place / "inventories" / "prod")
    # docs/install.md's own, whose directory is the reader's.
    (place / "hosts.yml").symlink_to("inventories/lab/hosts.yml")
    (place / "group_vars").symlink_to("inventories/lab/group_vars")
    (place / "token.txt").write_text("an-admin-token-from-a-file")
    (place / "vault-password").write_text("open sesame")
    values = {name: f"from-the-vault-{name.lower()}" for name in ("CLAUDE_API_KEY", "ADMIN_TOKEN", "TELEGRAM_BOT_TOKEN")}
    (place / "secrets.vault.yml").write_text(json.dumps({"atena_secrets": values}))
    vault = ["ansible-vault", "encrypt", "--vault-password-file", "vault-password", "secrets.vault.yml"]
    subprocess.run(vault, cwd=place, check=True, capture_output=True)
    tool = place / "bin" / "pass"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'TELEGRAM_BOT_TOKEN: telegram-token-from-a-store'\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    return place


def fitted(command: str, lab) -> str:
    """The command with what only the reader's own environment has."""
    running = lab.client("ecs").list_tasks(cluster=lab.cluster, serviceName=f"{lab.name}-api")["taskArns"][0].rsplit("/", 1)[1]
    for theirs, ours in {
        "--ask-vault-pass": "--vault-password-file vault-password",
        "release=3f2a91c0d4e5…": f"release={lab.app.commit}",
        "exec_task=3f2a91c7": f"exec_task={running[:8]}",
        "ADMIN_TOKEN=...": "ADMIN_TOKEN=an-admin-token-of-the-environment",
    }.items():
        command = command.replace(theirs, ours)
    named = re.search(r"(?:playbooks/|atena\.aws\.)(\w+?)(?:\.yml)?(?: |$)", command)
    if "--check" not in command and (named[1] in FOR_REAL or any(word in command for word in FOR_REAL if "=" in word)):
        command += " --check"
    return command


def test_there_are_commands_and_what_is_left_to_other_tests_is_there():
    found = [one.line for one in COMMANDS]
    assert len(found) > 40
    for file in {*ELSEWHERE.values(), *FOR_REAL.values()}:
        assert (CHECKOUT / "tests" / "lab" / file).exists(), file
    for word in ELSEWHERE:
        assert any(word in command for command in found), word


@pytest.mark.parametrize("command", [pytest.param(one.line, id=one.place) for one in COMMANDS if not any(word in one.line for word in ELSEWHERE)])
def test_a_command_of_the_docs_does_what_it_says(lab, desk, command):
    typed = fitted(command, lab)
    # What `tests/bin/test-lab` sets of Ansible for the other tests is what a reader does not have.
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment = {**theirs, "PATH": f"{desk / 'bin'}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        ["bash", "-c", typed], cwd=desk, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900
    )
    refusal = next((text for word, text in REFUSED.items() if word in typed), "")
    said = re.sub(r"\s+", " ", done.stdout)
    if refusal:
        assert done.returncode != 0 and refusal in said, f"{typed}\n{done.stdout}"
    else:
        assert done.returncode == 0, f"{typed}\n{done.stdout}"
