# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that the modules of recovery share, as the doc fragment `recovery` describes them."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.power.arguments import ARGUMENTS

_SHARED = ("name", "cluster", "database_id", "redis_id", "terraform", "lock", "operator", "tags", "wait_timeout", "wait_delay", "log_lines", "progress_file")
_KEYS = ("state_key", "gates_key", "journal_key", "record_key")
COMMON = {
    **{name: ARGUMENTS[name] for name in _SHARED},
    "storage": {
        "type": "dict",
        "required": True,
        "options": {
            "bucket": {"type": "str", "required": True},
            **{key: {"type": "str", "required": True, "no_log": False} for key in _KEYS},
            "destroy_key": {"type": "str", "no_log": False},
        },
    },
    "timeouts": {
        "type": "dict",
        "apply_defaults": True,
        "options": {name: {"type": "int", "default": default} for name, default in (("tasks", 900), ("database", 7200), ("redis", 3600))},
    },
}
