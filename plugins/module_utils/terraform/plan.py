# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a Terraform plan would do, read from `terraform show -json`. Pure functions: no process, no file."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor
from ansible_collections.atena.aws.plugins.module_utils.terraform import versions
from ansible_collections.atena.aws.plugins.module_utils.terraform.values import UNKNOWN, Attribute, attributes, empty, secrets_of

_ACTIONS = {
    ("no-op",): "none",
    ("create",): "create",
    ("read",): "read",
    ("update",): "update",
    ("delete",): "destroy",
    ("forget",): "forget",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
}

# Terraform's action_reason, as `terraform show -json` documents it.
_TAINTED = "its creation failed half-way (it is tainted)"
_REASONS = {
    "replace_because_tainted": _TAINTED,
    "replace_by_request": "its replacement was asked for",
    "replace_by_triggers": "something that it must be replaced with changes",
    "delete_because_no_resource_config": "the configuration no longer has it",
    "delete_because_no_module": "the configuration no longer has its module",
    "delete_because_no_move_target": "the address it was to move to is not in the configuration",
    "delete_because_wrong_repetition": "its count or for_each was added or removed",
    "delete_because_count_index": "its count fell",
    "delete_because_each_key": "its key is no longer in for_each",
}


class Change(TypedDict):
    """What a plan would do with one resource. outside: names of attributes that somebody changed outside of Terraform. impossible: why AWS would refuse it."""

    address: str
    type: str
    action: str
    reason: str
    attributes: list[Attribute]
    destroys: bool
    outside: list[str]
    impossible: str


def _path_name(path: Iterable[str | int]) -> str:
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name


def _reason(resource: Mapping[str, Any]) -> str:
    reason = resource.get("action_reason", "")
    if reason == "replace_because_cannot_update" or (not reason and resource["change"].get("replace_paths")):
        names = sorted({_path_name(path) for path in resource["change"].get("replace_paths", [])})
        return f"{', '.join(names) or 'what changed'} cannot be changed in place"
    return _REASONS.get(reason, "")


def _keeps_object(resource: Mapping[str, Any]) -> bool:
    """Whether Terraform only forgets the old object (skip_destroy), such as a task definition's earlier revision."""
    return bool((resource["change"].get("before") or {}).get("skip_destroy"))


def _drifted(plan: Mapping[str, Any], redactor: Redactor) -> dict[str, list[str]]:
    """{address: names of attributes}. Many change by themselves, such as an instance's status: only those that the plan changes, too, matter."""
    drifted = plan.get("resource_drift", [])
    return {resource["address"]: [one["name"] for one in attributes(resource["type"], resource["change"], redactor)] for resource in drifted}


def changes(plan: Mapping[str, Any]) -> list[Change]:
    """Everything the plan would do, in the plan's order: [{address, type, action, reason, attributes, destroys, outside, impossible}].

    outside: names of the attributes that somebody changed outside of Terraform since the last apply; of what was deleted there, all of them.
    impossible: why AWS would refuse it; '' of what it does not.
    """
    found: list[Change] = []
    redactor = secrets_of(plan)
    drifted = _drifted(plan, redactor)
    for resource in plan.get("resource_changes", []):
        change = resource["change"]
        action = _ACTIONS.get(tuple(change["actions"]), "/".join(change["actions"]))
        moved = resource.get("previous_address", resource["address"]) != resource["address"]
        if change.get("importing"):
            action = "import" if action == "none" else f"import and {action}"
        elif moved and action == "none":
            action = "move"
        if action == "none":
            continue
        found.append(
            {
                "address": resource["address"],
                "type": resource["type"],
                "action": action,
                "reason": _reason(resource),
                "attributes": attributes(resource["type"], change, redactor),
                "destroys": "delete" in change["actions"] and not _keeps_object(resource),
                "outside": drifted.get(resource["address"], []),
                "impossible": versions.of_change(resource),
            }
        )
    return found


def changed_outputs(plan: Mapping[str, Any]) -> list[str]:
    """Names of the outputs that would change."""
    return sorted(name for name, change in plan.get("output_changes", {}).items() if change["actions"] != ["no-op"])


def known_outputs(outputs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Values of the outputs that are known and not sensitive. Takes any of Terraform's JSON forms of outputs."""
    return {name: output["value"] for name, output in (outputs or {}).items() if not output.get("sensitive") and "value" in output}


def matches(address: str, pattern: str) -> bool:
    """Whether an address is named by a pattern, where * stands for any text. Brackets mean themselves, as in addresses."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), address) is not None


def refused(planned: Iterable[Change], allowed: Iterable[str], mended: Iterable[str] = ()) -> list[Change]:
    """The changes that destroy an object and are not allowed by name. mended: patterns of what may be replaced where its creation failed half-way."""

    def named(change: Change, patterns: Iterable[str]) -> bool:
        return any(matches(change["address"], pattern) for pattern in patterns)

    return [change for change in planned if change["destroys"] and not named(change, allowed) and not (change["reason"] == _TAINTED and named(change, mended))]


def refusal(refusals: Sequence[Change]) -> str:
    """What to tell the user about them."""
    lines = []
    for change in refusals:
        because = f", because {change['reason']}" if change["reason"] else ""
        lines.append(f"  {change['address']} would be {'replaced' if 'replace' in change['action'] else 'destroyed'}{because}")
    number = len(refusals)
    return (
        f"Terraform would destroy {number} object{'s' if number > 1 else ''}, with what {'they hold' if number > 1 else 'it holds'}. "
        + "Nothing was changed:\n"
        + "\n".join(lines)
        + "\nIf that is not meant, revert the change of the configuration or of the inventory that causes it. If it is meant, allow it by "
        # Quoted for a shell: keys of for_each, which anybody may have named, are in addresses.
        + "name: the module's allow_destroy, or for infra.yml: -e "
        + shlex.quote(json.dumps({"infra_allow_destroy": [change["address"] for change in refusals]}))
    )


def counts(planned: Iterable[Change]) -> dict[str, int]:
    """How many objects each action concerns. A replacement counts as one."""
    words = {"create": "created", "update": "updated", "replace": "replaced", "destroy": "destroyed", "import": "imported"}
    result = dict.fromkeys(words.values(), 0)
    for change in planned:
        for action in change["action"].split(" and "):
            if action in words:
                result[words[action]] += 1
    return result


_MISSING = {True: "is gone: it was deleted outside of Terraform", False: "is not there: the configuration has it, and no apply made it yet"}
_CHANGED_BY = {True: "changed outside of Terraform", False: "the configuration changed"}


def _value(value: object) -> str:
    return "nothing" if empty(value) else value if isinstance(value, str) else json.dumps(value)


def _difference(attribute: Attribute) -> str:
    before, after = attribute["before"], attribute["after"]
    if before == after:  # what is not shown
        return f"{attribute['name']} differs from the configuration"
    return f"{attribute['name']} is {_value(before)}, the configuration says {_value(after)}"


def drift(planned: Iterable[Change]) -> list[str]:
    """What differs between what there is and what the configuration says, a line for each attribute: which resource, which attribute, why."""
    lines = []
    for change in planned:
        address = change["address"]
        if change["action"] == "create":
            lines.append(f"{address} {_MISSING[bool(change['outside'])]}")
        elif change["action"] == "destroy":
            lines.append(f"{address} is there, and the configuration does not have it")
        elif change["action"] not in ("read", "forget"):
            told = [f"{address}: {_difference(one)} ({_CHANGED_BY[one['name'] in change['outside']]})" for one in _telling(change)]
            lines += told or [f"{address}: {change['action']}"]
    return lines


_SIGNS = {"create": "+", "update": "~", "replace": "-/+", "destroy": "-", "read": "<=", "forget": "x"}


def _telling(change: Change) -> list[Attribute]:
    """The attributes that tell something: not those that AWS will fill in, unless there are no others."""
    return [attribute for attribute in change["attributes"] if attribute["after"] != UNKNOWN] or change["attributes"]


def describe(change: Change, longest: int = 4) -> str:
    """One line for a person: sign, address, and for changes in place what changes."""
    text = f"{_SIGNS.get(change['action'], '=')} {change['address']}"
    if change["action"] not in ("create", "destroy", "read") and change["attributes"]:
        names = [attribute["name"] for attribute in _telling(change)]
        text += f" ({', '.join(names[:longest])}{', ...' if len(names) > longest else ''})"
    return text


def _text(change: Change, side: Literal["before", "after"]) -> list[str]:
    lines = [f"{change['address']}:"]
    for attribute in _telling(change):
        value = attribute[side]
        if not empty(value):
            # Values that are not shown read alike on both sides, and a diff leaves out lines that do.
            changed = ", changed" if side == "after" and value == attribute["before"] else ""
            lines.append(f"  {attribute['name']}: {value if isinstance(value, str) else json.dumps(value)}{changed}")
    return lines


def diff(planned: Iterable[Change]) -> list[dict[str, str]]:
    """Ansible's before and after: one entry for each change."""
    entries = []
    for change in planned:
        entry = {"before_header": change["address"], "after_header": f"{change['address']} ({change['action']})", "before": "", "after": ""}
        if change["action"] != "create":
            entry["before"] = "\n".join(_text(change, "before")) + "\n"
        if change["action"] != "destroy":
            entry["after"] = "\n".join(_text(change, "after")) + "\n"
        entries.append(entry)
    return entries
