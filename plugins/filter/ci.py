# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role ci_setup writes into files that GitHub, a shell and Ansible evaluate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.plugin_utils import ci_values


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"ci_literals": ci_values.literals, "ci_problems": ci_values.problems, "ci_scalar": ci_values.scalar}
