# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the options that the modules of recovery share (module_utils/recovery/arguments.py)."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  name:
    description: The environment, such as C(atena-prod).
    type: str
    required: true
  cluster:
    description: The ECS cluster; C(<name>-cluster) if unset.
    type: str
  database_id:
    description: The RDS instance.
    type: str
    required: true
  redis_id:
    description: The Redis cluster.
    type: str
    required: true
  storage:
    description: Where the state and the records are.
    type: dict
    required: true
    suboptions:
      bucket: {description: The state bucket., type: str, required: true}
      state_key: {description: Terraform's state., type: str, required: true}
      gates_key: {description: The gates., type: str, required: true}
      journal_key: {description: The journal of stops and starts., type: str, required: true}
      record_key: {description: "This work's own record: what was done so far, and what it left.", type: str, required: true}
      destroy_key:
        description: Key of the record of a destroy, where that is another. While a redeploy is incomplete, a restore makes no empty Redis.
        type: str
  operator:
    description: "Who does this, for the records: the caller's ARN."
    type: str
    required: true
  timeouts:
    description: Seconds for the parts that take long.
    type: dict
    suboptions:
      tasks: {description: For one-off tasks to exit on their own; then they are asked to stop., type: int, default: 900}
      database: {description: For each change of a database., type: int, default: 7200}
      redis: {description: For each change of Redis., type: int, default: 3600}
  tags:
    description: Tags of what is made.
    type: dict
    default: {}
  wait_timeout:
    description: Seconds for all services together to become stable.
    type: int
    default: 900
  wait_delay:
    description: The longest pause between two looks, in seconds.
    type: int
    default: 5
  log_lines:
    description: How many log lines of a failed task are shown.
    type: int
    default: 20
"""
