# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the log groups of several services together, in the order of time, page by page: never more of them at once than a page of each."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, NotFound, Throttled, Unanswered
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call, Clock, Say
from ansible_collections.atena.aws.plugins.module_utils.logs.lines import Seen

# Between two looks for new lines. CloudWatch answers some five FilterLogEvents a second and region, to all that ask.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 3.0
_CALLS_A_SECOND = 2.5


class GroupReader:
    """One log group: what matches, page by page, and at the next look what came since. Streams that begin meanwhile are part of it."""

    def __init__(self, call: Call, service: str, group: str, pattern: str, begin: int, end: int | None) -> None:
        self.service, self.group = service, group
        self._call, self._pattern, self._end = call, pattern, end
        self._begin = begin
        self._seen: Seen | None = None

    def follow(self) -> None:
        """From now on what was shown is remembered: there will be other looks."""
        self._seen = Seen(self._begin)

    def events(self) -> Iterator[dict[str, Any]]:
        """The events that were not shown yet, oldest first. Raises CallFailed."""
        arguments: dict[str, Any] = {"logGroupName": self.group, "startTime": self._begin if self._seen is None else self._seen.begin}
        if self._pattern:
            arguments["filterPattern"] = self._pattern
        if self._end is not None:
            arguments["endTime"] = self._end
        while True:
            answer = self._ask(arguments)
            for event in answer["events"]:
                if self._seen is None or event not in self._seen:
                    yield event
            # A page may be empty, and others still come. Not Caller.pages, which gives all of them at once: a group may hold more than fits into memory, and
            # each page is shown before the next one is read.
            if not answer.get("nextToken"):
                return
            arguments["nextToken"] = answer["nextToken"]

    def _ask(self, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._call("logs", "filter_log_events", f"read the log {self.group}", **arguments)
        except CallFailed as failed:
            if isinstance(failed, NotFound):
                raise failed.saying(
                    f"The service {self.service} has no log: there is no log group {self.group}. Run infra.yml, which makes it, and check atena_project, "
                    "atena_stage and atena_region."
                ) from failed
            if failed.code == "InvalidParameterException" and self._pattern:
                raise failed.saying(
                    f"{failed} If it is the pattern ({self._pattern}): words as in ERROR, one of several as in ?ERROR ?WARN, a phrase in double quotes, "
                    'fields of JSON lines as in { $.level = "error" }.'
                ) from failed
            raise

    def shown(self, event: dict) -> None:
        if self._seen is not None:
            self._seen.add(event)

    def rest(self, now: int) -> None:
        """A look that began at `now` (milliseconds) is over."""
        if self._seen is not None:
            self._seen.rest(now)


class LogSearch:
    """The events of several groups. say: takes a line for the one who waits, for what is no log line."""

    def __init__(self, readers: list[GroupReader], say: Say = lambda text: None, clock: Clock = time.time) -> None:
        self._readers, self._say, self._clock = readers, say, clock

    def once(self) -> Iterator[tuple[GroupReader, dict[str, Any]]]:
        """(reader, event) of all groups, oldest first. Raises CallFailed before the first one if a group is missing."""
        for _at, _number, reader, event in heapq.merge(*(self._of(number, reader) for number, reader in enumerate(self._readers))):
            yield reader, event
            reader.shown(event)

    @staticmethod
    def _of(number: int, reader: GroupReader) -> Iterator[tuple[int, tuple[int, int], GroupReader, dict[str, Any]]]:
        for place, event in enumerate(reader.events()):
            yield event["timestamp"], (number, place), reader, event

    def follow(self, seconds: float = 0) -> Iterator[tuple[GroupReader, dict[str, Any]] | tuple[None, None]]:
        """As `once`, and then what comes, for ever or for so many seconds. (None, None) after each look: a chance to stop."""
        for reader in self._readers:
            reader.follow()
        least = max(_SHORTEST_PAUSE, len(self._readers) / _CALLS_A_SECOND)
        deadline, pause, first = Deadline(seconds), least, True
        while True:
            came, began = False, int(self._clock() * 1000)
            try:
                for found in self.once():
                    came = True
                    yield found
                for reader in self._readers:
                    reader.rest(began)
            except CallFailed as failed:
                # What was refused for too many calls, or not answered, is asked again; nothing is lost by that.
                if first or not isinstance(failed, (Unanswered, Throttled)):
                    raise
                self._say(f"{failed} Checking again.")
            yield None, None
            first = False
            if seconds and deadline.passed:
                return
            # Shorter again as soon as something comes.
            pause = least if came else min(pause * 1.5, max(_LONGEST_PAUSE, least))
            time.sleep(min(pause, max(0.0, seconds - deadline.elapsed)) if seconds else pause)
