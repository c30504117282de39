#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ssm_secrets_rotation
version_added: 0.1.0
short_description: Rotate secrets, and revert them if the services that read them fail
description:
  - Writes new values to parameters, starts new tasks of only the services that read them, and waits for these as for any other rollout. If they
    fail their health checks, the old values are written again and new tasks started once more.
  - While it is in progress, the version that the services had carries a label in Parameter Store. A run that was killed leaves it, and the next one
    resumes from there, with the values that it is given or with those that are written already.
  - Values that are there already are nothing to rotate. No value is ever returned; one that turns up in a task's log lines is redacted.
  - "The gap it closes: M(community.aws.ssm_parameter) writes one value and leaves the tasks with the old one; M(community.aws.ecs_service) with
    C(force_new_deployment) waits for nothing; and neither knows the other's way back."
author:
  - The atena.aws founders (@atena)
options:
  names:
    description: Names of the secrets that may be rotated, without the path. Of all of them it is looked whether an earlier rotation is incomplete.
    type: list
    elements: str
    required: true
  values:
    description: New values by name, with the rules of M(atena.aws.ssm_secrets). None are needed to finish an earlier rotation.
    type: dict
    default: {}
  named:
    description: Names of O(values) that are written whatever they are, as M(atena.aws.ssm_secrets) has it. Unset names all.
    type: list
    elements: str
  sslmode:
    description:
      - The C(sslmode) that the database addresses in O(names) get; all else in them stays. Instead of O(values).
      - Empty, nothing is changed, but what an earlier such run began is finished.
    type: str
    choices: ["", require, verify-ca, verify-full, no-verify]
  placeholder:
    description: The value that means 'not set yet'.
    type: str
    default: CHANGE_ME
extends_documentation_fragment:
  - atena.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
  - atena.aws.rotation
  - atena.aws.health
  - atena.aws.lock
  - atena.aws.power
  - atena.aws.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Names the secrets; a value never shows.
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: A new key, for the services that read it
  atena.aws.ssm_secrets_rotation:
    name: atena-prod
    path: /atena/prod
    names: [CLAUDE_API_KEY, ADMIN_TOKEN]
    values:
      CLAUDE_API_KEY: "{{ new_key }}"
    services: [atena-prod-api, atena-prod-workers]
    record:
      bucket: atena-terraform-state-123456789012
      key: atena/prod/rotations.json

- name: A database that is verified, for the services that read its address
  atena.aws.ssm_secrets_rotation:
    name: atena-prod
    path: /atena/prod
    names: [DATABASE_URL]
    sslmode: verify-full
    services: [atena-prod-api, atena-prod-workers]
    record:
      bucket: atena-terraform-state-123456789012
      key: atena/prod/rotations.json
"""

RETURN = r"""
outcome:
  description: C(succeeded), C(nothing_to_do), or C(predicted) in check mode; C(reverted), C(failed) or C(interrupted) of a run that fails.
  returned: success, or failure after it began
  type: str
secrets:
  description: One entry for each secret that exists.
  returned: success, or failure after it began
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    action:
      description: >-
        What was done, in check mode what would be - C(write) a new value; C(finish) what an earlier run began; C(forget) the mark of one that wrote
        nothing; C(nothing).
      type: str
    version:
      description: Its version in Parameter Store.
      type: int
    previous_version:
      description: The version that the services had before.
      type: int
left:
  description: Names whose value was given and not written, since it is an earlier one and O(named) does not name it.
  returned: success, or failure after it began
  type: list
  elements: str
services:
  description: The services that got new tasks; in check mode, that would get them.
  returned: success, or failure after it began
  type: list
  elements: str
lines:
  description: What was done, for people.
  returned: success
  type: list
  elements: str
duration_seconds:
  description: Seconds that it took.
  returned: when something was done
  type: float
reverted:
  description: Names of the services that are healthy again with the old values.
  returned: failure of the new tasks
  type: list
  elements: str
not_reverted:
  description: Names of the services that could not be confirmed stable with the old values. Check these at once.
  returned: failure of the new tasks
  type: list
  elements: str
failed_tasks:
  description: The newest tasks that ended in the failed deployments, with reason, exit codes and last log lines.
  returned: failure of the new tasks
  type: dict
"""

from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.rotation.run import run_module, ROTATION_OPTIONS, Rotation
from ansible_collections.atena.aws.plugins.module_utils.rotation.sslmode import SslmodeRotation
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import SSLMODES


def main() -> None:
    module = AwsModule(
        argument_spec={
            **ROTATION_OPTIONS,
            "names": {"type": "list", "elements": "str", "required": True},
            "values": {"type": "dict", "default": {}, "no_log": True},
            "named": {"type": "list", "elements": "str"},
            "sslmode": {"type": "str", "choices": ["", *SSLMODES]},
            "placeholder": {"type": "str", "default": "CHANGE_ME"},
        },
        supports_check_mode=True,
    )
    if module.params["sslmode"] is not None and module.params["values"]:
        module.fail_json(msg="`sslmode` changes what is there, and `values` replaces it: one of the two. Nothing was changed.")
    run_module(module, Rotation if module.params["sslmode"] is None else SslmodeRotation)


if __name__ == "__main__":
    main()
