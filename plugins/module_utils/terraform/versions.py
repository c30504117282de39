# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan that RDS would refuse half-way: another major version of PostgreSQL that nobody allowed, or an older one. Pure functions."""

from __future__ import annotations

from typing import Any


def numbers(version: str) -> tuple[int, ...]:
    """16.13 -> (16, 13)."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def problem(address: str, actual: str, wanted: str, allowed: bool) -> str:
    """Why RDS would not change a database from one version to another; '' if it would. wanted may be a major version alone."""
    have, want = numbers(actual), numbers(wanted)
    if not have or not want or have[: len(want)] == want:
        return ""
    if want < have[: len(want)]:
        return (
            f"{address} has PostgreSQL {actual}, and RDS never returns to {wanted}. Set engine_version in atena_database to {have[0]}, or restore a snapshot "
            "from before the upgrade (restore_database.yml)."
        )
    if want[0] == have[0] or allowed:
        return ""
    return (
        f"{address} would be upgraded from PostgreSQL {actual} to {wanted}. RDS does that only where it is allowed: the database is away for some minutes, and "
        "there is no way back but a snapshot of before. If the application knows the new version: allow_major_version_upgrade: true in atena_database, then "
        f"infra.yml; else set engine_version back to {have[0]}."
    )


def of_change(resource: dict[str, Any]) -> str:
    """The same of an entry of a plan's resource_changes."""
    change = resource["change"]
    if resource["type"] != "aws_db_instance" or change["actions"] != ["update"]:
        return ""
    before, after = change.get("before") or {}, change.get("after") or {}
    if not before.get("engine_version") or not after.get("engine_version"):
        return ""
    return problem(resource["address"], before["engine_version"], after["engine_version"], bool(after.get("allow_major_version_upgrade")))
