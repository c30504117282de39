"""What AWS has and the lab leaves out unless it is asked for: `/_lab/settings`.

`GET` tells them, `PUT` changes those that it names, `DELETE` brings all back to what they are without a word.

    draining   short: a target that is leaving goes as soon as it has no request in flight.
               whole: it stays for its group's deregistration delay, and its service's deployment with it, as on AWS.
               off: it is stopped where it stands, with requests in flight and more to come: what draining is for.
    capacity   {cluster: {"memory": MiB, "reason": text}}: how much memory its tasks may have together; without an entry there is no end
               to it. `reason` is what RunTask gives for a task that does not fit.
    times      {work: seconds}: how long each work of WORKS takes at least. 0: as long as it really takes. What is under way ends earlier, or
               later, when its time is changed.
    failing    [work]: works that end in failure, with the state that AWS has for it.
    cache_snapshots   how many manual snapshots of caches there may be; null: no limit.
    database_log      every how many seconds a database's log is kept for a restore to a point in time: LatestRestorableTime. 300, as on AWS.
    database_certificate_days   for how many days a database's new certificate is good. 365, as on AWS.
"""

from __future__ import annotations

import time
from typing import Any

from . import control

WORKS = (
    "database_stop",
    "database_start",
    "database_snapshot",
    "database_restore",
    "database_rename",
    "cache_create",
    "cache_delete",
    "cache_snapshot",
    "nat_create",
    "nat_delete",
    "load_balancer_create",
)
CAN_FAIL = ("cache_create", "cache_snapshot", "database_start", "database_restore", "nat_create", "load_balancer_create")
PAUSE = 0.05

values: dict[str, Any] = {}


def _defaults() -> dict[str, Any]:
    return {
        **{"draining": "short", "capacity": {}, "times": dict.fromkeys(WORKS, 0), "failing": [], "cache_snapshots": None},
        **{"database_log": 300, "database_certificate_days": 365},
    }


def apply() -> None:
    values.update(_defaults())
    control.subjects["settings"] = answer


def answer(method: str, rest: list[str], wish: Any) -> tuple[int, Any]:
    if method == "PUT":
        values.update(merged(values, checked(wish)))
    elif method == "DELETE":
        values.update(_defaults())
    elif method != "GET":
        return 405, {"error": "GET, PUT or DELETE"}
    return 200, values


def checked(wish: Any) -> dict[str, Any]:
    """The settings in a request, if they make sense; else ValueError."""
    if not isinstance(wish, dict) or not wish.keys() <= _defaults().keys():
        raise ValueError(f"a JSON object of {', '.join(_defaults())}")
    if wish.get("draining", "short") not in ("short", "whole", "off"):
        raise ValueError("draining is short, whole or off")
    for cluster, room in wish.get("capacity", {}).items():
        if not isinstance(room.get("memory"), int):
            raise ValueError(f"the capacity of {cluster} needs memory, in MiB")
    for work, seconds in wish.get("times", {}).items():
        if work not in WORKS or isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise ValueError(f"times are seconds for {', '.join(WORKS)}")
    if not set(wish.get("failing", [])) <= set(CAN_FAIL):
        raise ValueError(f"failing is a list of {', '.join(CAN_FAIL)}")
    limit = wish.get("cache_snapshots")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise ValueError("cache_snapshots is a number, or null")
    every = wish.get("database_log", 300)
    if isinstance(every, bool) or not isinstance(every, int) or not 1 <= every <= 3600:
        raise ValueError("database_log is a number of seconds up to 3600")
    days = wish.get("database_certificate_days", 365)
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 3650:
        raise ValueError("database_certificate_days is a number of days up to 3650")
    return wish


def merged(before: dict[str, Any], wish: dict[str, Any]) -> dict[str, Any]:
    """Times that a request does not name stay."""
    return {**wish, "times": {**before["times"], **wish["times"]}} if "times" in wish else wish


def fails(work: str) -> bool:
    return work in values["failing"]


def over(work: str, since: float) -> bool:
    """Whether the work that began then has had its time."""
    return time.time() >= since + values["times"][work]


def wait(work: str, since: float) -> None:
    while not over(work, since):
        time.sleep(PAUSE)
