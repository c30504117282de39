# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a release brings each service to, and what to go back to if it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.parallel import each
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.ecs import revision as ecs_revision
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_task_definition
from ansible_collections.atena.aws.plugins.module_utils.environment.release_record import INTERRUPTED, RUNNING, Previous, ReleaseRecord
from ansible_collections.atena.aws.plugins.module_utils.release.prepare import Preparation


class Recorded:
    """The very revision that an earlier release ran with, for going back to it: the same interface as a Preparation, and nothing to register."""

    def __init__(self, call: Call, name: str, definition: dict, service: dict) -> None:
        self.name, self.service = name, service
        self.definition, self.arn = definition, definition["taskDefinitionArn"]
        self.same = definition
        self.running = describe_task_definition(call, service["taskDefinition"])
        self.is_first = ecs_revision.is_template(self.running)
        self.changes = ecs_revision.differences(None if self.is_first else self.running, definition)

    @property
    def images(self) -> dict:
        return {container["name"]: container["image"] for container in self.definition["containerDefinitions"]}

    @property
    def rollout_needed(self) -> bool:
        return self.arn != self.service["taskDefinition"]

    def register(self, call: Aws, release: str, tags: dict) -> None:
        """It is registered."""

    def diff(self) -> list[dict]:
        return [ecs_revision.as_diff(f"task definition of {self.name}", self.changes)] if self.changes else []

    def warnings(self) -> list[str]:
        return []


if TYPE_CHECKING:
    from typing import TypeAlias

    Target: TypeAlias = "Recorded | Preparation"


def of_record(call: Aws, record: ReleaseRecord, items: list[dict], services: dict[str, dict], ca_bundles: bool = False) -> list[Target]:
    """The targets of going back to `record`: its own revisions where they still can run, else new ones with its images.

    A service that the record does not know stays as it is. Raises CallFailed if it knows none of them.
    """
    known = {entry.name: entry.task_definition for entry in record.services}

    def target(item: dict) -> Target:
        definition, service = describe_task_definition(call, known[item["name"]], absent_ok=True), services[item["name"]]
        if definition and definition.get("status", "ACTIVE") == "ACTIVE":
            return Recorded(call, item["name"], definition, service)
        images = {container: record.images[container] for container in item["images"] if container in record.images}
        return Preparation(call, {**item, "images": images}, service, ca_bundles)

    targets = each(target, [item for item in items if item["name"] in known])
    if not targets:
        raise CallFailed(f"The release {record.id} has none of the services {', '.join(item['name'] for item in items)}. Nothing was changed.")
    return targets


def state_of(target: Target) -> Previous:
    """What the service has now, as a record keeps it under `previous`."""
    return Previous(task_definition=target.service["taskDefinition"], desired_count=target.service["desiredCount"], is_first=target.is_first)


def come_back_to(target: Target, unfinished: ReleaseRecord | None) -> Previous:
    """What to go back to if the release fails: what the service has, or what it had before a release that was interrupted half-way.

    `unfinished`: that release's record. Only what it did is taken back: a service that somebody moved elsewhere since stays there.
    """
    now = state_of(target)
    if unfinished and unfinished.step in ("rolling_out", "reverting"):
        for entry in unfinished.services:
            if entry.name == target.name and entry.previous and now.task_definition in (entry.task_definition, entry.previous.task_definition):
                return entry.previous
    return now


def unfinished_release(records: Sequence[ReleaseRecord]) -> ReleaseRecord | None:
    """The newest release, if it neither succeeded nor failed: its run died, or was told to stop."""
    return records[0] if records and records[0].outcome in (RUNNING, INTERRUPTED) else None
