"""One list tells which of an environment's records there are; those that are not are not asked for."""

from __future__ import annotations

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import Denied, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.listed import Listed
from test_look import World

KEYS = [("b", "a/prod/gates.json"), ("b", "a/prod/power.json"), ("b", "a/prod/destroyed.json")]
GATES = {"list_objects_v2": {"Contents": [{"Key": "a/prod/gates.json"}]}, "get_object": {"Body": "on"}}


def read(look, key, bucket="b"):
    return look("s3", "get_object", "read it", Bucket=bucket, Key=key)["Body"]


def operations(world):
    return [operation for _service, operation, _arguments in world.asked]


def test_what_is_there_is_read_and_what_is_not_is_not_asked_for():
    world = World(GATES)
    look = Listed(world, KEYS)
    assert read(look, "a/prod/gates.json") == "on"
    for _bucket, key in KEYS[1:]:
        with pytest.raises(NotFound) as told:
            read(look, key)
        assert told.value.what == "Key"
    assert operations(world) == ["list_objects_v2", "get_object"]
    assert world.asked[0][2] == {"Bucket": "b", "Prefix": "a/prod/", "Delimiter": "/"}


def test_others_and_a_few_are_asked_for_as_ever():
    world = World(GATES)
    read(Listed(world, KEYS), "a/prod/another.json")
    read(Listed(world, KEYS[:2]), "a/prod/power.json")
    read(Listed(world, KEYS), "a/prod/power.json", "another-bucket")
    assert operations(world) == ["get_object"] * 3


def test_who_may_not_list_is_answered_by_the_object():
    world = World({**GATES, "list_objects_v2": Denied("Could not list it.", "AccessDenied")})
    look = Listed(world, KEYS)
    assert [read(look, key) for _bucket, key in KEYS] == ["on"] * 3
    assert operations(world) == ["list_objects_v2", "get_object", "get_object", "get_object"]
