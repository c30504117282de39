# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of environment_power, as its documentation describes them."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.health import HEALTH_OPTIONS
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import OWN_LOCK_OPTIONS


def _required(**more: Any) -> dict[str, Any]:
    return {"type": "str", "required": True, **more}


def _optional(kind: str, default: object) -> dict[str, Any]:
    return {"type": kind, "default": default}


def _group(required: bool = False, **options: Any) -> dict[str, Any]:
    return {"type": "dict", "options": options, **({"required": True} if required else {"apply_defaults": True})}


ARGUMENTS = {
    "name": _required(),
    "state": _required(choices=["stopped", "started", "redis_restored"]),
    "cluster": {"type": "str"},
    "services": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": _required(), "desired_count": _optional("int", 1)},
    },
    "database_id": _required(),
    "redis_id": _required(),
    "redis_url_parameter": _required(),
    "storage": _group(True, bucket=_required(), state_key=_required(no_log=False), gates_key=_required(no_log=False), journal_key=_required(no_log=False)),
    "terraform": _group(
        True,
        project_path={"type": "path", "required": True},
        executable=_optional("str", "terraform"),
        lock_timeout=_optional("int", 60),
        parallelism=_optional("int", 10),
        allow_destroy={"type": "list", "elements": "str", "default": []},
    ),
    "lock": OWN_LOCK_OPTIONS,
    "operator": _required(),
    "database": _group(backup_max_age_hours=_optional("float", 24.0), snapshots_kept=_optional("int", 7)),
    "redis": _group(snapshots_kept=_optional("int", 7), snapshot=_optional("str", ""), without_queue=_optional("str", ""), confirm=_optional("str", "")),
    "reenqueue": {
        "type": "dict",
        "options": {
            "service": _required(),
            "container": _required(),
            "command": {"type": "list", "elements": "str", "required": True},
            "timeout": _optional("int", 900),
        },
    },
    "health": _group(False, **HEALTH_OPTIONS),
    "domain": _optional("dict", {}),
    "costs": _group(
        running=_optional("float", 0.0),
        stopped=_optional("float", 0.0),
        stopped_parts=_optional("dict", {}),
        currency=_optional("str", "$"),
        source=_optional("str", ""),
    ),
    "timeouts": _group(tasks=_optional("int", 900), database=_optional("int", 3600), redis=_optional("int", 3600)),
    "tags": _optional("dict", {}),
    "wait_timeout": _optional("int", 900),
    "wait_delay": _optional("int", 5),
    "log_lines": _optional("int", 20),
    "progress_file": {"type": "path"},
}
