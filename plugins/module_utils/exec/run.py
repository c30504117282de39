# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a command in a running task through ECS Exec: finds the task, opens the session, follows it to its end. The decisions are in exec.plan."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import Interrupted
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Say
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_services, describe_tasks, described_task
from ansible_collections.atena.aws.plugins.module_utils.ecs.task import outcome, task_id
from ansible_collections.atena.aws.plugins.module_utils.exec import plan as ecs_exec
from ansible_collections.atena.aws.plugins.module_utils.exec.channel import Channel, Connection, SessionEnded, SessionRefused
from ansible_collections.atena.aws.plugins.module_utils.exec.websocket import WebSocket, WebSocketError
from ansible_collections.atena.aws.plugins.module_utils.logs.output import Unheard

# Seconds in which the agent has to answer, after which an agent that is not connected is asked again, and for its last words.
_ANSWER, _AGAIN, _LAST_WORDS = 30.0, 3.0, 3.0


class NotRun(Exception):
    """The command could not be run, or its end is not known; ready for the user."""


class Place(NamedTuple):
    """Where a command is run. key: the service's key in the inventory. `task`, a task's id or the beginning of one, is taken instead of one of `service`."""

    cluster: str
    service: str
    key: str
    task: str | None = None
    container: str | None = None


class ExecRun:
    """One command."""

    def __init__(
        self, call: Aws, place: Place, *, agent_timeout: float = 60, say: Say = lambda text: None, connect: Callable[[str], Connection] = WebSocket
    ) -> None:
        self._call, self._cluster, self._service, self._key = call, place.cluster, place.service, place.key
        self._named, self._wanted, self._agent_timeout = place.task, place.container, agent_timeout
        self._say, self._connect = say, connect
        self.task: dict[str, Any] = {}
        self.container = ""
        self.channel: Channel | None = None
        self.output: ecs_exec.Output | None = None
        # What became of a command that was interrupted, to be added to a sentence.
        self.ended = ", and was not started"

    # --- Where --------------------------------------------------------------------------------------------------------
    def find(self) -> None:
        """Finds task and container, and sees that a command can be run there. Raises NotRun and CallFailed."""
        service = describe_services(self._call, self._cluster, [self._service])[self._service]
        self.task = self._named_task(self._named) if self._named else self._any_task(service)
        self.container, problem = ecs_exec.container_of(self.task, self._wanted, self._key)
        if problem:
            raise NotRun(problem)
        mine = service if self.task.get("group") == f"service:{self._service}" else None
        answer = self._call("ecs", "describe_clusters", f"read the cluster {self._cluster}", clusters=[self._cluster], include=["CONFIGURATIONS"])
        cluster, deadline = (answer["clusters"] or [{}])[0], Deadline(self._agent_timeout)
        while True:
            problem = ecs_exec.why_not(self.task, mine, cluster, self.container)
            if problem:
                raise NotRun(problem)
            if not ecs_exec.is_coming(self.task, self.container):
                return
            if deadline.passed:
                raise NotRun(
                    f"The agent of ECS Exec in the task {task_id(self.task['taskArn'])} did not start within {self._agent_timeout} s. "
                    "Run restart.yml for a new task, and diagnose.yml if that is the same."
                )
            time.sleep(1)
            self.task = described_task(self._call, self._cluster, self.task["taskArn"])

    def _any_task(self, service: dict[str, Any]) -> dict[str, Any]:
        doing = f"list the tasks of {self._service}"
        arns = self._call.pages("ecs", "list_tasks", doing, "taskArns", cluster=self._cluster, serviceName=self._service, desiredStatus="RUNNING")
        found = ecs_exec.chosen(describe_tasks(self._call, self._cluster, arns), service)
        if found is None:
            raise NotRun(ecs_exec.why_no_task(service))
        return found

    def _named_task(self, named: str) -> dict[str, Any]:
        arns = self._call.pages("ecs", "list_tasks", f"list the tasks of {self._cluster}", "taskArns", cluster=self._cluster, desiredStatus="RUNNING")
        tasks = [task for task in describe_tasks(self._call, self._cluster, arns) if task.get("lastStatus") == ecs_exec.RUNNING]
        found = [task for task in tasks if ecs_exec.is_named(task, named)]
        if len(found) != 1:
            there = ", ".join(sorted(f"{task_id(task['taskArn'])} ({task.get('group', '')})" for task in tasks)) or "none"
            raise NotRun(f"{'No' if not found else 'More than one'} running task is called {named}. There are: {there}.")
        return found[0]

    # --- The command --------------------------------------------------------------------------------------------------
    def run(self, command: str, timeout: float, deliver: Callable[[str], object]) -> int:
        """The command's exit code. Raises NotRun, and CallFailed where ECS refuses."""
        mark = f"atena.aws-exec-{uuid.uuid4().hex}"
        output = self.output = ecs_exec.Output(mark)
        session = self._start(ecs_exec.wrapped(command, mark))
        deadline = Deadline(timeout)
        try:
            channel = self.channel = Channel(self._connect(session["streamUrl"]), session["tokenValue"])
            return self._follow(channel, output, deadline, deliver)
        except SessionRefused as refused:
            raise NotRun(f"The agent in the task wants what this client cannot do: {refused}. Use `aws ecs execute-command` instead.") from refused
        except WebSocketError as lost:
            raise NotRun(self._without_end(str(lost))) from lost
        except (Interrupted, Unheard):
            self.ended = self._end()
            raise
        finally:
            if self.channel is not None:
                self.channel.close()

    def _start(self, line: str) -> dict[str, Any]:
        deadline = Deadline(min(self._agent_timeout, 5 * _AGAIN))
        while True:
            try:
                arguments = {"cluster": self._cluster, "task": self.task["taskArn"], "container": self.container, "command": line, "interactive": True}
                return self._call.once("ecs", "execute_command", f"run the command in {task_id(self.task['taskArn'])}", **arguments)["session"]
            except CallFailed as failed:
                # Nothing was run. An agent that has just started may still be on its way to Session Manager.
                if failed.code == "TargetNotConnectedException" and not deadline.passed:
                    self._say("The agent in the task is not connected yet: asking again.")
                    time.sleep(_AGAIN)
                    continue
                raise failed.saying(f"{failed} {ecs_exec.connect_remedy(failed.code)}".strip()) from failed

    def _follow(self, channel: Channel, output: ecs_exec.Output, deadline: Deadline, deliver: Callable[[str], object]) -> int:
        while output.code is None:
            try:
                data = channel.receive(0.5)
            except SessionEnded as ended:
                for line in output.finish():
                    deliver(line)
                if output.code is None:
                    raise NotRun(self._without_end(str(ended))) from ended
                break
            for line in output.feed(data):
                deliver(line)
            if not channel.ready and deadline.elapsed > _ANSWER:
                raise NotRun(
                    f"The agent in the task {task_id(self.task['taskArn'])} did not answer within {_ANSWER:.0f} s. Run it again, or restart.yml first."
                )
            if output.code is None and deadline.passed:
                raise NotRun(f"The command was not done after {deadline.seconds:.0f} s{self._end()}. It may have done part of its work.")
        return output.code

    def _end(self) -> str:
        """Asks the agent to end the command. Returns what is known of that, to be added to a sentence."""
        if self.channel is None:
            return self.ended
        with contextlib.suppress(WebSocketError, SessionRefused):
            self.channel.terminate()
            deadline = Deadline(_LAST_WORDS)
            while not deadline.passed:
                try:
                    self.channel.receive(0.2)
                except SessionEnded:
                    return ", and was ended"
        return ", and was asked to end; whether it did is not known"

    def _without_end(self, said: str) -> str:
        """Why there is no exit code: what AWS said, what the shell said, and what became of the task."""
        words = [f"The session ended before the command returned its exit code{f': {said}' if said else ''}".rstrip(".") + "."]
        if self.output and self.output.around:
            words.append(f"What was said instead: {' / '.join(self.output.around)}")
        try:
            task = described_task(self._call, self._cluster, self.task["taskArn"])
        except CallFailed:
            return " ".join(words)
        if task.get("lastStatus") == ecs_exec.RUNNING and task.get("desiredStatus") == ecs_exec.RUNNING:
            words.append("The task still runs. The container needs /bin/sh; what killed the command may also have been its own doing, or a lack of memory.")
        else:
            words.append(f"The task was stopped meanwhile: {task.get('stoppedReason') or outcome(task)['reason']}.")
        return " ".join(words)
