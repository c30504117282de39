# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an environment's description says about its costs, without a call to AWS or a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.atena.aws.plugins.module_utils.cost import (
    arguments as cost_arguments,
    items as cost_items,
    model as cost_model,
    prices,
    sizes as cost_sizes,
)

_LEAST_PART = 0.05


def environment_sizes(services: dict, name: str, database: dict, redis: dict, zones: int, memory: dict | None = None) -> dict:
    """From atena_services and the other shared variables to the sizes that costs are reckoned of."""
    try:
        return cost_sizes.described(name, services, memory or {}, database, redis, zones)
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"The sizes of {name} cannot be read from atena_services, atena_database and atena_redis: {error!r}") from error


def power_costs(basis: dict) -> dict:
    """environment_power's `costs`: whole dollars, and what a stopped environment's are made of."""
    try:
        table = prices.load(basis["prices"])
        used = cost_arguments.usage(basis)
    except prices.PricesUnusable as unusable:
        raise AnsibleFilterError(str(unusable)) from unusable
    lines = cost_model.of({**cost_items.empty(), **basis["described"]}, table, basis["region"], used)
    summed, parts = cost_model.totals(lines), {}
    for entry in cost_model.groups(lines):
        amount = round(entry["amounts"][cost_model.STOPPED], 1)
        if amount >= _LEAST_PART:
            parts[entry["group"]] = amount
    missing = cost_model.unpriced(lines)
    lacking = f" (without {', '.join(missing)}, of which no price is known)" if missing else ""
    borrowed = "" if not cost_model.borrowed(lines, basis["region"]) else f", some of {prices.OTHERWISE}"
    return {
        "currency": "$",
        "running": float(round(summed[cost_model.ALWAYS_ON])),
        "stopped": float(round(summed[cost_model.STOPPED])),
        "stopped_parts": parts,
        "source": f"Estimated from the inventory's sizes, {_assumed(used)} and list prices{borrowed}{lacking}; status.yml and cost.yml count what is stored.",
    }


def _assumed(usage: dict) -> str:
    """What the figures of a stop stand on that status.yml and cost.yml measure: theirs differ by that."""
    used = {**cost_items.USAGE, **usage}
    return f"assumed {used['images_gb']:g} GB of images and {used['log_stored_gb']:g} GB of logs (atena_cost_usage)"


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"environment_sizes": environment_sizes, "power_costs": power_costs}
