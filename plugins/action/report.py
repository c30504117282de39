# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows a report as text, instead of as a result in JSON or YAML, and returns it with its data."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.atena.aws.plugins.plugin_utils import screen


def lines_of(given: Any) -> list[str]:
    """Texts, lists of them and lists in these, line by line."""
    if isinstance(given, (list, tuple)):
        return [line for part in given for line in lines_of(part)]
    return str(given).splitlines() if given is not None else []


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("title", "lines", "verbatim", "data", "next"))

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        given = self._task.args
        if "lines" not in given:
            raise AnsibleActionFail("atena.aws.report needs 'lines': what it is to show.")
        # The lines of several environments come one after the other, and not all reports name theirs.
        several = len((task_vars or {}).get("ansible_play_hosts_all") or []) > 1
        title = str(given.get("title") or ((task_vars or {}).get("inventory_hostname", "") if several else ""))
        lines = lines_of(given["lines"]) + [f"Next: {line}" for line in lines_of(given.get("next") or [])]
        if not self._task.no_log:
            screen.show(lines if boolean(given.get("verbatim", False)) else screen.arrange(lines, screen.width()), title)
        # What was shown is not shown again with -v.
        return {**result, "changed": False, "title": title, "msg": lines, "data": given.get("data") or {}, "_ansible_verbose_override": True}
