# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ansible.builtin.assert, but that its failure is one block for people, as that of our modules."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.atena.aws.plugins.plugin_utils.failure import for_people


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        task = self._task.copy()
        task.args = {"quiet": True, **self._task.args}
        asserting = self._shared_loader_obj.action_loader.get(
            "ansible.builtin.assert",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        return for_people(self, {**result, **asserting.run(task_vars=task_vars)}, task_vars or {})
