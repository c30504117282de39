"""Where a rollback has to ask, it asks one environment; several are all refused before the first of them goes back."""

import json

import pytest
from plays import Plays, said

INVENTORY = """
environments:
  vars:
    ansible_connection: local
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    rollback_ledger: {running: r9}
    rollback_over_migration: false
    goal: {release: {id: r1}, migrated_since: [], obstacle: ""}
    blocked: {release: {id: r1}, migrated_since: [r2], obstacle: Migrations ran since 3f2a was released (r2).}
    unknown: {release: {id: r1}, migrated_since: [r2], obstacle: Whether they changed the schema is not known (r2).}
  hosts:
    atena-one: {atena_stage: one, __rollback_target: "{{ goal }}"}
    atena-two: {atena_stage: two, __rollback_target: "{{ blocked }}"}
    atena-three: {atena_stage: three, __rollback_target: "{{ unknown }}"}
"""
TASKS = [
    {"ansible.builtin.include_role": {"name": "atena.aws.rollback", "tasks_from": "ask"}},
    {"name": "Roll back", "ansible.builtin.debug": {"msg": "{{ inventory_hostname }} rolls back: {{ __rollback_answer.user_input | default('not asked') }}"}},
]


@pytest.fixture
def plays(tmp_path, ansible):
    return Plays(tmp_path, INVENTORY, ansible)


def test_of_several_none_goes_back_where_one_has_to_be_asked(plays):
    done = plays.play(TASKS)
    assert done.returncode == 2, done.stdout
    assert "rolls back" not in done.stdout
    assert "Nothing was changed in any of them" in done.stdout
    assert "atena-two: Migrations ran since 3f2a was released (r2)." in said(done.stdout)
    assert "atena-three: Whether they changed the schema is not known (r2)." in said(done.stdout)
    assert "atena-one:" not in done.stdout.replace("atena-one: ok", "")
    assert "--limit" in done.stdout and "rollback_over_migration=true" in done.stdout


@pytest.mark.parametrize("arguments", [["--limit", "atena-one"], ["-e", json.dumps({"rollback_over_migration": True})]])
def test_and_all_do_where_nothing_is_in_the_way_or_somebody_said_so(plays, arguments):
    done = plays.play(TASKS, *arguments)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("rolls back: not asked") == (1 if "--limit" in arguments else 3)


@pytest.mark.parametrize("host", ["atena-two", "atena-three"])
def test_one_is_asked(plays, host):
    """Without a terminal nobody answers, and the release then refuses by itself."""
    done = plays.play(TASKS, "--limit", host)
    assert "Not waiting for response to prompt" in done.stderr
    assert f"{host} rolls back: " in done.stdout and "not asked" not in done.stdout
