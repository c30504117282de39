# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ends a rescue: fails with the failure that it is about, and what was found out since."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.atena.aws.plugins.action.report import lines_of
from ansible_collections.atena.aws.plugins.module_utils.core.failure import of_result
from ansible_collections.atena.aws.plugins.plugin_utils.failure import for_people, whole


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("result", "why", "next"))

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        found = whole(dict(self._task.args.get("result") or {}))
        failure = of_result(found)
        for part in ("why", "next"):
            getattr(failure, part).extend(line for line in lines_of(self._task.args.get(part)) if line not in getattr(failure, part))
        kept = {key: value for key, value in found.items() if key not in ("invocation", "exception")}
        return for_people(self, {**result, **kept, "failed": True, "msg": failure.text(), "failure": failure.as_dict()}, task_vars or {})
