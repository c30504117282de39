# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what was piped into ansible-playbook."""

from __future__ import annotations

DOCUMENTATION = r"""
name: standard_input
version_added: 0.1.0
short_description: Values that were piped into ansible-playbook
author: The atena.aws founders (@atena)
description:
  - Reads the standard input of the C(ansible-playbook) process completely, and returns a dictionary of values by name. It can be read once in a run.
  - What comes is data - no template in it is checked. Of a single value one line feed at its end is left out, as C(echo) adds it.
  - "The gap it closes: tasks run in processes of their own, whose standard input is empty; and C(-e @/dev/stdin) takes redirected files, but no pipe."
notes:
  - It searches for the standard input in C(/proc), so that the controller has to be Linux.
options:
  _terms:
    description: The name of the one value that comes, or V(variables) for YAML or JSON with values by name.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Keep what was piped in
  ansible.builtin.set_fact:
    piped: "{{ lookup('atena.aws.standard_input', 'ADMIN_TOKEN') }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description: One dictionary of values by name.
  type: list
  elements: dict
"""

import multiprocessing
import os
from typing import Any

import yaml
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

VARIABLES = "variables"


def read(path: str) -> str:
    """The text of a pipe or a file. Raises AnsibleLookupError with what to do; no text of it is ever in an error."""
    try:
        with open(path, "rb") as source:
            if source.isatty():
                raise AnsibleLookupError("Standard input is a terminal. Pipe the value in, or leave secrets_stdin out to be asked for it.")
            return source.read().decode()
    except OSError as problem:
        raise AnsibleLookupError(f"Standard input cannot be read here ({problem.strerror}): give the value in the environment or in a vault.") from None
    except UnicodeDecodeError:
        raise AnsibleLookupError("What came in standard input is no UTF-8 text, which is all that Parameter Store holds.") from None


def values(text: str, name: str) -> dict:
    """{name: value} of what was read."""
    if name != VARIABLES:
        return {name: text.removesuffix("\n").removesuffix("\r")}
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise AnsibleLookupError("What came in standard input is no YAML or JSON dictionary of values by name.")
    return found


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        if len(terms) != 1:
            raise AnsibleLookupError("standard_input takes one name, or 'variables'.")
        parent = multiprocessing.parent_process()
        return [values(read(f"/proc/{parent.pid if parent else os.getpid()}/fd/0"), terms[0])]
