"""How a plan is read. `recorded/terraform_plan.json` is what `terraform show -json` said of a real plan of infra/."""

import json
import shlex
from pathlib import Path

import pytest
from ansible_collections.atena.aws.plugins.module_utils.terraform import plan as plans

TEMPLATE = 'aws_ecs_task_definition.template["api"]'
NAT = "aws_nat_gateway.main[0]"


@pytest.fixture
def recorded():
    return json.loads((Path(__file__).parents[1] / "recorded" / "terraform_plan.json").read_text())


@pytest.fixture
def planned(recorded):
    return {change["address"]: change for change in plans.changes(recorded)}


def resource(actions, before=None, after=None, address="aws_x.y", **others):
    change = {"actions": actions, "before": before, "after": after, "after_unknown": {}, "before_sensitive": {}, "after_sensitive": {}}
    top = {key: others.pop(key) for key in ("action_reason", "previous_address") if key in others}
    return {"address": address, "type": address.split(".")[0], "change": {**change, **others}, **top}


def only(*resources):
    return plans.changes({"resource_changes": list(resources)})


def test_each_change_of_a_recorded_plan_is_listed_with_its_action(planned):
    assert {address: change["action"] for address, change in planned.items()} == {
        "aws_db_instance.main": "update",
        TEMPLATE: "replace",
        "aws_elasticache_cluster.main[0]": "update",
        "aws_elasticache_parameter_group.main": "update",
        NAT: "replace",
        "aws_route.private_nat[0]": "update",
    }


def test_a_replacement_names_the_attribute_that_causes_it(planned):
    assert planned[NAT]["reason"] == "allocation_id cannot be changed in place"
    assert planned[TEMPLATE]["reason"] == "memory cannot be changed in place"


def test_a_scalar_shows_its_values(planned):
    assert {"name": "memory", "before": "512", "after": "1024"} in planned[TEMPLATE]["attributes"]


def test_no_secret_of_a_recorded_plan_gets_out(recorded):
    assert "the-generated-password" in json.dumps(recorded)
    changes = plans.changes(recorded)
    for shown in (changes, plans.diff(changes), [plans.describe(change) for change in changes], plans.refused(changes, []), plans.drift(changes)):
        assert "the-generated-password" not in json.dumps(shown)


def test_only_what_loses_an_object_is_refused(planned):
    assert [change["address"] for change in plans.refused(planned.values(), [])] == [NAT]


def test_a_revision_that_is_only_forgotten_needs_no_permission(planned):
    assert planned[TEMPLATE]["action"] == "replace" and planned[TEMPLATE]["destroys"] is False


@pytest.mark.parametrize(
    ("pattern", "address", "expected"),
    [
        (NAT, NAT, True),
        ("aws_nat_gateway.main", NAT, False),
        ("aws_nat_gateway.*", NAT, True),
        ("aws_nat_gateway.main[*]", NAT, True),
        ("*", NAT, True),
        ('aws_subnet.private["us-east-1a"]', 'aws_subnet.private["us-east-1a"]', True),
        ("aws_subnet.private[ab]", "aws_subnet.privatea", False),
        ("aws_xny", "aws_x.y", False),
        ("aws_x.y", "aws_x.yz", False),
        ("", "aws_x.y", False),
    ],
)
def test_a_pattern_means_itself_but_for_the_star(pattern, address, expected):
    assert plans.matches(address, pattern) is expected


def test_a_refusal_names_address_reason_and_how_to_allow_it(planned):
    text = plans.refusal([planned[NAT]])
    assert f"{NAT} would be replaced, because allocation_id cannot be changed in place" in text
    assert '{"infra_allow_destroy": ["aws_nat_gateway.main[0]"]}' in text and "Nothing was changed" in text


def test_the_refusals_permission_really_allows_it(planned):
    text = plans.refusal([planned[NAT]])
    named = json.loads(text[text.index("-e '") + 4 : text.rindex("'")])["infra_allow_destroy"]
    assert plans.refused(planned.values(), named) == []


def test_the_refusals_command_is_one_argument_to_a_shell_whatever_the_address_holds():
    (change,) = only(resource(["delete"], before={"id": "a"}, address="""aws_x.y["it's $(id) `id`"]"""))
    command = plans.refusal([change]).rpartition("infra.yml: ")[2]
    assert shlex.split(command) == ["-e", json.dumps({"infra_allow_destroy": [change["address"]]})]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("delete_because_no_resource_config", "no longer has it"),
        ("delete_because_count_index", "count fell"),
        ("delete_because_each_key", "for_each"),
        ("replace_because_tainted", "tainted"),
        ("something_new", ""),
    ],
)
def test_terraforms_reasons_become_words(reason, words):
    (change,) = only(resource(["delete"], before={"id": "a"}, action_reason=reason))
    assert words in change["reason"] and (words or change["reason"] == "")


def test_a_destroyed_object_is_refused_in_either_order_of_a_replacement():
    for actions in (["delete"], ["delete", "create"], ["create", "delete"]):
        (change,) = only(resource(actions, before={"id": "a"}, after={}))
        assert change["destroys"], actions


def test_what_was_made_by_half_may_be_made_anew_where_that_is_named_and_nothing_else_of_it():
    def changes(reason, address=NAT):
        return only(resource(["delete", "create"], before={"id": "a"}, after={}, address=address, action_reason=reason))

    tainted, asked, database = changes("replace_because_tainted"), changes("replace_by_request"), changes("replace_because_tainted", "aws_db_instance.main")
    assert plans.refused(tainted, [], [NAT]) == []
    assert plans.refused(tainted, []) == tainted
    assert plans.refused(asked, [], [NAT]) == asked
    assert plans.refused(database, [], [NAT]) == database


def test_forgetting_an_object_does_not_destroy_it():
    (change,) = only(resource(["forget"], before={"id": "a"}))
    assert (change["action"], change["destroys"]) == ("forget", False)


def test_what_does_not_change_is_not_listed():
    assert only(resource(["no-op"], before={"a": 1}, after={"a": 1})) == []


def test_an_import_without_a_change_is_listed():
    (change,) = only(resource(["no-op"], before={"a": 1}, after={"a": 1}, importing={"id": "x"}))
    assert change["action"] == "import" and plans.counts([change])["imported"] == 1


def test_an_import_with_a_change_counts_as_both():
    (change,) = only(resource(["update"], before={"a": 1}, after={"a": 2}, importing={"id": "x"}))
    assert change["action"] == "import and update"
    assert (plans.counts([change])["imported"], plans.counts([change])["updated"]) == (1, 1)


def test_a_move_is_listed():
    (change,) = only(resource(["no-op"], before={"a": 1}, after={"a": 1}, previous_address="aws_x.z"))
    assert change["action"] == "move"


def test_a_sensitive_value_is_masked_on_both_sides():
    (change,) = only(resource(["update"], {"key": "old"}, {"key": "new"}, before_sensitive={"key": True}, after_sensitive={"key": True}))
    assert change["attributes"] == [{"name": "key", "before": "(sensitive)", "after": "(sensitive)"}]


def test_a_value_that_becomes_sensitive_does_not_show_the_old_one():
    (change,) = only(resource(["update"], {"key": "old"}, {"key": "new"}, after_sensitive={"key": True}))
    assert "old" not in json.dumps(change["attributes"])


def test_a_sensitive_value_that_is_not_known_yet_reads_sensitive():
    (change,) = only(resource(["update"], {"key": "old"}, {}, after_unknown={"key": True}, before_sensitive={"key": True}))
    assert change["attributes"] == [{"name": "key", "before": "(sensitive)", "after": "(sensitive)"}]


def test_secrets_that_a_provider_forgot_to_mark_are_masked_too():
    found = only(
        resource(["update"], {"value": "old"}, {"value": "new"}, address="aws_ssm_parameter.a"),
        resource(["update"], {"auth_token": "old"}, {"auth_token": "new"}, address="aws_x.b"),
        resource(["create"], None, {"result": "new", "length": 32}, address="random_password.c"),
    )
    text = json.dumps([found, plans.diff(found)])
    assert "old" not in text and "new" not in text and "32" in text


def test_a_nested_attribute_is_named_by_its_path():
    (change,) = only(resource(["update"], {"setting": [{"name": "a", "value": "1"}]}, {"setting": [{"name": "a", "value": "2"}]}))
    assert change["attributes"] == [{"name": "setting[0].value", "before": "1", "after": "2"}]


def test_a_document_shows_what_differs_by_name_only():
    before, after = json.dumps([{"environment": [{"value": "hush"}], "cpu": 1}]), json.dumps([{"environment": [{"value": "quiet"}], "cpu": 1}])
    (change,) = only(resource(["update"], {"container_definitions": before}, {"container_definitions": after}))
    assert change["attributes"] == [{"name": "container_definitions[0].environment[0].value", "before": "(value hidden)", "after": "(value hidden)"}]


def test_the_same_document_spelled_otherwise_is_no_difference():
    (change,) = only(resource(["update"], {"policy": '{"a": 1}', "x": 1}, {"policy": '{"a":1}', "x": 2}))
    assert [attribute["name"] for attribute in change["attributes"]] == ["x"]


def test_a_long_value_is_cut():
    (change,) = only(resource(["update"], {"x": ""}, {"x": "y" * 5000}))
    assert len(change["attributes"][0]["after"]) < 300


def test_outputs_leave_out_what_is_sensitive_or_unknown():
    outputs = {"a": {"value": 1, "sensitive": False}, "b": {"value": 2, "sensitive": True}, "c": {"sensitive": False}, "d": {"value": None}}
    assert plans.known_outputs(outputs) == {"a": 1, "d": None}
    assert plans.known_outputs(None) == {}


def test_only_outputs_that_change_are_named(recorded):
    assert plans.changed_outputs(recorded) == []
    recorded["output_changes"]["gates"]["actions"] = ["update"]
    assert plans.changed_outputs(recorded) == ["gates"]


def test_counts_take_a_replacement_as_one(planned):
    assert plans.counts(planned.values()) == {"created": 0, "updated": 4, "replaced": 2, "destroyed": 0, "imported": 0}


def test_a_line_says_what_changes_in_place(planned):
    assert plans.describe(planned[TEMPLATE]) == f"-/+ {TEMPLATE} (memory)"
    assert plans.describe(planned["aws_route.private_nat[0]"]) == "~ aws_route.private_nat[0] (nat_gateway_id)"


def test_a_diff_has_both_sides_of_each_change(planned):
    (entry,) = plans.diff([planned[TEMPLATE]])
    assert "memory: 512" in entry["before"] and "memory: 1024" in entry["after"]
    assert "known after apply" not in entry["after"]


def test_a_created_object_has_no_before_and_a_destroyed_one_no_after():
    created, destroyed = plans.diff(only(resource(["create"], None, {"a": 1}), resource(["delete"], {"a": 1}, None)))
    assert created["before"] == "" and "a: 1" in created["after"]
    assert destroyed["after"] == "" and "a: 1" in destroyed["before"]


def drifted(*resources, outside=()):
    """outside: what Terraform found changed when it refreshed its state."""
    return plans.drift(plans.changes({"resource_changes": list(resources), "resource_drift": list(outside)}))


def test_drift_names_resource_attribute_and_who_changed_it():
    change = resource(["update"], {"days": 1, "name": ""}, {"days": 7, "name": "a"})
    # A status changes by itself, which makes nobody the one who changed the rest.
    found = drifted(change, outside=[resource(["update"], {"days": 7, "status": "busy"}, {"days": 1, "status": "ready"})])
    assert found == [
        "aws_x.y: days is 1, the configuration says 7 (changed outside of Terraform)",
        "aws_x.y: name is nothing, the configuration says a (the configuration changed)",
    ]
    assert drifted(change)[0] == "aws_x.y: days is 1, the configuration says 7 (the configuration changed)"


def test_what_was_deleted_is_drift_and_what_is_new_is_not():
    gone = [resource(["delete"], {"a": 1}, None)]
    assert drifted(resource(["create"], None, {"a": 1}), outside=gone) == ["aws_x.y is gone: it was deleted outside of Terraform"]
    assert drifted(resource(["create"], None, {"a": 1})) == ["aws_x.y is not there: the configuration has it, and no apply made it yet"]
    assert drifted(resource(["delete"], {"a": 1}, None)) == ["aws_x.y is there, and the configuration does not have it"]
    assert drifted(resource(["no-op"], {"a": 1}, {"a": 1}), outside=gone) == []


def test_drift_of_a_secret_is_told_and_not_shown():
    lines = drifted(resource(["update"], {"password": "old-s3cret"}, {"password": "new-s3cret"}, after_sensitive={"password": True}))
    assert lines == ["aws_x.y: password differs from the configuration (the configuration changed)"]
