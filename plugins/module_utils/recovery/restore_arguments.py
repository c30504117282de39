# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of database_restore, as its documentation describes them."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.power.arguments import ARGUMENTS
from ansible_collections.atena.aws.plugins.module_utils.recovery.arguments import COMMON

ARGUMENTS = {
    **COMMON,
    "health": ARGUMENTS["health"],
    "mode": {"type": "str", "choices": ["restored", "undone", "original_removed"], "default": "restored"},
    "confirm": {"type": "str", "default": ""},
    "allow_unapplied": {"type": "bool", "default": False},
    "snapshot": {"type": "str", "default": ""},
    "time": {"type": "str", "default": ""},
    "instance": {"type": "str", "default": ""},
    "database_url_parameter": {"type": "str", "required": True},
    "check_command": {
        "type": "dict",
        "options": {
            "service": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "int", "default": 900},
        },
    },
    "settings": {
        "type": "dict",
        "required": True,
        "options": {
            "instance_class": {"type": "str", "required": True},
            "engine_version": {"type": "str", "default": ""},
            "allow_major_version_upgrade": {"type": "bool", "default": False},
            "subnet_group": {"type": "str", "required": True},
            "security_group": {"type": "str", "required": True},
            "storage_type": {"type": "str", "default": "gp3"},
            "multi_az": {"type": "bool", "default": False},
            "deletion_protection": {"type": "bool", "default": False},
            "backup_retention_days": {"type": "int", "default": 7},
            "backup_window": {"type": "str"},
            "maintenance_window": {"type": "str"},
            "tags": {"type": "dict", "default": {}},
        },
    },
}
