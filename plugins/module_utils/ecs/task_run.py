# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One ECS task from RunTask to its end, with its log lines. The decisions are in ecs.task."""

from __future__ import annotations

import contextlib
import datetime
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Throttled, Unanswered
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import in_background, shielded
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Answer, Aws, Call, Guard, Say
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor
from ansible_collections.atena.aws.plugins.module_utils.ecs import rollout_view, task as ecs_task
from ansible_collections.atena.aws.plugins.module_utils.ecs.known_secrets import redactor_of_task
from ansible_collections.atena.aws.plugins.module_utils.ecs.logs import LogReader, drain, log_streams
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_services, describe_task_definition, describe_tasks

# After StopTask a container has its stopTimeout, 120 s at the most on Fargate, and ECS some seconds of its own.
_STOP_PATIENCE = 150
# How often, and how far apart, a task that a dead run may have started is looked for.
_LOOKS, _LOOK_AGAIN_AFTER = 4, 3.0
# Seconds without news after which a person is told that it still goes on.
_SILENCE = 30
# How a task's stopped reason begins that was told to stop because its time was over.
_TOO_LONG = "atena.aws: longer than"
_DEFAULTS = {
    "task_definition": None,
    "service": None,
    "known": None,
    "network_configuration": None,
    "container_overrides": (),
    "launch_type": "FARGATE",
    "started_by": None,
    "client_token": None,
}


def plan_run(call: Call, params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads what the run needs, and refuses what RunTask would refuse. Returns (task definition, RunTask's arguments).

    params: `cluster` and ecs_run_task's options of these names; those left out have its defaults. In place of `service` and `task_definition` there may be
    both as they were described, as `known`.
    """
    params = {**_DEFAULTS, **params}
    service, definition = params["known"] or _read_for(call, params)
    name = params["task_definition"] or definition["taskDefinitionArn"]
    unknown = ecs_task.unknown_containers(definition, list(params["container_overrides"]))
    if unknown:
        known = ", ".join(container["name"] for container in definition["containerDefinitions"])
        raise CallFailed(f"{definition['taskDefinitionArn']} has no container {', '.join(unknown)}; it has: {known}. Nothing was run.")
    network = ecs_task.network_of(service, params["network_configuration"])
    if network is None and definition.get("networkMode") == "awsvpc":
        raise CallFailed(f"{name} needs subnets (network mode awsvpc): give service, or network_configuration. Nothing was run.")
    token = params["client_token"] or str(uuid.uuid4())
    arguments = {
        "cluster": params["cluster"],
        "taskDefinition": definition["taskDefinitionArn"],
        "launchType": params["launch_type"],
        # By a name of its own the task is found again if RunTask's answer is lost.
        "startedBy": params["started_by"] or f"atena-aws/{token}",
        "clientToken": token,
        "count": 1,
        "propagateTags": "TASK_DEFINITION",
    }
    if network:
        arguments["networkConfiguration"] = {"awsvpcConfiguration": network}
    if service and service.get("platformVersion") and params["launch_type"] == "FARGATE":
        arguments["platformVersion"] = service["platformVersion"]
    changes = ecs_task.overrides(list(params["container_overrides"]))
    if changes:
        arguments["overrides"] = changes
    return definition, arguments


def _read_for(call: Call, params: Mapping[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    service = None
    if params["service"]:
        service = describe_services(call, params["cluster"], [params["service"]])[params["service"]]
    name = params["task_definition"] or (service or {}).get("taskDefinition")
    if not name:
        raise CallFailed("Give task_definition, or service to run what the service runs.")
    return service, describe_task_definition(call, name)


class NotStarted(CallFailed):
    """ECS refused to start the task: nothing of it ran."""


def start(call: Call, arguments: dict[str, Any], *, patience: float = 0, delay: float = 3, say: Say | None = None, guard: Guard | None = None) -> str:
    """RunTask. Returns the task's ARN. Raises NotStarted with ECS's reason when it started none, and another CallFailed when that is not known.

    Where no answer comes, the task is looked for by its startedBy, and the request is sent again, for `patience` seconds: the client token makes it
    one task however often it is sent. say: takes a line for the person who waits. guard: called before each attempt; what it raises ends them.
    """
    name, deadline, lost = arguments["taskDefinition"], Deadline(patience), None
    while True:
        (guard or (lambda: None))()
        try:
            found = _started(call, arguments) if lost else None
            if found:
                return found
            return _run(call, arguments, lost)
        except Unanswered as failed:
            lost = failed
        if deadline.passed:
            raise lost.saying(f"{lost} Whether {name} was started is not known: it may run, as {arguments['startedBy']}.")
        if say:
            say(f"{lost} Checking whether the task was started.")
        time.sleep(pace(deadline.elapsed, delay, shortest=1.0))


def _run(call: Call, arguments: dict[str, Any], lost: CallFailed | None) -> str:
    """Sends RunTask. lost: the failure of an earlier attempt, of which nobody knows what became: after it a refusal proves nothing."""
    name = arguments["taskDefinition"]
    try:
        with shielded():
            answer = call("ecs", "run_task", f"run {name}", **arguments)
    except Unanswered:
        raise
    except CallFailed as refused:
        raise refused if lost else NotStarted(str(refused), refused.code, refused.status, refused.request_id, refused.said) from refused
    failures = ecs_task.start_failures(answer)
    if failures:
        raise NotStarted(f"ECS did not start {name} in {arguments['cluster']}: {failures}")
    return answer["tasks"][0]["taskArn"]


def _started(call: Aws, arguments: Mapping[str, Any]) -> str | None:
    """The ARN of the task that an unanswered RunTask started; None if ECS lists none, or if others have its startedBy."""
    if not arguments["startedBy"].endswith(arguments["clientToken"]):
        return None
    arns = started_by(call, arguments["cluster"], arguments["startedBy"])
    return arns[0] if arns else None


def started_by(call: Aws, cluster: str, name: str) -> list[str]:
    """ARNs of the tasks with this startedBy: those that run, then those that ended within about the last hour."""
    doing = f"find tasks that {name} started"
    return [
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in call.pages("ecs", "list_tasks", doing, "taskArns", cluster=cluster, startedBy=name, desiredStatus=status)
    ]


def left_by(call: Aws, cluster: str, name: str) -> list[str]:
    """Like started_by, of a run that died: its task may have been started a moment ago, and not be listed yet. One look is no proof that there is none."""
    for look in range(_LOOKS):
        found = started_by(call, cluster, name)
        if found or look == _LOOKS - 1:
            break
        time.sleep(_LOOK_AGAIN_AFTER)
    return found


class Started(NamedTuple):
    cluster: str
    definition: dict[str, Any]
    arn: str


class TaskRun:
    """Follows one task that was started, by this run or by one that was killed."""

    def __init__(
        self,
        call: Aws,
        task: Started,
        *,
        wait_timeout: float = 900,
        wait_delay: float = 3,
        say: Say | None = None,
        on_line: Callable[[str, str], object] | None = None,
        guard: Guard | None = None,
    ) -> None:
        """say: takes a line for the person who waits: states and log lines as they come; None if nobody does. on_line(container, line): called
        for each log line as well. guard: called before each look; what it raises ends the waiting.
        """
        self.call, (self.cluster, self.definition, self.arn) = call, task
        self.wait_timeout, self.wait_delay = wait_timeout, wait_delay
        self.say, self.on_line, self.guard = say, on_line, guard or (lambda: None)
        self.name = f"task {ecs_task.task_id(task.arn)}"
        streams = log_streams(task.definition, ecs_task.task_id(task.arn))
        self.readers = {name: LogReader(call, *stream) for name, stream in streams.items()}
        self.logs = {name: _Told(name, self._line, self._clean) for name in self.readers}
        self._redactor: Redactor | None = None
        self._deadline, self._spoke = Deadline(wait_timeout), 0.0

    def _tell(self, text: str) -> None:
        if self.say:
            self._spoke = self._deadline.elapsed
            self.say(rollout_view.stamp(text, self._deadline.elapsed, self._deadline.seconds))

    def _line(self, container: str, line: str) -> None:
        if self.say:
            self._spoke = self._deadline.elapsed
            self.say(f"{container} | {line}")
        if self.on_line:
            self.on_line(container, line)

    def _clean(self, line: str) -> str:
        """A line without the secrets that the task was given, which are read when it writes its first."""
        self._redactor = self._redactor or redactor_of_task(self.call, self.definition)
        return self._redactor.text(line)

    def wait_for_end(self) -> tuple[dict[str, Any], bool]:
        """Follows the task to STOPPED, and stops it after its time. Returns (described task, timed out). drain() gets the last lines."""
        self._deadline, timed_out, state = Deadline(self.wait_timeout), False, None
        while True:
            self.guard()
            task = self._look(timed_out)
            if task.get("startedAt"):
                self._read()
            if task.get("lastStatus") not in (None, state):
                state = task["lastStatus"]
                self._tell(rollout_view.task_state(self.name, task))
            if state == "STOPPED":
                return task, timed_out
            if self._deadline.passed and timed_out:
                raise CallFailed(f"The task {self.arn} ran out of its {self.wait_timeout} s, was asked to stop, and has not stopped since. Check it.")
            if self._deadline.passed:
                timed_out = True
                self._tell(f"{self.name}: takes too long, and is being stopped")
                self._stop()
                self._deadline, self._spoke = Deadline(_STOP_PATIENCE), 0.0
            if self.say and self._deadline.elapsed - self._spoke >= _SILENCE:
                self._tell(f"{self.name}: still {state or 'not listed'}")
            time.sleep(pace(self._deadline.elapsed, self.wait_delay))

    def _look(self, timed_out: bool) -> dict[str, Any]:
        """The described task; {} while ECS does not list it, or does not answer: it goes on all the same, so that it is looked at until its time is over."""
        try:
            found = describe_tasks(self.call, self.cluster, [self.arn])
        except (Unanswered, Throttled) as failed:
            if self._deadline.passed and timed_out:
                raise
            self._tell(f"{failed} Checking again.")
            return {}
        return found[0] if found else {}

    def _stop(self) -> None:
        reason = f"{_TOO_LONG} {self.wait_timeout} s"
        with contextlib.suppress(Unanswered):  # whether it was heard is seen when it is looked at
            self.call("ecs", "stop_task", f"stop the task {self.arn}", cluster=self.cluster, task=self.arn, reason=reason)

    def _read(self) -> None:
        with self._log_not_needed():
            for name, reader in self.readers.items():
                self.logs[name].extend(reader.read())

    def drain(self, task: Answer) -> None:
        """Reads what the log still brings after the task stopped. A task that never started wrote nothing that could still arrive."""
        with self._log_not_needed():
            drain(self.readers, self.logs, patience=5.0 if task.get("startedAt") else 0.0)

    @contextlib.contextmanager
    def _log_not_needed(self) -> Iterator[None]:
        """Whether the task succeeded is told by its exit codes: a log that cannot be read is a line, no failure."""
        try:
            yield
        except CallFailed as failed:
            for lines in self.logs.values():
                lines.extend([f"(no more of the log: {failed})"])
            self.readers = {}

    def finish(self) -> tuple[bool, dict[str, Any]]:
        """wait_for_end and what became of it: see result()."""
        task, timed_out = self.wait_for_end()
        self.drain(task)
        return self.result(task, timed_out)

    def result(self, task: dict[str, Any], timed_out: bool) -> tuple[bool, dict[str, Any]]:
        """(succeeded, result as ecs_run_task returns it without duration_seconds) of a described stopped task, with the lines read so far."""
        ended = ecs_task.outcome(task, self.definition)
        state, reason = ended["state"], ended["reason"]
        # By this run, or by one before it that died.
        if timed_out or task.get("stoppedReason", "").startswith(_TOO_LONG):
            state, reason = ecs_task.FAILED, f"took longer than {self.wait_timeout} s and was stopped; {reason}".rstrip("; ")
        return state == ecs_task.SUCCEEDED, {
            "outcome": state,
            "exit_codes": ended["exit_codes"],
            "reason": reason,
            "beside": ended["beside"],
            "stop_code": task.get("stopCode", ""),
            "stopped_reason": task.get("stoppedReason", ""),
            "logs": {name: list(lines) for name, lines in self.logs.items()},
            "started_at": _iso(task.get("startedAt")),
            "stopped_at": _iso(task.get("stoppedAt")),
        }


class LastLines:
    """What the log of a task that ended well still brings, read while its caller goes on with what comes next."""

    def __init__(self, run: TaskRun, task: Answer) -> None:
        self._run, self._task = run, task
        self._thread = threading.Thread(target=self._read, daemon=True, name=f"last lines of {run.name}")
        self._thread.start()

    def _read(self) -> None:
        in_background()
        self._run.drain(self._task)

    def all(self) -> dict[str, list[str]]:
        """{container: all its lines}, when no more is to come."""
        self._thread.join()
        return {name: list(lines) for name, lines in self._run.logs.items()}


class _Told(list):
    """A list of lines that tells of each line that is added."""

    def __init__(self, container: str, tell: Callable[[str, str], object], clean: Callable[[str], str]) -> None:
        super().__init__()
        self._container, self._tell, self._clean = container, tell, clean

    def extend(self, lines: Iterable[str]) -> None:
        for line in map(self._clean, lines):
            self.append(line)
            self._tell(self._container, line)


def images(definition: Answer) -> dict[str, str]:
    """{container: image}."""
    return {container["name"]: container.get("image", "") for container in definition["containerDefinitions"]}


def failure_text(arn: str, result: Mapping[str, Any], last: int = 15) -> str:
    """Why the task failed, with its last log lines."""
    tail = [line for lines in result["logs"].values() for line in lines][-last:]
    shown = "\n".join(["Last log lines:", *tail]) if tail else "It wrote no log line."
    ended = "was not completed" if result.get("outcome") == ecs_task.INCOMPLETE else "failed"
    return f"The task {ecs_task.task_id(arn)} {ended}: {result['reason']}\n{shown}"


def _iso(moment: datetime.datetime | None) -> str:
    return moment.isoformat() if moment else ""
