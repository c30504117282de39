"""When two values mean the same to AWS."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from offline.values import Unknown, coerce, is_known, known_only, same

TAGS = ["map", "string"]


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        (None, "", "string"),
        (None, False, "bool"),
        (0, None, "number"),
        ([], None, ["set", "string"]),
        ({}, None, TAGS),
        (["a", "b"], ["b", "a"], ["set", "string"]),
        ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}', "string"),
        ({"a": None, "b": 1}, {"b": 1}, ["object", {"a": "string", "b": "number"}]),
        ([{"p": "tcp", "x": []}], [{"p": "tcp", "x": None}], ["set", ["object", {"p": "string", "x": ["list", "string"]}]]),
        (1, 1.0, "number"),
    ],
)
def test_alike(left, right, kind):
    assert same(left, right, kind)
    assert same(right, left, kind)


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ("a", "b", "string"),
        (True, None, "bool"),
        (["a", "b"], ["b", "a"], ["list", "string"]),
        (["a", "a"], ["a", "b"], ["set", "string"]),
        ({"a": ""}, {}, TAGS),
        ({"a": "1"}, {"a": "1", "b": "2"}, TAGS),
        ('{"a": 1}', '{"a": 2}', "string"),
        ("0", "", "string"),
        (Unknown, None, "string"),
    ],
)
def test_different(left, right, kind):
    assert not same(left, right, kind)
    assert not same(right, left, kind)


def test_unknown_is_found_at_any_depth():
    assert not is_known({"a": [{"b": Unknown}]})
    assert is_known({"a": [{"b": None}]})
    assert known_only({"a": [{"b": Unknown, "c": 1}]}) == {"a": [{"b": None, "c": 1}]}


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("true", "bool", True),
        ("80", "number", 80),
        (True, "string", "true"),
        (16, "string", "16"),
        (("a",), ["set", "string"], ["a"]),
        ({"k": 1}, TAGS, {"k": "1"}),
        ({"address": "h"}, ["object", {"address": "string", "port": "number"}], {"address": "h", "port": None}),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "string", "2026-01-02T03:04:05Z"),
        ({"a": [1]}, "string", '{"a":[1]}'),
        (None, "string", None),
    ],
)
def test_what_aws_answers_gets_the_declared_type(value, kind, expected):
    assert coerce(value, kind) == expected
