# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The price table: what a unit costs in a region, since when that is known, and from which page. A JSON file; no call to AWS here.

A price's key is 'family' or 'family/size', such as 'nat.hour' or 'rds.postgres.instance/db.t4g.micro'. The unit and the page are the family's.
"""

from __future__ import annotations

import json
import os

FORMAT = 1
# Where the table has no price for a region, this one's is told, and that it is this one's.
OTHERWISE = "us-east-1"


class PricesUnusable(Exception):
    """Its text is ready for the user."""


def read(path: str) -> dict:
    """One file of prices. Raises PricesUnusable."""
    try:
        with open(path, encoding="utf-8") as file:
            table = json.load(file)
    except OSError as error:
        raise PricesUnusable(f"The prices in {path} could not be read: {error.strerror}.") from error
    except ValueError as error:
        raise PricesUnusable(f"{path} is not JSON: {error}. Remove it, or restore its last good version.") from error
    if not isinstance(table, dict) or table.get("format") != FORMAT or not isinstance(table.get("regions"), dict):
        raise PricesUnusable(f"{path} is no price table of format {FORMAT}: {{format, currency, items, regions}}.")
    return table


def load(paths: list[str]) -> dict:
    """The first file, with what the later ones know better. Of those that do not exist nothing is taken; the first one has to."""
    table = read(paths[0])
    for path in paths[1:]:
        if os.path.exists(path):
            table = merged(table, read(path))
    return table


def merged(table: dict, newer: dict) -> dict:
    """`table` with the prices of `newer` in it. Both stay as they are."""
    regions = {name: dict(prices) for name, prices in table["regions"].items()}
    for name, prices in newer["regions"].items():
        regions.setdefault(name, {}).update(prices)
    return {**table, "items": {**table.get("items", {}), **newer.get("items", {})}, "regions": regions}


def find(table: dict, region: str, key: str) -> dict | None:
    """{'price', 'unit', 'date', 'source', 'verified', 'region'}; None if the table does not know the price anywhere."""
    family = table["items"].get(key.split("/", 1)[0], {})
    for where in (region, OTHERWISE):
        entry = table["regions"].get(where, {}).get(key)
        if entry is not None:
            return {
                "price": entry["price"],
                "unit": entry.get("unit") or family.get("unit", ""),
                "date": entry["date"],
                "source": entry.get("source") or family.get("source", ""),
                "verified": entry["verified"],
                "region": where,
            }
    return None
