# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One rollout of several services: update, follow to the end, and the way back. The decisions are in ecs_rollout and rollout_view."""

from __future__ import annotations

import time

from ansible_collections.atena.aws.plugins.module_utils import ecs_rollout, rollout_view
from ansible_collections.atena.aws.plugins.module_utils.aws_calls import Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.aws_errors import CallFailed, CredentialsRefused, Denied, NotFound
from ansible_collections.atena.aws.plugins.module_utils.ecs_read import (
    describe_services,
    describe_task_definition,
    describe_tasks,
    stopped_tasks,
    target_states,
    tasks_that_ended,
)
from ansible_collections.atena.aws.plugins.module_utils.ecs_revision import is_template
from ansible_collections.atena.aws.plugins.module_utils.interrupts import shielded

# After an UpdateService whose fate is unknown: how often, and how far apart, the service is looked at before it is sent again.
_ATTEMPTS = 6
# Reasons not to look again: they don't go away by waiting.
_FINAL = (CredentialsRefused, Denied, NotFound)
# Seconds without news after which a person is told that it still goes on.
_SILENCE = 30
# The way back has so many seconds more than the way there: what was too slow then, such as draining, is as slow now, and giving up on
# it helps nobody.
_MORE_FOR_THE_WAY_BACK = 300


class RolloutRun:
    """The services as they were, what was started, and the way back.

    services: [{"name", "task_definition", "initial_count": int|None, "previous": dict|None}] in the order of the updates. `previous`
    {"task_definition", "desired_count", "is_first"} is what to go back to instead of what is read, as after a release that was interrupted.
    stable_seconds: how long all must stay as they should be before it counts as done.
    say: takes a line for the person who waits; None if nobody does. guard: called before each write and each look; what it raises ends the run
    where it is, without a way back (a lost lock).
    """

    def __init__(self, call, cluster, services, *, wait_timeout=900, wait_delay=3, stable_seconds=0, log_lines=20, check_mode=False, say=None, guard=None):
        self.call, self.cluster, self.check_mode = call, cluster, check_mode
        self.items = {item["name"]: item for item in services}
        self.wait_timeout, self.wait_delay, self.stable_seconds, self.log_lines = wait_timeout, wait_delay, stable_seconds, log_lines
        self._guard, self._forbidden = guard or (lambda: None), None
        self.previous, self.updates, self.deployments, self.begin = {}, {}, {}, None
        self.view = View(say)

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
            self.view.know(service)
        return services

    def _plan(self, name, service):
        item = self.items[name]
        return ecs_rollout.plan_update(service, item["target"], self.previous[name]["is_first"], item.get("initial_count"))

    def _plan_back(self, name, service):
        return ecs_rollout.plan_revert(service, self.previous[name])

    def guard(self):
        """Raises what the guard raises, which is then told from a failed call."""
        try:
            self._guard()
        except Exception as forbidden:
            self._forbidden = forbidden
            raise

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
                if refused is self._forbidden:
                    raise
                failed = {name: str(refused).rstrip(".")}
                break
        else:
            failed = self.wait(list(self.items)) or self._crashed()
        for reason in failed.values():
            self.view.tell(f"FAILED: {reason}")
        return failed

    def _crashed(self):
        """{name: reason} of the updated services that are stable, but lost a task of the new deployment on the way."""
        found = {}
        for name in self.updated:
            lost = ecs_rollout.crashed(tasks_that_ended(self.call, self.cluster, name, self.deployments[name]))
            if lost:
                found[name] = f"{name}: {len(lost)} task(s) of the new deployment started and then ended by themselves; ECS would go on replacing them"
        return found

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
                self.view.tell(f"{name}: told to run {self._revision(answer['service'])}")
                return
            except CallFailed as failed:
                if not failed.unsure or attempt == _ATTEMPTS - 1:
                    raise
                self.view.tell(f"{failed} Whether it was done is not known: looking again.")
                time.sleep(pace(0, 5, shortest=0.5 * 2**attempt))

    @staticmethod
    def _revision(service):
        return f"{service['taskDefinition'].rsplit('/', 1)[-1]} with {service['desiredCount']} tasks"

    def look(self, names):
        """{name: (state, reason)} of the deployments that were started; tells what is new."""
        states = {}
        for name, service in describe_services(self.call, self.cluster, names).items():
            balanced = any(balancer.get("targetGroupArn") for balancer in service.get("loadBalancers", []))
            targets = target_states(self.call, service) if balanced else []
            states[name] = ecs_rollout.assess(service, self.deployments[name], targets, balanced)
            self.view.show(service, self.deployments[name], targets, balanced, self._ended_tasks)
        return states

    def _ended_tasks(self, name, known):
        """Described stopped tasks of a service, without those in `known`, oldest first."""
        doing = f"list stopped tasks of {name}"
        arns = self.call.pages("ecs", "list_tasks", doing, "taskArns", cluster=self.cluster, serviceName=name, desiredStatus="STOPPED")
        tasks = describe_tasks(self.call, self.cluster, [arn for arn in arns if arn not in known])
        return sorted(tasks, key=lambda task: str(task.get("stoppedAt", "")))

    def wait(self, names, to_the_end=False, longer=0):
        """Waits until each deployment is done or one failed (with to_the_end: until each is done or failed).

        Returns {name: reason} of those that failed or were not done in time.
        """
        deadline, done_at = Deadline(self.wait_timeout + longer), None
        self.view.begin(names, deadline, self.stable_seconds)
        while True:
            self.guard()
            try:
                states = self.look(names)
            except CallFailed as failed:
                # The services go on all the same: worth a second look, until the time is over.
                if deadline.passed or isinstance(failed, _FINAL):
                    raise
                self.view.tell(f"{failed} Looking again.")
                time.sleep(max(1.0, pace(deadline.elapsed, self.wait_delay)))
                continue
            failed = {name: reason for name, (state, reason) in states.items() if state == ecs_rollout.FAILED}
            going = {name: reason for name, (state, reason) in states.items() if state == ecs_rollout.GOING}
            if failed and not (going and to_the_end):
                return failed
            if not going:
                done_at = deadline.elapsed if done_at is None else done_at
                if deadline.elapsed - done_at >= self.stable_seconds:
                    return {}
            elif done_at is not None:
                return {**failed, **{name: f"{reason}: it had been stable, but not for {self.stable_seconds} s" for name, reason in going.items()}}
            if going and deadline.passed:
                return {**failed, **{name: f"{reason}; not done after {deadline.seconds} s{self.view.last_event(name)}" for name, reason in going.items()}}
            self.view.still(going)
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
        self.view.tell("Bringing the services back to what they had before.")
        for name in list(self.items) if names is None else names:
            try:
                self._send(name, lambda service, name=name: self._plan_back(name, service))
                moved.append(name)
            except CallFailed as failed:
                if failed is self._forbidden:
                    raise
                lost[name] = str(failed)
        try:
            lost.update(self.wait(moved, to_the_end=True, longer=_MORE_FOR_THE_WAY_BACK) if moved else {})
        except CallFailed as failed:
            if failed is self._forbidden:
                raise
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


class View:
    """Tells the person who waits what is new about each service."""

    def __init__(self, say):
        self._say = say
        self._seen, self._tasks, self._events = {}, set(), {}
        self._deadline, self._spoke = None, 0.0

    def tell(self, text):
        if self._say is None:
            return
        if self._deadline is not None:
            self._spoke = self._deadline.elapsed
            text = rollout_view.stamp(text, self._deadline.elapsed, self._deadline.seconds)
        self._say(text)

    def know(self, service):
        """Events of before this run are no news."""
        name = service["serviceName"]
        self._events[name] = rollout_view.events(service)
        self._seen[name] = {"events": self._events[name]}

    def begin(self, names, deadline, stable_seconds):
        self._deadline = deadline
        stable = f", and stable for {stable_seconds} s" if stable_seconds else ""
        self.tell(f"Waiting for {', '.join(names)} to be done{stable}")

    def show(self, service, deployment_id, targets, is_balanced, ended_tasks):
        name = service["serviceName"]
        before, now = self._seen.get(name, {}), rollout_view.snapshot(service, deployment_id, targets, is_balanced)
        self._seen[name] = now
        if self._say is None:
            return
        for line in rollout_view.news(before, now):
            self.tell(line)
        if rollout_view.has_lost_task(before, now):
            try:
                tasks = ended_tasks(name, self._tasks)
            except CallFailed:
                return  # telling less is better than failing; the evidence is gathered again at the end
            self._tasks.update(task["taskArn"] for task in tasks if task.get("lastStatus") == "STOPPED")
            for task in tasks:
                if rollout_view.ended_badly(task, deployment_id):
                    self.tell(rollout_view.failure(name, task))

    def last_event(self, name):
        """The newest thing that ECS said since this run began, for a reason that would else be mute."""
        fresh = [message for identifier, message in self._seen.get(name, {}).get("events", {}).items() if identifier not in self._events.get(name, {})]
        return f"; ECS's last word: {fresh[-1]}" if fresh else ""

    def still(self, going):
        if self._deadline is not None and self._deadline.elapsed - self._spoke >= _SILENCE:
            self.tell(f"Still waiting for {', '.join(going) or 'them to stay stable'}")


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
