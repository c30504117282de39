# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a container's log lines are in CloudWatch Logs, and reading all of them."""

from __future__ import annotations

import datetime
import time
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor
from ansible_collections.atena.aws.plugins.module_utils.ecs.known_secrets import redactor_of_task


def log_streams(task_definition: dict, task_id: str) -> dict:
    """{container: (log group, stream)} for each container that logs with awslogs and a stream prefix.

    The stream's name is 'prefix/container/task id' (Amazon ECS developer guide, 'awslogs-stream-prefix').
    """
    streams = {}
    for container in task_definition.get("containerDefinitions", []):
        log = container.get("logConfiguration") or {}
        options = log.get("options") or {}
        if log.get("logDriver") == "awslogs" and options.get("awslogs-group") and options.get("awslogs-stream-prefix"):
            streams[container["name"]] = (options["awslogs-group"], f"{options['awslogs-stream-prefix']}/{container['name']}/{task_id}")
    return streams


class LogReader:
    """Reads one stream from its start; each read() returns what came since the last one."""

    def __init__(self, call: Call, group: str, stream: str) -> None:
        self._call, self._group, self._stream = call, group, stream
        self._token: str | None = None

    def read(self) -> list[str]:
        lines: list[str] = []
        # Not Caller.pages: the token never ends and stays for the next read, which botocore's pages do not know.
        while True:
            arguments: dict[str, Any] = {"nextToken": self._token} if self._token else {"startFromHead": True}
            try:
                answer = self._call("logs", "get_log_events", f"read the log {self._group}", logGroupName=self._group, logStreamName=self._stream, **arguments)
            except NotFound:  # the container has written nothing yet
                return lines
            lines.extend(event["message"].rstrip("\n") for event in answer["events"])
            if answer["nextForwardToken"] == self._token:  # CloudWatch's sign for 'no more for now'
                return lines
            self._token = answer["nextForwardToken"]


def drain(readers: dict, lines: dict, patience: float = 5.0, pause: float = 0.5) -> None:
    """Adds to `lines` ({container: [str]}) what the readers still find after a task stopped.

    CloudWatch shows lines a little after they were written: reads until two reads in a row bring nothing, for `patience`
    seconds where a container has no line at all.
    """
    start, quiet = time.monotonic(), 0
    while quiet < 2:
        found = False
        for container, reader in readers.items():
            fresh = reader.read()
            lines.setdefault(container, []).extend(fresh)
            found = found or bool(fresh)
        quiet = 0 if found else quiet + 1
        if quiet >= 2 and any(not lines[name] for name in readers) and time.monotonic() - start < patience:
            quiet = 1
        if quiet < 2:
            time.sleep(pause)


def last_lines(call: Call, group: str, stream: str, count: int) -> list[dict[str, Any]]:
    """[{"at": ISO 8601, "message"}]: the last `count` lines of a stream; [] if nothing was ever written to it. Raises CallFailed."""
    try:
        answer = call("logs", "get_log_events", f"read the log {group}", logGroupName=group, logStreamName=stream, limit=count, startFromHead=False)
    except NotFound:
        return []
    return [
        {
            "at": datetime.datetime.fromtimestamp(event.get("timestamp", 0) / 1000, datetime.UTC).isoformat(timespec="seconds"),
            "message": event["message"].rstrip("\n"),
        }
        for event in answer["events"]
    ][-count:]


def tail_of_task(call: Aws, task_definition: dict, task_id: str, count: int) -> dict[str, list[str]]:
    """{container: its last `count` log lines} of a task that ended, without its secrets; a container without lines is left out."""
    tails: dict[str, list[str]] = {}
    redactor: Redactor | None = None
    for container, (group, stream) in log_streams(task_definition, task_id).items():
        try:
            lines = last_lines(call, group, stream, count)
        except CallFailed:
            continue  # evidence is gathered as far as it can be had; the failure itself is told by the caller
        if lines:
            redactor = redactor or redactor_of_task(call, task_definition)
            tails[container] = [redactor.text(line["message"]) for line in lines]
    return tails
