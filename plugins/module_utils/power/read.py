# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How an environment stands for a stop or a start: gates, journal, services, tasks, database, Redis, and what the power gate switches. Reads only."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_services, describe_tasks
from ansible_collections.atena.aws.plugins.module_utils.environment import read as environment_read
from ansible_collections.atena.aws.plugins.module_utils.environment.gates import Gates
from ansible_collections.atena.aws.plugins.module_utils.environment.journal import Journal
from ansible_collections.atena.aws.plugins.module_utils.redis import read as redis_read


def services_of(call: Aws, cluster: str) -> dict[str, dict[str, Any]]:
    """{name: described service} of every service of the cluster, ours or not. Raises CallFailed if there is no cluster."""
    arns = call.pages("ecs", "list_services", f"list the services of {cluster}", "serviceArns", cluster=cluster)
    return describe_services(call, cluster, sorted(arn.rsplit("/", 1)[-1] for arn in arns))


# ECS lists the task and does not describe it ('MISSING'): it has only just been started, or ended an hour ago. That is no proof that it has stopped.
UNSEEN = "MISSING"


def tasks_of(call: Aws, cluster: str) -> list[dict[str, Any]]:
    """Every task of the cluster that is not known to be STOPPED, one-off ones too, as described; of those that are listed only, {"taskArn", "lastStatus":
    UNSEEN}. A task that is told to stop is listed with those that stopped."""
    arns = set()
    for desired in ("RUNNING", "STOPPED"):
        arns.update(call.pages("ecs", "list_tasks", f"list the tasks of {cluster}", "taskArns", cluster=cluster, desiredStatus=desired))
    found = describe_tasks(call, cluster, sorted(arns))
    unseen = arns - {task["taskArn"] for task in found}
    return [task for task in found if task.get("lastStatus") != "STOPPED"] + [{"taskArn": arn, "lastStatus": UNSEEN} for arn in sorted(unseen)]


def nat_gateway(call: Aws, name: str) -> dict[str, Any] | None:
    """The environment's NAT gateway, if it is there or coming."""
    wanted = resource_names.nat_gateway(name)
    filters = [{"Name": "tag:Name", "Values": [wanted]}]
    found = call.pages("ec2", "describe_nat_gateways", f"read the NAT gateway {wanted}", "NatGateways", Filter=filters)
    mine = [gateway for gateway in found if {"Key": "Name", "Value": wanted} in gateway.get("Tags", [])]
    return next((gateway for gateway in mine if gateway["State"] in ("pending", "available")), None)


def route_tables(call: Aws, gateway: dict | None) -> list[dict[str, Any]]:
    """The route tables of the NAT gateway's VPC that lead to it."""
    if not gateway:
        return []
    filters = [{"Name": "vpc-id", "Values": [gateway["VpcId"]]}]
    tables = call.pages("ec2", "describe_route_tables", "read the routes to the NAT gateway", "RouteTables", Filters=filters)
    return [table for table in tables if any(route.get("NatGatewayId") == gateway["NatGatewayId"] for route in table.get("Routes", []))]


def alias_of(call: Call, domain: dict, balancer: dict | None) -> str:
    """The id, as Terraform imports it, of the domain's record if it leads to the load balancer; '' if there is none, or it leads elsewhere."""
    if not balancer or not domain:
        return ""
    zone, name = domain["zone_id"], domain["name"]
    found = call(
        *("route53", "list_resource_record_sets", f"read the record {name}"),
        **{"HostedZoneId": zone, "StartRecordName": name, "StartRecordType": "A", "MaxItems": "1"},
    )["ResourceRecordSets"]
    for record in found:
        target = record.get("AliasTarget", {}).get("DNSName", "").removesuffix(".").removeprefix("dualstack.")
        if record["Name"].removesuffix(".") == name and record["Type"] == "A" and target.lower() == balancer["DNSName"].lower():
            return f"{zone}_{name}_A"
    return ""


def power_parts(call: Aws, name: str) -> dict[str, Any]:
    """What the power gate switches, as it is."""
    balancer = environment_read.describe_load_balancer(call, resource_names.load_balancer(name))
    gateway, listeners = nat_gateway(call, name), environment_read.listeners_of(call, balancer)
    return {
        "load_balancer": balancer,
        "listeners": listeners,
        "rules": environment_read.rules_of(call, listeners),
        "nat_gateway": gateway,
        "route_tables": route_tables(call, gateway),
    }


def observe(call: Aws, params: dict, gates: Gates, journal: Journal) -> dict[str, Any]:
    """Everything, side by side. `gates` and `journal` remember what they read, so that they can be written."""
    cluster = params["cluster"]
    seen = environment_read.side_by_side(
        call,
        {
            "gates": gates.read,
            "journal": journal.read,
            "services": lambda: services_of(call, cluster),
            "tasks": lambda: tasks_of(call, cluster),
            "database": lambda: environment_read.describe_database(call, params["database_id"]),
            "redis": lambda: redis_read.find(call, params["redis_id"]),
            "power": lambda: power_parts(call, params["name"]),
        },
    )
    if seen["database"] is None:
        raise CallFailed(
            f"The database {params['database_id']} does not exist. Nothing was changed. Run infra.yml first, and check the names; of an environment that was "
            "destroyed, redeploy.yml."
        )
    return seen
