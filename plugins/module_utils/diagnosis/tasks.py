# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why tasks ended and what ECS could not do, as causes of a diagnosis. No call to AWS here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.diagnosis import remedies
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import CERTAIN, LIKELY, Found, Shown, Step, shown
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.presence import Presence
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import FAILED, RUNNING, Health, Line, Service, Task, TaskContainer
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.view import View, event_line, newest_first
from ansible_collections.atena.aws.plugins.module_utils.ecs import failure_words

_NAMED_PARAMETERS = re.compile(r"invalid (?:ssm )?parameters: (?P<names>[^;\n\"]+)", re.IGNORECASE)
_ASKED_TO_STOP = ("ServiceSchedulerInitiated", "UserInitiated", "SpotInterruption", "TerminationNotice")


class Verdict(NamedTuple):
    """Why one task failed."""

    code: str
    cause: str
    steps: list[Step]
    certainty: str = CERTAIN


# --- What a task leaves ---


def log_lines(task: Task, container: str, lines: list[Line]) -> list[Shown]:
    """The last lines of a log, each message once."""
    times: dict[str, int] = {}
    for line in lines:
        times[line.message] = times.get(line.message, 0) + 1
    said = [
        Shown(f"  | {message}{f'  ({count} times)' if count > 1 else ''}", log_key(task, container, message))
        for message, count in times.items()
        if message.strip()
    ]
    return [Shown(f"last log lines of {container}:"), *said] if said else []


def task_lines(task: Task, others: int = 0) -> list[Shown]:
    """How a task ended, with its exit codes and the last lines of its log."""
    said = f"{task.stop_code or 'no stop code'}): {task.stopped_reason or 'no reason'}"
    lines = shown(f"task {task.task_id}, ended {task.stopped_at or 'not yet'} ({said}")
    lines += shown(*(_container_line(task, container) for container in task.containers))
    for name, tail in task.log_tail.items():
        lines += log_lines(task, name, tail)
    if others:
        lines += shown(f"{others} more {'task' if others == 1 else 'tasks'} of the same deployment ended in the same way")
    return lines


def _container_line(task: Task, container: TaskContainer) -> str:
    meaning = failure_words.exit_code_means(container.exit_code, task.stop_code in _ASKED_TO_STOP)
    what = "never ran" if container.exit_code is None else f"exit code {container.exit_code}{f' ({meaning})' if meaning else ''}"
    return f"container {container.name}: {what}{f': {container.reason}' if container.reason else ''}"


def log_key(task: Task, container: str, message: str) -> str:
    """By which a line is known, whichever of a service's tasks wrote it."""
    return f"{task.service or task.task_definition}/{container}/{message}"


# --- Why it ended ---


def verdict(view: View, task: Task) -> Verdict:
    """The cause of one failed task."""
    said = " ".join([*(container.reason for container in task.containers), task.stopped_reason, task.stop_code])
    words = failure_words.what_aws_says(said)
    if not words:
        return _ended(view, task)
    if words.code == "OUT_OF_MEMORY":
        return _memory(view, task, certain=True)
    if words.code in ("IMAGE_MISSING", "IMAGE_NOT_PULLED"):
        return Verdict(words.code, words.cause, remedies.image(view))
    if words.code == "SECRET_MISSING":
        return _secret(view, said, words)
    return Verdict(words.code, words.cause, remedies.of_words(view, words.remedy))


def _ended(view: View, task: Task) -> Verdict:
    """By exit code, where AWS names no reason."""
    bad = _worst(task)
    if bad is None or bad.exit_code is None:
        cause = f"The task ended before a container ran: {task.stopped_reason or 'AWS gave no reason'}"
        return Verdict("TASK_NOT_STARTED", cause, _corrected(view, task, "Correct the image or the task definition"))
    if bad.exit_code == 137:
        return _memory(view, task, certain=False)
    meaning = failure_words.exit_code_means(bad.exit_code)
    cause = f"Container {bad.name} exited with code {bad.exit_code}{f': {meaning}' if meaning else ''}"
    return Verdict("TASK_EXITED", cause, _corrected(view, task, "Read its last log lines, and correct what they name"))


def _worst(task: Task) -> TaskContainer | None:
    return next((container for container in task.containers if container.exit_code or container.reason), task.containers[0] if task.containers else None)


def _corrected(view: View, task: Task, what: str) -> list[Step]:
    return remedies.corrected(view, what) if task.service else [Step(what), Step("Then run it again")]


def _memory(view: View, task: Task, certain: bool) -> Verdict:
    bad = _worst(task)
    name = bad.name if bad else ""
    limit = view.container(task.task_definition, name).memory
    known = f"it may use {limit} MiB" if limit else "its limit is not known"
    cause = f"Container {name} was killed for its memory: {known} (exit code 137)"
    if not certain:
        cause = f"Container {name} was killed (exit code 137) and AWS names no reason: probably for its memory, {known}"
    return Verdict("OUT_OF_MEMORY", cause, remedies.memory(view, task.service, limit), CERTAIN if certain else LIKELY)


def _secret(view: View, said: str, words: failure_words.Words) -> Verdict:
    """AWS names the parameters as they stand in the task definition: names or ARNs."""
    match = _NAMED_PARAMETERS.search(said)
    if not match:
        return Verdict(words.code, words.cause, remedies.of_words(view, words.remedy))
    referred = view.facts.secrets.referred if view.facts.secrets else {}
    given = [name.strip(" .]") for name in re.split(r"[,\s]+", match["names"]) if name.strip(" .]").startswith(("/", "arn:"))]
    names = [referred.get(name, "/" + name.split(":parameter/", 1)[-1].lstrip("/")) for name in given]
    if not names:
        return Verdict(words.code, words.cause, remedies.of_words(view, words.remedy))
    return Verdict(words.code, f"{', '.join(names)} does not exist in SSM", remedies.secret(view, names))


def ended(view: View, presence: Presence) -> Iterator[Found]:
    """One finding for each way in which tasks of a deployment ended; the newest task is the evidence."""
    groups: dict[tuple[str, str, str, bool, str], tuple[Verdict, list[Task]]] = {}
    for task in _failed(view):
        found = verdict(view, task)
        if found.code == "HEALTH_CHECK_FAILED":  # the rules of health have more
            continue
        over = presence.is_over(task, found.code)
        groups.setdefault((found.code, found.cause, view.subject_of(task), over, task.started_by), (found, []))[1].append(task)
    for (code, cause, subject, over, deployment), (found, tasks) in groups.items():
        yield Found(
            code,
            subject,
            cause,
            found.steps,
            found.certainty,
            task_lines(tasks[0], len(tasks) - 1),
            concerns=(subject,),
            over=over,
            at=tasks[0].last_moment,
            incident=deployment,
            times=len(tasks),
        )


def _failed(view: View) -> Iterator[Task]:
    """Tasks that failed, the newest first. Of one-off tasks only the last of its kind shows how things are."""
    seen: set[tuple[str, str]] = set()
    for task in newest_first(view.tasks):
        kind = (task.started_by, task.task_definition)
        if task.is_one_off and not view.was_asked_for(task):
            if kind in seen or task.state == RUNNING:
                continue
            seen.add(kind)
        if task.state == FAILED:
            yield task


# --- Events, and what is left ---


def events(view: View) -> Iterator[Found]:
    """What ECS could not do for a service, by its own words."""
    for name, service in view.services.items():
        if view.is_settled(service):
            continue
        for event in view.recent_events(service):
            words = failure_words.what_aws_says(event.message)
            if words and words.code != "HEALTH_CHECK_FAILED":
                steps = remedies.of_words(view, words.remedy)
                yield Found(words.code, name, words.cause, steps, evidence=shown(event_line(event)), concerns=(name,), at=event.at)


def unexplained(view: View) -> Iterator[Found]:
    """What no rule explains: services that have fewer tasks than they should, and an address that does not answer."""
    for name, service in view.services.items():
        if service.running_count < service.desired_count:
            yield _too_few(view, name, service)
    address = view.facts.health
    if address and address.status != 200 and not view.is_off:
        cause = f"The application's address answers with {address.status or 'nothing'}"
        steps = [view.step("Nothing in AWS explains it: read what the application logs", "logs.yml", "logs_errors=true"), remedies.rollback(view)]
        balanced = tuple(service.name for service in view.services.values() if service.has_load_balancer)
        evidence = [address_line(address)]
        yield Found("ADDRESS_UNHEALTHY", address.url, cause, steps, LIKELY, evidence, concerns=balanced, folds=True)


def address_line(address: Health) -> Shown:
    return Shown(f"{address.url} answers with {address.status or 'nothing'}{': ' if address.content else ''}{address.content}", address.url)


def _too_few(view: View, name: str, service: Service) -> Found:
    said = [f"{name} runs {service.running_count} of {service.desired_count} tasks", *(event_line(event) for event in service.events[:5])]
    said += [f"deployment {item.id} {item.rollout_state}: {item.reason}" for item in service.deployments]
    cause = f"It runs {service.running_count} of {service.desired_count} tasks, and AWS names no cause"
    steps = [Step("If a deployment is in progress, wait for it"), remedies.restart(view, [name], "Else replace the tasks")]
    return Found("TOO_FEW_TASKS", name, cause, steps, LIKELY, shown(*said), concerns=(name,), folds=True)
