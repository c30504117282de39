"""Which tests a run of the lab's tests takes, and what is in quarantine."""

import ast
import datetime
import sys
from pathlib import Path

import pytest

LAB = Path(__file__).resolve().parents[1] / "lab"
sys.path.insert(0, str(LAB))
import tiers  # noqa: E402

FILE = "test_x.py"


@pytest.mark.parametrize(
    ("marks", "taken"),
    [
        # By (core, core with this file reached, all, soak).
        ((), (False, True, True, False)),
        (("core",), (True, True, True, False)),
        (("soak",), (False, False, False, True)),
        # One of a file that is left to the soak.
        (("soak", "core"), (True, True, True, False)),
    ],
)
def test_what_each_tier_takes(marks, taken):
    said = [
        tiers.is_taken("core", marks, FILE),
        tiers.is_taken("core", marks, FILE, [FILE]),
        tiers.is_taken("all", marks, FILE),
        tiers.is_taken("soak", marks, FILE),
    ]
    assert tuple(said) == taken


def test_quarantine_has_test_date_and_reason():
    line = "test_x.py::test_it | 2026-11-30 | the balancer answers too late"
    assert tiers.quarantined(["# a comment", "", line]) == {"test_x.py::test_it": (datetime.date(2026, 11, 30), "the balancer answers too late")}


@pytest.mark.parametrize("line", ["test_x.py::test_it | 2026-11-30", "test_x.py | 2026-11-30 | why", "test_x.py::test_it | soon | why"])
def test_a_quarantine_without_one_of_them_is_refused(line):
    with pytest.raises(ValueError):
        tiers.quarantined([line])


def test_what_is_in_quarantine_exists_and_is_not_forgotten():
    for name, (since, _) in tiers.quarantined(tiers.QUARANTINE.read_text().splitlines()).items():
        file, test = name.split("::")
        assert test in {node.name for node in ast.walk(ast.parse((LAB / file).read_text())) if isinstance(node, ast.FunctionDef)}
        assert datetime.date.today() - since < datetime.timedelta(days=30), f"{name} has been in quarantine since {since}"
