# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the rules of a diagnosis work with: a finding, and the facts with the questions that several rules ask. No call to AWS here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

CERTAIN, LIKELY = "certain", "likely"
# Evidence of one finding; the saved facts have all of it.
_MOST_LINES = 60


@dataclass
class Found:
    """One cause. `about`: the parts it concerns ('database', 'redis', a service's name), by which consequences find their cause."""

    code: str
    subject: str
    cause: str
    remedy: str
    certainty: str = CERTAIN
    evidence: list[str] = field(default_factory=list)
    about: tuple[str, ...] = ()
    # It happened in a deployment that was replaced since.
    past: bool = False
    # It is only another's consequence if that other concerns one of these parts.
    follows: tuple[str, ...] = ()

    def add(self, *lines: str) -> None:
        self.evidence += [line for line in lines if line not in self.evidence]

    def take(self, other: Found) -> None:
        """The same cause, found in another way."""
        self.add(*other.evidence)
        if other.certainty == CERTAIN and self.certainty != CERTAIN:
            self.certainty, self.cause, self.remedy = other.certainty, other.cause, other.remedy

    def is_twin(self, other: Found) -> bool:
        """The very same, of another subject: one missing rule or secret stops all services."""
        same = ("code", "cause", "remedy", "certainty", "past")
        return all(getattr(self, name) == getattr(other, name) for name in same)

    def explained_by(self, other: Found) -> bool:
        return self.past == other.past and not other.follows and any(part in other.about for part in self.follows)

    def as_dict(self) -> dict:
        return {
            "code": self.code,
            "cause": f"{self.cause} (in a deployment that was replaced since)" if self.past else self.cause,
            "subject": self.subject,
            "evidence": self.evidence[:_MOST_LINES],
            "remedy": self.remedy,
            "certainty": self.certainty,
            "past": self.past,
        }


class View:
    """The facts, and what several rules ask of them."""

    def __init__(self, facts: dict) -> None:
        self.facts = facts
        self.request = facts["request"]
        self.name, self.cluster = self.request["name"], self.request["cluster"]
        self.ssm_path = self.request.get("ssm_path", "").rstrip("/")
        self.services = facts["services"] or {}
        self.tasks = facts["tasks"] or []
        self.database, self.redis, self.load_balancer = facts["database"], facts["redis"], facts["load_balancer"]
        self.network = facts["network"]
        self.groups = {group["GroupId"]: group for group in self.network["groups"] or []}
        self._unread = {item["part"] for item in facts["unreadable"]}

    def was_read(self, part: str) -> bool:
        return part not in self._unread

    def playbook(self, name: str, *options: str) -> str:
        """The command that runs a playbook, as a person types it. options: such as 'scale=api=1'."""
        command = self.request.get("playbook_command", "ansible-playbook {playbook}").format(playbook=name)
        return f"`{' '.join([command, *(f'-e {option}' for option in options)])}`"

    def key(self, service: str) -> str:
        """The service's key in atena_services."""
        return service.removeprefix(f"{self.name}-")

    def group_names(self, ids: Iterable[str]) -> str:
        """Security groups as people know them: 'atena-prod-ecs-sg (sg-1)'."""
        return ", ".join(f"{self.groups[item]['GroupName']} ({item})" if item in self.groups else item for item in sorted(ids))

    def definition(self, arn: str) -> dict:
        return self.facts["definitions"].get(arn) or {}

    def current(self, service: dict) -> list[str]:
        """Task definitions that the service runs or is going to."""
        return list(dict.fromkeys([service["task_definition"], *(item["task_definition"] for item in service["deployments"])]))

    def container(self, task_definition: str, name: str) -> dict:
        return next((item for item in self.definition(task_definition).get("containers", []) if item["name"] == name), {})

    def target_groups(self, service: dict) -> list[tuple[dict, dict]]:
        """[(the service's side, the target group)] of those that were read."""
        found = [(item, self.facts["target_groups"].get(item["target_group"])) for item in service["balancers"]]
        return [(item, group) for item, group in found if group]

    def is_settled(self, service: dict) -> bool:
        """All of its tasks run, on one deployment, and are healthy where somebody checks."""
        groups = [group for side, group in self.target_groups(service)]
        healthy = all(sum(target["state"] == "healthy" for target in group["targets"]) >= service["desired_count"] for group in groups)
        running = service["running_count"] == service["desired_count"] and service["pending_count"] == 0
        return running and healthy and service["rollout_state"] in ("COMPLETED", "") and not self.is_moving(service)

    def is_moving(self, service: dict) -> bool:
        return sum(item["running_count"] > 0 for item in service["deployments"]) > 1

    def was_asked_for(self, task: dict) -> bool:
        return task["task_arn"] in self.request.get("tasks", [])

    def is_past(self, task: dict) -> bool:
        """Whether the task belongs to what was replaced since (or is a one-off task that nobody asked about)."""
        if self.was_asked_for(task):
            return False
        service = self.services.get(task["service"])
        return not service or task["started_by"] not in {item["id"] for item in service["deployments"]}

    @property
    def is_off(self) -> bool:
        """Whether the gates say that the environment was stopped on purpose."""
        return (self.facts.get("gates") or {}).get("power") == "off"

    def recent_events(self, service: dict) -> list[dict]:
        """Events since the service was last in a steady state, the newest first; of a service that is settled, none."""
        found = []
        for event in service["events"]:
            if "has reached a steady state" in event["message"]:
                break
            found.append(event)
        return found


def event_line(event: dict) -> str:
    return f"event {event['at']}: {event['message']}"
