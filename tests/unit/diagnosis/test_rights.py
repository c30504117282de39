"""What an execution role may do of what the next task needs, from IAM's answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.diagnosis import rights
from fakes import Pages

ROLE = "arn:aws:iam::123456789012:role/a-execution"
DEFINITION = {
    "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/a-api:2",
    "containerDefinitions": [
        {
            "name": "api",
            "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a-api:x",
            "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/a/prod/TOKEN"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/a-api", "awslogs-region": "us-east-1"}},
        }
    ],
}
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
ALL = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
NO_SECRETS = {"Statement": [{"Effect": "Allow", "Action": ["ecr:*", "logs:*"], "Resource": "*"}]}


class Iam(Pages):
    def __init__(self, policy: dict[str, Any] | None, trust: dict[str, Any] = TRUST, *, simulates: bool = False):
        self.policy, self.trust, self.simulates = policy, trust, simulates

    def client(self, service: str) -> None:
        return None

    def __call__(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
        if operation == "get_role":
            if self.policy is None:
                raise failure("Could not", "NoSuchEntity")
            return {"Role": {"AssumeRolePolicyDocument": self.trust}}
        if operation == "simulate_principal_policy":
            if not self.simulates:
                raise failure("Could not: AccessDenied", "AccessDenied")
            answers = [(action, resource) for action in arguments["ActionNames"] for resource in arguments["ResourceArns"]]
            return {"EvaluationResults": [{"EvalActionName": a, "EvalResourceName": r, "EvalDecision": "implicitDeny"} for a, r in answers]}
        return {
            "describe_parameters": {"Parameters": []},
            "list_role_policies": {"PolicyNames": ["execution"]},
            "get_role_policy": {"PolicyDocument": self.policy},
            "list_attached_role_policies": {"AttachedPolicies": []},
        }[operation]


def refused(iam: Iam) -> dict[str, list[str]]:
    return {entry.purpose: entry.refused for entry in rights.of_role(iam, ROLE, [DEFINITION], ["a-api"])}


def test_a_role_that_may_do_all_is_refused_nothing():
    assert refused(Iam(ALL)) == {"assume": [], "pull": [], "secrets": [], "logs": []}


def test_without_the_simulation_the_policies_tell():
    found = refused(Iam(NO_SECRETS))
    assert found["secrets"] == ["ssm:GetParameters on arn:aws:ssm:us-east-1:123456789012:parameter/a/prod/TOKEN"]
    assert found["pull"] == found["logs"] == []


def test_the_simulation_counts_where_it_is_allowed():
    assert all(refused(Iam(ALL, simulates=True))[purpose] for purpose in ("pull", "secrets", "logs"))


def test_a_role_that_is_not_there_cannot_be_assumed():
    assert refused(Iam(None)) == {"assume": ["be assumed: it does not exist"]}


def test_a_trust_policy_without_ecs():
    assert refused(Iam(ALL, {"Statement": []}))["assume"] == ["be assumed by ecs-tasks.amazonaws.com: its trust policy does not allow it"]


def test_a_permissions_boundary_leaves_it_open():
    class Bounded(Iam):
        def __call__(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
            answer = super().__call__(service, operation, doing, **arguments)
            return {"Role": {**answer["Role"], "PermissionsBoundary": {"PermissionsBoundaryArn": "b"}}} if operation == "get_role" else answer

    found = rights.of_role(Bounded(ALL), ROLE, [DEFINITION], ["a-api"])
    assert not any(entry.refused for entry in found) and any(entry.undetermined for entry in found)


def test_what_cannot_be_read_at_all_is_a_failure_of_the_part():
    class Denied(Iam):
        def __call__(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
            if operation == "list_role_policies":
                raise failure("Could not: AccessDenied", "AccessDenied")
            return super().__call__(service, operation, doing, **arguments)

    with pytest.raises(CallFailed):
        rights.of_role(Denied(ALL), ROLE, [DEFINITION], ["a-api"])
