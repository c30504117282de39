#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: terraform_apply
version_added: 0.1.0
short_description: Plan with Terraform, inspect the plan, and apply exactly that plan
description:
  - Runs C(terraform init) when something it depends on changed, plans into a private file, reads the plan, refuses to destroy or
    replace anything that O(allow_destroy) does not name, applies that very file, and removes it.
  - "The gap it closes: M(community.general.terraform) applies without checking what the plan destroys, locks (so writes) while it
    only checks, leaves its plan file behind, passes variables as process arguments and returns Terraform's raw text."
  - In check mode it plans without a lock, so nothing is written anywhere but in the working copy's C(.terraform).
  - Variables are read from the working copy, for instance from C(terraform.auto.tfvars.json), so that no value is a process's argument.
  - An interruption (Ctrl-C, SIGTERM) is passed to Terraform once; the module waits until Terraform wrote its state and released its lock, and then
    releases O(lock), so that the next run need not wait for it to expire.
  - A run that lost O(lock) to another one applies nothing; one that loses it during the apply stops Terraform in the same good order.
  - What an apply did and could not write to the remote state, such as when its credentials expired meanwhile, Terraform leaves in C(errored.tfstate) in
    the working copy. It is pushed at once where that can work, else by the next run, before it plans; then the file is removed. Terraform itself
    decides whether it belongs to this state and is newer. Until it is pushed nothing is planned; in check mode, which pushes nothing, that is refused.
  - The options for region, credentials and endpoint are for O(lock) alone. Terraform has its own, in the configuration and the environment.
  - C(TF_CLI_ARGS*), C(TF_WORKSPACE), C(TF_DATA_DIR) and C(TF_INPUT) of the caller's environment are not passed on.
author:
  - The atena.aws founders (@atena)
options:
  project_path:
    description: The working copy, a directory with the configuration. Its data directory is C(.terraform) in it.
    type: path
    required: true
  allow_destroy:
    description:
      - Addresses that may be destroyed or replaced, such as C(aws_nat_gateway.main[0]). C(*) matches any text; brackets mean themselves.
      - An object with C(skip_destroy), such as an earlier revision of a task definition, is only forgotten by Terraform, and needs no permission.
    type: list
    elements: str
    default: []
  replace:
    description:
      - Addresses that are replaced though nothing differs, as by C(terraform plan -replace). A parameter of SSM that is named here needs no
        O(allow_destroy), all else does.
      - For what Terraform creates and others change afterwards, such as C(aws_ssm_parameter.redis_url), to be written again.
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Seconds to wait for a state lock that somebody else holds.
    type: int
    default: 60
  parallelism:
    description: How many operations Terraform runs at a time.
    type: int
    default: 10
  executable:
    description: Terraform's name, searched in E(PATH), or its path.
    type: str
    default: terraform
  save_plan:
    description:
      - Keep the plan in this file instead of applying it. The file is readable by its owner alone and may hold secrets. An empty plan is not kept,
        and check mode keeps none. Nothing is locked.
    type: path
  plan_file:
    description:
      - Apply this plan, which O(save_plan) kept, instead of making one. It is inspected like a new one, refused when it is of another
        environment, or when the variables or the state have changed since, and removed once it is applied.
    type: path
  power_journal:
    description:
      - The journal that stops and starts of the environment keep. While it names a snapshot of Redis that was not restored, a plan that creates
        a Redis is refused - it would be an empty one; so is one that makes a Redis in place of one that was deleted outside of Terraform. Unset, that is
        not checked.
    type: dict
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      key:
        description: Its key.
        type: str
        required: true
  destroy_record:
    description:
      - The record that a destroy of the environment keeps. From its beginning until the environment was recreated, a plan that creates a database is
        refused - it would be an empty one, while the rows wait in a snapshot; and after its end one that creates a Redis, while the queue does. Unset, that
        is not checked.
      - With O(destroy_record.redeploying), a plan that creates the database or Redis from another snapshot than the recorded one, or from none, is refused.
        Another run may have written the working copy again since its variables named the snapshots.
    type: dict
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      key:
        description: Its key.
        type: str
        required: true
      redeploying:
        description: Whether this is the apply that begins with the snapshots.
        type: bool
        default: false
  search_left_behind:
    description:
      - Before a plan that creates things is applied, find each of them in AWS. What is there and has the tags Project, Stage and ManagedBy of the plan is
        taken into the state instead, by C(import) blocks that lie in addition to the configuration for the time of the plan - an apply that was
        killed, or whose calls
        got no answer, leaves such things, and creating them again would fail for ever, or make and pay for them twice.
      - What is there under a name that AWS gives only once, without those tags, is refused, and named, unless O(take_in) has its address.
      - The state's lock that a Terraform of this machine held when it was killed is released under O(lock), if none works on this state here any more. The
        digest of the state, which a run that was killed right after it had written the state could not write, is repaired, if nobody holds the state's lock.
      - A database that is imported gets the password that is in DATABASE_URL, and DATABASE_URL and REDIS_URL the addresses of what is there.
    type: bool
    default: false
  take_in:
    description: Addresses that O(search_left_behind) imports whatever their tags, such as C(aws_db_instance.main) of a database that was restored manually.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.progress
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
  - atena.aws.costs
  - atena.aws.lock
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: >-
      One entry for each change, with names and values of the attributes that differ; values that are marked as sensitive, those of environment
      variables and what else is inside documents are not shown.
  platform:
    platforms: posix
requirements:
  - terraform >= 1.7
"""

EXAMPLES = r"""
- name: Show what would change, locking nothing
  atena.aws.terraform_apply:
    project_path: /home/ana/.local/state/atena/atena-prod/infra
  check_mode: true
  diff: true

- name: Apply, and let the NAT gateway and its route go
  atena.aws.terraform_apply:
    project_path: /home/ana/.local/state/atena/atena-prod/infra
    allow_destroy:
      - aws_nat_gateway.main[0]
      - aws_route.private_nat[*]

- name: Keep a plan, so that somebody can check it
  atena.aws.terraform_apply:
    project_path: /home/ana/.local/state/atena/atena-prod/infra
    save_plan: /home/ana/plans/atena-prod.tfplan

- name: Apply that one, and nothing else
  atena.aws.terraform_apply:
    project_path: /home/ana/.local/state/atena/atena-prod/infra
    plan_file: /home/ana/plans/atena-prod.tfplan
"""

RETURN = r"""
changed:
  description:
    - Whether the plan had any change of a resource or an output (exit code 2 of C(terraform plan -detailed-exitcode)). With O(save_plan), which
      changes nothing but that file, whether there was something to keep.
  returned: always
  type: bool
changes:
  description: What the plan held, in its order.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: The resource's address.
      type: str
      sample: aws_nat_gateway.main[0]
    type:
      description: Its type.
      type: str
    action:
      description: C(create), C(update), C(replace), C(destroy), C(read), C(move), C(forget), C(import) or C(import and update).
      type: str
    reason:
      description: Why it is replaced or destroyed; empty otherwise.
      type: str
    attributes:
      description: >-
        What differs, as C(name), C(before) and C(after). Sensitive values and those inside documents, such as a container's environment variables, are not
        shown; the names inside are.
      type: list
      elements: dict
    destroys:
      description: Whether an object is lost.
      type: bool
    outside:
      description: Names of the attributes that were changed outside of Terraform since the last apply; of what was deleted there, all of them.
      type: list
      elements: str
    impossible:
      description: Why AWS would refuse it, such as another major version of a database that nobody allowed; empty otherwise. Such a plan is refused.
      type: str
cost:
  description:
    - What the plan does to the costs of a month that is always on, as C(before), C(after), C(difference), C(lines) (C(resource), C(item), C(before),
      C(after), C(difference)), C(unpriced) and C(borrowed) (prices that are missing, or another region's). Null without O(cost) or without a change.
  returned: success
  type: dict
cost_lines:
  description: The same for people; empty when no cost changes.
  returned: success
  type: list
  elements: str
drift:
  description: What there is and what the configuration says, in a line for each attribute that differs, and whether somebody changed it outside of Terraform.
  returned: success
  type: list
  elements: str
  sample: ["aws_db_instance.main: backup_retention_period is 1, the configuration says 7 (changed outside of Terraform)"]
changed_outputs:
  description: Names of the outputs that change.
  returned: success
  type: list
  elements: str
counts:
  description: Objects for each action, as C(created), C(updated), C(replaced), C(destroyed) and C(imported); in check mode, that would be.
  returned: success
  type: dict
  sample: {created: 41, updated: 0, replaced: 0, destroyed: 0, imported: 0}
lines:
  description: The plan in one line for each change.
  returned: success
  type: list
  elements: str
  sample: ["~ aws_ecs_task_definition.template[\"api\"] (memory)"]
outputs:
  description: Outputs after the apply; in check mode those that are known already. Sensitive ones are left out.
  returned: success
  type: dict
refused:
  description: The changes that were not allowed, as C(address), C(type), C(action) and C(reason).
  returned: when the plan was refused
  type: list
  elements: dict
saved_plan:
  description: Where the plan was kept; empty if none was.
  returned: success
  type: str
taken_in:
  description: "What was in AWS and not in the state, and was imported: its identity, as Terraform imports it, by address. In check mode, what would be."
  returned: success
  type: dict
  sample: {"aws_elasticache_cluster.main[0]": atena-prod-redis}
terraform_version:
  description: Terraform's version.
  returned: success
  type: str
  sample: 1.11.4
"""

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module, Say
from ansible_collections.atena.aws.plugins.module_utils.cost import plan as cost_plan, prices, text as cost_text
from ansible_collections.atena.aws.plugins.module_utils.cost.arguments import usage, COST_OPTIONS
from ansible_collections.atena.aws.plugins.module_utils.environment import destroy_record, journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import holding, Lock, LOCK_OPTIONS, LockLost, NoLock
from ansible_collections.atena.aws.plugins.module_utils.power.terraform import MENDED, StateLock
from ansible_collections.atena.aws.plugins.module_utils.recovery import redeploy as redeploy_run
from ansible_collections.atena.aws.plugins.module_utils.recovery.taken_in import Settling
from ansible_collections.atena.aws.plugins.module_utils.terraform import cli as terraform_cli, plan as plans, run as terraform_run, saved as terraform_saved
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import executable_path, Terraform, TerraformError
from ansible_collections.atena.aws.plugins.module_utils.terraform.guards import Guards, written_again
from ansible_collections.atena.aws.plugins.module_utils.terraform.left_behind import Search
from ansible_collections.atena.aws.plugins.module_utils.terraform.run import Hooks, Request
from ansible_collections.atena.aws.plugins.module_utils.terraform.unrecorded import Unrecorded


_LOST_REDIS = (
    "start.yml shows which snapshots of it there are, and restores one: start.yml -e start_redis_snapshot=<name>. To begin with an empty queue, on purpose: "
    "start.yml -e start_without_queue=true, which also re-enqueues what the database knows (atena_reenqueue_command)."
)


def record_of_destroy(module: Module) -> dict[str, Any] | None:
    """The record that a destroy left; None if there is none, or none is named."""
    where = module.params["destroy_record"]
    return destroy_record.journal(Caller(module), where["bucket"], where["key"]).read() if where else None


def redeploying(module: Module) -> bool:
    """Whether this is the apply that begins with the snapshots."""
    return bool(module.params["destroy_record"] and module.params["destroy_record"]["redeploying"])


def no_database(module: Module) -> str:
    """Why this apply must not make a database: it was destroyed, and its rows wait in a snapshot. '' if it may."""
    return redeploy_run.no_empty_database(record_of_destroy(module), redeploying(module))


def no_redis(module: Module) -> str:
    """Why this apply must not make a Redis: the queue waits in a snapshot, of a stop or of a destroy. '' if it may."""
    return redeploy_run.no_empty_redis(record_of_destroy(module), redeploying(module), unrestored(module))


def unrestored(module: Module) -> str:
    """Name of the Redis snapshot that a stop took and no start restored yet; '' if there is none, or no journal is named."""
    where = module.params["power_journal"]
    return power_journal.unrestored(power_journal.Journal(Caller(module), where["bucket"], where["key"]).read()) if where else ""


def chosen(module: Module) -> dict[str, Any] | None:
    """With which snapshots a redeploy begins; None where this is none. A check recorded nothing of what it was asked for: nothing holds it."""
    return redeploy_run.chosen(record_of_destroy(module)) if redeploying(module) and not module.check_mode else None


def reckoner(module: Module) -> Callable[[dict[str, Any]], dict[str, Any] | None] | None:
    """What tells a plan's costs; None if nobody asked. A price table that cannot be read is a warning: infrastructure does not wait for an estimate."""
    basis = module.params["cost"]
    if not basis:
        return None

    def reckon(plan: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return cost_plan.difference(plan, prices.load(basis["prices"]), basis["region"], usage(basis), basis["described"])
        except prices.PricesUnusable as unusable:
            module.warn(f"What this costs is not known: {unusable}")
            return None

    return reckon


def search_of(module: Module, terraform: Terraform, say: Say) -> Search | None:
    """What looks for things that are in AWS and not in the state; None if nobody asked."""
    if not module.params["search_left_behind"]:
        return None
    return Search(Caller(module), named=module.params["take_in"], say=say, guard=terraform.stop_if_interrupted, looks_only=module.check_mode)


def refuse_older(module: Module, search: Search | None) -> None:
    """A redeploy takes in what it made itself, in a run that died. What is older was made by somebody else, and holds other rows, or another queue."""
    record = record_of_destroy(module) if search and redeploying(module) else None
    if search is None or record is None:
        return
    for address in search.made_at:
        wrong = redeploy_run.older_than_the_redeploy(record, address, search.imports[address], search.made_at[address])
        if wrong and address not in module.params["take_in"]:
            raise CallFailed(wrong)


def left_by_the_dead(holder: dict[str, str], terraform: Terraform) -> bool:
    """Whether a lock of the state is of a Terraform that was killed here: it was made on this machine by this user, and none works on this state here."""
    if terraform_cli.made_here(holder) is None:
        return False
    return not terraform_cli.others_at_work(terraform.executable, terraform.directory, terraform.environment)


def free_state(module: Module, terraform: Terraform) -> None:
    """What a run that was killed left of the state: a lock that nobody gives back, and a digest that does not fit, over which Terraform refuses for ever.

    The lock is given back only under the environment's own, which no run of ours works without."""
    try:
        document = json.loads((terraform.directory / "backend_override.tf.json").read_text())
        backend = document["terraform"]["backend"]["s3"]
    except (OSError, ValueError, KeyError):
        return  # a configuration with another backend has none
    if not backend.get("dynamodb_table"):
        return
    lock = StateLock(Caller(module), backend["dynamodb_table"], backend["bucket"], backend["key"])
    holder = lock.read()
    if holder and module.params["lock"] and left_by_the_dead(holder, terraform) and lock.release(holder["ID"]):
        module.warn(f"The lock of Terraform's state was released that a Terraform of this machine held since {holder['Created']}: it was killed.")
    if lock.mend_if_free():
        module.warn(f"{MENDED[0].upper()}{MENDED[1:]}.")


def request_of(module: Module) -> Request:
    def path_in(option: str) -> str:
        # Terraform works in the working copy; the caller's paths begin where the caller is.
        return os.path.abspath(module.params[option]) if module.params[option] else ""

    return Request(
        lock_timeout=module.params["lock_timeout"],
        parallelism=module.params["parallelism"],
        check=module.check_mode,
        replace=module.params["replace"],
        saved=path_in("plan_file"),
        save_as=path_in("save_plan"),
    )


def guards_of(module: Module) -> Guards:
    return Guards(
        allow_destroy=[*module.params["allow_destroy"], *written_again(module.params["replace"])],
        no_database=lambda: no_database(module),
        no_redis=lambda: no_redis(module),
        lost_redis=_LOST_REDIS if module.params["power_journal"] and not redeploying(module) else "",
        chosen=lambda: chosen(module),
    )


def hooks_of(module: Module, lock: Lock | NoLock, search: Search | None, settling: Settling) -> Hooks:
    def settle(plan: dict[str, Any], imports: dict[str, str]) -> None:
        refuse_older(module, search)
        settling(plan, imports)

    return Hooks(before_apply=lambda _changes: lock.prove(), reckon=reckoner(module), search=search, settle=settle)


def work(module: Module, terraform: Terraform, scratch: str, lock: Lock | NoLock, say: Say) -> dict[str, Any]:
    version = terraform.version(scratch)
    terraform.initialize(version, scratch)
    if module.params["search_left_behind"] and not module.check_mode:
        free_state(module, terraform)
    search, settling = search_of(module, terraform, say), Settling(Caller(module), say=say, guard=terraform.stop_if_interrupted)
    result = terraform_run.plan_and_apply(terraform, scratch, request_of(module), guards_of(module), hooks_of(module, lock, search, settling))
    for warning in result.pop("warnings") + settling.warnings():
        module.warn(warning)
    if result["saved_plan"]:
        module.warn(terraform_saved.warning(result["saved_plan"]))
    result["terraform_version"] = version
    result["counts"] = plans.counts(result["changes"])
    result["lines"] = [plans.describe(change) for change in result["changes"]]
    result["drift"] = plans.drift(result["changes"])
    result["cost_lines"] = cost_text.change(result.setdefault("cost", None))
    if module._diff:
        result["diff"] = plans.diff(result["changes"])
    return result


def locked_work(module: Module, terraform: Terraform, say: Say) -> dict[str, Any]:
    """`work` under the environment's lock. Losing the lock stops Terraform like an interruption does, but is told as what it is."""
    with terraform.guarded(), terraform.scratch() as scratch, holding(Caller(module), module.params["lock"], module.check_mode, terraform.interrupt) as lock:
        try:
            return work(module, terraform, scratch, lock, say)
        except TerraformError as error:
            try:
                lock.check()
            except LockLost as lost:
                told = f"{error}\n{lost}" if isinstance(error, Unrecorded) else f"{lost} {error}"
                raise TerraformError(told) from error
            raise
        finally:
            if terraform.interrupted:
                # The play that would give it back is gone too. If this fails, it expires.
                with contextlib.suppress(CallFailed):
                    lock.release()


def main() -> None:
    module: Module = AwsModule(
        argument_spec={
            "project_path": {"type": "path", "required": True},
            "allow_destroy": {"type": "list", "elements": "str", "default": []},
            "replace": {"type": "list", "elements": "str", "default": []},
            "lock_timeout": {"type": "int", "default": 60},
            "parallelism": {"type": "int", "default": 10},
            "executable": {"type": "str", "default": "terraform"},
            "lock": LOCK_OPTIONS,
            "cost": COST_OPTIONS,
            "power_journal": {
                "type": "dict",
                "options": {"bucket": {"type": "str", "required": True}, "key": {"type": "str", "required": True, "no_log": False}},
            },
            "destroy_record": {
                "type": "dict",
                "options": {
                    "bucket": {"type": "str", "required": True},
                    "key": {"type": "str", "required": True, "no_log": False},
                    "redeploying": {"type": "bool", "default": False},
                },
            },
            "search_left_behind": {"type": "bool", "default": False},
            "take_in": {"type": "list", "elements": "str", "default": []},
            "save_plan": {"type": "path"},
            "plan_file": {"type": "path"},
            "progress_file": {"type": "path"},
        },
        mutually_exclusive=[("save_plan", "plan_file")],
        supports_check_mode=True,
    )
    executable = executable_path(module.params["executable"])
    if executable is None:
        module.fail_json(
            msg=f"There is no '{module.params['executable']}' in PATH. Nothing was changed. Install Terraform 1.7 or newer from "
            "https://developer.hashicorp.com/terraform/install, or name it with infra_terraform_executable."
        )
    project = module.params["project_path"]
    if not os.path.isdir(project):
        module.fail_json(msg=f"The working copy {project} does not exist. infra.yml makes it.")
    progress = Progress(module.params["progress_file"])
    terraform = Terraform(executable, project, on_line=terraform_run.teller(progress.say if progress.heard else None))
    try:
        result = locked_work(module, terraform, progress.say)
    except (TerraformError, CallFailed) as error:
        module.fail_json(**told(error), **getattr(error, "details", {}))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
