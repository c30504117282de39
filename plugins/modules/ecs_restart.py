#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_restart
version_added: 0.1.0
short_description: Restart ECS services without a new release, and wait until they are stable
description:
  - Forces a new deployment of each service with one UpdateService call, and waits until all of them run on new tasks and their targets are healthy.
    New tasks read the values of their secrets again.
  - Refused are a service that never ran a release, and an environment that is stopped (O(power)). Then nothing at all is changed. A service without
    tasks is left alone.
  - When new tasks fail, ECS keeps those of before until its circuit breaker has ended the deployment. There is nothing to roll back, since the task
    definition stays; the module fails with the reason, exit codes and last log lines.
  - "The gap it closes: M(community.aws.ecs_service) waits for nothing when it forces a new deployment, and needs the whole service's description."
author:
  - The atena.aws founders (@atena)
options:
  services:
    description: The ECS services to restart, in the order of the updates.
    type: list
    elements: str
    required: true
  stable_seconds:
    description:
      - How long the tasks of each new deployment must stay up once all of them run and are healthy; for what crashes only after a while. A task that
        exits on its own within that time is a failure.
    type: int
    default: 0
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.rollout
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
  - atena.aws.lock
  - atena.aws.progress
  - atena.aws.power
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Let the API read its secrets again
  atena.aws.ecs_restart:
    cluster: atena-prod-cluster
    services: [atena-prod-api]
"""

RETURN = r"""
services:
  description: One entry for each service, in the order given.
  returned: success, or failure after a change
  type: list
  elements: dict
  contains:
    name:
      description: The service.
      type: str
    task_definition:
      description: ARN of the revision that it runs, before and afterwards.
      type: str
    desired_count:
      description: Its desired count.
      type: int
    updated:
      description: Whether it was (in check mode, would be) restarted; not if it runs no tasks.
      type: bool
    previous_deployment_id:
      description: The deployment that it had before.
      type: str
    deployment_id:
      description: The deployment that was waited for; empty in check mode.
      type: str
lines:
  description: The same for people, one line a service.
  returned: success
  type: list
  elements: str
duration_seconds:
  description: Seconds from the first change to the end of the waiting.
  returned: when it was done
  type: float
failed_tasks:
  description: The newest tasks that ended in the failed deployments, with reason, exit codes and last log lines.
  returned: failure after a change
  type: dict
"""

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import facts_of, told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import interruptible, Interrupted
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import failure_text
from ansible_collections.atena.aws.plugins.module_utils.environment import state as power_state
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import holding, Lock, LOCK_OPTIONS, NoLock
from ansible_collections.atena.aws.plugins.module_utils.services import restart as service_restart


def refuse(call: Caller, params: dict[str, Any], restart: service_restart.RestartRun) -> None:
    """Before anything is changed: the environment is on, and every service runs a release."""
    off = power_state.why_not_on(power_state.read(call, params["power"]))
    found = [off] if off else service_restart.refusals(restart.previous)
    if found:
        raise CallFailed("\n".join([*found, "Nothing was changed."]))


def run(module: Module, call: Caller, lock: Lock | NoLock) -> dict[str, Any]:
    params, progress = module.params, Progress(module.params["progress_file"])
    options = {name: params[name] for name in ("wait_timeout", "wait_delay", "stable_seconds", "log_lines")}
    say = progress.say if progress.heard else None
    restart = service_restart.RestartRun(call, params["cluster"], params["services"], check_mode=module.check_mode, say=say, guard=lock.check, **options)
    restart.read()
    refuse(call, params, restart)
    result: dict[str, Any] = {"changed": bool(restart.updated), "services": restart.entries(), "diff": restart.diff()}
    if module.check_mode:
        return {**result, "lines": service_restart.lines(result["services"], would=True)}
    try:
        with interruptible():
            failed = restart.roll_out()
            result["services"] = restart.entries()
            if not failed:
                return {**result, "lines": service_restart.lines(result["services"]), "duration_seconds": round(restart.elapsed, 1)}
            evidence = restart.evidence(failed)
            still = restart.still_running(failed)
    except Interrupted as interrupted:
        left = f"{interrupted} {restart.left_behind()}"
        progress.say(left)
        module.fail_json(msg=left, **{**result, "services": restart.entries()})
    except CallFailed as lost_sight:
        module.fail_json(
            msg=f"{lost_sight} The outcome of the services is not known. status.yml shows their status.",
            **{**facts_of(lost_sight), **result, "services": restart.entries()},
        )
    text = failure_text(failed, evidence, [], {}).replace("The rollout failed.", "The restart failed.", 1)
    module.fail_json(msg="\n".join(filter(None, [text, still])), **{**result, "failed_tasks": evidence})


def main() -> None:
    module = AwsModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "str", "required": True},
            "power": power_state.POWER_OPTIONS,
            "wait_timeout": {"type": "int", "default": 900},
            "wait_delay": {"type": "int", "default": 3},
            "stable_seconds": {"type": "int", "default": 0},
            "log_lines": {"type": "int", "default": 20},
            "progress_file": {"type": "path"},
            "lock": LOCK_OPTIONS,
        },
        supports_check_mode=True,
    )
    call = Caller(module)
    try:
        with holding(call, module.params["lock"], module.check_mode) as lock:
            result = run(module, call, lock)
    except CallFailed as failed:
        module.fail_json(**told(failed))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
