#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_schedule_info
version_added: 0.1.0
short_description: Gather information about an environment's working hours - next starts and stops, cron lines, AWX schedules, what is due now
description:
  - Working hours are data, by IANA time zone and weekday, with holidays and 'keep on until'. Clock changes are accounted for.
  - Cron lines and AWX schedules only wake the playbook C(schedule.yml) at every moment at which there may be something to do; RV(due) shows whether
    there is. Cron lines are in UTC, so of a zone with summer time there are two for each local time, and the wrong one finds nothing due.
  - "The gap it closes: M(awx.awx.schedule) takes finished rules, cron knows no time zones and neither knows holidays."
author:
  - The atena.aws founders (@atena)
options:
  name:
    description: The environment, such as C(atena-prod).
    type: str
    required: true
  schedule:
    description: >-
      The working hours, with C(timezone), C(hours) (a list of C(days), C(start), C(stop)), and if wanted C(holidays) and C(keep_on_until), as
      C(docs/schedules.md) describes them.
    type: dict
    required: true
  count:
    description: How many of the next actions are returned.
    type: int
    default: 10
  now:
    description: The moment from which it is looked ahead, ISO 8601 with an offset. Unset, the controller's clock.
    type: str
  late_minutes:
    description: How long after its time an action is still due; what was missed for longer is left until the next one.
    type: int
    default: 180
  power:
    description: Where the power journal is. Unset, RV(due) is null.
    type: dict
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      journal_key:
        description: Key of the journal.
        type: str
        required: true
  awx_template:
    description: The name of AWX's job template of C(schedule.yml); C(<name> schedule) if unset.
    type: str
extends_documentation_fragment:
  - atena.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: It changes nothing.
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Read the working hours
  atena.aws.environment_schedule_info:
    name: atena-prod
    schedule:
      timezone: America/Sao_Paulo
      hours:
        - {days: mon-fri, start: "08:00", stop: "19:00"}
      holidays: ["12-25", "2027-02-08/2027-02-10"]
"""

RETURN = r"""
timezone:
  description: The time zone of the hours.
  returned: success
  type: str
actions:
  description: The next starts and stops, in order.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: V(start) or V(stop).
      type: str
    utc:
      description: When, ISO 8601 in UTC.
      type: str
    local:
      description: When, ISO 8601 in local time with its offset.
      type: str
    why:
      description: What it follows from.
      type: str
cron:
  description: Cron lines in UTC, each of which runs C(schedule.yml -e schedule_act=true).
  returned: success
  type: list
  elements: dict
  contains:
    cron:
      description: The five fields.
      type: str
    action:
      description: What it is for.
      type: str
    local:
      description: The local time and weekdays that it means.
      type: str
    valid:
      description: For which part of the year it is the right one; at other times it finds nothing due.
      type: str
cron_text:
  description: The same as GitHub Actions takes them below C(on.schedule), lines that fire together once.
  returned: success
  type: list
  elements: str
awx:
  description: Arguments of M(awx.awx.schedule), one for each local time.
  returned: success
  type: list
  elements: dict
due:
  description: What is to be done now; null without O(power).
  returned: success
  type: dict
  contains:
    action:
      description: V(start), V(stop), or empty for nothing.
      type: str
    says:
      description: Why, in a sentence.
      type: str
lines:
  description: The next actions for people.
  returned: success
  type: list
  elements: str
"""

import datetime
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.environment.state import journal_standing, read_journal
from ansible_collections.atena.aws.plugins.module_utils.schedule import render as schedule_render, working_hours


def moment(text: str | None) -> datetime.datetime:
    try:
        at = datetime.datetime.fromisoformat(text) if text else datetime.datetime.now(datetime.UTC)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f"now is '{text}'; it must be ISO 8601 with an offset, such as 2027-03-05T22:00:00Z")
    return at.astimezone(datetime.UTC)


def what_is_due(call: Caller, params: dict[str, Any], schedule: working_hours.Schedule, now: datetime.datetime) -> dict[str, str] | None:
    if not params["power"]:
        return None
    state, changed_at = journal_standing(read_journal(call, params["power"]["bucket"], params["power"]["journal_key"]))
    found = working_hours.due(schedule, now, state, changed_at, datetime.timedelta(minutes=params["late_minutes"]))
    return {"action": found["action"], "says": found["says"]}


def result(call: Caller, params: dict[str, Any]) -> dict[str, Any]:
    now = moment(params["now"])
    schedule = working_hours.parse(params["schedule"])
    coming = working_hours.next_actions(schedule, now, params["count"])
    cron = schedule_render.cron(schedule, now)
    return {
        "timezone": schedule.zone.key,
        "actions": [
            {
                "action": action["action"],
                "utc": action["at"].isoformat(),
                "local": action["at"].astimezone(schedule.zone).isoformat(),
                "why": action["why"],
            }
            for action in coming
        ],
        "cron": cron,
        "cron_text": schedule_render.cron_text(cron, schedule.zone.key),
        "awx": schedule_render.awx(schedule, now, params["name"], params["awx_template"] or f"{params['name']} schedule"),
        "due": what_is_due(call, params, schedule, now),
        "lines": schedule_render.action_lines(coming, schedule.zone, now) or ["No start and no stop within a year: the hours leave no time off."],
    }


def main() -> None:
    module = AwsModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "schedule": {"type": "dict", "required": True},
            "count": {"type": "int", "default": 10},
            "now": {"type": "str"},
            "late_minutes": {"type": "int", "default": 180},
            "power": {
                "type": "dict",
                "options": {"bucket": {"type": "str", "required": True}, "journal_key": {"type": "str", "required": True, "no_log": False}},
            },
            "awx_template": {"type": "str"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **result(Caller(module), module.params))
    except ValueError as wrong:
        module.fail_json(msg="\n".join(f"The schedule of {module.params['name']} cannot be used: {line}" for line in str(wrong).splitlines()))
    except CallFailed as failed:
        module.fail_json(**told(failed))


if __name__ == "__main__":
    main()
