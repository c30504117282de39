# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the load balancer's health checks show, as causes of a diagnosis. No call to AWS here.

What failed earlier is told by what was recorded then: the target group's settings are those of now.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.diagnosis import remedies
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import CERTAIN, LIKELY, Found, Shown, Step, shown
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.presence import Presence
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import FAILED, RUNNING, Balancer, Health, Service, TargetGroup, Task
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.tasks import address_line, log_lines, task_lines
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.view import View, event_line, newest_first

_UNHEALTHY = re.compile(r"is unhealthy in \(?target-group.*due to \(reason (?P<why>.*)\)\.?$")
_CODES = re.compile(r"codes: \[(?P<codes>[\d, ]+)\]")


class _Check(NamedTuple):
    """A service's health check: on which side, of which group, and what a request of it looks like."""

    service: Service
    side: Balancer
    group: TargetGroup

    @property
    def request(self) -> str:
        return f"GET {self.group.path} on port {self.group.port}"


def health(view: View, presence: Presence) -> Iterator[Found]:
    """Targets that are unhealthy now, and tasks that ECS replaced because they were."""
    for name, service in view.services.items():
        replaced = [task for task in newest_first(view.tasks) if task.service == name and task.state == FAILED and _by_health_check(task)]
        over = [task for task in replaced if presence.is_over(task, "HEALTH_CHECK_FAILED")]
        current = [task for task in replaced if task not in over]
        yield from _over(view, service, over)
        for side, group in view.target_groups(service):
            check = _Check(service, side, group)
            unhealthy = [target for target in group.targets if target.state == "unhealthy"]
            failing = bool(current) and not view.is_settled(service) and not _answers(view, group)
            if unhealthy or failing or any(view.was_asked_for(task) for task in current):
                yield _now(view, check, current)


def _by_health_check(task: Task) -> bool:
    return "elb health" in task.stopped_reason.lower()


def _answers(view: View, group: TargetGroup) -> bool:
    """Whether the load balancer has just had a good answer on the very path of the health check, whatever failed before."""
    address = view.facts.health
    return address is not None and address.status == 200 and _is_asked(view, address, group)


def _is_asked(view: View, address: Health, group: TargetGroup) -> bool:
    """Whether the address that was asked shows the health of this group's targets: of several services behind the load balancer it is one's."""
    paths = [other.path for service in view.services.values() for _side, other in view.target_groups(service)]
    return address.url.endswith(group.path) and paths.count(group.path) == 1


def _over(view: View, service: Service, tasks: list[Task]) -> Iterator[Found]:
    """One finding for each deployment whose tasks failed the check, in the words of then."""
    by_deployment: dict[str, list[Task]] = {}
    for task in tasks:
        by_deployment.setdefault(task.started_by, []).append(task)
    for deployment, failed in by_deployment.items():
        newest = failed[0]
        said = _event_about(service, newest)
        cause = f"Tasks failed the load balancer's health check{f' ({said})' if said else ''}"
        found = Found("HEALTH_CHECK_FAILED", service.name, cause, evidence=task_lines(newest, len(failed) - 1), concerns=(service.name,), over=True)
        found.at, found.incident, found.times = newest.last_moment, deployment, len(failed)
        yield found


def _event_about(service: Service, task: Task) -> str:
    """What ECS said of the check before it stopped this task: the last such event until then."""
    matches = [(event, _UNHEALTHY.search(event.message)) for event in service.events if event.at <= task.last_moment]
    return next((match["why"] for _event, match in matches if match), "")


def _now(view: View, check: _Check, replaced: list[Task]) -> Found:
    service, group = check.service, check.group
    unhealthy = [target for target in group.targets if target.state == "unhealthy"]
    events = [event for event in service.events if _UNHEALTHY.search(event.message)]
    problems = [target.description or target.reason for target in unhealthy]
    problems += [match["why"] for event in events[:1] if (match := _UNHEALTHY.search(event.message))]
    evidence = shown(f"the health check is {check.request}, and expects {group.answers}")
    evidence += shown(*(f"target {target.id}:{target.port} is unhealthy ({target.reason}: {target.description})" for target in unhealthy))
    evidence += shown(*(event_line(event) for event in events[:2]))
    # What is unhealthy now shows more than what was replaced before.
    evidence += running_log(view, service.name, {target.id for target in unhealthy}) or (
        task_lines(replaced[0], len(replaced) - 1) if replaced else running_log(view, service.name)
    )
    address = view.facts.health
    if address and address.status != 200 and _is_asked(view, address, group):
        evidence.append(address_line(address))
    code, cause, steps, certainty = _meaning(view, check, problems[0] if problems else "")
    moment = replaced[0].last_moment if replaced else ""
    return Found(code, service.name, cause, steps, certainty, evidence, concerns=(service.name,), at=moment)


def running_log(view: View, name: str, addresses: Collection[str] | None = None) -> list[Shown]:
    """The log of the newest task that runs, of those at one of these addresses if they are given."""
    for task in newest_first(view.tasks):
        if addresses is not None and set(addresses).isdisjoint(task.addresses):
            continue
        if task.service == name and task.state == RUNNING and task.log_tail:
            return [line for container, tail in task.log_tail.items() for line in log_lines(task, container, tail)]
    return []


def _meaning(view: View, check: _Check, problem: str) -> tuple[str, str, list[Step], str]:
    """What a failed health check means: the answer's code, or that there was none."""
    service, side, group = check
    codes = _CODES.search(problem)
    ports: list[int | None] = [*view.container(service.task_definition, side.container).ports] or [side.port]
    setting = f"atena_services.{view.key(service.name)}"
    if group.port not in ports:
        cause = f"The health check uses port {group.port}, but container {side.container} has port {', '.join(map(str, ports))}"
        steps = [view.step(f"Set the target group's port as in {setting}.port (correct that first if it is wrong)", "infra.yml")]
        return "HEALTH_CHECK_PORT_WRONG", cause, steps, CERTAIN
    if codes and codes["codes"].strip().startswith(("3", "4")):
        return _path(view, check, setting, codes["codes"])
    if codes:
        cause = f"The application reports itself unhealthy: it answers {check.request} with {codes['codes']}"
        return "HEALTH_CHECK_FAILED", cause, remedies.corrected(view, "Its log has the reason: correct that"), CERTAIN
    if "timed out" in problem.lower():
        cause = f"The application does not answer {check.request} within {group.timeout} s"
        return "HEALTH_CHECK_TIMED_OUT", cause, remedies.corrected(view, "Its log has what it is busy with: correct that"), LIKELY
    cause = f"Nothing answers {check.request}: the application does not listen there, or only on 127.0.0.1, or not yet"
    steps = [
        Step(f"Compare the port in its log with {setting}.port ({group.port}), and correct the one that is wrong"),
        view.step("If that was the inventory, apply it", "infra.yml"),
        view.step("Then release", "deploy.yml"),
        remedies.rollback(view),
    ]
    return "HEALTH_CHECK_NO_ANSWER", cause, steps, LIKELY


def _path(view: View, check: _Check, setting: str, codes: str) -> tuple[str, str, list[Step], str]:
    cause = f"The health check's path is wrong: the application answers {check.request} with {codes}"
    what = f"Set {setting}.health_check_path to what the application answers with {check.group.answers} (by default /health)"
    if check.group.path == "/health":
        what = f"The path is the default one: check that the application serves it. {what}"
    steps = [Step(what), view.step("Then apply it", "infra.yml")]
    return "HEALTH_CHECK_PATH_WRONG", cause, steps, CERTAIN
