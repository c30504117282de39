# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A new deployment of what a service runs already: what is to be done, what stands in the way, and the waiting. How a deployment stands is judged in
ecs.rollout."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.ecs import rollout as ecs_rollout
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_services, describe_task_definition
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import is_template
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import RolloutRun


# --- Decisions --------------------------------------------------------------------------------------------------------
def plan_restart(service: dict, deployment_before: str) -> dict:
    """UpdateService's arguments beside cluster and service; {} if nothing is to be done.

    A service without tasks has none to replace. One whose deployment is another than `deployment_before` was restarted since: by the call whose
    answer was lost, or by somebody else; each new task reads the secrets anew.
    """
    if service["desiredCount"] == 0 or ecs_rollout.primary(service).get("id", "") != deployment_before:
        return {}
    return {"forceNewDeployment": True}


def refusals(previous: dict) -> list[str]:
    """Why this may not be done, a sentence each with its remedy; nothing is changed then. `previous` as in RestartRun."""
    return [
        f"{name} has no release yet, only its template, which is not meant to run. Run deploy.yml first."
        for name, entry in previous.items()
        if entry["is_first"]
    ]


def lines(entries: list[dict], would: bool = False) -> list[str]:
    """One line a service, for people. `entries` as RestartRun.entries returns them."""
    said = []
    for entry in entries:
        revision = entry["task_definition"].rsplit("/", 1)[-1]
        if not entry["updated"]:
            said.append(f"{entry['name']}: runs no tasks, so there is nothing to restart")
        elif would:
            said.append(f"{entry['name']}: would get a new deployment of {revision}, {entry['desired_count']} task(s)")
        else:
            said.append(f"{entry['name']}: restarted, {entry['desired_count']} task(s) of {revision}")
    return said


def standing(services: dict, failed: dict) -> str:
    """What answers now, in a sentence, after a restart that failed. `services`: {name: described service}; `failed`: {name: deployment}."""
    parts = []
    for name, deployment in failed.items():
        others = [entry for entry in services[name].get("deployments", []) if entry["id"] != deployment]
        running = sum(entry.get("runningCount", 0) for entry in others)
        parts.append(f"{name} {running} of {services[name]['desiredCount']}")
    return f"Tasks that run in addition to those of the failed deployments: {', '.join(parts)}."


# --- The run ----------------------------------------------------------------------------------------------------------
class RestartRun(RolloutRun):
    """Starts a new deployment of each service and waits for all to end, with RolloutRun's options.

    There is no way back, as there is nothing to go back to: the task definition stays. ECS stops no task of before until its successor is healthy, and
    its circuit breaker ends a deployment whose tasks fail.
    """

    def __init__(self, call: Aws, cluster: str, names: Iterable[str], **options: Any) -> None:
        super().__init__(call, cluster, [{"name": name} for name in names], **options)
        self.deployments_before: dict[str, str] = {}

    def read(self) -> dict[str, dict[str, Any]]:
        services = describe_services(self.call, self.cluster, list(self.items))
        for name, service in services.items():
            self.previous[name] = {
                "taskDefinition": service["taskDefinition"],
                "desiredCount": service["desiredCount"],
                "is_first": is_template(describe_task_definition(self.call, service["taskDefinition"])),
            }
            self.deployments_before[name] = ecs_rollout.primary(service).get("id", "")
            self.updates[name] = self._plan(name, service)
            self.observe(name, service)
        return services

    def _plan(self, name: str, service: dict[str, Any]) -> dict[str, Any]:
        return plan_restart(service, self.deployments_before[name])

    def wait(self, names: list[str], to_the_end: bool = True, longer: float = 0, watched: Collection[str] = ()) -> dict[str, str]:
        """To the end of each: a service that is well says so, too, when another is not."""
        return super().wait(names, to_the_end=to_the_end, longer=longer, watched=watched)

    def still_running(self, failed: Iterable[str]) -> str:
        """The sentence on what answers now; '' if that cannot be read. `failed` as roll_out returns it."""
        try:
            return standing(describe_services(self.call, self.cluster, list(failed)), {name: self.deployments[name] for name in failed})
        except CallFailed:
            return ""

    def left_behind(self) -> str:
        """What a run that ends now leaves, in sentences: for the one who interrupted it."""
        if self.begin is None:
            return "No service was changed."
        sent = [f"{name} (deployment {self.deployments[name]})" for name in self.updated if self.deployments[name] != self.deployments_before[name]]
        return f"Restarting already: {', '.join(sent) or 'none'}. ECS continues with that; status.yml shows their status."

    def entries(self) -> list[dict[str, Any]]:
        """One dict for each service, as ecs_restart returns them."""
        return [
            {
                "name": name,
                "task_definition": self.previous[name]["taskDefinition"],
                "desired_count": self.previous[name]["desiredCount"],
                "updated": bool(self.updates[name]),
                "previous_deployment_id": self.deployments_before[name],
                "deployment_id": "" if self.check_mode else self.deployments[name],
            }
            for name in self.items
        ]

    def diff(self) -> dict[str, dict[str, Any]]:
        return {
            "before": {name: {"deployment": self.deployments_before[name]} for name in self.updated},
            "after": {name: {"deployment": "a new one of the same task definition"} for name in self.updated},
        }
