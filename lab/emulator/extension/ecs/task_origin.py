"""A service's task names the deployment that started it.

MiniStack puts the service's name in `startedBy`. ECS puts the deployment's id there ('ecs-svc/…'), which is how the tasks of a release
that failed are told from those that went before it. MiniStack itself finds a service's tasks by their group.
"""

from __future__ import annotations

from typing import Any

from ministack.services import ecs

from ..common.patching import replace


def apply() -> None:
    replace(ecs, "_run_task", _by_deployment)


def _by_deployment(run: Any) -> Any:
    def run_for(request: dict[str, Any]) -> Any:
        deployment = request.get("_deploymentId")
        return run({**request, "startedBy": deployment} if deployment else request)

    return run_for
