# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log lines as data: from when to when, which were shown already, and how one is written for people and programs. No call to AWS here."""

from __future__ import annotations

import datetime
import heapq
import json
import re
import zoneinfo
from datetime import timedelta

_AGO = re.compile(r"([0-9]{1,6})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# What JSON may hold as it is, and a terminal should not be given: control characters, line separators, changes of the direction of writing.
_UNSHOWN = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# Events come to CloudWatch a while after they happened, and not in order: so far back a look goes behind the newest one that was shown (milliseconds).
OVERLAP = 60_000
# What is older than this when it comes is not waited for, so that a look need not begin at the last line of a service that is silent for hours.
PATIENCE = 300_000
# So many events are remembered, whatever comes.
REMEMBERED = 20_000


# --- From when to when ------------------------------------------------------------------------------------------------
def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """Raises ValueError, with the remedy."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"timezone: '{name}' is not known here; it must be an IANA name such as UTC or America/Sao_Paulo.") from error


def moment(text: str, now: datetime.datetime, zone: datetime.tzinfo, what: str) -> datetime.datetime:
    """'30m', '2h', '1d' before `now`, or an ISO 8601 time, which is in `zone` unless it says where. Raises ValueError, which names `what`."""
    text = text.strip()
    ago = _AGO.fullmatch(text)
    if ago:
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{what}: '{text}' is neither a time ago, such as 30m, 2h or 1d, nor a time such as 2026-01-10T03:15 or 2026-01-10T03:15Z.") from error
    found = found if found.tzinfo else found.replace(tzinfo=zone)
    if found > now:
        raise ValueError(f"{what}: {text} has not come yet; it is {now.astimezone(zone).isoformat(timespec='seconds')}.")
    return found.astimezone(datetime.UTC)


def milliseconds(when: datetime.datetime) -> int:
    return int(when.timestamp() * 1000)


# --- What was shown ---------------------------------------------------------------------------------------------------
class Seen:
    """Which events of a log group were shown, and where the next look has to begin so that none is missed.

    What it remembers has an end: after REMEMBERED events within the overlap, the looks begin later instead.
    """

    def __init__(self, begin: int, overlap: int = OVERLAP, most: int = REMEMBERED):
        self._begin, self._newest = begin, begin
        self._overlap, self._most = overlap, most
        self._ids: set[str] = set()
        self._by_time: list[tuple[int, str]] = []

    @property
    def begin(self) -> int:
        """Where a look has to begin, in milliseconds."""
        return self._begin

    def __contains__(self, event: dict) -> bool:
        return event["eventId"] in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, event: dict) -> None:
        self._newest = max(self._newest, event["timestamp"])
        self._ids.add(event["eventId"])
        heapq.heappush(self._by_time, (event["timestamp"], event["eventId"]))
        while len(self._by_time) > self._most:
            self._begin = max(self._begin, self._forget() + 1)

    def _forget(self) -> int:
        at, identifier = heapq.heappop(self._by_time)
        self._ids.discard(identifier)
        return at

    def rest(self, now: int) -> None:
        """A look that began at `now` found nothing more: the next one may begin later."""
        self._newest = max(self._newest, now - PATIENCE)
        self._begin = max(self._begin, self._newest - self._overlap)
        while self._by_time and self._by_time[0][0] < self._begin:
            self._forget()


# --- How a line is written --------------------------------------------------------------------------------------------
def entry(event: dict, service: str, zone: datetime.tzinfo) -> dict:
    """What is known of an event of FilterLogEvents. The stream's name is 'prefix/container/task id', as ECS makes it."""
    stream = event.get("logStreamName", "")
    parts = stream.split("/")
    return {
        "time": datetime.datetime.fromtimestamp(event["timestamp"] / 1000, zone).isoformat(timespec="milliseconds"),
        "service": service,
        "container": parts[-2] if len(parts) == 3 else "",
        "task": parts[-1] if len(parts) == 3 else "",
        "stream": stream,
        "message": event["message"].rstrip("\r\n"),
    }


def as_text(found: dict, width: int = 0) -> str:
    """'2026-01-10 03:15:00.123 api 3f2a91c7  the message'; the service's name takes at least `width`."""
    day, clock = found["time"].split("T")
    source = found["task"][:8] or found["stream"]
    first, *more = found["message"].splitlines() or [""]
    head = f"{day} {clock[:12]} {found['service']:<{width}} {source}"
    # The time zone is told once, at the beginning. What belongs to the same event stands below it.
    return "\n".join([f"{head}  {first}", *(f"{'':<{len(head)}}  {line}" for line in more)])


def as_json(found: dict, environment: str) -> str:
    """One line of JSON, with nothing in it that moves a cursor."""
    text = json.dumps({"environment": environment, **found} if environment else found, ensure_ascii=False)
    return _UNSHOWN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
