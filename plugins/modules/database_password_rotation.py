#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: database_password_rotation
version_added: 0.1.0
short_description: Rotate the database's password between two users, so that running tasks always have a valid one
description:
  - Two database users alternate, neither of them the master user. The one that is not in use gets a new password; the services' address of the
    database becomes its; they get new tasks, waited for as for any other rollout; then the other one is revoked. Tasks that still run with the
    old address have a valid user until they are replaced.
  - The first run moves the services from the master user to the first of the two, and then gives the master user another password.
  - What has to be said to the database is said by a program of the application's own (O(program)), run as a one-off task in the VPC. It reads its two
    secrets from Parameter Store; neither its command nor its overrides hold any.
  - If the new tasks fail their health checks, the old address comes back and they are replaced once more. A run that was killed is resumed by the next one.
  - The password of the master user is another one after each run. It is kept in O(admin_secret), which no service reads.
  - "The gap it closes: M(amazon.aws.rds_instance) changes the master user's password only, with no regard for who uses it; rotation by Secrets
    Manager needs another store of secrets, functions of its own in the VPC, and tasks that fetch their secrets again."
author:
  - The atena.aws founders (@atena)
options:
  database:
    description: The RDS instance (PostgreSQL).
    type: str
    required: true
  secret:
    description: The parameter with the database's address, user and password, as the services read it.
    type: str
    default: DATABASE_URL
  admin_secret:
    description: The parameter with the master user's address. It is made where it is not there.
    type: str
    default: DATABASE_ADMIN_URL
  next_secret:
    description: The parameter with the next user's address while the rotation is in progress. It is made, and deleted.
    type: str
    default: DATABASE_URL_NEXT
  users:
    description: The two users.
    type: list
    elements: str
    required: true
  owner:
    description: The role without a login that owns what is in the database. Both users work as it.
    type: str
    required: true
  program:
    description: What speaks to the database.
    type: dict
    required: true
    suboptions:
      service:
        description: The ECS service whose task definition and network it runs with.
        type: str
        required: true
      container:
        description: Its container.
        type: str
        required: true
      command:
        description:
          - The command. It is called with C(prepare OWNER), to make the owner's role and the user of O(next_secret) with its password, and with
            C(retire USER), to shut that user out. It finds the two addresses as C(DATABASE_ADMIN_URL) and C(DATABASE_URL_NEXT) in its environment.
            docs/secrets.md has the whole contract.
        type: list
        elements: str
        required: true
      timeout:
        description: Seconds until it is stopped.
        type: int
        default: 300
  tags:
    description: Tags of what is made.
    type: dict
    default: {}
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
    details: Names the secret; a value never shows.
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: The other user's turn
  atena.aws.database_password_rotation:
    name: atena-prod
    path: /atena/prod
    database: atena-prod-db
    users: [atena_app_a, atena_app_b]
    owner: atena_owner
    program:
      service: atena-prod-api
      container: api
      command: [node, packages/database/dist/users.js]
    services: [atena-prod-api, atena-prod-workers]
    record:
      bucket: atena-terraform-state-123456789012
      key: atena/prod/rotations.json
"""

RETURN = r"""
outcome:
  description: C(succeeded), or C(predicted) in check mode; C(reverted), C(failed) or C(interrupted) of a run that fails.
  returned: success, or failure after it began
  type: str
old_user:
  description: The user that the services had.
  returned: success, or failure after it began
  type: str
new_user:
  description: The user that they have now; in check mode, would have.
  returned: success, or failure after it began
  type: str
secrets:
  description: The services' address in Parameter Store.
  returned: success, or failure after it began
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    action:
      description: C(write), or C(finish) when an earlier run had written it already.
      type: str
    version:
      description: Its version in Parameter Store.
      type: int
    previous_version:
      description: The version that the services had before.
      type: int
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
  description: Names of the services that are healthy again with the old address.
  returned: failure of the new tasks
  type: list
  elements: str
not_reverted:
  description: Names of the services that could not be confirmed stable after the rollback. Check these at once.
  returned: failure of the new tasks
  type: list
  elements: str
failed_tasks:
  description: The newest tasks that ended in the failed deployments, with reason, exit codes and last log lines.
  returned: failure of the new tasks
  type: dict
"""

from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.rotation.database import DatabaseRotation
from ansible_collections.atena.aws.plugins.module_utils.rotation.run import run_module, ROTATION_OPTIONS


def main() -> None:
    program = {
        "service": {"type": "str", "required": True},
        "container": {"type": "str", "required": True},
        "command": {"type": "list", "elements": "str", "required": True},
        "timeout": {"type": "int", "default": 300},
    }
    module = AwsModule(
        argument_spec={
            **ROTATION_OPTIONS,
            "database": {"type": "str", "required": True},
            # The names of parameters, not what is in them.
            "secret": {"type": "str", "default": "DATABASE_URL", "no_log": False},
            "admin_secret": {"type": "str", "default": "DATABASE_ADMIN_URL", "no_log": False},
            "next_secret": {"type": "str", "default": "DATABASE_URL_NEXT", "no_log": False},
            "users": {"type": "list", "elements": "str", "required": True},
            "owner": {"type": "str", "required": True},
            "program": {"type": "dict", "required": True, "options": program},
            "tags": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    if len(module.params["users"]) != 2 or len(set(module.params["users"])) != 2:
        module.fail_json(msg=f"users names two different database users that alternate, not {module.params['users']}. Nothing was changed.")
    run_module(module, DatabaseRotation)


if __name__ == "__main__":
    main()
