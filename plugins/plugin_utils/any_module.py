# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module and shows its failure to people: for those of our modules that have no lines to show meanwhile."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action.normal import ActionModule as Normal
from ansible_collections.atena.aws.plugins.plugin_utils.failure import for_people
from ansible_collections.atena.aws.plugins.plugin_utils.warm import WarmAction


class AnyModule(WarmAction, Normal):
    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        return for_people(self, super().run(tmp, task_vars), task_vars or {})
