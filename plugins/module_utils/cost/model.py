# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what is billed to what it costs a month: always on, by a schedule, stopped, and at the present rate. Pure functions."""

from __future__ import annotations

import datetime

from ansible_collections.atena.aws.plugins.module_utils.cost import items as cost_items, prices
from ansible_collections.atena.aws.plugins.module_utils.schedule import working_hours

# As AWS's own calculator has it: 8760 hours a year.
HOURS = 730.0
_YEAR_DAYS = 365
ALWAYS_ON, SCHEDULE, STOPPED, NOW = "always_on", "schedule", "stopped", "now"
WAYS = (ALWAYS_ON, SCHEDULE, STOPPED, NOW)
# What is not in these figures, so that nobody looks for it there.
NOT_INCLUDED = (
    "data transfer to the internet and between zones (the first 100 GB a month to the internet are free)",
    "RDS backups beyond the size of the database, which are free up to it",
    "tax, free tiers, Savings Plans, reservations and support",
)


def hours_on(schedule: working_hours.Schedule, begin: datetime.datetime) -> float:
    """Hours a month in which it is on, on the average of the year from `begin`, holidays and clock changes counted. 'Keep on until' is not."""
    end = begin + datetime.timedelta(days=_YEAR_DAYS)
    on = working_hours.spans(schedule, begin - datetime.timedelta(days=3), end)
    seconds = sum(max(0.0, (min(stop, end) - max(start, begin)).total_seconds()) for start, stop in on)
    return seconds / 3600 * HOURS / (_YEAR_DAYS * 24)


def monthly(item: dict, way: str, hours: float) -> float:
    """How much of an item is billed in a month. hours: those in which it is on by the schedule."""
    if way == NOW:
        return item["now"] * (HOURS if item["hourly"] else 1)
    share = {ALWAYS_ON: 1.0, SCHEDULE: hours / HOURS, STOPPED: 0.0}[way]
    if item["when"] == cost_items.ALWAYS:
        share = 1.0
    elif item["when"] == cost_items.STOPS:
        share = 0.0 if way == ALWAYS_ON else 1.0
    return item["quantity"] * share * (HOURS if item["hourly"] else 1)


def lines(items: list[dict], table: dict, region: str, hours: float) -> list[dict]:
    """One line for each item, with its price, where that is from, and quantity and amount for each way to run; amounts are None without a price."""
    found = []
    for item in items:
        price = prices.find(table, region, item["price"])
        quantities = {way: round(monthly(item, way, hours), 6) for way in WAYS}
        found.append(
            {
                **{key: item[key] for key in ("group", "resource", "item", "assumed")},
                "key": item["price"],
                "price": price["price"] if price else None,
                "unit": price["unit"] if price else "",
                "date": price["date"] if price else "",
                "source": price["source"] if price else "",
                "verified": bool(price and price["verified"]),
                "region": price["region"] if price else "",
                "quantities": quantities,
                "amounts": {way: round(quantity * price["price"], 6) if price else None for way, quantity in quantities.items()},
            }
        )
    return found


def totals(found: list[dict]) -> dict:
    """{way: amount}, of the lines that have a price."""
    return {way: round(sum(line["amounts"][way] or 0 for line in found), 2) for way in WAYS}


def groups(found: list[dict]) -> list[dict]:
    """The lines added up: [{group, amounts}], in their order."""
    summed: dict[str, dict] = {}
    for line in found:
        entry = summed.setdefault(line["group"], dict.fromkeys(WAYS, 0.0))
        for way in WAYS:
            entry[way] += line["amounts"][way] or 0
    return [{"group": group, "amounts": {way: round(amount, 2) for way, amount in amounts.items()}} for group, amounts in summed.items()]


def unpriced(found: list[dict]) -> list[str]:
    """Keys that no region of the table has a price for."""
    return sorted({line["key"] for line in found if line["price"] is None})


def borrowed(found: list[dict], region: str) -> list[str]:
    """Keys whose price is another region's."""
    return sorted({line["key"] for line in found if line["region"] not in ("", region)})


def of(sizes: dict, table: dict, region: str, usage: dict | None = None, hours: float = HOURS) -> list[dict]:
    """The lines of an environment's sizes."""
    return lines(cost_items.items(sizes, usage), table, region, hours)


def difference(before: list[dict], after: list[dict]) -> dict:
    """What a change of sizes does to a month that is always on: {before, after, difference, lines: [{resource, item, before, after, difference}]}."""
    sides = [{(line["group"], line["resource"], line["item"]): line["amounts"][ALWAYS_ON] or 0 for line in side} for side in (before, after)]
    changed = []
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        old, new = (side.get(key, 0) for side in sides)
        if round(new - old, 2):
            changed.append({"resource": key[1], "item": key[2], "before": round(old, 2), "after": round(new, 2), "difference": round(new - old, 2)})
    old, new = (totals(side)[ALWAYS_ON] for side in (before, after))
    return {"before": old, "after": new, "difference": round(new - old, 2), "lines": changed}
