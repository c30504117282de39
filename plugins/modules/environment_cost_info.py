#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_cost_info
version_added: 0.1.0
short_description: Gather information about an environment's monthly costs
description:
  - Always on, by a schedule, stopped, and at the present rate; for each resource with quantity, unit, price, the price's date and its source.
  - The sizes are those of the environment as it is (describe calls), of a Terraform plan, or of the inventory. What is off comes from the power journal
    and the inventory.
  - Prices are a table of public list prices, or of AWS's Price List where O(refresh) may ask it. Nothing is a bill.
  - "The gap it closes: no module of amazon.aws or community.aws returns prices, and estimators of Terraform plans see neither tasks that somebody scaled, nor
    what a stopped environment still costs."
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
  ssm_path:
    description: Path of its secrets, some of which may be of the tier that is billed.
    type: str
    required: true
  source:
    description: Where the sizes are from.
    type: str
    choices: [environment, plan, inventory]
    default: environment
  power:
    description: Where it is written whether the environment is on, and what it comes back to. Unset, what is there counts.
    type: dict
    suboptions:
      bucket: {description: The state bucket., type: str, required: true}
      gates_key: {description: Key of the gates., type: str, required: true}
      journal_key: {description: Key of the power journal., type: str, required: true}
  plan:
    description: The Terraform plan, needed with O(source=plan). It is made without a lock, and nothing of it is kept.
    type: dict
    suboptions:
      project_path: {description: The working copy., type: path, required: true}
      executable: {description: "Terraform's name, searched in E(PATH), or its path.", type: str, default: terraform}
      parallelism: {description: How many operations Terraform runs at a time., type: int, default: 10}
      file: {description: A plan that was saved before (C(terraform plan -out)) instead of a new one., type: path}
  counts:
    description: How many tasks of a service to calculate with, by its key, whatever is there - what a second one would cost.
    type: dict
    default: {}
  schedule:
    description: >-
      When it is on, with C(timezone) and C(hours), and if wanted C(holidays), as C(docs/schedules.md) describes them. Unset, eight hours on each day.
    type: dict
  refresh:
    description:
      - Whether to query AWS's Price List (C(pricing:GetProducts), in the partition's global region) for each price that is needed. What it does not return,
        or where it may not be asked, stays as the table has it, with a warning.
    type: bool
    default: false
  reference:
    description: An earlier estimate to compare with, such as the collection's C(roles/cost/files/design.json). Unset, RV(comparison) is null.
    type: path
  cost:
    required: true
extends_documentation_fragment:
  - atena.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
  - atena.aws.costs
attributes:
  check_mode:
    support: full
    details: It changes nothing.
  diff_mode:
    support: none
  platform:
    platforms: posix
requirements:
  - terraform >= 1.7, with O(source=plan)
"""

EXAMPLES = r"""
- name: What does production cost?
  atena.aws.environment_cost_info:
    name: atena-prod
    services: [api, workers]
    ssm_path: /atena/prod
    cost:
      prices: [/home/ana/prices.json]
      region: us-east-1
  register: cost_now

- name: What would a second API task cost?
  atena.aws.environment_cost_info:
    name: atena-prod
    services: [api, workers]
    ssm_path: /atena/prod
    counts: {api: 2}
    cost:
      prices: [/home/ana/prices.json]
      region: us-east-1
"""

RETURN = r"""
currency:
  description: Of all prices and amounts.
  returned: success
  type: str
  sample: USD
hours:
  description: Hours a month in which it is on by the schedule; 730 are always.
  returned: success
  type: float
totals:
  description: A month as C(always_on), C(schedule), C(stopped) and C(now).
  returned: success
  type: dict
groups:
  description: The lines added up.
  returned: success
  type: list
  elements: dict
  contains:
    group: {description: What they are of., type: str, sample: ECS Fargate}
    amounts: {description: "C(always_on), C(schedule), C(stopped), C(now).", type: dict}
lines:
  description: What is billed.
  returned: success
  type: list
  elements: dict
  contains:
    group: {description: What it is of., type: str}
    resource: {description: The resource's name., type: str}
    item: {description: What of it is billed., type: str}
    assumed: {description: "Whether the quantity is an assumption (O(cost.usage)).", type: bool}
    key: {description: The price's key in the table., type: str}
    price: {description: For one unit; null if there is none., type: float}
    unit: {description: The unit., type: str, sample: GB-month}
    date: {description: The day for which the price is known., type: str}
    source: {description: The page that has it., type: str}
    verified: {description: Whether a second source had the same., type: bool}
    region: {description: Whose price it is., type: str}
    quantities: {description: "Units a month as C(always_on), C(schedule), C(stopped), C(now).", type: dict}
    amounts: {description: The same in money; null without a price., type: dict}
change:
  description: >-
    What the plan, or O(counts), does to a month that is always on (C(before), C(after), C(difference), C(lines), C(unpriced), C(borrowed)); null without
    either.
  returned: success
  type: dict
comparison:
  description: O(reference) compared with ours for the sizes it was made for, or null. By way, C(estimate), C(amount) and C(rows), each with why it differs.
  returned: success
  type: dict
refreshed:
  description: What AWS's Price List returned, now and earlier (the last file of O(cost.prices)), as a table of prices, or null.
  returned: success
  type: dict
not_included:
  description: What these figures leave out.
  returned: success
  type: list
  elements: str
summary:
  description: The same as lines to read.
  returned: success
  type: list
  elements: str
price_lines:
  description: Each price with its date and source, as lines to read.
  returned: success
  type: list
  elements: str
comparison_lines:
  description: RV(comparison) as lines to read.
  returned: success
  type: list
  elements: str
"""

import os
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.partitions import global_region
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.cost import items as cost_items, plan as cost_plan, read as cost_read, run as cost_run
from ansible_collections.atena.aws.plugins.module_utils.cost.arguments import COST_OPTIONS
from ansible_collections.atena.aws.plugins.module_utils.cost.prices import PricesUnusable
from ansible_collections.atena.aws.plugins.module_utils.environment import state as power_state
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import executable_path, TerraformError


def find_terraform(module: Module) -> str:
    """Terraform's path; fails where it, or its working copy, is not there."""
    options = module.params["plan"]
    executable = executable_path(options["executable"])
    if executable is None:
        module.fail_json(msg=f"There is no '{options['executable']}' in PATH. Install Terraform 1.7 or newer, or name it with infra_terraform_executable.")
    if not os.path.isdir(options["project_path"]):
        module.fail_json(msg=f"The working copy {options['project_path']} does not exist. infra.yml makes it.")
    return executable


def read_sizes(module: Module, counts: dict[str, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(before, after): before and after the plan, or without and with the asked for counts."""
    params, described = module.params, module.params["cost"]["described"]
    if params["source"] == "plan":
        plan = cost_run.read_plan(find_terraform(module), params["plan"])
        return cost_plan.with_what_is_off(*cost_plan.sizes(plan, described, counts), described)
    if params["source"] == "inventory":
        found = {**cost_items.empty(), **(described or {})}
    else:
        found = cost_read.sizes(Caller(module), params["name"], params["services"], params["ssm_path"], params["power"], described)
    return found, cost_run.counted(found, counts)


def result(module: AwsModule) -> dict[str, Any]:
    params = module.params
    counts = {f"{params['name']}-{key}": int(count) for key, count in params["counts"].items()}
    report = cost_run.Report(params["cost"], params["schedule"])
    before, after = read_sizes(module, counts)
    if params["refresh"]:
        for warning in report.refresh(Caller(module, global_region(module.region or "")), before, after):
            module.warn(warning)
    changes = params["source"] == "plan" or bool(counts)
    return report.told(after, before if changes else None, params["reference"])


def main() -> None:
    module = AwsModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "str", "required": True},
            "ssm_path": {"type": "str", "required": True},
            "source": {"type": "str", "choices": ["environment", "plan", "inventory"], "default": "environment"},
            "power": power_state.POWER_OPTIONS,
            "plan": {
                "type": "dict",
                "options": {
                    "project_path": {"type": "path", "required": True},
                    "executable": {"type": "str", "default": "terraform"},
                    "parallelism": {"type": "int", "default": 10},
                    "file": {"type": "path"},
                },
            },
            "counts": {"type": "dict", "default": {}},
            "schedule": {"type": "dict"},
            "refresh": {"type": "bool", "default": False},
            "reference": {"type": "path"},
            "cost": {**COST_OPTIONS, "required": True},
        },
        required_if=[("source", "plan", ["plan"])],
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **result(module))
    except (CallFailed, TerraformError, PricesUnusable) as failed:
        module.fail_json(**told(failed))
    except ValueError as wrong:
        module.fail_json(msg="\n".join(f"The costs of {module.params['name']} cannot be calculated: {line}" for line in str(wrong).splitlines()))


if __name__ == "__main__":
    main()
