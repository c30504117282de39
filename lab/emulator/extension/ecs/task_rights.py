"""A task gets its secrets only if its execution role may read them.

MiniStack reads every parameter for every task. ECS asks SSM as the definition's execution role, and a task whose role may not, or does
not exist, never starts. Of all rights this one is looked at here: it is the one that a release can lose unseen. Definitions without an
execution role are let through (ECS would refuse to register them).
"""

from __future__ import annotations

import threading
import uuid
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_actions import identity_denial_message
from ministack.core.responses import get_account_id, get_region
from ministack.services import ecs, iam

from ..common.patching import replace

ACTION = "ssm:GetParameters"
_starting = threading.local()


def apply() -> None:
    replace(ecs, "_start_task_worker", _remembered)
    replace(ecs, "_resolve_container_secrets", _as_execution_role)


def _remembered(start: Any) -> Any:
    """Each task is started in a thread of its own, and what reads its secrets is not told whose they are."""

    def start_task(task: dict[str, Any], definition: dict[str, Any], *arguments: Any) -> Any:
        _starting.role, _starting.task = definition.get("executionRoleArn"), task["taskArn"].rpartition("/")[2]
        return start(task, definition, *arguments)

    return start_task


def parameter_arn(reference: str, region: str, account: str) -> str:
    return reference if reference.startswith("arn:") else f"arn:aws:ssm:{region}:{account}:parameter/{reference.lstrip('/')}"


def denial(policies: list[Any], principal: str, resource: str, account: str, region: str) -> str | None:
    """IAM's words if these policies do not let the principal read the parameter."""
    context = iam_evaluator.EvalContext(principal, "AssumedRole", account, ACTION, resource, region, source_ip="", secure_transport=True)
    decision = iam_evaluator.evaluate(context, policies).decision
    return None if decision == "Allow" else identity_denial_message(ACTION, principal, resource, decision == "Deny")


def _as_execution_role(resolve: Any) -> Any:
    def resolve_allowed(container: dict[str, Any]) -> dict[str, str]:
        role, references = getattr(_starting, "role", None), [secret.get("valueFrom", "") for secret in container.get("secrets") or []]
        parameters = [reference for reference in references if "secretsmanager" not in reference]
        if role and parameters:
            account, region, name = get_account_id(), get_region(), role.rpartition("/")[2]
            if iam._roles.get_scoped(account, None, name) is None:
                raise ecs._SecretResolutionError(f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that it exists")
            policies = iam_evaluator._gather_role_policies(name, account)
            principal = f"arn:aws:sts::{account}:assumed-role/{name}/{_starting.task}"
            for reference in parameters:
                words = denial(policies, principal, parameter_arn(reference, region, account), account, region)
                if words:
                    raise ecs._SecretResolutionError(
                        "unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
                        f"AccessDeniedException: {words} status code: 400, request id: {uuid.uuid4()}"
                    )
        return resolve(container)

    return resolve_allowed
