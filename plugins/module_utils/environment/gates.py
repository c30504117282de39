# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gates: the stored object from which infra/ reads what may be there. Start and stop alone write it, and only the version that they read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.core.record import Record, damaged, dataclass
from ansible_collections.atena.aws.plugins.module_utils.core.stored_object import StoredObject

ON, OFF = "on", "off"
PRESENT, ADOPT, ABSENT = "present", "adopt", "absent"


@dataclass(frozen=True, kw_only=True)
class Switched(Record):
    """What the gates say."""

    power: str
    redis: str
    # As long as one waits to be restored.
    redis_snapshot: str = ""

    def problem(self) -> str:
        if self.power not in (ON, OFF):
            return f'"power" is "{self.power}", not "{ON}" or "{OFF}"'
        return "" if self.redis in (PRESENT, ADOPT, ABSENT) else f'"redis" is "{self.redis}", not "{PRESENT}", "{ADOPT}" or "{ABSENT}"'


def read_as(found: dict[str, Any] | None, where: str) -> Switched:
    """The gates, from the object as it is stored. Raises CallFailed if one cannot go by it."""
    if found is None:
        raise CallFailed(f"{where} does not exist: it is not known what is switched on. Run bootstrap.yml.")
    try:
        return Switched.of(found)
    except ValueError as error:
        raise damaged(where, "the gates, which show what is switched on", error) from error


def wanted(power: str, redis: str, snapshot: str = "") -> Switched:
    """While a snapshot waits to be restored it is named in the object, so that Terraform itself refuses an empty Redis (infra/gates.tf)."""
    return Switched(power=power, redis=redis, redis_snapshot=snapshot if redis == ABSENT else "", absent=frozenset({"redis_snapshot"}))


class Gates:
    def __init__(self, call: Call, bucket: str, key: str) -> None:
        self.object = StoredObject(call, bucket, key, "the gates")
        self._now: Switched | None = None

    @property
    def now(self) -> Switched:
        """As they were read, or written."""
        if self._now is None:
            raise AssertionError("the gates are read before anything goes by them")
        return self._now

    def read(self) -> Switched:
        self._now = read_as(self.object.read(), self.object.where)
        return self._now

    def write(self, gates: Switched) -> bool:
        """Whether something had to be written. What a later version added to the object stays."""
        gates = replace(gates, unknown=self.now.unknown)
        if gates == self.now:
            return False
        self.object.write(gates.as_dict())
        self._now = gates
        return True
