#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: environment_lock_info
version_added: 0.1.0
short_description: Gather information about an environment's lock
description:
  - Reads the lock that M(atena.aws.environment_lock) takes - who, where, what for, since when and until when.
author:
  - The atena.aws founders (@atena)
options:
  table:
    description: The DynamoDB table that the bootstrap made.
    type: str
    required: true
  name:
    description: The environment's name.
    type: str
    required: true
extends_documentation_fragment:
  - atena.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
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
- name: Read the environment's lock
  atena.aws.environment_lock_info:
    table: atena-terraform-locks
    name: atena-prod
"""

RETURN = r"""
locked:
  description: Whether a lock is held that has not expired.
  returned: success
  type: bool
holder:
  description: Who holds it, or held it last if it expired; null if it is free.
  returned: success
  type: dict
  contains:
    name:
      description: The environment.
      type: str
    owner:
      description: Who took it, an ARN.
      type: str
    host:
      description: User and machine it was taken on.
      type: str
    reason:
      description: What it was taken for.
      type: str
    acquired_at:
      description: Since when, ISO 8601.
      type: str
    heartbeat_at:
      description: When it was last renewed, ISO 8601.
      type: str
    expires_at:
      description: When it expires unless it is renewed, ISO 8601.
      type: str
says:
  description: The same in a sentence, for people.
  returned: success
  type: str
  sample: "atena-prod is not locked."
"""

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.environment import lock as locks


def main() -> None:
    module = AwsModule(
        argument_spec={
            "table": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    lock = locks.Lock(Caller(module), module.params["table"], module.params["name"])
    try:
        found = lock.read()
    except CallFailed as error:
        module.fail_json(**told(error))
    module.exit_json(
        changed=False,
        locked=found is not None and not locks.expired(found, lock.now),
        holder=locks.public(found),
        says=locks.standing_text(lock.name, found, lock.now),
    )


if __name__ == "__main__":
    main()
