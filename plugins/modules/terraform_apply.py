#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
---
module: terraform_apply
version_added: 0.1.0
short_description: Plan with Terraform, inspect the plan, and apply exactly that plan
description:
  - Runs C(terraform init) when something it depends on changed, plans into a private file, reads the plan, refuses to destroy or
    replace anything that O(allow_destroy) does not name, applies that very file, and removes it.
  - "The gap it closes: M(community.general.terraform) applies without looking at what the plan destroys, locks (so writes) while it
    only checks, leaves its plan file behind, passes variables as process arguments and returns Terraform's raw text."
  - In check mode it plans without a lock, so nothing is written anywhere but in the working copy's C(.terraform).
  - Variables are read from the working copy, for instance from C(terraform.auto.tfvars.json), so that no value is a process's argument.
  - An interruption (Ctrl-C, SIGTERM) is passed to Terraform once; the module waits until Terraform wrote its state and released its lock, and
    then gives back O(lock), so that the next run need not wait for it to expire.
  - A run that lost O(lock) to another one applies nothing; one that loses it during the apply stops Terraform in the same good order.
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
      - Addresses that may be destroyed or replaced, such as C(aws_nat_gateway.main[0]). C(*) stands for any text; brackets mean themselves.
      - An object with C(skip_destroy), such as an earlier revision of a task definition, is only forgotten by Terraform, and needs no permission.
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
  progress_file:
    description:
      - A file to which lines are added while the module works, one JSON object each, with a C(text). The action plugin of the same name
        gives one and shows its lines, unless C(atena_progress) is V(quiet). No values are told, only addresses.
    type: path
extends_documentation_fragment:
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
    details: One entry for each change, with names and values of the attributes that differ; sensitive values read C((sensitive)).
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
"""

RETURN = r"""
changed:
  description: Whether the plan had any change of a resource or an output (exit code 2 of C(terraform plan -detailed-exitcode)).
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
      description: What differs, as C(name), C(before) and C(after). Sensitive values and the insides of documents are not shown.
      type: list
      elements: dict
    destroys:
      description: Whether an object is lost.
      type: bool
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
terraform_version:
  description: Terraform's version.
  returned: success
  type: str
  sample: 1.11.4
"""

import contextlib
import json
import os

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.atena.aws.plugins.module_utils import terraform_errors as errors
from ansible_collections.atena.aws.plugins.module_utils import terraform_plan as plans
from ansible_collections.atena.aws.plugins.module_utils.aws_calls import Caller, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment_lock import LOCK_OPTIONS, LockLost, holding
from ansible_collections.atena.aws.plugins.module_utils import terraform_view
from ansible_collections.atena.aws.plugins.module_utils.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.terraform_cli import Terraform, TerraformError


class Refused(TerraformError):
    def __init__(self, refusals):
        super().__init__(plans.refusal(refusals))
        self.details = {"refused": [{name: change[name] for name in ("address", "type", "action", "reason")} for change in refusals]}


def make_plan(terraform, params, check, scratch):
    """Returns (whether it holds a change, the plan file, diagnostics)."""
    path = os.path.join(scratch, "plan")
    lock = ["-lock=false"] if check else [f"-lock-timeout={params['lock_timeout']}s"]
    code, _lines, diagnostics = terraform.checked(
        "plan",
        *("plan", "-json", "-input=false", "-detailed-exitcode", f"-out={path}", f"-parallelism={params['parallelism']}", *lock),
        scratch=scratch,
        accept=(0, 2),
    )
    return code == 2, path, diagnostics


def apply_plan(terraform, params, path, scratch):
    """Applies the plan file. Returns (outputs, diagnostics)."""
    _code, lines, diagnostics = terraform.checked(
        "apply all of the plan; what it did before that is done and recorded, and the next run goes on from there",
        *("apply", "-json", "-input=false", f"-parallelism={params['parallelism']}", f"-lock-timeout={params['lock_timeout']}s", path),
        scratch=scratch,
    )
    messages = [json.loads(line) for line in lines if '"type":"outputs"' in line]
    return (messages[-1]["outputs"] if messages else {}), diagnostics


def work(module, terraform, scratch, lock):
    params = module.params
    version = terraform.version(scratch)
    terraform.initialize(version, scratch)
    dirty, path, diagnostics = make_plan(terraform, params, module.check_mode, scratch)
    result = {"changed": dirty, "terraform_version": version, "changes": [], "changed_outputs": []}
    if not dirty:
        outputs = terraform.json("read the outputs", "output", "-json", scratch=scratch)
    else:
        plan = terraform.json("read its own plan", "show", "-json", path, scratch=scratch)
        result["changes"] = plans.changes(plan)
        result["changed_outputs"] = plans.changed_outputs(plan)
        refusals = plans.refused(result["changes"], params["allow_destroy"])
        if refusals:
            raise Refused(refusals)
        outputs = plan.get("planned_values", {}).get("outputs", {})
        if not module.check_mode:
            lock.prove()
            outputs, diagnostics = apply_plan(terraform, params, path, scratch)
    for warning in errors.warnings(diagnostics):
        module.warn(warning)
    result["outputs"] = plans.known_outputs(outputs)
    result["counts"] = plans.counts(result["changes"])
    result["lines"] = [plans.describe(change) for change in result["changes"]]
    if module._diff:
        result["diff"] = plans.diff(result["changes"])
    return result


def locked_work(module, terraform):
    """`work` under the environment's lock. Losing the lock stops Terraform like an interruption does, but is told as what it is."""
    with terraform.guarded(), terraform.scratch() as scratch, holding(Caller(module), module.params["lock"], module.check_mode, terraform.interrupt) as lock:
        try:
            return work(module, terraform, scratch, lock)
        except TerraformError as error:
            try:
                lock.check()
            except LockLost as lost:
                raise TerraformError(f"{lost} {error}") from error
            raise
        finally:
            if terraform.interrupted:
                # The play that would give it back is gone too. If this fails, it expires.
                with contextlib.suppress(CallFailed):
                    lock.release()


def teller(progress):
    """What takes Terraform's lines as they come and tells those that a person wants; None if nobody listens."""
    if not progress.heard:
        return None

    def tell(text):
        line = terraform_view.line(text)
        if line:
            progress.say(line)

    return tell


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "project_path": {"type": "path", "required": True},
            "allow_destroy": {"type": "list", "elements": "str", "default": []},
            "lock_timeout": {"type": "int", "default": 60},
            "parallelism": {"type": "int", "default": 10},
            "executable": {"type": "str", "default": "terraform"},
            "lock": LOCK_OPTIONS,
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    executable = module.get_bin_path(module.params["executable"])
    if executable is None:
        module.fail_json(
            msg=f"There is no '{module.params['executable']}' in PATH. Nothing was changed. Install Terraform 1.7 or newer from "
            "https://developer.hashicorp.com/terraform/install, or name it with infra_terraform_executable."
        )
    project = module.params["project_path"]
    if not os.path.isdir(project):
        module.fail_json(msg=f"The working copy {project} does not exist. infra.yml makes it.")
    terraform = Terraform(executable, project, on_line=teller(Progress(module.params["progress_file"])))
    try:
        result = locked_work(module, terraform)
    except (TerraformError, CallFailed) as error:
        module.fail_json(msg=str(error), **getattr(error, "details", {}))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
