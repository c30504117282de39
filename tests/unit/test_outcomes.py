"""Whether the tests that the runbook names have passed."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import outcomes  # noqa: E402
from outcomes import FAILED, PASSED, SKIPPED, SOAK  # noqa: E402

NODE = "tests/lab/test_x.py::TestGroup::test_it[some::case]"
NAME = "test_x.py::test_it"


def collected(*reports):
    made = outcomes.Outcomes()
    for when, outcome in reports:
        made.add(NODE, when, outcome, "")
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


def test_what_takes_long_is_told_from_what_could_not_run():
    made = outcomes.Outcomes()
    made.add(NODE, "setup", "skipped", f"('conftest.py', 1, 'Skipped: {outcomes.SOAK_REASON}')")
    assert made.of == {NAME: SOAK}


def test_labs_are_merged_and_a_second_look_counts():
    assert outcomes.merged([{"a": PASSED}, {"a": FAILED, "b": PASSED}]) == {"a": FAILED, "b": PASSED}
    assert outcomes.merged([{"a": FAILED}], {"a": PASSED}) == {"a": PASSED}


@pytest.mark.parametrize(
    ("found", "well", "words"),
    [
        ({"a": PASSED, "b": PASSED, "c": SOAK}, True, "Of the 3 tests that docs/runbook.md names 2 passed; 1 are left to `make test-soak`."),
        ({"a": PASSED, "b": FAILED, "c": SOAK}, False, "b (failed)"),
        ({"a": PASSED, "b": SKIPPED, "c": SOAK}, False, "b (skipped)"),
        ({"a": PASSED, "c": SOAK}, False, "b (not run)"),
        # The soak itself runs only what is left to it.
        ({"c": PASSED}, True, "1 passed; 2 are left to `make test`."),
        ({"c": FAILED}, False, "c (failed)"),
        ({}, False, "a (not run)"),
    ],
)
def test_the_verdict(found, well, words):
    says, good = outcomes.verdict(["a", "b", "c"], found)
    assert good == well and words in says


def test_the_runbook_names_each_test_once_here():
    names = outcomes.named(outcomes.RUNBOOK.read_text())
    assert len(names) > 30 and len(names) == len(set(names))
