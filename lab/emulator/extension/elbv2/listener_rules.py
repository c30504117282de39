"""A listener's rules are checked, route as AWS's do, and count as a load balancer of their target groups.

MiniStack takes two listeners on one port and two rules of one priority, rules without conditions, with more values than a rule may have, or for target
groups that do not exist; a target group to which only a rule forwards has no load balancer; host names are compared with their case, and paths as a
shell's patterns, in which brackets mean something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ministack.services import alb

from ..common.patching import replace
from .listeners import action_targets

PRIORITIES = range(1, 50_001)
MOST_VALUES = 5
MOST_LETTERS = 128
FIELDS = ("host-header", "path-pattern")
Problem = tuple[str, str]
Values = dict[str, Any]


def matches(pattern: str, value: str, ignore_case: bool = False) -> bool:
    """`*` stands for any text, `?` for one character; nothing else means anything."""
    expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(expression, value, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def condition_problem(conditions: list[Values]) -> Problem | None:
    values = [value for condition in conditions for value in condition.get("Values", [])]
    if not conditions:
        return "ValidationError", "A rule must have a condition"
    for field in FIELDS:
        if len([condition for condition in conditions if condition["Field"] == field]) > 1:
            return "ValidationError", f"A rule can have only one '{field}' condition"
    if any(condition["Field"] in FIELDS and not condition["Values"] for condition in conditions):
        return "ValidationError", "A condition must have a value"
    if len(values) > MOST_VALUES:
        return "ValidationError", f"A rule can only have '{MOST_VALUES}' condition values"
    long = next((value for value in values if len(value) > MOST_LETTERS), None)
    return ("ValidationError", f"The condition value '{long}' is longer than {MOST_LETTERS} characters") if long else None


def priority_problem(priority: str, listener: str, rules: Iterable[Values], own: str = "") -> Problem | None:
    if not priority.isdigit() or int(priority) not in PRIORITIES:
        return "ValidationError", f"Rule priority must be between {PRIORITIES.start} and {PRIORITIES.stop - 1}"
    for rule in rules:
        if rule["ListenerArn"] == listener and rule["RuleArn"] != own and rule["Priority"] == priority:
            return "PriorityInUse", f"Priority '{priority}' is currently in use"
    return None


def group_problem(actions: list[Values], known: Any) -> Problem | None:
    missing = sorted(arn for arn in action_targets(actions) if arn not in known)
    return ("TargetGroupNotFound", f"Target groups '{missing[0]}' not found") if missing else None


def port_problem(balancer: str, port: int, listeners: Iterable[Values], own: str = "") -> Problem | None:
    for listener in listeners:
        if listener["LoadBalancerArn"] == balancer and listener["Port"] == port and listener["ListenerArn"] != own:
            return "DuplicateListener", f"A listener already exists on this port for this load balancer '{balancer}'"
    return None


def apply() -> None:
    replace(alb, "_match_condition", _as_aws_matches)
    replace(alb, "_create_rule", lambda act: _checked(act, _create_problem))
    replace(alb, "_modify_rule", lambda act: _checked(act, _modify_problem))
    replace(alb, "_set_rule_priorities", lambda act: _checked(act, _priorities_problem))
    replace(alb, "_create_listener", lambda act: _checked(act, _listener_problem))
    for name in ("_modify_listener", "_delete_listener", "_delete_rule"):
        replace(alb, name, lambda act: _checked(act, lambda params: None))


def _checked(act: Any, problem_of: Any) -> Any:
    def act_if_right(params: Values) -> Any:
        problem = problem_of(params)
        if problem:
            return alb._error(*problem)
        answer = act(params)
        _count_balancers()
        return answer

    return act_if_right


def _count_balancers() -> None:
    """Every target group names the load balancers that a listener or a rule of theirs forwards to it from."""
    forwarding = [(listener["LoadBalancerArn"], listener.get("DefaultActions") or []) for listener in alb._listeners.values()]
    for rule in alb._rules.values():
        listener = alb._listeners.get(rule["ListenerArn"])
        if listener:
            forwarding.append((listener["LoadBalancerArn"], rule.get("Actions") or []))
    for arn, group in alb._tgs.items():
        group["LoadBalancerArns"] = sorted({balancer for balancer, actions in forwarding if arn in action_targets(actions)})


def _create_problem(params: Values) -> Problem | None:
    listener, rules = alb._p(params, "ListenerArn"), list(alb._rules.values())
    return (
        priority_problem(alb._p(params, "Priority"), listener, rules)
        or condition_problem(alb._parse_conditions(params))
        or group_problem(alb._parse_actions(params, "Actions"), alb._tgs)
    )


def _modify_problem(params: Values) -> Problem | None:
    conditions = alb._parse_conditions(params)
    wrong = condition_problem(conditions) if conditions else None
    return wrong or group_problem(alb._parse_actions(params, "Actions"), alb._tgs)


def _priorities_problem(params: Values) -> Problem | None:
    number = 1
    while arn := alb._p(params, f"RulePriorities.member.{number}.RuleArn"):
        rule = alb._rules.get(arn)
        if rule is None:
            return "RuleNotFound", f"One or more rules not found: {arn}"
        wrong = priority_problem(alb._p(params, f"RulePriorities.member.{number}.Priority"), rule["ListenerArn"], list(alb._rules.values()), arn)
        if wrong:
            return wrong
        number += 1
    return None


def _listener_problem(params: Values) -> Problem | None:
    return port_problem(alb._p(params, "LoadBalancerArn"), int(alb._p(params, "Port", "80") or 80), list(alb._listeners.values()))


def _as_aws_matches(match: Any) -> Any:
    def matched(condition: Values, method: str, path: str, headers: dict[str, str], query: Any) -> bool:
        values = condition.get("Values", [])
        if condition.get("Field") == "host-header":
            host = headers.get("host", "").partition(":")[0]
            return any(matches(value, host, ignore_case=True) for value in values)
        if condition.get("Field") == "path-pattern":
            return any(matches(value, path) for value in values)
        return match(condition, method, path, headers, query)

    return matched
