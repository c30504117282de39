"""Decisions while planning, refreshing and completing, on small schemas."""

from __future__ import annotations

import json

import pytest
from offline import plan
from offline.rows.containers import is_part, plain_containers, same_containers
from offline.schema import Attr, Block, Nested
from offline.values import Unknown


def block(**attrs: Attr) -> Block:
    return Block(attrs=attrs)


NAME = Attr("name", "string", required=True, force_new=True)
SIZE = Attr("size", "number")
ZONE = Attr("zone", "string", computed=True)
CLASS = Attr("class", "string", computed=True, default="standard")
ID = Attr("id", "string", computed=True, settable=False)
SIMPLE = Block(attrs={attr.name: attr for attr in (NAME, SIZE, ZONE, CLASS, ID)})
PRIOR = {"name": "n", "size": 1, "zone": "a", "class": "standard", "id": "i-1"}
RULES = Block(attrs={"port": Attr("port", "number"), "note": Attr("note", "string"), "order": Attr("order", "number", computed=True)})


def config(**values):
    return {**dict.fromkeys(PRIOR), **values}


def test_a_new_resource_has_defaults_and_unknowns():
    planned = plan.plan_block(SIMPLE, config(name="n"), None)
    assert planned == {"name": "n", "size": None, "zone": Unknown, "class": "standard", "id": Unknown}


def test_nothing_changed_plans_the_prior_state():
    assert plan.plan_block(SIMPLE, config(name="n", size=1), PRIOR) == PRIOR


def test_an_argument_that_left_the_configuration():
    planned = plan.plan_block(SIMPLE, config(name="n"), {**PRIOR, "class": "fast"})
    assert planned["size"] is None, "optional: unset"
    assert planned["zone"] == "a", "optional and computed: as it is"
    assert planned["class"] == "standard", "with a default: back to it"


def test_an_equal_spelling_is_no_change():
    json_block = block(policy=Attr("policy", "string"))
    prior = {"policy": '{"a":1}'}
    assert plan.plan_block(json_block, {"policy": '{ "a": 1 }'}, prior) == prior


def test_an_unknown_argument_is_a_change():
    planned = plan.plan_block(SIMPLE, config(name=Unknown, size=1), PRIOR)
    assert plan.changed_names(SIMPLE, PRIOR, planned) == ["name"]
    assert plan.replacements(SIMPLE, PRIOR, planned) == ["name"]


def test_only_arguments_that_aws_cannot_change_replace():
    planned = plan.plan_block(SIMPLE, config(name="n", size=2), PRIOR)
    assert plan.changed_names(SIMPLE, PRIOR, planned) == ["size"]
    assert plan.replacements(SIMPLE, PRIOR, planned) == []


def nested(nesting: str, computed: bool = False) -> Block:
    return Block(blocks={"rule": Nested("rule", nesting, RULES, computed=computed)})


def test_elements_of_a_set_are_recognised_whatever_their_order():
    prior = {"rule": [{"port": 1, "note": "a", "order": 10}, {"port": 2, "note": "b", "order": 20}]}
    turned = {"rule": [{"port": 2, "note": "b", "order": None}, {"port": 1, "note": "a", "order": None}]}
    planned = plan.plan_block(nested("set"), turned, prior)
    assert sorted(one["order"] for one in planned["rule"]) == [10, 20]
    assert plan.changed_names(nested("set"), prior, planned) == []


def test_a_changed_element_of_a_set_is_a_new_one():
    prior = {"rule": [{"port": 1, "note": "a", "order": 10}]}
    planned = plan.plan_block(nested("set"), {"rule": [{"port": 1, "note": "c", "order": None}]}, prior)
    assert planned["rule"] == [{"port": 1, "note": "c", "order": Unknown}]


def test_elements_of_a_list_go_by_position():
    prior = {"rule": [{"port": 1, "note": "a", "order": 10}]}
    wanted = {"rule": [{"port": 1, "note": "c", "order": None}, {"port": 2, "note": None, "order": None}]}
    planned = plan.plan_block(nested("list"), wanted, prior)
    assert planned["rule"] == [{"port": 1, "note": "c", "order": 10}, {"port": 2, "note": None, "order": Unknown}]


@pytest.mark.parametrize(("computed", "expected"), [(True, [{"port": 1, "note": None, "order": 1}]), (False, [])])
def test_a_block_that_left_the_configuration(computed, expected):
    prior = {"rule": [{"port": 1, "note": None, "order": 1}]}
    assert plan.plan_block(nested("list", computed), {"rule": []}, prior)["rule"] == expected


def test_a_dynamic_block_over_something_unknown_is_unknown():
    assert plan.plan_block(nested("set"), {"rule": Unknown}, None) == {"rule": Unknown}


def test_a_change_deep_inside_a_block_can_replace():
    deep = Block(blocks={"outer": Nested("outer", "list", block(kind=Attr("kind", "string", force_new=True)))})
    assert plan.replacements(deep, {"outer": [{"kind": "a"}]}, {"outer": [{"kind": "b"}]}) == ["outer"]
    assert plan.replacements(deep, {"outer": [{"kind": "a"}]}, {"outer": [{"kind": "a"}]}) == []


# -- refresh ---------------------------------------------------------------------------------------------------------------------


def test_refresh_takes_what_changed_and_keeps_what_cannot_be_read():
    state = {"name": "n", "size": 1, "zone": "a", "class": "standard", "id": "i-1"}
    assert plan.refresh_block(SIMPLE, state, {"name": "n", "size": 3, "zone": None}) == {**state, "size": 3, "zone": None}


def test_refresh_keeps_the_spelling_of_the_state():
    fields = block(tags=Attr("tags", ["map", "string"]), ids=Attr("ids", ["set", "string"]), note=Attr("note", "string"))
    state = {"tags": None, "ids": ["b", "a"], "note": None}
    assert plan.refresh_block(fields, state, {"tags": {}, "ids": ["a", "b"], "note": ""}) == state


def test_refresh_shows_what_was_unset_behind_terraforms_back():
    assert plan.refresh_block(block(on=Attr("on", "bool")), {"on": True}, {"on": False}) == {"on": False}
    assert plan.refresh_block(block(note=Attr("note", "string")), {"note": "x"}, {"note": ""}) == {"note": None}


def test_refresh_ignores_blocks_in_which_nothing_is_set():
    assert plan.refresh_block(nested("list"), {"rule": []}, {"rule": [{"port": 0, "note": ""}]}) == {"rule": []}


def test_refresh_shows_a_block_that_was_added():
    assert plan.refresh_block(nested("set"), {"rule": []}, {"rule": [{"port": 5, "note": "", "order": 1}]})["rule"] == [{"port": 5, "note": None, "order": 1}]


def test_refresh_shows_a_block_that_was_removed():
    assert plan.refresh_block(nested("set"), {"rule": [{"port": 5, "note": None, "order": 1}]}, {"rule": []}) == {"rule": []}


# -- completing ------------------------------------------------------------------------------------------------------------------


def test_an_apply_keeps_what_was_planned_and_fills_the_rest():
    planned = {"name": "n", "size": 1, "zone": Unknown, "class": "standard", "id": Unknown}
    found = {"name": "other", "size": "9", "zone": "b", "id": "i-1"}
    assert plan.complete_block(SIMPLE, planned, found) == {**planned, "zone": "b", "id": "i-1"}


def test_what_nobody_answers_is_null_and_no_longer_unknown():
    assert plan.complete_block(SIMPLE, {"name": "n", "zone": Unknown}, {})["zone"] is None


def test_blocks_in_sets_are_completed_by_what_was_known_of_them():
    planned = {"rule": [{"port": 1, "note": "a", "order": Unknown}, {"port": 2, "note": None, "order": Unknown}]}
    found = {"rule": [{"port": 2, "note": "", "order": 20}, {"port": 1, "note": "a", "order": 10}]}
    assert plan.complete_block(nested("set"), planned, found)["rule"] == [
        {"port": 1, "note": "a", "order": 10},
        {"port": 2, "note": None, "order": 20},
    ]


def test_a_block_that_was_unknown_as_a_whole_is_read():
    found = {"rule": [{"port": 2, "note": "n", "order": 20}]}
    assert plan.complete_block(nested("list", computed=True), {"rule": Unknown}, found) == found


# -- container definitions -------------------------------------------------------------------------------------------------------

WRITTEN = [{"name": "a", "image": "x:1", "environment": [{"name": "Z", "value": "1"}, {"name": "A", "value": "2"}], "portMappings": [{"containerPort": 80}]}]
ANSWERED = [
    {
        "name": "a",
        "image": "x:1",
        "cpu": 0,
        "essential": True,
        "environment": [{"name": "A", "value": "2"}, {"name": "Z", "value": "1"}],
        "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
        "mountPoints": [],
        "volumesFrom": [],
    }
]


def test_what_ecs_adds_to_containers_is_no_change():
    assert same_containers(json.dumps(WRITTEN), json.dumps(ANSWERED))


def test_an_environment_variable_that_left_the_configuration_is_a_change():
    fewer = [{**WRITTEN[0], "environment": WRITTEN[0]["environment"][:1]}]
    assert not same_containers(json.dumps(fewer), json.dumps(ANSWERED))


def test_the_state_holds_as_long_as_everything_it_says_is_there():
    actual = plain_containers(json.dumps([{**ANSWERED[0], "startTimeout": 3}]))
    assert is_part(plain_containers(json.dumps(WRITTEN)), actual)
    assert not is_part(plain_containers(json.dumps([{**WRITTEN[0], "image": "x:2"}])), actual)
