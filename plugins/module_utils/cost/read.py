# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sizes (cost.items) of an environment as it is, from describe calls. What a stop took away is as the journal and the inventory have it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.errors import Denied, absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.cost import items as cost_items, sizes as cost_sizes
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_task_definition
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal, read as environment_read, state as power_state
from ansible_collections.atena.aws.plugins.module_utils.power import read as power_read
from ansible_collections.atena.aws.plugins.module_utils.redis import read as redis_read, snapshot as redis_snapshot

_GB = 1024**3
_UNITS = {"KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
# Of a database in these nothing but its storage is billed.
_OFF = ("stopped", "stopping", "deleting", "failed")


def sizes(call: Aws, name: str, keys: list[str], path: str, power: dict | None, described: dict | None) -> dict[str, Any]:
    """`keys`: of the services; `path`: of the secrets; `power`: the option (environment.state) or None; `described`: as cost_sizes.described."""
    names = [f"{name}-{key}" for key in keys]
    found = environment_read.side_by_side(
        call,
        {
            "power": lambda: power_state.read(call, power),
            "services": lambda: _services(call, name),
            "databases": lambda: _databases(call, name),
            "cache": lambda: redis_read.find(call, resource_names.redis(name), tags=False),
            "snapshots": lambda: _snapshots(call, resource_names.redis(name)),
            "balancer": lambda: environment_read.describe_load_balancer(call, resource_names.load_balancer(name)),
            "gateway": lambda: power_read.nat_gateway(call, name),
            "addresses": lambda: _addresses(call, name),
            "logs": lambda: _logs(call, name, names),
            "images": lambda: _images(call, names),
            "parameters": lambda: _advanced(call, path),
        },
    )
    return assembled(name, found, described)


def assembled(name: str, found: dict, described: dict | None) -> dict:
    """The sizes, from what was read. Pure."""
    made = cost_items.empty()
    counts = _counts_to_come(found["power"])
    for service, definition in found["services"]:
        wanted = max(service["desiredCount"], counts.get(service["serviceName"], 0))
        platform = definition.get("runtimePlatform") or {}
        sized = (definition.get("cpu") or 0, definition.get("memory") or 0, platform.get("cpuArchitecture", ""))
        made["services"].append(cost_sizes.service(service["serviceName"], *sized, wanted, service["runningCount"]))
    made["databases"] = [_database(database) for database in found["databases"]]
    if found["cache"]:
        made["caches"] = [_cache(found["cache"])]
    if found["balancer"]:
        made["load_balancers"] = [_balancer(found["balancer"])]
    if found["gateway"]:
        made["nat_gateways"] = [{"name": resource_names.nat_gateway(name), "running": True}]
    made["addresses"] = [{"name": address} for address in found["addresses"]]
    made["advanced_parameters"] = found["parameters"]
    made["images_gb"], made["log_stored_gb"], made["redis_snapshots_gb"] = found["images"], found["logs"], found["snapshots"]
    return cost_sizes.with_what_is_off(made, _with_recorded_redis(described, found["power"]))


def _counts_to_come(power: power_state.Power | None) -> dict[str, int]:
    """{service: count} that a stopped environment comes back to; {} of one that runs: its counts are what they are."""
    journal = power.journal if power else None
    if journal is None or journal.state == power_journal.RUNNING:
        return {}
    return {service: entry.desired_count for service, entry in journal.services.items()}


def _with_recorded_redis(described: dict | None, power: power_state.Power | None) -> dict | None:
    """A start makes Redis with the parameters that it had, whatever the inventory says."""
    redis = power.journal.redis if power and power.journal else None
    recorded = ((redis.parameters if redis else None) or {}).get("node_type")
    if not described or not recorded:
        return described
    return {**described, "caches": [{**cache, "node_type": recorded} for cache in described.get("caches", [])]}


def _database(database: dict) -> dict:
    return {
        **{"name": database["DBInstanceIdentifier"], "engine": database["Engine"], "instance_class": database["DBInstanceClass"]},
        **{"storage_gb": database["AllocatedStorage"], "storage_type": database.get("StorageType") or "gp2"},
        **{"multi_az": bool(database.get("MultiAZ")), "running": database["DBInstanceStatus"] not in _OFF},
    }


def _cache(cache: dict) -> dict:
    told = cache["parameters"]
    nodes = len(cache["nodes"]) or told.get("num_cache_nodes") or 1
    return {"name": cache["id"], "engine": told.get("engine") or "redis", "node_type": told.get("node_type") or "", "nodes": nodes, "running": True}


def _balancer(balancer: dict) -> dict:
    addresses = len(balancer.get("AvailabilityZones", [])) if balancer.get("Scheme") != "internal" else 0
    return {"name": balancer["LoadBalancerName"], "addresses": addresses, "running": True}


# --- Reading ----------------------------------------------------------------------------------------------------------
def _services(call: Aws, name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every service of the cluster, ours or not, with the task definition that it runs."""
    cluster = resource_names.cluster(name)
    found = absent_as({}, "Cluster", lambda: power_read.services_of(call, cluster))
    return [(service, describe_task_definition(call, service["taskDefinition"])) for _name, service in sorted(found.items())]


def all_databases(call: Aws) -> list[dict[str, Any]]:
    """Of the account in this region, as described."""
    return call.pages("rds", "describe_db_instances", "list the databases", "DBInstances")


def _databases(call: Aws, name: str) -> list[dict[str, Any]]:
    """The database, and those beside it that a restore made or left."""
    return [one for one in all_databases(call) if re.fullmatch(re.escape(resource_names.database(name)) + r"(-.+)?", one["DBInstanceIdentifier"])]


def _snapshots(call: Aws, identifier: str) -> float:
    return gigabytes(snapshot["size"] for snapshot in redis_snapshot.list_snapshots(call, identifier))


def gigabytes(sizes: Iterable[str]) -> float:
    """ElastiCache tells sizes as '5 MB', several as '5 MB, 7 MB'."""
    total = 0.0
    for number, unit in re.findall(r"([0-9.]+)\s*([KMGT]B)", ", ".join(sizes)):
        total += float(number) * _UNITS[unit] / _GB
    return round(total, 6)


def left(call: Aws, name: str, keys: list[str]) -> dict[str, Any]:
    """What a destroy left, as cost_items.left takes it, and besides the names of the database's snapshots, newest first. A snapshot is told by the size of its
    database, which it costs at the most."""
    names, identifier = [f"{name}-{key}" for key in keys], resource_names.database(name)
    doing = f"list the snapshots of {identifier}"
    found = call.pages("rds", "describe_db_snapshots", doing, "DBSnapshots", DBInstanceIdentifier=identifier, SnapshotType="manual")
    found.sort(key=lambda one: str(one.get("SnapshotCreateTime", "")), reverse=True)
    caches = redis_snapshot.list_snapshots(call, resource_names.redis(name))
    return {
        "database_snapshots": [one["DBSnapshotIdentifier"] for one in found],
        "redis_snapshots": [one["name"] for one in caches],
        "database_snapshots_gb": float(sum(one.get("AllocatedStorage") or 0 for one in found)),
        "redis_snapshots_gb": gigabytes(one["size"] for one in caches),
        "images_gb": _images(call, names),
        "log_stored_gb": _logs(call, name, names),
    }


def _addresses(call: Call, name: str) -> list[str]:
    """Names of its Elastic IPs: infra/ has one, for the NAT gateway."""
    filters = [{"Name": "tag:Name", "Values": [resource_names.nat_gateway(name)]}]
    found = call("ec2", "describe_addresses", f"read the addresses of {name}", Filters=filters)["Addresses"]
    return [resource_names.nat_gateway(name) for one in found if {"Key": "Name", "Value": resource_names.nat_gateway(name)} in one.get("Tags", [])]


def _logs(call: Aws, name: str, services: list[str]) -> float:
    groups = call.pages("logs", "describe_log_groups", f"read the log groups of {name}", "logGroups", logGroupNamePrefix=f"/ecs/{name}-")
    wanted = {f"/ecs/{service}" for service in services}
    return round(sum(group.get("storedBytes", 0) for group in groups if group["logGroupName"] in wanted) / _GB, 6)


def _images(call: Aws, services: list[str]) -> float:
    """As ECR adds them up; layers that images share are stored once, so that it is this much at the most."""
    return round(sum(image.get("imageSizeInBytes", 0) for repository in services for image in _images_of(call, repository)) / _GB, 6)


def _images_of(call: Aws, repository: str) -> list[dict[str, Any]]:
    doing = f"read the images of {repository}"
    return absent_as([], "Repository", lambda: call.pages("ecr", "describe_images", doing, "imageDetails", repositoryName=repository))


def _advanced(call: Aws, path: str) -> int:
    """How many parameters are of the tier that is billed. It needs a right of its own; without it they count as none, as most are."""
    filters = [{"Key": "Path", "Option": "Recursive", "Values": [path]}]
    try:
        found = call.pages("ssm", "describe_parameters", f"read the tiers of the parameters below {path}", "Parameters", ParameterFilters=filters)
    except Denied:
        return 0
    return sum(parameter.get("Tier") == "Advanced" for parameter in found)
