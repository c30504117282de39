#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: report_failure
version_added: 0.1.0
short_description: Fail with an earlier failure, at the end of a rescue
description:
  - Fails with the failure that a rescue is about, and with what was found out since, so that both are one message.
  - "The gap it closes: M(ansible.builtin.fail) knows only a message, which is shown twice, and not what state things are in and what to do."
  - This is an action plugin. Nothing runs on the host.
author:
  - The atena.aws founders (@atena)
options:
  result:
    description: The result of the task that failed, such as C(ansible_failed_result).
    type: dict
    required: true
  why:
    description: Lines that explain the failure, in addition to its own.
    type: raw
    default: []
  next:
    description: What to do, one line per step, in addition to the failure's own.
    type: raw
    default: []
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Restart the services
  block:
    - name: Restart the services
      atena.aws.ecs_restart:
        cluster: atena-prod-cluster
        services: [atena-prod-api]
  rescue:
    - name: Fail with the error of the restart
      atena.aws.report_failure:
        result: "{{ ansible_failed_result }}"
        next: Check the new secret's value.
"""

RETURN = r"""
msg:
  description: Where the reason of the failure is.
  returned: failure
  type: str
  sample: The reason is at the end of this output
"""
