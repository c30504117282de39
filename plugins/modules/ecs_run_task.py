#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_run_task
version_added: 0.1.0
short_description: Run one ECS task until it stops and return its exit codes and log
description:
  - Starts one task with RunTask, waits until it is C(STOPPED), and fails unless every container exited with 0.
  - "The gap it closes: M(community.aws.ecs_task) drops RunTask's C(failures), returns a running match instead of running the task, reads
    no exit code, fails on a task that ends quickly, and has no logs (community.aws issue 2409)."
  - It is an action, so every run is C(changed). Check mode shows what it would run.
author:
  - The atena.aws founders (@atena)
options:
  cluster:
    description: The cluster's name or ARN.
    type: str
    required: true
  task_definition:
    description:
      - A family (its newest active revision), C(family:revision) or an ARN. Unset means the one that O(service) runs.
    type: str
  service:
    description:
      - A service whose network configuration, platform version and (unless O(task_definition) is set) task definition are used.
    type: str
  network_configuration:
    description: Overrides the network configuration of O(service). Needed without O(service).
    type: dict
    suboptions:
      subnets:
        description: Subnet ids.
        type: list
        elements: str
      security_groups:
        description: Security group ids.
        type: list
        elements: str
      assign_public_ip:
        description: Whether the task has a public address.
        type: bool
  container_overrides:
    description: What differs from the task definition in this run. The image cannot be overridden (RunTask has no such argument).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The container's name.
        type: str
        required: true
      command:
        description: The command instead of the container's own.
        type: list
        elements: str
      environment:
        description: Variables added to the container's own. They are visible in the API; secrets belong into SSM.
        type: dict
      cpu:
        description: CPU units.
        type: int
      memory:
        description: MiB of memory, hard limit.
        type: int
  launch_type:
    description: Where it runs.
    type: str
    choices: [FARGATE, EC2, EXTERNAL]
    default: FARGATE
  started_by:
    description:
      - A word that is shown with the task - up to 128 letters, digits, hyphens, forward slashes and underscores.
      - Unset it is C(atena-aws/) and the client token. By such a name of its own a task is found again of which RunTask's answer was lost.
    type: str
  client_token:
    description:
      - Makes repeated calls start the task once only (up to 64 characters, kept by ECS for about 24 hours). Unset makes a new one for
        each run of the module, which covers the retries within it.
    type: str
  wait:
    description: Wait for the end. Without it the result has only O(task_definition) and the task's ARN.
    type: bool
    default: true
  wait_timeout:
    description: Seconds until the task is stopped and the module fails.
    type: int
    default: 900
  wait_delay:
    description: Longest pause between two looks, in seconds. The first are shorter.
    type: int
    default: 3
extends_documentation_fragment:
  - atena.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
  - atena.aws.lock
  - atena.aws.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Migrate the database with the image that the API runs
  atena.aws.ecs_run_task:
    cluster: atena-prod-cluster
    service: atena-prod-api
    container_overrides:
      - name: api
        command: [node, packages/database/dist/migrate.js]

- name: The same with everything named
  atena.aws.ecs_run_task:
    cluster: atena-prod-cluster
    task_definition: atena-prod-api:12
    network_configuration:
      subnets: [subnet-0a1, subnet-0b2]
      security_groups: [sg-0c3]
      assign_public_ip: false
    container_overrides:
      - name: api
        command: [node, packages/database/dist/migrate.js]
    wait_timeout: 300
"""

RETURN = r"""
task_arn:
  description: The task. Empty in check mode.
  returned: success, or failure after the start
  type: str
task_definition:
  description: ARN of the task definition that ran.
  returned: success, or failure after the start
  type: str
images:
  description: The image of each container.
  returned: success, or failure after the start
  type: dict
  sample: {api: "123456789012.dkr.ecr.us-east-1.amazonaws.com/atena-prod-api@sha256:0123"}
outcome:
  description:
    - C(succeeded), C(failed), or C(incomplete) of a task that was stopped from outside (stop code UserInitiated, SpotInterruption or TerminationNotice),
      whatever its exit codes.
    - It is judged by the containers whose command was given and by the task definition's essential ones; not by what AWS puts into a task, such as
      GuardDuty's agent.
  returned: when waited for
  type: str
  sample: succeeded
beside:
  description: The outcome of the containers that do not decide; empty if all ended well.
  returned: when waited for
  type: str
exit_codes:
  description: The exit code of each container; null for one that never ran.
  returned: when waited for
  type: dict
  sample: {api: 0}
reason:
  description: Why it failed; empty for a task that succeeded.
  returned: when waited for
  type: str
stop_code:
  description: ECS's stop code.
  returned: when waited for
  type: str
  sample: EssentialContainerExited
stopped_reason:
  description: ECS's own words.
  returned: when waited for
  type: str
logs:
  description: All log lines of each container that logs to CloudWatch Logs, drained after the task stopped.
  returned: when waited for
  type: dict
  sample: {api: ["applied 0001_init.sql"]}
started_at:
  description: When its containers started, ISO 8601; empty when they never did.
  returned: when waited for
  type: str
stopped_at:
  description: When it stopped, ISO 8601.
  returned: when waited for
  type: str
duration_seconds:
  description: Seconds from the call to the end.
  returned: when waited for
  type: float
"""

import time
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import facts_of, told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import interruptible, Interrupted
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.ecs import task_run
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import holding, LOCK_OPTIONS


def run(module: Module) -> dict[str, Any]:
    params, call, progress = module.params, Caller(module), Progress(module.params["progress_file"])
    definition, arguments = task_run.plan_run(call, params)
    result: dict[str, Any] = {"changed": True, "task_arn": "", "task_definition": definition["taskDefinitionArn"], "images": task_run.images(definition)}
    if module.check_mode:
        return result
    begin = time.monotonic()
    try:
        with interruptible(), holding(call, params["lock"]):
            say = progress.say if progress.heard else None
            result["task_arn"] = task_run.start(call, arguments, patience=params["wait_timeout"], delay=params["wait_delay"], say=say)
            if not params["wait"]:
                return result
            following = task_run.TaskRun(
                call,
                task_run.Started(params["cluster"], definition, result["task_arn"]),
                wait_timeout=params["wait_timeout"],
                wait_delay=params["wait_delay"],
                say=say,
            )
            succeeded, ended = following.finish()
    except Interrupted as interrupted:
        left = f"The task {result['task_arn']} continues; it was not stopped." if result["task_arn"] else "Whether the task started is not known."
        progress.say(f"{interrupted} {left}")
        module.fail_json(msg=f"{interrupted} {left}", **result)
    except CallFailed as failed:
        if not result["task_arn"]:
            raise
        module.fail_json(msg=f"Lost sight of the task {result['task_arn']}, which may still run: {failed}", **{**facts_of(failed), **result})
    result.update(ended, duration_seconds=round(time.monotonic() - begin, 1))
    if not succeeded:
        module.fail_json(msg=task_run.failure_text(result["task_arn"], ended), **result)
    return result


def main() -> None:
    module = AwsModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "task_definition": {"type": "str"},
            "service": {"type": "str"},
            "network_configuration": {
                "type": "dict",
                "options": {
                    "subnets": {"type": "list", "elements": "str"},
                    "security_groups": {"type": "list", "elements": "str"},
                    "assign_public_ip": {"type": "bool"},
                },
            },
            "container_overrides": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "command": {"type": "list", "elements": "str"},
                    "environment": {"type": "dict"},
                    "cpu": {"type": "int"},
                    "memory": {"type": "int"},
                },
            },
            "launch_type": {"type": "str", "choices": ["FARGATE", "EC2", "EXTERNAL"], "default": "FARGATE"},
            "started_by": {"type": "str"},
            "client_token": {"type": "str", "no_log": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 900},
            "wait_delay": {"type": "int", "default": 3},
            "lock": LOCK_OPTIONS,
            "progress_file": {"type": "path"},
        },
        required_one_of=[("task_definition", "service")],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except CallFailed as failed:
        module.fail_json(**told(failed))


if __name__ == "__main__":
    main()
