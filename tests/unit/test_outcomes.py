"""What is said of a run of the lab's tests: whether the runbook's have passed, and whether every playbook was typed."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import outcomes  # noqa: E402
from outcomes import CHECK, FAILED, LEFT, PASSED, REAL, SKIPPED, UNCHANGED  # noqa: E402

NODE = "tests/lab/test_x.py::TestGroup::test_it[some::case]"
NAME = "test_x.py::test_it"


def collected(*reports):
    made = outcomes.Outcomes()
    for when, outcome in reports:
        made.add(NODE, when, outcome)
    return made.of


@pytest.mark.parametrize(
    ("reports", "said"),
    [
        ([("setup", "passed"), ("call", "passed"), ("teardown", "passed")], {NAME: PASSED}),
        ([("setup", "failed"), ("teardown", "passed")], {NAME: FAILED}),
        ([("setup", "passed"), ("call", "passed"), ("teardown", "failed")], {NAME: FAILED}),
        ([("setup", "skipped"), ("teardown", "passed")], {NAME: SKIPPED}),
        # Cases of one test.
        ([("call", "passed"), ("call", "failed")], {NAME: FAILED}),
        ([("setup", "skipped"), ("call", "passed")], {NAME: PASSED}),
    ],
)
def test_what_is_said_of_a_test(reports, said):
    assert collected(*reports) == said


def test_a_test_of_which_some_cases_are_left_has_passed():
    made = outcomes.Outcomes()
    made.leave(NODE)
    assert made.of == {NAME: LEFT}
    made.add(NODE, "call", PASSED)
    assert made.of == {NAME: PASSED}


def document(tests, *typed):
    return {"tests": tests, "typed": [list(entry) for entry in typed]}


def test_labs_are_merged():
    one = document({"a": PASSED, "c": LEFT}, ("deploy.yml", REAL, 2))
    other = document({"a": FAILED, "b": PASSED}, ("deploy.yml", REAL, 1), ("deploy.yml", CHECK, 1))
    assert outcomes.merged([one, other]) == ({"a": FAILED, "b": PASSED, "c": LEFT}, {("deploy.yml", REAL): 3, ("deploy.yml", CHECK): 1})


@pytest.mark.parametrize(
    ("found", "well", "words"),
    [
        (
            {"a": PASSED, "b": PASSED, "c": LEFT},
            True,
            "Of the 3 tests that docs/runbook.md names 2 passed; 1 are left to `make test-all` and `make test-soak`.",
        ),
        ({"a": PASSED, "b": PASSED, "c": PASSED}, True, "names 3 passed."),
        ({"a": PASSED, "b": FAILED, "c": LEFT}, False, "b (failed)"),
        ({"a": PASSED, "b": SKIPPED, "c": LEFT}, False, "b (skipped)"),
        ({"a": PASSED, "c": LEFT}, False, "b (not run)"),
        ({}, False, "a (not run)"),
    ],
)
def test_the_runbooks_tests(found, well, words):
    says, good = outcomes.of_the_runbook(["a", "b", "c"], found)
    assert good == well and words in says


def test_the_runbook_names_each_test_once_here():
    names = outcomes.named(outcomes.RUNBOOK.read_text())
    assert len(names) > 30 and len(names) == len(set(names))


def test_only_what_ended_well_counts_as_typed():
    made = outcomes.Outcomes()
    made.type("deploy.yml", ("--check", "--diff"), 0, 3)
    made.type("deploy.yml", (), 2, 0)
    assert made.document()["typed"] == [["deploy.yml", CHECK, 1]]
    made.type("deploy.yml", (), 0, 4)
    made.type("deploy.yml", (), 0, 0)
    assert dict(made.typed) == {("deploy.yml", CHECK): 1, ("deploy.yml", REAL): 2, ("deploy.yml", UNCHANGED): 1}


@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        (("deploy.yml", CHECK), "deploy.yml --check"),
        (("deploy.yml", REAL), "deploy.yml for real"),
        (("deploy.yml", UNCHANGED), "deploy.yml with nothing to do"),
        (("migrate.yml", CHECK), "migrate.yml --check"),
        # It migrates each time.
        (("migrate.yml", UNCHANGED), ""),
    ],
)
def test_a_playbook_that_was_not_typed_in_each_way_is_named(lacks, words):
    typed = Counter({(name, way): 1 for name in ("deploy.yml", "migrate.yml") for way in (CHECK, REAL, UNCHANGED)})
    assert outcomes.of_the_playbooks(["migrate.yml", "deploy.yml"], typed)[1]
    del typed[lacks]
    says, well = outcomes.of_the_playbooks(["migrate.yml", "deploy.yml"], typed)
    assert (well, words in says) == (not words, True)


def test_what_acts_each_time_exists():
    assert all((outcomes.CHECKOUT / "playbooks" / name).is_file() for name in outcomes.EACH_TIME)
