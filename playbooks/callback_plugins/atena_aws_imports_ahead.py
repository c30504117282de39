# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings the callback atena.aws.imports_ahead along with the playbooks beside it, as atena_aws_result_file.py does the other one."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.callback.imports_ahead import CallbackModule as ImportsAhead


class CallbackModule(ImportsAhead):
    CALLBACK_NEEDS_ENABLED = False
