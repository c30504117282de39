# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of an environment is billed, and how much of it. Pure functions; no price and no call to AWS here.

An environment's sizes, wherever they were read (cost.read, cost.plan, cost.sizes):

    services          [{name, vcpu, memory_gb, architecture, count, running}]
    databases         [{name, engine, instance_class, storage_gb, storage_type, multi_az, running}]
    caches            [{name, engine, node_type, nodes, running}]
    load_balancers    [{name, addresses, running}]
    nat_gateways      [{name, running}]
    addresses         [{name}]                  Elastic IPs: billed in use and idle alike
    advanced_parameters, keys                   numbers
    images_gb, log_stored_gb, redis_snapshots_gb    None where they were not read: then the usage that is assumed counts

`count` is how many there are while the environment is on, `running` how many are at present (or whether the one there is does).
"""

from __future__ import annotations

# What cannot be read from a description of things. atena_cost_usage overrides it.
USAGE = {
    "lcu": 0.25,
    "nat_gb": 50.0,
    "log_gb": 6.0,
    "log_stored_gb": 6.0,
    "images_gb": 10.0,
    "state_gb": 0.1,
    "state_writes": 20000,
    "redis_snapshots_gb": 0.5,
}
# When a thing is billed: while the environment is on, all the time, or only because it is stopped now and then (what a stop leaves).
ON, ALWAYS, STOPS = "on", "always", "stops"
FARGATE, DATABASE, CACHE, BALANCER, NAT, ADDRESSES = "ECS Fargate", "RDS", "ElastiCache", "ALB", "NAT Gateway", "Public IPv4"
LOGS, IMAGES, STATE, SECRETS = "CloudWatch Logs", "ECR", "S3/DynamoDB (state)", "SSM/KMS"


def empty() -> dict:
    """The sizes of nothing."""
    lists = ("services", "databases", "caches", "load_balancers", "nat_gateways", "addresses")
    numbers = {"advanced_parameters": 0, "keys": 0, "images_gb": None, "log_stored_gb": None, "redis_snapshots_gb": None}
    return {**{name: [] for name in lists}, **numbers}


def _item(
    group: str, resource: str, item: str, price: str, quantity: float, now: float, *, hourly: bool = False, when: str = ON, assumed: bool = False
) -> dict:
    """quantity: while the environment is on; now: at present. Per hour if `hourly`, else per month."""
    return {
        **{"group": group, "resource": resource, "item": item, "price": price, "quantity": quantity, "now": now},
        **{"hourly": hourly, "when": when, "assumed": assumed},
    }


def items(sizes: dict, usage: dict | None = None) -> list[dict]:
    """Everything that is billed, in the order of the environment's design."""
    used = {**USAGE, **(usage or {})}
    found = [item for service in sizes["services"] for item in _service(service)]
    found += [item for database in sizes["databases"] for item in _database(database)]
    found += [item for cache in sizes["caches"] for item in _cache(cache)]
    found += _snapshots(sizes, used)
    found += [item for balancer in sizes["load_balancers"] for item in _balancer(balancer, used)]
    found += [item for gateway in sizes["nat_gateways"] for item in _gateway(gateway, used)]
    found += [_item(ADDRESSES, address["name"], "Elastic IP", "ipv4.hour", 1, 1, hourly=True, when=ALWAYS) for address in sizes["addresses"]]
    found += _kept(sizes, used)
    return found


def left(kept: dict) -> list[dict]:
    """What a destroy leaves and AWS bills: {database_snapshots_gb, redis_snapshots_gb, images_gb, log_stored_gb}."""
    parts = (
        (DATABASE, "snapshots", "rds.backup", "database_snapshots_gb"),
        (CACHE, "snapshots of Redis", "elasticache.backup", "redis_snapshots_gb"),
        (IMAGES, "images", "ecr.storage", "images_gb"),
        (LOGS, "storage", "logs.storage", "log_stored_gb"),
    )
    return [_item(group, "left", item, price, kept[size], kept[size], when=ALWAYS) for group, item, price, size in parts if kept[size]]


def _service(service: dict) -> list[dict]:
    name, architecture = service["name"], service["architecture"]
    parts = (("vCPU", "fargate.vcpu", service["vcpu"]), ("memory", "fargate.memory", service["memory_gb"]))
    return [
        _item(FARGATE, name, what, f"{price}/{architecture}", size * service["count"], size * service["running"], hourly=True) for what, price, size in parts
    ]


def _database(database: dict) -> list[dict]:
    # A standby in a second zone is a second instance with its own storage.
    copies = 2 if database["multi_az"] else 1
    name, price = database["name"], f"rds.{database['engine']}.instance/{database['instance_class']}"
    storage = database["storage_gb"] * copies
    return [
        _item(DATABASE, name, f"instance {database['instance_class']}", price, copies, copies if database["running"] else 0, hourly=True),
        _item(DATABASE, name, f"storage {database['storage_type']}", f"rds.storage/{database['storage_type']}", storage, storage, when=ALWAYS),
    ]


def _cache(cache: dict) -> list[dict]:
    price = f"elasticache.{cache['engine']}.node/{cache['node_type']}"
    return [_item(CACHE, cache["name"], f"node {cache['node_type']}", price, cache["nodes"], cache["nodes"] if cache["running"] else 0, hourly=True)]


def _snapshots(sizes: dict, used: dict) -> list[dict]:
    if not sizes["caches"]:
        return []
    read = sizes["redis_snapshots_gb"]
    size = used["redis_snapshots_gb"] if read is None else read
    return [_item(CACHE, "snapshots", "snapshots of Redis", "elasticache.backup", size, read or 0, when=STOPS, assumed=read is None)]


def _balancer(balancer: dict, used: dict) -> list[dict]:
    name, on = balancer["name"], balancer["running"]
    found = [
        _item(BALANCER, name, "hours", "alb.hour", 1, 1 if on else 0, hourly=True),
        _item(BALANCER, name, "capacity (LCU)", "alb.lcu", used["lcu"], used["lcu"] if on else 0, hourly=True, assumed=True),
    ]
    if balancer["addresses"]:
        number = balancer["addresses"]
        found.append(_item(ADDRESSES, name, "the load balancer's addresses", "ipv4.hour", number, number if on else 0, hourly=True))
    return found


def _gateway(gateway: dict, used: dict) -> list[dict]:
    name, on = gateway["name"], gateway["running"]
    return [
        _item(NAT, name, "hours", "nat.hour", 1, 1 if on else 0, hourly=True),
        _item(NAT, name, "data processed", "nat.data", used["nat_gb"], used["nat_gb"] if on else 0, assumed=True),
    ]


def _kept(sizes: dict, used: dict) -> list[dict]:
    """Logs, images, the state, secrets and keys."""
    if not sizes["services"]:
        return []
    busy = any(service["running"] for service in sizes["services"])
    stored, images = sizes["log_stored_gb"], sizes["images_gb"]
    logs = used["log_stored_gb"] if stored is None else stored
    pictures = used["images_gb"] if images is None else images
    found = [
        _item(LOGS, "log groups", "ingestion", "logs.ingest", used["log_gb"], used["log_gb"] if busy else 0, assumed=True),
        # What is written while it is on stays for the days of retention, and no longer.
        _item(LOGS, "log groups", "storage", "logs.storage", logs, logs, assumed=stored is None),
        _item(IMAGES, "repositories", "images", "ecr.storage", pictures, pictures, when=ALWAYS, assumed=images is None),
        _item(STATE, "state bucket", "storage", "s3.storage", used["state_gb"], used["state_gb"], when=ALWAYS, assumed=True),
        _item(STATE, "state bucket", "writes", "s3.writes", used["state_writes"], used["state_writes"], when=ALWAYS, assumed=True),
        _item(STATE, "lock table", "writes", "dynamodb.writes", used["state_writes"], used["state_writes"], when=ALWAYS, assumed=True),
    ]
    for name, item, price in (("advanced_parameters", "advanced parameters", "ssm.advanced_parameter"), ("keys", "customer keys", "kms.key")):
        if sizes[name]:
            found.append(_item(SECRETS, item, item, price, sizes[name], sizes[name], when=ALWAYS))
    return found
