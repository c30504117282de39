# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gates: the stored object from which infra/ reads what may be there. Start and stop alone write it, and only the version that they read."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.core.stored_object import StoredObject

ON, OFF = "on", "off"
PRESENT, ADOPT, ABSENT = "present", "adopt", "absent"


def problem(gates: dict | None, where: str) -> str:
    """Why these gates cannot be worked with; '' if they can."""
    if gates is None:
        return f"{where} does not exist: nobody can tell what is switched on. Run bootstrap.yml."
    if gates.get("power") not in (ON, OFF) or gates.get("redis") not in (PRESENT, ADOPT, ABSENT):
        return f'{where} must say whether "power" is "on" or "off" and "redis" "present", "adopt" or "absent". S3\'s versions of it hold the last good one.'
    return ""


def wanted(power: str, redis: str, snapshot: str = "") -> dict:
    """The object. While a snapshot waits to be restored it is named in it, so that Terraform itself refuses an empty Redis (infra/gates.tf)."""
    return {"power": power, "redis": redis, **({"redis_snapshot": snapshot} if snapshot and redis == ABSENT else {})}


class Gates:
    def __init__(self, call: Call, bucket: str, key: str) -> None:
        self.object = StoredObject(call, bucket, key, "the gates")
        self.now: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        found = self.object.read()
        wrong = problem(found, self.object.where)
        if wrong or found is None:
            raise CallFailed(wrong)
        self.now = found
        return dict(found)

    def write(self, gates: dict) -> bool:
        """Whether something had to be written."""
        if gates == self.now:
            return False
        self.object.write(gates)
        self.now = dict(gates)
        return True
