# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole result of a task of ours that failed: the screen shows next to nothing of it, a rescue may need the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.plugin_utils.failure import whole


def whole_result(result: dict[str, Any]) -> dict[str, Any]:
    return whole(dict(result))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"whole_result": whole_result}
