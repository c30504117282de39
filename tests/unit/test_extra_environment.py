"""The environment that the inventory gives to every task is seen by everybody on the machine: nothing secret is let in unnoticed."""

import json

import pytest
from plays import Plays

INVENTORY = """
environments:
  hosts:
    atena-prod:
      ansible_connection: local
      ansible_python_interpreter: "{{ ansible_playbook_python }}"
      atena_stage: prod
"""
SECRET = "hush-4711"
LOOK = [
    {"ansible.builtin.include_role": {"name": "atena.aws.environment"}, "vars": {"environment_verifies_account": False}},
    {"name": "Work", "ansible.builtin.command": {"argv": ["true"]}},
]


@pytest.fixture
def plays(tmp_path, ansible):
    return Plays(tmp_path, INVENTORY, ansible)


def looked(plays, environment, endpoint="", *arguments):
    given = json.dumps({"atena_extra_environment": environment, "atena_endpoint_url": endpoint, "atena_expected_account_id": "000000000042"})
    return plays.play(LOOK, "-e", given, *arguments, environment="{{ atena_process_environment }}")


def test_keys_of_awss_are_refused_before_a_task_could_show_them(plays):
    keys = ["AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"]
    done = looked(plays, {**dict.fromkeys(keys, SECRET), "AWS_PROFILE": "prod"}, "", "-vvv")
    assert done.returncode == 2, done.stdout
    assert f"atena_extra_environment has {', '.join(keys)}." in done.stdout
    assert "AWS_PROFILE" in done.stdout and "Nothing was done." in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert "TASK [Work]" not in done.stdout


def test_with_an_endpoint_which_means_the_lab_it_is_allowed_and_nothing_is_said(plays):
    done = looked(plays, {"AWS_ACCESS_KEY_ID": "000000000042", "AWS_SECRET_ACCESS_KEY": SECRET}, "http://localhost:4566")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_what_only_names_something_passes_in_silence(plays):
    names = ("AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SHARED_CREDENTIALS_FILE", "TF_CLI_CONFIG_FILE", "HTTPS_PROXY")
    done = looked(plays, dict.fromkeys(names, "x"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_what_may_be_a_secret_of_others_is_warned_of_by_its_name_alone(plays):
    names = ["ACME_API_KEY", "CLIENT_SECRET", "GITHUB_TOKEN", "VAULT_TOKEN", "db_password"]
    done = looked(plays, dict.fromkeys(names, SECRET))
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout + done.stderr
    assert told.count("atena_extra_environment has") == 1, "once for all tasks"
    assert all(name in told[told.index("atena_extra_environment has") :] for name in names), told
    assert SECRET not in done.stdout + done.stderr
