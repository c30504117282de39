# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One rollout of several services: update, follow to the end, and the way back. The decisions are in ecs_rollout and rollout_view."""

from __future__ import annotations

import time

from ansible_collections.atena.aws.plugins.module_utils import ecs_rollout
from ansible_collections.atena.aws.plugins.module_utils.aws_calls import CallFailed, Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.ecs_read import describe_services, describe_task_definition, stopped_tasks, target_states
from ansible_collections.atena.aws.plugins.module_utils.ecs_revision import is_template
from ansible_collections.atena.aws.plugins.module_utils.interrupts import shielded

# After an UpdateService whose fate is unknown: how often, and how far apart, the service is looked at before it is sent again.
_ATTEMPTS = 4
_PAUSE_AFTER_UNSURE = 1.0


class RolloutRun:
    """The services as they were, what was started, and the way back.

    services: [{"name", "task_definition", "initial_count": int|None, "previous": dict|None}] in the order of the updates. `previous`
    {"task_definition", "desired_count", "is_first"} is what to go back to instead of what is read, as after a release that was interrupted.
    say: takes a line for the person who waits. guard: called before each write and each look; what it raises ends the run (a lost lock).
    """

    def __init__(self, call, cluster, services, *, wait_timeout=900, wait_delay=3, log_lines=20, check_mode=False, say=None, guard=None):
        self.call, self.cluster, self.check_mode = call, cluster, check_mode
        self.items = {item["name"]: item for item in services}
        self.wait_timeout, self.wait_delay, self.log_lines = wait_timeout, wait_delay, log_lines
        self.say, self.guard = say or (lambda text: None), guard or (lambda: None)
        self.previous, self.updates, self.deployments, self.begin = {}, {}, {}, None

    def read(self):
        """Reads every service and resolves every target before anything is changed. Returns {name: described service}."""
        services = describe_services(self.call, self.cluster, list(self.items))
        for name, service in services.items():
            item = self.items[name]
            target = describe_task_definition(self.call, item["task_definition"], absent_ok=self.check_mode)
            item["target"] = target["taskDefinitionArn"] if target else item["task_definition"]
            given = item.get("previous")
            if given:
                self.previous[name] = {
                    "taskDefinition": describe_task_definition(self.call, given["task_definition"])["taskDefinitionArn"],
                    "desiredCount": given["desired_count"],
                    "is_first": given["is_first"],
                }
            else:
                first = is_template(describe_task_definition(self.call, service["taskDefinition"]))
                self.previous[name] = {"taskDefinition": service["taskDefinition"], "desiredCount": service["desiredCount"], "is_first": first}
            self.updates[name] = self._plan(name, service)
            self.deployments[name] = ecs_rollout.primary(service).get("id", "")
        return services

    def _plan(self, name, service):
        item = self.items[name]
        return ecs_rollout.plan_update(service, item["target"], self.previous[name]["is_first"], item.get("initial_count"))

    @property
    def updated(self):
        """Names of the services that need an update, in order."""
        return [name for name in self.items if self.updates[name]]

    @property
    def elapsed(self):
        """Seconds since the first update."""
        return 0.0 if self.begin is None else time.monotonic() - self.begin

    def roll_out(self):
        """Updates what needs it and waits for all. Returns {name: reason} of those that failed; raises CallFailed when it lost sight of them."""
        self.begin = time.monotonic()
        for name in self.updated:
            try:
                self._send(name, lambda service, name=name: self._plan(name, service))
            except CallFailed as refused:
                return {name: str(refused).rstrip(".")}
        return self.wait(list(self.items))

    def _send(self, name, plan):
        """Brings a service to what `plan(service)` says with one UpdateService, and none if it is there: it may have been sent before,
        by a run that was killed or by a call whose answer was lost."""
        for attempt in range(_ATTEMPTS):
            self.guard()
            service = describe_services(self.call, self.cluster, [name])[name]
            arguments = plan(service)
            if not arguments:
                self.deployments[name] = ecs_rollout.primary(service).get("id", "")
                return
            try:
                with shielded():
                    answer = self.call.once("ecs", "update_service", f"update the service {name}", cluster=self.cluster, service=name, **arguments)
                    self.deployments[name] = ecs_rollout.primary(answer["service"])["id"]
                return
            except CallFailed as failed:
                if not failed.unsure or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(_PAUSE_AFTER_UNSURE)

    def look(self, names):
        """{name: (state, reason)} of the deployments that were started."""
        states = {}
        for name, service in describe_services(self.call, self.cluster, names).items():
            balanced = any(balancer.get("targetGroupArn") for balancer in service.get("loadBalancers", []))
            targets = target_states(self.call, service) if balanced else []
            states[name] = ecs_rollout.assess(service, self.deployments[name], targets, balanced)
        return states

    def wait(self, names, to_the_end=False):
        """Waits until each deployment is done or one failed (with to_the_end: until each is done or failed).

        Returns {name: reason} of those that failed or were not done in time.
        """
        deadline = Deadline(self.wait_timeout)
        while True:
            self.guard()
            states = self.look(names)
            failed = {name: reason for name, (state, reason) in states.items() if state == ecs_rollout.FAILED}
            going = {name: reason for name, (state, reason) in states.items() if state == ecs_rollout.GOING}
            if not going or (failed and not to_the_end):
                return failed
            if deadline.passed:
                return {**failed, **{name: f"{reason}; not done after {self.wait_timeout} s" for name, reason in going.items()}}
            time.sleep(pace(deadline.elapsed, self.wait_delay))

    def evidence(self, names):
        """{name: the newest tasks that ended in its deployment}; to be gathered before the revert, which starts others."""
        found = {}
        for name in names:
            if not self.deployments.get(name):
                continue
            try:
                found[name] = stopped_tasks(self.call, self.cluster, name, self.deployments[name], self.log_lines)
            except CallFailed as failed:
                found[name] = [{"reason": f"its tasks could not be read: {failed}"}]
        return found

    def revert(self, names=None):
        """Brings services back (all, unless named) and waits until they are proved stable there. Returns {name: reason} of those not proved."""
        lost, moved = {}, []
        for name in list(self.items) if names is None else names:
            try:
                self._send(name, lambda service, name=name: ecs_rollout.plan_revert(service, self.previous[name]))
                moved.append(name)
            except CallFailed as failed:
                lost[name] = str(failed)
        try:
            lost.update(self.wait(moved, to_the_end=True) if moved else {})
        except CallFailed as failed:
            lost.update({name: str(failed) for name in moved})
        return lost

    def entries(self):
        """One dict for each service, as ecs_rollout returns them."""
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

    def left_behind(self):
        """What a run that ends now leaves, in sentences: for the one who interrupted it."""
        if self.begin is None:
            return "No service was changed."
        sent = [f"{name} (deployment {self.deployments[name]})" for name in self.updated if self.deployments[name]]
        return (
            f"These services were told to change: {', '.join(sent) or 'none'}. ECS goes on with that by itself and nothing was brought back. "
            "Run the playbook again: it goes on from there."
        )


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
