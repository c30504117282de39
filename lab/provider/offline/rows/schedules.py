"""EventBridge Scheduler."""

from __future__ import annotations

from typing import Any

from ..row import Call, Row, Update

Values = dict[str, Any]


def place(v: Values) -> dict:
    group, _, name = v["id"].partition("/")
    return {"GroupName": group, "Name": name}


SETTINGS = "action_after_completion description flexible_time_window kms_key_arn schedule_expression schedule_expression_timezone state target"

SCHEDULE = Row(
    "aws_scheduler_schedule",
    "scheduler",
    create=Call("create_schedule", take=f"group_name name {SETTINGS}"),
    made=lambda v, answer: {"id": f"{v.get('group_name') or 'default'}/{v['name']}"},
    # UpdateSchedule sets everything that it is not told to its default.
    updates=(Update("update_schedule", place, take=SETTINGS),),
    read=Call("get_schedule", place),
    delete=Call("delete_schedule", place),
    imports=lambda identifier, ctx: {"id": identifier, "name": identifier.rpartition("/")[2], "group_name": identifier.partition("/")[0]},
)

ROWS = [SCHEDULE]
