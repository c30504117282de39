# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where in AWS a thing is that a plan wants to create, one function for each type of infra/: from the values that are planned to what AWS has of them.

A name may be anybody's, so each tells the tags, too. What hangs on a thing of ours, such as a route on its table, has none of its own: tags are None then.
Values that the plan cannot know yet are missing, and what needs them is not found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws

Values = dict[str, Any]


class Found(NamedTuple):
    """identity: as `terraform import` takes it. waits_for: what it is still doing, '' if it can be taken in. made_at: ISO 8601, '' where AWS does not say."""

    identity: str
    tags: dict[str, str] | None
    waits_for: str = ""
    made_at: str = ""


def _tags(listed: list[dict[str, str]] | None) -> dict[str, str]:
    """AWS has tags as Key and Value, ECS as key and value."""
    return {tag.get("Key", tag.get("key", "")): tag.get("Value", tag.get("value", "")) for tag in listed or []}


def _named(function: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What the function lists; nothing where AWS says that there is no such thing."""
    try:
        return function()
    except NotFound:
        return []


# --- Network ----------------------------------------------------------------------------------------------------------
# {type: (operation, key of the answer, key of the identity, {a filter of AWS's: the planned value that it takes})} of things that are known by their Name.
EC2: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "aws_vpc": ("describe_vpcs", "Vpcs", "VpcId", {}),
    "aws_internet_gateway": ("describe_internet_gateways", "InternetGateways", "InternetGatewayId", {}),
    "aws_nat_gateway": ("describe_nat_gateways", "NatGateways", "NatGatewayId", {"subnet-id": "subnet_id"}),
    "aws_subnet": ("describe_subnets", "Subnets", "SubnetId", {"vpc-id": "vpc_id", "cidr-block": "cidr_block"}),
    "aws_route_table": ("describe_route_tables", "RouteTables", "RouteTableId", {"vpc-id": "vpc_id"}),
}


def _filters(after: Values, more: dict[str, str]) -> list[dict[str, Any]]:
    """By the planned Name and these; [] where one of them is not known yet."""
    wanted = {"tag:Name": (after.get("tags_all") or {}).get("Name"), **{theirs: after.get(ours) for theirs, ours in more.items()}}
    return [{"Name": name, "Values": [value]} for name, value in wanted.items()] if all(wanted.values()) else []


def _ec2(kind: str) -> Callable[[Aws, Values], list[Found]]:
    operation, key, identity, more = EC2[kind]

    def find(call: Aws, after: Values) -> list[Found]:
        filters = _filters(after, more)
        # NAT gateways alone are asked with Filter, in the singular.
        asked = {"Filter" if kind == "aws_nat_gateway" else "Filters": filters}
        found = call.pages("ec2", operation, f"find {kind}", key, **asked) if filters else []
        return [Found(one[identity], _tags(one.get("Tags")), _ec2_state(one)) for one in found if one.get("State") not in ("deleting", "deleted", "failed")]

    return find


def _address(call: Aws, after: Values) -> list[Found]:
    filters = _filters(after, {})
    found = call("ec2", "describe_addresses", "find the Elastic IP address", Filters=filters)["Addresses"] if filters else []
    return [Found(one["AllocationId"], _tags(one.get("Tags"))) for one in found]


def _ec2_state(one: Values) -> str:
    return "pending" if one.get("State") == "pending" else ""


def _table(call: Aws, table: str) -> list[dict[str, Any]]:
    doing = f"read the route table {table}"
    return _named(lambda: call.pages("ec2", "describe_route_tables", doing, "RouteTables", RouteTableIds=[table]))


def _route(call: Aws, after: Values) -> list[Found]:
    table, block = after.get("route_table_id"), after.get("destination_cidr_block")
    if not table or not block:
        return []
    routes = [route for one in _table(call, table) for route in one.get("Routes", [])]
    return [Found(f"{table}_{block}", None) for route in routes if route.get("DestinationCidrBlock") == block and route.get("State") != "blackhole"]


def _association(call: Aws, after: Values) -> list[Found]:
    table, subnet = after.get("route_table_id"), after.get("subnet_id")
    if not table or not subnet:
        return []
    subnets = [one.get("SubnetId") for found in _table(call, table) for one in found.get("Associations", [])]
    return [Found(f"{subnet}/{table}", None)] if subnet in subnets else []


def _security_group(call: Aws, after: Values) -> list[Found]:
    if not after.get("vpc_id"):
        return []
    filters = [{"Name": "group-name", "Values": [after["name"]]}, {"Name": "vpc-id", "Values": [after["vpc_id"]]}]
    found = call.pages("ec2", "describe_security_groups", f"find {after['name']}", "SecurityGroups", Filters=filters)
    return [Found(one["GroupId"], _tags(one.get("Tags"))) for one in found]


def _same_rule(rule: Values, after: Values, outward: bool) -> bool:
    """Whether a rule of a security group says what is planned: AWS refuses a second one that does."""
    other = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
    protocol, ports = str(after.get("ip_protocol")), (rule.get("FromPort"), rule.get("ToPort"))
    planned = (after.get("from_port"), after.get("to_port"))
    return (
        bool(rule.get("IsEgress")) is outward
        and rule.get("IpProtocol") == protocol
        and (protocol == "-1" or ports == planned)
        and (rule.get("CidrIpv4") or None) == after.get("cidr_ipv4")
        and (rule.get("CidrIpv6") or None) == after.get("cidr_ipv6")
        and (other or None) == after.get("referenced_security_group_id")
    )


def _rule(outward: bool) -> Callable[[Aws, Values], list[Found]]:
    def find(call: Aws, after: Values) -> list[Found]:
        group = after.get("security_group_id")
        leads_to = [after.get(name) for name in ("cidr_ipv4", "cidr_ipv6", "referenced_security_group_id", "prefix_list_id")]
        if not group or not any(leads_to):
            return []
        filters = [{"Name": "group-id", "Values": [group]}]
        rules = call.pages("ec2", "describe_security_group_rules", f"read the rules of {group}", "SecurityGroupRules", Filters=filters)
        return [Found(rule["SecurityGroupRuleId"], None) for rule in rules if _same_rule(rule, after, outward)]

    return find


# --- Load balancer ----------------------------------------------------------------------------------------------------
def _balanced(operation: str, key: str, arn: str) -> Callable[[Aws, Values], list[Found]]:
    def find(call: Aws, after: Values) -> list[Found]:
        name = after["name"]
        found = _named(lambda: call("elbv2", operation, f"find {name}", Names=[name])[key])
        if not found:
            return []
        waits = "provisioning" if (found[0].get("State") or {}).get("Code") == "provisioning" else ""
        return [Found(found[0][arn], _tags(_tags_of(call, found[0][arn])), waits)]

    return find


def _listener(call: Aws, after: Values) -> list[Found]:
    balancer = after.get("load_balancer_arn")
    if not balancer:
        return []
    doing = "read the listeners of the load balancer"
    found = _named(lambda: call.pages("elbv2", "describe_listeners", doing, "Listeners", LoadBalancerArn=balancer))
    return [Found(one["ListenerArn"], None) for one in found if one.get("Port") == after.get("port")]


def _listener_rule(call: Aws, after: Values) -> list[Found]:
    """A priority is one rule's, so that one of this priority is in the way: its tags tell whose it is."""
    listener = after.get("listener_arn")
    if not listener:
        return []
    rules = _named(lambda: call.pages("elbv2", "describe_rules", "read the rules of the listener", "Rules", ListenerArn=listener))
    there = [rule["RuleArn"] for rule in rules if rule["Priority"] == str(after.get("priority"))]
    return [Found(arn, _tags(_tags_of(call, arn))) for arn in there]


def _tags_of(call: Aws, arn: str) -> list[dict[str, str]]:
    listed = call("elbv2", "describe_tags", f"read the tags of {arn}", ResourceArns=[arn])["TagDescriptions"]
    return listed[0]["Tags"] if listed else []


def _record(call: Aws, after: Values) -> list[Found]:
    """One that leads to the load balancer that it is to lead to: any other is somebody's."""
    zone, name, kind = after.get("zone_id"), after.get("name"), after.get("type")
    wanted = ((after.get("alias") or [{}])[0].get("name") or "").lower()
    if not zone or not name or not wanted:
        return []
    asked = {"HostedZoneId": zone, "StartRecordName": name, "StartRecordType": kind, "MaxItems": "1"}
    for record in call("route53", "list_resource_record_sets", f"read the record {name}", **asked)["ResourceRecordSets"]:
        target = (record.get("AliasTarget") or {}).get("DNSName", "").removesuffix(".").removeprefix("dualstack.").lower()
        if record["Name"].removesuffix(".") == name and record["Type"] == kind and target == wanted:
            return [Found(f"{zone}_{name}_{kind}", None)]
    return []


# --- Database, Redis --------------------------------------------------------------------------------------------------
def _moment(moment: Any) -> str:
    return moment.isoformat() if moment else ""


def _arn_tags(call: Aws, service: str, arn: str, name: str) -> dict[str, str]:
    return _tags(call(service, "list_tags_for_resource", f"read the tags of {name}", ResourceName=arn)["TagList"])


def _database_subnets(call: Aws, after: Values) -> list[Found]:
    name = after["name"]
    found = _named(lambda: call("rds", "describe_db_subnet_groups", f"find {name}", DBSubnetGroupName=name)["DBSubnetGroups"])
    return [Found(name, _arn_tags(call, "rds", one["DBSubnetGroupArn"], name)) for one in found]


# RDS changes an instance in these states; in the others it makes, starts or changes it, which passes. What failed never gets there.
_DATABASE_SETTLED = ("available", "storage-optimization")
_FAILED = ("failed", "restore-error", "create-failed", "restore-failed", "incompatible-restore", "incompatible-network", "incompatible-parameters")


def _database(call: Aws, after: Values) -> list[Found]:
    name = after["identifier"]
    found = _named(lambda: call("rds", "describe_db_instances", f"find {name}", DBInstanceIdentifier=name)["DBInstances"])
    if found and found[0]["DBInstanceStatus"] in ("stopping", "stopped"):
        raise CallFailed(f"The database {name} is {found[0]['DBInstanceStatus']}, and RDS changes none that is. Start it in RDS, then run this again.")
    return [_stored(name, one["DBInstanceStatus"], _DATABASE_SETTLED, _tags(one.get("TagList")), one.get("InstanceCreateTime")) for one in found]


def _stored(name: str, status: str, settled: tuple[str, ...], tags: dict[str, str], made_at: Any) -> Found:
    if status in _FAILED:
        raise CallFailed(f"{name} is there, and is {status}: it never came up, and there is nothing in it. Delete it manually, then run this again.")
    return Found(name, tags, "" if status in settled else status, _moment(made_at))


def _cache_thing(operation: str, key: str, argument: str) -> Callable[[Aws, Values], list[Found]]:
    def find(call: Aws, after: Values) -> list[Found]:
        name = after["name"]
        found = _named(lambda: call("elasticache", operation, f"find {name}", **{argument: name})[key])
        return [Found(name, _arn_tags(call, "elasticache", one["ARN"], name)) for one in found]

    return find


def _cache(call: Aws, after: Values) -> list[Found]:
    name = after["cluster_id"]
    found = _named(lambda: call("elasticache", "describe_cache_clusters", f"find {name}", CacheClusterId=name)["CacheClusters"])
    if not found:
        return []
    status, made_at = found[0]["CacheClusterStatus"], found[0].get("CacheClusterCreateTime")
    # ElastiCache tells tags of what is available only.
    tags = _arn_tags(call, "elasticache", found[0]["ARN"], name) if status == "available" else {}
    return [_stored(name, status, ("available",), tags, made_at)]


# --- The rest ---------------------------------------------------------------------------------------------------------
def _parameter(call: Aws, after: Values) -> list[Found]:
    name = after["name"]
    filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    found = call.pages("ssm", "describe_parameters", f"find {name}", "Parameters", ParameterFilters=filters)
    asked = {"ResourceType": "Parameter", "ResourceId": name}
    return [Found(name, _tags(call("ssm", "list_tags_for_resource", f"read the tags of {name}", **asked)["TagList"])) for one in found if one["Name"] == name]


def _cluster(call: Aws, after: Values) -> list[Found]:
    name = after["name"]
    found = call("ecs", "describe_clusters", f"find {name}", clusters=[name], include=["TAGS"])["clusters"]
    return [Found(name, _tags(one.get("tags"))) for one in found if one.get("status") == "ACTIVE"]


def _service(call: Aws, after: Values) -> list[Found]:
    cluster, name = (after.get("cluster") or "").rsplit("/", 1)[-1], after["name"]
    if not cluster:
        return []
    asked = {"cluster": cluster, "services": [name], "include": ["TAGS"]}
    found = _named(lambda: call("ecs", "describe_services", f"find {name}", **asked)["services"])
    return [Found(f"{cluster}/{name}", _tags(one.get("tags"))) for one in found if one.get("status") == "ACTIVE"]


def _log_group(call: Aws, after: Values) -> list[Found]:
    name = after["name"]
    groups = call.pages("logs", "describe_log_groups", f"find {name}", "logGroups", logGroupNamePrefix=name)
    arns = [group["arn"].removesuffix(":*") for group in groups if group["logGroupName"] == name]
    return [Found(name, call("logs", "list_tags_for_resource", f"read the tags of {name}", resourceArn=arn)["tags"]) for arn in arns]


def _repository(call: Aws, after: Values) -> list[Found]:
    name = after["name"]
    found = _named(lambda: call.pages("ecr", "describe_repositories", f"find {name}", "repositories", repositoryNames=[name]))
    doing = f"read the tags of {name}"
    return [Found(name, _tags(call("ecr", "list_tags_for_resource", doing, resourceArn=one["repositoryArn"])["tags"])) for one in found]


def _role(call: Aws, after: Values) -> list[Found]:
    name = after["name"]
    found = _named(lambda: [call("iam", "get_role", f"find the role {name}", RoleName=name)["Role"]])
    return [Found(name, _tags(one.get("Tags"))) for one in found]


def _oidc_provider(call: Aws, after: Values) -> list[Found]:
    host = after["url"].removeprefix("https://")
    listed = call("iam", "list_open_id_connect_providers", "list the OIDC providers")["OpenIDConnectProviderList"]
    found = [one["Arn"] for one in listed if one["Arn"].partition("oidc-provider/")[2] == host]
    asked = "get_open_id_connect_provider"
    return [Found(arn, _tags(call("iam", asked, f"read {arn}", OpenIDConnectProviderArn=arn).get("Tags"))) for arn in found]


def _schedule(call: Aws, after: Values) -> list[Found]:
    """A schedule has no tags. It is this environment's if it acts as the role that is made for it, which has its name."""
    name, group = after["name"], after.get("group_name") or "default"
    found = _named(lambda: [call("scheduler", "get_schedule", f"find {name}", Name=name, GroupName=group)])
    return [Found(f"{group}/{name}", None) for one in found if one["Target"]["RoleArn"].rsplit("/", 1)[-1] == name]


FINDERS: dict[str, Callable[[Aws, Values], list[Found]]] = {
    **{kind: _ec2(kind) for kind in EC2},
    "aws_eip": _address,
    "aws_route": _route,
    "aws_route_table_association": _association,
    "aws_security_group": _security_group,
    "aws_vpc_security_group_ingress_rule": _rule(outward=False),
    "aws_vpc_security_group_egress_rule": _rule(outward=True),
    "aws_lb": _balanced("describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    "aws_lb_target_group": _balanced("describe_target_groups", "TargetGroups", "TargetGroupArn"),
    "aws_lb_listener": _listener,
    "aws_lb_listener_rule": _listener_rule,
    "aws_route53_record": _record,
    "aws_db_subnet_group": _database_subnets,
    "aws_db_instance": _database,
    "aws_elasticache_subnet_group": _cache_thing("describe_cache_subnet_groups", "CacheSubnetGroups", "CacheSubnetGroupName"),
    "aws_elasticache_parameter_group": _cache_thing("describe_cache_parameter_groups", "CacheParameterGroups", "CacheParameterGroupName"),
    "aws_elasticache_cluster": _cache,
    "aws_ssm_parameter": _parameter,
    "aws_ecs_cluster": _cluster,
    "aws_ecs_service": _service,
    "aws_cloudwatch_log_group": _log_group,
    "aws_ecr_repository": _repository,
    "aws_iam_role": _role,
    "aws_iam_openid_connect_provider": _oidc_provider,
    "aws_scheduler_schedule": _schedule,
}

# Types of which AWS has several of one name without a word: one with other tags is no hindrance.
NOT_UNIQUE = ("aws_vpc", "aws_internet_gateway", "aws_eip", "aws_nat_gateway", "aws_subnet", "aws_route_table")

# What may be created again without a look, and why.
AGAIN = {
    "aws_ecs_task_definition": "a second revision of the same content; releases copy the newest",
    "aws_ecr_lifecycle_policy": "PutLifecyclePolicy writes over the one that is there, which is the same",
    "aws_iam_role_policy": "PutRolePolicy writes over the one of this name, which is the same",
    "random_id": "it is in Terraform's state only",
    "random_password": "it is in Terraform's state only",
}
