"""Container output arrives in CloudWatch line by line, and all of it before the task is STOPPED.

MiniStack splits what it happens to read, so a line that arrives in two pieces becomes two events, and it may mark a task stopped,
and remove its container, before the last lines were read. Docker's engine, before its version 23, may itself end an output that is
followed before the last lines when the container ends meanwhile: what follows then is read again without following.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from docker.errors import APIError
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import cloudwatch_logs, ecs

from ..common.patching import replace

# Reading ends with the container's output, a moment after the container, or on a machine with other work 20 s after it; this is for an engine that hangs.
PATIENCE = 90
# Between two readings of one that has not ended.
_AGAIN = 0.05
logger = logging.getLogger("lab.task_logs")
_readers: dict[str, threading.Thread] = {}


def batches_of_lines(chunks: Iterable[bytes]) -> Iterator[list[str]]:
    """Whole lines, as many as each chunk completes; what has no end at the end is a line too."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield [line.decode("utf-8", errors="replace").rstrip("\r") for line in lines]
    if rest:
        yield [rest.decode("utf-8", errors="replace")]


def all_output(container: Any) -> Iterator[bytes]:
    """What a container writes, until it has ended: read again for what was left out, until a reading began after its end."""
    seen = 0
    while True:
        try:
            container.reload()
            ended = container.status in ("exited", "dead")
            before = seen
            for chunk in container.logs(stream=True, follow=not ended, stdout=True, stderr=True):
                if len(chunk) > before:
                    yield chunk[before:]
                    seen += len(chunk) - before
                before = max(0, before - len(chunk))
        except APIError as error:
            logger.info("the output of %s was not read to its end: %s", container.id[:12], error)
            return
        if ended:
            return
        time.sleep(_AGAIN)


def finish(container_ids: Iterable[str], timeout: float) -> None:
    """Wait until the output of these containers, which have ended, was read to its end."""
    deadline = time.monotonic() + timeout
    for container_id in container_ids:
        reader = _readers.pop(container_id, None)
        if reader is not None:
            reader.join(max(0.0, deadline - time.monotonic()))


def apply() -> None:
    replace(ecs, "_start_awslogs_forwarder", lambda _: _start_reader)
    replace(ecs, "_mark_task_stopped", _after_the_last_line)


def _start_reader(container: Any, definition: dict[str, Any], task_id: str) -> None:
    config = ecs._awslogs_config(definition, task_id, container.id)
    if not config:
        return
    reader = threading.Thread(
        target=_forward, args=(container, config, get_account_id(), config["region"] or get_region()), daemon=True, name=f"lab-logs-{task_id[:8]}"
    )
    _readers[container.id] = reader
    reader.start()


def _forward(container: Any, config: dict[str, Any], account: str, region: str) -> None:
    with request_scope(account, region):
        if not ecs._ensure_awslogs_stream(config):
            return
        try:
            for lines in batches_of_lines(all_output(container)):
                now = int(time.time() * 1000)
                cloudwatch_logs._put_log_events({
                    "logGroupName": config["group"],
                    "logStreamName": config["stream"],
                    "logEvents": [{"timestamp": now, "message": line} for line in lines],
                })  # fmt: skip
        except Exception as error:  # the engine went away, or the container was removed
            logger.info("output of %s ended early: %s", container.id[:12], error)


def _after_the_last_line(mark_stopped: Any) -> Any:
    def mark_stopped_when_read(task_arn: str, task: dict[str, Any], reason: str, stop_code: str, exit_code: int | None = None) -> bool:
        if stop_code == "EssentialContainerExited":
            finish(list(task.get("_docker_ids") or []), timeout=PATIENCE)
        return mark_stopped(task_arn, task, reason, stop_code, exit_code)

    return mark_stopped_when_read
