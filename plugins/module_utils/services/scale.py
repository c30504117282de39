# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Desired counts of one or more services: what is to be changed, the change, and the waiting. How a deployment stands is judged in ecs.rollout."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.ecs import autoscaling, rollout as ecs_rollout, rollout_view
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_services, describe_task_definition
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import is_template
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import RolloutRun

# ECS goes on starting tasks that end at once, for ever: after so many of a service that grows, the outcome is certain.
_ENOUGH_FAILED = 3
# Seconds between two looks for tasks that ended.
_LOOK_FOR_ENDED = 5.0


# --- Decisions --------------------------------------------------------------------------------------------------------
def plan_count(service: dict, count: int | None, new_deployment: bool = False) -> dict:
    """UpdateService's arguments beside cluster and service; {} if the service has that count (None: any will do).

    new_deployment: with the count comes a deployment, so that the circuit breaker watches it. Only with a change: repeating it starts nothing anew.
    """
    if count is None or service["desiredCount"] == count:
        return {}
    return {"desiredCount": count, **({"forceNewDeployment": True} if new_deployment else {})}


def refusals(items: dict, previous: dict) -> list[str]:
    """Why this may not be done, a sentence each with its remedy; nothing is changed then. `items` and `previous` as in ScaleRun."""
    found = []
    for name, item in items.items():
        count = previous[name]["desiredCount"] if item["count"] is None else item["count"]
        if count < 0:
            found.append(f"{name}: {count} is no count; it must be 0 or more.")
            continue
        if count > 0 and previous[name]["is_first"]:
            found.append(f"{name} has no release yet, only its template, which is not meant to run. Run deploy.yml first.")
            continue
        given = {side: (item["bounds"] or {}).get(side) for side in ("min", "max")}
        # What is as it was is nobody's fault here: a count outside its bounds that is not to be changed is left alone.
        if item["count"] is None and given == {"min": None, "max": None}:
            continue
        found += autoscaling.problems(name, item.get("key", name), count, previous[name]["bounds"], given)
    return found


def lines(entries: list[dict], would: bool = False) -> list[str]:
    """One line a service, for people. `entries` as ScaleRun.entries returns them."""
    said = []
    for entry in entries:
        parts = [f"{entry['previous_count']} -> {entry['desired_count']}" if entry["updated"] else f"{entry['desired_count']}, as before"]
        now, before = entry["bounds"], entry["previous_bounds"]
        if now and before and entry["bounds_updated"]:
            parts.append(f"bounds {before['min']} to {before['max']} -> {now['min']} to {now['max']}")
        elif now:
            parts.append(f"bounds {now['min']} to {now['max']}")
        if now and now["min"] < now["max"] and not now["suspended"]:
            parts.append("within which Application Auto Scaling may change it again")
        changed = entry["updated"] or entry["bounds_updated"]
        said.append(f"{entry['name']}: {'would be ' if would and changed else ''}{', '.join(parts)}")
    return said


# --- The run ----------------------------------------------------------------------------------------------------------
class ScaleRun(RolloutRun):
    """Brings services to counts and bounds, and waits for all together, with RolloutRun's options.

    services: [{"name", "count": int | None, "bounds": {"min", "max", "suspended"} | None, "key": what people call it}]; what is None, or left out
    of the bounds, is left alone. Bounds come first, so that nothing brings the new count back. The way back is for services that were to grow and
    did not: those that were to shrink go on doing so, and nothing of them can fail.
    """

    def __init__(self, call: Aws, cluster: str, services: list[dict[str, Any]], *, new_deployment: bool = False, **options: Any) -> None:
        super().__init__(call, cluster, [{"bounds": None, **item} for item in services], **options)
        self.new_deployment = new_deployment
        self.new_bounds: dict[str, dict[str, Any]] = {}
        self._known: dict[str, set[str]] = {}
        self._looked = 0.0

    def read(self) -> dict[str, dict[str, Any]]:
        services = describe_services(self.call, self.cluster, list(self.items))
        registered = autoscaling.read(self.call, self.cluster, list(self.items))
        for name, service in services.items():
            self.previous[name] = {
                "taskDefinition": service["taskDefinition"],
                "desiredCount": service["desiredCount"],
                "is_first": is_template(describe_task_definition(self.call, service["taskDefinition"])),
                "bounds": registered.get(name),
            }
            self.updates[name] = self._plan(name, service)
            self.new_bounds[name] = autoscaling.changes(registered[name], self.items[name]["bounds"]) if name in registered else {}
            self.observe(name, service)
        return services

    def _plan(self, name: str, service: dict[str, Any]) -> dict[str, Any]:
        return plan_count(service, self.items[name]["count"], self.new_deployment)

    def _plan_back(self, name: str, service: dict[str, Any]) -> dict[str, Any]:
        if service["desiredCount"] not in self._own_counts(name):
            raise CallFailed(f"its desired count is {service['desiredCount']} by now; somebody else, or autoscaling, set that, so it was left.")
        return plan_count(service, self.previous[name]["desiredCount"])

    def _own_counts(self, name: str) -> set[int]:
        """The counts that this run has brought about: Application Auto Scaling brings one that its bounds no longer allow into them, by itself."""
        before = self.previous[name]["desiredCount"]
        wanted = before if self.items[name]["count"] is None else self.items[name]["count"]
        bounds = (self.previous[name]["bounds"] or {}) if self.new_bounds[name] else {}
        return {wanted, before, min(max(wanted, bounds.get("min", wanted)), bounds.get("max", wanted))}

    def _theirs(self, name: str, service: dict[str, Any], arguments: Mapping[str, Any], back: bool) -> dict[str, Any]:
        """Nobody's: a count does not undo a deployment, whoever started that."""
        return {}

    @property
    def changed(self) -> bool:
        return bool(self.updated or any(self.new_bounds.values()))

    @property
    def grown(self) -> list[str]:
        """Names of the services that were told to run more than they did."""
        return [name for name in self.updated if self.items[name]["count"] > self.previous[name]["desiredCount"]]

    def roll_out(self) -> dict[str, str]:
        """Sets bounds and counts and waits. Returns {name: reason} of those that failed; raises CallFailed when it lost sight of them."""
        self._known = {name: {task["taskArn"] for task in self._ended_tasks(name, set())} for name in self.grown}
        self.begin = time.monotonic()
        for name in self.items:
            if self.new_bounds[name]:
                self.guard()
                try:
                    self._set_bounds(name, self.new_bounds[name])
                except CallFailed as refused:
                    return {name: str(refused).rstrip(".")}
        return super().roll_out()

    def _set_bounds(self, name: str, bounds: dict[str, Any]) -> None:
        autoscaling.set_bounds(self.call, self.cluster, name, bounds)
        self.view.tell(f"{name}: autoscaling bounds set: {', '.join(f'{key} {value}' for key, value in sorted(bounds.items()))}")

    def look(self, names: list[str]) -> dict[str, tuple[str, str]]:
        """As RolloutRun's, and a service that grows has failed once enough of its new tasks have: without a new deployment no breaker ends it."""
        states = super().look(names)
        if self.elapsed - self._looked >= _LOOK_FOR_ENDED:
            self._looked = self.elapsed
            for name in [name for name in self._known if states.get(name, ("",))[0] == ecs_rollout.GOING]:
                ended = [task for task in self._ended_tasks(name, self._known[name]) if rollout_view.ended_badly(task, self.deployments[name])]
                if len(ended) >= _ENOUGH_FAILED:
                    why = rollout_view.failure(name, ended[-1])
                    states[name] = (ecs_rollout.FAILED, f"{len(ended)} new tasks failed, the last one: {why}")
        return states

    def _crashed(self) -> dict[str, str]:
        """A count alone starts no deployment: what its other tasks did before says nothing about these."""
        found = {}
        for name in self.grown:
            lost = ecs_rollout.crashed([task for task in self._ended_tasks(name, self._known[name]) if task.get("startedBy") == self.deployments[name]])
            if lost:
                found[name] = f"{name}: {len(lost)} new task(s) started and then exited on their own; ECS would keep replacing them"
        return found

    def revert(self, names: list[str] | None = None) -> dict[str, str]:
        """Brings back what was to grow, and the bounds of every service. Returns {name: reason} of those not proved stable there."""
        grown, refused = self.grown, {}
        self._known = {}
        for name, bounds in self.new_bounds.items():
            # Of what shrank, the new bounds stay: the old ones would bring it back. Bounds first here too, and for the same reason.
            if bounds and name not in set(self.updated) - set(grown):
                self.guard()
                try:
                    self._set_bounds(name, {key: self.previous[name]["bounds"][key] for key in bounds})
                except CallFailed as failed:
                    refused[name] = str(failed)
        return {**super().revert(grown if names is None else names), **refused}

    def entries(self) -> list[dict[str, Any]]:
        """One dict for each service, as ecs_scale returns them."""
        return [
            {
                "name": name,
                "desired_count": self.updates[name].get("desiredCount", self.previous[name]["desiredCount"]),
                "previous_count": self.previous[name]["desiredCount"],
                "updated": bool(self.updates[name]),
                "bounds": {**self.previous[name]["bounds"], **self.new_bounds[name]} if self.previous[name]["bounds"] else None,
                "previous_bounds": self.previous[name]["bounds"],
                "bounds_updated": bool(self.new_bounds[name]),
            }
            for name in self.items
        ]

    def diff(self) -> dict[str, dict[str, Any]]:
        sides: dict[str, dict[str, Any]] = {"before": {}, "after": {}}
        for name in self.items:
            after = {**({"desired_count": self.updates[name]["desiredCount"]} if self.updates[name] else {}), **self.new_bounds[name]}
            before = {"desired_count": self.previous[name]["desiredCount"], **(self.previous[name]["bounds"] or {})}
            if after:
                sides["after"][name] = after
                sides["before"][name] = {key: before[key] for key in after}
        return sides
