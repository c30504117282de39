# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuses a controller whose Python is too old, before the module caller_identity_info runs: it is the first of ours in every playbook.

The module sees only the Python that runs modules, which may be another. The controller's runs the filters, lookups and live views.
"""

from __future__ import annotations

import sys
from typing import Any

from ansible_collections.atena.aws.plugins.action.any_module import ActionModule as AnyModule
from ansible_collections.atena.aws.plugins.module_utils.core import requirements


class ActionModule(AnyModule):
    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        problem = requirements.python_problem(
            "Ansible itself on this controller",
            requirements.this_python(),
            sys.executable,
            f"Install Ansible with a newer one: python3.12 -m venv ansible && ansible/bin/pip install ansible-core 'boto3>={requirements.SDK}'",
        )
        if problem:
            return {"failed": True, "msg": problem}
        return super().run(tmp, task_vars)
