#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ssm_secrets
version_added: 0.1.0
short_description: Set the secrets of one environment in Parameter Store
description:
  - Checks all O(names) below O(path), checks all O(values) before it writes any, writes what differs as C(SecureString), and reports for each
    whether it is set, its version and its date. No value is ever returned.
  - "The gap it closes: M(community.aws.ssm_parameter) handles one parameter at a time, so that a bad second value is found after the
    first was written; it takes a denied read for 'not there' and then overwrites; and it always sets a tier."
  - Nothing is ever deleted.
author:
  - The atena.aws founders (@atena)
options:
  path:
    description: Path of the environment's parameters.
    type: str
    required: true
  names:
    description: Names of the secrets, without the path.
    type: list
    elements: str
    required: true
  values:
    description:
      - Values by name. A name that is not in O(names), and a value that is empty, the O(placeholder), or surrounded by white space, is
        refused before anything is written. So is one of more than 8192 bytes; one of more than 4096 needs the advanced tier, which it gets.
    type: dict
    default: {}
  named:
    description:
      - Names of O(values) that are written whatever they are. Of any other a value that the parameter had before, and that was changed since, is left alone
        and reported, as it comes from a file that is older than the change. Unset names all.
    type: list
    elements: str
  placeholder:
    description: The value that means 'not set yet'.
    type: str
    default: CHANGE_ME
  create_placeholders:
    description: Create what is absent and has no value with the O(placeholder). What exists is not touched by this.
    type: bool
    default: false
  require_all:
    description: Fail, before anything is written, when a secret would still hold no value that somebody gave.
    type: bool
    default: false
  advice:
    description: Added to that error, to show how values can be given.
    type: str
    default: ""
  description:
    description: Description of the parameters that are created.
    type: str
    default: ""
  tags:
    description: Tags of the parameters that are created.
    type: dict
    default: {}
extends_documentation_fragment:
  - atena.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
  - atena.aws.lock
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Names with 'set', 'not set' or 'absent'; a changed value reads '(another value)'.
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Reserve the names, overwriting nothing
  atena.aws.ssm_secrets:
    path: /atena/prod
    names: [CLAUDE_API_KEY, ADMIN_TOKEN]
    create_placeholders: true

- name: Set one, and see which are still to be set
  atena.aws.ssm_secrets:
    path: /atena/prod
    names: [CLAUDE_API_KEY, ADMIN_TOKEN]
    values:
      ADMIN_TOKEN: "{{ admin_token }}"
"""

RETURN = r"""
secrets:
  description: One entry for each name, after the writes; in check mode as they are now, with what would be done.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: ADMIN_TOKEN
    set:
      description: Whether it holds a value that somebody gave; in check mode whether it does now.
      type: bool
    action:
      description: What was done, C(create), C(update) or C(none); in check mode what would be.
      type: str
    version:
      description: Its version in Parameter Store; null if it does not exist.
      type: int
    last_modified:
      description: When its value was last changed, ISO 8601; null if it does not exist.
      type: str
missing:
  description: Names that hold no value that somebody gave, and got none in this run.
  returned: success
  type: list
  elements: str
left:
  description: Names whose value was given and not written, since it is an earlier one and O(named) does not name it.
  returned: success
  type: list
  elements: str
lines:
  description: The secrets in one line each, for people.
  returned: success
  type: list
  elements: str
  sample: ["ADMIN_TOKEN  set      version 2, last changed 2026-01-31T12:00:00+00:00"]
"""

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import holding, LOCK_OPTIONS
from ansible_collections.atena.aws.plugins.module_utils.rotation.plan import LABEL
from ansible_collections.atena.aws.plugins.module_utils.secrets import plan as ssm_secrets, store as parameter_store


def write(call: Caller, params: dict[str, Any], name: str, value: str, action: str, kept: parameter_store.Kept | None = None) -> None:
    if action == "update":
        # A value that a person sets is what counts from now on. A rotation that died must not come back to the one from before it.
        for item in parameter_store.history(call, params["path"], name):
            if LABEL in item["labels"]:
                parameter_store.unlabel(call, params["path"], name, item["version"], LABEL)
        parameter_store.update(call, params["path"], name, value, kept)
    else:
        parameter_store.create(call, params["path"], name, value, params["description"], params["tags"])


def older(call: Caller, params: dict[str, Any], planned: list[tuple[str, str, str]]) -> dict[str, tuple[int, int]]:
    """{name: (version that had the given value, newest version)} of those that nobody named and that were changed since."""
    found = {}
    for name, value, action in planned:
        if action == "update" and params["named"] is not None and name not in params["named"]:
            history = parameter_store.history(call, params["path"], name)
            version = ssm_secrets.superseded(history, value, params["placeholder"])
            if version is not None:
                found[name] = (version, history[-1]["version"])
    return found


def difference(name: str, current: dict[str, dict[str, Any]], action: str, params: dict[str, Any]) -> dict[str, str]:
    if name not in current:
        before = "absent"
    else:
        before = "set" if ssm_secrets.is_set(current[name], params["placeholder"]) else "not set"
    after = "set" if name in params["values"] else "not set"
    return {"before": f"{name}: {before}\n", "after": f"{name}: {after}{' (another value)' if before == after else ''}\n"}


def work(module: Module, call: Caller) -> dict[str, Any]:
    params = module.params
    path, names, values, placeholder = params["path"], params["names"], params["values"], params["placeholder"]
    problems = ssm_secrets.findings(names, values, placeholder)
    current = parameter_store.read_all(call, path, names)
    missing = ssm_secrets.missing(names, current, values, placeholder)
    advice = ""
    if params["require_all"] and missing:
        problems += [f"{name} is not set yet, and no value was given" for name in missing]
        advice = f" {params['advice']}"
    if problems:
        raise CallFailed(f"No secret was written: {'; '.join(problems)}.{advice}".rstrip())
    planned = ssm_secrets.writes(names, current, values, placeholder, params["create_placeholders"])
    left = older(call, params, planned)
    planned = [write for write in planned if write[0] not in left]
    result: dict[str, Any] = {"changed": bool(planned), "missing": missing, "left": list(left)}
    if module._diff:
        result["diff"] = [difference(name, current, action, params) for name, _value, action in planned]
    if planned and not module.check_mode:
        kept = parameter_store.kept(call, [f"{path}/{name}" for name, _value, action in planned if action == "update"])
        with holding(call, params["lock"]):
            for name, value, action in planned:
                write(call, params, name, value, action, kept.get(f"{path}/{name}"))
        current = parameter_store.read_all(call, path, names)
    result["secrets"] = ssm_secrets.report(names, current, planned, placeholder)
    told_of = [ssm_secrets.left_line(name, *versions) for name, versions in left.items()]
    for line in told_of:
        module.warn(line)
    result["lines"] = ssm_secrets.lines(result["secrets"], module.check_mode) + told_of
    return result


def main() -> None:
    module = AwsModule(
        argument_spec={
            "path": {"type": "str", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "values": {"type": "dict", "default": {}, "no_log": True},
            "named": {"type": "list", "elements": "str"},
            "placeholder": {"type": "str", "default": "CHANGE_ME"},
            "create_placeholders": {"type": "bool", "default": False},
            "require_all": {"type": "bool", "default": False},
            "advice": {"type": "str", "default": ""},
            "description": {"type": "str", "default": ""},
            "tags": {"type": "dict", "default": {}},
            "lock": LOCK_OPTIONS,
        },
        supports_check_mode=True,
    )
    try:
        result = work(module, Caller(module))
    except CallFailed as error:
        module.fail_json(**told(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
