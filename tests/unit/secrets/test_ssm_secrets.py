"""What is written to a set of secrets, and what is told of them."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.secrets import plan as ssm_secrets

NAMES = ["A", "B", "C"]
PLACEHOLDER = "CHANGE_ME"


def held(value, **others):
    return {"value": value, "type": "SecureString", "version": 3, "last_modified": "2026-01-31T12:00:00+00:00", **others}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("s3cret", None),
        ("with inner space", None),
        ("", "empty"),
        (None, "empty"),
        ("   ", "empty"),
        (" s3cret", "white space"),
        ("s3cret\n", "white space"),
        ("CHANGE_ME", "placeholder"),
        (1234, "quotes"),
        ("x" * 8192, None),
        ("x" * 8193, "has 8193 bytes; the most that a parameter holds is 8192"),
        ("é" * 4097, "has 8194 bytes"),
    ],
)
def test_what_a_value_may_be(value, words):
    problem = ssm_secrets.value_problem(value, PLACEHOLDER)
    assert (problem is None) if words is None else (words in problem)


@pytest.mark.parametrize(("value", "tier"), [("x" * 4096, "Standard"), ("x" * 4097, "Advanced"), ("é" * 2048, "Standard"), ("é" * 2049, "Advanced")])
def test_the_tier_goes_by_bytes(value, tier):
    assert ssm_secrets.tier(value) == tier


def test_no_finding_contains_the_value():
    found = ssm_secrets.findings(NAMES, {"A": " hush-hush", "X": "hush-hush"}, PLACEHOLDER)
    assert len(found) == 2 and "hush" not in " ".join(found)


def test_all_findings_come_at_once_and_name_the_secrets():
    found = ssm_secrets.findings(NAMES, {"A": "", "B": "CHANGE_ME", "CC": "x", "C": "good"}, PLACEHOLDER)
    assert [text.split()[0] for text in found] == ["CC", "A", "B"] and "A, B, C" in found[0]


def test_a_value_that_is_so_already_is_not_written():
    assert ssm_secrets.writes(NAMES, {"A": held("same")}, {"A": "same"}, PLACEHOLDER, create=False) == []


def test_values_are_created_or_updated():
    current = {"A": held("old")}
    assert ssm_secrets.writes(NAMES, current, {"A": "new", "B": "first"}, PLACEHOLDER, create=False) == [("A", "new", "update"), ("B", "first", "create")]


def test_the_right_value_in_the_clear_is_written_again_as_a_secret():
    assert ssm_secrets.writes(["A"], {"A": held("same", type="String")}, {"A": "same"}, PLACEHOLDER, create=False) == [("A", "same", "update")]


def test_placeholders_are_created_only_where_nothing_is():
    current = {"A": held("x"), "B": held(PLACEHOLDER)}
    assert ssm_secrets.writes(NAMES, current, {}, PLACEHOLDER, create=True) == [("C", PLACEHOLDER, "create")]


def test_missing_is_what_is_unset_and_not_given():
    current = {"A": held("x"), "B": held(PLACEHOLDER)}
    assert ssm_secrets.missing(NAMES, current, {}, PLACEHOLDER) == ["B", "C"]
    assert ssm_secrets.missing(NAMES, current, {"B": "v"}, PLACEHOLDER) == ["C"]


def test_the_report_has_no_value():
    current = {"A": held("hush-hush"), "B": held(PLACEHOLDER)}
    secrets = ssm_secrets.report(NAMES, current, [("A", "hush-hush", "update")], PLACEHOLDER)
    assert [(secret["set"], secret["action"], secret["version"]) for secret in secrets] == [(True, "update", 3), (False, "none", 3), (False, "none", None)]
    for check in (True, False):
        assert "hush" not in str([secrets, ssm_secrets.lines(secrets, check)])


def test_lines_tell_what_was_done_from_what_would_be():
    secrets = ssm_secrets.report(["A"], {}, [("A", "v", "create")], PLACEHOLDER)
    assert ssm_secrets.lines(secrets, check=True) == ["A  NOT SET  would be created"]
    assert ssm_secrets.lines(secrets, check=False) == ["A  NOT SET  created now"]
