# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs environment_info as any_module does the others. It is read of many environments in one run: so what it imports is in Ansible's main process."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.action.any_module import ActionModule as AnyModule
from ansible_collections.atena.aws.plugins.plugin_utils.warm import main_of

main_of("atena.aws.environment_info")


class ActionModule(AnyModule):
    pass
