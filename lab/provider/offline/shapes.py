"""Between our values and botocore's shapes: names are matched without case and underscores (cidr_block ~ CidrBlock)."""

from __future__ import annotations

import re
from typing import Any

from .schema import Attr, Block, Nested
from .values import Unknown, as_json, is_empty

Values = dict[str, Any]


class Unsupported(Exception):
    """An argument that has no place in what AWS takes."""


def plain(name: str) -> str:
    return name.replace("_", "").lower()


def member(shape: Any, name: str, aliases: dict[str, str]) -> str | None:
    """The member of a structure that an attribute means; an alias first, then the same name, then its plural (setting ~ settings)."""
    members = shape.members
    if aliases.get(name) in members:
        return aliases[name]
    by_name = {plain(key): key for key in members}
    return by_name.get(plain(name)) or by_name.get(plain(name) + "s")


def to_aws(value: Any, shape: Any, aliases: dict[str, str]) -> Any:
    kind = shape.type_name
    if kind == "structure":
        if isinstance(value, list):
            value = value[0]  # a block that may occur once
        if not isinstance(value, dict):
            (only,) = shape.members  # AttributeBooleanValue: {"Value": true}
            return {only: to_aws(value, shape.members[only], aliases)}
        sent = {}
        for name, item in value.items():
            if item is None or item is Unknown or item == [] or item == "":
                continue
            key = member(shape, name, aliases)
            if key is None:
                raise Unsupported(name)
            sent[key] = to_aws(item, shape.members[key], aliases)
        return sent
    if kind == "list":
        if isinstance(value, str):
            value = as_json(value) or []
        return [to_aws(item, shape.member, aliases) for item in value]
    if kind == "map":
        return {str(key): to_aws(item, shape.value, aliases) for key, item in value.items()}
    if kind in ("integer", "long"):
        return int(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "boolean":
        return value.lower() == "true" if isinstance(value, str) else bool(value)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def from_aws(block: Block, data: Values, shape: Any, aliases: dict[str, str]) -> Values:
    """A key for each attribute that the answer's shape has a place for: absent there means not set."""
    found: Values = {}
    for name, attr in block.attrs.items():
        key = member(shape, name, aliases)
        if key and fits(attr, shape.members[key]):
            found[name] = unwrap(data.get(key))
    for name, nested in block.blocks.items():
        key = member(shape, name, aliases) if nested.nesting != "single" else None
        if key and shape.members[key].type_name in ("structure", "list"):
            found[name] = nested_from_aws(nested, data.get(key), shape.members[key], aliases)
    return found


def nested_from_aws(nested: Nested, data: Any, shape: Any, aliases: dict[str, str]) -> list[Values]:
    if is_empty(data):
        return []
    if shape.type_name == "structure":
        return [from_aws(nested.block, data, shape, aliases)]
    if shape.member.type_name != "structure":
        return []
    return [from_aws(nested.block, item, shape.member, aliases) for item in data]


def fits(attr: Attr, shape: Any) -> bool:
    """An attribute of one kind and a member of another only share a name: a row's `got` has to translate."""
    simple = not isinstance(attr.type, list)
    if shape.type_name == "structure":
        return simple and set(shape.members) == {"Value"}
    if shape.type_name == "list":
        return not simple and attr.type[0] in ("list", "set") and shape.member.type_name not in ("structure", "list")
    if shape.type_name == "map":
        return not simple and attr.type[0] == "map"
    return simple


def unwrap(value: Any) -> Any:
    return value["Value"] if isinstance(value, dict) and set(value) == {"Value"} else value


def shape_at(shape: Any, path: str) -> Any:
    """The shape that a JMESPath like Vpcs[0] or RouteTables[0].Routes[?...] | [0] leads to."""
    path = re.sub(r"\[\?.*\]", "[0]", path.split(" | ")[0])
    for step in filter(None, path.split(".")):
        name, _, index = step.partition("[")
        shape = shape.members[name]
        if index:
            shape = shape.member
    return shape
