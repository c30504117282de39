"""docs/runbook.md: everything that the handbook has, in its order, with a playbook that is there and a test that is there."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest
import seed

CHECKOUT = Path(__file__).resolve().parents[2]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in (CHECKOUT / "docs" / "runbook.md").read_text().splitlines() if line.startswith("| ")][
    2:
]


def name(cell: str) -> str:
    return cell.strip("*`")


@functools.cache
def functions(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


def below() -> dict[str, list[str]]:
    """{heading: what its rows are called}, in the table's order."""
    found: dict[str, list[str]] = {}
    for first, *_ in ROWS:
        if first.startswith("**"):
            found[name(first)] = []
        else:
            found[list(found)[-1]].append(name(first))
    return found


def test_every_heading_is_there_in_its_order():
    assert list(below()) == list(seed.HEADINGS)


@pytest.mark.parametrize(("heading", "what"), seed.COMMANDS + seed.TABLES + seed.NOTES)
def test_every_command_table_and_note_is_below_its_heading(heading, what):
    assert what in below()[heading]


def test_nothing_else_is_there():
    assert sum(len(rows) for rows in below().values()) == len(seed.COMMANDS + seed.TABLES + seed.NOTES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: name(row[0]))
def test_a_row_is_whole_and_names_what_is_there(row):
    assert len(row) == 3 and all(row)
    for playbook in re.findall(r"`(\w+\.yml)", row[1]):
        assert (CHECKOUT / "playbooks" / playbook).is_file()
    file, test = name(row[2]).split("::")
    assert test in functions(CHECKOUT / "tests" / "lab" / file)
