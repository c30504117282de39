# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The services' part of a stop and a start: counts to 0 and every task stopped, and back to the recorded counts with a new deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.progress import clock
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call, Say
from ansible_collections.atena.aws.plugins.module_utils.ecs import autoscaling, rollout as ecs_rollout
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_services
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import RolloutRun
from ansible_collections.atena.aws.plugins.module_utils.ecs.task import task_id
from ansible_collections.atena.aws.plugins.module_utils.environment.branches import Branches
from ansible_collections.atena.aws.plugins.module_utils.power.read import UNSEEN, services_of, tasks_of

_SILENCE = 30
# Seconds after which it is looked at again whether really all tasks have stopped.
_SECOND_LOOK = 3
# After StopTask a container has its stopTimeout, 120 s at the most on Fargate, and ECS some seconds of its own.
_STOP_PATIENCE = 180


# --- Decisions --------------------------------------------------------------------------------------------------------
def one_off(task: dict) -> bool:
    """Whether nothing would stop this task by itself: no service started it."""
    return not task.get("group", "").startswith("service:")


def name_of(task: dict) -> str:
    group = task.get("group", "")
    by = group.removeprefix("service:") if group.startswith("service:") else task.get("startedBy") or group.removeprefix("family:") or "somebody"
    return f"{task_id(task['taskArn'])} ({by}, {task.get('lastStatus', '?').lower()})"


def way_back(service: dict, count: int, before: str | None) -> dict:
    """UpdateService's arguments that bring a service back; {} where this was done already.

    before: the primary deployment's id when this start began with the services. A deployment after that one, with the right count, is ours: it was sent by
    a run that was killed, or by a call whose answer was lost.
    """
    if service["desiredCount"] == count and (count == 0 or ecs_rollout.primary(service).get("id") != before):
        return {}
    return {"desiredCount": count, "forceNewDeployment": True}


# --- Reading ----------------------------------------------------------------------------------------------------------
def counts_and_bounds(call: Call, cluster: str, services: dict) -> dict:
    """{service: {"desired_count", "bounds"}} as ECS and Application Auto Scaling have them."""
    bounds = autoscaling.read(call, cluster, list(services))
    return {name: {"desired_count": service["desiredCount"], "bounds": bounds.get(name)} for name, service in services.items()}


# --- Down -------------------------------------------------------------------------------------------------------------
class Down:
    """branches: see environment.branches. say: takes a line for the person who waits."""

    def __init__(self, call: Aws, cluster: str, *, branches: Branches, say: Say, delay: float = 5) -> None:
        self.call, self.cluster, self.delay = call, cluster, delay
        self._branches, self._say = branches, say

    def to_zero(self, services: dict, observed: dict | None = None) -> list[str]:
        """Counts to 0, and nothing may raise them meanwhile. observed: counts_and_bounds, if it was asked. Returns the names of those that were changed."""
        changed = []
        for name, entry in (observed or counts_and_bounds(self.call, self.cluster, services)).items():
            bounds = entry["bounds"]
            if bounds is not None and autoscaling.changes(bounds, autoscaling.PAUSED):
                self._branches.guard()
                autoscaling.set_bounds(self.call, self.cluster, name, autoscaling.PAUSED)
                self._say(f"services: {name}: autoscaling suspended")
        for name, service in services.items():
            if service["desiredCount"]:
                self._branches.guard()
                self.call("ecs", "update_service", f"bring {name} to 0 tasks", cluster=self.cluster, service=name, desiredCount=0)
                self._say(f"services: {name}: {service['desiredCount']} -> 0")
                changed.append(name)
        return changed

    def all_stopped(self, patience: float) -> list[str]:
        """Waits until every task of the cluster is STOPPED: that ECS counts none as running is not enough, as a worker gives back its jobs until then.

        One-off tasks may finish; after `patience` seconds they are told to stop. Returns the names of those. Raises CallFailed naming what does not stop.
        """
        deadline, spoke = Deadline(patience), 0.0
        told: dict[str, str] = {}
        last: list[str] | None = None
        while True:
            self._branches.guard()
            tasks = tasks_of(self.call, self.cluster)
            if not tasks:
                # What follows cannot be undone, and one look is no proof: ECS's lists are behind at times, and somebody's RunTask may come in between.
                self._branches.sleep(min(self.delay, _SECOND_LOOK))
                if not tasks_of(self.call, self.cluster):
                    self._say("tasks: all are stopped")
                    return list(told.values())
                continue
            names = sorted(name_of(task) for task in tasks)
            if deadline.passed:
                stray = [task for task in tasks if one_off(task) and task.get("desiredStatus") != "STOPPED" and task["taskArn"] not in told]
                stray = [task for task in stray if task["lastStatus"] != UNSEEN]  # StopTask does not find it either
                for task in stray:
                    told[task["taskArn"]] = name_of(task)
                    self._say(f"tasks: {name_of(task)} takes too long and is asked to stop")
                    reason = f"atena.aws: the environment is stopped, after {clock(patience)}"
                    self.call("ecs", "stop_task", f"stop the task {task['taskArn']}", cluster=self.cluster, task=task["taskArn"], reason=reason)
                if not stray and deadline.elapsed > patience + _STOP_PATIENCE:
                    raise CallFailed(
                        f"These tasks of {self.cluster} do not stop: {', '.join(names)}. Their services are at 0, the database and Redis were not touched. "
                        "Check them (diagnose.yml); stop.yml resumes from there, and start.yml restores the services."
                    )
                self._still(services_of(self.call, self.cluster))
            if names != last or deadline.elapsed - spoke >= _SILENCE:
                last, spoke = names, deadline.elapsed
                self._say(f"tasks: waiting for {len(names)} to stop: {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}")
            self._branches.sleep(pace(deadline.elapsed, self.delay))

    def _still(self, services: dict) -> None:
        """Somebody may have raised a count again meanwhile."""
        raised = [name for name, service in services.items() if service["desiredCount"]]
        if raised:
            raise CallFailed(
                f"Somebody raised {', '.join(raised)} again while the environment was being stopped. The database and Redis were not touched. See who that "
                "is (an autoscaling of its own, a release without the lock), then run stop.yml again."
            )


# --- Back -------------------------------------------------------------------------------------------------------------
class Back(RolloutRun):
    """Brings services to counts with a new deployment each, which is waited for. To be run in the main thread.

    counts: {service: count}. before: {service: id of its primary deployment when this began}.
    """

    def __init__(self, call: Aws, cluster: str, counts: Mapping[str, int], before: Mapping[str, str], **options: Any) -> None:
        super().__init__(call, cluster, [{"name": name, "task_definition": None, "count": count} for name, count in counts.items()], **options)
        self.before = before

    def read(self) -> dict[str, dict[str, Any]]:
        services = describe_services(self.call, self.cluster, list(self.items))
        for name, service in services.items():
            self.previous[name] = {"taskDefinition": service["taskDefinition"], "desiredCount": service["desiredCount"], "is_first": False}
            self.updates[name] = self._plan(name, service)
            self.deployments[name] = ecs_rollout.primary(service).get("id", "")
            self.view.know(service)
        return services

    def _plan(self, name: str, service: dict[str, Any]) -> dict[str, Any]:
        return way_back(service, self.items[name]["count"], self.before.get(name))

    def bounds_back(self, recorded: dict) -> list[str]:
        """Autoscaling as it was before the stop. recorded: {service: bounds or None}. Returns a sentence for each that could not be brought back."""
        said = []
        for name, bounds in recorded.items():
            self.guard()
            said.append(autoscaling.restore(self.call, self.cluster, name, bounds))
        return [sentence for sentence in said if sentence]


def primaries(services: dict) -> dict:
    """{service: id of its primary deployment}."""
    return {name: ecs_rollout.primary(service).get("id", "") for name, service in services.items()}
