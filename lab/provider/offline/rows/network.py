"""EC2 networking: VPC, subnets, gateways, routes, security groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..failure import Failure
from ..row import Call, Row, Update

Values = dict[str, Any]

TARGETS = (
    "carrier_gateway_id core_network_arn egress_only_gateway_id gateway_id local_gateway_id nat_gateway_id network_interface_id "
    "odb_network_arn transit_gateway_id vpc_endpoint_id vpc_peering_connection_id"
)
DESTINATIONS = {"destination_cidr_block": "DestinationCidrBlock", "destination_ipv6_cidr_block": "DestinationIpv6CidrBlock",
                "destination_prefix_list_id": "DestinationPrefixListId"}  # fmt: skip


def ec2_arn(kind: str) -> Callable[[dict, Values, Any], Values]:
    return lambda answer, v, ctx: {"arn": ctx.arn("ec2", f"{kind}/{v['id']}"), "owner_id": answer.get("OwnerId") or ctx.aws.account}


# -- VPC -----------------------------------------------------------------------------------------------------------------------


def vpc_details(answer: dict, v: Values, ctx: Any) -> Values:
    here = [{"Name": "vpc-id", "Values": [answer["VpcId"]]}]

    def attribute(name: str) -> bool:
        key = name[0].upper() + name[1:]
        return ctx.call("describe_vpc_attribute", VpcId=answer["VpcId"], Attribute=name)[key]["Value"]

    tables = ctx.call("describe_route_tables", Filters=[*here, {"Name": "association.main", "Values": ["true"]}])["RouteTables"]
    groups = ctx.call("describe_security_groups", Filters=[*here, {"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
    acls = ctx.call("describe_network_acls", Filters=[*here, {"Name": "default", "Values": ["true"]}])["NetworkAcls"]
    main = tables[0]["RouteTableId"] if tables else None
    return {
        **ec2_arn("vpc")(answer, v, ctx),
        "enable_dns_support": attribute("enableDnsSupport"),
        "enable_dns_hostnames": attribute("enableDnsHostnames"),
        "enable_network_address_usage_metrics": attribute("enableNetworkAddressUsageMetrics"),
        "main_route_table_id": main,
        "default_route_table_id": main,
        "default_security_group_id": groups[0]["GroupId"] if groups else None,
        "default_network_acl_id": acls[0]["NetworkAclId"] if acls else None,
    }


VPC = Row(
    "aws_vpc",
    "ec2",
    create=Call("create_vpc", take="cidr_block instance_tenancy"),
    made=lambda v, answer: {"id": answer["Vpc"]["VpcId"]},
    updates=(
        Update(
            "modify_vpc_attribute",
            lambda v: {"VpcId": v["id"]},
            take="enable_dns_support enable_dns_hostnames enable_network_address_usage_metrics",
            after_create=True,
            changed_only=True,
            one_by_one=True,
        ),
    ),
    read=Call("describe_vpcs", lambda v: {"VpcIds": [v["id"]]}),
    at="Vpcs[0]",
    got=vpc_details,
    delete=Call("delete_vpc", lambda v: {"VpcId": v["id"]}),
    tags="vpc",
)

# -- internet gateway, Elastic IP, NAT gateway ---------------------------------------------------------------------------------


def move_gateway(ctx: Any, prior: Values | None, v: Values) -> None:
    if prior and prior.get("vpc_id"):
        ctx.call("detach_internet_gateway", InternetGatewayId=v["id"], VpcId=prior["vpc_id"])
    if v.get("vpc_id"):
        ctx.call("attach_internet_gateway", InternetGatewayId=v["id"], VpcId=v["vpc_id"])


def detach_gateway(ctx: Any, v: Values) -> None:
    found = ctx.call("describe_internet_gateways", InternetGatewayIds=[v["id"]])["InternetGateways"]
    for attachment in found[0].get("Attachments") or [] if found else []:
        ctx.call("detach_internet_gateway", InternetGatewayId=v["id"], VpcId=attachment["VpcId"])


INTERNET_GATEWAY = Row(
    "aws_internet_gateway",
    "ec2",
    create=Call("create_internet_gateway"),
    made=lambda v, answer: {"id": answer["InternetGateway"]["InternetGatewayId"]},
    updates=(Update(take="vpc_id", run=move_gateway, after_create=True),),
    read=Call("describe_internet_gateways", lambda v: {"InternetGatewayIds": [v["id"]]}),
    at="InternetGateways[0]",
    got=lambda answer, v, ctx: {
        **ec2_arn("internet-gateway")(answer, v, ctx),
        "vpc_id": next((one["VpcId"] for one in answer.get("Attachments") or []), None),
    },
    delete=Call("delete_internet_gateway", lambda v: {"InternetGatewayId": v["id"]}),
    before_delete=detach_gateway,
    tags="internet-gateway",
)

EIP = Row(
    "aws_eip",
    "ec2",
    create=Call("allocate_address", take="address domain network_border_group public_ipv4_pool"),
    made=lambda v, answer: {"id": answer["AllocationId"], "allocation_id": answer["AllocationId"]},
    read=Call("describe_addresses", lambda v: {"AllocationIds": [v["id"]]}),
    at="Addresses[0]",
    # What it is attached to is the business of the NAT gateway that took it.
    aliases={"private_ip": "PrivateIpAddress", "instance": "InstanceId", "network_interface": "NetworkInterfaceId"},
    got=lambda answer, v, ctx: {
        "arn": ctx.arn("ec2", f"elastic-ip/{v['id']}"),
        "public_dns": f"ec2-{answer['PublicIp'].replace('.', '-')}.compute-1.amazonaws.com",
    },
    unread="address",
    delete=Call("release_address", lambda v: {"AllocationId": v["id"]}),
    tags="elastic-ip",
)


def nat_state(answer: dict) -> bool:
    if answer["State"] == "failed":
        raise Failure("aws_nat_gateway: creation failed", f"{answer.get('FailureCode')}: {answer.get('FailureMessage')}")
    return answer["State"] == "available"


def nat_address(answer: dict, v: Values, ctx: Any) -> Values:
    first = (answer.get("NatGatewayAddresses") or [{}])[0]
    names = {"allocation_id": "AllocationId", "association_id": "AssociationId", "network_interface_id": "NetworkInterfaceId",
             "private_ip": "PrivateIp", "public_ip": "PublicIp"}  # fmt: skip
    return {name: first.get(key) for name, key in names.items()}


NAT_GATEWAY = Row(
    "aws_nat_gateway",
    "ec2",
    create=Call("create_nat_gateway", take="allocation_id connectivity_type private_ip subnet_id"),
    made=lambda v, answer: {"id": answer["NatGateway"]["NatGatewayId"]},
    read=Call("describe_nat_gateways", lambda v: {"NatGatewayIds": [v["id"]]}),
    at="NatGateways[0]",
    got=nat_address,
    unread="availability_mode regional_nat_gateway_address",
    is_gone=lambda answer: answer["State"] == "deleted",
    settle=nat_state,
    delete=Call("delete_nat_gateway", lambda v: {"NatGatewayId": v["id"]}),
    tags="natgateway",
)

# -- subnets and routes --------------------------------------------------------------------------------------------------------


def subnet_details(answer: dict, v: Values, ctx: Any) -> Values:
    names = answer.get("PrivateDnsNameOptionsOnLaunch") or {}
    return {
        "arn": answer.get("SubnetArn") or ctx.arn("ec2", f"subnet/{v['id']}"),
        "enable_resource_name_dns_a_record_on_launch": names.get("EnableResourceNameDnsARecord"),
        "enable_resource_name_dns_aaaa_record_on_launch": names.get("EnableResourceNameDnsAAAARecord"),
        "private_dns_hostname_type_on_launch": names.get("HostnameType") or "ip-name",
    }


SUBNET = Row(
    "aws_subnet",
    "ec2",
    create=Call("create_subnet", take="availability_zone availability_zone_id cidr_block vpc_id"),
    made=lambda v, answer: {"id": answer["Subnet"]["SubnetId"]},
    updates=(
        Update(
            "modify_subnet_attribute",
            lambda v: {"SubnetId": v["id"]},
            take="map_public_ip_on_launch assign_ipv6_address_on_creation enable_dns64 private_dns_hostname_type_on_launch "
            "enable_resource_name_dns_a_record_on_launch enable_resource_name_dns_aaaa_record_on_launch",
            after_create=True,
            changed_only=True,
            one_by_one=True,
        ),
    ),
    read=Call("describe_subnets", lambda v: {"SubnetIds": [v["id"]]}),
    at="Subnets[0]",
    got=subnet_details,
    delete=Call("delete_subnet", lambda v: {"SubnetId": v["id"]}),
    tags="subnet",
)

ROUTE_TABLE = Row(
    "aws_route_table",
    "ec2",
    create=Call("create_route_table", take="vpc_id"),
    made=lambda v, answer: {"id": answer["RouteTable"]["RouteTableId"]},
    read=Call("describe_route_tables", lambda v: {"RouteTableIds": [v["id"]]}),
    at="RouteTables[0]",
    got=ec2_arn("route-table"),
    unread="propagating_vgws route",
    delete=Call("delete_route_table", lambda v: {"RouteTableId": v["id"]}),
    tags="route-table",
)


def destination(v: Values) -> tuple[str, str]:
    name = next(name for name in DESTINATIONS if v.get(name))
    return DESTINATIONS[name], v[name]


def import_route(identifier: str, ctx: Any) -> Values:
    table, _, target = identifier.partition("_")
    name = "destination_prefix_list_id" if target.startswith("pl-") else "destination_ipv6_cidr_block" if ":" in target else "destination_cidr_block"
    return {"id": f"r-{table}{target}", "route_table_id": table, name: target}


ROUTE = Row(
    "aws_route",
    "ec2",
    aliases={"egress_only_gateway_id": "EgressOnlyInternetGatewayId"},
    create=Call("create_route", take=f"route_table_id {' '.join(DESTINATIONS)} {TARGETS}"),
    made=lambda v, answer: {"id": f"r-{v['route_table_id']}{destination(v)[1]}"},
    updates=(
        Update(
            "replace_route",
            lambda v: {"RouteTableId": v["route_table_id"], destination(v)[0]: destination(v)[1]},
            take=TARGETS,
        ),
    ),
    read=Call("describe_route_tables", lambda v: {"RouteTableIds": [v["route_table_id"]]}),
    at=lambda v: "RouteTables[0].Routes[?{}=='{}'] | [0]".format(*destination(v)),
    unread="route_table_id",
    delete=Call("delete_route", lambda v: {"RouteTableId": v["route_table_id"], destination(v)[0]: destination(v)[1]}),
    imports=import_route,
)


def move_association(ctx: Any, prior: Values | None, v: Values) -> Values:
    return {"id": ctx.call("replace_route_table_association", AssociationId=v["id"], RouteTableId=v["route_table_id"])["NewAssociationId"]}


def import_association(identifier: str, ctx: Any) -> Values:
    target, _, table = identifier.partition("/")
    found = ctx.call("describe_route_tables", RouteTableIds=[table])["RouteTables"][0]["Associations"]
    same = [one["RouteTableAssociationId"] for one in found if target in (one.get("SubnetId"), one.get("GatewayId"))]
    return {"id": same[0] if same else identifier, "route_table_id": table}


ROUTE_TABLE_ASSOCIATION = Row(
    "aws_route_table_association",
    "ec2",
    create=Call("associate_route_table", take="gateway_id route_table_id subnet_id"),
    made=lambda v, answer: {"id": answer["AssociationId"]},
    updates=(Update(take="route_table_id", run=move_association),),
    # By its own id alone: who moved it to another table behind our back is to be found out.
    read=Call("describe_route_tables", lambda v: {"Filters": [{"Name": "association.route-table-association-id", "Values": [v["id"]]}]}),
    at=lambda v: f"RouteTables[].Associations[] | [?RouteTableAssociationId=='{v['id']}'] | [0]",
    is_gone=lambda answer: (answer.get("AssociationState") or {}).get("State") == "disassociated",
    delete=Call("disassociate_route_table", lambda v: {"AssociationId": v["id"]}),
    imports=import_association,
)

# -- security groups -----------------------------------------------------------------------------------------------------------


def close(ctx: Any, prior: Values | None, v: Values) -> None:
    """AWS opens a new group to the outside; the real provider closes it again."""
    found = ctx.call("describe_security_groups", GroupIds=[v["id"]])["SecurityGroups"][0].get("IpPermissionsEgress")
    if found:
        ctx.call("revoke_security_group_egress", GroupId=v["id"], IpPermissions=found)


SECURITY_GROUP = Row(
    "aws_security_group",
    "ec2",
    aliases={"name": "GroupName"},
    create=Call("create_security_group", take="description name vpc_id"),
    made=lambda v, answer: {"id": answer["GroupId"]},
    updates=(Update(run=close, after_create=True, always=True),),
    read=Call("describe_security_groups", lambda v: {"GroupIds": [v["id"]]}),
    at="SecurityGroups[0]",
    got=ec2_arn("security-group"),
    delete=Call("delete_security_group", lambda v: {"GroupId": v["id"]}),
    tags="security-group",
)

PEERS = ("cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id")


def rule_permission(v: Values) -> dict:
    item: dict = {"IpProtocol": v["ip_protocol"]}
    for name, key in (("from_port", "FromPort"), ("to_port", "ToPort")):
        if v.get(name) is not None:
            item[key] = int(v[name])
    note = {"Description": v["description"]} if v.get("description") else {}
    places = (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("PrefixListIds", "PrefixListId"), ("UserIdGroupPairs", "GroupId"))
    for name, (key, inner) in zip(PEERS, places, strict=True):
        if v.get(name):
            item[key] = [{inner: v[name], **note}]
    return item


def change_rule(ctx: Any, prior: Values | None, v: Values) -> None:
    rule = {"IpProtocol": v["ip_protocol"], "Description": v.get("description") or ""}
    names = {"from_port": "FromPort", "to_port": "ToPort", "cidr_ipv4": "CidrIpv4", "cidr_ipv6": "CidrIpv6", "prefix_list_id": "PrefixListId",
             "referenced_security_group_id": "ReferencedGroupId"}  # fmt: skip
    rule |= {key: v[name] for name, key in names.items() if v.get(name) is not None}
    ctx.call("modify_security_group_rules", GroupId=v["security_group_id"], SecurityGroupRules=[{"SecurityGroupRuleId": v["id"], "SecurityGroupRule": rule}])


def rule_details(answer: dict, v: Values, ctx: Any) -> Values:
    every = answer["IpProtocol"] == "-1"
    return {
        "arn": ctx.arn("ec2", f"security-group-rule/{v['id']}"),
        "security_group_id": answer["GroupId"],
        "from_port": None if every else answer.get("FromPort"),
        "to_port": None if every else answer.get("ToPort"),
        "referenced_security_group_id": (answer.get("ReferencedGroupInfo") or {}).get("GroupId"),
    }


def group_rule(direction: str) -> Row:
    fields = f"{' '.join(PEERS)} description from_port ip_protocol to_port"
    return Row(
        f"aws_vpc_security_group_{direction}_rule",
        "ec2",
        create=Call(
            f"authorize_security_group_{direction}",
            lambda v: {"GroupId": v["security_group_id"], "IpPermissions": [rule_permission(v)]},
        ),
        made=lambda v, answer: dict.fromkeys(("id", "security_group_rule_id"), answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]),
        updates=(Update(take=fields, run=change_rule),),
        read=Call("describe_security_group_rules", lambda v: {"SecurityGroupRuleIds": [v["id"]]}),
        at="SecurityGroupRules[0]",
        got=rule_details,
        delete=Call(
            f"revoke_security_group_{direction}",
            lambda v: {"GroupId": v["security_group_id"], "SecurityGroupRuleIds": [v["id"]]},
        ),
        local="security_group_id",
        tags="security-group-rule",
    )


ROWS = [
    VPC, INTERNET_GATEWAY, EIP, NAT_GATEWAY, SUBNET, ROUTE_TABLE, ROUTE, ROUTE_TABLE_ASSOCIATION,
    SECURITY_GROUP, group_rule("ingress"), group_rule("egress"),
]  # fmt: skip
