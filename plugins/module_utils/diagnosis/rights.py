# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what an execution role may do of what the tasks of its services need before a container runs."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, is_fatal
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import Access
from ansible_collections.atena.aws.plugins.module_utils.ecs.references import images_of, parameter_name, secrets_of
from ansible_collections.atena.aws.plugins.module_utils.preflight import access, iam_policy, roles

# Of DescribeParameters' filter.
_NAMES_A_CALL = 50


def of_role(call: Aws, arn: str, definitions: list[dict[str, Any]], services: list[str]) -> list[Access]:
    """Each purpose once. definitions: as described, of the services' revisions. Raises CallFailed where IAM shows neither a simulation nor the policies."""
    scope = access.arn_scope(definitions[0]["taskDefinitionArn"])
    role = roles.role(call, arn)
    if role.get("missing"):
        return [Access(role=arn, purpose="assume", refused=["be assumed: it does not exist"], services=services)]
    trusted = access.assumable(role, scope)
    refused = [f"be assumed by {access.ECS}: its trust policy does not allow it"] if trusted == iam_policy.DENIED else []
    undetermined = ["sts:AssumeRole"] if trusted == iam_policy.UNKNOWN else []
    found = [Access(role=arn, purpose="assume", refused=refused, undetermined=undetermined, services=services)]
    by_purpose: dict[str, Access] = {}
    for need in _needs(call, definitions, scope):
        entry = by_purpose.setdefault(need["purpose"], Access(role=arn, purpose=need["purpose"], services=services))
        for item in _decisions(call, arn, need):
            if item["decision"] != iam_policy.ALLOWED:
                (entry.refused if item["decision"] == iam_policy.DENIED else entry.undetermined).append(f"{item['action']} on {item['resource']}")
    return [*found, *by_purpose.values()]


def _needs(call: Aws, definitions: list[dict[str, Any]], scope: dict[str, Any]) -> list[dict[str, Any]]:
    needs = [need for definition in definitions for need in access.needs_of(definition, images_of(definition), scope)]
    named = {parameter_name(reference, scope["region"]) for definition in definitions for reference in secrets_of(definition)}
    parameters = sorted({name.split(":", 1)[0] for name in named if name})
    for start in range(0, len(parameters), _NAMES_A_CALL):
        keys = roles.keys(call, parameters[start : start + _NAMES_A_CALL])
        needs += [access.decryption(name, key, scope) for name, key in keys.items()]
    return access.merged(needs)


def _decisions(call: Aws, arn: str, need: dict[str, Any]) -> list[dict[str, Any]]:
    """IAM's own simulation; where the caller may not use it or it leaves something out, the policies themselves."""
    try:
        simulated = roles.simulation(call, arn, need)
    except CallFailed as failed:
        if is_fatal(failed):
            raise
        simulated = None
    return simulated if simulated else access.from_policies(roles.policies(call, arn), need)
