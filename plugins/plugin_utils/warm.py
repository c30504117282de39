# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs our modules without an interpreter of their own where that would be the controller's: in a fork of Ansible's worker, which has imported what they need.

A new interpreter takes half a second to import boto3 and our own files, for each task of each environment. Ansible's main process imports an action plugin
before it forks the workers, so what is imported here is in all of them. The module itself is the same: its own main(), its arguments as Ansible passes them,
its result from its standard output. Whatever is not plainly on this machine as this user goes Ansible's ordinary way.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ansible import constants as C
from ansible.executor import module_common
from ansible.module_utils import basic
from ansible.module_utils.common import json as module_json, warnings
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.atena.aws.plugins.module_utils.core import requirements
from ansible_collections.atena.aws.plugins.plugin_utils.forked import forked

# For all workers to have; the modules say so where they lack it.
for _name in ("boto3.session", "botocore.session"):
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)

_OURS = re.compile(r"atena\.aws\.(?P<name>[a-z_]+)")
# Variables of a task's `environment` that are read when something is done. Others may be read by an interpreter or a library when it starts.
_READ_LATER = re.compile(r"(AWS|ATENA|TF|DOCKER|GIT)_\w+|(HTTPS?|NO)_PROXY|(https?|no)_proxy|HOME|PATH")
# How Ansible writes what it passes to a module of the kind that ours are.
_PROFILE = "legacy"


def main_of(action: str) -> Callable[[], object] | None:
    """The function main of the module of ours that a task's action names; None of another's, or where the controller lacks what it imports."""
    ours = _OURS.fullmatch(action)
    return _imported(ours["name"]) if ours else None


@functools.cache
def _imported(name: str) -> Callable[[], object] | None:
    try:
        return importlib.import_module(f"ansible_collections.atena.aws.plugins.modules.{name}").main
    except ImportError:
        return None


class WarmAction(ActionBase):
    """Base of the action plugins of our modules. It replaces how Ansible packs a module and how it starts it; all else of a task is Ansible's."""

    # Of the module that is run in a fork, while it is: its function, what it is given, and the environment of its task.
    __main: Callable[[], object] | None = None
    __payload = b""
    __environment: Mapping[str, str] = {}

    def _execute_module(self, module_name: str | None = None, module_args: Any = None, tmp: Any = None, task_vars: Any = None, **options: Any) -> Any:
        problem = _problem_of_the_controller()
        if problem:
            return {"failed": True, "msg": problem}
        action = module_name or self._task.action
        plain = not options.get("wrap_async") and self.is_plainly_local(task_vars or {})
        self.__main = main_of(action) if plain else None
        try:
            return super()._execute_module(module_name=module_name, module_args=module_args, tmp=tmp, task_vars=task_vars, **options)
        finally:
            self.__main = None

    def is_plainly_local(self, variables: Mapping[str, Any]) -> bool:
        """Whether a module would run on this machine, as this user, in this interpreter, and nothing is asked for that needs a start of its own."""
        if self._task.async_val or C.DEFAULT_KEEP_REMOTE_FILES or self._connection.transport != "local" or self._connection.become:
            return False
        interpreter = self.__of_the_target(variables).get("ansible_python_interpreter")
        if not interpreter or str(self._templar.template(interpreter)) != sys.executable:
            return False
        if C.config.get_config_value("PYTHON_MODULE_RLIMIT_NOFILE", variables=variables):
            return False
        told: dict[str, Any] = {}
        self._compute_environment_string(told)
        self.__environment = {name: str(value) for name, value in told.items()}
        return all(_READ_LATER.fullmatch(name) for name in told)

    def __of_the_target(self, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        return variables["ansible_delegated_vars"][self._task.delegate_to] if self._task.delegate_to else variables

    # --- In Ansible's own way of running a module ---------------------------------------------------------------------
    def _is_pipelining_enabled(self, module_style: str, wrap_async: bool = False) -> bool:
        """What goes nowhere needs no file to go through."""
        return self.__main is not None or super()._is_pipelining_enabled(module_style, wrap_async)

    def _configure_module(self, module_name: str, module_args: Any, task_vars: Any) -> Any:
        if self.__main is None:
            return super()._configure_module(module_name=module_name, module_args=module_args, task_vars=task_vars)
        self.__payload = _packed(module_args)
        return _built(self.__payload, module_name)

    def _low_level_execute_command(self, cmd: str, *args: Any, in_data: bytes | None = None, **options: Any) -> Any:
        if self.__main is None or in_data is not self.__payload:
            return super()._low_level_execute_command(cmd, *args, in_data=in_data, **options)
        Display().vvv(f"FORK {self._task.action}, without an interpreter of its own", host=self._play_context.remote_addr)
        work = functools.partial(_run, self.__main, self.__payload)
        ended = forked(work, self.__environment, os.path.abspath(self._loader.get_basedir()))
        output, errors = (text.decode(errors="surrogateescape") for text in (ended.output, ended.errors))
        return {"rc": ended.code, "stdout": output, "stdout_lines": output.splitlines(), "stderr": errors, "stderr_lines": errors.splitlines()}


def _problem_of_the_controller() -> str:
    """Why the controller's Python cannot be right, or ''. A module sees only the one that runs modules; this one runs filters, lookups and live views."""
    return requirements.python_problem(
        "Ansible itself on this controller",
        requirements.this_python(),
        sys.executable,
        f"Install Ansible with a newer one: python3.12 -m venv ansible && ansible/bin/pip install ansible-core 'boto3>={requirements.SDK}'",
    )


def _packed(arguments: Any) -> bytes:
    """A module's arguments as Ansible writes them for it."""
    said = {"ANSIBLE_MODULE_ARGS": arguments}
    if hasattr(module_json, "get_module_encoder"):  # ansible-core 2.19
        encoder = module_json.get_module_encoder(_PROFILE, module_json.Direction.CONTROLLER_TO_MODULE)
        return json.dumps(said, cls=encoder).encode()
    return json.dumps(said, cls=module_json.AnsibleJSONEncoder, vault_to_text=True).encode()


def _built(payload: bytes, name: str) -> Any:
    """A module that is packed, as the installed ansible-core hands it on."""
    path = os.path.join(os.path.dirname(os.path.dirname(__file__)), "modules", f"{name.rpartition('.')[2]}.py")
    if hasattr(module_common, "_BuiltModule"):  # ansible-core 2.19
        built = module_common._BuiltModule(b_module_data=payload, module_style="new", shebang=f"#!{sys.executable}", serialization_profile=_PROFILE)
        return built, path
    return "new", f"#!{sys.executable}", payload, path


# --- In the fork ----------------------------------------------------------------------------------------------------------
def _run(main: Callable[[], object], payload: bytes) -> None:
    """A module's main, as Ansible's wrapper runs it where it is packed."""
    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = payload, _PROFILE
    warnings._global_warnings.clear()
    warnings._global_deprecations.clear()
    _leave_the_controller()
    main()


def _leave_the_controller() -> None:
    """A module's warnings belong to its result; on a controller they would be shown instead (ansible-core 2.19)."""
    with contextlib.suppress(ImportError):
        from ansible.module_utils import _internal

        _internal.is_controller = False
