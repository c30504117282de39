# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option by which modules are told with what to reckon costs, and its use."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.cost import items as cost_items, model as cost_model, prices

COST_OPTIONS = {
    "type": "dict",
    "options": {
        "prices": {"type": "list", "elements": "path", "required": True},
        "region": {"type": "str", "required": True},
        "usage": {"type": "dict", "default": {}},
        "described": {"type": "dict"},
    },
}


def usage(basis: dict) -> dict:
    """Numbers, however a survey or -e spelled them. Raises PricesUnusable."""
    try:
        return {name: float(value) for name, value in (basis["usage"] or {}).items()}
    except (TypeError, ValueError) as error:
        raise prices.PricesUnusable(f"atena_cost_usage must hold numbers: {error}.") from error


def of_left(left: dict, basis: dict) -> dict:
    """What is left of a destroyed environment, a month: {currency, now, unpriced, borrowed}."""
    table = prices.load(basis["prices"])
    lines = cost_model.lines(cost_items.left(left), table, basis["region"], cost_model.HOURS)
    told = {"unpriced": cost_model.unpriced(lines), "borrowed": cost_model.borrowed(lines, basis["region"])}
    return {"currency": table["currency"], "now": cost_model.totals(lines)[cost_model.NOW], **told}


def brief(sizes: dict, basis: dict) -> dict:
    """What an overview tells: {currency, now, always_on, stopped, unpriced, borrowed}."""
    table = prices.load(basis["prices"])
    lines = cost_model.of(sizes, table, basis["region"], usage(basis))
    summed = cost_model.totals(lines)
    told = {way: summed[way] for way in (cost_model.NOW, cost_model.ALWAYS_ON, cost_model.STOPPED)}
    return {"currency": table["currency"], **told, "unpriced": cost_model.unpriced(lines), "borrowed": cost_model.borrowed(lines, basis["region"])}
