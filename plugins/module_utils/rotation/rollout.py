# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""New tasks of the same release: a task keeps the values of its secrets for life, so only another deployment takes up new ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.ecs import rollout as ecs_rollout
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import RolloutRun


class SecretRollout(RolloutRun):
    """RolloutRun with one new deployment of what each service runs, there and back. read() comes after the values are written: a deployment that
    began before may have tasks with the old ones."""

    def __init__(self, call: Aws, cluster: str, services: Mapping[str, str], **options: Any) -> None:
        """services: {name: task definition's ARN}, as they run."""
        super().__init__(call, cluster, [{"name": name, "task_definition": arn} for name, arn in services.items()], **options)
        self._before: dict[str, str] = {}

    def _plan(self, name: str, service: dict[str, Any]) -> dict[str, Any]:
        now = ecs_rollout.primary(service).get("id", "")
        # What was sent, and its answer lost, shows as another deployment than the one that was there.
        return {"forceNewDeployment": True} if now == self._before.setdefault(name, now) else {}

    _plan_back = _plan

    def _theirs(self, name: str, service: dict[str, Any], arguments: Mapping[str, Any], back: bool) -> dict[str, Any]:
        """Nobody's: new tasks of what a service runs undo nobody's deployment, and without them its tasks would keep the value that is taken back."""
        return {}

    def revert(self, names: list[str] | None = None) -> dict[str, str]:
        """As RolloutRun's, after the old values were written: whatever deployment there is by then may have tasks with the new ones."""
        wanted = list(self.items) if names is None else names
        self._before = {name: ecs_rollout.primary(self._current(name)).get("id", "") for name in wanted}
        return super().revert(wanted)
