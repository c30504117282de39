"""A trouble, its finding, and the cure: the commands that diagnose.yml prints, pasted as they stand on the screen."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emulator_world import until

CHECKOUT = Path(__file__).resolve().parents[2]
# Of the revisions that tests deploy.
_FAMILY = "tried"


class Diagnosis:
    """One run of diagnose.yml: its screen, and what it saved."""

    def __init__(self, run: Any, directory: Path):
        self.run = run
        path = max(directory.glob("*.json"))
        self.paths = [path, path.with_suffix(".txt")]
        self.saved = json.loads(path.read_text())
        self.findings: list[dict[str, Any]] = self.saved["findings"]
        self.text = path.with_suffix(".txt").read_text()

    @property
    def codes(self) -> list[str]:
        """What is wrong now or worth knowing, in its order."""
        return [item["code"] for item in self.findings if not item["over"]]

    @property
    def causes(self) -> list[str]:
        """The causes of what is wrong now, in their order."""
        return [item["code"] for item in self.findings if not item["over"] and not item["minor"] and not item["caused_by"]]

    def __getitem__(self, code: str) -> dict[str, Any]:
        found = [item for item in self.findings if item["code"] == code and not item["over"]]
        assert found, f"no {code} now in:\n{self.text}"
        return found[0]

    def printed(self, finding: dict[str, Any], instead: bool = False) -> list[str]:
        """The commands of its remedy, as the screen has them: each whole, on a line of its own. instead: the other way, if there is one."""
        lines = [line.strip() for line in self.run.output.splitlines()]
        steps = [step for step in finding["steps"] if step["command"]]
        assert steps, f"{finding['code']} has no command"
        for step in steps:
            assert step["command"] in lines, f"{step['command']!r} stands on no line of:\n{self.run.output}"
        other = next((place for place, step in enumerate(steps) if step["instead"]), len(steps))
        return [step["command"] for step in (steps[other:] if instead else steps[:other])]


def pasted(command: str, timeout: int = 900) -> str:
    """Runs a command as a person pastes it."""
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "PWD": str(CHECKOUT)}
    done = subprocess.run(["bash", "-c", command], cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def failing_deployment(lab: Any, arn: str, key: str = "api") -> str:
    """Has ECS deploy a revision that fails, and go on with it: with its circuit breaker it would take it back by itself. Returns the deployment's id."""
    name = f"{lab.name}-{key}"
    settings = {**lab.services()[name]["deploymentConfiguration"], "deploymentCircuitBreaker": {"enable": False, "rollback": False}}
    service = lab.client("ecs").update_service(
        cluster=lab.cluster, service=name, taskDefinition=arn, deploymentConfiguration=settings, forceNewDeployment=True
    )["service"]
    return str(next(deployment["id"] for deployment in service["deployments"] if deployment["status"] == "PRIMARY"))


def ended(lab: Any, deployment: str) -> list[dict[str, Any]]:
    return [task for task in lab.ended_tasks() if task["startedBy"] == deployment and task["lastStatus"] == "STOPPED"]


@contextmanager
def breaker_kept(lab: Any) -> Iterator[None]:
    """The services' circuit breakers as they were, afterwards."""
    before = {name: service["deploymentConfiguration"] for name, service in lab.services().items()}
    try:
        yield
    finally:
        for name, service in lab.services().items():
            if service["deploymentConfiguration"] != before[name]:
                lab.client("ecs").update_service(cluster=lab.cluster, service=name, deploymentConfiguration=before[name])


def settled(lab: Any) -> bool:
    """Every service runs what it wants on one deployment, its targets are healthy, and it answers."""
    services = lab.services().values()
    even = all(s["runningCount"] == s["desiredCount"] and s["pendingCount"] == 0 and s["deployments"][0]["rolloutState"] == "COMPLETED" for s in services)
    return even and all(len(s["deployments"]) == 1 for s in services) and set(target_states(lab)) == {"healthy"} and lab.app.get("/health")[0] == 200


def target_states(lab: Any) -> list[str]:
    """Of the targets of all services that are not on their way out."""
    balancers = [balancer["targetGroupArn"] for service in lab.services().values() for balancer in service["loadBalancers"]]
    described = [lab.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"] for arn in balancers]
    return [state for targets in described for target in targets if (state := target["TargetHealth"]["State"]) != "draining"]


def heals(lab: Any, seconds: int = 180) -> None:
    until(lambda: settled(lab), seconds)


def revision_with(lab: Any, key: str = "api", **changes: Any) -> str:
    """A revision like the one that runs, with its container changed (a value, or a function of the container)."""
    ecs = lab.client("ecs")
    running = ecs.describe_task_definition(taskDefinition=lab.revisions()[f"{lab.name}-{key}"])["taskDefinition"]
    keep = ("networkMode", "executionRoleArn", "taskRoleArn", "requiresCompatibilities", "cpu", "memory", "runtimePlatform")
    container = running["containerDefinitions"][0]
    changed = {name: value(container) if callable(value) else value for name, value in changes.items()}
    arn = ecs.register_task_definition(
        family=_FAMILY, containerDefinitions=[{**container, **changed}], **{name: running[name] for name in keep if name in running}
    )["taskDefinition"]["taskDefinitionArn"]
    return str(arn)


def forget_revisions(lab: Any) -> None:
    """Deregisters what `revision_with` registered."""
    ecs = lab.client("ecs")
    for arn in ecs.list_task_definitions(familyPrefix=_FAMILY)["taskDefinitionArns"]:
        ecs.deregister_task_definition(taskDefinition=arn)
