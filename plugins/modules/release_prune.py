#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: release_prune
version_added: 0.1.0
short_description: Delete old task definition revisions and images that no release needs
description:
  - Deregisters revisions of the services' task definition families, and deletes images of their ECR repositories, that are both older than
    O(min_age_days) and not among the newest O(keep_newest).
  - It never takes what a service or a task of the cluster has, what the last O(kept_releases) recorded releases have, what an unfinished release
    may return to, a template, an image with a tag that begins with C(kept-), or an image that a remaining revision needs. The images inside a
    multi-platform image stay and go with it. What cannot be judged stays.
  - A deregistered revision can still be read, and what runs from it runs on. A deleted image does not come back.
  - "The gap it closes: M(community.aws.ecs_taskdefinition) deregisters one revision that is named, M(community.aws.ecs_ecr) deletes no image, and
    ECR's own lifecycle rules know neither what runs nor what may be gone back to."
author:
  - The atena.aws founders (@atena)
options:
  name:
    description: The environment, such as C(atena-prod).
    type: str
    required: true
  cluster:
    description: The ECS cluster; C(<name>-cluster) if unset.
    type: str
  services:
    description: The services as the environment names them. C(<name>-<service>) is the service's family and its repository.
    type: list
    elements: str
    required: true
  kept_releases:
    description: How many of the last commits that were released stay ready to return to.
    type: int
    default: 10
  keep_newest:
    description: How many of the newest revisions of each family, and images of each repository, stay in any case; 1 at the least.
    type: int
    default: 10
  min_age_days:
    description: How old a revision or image is at the least when it goes.
    type: int
    default: 30
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.ledger
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
  - atena.aws.lock
attributes:
  check_mode:
    support: full
    details: Judges the same and deletes nothing.
  diff_mode:
    support: full
    details: Names every revision and image.
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Show what a prune would delete
  atena.aws.release_prune:
    name: atena-prod
    services: [api, workers]
    ledger: {bucket: atena-terraform-state-123456789012, prefix: atena/prod/releases/}
  check_mode: true
  diff: true

- name: Keep twenty releases and two months
  atena.aws.release_prune:
    name: atena-prod
    services: [api, workers]
    ledger: {bucket: atena-terraform-state-123456789012, prefix: atena/prod/releases/}
    kept_releases: 20
    keep_newest: 20
    min_age_days: 60
"""

RETURN = r"""
task_definitions:
  description: The revisions that were deregistered (in check mode, would be).
  returned: success
  type: list
  elements: dict
  contains:
    task_definition:
      description: Its ARN.
      type: str
    family:
      description: Its family.
      type: str
    revision:
      description: Its number.
      type: int
    release:
      description: The commit that it was registered for; empty if its tags do not show it.
      type: str
    registered_at:
      description: When, ISO 8601.
      type: str
    age_days:
      description: Its age in whole days.
      type: int
images:
  description: The images that were deleted (in check mode, would be).
  returned: success
  type: list
  elements: dict
  contains:
    repository:
      description: Its repository.
      type: str
    digest:
      description: Its digest.
      type: str
    tags:
      description: Its tags.
      type: list
      elements: str
    pushed_at:
      description: When it was pushed, ISO 8601.
      type: str
    age_days:
      description: Its age in whole days.
      type: int
    size_bytes:
      description: Its size; layers that images share are counted with each.
      type: int
    part:
      description: Whether it is inside a multi-platform image.
      type: bool
kept:
  description: What stays, and why.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: C(<family>:<revision>) or C(<repository>@<digest>).
      type: str
    because:
      description: The first reason that was found.
      type: str
spared:
  description: A sentence for each image that ECR did not delete and that does no harm.
  returned: success
  type: list
  elements: str
lines:
  description: The same for people.
  returned: success
  type: list
  elements: str
"""

import datetime
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.environment.ledger import Ledger
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import holding, Lock, LOCK_OPTIONS, NoLock
from ansible_collections.atena.aws.plugins.module_utils.release import prune_plan, prune_read


def judge(call: Caller, params: dict[str, Any]) -> dict[str, Any]:
    facts = prune_read.gather(
        call,
        names=[f"{params['name']}-{service}" for service in params["services"]],
        cluster=params["cluster"] or resource_names.cluster(params["name"]),
        ledger=Ledger(call, params["ledger"]["bucket"], params["ledger"]["prefix"]),
        kept_releases=params["kept_releases"],
    )
    now = datetime.datetime.now(datetime.UTC)
    return prune_plan.plan(facts, prune_plan.Rules(params["keep_newest"], params["min_age_days"], now))


def take_away(call: Caller, planned: dict[str, Any], lock: Lock | NoLock, done: dict[str, Any]) -> list[str]:
    """Revisions first: as long as one is registered, its image is there. `done` grows, so that a failure can tell how far it came."""
    spared = []
    for entry in planned["task_definitions"]:
        lock.check()
        prune_read.deregister(call, entry)
        done["task_definitions"].append(entry)
    for repository in sorted({entry["repository"] for entry in planned["images"]}):
        lock.check()
        entries = [entry for entry in planned["images"] if entry["repository"] == repository]
        done["changed"] = True
        spared += prune_read.delete_images(call, repository, entries)
        done["images"].extend(entries)
    return spared


def main() -> None:
    module = AwsModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "cluster": {"type": "str"},
            "services": {"type": "list", "elements": "str", "required": True},
            "ledger": {
                "type": "dict",
                "required": True,
                "options": {"bucket": {"type": "str", "required": True}, "prefix": {"type": "str", "required": True}},
            },
            "kept_releases": {"type": "int", "default": 10},
            "keep_newest": {"type": "int", "default": 10},
            "min_age_days": {"type": "int", "default": 30},
            "lock": LOCK_OPTIONS,
        },
        supports_check_mode=True,
    )
    for option, least in (("kept_releases", 1), ("keep_newest", 1), ("min_age_days", 0)):
        if module.params[option] < least:
            module.fail_json(msg=f"{option} is {module.params[option]}; it must be {least} at the least. Nothing was deleted.")
    call = Caller(module)
    done = {"changed": False, "task_definitions": [], "images": []}
    try:
        with holding(call, module.params["lock"], module.check_mode) as lock:
            planned = judge(call, module.params)
            spared = [] if module.check_mode else take_away(call, planned, lock, done)
    except CallFailed as failed:
        changed = done["changed"] or bool(done["task_definitions"])
        module.fail_json(**told(failed), **{**done, "changed": changed})
    module.exit_json(
        changed=bool(planned["task_definitions"] or planned["images"]),
        diff=prune_plan.diff(planned),
        task_definitions=planned["task_definitions"],
        images=planned["images"],
        kept=[{"name": prune_plan.full_name(entry), "because": entry["because"]} for entry in planned["kept"]],
        spared=spared,
        lines=prune_plan.lines(planned, not module.check_mode),
    )


if __name__ == "__main__":
    main()
