#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: verify
version_added: 0.1.0
short_description: Fail unless conditions hold, with one message for people
description:
  - As M(ansible.builtin.assert), with its options O(that) and O(fail_msg), and without output while the conditions hold.
  - "The gap it closes: a failure of M(ansible.builtin.assert) shows its message twice, as a result and as an error, each on one long line."
  - This is an action plugin. Nothing runs on the host.
author:
  - The atena.aws founders (@atena)
options:
  that:
    description: The conditions, as in C(when).
    type: raw
    required: true
  fail_msg:
    description: What is wrong and what to do; the first line is what failed.
    type: raw
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
- name: Verify that there is a certificate
  atena.aws.verify:
    that: atena_certificate_arn | length > 0
    fail_msg: atena_certificate_arn is not set. Nothing was changed. Set it in the inventory.
"""

RETURN = r"""
msg:
  description: That the conditions hold, or where the reason of the failure is.
  returned: always
  type: str
  sample: All assertions passed
"""
