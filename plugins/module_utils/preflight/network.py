# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the tasks of a release have a way out, and the security groups a path from the load balancer to them and on to the data.

Not looked at: network ACLs, firewalls behind a transit gateway, policies of VPC endpoints.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.ecs.references import ecr_image, secrets_of
from ansible_collections.atena.aws.plugins.module_utils.environment.sources import vpc_configuration
from ansible_collections.atena.aws.plugins.module_utils.preflight.findings import bad, doubt, good, not_determined, unread

_ANYWHERE = "0.0.0.0/0"
# com.amazonaws.us-east-1., cn.com.amazonaws.cn-north-1., eu.amazonaws.eusc-de-east-1.: what comes before a service in the name of its VPC endpoint.
_ENDPOINT_OF = re.compile(r"^[a-z.]+\.[a-z]+(?:-[a-z]+)+-\d+\.")
# Where a default route may lead, by the route's own key.
_TARGETS = ("NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "NetworkInterfaceId", "InstanceId", "LocalGatewayId", "CoreNetworkArn")
_INFRA = "Run infra.yml: it puts the network back as described (see its plan first)."

OPEN, CLOSED, UNSURE = "open", "closed", "unsure"


# --- The way out ---


def route_table_of(subnet: str, vpc: str, tables: list[dict]) -> dict | None:
    """The subnet's own route table, else the main one of its VPC."""
    main = None
    for table in tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet:
                return table
            if association.get("Main") and table.get("VpcId") == vpc:
                main = table
    return main


def missing_endpoints(table: dict | None, wanted: set, endpoints: list[dict]) -> set:
    """Services of AWS that no available VPC endpoint leads to (gateway endpoints: from this route table)."""
    reached = set()
    for endpoint in endpoints:
        name = _ENDPOINT_OF.sub("", endpoint.get("ServiceName", ""))
        gateway = endpoint.get("VpcEndpointType") == "Gateway"
        if endpoint.get("State", "").lower() == "available" and (not gateway or table and table.get("RouteTableId") in endpoint.get("RouteTableIds", [])):
            reached.add(name)
    return wanted - reached


def way_out(subnet: str, public_address: bool, wanted: set, network: dict) -> tuple[str, str]:
    """(OPEN or CLOSED, how or why not) for a task in this subnet."""
    vpc = next((item["VpcId"] for item in network["subnets"] if item["SubnetId"] == subnet), "")
    table = route_table_of(subnet, vpc, network["route_tables"])
    default = next((route for route in (table or {}).get("Routes", []) if route.get("DestinationCidrBlock") == _ANYWHERE), None)
    why = "its route table has no route to 0.0.0.0/0" if table else "it has no route table"
    if default:
        nat, gateway = default.get("NatGatewayId"), default.get("GatewayId", "")
        target = next((default[key] for key in _TARGETS if default.get(key)), gateway)
        states = {item["NatGatewayId"]: item["State"] for item in network["nat_gateways"]}
        if default.get("State") == "blackhole":
            why = f"its route to 0.0.0.0/0 leads to {target}, which does not exist any more (blackhole)"
        elif nat and states.get(nat) != "available":
            why = f"its route to 0.0.0.0/0 leads to the NAT gateway {nat}, which is {states.get(nat, 'gone')}"
        elif gateway.startswith("igw-") and not public_address:
            why = f"its route to the internet is the internet gateway {gateway}, and the service gives its tasks no public address"
        else:
            return OPEN, f"through {target}"
    missing = missing_endpoints(table, wanted, network["endpoints"])
    if not missing:
        return OPEN, "through VPC endpoints"
    return CLOSED, f"{why}, and there is no VPC endpoint for {', '.join(sorted(missing))}"


def _wanted_services(facts: dict, name: str) -> set:
    """What a task calls before its container runs, as VPC endpoints call it."""
    wanted = {"logs"}
    if any(ecr_image(image) for image in facts["service_images"].get(name, {}).values()):
        wanted |= {"ecr.api", "ecr.dkr", "s3"}
    if secrets_of(facts["definitions"][name]):
        wanted.add("ssm")
    return wanted


def _unread_part(network: dict, *keys: str) -> dict | None:
    return next((network[key] for key in keys if unread(network.get(key))), None)


def check_way_out(facts: dict, request: dict) -> list[dict]:
    """Each subnet of the services has a way to ECR, SSM and CloudWatch Logs."""
    network = facts["network"]
    seen: dict[tuple[str, bool], set[str]] = {}
    findings = []
    for name, service in facts["services"].items():
        settings = vpc_configuration(service or {})
        if name not in facts["definitions"]:
            continue
        for subnet in settings.get("subnets", []):
            key = (subnet, settings.get("assignPublicIp") == "ENABLED")
            seen.setdefault(key, set()).update(_wanted_services(facts, name))
    broken = _unread_part(network, "subnets", "route_tables", "nat_gateways", "endpoints")
    for (subnet, public_address), wanted in seen.items():
        if broken:
            findings.append(not_determined("way_out", subnet, broken))
            continue
        state, says = way_out(subnet, public_address, wanted, network)
        if state == OPEN:
            findings.append(good("way_out", subnet, says))
        else:
            findings.append(
                bad("way_out", subnet, f"{says}: a task there cannot reach AWS to start.", f"{_INFRA} If the environment is stopped, start it instead.")
            )
    return findings


# --- Security groups ---


def _covers(rule_cidr: str, networks: list[str]) -> str:
    """Whether a rule's addresses hold all of the networks, none, or some of them."""
    allowed = ipaddress.IPv4Network(rule_cidr, strict=False)
    held = [ipaddress.IPv4Network(item, strict=False) for item in networks]
    if held and all(item.subnet_of(allowed) for item in held):
        return OPEN
    return UNSURE if any(item.overlaps(allowed) for item in held) else CLOSED


def side(rules: list[dict], peers: set, networks: list[str], port: int) -> str:
    """Whether one side's rules let TCP on this port pass to or from the peers: security groups whose members have addresses in the networks."""
    answers = {CLOSED}
    for rule in rules:
        protocol = rule.get("IpProtocol")
        if protocol not in ("tcp", "6", "-1") or (protocol != "-1" and not rule.get("FromPort", 0) <= port <= rule.get("ToPort", 65535)):
            continue
        if peers & {pair.get("GroupId") for pair in rule.get("UserIdGroupPairs", [])}:
            answers.add(OPEN)
        answers.update(_covers(item["CidrIp"], networks) for item in rule.get("IpRanges", []))
        if rule.get("PrefixListIds"):
            answers.add(UNSURE)
    return next(answer for answer in (OPEN, UNSURE, CLOSED) if answer in answers)


def path(groups: dict, source: set, target: set, source_networks: list[str], target_networks: list[str], port: int) -> list[tuple[str, str]]:
    """[(CLOSED or UNSURE, what)] for each side that does not surely let the port pass; empty when the path is open."""
    found = []
    for what, mine, theirs, key, networks in (
        ("nothing lets it out of", source, target, "IpPermissionsEgress", target_networks),
        ("nothing lets it into", target, source, "IpPermissions", source_networks),
    ):
        names = ", ".join(sorted(groups[item]["GroupName"] if item in groups else item for item in mine)) or "(no security group)"
        if not mine <= set(groups):
            found.append((UNSURE, f"{names} could not be found in the tasks' VPC"))
            continue
        state = side([rule for item in mine for rule in groups[item].get(key, [])], theirs, networks, port)
        if state != OPEN:
            found.append((state, f"{what} {names}" if state == CLOSED else f"the rules of {names} name only some of the addresses, or a prefix list"))
    return found


def _networks(network: dict, identifiers: list[str]) -> list[str]:
    """Addresses of these subnets; of all subnets where they are not known."""
    known = {item["SubnetId"]: item["CidrBlock"] for item in network["subnets"] if item.get("CidrBlock")}
    return [known[item] for item in identifiers if item in known] or list(known.values())


def _wanted_paths(facts: dict, network: dict) -> Collection[tuple[Any, ...]]:
    """(subject, source groups, target groups, source networks, target networks, port), each path once."""
    paths: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def add(*wanted: Any) -> None:
        paths.setdefault((wanted[0], wanted[-1], tuple(sorted(wanted[1])), tuple(sorted(wanted[2]))), wanted)

    stores = []
    database, redis = facts.get("database"), facts.get("redis")
    if database and not unread(database) and (database.get("Endpoint") or {}).get("Port"):
        groups = {item["VpcSecurityGroupId"] for item in database.get("VpcSecurityGroups", [])}
        subnets = [item["SubnetIdentifier"] for item in (database.get("DBSubnetGroup") or {}).get("Subnets", [])]
        stores.append(("database", groups, subnets, database["Endpoint"]["Port"]))
    if redis and not unread(redis):
        endpoint = (redis.get("CacheNodes") or [{}])[0].get("Endpoint") or {}
        stores.append(("Redis", {item["SecurityGroupId"] for item in redis.get("SecurityGroups", [])}, [], endpoint.get("Port", 6379)))
    for name, service in facts["services"].items():
        if not service or unread(service) or not vpc_configuration(service).get("subnets"):
            continue
        settings = vpc_configuration(service)
        tasks, at = set(settings.get("securityGroups", [])), _networks(network, settings["subnets"])
        for item in service.get("loadBalancers", []):
            group = facts["target_groups"].get(item.get("targetGroupArn"))
            for arn in (group or {}).get("LoadBalancerArns", []):
                balancer = facts["balancers"].get(arn)
                if balancer and not unread(balancer) and balancer.get("Type", "application") == "application":
                    zones = [zone["SubnetId"] for zone in balancer.get("AvailabilityZones", [])]
                    add(f"load balancer to {name}", set(balancer["SecurityGroups"]), tasks, _networks(network, zones), at, item["containerPort"])
        for what, groups, subnets, port in stores:
            add(f"tasks to {what}", tasks, groups, at, _networks(network, subnets), port)
    return paths.values()


def check_security_groups(facts: dict, request: dict) -> list[dict]:
    """Load balancer to tasks, tasks to the database and to Redis, tasks to AWS: each on its port."""
    network, findings = facts["network"], []
    if not network:
        return []
    broken = _unread_part(network, "subnets", "groups")
    if broken:
        return [not_determined("security_group", "all paths", broken)]
    groups = {item["GroupId"]: item for item in network["groups"]}
    for subject, source, target, source_networks, target_networks, port in _wanted_paths(facts, network):
        problems = path(groups, source, target, source_networks, target_networks, port)
        text = f"port {port}: {', and '.join(what for _state, what in problems)}."
        if not problems:
            findings.append(good("security_group", subject, f"open on port {port}"))
        elif any(state == CLOSED for state, _what in problems):
            findings.append(bad("security_group", subject, text, f"{_INFRA} Or add the rule for TCP port {port} to the security group named."))
        else:
            findings.append(doubt("security_group", subject, f"not determined, {text}", f"Check that TCP port {port} is let through."))
    return [*findings, *_to_aws(facts, groups)]


def _to_aws(facts: dict, groups: dict) -> list[dict]:
    """Pulling, secrets and logs go over TLS to AWS: out of the tasks' security groups on port 443."""
    findings = {}
    for service in facts["services"].values():
        mine = set(vpc_configuration(service or {}).get("securityGroups", []))
        if not mine or not mine <= set(groups) or tuple(sorted(mine)) in findings:
            continue
        names = ", ".join(sorted(groups[item]["GroupName"] for item in mine))
        rules = [rule for item in mine for rule in groups[item].get("IpPermissionsEgress", [])]
        endpoints = facts["network"].get("endpoints")
        targets = {item["GroupId"] for endpoint in (endpoints if isinstance(endpoints, list) else []) for item in endpoint.get("Groups", [])}
        state = side(rules, targets, [_ANYWHERE], 443)
        if state == OPEN:
            found = good("security_group", "tasks to AWS", f"{names} lets port 443 out")
        elif state == UNSURE:
            found = doubt("security_group", "tasks to AWS", f"{names} lets port 443 out to some addresses only; whether AWS is among them was not determined.")
        else:
            found = bad("security_group", "tasks to AWS", f"port 443: nothing lets it out of {names}: no image, secret or log can pass.", _INFRA)
        findings[tuple(sorted(mine))] = found
    return list(findings.values())
