"""Targets are healthy when their health check says so, get traffic only then, and are drained before they go.

MiniStack reports every registered target healthy, sends it traffic at once, and forgets a deregistered one on the spot. Here each
target is asked over HTTP as its group's settings say, with two liberties, so that the lab does not wait for clocks: until a new target
has answered well once, it is asked every fraction of a second instead of once an interval; and a target without requests in flight need
not stay for the whole deregistration delay (common/lab_settings.py takes this one back, or switches draining off).
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from ministack.core.responses import StreamingResponse, request_scope
from ministack.services import alb

from ..common import lab_settings
from ..common.patching import replace
from .listeners import has_load_balancer

FIRST_CHECKS_EVERY = 0.25
DESCRIPTIONS = {
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
}

Key = tuple[str, str, int]  # target group, address, port


@dataclass
class Health:
    """What is known of one target; `checked` is the whole state machine."""

    state: str = "initial"
    reason: str = "Elb.RegistrationInProgress"
    description: str = DESCRIPTIONS["Elb.RegistrationInProgress"]
    since: float = field(default_factory=time.monotonic)
    next_check: float = 0.0
    passed: int = 0
    failed: int = 0
    draining_until: float | None = None
    still_asked: bool = False  # it leaves, and nobody told the load balancer: draining is switched off

    def checked(self, problem: tuple[str, str] | None, group: dict[str, Any], now: float) -> None:
        interval = group["HealthCheckIntervalSeconds"]
        if problem is None:
            self.passed, self.failed = self.passed + 1, 0
            if self.state == "initial" or self.passed >= group["HealthyThresholdCount"]:
                self.state, self.reason, self.description = "healthy", "", ""
            self.next_check = now + interval
            return
        self.passed = 0
        if self.state == "initial":
            self.reason, self.description = "Elb.InitialHealthChecking", DESCRIPTIONS["Elb.InitialHealthChecking"]
            self.next_check = now + FIRST_CHECKS_EVERY
            # As many intervals as a target has that is asked at AWS's pace.
            if now - self.since >= interval * group["UnhealthyThresholdCount"]:
                self.state, (self.reason, self.description) = "unhealthy", problem
                self.next_check = now + interval
            return
        self.failed += 1
        if self.state == "unhealthy" or self.failed >= group["UnhealthyThresholdCount"]:
            self.state, (self.reason, self.description) = "unhealthy", problem
        self.next_check = now + interval


_lock = threading.RLock()
_health: dict[Key, Health] = {}
_in_flight: dict[str, int] = {}
_checking: set[Key] = set()
# Called with (target group, address) after a target turned unhealthy; the service scheduler listens.
unhealthy_listeners: list[Callable[[str, str], None]] = []


def code_matches(code: int, matcher: str) -> bool:
    for part in matcher.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= code <= int(high or low):
            return True
    return False


def probe(group: dict[str, Any], address: str, port: int) -> tuple[str, str] | None:
    """Ask the target once; None if it is well, else AWS's reason and description."""
    check_port = group.get("HealthCheckPort", "traffic-port")
    connection = http.client.HTTPConnection(address, port if check_port == "traffic-port" else int(check_port), timeout=group["HealthCheckTimeoutSeconds"])
    try:
        connection.request("GET", group["HealthCheckPath"], headers={"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"})
        code = connection.getresponse().status
    except TimeoutError:
        return "Target.Timeout", "Request timed out"
    except (OSError, http.client.HTTPException):
        return "Target.FailedHealthChecks", "Health checks failed"
    finally:
        connection.close()
    return None if code_matches(code, group["Matcher"]["HttpCode"]) else ("Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]")


def target_state(target_group: str, address: str) -> str | None:
    """The state of the target with this address, None if it is not registered."""
    with _lock:
        for (group, known_address, _port), health in _health.items():
            if group == target_group and known_address == address and health.draining_until is None:
                return health.state
    return None


def target_problem(target_group: str, address: str) -> str:
    """Why the target with this address is not healthy, in AWS's words."""
    with _lock:
        for (group, known_address, _port), health in _health.items():
            if group == target_group and known_address == address and health.description:
                return health.description
    return "Health checks failed"


def wait_until_drained(address: str) -> None:
    """Return when no target at this address is draining any more; at once if draining is switched off."""
    _reconcile()  # so that one that was just deregistered is known to be draining
    while lab_settings.values["draining"] != "off":
        _forget_drained()
        with _lock:
            if not any(key[1] == address and health.draining_until is not None for key, health in _health.items()):
                return
        time.sleep(0.05)


def forget(address: str) -> None:
    """The task at this address has ended."""
    with _lock:
        for key in [key for key, health in _health.items() if key[1] == address and health.draining_until is not None]:
            del _health[key]


def _forget_drained() -> None:
    now = time.monotonic()
    with _lock:
        for key, health in list(_health.items()):
            if health.draining_until is None:
                continue
            is_idle = _in_flight.get(key[1], 0) == 0 and lab_settings.values["draining"] != "whole" and not health.still_asked
            if is_idle or now >= health.draining_until:
                del _health[key]


def apply() -> None:
    replace(alb, "_describe_target_health", lambda _: _describe)
    replace(alb, "_forward_to_tg", _to_healthy_targets)
    replace(alb, "_proxy_http_target", _counted)
    threading.Thread(target=_check_for_ever, daemon=True, name="lab-target-health").start()


def _registered() -> dict[Key, tuple[str, str, dict[str, Any]]]:
    found: dict[Key, tuple[str, str, dict[str, Any]]] = {}
    for (account, region, arn), group in list(alb._tgs.all_items()):
        with request_scope(account, region):
            for target in list(alb._targets.get(arn, [])):
                found[(arn, str(target["Id"]), int(target.get("Port") or group["Port"]))] = (account, region, group)
    return found


def _check_for_ever() -> None:
    while True:
        try:
            _reconcile()
        except Exception:
            alb.logger.exception("target health checks")
        time.sleep(0.05)


def _reconcile() -> None:
    """Take up new targets, drain those that were deregistered, start the checks that are due."""
    registered = _registered()
    now = time.monotonic()
    with _lock:
        for key in registered:
            if key not in _health or _health[key].draining_until is not None:
                _health[key] = Health()
        for key, health in list(_health.items()):
            if key not in registered and health.draining_until is None:
                health.still_asked = lab_settings.values["draining"] == "off" and health.state == "healthy"
                health.state, health.reason = "draining", "Target.DeregistrationInProgress"
                health.description = DESCRIPTIONS[health.reason]
                health.draining_until = now + _deregistration_delay(key[0])
        due = [key for key in registered if _health[key].next_check <= now and key not in _checking]
        _checking.update(due)
    _forget_drained()
    for key in due:
        threading.Thread(target=_check, args=(key, *registered[key]), daemon=True, name="lab-target-check").start()


def _deregistration_delay(target_group: str) -> float:
    account, region = target_group.split(":")[4], target_group.split(":")[3]
    with request_scope(account, region):
        for attribute in alb._tg_attrs.get(target_group, []):
            if attribute["Key"] == "deregistration_delay.timeout_seconds":
                return float(attribute["Value"])
    return 300.0


def _check(key: Key, account: str, region: str, group: dict[str, Any]) -> None:
    try:
        with request_scope(account, region):
            used = has_load_balancer(key[0])
        problem = probe(group, key[1], key[2]) if used and group["HealthCheckEnabled"] else None
        with _lock:
            health = _health.get(key)
            if health is None or health.draining_until is not None:
                return
            before = health.state
            if used:
                health.checked(problem, group, time.monotonic())
            else:
                health.state, health.reason, health.description = "unused", "Target.NotInUse", DESCRIPTIONS["Target.NotInUse"]
                health.since, health.next_check = time.monotonic(), time.monotonic() + FIRST_CHECKS_EVERY
            if used and before == "unused":
                _health[key] = Health()
            after = _health[key].state
        if after == "unhealthy" != before:
            with request_scope(account, region):
                for listener in unhealthy_listeners:
                    listener(key[0], key[1])
    finally:
        with _lock:
            _checking.discard(key)


def _describe(params: dict[str, Any]) -> Any:
    arn = alb._p(params, "TargetGroupArn")
    if arn not in alb._tgs:
        return alb._error("TargetGroupNotFound", f"Target group '{arn}' not found.")
    wanted = {target["Id"] for target in alb._parse_targets_param(params)}
    _reconcile_quietly()
    members = []
    with _lock:
        for (group, address, port), health in _health.items():
            if group != arn or (wanted and address not in wanted):
                continue
            detail = f"<Reason>{health.reason}</Reason><Description>{escape(health.description)}</Description>" if health.reason else ""
            members.append(
                f"<member><Target><Id>{address}</Id><Port>{port}</Port></Target><HealthCheckPort>{port}</HealthCheckPort>"
                f"<TargetHealth><State>{health.state}</State>{detail}</TargetHealth></member>"
            )
    return alb._xml(200, "DescribeTargetHealth", f"<TargetHealthDescriptions>{''.join(members)}</TargetHealthDescriptions>")


def _reconcile_quietly() -> None:
    """So that a target is listed as soon as RegisterTargets has answered."""
    with _lock:
        for key in _registered():
            _health.setdefault(key, Health())


def choose(targets: list[dict[str, Any]], states: list[str]) -> list[dict[str, Any]]:
    """The targets to choose from: the healthy ones, or all that are unhealthy when none is well (a load balancer fails open)."""
    for state in ("healthy", "unhealthy"):
        matching = [target for target, its_state in zip(targets, states, strict=True) if its_state == state]
        if matching:
            return matching
    return []


def _to_healthy_targets(forward: Any) -> Any:
    async def forward_to_healthy(tg_arn: str, method: str, path: str, headers: Any, body: Any, query: Any, raw_query: Any = None, raw_path: Any = None) -> Any:
        group = alb._tgs.get(tg_arn)
        if not group or group.get("TargetType") == "lambda":
            return await forward(tg_arn, method, path, headers, body, query, raw_query, raw_path)
        with _lock:
            targets = list(alb._targets.get(tg_arn, []))
            known = [_health.get((tg_arn, str(target["Id"]), int(target.get("Port") or group["Port"]))) for target in targets]
            candidates = choose(targets, [health.state if health else "initial" for health in known])
            candidates += [{"Id": address, "Port": port} for (arn, address, port), health in _health.items() if arn == tg_arn and health.still_asked]
            if not candidates:
                return 503, {"Content-Type": "text/html"}, b"<html><head><title>503 Service Temporarily Unavailable</title></head></html>"
            target = random.choice(candidates)
            # Counted before the lock is let go: from here on, draining waits for this request.
            _in_flight[str(target["Id"])] = _in_flight.get(str(target["Id"]), 0) + 1
        return await alb._proxy_http_target(target, group, method, raw_path or path, headers, body, query, raw_query)

    return forward_to_healthy


def _request_ended(address: str) -> None:
    with _lock:
        _in_flight[address] -= 1


def _counted(proxy: Any) -> Any:
    """A request is in flight until the last byte of its answer went out."""

    async def proxy_counted(target: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        address = str(target["Id"])
        try:
            status, headers, answer = await proxy(target, *arguments, **options)
        except BaseException:
            _request_ended(address)
            raise
        if not isinstance(answer, StreamingResponse):
            _request_ended(address)
            return status, headers, answer
        stream = answer.runner

        async def stream_counted(send: Any, receive: Any) -> None:
            try:
                await stream(send, receive)
            finally:
                _request_ended(address)

        return status, headers, StreamingResponse(stream_counted)

    return proxy_counted
