#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_preflight_info
version_added: 0.1.0
short_description: Verify that a release can succeed before it starts
description:
  - "Reads, in parallel, everything that a release of ECS services needs, and judges all of it at once: images and their CPU architecture,
    secrets, execution and task roles, log groups, load balancer, ports and health check, the rollout's deadline, egress of the subnets,
    security groups, database, how the application verifies it, Redis, the power gates and the lock. Each finding has its remedy."
  - "The gap it closes: no module reports beforehand why a task will not start; ECS reports one cause at a time, after minutes, in events
    and stopped reasons."
  - What the caller may not read is a warning, never taken for fine. Nothing is written; no secret's value is returned.
  - Not checked are network ACLs, policies of VPC endpoints, of keys and of repositories, and references to Secrets Manager (with a warning).
author:
  - The atena.aws founders (@atena)
options:
  name:
    description: The environment's name.
    type: str
    required: true
  cluster:
    description: The ECS cluster; C(<name>-cluster) if unset.
    type: str
  services:
    description: The services of the release.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The service.
        type: str
        required: true
      images:
        description:
          - Images of the release by container. Containers that are not named are checked with the image of the task definition.
          - Without any, the images that run now are checked, and before the first release those of the template.
        type: dict
        default: {}
      template:
        description: Family (or revision) of the template that the release is made from; C(<name>-template) if unset.
        type: str
      task_definition:
        description: The revision that shall run, for a release that is not made from the template (a rollback).
        type: str
      health_path:
        description: Path on which the application answers health checks; unset, the load balancer's path is not judged.
        type: str
  ssm_path:
    description: Path of the environment's secrets; it decides which remedy a missing one gets.
    type: str
    default: ""
  placeholder:
    description: What a secret holds that nobody has set yet.
    type: str
    default: CHANGE_ME
  database_id:
    description: Identifier of the RDS instance; unset means that there is none to check.
    type: str
  redis_id:
    description: Identifier of the ElastiCache cluster; unset means that there is none to check.
    type: str
  ca_bundles:
    description: Whether a release passes containers the path where their image has a certificate bundle, as the option of M(atena.aws.ecs_release) has it.
    type: bool
    default: true
  rollout_timeout:
    description: Seconds that the rollout is given; unset, the deadline is not judged.
    type: int
  gates_bucket:
    description: Bucket of the object that holds the gates; unset means that there are none.
    type: str
  gates_key:
    description: Key of that object.
    type: str
  journal_key:
    description: Key of the power journal in O(gates_bucket), which shows of a stop or start that is incomplete.
    type: str
  destroy_record_key:
    description: Key of the record of a destroy in O(gates_bucket), which shows that the environment is gone on purpose.
    type: str
  lock_table:
    description: DynamoDB table of the environment's lock; unset, it is not checked.
    type: str
  own_token:
    description: Token of the lock that this run holds itself.
    type: str
  checks:
    description:
      - V(all), or V(state) for what changes from day to day only - gates and records, lock, services and templates, secrets, deployment strategy, database and
        Redis, and neither images, roles, log groups, load balancer nor network.
    type: str
    choices: [all, state]
    default: all
  fail_on:
    description:
      - V(failed) fails the module when a check failed, with the whole verdict as its message; V(warning) when one warned, too; V(never) leaves
        the judgement to the caller.
    type: str
    choices: [failed, warning, never]
    default: failed
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.records
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
- name: Nothing starts that cannot succeed
  atena.aws.release_preflight_info:
    name: atena-prod
    services:
      - name: atena-prod-api
        health_path: /health
        images:
          api: 123456789012.dkr.ecr.us-east-1.amazonaws.com/atena-prod-api@sha256:0b1c
      - name: atena-prod-workers
    ssm_path: /atena/prod
    database_id: atena-prod-db
    redis_id: atena-prod-redis
    rollout_timeout: 900

- name: Run the checks, whatever they find
  atena.aws.release_preflight_info:
    name: atena-prod
    services:
      - name: atena-prod-api
    fail_on: never
  register: preflight
"""

RETURN = r"""
findings:
  description: Every check that was made, in order, and how it ended.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: "What was checked: C(gates), C(lock), C(service), C(template), C(image), C(architecture), C(secret), C(role), C(access),
        C(log_group), C(target_group), C(port), C(health_path), C(strategy), C(deadline), C(way_out), C(security_group), C(database), C(certificate),
        C(database_tls), C(ca_bundle), C(redis)."
      type: str
    subject:
      description: On which resource.
      type: str
    status:
      description: C(ok), C(warning) or C(failed).
      type: str
    says:
      description: What was found.
      type: str
    remedy:
      description: What to do about it; empty when there is nothing to do.
      type: str
failures:
  description: How many checks failed.
  returned: always
  type: int
warnings_found:
  description: How many checks warned.
  returned: always
  type: int
verdict:
  description: The verdict as lines to read.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.environment import unfinished
from ansible_collections.atena.aws.plugins.module_utils.preflight import check as preflight


def main() -> None:
    module = AwsModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "cluster": {"type": "str"},
            "services": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "images": {"type": "dict", "default": {}},
                    "template": {"type": "str"},
                    "task_definition": {"type": "str"},
                    "health_path": {"type": "str"},
                },
            },
            "ssm_path": {"type": "str", "default": ""},
            "placeholder": {"type": "str", "default": "CHANGE_ME"},
            "database_id": {"type": "str"},
            "redis_id": {"type": "str"},
            "ca_bundles": {"type": "bool", "default": True},
            "rollout_timeout": {"type": "int"},
            "gates_bucket": {"type": "str"},
            "gates_key": {"type": "str", "no_log": False},
            "journal_key": {"type": "str", "no_log": False},
            "destroy_record_key": {"type": "str", "no_log": False},
            "records": unfinished.OPTIONS,
            "lock_table": {"type": "str"},
            "own_token": {"type": "str", "no_log": True},
            "checks": {"type": "str", "choices": ["all", "state"], "default": "all"},
            "fail_on": {"type": "str", "choices": ["failed", "warning", "never"], "default": "failed"},
        },
        required_together=[("gates_bucket", "gates_key")],
        supports_check_mode=True,
    )
    request = {key: value for key, value in module.params.items() if value is not None}
    request.setdefault("cluster", resource_names.cluster(request["name"]))
    try:
        result = preflight.preflight(Caller(module), request)
    except CallFailed as failed:
        module.fail_json(**told(failed))
    verdict = preflight.verdict_lines(result, request["name"])
    said = {"findings": result["findings"], "failures": result["failed"], "warnings_found": result["warnings"], "verdict": verdict}
    fail_on = module.params["fail_on"]
    if (result["failed"] and fail_on != "never") or (result["warnings"] and fail_on == "warning"):
        module.fail_json(msg="\n".join(verdict), **said)
    module.exit_json(changed=False, **said)


if __name__ == "__main__":
    main()
