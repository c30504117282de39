# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows lines without an end, as they come: those of ecs_exec, and of every module that meta/runtime.yml routes here."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.plugin_utils.pipe import PipedAction


class ActionModule(PipedAction):
    pass
