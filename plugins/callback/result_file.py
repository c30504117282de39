# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes the outcome of a run for programs to read.

A callback sees every result of every host, also those of a role that fails before any block could catch them, and changes neither what is shown
nor the exit code. The playbooks of this collection bring it along (playbooks/callback_plugins), so that nobody has to enable it.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: result_file
type: notification
version_added: 0.1.0
short_description: Write the outcome of a run as JSON
description:
  - Where the variable C(atena_result_file) is set, the outcome of each environment is written there at the end of the run, and set as the custom
    statistic C(atena_result) (the artifacts of a job in AWX).
  - The playbooks of this collection use it automatically. For other playbooks, add it to C(callbacks_enabled).
  - The file is private (0600) and replaced at once. What an earlier run left there is removed when the first task starts. A file that cannot be
    written is a warning.
author:
  - The atena.aws founders (@atena)
requirements:
  - enable in configuration, for playbooks of others
"""

import atexit
import datetime
import os
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

from ansible import context
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar
from ansible_collections.atena.aws.plugins.plugin_utils import failure, result_file

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import TaskResult
    from ansible.inventory.host import Host
    from ansible.playbook import Playbook
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

try:
    from ansible.module_utils.secrets import mask_secrets  # ansible-core 2.22
except ImportError:

    def mask_secrets(value: str) -> str:
        """Earlier ones keep no list of secrets, and cut none out."""
        return value


_COLLECTION = "atena.aws"
_REPORT = f"{_COLLECTION}.report"
_STATISTIC = "atena_result"


def _now() -> datetime.datetime:
    return datetime.datetime.now(result_file.UTC)


def _statistics() -> AggregateStats | None:
    """Where custom statistics are kept. Ansible hands it to callbacks only at the very end and in order, when the display (AWX's too) has read it."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, TaskQueueManager):
            return owner._stats
        frame = frame.f_back
    return None


def _name(task: Task) -> str:
    """A task's name. Ansible cuts secrets out of results and of what it shows itself, not out of this."""
    return mask_secrets(task.get_name())


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "atena.aws.result_file"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The forks that run tasks inherit all this and have no part in it.
        self._process = os.getpid()
        self._begin("")
        atexit.register(self._cut_short)

    def _begin(self, playbook: str) -> None:
        self._playbook, self._started, self._task = playbook, _now(), ""
        self._play: Play | None = None
        self._hosts: dict[str, result_file.Outcome | None] = {}
        self._paths: dict[str, str] = {}
        self._rescued_before: dict[str, int] = {}
        self._open = True

    # --- Who is asked for ---------------------------------------------------------------------------------------------
    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        self._begin(os.path.basename(getattr(playbook, "_file_name", "") or ""))

    def v2_playbook_on_play_start(self, play: Play) -> None:
        self._play = play

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        self._task = _name(task)

    def v2_runner_on_start(self, host: Host, task: Task) -> None:
        self._outcome(host)

    def _outcome(self, host: Host) -> result_file.Outcome | None:
        """The host's outcome, or None where no file is asked for."""
        name = host.get_name()
        if name not in self._hosts:
            self._hosts[name] = self._new(host)
        return self._hosts[name]

    def _new(self, host: Host) -> result_file.Outcome | None:
        if self._play is None:
            return None
        variables = self._play.get_variable_manager().get_vars(play=self._play, host=host)
        if not variables.get("atena_result_file"):
            return None
        name = host.get_name()
        templar = Templar(loader=self._play.get_loader(), variables=variables)
        try:
            path = str(templar.template(variables["atena_result_file"]) or "")
            environment = str(templar.template(variables.get("atena_name") or name))
        except Exception as problem:  # which of Ansible's exceptions it is differs between its versions
            self._display.warning(f"atena_result_file of {name} cannot be determined, so there will be no result file: {problem}")
            return None
        if not path:
            return None
        path = os.path.abspath(os.path.expanduser(path))
        if path not in self._paths.values():
            try:
                result_file.clear(path)
            except OSError as problem:
                self._display.warning(f"The result file {path} will not be written: {problem}")
        self._paths[name] = path
        statistics = _statistics()
        self._rescued_before[name] = statistics.rescued.get(name, 0) if statistics else 0
        return result_file.Outcome(environment, self._playbook, bool(context.CLIARGS.get("check")), self._started)

    # --- What happens -------------------------------------------------------------------------------------------------
    def v2_runner_on_ok(self, result: TaskResult) -> None:
        self._took_part(result)

    def v2_runner_on_failed(self, result: TaskResult, ignore_errors: bool = False) -> None:
        self._took_part(result, failed=not ignore_errors)

    def v2_runner_on_unreachable(self, result: TaskResult) -> None:
        self._took_part(result, failed=not result._task.ignore_unreachable)

    def _took_part(self, result: TaskResult, failed: bool = False) -> None:
        outcome = self._outcome(result._host)
        if outcome is None:
            return
        task, found = result._task, failure.whole(result._result)
        told = task.action == _REPORT and getattr(task._role, "_role_collection", None) == _COLLECTION
        outcome.task(task.action, found, result.is_changed(), told)
        if failed:
            outcome.failed(_name(task), found)
        statistics = _statistics()
        if statistics:
            self._set(statistics)

    # --- What is left of it -------------------------------------------------------------------------------------------
    def _documents(self, statistics: AggregateStats | None) -> dict[str, dict[str, Any]]:
        rescued = statistics.rescued if statistics else {}
        return {
            name: outcome.document(_now(), rescued.get(name, 0) - self._rescued_before[name]) for name, outcome in self._hosts.items() if outcome is not None
        }

    def _set(self, statistics: AggregateStats) -> None:
        statistics.set_custom_stats(_STATISTIC, {document["environment"]: document for document in self._documents(statistics).values()})

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        self._open = False
        documents = self._documents(stats)
        if documents:
            self._set(stats)
        self._write(documents)

    def _write(self, documents: dict[str, dict[str, Any]]) -> None:
        for path in dict.fromkeys(self._paths.values()):
            try:
                result_file.write(path, result_file.together([document for name, document in documents.items() if self._paths[name] == path]))
            except OSError as problem:
                self._display.warning(f"The result file {path} was not written: {problem}")

    def _cut_short(self) -> None:
        """At the end of the process: Ctrl-C, or an error of Ansible's own, after which there are no statistics."""
        if not self._open or os.getpid() != self._process:
            return
        for outcome in self._hosts.values():
            if outcome is not None:
                outcome.interrupted = f"The run ended before the playbook did, in the task '{self._task}': it was interrupted, or Ansible itself failed."
        self._write(self._documents(None))
