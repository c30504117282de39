# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must not be shown of what an application writes: the environment's secrets, as far as the caller may read them."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.aws_errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment_read import parameters_below, parameters_named
from ansible_collections.atena.aws.plugins.module_utils.redaction import Redactor
from ansible_collections.atena.aws.plugins.module_utils.task_references import parameter_name, secrets_of


def redactor_of(call, path: str | None) -> tuple[Redactor, str]:
    """(redactor, a sentence on what it cannot take out; '' if there is nothing). Without a path it knows passwords in URLs only."""
    if not path:
        return Redactor([]), ""
    try:
        return Redactor([parameter["Value"] for parameter in parameters_below(call, path)]), ""
    except CallFailed as failed:
        return Redactor([]), f"Of what is shown, only passwords in URLs are taken out; the secrets are not known here. {failed}"


def redactor_of_task(call, definition: dict) -> Redactor:
    """Knows the secrets that a task of this definition was given. Where the caller may not read them, it knows passwords in URLs only."""
    references = secrets_of(definition)
    if not references:
        return Redactor([])
    region = definition["taskDefinitionArn"].split(":")[3]
    names = [name for name in (parameter_name(reference, region) for reference in references) if name]
    try:
        found, _missing = parameters_named(call, names, "read the secrets that must not be shown")
    except CallFailed:
        return Redactor([])
    return Redactor([parameter["Value"] for parameter in found])
