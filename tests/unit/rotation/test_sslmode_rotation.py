"""Another sslmode in the database's address: nothing else of it changes, the new tasks are the proof, and the old mode is the way back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment import rotation_record, unfinished
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import NoLock
from ansible_collections.atena.aws.plugins.module_utils.rotation.run import Rotation, RotationFailed
from ansible_collections.atena.aws.plugins.module_utils.rotation.sslmode import SslmodeRotation
from secrets_world import PATH, Killed, World
from test_rollout_run import NAMES, ecs  # noqa: F401 - a fixture: time passes only when somebody sleeps

URL = "postgresql://atena:s3cret@db.rds:5432/atena?connection_limit=5&sslmode={}"


@pytest.fixture
def world(ecs: Any) -> World:  # noqa: F811
    made = World(DATABASE_URL=URL.format("require"), B="old-b-value")
    made.reads = {"api": ["DATABASE_URL"], "workers": ["B"]}
    return made


def rotation(world: World, kind: type[Rotation] = SslmodeRotation, check_mode: bool = False, **more: Any) -> Rotation:
    params = {
        **{"name": "atena-prod", "path": PATH, "names": ["DATABASE_URL"], "values": {}, "placeholder": "CHANGE_ME", "services": NAMES, "power": None},
        **{"record": {"bucket": "b", "key": "rotations.json"}, "operator": "arn:aws:iam::1:user/ana", "health": None, "sslmode": "verify-full"},
        **{"wait_timeout": 60, "wait_delay": 1, "stable_seconds": 0, "log_lines": 5},
        **more,
    }
    return kind(world, params, NoLock(), check_mode=check_mode)


def test_only_the_mode_changes_and_those_that_read_it_get_new_tasks(world: World) -> None:
    result = rotation(world).run()
    assert world.value("DATABASE_URL") == URL.format("verify-full")
    assert world.calls == ["label DATABASE_URL", "put DATABASE_URL", "deploy api", "unlabel DATABASE_URL"]
    assert result["lines"][0] == "DATABASE_URL: sslmode=require became verify-full"
    assert "s3cret" not in json.dumps(result)
    assert rotation(world).run()["outcome"] == "nothing_to_do"


def test_check_mode_tells_it_and_writes_nothing(world: World) -> None:
    result = rotation(world, check_mode=True).run()
    assert result["lines"][0] == "DATABASE_URL: sslmode=require would become verify-full" and result["changed"]
    assert world.calls == [] and world.objects == {}


def test_tasks_that_cannot_verify_bring_the_old_mode_back(world: World) -> None:
    world.spoils = {URL.format("verify-full")}
    with pytest.raises(RotationFailed, match="The old value is in place again"):
        rotation(world).run()
    assert world.value("DATABASE_URL") == URL.format("require") and world.labelled("DATABASE_URL") is None
    assert world.record()[0]["outcome"] == "reverted"


def test_a_run_that_died_is_finished_by_the_next_whether_it_names_the_mode_or_not(world: World) -> None:
    for mode in ("verify-full", ""):
        world.parameters["DATABASE_URL"] = [{"Value": URL.format("require"), "Version": 1, "Labels": []}]
        world.dies_at = "deploy"
        with pytest.raises(Killed):
            rotation(world).run()
        world.dies_at = None
        [entry] = unfinished.of_rotations(rotation_record.RotationRecord(world, "b", "rotations.json").read())
        assert unfinished.typed(entry) == "secrets.yml -e secrets_action=sslmode"
        assert rotation(world, sslmode=mode).run()["outcome"] == "succeeded"
        assert world.value("DATABASE_URL") == URL.format("verify-full") and world.labelled("DATABASE_URL") is None


def test_without_a_mode_and_with_nothing_to_finish_nothing_is_done(world: World) -> None:
    assert rotation(world, sslmode="").run()["outcome"] == "nothing_to_do" and world.calls == []


def test_another_rotation_that_did_not_end_comes_first(world: World) -> None:
    world.dies_at = "deploy"
    with pytest.raises(Killed):
        rotation(world, Rotation, names=["B"], values={"B": "new-b-value"}).run()
    world.dies_at, world.calls[:] = None, []
    with pytest.raises(CallFailed, match=r"Nothing was changed: a rotation of B began .* secrets.yml -e secrets_action=rotate finishes it\. Do that first"):
        rotation(world).run()
    assert world.calls == []


@pytest.mark.parametrize("value", ["CHANGE_ME", "mysql://atena:s3cret@db/atena"])
def test_what_is_no_address_of_a_database_is_refused_without_telling_it(world: World, value: str) -> None:
    world.parameters["DATABASE_URL"][0]["Value"] = value
    with pytest.raises(CallFailed, match="has no sslmode that could be changed") as refused:
        rotation(world).run()
    assert "s3cret" not in str(refused.value) and world.calls == []


def test_an_address_that_is_not_there_is_no_mode_to_change(world: World) -> None:
    del world.parameters["DATABASE_URL"]
    with pytest.raises(CallFailed, match="DATABASE_URL does not exist; infra.yml makes it"):
        rotation(world).run()
