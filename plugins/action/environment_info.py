# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs environment_info, and every module that meta/runtime.yml routes here.

environment_info is read of many environments in one run: so what it imports is in Ansible's main process.
"""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.plugin_utils.any_module import AnyModule
from ansible_collections.atena.aws.plugins.plugin_utils.warm import main_of

main_of("atena.aws.environment_info")


class ActionModule(AnyModule):
    pass
