#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_diagnosis_info
version_added: 0.1.0
short_description: Gather information about why an environment does not work
description:
  - Reads the services' events and deployments, tasks that run or ended within about the last hour with their stopped reasons, exit codes and last
    log lines, targets' health, database, Redis, load balancer, security groups, routes, secrets and images, in parallel; and names the causes
    that follow from them, each with its evidence and the command that fixes it.
  - "The gap it closes: no module of amazon.aws or community.aws reads a service's events or a task's stopped reason, or joins them with what they
    depend on; and ECS forgets a stopped task after about an hour."
  - What cannot be read is reported as such; it does not fail the task.
  - No secret's value is returned or saved. Values are read to distinguish a set secret from a placeholder, to compare C(DATABASE_URL) and C(REDIS_URL)
    with the endpoints, and to remove them from log lines, events and reasons. Where they cannot be read, log lines are left out.
author:
  - The atena.aws founders (@atena)
options:
  name:
    description: The environment's name, which its resources' names begin with.
    type: str
    required: true
  services:
    description: Keys of its services; a service's name is C(<name>-<key>).
    type: list
    elements: str
    required: true
  cluster:
    description: The ECS cluster's name. By default C(<name>-cluster).
    type: str
  ssm_path:
    description: Path of its secrets.
    type: str
  database_id:
    description: Identifier of the RDS instance. By default C(<name>-db).
    type: str
  redis_id:
    description: Identifier of the ElastiCache cluster. By default C(<name>-redis).
    type: str
  gates_bucket:
    description: Bucket of the object that shows what is off on purpose. Without it, a stopped environment is recognised by its parts.
    type: str
  gates_key:
    description: Key of that object.
    type: str
  url:
    description: Address of the application's health check, asked once.
    type: str
  health_path:
    description: Without O(url), the path that is asked at the load balancer's own name.
    type: str
  tasks:
    description: ARNs of tasks that must be examined, such as a migration's.
    type: list
    elements: str
    default: []
  log_lines:
    description: How many of a container's last log lines to take.
    type: int
    default: 20
  playbook_command:
    description: How the remedies name a playbook; C({playbook}) is replaced by its file name.
    type: str
    default: ansible-playbook {playbook}
  save_to:
    description:
      - Directory for a JSON and a text file of the diagnosis, with mode 0600. It is created if it is missing.
      - A directory that cannot be written to is a warning.
    type: path
  bucket:
    description: Bucket for a copy of both. A bucket that cannot be written to is a warning.
    type: str
  key_prefix:
    description: What the keys of the copy begin with, such as V(atena/prod/evidence/).
    type: str
    default: ''
  show:
    description: Whether to print the text line by line, as it is, in addition to returning it. The action plugin of the same name does that.
    type: bool
    default: false
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.records
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Everything is read; nothing is saved.
  diff_mode:
    support: none
  platform:
    platforms: posix
notes:
  - Saved evidence does not count as a change.
"""

EXAMPLES = r"""
- name: Why does production not work?
  atena.aws.environment_diagnosis_info:
    name: atena-prod
    services: [api, workers]
    ssm_path: /atena/prod
    health_path: /health
    save_to: ~/evidence
    bucket: "{{ state_bucket }}"
    key_prefix: atena/prod/evidence/
    show: true
  register: diagnosis
"""

RETURN = r"""
findings:
  description: What was found, a cause before its consequences, then what is worth knowing, then what is over. The page C(docs/findings.md) has all codes.
  returned: success
  type: list
  elements: dict
  contains:
    code: {description: "What it is, such as C(DATABASE_CREDENTIALS_REFUSED).", type: str}
    resource: {description: "The service or resource that it is about; several with commas between them.", type: str}
    cause: {description: "The cause, as a sentence.", type: str}
    certainty: {description: "C(certain), which AWS, the database or Redis states, or C(likely), which is concluded.", type: str}
    over: {description: "Whether it is over; then it has no remedy.", type: bool}
    minor: {description: "Whether it is only worth knowing.", type: bool}
    caused_by: {description: "The code of the finding of which this is a consequence; empty for a cause.", type: str}
    at: {description: "When it was met last, if it has a time (ISO 8601).", type: str}
    times: {description: "How many tasks of one deployment met it, of what is over.", type: int}
    remedy: {description: "What to do, as text with the commands; empty for a consequence, and for what is over.", type: str}
    steps:
      description: The same, step by step.
      type: list
      elements: dict
      contains:
        text: {description: "What the step does, or what a person has to do.", type: str}
        command: {description: "The command, in one line; empty if there is none.", type: str}
        instead: {description: "Whether it replaces the steps before it.", type: bool}
    evidence: {description: "What shows it: events, stopped reasons, exit codes, log lines.", type: list, elements: str}
why:
  description: The first causes, each with the first lines of what shows it.
  returned: success
  type: list
  elements: str
next:
  description: The steps that fix them, a line each, commands in backticks.
  returned: success
  type: list
  elements: str
text:
  description: The diagnosis as a person reads it.
  returned: success
  type: str
at:
  description: When it was made (ISO 8601).
  returned: success
  type: str
environment:
  description: The environment's name.
  returned: success
  type: str
format:
  description: Version of this shape, which the saved JSON has too (C(format), C(at), C(environment), C(findings), C(facts)).
  returned: success
  type: int
facts:
  description: What it was made from. Meant for reading and for later comparison; its shape may grow.
  returned: success
  type: dict
saved:
  description: Paths of the files; in check mode of those that would be written.
  returned: success
  type: list
  elements: str
key:
  description: Key of the JSON object in the bucket; empty if there is none.
  returned: success
  type: str
"""

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.diagnosis import evidence
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.read import diagnose
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.text import as_text, first_causes, reason_lines, step_line
from ansible_collections.atena.aws.plugins.module_utils.environment import unfinished

# Options that are the request's own, under the same names.
_REQUEST = ("ssm_path", "gates_bucket", "gates_key", "records", "url", "health_path", "tasks", "log_lines", "playbook_command")


def request_of(params: dict[str, Any]) -> dict[str, Any]:
    name = params["name"]
    return {
        "name": name,
        "cluster": params["cluster"] or resource_names.cluster(name),
        "services": [f"{name}-{key}" for key in params["services"]],
        "database_id": params["database_id"] or resource_names.database(name),
        "redis_id": params["redis_id"] or resource_names.redis(name),
        **{option: params[option] for option in _REQUEST},
    }


def keep(module: Module, call: Caller, diagnosis: dict[str, Any]) -> dict[str, Any]:
    """Saves what is asked for. What cannot be kept is still shown, so it is no failure."""
    params, saved, key = module.params, [], ""
    if params["save_to"]:
        try:
            saved = evidence.paths(diagnosis, params["save_to"]) if module.check_mode else evidence.save(diagnosis, params["save_to"])
        except OSError as error:
            module.warn(f"The diagnosis was not saved in {params['save_to']}: {error.strerror}. Give another directory, or free this one.")
    if params["bucket"] and not module.check_mode:
        try:
            key = evidence.upload(call, diagnosis, params["bucket"], params["key_prefix"])
        except CallFailed as failed:
            module.warn(str(failed))
    return {"saved": saved, "key": key}


def main() -> None:
    module = AwsModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "str", "required": True},
            "cluster": {"type": "str"},
            "ssm_path": {"type": "str"},
            "database_id": {"type": "str"},
            "redis_id": {"type": "str"},
            "gates_bucket": {"type": "str"},
            "gates_key": {"type": "str", "no_log": False},
            "records": unfinished.OPTIONS,
            "url": {"type": "str"},
            "health_path": {"type": "str"},
            "tasks": {"type": "list", "elements": "str", "default": []},
            "log_lines": {"type": "int", "default": 20},
            "playbook_command": {"type": "str", "default": "ansible-playbook {playbook}"},
            "save_to": {"type": "path"},
            "bucket": {"type": "str"},
            "key_prefix": {"type": "str", "default": "", "no_log": False},
            "show": {"type": "bool", "default": False},
        },
        required_together=[("gates_bucket", "gates_key")],
        supports_check_mode=True,
    )
    call = Caller(module)
    diagnosis = diagnose(call, request_of(module.params))
    causes = first_causes(diagnosis["findings"])
    lines = {"why": [line for item in causes for line in reason_lines(item)], "next": [step_line(step) for item in causes for step in item["steps"]]}
    module.exit_json(changed=False, **diagnosis, **lines, text=as_text(diagnosis), **keep(module, call, diagnosis))


if __name__ == "__main__":
    main()
