"""Secrets from SSM reach the container as they were written.

MiniStack hands a SecureString to the container still wrapped (`ENCRYPTED:<base64>`). ECS decrypts it; and when parameters are
missing it stops the task with a ResourceInitializationError that names all of them.
"""

from __future__ import annotations

from typing import Any

from ministack.services import ecs, ssm

from ..common.patching import replace


def apply() -> None:
    replace(ecs, "_resolve_container_secrets", _decrypting)


def _decrypting(resolve: Any) -> Any:
    def resolve_all(container: dict[str, Any]) -> dict[str, str]:
        ours: list[dict[str, str]] = []
        theirs: list[dict[str, str]] = []
        for secret in container.get("secrets") or []:
            (theirs if "secretsmanager" in secret.get("valueFrom", "") else ours).append(secret)
        values = {secret["name"]: ssm.resolve_parameter_value(secret["valueFrom"], decrypt=True) for secret in ours}
        missing = [secret["valueFrom"] for secret in ours if values[secret["name"]] is None]
        if missing:
            raise ecs._SecretResolutionError(
                f"unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: {', '.join(missing)}"
            )
        return {**resolve({**container, "secrets": theirs}), **values}

    return resolve_all
