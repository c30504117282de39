"""Whether what a module returned is what its documentation says: no key too many, none missing, each of its type."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

# What Ansible and amazon.aws add to any module's result, and the callback to what it shows.
COMMON = {"changed", "failed", "msg", "warnings", "deprecations", "diff", "invocation", "action", "exception", "resource_actions", "skipped"}
_TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict}
# `returned` of what is there whenever the module did not fail.
_SURE = ("always", "success")
# Documents the values of a dict whose keys nobody knows beforehand.
_ANY_NAME = "<name>"


def documentation(path: Path) -> tuple[dict, dict]:
    """(DOCUMENTATION, RETURN) of a module's file."""
    source = path.read_text(encoding="utf-8")
    said = [yaml.safe_load(re.search(rf'{part} = r"""(.*?)"""', source, re.DOTALL)[1]) for part in ("DOCUMENTATION", "RETURN")]
    return said[0], said[1] or {}


def words(description) -> str:
    return description if isinstance(description, str) else " ".join(description or [])


def sure(entry: dict) -> bool:
    """Whether the value is returned by every run that does not fail. Of a value inside another, unless it says otherwise."""
    return words(entry.get("returned", "success")).split(",")[0].strip() in _SURE


def faults(documented: dict, returned: dict, where: str = "", common: set | None = None) -> list[str]:
    """A sentence for each thing in which a result differs from its documentation."""
    common = COMMON if common is None else common
    found = [
        f"{where}{key} is returned, and not documented"
        for key in sorted(returned)
        if key not in documented and key not in common and not key.startswith("_ansible")
    ]
    for key, entry in documented.items():
        if key not in returned:
            found += [f"{where}{key} is documented as returned ({words(entry.get('returned', 'with its parent'))}), and is not"] if sure(entry) else []
        else:
            found += value_faults(entry, returned[key], f"{where}{key}")
    return found


def value_faults(entry: dict, value, where: str) -> list[str]:
    kind = entry["type"]
    if value is None:
        return [] if re.search(r"\bnull\b", words(entry.get("description")), re.IGNORECASE) else [f"{where} is null, which its description does not tell"]
    # A bool is an int to Python, and not to the reader of documentation.
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "bool"):
        return [f"{where} is documented as {kind}, and is {type(value).__name__}: {value!r}"]
    inner = entry.get("contains")
    if kind == "list":
        elements = entry.get("elements")
        if elements is None:
            return [f"{where} is a list whose elements are not documented"]
        found = []
        for index, item in enumerate(value):
            if inner and isinstance(item, dict):
                found += faults(inner, item, f"{where}[{index}].", set())
            else:
                found += value_faults({"type": elements}, item, f"{where}[{index}]")
        return found
    if kind == "dict" and inner:
        # Values under names that the caller chose.
        named = {name: inner[_ANY_NAME] for name in value} if set(inner) == {_ANY_NAME} else inner
        return faults(named, value, f"{where}.", set())
    return []


def seen(documented: dict, results: list[dict]) -> set[str]:
    """The documented keys that at least one of the results has."""
    return {key for key in documented if any(key in result for result in results)}
