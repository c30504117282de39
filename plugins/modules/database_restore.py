#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: database_restore
version_added: 0.1.0
short_description: Replace an environment's database by a restored one, undo that, or delete the replaced one
description:
  - "Under the environment's lock, with every step recorded: Terraform plans, and what it would refuse to apply at the end is not begun; a new instance is
    restored alongside the old one, which keeps serving; it gets the old one's backups and windows, and the password in C(DATABASE_URL) where that is the master
    user's, as a restored instance has the one of then; a one-off task of the application's image counts what it holds, and what the old one holds. Then,
    under Terraform's lock, the old one is renamed aside and the new one to its name, C(DATABASE_URL) gets its address, and Terraform removes from
    its state the old one and
    imports the new one. At last the services get a new deployment that is waited for, and the application's health is asked."
  - The old instance stays, and can take its place again (O(mode=undone)), until it is deleted (O(mode=original_removed)), into a final snapshot.
  - A run that was killed is finished by the next one. In check mode each step is listed.
  - "The gap it closes: M(amazon.aws.rds_instance) restores and renames one instance. It takes no settings over from another one, checks no rows, and leaves
    Terraform, the secret and the running tasks with an instance that is no longer there."
author:
  - The atena.aws founders (@atena)
options:
  mode:
    description: Whether a restored database is to be there, the restore undone, or what it left aside deleted.
    type: str
    choices: [restored, undone, original_removed]
    default: restored
  confirm:
    description: The environment's name, typed by a person; for O(mode=original_removed) the name of the instance that is deleted.
    type: str
    default: ""
  snapshot:
    description: The snapshot to restore, automatic or manual. Without it and O(time) the latest automatic backup is taken.
    type: str
    default: ""
  time:
    description: The point in time to restore, as ISO 8601, in UTC if it names no zone; or V(latest).
    type: str
    default: ""
  instance:
    description: >-
      An instance that somebody restored manually, under another name, and that is to take the environment's place: nothing is restored then, and undoing it
      deletes nothing. One that has the environment's name already is M(atena.aws.terraform_apply)'s to import.
    type: str
    default: ""
  allow_unapplied:
    description:
      - Whether to continue where Terraform would destroy or replace something, other than the database, for what the configuration says and nobody applied yet.
      - Then the database alone is applied at the end, with what it depends on; the rest stays as it is.
    type: bool
    default: false
  database_url_parameter:
    description: The parameter with the database's URL. Its value is never shown.
    type: str
    required: true
  check_command:
    description: What counts a database's rows, in a one-off task that gets the host in E(DATABASE_HOST). Unset means that nobody looks.
    type: dict
    suboptions:
      service: {description: The service whose task definition and network it runs with., type: str, required: true}
      container: {description: The container., type: str, required: true}
      command:
        description: 'The command. It writes one line of JSON, C({"migrations": [names in order], "rows": {table: count}}).'
        type: list
        elements: str
        required: true
      timeout: {description: Seconds after which it is stopped and has failed., type: int, default: 900}
  settings:
    description: How the database is made where the old one is gone, from which they are taken otherwise.
    type: dict
    required: true
    suboptions:
      instance_class: {description: The class., type: str, required: true}
      engine_version:
        description: The version that the configuration has. What is restored in another major one is refused before anything is written. Empty, nobody looks.
        type: str
        default: ""
      allow_major_version_upgrade:
        description: Whether the configuration allows that what is restored is upgraded to another major version.
        type: bool
        default: false
      subnet_group: {description: The subnet group's name., type: str, required: true}
      security_group: {description: The security group's name., type: str, required: true}
      storage_type: {description: The kind of storage., type: str, default: gp3}
      multi_az: {description: Whether it has a standby., type: bool, default: false}
      deletion_protection: {description: Whether it is protected., type: bool, default: false}
      backup_retention_days: {description: For how many days backups are kept., type: int, default: 7}
      backup_window: {description: When backups are taken., type: str}
      maintenance_window: {description: When it is maintained., type: str}
      tags: {description: Its tags., type: dict, default: {}}
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.health
  - atena.aws.recovery
  - atena.aws.terraform
  - atena.aws.own_lock
  - atena.aws.progress
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Lists each step in order, and what prevents it. What the backup holds is not known before it is restored.
  diff_mode:
    support: full
    details: Which instance has the database's name.
  platform:
    platforms: posix
requirements:
  - terraform >= 1.7
"""

EXAMPLES = r"""
- name: Back to ten minutes before the bad migration
  atena.aws.database_restore:
    name: atena-prod
    confirm: "{{ restore_database_confirm }}"
    time: "2027-03-05T14:20:00Z"
    database_id: atena-prod-db
    redis_id: atena-prod-redis
    database_url_parameter: /atena/prod/DATABASE_URL
    check_command: {service: atena-prod-api, container: api, command: [node, packages/database/dist/count-rows.js]}
    settings: {instance_class: db.t4g.micro, subnet_group: atena-prod-db, security_group: atena-prod-db-sg}
    storage:
      bucket: atena-terraform-state-123456789012
      state_key: atena/prod/terraform.tfstate
      gates_key: atena/prod/gates.json
      journal_key: atena/prod/power.json
      record_key: atena/prod/restored.json
    terraform: {project_path: /home/ana/.local/state/atena/atena-prod/infra}
    lock: {table: atena-terraform-locks, name: atena-prod}
    operator: arn:aws:iam::123456789012:user/ana
"""

RETURN = r"""
outcome: {description: "C(restored), C(undone), C(removed), C(nothing_to_do), C(predicted) (check mode) or C(failed).", returned: always, type: str}
name: {description: The environment., returned: always, type: str}
wanted: {description: What was asked for., returned: always, type: str}
lines: {description: "What was restored, what it holds, what stays and how to delete it.", returned: success, type: list, elements: str}
would: {description: "What would be done, a line each, in order.", returned: in check mode, type: list, elements: str}
counted:
  description: "What the command counted, C(restored) and C(original), each C(migrations) and C(rows); C(original) is null where it could not be asked."
  returned: when it was checked
  type: dict
database_url: {description: The outcome of C(DATABASE_URL) - C(unchanged) or C(updated)., returned: when databases were swapped, type: str}
terraform_lines: {description: What Terraform changed when it had taken it in., returned: when databases were swapped, type: list, elements: str}
health: {description: "C(healthy), C(status), C(content) and C(attempts) of the application's answer.", returned: when it was asked, type: dict}
final_snapshot: {description: The snapshot of what was deleted., returned: "O(mode=original_removed)", type: str}
steps:
  description: The record's steps - C(step), C(began_at), C(ended_at), C(outcome), C(says).
  returned: when something was done
  type: list
  elements: dict
summary: {description: The same for people., returned: success, type: list, elements: str}
duration_seconds: {description: How long it took., returned: but for check mode, type: float}
"""

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.power.run import find_terraform, run_module
from ansible_collections.atena.aws.plugins.module_utils.recovery.database import Remove, Restore, Undo
from ansible_collections.atena.aws.plugins.module_utils.recovery.restore_arguments import ARGUMENTS

KINDS = {"restored": Restore, "undone": Undo, "original_removed": Remove}


def summary(result: dict[str, Any]) -> list[str]:
    name, took = result["name"], result.get("duration_seconds", 0)
    head = {
        "restored": f"Restored the database of {name} in {took} s",
        "undone": f"Took the restore of {name}'s database back in {took} s",
        "removed": f"Deleted what a restore of {name}'s database left aside, in {took} s",
        "nothing_to_do": f"Nothing to do: no restore of {name}'s database left anything of that kind",
        "predicted": f"Would do this to the database of {name}, in this order:" if result["changed"] else f"Nothing to do for the database of {name}",
    }
    return [head[result["outcome"]], *result.get("would", []), *result.get("lines", [])]


def main() -> None:
    module = AwsModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    find_terraform(module)
    run_module(module, KINDS[module.params["mode"]], summary)


if __name__ == "__main__":
    main()
