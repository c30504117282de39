"""What the real provider refuses while validating or planning, before any call to AWS."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

from .schema import Block
from .values import Unknown

Problem = tuple[list, str, str]


class Invalid(ValueError):
    pass


def check(rule: Any, value: Any) -> None:
    """`rule` as schema/marks.toml writes it."""
    if isinstance(rule, str):
        NAMED[rule](value)
    elif isinstance(rule, list):
        if value not in rule:
            raise Invalid(f"expected one of {', '.join(map(str, rule))}, got {value!r}")
    elif "pattern" in rule:
        if not re.fullmatch(rule["pattern"], value):
            raise Invalid(f"{rule['meaning']}, got {value!r}")
    elif not rule["min"] <= float(value) <= rule["max"]:
        raise Invalid(f"expected a value from {rule['min']} to {rule['max']}, got {value}")


def cidr(value: str) -> None:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise Invalid(f"{value!r} is not a valid CIDR block: {error}") from None


def policy(value: str) -> None:
    if not isinstance(_parsed(value), dict):
        raise Invalid("an IAM policy is a JSON object")


def containers(value: str) -> None:
    parsed = _parsed(value)
    if not isinstance(parsed, list) or not all(isinstance(one, dict) and one.get("name") for one in parsed):
        raise Invalid("container definitions are a list of objects, each with a name")


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError as error:
        raise Invalid(f"contains an invalid JSON document: {error}") from None


def ip_protocol(value: str) -> None:
    known = ("-1", "tcp", "udp", "icmp", "icmpv6")
    if value not in known and not (value.isdigit() and int(value) <= 255):
        raise Invalid(f"expected one of {', '.join(known)} or a protocol number, got {value!r}")


def window(value: str) -> None:
    """03:00-04:00, or Sun:03:00-Sun:04:00 for maintenance."""
    day = r"((mon|tue|wed|thu|fri|sat|sun):)?"
    clock = r"([01]\d|2[0-3]):[0-5]\d"
    if not re.fullmatch(rf"{day}{clock}-{day}{clock}", value.lower()):
        raise Invalid(f"must be hh:mm-hh:mm or ddd:hh:mm-ddd:hh:mm, got {value!r}")


NAMED = {function.__name__: function for function in (cidr, policy, containers, ip_protocol, window)}


def check_block(block: Block, config: dict, path: tuple = ()) -> list[Problem]:
    problems: list[Problem] = []
    for name, attr in block.attrs.items():
        value, where = config.get(name), [*path, name]
        if value is None:
            continue
        if not attr.settable:
            problems.append(
                (
                    where,
                    "Value for unconfigurable attribute",
                    f'Can\'t configure a value for "{name}": its value will be decided automatically based on the result of applying this configuration.',
                )
            )
        elif attr.check and value is not Unknown:
            try:
                for item in value if isinstance(value, list) else [value]:
                    if item is not Unknown and item is not None and item != "":
                        check(attr.check, item)
            except Invalid as error:
                problems.append((where, f'Invalid value for "{name}"', str(error)))
    for name, nested in block.blocks.items():
        value = config.get(name)
        items = [value] if nested.nesting == "single" else value
        for index, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, dict):
                step = [name] if nested.nesting in ("single", "set") else [name, (index,)]
                problems += check_block(nested.block, item, (*path, *step))
    return problems


def conflicts(config: dict, *groups: tuple[str, ...]) -> list[Problem]:
    """ConflictsWith: at most one of each group."""
    problems: list[Problem] = []
    for group in groups:
        given = [name for name in group if config.get(name) not in (None, [])]
        if len(given) > 1:
            problems.append(([given[0]], "Conflicting configuration arguments", f'"{given[0]}": conflicts with {", ".join(given[1:])}'))
    return problems


def exactly_one(config: dict, *groups: tuple[str, ...]) -> list[Problem]:
    problems: list[Problem] = []
    for group in groups:
        given = [name for name in group if config.get(name) is not None]
        if len(given) != 1:
            detail = f"Exactly one of these arguments must be set: {', '.join(group)}; found {len(given)}."
            problems.append((given[:1], "Invalid combination of arguments", detail))
    return problems
