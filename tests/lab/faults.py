"""AWS's bad days, by name: the client of the lab's `/_lab/faults` and `/_lab/settings`.

    with Faults(endpoint) as faults:
        throttled = faults.throttle("ecs:UpdateService", times=20)
        ...
        assert faults.hits(throttled) == 20

What was asked for is forgotten at the end of the block. lab/emulator/extension/faults/fault_rules.py says what each option does.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any


class Faults:
    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._ids: list[str] = []
        self._settings = False

    def __enter__(self) -> Faults:
        return self

    def __exit__(self, *_: Any) -> None:
        self.clear()

    def throttle(self, operation: str, **options: Any) -> str:
        """Refused for too many calls, in the service's own words."""
        return self._add(operation, "throttle", options)

    def error(self, operation: str, code: str = "", message: str = "", **options: Any) -> str:
        """The service's error of this code; an internal one (500) without a code."""
        return self._add(operation, "error", {"code": code, "message": message, **options})

    def expire(self, operation: str = "*", **options: Any) -> str:
        """The caller's session token is no longer valid."""
        return self.error(operation, "ExpiredTokenException", "The security token included in the request is expired", **options)

    def delay(self, operation: str, seconds: float, **options: Any) -> str:
        return self._add(operation, "delay", {"seconds": seconds, **options})

    def hold(self, operation: str, **options: Any) -> str:
        """Held back until the fault is removed: a request that stands still while the test does something."""
        return self._add(operation, "hold", options)

    def drop(self, operation: str, **options: Any) -> str:
        """The connection is reset before the operation is carried out; after it with carried_out=True."""
        return self._add(operation, "drop", options)

    def rewrite(self, operation: str, patch: Any = None, replace: dict[str, str] | None = None, **options: Any) -> str:
        return self._add(operation, "rewrite", {"patch": patch, "replace": replace or {}, **options})

    def capacity(self, cluster: str, memory: int, reason: str = "") -> None:
        """From now on the cluster has so much memory, in MiB. RunTask and services say why a task does not fit."""
        self._set({"capacity": {cluster: {"memory": memory, **({"reason": reason} if reason else {})}}})

    def drain_wholly(self) -> None:
        """From now on a target that leaves stays for its whole deregistration delay, as on AWS."""
        self._set({"draining": "whole"})

    def drain_not_at_all(self) -> None:
        """From now on a target that leaves is stopped under the requests that it gets."""
        self._set({"draining": "off"})

    def times(self, **seconds: float) -> None:
        """From now on these works take so long at least: database_stop, cache_create, … (lab/emulator/extension/common/lab_settings.py has them all)."""
        self._set({"times": seconds})

    def failing(self, *works: str) -> None:
        """From now on these works end in failure, and no others."""
        self._set({"failing": list(works)})

    def cache_snapshots(self, limit: int | None) -> None:
        """From now on there may be so many manual snapshots of caches."""
        self._set({"cache_snapshots": limit})

    def database_log(self, seconds: int) -> None:
        """From now on a database can be restored to what it was up to so many seconds ago."""
        self._set({"database_log": seconds})

    def database_certificates(self, days: int) -> None:
        """For how many days the certificates are that databases get from now on."""
        self._set({"database_certificate_days": days})

    def days(self, days: float) -> list[str]:
        """Let days pass for the databases; the instances that AWS started meanwhile."""
        return self._ask("PUT", "clock", {"advance_days": days})["started"]

    def upgraded(self, database: str, version: str) -> None:
        """AWS has upgraded a database to this minor version, by itself."""
        self._ask("PUT", "database_version", {"database": database, "version": version})

    def node_replaced(self, cache: str) -> None:
        """AWS has replaced the node of a Redis, which is empty now."""
        self._ask("PUT", "cache_node", {"cache": cache})

    def fire(self, schedule: str) -> bool:
        """Let this schedule (group/name) come due; False if it is disabled or not there."""
        return self._ask("POST", "schedules", {"name": schedule})["fired"]

    def scheduled(self, schedule: str) -> list[dict[str, Any]]:
        """What the schedule of this name called so far."""
        return [call for call in self._ask("GET", "schedules") if call["schedule"] == schedule]

    def scale(self, resource_id: str, desired: int) -> int | None:
        """What a scaling policy decides; the count that it came to, None if nothing changed."""
        return self._ask("POST", "scaling", {"resource_id": resource_id, "desired": desired})["desired"]

    def hits(self, fault_id: str) -> int:
        """How many requests met this fault so far."""
        return next(fault["hits"] for fault in self.list() if fault["id"] == fault_id)

    def met(self, fault_id: str, seconds: float = 60) -> None:
        """Return when a request has met this fault."""
        deadline = time.monotonic() + seconds
        while not self.hits(fault_id):
            assert time.monotonic() < deadline, f"no request met the fault {fault_id} within {seconds} s: {self.list()}"
            time.sleep(0.05)

    def list(self) -> list[dict[str, Any]]:
        return self._ask("GET", "faults")

    def remove(self, fault_id: str) -> None:
        self._ask("DELETE", f"faults/{fault_id}")
        self._ids.remove(fault_id)

    def clear(self) -> None:
        """Forget what this client asked for, and all settings if it changed one."""
        for fault_id in list(self._ids):
            self.remove(fault_id)
        if self._settings:
            self._ask("DELETE", "settings")
            self._settings = False

    def forget_all(self) -> None:
        """Forget what any client asked for: of one that died with its test, too."""
        self._ask("DELETE", "faults")
        self._ids.clear()
        self._ask("DELETE", "settings")

    def _set(self, settings: dict[str, Any]) -> None:
        self._settings = True
        self._ask("PUT", "settings", settings)

    def _add(self, operation: str, kind: str, options: dict[str, Any]) -> str:
        fault = self._ask("POST", "faults", {"operation": operation, "kind": kind, **options})
        self._ids.append(fault["id"])
        return fault["id"]

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.endpoint}/_lab/{path}", data=data, method=method, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(f"{method} {path}: {error.code} {error.read().decode()}") from None
