# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows what the module database_restore tells while it works."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    pass
