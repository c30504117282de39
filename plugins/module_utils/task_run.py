# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One ECS task from RunTask to its end, with its log lines. The decisions are in ecs_task."""

from __future__ import annotations

import time
import uuid

from ansible_collections.atena.aws.plugins.module_utils import ecs_task
from ansible_collections.atena.aws.plugins.module_utils.aws_calls import CallFailed, Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.ecs_logs import LogReader, drain, log_streams
from ansible_collections.atena.aws.plugins.module_utils.ecs_read import describe_services, describe_task_definition, describe_tasks
from ansible_collections.atena.aws.plugins.module_utils.interrupts import shielded

# After StopTask a container has its stopTimeout, 120 s at the most on Fargate, and ECS some seconds of its own.
_STOP_PATIENCE = 150
_DEFAULTS = {
    "task_definition": None,
    "service": None,
    "network_configuration": None,
    "container_overrides": (),
    "launch_type": "FARGATE",
    "started_by": "atena.aws",
    "client_token": None,
}


def plan_run(call, params):
    """Reads what the run needs, and refuses what RunTask would refuse. Returns (task definition, RunTask's arguments).

    params: `cluster` and ecs_run_task's options of these names; those left out have its defaults.
    """
    params = {**_DEFAULTS, **params}
    service = None
    if params["service"]:
        service = describe_services(call, params["cluster"], [params["service"]])[params["service"]]
    name = params["task_definition"] or (service or {}).get("taskDefinition")
    if not name:
        raise CallFailed("Give task_definition, or service to run what the service runs.")
    definition = describe_task_definition(call, name)
    unknown = ecs_task.unknown_containers(definition, list(params["container_overrides"]))
    if unknown:
        known = ", ".join(container["name"] for container in definition["containerDefinitions"])
        raise CallFailed(f"{definition['taskDefinitionArn']} has no container {', '.join(unknown)}; it has: {known}. Nothing was run.")
    network = ecs_task.network_of(service, params["network_configuration"])
    if network is None and definition.get("networkMode") == "awsvpc":
        raise CallFailed(f"{name} needs subnets (network mode awsvpc): give service, or network_configuration. Nothing was run.")
    arguments = {
        "cluster": params["cluster"],
        "taskDefinition": definition["taskDefinitionArn"],
        "launchType": params["launch_type"],
        "startedBy": params["started_by"],
        "clientToken": params["client_token"] or str(uuid.uuid4()),
        "count": 1,
        "propagateTags": "TASK_DEFINITION",
    }
    if network:
        arguments["networkConfiguration"] = {"awsvpcConfiguration": network}
    if (service or {}).get("platformVersion") and params["launch_type"] == "FARGATE":
        arguments["platformVersion"] = service["platformVersion"]
    changes = ecs_task.overrides(list(params["container_overrides"]))
    if changes:
        arguments["overrides"] = changes
    return definition, arguments


def start(call, arguments):
    """RunTask. Returns the task's ARN; raises CallFailed with ECS's reason when it started none. Safe to repeat: the client token makes it one task."""
    name = arguments["taskDefinition"]
    with shielded():
        answer = call("ecs", "run_task", f"run {name}", **arguments)
    failures = ecs_task.start_failures(answer)
    if failures:
        raise CallFailed(f"ECS did not start {name} in {arguments['cluster']}: {failures}")
    return answer["tasks"][0]["taskArn"]


class TaskRun:
    """Follows one task that was started, by this run or by one that was killed."""

    def __init__(self, call, cluster, definition, arn, *, wait_timeout=900, wait_delay=3, on_line=None, on_state=None, guard=None):
        """on_line(container, line): called for each log line as it comes. on_state(described task): when its state changed. guard: called at each look."""
        self.call, self.cluster, self.definition, self.arn = call, cluster, definition, arn
        self.wait_timeout, self.wait_delay = wait_timeout, wait_delay
        self.on_line, self.on_state, self.guard = on_line or (lambda container, line: None), on_state or (lambda task: None), guard or (lambda: None)
        streams = log_streams(definition, ecs_task.task_id(arn))
        self.readers = {name: LogReader(call, *stream) for name, stream in streams.items()}
        self.logs = {name: _Told(name, self.on_line) for name in self.readers}

    def wait_for_end(self):
        """Follows the task to STOPPED, and stops it after its time. Returns (described task, timed out)."""
        deadline, timed_out, state = Deadline(self.wait_timeout), False, None
        while True:
            self.guard()
            found = describe_tasks(self.call, self.cluster, [self.arn])
            task = found[0] if found else {}
            if task.get("lastStatus") not in (None, state):
                state = task["lastStatus"]
                self.on_state(task)
            if state == "STOPPED":
                # A task that never started wrote nothing that could still arrive.
                drain(self.readers, self.logs, patience=5.0 if task.get("startedAt") else 0.0)
                return task, timed_out
            if deadline.passed and timed_out:
                raise CallFailed(f"The task {self.arn} ran out of its {self.wait_timeout} s, was told to stop, and has not stopped since. Look at it.")
            if deadline.passed:
                timed_out = True
                reason = f"atena.aws: longer than {self.wait_timeout} s"
                self.call("ecs", "stop_task", f"stop the task {self.arn}", cluster=self.cluster, task=self.arn, reason=reason)
                deadline = Deadline(_STOP_PATIENCE)
            elif task.get("startedAt"):
                for name, reader in self.readers.items():
                    self.logs[name].extend(reader.read())
            time.sleep(pace(deadline.elapsed, self.wait_delay))

    def finish(self):
        """wait_for_end and what became of it: (succeeded, result as ecs_run_task returns it without duration_seconds)."""
        task, timed_out = self.wait_for_end()
        ended = ecs_task.outcome(task)
        reason = f"took longer than {self.wait_timeout} s and was stopped; {ended['reason']}".rstrip("; ") if timed_out else ended["reason"]
        return not timed_out and ended["state"] != "failed", {
            "exit_codes": ended["exit_codes"],
            "reason": reason,
            "stop_code": task.get("stopCode", ""),
            "stopped_reason": task.get("stoppedReason", ""),
            "logs": {name: list(lines) for name, lines in self.logs.items()},
            "started_at": _iso(task.get("startedAt")),
            "stopped_at": _iso(task.get("stoppedAt")),
        }


class _Told(list):
    """A list of lines that tells of each line that is added."""

    def __init__(self, container, tell):
        super().__init__()
        self._container, self._tell = container, tell

    def extend(self, lines):
        for line in lines:
            self.append(line)
            self._tell(self._container, line)


def images(definition):
    """{container: image}."""
    return {container["name"]: container.get("image", "") for container in definition["containerDefinitions"]}


def failure_text(arn, result, last=15):
    """Why the task failed, with its last log lines."""
    tail = [line for lines in result["logs"].values() for line in lines][-last:]
    shown = "\n".join(["Last log lines:", *tail]) if tail else "It wrote no log line."
    return f"The task {ecs_task.task_id(arn)} failed: {result['reason']}\n{shown}"


def _iso(moment):
    return moment.isoformat() if moment else ""
