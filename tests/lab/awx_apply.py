"""extensions/awx/configure.yml carried out in this process: its own tasks and templates, and the real modules' main().

Of a hundred objects a playbook takes a minute, most of it to start Python for each. What comes of it is the same: test_awx_configure.py runs the
playbook afterwards, which then finds nothing to change.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os

from ansible.module_utils import basic
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from conftest import CHECKOUT
from inprocess import module_utils

AWX = CHECKOUT / "extensions" / "awx"
_KEYWORDS = {"name", "loop", "loop_control", "when", "vars", "register", "run_once"}


def run_main(action: str, arguments: dict, check: bool) -> dict:
    """A module's result. Its own argument specification judges the arguments, as it does in a task."""
    collection, name = action.rsplit(".", 1)
    module = importlib.import_module(f"ansible_collections.{collection}.plugins.modules.{name}")
    output, before = io.StringIO(), (basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE)
    given = {**arguments, "_ansible_check_mode": check, "_ansible_remote_tmp": "/tmp"}
    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode(), "legacy"
    try:
        with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            module.main()
    finally:
        basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = before
    result = json.loads(output.getvalue().strip().splitlines()[-1])
    assert not result.get("failed"), f"{action} {arguments}: {result['msg']}"
    return result


class Apply:
    """`Apply(environment, host's variables).run(check)`: [(action, arguments, changed)]."""

    def __init__(self, controller: dict[str, str], host: str, hosts: list[str], variables: dict):
        module_utils("core.interrupts")  # makes collections importable
        self.controller, self.loader = controller, DataLoader()
        self.play = self._load(AWX / "configure.yml")[0]
        defaults = self._load(CHECKOUT / "roles/environment/defaults/main.yml")
        files = [self._load(AWX / name) for name in self.play["vars_files"]]
        self.variables = {**defaults, "inventory_hostname": host, "groups": {"environments": hosts}, **variables}
        for more in (*files, self.play["vars"]):
            self.variables.update(more)

    def _load(self, path):
        return self.loader.load_from_file(str(path), trusted_as_template=True)

    def run(self, check: bool = False) -> list[tuple[str, dict, bool]]:
        done: list[tuple[str, dict, bool]] = []
        before = dict(os.environ)
        os.environ.update(self.controller)
        try:
            for task in self.play["tasks"]:
                for inner in self._load(AWX / task["ansible.builtin.import_tasks"]):
                    self._task(inner, check, done)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return done

    def _task(self, task: dict, check: bool, done: list) -> None:
        (action,) = set(task) - _KEYWORDS
        loop = self._render(task["loop"], {}) if "loop" in task else [None]
        for item in loop:
            more = {"item": item, **task.get("vars", {})}
            if "when" in task and not self._templar(more).evaluate_conditional(task["when"]):
                continue
            if action == "ansible.builtin.assert":
                assert self._templar(more).evaluate_conditional(task[action]["that"]), self._render(task[action]["fail_msg"], more)
                continue
            arguments = self._render(task[action], more)
            result = run_main(action, arguments, check)
            if "register" in task:
                self.variables[task["register"]] = result
            done.append((action, arguments, result["changed"]))

    def _templar(self, more: dict) -> Templar:
        return Templar(loader=self.loader, variables={**self.variables, **more})

    def _render(self, value, more: dict):
        return self._templar(more).template(value)
