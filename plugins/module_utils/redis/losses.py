# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a Redis that nobody deleted is empty all the same: AWS replaced its only node, or it was restarted. It has the same name and address, is available,
and what was queued in it is gone. Only ElastiCache's events tell; they go back 14 days.

The power journal's `redis` has `loss`: the moment of the newest loss that somebody has dealt with, by start.yml.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import Denied
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.redis.read import iso

# As the ElastiCache user guide and the API reference of TestFailover have the messages of a cache cluster. A Redis without replica keeps nothing in either.
_EMPTIED = re.compile(r"^finished recovery for cache nodes?\b|^cache node \S+ (was |has been )?(restarted|rebooted|replaced)\b", re.IGNORECASE)
_FORTNIGHT = 14 * 24 * 60


# --- Decisions --------------------------------------------------------------------------------------------------------
def newest(events: list[dict[str, Any]], created_at: str) -> str:
    """When Redis came back empty last, ISO 8601 in UTC; '' if it did not. created_at: of the cache, as what happened to an earlier one of its name is over."""
    found = [iso(event["Date"]) for event in events if event.get("Date") and _EMPTIED.search(event.get("Message", ""))]
    return max((moment for moment in found if moment >= created_at), default="")


def unsettled(lost_at: str, record: dict[str, Any] | None) -> str:
    """The same, '' of a loss that was dealt with. record: the power journal."""
    return since(lost_at, ((record or {}).get("redis") or {}).get("loss") or "")


def since(lost_at: str, settled: str) -> str:
    """The same by the moment that was dealt with; '' for none."""
    return lost_at if lost_at > settled else ""


def says(identifier: str, lost_at: str) -> str:
    """A sentence without its end, and without what to do. identifier: may be ''."""
    return f"Redis {identifier + ' ' if identifier else ''}came back empty at {lost_at}: AWS replaced or restarted its node, and what was queued then is gone"


# --- Reading ----------------------------------------------------------------------------------------------------------
def read(call: Aws, identifier: str, created_at: datetime.datetime | str | None) -> str:
    """newest() of a cache; '' also for who may not read events."""
    asked = {"SourceType": "cache-cluster", "SourceIdentifier": identifier, "Duration": _FORTNIGHT}
    try:
        events = call.pages("elasticache", "describe_events", f"read the events of {identifier}", "Events", **asked)
    except Denied:
        return ""
    return newest(events, created_at if isinstance(created_at, str) else iso(created_at))
