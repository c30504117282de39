#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_exec
version_added: 0.1.0
short_description: Run a command in a running ECS task
description:
  - Runs a command of the container's shell in a running task through ECS Exec, shows its output as it comes, and fails unless it exits with 0.
  - Takes a task of the service automatically, of the deployment that the service is at. Sees first that ECS Exec is switched on there and that its agent
    runs, and shows what helps if not.
  - It speaks the protocol of Session Manager itself, so that no Session Manager plugin is needed. Clusters that encrypt their sessions with a KMS key
    of their own are refused. The command gets no input.
  - The exit code comes from the shell, since a session of ECS Exec has none. Standard output and standard error come together, as on a terminal.
  - "The gap it closes: no module of amazon.aws or community.aws calls ExecuteCommand. C(community.aws.aws_ssm) connects to instances, not to tasks, and
    needs the plugin."
author:
  - The atena.aws founders (@atena)
options:
  cluster:
    description: The cluster's name.
    type: str
    required: true
  service:
    description: The ECS service of whose tasks one is taken.
    type: str
    required: true
  key:
    description: What the environment calls it, which is its container's name. The service's name if unset.
    type: str
  command:
    description:
      - The command, as one types it into a shell. It is recorded in CloudTrail and can be seen in the task's list of processes, so it is no place for
        a secret.
    type: str
    required: true
  task:
    description: Take this running task of the cluster, by its id or the beginning of it. Unset takes one of the service.
    type: str
  container:
    description: The container. Unset takes the one named after the service, or the only one.
    type: str
  timeout:
    description: Seconds that the command may take; then it is ended.
    type: int
    default: 600
  agent_timeout:
    description: Seconds to wait for the agent of a task that has just started.
    type: int
    default: 60
  limit:
    description: How many lines of the output the result has at the most, the last ones.
    type: int
    default: 1000
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
    details: Finds the task and checks that the command could be run there, without running it.
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: How full is the disk of the API
  atena.aws.ecs_exec:
    cluster: atena-prod-cluster
    service: atena-prod-api
    key: api
    command: df -h / | tail -1
  register: disk
  changed_when: false
"""

RETURN = r"""
task:
  description: Id of the task.
  returned: when there is one
  type: str
container:
  description: The container.
  returned: when there is one
  type: str
command:
  description: The command, without the secrets.
  returned: always
  type: str
rc:
  description: The command's exit code; V(-1) if it is not known.
  returned: when it was started
  type: int
stdout:
  description: The last lines of its output, without the secrets.
  returned: when it was started
  type: str
stdout_lines:
  description: The same as a list.
  returned: when it was started
  type: list
  elements: str
line_count:
  description: How many lines it wrote.
  returned: when it was started
  type: int
shown:
  description: Whether they were shown as they came.
  returned: when it was started
  type: bool
duration_seconds:
  description: Seconds from the session's start until it ended.
  returned: when it was started
  type: float
"""

import time
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import facts_of, told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import interruptible, Interrupted
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.progress import plain, Progress
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.ecs.failure_words import exit_code_means
from ansible_collections.atena.aws.plugins.module_utils.ecs.known_secrets import redactor_of
from ansible_collections.atena.aws.plugins.module_utils.ecs.task import task_id
from ansible_collections.atena.aws.plugins.module_utils.exec.run import ExecRun, NotRun, Place
from ansible_collections.atena.aws.plugins.module_utils.logs.output import LineOutput, Unheard


def run(module: Module) -> dict[str, Any]:
    params, progress, call = module.params, Progress(module.params["progress_file"]), Caller(module)
    redactor, unknown = redactor_of(call, params["ssm_path"])
    result: dict[str, Any] = {"changed": False, "command": redactor.text(params["command"])}
    place = Place(params["cluster"], params["service"], params["key"] or params["service"], task=params["task"], container=params["container"])
    execution = ExecRun(call, place, agent_timeout=params["agent_timeout"], say=progress.say)
    try:
        execution.find()
    except (NotRun, CallFailed) as why:
        module.fail_json(msg=redactor.text(f"{why} Nothing was run."), **result)
    result.update(changed=True, task=task_id(execution.task["taskArn"]), container=execution.container)
    if module.check_mode:
        return result
    if unknown:
        progress.say(unknown)
    output: LineOutput[str] = LineOutput(progress, keep=params["limit"])
    began = time.monotonic()

    def deliver(line: str) -> None:
        line = plain(redactor.text(line), None)
        output.add(line, line, raw=True)

    def so_far(rc: int) -> dict[str, Any]:
        lines = {"stdout": "\n".join(output.last), "stdout_lines": list(output.last), "line_count": output.count, "shown": output.shown}
        return {**result, **lines, "rc": rc, "duration_seconds": round(time.monotonic() - began, 1)}

    try:
        with interruptible():
            rc = execution.run(params["command"], params["timeout"], deliver)
    except (Interrupted, Unheard) as interrupted:
        text = f"{str(interrupted) or 'Nobody watches any more.'} The command was interrupted{execution.ended}. It may have done part of its work."
        progress.say(text)
        module.fail_json(msg=text, **so_far(-1))
    except NotRun as why:
        module.fail_json(msg=redactor.text(str(why)), **so_far(-1))
    except CallFailed as refused:
        module.fail_json(msg=redactor.text(str(refused)), **{**facts_of(refused), **so_far(-1), "changed": refused.unsure})
    if rc:
        means = exit_code_means(rc)
        tail = [] if output.shown else [f"  {line}" for line in list(output.last)[-20:]]
        text = f"The command exited with {rc}{f', {means}' if means else ''}, in container {execution.container} of task {result['task']}."
        module.fail_json(msg="\n".join([text, *tail]), **so_far(rc))
    return so_far(rc)


def main() -> None:
    module = AwsModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "key": {"type": "str", "no_log": False},
            "command": {"type": "str", "required": True},
            "task": {"type": "str"},
            "container": {"type": "str"},
            "timeout": {"type": "int", "default": 600},
            "agent_timeout": {"type": "int", "default": 60},
            "limit": {"type": "int", "default": 1000},
            "ssm_path": {"type": "str"},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except CallFailed as failed:
        module.fail_json(**told(failed))


if __name__ == "__main__":
    main()
