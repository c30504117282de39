"""What a plan holds and nobody is shown: each kind of change times each place in which it could be told."""

import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.terraform import errors as terraform_errors, plan as plans

OLD, NEW = "hush-old-4711", "hush-new-0815"
TASK = 'aws_ecs_task_definition.template["api"]'
MARKED = {"secret_thing": True}


def containers(value, *more):
    """A container definition as Terraform holds it: JSON in a string."""
    environment = [{"name": "LOG_LEVEL", "value": value}, *({"name": name, "value": value} for name in more)]
    secrets = [{"name": "DATABASE_URL", "valueFrom": f"arn:aws:ssm:us-east-1:1:parameter/{value}"}]
    return json.dumps([{"name": "api", "cpu": 0, "environment": environment, "secrets": secrets}])


# Where a value can be: (type, attributes with it, marks of Terraform's as sensitive).
HELD = {
    "container": ("aws_ecs_task_definition", lambda value: {"container_definitions": containers(value)}, {}),
    "container, indented": ("aws_ecs_task_definition", lambda value: {"container_definitions": "\n  " + containers(value)}, {}),
    "container, other names": ("aws_ecs_task_definition", lambda value: {"container_definitions": containers(value, f"ONLY_{value[5:8].upper()}")}, {}),
    "function's environment": ("aws_lambda_function", lambda value: {"environment": [{"variables": {"LOG_LEVEL": value}}]}, {}),
    "build's environment": ("aws_codebuild_project", lambda value: {"environment_variable": [{"name": "LOG_LEVEL", "value": value}]}, {}),
    "document": ("aws_s3_object", lambda value: {"content": json.dumps({"some": {"key": value}})}, {}),
    "document beside none": ("aws_s3_object", lambda value: {"content": json.dumps({"key": value}) if value == NEW else f"plain {value[:4]}"}, {}),
    "start script": ("aws_launch_template", lambda value: {"user_data": f"#!/bin/sh\nexport LOG_LEVEL={value}"}, {}),
    "marked": ("aws_x", lambda value: {"secret_thing": value}, MARKED),
    "marked inside": ("aws_x", lambda value: {"block": [{"secret_thing": value, "size": 1}]}, {"block": [MARKED]}),
    "marked there, shown here": ("aws_x", lambda value: {"secret_thing": value, "described": f"made with {value}"}, MARKED),
    "password": ("aws_x", lambda value: {"admin_password": value}, {}),
    "password in a URL": ("aws_x", lambda value: {"address": f"redis://user:{value}@host/0"}, {}),
}
ACTIONS = {
    "create": (["create"], False, True, False),
    "create, unknown": (["create"], False, True, True),
    "update": (["update"], True, True, False),
    "update, unknown": (["update"], True, True, True),
    "replace": (["delete", "create"], True, True, False),
    "replace, unknown": (["create", "delete"], True, True, True),
    "destroy": (["delete"], True, False, False),
    "read": (["read"], False, True, False),
    "forget": (["forget"], True, False, False),
    "import and update": (["update"], True, True, False),
}


def plan_of(held, action):
    kind, attributes, marks = HELD[held]
    actions, has_before, has_after, unknown = ACTIONS[action]
    before = {**attributes(OLD), "size": 1} if has_before else None
    after = {**attributes(NEW), "size": 2} if has_after else None
    unknowns = {"arn": True}
    if unknown:
        # Terraform leaves out of `after` what it does not know yet.
        after, unknowns = {"size": 2}, {"arn": True, **dict.fromkeys(attributes(NEW), True)}
    change = {"actions": actions, "before": before, "after": after, "after_unknown": unknowns if has_after else {}}
    change |= {"before_sensitive": marks if has_before else False, "after_sensitive": marks if has_after else False}
    if "import" in action:
        change["importing"] = {"id": "x"}
    resource = {"address": f"{kind}.one", "type": kind, "change": change}
    # What somebody changed outside of Terraform holds the same values.
    return {"resource_changes": [resource], "resource_drift": [resource]}


def everything(plan):
    """All that is ever told of a plan, by the places that tell it."""
    changes = plans.changes(plan)
    return {
        "changes": changes,
        "lines": [plans.describe(change) for change in changes],
        "drift": plans.drift(changes),
        "diff": plans.diff(changes),
        "refusal": plans.refusal(changes),
        "refused": plans.refused(changes, []),
    }


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("held", HELD)
def test_no_place_shows_it_whatever_is_done(held, action):
    for place, shown in everything(plan_of(held, action)).items():
        text = json.dumps(shown)
        assert OLD not in text and NEW not in text, place


@pytest.mark.parametrize("action", [action for action in ACTIONS if "unknown" not in action])
def test_names_stay_visible_and_an_environment_variable_is_found_by_its_own(action):
    (change,) = plans.changes(plan_of("container", action))
    named = {attribute["name"]: attribute for attribute in change["attributes"]}
    told = named["container_definitions[api].environment[LOG_LEVEL].value"]
    assert "container_definitions[api].secrets[DATABASE_URL].valueFrom" in named
    _actions, before, after, _unknown = ACTIONS[action]
    assert (told["before"], told["after"]) == ("(value hidden)" if before else None, "(value hidden)" if after else None)
    assert {"name": "size", "before": 1 if before else None, "after": 2 if after else None} in change["attributes"]


def test_a_variable_that_comes_and_one_that_goes_are_named_and_the_others_are_not():
    (change,) = plans.changes(plan_of("container, other names", "update"))
    told = {attribute["name"]: (attribute["before"], attribute["after"]) for attribute in change["attributes"]}
    assert told["container_definitions[api].environment[ONLY_OLD].value"] == ("(value hidden)", None)
    assert told["container_definitions[api].environment[ONLY_NEW].value"] == (None, "(value hidden)")
    assert "container_definitions[api].cpu" not in told


def test_what_is_not_known_yet_says_so_and_hides_what_was():
    (change,) = plans.changes(plan_of("container", "update, unknown"))
    assert {"name": "container_definitions", "before": "(value hidden)", "after": "(known after apply)"} in change["attributes"]


@pytest.mark.parametrize("held", ["container", "marked", "password"])
def test_a_diff_and_the_drift_say_that_a_hidden_value_changed(held):
    """The two sides of a diff read alike otherwise, and Ansible shows nothing of lines that do."""
    changes = plans.changes({**plan_of(held, "update"), "resource_drift": []})
    (entry,) = plans.diff(changes)
    before, after = set(entry["before"].splitlines()), set(entry["after"].splitlines())
    assert any(line.endswith(", changed") for line in after - before), entry
    assert any("differs from the configuration" in line for line in plans.drift(changes))


def test_values_of_sensitive_variables_are_in_nothing_that_is_shown():
    plan = {
        "variables": {"licence": {"value": NEW}, "stage": {"value": "production"}, "api_password": {"value": OLD}},
        "configuration": {"root_module": {"variables": {"licence": {"sensitive": True}, "stage": {}, "api_password": {}}}},
        "resource_changes": [
            {
                **{"address": "aws_x.one", "type": "aws_x"},
                "change": {"actions": ["create"], "before": None, "after": {"text": f"with {NEW}", "other": OLD, "stage": "production"}},
            }
        ],
    }
    (change,) = plans.changes(plan)
    text = json.dumps(everything(plan))
    assert NEW not in text and OLD not in text
    assert {"name": "stage", "before": None, "after": "production"} in change["attributes"]


def test_terraforms_own_words_about_a_document_are_without_it():
    """'Provider produced inconsistent final plan' quotes both values of the attribute."""
    detail = (
        "When expanding the plan for aws_ecs_task_definition.template to include new values learned so far during apply, provider produced an invalid "
        f"new value for .container_definitions: was cty.StringVal({json.dumps(containers(OLD))}), but now cty.StringVal({json.dumps(containers(NEW))})."
    )
    told = terraform_errors.condense({"severity": "error", "summary": "Provider produced inconsistent final plan", "detail": detail, "address": TASK})
    assert OLD not in told and NEW not in told
    assert ".container_definitions" in told and "(value hidden)" in told
