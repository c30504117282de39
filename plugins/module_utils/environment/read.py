# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What our modules read of an environment around its services: load balancer, database, Redis, secrets. What does not exist is None or empty."""

from __future__ import annotations

import concurrent.futures

from ansible_collections.atena.aws.plugins.module_utils.core.errors import absent_as

PLACEHOLDER = "CHANGE_ME"


def side_by_side(call, readers: dict) -> dict:
    """{key: result} of `readers` ({key: function}), all running at once. Raises the first CallFailed."""
    call.client("ecs")  # a profile or region that cannot be used fails here, once, and not in each thread
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(readers))) as pool:
        started = {key: pool.submit(reader) for key, reader in readers.items()}
        return {key: future.result() for key, future in started.items()}


def describe_load_balancer(call, name: str) -> dict | None:
    found = absent_as(
        [],
        "LoadBalancer",
        lambda: call("elbv2", "describe_load_balancers", f"read the load balancer {name}", Names=[name])["LoadBalancers"],
    )
    return found[0] if found else None


def listeners_of(call, balancer: dict | None) -> list[dict]:
    """The listeners of a load balancer, as described; none of one that is not there."""
    if not balancer:
        return []
    name, arn = balancer["LoadBalancerName"], balancer["LoadBalancerArn"]
    return call.pages("elbv2", "describe_listeners", f"read the listeners of {name}", "Listeners", LoadBalancerArn=arn)


def describe_database(call, identifier: str) -> dict | None:
    found = absent_as(
        [],
        "DBInstance",
        lambda: call("rds", "describe_db_instances", f"read the database {identifier}", DBInstanceIdentifier=identifier)["DBInstances"],
    )
    return found[0] if found else None


def describe_redis(call, identifier: str) -> dict | None:
    found = absent_as(
        [],
        "CacheCluster",
        lambda: call("elasticache", "describe_cache_clusters", f"read Redis {identifier}", CacheClusterId=identifier, ShowCacheNodeInfo=True)["CacheClusters"],
    )
    return found[0] if found else None


def redis_endpoint(cluster: dict) -> dict:
    """{'Address', 'Port'} of the first node, where its clients connect; {} while it has none."""
    return (cluster.get("CacheNodes") or [{}])[0].get("Endpoint") or {}


# GetParameters takes no more names than this at a time.
_PARAMETERS_A_CALL = 10


def parameters_named(call, names: list[str], doing: str) -> tuple[list[dict], list[str]]:
    """(those that exist, with their values; names of those that do not), however many."""
    found, missing = [], []
    for start in range(0, len(names), _PARAMETERS_A_CALL):
        answer = call("ssm", "get_parameters", doing, Names=names[start : start + _PARAMETERS_A_CALL], WithDecryption=True)
        found += answer["Parameters"]
        missing += answer.get("InvalidParameters", [])
    return found, missing


def parameters_below(call, path: str, decrypted: bool = True) -> list[dict]:
    """All parameters below a path, with their values (encrypted ones if not `decrypted`): none of those may be shown, returned or saved."""
    doing = f"list the parameters below {path}"
    return call.pages("ssm", "get_parameters_by_path", doing, "Parameters", Path=path, Recursive=True, WithDecryption=decrypted)


def parameter_entry(parameter: dict, placeholder: str = PLACEHOLDER) -> dict:
    """What people may know of a parameter: never its value."""
    return {
        "name": parameter["Name"],
        "type": parameter["Type"],
        "version": parameter["Version"],
        "last_modified": parameter["LastModifiedDate"].isoformat(),
        "is_set": parameter["Value"] not in ("", placeholder),
    }
