"""Which secrets a run of secrets.yml may set, and of which of them a person means the value, be it an earlier one: by Ansible itself."""

import json
from pathlib import Path

import pytest
from plays import Plays

ROLE = Path(__file__).resolve().parents[2] / "roles" / "secrets"
INVENTORY = """
environments:
  vars:
    atena_manual_secrets: [A, B, C]
    atena_secrets: {A: a, B: b}
  hosts:
    atena-prod: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
"""
TASKS = [
    *({"ansible.builtin.include_vars": str(ROLE / part / "main.yml")} for part in ("vars",)),
    {"ansible.builtin.debug": {"msg": "names {{ __secrets_names | join }} values {{ __secrets_values | join }} meant {{ __secrets_meant | join }}."}},
]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "names ABC values AB meant ."),
        ({"secrets_names": ""}, "names ABC values AB meant ."),
        ({"secrets_names": "A"}, "names A values A meant A."),
        ({"secrets_names": "A, B,C"}, "names ABC values AB meant ABC."),
        ({"secrets_names": ["B"]}, "names B values B meant B."),
        ({"secrets_stdin": "B"}, "names B values B meant B."),
        ({"secrets_stdin": "variables"}, "names ABC values AB meant ."),
        ({"__secrets_answers": {"results": [{"item": "C", "user_input": "typed"}]}}, "names ABC values CAB meant C."),
    ],
)
def test_what_is_named_piped_in_or_typed_is_meant(tmp_path, ansible, said, told):
    defaults = {"secrets_names": [], "secrets_stdin": ""}
    done = Plays(tmp_path, INVENTORY, ansible).play(TASKS, "-e", json.dumps({**defaults, **said}))
    assert told in done.stdout, done.stdout
