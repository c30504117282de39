"""A module that is forked tells what it tells with an interpreter of its own; and only where that would be the controller's, on this machine, is it forked."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from types import SimpleNamespace

import pytest
from ansible_collections.atena.aws.plugins.plugin_utils import any_module, warm

# The same interpreter, spelled otherwise: it is not known to be the controller's, so the module gets it for itself.
OF_ITS_OWN = os.path.join(os.path.dirname(sys.executable), ".", os.path.basename(sys.executable))
TASKS = {
    "a refusal": {"atena.aws.caller_identity_info": {"region": "eu-nowhere-1"}},
    "an unknown option": {"atena.aws.caller_identity_info": {"regoin": "eu-west-1"}},
    "a wrong type": {"atena.aws.environment_schedule_info": {"schedule": "no dictionary"}},
    "a missing option": {"atena.aws.environment_info": {"services": ["api"]}},
    "nobody answers": {"atena.aws.caller_identity_info": {"region": "us-east-1", "endpoint_url": "http://127.0.0.1:9"}},
    "an action of its own": {"atena.aws.environment_diagnosis_info": {"services": ["api"]}},
    "one that shows lines": {"atena.aws.ecs_scale": {"nmae": "shop-prod"}},
    "a success": {
        "atena.aws.environment_schedule_info": {
            "name": "shop-prod",
            "schedule": {"timezone": "UTC", "hours": [{"days": "mon-fri", "start": "08:00", "stop": "18:00"}]},
            "now": "2027-01-04T09:00:00+00:00",
        }
    },
}
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true", "ATENA_AWS_PAUSE_SCALE": "0.001"}


def run(ansible, directory, tasks, interpreter, *arguments, **keywords):
    """(the tasks' results, what the run showed)."""
    saved = directory / "result.json"
    tried = [{**task, "register": f"told_{number}", "ignore_errors": True, **keywords} for number, task in enumerate(tasks)]
    names = ", ".join(task["register"] for task in tried)
    save = {"ansible.builtin.copy": {"content": f"{{{{ [{names}] | to_json }}}}", "dest": str(saved)}, "check_mode": False}
    variables = {"ansible_connection": "local", "ansible_python_interpreter": interpreter}
    play = {"hosts": "all", "gather_facts": False, "environment": ENVIRONMENT, "vars": variables, "tasks": [*tried, save]}
    (directory / "play.yml").write_text(json.dumps([play]))
    done = ansible.run(["-i", "one,", "play.yml", "-vvv", *arguments], directory, {})
    assert saved.exists(), done.stdout + done.stderr
    return json.loads(saved.read_text()), done.stdout


@pytest.mark.parametrize("arguments", [(), ("--check", "--diff")], ids=["for real", "check mode"])
def test_results_are_the_same_either_way(ansible, tmp_path, arguments):
    forked, shown = run(ansible, tmp_path, TASKS.values(), "{{ ansible_playbook_python }}", *arguments)
    started, shown_otherwise = run(ansible, tmp_path, TASKS.values(), OF_ITS_OWN, *arguments)
    assert shown.count("FORK atena.aws.") == len(TASKS) and "FORK" not in shown_otherwise
    for name, one, other in zip(TASKS, forked, started, strict=True):
        # A traceback, which Ansible adds with -vvv, has the files' places.
        assert bool(one.pop("exception", "")) is bool(other.pop("exception", "")), name
        assert one == other, name
        assert one["failed"] is (name != "a success"), (name, one)


def test_the_tasks_environment_reaches_it(ansible, tmp_path):
    [told], shown = run(ansible, tmp_path, [{"atena.aws.caller_identity_info": {}}], "{{ ansible_playbook_python }}", environment={"AWS_REGION": "eu-none-7"})
    assert "eu-none-7" in told["msg"] and "FORK" in shown


def test_a_variable_that_an_interpreter_reads_has_one_started(ansible, tmp_path):
    tasks, environment = [{"atena.aws.caller_identity_info": {"region": "eu-none-1"}}], {"PYTHONOPTIMIZE": "1"}
    [told], shown = run(ansible, tmp_path, tasks, "{{ ansible_playbook_python }}", environment=environment)
    assert "eu-none-1" in told["msg"] and "FORK" not in shown


def worker(*, transport="local", become=None, async_val=0, delegate_to=None, environment=None):
    action = object.__new__(any_module.AnyModule)
    action._task = SimpleNamespace(async_val=async_val, delegate_to=delegate_to)
    action._connection = SimpleNamespace(transport=transport, become=become)
    action._templar = SimpleNamespace(template=lambda value: value)
    action._compute_environment_string = lambda told: told.update(environment or {})
    return action


HERE = {"ansible_python_interpreter": sys.executable}


@pytest.mark.parametrize(
    ("action", "variables", "is_plain"),
    [
        (worker(), HERE, True),
        (worker(environment={"AWS_PROFILE": "shop", "TF_LOG": "", "https_proxy": "http://proxy:3128"}), HERE, True),
        (worker(transport="ssh"), HERE, False),
        (worker(become=object()), HERE, False),
        (worker(async_val=60), HERE, False),
        (worker(environment={"LD_PRELOAD": "x.so"}), HERE, False),
        (worker(environment={"AWS_PROFILE": "shop", "PYTHONPATH": "/x"}), HERE, False),
        (worker(), {}, False),
        (worker(), {"ansible_python_interpreter": "/usr/bin/python3.99"}, False),
        (worker(delegate_to="runner"), {"ansible_delegated_vars": {"runner": HERE}}, True),
        (worker(delegate_to="runner"), {**HERE, "ansible_delegated_vars": {"runner": {"ansible_python_interpreter": "/opt/python"}}}, False),
    ],
    ids=["here", "AWS's variables", "another machine", "another user", "in the background", "the linker's", "Python's", "an interpreter to be found"]
    + ["another interpreter", "delegated to here", "delegated to another interpreter"],
)
def test_only_what_is_plainly_local_is_forked(action, variables, is_plain):
    assert action.is_plainly_local(variables) is is_plain


def test_only_modules_of_ours_are():
    assert warm.main_of("ansible.builtin.stat") is None and warm.main_of("amazon.aws.s3_bucket") is None and warm.main_of("atena.aws.no_such_module") is None
    assert callable(warm.main_of("atena.aws.release_info"))


# --- The parts of ansible-core that are none of its documented ones -----------------------------------------------------
@pytest.fixture
def asked_anew():
    warm.knows_core.cache_clear()
    yield
    warm.knows_core.cache_clear()


def test_the_installed_core_is_known(asked_anew):
    """With a version that is not, nothing fails and nothing is gained: this test is what tells it."""
    assert warm.knows_core()


class Otherwise:
    def _configure_module(self, name, arguments, variables):
        pass


def built_with(name):
    return dataclasses.make_dataclass("_BuiltModule", [(field, object) for field in (*sorted(warm._BUILT), name)])


@pytest.mark.parametrize(
    ("where", "name", "other"),
    [
        (warm.ActionBase, "_configure_module", Otherwise._configure_module),
        (warm.ActionBase, "_low_level_execute_command", None),
        (warm.module_common, "_BuiltModule", built_with("one_more")),
        (warm.module_common, "_BuiltModule", None),
        (warm.basic, "_ANSIBLE_ARGS", None),
        (warm.module_json, "get_module_encoder", None),
        (warm.warnings, "_global_warnings", None),
        (warm, "warnings", SimpleNamespace()),
        (warm, "basic", SimpleNamespace()),
    ],
    ids=["other arguments", "no such method", "one more field", "no such class", "no arguments", "no encoder", "no warnings"] + ["nothing there"] * 2,
)
def test_another_core_is_left_to_its_ordinary_way(asked_anew, monkeypatch, where, name, other):
    if not hasattr(where, name):
        pytest.skip("the installed version has none of it")
    if other is None:
        monkeypatch.delattr(where, name)
    else:
        monkeypatch.setattr(where, name, other)
    # 2.17 has no _BuiltModule: there one is as unknown as another is later.
    assert not warm.knows_core()


def test_where_it_is_not_known_nothing_is_forked(monkeypatch):
    """The call goes to Ansible as it came, with all its arguments."""
    passed = []
    monkeypatch.setattr(warm, "knows_core", lambda: False)
    monkeypatch.setattr(warm.ActionBase, "_execute_module", lambda self, *args, **options: passed.append((args, options)) or {"changed": False})
    assert worker()._execute_module("atena.aws.release_info", task_vars=HERE, of_tomorrow=1) == {"changed": False}
    assert passed == [(("atena.aws.release_info",), {"task_vars": HERE, "of_tomorrow": 1})]
