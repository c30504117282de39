# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What environment_cost_info does: reads a plan, refreshes prices, and puts the report together."""

from __future__ import annotations

import datetime
import json
import os
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.cost import (
    arguments as cost_arguments,
    compare as cost_compare,
    items as cost_items,
    model as cost_model,
    plan as cost_plan,
    price_list,
    prices,
    text as cost_text,
)
from ansible_collections.atena.aws.plugins.module_utils.schedule import working_hours
from ansible_collections.atena.aws.plugins.module_utils.terraform import run as terraform_run, unrecorded as terraform_unrecorded
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import Terraform

_EIGHT_HOURS = {"timezone": "UTC", "hours": [{"days": "mon-sun", "start": "08:00", "stop": "16:00"}]}


def read_plan(executable: str, options: dict) -> dict:
    """The plan as `terraform show -json` tells it: in memory alone, since it holds secrets. Raises TerraformError."""
    terraform = Terraform(executable, options["project_path"])
    with terraform.guarded(), terraform.scratch() as scratch:
        terraform.initialize(terraform.version(scratch), scratch)
        # Terraform works in the working copy; the caller's paths begin where the caller is.
        path = os.path.abspath(options["file"]) if options["file"] else ""
        if not path:
            terraform_unrecorded.refuse(terraform)
            _dirty, path, _diagnostics = terraform_run.make_plan(terraform, scratch, lock_timeout=None, parallelism=options["parallelism"])
        return terraform.json("read the plan", "show", "-json", path, scratch=scratch)


def counted(sizes: dict, counts: dict) -> dict:
    """The sizes with the asked for counts, {service's name: tasks}."""
    services = [{**one, "count": counts.get(one["name"], one["count"]), "running": counts.get(one["name"], one["running"])} for one in sizes["services"]]
    return {**sizes, "services": services}


class Report:
    """basis: the option `cost`; schedule: as working hours are written, or None for eight hours on each day. Raises PricesUnusable and ValueError."""

    def __init__(self, basis: dict, schedule: dict | None, now: datetime.datetime | None = None) -> None:
        self.now = now or datetime.datetime.now(datetime.UTC)
        self.basis, self.region = basis, basis["region"]
        self.usage = cost_arguments.usage(basis)
        self.table = prices.load(basis["prices"])
        self.hours = cost_model.hours_on(working_hours.parse(schedule or _EIGHT_HOURS), self.now)
        self.refreshed: dict[str, Any] | None = None

    def refresh(self, call: Aws, *sizes: dict) -> list[str]:
        """Asks AWS's Price List for what these sizes need. Returns warnings; what is not told stays as it is."""
        keys = sorted({item["price"] for one in sizes for item in cost_items.items(one, self.usage)})
        try:
            newer, untold = price_list.fetch(call, self.region, keys, self.now.date())
        except CallFailed as failed:
            return [f"The prices stay those of the table: {failed}"]
        kept = self.basis["prices"][-1]
        if len(self.basis["prices"]) > 1 and os.path.exists(kept):
            newer = prices.merged(prices.read(kept), newer)
        self.table, self.refreshed = prices.merged(self.table, newer), newer
        words = f"AWS's Price List did not return exactly one price of {', '.join(untold)} in {self.region}; these stay as the table has them."
        return [words] if untold else []

    def told(self, sizes: dict, before: dict | None = None, reference: str | None = None) -> dict:
        """The module's result. before: the sizes to tell the difference to."""
        lines = cost_model.of(sizes, self.table, self.region, self.usage, self.hours)
        change = cost_plan.between(before, sizes, self.table, self.region, self.usage) if before is not None else None
        comparison = self._compared(reference) if reference else None
        return {
            "currency": self.table["currency"],
            "hours": round(self.hours, 2),
            "totals": cost_model.totals(lines),
            "groups": cost_model.groups(lines),
            "lines": lines,
            "change": change,
            "comparison": comparison,
            "refreshed": self.refreshed,
            "not_included": list(cost_model.NOT_INCLUDED),
            "summary": cost_text.table(lines, self.hours) + cost_text.change(change) + cost_text.remarks(lines, self.region),
            "price_lines": cost_text.price_lines(lines),
            "comparison_lines": cost_compare.text(comparison) if comparison else [],
        }

    def _compared(self, path: str) -> dict:
        try:
            with open(path, encoding="utf-8") as file:
                reference = json.load(file)
        except (OSError, ValueError) as error:
            raise prices.PricesUnusable(f"The estimate in {path} could not be read: {error}.") from error
        return cost_compare.tables(reference, self.table, cost_model.hours_on(working_hours.parse(reference["schedule"]), self.now))
