# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a survey or `-e name=text` sends where a list is meant: they know text only."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError


def answer_list(given: object) -> list[str]:
    """A list as it is; JSON; or text, one entry a line or separated by commas. Nothing means an empty list."""
    if given is None:
        return []
    if isinstance(given, str):
        text = given.strip()
        if text.startswith("[") and text.endswith("]"):
            try:
                given = json.loads(text)
            except ValueError as error:
                raise AnsibleFilterError(f"'{text}' looks like a JSON list and is none ({error}). Write a, b instead.") from error
        else:
            given = text.replace("\n", ",").split(",")
    if not isinstance(given, (list, tuple)):
        raise AnsibleFilterError(f"{given!r} must be a list, or text with commas between its entries.")
    return [entry for entry in (str(part).strip() for part in given) if entry]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"answer_list": answer_list}
