#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_release
version_added: 0.1.0
short_description: Release all services of an environment together, or none
description:
  - Under the environment's lock - preflight, prepare a revision of each service, write it into the ledger, migrate from the new revision, update
    all services, wait for all, ask the application's health. On any failure every service is rolled back and confirmed stable,
    but for one that somebody else deployed meanwhile, which stays theirs; the release is then C(interrupted).
  - With O(rollback_to) it rolls all services back to an earlier release of the ledger in the same way, without a migration.
  - What already runs is only checked, without a writing call. A release whose run was killed is finished or rolled back by the next one.
  - "The gap it closes: M(community.aws.ecs_service) and M(community.aws.ecs_task) know one service or task, no order, no way back and no record."
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
  release:
    description:
      - The commit that is released. One of O(release) and O(rollback_to) is needed.
      - Where images in O(services) have the tag C(sha-<release>), it may be the beginning of a commit, of at least 7 digits, or a release's id. The commit
        that is meant is searched for in the ledger and among the tags of their repositories, and those images' tags follow it.
    type: str
  rollback_to:
    description: >-
      C(previous), or what names an earlier release that succeeded - its id, its commit, or the beginning of one, of at least 7 characters.
    type: str
  allow_over_migration:
    description: Whether to roll back although migrations ran since, which the old code may not understand.
    type: bool
    default: false
  services:
    description: The services, in the order of their updates.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The service.
        type: str
        required: true
      images:
        description: The image of each container; an ECR tag is pinned to the digest that it has now.
        type: dict
        default: {}
      initial_count:
        description: Desired count of a first release. Later releases leave the count alone.
        type: int
        default: 1
      stable_seconds:
        description:
          - How long the new tasks must stay up once all of them run and are healthy. A task that exits on its own within that time fails the release.
            It runs in parallel with the load balancer's wait, such as its deregistration delay, and does not add to it. 0 turns it off.
        type: int
        default: 60
      health_path:
        description: Where the application answers health checks. The preflight compares it with the target group's path. Unset, that is not checked.
        type: str
  migration:
    description: What runs from the new revision before any service changes. Unset, nothing does.
    type: dict
    suboptions:
      service:
        description: The service whose revision and network it runs with.
        type: str
        required: true
      container:
        description: The container.
        type: str
        required: true
      command:
        description: The command.
        type: list
        elements: str
        required: true
      timeout:
        description: Seconds after which it is stopped and has failed. As long it is searched for where RunTask's answer is lost, or ECS does not answer.
        type: int
        default: 900
      repeat_incomplete:
        description:
          - Whether it may run again after one that was stopped from outside on its way (stop code UserInitiated, SpotInterruption or
            TerminationNotice), which may have done part of its work. Without it such a release is refused.
        type: bool
        default: false
  schema:
    description: Which migrations the commit knows (the git object of their directory); shows a rollback whether it crosses one.
    type: str
    default: ""
  migration_source:
    description:
      - Where O(schema) was searched for, as messages name it. With it, a release is warned of whose O(schema) is empty and on no record, since no roll-back can
        be compared with it.
    type: str
    default: ""
  build:
    description: What the images were built from, as RV(atena.aws.ecr_image#module:origin) has it, for the record. Empty, the commit's earlier record is used.
    type: dict
    default: {}
    suboptions:
      from:
        description: V(commit) or V(working_tree); empty if it is not known.
        type: str
        choices: ['', commit, working_tree]
        default: ''
      include:
        description: Files of the working tree that were added to the commit's.
        type: list
        elements: str
        default: []
  preflight:
    description: What the preflight and the diagnosis check in addition to the services.
    type: dict
    default: {}
    suboptions:
      ssm_path:
        description: Path of the secrets.
        type: str
      placeholder:
        description: Value of a secret that nobody set.
        type: str
        default: CHANGE_ME
      database_id:
        description: The RDS instance.
        type: str
      redis_id:
        description: The ElastiCache cluster.
        type: str
      gates_bucket:
        description: Bucket of the object with the power and Redis gates.
        type: str
      gates_key:
        description: Its key.
        type: str
      journal_key:
        description: Key of the power journal in that bucket.
        type: str
      records:
        description: Where incomplete work is recorded; unset, it is not checked.
        type: dict
        suboptions:
          bucket: {description: The state bucket., type: str, required: true}
          journal_key: {description: Key of the power journal., type: str}
          restore_key: {description: Key of the record of a restore of the database., type: str}
          destroy_key: {description: Key of the record of a destroy and redeploy., type: str}
          rotations_key: {description: Key of the record of the rotations., type: str}
  evidence:
    description: Where a failed release's diagnosis is kept.
    type: dict
    default: {}
    suboptions:
      directory:
        description: A directory on the controller. Unset, none.
        type: path
      prefix:
        description: What the keys in the ledger's bucket begin with.
        type: str
        default: evidence/
      playbook_command:
        description: How its remedies name a playbook; C({playbook}) is replaced by its file name.
        type: str
        default: ansible-playbook {playbook}
  operator:
    description: Who releases; written into lock and ledger.
    type: str
    required: true
  tags:
    description: Tags of the registered revisions.
    type: dict
    default: {}
  kept_releases:
    description: How many of the last releases keep a protecting tag on their images.
    type: int
    default: 10
  wait_timeout:
    description: Seconds in which all services together must be stable.
    type: int
    default: 900
  wait_delay:
    description: Longest pause between two looks, in seconds.
    type: int
    default: 3
  log_lines:
    description: Log lines of each container to show of a task that failed.
    type: int
    default: 20
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.ca_bundles
  - atena.aws.ledger
  - atena.aws.own_lock
  - atena.aws.health
  - atena.aws.progress
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Lists which revisions it would register and roll out; the lock, the ledger and the preflight are left out.
  diff_mode:
    support: full
    details: Names each field in which the new revision differs from the running one.
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Release a commit whose images are in ECR
  atena.aws.ecs_release:
    name: atena-prod
    release: 3f1c2aa9d2f4c5b60718293a4b5c6d7e8f901234
    services:
      - name: atena-prod-api
        images:
          api: 123456789012.dkr.ecr.us-east-1.amazonaws.com/atena-prod-api:sha-3f1c2aa9d2f4c5b60718293a4b5c6d7e8f901234
      - name: atena-prod-workers
        images:
          workers: 123456789012.dkr.ecr.us-east-1.amazonaws.com/atena-prod-workers:sha-3f1c2aa9d2f4c5b60718293a4b5c6d7e8f901234
    migration:
      service: atena-prod-api
      container: api
      command: [node, packages/database/dist/migrate.js]
    health:
      path: /health
    ledger: {bucket: atena-terraform-state-123456789012, prefix: atena/prod/releases/}
    lock: {table: atena-terraform-locks, name: atena-prod}
    operator: arn:aws:iam::123456789012:user/ana
"""

RETURN = r"""
outcome:
  description: C(succeeded), C(nothing_to_do), C(predicted) (check mode), C(failed) or C(interrupted).
  returned: always
  type: str
release:
  description: The commit.
  returned: always
  type: str
release_id:
  description: The record in the ledger; empty if none was written.
  returned: always
  type: str
services:
  description: One entry for each service.
  returned: when the services could be read
  type: list
  elements: dict
  contains:
    name:
      description: The service.
      type: str
    task_definition:
      description: ARN of the revision that is released; C(<family>:next) for one that is not registered.
      type: str
    previous:
      description: ARN of what the service had before.
      type: str
    rollout_needed:
      description: Whether the service did not have it yet.
      type: bool
    registered:
      description: Whether it was (in check mode, would be) registered by this call.
      type: bool
    images:
      description: The image of each container.
      type: dict
    differences:
      description: The fields in which it differs from what the service had.
      type: list
      elements: str
    deployment_id:
      description: The ECS deployment that brought it; empty if none was started.
      type: str
would:
  description: What would be done, a line each.
  returned: in check mode
  type: list
  elements: str
would_migrate:
  description: Whether the migration would run.
  returned: in check mode
  type: bool
migration:
  description:
    - C(outcome) (C(succeeded), C(failed), or C(incomplete) of one that was stopped from outside), C(task_arn), C(exit_code), C(duration_seconds),
      C(reason) and C(logs) of the migration; null if none ran, or if the outcome is not known.
  returned: always
  type: dict
counts_kept:
  description:
    - Services with another count than O(services[].initial_count), which has an effect in the first release only, as C(name), C(count) and C(configured).
  returned: always
  type: list
  elements: dict
migrated_since:
  description: Ids of releases after the target that may have changed the schema.
  returned: when rolling back
  type: list
  elements: str
migrations_unknown:
  description: Those of RV(migrated_since) of which it is not known, since which migrations they or the target had is not recorded.
  returned: when rolling back
  type: list
  elements: str
preflight:
  description: The preflight's C(findings), and how many C(failed) and are C(warnings).
  returned: when it ran
  type: dict
health:
  description: C(healthy), C(status), C(content), C(attempts) and C(address) of the application's answer; null if it was not asked.
  returned: always
  type: dict
address:
  description: Where the application answers.
  returned: when it was asked
  type: str
failed_tasks:
  description: For each service that failed, its last tasks with C(reason), C(exit_codes) and C(log_tail).
  returned: when a rollout failed
  type: dict
reverted:
  description: Services that are back on what they had, and stable.
  returned: when a rollout failed
  type: list
  elements: str
not_reverted:
  description: Services that could not be confirmed stable on what they had, and those in RV(taken_over).
  returned: when a rollout failed
  type: list
  elements: str
taken_over:
  description: >-
    For each service that somebody else deployed meanwhile, and that was left to them, what took over - C(deployment_id), C(task_definition), and as
    far as it is known C(release) and C(registered_by), the principal that registered it.
  returned: when a rollout failed
  type: dict
evidence:
  description: The file with the diagnosis; empty if none was saved.
  returned: when a migration or a rollout failed
  type: str
code:
  description: The code of the first cause (RV(findings)); empty if none was found.
  returned: when a migration or a rollout failed
  type: str
findings:
  description: The first causes that the diagnosis found, as M(atena.aws.environment_diagnosis_info) returns findings, without the way back.
  returned: when a migration or a rollout failed
  type: list
  elements: dict
summary:
  description: The same for people.
  returned: success
  type: list
  elements: str
duration_seconds:
  description: How long it took.
  returned: when it was done or tried
  type: float
"""

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import Interrupted
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.release.arguments import ARGUMENTS
from ansible_collections.atena.aws.plugins.module_utils.release.run import Release, ReleaseFailed
from ansible_collections.atena.aws.plugins.module_utils.release.text import summary


def main() -> None:
    module = AwsModule(
        argument_spec=ARGUMENTS, required_one_of=[("release", "rollback_to")], mutually_exclusive=[("release", "rollback_to")], supports_check_mode=True
    )
    progress = Progress(module.params["progress_file"])
    release = Release(Caller(module), module.params, say=progress.say if progress.heard else None, check_mode=module.check_mode)
    problem: dict[str, Any] | None = None
    try:
        release.result = release.run()
    except ValueError as refused:
        problem = {"msg": f"Nothing was changed: {refused}."}
    except (ReleaseFailed, CallFailed, Interrupted) as failed:
        problem = told(failed)
        if isinstance(failed, ReleaseFailed) and failed.failure:
            problem["failure"] = failed.failure.as_dict()
    for warning in release.warnings:
        module.warn(warning)
    if problem:
        module.fail_json(**{**problem, **release.result, "outcome": release.result["outcome"] or "failed"})
    module.exit_json(**release.result, summary=summary(release.result))


if __name__ == "__main__":
    main()
