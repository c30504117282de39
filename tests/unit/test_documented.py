"""The comparison of results with documentation must find what differs, or the test that uses it proves nothing."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from documented import documentation, faults, seen, sure  # noqa: E402

SAID = {
    "name": {"type": "str", "returned": "success", "description": "Its name."},
    "count": {"type": "int", "returned": "always", "description": "How many; null for none."},
    "would": {"type": "list", "elements": "str", "returned": "in check mode", "description": "What would change."},
    "parts": {
        "type": "list",
        "elements": "dict",
        "returned": "success, or failure after the start",
        "description": "Its parts.",
        "contains": {"id": {"type": "int", "description": "Its id."}, "why": {"type": "str", "returned": "when it stays", "description": "Why."}},
    },
}
RIGHT = {"changed": True, "name": "a", "count": 1, "parts": [{"id": 1}, {"id": 2, "why": "x"}]}


def test_a_result_that_is_as_documented_has_no_fault():
    assert faults(SAID, RIGHT) == []
    assert faults(SAID, {**RIGHT, "count": None, "would": ["x"], "parts": [], "diff": {}, "warnings": []}) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"extra": 1}, "extra is returned, and not documented"),
        ({"name": None}, "name is null, which its description does not tell"),
        ({"name": 7}, "name is documented as str, and is int: 7"),
        ({"count": True}, "count is documented as int, and is bool: True"),
        ({"count": "1"}, "count is documented as int, and is str: '1'"),
        ({"would": [1]}, "would[0] is documented as str, and is int: 1"),
        ({"would": "x"}, "would is documented as list, and is str: 'x'"),
        ({"parts": [{"id": 1, "more": 2}]}, "parts[0].more is returned, and not documented"),
        ({"parts": [{}]}, "parts[0].id is documented as returned (with its parent), and is not"),
        ({"parts": [{"id": 1, "changed": True}]}, "parts[0].changed is returned, and not documented"),
        ({"parts": ["x"]}, "parts[0] is documented as dict, and is str: 'x'"),
    ],
)
def test_what_differs_is_told(change, fault):
    assert faults(SAID, {**RIGHT, **change}) == [fault]


def test_a_dict_may_have_keys_that_the_caller_chose():
    entry = {"type": "dict", "description": "Of this name.", "contains": {"id": {"type": "int", "description": "Its id."}}}
    said = {"things": {"type": "dict", "description": "Things.", "contains": {"<name>": entry}}}
    assert faults(said, {"things": {"one": {"id": 1}, "two": {"id": 2}}}) == []
    assert faults(said, {"things": {"one": {"id": "1"}}}) == ["things.one.id is documented as int, and is str: '1'"]


def test_what_is_missing_is_told():
    assert faults(SAID, {"count": 1, "parts": []}) == ["name is documented as returned (success), and is not"]


def test_a_list_must_say_of_what():
    assert faults({"x": {"type": "list", "description": "X."}}, {"x": []}) == ["x is a list whose elements are not documented"]


@pytest.mark.parametrize(
    ("returned", "expected"), [("always", True), ("success", True), ("success, or failure", True), ("when asked", False), ("failure", False)]
)
def test_what_is_sure(returned, expected):
    assert sure({"returned": returned}) is expected


def test_what_was_seen():
    assert seen(SAID, [{"name": "a"}, {"would": []}]) == {"name", "would"}


def test_the_documentation_is_read_from_the_file():
    said, returned = documentation(Path(__file__).resolve().parents[2] / "plugins/modules/release_prune.py")
    assert said["module"] == "release_prune"
    assert returned["kept"]["contains"]["because"]["type"] == "str"
    assert returned["images"]["contains"]["digest"]["type"] == "str"
