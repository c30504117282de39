# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of ecs_release, as its documentation describes them."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.core.health import HEALTH_OPTIONS
from ansible_collections.atena.aws.plugins.module_utils.environment import unfinished
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import OWN_LOCK_OPTIONS

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "cluster": {"type": "str"},
    "release": {"type": "str"},
    "rollback_to": {"type": "str"},
    "allow_over_migration": {"type": "bool", "default": False},
    "services": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "images": {"type": "dict", "default": {}},
            "initial_count": {"type": "int", "default": 1},
            "stable_seconds": {"type": "int", "default": 60},
            "health_path": {"type": "str"},
        },
    },
    "ca_bundles": {"type": "bool", "default": True},
    "migration": {
        "type": "dict",
        "options": {
            "service": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "int", "default": 900},
            "repeat_incomplete": {"type": "bool", "default": False},
        },
    },
    "schema": {"type": "str", "default": ""},
    "migration_source": {"type": "str", "default": ""},
    "build": {
        "type": "dict",
        "default": {},
        "options": {
            "from": {"type": "str", "choices": ["", "commit", "working_tree"], "default": ""},
            "include": {"type": "list", "elements": "str", "default": []},
        },
    },
    "health": {"type": "dict", "apply_defaults": True, "options": HEALTH_OPTIONS},
    "preflight": {
        "type": "dict",
        "default": {},
        "options": {
            "ssm_path": {"type": "str"},
            "placeholder": {"type": "str", "default": "CHANGE_ME"},
            "database_id": {"type": "str"},
            "redis_id": {"type": "str"},
            "gates_bucket": {"type": "str"},
            "gates_key": {"type": "str", "no_log": False},
            "journal_key": {"type": "str", "no_log": False},
            "records": unfinished.OPTIONS,
        },
    },
    "ledger": {
        "type": "dict",
        "required": True,
        "options": {"bucket": {"type": "str", "required": True}, "prefix": {"type": "str", "required": True}},
    },
    "evidence": {
        "type": "dict",
        "default": {},
        "options": {
            "directory": {"type": "path"},
            "prefix": {"type": "str", "default": "evidence/"},
            "playbook_command": {"type": "str", "default": "ansible-playbook {playbook}"},
        },
    },
    "lock": OWN_LOCK_OPTIONS,
    "operator": {"type": "str", "required": True},
    "tags": {"type": "dict", "default": {}},
    "kept_releases": {"type": "int", "default": 10},
    "wait_timeout": {"type": "int", "default": 900},
    "wait_delay": {"type": "int", "default": 3},
    "log_lines": {"type": "int", "default": 20},
    "progress_file": {"type": "path"},
}
