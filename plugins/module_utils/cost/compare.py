# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An estimate that was made before, line by line beside ours for the same sizes, with why each line differs. Pure functions."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.cost import model as cost_model

# Beyond this, in per cent, a difference needs an explanation.
NOTABLE = 10
UNEXPLAINED = "no explanation is known: the prices have changed since it was written"


def _belongs(line: dict, rule: str) -> bool:
    """rule: a group, or 'group: beginning of the item'."""
    group, _colon, item = rule.partition(": ")
    return line["group"] == group and line["item"].startswith(item)


def rows(lines: list[dict], way: str, estimate: dict) -> list[dict]:
    """[{name, estimate, amount, difference_percent, why}]: of each row of the estimate, and then of each thing that it left out (estimate None)."""
    found, taken = [], set()
    for row in estimate["rows"]:
        mine = [index for index, line in enumerate(lines) if any(_belongs(line, rule) for rule in row["lines"])]
        taken.update(mine)
        amount = round(sum(lines[index]["amounts"][way] or 0 for index in mine), 2)
        percent = round(100 * (amount - row["amount"]) / row["amount"])
        why = row.get("why", "")
        if abs(percent) > NOTABLE and not why:
            why = UNEXPLAINED
        found.append({"name": row["name"], "estimate": row["amount"], "amount": amount, "difference_percent": percent, "why": why})
    left: dict[str, float] = {}
    for index, line in enumerate(lines):
        if index not in taken and round(line["amounts"][way] or 0, 2):
            rule = next((rule for rule in estimate["left_out"] if _belongs(line, rule)), line["group"])
            left[rule] = left.get(rule, 0) + line["amounts"][way]
    for rule, amount in left.items():
        why = estimate["left_out"].get(rule, UNEXPLAINED)
        found.append({"name": rule, "estimate": None, "amount": round(amount, 2), "difference_percent": None, "why": why})
    return found


def tables(reference: dict, table: dict, hours: float) -> dict:
    """{way: {estimate, amount, rows}} of a reference: {region, usage, sizes, tables}."""
    lines = cost_model.of(reference["sizes"], table, reference["region"], reference["usage"], hours)
    summed = cost_model.totals(lines)
    return {way: {"estimate": estimate["total"], "amount": summed[way], "rows": rows(lines, way, estimate)} for way, estimate in reference["tables"].items()}


_TITLES = {cost_model.ALWAYS_ON: "Always on", cost_model.SCHEDULE: "Eight hours a day", cost_model.STOPPED: "Stopped"}


def text(compared: dict) -> list[str]:
    """The same for people."""
    found = []
    for way, entry in compared.items():
        found.append(f"{_TITLES[way]}: the design said ~${entry['estimate']}, now ${entry['amount']:.2f}")
        for row in entry["rows"]:
            said = "not in it" if row["estimate"] is None else f"~${row['estimate']}"
            percent = "" if row["difference_percent"] is None else f" ({row['difference_percent']:+d} %)"
            because = f": {row['why']}" if row["why"] else ""
            found.append(f"  {row['name']}: {said}, now ${row['amount']:.2f}{percent}{because}")
    return found
