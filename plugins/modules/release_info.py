#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: release_info
version_added: 0.1.0
short_description: List the recorded releases and the one that runs
description:
  - Reads the ledger of releases, one JSON object each in the state bucket, newest first.
  - Which one runs is judged by what the ECS services run now, and not by which record is the newest - a release that failed and was rolled back runs no longer.
  - "The gap it closes: ECS knows task definition revisions, but not which of several services belong to one release, whether it succeeded,
    who did it, or whether a migration ran."
author:
  - The atena.aws founders (@atena)
options:
  bucket:
    description: The state bucket.
    type: str
    required: true
  prefix:
    description: What the records' keys begin with.
    type: str
    required: true
  count:
    description: How many of the newest are read.
    type: int
    default: 50
  cluster:
    description: The ECS cluster, to determine which release runs. Unset, or where it has none of the services, none is marked.
    type: str
  reference:
    description:
      - An id, a commit, or the beginning of one of at least 7 characters. Fails, listing what there is, if it is unknown or names several commits.
    type: str
  repositories:
    description:
      - ECR repositories of the caller's own registry, whose images with a tag C(sha-<commit>) count in addition to the ledger, so that O(reference) may be a
        commit that was built and never released. A commit that is given in full is then taken at its word.
    type: list
    elements: str
    default: []
  migration_source:
    description: Where the application's repository has its migrations, as RV(obstacle) names it.
    type: str
    default: ""
extends_documentation_fragment:
  - atena.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: List the last releases
  atena.aws.release_info:
    bucket: atena-terraform-state-123456789012
    prefix: atena/prod/releases/
    cluster: atena-prod-cluster
    count: 5

- name: Read one release, and the migrations since
  atena.aws.release_info:
    bucket: atena-terraform-state-123456789012
    prefix: atena/prod/releases/
    reference: 3f2a91c

- name: Look which commit is meant of those that are built
  atena.aws.release_info:
    bucket: atena-terraform-state-123456789012
    prefix: atena/prod/releases/
    reference: 3f2a91c
    repositories: [atena-prod-api, atena-prod-workers]
"""

RETURN = r"""
releases:
  description: The newest records, newest first.
  returned: success
  type: list
  elements: dict
  contains: &record
    format:
      description: The record's format.
      type: int
    id:
      description: Its name; sorts by time.
      type: str
      sample: 20260131T120000Z-3f2a91c0d4e5-9b1c
    environment:
      description: The environment's name.
      type: str
    release:
      description: The commit.
      type: str
    kind:
      description: C(deploy), C(rollback) or another verb.
      type: str
    outcome:
      description: C(running), C(succeeded), C(failed) or C(interrupted).
      type: str
    step:
      description: How far it came - C(prepared), C(migrating), C(migrated), C(rolling_out), C(reverting) or C(done).
      type: str
    reason:
      description: Why it failed; empty otherwise.
      type: str
    operator:
      description: Who did it, an ARN.
      type: str
    host:
      description: User and machine it was done on.
      type: str
    started_at:
      description: When, ISO 8601.
      type: str
    ended_at:
      description: When it ended, ISO 8601; empty if it has not.
      type: str
    images:
      description: The image of each service, by digest.
      type: dict
    services:
      description: The services, as C(name), C(task_definition), C(desired_count) and C(previous), which is what they roll back to.
      type: list
      elements: dict
    migration:
      description: C(outcome), C(task_arn), C(exit_code) and C(duration_seconds) of the database migration.
      type: dict
    schema:
      description: Git's hash of the migrations of that commit; empty if unknown.
      type: str
    build:
      description: >-
        What the images were built from, as C(from) (C(commit), C(working_tree), empty if it is not known) and C(include), the files of the working tree that
        were added to the commit's. Records of earlier versions lack it.
      type: dict
    secrets:
      description: The version of each secret.
      type: dict
    reverted:
      description: Services that were rolled back.
      type: list
      elements: str
    not_reverted:
      description: Services that should have been rolled back and were not.
      type: list
      elements: str
    evidence:
      description: Key of the diagnosis in the bucket; empty if there is none.
      type: str
    running:
      description: Whether this is what runs.
      type: bool
running:
  description: Id of the release that runs; empty if none of those read does, or O(cluster) is unset.
  returned: success
  type: str
previous:
  description: Id of the release before the running one, to which a rollback goes; empty if there is none.
  returned: success
  type: str
interrupted:
  description: Id of a release that has begun and not ended - one that is in progress, or whose run was interrupted; empty if there is none.
  returned: success
  type: str
lines:
  description: The list for people; C(*) marks what runs.
  returned: success
  type: list
  elements: str
commit:
  description: The commit that O(reference) names, in full.
  returned: when O(reference) is set
  type: str
release:
  description: The record that O(reference) names, like those in RV(releases) but for C(running).
  returned: when O(reference) is set, and names a recorded release
  type: dict
migrated_since:
  description: Ids of the releases after RV(release) whose migrations may have changed the schema that its code knows.
  returned: when O(reference) is set, and names a recorded release
  type: list
  elements: str
migrations_unknown:
  description: Those of RV(migrated_since) of which it is not known, since which migrations they or RV(release) had is not recorded.
  returned: when O(reference) is set, and names a recorded release
  type: list
  elements: str
obstacle:
  description: Why rolling back to RV(release) has to be asked for, in words; empty if nothing is in the way, or if it is what runs.
  returned: when O(reference) is set, and names a recorded release
  type: str
"""

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import running_task_definitions
from ansible_collections.atena.aws.plugins.module_utils.environment import ledger as ledgers
from ansible_collections.atena.aws.plugins.module_utils.release import reference


def name_of(record: ledgers.ReleaseRecord | None) -> str:
    return record.id if record else ""


def work(module: Module, call: Caller) -> dict[str, Any]:
    params = module.params
    ledger = ledgers.Ledger(call, params["bucket"], params["prefix"])
    records = ledger.recent(params["count"])
    names = sorted({service.name for record in records for service in record.services})
    running = running_task_definitions(call, params["cluster"], names) if params["cluster"] and names else {}
    current = ledgers.running_of(records, running)
    result: dict[str, Any] = {
        "changed": False,
        "releases": [{**record.as_dict(), "running": record is current} for record in records],
        "running": name_of(current),
        "previous": name_of(ledgers.previous_good(records, current) if current else None),
        "interrupted": name_of(ledgers.interrupted(records)),
        "lines": ledgers.lines(records, current),
    }
    if params["reference"]:
        result.update(looked_up(call, ledger, records, params, result["running"]))
    return result


def looked_up(call: Caller, ledger: ledgers.Ledger, records: list[ledgers.ReleaseRecord], params: dict[str, Any], running: str) -> dict[str, Any]:
    """What is returned of the release that is asked for."""
    wanted = params["reference"]
    if params["repositories"]:
        wanted = reference.whole(call, ledger, [("", name) for name in params["repositories"]], wanted)
        if not ledger.named(wanted):
            return {"commit": wanted}
    record = ledger.find(wanted)
    return {
        "commit": record.release,
        "release": record.as_dict(),
        "migrated_since": [later.id for later in ledgers.migrated_since(records, record)],
        "migrations_unknown": [later.id for later in ledgers.migrations_unknown(records, record)],
        "obstacle": "" if running == record.id else ledgers.obstacle(records, record, params["migration_source"]),
    }


def main() -> None:
    module = AwsModule(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "prefix": {"type": "str", "required": True},
            "count": {"type": "int", "default": 50},
            "cluster": {"type": "str"},
            "reference": {"type": "str"},
            "repositories": {"type": "list", "elements": "str", "default": []},
            "migration_source": {"type": "str", "default": ""},
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
