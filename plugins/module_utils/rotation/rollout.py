# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""New tasks of the same release: a task keeps the values of its secrets for life, so only another deployment takes up new ones."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.ecs import rollout as ecs_rollout
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import RolloutRun


class SecretRollout(RolloutRun):
    """RolloutRun with one new deployment of what each service runs, there and back. read() comes after the values are written: a deployment that
    began before may have tasks with the old ones."""

    def __init__(self, call, cluster, services: dict, **options):
        """services: {name: task definition's ARN}, as they run."""
        super().__init__(call, cluster, [{"name": name, "task_definition": arn} for name, arn in services.items()], **options)
        self._before = {}

    def _plan(self, name, service):
        now = ecs_rollout.primary(service).get("id", "")
        # What was sent, and its answer lost, shows as another deployment than the one that was there.
        return {"forceNewDeployment": True} if now == self._before.setdefault(name, now) else {}

    _plan_back = _plan

    def _theirs(self, name, service, arguments, back):
        """Nobody's: new tasks of what a service runs undo nobody's deployment, and without them its tasks would keep the value that is taken back."""
        return {}

    def revert(self, names=None):
        """As RolloutRun's, after the old values were written: whatever deployment there is by then may have tasks with the new ones."""
        wanted = list(self.items) if names is None else names
        self._before = {name: ecs_rollout.primary(self._current(name)).get("id", "") for name in wanted}
        return super().revert(wanted)
