#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: environment_redeploy
version_added: 0.1.0
short_description: Determine the snapshots that an environment is recreated from, and record the end of it
description:
  - O(phase=begin) reads the record of the destroy, verifies that the snapshots can be restored, looks which images and logs are still there, and returns the
    variables for the one Terraform apply that makes the environment from them. O(phase=end) records that the application runs again.
  - Refuses where a database exists that no redeploy made, and where no destroy is recorded and no snapshot is named, since an empty database would be made.
  - A redeploy that was killed is begun again and resumes with the same snapshots. Where its end is not recorded, the database is gone, and newer snapshots
    show that it was there in between, it refuses and wants a snapshot named.
  - "The gap it closes: nothing else knows which snapshot belongs to the environment that was destroyed, so a C(terraform apply) makes an empty one."
author:
  - The atena.aws founders (@atena)
options:
  name:
    description: The environment, such as C(atena-prod).
    type: str
    required: true
  phase:
    description: Before the apply, or when the application is healthy.
    type: str
    choices: [begin, end]
    required: true
  services:
    description: Keys of the services.
    type: list
    elements: str
    required: true
  database_id:
    description: The RDS instance.
    type: str
    required: true
  database_snapshot:
    description: A snapshot of the database in place of the recorded one; V(none) for an empty database.
    type: str
    default: ""
  redis_snapshot:
    description: A snapshot of Redis in place of the recorded one; V(none) for an empty one.
    type: str
    default: ""
  release:
    description: The release to make it with, a commit in full, in place of the one that ran before the destroy; V(checked_out) for one that is built.
    type: str
    default: ""
  storage:
    description: Where the record of the destroy is.
    type: dict
    required: true
    suboptions:
      bucket: {description: The state bucket., type: str, required: true}
      record_key: {description: The record's key., type: str, required: true}
  operator:
    description: "Who does this, for the record: the caller's ARN."
    type: str
    required: true
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.lock
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Nothing is recorded.
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Determine the snapshots to restore
  atena.aws.environment_redeploy:
    name: atena-prod
    phase: begin
    services: [api, workers]
    database_id: atena-prod-db
    storage: {bucket: atena-terraform-state-123456789012, record_key: atena/prod/destroyed.json}
    operator: arn:aws:iam::123456789012:user/ana
"""

RETURN = r"""
done: {description: "Whether it was recreated already, to the end. Nothing is released then.", returned: "O(phase=begin)", type: bool}
release: {description: The release that it is made with; empty for the commit that is checked out., returned: "O(phase=begin)", type: str}
counts: {description: "How often each service ran, by its name in ECS; empty where that is not recorded.", returned: "O(phase=begin)", type: dict}
already_there: {description: Whether the database exists., returned: "O(phase=begin)", type: bool}
terraform_variables:
  description: C(database_snapshot), C(database_sslmode), C(redis_snapshot) and C(kept), as C(infra/variables.tf) takes them.
  returned: O(phase=begin)
  type: dict
database_from: {description: From what the database is made., returned: "O(phase=begin)", type: str, sample: from the snapshot atena-prod-db-final-1a2b3c4d}
redis_from: {description: From what Redis is made., returned: "O(phase=begin)", type: str, sample: empty}
lines: {description: The same for people., returned: "O(phase=begin)", type: list, elements: str}
"""

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import holding, LOCK_OPTIONS
from ansible_collections.atena.aws.plugins.module_utils.recovery.redeploy import Redeploy


def main() -> None:
    module = AwsModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "phase": {"type": "str", "choices": ["begin", "end"], "required": True},
            "services": {"type": "list", "elements": "str", "required": True},
            "database_id": {"type": "str", "required": True},
            "database_snapshot": {"type": "str", "default": ""},
            "redis_snapshot": {"type": "str", "default": ""},
            "release": {"type": "str", "default": ""},
            "storage": {
                "type": "dict",
                "required": True,
                "options": {"bucket": {"type": "str", "required": True}, "record_key": {"type": "str", "required": True, "no_log": False}},
            },
            "operator": {"type": "str", "required": True},
            "lock": LOCK_OPTIONS,
        },
        supports_check_mode=True,
    )
    call = Caller(module)
    redeploy = Redeploy(call, module.params, check_mode=module.check_mode)
    try:
        with holding(call, module.params["lock"], module.check_mode) as lock:
            result = getattr(redeploy, module.params["phase"])(lock.prove)
    except CallFailed as failed:
        module.fail_json(**told(failed))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
