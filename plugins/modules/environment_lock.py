#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: environment_lock
version_added: 0.1.0
short_description: Acquire, release or force the lock on everything that writes to an environment
description:
  - The lock is one item in the DynamoDB table that the bootstrap made. It is changed by conditional writes only, so that of any number of
    runs that try at the same time one gets it. It names its holder, host and reason, and expires unless it is renewed.
  - Nothing runs in the background. Modules that write (option C(lock)) verify that they hold the lock and renew it while they write; the
    expiry covers the gaps between them. The lock of an interrupted run is taken over once it expired, with a warning that names its owner.
  - Time is DynamoDB's own, so that machines whose clocks differ agree on what has expired.
  - "The gap it closes: neither amazon.aws nor community.aws has a lock, and Terraform's own covers Terraform alone."
author:
  - The atena.aws founders (@atena)
options:
  table:
    description: The table. Its key is the string C(LockID); Terraform's state locks may live in it too.
    type: str
    required: true
  name:
    description: The environment's name.
    type: str
    required: true
  state:
    description:
      - V(held) takes it, or renews it if O(token) holds it already. Fails, naming the holder, if another one has it and does not release it within O(wait).
      - V(released) releases it, if O(token) still holds it; otherwise it does nothing.
      - V(forced) forces its release from whoever holds it. For a run that is certainly dead - one that lives notices, and stops before it writes more.
    type: str
    choices: [held, released, forced]
    default: held
  token:
    description: What proves the lock, from an earlier run of this module. Needed for O(state=released). Unset makes a new one.
    type: str
  reason:
    description: What it is taken for, one word; shown to those who wait.
    type: str
    default: ansible
  operator:
    description: Who takes it. Unset means the caller's ARN.
    type: str
  wait:
    description: Seconds to wait for somebody else's lock.
    type: int
    default: 0
  expires_in:
    description: Seconds until a lock that nobody renews expires; 5 at the least.
    type: int
    default: 300
  table_may_be_absent:
    description: Where there is no such table yet, do without a lock instead of failing. For what makes the table.
    type: bool
    default: false
extends_documentation_fragment:
  - atena.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: It is not taken. A lock that another one holds fails at once, as it would without O(wait).
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Acquire the lock, waiting a quarter of an hour for another run
  atena.aws.environment_lock:
    table: atena-terraform-locks
    name: atena-prod
    reason: infra
    wait: 900
  register: taken

- name: Write under it
  atena.aws.terraform_apply:
    project_path: /home/ana/.local/state/atena/atena-prod/infra
    lock: "{{ taken.lock }}"

- name: Release the lock
  atena.aws.environment_lock:
    table: atena-terraform-locks
    name: atena-prod
    state: released
    token: "{{ taken.lock.token }}"
"""

RETURN = r"""
changed:
  description: Whether the lock was acquired, released or forcibly released; in check mode, would be. A renewal is no change.
  returned: always
  type: bool
lock:
  description: What the option C(lock) of other modules takes. Null if there is no table, and in check mode.
  returned: when O(state=held)
  type: dict
  sample: {table: atena-terraform-locks, name: atena-prod, token: 7c9e6679-7425-40de-944b-e07fc1f90ae7, expires_in: 300}
taken_over:
  description: Whose expired lock was taken over, as in RV(holder); null if it was free.
  returned: when O(state=held)
  type: dict
holder:
  description:
    - Who held it before - for O(state=forced) who lost it, for O(state=released) whose it is if it is no longer O(token)'s. When it could not
      be taken, who has it. Null for nobody.
  returned: when O(state=released) or O(state=forced), and on failure because it is taken
  type: dict
  contains:
    name:
      description: The environment.
      type: str
    owner:
      description: Who took it, an ARN.
      type: str
    host:
      description: User and machine it was taken on.
      type: str
    reason:
      description: What it was taken for.
      type: str
    acquired_at:
      description: Since when, ISO 8601.
      type: str
    heartbeat_at:
      description: When it was last renewed, ISO 8601.
      type: str
    expires_at:
      description: When it expires unless it is renewed, ISO 8601.
      type: str
says:
  description: What happened also, for people.
  returned: success
  type: list
  elements: str
  sample: ["Waiting up to 900 s for the lock of atena-prod, held by arn:aws:iam::123456789012:user/ana on ana@desk ('deploy', since 2026-01-31T12:00:00Z)."]
"""

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.environment import lock as locks


def hold(module: Module, call: Caller, lock: locks.Lock) -> dict[str, Any]:
    params = module.params
    if module.check_mode:
        found = lock.read()
        mine = found is not None and found.token == lock.token
        if found is not None and not mine and not locks.expired(found, lock.now):
            raise locks.LockTaken(locks.taken_text(found, lock.now), locks.public(found))
        return {"changed": not mine, "lock": None, "taken_over": None if mine else locks.public(found), "says": []}
    says: list[str] = []
    operator = params["operator"] or call("sts", "get_caller_identity", "read the caller's identity from STS")["Arn"]
    taken = lock.acquire(params["reason"], operator, params["wait"], says.append)
    if taken["taken_over"]:
        module.warn(says[-1])
    return {
        "changed": taken["acquired"],
        "lock": {"table": lock.table, "name": lock.name, "token": lock.token, "expires_in": lock.expires_in},
        "taken_over": taken["taken_over"],
        "says": says,
    }


def release(module: Module, lock: locks.Lock) -> dict[str, Any]:
    if not module.check_mode and lock.release():
        return {"changed": True, "holder": None, "says": []}
    found = lock.read()
    mine = found is not None and found.token == lock.token
    return {"changed": mine, "holder": None if mine else locks.public(found), "says": []}


def force(module: Module, lock: locks.Lock) -> dict[str, Any]:
    found = lock.read() if module.check_mode else lock.force_release()
    says = [f"{'Would take' if module.check_mode else 'Took'} the lock of {lock.name} away from {locks.whose(found)}."] if found else []
    return {"changed": found is not None, "holder": locks.public(found), "says": says}


def work(module: Module, call: Caller) -> dict[str, Any]:
    params = module.params
    lock = locks.Lock(call, params["table"], params["name"], params["token"], params["expires_in"])
    try:
        if params["state"] == "held":
            return hold(module, call, lock)
        return release(module, lock) if params["state"] == "released" else force(module, lock)
    except NotFound:
        if params["table_may_be_absent"]:
            nothing = {"lock": None, "taken_over": None} if params["state"] == "held" else {"holder": None}
            return {"changed": False, "says": [f"There is no table {lock.table} yet, so there is no lock."], **nothing}
        raise


def main() -> None:
    module = AwsModule(
        argument_spec={
            "table": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["held", "released", "forced"], "default": "held"},
            "token": {"type": "str", "no_log": False},
            "reason": {"type": "str", "default": "ansible"},
            "operator": {"type": "str"},
            "wait": {"type": "int", "default": 0},
            "expires_in": {"type": "int", "default": locks.DEFAULT_EXPIRY},
            "table_may_be_absent": {"type": "bool", "default": False},
        },
        required_if=[("state", "released", ["token"])],
        supports_check_mode=True,
    )
    if module.params["expires_in"] < locks.SHORTEST_EXPIRY:
        module.fail_json(msg=f"expires_in is {module.params['expires_in']} s; a lock must last {locks.SHORTEST_EXPIRY} s at the least.")
    try:
        result = work(module, Caller(module))
    except locks.LockTaken as taken:
        module.fail_json(msg=str(taken), holder=taken.holder)
    except CallFailed as error:
        module.fail_json(**told(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
