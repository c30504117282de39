# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the network does not let pass now, as causes of a diagnosis: the egress of the tasks, and the security groups between the parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.diagnosis import remedies
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import Found, shown
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import Network, Service
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.view import View
from ansible_collections.atena.aws.plugins.module_utils.preflight import network as preflight_network

# What ECS calls from the task's subnet before a container runs, as VPC endpoints name it.
_CALLED_BEFORE_A_START = {"ecr.api", "ecr.dkr", "s3", "ssm", "logs"}


def as_answers(network: Network) -> dict[str, Any]:
    """The parts that preflight.network takes."""
    return {name: getattr(network, name) for name in ("groups", "subnets", "route_tables", "nat_gateways", "endpoints")}


def egress(view: View) -> Iterator[Found]:
    """Before a container runs, its task fetches image and secrets from AWS: from a private subnet through NAT, or VPC endpoints."""
    parts = as_answers(view.network)
    for name, service in view.services.items():
        yield from _closed_groups(view, name, service)
        if view.is_off or any(parts[part] is None for part in ("subnets", "route_tables", "nat_gateways", "endpoints")):
            continue
        for subnet in service.subnets:
            state, why = preflight_network.way_out(subnet, service.has_public_address, _CALLED_BEFORE_A_START, parts)
            if state == preflight_network.CLOSED:
                cause = "The tasks' subnets have no egress, so no task can pull its image or read its secrets"
                steps = remedies.infrastructure(view, "Create the NAT gateway and its route again")
                yield Found("EGRESS_MISSING", name, cause, steps, evidence=shown(f"subnet {subnet}: {why}"), concerns=(name,))


def _closed_groups(view: View, name: str, service: Service) -> Iterator[Found]:
    groups = set(service.security_groups)
    if not groups or not groups <= set(view.groups):
        return
    endpoints = {item["GroupId"] for endpoint in view.network.endpoints or [] for item in endpoint.get("Groups", [])}
    rules = [rule for group in groups for rule in view.groups[group]["IpPermissionsEgress"]]
    if preflight_network.side(rules, endpoints, ["0.0.0.0/0"], 443) == preflight_network.CLOSED:
        cause = "A security group keeps the tasks from reaching AWS (ECR, SSM, CloudWatch Logs)"
        evidence = shown(f"no rule of {view.group_names(groups)} allows egress on TCP port 443")
        yield Found("EGRESS_MISSING", name, cause, [view.step("Create the rule again", "infra.yml")], evidence=evidence, concerns=(name,))


class _Hop(NamedTuple):
    """A connection: between which groups, from and to which addresses."""

    code: str
    source: str
    target: str
    out_of: set[str]
    into: set[str]
    from_addresses: list[str]
    to_addresses: list[str]
    port: int | None


def paths(view: View) -> Iterator[Found]:
    """Security groups from the load balancer to the services, and from them to database and Redis."""
    if view.network.subnets is None:
        return
    addresses_of = {subnet["SubnetId"]: subnet["CidrBlock"] for subnet in view.network.subnets}
    for name, service in view.services.items():
        for hop in _hops(view, service, addresses_of):
            problems = preflight_network.path(view.groups, hop.out_of, hop.into, hop.from_addresses, hop.to_addresses, hop.port or 0)
            closed = [what for state, what in problems if state == preflight_network.CLOSED]
            if closed:
                cause = f"The security groups do not let {hop.source} reach {hop.target} on port {hop.port}"
                route = f"TCP port {hop.port} from {view.group_names(hop.out_of)} to {view.group_names(hop.into)}"
                evidence = shown(*(f"{route}: {what}" for what in closed))
                yield Found(hop.code, name, cause, [view.step("Create the rule again", "infra.yml")], evidence=evidence, concerns=(name,))


def _hops(view: View, service: Service, addresses_of: dict[str, str]) -> Iterator[_Hop]:
    own, everywhere = set(service.security_groups), list(addresses_of.values())
    at = [addresses_of[subnet] for subnet in service.subnets if subnet in addresses_of]
    for side in service.balancers if view.load_balancer else []:
        groups = set(view.load_balancer.security_groups) if view.load_balancer else set()
        yield _Hop("SERVICE_BLOCKED", "the load balancer", "the tasks", groups, own, everywhere, at, side.port)
    for code, label, entry in (("DATABASE_BLOCKED", "the database", view.database), ("REDIS_BLOCKED", "Redis", view.redis)):
        if entry and entry.security_groups:
            yield _Hop(code, "the tasks", label, own, set(entry.security_groups), at, everywhere, entry.port)


RULES = (egress, paths)
