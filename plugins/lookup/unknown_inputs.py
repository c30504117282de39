# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names what a run was given and nothing takes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unknown_inputs
version_added: 0.1.0
short_description: What a run was given that no role of the collection takes
author: The atena.aws founders (@atena)
description:
  - Returns a sentence for each unknown key of the collection's dictionaries, at every depth, and for each variable whose name is a typing error of one that
    the collection takes. The list is empty if there is none.
  - Other variables that begin with C(atena_) are a warning.
  - A typing error is one or two letters that are wrong, missing, too many or swapped, one in a name of up to five letters. Checked are the variables that
    begin like the collection's, and all that are given for the run (C(-e), a survey). Those of Ansible, of AWX and C(atena_result) are passed over, and those
    that the list C(atena_allowed_variables) names; C(*) matches any text in it.
  - No value is ever in a sentence.
  - "The gap it closes: Ansible takes any variable, and an argument specification knows neither dictionaries with keys of the user's own nor variables that it
    does not list."
options:
  _terms:
    description: Not used.
    type: list
    elements: str
  dictionaries:
    description: More variables that are dictionaries, each with a dictionary that has all keys that it may have. What is below them is not checked.
    type: dict
    default: {}
  names:
    description: More variables that may be given for the run.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check that everything that is set is known
  ansible.builtin.assert:
    that: query('atena.aws.unknown_inputs') | length == 0
    fail_msg: "{{ query('atena.aws.unknown_inputs') | join(' ') }}"
"""

RETURN = r"""
_list:
  description: A sentence for each.
  type: list
  elements: str
"""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible_collections.atena.aws.plugins.plugin_utils import inputs

if TYPE_CHECKING:
    from ansible.template import Templar

try:
    from ansible._internal._datatag._tags import Origin  # ansible-core 2.19
except ImportError:
    Origin = None

_ALLOWED = "atena_allowed_variables"
_CUT = "_raw_params"
# Roles that tell it themselves, with how it is said.
_TELL_IT = {"exec_command", "logs_pattern"}


def place(*things: object) -> str:
    """'file:line' of the first of a key and a value of which Ansible knows it; else ''."""
    for thing in things:
        origin = Origin.get_tag(thing) if Origin else None
        path, line = (origin.path, origin.line_num) if origin else (getattr(thing, "ansible_pos", None) or (None, None))[:2]
        if path and os.path.isabs(path):
            return os.path.relpath(path) + (f":{line}" if line else "")
    return ""


class Inputs:
    """The variables of one host in one run."""

    def __init__(self, variables: Mapping[str, Any], extra: Mapping[str, Any], templar: Templar) -> None:
        self._variables, self._extra, self._templar = variables, extra, templar

    def resolve(self, value: Any) -> Any:
        """What a template stands for; one that cannot be told yet is left to whoever needs it."""
        if not isinstance(value, str) or "{" not in value:
            return value
        try:
            return self._templar.template(value)
        except Exception:  # which of Ansible's it is differs between its versions
            return None

    def keys(self, shapes: dict[str, inputs.Shape], defaults: dict[str, Any]) -> list[str]:
        told = []
        for name, shape in shapes.items():
            if name not in self._variables or self._variables[name] == defaults.get(name):
                continue
            for where, key, known in inputs.unknown_keys(self._variables[name], shape, name, self.resolve):
                at, near = place(key, self._variables[name]), inputs.nearest(str(key), known)
                meant = f" Is {near} meant?" if near else ""
                told.append(f"{where}{f' ({at})' if at else ''} has no key {key}.{meant} There are: {', '.join(known)}.")
        return told

    def names(self, more: Iterable[str]) -> tuple[list[str], list[str]]:
        """(sentences on typing errors, sentences on what is unknown)."""
        given = self.resolve(self._variables.get(_ALLOWED))
        allowed = [str(self.resolve(entry)) for entry in ([given] if isinstance(given, str) else given or [])]
        wrong, unknown = inputs.strange(self._variables, self._extra, allowed, more)
        refused = [f"There is no variable {self._named(name)}. Is {near} meant?" for name, near in wrong]
        return refused, [f"atena.aws takes no variable {self._named(name)}: it has no effect there." for name in unknown]

    def _named(self, name: str) -> str:
        at = place(name, self._variables.get(name))
        told = [*(["given for this run with -e, or by AWX"] if name in self._extra else []), *([at] if at else [])]
        return f"{name} ({', '.join(told)})" if told else name

    def cut(self) -> list[str]:
        if _CUT not in self._extra or _TELL_IT & set(self._extra):
            return []
        return ["What was given with -e was cut off at a blank, and its end belongs to no variable. Quote it for Ansible, too: -e 'name=\"one two\"'."]


class LookupModule(LookupBase):
    def run(
        self,
        terms: list[str],
        variables: dict[str, Any] | None = None,
        dictionaries: dict[str, dict[str, Any]] | None = None,
        names: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        if terms or kwargs:
            raise AnsibleLookupError("unknown_inputs takes nothing but dictionaries and names.")
        found = Inputs(variables or {}, load_extra_vars(self._loader), self._templar)
        refused, unknown = found.names(names or [])
        for sentence in unknown:
            Display().warning(f"{sentence} If it is your own, name it in the list {_ALLOWED}, and nothing is said of it.")
        others = {name: dict.fromkeys(keys) for name, keys in (dictionaries or {}).items()}
        listed = [*refused, *([f"A variable of your own that only looks like one of them goes into the list {_ALLOWED}."] if refused else [])]
        return [*found.cut(), *found.keys({**inputs.shapes(), **others}, inputs.defaults()), *listed]
