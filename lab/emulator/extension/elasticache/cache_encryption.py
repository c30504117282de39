"""A lone cache cluster of engine redis has no encryption in transit: CreateCacheCluster refuses it; a replication group of one node can have it.

MiniStack takes the argument and starts a Redis with TLS. AWS answers InvalidParameterCombination, 'Encryption feature is not supported for engine REDIS.'
(aws/aws-cdk issue 27379; hashicorp/terraform-provider-aws issue 49066 of July 2026), though API and provider have the argument: memcached takes it.
"""

from __future__ import annotations

from typing import Any

from ministack.services import elasticache

from ..common.patching import replace


def apply() -> None:
    replace(elasticache, "_create_cache_cluster", _without_encryption)


def refusal(engine: str, encryption: bool, group: str) -> str:
    """Why a cluster cannot be made so; '' if it can. group: the replication group that it joins, if any."""
    return f"Encryption feature is not supported for engine {engine.upper()}." if engine == "redis" and encryption and not group else ""


def _without_encryption(create: Any) -> Any:
    def create_without_encryption(params: dict[str, Any]) -> Any:
        encryption = elasticache._p(params, "TransitEncryptionEnabled").lower() == "true"
        refused = refusal(elasticache._p(params, "Engine") or "redis", encryption, elasticache._p(params, "ReplicationGroupId"))
        return elasticache._error("InvalidParameterCombination", refused, 400) if refused else create(params)

    return create_without_encryption
