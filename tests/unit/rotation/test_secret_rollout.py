"""New tasks of what runs, there and back, against an ECS of a few lines."""

import copy

from ansible_collections.atena.aws.plugins.module_utils.rotation.rollout import SecretRollout
from test_rollout_run import BASE, NAMES, at, ecs  # noqa: F401 - a fixture


def rolled_out(world):
    run = SecretRollout(world, "c", {name: f"{BASE}{name}:1" for name in NAMES}, wait_timeout=60)
    run.read()
    return run, run.roll_out()


def test_the_way_back_starts_new_tasks_although_an_answer_is_behind(ecs):  # noqa: F811
    """Its tasks have the value that was taken back; an answer of before the rollout would say that a new deployment is there already."""
    before = copy.deepcopy(ecs.services["api"])
    run, failed = rolled_out(ecs)
    assert failed == {}
    ecs.stale = {"api": [before]}
    assert run.revert() == {}
    assert [name for name, *_ in ecs.updates] == ["api", "workers", "api", "workers"]


def test_new_tasks_undo_nobodys_deployment(ecs):  # noqa: F811
    run, failed = rolled_out(ecs)
    assert failed == {}
    ecs.update_service("c", "api", taskDefinition=BASE + "api:9")
    assert run.revert() == {}
    assert at(ecs) == {"api": "api:9", "workers": "workers:1"}
