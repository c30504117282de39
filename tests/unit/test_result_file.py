"""What programs read of a run: which results count, what they say, and how the file is written."""

import json
import os
import stat
from datetime import UTC, datetime

import pytest
from ansible_collections.atena.aws.plugins.plugin_utils import result_file
from ansible_collections.atena.aws.plugins.plugin_utils.result_file import Outcome, ids_of, lines_of, reason_of, together

NOON = datetime(2027, 1, 15, 12, 0, 0, tzinfo=UTC)
LATER = datetime(2027, 1, 15, 12, 5, 0, tzinfo=UTC)
RELEASED = {
    "release": "3f2a91c",
    "release_id": "20270115T120000Z-3f2a91c-9b1c",
    "evidence": "",
    "migration": {"task_arn": "arn:task/1"},
    "services": [{"name": "api", "task_definition": "arn:td/api:2", "deployment_id": "ecs-svc/1"}, {"name": "workers", "task_definition": "arn:td/w:2"}],
}


@pytest.mark.parametrize(
    ("action", "result", "ids"),
    [
        (
            "atena.aws.ecs_release",
            RELEASED,
            {
                "release": "3f2a91c",
                "release_id": "20270115T120000Z-3f2a91c-9b1c",
                "task_arn": "arn:task/1",
                "task_definitions": {"api": "arn:td/api:2", "workers": "arn:td/w:2"},
                "deployment_ids": {"api": "ecs-svc/1"},
            },
        ),
        ("atena.aws.ecs_release", {"release": "3f2a91c", "migration": None}, {"release": "3f2a91c"}),
        ("atena.aws.ecs_run_task", {"task_arn": "arn:task/1", "logs": {"api": ["x"]}}, {"task_arn": "arn:task/1"}),
        ("atena.aws.ecs_run_task", {"results": [{"task_arn": "arn:task/1"}, {"task_arn": "arn:task/2"}]}, {"task_arn": "arn:task/2"}),
        ("atena.aws.environment_diagnosis_info", {"key": "", "saved": ["/d/x.json", "/d/x.txt"]}, {"evidence": "/d/x.json"}),
        ("atena.aws.environment_diagnosis_info", {"key": "k", "saved": ["/d/x.json"]}, {"evidence": "k"}),
        ("atena.aws.environment_lock", {"lock": {"token": "t"}}, {}),
        ("atena.aws.ssm_secrets", {"task_arn": "not this module's"}, {}),
        ("community.aws.ecs_release", {"release": "another's"}, {}),
    ],
)
def test_only_named_ids_of_our_own_modules_are_taken(action, result, ids):
    assert ids_of(action, result) == ids


CUT = "$REDACTED$"


@pytest.mark.parametrize(
    ("result", "ids", "redacted"),
    [
        (RELEASED, ids_of("atena.aws.ecs_release", RELEASED), False),
        ({"release": f"{CUT}f2a91c", "release_id": "r-1"}, {"release_id": "r-1"}, True),
        # A name that was cut leaves nothing to read the value by; nor may it end the callback.
        ({f"rel{CUT}ase": "3f2a91c", "release_id": "r-1"}, {"release_id": "r-1"}, True),
        ({"migration": {f"t{CUT}sk_arn": "arn:task/1"}, "release": "3f2a91c"}, {"release": "3f2a91c"}, True),
        ({"services": [{f"n{CUT}me": "api", "task_definition": "arn:td/api:2"}]}, {}, True),
        (
            {"services": [{"name": "api", "task_definition": f"arn:td/api:{CUT}"}, {"name": "workers", "task_definition": "arn:td/w:2"}]},
            {"task_definitions": {"workers": "arn:td/w:2"}},
            True,
        ),
        ({"services": [{"name": f"a{CUT}", "task_definition": "arn:td/api:2"}]}, {}, True),
    ],
)
def test_what_ansible_cut_is_no_id(result, ids, redacted):
    outcome = Outcome("atena-prod", "deploy.yml", False, NOON)
    outcome.task("atena.aws.ecs_release", result, True, False)
    document = outcome.document(LATER)
    assert (document["ids"], document["redacted"]) == (ids, redacted)
    other = Outcome("atena-dev", "deploy.yml", False, NOON).document(LATER)
    assert together([other, document])["redacted"] is redacted


def test_what_ansible_cut_of_words_is_told_as_cut():
    said = Outcome("atena-prod", "deploy.yml", False, NOON)
    said.task("atena.aws.report", {"msg": f"Released {CUT}"}, False, True)
    unsaid = Outcome("atena-prod", "deploy.yml", False, NOON)
    unsaid.task("atena.aws.report", {f"m{CUT}g": "Released it"}, False, True)
    others = Outcome("atena-prod", "deploy.yml", False, NOON)
    others.task("ansible.builtin.command", {"stdout": CUT, f"c{CUT}d": ["x"]}, False, False)
    assert [outcome.document(LATER)["redacted"] for outcome in (said, unsaid, others)] == [True, True, False]
    assert said.document(LATER)["did"] == [f"Released {CUT}"]


@pytest.mark.parametrize(
    ("message", "lines"),
    [("one", ["one"]), ("one\n\n two", ["one", " two"]), (["one", ["two\nthree"]], ["one", "two", "three"]), ([], []), ("", []), (7, ["7"])],
)
def test_messages_are_lines(message, lines):
    assert lines_of(message) == lines


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"msg": "It broke.\nHere is why."}, "It broke.\nHere is why."),
        (
            {"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "first"}, {"failed": True, "msg": "second"}]},
            "first\nsecond",
        ),
        ({"msg": "One or more items failed", "results": [{"failed": True}]}, "One or more items failed"),
        ({}, "The task 'Do it' failed."),
        ({"censored": "the output has been hidden"}, "The task 'Do it' failed, and its output is hidden."),
    ],
)
def test_the_reason_is_the_tasks_own(result, reason):
    assert reason_of("Do it", result) == reason


def outcome(name="atena-prod"):
    return Outcome(name, "deploy.yml", False, NOON)


def test_a_good_run():
    grown = outcome()
    grown.task("atena.aws.ecs_release", RELEASED, True, False)
    grown.task("atena.aws.report", {"msg": ["Released it", "Health: 200"], "data": {"release": {"outcome": "succeeded"}}}, False, True)
    grown.task("ansible.builtin.debug", {"msg": "a stranger's"}, False, False)
    document = grown.document(LATER)
    assert document["did"] == ["Released it", "Health: 200"]
    assert document["ids"]["release"] == "3f2a91c"
    assert document["report"] == {"release": {"outcome": "succeeded"}}
    assert {key: document[key] for key in document if key not in ("did", "ids", "report")} == {
        **{"redacted": False, "format": 1, "playbook": "deploy.yml", "environment": "atena-prod", "check_mode": False, "changed": True},
        **{"outcome": "succeeded", "reason": "", "started_at": "2027-01-15T12:00:00Z", "ended_at": "2027-01-15T12:05:00Z"},
    }


def test_the_first_failure_is_the_reason_and_what_was_known_stays():
    grown = outcome()
    grown.task("atena.aws.ecs_release", {**RELEASED, "msg": "the rollout failed"}, True, False)
    grown.failed("Release", {"msg": "the rollout failed"})
    grown.failed("Releases the lock", {"msg": "nor that"})
    document = grown.document(LATER)
    assert (document["outcome"], document["reason"], document["changed"]) == ("failed", "the rollout failed", True)
    assert document["ids"]["release_id"] == RELEASED["release_id"]


@pytest.mark.parametrize(("rescued", "expected"), [(1, ("succeeded", "")), (0, ("failed", "first"))])
def test_a_failure_that_was_dealt_with_is_none(rescued, expected):
    grown = outcome()
    grown.failed("Try", {"msg": "first"})
    document = grown.document(LATER, rescued)
    assert (document["outcome"], document["reason"]) == expected


def test_a_failure_after_one_that_was_dealt_with_is_the_reason():
    grown = outcome()
    grown.failed("Try", {"msg": "first"})
    grown.failed("Then", {"msg": "second"})
    assert grown.document(LATER, 1)["reason"] == "second"


def test_a_run_that_was_cut_short_has_failed():
    grown = outcome()
    grown.interrupted = "cut short"
    assert (grown.document(LATER)["outcome"], grown.document(LATER)["reason"]) == ("failed", "cut short")


def test_hidden_output_is_not_told():
    grown = outcome()
    grown.task("atena.aws.report", {"censored": "hidden", "msg": "s3cret"}, False, True)
    assert grown.document(LATER)["did"] == []


def test_one_environment_is_told_as_it_is():
    document = outcome().document(LATER)
    assert together([document]) is document


def test_of_several_the_whole_run_is_told_first():
    bad = outcome("atena-dev")
    bad.failed("Do it", {"msg": "no"})
    good = outcome()
    good.changed = True
    document = together([bad.document(LATER), good.document(LATER)])
    assert (document["outcome"], document["changed"], document["reason"]) == ("failed", True, "1 of 2 environments failed: atena-dev")
    assert [entry["environment"] for entry in document["environments"]] == ["atena-dev", "atena-prod"]
    assert together([good.document(LATER), outcome("x").document(LATER)])["reason"] == ""


def test_the_file_is_private_and_replaces_the_one_before(tmp_path):
    path = tmp_path / "deep" / "er" / "result.json"
    result_file.clear(str(path))
    path.write_text("an earlier run's, and longer than what comes now")
    path.chmod(0o644)
    result_file.write(str(path), {"said": "ä"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"said": "ä"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["result.json"]
    result_file.clear(str(path))
    assert os.listdir(path.parent) == []


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "result.json").mkdir()
    with pytest.raises(OSError):
        result_file.write(str(tmp_path / "result.json"), {})
    assert os.listdir(tmp_path) == ["result.json"]
    with pytest.raises(TypeError):
        result_file.write(str(tmp_path / "other.json"), {"not": object()})
    assert os.listdir(tmp_path) == ["result.json"]
