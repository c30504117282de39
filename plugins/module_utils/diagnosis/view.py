# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The facts of a diagnosis, with the questions that several of its rules ask. No call to AWS here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import Step
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import (
    RUNNING,
    Balancer,
    Container,
    Definition,
    Facts,
    Line,
    Service,
    TargetGroup,
    Task,
)

_COMMAND = "ansible-playbook {playbook}"
# Seconds that a task must outlive one of its own deployment that failed, before that failure counts as over.
_OUTLIVES = 20


class View:
    """The facts, and what several rules ask of them."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.request = facts.request
        self.name, self.cluster = self.request["name"], self.request["cluster"]
        self.ssm_path = self.request.get("ssm_path", "").rstrip("/")
        self.services, self.tasks = facts.services, facts.tasks
        self.database, self.redis, self.load_balancer = facts.database, facts.redis, facts.load_balancer
        self.network = facts.network
        self.groups = {group["GroupId"]: group for group in facts.network.groups or []}
        self._unread = {item.part for item in facts.unreadable}

    # --- What is asked for, and how it is called ---

    def was_read(self, part: str) -> bool:
        return part not in self._unread

    def command(self, playbook: str, *options: str) -> str:
        """The command that runs a playbook, as it is pasted. options: such as 'scale=api=1'."""
        typed = self.request.get("playbook_command", _COMMAND).format(playbook=playbook)
        return " ".join([typed, *(f"-e {option}" for option in options)])

    def step(self, text: str, playbook: str, *options: str, instead: bool = False) -> Step:
        return Step(text, self.command(playbook, *options), instead)

    def key(self, service: str) -> str:
        """The service's key in atena_services."""
        return service.removeprefix(f"{self.name}-")

    def group_names(self, ids: Iterable[str]) -> str:
        """Security groups as people know them: 'atena-prod-ecs-sg (sg-1)'."""
        return ", ".join(f"{self.groups[item]['GroupName']} ({item})" if item in self.groups else item for item in sorted(ids))

    # --- What belongs together ---

    def definition(self, arn: str) -> Definition:
        return self.facts.definitions.get(arn) or Definition(name=arn.rsplit("/", 1)[-1])

    def container(self, task_definition: str, name: str) -> Container:
        return next((item for item in self.definition(task_definition).containers if item.name == name), Container(name=name))

    def target_groups(self, service: Service) -> list[tuple[Balancer, TargetGroup]]:
        """[(the service's side, the target group)] of those that were read."""
        found = [(item, self.facts.target_groups.get(item.target_group)) for item in service.balancers]
        return [(item, group) for item, group in found if group]

    def subject_of(self, task: Task) -> str:
        """What a finding about a task is about: its service, or what kind of one-off task it is."""
        if task.service:
            return task.service
        return f"one-off task of {self.definition(task.task_definition).name}" + (f" ({task.started_by})" if task.started_by else "")

    # --- What is now, and what is over ---

    @property
    def is_off(self) -> bool:
        """Whether the gates say that the environment was stopped on purpose."""
        return (self.facts.gates or {}).get("power") == "off"

    def is_settled(self, service: Service) -> bool:
        """All of its tasks run, on one deployment, and are healthy where somebody checks."""
        groups = [group for side, group in self.target_groups(service)]
        healthy = all(sum(target.state == "healthy" for target in group.targets) >= service.desired_count for group in groups)
        running = service.running_count == service.desired_count and service.pending_count == 0
        return running and healthy and service.rollout_state in ("COMPLETED", "") and not self.is_moving(service)

    def is_moving(self, service: Service) -> bool:
        return sum(item.running_count > 0 for item in service.deployments) > 1

    def was_asked_for(self, task: Task) -> bool:
        return task.task_arn in self.request.get("tasks", [])

    def is_current(self, task: Task) -> bool:
        """Whether a task that starts now would be another like it: of a deployment that is there, or of the revision that the service runs."""
        service = self.services.get(task.service)
        if not service:
            return False
        return task.started_by in {item.id for item in service.deployments} or task.task_definition == service.task_definition

    def is_replaced(self, task: Task) -> bool:
        """Whether a task of the same service that started later shows that what ended this one has passed: that of another deployment which ECS found
        stable, or one that has run longer than this one did."""
        service = self.services.get(task.service)
        later = [other for other in self.tasks if other.service == task.service and other.state == RUNNING and other.created_at > task.last_moment]
        if not service or not later:
            return False
        if self.is_settled(service) and any(other.started_by != task.started_by for other in later):
            return True
        return any(self._age(other) > _lifetime(task) + _OUTLIVES for other in later)

    def _age(self, task: Task) -> float:
        return seconds_between(task.started_at, self.facts.at) if task.started_at else 0.0

    def recent_events(self, service: Service) -> list[Line]:
        """Events since the service was last in a steady state, the newest first; of a service that is settled, none."""
        found = []
        for event in service.events:
            if "has reached a steady state" in event.message:
                break
            found.append(event)
        return found


def seconds_between(then: str, now: str) -> float:
    return (datetime.fromisoformat(now) - datetime.fromisoformat(then)).total_seconds()


def _lifetime(task: Task) -> float:
    return seconds_between(task.started_at, task.stopped_at) if task.started_at and task.stopped_at else 0.0


def newest_first(tasks: Iterable[Task]) -> list[Task]:
    return sorted(tasks, key=lambda task: task.last_moment, reverse=True)


def event_line(event: Line) -> str:
    return f"event {event.at}: {event.message}"
