"""Values as Terraform has them, and when two of them mean the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any


class _Unknown:
    """'Known after apply'."""

    def __repr__(self) -> str:
        return "Unknown"

    def __deepcopy__(self, memo: dict) -> _Unknown:
        return self


Unknown = _Unknown()


def is_known(value: Any) -> bool:
    if value is Unknown:
        return False
    if isinstance(value, dict):
        return all(is_known(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return all(is_known(item) for item in value)
    return True


def known_only(value: Any) -> Any:
    """The same with null in place of everything unknown."""
    if isinstance(value, dict):
        return {key: known_only(item) for key, item in value.items()}
    if isinstance(value, list):
        return [known_only(item) for item in value]
    return None if value is Unknown else value


def is_empty(value: Any) -> bool:
    """AWS returns nothing, "", [], false or 0 for what was never set, in no pattern: they all mean 'not set'.

    A block is empty when everything in it is."""
    if isinstance(value, dict):
        return all(is_empty(item) for item in value.values())
    if isinstance(value, list):
        return all(isinstance(item, dict) and is_empty(item) for item in value)
    return value is None or value == "" or value is False or (value == 0 and not isinstance(value, str))


def as_json(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return None
    return None


def same(left: Any, right: Any, kind: Any = None) -> bool:
    """Whether two values of Terraform type `kind` mean the same to AWS."""
    if left is Unknown or right is Unknown:
        return left is right
    kind_name = kind[0] if isinstance(kind, list) else kind
    if kind_name == "map":
        left, right = left or {}, right or {}
        return left.keys() == right.keys() and all(same(left[key], right[key], kind[1]) for key in left)
    if is_empty(left) and is_empty(right):
        return True
    if isinstance(left, dict) and isinstance(right, dict):
        kinds = kind[1] if kind_name == "object" else {}
        return all(same(left.get(key), right.get(key), kinds.get(key)) for key in {*left, *right})
    if isinstance(left, list) and isinstance(right, list):
        inner = kind[1] if kind_name in ("list", "set") else None
        if len(left) != len(right):
            return False
        if kind_name == "set":
            return match_sets(left, right, lambda a, b: same(a, b, inner)) is not None
        return all(same(a, b, inner) for a, b in zip(left, right, strict=True))
    if isinstance(left, str) and isinstance(right, str):
        parsed = as_json(left)
        return left == right or (parsed is not None and parsed == as_json(right))
    return type(left) is type(right) and left == right or (_number(left) and _number(right) and left == right)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def match_sets(left: list, right: list, alike: Callable[[Any, Any], bool]) -> list[tuple] | None:
    """Pair each element of one set with one of the other, or None where that is impossible."""
    rest, pairs = list(right), []
    for item in left:
        index = next((i for i, other in enumerate(rest) if alike(item, other)), None)
        if index is None:
            return None
        pairs.append((item, rest.pop(index)))
    return pairs if not rest else None


def coerce(value: Any, kind: Any) -> Any:
    """What AWS returned, in the type that the schema declares."""
    if value is None or value is Unknown:
        return value
    if isinstance(kind, list):
        if kind[0] in ("list", "set"):
            items = value if isinstance(value, (list, tuple, set)) else [value]
            return [coerce(item, kind[1]) for item in items]
        if kind[0] == "map":
            return {str(key): coerce(item, kind[1]) for key, item in value.items()}
        return {name: coerce(value.get(name), inner) for name, inner in kind[1].items()}
    if kind == "bool":
        return value.lower() == "true" if isinstance(value, str) else bool(value)
    if kind == "number":
        number = float(value)
        return int(number) if number.is_integer() else number
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"))
    return str(value)
