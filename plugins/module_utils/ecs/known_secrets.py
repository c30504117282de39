# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must not be shown of what an application writes: the environment's secrets, as far as the caller may read them.

Those of before a change among them: a task has the values of its start for as long as it runs, so that what is shown now may be the one from before a
rotation that goes on, or ended an hour ago. Whether a record of rotations says so is not asked: a value that was set by hand is as secret.
"""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor
from ansible_collections.atena.aws.plugins.module_utils.ecs.references import parameter_name, secrets_of
from ansible_collections.atena.aws.plugins.module_utils.secrets import store as parameter_store

# Earlier values cost a call for each secret: they are asked for of secrets that changed so lately, the last changed first, of no more than so many, and
# no more than so many values of each.
_LATELY, _NAMES, _VALUES = datetime.timedelta(days=90), 20, 5


def earlier_values(call: Aws, parameters: list[dict], now: datetime.datetime | None = None) -> list[str]:
    """Values that parameters (of GetParameters or GetParametersByPath) had before, as far as a task or a log may still have them. Raises CallFailed."""
    since = (now or datetime.datetime.now(datetime.UTC)) - _LATELY
    changed = [item for item in parameters if item.get("Version", 1) > 1 and item.get("Type") != "String" and item["LastModifiedDate"] >= since]
    changed.sort(key=lambda item: item["LastModifiedDate"], reverse=True)
    found = []
    for item in changed[:_NAMES]:
        values = [version["value"] for version in reversed(parameter_store.versions(call, item["Name"]))]
        found += [value for value in dict.fromkeys(values) if value != item["Value"]][:_VALUES]
    return found


def redactor_of(call: Aws, path: str | None) -> tuple[Redactor, str]:
    """(redactor, a sentence on what it cannot take out; '' if there is nothing). Without a path it knows passwords in URLs only."""
    if not path:
        return Redactor([]), ""
    try:
        parameters = parameter_store.parameters_below(call, path)
    except CallFailed as failed:
        return Redactor([]), f"Of what is shown, only passwords in URLs are redacted; the secrets are not known here. {failed}"
    return _knowing(call, parameters)


def redactor_of_task(call: Aws, definition: dict) -> Redactor:
    """Knows the secrets that a task of this definition was given. Where the caller may not read them, it knows passwords in URLs only."""
    references = secrets_of(definition)
    if not references:
        return Redactor([])
    region = definition["taskDefinitionArn"].split(":")[3]
    names = [name for name in (parameter_name(reference, region) for reference in references) if name]
    try:
        found, _missing = parameter_store.parameters_named(call, names, "read the secrets that must not be shown")
    except CallFailed:
        return Redactor([])
    return _knowing(call, found)[0]


def _knowing(call: Aws, parameters: list[dict[str, Any]]) -> tuple[Redactor, str]:
    values, unknown = [parameter["Value"] for parameter in parameters], ""
    try:
        values += earlier_values(call, parameters)
    except CallFailed as failed:
        unknown = f"Of what is shown, the values that secrets had before they were changed are not redacted; they are not known here. {failed}"
    return Redactor(values), unknown
