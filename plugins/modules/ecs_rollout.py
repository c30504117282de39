#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: ecs_rollout
version_added: 0.1.0
short_description: Roll prepared task definitions out to ECS services, together or not at all
description:
  - Updates each service with one UpdateService call in the order given, waits for all deployments it started together, and on the
    failure of any one brings every service back to the task definition it had, waits until it is stable there, and fails with the reason.
  - "The gap it closes: M(community.aws.ecs_service) waits for nothing on update, takes a rollback by ECS's circuit breaker for success,
    and resets an unset desired count to 0."
  - A deployment counts as done when it is the service's primary one, all its tasks run, no older one has tasks, and the service's targets
    are healthy. C(rolloutState) alone is not trusted.
author:
  - The atena.aws founders (@atena)
options:
  cluster:
    description: The cluster's name.
    type: str
    required: true
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
  wait_timeout:
    description: Seconds for all deployments together; then they are reverted. A revert has as long again.
    type: int
    default: 900
  wait_delay:
    description: Longest pause between two looks, in seconds. The first are shorter.
    type: int
    default: 3
  log_lines:
    description: How many of the last log lines of a failed task are reported.
    type: int
    default: 20
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
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
  description: Names of the services that were brought back and are stable there.
  returned: failure after an update
  type: list
  elements: str
not_reverted:
  description: Names of the services that could not be proved stable on what they had before. Look at these at once.
  returned: failure after an update
  type: list
  elements: str
failed_tasks:
  description: The newest tasks that ended in the failed deployments, with reason, exit codes and last log lines.
  returned: failure after an update
  type: dict
duration_seconds:
  description: Seconds from the first update to the end of the waiting.
  returned: success
  type: float
"""

import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.atena.aws.plugins.module_utils import ecs_rollout
from ansible_collections.atena.aws.plugins.module_utils.aws_calls import Caller, CallFailed, Deadline, pauses
from ansible_collections.atena.aws.plugins.module_utils.ecs_read import describe_services, describe_task_definition, stopped_tasks, target_states
from ansible_collections.atena.aws.plugins.module_utils.ecs_revision import is_template


class Rollout:
    """One run of the module: the services as they were, what was started, and the way back."""

    def __init__(self, module):
        self.params, self.check_mode = module.params, module.check_mode
        self.call = Caller(module)
        self.cluster = self.params["cluster"]
        self.items = {item["name"]: item for item in self.params["services"]}
        self.previous, self.updates, self.deployments = {}, {}, {}

    def read(self):
        """Reads every service and resolves every target before anything is changed."""
        for name, service in describe_services(self.call, self.cluster, list(self.items)).items():
            target = describe_task_definition(self.call, self.items[name]["task_definition"], absent_ok=self.check_mode)
            arn = target["taskDefinitionArn"] if target else self.items[name]["task_definition"]
            first = is_template(describe_task_definition(self.call, service["taskDefinition"]))
            self.previous[name] = {"taskDefinition": service["taskDefinition"], "desiredCount": service["desiredCount"], "is_first": first}
            self.updates[name] = ecs_rollout.plan_update(service, arn, first, self.items[name]["initial_count"])
            self.deployments[name] = ecs_rollout.primary(service).get("id", "")

    def update(self, name, arguments):
        answer = self.call("ecs", "update_service", f"update the service {name}", cluster=self.cluster, service=name, **arguments)
        self.deployments[name] = ecs_rollout.primary(answer["service"])["id"]

    def wait(self, names):
        """Waits until each deployment is done or one failed. Returns {name: reason} of those that failed or were not done in time."""
        deadline, pause = Deadline(self.params["wait_timeout"]), pauses(self.params["wait_delay"])
        while True:
            states = {}
            for name, service in describe_services(self.call, self.cluster, names).items():
                balanced = any(balancer.get("targetGroupArn") for balancer in service.get("loadBalancers", []))
                targets = target_states(self.call, service) if balanced else []
                states[name] = ecs_rollout.assess(service, self.deployments[name], targets, balanced)
            failed = {name: reason for name, (state, reason) in states.items() if state == ecs_rollout.FAILED}
            if failed:
                return failed
            going = {name: reason for name, (state, reason) in states.items() if state == ecs_rollout.GOING}
            if not going:
                return {}
            if deadline.passed:
                return {name: f"{reason}; not done after {self.params['wait_timeout']} s" for name, reason in going.items()}
            time.sleep(next(pause))

    def evidence(self, names):
        found = {}
        for name in names:
            try:
                found[name] = stopped_tasks(self.call, self.cluster, name, self.deployments[name], self.params["log_lines"])
            except CallFailed as failed:
                found[name] = [{"reason": f"its tasks could not be read: {failed}"}]
        return found

    def revert(self, names):
        """Brings services back and waits there. Returns {name: reason} of those not proved stable."""
        lost, moved = {}, []
        for name in names:
            try:
                service = describe_services(self.call, self.cluster, [name])[name]
                arguments = ecs_rollout.plan_revert(service, self.previous[name])
                if arguments:
                    self.update(name, arguments)
                else:
                    self.deployments[name] = ecs_rollout.primary(service)["id"]
                moved.append(name)
            except CallFailed as failed:
                lost[name] = str(failed)
        try:
            lost.update(self.wait(moved) if moved else {})
        except CallFailed as failed:
            lost.update({name: str(failed) for name in moved})
        return lost

    def entries(self):
        return [
            {
                "name": name,
                "task_definition": self.items[name]["task_definition"],
                "previous": self.previous[name]["taskDefinition"],
                "updated": bool(self.updates[name]),
                "first_release": self.previous[name]["is_first"],
                "desired_count": self.updates[name].get("desiredCount", self.previous[name]["desiredCount"]),
                "deployment_id": "" if self.check_mode else self.deployments[name],
            }
            for name in self.items
        ]

    def diff(self):
        changed = {name: update for name, update in self.updates.items() if update}
        return {
            "before": {name: {key: self.previous[name][key] for key in update} for name, update in changed.items()},
            "after": changed,
        }


def failure_text(failed, evidence, reverted, lost):
    """The paragraph a person reads at two in the morning."""
    lines = ["The rollout failed. " + " ".join(f"{reason.rstrip('.')}." for reason in failed.values())]
    for name, tasks in evidence.items():
        for task in tasks[:1]:
            lines.append(f"{name}, task {task.get('task_id', '?')}: {task['reason']}")
            for container, tail in task.get("log_tail", {}).items():
                lines.extend([f"Last log lines of {container}:", *(f"  {line}" for line in tail)])
    if reverted:
        lines.append(f"Back on what they had before, and stable: {', '.join(reverted)}.")
    for name, reason in lost.items():
        lines.append(f"NOT proved stable on what it had before: {name}: {reason}")
    return "\n".join(lines)


def run(module):
    rollout = Rollout(module)
    rollout.read()
    updated = [name for name, update in rollout.updates.items() if update]
    result = {"changed": bool(updated), "services": rollout.entries(), "diff": rollout.diff()}
    if module.check_mode:
        return result
    begin, started, failed = time.monotonic(), [], {}
    for name in [name for name in rollout.items if name in updated]:
        try:
            rollout.update(name, rollout.updates[name])
        except CallFailed as refused:
            failed = {name: str(refused).rstrip(".")}
            break
        started.append(name)
    if not failed:
        try:
            failed = rollout.wait(list(rollout.items))
        except CallFailed as lost_sight:
            module.fail_json(
                msg=f"{lost_sight} The services were updated, but what became of it is not known. Run the playbook again: it goes on from there.",
                **{**result, "services": rollout.entries()},
            )
    if not failed:
        return {**result, "services": rollout.entries(), "duration_seconds": round(time.monotonic() - begin, 1)}
    evidence = rollout.evidence([name for name in failed if rollout.deployments[name]])
    entries = rollout.entries()
    lost = rollout.revert(started)
    reverted = [name for name in started if name not in lost]
    module.fail_json(
        msg=failure_text(failed, evidence, reverted, lost),
        changed=bool(started),
        services=entries,
        failed_tasks=evidence,
        reverted=reverted,
        not_reverted=list(lost),
    )


def main():
    module = AnsibleAWSModule(
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
                },
            },
            "wait_timeout": {"type": "int", "default": 900},
            "wait_delay": {"type": "int", "default": 3},
            "log_lines": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except CallFailed as failed:
        module.fail_json(msg=str(failed))


if __name__ == "__main__":
    main()
