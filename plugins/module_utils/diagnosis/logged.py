# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What applications complain of in their logs, as causes of a diagnosis, each with the steps that fix it here. No call to AWS here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.diagnosis.complaints import Complaint, steps_for
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import CERTAIN, LIKELY, Found, Shown
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.presence import Presence
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import RUNNING, STOPPED, SUCCEEDED, Line, Task
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.tasks import log_key
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.view import View, newest_first, seconds_between
from ansible_collections.atena.aws.plugins.module_utils.ecs import failure_words

# Seconds: how old a running task's line may be to say something of now; and of a connection that was lost in a service that is settled since.
_RECENT, _LOST_RECENTLY = 15 * 60, 2 * 60
_LINES_SHOWN = 3
# What a task that was stopped as wanted may still complain of: the rest is what others did to it.
_OF_A_STOP = ("NPM_IS_PROCESS_1",)
# Who started a one-off task of this collection's: mostly a migration.
_OURS = "atena-aws/"


class _Heard(NamedTuple):
    container: str
    line: Line
    meaning: failure_words.Line


def _heard(view: View, task: Task) -> Iterator[_Heard]:
    for container, tail in task.log_tail.items():
        lines = [*task.log_before.get(container, []), *tail]
        recent = [line for line in lines if task.state != RUNNING or seconds_between(line.at, view.facts.at) <= _RECENT]
        for line, meaning in zip(recent, failure_words.what_lines_say([line.message for line in recent]), strict=True):
            if meaning and (task.state != STOPPED or meaning.code in _OF_A_STOP) and not _is_its_own_fault(task, meaning.code):
                yield _Heard(container, line, meaning)


def _is_its_own_fault(task: Task, code: str) -> bool:
    """Whether a migration names what it should have made itself: running the migrations again is no remedy. What it exited with has its lines."""
    return code == "SCHEMA_BEHIND" and task.is_one_off and task.started_by.startswith(_OURS)


def _is_over(view: View, presence: Presence, task: Task, heard: list[_Heard]) -> bool:
    if task.state == STOPPED:
        return False
    newest, meaning = heard[-1].line, heard[-1].meaning
    if task.state != RUNNING:
        return presence.is_over(task, meaning.code)
    if meaning.code == "SCHEMA_BEHIND" and _migrated(view, newest.at):
        return True
    service = view.services.get(task.service)
    return meaning.consequence and service is not None and view.is_settled(service) and seconds_between(newest.at, view.facts.at) > _LOST_RECENTLY


def _migrated(view: View, since: str) -> bool:
    """Whether a one-off task has ended well since then: of what runs here as one, that is the migration."""
    return any(task.is_one_off and task.state == SUCCEEDED and task.created_at >= since for task in view.tasks)


def logs(view: View, presence: Presence) -> Iterator[Found]:
    """What failed and running tasks complain of, each complaint of a task once."""
    for task in newest_first(view.tasks):
        by_code: dict[str, list[_Heard]] = {}
        for heard in _heard(view, task):
            by_code.setdefault(heard.meaning.code, []).append(heard)
        for heard_of_it in by_code.values():
            yield _found(view, presence, task, heard_of_it)


def _found(view: View, presence: Presence, task: Task, heard: list[_Heard]) -> Found:
    newest, subject = heard[-1], view.subject_of(task)
    meaning = newest.meaning
    bundle = view.container(task.task_definition, newest.container).bundle
    return Found(
        meaning.code,
        subject,
        meaning.cause,
        steps_for(Complaint(view, meaning.code, task.service, bundle)),
        CERTAIN if meaning.refusal else LIKELY,
        [_line(task, item) for item in _different(heard)],
        concerns=(subject,),
        over=_is_over(view, presence, task, heard),
        folds=meaning.consequence,
        at=newest.line.at,
        incident=task.started_by,
    )


def _different(heard: list[_Heard]) -> list[_Heard]:
    """The last ones, each message once."""
    by_message = {item.line.message: item for item in heard}
    return sorted(by_message.values(), key=lambda item: item.line.at)[-_LINES_SHOWN:]


def _line(task: Task, heard: _Heard) -> Shown:
    text = f"log of {heard.container}, task {task.task_id}, {heard.line.at}: {heard.line.message}"
    return Shown(text, log_key(task, heard.container, heard.line.message))
