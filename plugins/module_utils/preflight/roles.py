# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What IAM and KMS say of the roles of a release, and of the keys that its secrets are encrypted with: one function for one fact."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.ecs.references import role_name
from ansible_collections.atena.aws.plugins.module_utils.preflight.access import OWN_KEY, simulated


def keys(call: Aws, names: list[str]) -> dict[str, str]:
    """{parameter: ARN of its key} of those that are encrypted with a key of their own. At most fifty names."""
    filters = [{"Key": "Name", "Option": "Equals", "Values": names}]
    described = call.pages("ssm", "describe_parameters", "read which keys encrypt the parameters", "Parameters", ParameterFilters=filters)
    own = {item["Name"]: item["KeyId"] for item in described if item.get("KeyId") and item["KeyId"] != OWN_KEY}
    arns = {key: call("kms", "describe_key", f"read the key {key}", KeyId=key)["KeyMetadata"]["Arn"] for key in sorted(set(own.values()))}
    return {name: arns[key] for name, key in own.items()}


def role(call: Call, arn: str) -> dict[str, Any]:
    """{"trust": document, "bounded": whether a permissions boundary is set} or {"missing": True}."""
    found = absent_as(None, "Entity", lambda: call("iam", "get_role", f"read the role {arn}", RoleName=role_name(arn))["Role"])
    return {"trust": found["AssumeRolePolicyDocument"], "bounded": bool(found.get("PermissionsBoundary"))} if found else {"missing": True}


def simulation(call: Aws, arn: str, need: dict) -> list[dict[str, Any]] | None:
    """What IAM itself decides about a need (preflight.access.simulated); None where its answer leaves some of it out."""
    context = [{"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"} for key, value in need["context"].items()]
    arguments = {"PolicySourceArn": arn, "ActionNames": need["actions"], "ResourceArns": need["resources"], "ContextEntries": context}
    doing = f"simulate what the role {role_name(arn)} may do"
    answers = call.pages("iam", "simulate_principal_policy", doing, "EvaluationResults", **arguments)
    return simulated(answers, need)


def policies(call: Aws, arn: str) -> dict[str, Any]:
    """{"documents": [..], "bounded"}: all policies of a role, inline and attached."""
    name = role_name(arn)
    documents = []
    doing = f"list the policies of the role {name}"
    for policy in call.pages("iam", "list_role_policies", doing, "PolicyNames", RoleName=name):
        doing = f"read the policy {policy} of the role {name}"
        documents.append(call("iam", "get_role_policy", doing, RoleName=name, PolicyName=policy)["PolicyDocument"])
    doing = f"list the policies attached to the role {name}"
    for policy in call.pages("iam", "list_attached_role_policies", doing, "AttachedPolicies", RoleName=name):
        doing = f"read the policy {policy['PolicyArn']}"
        version = call("iam", "get_policy", doing, PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
        documents.append(call("iam", "get_policy_version", doing, PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]["Document"])
    return {"documents": documents, "bounded": role(call, arn).get("bounded", False)}
