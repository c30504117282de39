"""What AWS has and the lab leaves out unless it is asked for: `/_lab/settings`.

`GET` tells them, `PUT` changes those that it names, `DELETE` brings all back to what they are without a word.

    draining   short: a target that is leaving goes as soon as it has no request in flight.
               whole: it stays for its group's deregistration delay, and its service's deployment with it, as on AWS.
               off: it is stopped where it stands, with requests in flight and more to come: what draining is for.
    capacity   {cluster: {"memory": MiB, "reason": text}}: how much memory its tasks may have together; without an entry there is no end
               to it. `reason` is what RunTask gives for a task that does not fit.
"""

from __future__ import annotations

from typing import Any

from . import control

values: dict[str, Any] = {}


def _defaults() -> dict[str, Any]:
    return {"draining": "short", "capacity": {}}


def apply() -> None:
    values.update(_defaults())
    control.subjects["settings"] = answer


def answer(method: str, rest: list[str], wish: Any) -> tuple[int, Any]:
    if method == "PUT":
        values.update(checked(wish))
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
    return wish
