#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_scale
version_added: 0.1.0
short_description: Set the desired counts and autoscaling bounds of ECS services
description:
  - Sets the desired count of each service with one UpdateService call, and its Application Auto Scaling bounds where they are given, and waits until
    all services run what they should and their targets are healthy.
  - A count outside of the bounds that a service has is refused unless bounds are given too, since Application Auto Scaling would restore it.
    Refused as well are a service that never ran a release, and an environment that is stopped (O(power)). Then nothing at all is changed.
  - When new tasks fail, the services that were to grow return to the counts and bounds they had. Services that were to shrink continue to do so.
  - "The gap it closes: M(community.aws.ecs_service) waits for nothing on update, needs the whole service's description to change its count, and knows
    no autoscaling bounds; M(community.aws.application_scaling_policy) sets bounds only together with a policy."
author:
  - The atena.aws founders (@atena)
options:
  services:
    description: What to scale, in the order of the updates.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The ECS service.
        type: str
        required: true
      key:
        description: What the environment calls it, for remedies that name a command. The service's name if unset.
        type: str
      count:
        description: The desired count. Unset leaves it alone.
        type: int
      min:
        description: The lower bound of Application Auto Scaling, for a service that is registered there. Unset leaves it alone.
        type: int
      max:
        description: The upper bound. Unset leaves it alone.
        type: int
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
- name: Run two of each
  atena.aws.ecs_scale:
    cluster: atena-prod-cluster
    services:
      - name: atena-prod-api
        count: 2
      - name: atena-prod-workers
        count: 2

- name: Run six, and let autoscaling go up to eight
  atena.aws.ecs_scale:
    cluster: atena-prod-cluster
    services:
      - name: atena-prod-api
        count: 6
        max: 8
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
    desired_count:
      description: The desired count afterwards (in check mode, that it would have).
      type: int
    previous_count:
      description: The desired count before.
      type: int
    updated:
      description: Whether the count was (in check mode, would be) changed.
      type: bool
    bounds:
      description: >-
        The bounds of Application Auto Scaling afterwards, V(min) and V(max), and in V(suspended) what it does not do at present; null if the service is
        not registered there.
      type: dict
    previous_bounds:
      description: The same before; null if the service is not registered.
      type: dict
    bounds_updated:
      description: Whether the bounds were (in check mode, would be) changed.
      type: bool
lines:
  description: The same for people, one line a service.
  returned: success
  type: list
  elements: str
duration_seconds:
  description: Seconds from the first change to the end of the waiting.
  returned: when it was done
  type: float
reverted:
  description: Names of the services that are back on the count they had, and stable there.
  returned: failure after a change
  type: list
  elements: str
not_reverted:
  description: Names of the services that could not be confirmed stable after the rollback. Check these at once.
  returned: failure after a change
  type: list
  elements: str
failed_tasks:
  description: The newest tasks that ended in the services that failed, with reason, exit codes and last log lines.
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
from ansible_collections.atena.aws.plugins.module_utils.services import scale as service_scale


def wanted(service: dict[str, Any]) -> dict[str, Any]:
    bounds = {side: service[side] for side in ("min", "max") if service[side] is not None}
    return {"name": service["name"], "key": service["key"] or service["name"], "count": service["count"], "bounds": bounds or None}


def refuse(call: Caller, params: dict[str, Any], scaling: service_scale.ScaleRun) -> None:
    """Before anything is changed: the environment is on, and every count and bound is one that will stay."""
    off = power_state.why_not_on(power_state.read(call, params["power"]))
    found = [off] if off else service_scale.refusals(scaling.items, scaling.previous)
    if found:
        raise CallFailed("\n".join([*found, "Nothing was changed."]))


def run(module: Module, call: Caller, lock: Lock | NoLock) -> dict[str, Any]:
    params, progress = module.params, Progress(module.params["progress_file"])
    options = {name: params[name] for name in ("wait_timeout", "wait_delay", "log_lines")}
    say = progress.say if progress.heard else None
    services = [wanted(service) for service in params["services"]]
    scaling = service_scale.ScaleRun(call, params["cluster"], services, check_mode=module.check_mode, say=say, guard=lock.check, **options)
    scaling.read()
    refuse(call, params, scaling)
    result: dict[str, Any] = {"changed": scaling.changed, "services": scaling.entries(), "diff": scaling.diff()}
    if module.check_mode:
        return {**result, "lines": service_scale.lines(result["services"], would=True)}
    try:
        with interruptible():
            failed = scaling.roll_out()
            if not failed:
                return {**result, "lines": service_scale.lines(result["services"]), "duration_seconds": round(scaling.elapsed, 1)}
            evidence = scaling.evidence(failed)
            back = scaling.grown
            lost = scaling.revert()
    except Interrupted as interrupted:
        left = f"{interrupted} {scaling.left_behind()}"
        progress.say(left)
        module.fail_json(msg=left, **result)
    except CallFailed as lost_sight:
        module.fail_json(
            msg=f"{lost_sight} The outcome of the services is not known. Run the playbook again: it resumes from there.", **{**facts_of(lost_sight), **result}
        )
    reverted = [name for name in back if name not in lost]
    module.fail_json(
        msg=failure_text(failed, evidence, reverted, lost).replace("The rollout failed.", "The services were not scaled.", 1),
        **{**result, "changed": True, "failed_tasks": evidence, "reverted": reverted, "not_reverted": list(lost)},
    )


def main() -> None:
    service = {
        "name": {"type": "str", "required": True},
        "key": {"type": "str", "no_log": False},
        **{name: {"type": "int"} for name in ("count", "min", "max")},
    }
    module = AwsModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "dict", "required": True, "options": service},
            "power": power_state.POWER_OPTIONS,
            "wait_timeout": {"type": "int", "default": 900},
            "wait_delay": {"type": "int", "default": 3},
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
