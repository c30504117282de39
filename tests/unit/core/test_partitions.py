"""Under which names AWS serves is botocore's knowledge, for each of its partitions; ours write none of them out."""

import ast
import re
from pathlib import Path

import botocore.session
import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import partitions
from ansible_collections.atena.aws.plugins.module_utils.ecs.references import ecr_image
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import ecr_digest, ecr_name
from ansible_collections.atena.aws.plugins.module_utils.images.plan import push_registry
from ansible_collections.atena.aws.plugins.module_utils.preflight.network import missing_endpoints

ROOT = Path(__file__).resolve().parents[3]
SESSION = botocore.session.get_session()
KNOWN = SESSION.get_available_partitions()
DIGEST = "sha256:" + "0" * 64
# Region, where a registry is, where its dual-stack one is.
REGISTRIES = [
    ("aws", "us-east-1", "dkr.ecr.us-east-1.amazonaws.com", "dkr-ecr.us-east-1.on.aws"),
    ("aws-us-gov", "us-gov-west-1", "dkr.ecr.us-gov-west-1.amazonaws.com", "dkr-ecr.us-gov-west-1.on.aws"),
    ("aws-cn", "cn-north-1", "dkr.ecr.cn-north-1.amazonaws.com.cn", "dkr-ecr.cn-north-1.on.amazonwebservices.com.cn"),
    ("aws-eusc", "eusc-de-east-1", "dkr.ecr.eusc-de-east-1.amazonaws.eu", "dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu"),
]
HOSTS = [
    (region, host)
    for partition, region, *both in REGISTRIES
    if partition in KNOWN  # the oldest botocore has not heard of the European one
    for name in both
    for host in (name, name.replace("ecr.", "ecr-fips."))
]


@pytest.mark.parametrize(("region", "host"), HOSTS)
def test_an_image_of_a_private_registry_is_known_wherever_it_is(region, host):
    image = f"123456789012.{host}/team/api"
    parts = ("123456789012", region, "team/api")
    tagged, exact, either = ecr_name(f"{image}:v1"), ecr_digest(f"{image}@{DIGEST}"), ecr_image(f"{image}:v1")
    assert tagged and (tagged["account"], tagged["region"], tagged["repository"]) == parts and tagged["tag"] == "v1"
    assert exact and (exact["account"], exact["region"], exact["repository"]) == parts and exact["digest"] == DIGEST
    assert either == {"account": parts[0], "region": region, "repository": "team/api", "image_id": {"imageTag": "v1"}}
    assert tagged["registry"] == f"123456789012.{host}"


@pytest.mark.parametrize(
    "host",
    [
        "dkr.ecr.us-east-1.amazonaws.com.example.org",
        "dkr.ecr.us-east-1.example.org",
        "dkr.ecr.us-east-1.on.aws",
        "dkr-ecr.us-east-1.amazonaws.com",
        "dkr.ecr.us-east-1.amazonawsxcom",
        "xdkr.ecr.us-east-1.amazonaws.com",
    ],
)
def test_a_registry_of_another_name_is_none_of_awss(host):
    assert not ecr_name(f"123456789012.{host}/api:v1") and ecr_image(f"123456789012.{host}/api:v1") is None


@pytest.mark.parametrize("partition", KNOWN)
def test_images_go_where_ecr_says_in_every_partition(partition):
    data = next(one for one in partitions._partitions() if one["id"] == partition)
    for suffix in (data["outputs"]["dnsSuffix"], data["outputs"]["dualStackDnsSuffix"]):
        assert push_registry(f"https://api.ecr.x-1.{suffix}", "https://answer") == "answer"
    for region in SESSION.get_available_regions("ecs", partition):
        assert partitions.dns_suffix(region) == data["outputs"]["dnsSuffix"]


@pytest.mark.parametrize(("region", "suffix"), [("us-east-99", "amazonaws.com"), ("cn-west-7", "amazonaws.com.cn"), ("nowhere", "amazonaws.com")])
def test_a_region_that_is_newer_than_botocore_is_one_of_those_like_it(region, suffix):
    assert partitions.dns_suffix(region) == suffix


@pytest.mark.parametrize("before", ["com.amazonaws.us-east-1", "cn.com.amazonaws.cn-north-1", "com.amazonaws.us-gov-west-1", "eu.amazonaws.eusc-de-east-1"])
def test_a_vpc_endpoint_leads_to_its_service_whatever_its_name_begins_with(before):
    endpoints = [{"ServiceName": f"{before}.{name}", "State": "available", "VpcEndpointType": "Interface"} for name in ("ecr.api", "logs")]
    assert missing_endpoints(None, {"ecr.api", "logs", "ssm"}, endpoints) == {"ssm"}


# As principals, and for tokens, services have one name in all partitions.
ALLOWED = re.compile(r"\b(ecs-tasks|scheduler|sts)\.amazonaws\.com\b")
WRITTEN_OUT = re.compile(r"amazonaws\.|\bapi\.aws\b|\bon\.aws\b|arn:aws")
DOCUMENTATION = ("DOCUMENTATION", "EXAMPLES", "RETURN")
PLACES = ("plugins", "roles", "infra", "extensions", "playbooks")


def spoken(file: Path) -> list[tuple[int, str]]:
    """(line, text) of what a file says to a machine: without comments and documentation."""
    if file.suffix != ".py":
        lines = enumerate(file.read_text().splitlines(), 1)
        return [(number, re.sub(r"(^|\s)#.*", "", line)) for number, line in lines if "error_message" not in line]
    tree = ast.parse(file.read_text())
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    told |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in DOCUMENTATION}
    return [(node.lineno, node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told]


def test_no_partitions_names_are_written_out():
    found = []
    files = [file for place in PLACES for file in (ROOT / place).rglob("*") if file.suffix in (".py", ".yml", ".tf", ".j2") and file.is_file()]
    for file in files:
        if file.parts[-2] in ("doc_fragments", "meta"):
            continue
        found += [f"{file.relative_to(ROOT)}:{line}: {text.strip()[:100]}" for line, text in spoken(file) if WRITTEN_OUT.search(ALLOWED.sub("", text))]
    # Documented by KMS with this suffix; the partition's own is there beside it.
    assert [one for one in found if not one.startswith("infra/locals.tf:") or "ssm_hosts" not in one] == []
