# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""RegisterTaskDefinition, once: it takes no token, and each call makes a revision. Where no answer came, that is looked for before it is asked for again."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import Unanswered
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.ecs import revision as ecs_revision
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_task_definition

_ATTEMPTS = 6


def register(call: Aws, wanted: dict[str, Any], tags: dict[str, Any], before: str) -> dict[str, Any]:
    """The registered definition. before: ARN of the family's newest revision so far, '' if it had none."""
    family, listed = wanted["family"], [{"key": key, "value": str(value)} for key, value in sorted(tags.items())]
    for attempt in range(_ATTEMPTS):
        try:
            return call.once("ecs", "register_task_definition", f"register a revision of {family}", **wanted, tags=listed)["taskDefinition"]
        except Unanswered:
            found = _made(call, wanted, before)
            if found:
                return found
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _made(call: Aws, wanted: dict[str, Any], before: str) -> dict[str, Any] | None:
    """The revision that a call without an answer made; None if it made none."""
    newest = describe_task_definition(call, wanted["family"], absent_ok=True)
    return newest if newest and newest["taskDefinitionArn"] != before and ecs_revision.choose(wanted, [newest]) else None
