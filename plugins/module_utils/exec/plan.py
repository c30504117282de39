# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A command in a running task: which task, whether it can be had, how the command is wrapped, and what came out of it. No call to AWS here."""

from __future__ import annotations

import codecs
import re
import shlex
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout import primary
from ansible_collections.atena.aws.plugins.module_utils.ecs.task import task_id

AGENT = "ExecuteCommandAgent"
RUNNING = "RUNNING"
# What has no end by then is a line: memory has one.
_LONGEST_LINE = 1 << 16
_SWITCH_ON = "Set atena_execute_command: true in the inventory, run infra.yml, and then restart.yml: only tasks that start afterwards have it."


# --- Which task -------------------------------------------------------------------------------------------------------
def agent_of(task: dict, container: str | None = None) -> dict:
    """The agent of ECS Exec in a container (the first that has one); {} if there is none."""
    for entry in task.get("containers", []):
        if container in (None, entry["name"]):
            for agent in entry.get("managedAgents") or []:
                if agent.get("name") == AGENT:
                    return agent
    return {}


def is_named(task: dict, name: str) -> bool:
    """Whether a task is meant by its ARN, its id, or the beginning of that."""
    return task["taskArn"] == name or (len(name) >= 4 and task_id(task["taskArn"]).startswith(name))


def chosen(tasks: list[dict], service: dict) -> dict | None:
    """The task of a service to take: one that can be had, of the deployment that the service is at, the one that has run longest; None if none runs."""
    here = primary(service).get("id", "")

    def order(task: dict[str, Any]) -> tuple[bool, bool, str, str]:
        able = task.get("enableExecuteCommand") and agent_of(task).get("lastStatus") == RUNNING
        return not able, task.get("startedBy") != here, str(task.get("startedAt", "")), task["taskArn"]

    running = [task for task in tasks if task.get("lastStatus") == RUNNING and task.get("desiredStatus") == RUNNING]
    return min(running, key=order, default=None)


def container_of(task: dict, wanted: str | None, otherwise: str) -> tuple[str, str]:
    """(the container, why there is none): the one that is wanted, else the one called `otherwise`, else the only one."""
    names = [entry["name"] for entry in task.get("containers", [])]
    if wanted:
        return (wanted, "") if wanted in names else ("", f"The task {task_id(task['taskArn'])} has no container {wanted}; it has {', '.join(names)}.")
    if otherwise in names:
        return otherwise, ""
    if len(names) == 1:
        return names[0], ""
    return "", f"The task {task_id(task['taskArn'])} has several containers ({', '.join(names)}); name one."


# --- Whether it can be had --------------------------------------------------------------------------------------------
def why_no_task(service: dict) -> str:
    """Why no task of a service runs, with the remedy."""
    name = service["serviceName"]
    if service["desiredCount"] == 0:
        return f"No task of {name} runs: its desired count is 0. Run start.yml if the environment is stopped, deploy.yml if it has no release, or scale.yml."
    return f"No task of {name} runs, though it should have {service['desiredCount']}. Run diagnose.yml: it shows why."


def why_not(task: dict, service: dict | None, cluster: dict, container: str) -> str:
    """Why no command can be run in a container of this task, with the remedy; '' if one can, or if the agent has still to start."""
    which = f"the task {task_id(task['taskArn'])}"
    settings = (cluster.get("configuration") or {}).get("executeCommandConfiguration") or {}
    if settings.get("kmsKeyId"):
        return (
            f"The cluster {cluster.get('clusterName', '')} encrypts its sessions with a KMS key of its own ({settings['kmsKeyId']}), which only AWS's client "
            "can do. Use `aws ecs execute-command` with the Session Manager plugin, or remove kmsKeyId from the cluster's configuration."
        )
    if not task.get("enableExecuteCommand"):
        if service is not None and service.get("enableExecuteCommand"):
            return f"ECS Exec was switched on for {service['serviceName']} after {which} had started. Run restart.yml: new tasks have it."
        return f"ECS Exec is not switched on for {which}. {_SWITCH_ON}"
    agent = agent_of(task, container)
    if agent.get("lastStatus") == "STOPPED":
        reason = f" ({agent['reason'].rstrip('.')})" if agent.get("reason") else ""
        return (
            f"The agent of ECS Exec in {which} has stopped{reason}. It needs a root file system that can be written to, the task role's rights on ssmmessages "
            "(infra.yml grants them) and a way to that service. Run restart.yml for a new task."
        )
    return ""


def is_coming(task: dict, container: str) -> bool:
    """Whether the agent has still to start."""
    return agent_of(task, container).get("lastStatus") != RUNNING


def connect_remedy(code: str) -> str:
    """What helps against an error of ExecuteCommand's; '' if it says so itself."""
    if code == "TargetNotConnectedException":
        return (
            "The agent in the task has no connection to Session Manager: the task role needs ssmmessages:CreateControlChannel, CreateDataChannel, "
            f"OpenControlChannel and OpenDataChannel, and the task a way there (NAT gateway or endpoint). {_SWITCH_ON}"
        )
    if code == "InvalidParameterException":
        return "ECS Exec is off for this task, or its agent does not run. " + _SWITCH_ON
    return ""


# --- The command ------------------------------------------------------------------------------------------------------
def wrapped(command: str, mark: str) -> str:
    """The command line for ECS Exec, whose session has no exit code: the shell tells it, on a line that begins with the mark.

    The agent splits the line into words as a shell does, and starts the first. Standard input is empty: nobody is there to answer.
    """
    script = f'echo {mark} begin; /bin/sh -c "$0" </dev/null 2>&1; code=$?; echo; echo {mark} end $code'
    return shlex.join(["/bin/sh", "-c", script, command])


class Output:
    """Lines out of what a terminal says, between the two marks."""

    def __init__(self, mark: str) -> None:
        self._begin = f"{mark} begin"
        self._end = re.compile(rf"{re.escape(mark)} end (\d+)")
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest, self._begun, self._blank = "", False, False
        self.code: int | None = None
        # What was said outside of the marks: the shell's own complaint, if it could not be started.
        self.around: list[str] = []

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete now."""
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        if len(self._rest) > _LONGEST_LINE:
            lines, self._rest = [*lines, self._rest], ""
        return [line for text in lines for line in self._take(text.rstrip("\r"))]

    def finish(self) -> list[str]:
        """What has no end, when the session has one."""
        rest, self._rest = self._rest, ""
        return self._take(rest.rstrip("\r")) if rest.strip() else []

    def _take(self, line: str) -> list[str]:
        if self.code is not None:
            return []
        if not self._begun:
            self._begun = line == self._begin
            if not self._begun and line.strip():
                self.around = [*self.around[-9:], line]
            return []
        ended = self._end.fullmatch(line)
        if ended:
            # The empty line before the mark is the wrapping's own.
            self.code = int(ended[1])
            return []
        found = ([""] if self._blank else []) + ([line] if line else [])
        self._blank = not line
        return found
