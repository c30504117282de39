#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: report
version_added: 0.1.0
short_description: Show a report as text, and return its data
description:
  - Shows lines as a person reads them. Lines that begin with a label and a colon get two columns, long ones are folded at the width of the terminal
    (or C(COLUMNS), or 100 where there is neither), commands in backticks stay whole, and there is colour where Ansible has any (C(NO_COLOR),
    C(ANSIBLE_FORCE_COLOR)).
  - "The gap it closes: M(ansible.builtin.debug) shows a text as JSON or YAML, with quotes and escapes, or folded where a command must not be."
  - This is an action plugin. Nothing runs on the host.
author:
  - The atena.aws founders (@atena)
options:
  lines:
    description: The lines, or lists of lines.
    type: raw
    required: true
  title:
    description: The line above them, such as the environment's name.
    type: str
    default: ""
  verbatim:
    description: Whether the lines are shown as they are, such as a JSON document or lines of a log.
    type: bool
    default: false
  data:
    description: The same for programs. It is returned, and the result file has it.
    type: dict
    default: {}
  next:
    description: What to do next, one line per step; empty where nothing is left to do.
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
- name: Report the result
  atena.aws.report:
    title: atena-prod, account 123456789012
    lines: "{{ deploy_result.summary }}"
    data:
      release: "{{ deploy_result.release_id }}"
"""

RETURN = r"""
title:
  description: The title.
  returned: always
  type: str
  sample: atena-prod, account 123456789012
msg:
  description: The lines, as they were given.
  returned: always
  type: list
  elements: str
  sample: ["database: available"]
data:
  description: The data, as it was given.
  returned: always
  type: dict
  sample: {release: 20270115T120000Z-3f2a91c-9b1c}
"""
