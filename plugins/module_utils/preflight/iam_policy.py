# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What IAM policy documents allow, as far as it can be told from them. What depends on something unknown is 'unknown', never 'allowed'.

IAM's own simulation is better and is asked first; this judges trust policies, which it does not take, and what a caller without
`iam:SimulatePrincipalPolicy` can still read. Logic: 'Policy evaluation logic' and 'Condition operators' in the IAM user guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

ALLOWED, DENIED, UNKNOWN = "allowed", "denied", "unknown"

# Operators we know: (how one value is compared, whether the condition is negated).
_OPERATORS = {
    "stringequals": ("equals", False),
    "stringnotequals": ("equals", True),
    "stringequalsignorecase": ("folded", False),
    "stringnotequalsignorecase": ("folded", True),
    "stringlike": ("like", False),
    "stringnotlike": ("like", True),
    "arnequals": ("like", False),
    "arnlike": ("like", False),
    "arnnotequals": ("like", True),
    "arnnotlike": ("like", True),
    "bool": ("folded", False),
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def like(pattern: str, text: str, fold: bool = False) -> bool:
    """IAM's wildcards: * is anything, ? one character."""
    expression = "".join(".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern)
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL if fold else re.DOTALL) is not None


_COMPARE = {
    "equals": lambda pattern, text: pattern == text,
    "folded": lambda pattern, text: pattern.lower() == text.lower(),
    "like": like,
}


def _condition(operator: str, key: str, expected: object, context: dict) -> bool | None:
    """Whether one condition holds; None where its operator or the key's value is not known here."""
    compare, negated = _OPERATORS.get(operator.lower().removesuffix("ifexists"), (None, False))
    value = context.get(key.lower())
    if compare is None or value is None:
        return None
    patterns = [str(item) for item in _listed(expected)]
    if any("${" in pattern for pattern in patterns):
        return None
    return any(_COMPARE[compare](pattern, value) for pattern in patterns) != negated


def _all_of(answers: Iterable[bool | None]) -> bool | None:
    """AND of three values: False wins, then None."""
    answers = list(answers)
    return False if False in answers else None if None in answers else True


def _conditions(statement: dict, context: dict) -> bool | None:
    blocks = statement.get("Condition") or {}
    return _all_of(_condition(operator, key, expected, context) for operator, keys in blocks.items() for key, expected in keys.items())


def _resources(statement: dict, resource: str) -> bool | None:
    for name, wanted in (("Resource", True), ("NotResource", False)):
        if name in statement:
            patterns = _listed(statement[name])
            if any(like(pattern, resource) for pattern in patterns):
                return wanted
            return None if any("${" in pattern for pattern in patterns) else not wanted
    return True


def _actions(statement: dict, action: str) -> bool:
    for name, wanted in (("Action", True), ("NotAction", False)):
        if name in statement:
            return any(like(pattern, action, fold=True) for pattern in _listed(statement[name])) == wanted
    return False


def _verdict(statements: list[dict], matches: Callable[[dict[str, Any]], bool | None]) -> str:
    """An explicit deny wins; what is not allowed is denied; a statement of which nothing can be told decides nothing."""
    answers: dict[str, list[bool | None]] = {"Allow": [], "Deny": []}
    for statement in statements:
        answers[statement.get("Effect", "Deny")].append(matches(statement))
    if True in answers["Deny"]:
        return DENIED
    if True in answers["Allow"]:
        return UNKNOWN if None in answers["Deny"] else ALLOWED
    return UNKNOWN if None in answers["Allow"] else DENIED


def _statements(documents: list[dict]) -> list[dict]:
    return [statement for document in documents for statement in _listed(document.get("Statement") or [])]


def decide(documents: list[dict], action: str, resource: str, context: dict | None = None) -> str:
    """Whether identity policies allow the action on the resource. `context`: condition keys in lower case with their values."""
    known = context or {}
    return _verdict(_statements(documents), lambda item: _all_of([_actions(item, action), _resources(item, resource), _conditions(item, known)]))


def _is_for(statement: dict, service: str) -> bool:
    principal = statement.get("Principal", {})
    if principal == "*":
        return True
    return service in _listed(principal.get("Service", []))


def trusts(document: dict, service: str, contexts: list[dict]) -> str:
    """Whether a role's trust policy lets the service assume it. Where the contexts, all possible ones, disagree: unknown."""

    def answer(context: dict[str, Any]) -> str:
        return _verdict(_statements([document]), lambda item: _all_of([_is_for(item, service), _actions(item, "sts:AssumeRole"), _conditions(item, context)]))

    answers = {answer(context) for context in contexts}
    return answers.pop() if len(answers) == 1 else UNKNOWN
