# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Today's prices from AWS's Price List (GetProducts), for the keys of the price table.

One product is told by its usage type: the region's prefix ('USW2-', 'EU-', none or 'USE1-' in us-east-1), and then exactly what is billed. More than that
prefix makes it another charge ('TS-LoadBalancerUsage', 'ExtendedSupport…-NodeUsage:…'), and several prices for one key make it nobody's.
"""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.cost import prices

SOURCE = "AWS Price List, GetProducts"
_PREFIX = re.compile(r"(?:[A-Z]{3,4}[0-9]-|EU-)?")
# Family -> (service, filters, usage type after the region's prefix, attributes that must be so). {size} is the key's; of Fargate's it is the architecture.
_PRODUCTS = {
    "fargate.vcpu": ("AmazonECS", {}, r"Fargate-{size}vCPU-Hours:perCPU", {}),
    "fargate.memory": ("AmazonECS", {}, r"Fargate-{size}GB-Hours", {}),
    "rds.postgres.instance": (
        *("AmazonRDS", {"databaseEngine": "PostgreSQL", "instanceType": "{size}", "deploymentOption": "Single-AZ"}, r"InstanceUsage:.+"),
        {"deploymentOption": "Single-AZ", "instanceType": "{size}"},
    ),
    "rds.storage": ("AmazonRDS", {"databaseEngine": "PostgreSQL", "deploymentOption": "Single-AZ"}, r"RDS:{size}-Storage", {}),
    "rds.backup": ("AmazonRDS", {"productFamily": "Storage Snapshot", "databaseEngine": "PostgreSQL"}, r"RDS:ChargedBackupUsage", {}),
    "elasticache.redis.node": ("AmazonElastiCache", {"cacheEngine": "Redis", "instanceType": "{size}"}, r"NodeUsage:.+", {"instanceType": "{size}"}),
    "elasticache.valkey.node": ("AmazonElastiCache", {"cacheEngine": "Valkey", "instanceType": "{size}"}, r"NodeUsage:.+", {"instanceType": "{size}"}),
    "elasticache.backup": ("AmazonElastiCache", {"productFamily": "Storage Snapshot"}, r"BackupUsage(:Redis)?", {}),
    "alb.hour": ("AWSELB", {"productFamily": "Load Balancer-Application"}, r"LoadBalancerUsage", {}),
    "alb.lcu": ("AWSELB", {"productFamily": "Load Balancer-Application"}, r"LCUUsage", {}),
    "nat.hour": ("AmazonEC2", {"productFamily": "NAT Gateway"}, r"NatGateway-Hours", {}),
    "nat.data": ("AmazonEC2", {"productFamily": "NAT Gateway"}, r"NatGateway-Bytes", {}),
    "ipv4.hour": ("AmazonVPC", {}, r"PublicIPv4:InUseAddress", {}),
    "logs.ingest": ("AmazonCloudWatch", {}, r"DataProcessing-Bytes", {}),
    "logs.storage": ("AmazonCloudWatch", {}, r"TimedStorage-ByteHrs", {}),
    "ecr.storage": ("AmazonECR", {}, r"TimedStorage-ByteHrs", {}),
    "s3.storage": ("AmazonS3", {"productFamily": "Storage"}, r"TimedStorage-ByteHrs", {}),
    "s3.writes": ("AmazonS3", {"productFamily": "API Request"}, r"Requests-Tier1", {}),
    "dynamodb.writes": ("AmazonDynamoDB", {}, r"WriteRequestUnits", {}),
    "ssm.advanced_parameter": ("AWSSystemsManager", {}, r"PS-Advanced-Param-Tier1", {}),
    # KMS writes the region's own name before its usage types.
    "kms.key": ("awskms", {}, r"(?:[a-z]+-[a-z]+-[0-9]-)?KMS-Keys", {}),
}
_ARCHITECTURES = {"X86_64": "", "ARM64": "ARM-"}


def question(key: str, region: str) -> tuple[str, list[dict]] | None:
    """(ServiceCode, Filters) of GetProducts for a key; None for one that nobody asked the Price List about yet."""
    family, _slash, size = key.partition("/")
    if family not in _PRODUCTS:
        return None
    service, filters = _PRODUCTS[family][:2]
    told = {"regionCode": region, **{field: value.format(size=size) for field, value in filters.items()}}
    return service, [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in told.items()]


def price_of(key: str, products: list[dict]) -> float | None:
    """The one price of a key among products (GetProducts' PriceList, decoded); None if there is none, or more than one."""
    family, _slash, size = key.partition("/")
    _service, _filters, usage, attributes = _PRODUCTS[family]
    size = _ARCHITECTURES.get(size, size) if family.startswith("fargate.") else size.upper() if family == "rds.storage" else size
    wanted = re.compile(_PREFIX.pattern + usage.format(size=re.escape(size)))
    found = set()
    for product in products:
        told = product["product"]["attributes"]
        if wanted.fullmatch(told.get("usagetype", "")) and all(told.get(name) == value.format(size=size) for name, value in attributes.items()):
            found.update(_on_demand(product))
    return found.pop() if len(found) == 1 else None


def _on_demand(product: dict) -> list[float]:
    """The price of each on-demand term: of tiers the first that costs anything."""
    found = []
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        tiers = sorted(term["priceDimensions"].values(), key=lambda tier: float(tier.get("beginRange") or 0))
        paid = [float(tier["pricePerUnit"]["USD"]) for tier in tiers if float(tier["pricePerUnit"].get("USD") or 0) > 0]
        found += paid[:1]
    return found


def fetch(call: Aws, region: str, keys: list[str], today: datetime.date) -> tuple[dict[str, Any], list[str]]:
    """(a price table of what AWS says now, keys that it did not tell one price of). call: a Caller for the partition's global region. Raises CallFailed."""
    answers: dict[str, list[dict]] = {}
    found, untold = {}, []
    for key in keys:
        asked = question(key, region)
        if asked is None:
            untold.append(key)
            continue
        service, filters = asked
        known = json.dumps(asked)
        if known not in answers:
            doing = f"query AWS's Price List for {service} in {region}"
            products = call.pages("pricing", "get_products", doing, "PriceList", ServiceCode=service, Filters=filters, FormatVersion="aws_v1")
            answers[known] = [_decoded(product) for product in products]
        price = price_of(key, answers[known])
        if price is None:
            untold.append(key)
        else:
            found[key] = {"price": price, "date": today.isoformat(), "verified": True, "source": SOURCE}
    return {"format": prices.FORMAT, "currency": "USD", "items": {}, "regions": {region: found}}, untold


def _decoded(product: str | dict[str, Any]) -> dict[str, Any]:
    """GetProducts gives each product as JSON in a string."""
    try:
        return json.loads(product) if isinstance(product, str) else product
    except ValueError as error:
        raise CallFailed(f"AWS's Price List answered with a product that is not JSON: {error}.") from error
