#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: elasticache_restore
version_added: 0.1.0
short_description: Restore a Redis OSS or Valkey cluster of ElastiCache from a snapshot
description:
  - Makes a cache cluster or a replication group from a snapshot, with the parameters that were recorded or are given, waits until it is available, compares
    it with them and returns where it is reached. It fails if anything is not as recorded.
  - A cache that is there is left as it is - its parameters are compared with O(parameters), and nothing else is done. It is replaced only if O(replace) names
    it, and deleted only when a snapshot is sufficient proof that it can be recreated (available, whole, of this very cache, and with the same metadata).
  - What ElastiCache would refuse is reported before anything is changed - an older version, Valkey as a cluster, a group in cluster mode as a single node, data
    tiering without r6gd nodes, a missing AUTH token.
  - A restore that failed (V(create-failed), V(restore-failed)) is reported with ElastiCache's reason, and cleared away by the next run. A snapshot is never
    deleted by this module.
  - "The gap it closes: no module restores ElastiCache. M(community.aws.elasticache) knows neither snapshots nor replication groups, waits without end, and
    deletes without a snapshot."
author:
  - The atena.aws founders (@atena)
options:
  name:
    description: The cache cluster or replication group that is to be there.
    type: str
    required: true
  state:
    description:
      - V(present) restores it.
      - V(absent) deletes it, if the snapshot O(snapshot) shows that it can be recreated. One that never came up can go without.
    type: str
    choices: [present, absent]
    default: present
  snapshot:
    description:
      - The snapshot to restore. Unset means the newest of O(source); one that is still being taken is waited for.
      - For O(state=absent), the snapshot that is sufficient proof that O(name) can be recreated.
    type: str
  source:
    description:
      - Whose newest snapshot is taken, when O(snapshot) is unset. Unset means O(parameters.id), or O(name) without.
    type: str
  auth_token:
    description: The AUTH token of a cache that is made. Never recorded, and never shown.
    type: str
  replace:
    description:
      - Replaces a living cache. Must be equal to O(name), so that it cannot be meant by mistake.
      - A snapshot of it is taken first and verified; then it is deleted, and recreated. Each run with this option does so.
    type: str
  wait:
    description: Wait until it is available. Without, its parameters are not compared. A deletion is waited for in any case.
    type: bool
    default: true
  wait_timeout:
    description: Seconds until the module fails, for each of the stages - a snapshot, the deletion, the restore.
    type: int
    default: 3600
  wait_delay:
    description: Longest pause between two looks, in seconds. The first are shorter.
    type: int
    default: 15
extends_documentation_fragment:
  - atena.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
  - atena.aws.lock
  - atena.aws.redis_parameters
  - atena.aws.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Restore Redis from its newest snapshot, as it was
  atena.aws.elasticache_restore:
    name: atena-prod-redis
    parameters: "{{ lookup('ansible.builtin.file', 'redis.json') | from_json }}"
  register: redis

- name: Restore an older state into a second cluster
  atena.aws.elasticache_restore:
    name: atena-prod-redis-look
    snapshot: atena-prod-redis-20260131-1900
    parameters:
      security_group_ids: [sg-0a1b2c3d]

- name: Snapshot the second one, which shows that it can be recreated
  atena.aws.elasticache_snapshot:
    source: atena-prod-redis-look
    name: atena-prod-redis-look-last

- name: Delete it
  atena.aws.elasticache_restore:
    name: atena-prod-redis-look
    state: absent
    snapshot: atena-prod-redis-look-last
"""

RETURN = r"""
cache:
  description: The cache, as M(atena.aws.elasticache_snapshot) returns it. Null if there is none, and in check mode if it would be made.
  returned: success, and on failure if it was made but is not as recorded
  type: dict
  contains:
    id:
      description: Its identifier.
      type: str
    kind:
      description: C(cluster) or C(replication_group).
      type: str
    status:
      description: Its status.
      type: str
    address:
      description: Where it is reached; empty until it is available.
      type: str
    port:
      description: Its port; null until it has one.
      type: int
    arn:
      description: Its ARN.
      type: str
    created_at:
      description: When it was made, ISO 8601.
      type: str
    nodes:
      description: The nodes of a group.
      type: list
      elements: str
    primary:
      description: The node with the freshest data.
      type: str
    member_of:
      description: The group that a cluster is a node of, else empty.
      type: str
    global_datastore:
      description: The global datastore that a group belongs to, else empty.
      type: str
    parameters:
      description: What it is made of, as O(parameters).
      type: dict
address:
  description: Where it is reached; empty if it is not (yet).
  returned: success
  type: str
  sample: atena-prod-redis.abc123.0001.use1.cache.amazonaws.com
port:
  description: Its port; null if there is none (yet).
  returned: success
  type: int
snapshot:
  description: The snapshot that it was made from, or in check mode would be; the one that a deletion relied on. Empty if nothing was restored or deleted.
  returned: success
  type: str
taken:
  description: The snapshot that was taken of a cache before it was replaced; empty if none was.
  returned: success
  type: str
unknown:
  description: Parameters of which neither O(parameters) nor the snapshot says anything, so that ElastiCache's defaults hold. A warning names them, too.
  returned: success
  type: list
  elements: str
  sample: [security_group_ids, tags]
differences:
  description: What is not as recorded, in words.
  returned: failure because of it
  type: list
  elements: str
"""

import datetime
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import interruptible, Interrupted
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Guard, Module
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import holding, LOCK_OPTIONS
from ansible_collections.atena.aws.plugins.module_utils.redis import (
    parameters as redis_parameters,
    read as redis_read,
    restore as redis_restore,
    snapshot as redis_snapshot,
)
from ansible_collections.atena.aws.plugins.module_utils.redis.read import Patience


class Run:
    """One run of the module. `result` is what it returns, also when it fails."""

    def __init__(self, module: Module, progress: Progress) -> None:
        self._say = progress.say if progress.heard else None
        self.params, self.check, self.name = module.params, module.check_mode, module.params["name"]
        self.call = redis_read.Witness(module)
        self.given = {name: value for name, value in (self.params["parameters"] or {}).items() if value is not None}
        self.result: dict[str, Any] = {"changed": False, "cache": None, "address": "", "port": None, "snapshot": "", "taken": "", "unknown": []}
        if self.params["auth_token"] is not None:
            self.given["auth"] = True

    def _patience(self, guard: Guard | None = None) -> Patience:
        return Patience(self.params["wait_timeout"], self.params["wait_delay"], self._say, guard)

    def present(self) -> None:
        cache = redis_read.find(self.call, self.name)
        # What never came up, or is going, is as good as gone.
        if cache is not None and (cache["status"] in redis_read.STILLBORN or redis_read.standing(cache["status"]) == redis_read.LEAVING):
            cache = None
        if cache is not None and not self.params["replace"]:
            if not self.check and self.params["wait"]:
                cache = redis_restore.await_available(self.call, self.name, self._patience())
            return self._compare(cache, self.given)
        snapshot = self._snapshot()
        parameters, self.result["unknown"] = redis_parameters.effective(snapshot, self.given)
        problems = redis_parameters.refusals(parameters, snapshot, self.name, self.params["auth_token"])
        problems += redis_snapshot.refusals(cache) if cache is not None else []
        if problems:
            raise CallFailed(f"{self.name} was not restored from {snapshot['name']}: {' '.join(problems)} Nothing was changed.")
        self.result.update(snapshot=snapshot["name"], changed=True)
        self.result["diff"] = {"before": cache["parameters"] if cache is not None else {}, "after": {**parameters, "id": self.name}}
        if self.check:
            return self._tell(cache)
        with holding(self.call, self.params["lock"]) as lock:
            if cache is not None:
                self._make_room(cache, lock.check)
            named = {"identifier": self.name, "auth_token": self.params["auth_token"]}
            cache = redis_restore.restore(self.call, parameters, snapshot["name"], self._patience(lock.check), **named, wait=self.params["wait"])
        return self._compare(cache, parameters)

    def _snapshot(self) -> dict[str, Any]:
        if self.params["snapshot"]:
            named = redis_snapshot.read(self.call, self.params["snapshot"])
            if named is None or named["status"] in redis_snapshot.GONE:
                but = f": {named['name']} is {named['status']}" if named else f" {self.params['snapshot']}"
                raise CallFailed(f"There is no snapshot{but}. Nothing was changed.")
            return named
        source = self.params["source"] or self.given.get("id") or self.name
        found = redis_snapshot.list_snapshots(self.call, source)
        # One that is still being taken is the newest, and is waited for: an older one in its place would lose data quietly.
        usable = [told for told in found if told["status"] not in redis_snapshot.GONE]
        if not usable:
            others = f" (there are {', '.join(told['name'] + ': ' + told['status'] for told in found)})" if found else ""
            raise CallFailed(f"There is no snapshot of {source} to restore{others}. Nothing was changed.")
        return usable[0]

    def _make_room(self, cache: dict[str, Any], guard: Guard) -> None:
        """Deletes a living cache, whose own state is in a verified snapshot then."""
        self.result["taken"] = f"{self.name}-replaced-{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}"
        taken = redis_snapshot.create(self.call, cache, self.result["taken"], self._patience(guard))
        redis_restore.delete(self.call, cache, taken, self._patience(guard))

    def absent(self) -> None:
        cache = redis_read.find(self.call, self.name)
        if cache is None:
            return
        snapshot = redis_snapshot.read(self.call, self.params["snapshot"], cache) if self.params["snapshot"] else None
        if redis_read.standing(cache["status"]) != redis_read.LEAVING:
            problems = [] if cache["status"] in redis_read.STILLBORN else redis_snapshot.problems(snapshot, cache)
            if problems:
                raise CallFailed(f"{self.name} was not deleted: {'; '.join(problems)}.")
            self.result.update(changed=True, snapshot=snapshot["name"] if snapshot else "", diff={"before": cache["parameters"], "after": {}})
        if self.check:
            return self._tell(cache)
        with holding(self.call, self.params["lock"]) as lock:
            redis_restore.delete(self.call, cache, snapshot, self._patience(lock.check))

    def _compare(self, cache: dict[str, Any], parameters: dict[str, Any]) -> None:
        self._tell(cache)
        if redis_read.standing(cache["status"]) == redis_read.READY:
            self.result["differences"] = redis_parameters.differences(cache, parameters)
        if self.result.get("differences"):
            made = f"was restored from {self.result['snapshot']}, but is" if self.result["snapshot"] else "is there and was left as it is, but it is"
            raise CallFailed(f"{self.name} {made} not as recorded: {'; '.join(self.result['differences'])}.")
        self.result.pop("differences", None)

    def _tell(self, cache: dict[str, Any] | None) -> None:
        self.result.update(cache=cache, address=cache["address"] if cache else "", port=cache["port"] if cache else None)


def main() -> None:
    module = AwsModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "snapshot": {"type": "str"},
            "source": {"type": "str"},
            "parameters": redis_parameters.OPTIONS,
            "auth_token": {"type": "str", "no_log": True},
            "replace": {"type": "str"},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 3600},
            "wait_delay": {"type": "int", "default": 15},
            "lock": LOCK_OPTIONS,
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    name, replace = module.params["name"], module.params["replace"]
    if replace and replace != name:
        module.fail_json(msg=f"replace is '{replace}' and name is '{name}': they must be equal, for the living cache to be replaced. Nothing was changed.")
    progress = Progress(module.params["progress_file"])
    run = Run(module, progress)
    try:
        with interruptible():
            getattr(run, module.params["state"])()
    except CallFailed as failed:
        module.fail_json(**told(failed), **{**run.result, "changed": run.call.wrote})
    except Interrupted as interrupted:
        left = f"{interrupted} What ElastiCache was asked to do continues. Run this again."
        progress.say(left)
        module.fail_json(msg=left, **{**run.result, "changed": run.call.wrote})
    if run.result["unknown"]:
        module.warn(f"Nothing is known of {', '.join(run.result['unknown'])} of {name}: ElastiCache's defaults hold. Give them in `parameters`.")
    module.exit_json(**run.result)


if __name__ == "__main__":
    main()
