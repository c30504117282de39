# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many environments at a glance: one line for each, and below what needs attention. Pure functions."""

from __future__ import annotations

import datetime

from ansible_collections.atena.aws.plugins.module_utils.cost import prices
from ansible_collections.atena.aws.plugins.module_utils.ecs.service_text import age
from ansible_collections.atena.aws.plugins.module_utils.status.text import is_destroyed, is_stopped

_HEAD = ("environment", "power", "tasks", "targets", "release", "database/backup", "redis/snapshot", "lock", "drift", "now/month", "alerts")
# Columns that are left out where no environment has anything in them: the table fits a screen of 100 columns then.
_RARE = ("lock", "drift")
_SHORT = 8
_NONE = "-"


def row(document: dict, now: datetime.datetime) -> list[str]:
    """The cells of one environment. document: what status.yml tells of it; one that could not be read has only `environment` and `error`."""
    if "error" in document:
        return [document["environment"], "not read", *[_NONE] * (len(_HEAD) - 3), "1"]
    services = document["services"]
    running, wanted = (sum(service[key] for service in services) for key in ("running_count", "desired_count"))
    behind = [service for service in services if service["has_load_balancer"]]
    targets = [state for service in behind for state in service["targets"]]
    return [
        document["environment"],
        _power(document),
        f"{running}/{wanted}{f' +{pending}' if (pending := sum(service['pending_count'] for service in services)) else ''}" if services else _NONE,
        f"{targets.count('healthy')}/{len(targets)}" if behind else _NONE,
        _release(services, now),
        _database(document["database"], now),
        _redis(document, now),
        _lock(document.get("lock")),
        _NONE if document.get("drift") is None else str(len(document["drift"])),
        _cost(document.get("cost")),
        str(len(document["problems"])) if document["problems"] else "ok",
    ]


def _power(document: dict) -> str:
    power = document.get("power") or {}
    if is_destroyed(document):
        return "destroyed"
    return power["state"] if power.get("state") in ("stopping", "starting") else "stopped" if is_stopped(document) else "on"


def _release(services: list[dict], now: datetime.datetime) -> str:
    """The release, or several where services run different ones; with the age of the newest."""
    names = list(dict.fromkeys(service["release"][:_SHORT] for service in services if service["release"]))
    moments = [service["released_at"] for service in services if service.get("released_at")]
    return "+".join(names) + (f" {age(max(moments), now)}" if moments else "") if names else _NONE


def _database(database: dict | None, now: datetime.datetime) -> str:
    if not database:
        return _NONE
    return f"{database['status']}/{age(database['newest_backup'], now) if database['newest_backup'] else 'none'}"


def _redis(document: dict, now: datetime.datetime) -> str:
    snapshot, redis = document.get("redis_snapshot"), document["redis"]
    return f"{redis['status'] if redis else 'none'}/{age(snapshot['created_at'], now) if snapshot and snapshot['created_at'] else 'none'}"


def _lock(lock: dict | None) -> str:
    return (lock["holder"] or {}).get("owner") or "locked" if lock and lock["locked"] else _NONE


def _cost(cost: dict | None) -> str:
    return _NONE if not cost else "?" if "error" in cost else f"${cost['now']:.0f}"


def table(documents: list[dict], now: datetime.datetime | None = None) -> list[str]:
    """One line for each environment, then a line for each that needs attention."""
    now = now or datetime.datetime.now(datetime.UTC)
    rows = [list(_HEAD), *(row(document, now) for document in documents)]
    kept = [column for column, name in enumerate(_HEAD) if name not in _RARE or any(cells[column] != _NONE for cells in rows[1:])]
    rows = [[cells[column] for column in kept] for cells in rows]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(kept))]
    text = ["  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]
    for document in documents:
        needs = [document["error"]] if "error" in document else document["problems"]
        if needs:
            text.append(f"{document['environment']} needs attention: {'; '.join(needs)}")
    costs = [document["cost"]["now"] for document in documents if document.get("cost") and "now" in document["cost"]]
    if costs:
        others = f", some of {prices.OTHERWISE}" if any((document.get("cost") or {}).get("borrowed") for document in documents) else ""
        text.append(f"{len(documents)} environments, at the present rate together ${sum(costs):.2f} a month (list prices{others})")
    return text
