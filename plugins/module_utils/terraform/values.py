# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which attributes a planned change has, and what of their values may be shown. Names always are; values are not where they are or may hold a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor


class Attribute(TypedDict):
    """What differs of a resource, as it may be shown."""

    name: str
    before: Any
    after: Any


SENSITIVE = "(sensitive)"
HIDDEN = "(value hidden)"
UNKNOWN = "(known after apply)"
_CHANGED = "(changed)"
_LONGEST_VALUE = 200

# A second line of defence, should a provider's schema or a variable fail to be marked as sensitive.
_SECRET_NAME = re.compile(
    r"password|secret_key|secret_access_key|client_secret|private_key|auth_token|access_token|bcrypt_hash|secret_string|secret_binary|(^|\.)(secret|token)$",
    re.IGNORECASE,
)
_SECRET_ATTRIBUTES = {("aws_ssm_parameter", "value"), ("random_password", "result")}
# Environment variables of whatever runs: their names tell what there is, and any value can be a secret. Start scripts export them.
_ENVIRONMENT = re.compile(r"(^|\.)environment(_variables?)?$")
_WITHHELD = re.compile(r"(^|\.)(container_definitions|user_data(_base64)?)([.\[]|$)|(^|\.)environment(_variables?)?[.\[]")


# --- What is secret in a plan -----------------------------------------------------------------------------------------
def _marked(value: object, mask: object) -> Iterator[str]:
    """Every text that a sensitivity mask of Terraform's covers. A mask is a bool, or shaped like the value."""
    if isinstance(value, str):
        if mask is True:
            yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _marked(item, _mask(mask, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _marked(item, _mask(mask, index))


def _resources(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from part.get("resources", [])
    for child in part.get("child_modules", []):
        yield from _resources(child)


def secrets_of(plan: Mapping[str, Any]) -> Redactor:
    """A redactor that knows what is secret anywhere in the plan: marked as sensitive, or the value of a variable that is. Elsewhere it is secret, too."""
    found: list[str] = []
    for resource in [*plan.get("resource_changes", []), *plan.get("resource_drift", [])]:
        change = resource["change"]
        for side in ("before", "after"):
            found += _marked(change.get(side), change.get(f"{side}_sensitive"))
    for values in (plan.get("prior_state") or {}).get("values"), plan.get("planned_values"):
        for resource in _resources((values or {}).get("root_module") or {}):
            found += _marked(resource.get("values"), resource.get("sensitive_values"))
    declared = ((plan.get("configuration") or {}).get("root_module") or {}).get("variables") or {}
    for name, variable in (plan.get("variables") or {}).items():
        found += _marked(variable.get("value"), bool(declared.get(name, {}).get("sensitive")) or bool(_SECRET_NAME.search(name)))
    return Redactor(found)


# --- Masks and values -------------------------------------------------------------------------------------------------
def _mask(mask: Any, key: str | int) -> Any:
    """The part of a sensitivity or unknown mask below `key`."""
    if isinstance(mask, bool) or mask is None:
        return bool(mask)
    if isinstance(mask, list):
        return mask[key] if isinstance(key, int) and key < len(mask) else False
    return mask.get(key, False)


def _decoded(value: object) -> Any:
    """A JSON document given as a string, such as a policy; else None."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return None
    return None


def empty(value: object) -> bool:
    return value is None or value in ("", [], {})


def _instead(value: object, word: str) -> str | None:
    return None if value is None else word


def _shown(value: object) -> object:
    if isinstance(value, (dict, list)):
        return _CHANGED
    return HIDDEN if _decoded(value) is not None else value


# --- Documents: names only --------------------------------------------------------------------------------------------
def _by_name(*sides: list[Any] | None) -> list[dict[str, dict[str, Any]]] | None:
    """{name: the entry's other keys} of each list, if all their entries have names of their own, as environment variables and containers do; else None."""
    found = []
    for entries in sides:
        named = {entry["name"]: entry for entry in entries or [] if isinstance(entry, dict) and isinstance(entry.get("name"), str)}
        if len(named) != len(entries or []):
            return None
        found.append({name: {key: value for key, value in entry.items() if key != "name"} for name, entry in named.items()})
    return found


def _children(old: Any, new: Any, path: str) -> list[tuple[str, Any, Any]] | None:
    """[(path, old, new)] of what is inside; None if there is nothing that has a name. A side that is not there is None."""
    kinds = {type(side) for side in (old, new) if side is not None}
    if kinds == {dict}:
        old, new = old or {}, new or {}
        return [(f"{path}.{key}", old.get(key), new.get(key)) for key in sorted({*old, *new})]
    if kinds != {list}:
        return None
    named = _by_name(old, new)
    if named:
        old, new = named
        return [(f"{path}[{name}]", old.get(name), new.get(name)) for name in sorted({*old, *new})]
    if old is None or new is None or len(old) != len(new):
        return None
    return [(f"{path}[{index}]", *both) for index, both in enumerate(zip(old, new, strict=True))]


def _inside(old: object, new: object, path: str) -> list[tuple[str, Any, Any]]:
    """[(path, before, after)] of what differs inside a document, without a value: a container's environment, a policy are not for a log."""
    if old == new or empty(old) and empty(new):
        return []
    found = [leaf for child in _children(old, new, path) or () for leaf in _inside(child[1], child[2], child[0])]
    # Nothing found: only the order differs, or there are no names inside.
    return found or [(path, _instead(old, HIDDEN), _instead(new, HIDDEN))]


# --- What differs -----------------------------------------------------------------------------------------------------
def _keys(before: object, after: object, unknown: object) -> Sequence[Any] | None:
    """What both sides can be followed into; None for a value that is taken as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        return sorted(set(before) | set(after) | (set(unknown) if isinstance(unknown, dict) else set()))
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return range(len(before))
    return None


def _as_document(before: object, after: object, path: str) -> tuple[Any, Any] | None:
    """Both sides as documents (None where there is none); None if they are not to be looked into."""
    if _ENVIRONMENT.search(path) and all(isinstance(side, (dict, list)) or side is None for side in (before, after)):
        return before, after
    documents = _decoded(before), _decoded(after)
    looked_into = all(document is not None or empty(value) for document, value in zip(documents, (before, after), strict=True))
    return documents if looked_into and documents != (None, None) else None


def _leaves(before: Any, after: Any, unknown: Any, hidden_before: Any, hidden_after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yields (path, before, after) of each leaf that differs. Marked values and what is inside documents are replaced."""
    hidden = hidden_before is True or hidden_after is True
    if unknown is True:
        yield (path, SENSITIVE, SENSITIVE) if hidden else (path, _shown(before), UNKNOWN)
        return
    if before == after and not unknown:
        return
    if hidden:
        yield path, _instead(before, SENSITIVE), _instead(after, SENSITIVE)
        return
    documents = _as_document(before, after, path)
    if documents is not None:
        yield from _inside(*documents, path)
        if unknown:
            yield path, _instead(before, HIDDEN), UNKNOWN
        return
    keys = _keys(before, after, unknown)
    if keys is None:
        if not (empty(before) and empty(after)):
            yield path, _shown(before), _shown(after)
        return
    for key in keys:
        old = before[key] if isinstance(before, list) else before.get(key)
        new = after[key] if isinstance(after, list) else after.get(key)
        name = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else key
        yield from _leaves(old, new, _mask(unknown, key), _mask(hidden_before, key), _mask(hidden_after, key), name)


def _fit(resource_type: str, path: str, value: Any, redactor: Redactor) -> Any:
    """A leaf's value as it may be shown."""
    if value is None or value == SENSITIVE:
        return value
    if (resource_type, path) in _SECRET_ATTRIBUTES or _SECRET_NAME.search(path):
        return SENSITIVE
    if value == UNKNOWN:
        return value
    if _WITHHELD.search(path):
        return HIDDEN
    # Cut only when nothing secret is in it any more: a part of one is not recognized.
    value = redactor.everything(value)
    return value[:_LONGEST_VALUE] + "..." if isinstance(value, str) and len(value) > _LONGEST_VALUE else value


def attributes(resource_type: str, change: Mapping[str, Any], redactor: Redactor) -> list[Attribute]:
    """The attributes that differ: [{name, before, after}], what must not be shown replaced. redactor: secrets_of the plan."""
    before, after = change.get("before"), change.get("after")
    leaves = _leaves(
        before if before is not None else {},
        after if after is not None else {},
        change.get("after_unknown", False) if after is not None else False,
        change.get("before_sensitive", False),
        change.get("after_sensitive", False),
        "",
    )
    return [{"name": path, "before": _fit(resource_type, path, old, redactor), "after": _fit(resource_type, path, new, redactor)} for path, old, new in leaves]
