# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What our modules read of an environment around its services: load balancer, database, Redis. What does not exist is None or empty."""

from __future__ import annotations

import concurrent.futures
import datetime
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call

# How little time a database's certificate has left when something is wrong: RDS renews it long before.
CERTIFICATE_SOON = datetime.timedelta(days=90)


def side_by_side(call: Aws, readers: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """{key: result} of `readers` ({key: function}), all running at once. Raises the first CallFailed."""
    call.client("ecs")  # a profile or region that cannot be used fails here, once, and not in each thread
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(readers))) as pool:
        started = {key: pool.submit(reader) for key, reader in readers.items()}
        return {key: future.result() for key, future in started.items()}


def describe_load_balancer(call: Call, name: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = absent_as(
        [],
        "LoadBalancer",
        lambda: call("elbv2", "describe_load_balancers", f"read the load balancer {name}", Names=[name])["LoadBalancers"],
    )
    return found[0] if found else None


def listeners_of(call: Aws, balancer: dict | None) -> list[dict[str, Any]]:
    """The listeners of a load balancer, as described; none of one that is not there."""
    if not balancer:
        return []
    name, arn = balancer["LoadBalancerName"], balancer["LoadBalancerArn"]
    return call.pages("elbv2", "describe_listeners", f"read the listeners of {name}", "Listeners", LoadBalancerArn=arn)


def rules_of(call: Aws, listeners: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rules of listeners, as described, without their default ones."""
    found: list[dict[str, Any]] = []
    for listener in listeners:
        arn = listener["ListenerArn"]
        found += call.pages("elbv2", "describe_rules", f"read the rules of {arn}", "Rules", ListenerArn=arn)
    return [rule for rule in found if not rule.get("IsDefault")]


def describe_database(call: Call, identifier: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = absent_as(
        [],
        "DBInstance",
        lambda: call("rds", "describe_db_instances", f"read the database {identifier}", DBInstanceIdentifier=identifier)["DBInstances"],
    )
    return found[0] if found else None


def certificate_of(database: dict[str, Any]) -> tuple[str, datetime.datetime | None]:
    """(the authority of a database's certificate, when that expires) as described; ('', None) of what RDS does not tell."""
    told = database.get("CertificateDetails") or {}
    end = told.get("ValidTill")
    if isinstance(end, str):
        end = datetime.datetime.fromisoformat(end)
    return told.get("CAIdentifier") or database.get("CACertificateIdentifier") or "", end


def describe_redis(call: Call, identifier: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = absent_as(
        [],
        "CacheCluster",
        lambda: call("elasticache", "describe_cache_clusters", f"read Redis {identifier}", CacheClusterId=identifier, ShowCacheNodeInfo=True)["CacheClusters"],
    )
    return found[0] if found else None


def redis_endpoint(cluster: dict) -> dict:
    """{'Address', 'Port'} of the first node, where its clients connect; {} while it has none."""
    return (cluster.get("CacheNodes") or [{}])[0].get("Endpoint") or {}
