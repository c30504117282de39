# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which services the load balancer forwards to, and where each of them is asked whether it is well."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Services = Mapping[str, Mapping[str, Any]]


def default_service(services: Services) -> str:
    """The service that gets the requests which no listener rule names; '' if no service has a port."""
    return next((key for key, service in services.items() if service.get("port") and not service.get("listener_rule")), "")


def reaches(pattern: str, path: str) -> bool:
    """As a load balancer compares them: `*` stands for any text, `?` for one character."""
    return re.fullmatch("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), path, re.DOTALL) is not None


def route(service: Mapping[str, Any]) -> dict[str, str] | None:
    """{"path", "host"} at which the load balancer's address shows a service's health; None where its rule does not lead there: then the load balancer alone
    asks, at the target."""
    rule, path = service.get("listener_rule") or {}, service.get("health_check_path", "/")
    hosts, paths = rule.get("hosts") or [], rule.get("paths") or []
    named = next((host for host in hosts if not set(host) & set("*?")), "")
    if (hosts and not named) or (paths and not any(reaches(pattern, path) for pattern in paths)):
        return None
    return {"path": path, "host": named}


def health_questions(services: Services, name: str) -> dict[str, Any]:
    """{"service", "routes"} of the option `health`: who answers at the address itself, and what else is asked there."""
    default, routes = default_service(services), []
    for key, service in services.items():
        found = route(service) if service.get("port") and service.get("listener_rule") else None
        if found:
            routes.append({"service": f"{name}-{key}", **found})
    return {"service": f"{name}-{default}" if default else "", "routes": routes}


def default_health_path(services: Services) -> str:
    """Where the service that gets what no rule names answers health checks, as infra/ has it."""
    return str(services.get(default_service(services), {}).get("health_check_path", "/"))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"health_questions": health_questions, "default_health_path": default_health_path}
