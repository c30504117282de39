# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prints a diagnosis as plain lines. A result is shown as JSON or YAML, which escapes or folds them, and no folded command can be copied."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.plugin_utils import screen
from ansible_collections.atena.aws.plugins.plugin_utils.failure import for_people
from ansible_collections.atena.aws.plugins.plugin_utils.warm import WarmAction


class ActionModule(WarmAction):
    _requires_connection = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        result.update(self._execute_module(task_vars=task_vars))
        shown = str(self._task.args.get("show", False)).lower() in ("true", "yes", "on", "1")
        if shown and not self._task.no_log:
            screen.show(screen.arrange(result.get("text", "").splitlines(), screen.width()))
        return for_people(self, result, task_vars or {})
