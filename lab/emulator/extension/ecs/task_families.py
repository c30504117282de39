"""A family's name means its newest active revision.

MiniStack takes the newest one, deregistered or not.
"""

from __future__ import annotations

from typing import Any

from ministack.services import ecs

from ..common.patching import replace


def newest_active(family: str, definitions: Any) -> str | None:
    """family:revision of the newest active revision."""
    revisions = [item["revision"] for item in definitions.values() if item.get("family") == family and item.get("status") == "ACTIVE"]
    return f"{family}:{max(revisions)}" if revisions else None


def apply() -> None:
    replace(ecs, "_resolve_td_key", _active)


def _active(resolve: Any) -> Any:
    def resolve_active(reference: str) -> str | None:
        key = resolve(reference)
        if not key or reference.endswith(f":{key.rpartition(':')[2]}"):  # a revision was asked for
            return key
        family = key.partition(":")[0]
        return newest_active(family, ecs._task_defs) or family

    return resolve_active
