# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An environment's sizes (cost.items) as its inventory describes them, and what of them stands in for what is off. Pure functions."""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.cost import items as cost_items

# infra/ecs.tf says the same.
_LEAST_MEMORY = 512
# RDS's storage of infra/database.tf.
_STORAGE_TYPE = "gp3"


def service(name: str, cpu: str | int, memory: str | int, architecture: str, count: int, running: int) -> dict[str, Any]:
    """cpu and memory as ECS has them: 1024 units are a vCPU, memory is in MiB."""
    sizes = {"vcpu": int(cpu) / 1024, "memory_gb": int(memory) / 1024}
    return {"name": name, **sizes, "architecture": architecture or "X86_64", "count": count, "running": running}


def described(name: str, services: dict, memory: dict, database: dict, redis: dict, zones: int) -> dict:
    """services, database, redis: as atena_services, atena_database, atena_redis. memory: {service: MiB} where the service does not say it."""
    found = cost_items.empty()
    for key, said in sorted(services.items()):
        count = int(said.get("desired_count", 1))
        size = said.get("memory") or memory.get(key) or _LEAST_MEMORY
        found["services"].append(service(f"{name}-{key}", said["cpu"], size, said.get("architecture", ""), count, count))
    found["databases"].append(
        {
            **{
                "name": resource_names.database(name),
                "engine": "postgres",
                "instance_class": database["instance_class"],
                "storage_type": _STORAGE_TYPE,
                "running": True,
            },
            **{"storage_gb": int(database["allocated_storage"]), "multi_az": bool(database.get("multi_az", False))},
        }
    )
    found["caches"].append({"name": resource_names.redis(name), "engine": "redis", "node_type": redis["node_type"], "nodes": 1, "running": True})
    if any(said.get("port") for said in services.values()):
        found["load_balancers"].append({"name": resource_names.load_balancer(name), "addresses": int(zones), "running": True})
    found["nat_gateways"].append({"name": resource_names.nat_gateway(name), "running": True})
    found["addresses"].append({"name": resource_names.nat_gateway(name)})
    return found


def with_what_is_off(sizes: dict, said: dict | None) -> dict:
    """`sizes` with those parts of the description that are not there now: what a stop took away comes back with a start."""
    if not said or not sizes["services"]:
        return sizes
    filled = dict(sizes)
    for part in ("caches", "load_balancers", "nat_gateways"):
        if not sizes[part]:
            filled[part] = [{**entry, "running": False} for entry in said.get(part) or []]
    return filled
