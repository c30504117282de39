# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to write to a set of secret parameters. Pure functions; no value ever gets into what they return for people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Answer

# What a parameter holds, in bytes: of the standard tier, and of the advanced one, which costs five cents a month.
_STANDARD, _LONGEST = 4096, 8192


def tier(value: str) -> str:
    """The tier that a value needs."""
    return "Advanced" if len(value.encode()) > _STANDARD else "Standard"


def value_problem(value: object, placeholder: str) -> str | None:
    """Why this cannot be a secret's value, or None. The answer never contains the value."""
    if value is None or value == "":
        return "is empty"
    if not isinstance(value, str):
        return f"is not text but {type(value).__name__}; put it in quotes"
    if value != value.strip():
        return "is empty" if not value.strip() else "starts or ends with white space, as copied text often does"
    if value == placeholder:
        return "is still the placeholder"
    if len(value.encode()) > _LONGEST:
        return f"has {len(value.encode())} bytes; the most that a parameter holds is {_LONGEST}, in the advanced tier"
    return None


def findings(names: Iterable[str], values: Mapping[str, object], placeholder: str) -> list[str]:
    """Everything that is wrong with the given values, one sentence each."""
    found = [f"{name} is no secret of this environment; its secrets are {', '.join(sorted(names))}" for name in sorted(set(values) - set(names))]
    for name in names:
        if name in values:
            problem = value_problem(values[name], placeholder)
            if problem:
                found.append(f"{name} {problem}")
    return found


def is_set(current: Answer | None, placeholder: str) -> bool:
    """Whether the parameter holds a person's value."""
    return current is not None and current["value"] not in ("", placeholder)


def missing(names: Iterable[str], current: Mapping[str, Answer], values: Collection[str], placeholder: str) -> list[str]:
    """Names that hold no person's value and get none now."""
    return [name for name in names if name not in values and not is_set(current.get(name), placeholder)]


def writes(names: Iterable[str], current: Mapping[str, Answer], values: Mapping[str, str], placeholder: str, create: bool) -> list[tuple[str, str, str]]:
    """What to write: [(name, value, action)], action being `create` or `update`; nothing that is so already."""
    found = []
    for name in names:
        now = current.get(name)
        if name in values:
            if now is None:
                found.append((name, values[name], "create"))
            elif now["value"] != values[name] or now["type"] != "SecureString":
                found.append((name, values[name], "update"))
        elif now is None and create:
            found.append((name, placeholder, "create"))
    return found


def superseded(history: Sequence[Answer], value: str, placeholder: str) -> int | None:
    """The version that had this value before the newest one came, with another; None if it is the newest's, or never was there, or if the newest is no value
    but the placeholder. history: oldest first."""
    if not history or history[-1]["value"] in (value, placeholder):
        return None
    return next((entry["version"] for entry in reversed(history) if entry["value"] == value), None)


def left_line(name: str, version: int, newest: int) -> str:
    """Why a given value was not written, and what writes it all the same."""
    return (
        f"{name}: left as it is. The value given is an earlier one, of version {version}, and was changed since (version {newest}). "
        f"To return to it, name it: -e secrets_names={name}"
    )


def report(names: Iterable[str], current: Mapping[str, Answer], written: Iterable[tuple[str, str, str]], placeholder: str) -> list[dict[str, Any]]:
    """What people may know: [{name, set, action, version, last_modified}]."""
    actions = {name: action for name, _value, action in written}
    return [
        {
            "name": name,
            "set": is_set(current.get(name), placeholder),
            "action": actions.get(name, "none"),
            "version": (current.get(name) or {}).get("version"),
            "last_modified": (current.get(name) or {}).get("last_modified"),
        }
        for name in names
    ]


def lines(secrets: Collection[Answer], check: bool) -> list[str]:
    """The report as text, one line for each secret."""
    width = max((len(secret["name"]) for secret in secrets), default=0)
    done = {"create": "created", "update": "changed"}
    text = []
    for secret in secrets:
        state = "set" if secret["set"] else "NOT SET"
        line = f"{secret['name']:<{width}}  {state:<7}"
        if secret["version"]:
            line += f"  version {secret['version']}, last changed {secret['last_modified']}"
        if secret["action"] in done:
            line += f"  {'would be ' if check else ''}{done[secret['action']]}{'' if check else ' now'}"
        text.append(line.rstrip())
    return text
