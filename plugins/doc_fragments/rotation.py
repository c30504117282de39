# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that every module which rotates secrets takes."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  name:
    description: The environment's name. Its cluster is C(<name>-cluster), its load balancer C(<name>-alb).
    type: str
    required: true
  path:
    description: Path of the environment's parameters.
    type: str
    required: true
  services:
    description: ECS services of the environment, in the order of the updates. Only those are given new tasks whose task definition reads what is rotated.
    type: list
    elements: str
    required: true
  power:
    description: Where it is written whether the environment is on. Nothing is rotated in one that is stopped. Unset, that is not checked.
  record:
    description: Where rotations are recorded.
    type: dict
    required: true
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      key:
        description: Key of the object with the last hundred rotations.
        type: str
        required: true
  operator:
    description: Who does it, for the record.
    type: str
    default: ""
  wait_timeout:
    description: Seconds for all deployments together; then the old values come back. The way back has 300 more.
    type: int
    default: 900
  wait_delay:
    description: Longest pause between two looks, in seconds. The first are shorter.
    type: int
    default: 3
  stable_seconds:
    description: How long the new tasks must stay up, once all run and are healthy, before the new values count as good; for what crashes only after a while.
    type: int
    default: 0
  log_lines:
    description: How many of the last log lines of a failed task are reported, without the secrets.
    type: int
    default: 20
"""
