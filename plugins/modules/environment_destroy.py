#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: environment_destroy
version_added: 0.1.0
short_description: Destroy an environment, keeping its data in snapshots from which it can be recreated
description:
  - "Under the environment's lock, with every step recorded before and after it: services to 0 and every task STOPPED; the database started if it is stopped;
    a last snapshot of Redis, verified; then Terraform removes from its state image repositories and log groups and destroys all else, the database
    into a final snapshot
    of a name that is new each time. What is left, and from which snapshots the environment can be recreated, is recorded."
  - Refuses without the environment's name in O(confirm), with a database that has deletion protection, and while an instance that a restore kept exists.
  - A run that was killed is finished by the next one. In check mode it shows what would go and what would stay.
  - A stop or a start that was killed prevents nothing. Load balancer, NAT gateway and what belongs to them are taken into Terraform's state where it could
    not write them down any more; a Redis that it does not know is deleted, with its last snapshot verified.
  - "The gap it closes: C(terraform destroy) stops no writer before it takes the snapshot, fails over images, loses the queue and the logs, and leaves no record
    of what was where."
author:
  - The atena.aws founders (@atena)
options:
  confirm:
    description: The environment's name, typed by a person. In check mode it is not needed.
    type: str
    default: ""
  services:
    description: The services, whose images stay.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: "The service, which is also its repository's name.", type: str, required: true}
  ssm_path:
    description: Path of the environment's parameters.
    type: str
    required: true
  kept_parameters:
    description: Full names of the parameters that people set. They stay; only their names are read.
    type: list
    elements: str
    default: []
  log_prefix:
    description: What the names of the environment's log groups begin with.
    type: str
    required: true
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.domain
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
    details: Terraform plans the destruction; nothing is locked.
  diff_mode:
    support: full
    details: The addresses that go.
  platform:
    platforms: posix
requirements:
  - terraform >= 1.7
"""

EXAMPLES = r"""
- name: Destroy a trial
  atena.aws.environment_destroy:
    name: atena-trial
    confirm: "{{ destroy_confirm }}"
    services: [{name: atena-trial-api}, {name: atena-trial-workers}]
    ssm_path: /atena/trial
    log_prefix: /ecs/atena-trial-
    database_id: atena-trial-db
    redis_id: atena-trial-redis
    storage:
      bucket: atena-terraform-state-123456789012
      state_key: atena/trial/terraform.tfstate
      gates_key: atena/trial/gates.json
      journal_key: atena/trial/power.json
      record_key: atena/trial/destroyed.json
    terraform: {project_path: /home/ana/.local/state/atena/atena-trial/infra}
    lock: {table: atena-terraform-locks, name: atena-trial}
    operator: arn:aws:iam::123456789012:user/ana
"""

RETURN = r"""
outcome: {description: "C(destroyed), C(nothing_to_do), C(predicted) (check mode) or C(failed).", returned: always, type: str}
name: {description: The environment., returned: always, type: str}
wanted: {description: What was asked for., returned: always, type: str}
lines: {description: What is left., returned: success, type: list, elements: str}
would: {description: "What would be done, what would go and what would stay, a line each.", returned: in check mode, type: list, elements: str}
database_snapshot: {description: The database's final snapshot; empty if there was no database., returned: when it is destroyed, type: str}
redis_snapshot: {description: The snapshot that holds the queue; empty if there is none., returned: when it is destroyed, type: str}
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
from ansible_collections.atena.aws.plugins.module_utils.recovery.arguments import COMMON
from ansible_collections.atena.aws.plugins.module_utils.recovery.destroy import Destroy


def summary(result: dict[str, Any]) -> list[str]:
    name = result["name"]
    head = {
        "destroyed": f"Destroyed {name} in {result.get('duration_seconds', 0)} s",
        "nothing_to_do": f"Nothing to do: there is nothing of {name} that destroy.yml would delete",
        "predicted": f"Would destroy {name}, in this order:" if result["changed"] else f"Nothing to do: there is nothing of {name} to destroy",
    }
    return [head[result["outcome"]], *result.get("would", []), *result.get("lines", [])]


def main() -> None:
    module = AwsModule(
        argument_spec={
            **COMMON,
            "confirm": {"type": "str", "default": ""},
            "services": {"type": "list", "elements": "dict", "default": [], "options": {"name": {"type": "str", "required": True}}},
            "ssm_path": {"type": "str", "required": True},
            "kept_parameters": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "log_prefix": {"type": "str", "required": True},
            "domain": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    find_terraform(module)
    run_module(module, Destroy, summary)


if __name__ == "__main__":
    main()
