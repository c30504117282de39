# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs our modules without an interpreter of their own where that would be the controller's: in a fork of Ansible's worker, which has imported what they need.

A new interpreter takes half a second to import boto3 and our own files, for each task of each environment. Ansible's main process imports an action plugin
before it forks the workers, so what is imported here is in all of them. The module itself is the same: its own main(), its arguments as Ansible passes them,
its result from its standard output. Whatever is not plainly on this machine as this user goes Ansible's ordinary way.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.atena.aws.plugins.module_utils.core import requirements
from ansible_collections.atena.aws.plugins.plugin_utils.forked import forked


def _part(name: str) -> Any:
    """A part of ansible-core that is not documented; None of a version without it."""
    try:
        return importlib.import_module(f"ansible.{name}")
    except ImportError:
        return None


module_common, basic, warnings = _part("executor.module_common"), _part("module_utils.basic"), _part("module_utils.common.warnings")
module_json, module_internal = _part("module_utils.common.json"), _part("module_utils._internal")

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


# What is used of ansible-core besides its documented classes, as it is in the versions that this was written for.
_METHODS = {
    "_execute_module": {"module_name", "module_args", "task_vars", "wrap_async"},
    "_configure_module": {"module_name", "module_args", "task_vars"},
    "_is_pipelining_enabled": {"module_style", "wrap_async"},
    "_low_level_execute_command": {"cmd", "in_data"},
    "_compute_environment_string": {"raw_environment_out"},
}
# Of 2.19 and later.
_BUILT = {"b_module_data", "module_style", "shebang", "serialization_profile"}


@functools.cache
def knows_core() -> bool:
    """Whether all of that is in the installed ansible-core as it is known here. Where it is not, every module goes Ansible's ordinary way."""
    try:
        methods = all(names <= set(inspect.signature(getattr(ActionBase, name)).parameters) for name, names in _METHODS.items())
        registers = all(hasattr(getattr(warnings, name), "clear") for name in ("_global_warnings", "_global_deprecations"))
        profiles = _knows_profiles() if hasattr(module_common, "_BuiltModule") else _is_before_them()
        return methods and registers and profiles and hasattr(basic, "_ANSIBLE_ARGS")
    except (AttributeError, TypeError, ValueError):
        return False


def _knows_profiles() -> bool:
    """ansible-core 2.19 and later, with what it has for the kind of module that ours are."""
    fields = dataclasses.fields(module_common._BuiltModule)
    needed = {field.name for field in fields if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING}
    module_json.get_module_encoder(_PROFILE, module_json.Direction.CONTROLLER_TO_MODULE)
    return needed == _BUILT and hasattr(basic, "_ANSIBLE_PROFILE") and isinstance(module_internal.is_controller, bool)


def _is_before_them() -> bool:
    """ansible-core 2.17 and 2.18, whose controller and modules are one to these parts."""
    return hasattr(module_json, "AnsibleJSONEncoder") and not hasattr(basic, "_ANSIBLE_PROFILE") and not hasattr(module_internal, "is_controller")


class WarmAction(ActionBase):
    """Base of the action plugins of our modules. It replaces how Ansible packs a module and how it starts it; all else of a task is Ansible's."""

    # Of the module that is run in a fork, while it is: its function, what it is given, and the environment of its task.
    __main: Callable[[], object] | None = None
    __payload = b""
    __environment: Mapping[str, str] = {}

    def _execute_module(self, *args: Any, **options: Any) -> Any:
        problem = _problem_of_the_controller()
        if problem:
            return {"failed": True, "msg": problem}
        # Whoever names a module or its variables by place is none of ours.
        plain = not args and not options.get("wrap_async") and knows_core() and self.is_plainly_local(options.get("task_vars") or {})
        self.__main = main_of(options.get("module_name") or self._task.action) if plain else None
        try:
            return super()._execute_module(*args, **options)
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
    def _is_pipelining_enabled(self, *args: Any, **options: Any) -> bool:
        """What goes nowhere needs no file to go through."""
        return self.__main is not None or super()._is_pipelining_enabled(*args, **options)

    def _configure_module(self, *args: Any, **options: Any) -> Any:
        if self.__main is None:
            return super()._configure_module(*args, **options)
        self.__payload = _packed(options["module_args"])
        return _built(self.__payload, options["module_name"])

    def _low_level_execute_command(self, *args: Any, **options: Any) -> Any:
        if self.__main is None or options.get("in_data") is not self.__payload:
            return super()._low_level_execute_command(*args, **options)
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
    if hasattr(module_internal, "is_controller"):
        module_internal.is_controller = False
