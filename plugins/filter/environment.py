# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every task of our playbooks has in its environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible.utils.display import Display
from ansible_collections.atena.aws.plugins.module_utils.core.variables import EXPECTED, VERIFIED

# Names that AWS takes a secret from, not from a file; and others that say that they are secret.
_OF_AWS = re.compile(r"(?i)AWS_(?!.*_FILE$).*(SECRET|TOKEN)")
_OF_OTHERS = re.compile(r"(?i)(?!AWS_)(?!.*_(FILE|PATH|DIR)$).*(SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE_KEY|API_?KEY)")


def process_environment(
    extra: Mapping[str, Any], region: str, endpoint: str = "", account: object = "", identity: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Only what is set: otherwise the caller's own variables hold. extra: atena_extra_environment; identity: of the task that asked who is calling."""
    secrets = sorted(name for name in extra if _OF_OTHERS.match(name))
    if secrets:
        Display().warning(
            f"atena_extra_environment has {', '.join(secrets)}. It is put into the arguments of processes and shown with -vvv. If that is secret, set it in "
            "the environment of ansible-playbook instead."
        )
    proof = (identity or {}).get("proof")
    return {
        **{"AWS_REGION": region, "AWS_DEFAULT_REGION": region},
        **({"AWS_ENDPOINT_URL": endpoint} if endpoint else {}),
        **({EXPECTED: str(account)} if account else {}),
        **({VERIFIED: proof} if proof else {}),
        **extra,
    }


def aws_secrets(extra: Mapping[str, Any]) -> list[str]:
    """Names of variables that AWS takes a secret from: they must not be in a task's environment."""
    return sorted(name for name in extra if _OF_AWS.match(name))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"process_environment": process_environment, "aws_secrets": aws_secrets}
