# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuses a run that would do nothing because no host is where the playbooks look for environments.

Ansible calls such a run a success. No task could tell it otherwise: there is no host to run one on.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: group_environments
type: notification
version_added: 0.1.0
short_description: Refuse an inventory without the group environments
description:
  - Ends the run with exit code 1 where a play is meant for the group C(environments), and the inventory has no host in it.
  - Where it has some, and C(--limit) chooses none of them, a playbook of this collection is refused in the same way. Other playbooks that import one are not.
  - The playbooks of this collection use it automatically. For other playbooks, add it to C(callbacks_enabled).
author:
  - The atena.aws founders (@atena)
requirements:
  - enable in configuration, for playbooks of others
"""

import os
from typing import TYPE_CHECKING, Any

from ansible import context
from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from ansible.playbook import Playbook
    from ansible.playbook.play import Play

GROUP = "environments"
_SHOWN = 5


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def refusal(groups: dict[str, list[str]], sources: list[str], limit: str, ours: bool) -> str:
    """Why a play for the group finds no host. `ours`: whether the playbook that was started is this collection's; `limit`: as it was given. Or ''."""
    there = groups.get(GROUP) or []
    if there:
        return f"--limit {limit} chooses no host of the group {GROUP}, which has {_some(there)}. Nothing was done." if ours else ""
    others = sorted(name for name, hosts in groups.items() if hosts and name not in ("all", "ungrouped", GROUP))
    where = f"The inventory ({_some(sources)})" if sources else "The inventory"
    if others:
        has = f"Its groups are {_some(others)}. Rename the one with the environments, or make it a child: {{{GROUP}: {{children: {{{others[0]}: }}}}}}."
    elif groups.get("all"):
        has = f"Its hosts ({_some(groups['all'])}) are in no group. Put them into one: {{{GROUP}: {{hosts: {{{groups['all'][0]}: }}}}}}."
    else:
        has = f"It has no host at all. Name it with -i; one environment is {{{GROUP}: {{hosts: {{atena-prod: }}}}}}."
    return f"{where} has no host in the group {GROUP}, and only there the playbooks of atena.aws find environments. {has} Nothing was done."


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "atena.aws.group_environments"
    CALLBACK_NEEDS_ENABLED = True
    # The directory of playbooks that brings it along.
    BESIDE = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._play: Play | None = None
        self._ours = False

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        self._ours = bool(self.BESIDE) and os.path.realpath(getattr(playbook, "_basedir", "") or ".") == self.BESIDE

    def v2_playbook_on_play_start(self, play: Play) -> None:
        self._play = play

    def v2_playbook_on_no_hosts_matched(self) -> None:
        if self._play is None or self._play.hosts not in (GROUP, [GROUP]):
            return
        variables = self._play.get_variable_manager().get_vars(play=self._play)
        sources = [os.path.relpath(source) if os.path.isabs(str(source)) else str(source) for source in variables.get("ansible_inventory_sources") or []]
        why = refusal(variables.get("groups") or {}, sources, str(context.CLIARGS.get("subset") or ""), self._ours)
        if why:
            self._display.error(why, wrap_text=False)
            # Of what a callback raises, Ansible makes a warning, but for this.
            raise SystemExit(1)
