"""A module that tells what it does while it works is run by the action plugin that shows it; no other module is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.playbook.task import Task
from ansible.plugins.loader import action_loader, module_loader
from ansible_collections.atena.aws.plugins.plugin_utils.pipe import PipedAction
from ansible_collections.atena.aws.plugins.plugin_utils.progress import ProgressAction

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
# Their lines go on until somebody ends them.
WITHOUT_END = {"ecs_exec", "ecs_service_logs_info"}


def tells(name: str) -> bool:
    documentation = (ROOT / "plugins" / "modules" / f"{name}.py").read_text()
    return "- atena.aws.progress\n" in documentation


def action_of(name: str) -> type:
    """The class that Ansible would run a task of this module with; the way that its task executor takes."""
    module = module_loader.find_plugin_with_context(f"atena.aws.{name}")
    assert module.resolved, name
    found = module.action_plugin or f"atena.aws.{name}"
    return action_loader.get(found, class_only=True) if action_loader.has_plugin(found) else object


def test_some_modules_tell_and_others_do_not():
    telling = {name for name in MODULES if tells(name)}
    assert {"ecs_run_task", "ecs_exec", "terraform_apply"} <= telling and telling < set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_what_it_tells_is_shown(name):
    assert issubclass(action_of(name), ProgressAction) is tells(name)
    assert issubclass(action_of(name), PipedAction) is (name in WITHOUT_END)


def test_routes_lead_from_modules_to_action_plugins():
    routes = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["plugin_routing"]["modules"]
    assert set(routes) <= set(MODULES)
    for name, route in routes.items():
        target = route["action_plugin"].removeprefix("atena.aws.")
        assert (ROOT / "plugins" / "action" / f"{target}.py").is_file(), name
        assert not (ROOT / "plugins" / "action" / f"{name}.py").exists(), name


def test_a_routed_module_keeps_its_own_defaults():
    """module_defaults of the module whose action plugin serves all do not reach the others."""
    defaults = [{"atena.aws.ecs_run_task": {"wait_timeout": 7}, "atena.aws.ecs_scale": {"wait_timeout": 8}}]
    task = Task.load({"atena.aws.ecs_scale": {"name": "shop-prod"}, "module_defaults": defaults})
    assert task.action == "atena.aws.ecs_scale"
