# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings the callback atena.aws.group_environments along with the playbook beside it: Ansible loads the callbacks that it finds there."""

from __future__ import annotations

import os

from ansible_collections.atena.aws.plugins.callback.group_environments import CallbackModule as GroupEnvironments


class CallbackModule(GroupEnvironments):
    CALLBACK_NEEDS_ENABLED = False
    BESIDE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
