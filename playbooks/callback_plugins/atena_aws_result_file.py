# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings the callback atena.aws.result_file along with the playbooks beside it.

Ansible loads the callbacks that it finds in callback_plugins beside a playbook, also beside one of a collection and one that is imported; those in a
collection's plugins/callback only where they are named in its configuration. It does nothing unless atena_result_file is set.
"""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.callback.result_file import CallbackModule as ResultFile


class CallbackModule(ResultFile):
    CALLBACK_NEEDS_ENABLED = False
