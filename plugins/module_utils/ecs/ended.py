# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tasks of services that ended, as they are looked at again and again while one waits: a task that has stopped never changes, and is described once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_tasks


class Ended:
    def __init__(self, call: Aws, cluster: str) -> None:
        self._call, self._cluster = call, cluster
        self._stopped: dict[str, dict[str, Any]] = {}

    def of(self, services: Sequence[str]) -> list[dict[str, Any]]:
        """The tasks that ECS lists among the stopped ones, as described; those that were only told to stop are as they are now. Of one service, or for
        several in one list of the whole cluster, so that tasks of others may be among them."""
        named = {"serviceName": services[0]} if len(services) == 1 else {}
        doing = f"list stopped tasks of {', '.join(services)}"
        arns = self._call.pages("ecs", "list_tasks", doing, "taskArns", cluster=self._cluster, desiredStatus="STOPPED", **named)
        fresh = {task["taskArn"]: task for task in describe_tasks(self._call, self._cluster, [arn for arn in arns if arn not in self._stopped])}
        self._stopped.update({arn: task for arn, task in fresh.items() if task.get("lastStatus") == "STOPPED"})
        return [task for arn in arns if (task := self._stopped.get(arn) or fresh.get(arn))]
