# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is stored as JSON and read again, later and by other versions: a dataclass that is checked where it is read, and is written as it was read.

A field with a default may be missing, as in records of earlier versions, and is not added by writing the record again. What this version does not know
stays: a later version wrote it.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import sys
import types
import typing
from dataclasses import field
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed

if sys.version_info >= (3, 10):  # noqa: UP036 - see below
    from dataclasses import dataclass
else:

    def dataclass(**_options):
        """A Python that is too old for the collection is told so by what imports this: nothing is made of these classes there."""
        return lambda cls: cls


_CALLED = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "an object", list: "a list", type(None): "null"}

_KINDS: dict[type, dict[str, Any]] = {}

Kind = typing.TypeVar("Kind", bound="Record")


@dataclass(frozen=True, kw_only=True)
class Record:
    # Of what was read: keys that this version does not know, and those of its own that were not there.
    unknown: dict[str, Any] = field(default_factory=dict, repr=False)
    absent: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    @classmethod
    def of(cls: type[Kind], found: object, at: str = "") -> Kind:
        """From JSON. Raises ValueError, which names the field and what is wrong with it. at: where in the record this part of it is."""
        if not isinstance(found, dict):
            raise ValueError(f"{at or 'it'} is {_called(found)}, not an object")
        kinds, values = _kinds(cls), {}
        for item in _fields(cls):
            key, where = key_of(item), f"{at}{'.' if at else ''}{key_of(item)}"
            if key in found:
                values[item.name] = _checked(kinds[item.name], found[key], where)
            elif _default_of(item) is dataclasses.MISSING:
                raise ValueError(f"{where} is missing")
        known = {key_of(item): item.name for item in _fields(cls)}
        made = cls(**values, unknown={key: found[key] for key in found if key not in known}, absent=frozenset(key for key in known if key not in found))
        problem = made.problem()
        if problem:
            raise ValueError(f"{at}{': ' if at else ''}{problem}")
        return made

    def problem(self) -> str:
        """What else is wrong with it, beyond the kinds of its fields; '' if nothing is."""
        return ""

    def as_dict(self) -> dict[str, Any]:
        """As it is stored. A copy."""
        stored = {}
        for item in _fields(type(self)):
            value = getattr(self, item.name)
            if key_of(item) in self.absent and value == _default_of(item):
                continue
            stored[key_of(item)] = _plain(value)
        return {**stored, **copy.deepcopy(self.unknown)}


def stored_as(name: str) -> dict[str, str]:
    """The metadata of a field that is stored under another name, since that is a word of Python's."""
    return {"key": name}


def key_of(item: dataclasses.Field[Any]) -> str:
    return item.metadata.get("key", item.name)


def is_moment(text: str) -> bool:
    """ISO 8601, or '' where it has not come."""
    try:
        return not text or bool(datetime.datetime.fromisoformat(text))
    except ValueError:
        return False


def damaged(where: str, what: str, cause: object) -> CallFailed:
    """The failure of reading an object that is not what it should be. where: s3://bucket/key."""
    bucket, _slash, key = where.removeprefix("s3://").partition("/")
    return CallFailed(
        f"{where} is not {what}: {cause}. Nobody but this collection writes there: restore its earlier version, which "
        f"`aws s3api list-object-versions --bucket {bucket} --prefix {key}` names."
    )


def newer(where: str, form: object) -> CallFailed:
    """The failure of reading an object of a later version of this collection."""
    return CallFailed(f"{where} has format {form}, which this version of atena.aws does not know. Upgrade the collection on this machine.")


def _kinds(cls: type[Record]) -> dict[str, Any]:
    """{field: what it holds}. Asked once for each class: it takes as long as the rest of reading a record."""
    if cls not in _KINDS:
        _KINDS[cls] = typing.get_type_hints(cls)
    return _KINDS[cls]


def _fields(cls: type[Record]) -> tuple[dataclasses.Field[Any], ...]:
    return tuple(item for item in dataclasses.fields(cls) if item.name not in ("unknown", "absent"))


def _default_of(item: dataclasses.Field[Any]) -> Any:
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()


def _called(value: object) -> str:
    return next((name for kind, name in _CALLED.items() if value.__class__ is kind), value.__class__.__name__)


def _checked(kind: Any, value: Any, at: str) -> Any:
    """The value as this kind of thing."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _one_of(parts, value, at)
    if origin is list and isinstance(value, list):
        return [_checked(parts[0], item, f"{at}[{index}]") for index, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {name: _checked(parts[1], item, f"{at}.{name}") for name, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, Record):
        return kind.of(value, at)
    # By the class itself: to isinstance a bool is an int, too.
    if value.__class__ is kind or (kind is float and value.__class__ is int):
        return value
    raise ValueError(f"{at} is {_called(value)}, not {_CALLED[origin or kind]}")


def _one_of(kinds: tuple[Any, ...], value: Any, at: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    return _checked(others[0], value, at)


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.as_dict()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
