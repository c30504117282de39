# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people may know of an environment's secrets: a list, and how it compares with what is wanted. No call to AWS here; no value gets out.

A plain hash of a value is no secret-keeping: the four digits of a PIN are guessed from it at once. Fingerprints here are keyed with a key that is made
for one run and forgotten: they tell that two values are the same, within that run, and nothing to anybody who has not the key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from ansible_collections.atena.aws.plugins.module_utils.environment.rotation_record import Rotation

SET, PLACEHOLDER, EMPTY, ABSENT = "set", "CHANGE_ME", "empty", "absent"
# What a comparison says of one name. Without a wanted value nothing can be said of one that is set.
SAME, DIFFERENT, IN_PLACE, MISSING, NOT_SET, UNMANAGED = "same", "different", "set", "missing", "not set", "unmanaged"
_SIGNS = 12


class Fingerprint:
    """Of values, with the key of one run."""

    def __init__(self, key: bytes | None = None):
        self._key = key or secrets.token_bytes(32)

    def of(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()[:_SIGNS]


def state_of(value: str, placeholder: str) -> str:
    return PLACEHOLDER if value == placeholder else SET if value.strip() else EMPTY


def entries(path: str, parameters: list[dict], described: list[dict], readers: dict, expected: list[str], placeholder: str) -> list[dict]:
    """One entry for each parameter below the path, and for each name that is expected or read and does not exist.

    parameters: with their values (secrets.store.parameters_below); described: secrets.store.described_below; readers: {service: names}.
    """
    more = {item["Name"]: item for item in described}
    found = {}
    for parameter in parameters:
        name, told = parameter["Name"].removeprefix(f"{path}/"), more.get(parameter["Name"], {})
        found[name] = {
            "name": name,
            "state": state_of(parameter["Value"], placeholder),
            "type": parameter["Type"],
            "tier": told.get("Tier", "Standard"),
            "version": parameter["Version"],
            "last_modified": parameter["LastModifiedDate"].isoformat(timespec="seconds"),
            "last_modified_by": told.get("LastModifiedUser", ""),
        }
    absent = {"state": ABSENT, "type": None, "tier": None, "version": None, "last_modified": None, "last_modified_by": ""}
    for name in {*expected, *(name for read in readers.values() for name in read)} - set(found):
        found[name] = {"name": name, **absent}
    return [{**found[name], "services": [service for service, read in readers.items() if name in read]} for name in sorted(found)]


def duplicates(values: dict, placeholder: str) -> list[list[str]]:
    """Names that hold one and the same value, as copied text often does."""
    by_value: dict[str, list[str]] = {}
    for name, value in values.items():
        if state_of(value, placeholder) == SET:
            by_value.setdefault(value, []).append(name)
    return sorted(sorted(names) for names in by_value.values() if len(names) > 1)


def compare(current: dict, desired: list[str], optional: list[str], wanted: dict, placeholder: str, fingerprint: Fingerprint) -> list[dict]:
    """[{name, says, before, after}] over all names; before and after are words and fingerprints. current: {name: value}; wanted: {name: value}."""
    found = []
    for name in sorted({*desired, *current}):
        value, new = current.get(name), wanted.get(name)
        before = ABSENT if value is None else state_of(value, placeholder)
        after = SET if name in desired else before
        if name not in desired:
            says = IN_PLACE if name in optional else UNMANAGED
        elif value is None:
            says = MISSING
        elif before != SET:
            says = NOT_SET
        elif new is None:
            says = IN_PLACE
        else:
            says = SAME if hmac.compare_digest(value.encode(), new.encode()) else DIFFERENT
        if new is not None:
            before += f" {fingerprint.of(value)}" if value is not None and before == SET else ""
            after += f" {fingerprint.of(new)}"
        found.append({"name": name, "says": says, "before": before, "after": after})
    return found


def differs(comparison: list[dict]) -> list[str]:
    """Names that are not as they are wanted. What nobody manages is told, and is no difference to be mended."""
    return [item["name"] for item in comparison if item["says"] in (DIFFERENT, MISSING, NOT_SET)]


def table(rows: list[tuple]) -> list[str]:
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def lines(listed: list[dict], same: list[list[str]], rotations: list[Rotation], prefix: str = "") -> list[str]:
    """The list for people. prefix: what the services' names begin with, all the same, and is left out. No cell has a blank: Ansible would break lines there."""
    head = ("name", "state", "type", "tier", "version", "last changed", "read by")
    rows = [
        (
            *(item["name"], item["state"], item["type"] or "-", item["tier"] or "-", item["version"] or "-"),
            (item["last_modified"] or "-").replace("+00:00", "Z"),
            ",".join(name.removeprefix(prefix) for name in item["services"]) or "nobody",
        )
        for item in listed
    ]
    said = table([head, *rows]) if rows else ["There is no parameter here."]
    said += [f"The same value is in {' and '.join(names)}." for names in same]
    if rotations:
        said.append(f"Last rotation: {rotations[0].line}")
    return said


def comparison_lines(comparison: list[dict]) -> list[str]:
    """The comparison for people: names that differ as a diff, the others in a word."""
    said = []
    for item in comparison:
        if item["says"] in (DIFFERENT, MISSING, NOT_SET):
            said += [f"- {item['name']}: {item['before']}", f"+ {item['name']}: {item['after']}"]
        else:
            words = {SAME: "as wanted", IN_PLACE: "set, with no value to compare with", UNMANAGED: "not in the list: unmanaged"}
            said.append(f"  {item['name']}: {words[item['says']]}")
    return said
