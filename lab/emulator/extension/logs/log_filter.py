"""FilterLogEvents gives pages, and reads a filter pattern as CloudWatch does.

MiniStack cuts an answer off at 10,000 events without a token for the rest, so that later ones are never seen; it takes capitals for small letters,
'?ERROR ?WARN' (one of the two) for both, splits phrases in quotes, and takes a pattern for JSON lines as matching everything: such a one is refused here,
as are those for lines of columns.
"""

from __future__ import annotations

import base64
import heapq
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import cloudwatch_logs

from ..common.patching import replace

PAGE, PAGE_BYTES, EVENT_BYTES = 10_000, 1 << 20, 26
TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')
Key = tuple[int, int, str, int]


def matcher(pattern: str) -> Callable[[str], bool]:
    """What the pattern takes; ValueError for one that is not understood."""
    pattern = pattern.strip()
    if pattern[:1] in ("{", "["):
        raise ValueError("the lab knows no patterns for JSON lines or columns")
    if len(pattern) > 1 and pattern[0] == pattern[-1] == "%":
        try:
            wanted = re.compile(pattern[1:-1])
        except re.error as error:
            raise ValueError(f"Invalid regular expression: {error}") from error
        return lambda message: bool(wanted.search(message))
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    for sign, phrase, word in TERM.findall(pattern):
        terms[sign].append(re.sub(r"\\(.)", r"\1", phrase) or word)
    # With others beside them, CloudWatch ignores those of which one is enough.
    any_of = [] if terms[""] or terms["-"] else terms["?"]

    def matches(message: str) -> bool:
        if any(term in message for term in terms["-"]) or not all(term in message for term in terms[""]):
            return False
        return not any_of or any(term in message for term in any_of)

    return matches


def keyed(history: list[dict[str, Any]], stream: str, begin: int | None, end: int | None) -> Iterator[tuple[Key, dict[str, Any]]]:
    """The events of a stream within a time, each with what it is sorted by."""
    first = 0 if begin is None else bisect_left(history, begin, key=lambda event: event["timestamp"])
    last = len(history) if end is None else bisect_right(history, end, key=lambda event: event["timestamp"])
    for index in range(first, last):
        event = history[index]
        yield (event["timestamp"], event["ingestionTime"], stream, index), event


def apply() -> None:
    replace(cloudwatch_logs, "_filter_log_events", lambda _: _filter_log_events)


def _filter_log_events(request: dict[str, Any]) -> Any:
    group = cloudwatch_logs._resolve_log_group_name(request)
    if group not in cloudwatch_logs._log_groups:
        return error_response_json("ResourceNotFoundException", "The specified log group does not exist.", 400)
    try:
        matches = matcher(request.get("filterPattern", ""))
    except ValueError as error:
        return error_response_json("InvalidParameterException", f"Invalid filter pattern: {error}", 400)
    after, begin = None, request.get("startTime")
    if request.get("nextToken"):
        after = tuple(json.loads(base64.urlsafe_b64decode(request["nextToken"])))
        begin = after[0]
    streams = cloudwatch_logs._log_groups[group]["streams"]
    wanted = request.get("logStreamNames") or list(streams)
    with cloudwatch_logs._log_events_lock:
        parts = [keyed(streams[name]["events"], name, begin, request.get("endTime")) for name in wanted if name in streams]
    found: list[dict[str, Any]] = []
    size, most, last = 0, min(request.get("limit") or PAGE, PAGE), after
    for key, event in heapq.merge(*parts, key=lambda part: part[0]):
        if after is not None and key <= after or not matches(event["message"]):
            continue
        size += len(event["message"].encode()) + EVENT_BYTES
        if len(found) == most or (found and size > PAGE_BYTES):
            token = base64.urlsafe_b64encode(json.dumps(last).encode()).decode()
            return json_response({"events": found, "searchedLogStreams": [], "nextToken": token})
        last = key
        found.append({**event, "logStreamName": key[2]})
    return json_response({"events": found, "searchedLogStreams": []})
