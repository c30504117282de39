# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person who waits for Terraform is told: lines from its -json output. Addresses and times only, since ids and values can be secret."""

from __future__ import annotations

import json

from ansible_collections.atena.aws.plugins.module_utils.core.progress import clock
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown

_DOING = {"create": "creating", "update": "updating", "delete": "destroying", "read": "reading"}
_DONE = {"create": "created", "update": "updated", "delete": "destroyed", "read": "read"}
_COUNTED = (("add", "to create"), ("change", "to update"), ("remove", "to destroy"), ("import", "to import"))
# Terraform repeats 'still creating' every ten seconds for each resource; for a database that is sixty lines.
_STILL_EVERY = 30
_SLOW = 2


def line(text: str) -> str | None:
    """The line to tell for one line of the stream, or None."""
    try:
        message = json.loads(text)
        kind = message.get("type")
    except (ValueError, AttributeError):
        return None
    if kind == "change_summary":
        return _summary(message.get("changes", {}))
    hook = message.get("hook") or {}
    address, action = (hook.get("resource") or {}).get("addr"), hook.get("action")
    if not address or action not in _DOING:
        return None
    address = shown(address)  # of for_each it has a key, which can be any text
    if kind == "apply_start" and action != "read":
        return f"{address}: {_DOING[action]}"
    elapsed = hook.get("elapsed_seconds", 0)
    if kind == "apply_progress":
        return f"{address}: still {_DOING[action]} after {clock(elapsed)}" if int(elapsed) % _STILL_EVERY == 0 else None
    # Dozens are read in a moment.
    if kind == "apply_complete" and (action != "read" or int(elapsed) >= _SLOW):
        return f"{address}: {_DONE[action]} in {clock(elapsed)}"
    if kind == "apply_errored":
        return f"{address}: FAILED while {_DOING[action]}, after {clock(elapsed)}"
    return None


def _summary(changes: dict) -> str | None:
    if changes.get("operation") != "plan":
        return None  # after the apply the module's result tells it
    parts = [f"{changes[key]} {words}" for key, words in _COUNTED if changes.get(key)]
    # It is also told of a plan that fails; what an empty one means the result says.
    return f"Terraform's plan: {', '.join(parts)}" if parts else None
