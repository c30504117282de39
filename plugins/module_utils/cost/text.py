# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people read of costs. Pure functions."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.cost import model as cost_model, prices
from ansible_collections.atena.aws.plugins.module_utils.cost.model import ALWAYS_ON, NOW, SCHEDULE, STOPPED

_COLUMNS = (ALWAYS_ON, SCHEDULE, STOPPED, NOW)
_WIDTH = 13
_SHORTEST = 20


def money(amount: float | None) -> str:
    return "?" if amount is None else f"{amount:.2f}"


def number(value: float) -> str:
    """As few digits as tell it: '365', '0.25', '0.0000025'."""
    text = f"{value:,.6f}".rstrip("0").rstrip(".")
    return text if text not in ("0", "-0") or value == 0 else f"{value:.3g}"


def price(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".")


def header(hours: float, named: str = "") -> dict:
    return {ALWAYS_ON: "always on", SCHEDULE: named or f"{hours:.0f} h/month", STOPPED: "stopped", NOW: "now"}


def _row(label: str, cells: list[str], width: int) -> str:
    return f"{label:<{width}}" + "".join(f"{cell:>{_WIDTH}}" for cell in cells)


def table(found: list[dict], hours: float, detail: bool = True) -> list[str]:
    """The lines by group, with each line below its group if `detail`, and the totals."""
    labels = [f"  {line['resource']}: {line['item']}{' (assumed)' if line['assumed'] else ''}" for line in found] if detail else []
    width = max([_SHORTEST, *(len(label) for label in labels), *(len(line["group"]) for line in found)]) + 1
    names = header(hours)
    text = [_row("USD a month", [names[way] for way in _COLUMNS], width)]
    for group in cost_model.groups(found):
        text.append(_row(group["group"], [money(group["amounts"][way]) for way in _COLUMNS], width))
        if detail:
            rows = zip(labels, found, strict=True)
            text += [_row(label, [money(line["amounts"][way]) for way in _COLUMNS], width) for label, line in rows if line["group"] == group["group"]]
    summed = cost_model.totals(found)
    text.append(_row("Total", [money(summed[way]) for way in _COLUMNS], width))
    return text


def price_lines(found: list[dict]) -> list[str]:
    """Each price once: what, how much, for what unit, since when it is known, from where."""
    seen, text = set(), []
    for line in found:
        if line["key"] in seen or line["price"] is None:
            continue
        seen.add(line["key"])
        doubt = "" if line["verified"] else ", not verified"
        text.append(f"{line['key']}: {price(line['price'])} USD per {line['unit']} in {line['region']} ({line['date']}{doubt}; {line['source']})")
    return text


def remarks(found: list[dict], region: str) -> list[str]:
    """What a reader must know: prices that are missing or another region's, what is assumed, what is not in it."""
    text = []
    missing, others = cost_model.unpriced(found), cost_model.borrowed(found, region)
    refresh = "with credentials that may ask: cost.yml -e cost_refresh=true"
    if missing:
        text.append(f"NO PRICE, and not in the totals: {', '.join(missing)} ({refresh})")
    if others:
        text.append(f"No price for {region}, so the one of another region: {', '.join(others)} ({refresh})")
    doubtful = sorted({line["key"] for line in found if line["price"] is not None and not line["verified"]})
    if doubtful:
        text.append(f"{len(doubtful)} of {len({line['key'] for line in found})} prices are not verified: {', '.join(doubtful)}")
    assumed = sorted({f"{line['resource']}: {line['item']}" for line in found if line["assumed"]})
    if assumed:
        text.append(f"Assumed, not measured (atena_cost_usage): {', '.join(assumed)}")
    text.append(f"Not included: {'; '.join(cost_model.NOT_INCLUDED)}")
    return text


def signed(amount: float) -> str:
    return f"{'+' if amount >= 0 else '-'}${abs(amount):.2f}"


def change(cost: dict | None) -> list[str]:
    """What a plan does to the monthly costs; nothing of one that does nothing to them."""
    if not cost:
        return []
    text = []
    if cost["lines"]:
        parts = ", ".join(f"{line['resource']} {line['item']} {signed(line['difference'])}" for line in cost["lines"])
        text.append(
            f"Costs: {signed(cost['difference'])} a month, from ${cost['before']:.2f} to ${cost['after']:.2f} always on ({parts}). "
            "An estimate from list prices; cost.yml lists each"
        )
    if cost["lines"] and cost["borrowed"]:
        text.append(f"Costs: no price of this region is known of {', '.join(cost['borrowed'])}; {prices.OTHERWISE}'s are in them")
    if cost["unpriced"]:
        text.append(f"Costs: no price is known of {', '.join(cost['unpriced'])}, which is not in them")
    return text
