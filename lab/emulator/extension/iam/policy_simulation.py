"""SimulatePrincipalPolicy judges each resource, with the context that it was given.

MiniStack judges the first resource only, ignores ContextEntries and permissions boundaries, and takes a role that is not there for one
without policies.
"""

from __future__ import annotations

import itertools
from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam

from ..common.patching import replace

DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny"}


def members(params: dict[str, Any], name: str) -> list[str]:
    """Values of <name>.member.1, .2, ... of a query request."""
    found: list[str] = []
    while value := params.get(f"{name}.member.{len(found) + 1}"):
        found.append(value[0] if isinstance(value, list) else value)
    return found


def context_of(params: dict[str, Any]) -> dict[str, list[str]]:
    """{key in lower case: values} of ContextEntries."""
    context: dict[str, list[str]] = {}
    for number in itertools.count(1):
        entry = f"ContextEntries.member.{number}"
        key = params.get(f"{entry}.ContextKeyName")
        if not key:
            break
        context[(key[0] if isinstance(key, list) else key).lower()] = members(params, f"{entry}.ContextKeyValues")
    return context


def results(params: dict[str, Any], decide: Any) -> str:
    """An EvaluationResults member for each action on each resource."""
    return "".join(
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalDecision>{DECISIONS.get(decide(action, resource), 'implicitDeny')}</EvalDecision>"
        "<MatchedStatements></MatchedStatements><MissingContextValues></MissingContextValues></member>"
        for action in members(params, "ActionNames")
        for resource in members(params, "ResourceArns") or ["*"]
    )


def apply() -> None:
    replace(iam, "_simulate_principal_policy", _each_resource)


def _each_resource(simulate: Any) -> Any:
    def simulate_each(params: dict[str, Any]) -> Any:
        arn = iam._p(params, "PolicySourceArn")
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if kind != "role":
            return simulate(params)
        name, account, context = name.rpartition("/")[2], get_account_id(), context_of(params)
        if iam._roles.get_scoped(account, None, name) is None:
            return iam._error(404, "NoSuchEntity", f"The role with name {name} cannot be found.", ns="iam")
        policies = iam_evaluator._gather_role_policies(name, account)
        limits = iam_evaluator._permissions_boundary(iam._roles, name, account)

        def decide(action: str, resource: str) -> str:
            values = {key: entry[0] if len(entry) == 1 else entry for key, entry in context.items()}
            request = iam_evaluator.EvalContext(arn, "AssumedRole", account, action, resource, get_region(), service_context=values)
            return iam_evaluator.evaluate(request, policies, *limits).decision

        answer = f"<EvaluationResults>{results(params, decide)}</EvaluationResults><IsTruncated>false</IsTruncated>"
        return iam._xml(
            200,
            "SimulatePrincipalPolicyResponse",
            f"<SimulatePrincipalPolicyResult>{answer}</SimulatePrincipalPolicyResult>",
            ns="iam",
        )

    return simulate_each
