# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the inventory's services to the list that a preflight takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.filter.release import health_path


def preflight_services(services: dict, order: list[str], name: str, images: dict | None = None, task_definitions: dict | None = None) -> list[dict]:
    """release_preflight_info's `services`, in the order of the rollout."""
    result, definitions = [], task_definitions or {}
    for key in order:
        entry = {"name": f"{name}-{key}", "images": (images or {}).get(key, {}), **health_path(services[key])}
        if definitions.get(key):
            entry["task_definition"] = definitions[key]
        result.append(entry)
    return result


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"preflight_services": preflight_services}
