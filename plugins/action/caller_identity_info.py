# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs caller_identity_info, as environment_info does the others.

It is the first module of ours in every playbook, and so what brings the imports of all into Ansible's main process where no callback did (imports_ahead).
"""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.plugin_utils.any_module import AnyModule
from ansible_collections.atena.aws.plugins.plugin_utils.warm import main_of

main_of("atena.aws.caller_identity_info")


class ActionModule(AnyModule):
    pass
