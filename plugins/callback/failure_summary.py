# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows why a run failed as the last thing on the screen, where whoever comes to it later looks first.

Action plugins cut a failed result down and leave its parts in it (plugin_utils/failure.py); only a callback knows when everything else was shown.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: failure_summary
type: notification
version_added: 0.1.0
short_description: Show why a run failed at its end
description:
  - For each environment that failed in a task of this collection, shows what failed, why, what state things are in and what to do, after the recap.
  - The playbooks of this collection use it automatically. For other playbooks, add it to C(callbacks_enabled).
  - Without it, the same is shown where the task failed.
author:
  - The atena.aws founders (@atena)
requirements:
  - enable in configuration, for playbooks of others
"""

import atexit
import os
from typing import TYPE_CHECKING, Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.atena.aws.plugins.plugin_utils import failure

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import TaskResult
    from ansible.playbook import Playbook

# Of fifty environments that fail for one reason, the others are named.
_MOST_BLOCKS = 5


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "atena.aws.failure_summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._process, self._playbook = os.getpid(), ""
        # By host: of each failure the task's name and its parts, if it has any.
        self._failed: dict[str, list[tuple[str, dict[str, Any] | None]]] = {}
        failure.at_the_end = True
        atexit.register(self._cut_short)

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        self._playbook = os.path.basename(getattr(playbook, "_file_name", "") or "")

    def v2_runner_on_failed(self, result: TaskResult, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            found = result._result
            items = [item for item in found.get("results") or [] if isinstance(item, dict) and item.get("failed")]
            told = next(filter(None, map(failure.told_of, items or [found])), None)
            self._failed.setdefault(result._host.get_name(), []).append((result._task.get_name(), told))

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        self._show(stats.rescued)

    def _show(self, rescued: dict[str, int]) -> None:
        failed, self._failed = self._failed, {}
        # What a rescue dealt with came first; after what nobody dealt with, only clearing up goes on.
        first = {host: next(iter(entries[rescued.get(host, 0) :]), None) for host, entries in failed.items()}
        told = [(host, task, parts) for host, entry in first.items() if entry for task, parts in [entry] if parts]
        for host, task, parts in told[:_MOST_BLOCKS]:
            failure.show(host, self._playbook, task, parts)
        if len(told) > _MOST_BLOCKS:
            self._display.display(
                "\n".join(f"FAILED: {self._playbook} on {host}: {parts['file'] or parts['what']}" for host, _task, parts in told[_MOST_BLOCKS:])
            )

    def _cut_short(self) -> None:
        """At the end of the process: after Ctrl-C, or an error of Ansible's own, there are no statistics."""
        if os.getpid() == self._process and self._failed:
            self._show({})
