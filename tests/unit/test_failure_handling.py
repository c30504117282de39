"""docs/failure-handling.md names what is there, and leaves out no place that can be found by itself."""

import ast
import functools
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "failure-handling.md"
PLUGINS = CHECKOUT / "plugins"
TEXT = PAGE.read_text(encoding="utf-8")
CODE = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.py)(?::([\w.]+))?`")
TEST = re.compile(r"`((?:unit|lab)/[\w/]+\.py)::(\w+)`")
# Whose test is named in the words above its table.
SHORT = re.compile(r"\b(known|others): ")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
SENT_AGAIN, UNSEEN, AGAIN, OTHERS, SPELLINGS, GAPS = SECTIONS

# Writes whose end may be unknown, by AWS's names for them, and those of them that take something away.
WRITES = re.compile(
    r'"((?:run_task|stop_task|execute_command|update_service|put_object|put_parameter|put_item|put_image|register_\w+|deregister_\w+|delete_(?!because)\w+'
    r"|batch_delete_\w+|(?:start|stop|modify|restore)_db_\w+|create_(?:db_snapshot|snapshot|cache_cluster|replication_group|bucket|table)))\""
)
TAKES_AWAY = re.compile(r'"((?:delete_(?!because|item)\w+|batch_delete_\w+|deregister_task_definition|stop_db_instance))"')
# Ways out beside Caller: what none of these has goes through it.
CONNECTS = re.compile(r"\b(?:open_url|subprocess\.(?:run|Popen)|get_waiter|urlopen)\(|send=open_url|http\.client\.HTTPS?Connection")
REDACTS = re.compile(r"core\.redaction import|import .*known_secrets|known_secrets import")


def named(section: str) -> set[str]:
    return {path for path, _name in CODE.findall(SECTIONS[section])}


def file_of(path: str) -> Path:
    below = PLUGINS / "module_utils" / path
    return below if below.exists() else PLUGINS / path


def files_with(pattern: re.Pattern) -> dict[str, set[str]]:
    """{path as the page has it: what was found} of all plugins, documentation of options left out."""
    found = {}
    for path in sorted(PLUGINS.rglob("*.py")):
        matches = set(pattern.findall(re.sub(r'(?s)^(DOCUMENTATION|EXAMPLES|RETURN) = r?""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)))
        if matches:
            found[str(path.relative_to(PLUGINS)).removeprefix("module_utils/")] = matches
    return found


@functools.cache
def names_in(path: Path) -> set[str]:
    """Functions, classes, their methods as 'Class.method', and what is assigned at the top."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
            names.update(f"{node.name}.{inner.name}" for inner in getattr(node, "body", []) if isinstance(inner, (ast.FunctionDef, ast.ClassDef)))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    return names


def rows() -> list[tuple[str, list[str]]]:
    """(section, cells) of each row below a table's head."""
    found = []
    for section, text in SECTIONS.items():
        lines = [line for line in text.splitlines() if line.startswith("|")]
        rules = {number for number, line in enumerate(lines) if line.startswith("| ---")}
        found += [(section, line.strip("| ").split(" | ")) for number, line in enumerate(lines) if number not in rules and number + 1 not in rules]
    return found


def test_the_tables_are_found():
    assert [len(CODE.findall(SECTIONS[name])) > 10 for name in (SENT_AGAIN, UNSEEN, AGAIN, OTHERS, SPELLINGS)] == [True] * 5
    assert len(rows()) > 80 and len(CODE.findall(TEXT)) > 120 and len(TEST.findall(TEXT)) > 120


@pytest.mark.parametrize(("path", "name"), sorted(set(CODE.findall(TEXT))))
def test_the_code_that_is_named_is_there(path, name):
    if path.startswith("tests/"):
        assert (CHECKOUT / path).exists()
        return
    assert file_of(path).is_file()
    assert not name or name in names_in(file_of(path))


@pytest.mark.parametrize(("path", "name"), sorted(set(TEST.findall(TEXT))))
def test_the_test_that_is_named_is_there(path, name):
    assert re.search(rf"^\s*def {name}\(", (CHECKOUT / "tests" / path).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("section", "cells"), rows(), ids=lambda value: value[0][:60] if isinstance(value, list) else "")
def test_each_row_names_code_and_a_test(section, cells):
    line = " | ".join(cells)
    first_table = section == SENT_AGAIN and len(cells) == 5
    assert CODE.search(line) or first_table
    assert TEST.search(cells[-1]) or SHORT.search(cells[-1])


@pytest.mark.parametrize(
    ("section", "pattern", "but"),
    [
        # but: takes away a tag that only protects, which the next release puts back.
        (SENT_AGAIN, CONNECTS, set()),
        (UNSEEN, WRITES, set()),
        (AGAIN, TAKES_AWAY, {"images/tags.py"}),
        (OTHERS, REDACTS, set()),
    ],
    ids=["ways out", "writes", "what takes away", "redactors"],
)
def test_no_place_of_the_kind_is_left_out(section, pattern, but):
    found = files_with(pattern)
    assert found
    assert {path: what for path, what in found.items() if path not in named(section) | but} == {}


def test_the_ways_in_that_rows_name_are_cases_of_the_two_tests():
    cases = (CHECKOUT / "tests/unit/test_words_of_others.py").read_text(encoding="utf-8")
    for _section, cells in rows():
        for words in re.findall(r"(?:known|others): ([^;`|]+)", cells[-1]):
            for case in words.split(", "):
                assert f'"{case.strip()}' in cases or case == "reasons and stopped tasks of ECS", case
