# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows the output of a command that the module ecs_exec runs, as it comes."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.plugin_utils.pipe import PipedAction


class ActionModule(PipedAction):
    pass
