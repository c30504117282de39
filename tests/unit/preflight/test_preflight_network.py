"""Ways out of a subnet and paths through security groups: tables of what EC2 describes."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.preflight import network as preflight_network
from ansible_collections.atena.aws.plugins.module_utils.preflight.network import CLOSED, OPEN, UNSURE

WANTED = {"logs", "ecr.api", "ecr.dkr", "s3", "ssm"}
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}


def route(**target):
    return {"DestinationCidrBlock": "0.0.0.0/0", "State": "active", **target}


def network(*routes, nat="available", endpoints=(), associations=({"SubnetId": "s-1"},)):
    return {
        "subnets": [{"SubnetId": "s-1", "VpcId": "v-1", "CidrBlock": "10.0.1.0/24"}],
        "route_tables": [{"RouteTableId": "r-1", "VpcId": "v-1", "Associations": list(associations), "Routes": [LOCAL, *routes]}],
        "nat_gateways": [{"NatGatewayId": "nat-1", "State": nat}],
        "endpoints": list(endpoints),
    }


def endpoint(name, state="available", kind="Interface", **more):
    return {"ServiceName": f"com.amazonaws.us-east-1.{name}", "State": state, "VpcEndpointType": kind, **more}


NAT = route(NatGatewayId="nat-1")
ENDPOINTS = [endpoint(name) for name in ("logs", "ecr.api", "ecr.dkr", "ssm")]
S3 = endpoint("s3", kind="Gateway", RouteTableIds=["r-1"])
WAYS = {
    "a NAT gateway": (network(NAT), False, OPEN, "through nat-1"),
    "one that is going": (network(NAT, nat="deleting"), False, CLOSED, "nat-1, which is deleting"),
    "one that is gone": (network(route(NatGatewayId="nat-2")), False, CLOSED, "nat-2, which is gone"),
    "a black hole": (network({**NAT, "State": "blackhole"}), False, CLOSED, "blackhole"),
    "an internet gateway and a public address": (network(route(GatewayId="igw-1")), True, OPEN, "through igw-1"),
    "an internet gateway without one": (network(route(GatewayId="igw-1")), False, CLOSED, "no public address"),
    "a transit gateway": (network(route(TransitGatewayId="tgw-1")), False, OPEN, "through tgw-1"),
    "no default route": (network(), False, CLOSED, "no route to 0.0.0.0/0"),
    "the main route table": (network(NAT, associations=({"Main": True},)), False, OPEN, "nat-1"),
    "no route table": (network(NAT, associations=({"SubnetId": "s-2"},)), False, CLOSED, "no route table"),
    "VPC endpoints": (network(endpoints=[*ENDPOINTS, S3]), False, OPEN, "VPC endpoints"),
    "one endpoint short": (network(endpoints=ENDPOINTS), False, CLOSED, "no VPC endpoint for s3"),
    "a gateway endpoint of another table": (
        network(endpoints=[*ENDPOINTS, {**S3, "RouteTableIds": ["r-2"]}]),
        False,
        CLOSED,
        "no VPC endpoint for s3",
    ),
    "an endpoint that is not ready": (network(endpoints=[*ENDPOINTS[1:], S3, endpoint("logs", "pending")]), False, CLOSED, "for logs"),
}


@pytest.mark.parametrize(("facts", "public", "state", "word"), WAYS.values(), ids=WAYS)
def test_a_way_out(facts, public, state, word):
    found, says = preflight_network.way_out("s-1", public, WANTED, facts)
    assert (found, word in says) == (state, True), says


def rule(port=None, to=None, protocol="tcp", groups=(), cidrs=(), lists=()):
    ports = {} if port is None else {"FromPort": port, "ToPort": to or port}
    return {
        "IpProtocol": protocol,
        **ports,
        "UserIdGroupPairs": [{"GroupId": item} for item in groups],
        "IpRanges": [{"CidrIp": item} for item in cidrs],
        "PrefixListIds": [{"PrefixListId": item} for item in lists],
    }


SIDES = {
    "the peer's group": ([rule(5432, groups=["peer"])], OPEN),
    "another group": ([rule(5432, groups=["other"])], CLOSED),
    "another port": ([rule(5433, groups=["peer"])], CLOSED),
    "a range of ports": ([rule(5000, 6000, groups=["peer"])], OPEN),
    "another protocol": ([rule(5432, protocol="udp", groups=["peer"])], CLOSED),
    "every protocol": ([rule(protocol="-1", groups=["peer"])], OPEN),
    "everywhere": ([rule(5432, cidrs=["0.0.0.0/0"])], OPEN),
    "all of the peer's addresses": ([rule(5432, cidrs=["10.0.0.0/16"])], OPEN),
    "some of them": ([rule(5432, cidrs=["10.0.10.0/24"])], UNSURE),
    "none of them": ([rule(5432, cidrs=["192.168.0.0/16"])], CLOSED),
    "a prefix list": ([rule(5432, lists=["pl-1"])], UNSURE),
    "a doubt beside a certainty": ([rule(5432, lists=["pl-1"]), rule(5432, groups=["peer"])], OPEN),
    "no rule": ([], CLOSED),
}


@pytest.mark.parametrize(("rules", "expected"), SIDES.values(), ids=SIDES)
def test_one_side_of_a_path(rules, expected):
    assert preflight_network.side(rules, {"peer"}, ["10.0.10.0/24", "10.0.20.0/24"], 5432) == expected


def group(name, leaving=(), entering=()):
    return {"GroupName": name, "IpPermissionsEgress": list(leaving), "IpPermissions": list(entering)}


def path(tasks, data):
    return preflight_network.path({"t": tasks, "d": data}, {"t"}, {"d"}, ["10.0.10.0/24"], ["10.0.20.0/24"], 5432)


def test_a_path_needs_both_sides():
    leaving, entering = [rule(5432, groups=["d"])], [rule(5432, groups=["t"])]
    assert path(group("tasks", leaving), group("data", (), entering)) == []
    assert path(group("tasks"), group("data", (), entering)) == [(CLOSED, "nothing lets it out of tasks")]
    assert path(group("tasks", leaving), group("data")) == [(CLOSED, "nothing lets it into data")]
    assert len(path(group("tasks"), group("data"))) == 2


def test_a_group_of_another_vpc_is_no_certainty():
    found = preflight_network.path({"t": group("tasks")}, {"t"}, {"d"}, [], [], 5432)
    assert (UNSURE, "d could not be found in the tasks' VPC") in found
