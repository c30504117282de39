# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Imports what tasks need in Ansible's main process, before it forks a worker for each task of each host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: imports_ahead
type: notification
version_added: 0.1.0
short_description: Import what tasks need before workers are forked
description:
  - Each task of each host runs in a fork of C(ansible-playbook), which imports what is missing, and ends. What the main process has imported is in all of them.
  - Imports connection, shell, filters, tests and lookups that the collection's roles use, the modules that read, and botocore's descriptions of the services
    that they read. It changes no result, only when something is read.
  - The playbooks of this collection use it automatically. For other playbooks, add it to C(callbacks_enabled).
author:
  - The atena.aws founders (@atena)
requirements:
  - enable in configuration, for playbooks of others
"""

import contextlib
import gc
from pathlib import Path

from ansible.plugins import loader
from ansible.plugins.callback import CallbackBase
from ansible_collections.atena.aws.plugins.module_utils.core import models
from ansible_collections.atena.aws.plugins.plugin_utils import warm

_PLUGINS = Path(__file__).resolve().parents[1]
# Of Ansible's own, one of each file with filters or tests that the roles use.
_FILTERS = ("combine", "union", "urlsplit")
_TESTS = ("match", "subset")
_LOOKUPS = ("env", "config", "pipe", "vars")
# Read by every status, which is asked of many environments at a time.
_MODULES = ("caller_identity_info", "environment_info")
_SERVICES = ("sts", "ecs", "elbv2", "rds", "elasticache", "dynamodb", "s3", "ssm", "ec2", "logs", "ecr")


def own(kind: str, files: str = "*.py") -> list[str]:
    """The names of a kind of plugin of this collection. Several filters are in one file of Python's, and each has one that documents it."""
    return [f"atena.aws.{path.stem}" for path in sorted((_PLUGINS / kind).glob(files))]


def import_ahead() -> None:
    loader.connection_loader.get("local", class_only=True)
    loader.shell_loader.get("sh")
    for name in (*_FILTERS, *own("filter", "*.yml")):
        loader.filter_loader.get(name)
    for name in _TESTS:
        loader.test_loader.get(name)
    for name in (*_LOOKUPS, *own("lookup")):
        loader.lookup_loader.get(name, class_only=True)
    for name in _MODULES:
        warm.main_of(f"atena.aws.{name}")
    models.read_ahead(_SERVICES)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "atena.aws.imports_ahead"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: object) -> None:
        # Whoever needs what cannot be imported says so.
        with contextlib.suppress(Exception):
            import_ahead()

    def v2_playbook_on_play_start(self, play: object) -> None:
        # Playbook, inventory and all that is imported stay as long as the run. A worker that looked through them for garbage would copy all of it.
        gc.freeze()
