# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows what a module tells while it works: ecs_run_task, and every module that meta/runtime.yml routes here."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    pass
