#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: elasticache_snapshot
version_added: 0.1.0
short_description: Create, list, delete and prune snapshots of Redis OSS and Valkey in ElastiCache
description:
  - Takes a snapshot of a cache cluster or of a replication group and waits until it is available. What ElastiCache cannot snapshot is refused with the
    reason before anything is changed - Memcached, C(cache.t1.micro), a single node of a replication group, a cache that failed or is being deleted.
  - A cache that is busy (V(modifying), V(snapshotting), V(rebooting cluster nodes) …) is waited for. When the time is over, all stays as it is, and a
    snapshot that is being taken continues.
  - Of a replication group without cluster mode ElastiCache snapshots a node. The primary is taken, whose data are the freshest, and the snapshot gets
    the tag C(atena:source), by which it is found again when the group is gone.
  - "The gap it closes: M(community.aws.elasticache_snapshot) wants a cluster and a replication group at once, does not wait, has no check mode, cannot list
    or prune, and is content with a snapshot of another cluster if it has the name."
author:
  - The atena.aws founders (@atena)
options:
  source:
    description: The cache cluster or replication group.
    type: str
    required: true
  state:
    description:
      - V(present) takes the snapshot O(name), unless there is one of this name. One of another cache is a failure.
      - V(absent) deletes it. One of another cache is a failure.
      - V(listed) changes nothing.
      - V(pruned) deletes old ones, see O(keep).
    type: str
    choices: [present, absent, listed, pruned]
    default: present
  name:
    description: The snapshot's name - lower-case letters, digits and single hyphens, with a letter first. Needed for V(present) and V(absent).
    type: str
  tags:
    description: Tags of a snapshot that is taken.
    type: dict
    default: {}
  keep:
    description: How many are kept when O(state=pruned), the newest. Only available ones count, and only those that O(prefix) is for.
    type: int
  prefix:
    description: Only snapshots whose names start so are pruned; the others are somebody's own. Unset means O(source) and a hyphen.
    type: str
  protect:
    description: Names of snapshots that are never pruned.
    type: list
    elements: str
    default: []
  restored:
    description: The name of a snapshot that was restored, and so is known to be good. Then only older ones are pruned, and none if there is no such snapshot.
    type: str
  wait:
    description: Wait until the snapshot is available, or gone.
    type: bool
    default: true
  wait_timeout:
    description: Seconds until the module fails, for each snapshot.
    type: int
    default: 1800
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
- name: Snapshot Redis before it is deleted
  atena.aws.elasticache_snapshot:
    source: atena-prod-redis
    name: atena-prod-redis-20260131-1900
  register: taken

- name: Keep the record of what recreates it
  ansible.builtin.copy:
    content: "{{ taken.cache.parameters | to_nice_json }}"
    dest: redis.json
    mode: "0600"

- name: Keep the three newest of those that are older than one that was restored
  atena.aws.elasticache_snapshot:
    source: atena-prod-redis
    state: pruned
    keep: 3
    restored: atena-prod-redis-20260131-1900
"""

RETURN = r"""
snapshot:
  description:
    - The snapshot O(name) - C(name), C(status), C(source), C(node) (the node of a group that it was taken of), C(kind), C(created_at) (ISO 8601, empty until
      its data are taken), C(source_created_at), C(manual), C(size), C(arn), C(shards), C(incomplete), and what it keeps of its source, named as in
      RV(cache.parameters).
    - Null in check mode if there is none yet, and when it was deleted.
  returned: when O(state=present) or O(state=absent)
  type: dict
  sample: {name: atena-prod-redis-20260131-1900, status: available, source: atena-prod-redis, created_at: "2026-01-31T19:00:00Z", size: 6 MB}
snapshots:
  description: All snapshots of the cache, automatic ones too, newest first, each as RV(snapshot). In check mode as they are now.
  returned: when O(state=listed) or O(state=pruned)
  type: list
  elements: dict
pruned:
  description: Names of the snapshots that were deleted, oldest first; in check mode, would be.
  returned: when O(state=pruned)
  type: list
  elements: str
cache:
  description: The cache as it is; null if it does not exist (any more).
  returned: success
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
      description: When it was made, ISO 8601. Distinguishes it from a later one of the same name.
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
      description: All that recreates it, as M(atena.aws.elasticache_restore) takes it. An AUTH token is not in it; tags are null unless it is available.
      type: dict
"""

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import interruptible, Interrupted
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Guard, Module
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import holding, LOCK_OPTIONS
from ansible_collections.atena.aws.plugins.module_utils.redis import read as redis_read, snapshot as redis_snapshot
from ansible_collections.atena.aws.plugins.module_utils.redis.read import Patience


class Run:
    """One run of the module. `changed`: what it changes, or in check mode would."""

    def __init__(self, module: Module, progress: Progress) -> None:
        self._say = progress.say if progress.heard else None
        self.params, self.check = module.params, module.check_mode
        self.call, self.changed = redis_read.Witness(module), False
        self.diff: dict[str, str] | None = None
        self.cache: dict[str, Any] | None = None

    def _patience(self, guard: Guard | None = None) -> Patience:
        return Patience(self.params["wait_timeout"], self.params["wait_delay"], self._say, guard)

    def do(self) -> dict[str, Any]:
        self.cache = redis_read.find(self.call, self.params["source"])
        return getattr(self, self.params["state"])()

    def present(self) -> dict[str, Any]:
        name, cache = self.params["name"], self.cache
        found = redis_snapshot.read(self.call, name, cache)
        self._must_be_ours(found)
        problems = [redis_snapshot.name_problem(name)] if redis_snapshot.name_problem(name) else []
        if found is None:
            problems += redis_snapshot.refusals(cache) if cache else [f"There is no cache cluster or replication group {self.params['source']}."]
        elif found["status"] in redis_snapshot.GONE:
            problems.append(f"There is one already, which is {found['status']}. Delete it, or take another name.")
        if problems:
            raise CallFailed(f"The snapshot {name} was not taken: {' '.join(problems)} Nothing was changed.")
        if found is None:
            self.diff = {"before": "", "after": f"snapshot {name} of {self.params['source']}\n"}
        self.changed = found is None
        if self.check or cache is None or (found and found["status"] == "available"):
            return {"snapshot": found}
        with holding(self.call, self.params["lock"]) as lock:
            taken = redis_snapshot.create(*(self.call, cache, name, self._patience(lock.check)), tags=self.params["tags"], wait=self.params["wait"])
        if cache["parameters"]["tags"] is None:
            # It was busy before; what is recorded of it now should be whole.
            self.cache = redis_read.find(self.call, self.params["source"])
        return {"snapshot": taken}

    def absent(self) -> dict[str, Any]:
        found = redis_snapshot.read(self.call, self.params["name"], self.cache)
        self._must_be_ours(found)
        self.changed = found is not None and found["status"] != "deleting"
        if found is not None and self.changed:
            self.diff = {"before": f"snapshot {found['name']} of {found['source']}\n", "after": ""}
        if not self.check and found:
            self._delete([found["name"]])
        return {"snapshot": found if self.check else None}

    def listed(self) -> dict[str, Any]:
        return {"snapshots": redis_snapshot.list_snapshots(self.call, self.params["source"], self.cache)}

    def pruned(self) -> dict[str, Any]:
        params, before = self.params, self.listed()["snapshots"]
        prefix = params["prefix"] if params["prefix"] is not None else f"{params['source']}-"
        names = redis_snapshot.prune_plan(before, params["keep"], params["protect"], prefix, params["restored"])
        if names:
            self.diff = {"before": "".join(f"snapshot {name}\n" for name in names), "after": ""}
        if names and not self.check:
            self._delete(names)
        self.changed = bool(names)
        return {"pruned": names, "snapshots": before if self.check or not names else self.listed()["snapshots"]}

    def _delete(self, names: list[str]) -> None:
        with holding(self.call, self.params["lock"]) as lock:
            for name in names:
                redis_snapshot.delete(self.call, name, self._patience(lock.check), wait=self.params["wait"])

    def _must_be_ours(self, found: dict[str, Any] | None) -> None:
        source = self.params["source"]
        if found and found["source"] != source and not (self.cache and redis_snapshot.is_of(found, self.cache)):
            raise CallFailed(f"The snapshot {found['name']} is of {found['source']}, not of {source}. Nothing was changed.")


def main() -> None:
    module = AwsModule(
        argument_spec={
            "source": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "listed", "pruned"], "default": "present"},
            "name": {"type": "str"},
            "tags": {"type": "dict", "default": {}},
            "keep": {"type": "int"},
            "prefix": {"type": "str"},
            "protect": {"type": "list", "elements": "str", "default": []},
            "restored": {"type": "str"},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 1800},
            "wait_delay": {"type": "int", "default": 15},
            "lock": LOCK_OPTIONS,
            "progress_file": {"type": "path"},
        },
        required_if=[("state", "present", ["name"]), ("state", "absent", ["name"]), ("state", "pruned", ["keep"])],
        supports_check_mode=True,
    )
    if (module.params["keep"] or 0) < 0:
        module.fail_json(msg="keep is less than 0. Nothing was deleted.")
    progress = Progress(module.params["progress_file"])
    run = Run(module, progress)
    try:
        with interruptible():
            result = run.do()
    except CallFailed as failed:
        module.fail_json(**told(failed), changed=run.call.wrote)
    except Interrupted as interrupted:
        left = f"{interrupted} A snapshot that was asked to be created, or to go, does so in time. Run this again."
        progress.say(left)
        module.fail_json(msg=left, changed=run.call.wrote)
    module.exit_json(changed=run.changed, cache=run.cache, **({"diff": run.diff} if run.diff else {}), **result)


if __name__ == "__main__":
    main()
