"""What roles must be allowed, and how IAM's answers are read."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.preflight import access as preflight_access

SCOPE = {"partition": "aws", "region": "us-east-1", "account": "123456789012"}
NEED = {"purpose": "secrets", "actions": ["ssm:GetParameters"], "resources": ["a", "b"], "context": {}}


def result(resource="a", decision="allowed", action="ssm:GetParameters", **more):
    return {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision, **more}


def decisions(answers):
    found = preflight_access.simulated(answers, NEED)
    return found and [item["decision"] for item in found]


ONE_FOR_ALL = result(
    "*",
    "implicitDeny",
    ResourceSpecificResults=[
        {"EvalResourceName": "a", "EvalResourceDecision": "allowed"},
        {"EvalResourceName": "b", "EvalResourceDecision": "implicitDeny"},
    ],
)
SIMULATIONS = {
    "one result for each": ([result("a"), result("b", "implicitDeny")], ["allowed", "denied"]),
    "one result with the resources in it": ([ONE_FOR_ALL], ["allowed", "denied"]),
    "an explicit deny": ([result("a", "explicitDeny", MissingContextValues=["x"]), result("b")], ["denied", "allowed"]),
    "it depends": ([result("a", "implicitDeny", MissingContextValues=["aws:SourceVpce"]), result("b")], ["unknown", "allowed"]),
    "a resource left out": ([result("a")], None),
    "an action left out": ([result("a", action="x"), result("b")], None),
    "no result": ([], None),
}


@pytest.mark.parametrize(("answers", "expected"), SIMULATIONS.values(), ids=SIMULATIONS)
def test_a_simulation(answers, expected):
    assert decisions(answers) == expected


@pytest.mark.parametrize(("bounded", "expected"), [(False, ["allowed", "denied"]), (True, ["unknown", "denied"])])
def test_a_boundary_that_was_not_read_leaves_an_allowed_action_unknown(bounded, expected):
    policies = {"documents": [{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "a"}}], "bounded": bounded}
    assert [item["decision"] for item in preflight_access.from_policies(policies, NEED)] == expected


DEFINITION = {
    "containerDefinitions": [
        {
            "name": "api",
            "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:latest",
            "secrets": [
                {"name": "A", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/atena/prod/A"},
                {"name": "B", "valueFrom": "B"},
                {"name": "C", "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:C"},
            ],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/api"}},
        },
        {"name": "sidecar", "image": "public.ecr.aws/x/y:1"},
    ]
}


def test_the_needs_of_a_task_definition():
    needs = {tuple(need["actions"])[0]: need["resources"] for need in preflight_access.needs_of(DEFINITION, {}, SCOPE)}
    assert needs == {
        "ecr:GetAuthorizationToken": ["*"],
        "ecr:BatchCheckLayerAvailability": ["arn:aws:ecr:us-east-1:123456789012:repository/api"],
        "ssm:GetParameters": ["arn:aws:ssm:us-east-1:123456789012:parameter/B", "arn:aws:ssm:us-east-1:123456789012:parameter/atena/prod/A"],
        "logs:CreateLogStream": ["arn:aws:logs:us-east-1:123456789012:log-group:/ecs/api:log-stream:preflight"],
    }


def test_the_releases_image_counts_and_not_the_definitions():
    image = "210987654321.dkr.ecr.eu-west-1.amazonaws.com/shared/api@sha256:" + "a" * 64
    needs = preflight_access.needs_of(DEFINITION, {"api": image}, SCOPE)
    assert needs[1]["resources"] == ["arn:aws:ecr:eu-west-1:210987654321:repository/shared/api"]


def test_services_with_one_role_are_one_question():
    other = {**NEED, "resources": ["c"]}
    assert preflight_access.merged([NEED, other]) == [{**NEED, "resources": ["a", "b", "c"]}]
    assert len(preflight_access.merged([NEED, {**NEED, "context": {"x": "y"}}])) == 2


def test_decrypting_is_judged_as_parameter_store_does_it():
    need = preflight_access.decryption("/atena/prod/A", "arn:aws:kms:us-east-1:123456789012:key/1", SCOPE)
    assert need["context"] == {
        "kms:viaservice": "ssm.us-east-1.amazonaws.com",
        "kms:encryptioncontext:parameter_arn": "arn:aws:ssm:us-east-1:123456789012:parameter/atena/prod/A",
    }
