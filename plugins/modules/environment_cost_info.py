#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: environment_cost_info
version_added: 0.1.0
short_description: Tell what an environment costs a month, line by line
description:
  - Always on, by a schedule, stopped, and at the present rate; for each resource with quantity, unit, price, the price's date and its source.
  - The sizes are those of the environment as it is (describe calls), of a Terraform plan, or of the inventory. What is off comes from the power journal
    and the inventory.
  - Prices are a table of public list prices, or of AWS's Price List where O(refresh) may ask it. Nothing is a bill.
  - "The gap it closes: no module of amazon.aws or community.aws tells prices, and estimators of Terraform plans see neither tasks that somebody scaled, nor
    what a stopped environment goes on costing."
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
    description: How many tasks of a service to reckon with, by its key, whatever is there - what a second one would cost.
    type: dict
    default: {}
  schedule:
    description: >-
      When it is on, with C(timezone) and C(hours), and if wanted C(holidays), as C(docs/schedules.md) describes them. Unset, eight hours on each day.
    type: dict
  refresh:
    description:
      - Whether to ask AWS's Price List (C(pricing:GetProducts), in us-east-1) for each price that is needed. What it does not tell, or where it may not be
        asked, stays as the table has it, with a warning.
    type: bool
    default: false
  reference:
    description: An earlier estimate to compare with, such as the collection's C(roles/cost/files/design.json). Unset, RV(comparison) is null.
    type: path
  cost:
    required: true
extends_documentation_fragment:
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
    source: {description: The page that tells it., type: str}
    verified: {description: Whether a second source told the same., type: bool}
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
  description: O(reference) beside ours for the sizes it was made for, or null. By way, C(estimate), C(amount) and C(rows), each with why it differs.
  returned: success
  type: dict
refreshed:
  description: What AWS's Price List told, as a table of prices, or null.
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

import datetime
import json
import os

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.atena.aws.plugins.module_utils import cost_compare, cost_items, cost_model, cost_plan, cost_read, cost_text
from ansible_collections.atena.aws.plugins.module_utils import power_state, price_list, prices, terraform_run, working_hours
from ansible_collections.atena.aws.plugins.module_utils.aws_calls import Caller, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.cost_arguments import COST_OPTIONS, usage
from ansible_collections.atena.aws.plugins.module_utils.terraform_cli import Terraform, TerraformError

_EIGHT_HOURS = {"timezone": "UTC", "hours": [{"days": "mon-sun", "start": "08:00", "stop": "16:00"}]}


def read_plan(module):
    """The plan as `terraform show -json` tells it: in memory alone, since it holds secrets."""
    options = module.params["plan"]
    executable = module.get_bin_path(options["executable"])
    if executable is None:
        module.fail_json(msg=f"There is no '{options['executable']}' in PATH. Install Terraform 1.7 or newer, or name it with infra_terraform_executable.")
    terraform = Terraform(executable, options["project_path"])
    with terraform.guarded(), terraform.scratch() as scratch:
        terraform.initialize(terraform.version(scratch), scratch)
        # Terraform works in the working copy; the caller's paths begin where the caller is.
        path = os.path.abspath(options["file"]) if options["file"] else ""
        if not path:
            _dirty, path, _diagnostics = terraform_run.make_plan(terraform, scratch, lock_timeout=None, parallelism=options["parallelism"])
        return terraform.json("read the plan", "show", "-json", path, scratch=scratch)


def counted(sizes, counts):
    """The sizes with the asked for counts. {service's name: tasks}"""
    services = [{**one, "count": counts.get(one["name"], one["count"]), "running": counts.get(one["name"], one["running"])} for one in sizes["services"]]
    return {**sizes, "services": services}


def read_sizes(module, counts):
    """(before, after): before and after the plan, or without and with the asked for counts."""
    params, described = module.params, module.params["cost"]["described"]
    if params["source"] == "plan":
        return cost_plan.with_what_is_off(*cost_plan.sizes(read_plan(module), described, counts), described)
    if params["source"] == "inventory":
        found = {**cost_items.empty(), **(described or {})}
    else:
        found = cost_read.sizes(Caller(module), params["name"], params["services"], params["ssm_path"], params["power"], described)
    return found, counted(found, counts)


def refreshed(module, table, keys):
    """(the table with what AWS's Price List tells, that alone or None)."""
    if not module.params["refresh"]:
        return table, None
    region, today = module.params["cost"]["region"], datetime.datetime.now(datetime.UTC).date()
    try:
        newer, untold = price_list.fetch(Caller(module, price_list.ASKED_IN), region, keys, today)
    except CallFailed as failed:
        module.warn(f"The prices stay those of the table: {failed}")
        return table, None
    if untold:
        module.warn(f"AWS's Price List told no one price of {', '.join(untold)} in {region}; these stay as the table has them.")
    return prices.merged(table, newer), newer


def compared(module, table):
    path = module.params["reference"]
    if not path:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            reference = json.load(file)
    except (OSError, ValueError) as error:
        raise prices.PricesUnusable(f"The estimate in {path} could not be read: {error}.") from error
    return cost_compare.tables(reference, table, cost_model.hours_on(working_hours.parse(reference["schedule"]), now()))


def now():
    return datetime.datetime.now(datetime.UTC)


def result(module):
    params, basis = module.params, module.params["cost"]
    counts = {f"{params['name']}-{key}": int(count) for key, count in params["counts"].items()}
    hours = cost_model.hours_on(working_hours.parse(params["schedule"] or _EIGHT_HOURS), now())
    table = prices.load(basis["prices"])
    used = usage(basis)
    before, sizes = read_sizes(module, counts)
    items = cost_items.items(sizes, used)
    table, newer = refreshed(module, table, sorted({item["price"] for item in items}))
    lines = cost_model.lines(items, table, basis["region"], hours)
    change = None
    if params["source"] == "plan" or counts:
        change = cost_plan.between(before, sizes, table, basis["region"], used)
    comparison = compared(module, table)
    return {
        "currency": table["currency"],
        "hours": round(hours, 2),
        "totals": cost_model.totals(lines),
        "groups": cost_model.groups(lines),
        "lines": lines,
        "change": change,
        "comparison": comparison,
        "refreshed": newer,
        "not_included": list(cost_model.NOT_INCLUDED),
        "summary": cost_text.table(lines, hours) + cost_text.change(change) + cost_text.remarks(lines, basis["region"]),
        "price_lines": cost_text.price_lines(lines),
        "comparison_lines": cost_compare.text(comparison) if comparison else [],
    }


def main():
    module = AnsibleAWSModule(
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
    except (CallFailed, TerraformError, prices.PricesUnusable) as failed:
        module.fail_json(msg=str(failed))
    except ValueError as wrong:
        module.fail_json(msg="\n".join(f"The costs of {module.params['name']} cannot be reckoned: {line}" for line in str(wrong).splitlines()))


if __name__ == "__main__":
    main()
