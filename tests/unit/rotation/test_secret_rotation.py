"""Rotating secrets: what is decided, what is written in which order, and what a run that died leaves to the next."""

import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import health
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import NoLock
from ansible_collections.atena.aws.plugins.module_utils.rotation import plan as secret_rotation, run as rotation_run
from ansible_collections.atena.aws.plugins.module_utils.rotation.plan import FINISH, FORGET, NOTHING, WRITE, Standing
from ansible_collections.atena.aws.plugins.module_utils.secrets import plan as secret_plan
from ansible_collections.atena.aws.plugins.modules import ssm_secrets as ssm_secrets_module
from secrets_world import CUSTOMERS_KEY, LABEL, OWN_KEY, PATH, Killed, World
from test_rollout_run import NAMES, ecs  # noqa: F401 - a fixture: time passes only when somebody sleeps


@pytest.fixture
def world(ecs):  # noqa: F811
    return World(A="old-a-value", B="old-b-value")


def rotation(world, check_mode=False, said=None, lock=None, **values):
    params = {
        **{"name": "atena-prod", "path": PATH, "names": ["A", "B"], "values": values, "placeholder": "CHANGE_ME", "services": NAMES, "power": None},
        **{"record": {"bucket": "b", "key": "rotations.json"}, "operator": "arn:aws:iam::1:user/ana", "health": None},
        **{"wait_timeout": 60, "wait_delay": 1, "stable_seconds": 0, "log_lines": 5},
    }
    return rotation_run.Rotation(world, params, lock or NoLock(), say=said.append if said is not None else None, check_mode=check_mode)


# --- Decisions --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("now", "wanted", "action"),
    [
        (Standing("v", 3), None, NOTHING),
        (Standing("v", 3), "v", NOTHING),
        (Standing("v", 3), "w", WRITE),
        (Standing("v", 3, "u", 2), None, FINISH),
        (Standing("v", 3, "u", 2), "v", FINISH),
        (Standing("v", 3, "u", 2), "w", WRITE),
        (Standing("v", 3, "v", 3), None, FORGET),
        (Standing("v", 3, "v", 3), "v", FORGET),
        (Standing("v", 3, "v", 3), "w", WRITE),
    ],
)
def test_what_is_done_with_a_secret(now, wanted, action):
    assert secret_rotation.decide(now, wanted) == action


def test_how_a_secret_stands_is_read_from_its_versions():
    history = [
        {"value": "u", "version": 1, "labels": []},
        {"value": "v", "version": 2, "labels": [LABEL, "theirs"]},
        {"value": "w", "version": 3, "labels": []},
    ]
    assert secret_rotation.standing(history) == Standing("w", 3, "v", 2)
    assert secret_rotation.standing(history[:1]) == Standing("u", 1)
    assert secret_rotation.standing([]) is None
    assert Standing("v", 4, "v", 2).is_back and not Standing("v", 2, "v", 2).is_back and not Standing("w", 4, "v", 2).is_back


def test_a_secret_that_does_not_exist_and_a_bad_value_are_refused_at_once(world):
    del world.parameters["B"]
    with pytest.raises(CallFailed) as refused:
        rotation(world, A="", B="fine").run()
    assert "A is empty" in str(refused.value) and "B does not exist yet" in str(refused.value)
    assert world.calls == [] and world.objects == {}


# --- A rotation -------------------------------------------------------------------------------------------------------
def test_only_the_services_that_read_it_get_new_tasks(world):
    result = rotation(world, A="new-a-value").run()
    assert world.calls == ["label A", "put A", "deploy api", "unlabel A"]
    assert (result["outcome"], result["services"], result["changed"]) == ("succeeded", ["api"], True)
    assert result["secrets"][0] == {"name": "A", "action": "write", "version": 2, "previous_version": 1}
    assert "new-a" not in json.dumps(result) and "old-a" not in json.dumps(result)


def test_several_secrets_are_taken_up_with_one_deployment_a_service(world):
    rotation(world, A="new-a-value", B="new-b-value").run()
    assert world.calls == ["label A", "put A", "label B", "put B", "deploy api", "deploy workers", "unlabel A", "unlabel B"]


def test_what_is_so_already_changes_nothing(world):
    result = rotation(world, A="old-a-value").run()
    assert (result["changed"], result["outcome"], world.calls, world.objects) == (False, "nothing_to_do", [], {})


def test_check_mode_writes_nothing_and_names_what_comes(world):
    result = rotation(world, check_mode=True, A="new-a-value").run()
    assert world.calls == [] and world.objects == {} and result["changed"]
    assert result["lines"][0] == "A: would be changed; version 1 is kept for a rollback"
    assert result["diff"] == [{"before": "A: set\n", "after": "A: set (another value)\n"}]


def test_a_service_at_count_0_is_left_alone(world):
    world.services["workers"]["desiredCount"] = 0
    result = rotation(world, B="new-b-value").run()
    assert "deploy workers" not in world.calls and "At count 0, so they take the values when they start: workers" in result["lines"]


def test_it_is_on_record_without_a_value(world):
    rotation(world, A="new-a-value").run()
    [entry] = world.record()
    assert (entry["outcome"], entry["secrets"], entry["services"], entry["operator"]) == ("succeeded", ["A"], ["api"], "arn:aws:iam::1:user/ana")
    assert entry["versions"] == {"A": {"before": 1, "after": 2}} and entry["ended_at"]
    assert b"a-value" not in world.objects["rotations.json"]


def test_an_update_whose_answer_was_lost_is_not_sent_again(world):
    world.lose = ["after"]
    rotation(world, A="new-a-value").run()
    assert world.calls.count("deploy api") == 1


# --- The way back -----------------------------------------------------------------------------------------------------
def test_a_value_with_which_the_tasks_do_not_get_well_goes_back(world):
    world.spoils, said = {"new-b-value"}, []
    run = rotation(world, said=said, B="new-b-value")
    with pytest.raises(rotation_run.RotationFailed) as failed:
        run.run()
    assert world.value("B") == "old-b-value" and world.labelled("B") is None
    assert world.calls == ["label B", "put B", "deploy api", "deploy workers", "put B", "deploy api", "deploy workers", "unlabel B"]
    assert failed.value.outcome == "reverted" and run.result["reverted"] == ["api", "workers"]
    assert "The old value is in place again." in str(failed.value)
    assert world.record()[0]["outcome"] == "reverted"
    assert "b-value" not in "\n".join([*said, str(failed.value), json.dumps(run.result)])


def test_what_is_not_well_with_the_old_value_either_stays_marked(world):
    world.spoils = {"new-b-value", "old-b-value"}
    run = rotation(world, B="new-b-value")
    with pytest.raises(rotation_run.RotationFailed) as failed:
        run.run()
    assert failed.value.outcome == "failed" and run.result["not_reverted"] == ["api", "workers"]
    assert world.labelled("B") == 1 and world.value("B") == "old-b-value"
    world.spoils = set()
    result = rotation(world).run()
    assert result["outcome"] == "succeeded" and "its old value, which is back already" in result["lines"][0]
    assert world.labelled("B") is None


def test_an_application_that_is_not_well_by_its_own_word_goes_back(world, monkeypatch):
    answers = [{"healthy": False, "status": 503, "content": "new-a-value is refused", "attempts": 2}]
    monkeypatch.setattr(health, "wait_until_healthy", lambda *_, **__: answers.pop())
    run = rotation(world, A="new-a-value")
    run.params["health"] = {"url": "http://app", "path": "/health", "attempts": 2, "delay": 0}
    with pytest.raises(rotation_run.RotationFailed) as failed:
        run.run()
    assert "http://app/health answered 503 2 times: [secret] is refused" in str(failed.value)
    assert world.value("A") == "old-a-value"


# --- Runs that died ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("where", ["label B", "put B", "deploy api", "deploy workers", "unlabel B"])
def test_whenever_it_is_killed_the_next_run_finishes_it(world, where):
    world.dies_at = where
    with pytest.raises(Killed):
        rotation(world, B="new-b-value").run()
    assert world.value("B") in ("old-b-value", "new-b-value")
    result = rotation(world, B="new-b-value").run()
    assert result["outcome"] == "succeeded"
    assert world.value("B") == "new-b-value" and world.labelled("B") is None
    assert [entry["outcome"] for entry in world.record()] == ["succeeded", "interrupted"]


@pytest.mark.parametrize("where", ["deploy api", "deploy workers"])
def test_the_next_run_needs_no_value_and_still_knows_the_old_one(world, where):
    world.dies_at, world.spoils = where, {"new-b-value"}
    with pytest.raises(Killed):
        rotation(world, B="new-b-value").run()
    run = rotation(world)
    with pytest.raises(rotation_run.RotationFailed) as failed:
        run.run()
    assert failed.value.outcome == "reverted" and world.value("B") == "old-b-value" and world.labelled("B") is None


def test_a_run_that_died_before_it_wrote_anything_leaves_a_mark_that_is_taken_away(world):
    world.dies_at = "put B"
    with pytest.raises(Killed):
        rotation(world, B="new-b-value").run()
    world.calls.clear()
    result = rotation(world).run()
    assert world.calls == ["unlabel B"] and result["services"] == [] and "its mark removed" in result["lines"][0]


def test_another_value_after_a_run_that_died_goes_back_to_the_one_that_was_good(world):
    world.dies_at = "deploy api"
    with pytest.raises(Killed):
        rotation(world, B="new-b-value").run()
    world.spoils = {"third-value"}
    with pytest.raises(rotation_run.RotationFailed):
        rotation(world, B="third-value").run()
    assert world.value("B") == "old-b-value"


def test_a_lost_lock_ends_it_where_it_is(world):
    class Lost(NoLock):
        def check(self):
            if "put B" in world.calls:
                raise CallFailed("This run lost the lock.")

    run = rotation(world, lock=Lost(), B="new-b-value")
    with pytest.raises(rotation_run.RotationFailed) as failed:
        run.run()
    assert failed.value.outcome == "interrupted" and "lost the lock" in str(failed.value) and LABEL in str(failed.value)
    assert world.calls[-1] == "put B" and world.labelled("B") == 1


def test_what_aws_says_where_it_ends_is_told_without_a_secret(world, monkeypatch):
    def refused(**_):
        raise CallFailed("Could not write it: the value new-b-value is not allowed")

    monkeypatch.setattr(world, "put_parameter", refused)
    run = rotation(world, B="new-b-value")
    with pytest.raises(rotation_run.RotationFailed, match=r"the value \[secret\] is not allowed") as failed:
        run.run()
    assert "new-b-value" not in str(failed.value) + str(world.record())


def test_an_environment_that_is_stopped_is_refused(world, monkeypatch):
    monkeypatch.setattr(rotation_run.power_state, "read", lambda *_: {})
    monkeypatch.setattr(rotation_run.power_state, "why_not_on", lambda _: "The environment is stopped.")
    with pytest.raises(CallFailed) as refused:
        rotation(world, A="new-a-value").run()
    assert "is stopped" in str(refused.value) and "secrets_action=set" in str(refused.value)
    assert world.calls == []


def test_a_value_that_a_person_sets_ends_a_rotation_that_died(world):
    """Or a later one, that fails, would bring back the value from before - which may be what the person took out of use."""
    world.dies_at = "deploy api"
    with pytest.raises(Killed):
        rotation(world, A="second").run()
    assert world.labelled("A") == 1
    ssm_secrets_module.write(world, {"path": PATH}, "A", "by-hand", "update")
    assert world.labelled("A") is None and world.value("A") == "by-hand"
    world.spoils = {"bad"}
    with pytest.raises(rotation_run.RotationFailed):
        rotation(world, A="bad").run()
    assert world.value("A") == "by-hand"


@pytest.mark.parametrize("fails", [False, True])
def test_each_value_is_encrypted_with_its_own_key_forth_and_back(world, fails):
    world.keys["A"], world.spoils = CUSTOMERS_KEY, {"new-a"} if fails else set()
    if fails:
        with pytest.raises(rotation_run.RotationFailed):
            rotation(world, A="new-a", B="new-b").run()
    else:
        rotation(world, A="new-a", B="new-b").run()
    assert (world.value("A"), world.keys["A"], world.keys["B"]) == ("old-a-value" if fails else "new-a", CUSTOMERS_KEY, OWN_KEY)


def test_without_the_right_to_ask_for_the_key_nothing_is_written(world):
    def denied(**_):
        raise failure("Could not read the keys: no.", "AccessDeniedException")

    world.describe_parameters = denied
    with pytest.raises(CallFailed, match="No new value was written.*ssm:DescribeParameters"):
        rotation(world, A="new-a").run()
    assert world.calls == []


class Secrets:
    """The module ssm_secrets' own, as far as work() asks it."""

    check_mode = _diff = False

    def __init__(self, named=None, **values):
        self.warned = []
        self.warn = self.warned.append
        self.params = {
            **{"path": PATH, "names": ["A", "B", "C"], "values": values, "placeholder": "CHANGE_ME", "create_placeholders": False, "require_all": False},
            **{"named": named, "advice": "", "description": "", "tags": {}, "lock": None},
        }


def test_a_value_that_a_person_sets_is_encrypted_with_the_key_of_its_secret(world):
    world.keys["A"] = CUSTOMERS_KEY
    assert ssm_secrets_module.work(Secrets(A="new-a", B="new-b", C="first-c"), world)["changed"]
    assert [world.value(name) for name in "ABC"] == ["new-a", "new-b", "first-c"]
    assert world.keys == {"A": CUSTOMERS_KEY, "B": OWN_KEY, "C": OWN_KEY}


# --- A file that is older than the last change ----------------------------------------------------------------------------
def changed_since(world):
    """A was rotated with a value from elsewhere; B is not set yet. The file has what A was, and B's first."""
    world.put_parameter(Name=f"{PATH}/A", Value="rotated", Type="SecureString", Overwrite=True)
    world.put_parameter(Name=f"{PATH}/B", Value="CHANGE_ME", Type="SecureString", Overwrite=True)
    return {"A": "old-a-value", "B": "first-b"}


def test_the_remedy_for_one_secret_takes_back_no_other(world):
    module = Secrets(named=[], **changed_since(world))
    result = ssm_secrets_module.work(module, world)
    assert (world.value("A"), world.value("B"), result["left"]) == ("rotated", "first-b", ["A"])
    assert {entry["name"]: entry["action"] for entry in result["secrets"]} == {"A": "none", "B": "update", "C": "none"}
    [line] = module.warned
    assert line == result["lines"][-1]
    assert "of version 1, and was changed since (version 2)" in line and "-e secrets_names=A" in line and "old-a" not in str(result) + line


@pytest.mark.parametrize("named", [["A"], None])
def test_one_that_is_named_goes_back(world, named):
    result = ssm_secrets_module.work(Secrets(named=named, **changed_since(world)), world)
    assert (world.value("A"), result["left"]) == ("old-a-value", [])


def test_a_value_that_never_was_there_is_a_new_one(world):
    changed_since(world)
    assert ssm_secrets_module.work(Secrets(named=[], A="brand-new"), world)["left"] == []
    assert world.value("A") == "brand-new"


def test_a_rotation_of_what_a_file_has_takes_back_none_either(world):
    file = changed_since(world)
    run = rotation(world, **file)
    run.params["named"] = []
    result = run.run()
    assert (world.value("A"), world.value("B"), result["left"]) == ("rotated", "first-b", ["A"])
    assert "A: left as it is." in result["lines"][-1] and world.labelled("A") is None
    again = rotation(world, **file)
    again.params["named"] = []
    assert [line[:18] for line in again.run()["lines"]] == ["A: left as it is. "]
    named = rotation(world, A=file["A"])
    named.params["named"] = ["A"]
    named.run()
    assert world.value("A") == "old-a-value"


@pytest.mark.parametrize(("values", "given", "version"), [("abc", "b", 2), ("aba", "a", None), ("abab", "a", 3), ("ab", "c", None), ("", "a", None)])
def test_an_earlier_value_is_found_in_the_history(values, given, version):
    history = [{"value": value, "version": number, "labels": []} for number, value in enumerate(values, 1)]
    assert secret_plan.superseded(history, given, "CHANGE_ME") == version


def test_the_placeholder_is_no_later_value():
    """Somebody, or Terraform, put it back over a value: the file's is what is wanted then."""
    history = [{"value": value, "version": number, "labels": []} for number, value in enumerate(("a", "CHANGE_ME"), 1)]
    assert secret_plan.superseded(history, "a", "CHANGE_ME") is None
