#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_service_logs_info
version_added: 0.1.0
short_description: Show the logs of services together, as they come
description:
  - Reads the CloudWatch log groups of services from a moment on, all together in the order of time, optionally what matches a filter pattern, and shows
    each line when it is read. It continues with new lines, when asked, and takes in log streams that begin meanwhile.
  - However many lines there are, no more than a page of each log group is in memory. The result has the last lines only.
  - Lines that are late by up to a minute are shown when they come; none is shown twice. What CloudWatch refuses for too many calls is asked again.
  - Secrets are redacted from the lines, as far as the caller may read them (O(ssm_path)).
  - "The gap it closes: M(community.aws.cloudwatchlogs_log_group_info) describes log groups, and no module reads what is in them; a module shows nothing
    before it ends, and this one's action plugin does."
author:
  - The atena.aws founders (@atena)
options:
  services:
    description: What to read.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the service is called in the lines.
        type: str
        required: true
      group:
        description: Its log group.
        type: str
        required: true
  since:
    description: From when on. So long ago, such as V(30m), V(2h), V(1d), or a time of ISO 8601, such as V(2026-01-10T03:15).
    type: str
    default: 30m
  until:
    description: To when, in the same way. Unset means now. Not together with O(follow).
    type: str
  pattern:
    description: CloudWatch's filter pattern, such as C(ERROR), C(?ERROR ?WARN), C("a phrase") or C({ $.level = "error" }). Unset means every line.
    type: str
  follow:
    description: Whether to continue with new lines, until it is interrupted.
    type: bool
    default: false
  follow_seconds:
    description: With O(follow), so long only. V(0) means until it is interrupted.
    type: int
    default: 0
  format:
    description: How lines are written. V(json) is one object a line, with what C(events) below has, and C(environment).
    type: str
    choices: [text, json]
    default: text
  timezone:
    description: IANA name of the time zone of the times shown, and of those given without one.
    type: str
    default: UTC
  environment:
    description: Name of the environment, for lines of JSON. Unset leaves it out.
    type: str
  limit:
    description: How many lines the result has at the most, the last ones.
    type: int
    default: 100
  save_to:
    description: A file that the lines are written to instead of being shown; recreated, readable for its owner. Not written in check mode.
    type: path
  ssm_path:
    description: Path of the secrets that are redacted from the lines. Unset, or where they may not be read, passwords in URLs are.
    type: str
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.progress
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Follow both
  atena.aws.ecs_service_logs_info:
    services:
      - name: api
        group: /ecs/atena-prod-api
      - name: workers
        group: /ecs/atena-prod-workers
    follow: true

- name: What went wrong within the last hour
  atena.aws.ecs_service_logs_info:
    services:
      - name: api
        group: /ecs/atena-prod-api
    since: 1h
    pattern: ERROR
"""

RETURN = r"""
events:
  description: The last lines, at most as many as O(limit) says.
  returned: success
  type: list
  elements: dict
  contains:
    time:
      description: When it was written, as ISO 8601 with the offset of O(timezone).
      type: str
    service:
      description: The service.
      type: str
    container:
      description: The container; empty if the stream's name does not show it.
      type: str
    task:
      description: Id of the task; empty if the stream's name does not show it.
      type: str
    stream:
      description: The log stream.
      type: str
    message:
      description: The line, without the secrets.
      type: str
lines:
  description: The same, as they are shown.
  returned: success
  type: list
  elements: str
count:
  description: How many lines there were.
  returned: success
  type: int
counts:
  description: How many there were of each service.
  returned: success
  type: dict
since:
  description: From when on, as ISO 8601.
  returned: success
  type: str
until:
  description: To when; for one that follows, when it ended.
  returned: success
  type: str
shown:
  description: Whether the lines were shown as they came.
  returned: success
  type: bool
saved:
  description: The file that the lines are in; empty if there is none.
  returned: success
  type: str
interrupted:
  description: Whether a signal ended it.
  returned: success
  type: bool
"""

import datetime
import zoneinfo
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import interruptible, Interrupted
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor
from ansible_collections.atena.aws.plugins.module_utils.ecs.known_secrets import redactor_of
from ansible_collections.atena.aws.plugins.module_utils.logs import lines as log_lines
from ansible_collections.atena.aws.plugins.module_utils.logs.output import LineOutput, Unheard
from ansible_collections.atena.aws.plugins.module_utils.logs.search import GroupReader, LogSearch

# What the result has of a line: what it says, and how it was shown.
_Output = LineOutput[tuple[dict[str, Any], str]]


def span(params: dict[str, Any], now: datetime.datetime) -> tuple[zoneinfo.ZoneInfo, datetime.datetime, datetime.datetime | None]:
    """(zone, since, until or None) of what is asked for. Raises ValueError."""
    zone = log_lines.zone_named(params["timezone"])
    since = log_lines.moment(params["since"], now, zone, "since")
    if not params["until"]:
        return zone, since, None
    if params["follow"]:
        raise ValueError("until: what comes is not followed to a time that was; leave out until, or follow.")
    until = log_lines.moment(params["until"], now, zone, "until")
    if until <= since:
        raise ValueError(f"until: {params['until']} is not after since ({params['since']}).")
    return zone, since, until


def show(params: dict[str, Any], search: LogSearch, output: _Output, counts: dict[str, int], zone: datetime.tzinfo, redactor: Redactor) -> None:
    """Writes the lines as they come; ends with the last, at the end of the time, or when nobody watches any more."""
    width = max(len(service["name"]) for service in params["services"])
    found = search.follow(params["follow_seconds"]) if params["follow"] else search.once()
    for reader, event in found:
        if reader is None or event is None:
            output.flush()
            continue
        counts[reader.service] += 1
        entry = log_lines.entry(event, reader.service, zone)
        entry.update({key: redactor.name(entry[key]) for key in ("container", "task", "stream")}, message=redactor.text(entry["message"]))
        in_json = params["format"] == "json"
        line = log_lines.as_json(entry, params["environment"]) if in_json else log_lines.as_text(entry, width)
        output.add(line, (entry, line), raw=in_json)


def run(module: Module) -> dict[str, Any]:
    params, now = module.params, datetime.datetime.now(datetime.UTC)
    zone, since, until = span(params, now)
    progress, call = Progress(params["progress_file"]), Caller(module)
    redactor, unknown = redactor_of(call, params["ssm_path"])
    begin, end = log_lines.milliseconds(since), log_lines.milliseconds(until) if until else None
    readers = [GroupReader(call, service["name"], service["group"], params["pattern"] or "", begin, end) for service in params["services"]]
    counts = {service["name"]: 0 for service in params["services"]}
    save_to = None if module.check_mode else params["save_to"]
    output: _Output = LineOutput(progress, save_to, params["limit"])
    interrupted = False
    if unknown:
        progress.say(unknown)
    if params["format"] == "text" and output.shown:
        progress.say(f"Times are {params['timezone']}, from {since.astimezone(zone).isoformat(timespec='seconds')} on.")
    try:
        with interruptible():
            show(params, LogSearch(readers, progress.say), output, counts, zone, redactor)
    except Interrupted:
        interrupted = True
        progress.say(f"Ended: {output.count} lines.")
    except Unheard:
        interrupted = True
    finally:
        output.close()
    return {
        "changed": False,
        "events": [entry for entry, _line in output.last],
        "lines": [line for _entry, line in output.last],
        "count": output.count,
        "counts": counts,
        "since": since.astimezone(zone).isoformat(timespec="seconds"),
        "until": (until or datetime.datetime.now(datetime.UTC)).astimezone(zone).isoformat(timespec="seconds"),
        "shown": output.shown,
        "saved": save_to or "",
        "interrupted": interrupted,
    }


def main() -> None:
    module = AwsModule(
        argument_spec={
            "services": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"name": {"type": "str", "required": True}, "group": {"type": "str", "required": True}},
            },
            "since": {"type": "str", "default": "30m"},
            "until": {"type": "str"},
            "pattern": {"type": "str"},
            "follow": {"type": "bool", "default": False},
            "follow_seconds": {"type": "int", "default": 0},
            "format": {"type": "str", "choices": ["text", "json"], "default": "text"},
            "timezone": {"type": "str", "default": "UTC"},
            "environment": {"type": "str"},
            "limit": {"type": "int", "default": 100},
            "save_to": {"type": "path"},
            "ssm_path": {"type": "str"},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (CallFailed, ValueError) as failed:
        module.fail_json(**told(failed))
    except OSError as failed:
        module.fail_json(msg=f"Could not write {module.params['save_to']}: {failed.strerror}. Name a file in a directory of yours with save_to.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
