# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules share that wait for services (ecs.rollout_run)."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  cluster:
    description: The cluster's name.
    type: str
    required: true
  wait_timeout:
    description: Seconds for all services together.
    type: int
    default: 900
  wait_delay:
    description: Longest pause between two looks, in seconds. The first are shorter.
    type: int
    default: 3
  log_lines:
    description: How many of the last log lines of a failed task are reported.
    type: int
    default: 20
"""
