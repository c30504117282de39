# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what a person types, or a survey sends, to ecs_scale's `services`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

_HOW = 'Say it so: -e scale=api=2,workers=2, or -e \'{"scale": {"api": {"count": 2, "min": 1, "max": 4}}}\''
_PARTS = ("count", "min", "max")


def scale_services(given: object, services: dict, name: str, order: list[str], single: dict | None = None) -> list[dict]:
    """`given`: {"api": 2, "workers": {"count": 2, "min": 1, "max": 4}}, the same as JSON, or "api=2,workers=2": a survey has text fields only.
    `services`: the inventory's; `order`: of their updates; `single`: {"api": "2"}, from -e api=2, where `given` does not name the service.
    """
    wanted = {**{key: value for key, value in (single or {}).items() if _is_number(value)}, **_as_dict(given)}
    strangers = sorted(set(wanted) - set(services))
    if strangers:
        raise AnsibleFilterError(f"There is no service {', '.join(strangers)} here; there are {', '.join(sorted(services))}. Nothing was changed.")
    if not wanted:
        raise AnsibleFilterError(f"Nothing shows what to scale. {_HOW}")
    ordered = [*(key for key in order if key in wanted), *(key for key in sorted(wanted) if key not in order)]
    return [{"name": f"{name}-{key}", "key": key, **_parts(key, wanted[key])} for key in ordered]


def _as_dict(given: object) -> dict[str, Any]:
    if isinstance(given, str):
        given = given.strip()
        if given.startswith("{"):
            try:
                given = json.loads(given)
            except ValueError as error:
                raise AnsibleFilterError(f"scale is not JSON ({error}): {given} {_HOW}") from error
        else:
            pairs = [pair for pair in re.split(r"[\s,]+", given) if pair]
            odd = [pair for pair in pairs if pair.count("=") != 1]
            if odd:
                raise AnsibleFilterError(f"scale: '{odd[0]}' is not of the form service=count. {_HOW}")
            given = dict(pair.split("=") for pair in pairs)
    if not isinstance(given, dict):
        raise AnsibleFilterError(f"scale must name services and counts. {_HOW}")
    # A survey's question that nobody answered.
    return {str(key): value for key, value in given.items() if value not in ("", None)}


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and re.fullmatch(r"\s*[0-9]+\s*", str(value)) is not None


def _parts(key: str, value: object) -> dict[str, int]:
    parts = value if isinstance(value, dict) else {"count": value}
    unknown = sorted(set(parts) - set(_PARTS))
    if unknown or not parts:
        raise AnsibleFilterError(f"scale: {key} may say {', '.join(_PARTS)}, not {', '.join(map(str, unknown)) or 'nothing'}. {_HOW}")
    for part, number in parts.items():
        if not _is_number(number):
            raise AnsibleFilterError(f"scale: {key}'s {part} is '{number}'; it must be a whole number, 0 or more. {_HOW}")
    return {part: int(str(number)) for part, number in parts.items()}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"scale_services": scale_services}
