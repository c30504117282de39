# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One rollout of several services: update, follow to the end, and the way back. The decisions are in ecs.rollout and ecs.rollout_view."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import budget
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, CredentialsRefused, Denied, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.failure import Failure
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import shielded
from ansible_collections.atena.aws.plugins.module_utils.core.parallel import each
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Answer, Aws, Guard, Say
from ansible_collections.atena.aws.plugins.module_utils.ecs import rollout as ecs_rollout, rollout_view
from ansible_collections.atena.aws.plugins.module_utils.ecs.ended import Ended
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import (
    describe_services,
    describe_task_definition,
    running_tasks,
    stopped_tasks,
    target_states,
)
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import RELEASE_TAG, is_template, tags_of

# After an UpdateService whose fate is unknown: how often, and how far apart, the service is looked at before it is sent again.
_ATTEMPTS = 6
# Reasons not to look again: they don't go away by waiting.
_FINAL = (CredentialsRefused, Denied, NotFound)
# Seconds without news after which a person is told that it still goes on.
_SILENCE = 30
# The way back has so many seconds more than the way there: what was too slow then, such as draining, is as slow now, and giving up on
# it helps nobody.
_MORE_FOR_THE_WAY_BACK = 300
# Before a service is brought back: how often, and how far apart, an answer that may be from before our own update is asked for again.
_LOOKS_AGAIN, _LOOK_AGAIN_AFTER = 4, 3.0


class TakenOver(CallFailed):
    """Somebody else's deployment is where ours was, or was to be: it stays."""


class RolloutRun:
    """The services as they were, what was started, and the way back.

    services: [{"name", "task_definition", "initial_count": int|None, "previous": dict|None, "stable_seconds": int|None}] in the order of the updates.
    `previous` {"task_definition", "desired_count", "is_first"} is what to go back to instead of what is read, as after a release that was interrupted.
    `known` (optional): task definitions as they were described or registered, with their tags, that need not be read again: a revision never changes.
    stable_seconds: how long the tasks of a new deployment must stay up once all of them run and are healthy; of a service that does not say it itself.
    After the roll-out `taken` has {service: what took over} of those that somebody else deployed meanwhile; they are left as they are.
    say: takes a line for the person who waits; None if nobody does. guard: called before each write and each look; what it raises ends the run
    where it is, without a way back (a lost lock).
    """

    def __init__(
        self,
        call: Aws,
        cluster: str,
        services: list[dict[str, Any]],
        *,
        wait_timeout: float = 900,
        wait_delay: float = 3,
        stable_seconds: float = 0,
        log_lines: int = 20,
        check_mode: bool = False,
        say: Say | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._counted = budget.Counted(call)
        self.call: Aws = self._counted
        self.cluster, self.check_mode = cluster, check_mode
        self._ended = Ended(self.call, cluster)
        self.items = {item["name"]: item for item in services}
        self.wait_timeout, self.wait_delay, self.stable_seconds, self.log_lines = wait_timeout, wait_delay, stable_seconds, log_lines
        self._guard: Guard = guard or (lambda: None)
        self._forbidden: Exception | None = None
        self.previous: dict[str, dict[str, Any]] = {}
        self.updates: dict[str, dict[str, Any]] = {}
        self.deployments: dict[str, str] = {}
        self.begin: float | None = None
        # What each service's deployment is told by; which were ever listed; and since when, and in how many looks, one was not.
        self._started: dict[str, ecs_rollout.Started] = {}
        self._listed: set[str] = set()
        self._unseen: dict[str, tuple[float, int]] = {}
        self.taken: dict[str, dict[str, str]] = {}
        self._definitions: dict[str, dict[str, Any]] = {known["taskDefinitionArn"]: known for item in services for known in item.get("known") or () if known}
        self._checked: dict[str, frozenset[str]] = {}
        # Of what is watched: whether it is steady by the last look, since when, and the tasks that had ended before.
        self._steady: dict[str, bool] = {}
        self._since: dict[str, float] = {}
        self._ended_before: dict[str, frozenset[str]] = {}
        # As the last look saw them, and the health of their targets; of those that were done then, what it went by, and its words.
        self._health: dict[str, list[str]] = {}
        self._seen: dict[str, dict[str, Any]] = {}
        self._done: dict[str, tuple[str, str]] = {}
        self.view = View(say)

    def read(self) -> dict[str, dict[str, Any]]:
        """Reads every service and resolves every target before anything is changed. Returns {name: described service}."""
        return self.resolve(describe_services(self.call, self.cluster, list(self.items)))

    def resolve(self, services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """The same with services that were read, for a run that changes nothing."""
        for name, service in services.items():
            item = self.items[name]
            target = self._definition(item["task_definition"], absent_ok=self.check_mode)
            item["target"] = target["taskDefinitionArn"] if target else item["task_definition"]
            if target:
                self._know(target)
            given = item.get("previous")
            if given:
                self.previous[name] = {
                    "taskDefinition": self._read_definition(given["task_definition"])["taskDefinitionArn"],
                    "desiredCount": given["desired_count"],
                    "is_first": given["is_first"],
                }
            else:
                first = is_template(self._read_definition(service["taskDefinition"]))
                self.previous[name] = {"taskDefinition": service["taskDefinition"], "desiredCount": service["desiredCount"], "is_first": first}
            self.updates[name] = self._plan(name, service)
            self.observe(name, service)
        return services

    def _definition(self, name: str, absent_ok: bool) -> dict[str, Any] | None:
        """By ARN, as it is known if it is; else as it is read now."""
        return self._definitions.get(name) or describe_task_definition(self.call, name, absent_ok=absent_ok)

    def _read_definition(self, name: str) -> dict[str, Any]:
        found = self._definitions[name] = self._definitions.get(name) or describe_task_definition(self.call, name)
        return found

    def observe(self, name: str, service: dict[str, Any]) -> None:
        """As a service is when the run begins."""
        self._follow(name, ecs_rollout.started(service))
        self.view.know(service)

    def _follow(self, name: str, started: ecs_rollout.Started) -> None:
        self._started[name], self.deployments[name] = started, started.id

    def _ours(self, name: str) -> ecs_rollout.Started:
        return self._started.get(name) or ecs_rollout.Started(self.deployments[name])

    def _plan(self, name: str, service: dict[str, Any]) -> dict[str, Any]:
        item = self.items[name]
        return ecs_rollout.plan_update(service, item["target"], self.previous[name]["is_first"], item.get("initial_count"))

    def _plan_back(self, name: str, service: dict[str, Any]) -> dict[str, Any]:
        return ecs_rollout.plan_revert(service, self.previous[name])

    def guard(self) -> None:
        """Raises what the guard raises, which is then told from a failed call."""
        try:
            self._guard()
        except Exception as forbidden:
            self._forbidden = forbidden
            raise

    @property
    def updated(self) -> list[str]:
        """Names of the services that need an update, in order."""
        return [name for name in self.items if self.updates[name]]

    @property
    def elapsed(self) -> float:
        """Seconds since the first update."""
        return 0.0 if self.begin is None else time.monotonic() - self.begin

    def roll_out(self) -> dict[str, str]:
        """Updates what needs it and waits for all. Returns {name: reason} of those that failed; raises CallFailed when it lost sight of them."""
        self.begin = time.monotonic()
        for name in self.updated:
            try:
                self._send(name, functools.partial(self._plan, name))
            except CallFailed as refused:
                if refused is self._forbidden:
                    raise
                failed = {name: str(refused).rstrip(".")}
                break
        else:
            failed = self.wait(list(self.items), watched=self.updated) or self._crashed()
        for reason in failed.values():
            self.view.tell(f"FAILED: {reason}")
        return failed

    def _crashed(self) -> dict[str, str]:
        """{name: reason} of the updated services that are stable, but lost a task of the new deployment on the way."""
        found = {}
        ended = self._ended.of(self.updated) if self.updated else []
        for name in self.updated:
            lost = self._lost_tasks(name, ended)
            if lost:
                found[name] = f"{name}: {len(lost)} task(s) of the new deployment started and then exited on their own; ECS would keep replacing them"
        return found

    def _lost_tasks(self, name: str, stopped: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The tasks of a service's deployment that ended by themselves, or by their health checks after they had been well. stopped: Ended.of."""
        ended = [task for task in stopped if task.get("startedBy") == self.deployments[name]]
        before = self._ended_before.get(name)
        lost = [*ecs_rollout.crashed(ended), *(ecs_rollout.fallen(ended, before) if before is not None else [])]
        return list({task["taskArn"]: task for task in lost}.values())

    def _send(self, name: str, plan: Callable[[dict[str, Any]], dict[str, Any]], back: bool = False) -> None:
        """Brings a service to what `plan(service)` says with one UpdateService, and none if it is there: it may have been sent before,
        by a run that was killed or by a call whose answer was lost. Raises TakenOver where that would undo somebody else's deployment."""
        unsure = False
        for attempt in range(_ATTEMPTS):
            self.guard()
            service = self._current(name) if back and not unsure else describe_services(self.call, self.cluster, [name])[name]
            arguments = plan(service)
            # After an answer that was lost, what is as planned is ours.
            theirs = self._theirs(name, service, arguments, back) if arguments or not unsure else {}
            if theirs:
                raise TakenOver(self._taken_over(name, theirs))
            if not arguments:
                self._follow(name, ecs_rollout.started(service, known=self._ours(name)))
                return
            try:
                with shielded():
                    answer = self.call.once("ecs", "update_service", f"update the service {name}", cluster=self.cluster, service=name, **arguments)
                    self._follow(name, ecs_rollout.started(answer["service"], service, self._ours(name)))
                self.view.tell(f"{name}: updated to run {self._revision(answer['service'])}")
                return
            except CallFailed as failed:
                if not failed.unsure or attempt == _ATTEMPTS - 1:
                    raise
                unsure = True
                self.view.tell(f"{failed} Whether it was done is not known: checking again.")
                time.sleep(pace(0, 5, shortest=0.5 * 2**attempt))

    def _current(self, name: str) -> dict[str, Any]:
        """A service as it is: an answer that may be from before our own update is no ground for what is sent next."""
        for attempt in range(_LOOKS_AGAIN):
            service = describe_services(self.call, self.cluster, [name])[name]
            if not ecs_rollout.is_behind(service, self._ours(name)):
                break
            if attempt < _LOOKS_AGAIN - 1:
                time.sleep(_LOOK_AGAIN_AFTER)
        return service

    def _theirs(self, name: str, service: dict[str, Any], arguments: Mapping[str, Any], back: bool) -> dict[str, Any]:
        """The deployment of somebody else that `arguments` would undo; {} if there is none. On the way back it is left even where it is as planned."""
        return ecs_rollout.stranger(service, self._ours(name)) if back or "taskDefinition" in arguments else {}

    def _taken_over(self, name: str, theirs: Answer) -> str:
        """Notes what took a service over, with what its task definition tells of who did it. Returns that in a sentence."""
        if self.taken.get(name, {}).get("deployment_id") != theirs["id"]:
            self.taken[name] = self._who(theirs)
        return f"{name}: another deployment took over: {taken_words(self.taken[name])}"

    def _who(self, theirs: Answer) -> dict[str, str]:
        entry = {"deployment_id": theirs["id"], "task_definition": theirs["taskDefinition"], "release": "", "registered_by": ""}
        try:
            definition = describe_task_definition(self.call, theirs["taskDefinition"])
            entry.update(release=tags_of(definition).get(RELEASE_TAG, ""), registered_by=definition.get("registeredBy", ""))
        except CallFailed:
            pass  # who it was is worth telling, and no reason to fail
        return entry

    @staticmethod
    def _revision(service: Answer) -> str:
        return f"{service['taskDefinition'].rsplit('/', 1)[-1]} with {service['desiredCount']} tasks"

    def look(self, names: list[str]) -> dict[str, tuple[str, str]]:
        """{name: (state, reason)} of the deployments that were started; tells what is new."""
        services = describe_services(self.call, self.cluster, names)
        for name, service in services.items():
            if not self.deployments[name]:  # ECS had none yet when this began
                self._follow(name, ecs_rollout.started(service))
        going = {name: service for name, service in services.items() if self._done.get(name, ("", ""))[0] != rollout_view.essence(service)}
        self._health.update(self._targets(going))
        tasks, states = self._tasks(going), {}
        for name, service in services.items():
            states[name] = self._judge(name, service, tasks.get(name, [])) if name in going else (ecs_rollout.DONE, self._done[name][1])
            self.view.show(service, self.deployments[name], self._health.get(name, []), _is_balanced(service), self._ended_tasks)
        self._seen = services
        return states

    def _judge(self, name: str, service: dict[str, Any], tasks: list[dict[str, Any]]) -> tuple[str, str]:
        ours, balanced, targets = self._ours(name), _is_balanced(service), self._health.get(name, [])
        unwell = self._container_health(service, ours, tasks)
        self._steady[name] = ecs_rollout.is_steady(service, ours, targets, balanced, unwell, was_steady=name in self._since)
        return self._sighted(name, service, *ecs_rollout.assess(service, ours, targets, balanced, unwell))

    def _targets(self, services: Mapping[str, dict[str, Any]]) -> dict[str, list[str]]:
        """{name: health states of its targets} of those behind a load balancer."""
        names = [name for name, service in services.items() if _is_balanced(service)]
        return dict(zip(names, each(lambda name: target_states(self.call, services[name]), names), strict=True))

    def _tasks(self, services: Mapping[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        """{name: the tasks that run} of those whose containers have health checks of their own: those of several in one list, of the whole cluster."""
        names = [name for name, service in services.items() if self._checked_of(service, self._ours(name))]
        if not names:
            return {}
        return dict.fromkeys(names, running_tasks(self.call, self.cluster, names[0] if len(names) == 1 else ""))

    def _keep(self, states: Mapping[str, tuple[str, str]]) -> None:
        """What is done, and has stayed up for its time, is asked about in detail again only if ECS shows something else of it."""
        self._done = {name: (rollout_view.essence(self._seen[name]), reason) for name, (state, reason) in states.items() if state == ecs_rollout.DONE}

    def _sighted(self, name: str, service: dict[str, Any], state: str, reason: str) -> tuple[str, str]:
        """What one look says, in the light of those before it: a single answer that does not show our deployment ends nothing."""
        ours = self._ours(name)
        if ecs_rollout.listed(service, ours.id):
            self._listed.add(ours.id)
        if state == ecs_rollout.TAKEN:
            return state, self._taken_over(name, ecs_rollout.stranger(service, ours))
        if state != ecs_rollout.UNSEEN:
            self._unseen.pop(name, None)
            return state, reason
        since, looks = self._unseen.get(name, (time.monotonic(), 0))
        self._unseen[name] = since, looks + 1
        if ecs_rollout.is_gone(ours.id in self._listed, looks + 1, time.monotonic() - since):
            return ecs_rollout.FAILED, f"{reason}; it was listed before, and {looks + 1} answers in a row do not have it: it is gone"
        return ecs_rollout.GOING, reason

    def _container_health(self, service: dict[str, Any], ours: ecs_rollout.Started, tasks: list[dict[str, Any]]) -> str:
        """What the deployment lacks by its containers' own health checks."""
        checked = self._checked_of(service, ours)
        return ecs_rollout.container_health(tasks, ours.id, checked, service["desiredCount"]) if checked else ""

    def _checked_of(self, service: dict[str, Any], ours: ecs_rollout.Started) -> frozenset[str]:
        """The containers of our deployment whose health is asked for: none where it is to have no task."""
        deployment = ecs_rollout.listed(service, ours.id)
        return self._health_checked(deployment["taskDefinition"]) if deployment and service["desiredCount"] else frozenset()

    def _health_checked(self, arn: str) -> frozenset[str]:
        """The containers of a task definition that have a health check. A revision never changes, so it is read once."""
        if arn not in self._checked:
            self._know(self._read_definition(arn))
        return self._checked[arn]

    def _know(self, definition: Answer) -> None:
        checked = frozenset(container["name"] for container in definition.get("containerDefinitions", []) if container.get("healthCheck"))
        self._checked[definition["taskDefinitionArn"]] = checked

    def _stable_seconds(self, name: str) -> float:
        own = self.items[name].get("stable_seconds")
        return self.stable_seconds if own is None else own

    def _becomes_steady(self, name: str, state: str) -> bool:
        lost = state in (ecs_rollout.FAILED, ecs_rollout.TAKEN)
        return bool(self._stable_seconds(name)) and self._steady[name] and not lost and name not in self._ended_before

    def _note_ended(self, names: list[str]) -> None:
        """Which tasks had ended when these became steady: those that end later were lost."""
        ended = self._ended.of(names) if names else []
        for name in names:
            self._ended_before[name] = frozenset(task["taskArn"] for task in ended if task.get("startedBy") == self.deployments[name])

    def _watch(self, name: str, state: str, reason: str, elapsed: float) -> tuple[str, str]:
        """Counts a service's stable_seconds from when it is steady, beside whatever else it waits for. A task that is lost meanwhile is a failure."""
        wanted = self._stable_seconds(name)
        if not wanted or state in (ecs_rollout.FAILED, ecs_rollout.TAKEN):
            return state, reason
        if not self._steady[name]:
            if name in self._unseen:
                return state, reason  # an answer that is behind says nothing about the tasks
            if self._since.pop(name, None) is not None:
                lost = self._lost_tasks(name, self._ended.of([name]))
                if lost:
                    why = rollout_view.failure(name, lost[-1])
                    return ecs_rollout.FAILED, f"{name}: it was steady, but not for {wanted} s: {why}"
            return state, reason
        self._since.setdefault(name, elapsed)
        steady = elapsed - self._since[name]
        if state == ecs_rollout.DONE and steady < wanted:
            return ecs_rollout.WATCHED, f"{name}: steady for {int(steady)} of {wanted} s"
        return state, reason

    def _ended_tasks(self, name: str, known: Collection[str]) -> list[dict[str, Any]]:
        """Described stopped tasks of a service, without those in `known`, oldest first."""
        tasks = [task for task in self._ended.of([name]) if task["taskArn"] not in known]
        return sorted(tasks, key=lambda task: str(task.get("stoppedAt", "")))

    def wait(self, names: list[str], to_the_end: bool = False, longer: float = 0, watched: Collection[str] = ()) -> dict[str, str]:
        """Waits until each deployment is done or one failed (with to_the_end: until each is done or failed).

        watched: those that must stay up for their stable_seconds. That time runs beside all other waiting, and the deadline does not cut it short.
        Returns {name: reason} of those that failed or were not done in time.
        """
        deadline, made = Deadline(self.wait_timeout + longer), self._counted.count
        self._since, self._ended_before, self._done = {}, {}, {}
        self.view.begin(names, deadline, {name: self._stable_seconds(name) for name in watched})
        while True:
            self.guard()
            try:
                states = self.look(names)
                self._note_ended([name for name in watched if name in states and self._becomes_steady(name, states[name][0])])
                states.update({name: self._watch(name, *states[name], deadline.elapsed) for name in watched if name in states})
                self._keep(states)
            except CallFailed as unread:
                # The services go on all the same: worth a second look, until the time is over.
                if deadline.passed or isinstance(unread, _FINAL):
                    raise
                self.view.tell(f"{unread} Checking again.")
                time.sleep(max(1.0, pace(deadline.elapsed, self.wait_delay)))
                continue
            failed = {name: reason for name, (state, reason) in states.items() if state in (ecs_rollout.FAILED, ecs_rollout.TAKEN)}
            going = {name: reason for name, (state, reason) in states.items() if state == ecs_rollout.GOING}
            left = {name for name, (state, _reason) in states.items() if state == ecs_rollout.WATCHED}
            if failed and not ((going or left) and to_the_end):
                return failed
            if not going and not left:
                return failed
            if going and deadline.passed:
                return {**failed, **{name: f"{reason}; not done after {deadline.seconds} s{self.view.last_event(name)}" for name, reason in going.items()}}
            self.view.still(going)
            # Where all is as it should be and only has to stay so, the end of that time is known.
            wanted = pace(deadline.elapsed, self.wait_delay) if going else self._until_stable(left, deadline.elapsed)
            time.sleep(budget.pause(self._counted.count - made, deadline.elapsed, wanted))

    def _until_stable(self, names: Collection[str], elapsed: float) -> float:
        """Seconds until the first of them has stayed up for its time, or until it is looked at again before that."""
        return min(self.wait_delay, *(max(0.05, self._stable_seconds(name) - (elapsed - self._since[name])) for name in names))

    def evidence(self, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
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

    def revert(self, names: list[str] | None = None) -> dict[str, str]:
        """Brings services back (all, unless named) and waits until they are proved stable there. Returns {name: reason} of those not proved.

        One that somebody else deployed meanwhile is left to them: it is among those that are returned, and in `taken`.
        """
        lost, moved = {}, []
        self.view.tell("Rolling back to what the services had before.")
        for name in list(self.items) if names is None else names:
            try:
                self._send(name, functools.partial(self._plan_back, name), back=True)
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

    def entries(self) -> list[dict[str, Any]]:
        """One dict for each service, as ecs.rollout returns them."""
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

    def diff(self) -> dict[str, dict[str, Any]]:
        changed = {name: update for name, update in self.updates.items() if update}
        return {
            "before": {name: {key: self.previous[name][key] for key in update} for name, update in changed.items()},
            "after": changed,
        }

    def left_behind(self) -> str:
        """What a run that ends now leaves, in sentences: for the one who interrupted it."""
        if self.begin is None:
            return "No service was changed."
        sent = [f"{name} (deployment {self.deployments[name]})" for name in self.updated if self.deployments[name]]
        return (
            f"These services were asked to change: {', '.join(sent) or 'none'}. ECS continues with that and nothing was rolled back. "
            "Run the playbook again: it resumes from there."
        )


def _is_balanced(service: Answer) -> bool:
    return any(balancer.get("targetGroupArn") for balancer in service.get("loadBalancers", []))


class View:
    """Tells the person who waits what is new about each service."""

    def __init__(self, say: Say | None) -> None:
        self._say = say
        self._seen: dict[str, dict[str, Any]] = {}
        self._tasks: set[str] = set()
        self._events: dict[str, dict[str, str]] = {}
        self._deadline: Deadline | None = None
        self._spoke = 0.0

    def tell(self, text: str) -> None:
        if self._say is None:
            return
        if self._deadline is not None:
            self._spoke = self._deadline.elapsed
            text = rollout_view.stamp(text, self._deadline.elapsed, self._deadline.seconds)
        self._say(text)

    def know(self, service: dict[str, Any]) -> None:
        """Events of before this run are no news."""
        name = service["serviceName"]
        self._events[name] = rollout_view.events(service)
        self._seen[name] = {"events": self._events[name]}

    def begin(self, names: Iterable[str], deadline: Deadline, stable_seconds: Mapping[str, float]) -> None:
        """stable_seconds: {name: seconds} of those that are watched."""
        self._deadline = deadline
        times: dict[float, list[str]] = {}
        for name, seconds in stable_seconds.items():
            times.setdefault(seconds, []).append(name)
        each = [f"{', '.join(of)} {seconds} s" if len(times) > 1 else f"{seconds} s" for seconds, of in times.items() if seconds]
        self.tell(f"Waiting for {', '.join(names)} to be done{', and to stay up for ' if each else ''}{'; '.join(each)}")

    def show(
        self, service: dict[str, Any], deployment_id: str, targets: list[str], is_balanced: bool, ended_tasks: Callable[[str, set[str]], list[dict[str, Any]]]
    ) -> None:
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

    def last_event(self, name: str) -> str:
        """The newest thing that ECS said since this run began, for a reason that would else be mute."""
        fresh = [message for identifier, message in self._seen.get(name, {}).get("events", {}).items() if identifier not in self._events.get(name, {})]
        return f"; ECS's last word: {fresh[-1]}" if fresh else ""

    def still(self, going: Collection[str]) -> None:
        if self._deadline is not None and self._deadline.elapsed - self._spoke >= _SILENCE:
            self.tell(f"Still waiting for {', '.join(going) or 'them to have stayed up for long enough'}")


def taken_words(entry: Mapping[str, str]) -> str:
    """What took a service over, and who that was as far as its task definition tells. `entry` as in RolloutRun.taken."""
    told = [f"deployment {entry['deployment_id']} of {entry['task_definition'].rsplit('/', 1)[-1]}"]
    if entry["release"]:
        told.append(f"release {entry['release']}")
    if entry["registered_by"]:
        told.append(f"registered by {entry['registered_by']}")
    return ", ".join(told)


def mixed_text(taken: Mapping[str, Mapping[str, str]] | None) -> str:
    """What to know, and to do, where services were left to somebody else. `taken` as in RolloutRun."""
    if not taken:
        return ""
    lines = [f"Left as somebody else deployed it: {name}: {taken_words(entry)}." for name, entry in taken.items()]
    lines.append(
        "So the services may run different releases now. CloudTrail's UpdateService events show who that was. When you agree which release it shall be, "
        "deploy.yml or rollback.yml brings all services to it."
    )
    return "\n".join(lines)


def failure_of(
    failed: Mapping[str, str],
    evidence: Mapping[str, list[dict[str, Any]]],
    reverted: Iterable[str],
    lost: Mapping[str, str],
    taken: Mapping[str, Mapping[str, str]] | None = None,
) -> Failure:
    """What failed, the newest task of each service, and what state the services are in."""
    begin = "The rollout was interrupted. " if taken else "The rollout failed. "
    failure = Failure(begin + " ".join(f"{reason.rstrip('.')}." for reason in failed.values()))
    for name, tasks in evidence.items():
        for task in tasks[:1]:
            failure.why.append(f"{name}, task {task.get('task_id', '?')}: {task['reason']}")
            for container, tail in task.get("log_tail", {}).items():
                failure.why.extend([f"Last log lines of {container}:", *(f"  {line}" for line in tail)])
    if reverted:
        failure.state.append(f"Back on what they had before, and stable: {', '.join(reverted)}.")
    for name, reason in lost.items():
        if name not in (taken or {}):
            failure.state.append(f"Rollback not confirmed for {name}: {reason}")
    failure.state.extend(mixed_text(taken).splitlines())
    return failure


def failure_text(
    failed: Mapping[str, str],
    evidence: Mapping[str, list[dict[str, Any]]],
    reverted: Iterable[str],
    lost: Mapping[str, str],
    taken: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """The paragraph a person reads at two in the morning."""
    return failure_of(failed, evidence, reverted, lost, taken).text()
