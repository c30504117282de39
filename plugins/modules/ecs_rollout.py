#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_rollout
version_added: 0.1.0
short_description: Roll prepared task definitions out to ECS services, together or not at all
description:
  - Updates each service with one UpdateService call in the order given, waits for all deployments it started together, and on the
    failure of any one rolls every service back to the task definition it had, waits until it is stable there, and fails with the reason.
    A service that somebody else deployed meanwhile is left to them.
  - "The gap it closes: M(community.aws.ecs_service) waits for nothing on update, takes a rollback by ECS's circuit breaker for success,
    and resets an unset desired count to 0."
  - A deployment counts as done when it is the service's primary one, all its tasks run, no older one has tasks, and the service's targets
    are healthy, as are the containers that have a health check of their own. C(rolloutState) alone is not trusted, nor is one answer that does not
    show the deployment.
author:
  - The atena.aws founders (@atena)
options:
  services:
    description: What to roll out, in the order of the updates.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The ECS service.
        type: str
        required: true
      task_definition:
        description: The revision (C(family:revision) or ARN) that it shall run.
        type: str
        required: true
      initial_count:
        description:
          - The desired count when the service never ran a release, that is while it still has its template. Unset leaves the count alone.
            A later release never touches the count.
        type: int
      stable_seconds:
        description: As O(stable_seconds), for this service.
        type: int
      previous:
        description:
          - What to return to on a failure, instead of what the service has now. For resuming after a release that was interrupted.
        type: dict
        suboptions:
          task_definition:
            description: The revision (C(family:revision) or ARN).
            type: str
            required: true
          desired_count:
            description: The desired count of then.
            type: int
            required: true
          is_first:
            description: Whether the service had never run a release; then it returns to count 0.
            type: bool
            default: false
  wait_timeout:
    description: Seconds for all deployments together; then they are reverted. A revert has as long again.
    type: int
    default: 900
  stable_seconds:
    description:
      - How long the tasks of each new deployment must stay up once all of them run and are healthy; for what crashes only after a while. A task that
        exits on its own within that time is a failure. It runs in parallel with the load balancer's wait and does not add to it.
    type: int
    default: 0
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.rollout
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
  - atena.aws.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Roll a prepared release out
  atena.aws.ecs_rollout:
    cluster: atena-prod-cluster
    services:
      - name: atena-prod-api
        task_definition: atena-prod-api:13
        initial_count: 1
      - name: atena-prod-workers
        task_definition: atena-prod-workers:13
        initial_count: 1
"""

RETURN = r"""
services:
  description: One entry for each service, in the order given.
  returned: success, or failure after an update
  type: list
  elements: dict
  contains:
    name:
      description: The service.
      type: str
    task_definition:
      description: The revision that was asked for.
      type: str
    previous:
      description: ARN of the revision that it had before.
      type: str
    updated:
      description: Whether it was (in check mode, would be) updated.
      type: bool
    first_release:
      description: Whether it had never run a release.
      type: bool
    desired_count:
      description: The desired count afterwards.
      type: int
    deployment_id:
      description: The deployment that was waited for; empty in check mode.
      type: str
reverted:
  description: Names of the services that are on what they had before, and stable there.
  returned: failure after an update
  type: list
  elements: str
not_reverted:
  description: Names of the services that could not be confirmed stable after the rollback, and those in RV(taken_over). Check these at once.
  returned: failure after an update
  type: list
  elements: str
taken_over:
  description: >-
    For each service that somebody else deployed meanwhile, and that was left to them, what took over - C(deployment_id), C(task_definition), and as
    far as it is known C(release) and C(registered_by), the principal that registered it.
  returned: failure after an update
  type: dict
failed_tasks:
  description: The newest tasks that ended in the failed deployments, with reason, exit codes and last log lines.
  returned: failure after an update
  type: dict
duration_seconds:
  description: Seconds from the first update to the end of the waiting.
  returned: when it was done
  type: float
"""

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import facts_of, told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import interruptible, Interrupted
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import failure_text, RolloutRun


def run(module: Module) -> dict[str, Any]:
    params, progress = module.params, Progress(module.params["progress_file"])
    options = {name: params[name] for name in ("wait_timeout", "wait_delay", "stable_seconds", "log_lines")}
    say = progress.say if progress.heard else None
    rollout = RolloutRun(Caller(module), params["cluster"], params["services"], check_mode=module.check_mode, say=say, **options)
    rollout.read()
    result: dict[str, Any] = {"changed": bool(rollout.updated), "services": rollout.entries(), "diff": rollout.diff()}
    if module.check_mode:
        return result
    try:
        with interruptible():
            failed = rollout.roll_out()
            if not failed:
                return {**result, "services": rollout.entries(), "duration_seconds": round(rollout.elapsed, 1)}
            evidence, entries = rollout.evidence(failed), rollout.entries()
            lost = rollout.revert()
    except Interrupted as interrupted:
        left = f"{interrupted} {rollout.left_behind()}"
        progress.say(left)
        module.fail_json(msg=left, **{**result, "services": rollout.entries()})
    except CallFailed as lost_sight:
        module.fail_json(
            msg=f"{lost_sight} The services were updated, but the outcome is not known. Run the playbook again: it resumes from there.",
            **{**facts_of(lost_sight), **result, "services": rollout.entries()},
        )
    lost = {**{name: failed.get(name, "") for name in rollout.taken}, **lost}
    reverted = [name for name in rollout.items if name not in lost]
    module.fail_json(
        msg=failure_text(failed, evidence, reverted, lost, rollout.taken),
        changed=True,
        services=entries,
        failed_tasks=evidence,
        reverted=reverted,
        not_reverted=list(lost),
        taken_over=rollout.taken,
    )


def main() -> None:
    module = AwsModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "services": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "task_definition": {"type": "str", "required": True},
                    "initial_count": {"type": "int"},
                    "stable_seconds": {"type": "int"},
                    "previous": {
                        "type": "dict",
                        "options": {
                            "task_definition": {"type": "str", "required": True},
                            "desired_count": {"type": "int", "required": True},
                            "is_first": {"type": "bool", "default": False},
                        },
                    },
                },
            },
            "wait_timeout": {"type": "int", "default": 900},
            "wait_delay": {"type": "int", "default": 3},
            "stable_seconds": {"type": "int", "default": 0},
            "log_lines": {"type": "int", "default": 20},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except CallFailed as failed:
        module.fail_json(**told(failed))


if __name__ == "__main__":
    main()
