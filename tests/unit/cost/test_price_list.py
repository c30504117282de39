"""Prices out of GetProducts' answers, in the form in which AWS documents them; nothing here was recorded from AWS."""

import datetime
import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.cost import price_list, prices
from fakes import Asked, Pages
from test_cost_model import TABLE

TODAY = datetime.date(2026, 11, 25)


def tier(price, begin="0", end="Inf", unit="Hrs"):
    return {"unit": unit, "beginRange": begin, "endRange": end, "description": "", "appliesTo": [], "pricePerUnit": {"USD": price}}


def product(usage, *tiers, family="", terms=None, **attributes):
    """One entry of PriceList, decoded: as GetProducts of FormatVersion aws_v1 gives it."""
    rates = {f"SKU.JRTCKXETXF.{number}": one for number, one in enumerate(tiers)}
    return {
        "product": {"sku": "SKU", "productFamily": family, "attributes": {"regionCode": "us-east-1", "usagetype": usage, **attributes}},
        "serviceCode": "Amazon",
        "terms": terms or {"OnDemand": {"SKU.JRTCKXETXF": {"offerTermCode": "JRTCKXETXF", "termAttributes": {}, "priceDimensions": rates}}, "Reserved": {}},
        "version": "20261101",
        "publicationDate": "2026-11-01T00:00:00Z",
    }


RDS = {"instanceType": "db.t4g.micro", "databaseEngine": "PostgreSQL", "deploymentOption": "Single-AZ"}


@pytest.mark.parametrize(
    "key, products, price",
    [
        ("fargate.vcpu/X86_64", [product("USE1-Fargate-vCPU-Hours:perCPU", tier("0.0404800000"))], 0.04048),
        ("fargate.vcpu/ARM64", [product("USE1-Fargate-vCPU-Hours:perCPU", tier("0.04")), product("USE1-Fargate-ARM-vCPU-Hours:perCPU", tier("0.03"))], 0.03),
        ("fargate.vcpu/X86_64", [product("USE1-SpotUsage-Fargate-vCPU-Hours:perCPU", tier("0.01"))], None),
        ("fargate.memory/X86_64", [product("SAE1-Fargate-GB-Hours", tier("0.0076"))], 0.0076),
        ("rds.postgres.instance/db.t4g.micro", [product("InstanceUsage:db.t4g.micro", tier("0.016"), **RDS)], 0.016),
        # Extended Support is another charge for the same instance, and so is a standby.
        (
            "rds.postgres.instance/db.t4g.micro",
            [
                product("ExtendedSupport-InstanceUsage:db.t4g.micro", tier("0.1"), **RDS),
                product("USW2-Multi-AZUsage:db.t4g.micro", tier("0.032"), **{**RDS, "deploymentOption": "Multi-AZ"}),
                product("USW2-InstanceUsage:db.t4g.micro", tier("0.016"), **RDS),
            ],
            0.016,
        ),
        ("rds.storage/gp3", [product("EU-RDS:GP3-Storage", tier("0.127")), product("EU-RDS:Multi-AZ-GP3-Storage", tier("0.254"))], 0.127),
        (
            "elasticache.redis.node/cache.t4g.micro",
            [
                product("APN2-ExtendedSupportYr1_Yr2-NodeUsage:cache.t4g.micro", tier("0.019"), instanceType="cache.t4g.micro"),
                product("APN2-NodeUsage:cache.t4g.micro", tier("0.024"), instanceType="cache.t4g.micro"),
            ],
            0.024,
        ),
        ("alb.hour", [product("EUW2-TS-LoadBalancerUsage", tier("0.0059")), product("EUW2-LoadBalancerUsage", tier("0.02646"))], 0.02646),
        ("alb.hour", [product("TS-LoadBalancerUsage", tier("0.0059"))], None),
        ("alb.lcu", [product("LCUUsage", tier("0.008"))], 0.008),
        ("nat.hour", [product("NatGateway-Hours", tier("0.045")), product("RegionalNatGateway-Hours", tier("0.05"))], 0.045),
        ("ipv4.hour", [product("USE1-PublicIPv4:InUseAddress", tier("0.005")), product("USE1-PublicIPv4:IdleAddress", tier("0.005"))], 0.005),
        # Of tiers the first that costs anything.
        ("logs.ingest", [product("DataProcessing-Bytes", tier("0.00", "0", "5"), tier("0.50", "5", "10240"), tier("0.25", "10240"))], 0.5),
        ("s3.storage", [product("TimedStorage-ByteHrs", tier("0.022", "51200"), tier("0.023", "0", "51200"))], 0.023),
        ("ecr.storage", [product("IA-TimedStorage-ByteHrs", tier("0.05"))], None),
        ("kms.key", [product("us-east-1-KMS-Keys", tier("1.00"))], 1.0),
        # Two prices for one thing are none.
        ("nat.data", [product("NatGateway-Bytes", tier("0.045")), product("NatGateway-Bytes", tier("0.05"))], None),
        ("nat.data", [product("NatGateway-Bytes", tier("0.045")), product("USE1-NatGateway-Bytes", tier("0.045"))], 0.045),
        ("nat.data", [product("NatGateway-Bytes", terms={"Reserved": {}})], None),
        ("nat.data", [], None),
    ],
)
def test_one_price_is_told_by_its_usage_type(key, products, price):
    assert price_list.price_of(key, products) == price


def test_every_priced_family_can_be_asked_for():
    for family in TABLE["items"]:
        service, filters = price_list.question(f"{family}/db.t4g.micro", "sa-east-1")
        assert service and {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "sa-east-1"} in filters
    assert price_list.question("rds.mysql.instance/db.t4g.micro", "sa-east-1") is None


def test_the_question_names_size_and_engine():
    service, filters = price_list.question("rds.postgres.instance/db.m7g.large", "eu-west-1")
    assert service == "AmazonRDS"
    assert {one["Field"]: one["Value"] for one in filters} == {
        **{"regionCode": "eu-west-1", "databaseEngine": "PostgreSQL", "instanceType": "db.m7g.large", "deploymentOption": "Single-AZ"}
    }


class PriceList(Pages):
    """Answers GetProducts in two pages, each product as JSON in a string, like AWS."""

    def __init__(self, products):
        self.products, self.asked = products, []

    def __call__(self, service, operation, doing, /, **arguments):
        assert (service, operation, arguments["FormatVersion"]) == ("pricing", "get_products", "aws_v1")
        self.asked.append((arguments["ServiceCode"], arguments.get("NextToken")))
        answer = [json.dumps(one) for one in self.products.get(arguments["ServiceCode"], [])]
        if len(answer) > 1 and not arguments.get("NextToken"):
            return {"FormatVersion": "aws_v1", "PriceList": answer[:1], "NextToken": "more"}
        return {"FormatVersion": "aws_v1", "PriceList": answer[1:] if arguments.get("NextToken") else answer}


def test_what_is_fetched_becomes_a_table_with_today_as_its_date():
    call = PriceList(
        {
            "AmazonEC2": [product("NatGateway-Hours", tier("0.05")), product("NatGateway-Bytes", tier("0.06"))],
            "AmazonECS": [product("USE1-Fargate-GB-Hours", tier("0.005"))],
        }
    )
    keys = ["nat.hour", "nat.data", "fargate.memory/X86_64", "fargate.vcpu/X86_64", "rds.mysql.instance/db.t4g.micro"]
    newer, untold = price_list.fetch(call, "us-east-1", keys, TODAY)
    assert untold == ["fargate.vcpu/X86_64", "rds.mysql.instance/db.t4g.micro"]
    # Both prices of the gateway are in one answer, which is asked for once, page by page.
    assert call.asked == [("AmazonEC2", None), ("AmazonEC2", "more"), ("AmazonECS", None)]
    found = prices.find(prices.merged(TABLE, newer), "us-east-1", "nat.data")
    assert (found["price"], found["date"], found["verified"], found["source"], found["unit"]) == (0.06, "2026-11-25", True, price_list.SOURCE, "GB")
    assert prices.find(prices.merged(TABLE, newer), "us-east-1", "fargate.vcpu/X86_64")["price"] == 0.04048


def test_an_answer_that_is_no_json_fails_with_a_reason():
    with pytest.raises(CallFailed, match="not JSON"):
        price_list.fetch(Asked(lambda *_, **__: {"PriceList": ["{"]}), "us-east-1", ["nat.hour"], TODAY)
