# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One table of many environments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.status import fleet as status_fleet


def status_table(documents: list[dict]) -> list[str]:
    return status_fleet.table(documents)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"status_table": status_table}
