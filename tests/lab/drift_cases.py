"""For each resource type of infra/: what is changed behind Terraform's back, and how it is deleted there.

Only what AWS itself allows is done, also where the emulator would allow more. Deletions come in two rounds: leaves, which take
nothing along, and then what other things depend on, those things first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, Any]
Client = Callable[[str], Any]

VARIABLES = {
    "project": "atena",
    "region": "us-east-1",
    "s3_use_path_style": True,
    "tags": {"Purpose": "drift"},
    "vpc_cidr": "10.0.0.0/16",
    "zones": {
        "us-east-1a": {"public_cidr": "10.0.1.0/24", "private_cidr": "10.0.10.0/24"},
        "us-east-1b": {"public_cidr": "10.0.2.0/24", "private_cidr": "10.0.20.0/24"},
    },
    "services": {
        "api": {"cpu": 256, "port": 3000, "health_check_path": "/health"},
        "workers": {"cpu": 256, "ephemeral_storage": 30},
        "admin": {"cpu": 256, "port": 3001, "listener_rule": {"priority": 10, "hosts": ["admin.example.com"], "paths": ["/admin", "/admin/*"]}},
    },
    "execute_command": False,
    "manual_secrets": ["ADMIN_TOKEN"],
    "database": {
        "engine_version": "16",
        "instance_class": "db.t4g.micro",
        "allocated_storage": 20,
        "name": "atena",
        "username": "atena",
        "backup_retention_days": 7,
        "backup_window": "03:00-04:00",
        "maintenance_window": "sun:04:30-sun:05:30",
        "sslmode": "require",
        "deletion_protection": False,
        "multi_az": False,
    },
    "database_stop_schedule": {"enabled": True, "every_minutes": 60},
    "redis": {
        "engine_version": "7.1",
        "node_type": "cache.t4g.micro",
        "port": 6379,
        "snapshot_window": "05:00-06:00",
        "snapshot_retention_days": 1,
        "maintenance_window": "sun:06:30-sun:07:30",
    },
    "https": {
        "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/0f1e2d3c",
        "tls_policy": "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
    },
    "records": {
        "state_key": "drift/terraform.tfstate",
        "journal_key": "drift/power.json",
        "destroy_key": "drift/destroyed.json",
        "github_key": "drift/github.json",
        "releases_prefix": "drift/releases/",
        "evidence_prefix": "drift/evidence/",
        "lock_table": "drift-locks",
    },
    "github": {"repository": "acme/app", "oidc_provider": "create"},
    "log_retention_days": 30,
    "deregistration_delay_seconds": 30,
}

STATE_ONLY = {
    "random_password": "exists in Terraform's state alone: there is nothing behind its back",
    "random_id": "exists in Terraform's state alone: there is nothing behind its back",
}

# What the real provider cannot read back either, so an import leaves it to the next apply, which calls nothing for it.
UNREADABLE = {
    "aws_db_instance": {"apply_immediately", "final_snapshot_identifier", "skip_final_snapshot"},
    "aws_ecs_task_definition": {"skip_destroy"},
    "aws_elasticache_cluster": {"apply_immediately"},
}


@dataclass(frozen=True)
class Case:
    """`look` reads one attribute, `spoil` changes it. `delete` runs in the round `round`; `also` is what else a plan must then
    propose, by address, because AWS or Terraform leave no other way."""

    address: str
    look: Callable[[Client, Values], Any] | None
    spoil: Callable[[Client, Values], Any] | None
    delete: Callable[[Client, Values], Any] | None
    action: str = "update"
    round: int = 1
    also: dict[str, str] = field(default_factory=dict)
    why: str = ""


def gone(look: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until a deletion is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if not look():
                return
        except Exception as error:  # noqa: BLE001 - each service has its own exception for 'not found'
            if "NotFound" in str(error):
                return
            raise
        time.sleep(0.3)
    raise AssertionError("still there")


def ec2_tag(client: Client, v: Values) -> str | None:
    tags = client("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [v["id"]]}, {"Name": "key", "Values": ["Name"]}])["Tags"]
    return tags[0]["Value"] if tags else None


def spoil_ec2_tag(client: Client, v: Values) -> None:
    client("ec2").create_tags(Resources=[v["id"]], Tags=[{"Key": "Name", "Value": "spoilt"}])


def rule(client: Client, v: Values) -> Values:
    return client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[v["id"]])["SecurityGroupRules"][0]


def spoil_rule(client: Client, v: Values) -> None:
    wide = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535, "Description": v["description"]}
    wide |= {"CidrIpv4": v["cidr_ipv4"]} if v["cidr_ipv4"] else {"ReferencedGroupId": v["referenced_security_group_id"]}
    changed = {"SecurityGroupRuleId": v["id"], "SecurityGroupRule": wide}
    client("ec2").modify_security_group_rules(GroupId=v["security_group_id"], SecurityGroupRules=[changed])


def route_target(client: Client, v: Values) -> str | None:
    routes = client("ec2").describe_route_tables(RouteTableIds=[v["route_table_id"]])["RouteTables"][0]["Routes"]
    found = next(one for one in routes if one.get("DestinationCidrBlock") == v["destination_cidr_block"])
    return found.get("GatewayId") or found.get("NatGatewayId")


def spoil_route(client: Client, v: Values) -> None:
    other = client("ec2").create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    client("ec2").replace_route(RouteTableId=v["route_table_id"], DestinationCidrBlock=v["destination_cidr_block"], GatewayId=other)


def delete_subnet(client: Client, v: Values) -> None:
    """Its association with a route table goes with it."""
    ec2 = client("ec2")
    for one in associations(client, "association.subnet-id", v["id"]):
        ec2.disassociate_route_table(AssociationId=one)
    ec2.delete_subnet(SubnetId=v["id"])


def associations(client: Client, name: str, value: str) -> list[str]:
    tables = client("ec2").describe_route_tables(Filters=[{"Name": name, "Values": [value]}])["RouteTables"]
    every = [one for table in tables for one in table["Associations"]]
    return [one["RouteTableAssociationId"] for one in every if value in (one.get("SubnetId"), one["RouteTableId"]) and not one.get("Main")]


def delete_route_table(client: Client, v: Values) -> None:
    for one in associations(client, "route-table-id", v["id"]):
        client("ec2").disassociate_route_table(AssociationId=one)
    client("ec2").delete_route_table(RouteTableId=v["id"])


def delete_nat_gateway(client: Client, v: Values) -> None:
    client("ec2").delete_nat_gateway(NatGatewayId=v["id"])
    gone(lambda: [one for one in client("ec2").describe_nat_gateways(NatGatewayIds=[v["id"]])["NatGateways"] if one["State"] != "deleted"])


def delete_internet_gateway(client: Client, v: Values) -> None:
    client("ec2").detach_internet_gateway(InternetGatewayId=v["id"], VpcId=v["vpc_id"])
    client("ec2").delete_internet_gateway(InternetGatewayId=v["id"])


def delete_redis_group(client: Client, v: Values) -> None:
    """Rules of other groups that name this one keep it alive."""
    filters = [{"Name": "ip-permission.group-id", "Values": [v["id"]]}, {"Name": "egress.ip-permission.group-id", "Values": [v["id"]]}]
    ec2 = client("ec2")
    for group in (one for each in filters for one in ec2.describe_security_groups(Filters=[each])["SecurityGroups"]):
        rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}])["SecurityGroupRules"]
        for one in rules:
            if (one.get("ReferencedGroupInfo") or {}).get("GroupId") == v["id"]:
                revoke = ec2.revoke_security_group_egress if one["IsEgress"] else ec2.revoke_security_group_ingress
                revoke(GroupId=group["GroupId"], SecurityGroupRuleIds=[one["SecurityGroupRuleId"]])
    ec2.delete_security_group(GroupId=v["id"])


def rule_values(c: Client, v: Values) -> Any:
    (rule,) = c("elbv2").describe_rules(RuleArns=[v["arn"]])["Rules"]
    return rule["Priority"], sorted(value for condition in rule["Conditions"] for value in condition["Values"])


def spoil_listener_rule(c: Client, v: Values) -> None:
    conditions = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/spoilt"]}}]
    c("elbv2").modify_rule(RuleArn=v["arn"], Conditions=conditions)
    c("elbv2").set_rule_priorities(RulePriorities=[{"RuleArn": v["arn"], "Priority": 99}])


def lb_timeout(client: Client, v: Values) -> str:
    attributes = client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=v["arn"])["Attributes"]
    return next(one["Value"] for one in attributes if one["Key"] == "idle_timeout.timeout_seconds")


def spoil_lb(client: Client, v: Values) -> None:
    changed = [{"Key": "idle_timeout.timeout_seconds", "Value": "7"}]
    client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=v["arn"], Attributes=changed)


def service(client: Client, v: Values) -> Values:
    return client("ecs").describe_services(cluster=v["cluster"], services=[v["name"]])["services"][0]


def spoil_service(client: Client, v: Values) -> None:
    configuration = {**service(client, v)["deploymentConfiguration"], "maximumPercent": 150}
    client("ecs").update_service(cluster=v["cluster"], service=v["name"], deploymentConfiguration=configuration)


def delete_service(client: Client, v: Values) -> None:
    client("ecs").delete_service(cluster=v["cluster"], service=v["name"], force=True)
    gone(lambda: service(client, v)["status"] != "INACTIVE")


def delete_cluster(client: Client, v: Values) -> None:
    for arn in client("ecs").list_services(cluster=v["arn"])["serviceArns"]:
        delete_service(client, {"cluster": v["arn"], "name": arn.rsplit("/", 1)[1]})
    client("ecs").delete_cluster(cluster=v["arn"])


def ecs_tag(client: Client, v: Values, key: str) -> str | None:
    tags = client("ecs").list_tags_for_resource(resourceArn=v["arn"])["tags"]
    return next((one["value"] for one in tags if one["key"] == key), None)


def spoil_policy(client: Client, v: Values) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ssm:*"], "Resource": ["*"]}]}
    client("iam").put_role_policy(RoleName=v["role"], PolicyName=v["name"], PolicyDocument=json.dumps(document))


def database(client: Client, v: Values) -> Values:
    return client("rds").describe_db_instances(DBInstanceIdentifier=v["identifier"])["DBInstances"][0]


def delete_database(client: Client, v: Values) -> None:
    client("rds").delete_db_instance(DBInstanceIdentifier=v["identifier"], SkipFinalSnapshot=True)
    gone(lambda: database(client, v))


def subnet_group(client: Client, v: Values) -> str:
    return client("rds").describe_db_subnet_groups(DBSubnetGroupName=v["name"])["DBSubnetGroups"][0]["DBSubnetGroupDescription"]


def cache_subnet_group(client: Client, v: Values) -> str:
    groups = client("elasticache").describe_cache_subnet_groups(CacheSubnetGroupName=v["name"])["CacheSubnetGroups"]
    return groups[0]["CacheSubnetGroupDescription"]


def cache(client: Client, v: Values) -> Values:
    return client("elasticache").describe_cache_clusters(CacheClusterId=v["cluster_id"])["CacheClusters"][0]


def delete_cache(client: Client, v: Values) -> None:
    client("elasticache").delete_cache_cluster(CacheClusterId=v["cluster_id"])
    gone(lambda: cache(client, v))


def eviction(client: Client, v: Values) -> str:
    found = client("elasticache").describe_cache_parameters(CacheParameterGroupName=v["name"])["Parameters"]
    return next(one["ParameterValue"] for one in found if one["ParameterName"] == "maxmemory-policy")


def spoil_eviction(client: Client, v: Values) -> None:
    changed = [{"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lru"}]
    client("elasticache").modify_cache_parameter_group(CacheParameterGroupName=v["name"], ParameterNameValues=changed)


def expiry(client: Client, v: Values) -> Any:
    return json.loads(client("ecr").get_lifecycle_policy(repositoryName=v["repository"])["lifecyclePolicyText"])


def spoil_expiry(client: Client, v: Values) -> None:
    policy = expiry(client, v)
    policy["rules"][0]["selection"]["countNumber"] = 1
    client("ecr").put_lifecycle_policy(repositoryName=v["repository"], lifecyclePolicyText=json.dumps(policy))


def parameter(client: Client, v: Values) -> str:
    found = client("ssm").describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [v["name"]]}])["Parameters"]
    return found[0]["Description"]


def spoil_parameter(client: Client, v: Values) -> None:
    value = client("ssm").get_parameter(Name=v["name"], WithDecryption=True)["Parameter"]["Value"]
    client("ssm").put_parameter(Name=v["name"], Value=value, Type="SecureString", Description="spoilt", Overwrite=True)


def schedule(client: Client, v: Values) -> Values:
    return client("scheduler").get_schedule(Name=v["name"], GroupName=v["group_name"])


def spoil_schedule(client: Client, v: Values) -> None:
    """UpdateSchedule resets what it is not given."""
    now = schedule(client, v)
    kept = {key: now[key] for key in ("Name", "GroupName", "Description", "FlexibleTimeWindow", "ScheduleExpressionTimezone", "State", "Target")}
    client("scheduler").update_schedule(**kept, ScheduleExpression="rate(7 minutes)")


def record(client: Client, v: Values) -> Values | None:
    zone = client("route53").list_resource_record_sets(HostedZoneId=v["zone_id"])["ResourceRecordSets"]
    return next((one for one in zone if one["Name"] == f"{v['name']}." and one["Type"] == v["type"]), None)


def change_record(client: Client, v: Values, action: str, **changed: Any) -> None:
    """A deletion has to name the record as it is."""
    found = record(client, v)
    wanted = {**found, "AliasTarget": {**found["AliasTarget"], **changed}}
    client("route53").change_resource_record_sets(HostedZoneId=v["zone_id"], ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": wanted}]})


CASES = {
    "aws_vpc": Case(
        "aws_vpc.main",
        look=lambda c, v: c("ec2").describe_vpc_attribute(VpcId=v["id"], Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"],
        spoil=lambda c, v: c("ec2").modify_vpc_attribute(VpcId=v["id"], EnableDnsHostnames={"Value": False}),
        delete=None,
        why="AWS deletes no VPC that has anything in it, and with nothing in it there is no environment left to mend.",
    ),
    "aws_internet_gateway": Case(
        "aws_internet_gateway.main",
        look=ec2_tag,
        spoil=spoil_ec2_tag,
        delete=delete_internet_gateway,
        round=2,
        also={"aws_route.public_internet": "create"},
        why="Can be detached once no address is mapped through it (NAT gateway, load balancer). Its route then leads nowhere, and goes with its table here.",
    ),
    "aws_subnet": Case(
        'aws_subnet.public["us-east-1b"]',
        look=lambda c, v: c("ec2").describe_subnets(SubnetIds=[v["id"]])["Subnets"][0]["MapPublicIpOnLaunch"],
        spoil=lambda c, v: c("ec2").modify_subnet_attribute(SubnetId=v["id"], MapPublicIpOnLaunch={"Value": True}),
        delete=delete_subnet,
        round=2,
        also={'aws_route_table_association.public["us-east-1b"]': "create"},
        why="A subnet in use is not deleted: the one without the NAT gateway, after the load balancer.",
    ),
    "aws_eip": Case(
        "aws_eip.nat",
        look=ec2_tag,
        spoil=spoil_ec2_tag,
        delete=lambda c, v: c("ec2").release_address(AllocationId=v["id"]),
        round=2,
        why="An address in use is not released: after the NAT gateway.",
    ),
    "aws_nat_gateway": Case(
        "aws_nat_gateway.main[0]",
        look=ec2_tag,
        spoil=spoil_ec2_tag,
        delete=delete_nat_gateway,
        round=2,
        also={"aws_route.private_nat[0]": "update"},
        why="Its route stays behind and leads nowhere until it names the new one.",
    ),
    "aws_route_table": Case(
        "aws_route_table.public",
        look=ec2_tag,
        spoil=spoil_ec2_tag,
        delete=delete_route_table,
        round=2,
        also={
            "aws_route.public_internet": "create",
            'aws_route_table_association.public["us-east-1a"]': "create",
            'aws_route_table_association.public["us-east-1b"]': "create",
        },
        why="A table is deleted only without associations; its routes are part of it.",
    ),
    "aws_route": Case(
        "aws_route.public_internet",
        look=route_target,
        spoil=spoil_route,
        delete=lambda c, v: c("ec2").delete_route(RouteTableId=v["route_table_id"], DestinationCidrBlock=v["destination_cidr_block"]),
    ),
    "aws_route_table_association": Case(
        'aws_route_table_association.private["us-east-1a"]',
        look=None,
        spoil=None,
        delete=lambda c, v: c("ec2").disassociate_route_table(AssociationId=v["id"]),
        why="Its only attribute is the table, and AWS gives a moved association a new id: changed behind Terraform's back, the old one is deleted.",
    ),
    "aws_security_group": Case(
        "aws_security_group.redis",
        look=ec2_tag,
        spoil=spoil_ec2_tag,
        delete=delete_redis_group,
        round=2,
        also={
            "aws_vpc_security_group_ingress_rule.redis_from_ecs": "create",
            "aws_vpc_security_group_egress_rule.ecs_to_redis": "create",
        },
        why="A group in use is not deleted: after the cluster, and after the rules that name it. Its own rules are part of it.",
    ),
    "aws_vpc_security_group_ingress_rule": Case(
        "aws_vpc_security_group_ingress_rule.database_from_ecs",
        look=lambda c, v: (rule(c, v)["FromPort"], rule(c, v)["ToPort"]),
        spoil=spoil_rule,
        delete=lambda c, v: c("ec2").revoke_security_group_ingress(GroupId=v["security_group_id"], SecurityGroupRuleIds=[v["id"]]),
    ),
    "aws_vpc_security_group_egress_rule": Case(
        "aws_vpc_security_group_egress_rule.ecs_https",
        look=lambda c, v: (rule(c, v)["FromPort"], rule(c, v)["ToPort"]),
        spoil=spoil_rule,
        delete=lambda c, v: c("ec2").revoke_security_group_egress(GroupId=v["security_group_id"], SecurityGroupRuleIds=[v["id"]]),
    ),
    "aws_lb": Case(
        "aws_lb.main[0]",
        look=lb_timeout,
        spoil=spoil_lb,
        delete=lambda c, v: c("elbv2").delete_load_balancer(LoadBalancerArn=v["arn"]),
        round=2,
        also={
            'aws_lb_listener.http["api"]': "create",
            'aws_lb_listener.https["api"]': "create",
            'aws_lb_listener_rule.service["admin"]': "create",
            "aws_route53_record.main[0]": "update",
        },
        why="Its listeners and their rules are part of it, and the record goes on naming the one that is gone.",
    ),
    "aws_lb_target_group": Case(
        'aws_lb_target_group.service["api"]',
        look=lambda c, v: c("elbv2").describe_target_groups(TargetGroupArns=[v["arn"]])["TargetGroups"][0]["HealthCheckPath"],
        spoil=lambda c, v: c("elbv2").modify_target_group(TargetGroupArn=v["arn"], HealthCheckPath="/spoilt"),
        delete=lambda c, v: c("elbv2").delete_target_group(TargetGroupArn=v["arn"]),
        round=2,
        also={'aws_ecs_service.service["api"]': "create"},
        why="A group that a listener forwards to is not deleted: after the load balancer, and the service that registers in it.",
    ),
    "aws_lb_listener": Case(
        'aws_lb_listener.http["api"]',
        look=lambda c, v: c("elbv2").describe_listeners(ListenerArns=[v["arn"]])["Listeners"][0]["Port"],
        spoil=lambda c, v: c("elbv2").modify_listener(ListenerArn=v["arn"], Port=8081),
        delete=lambda c, v: c("elbv2").delete_listener(ListenerArn=v["arn"]),
    ),
    "aws_lb_listener_rule": Case(
        'aws_lb_listener_rule.service["admin"]',
        look=rule_values,
        spoil=spoil_listener_rule,
        delete=lambda c, v: c("elbv2").delete_rule(RuleArn=v["arn"]),
    ),
    "aws_ecs_cluster": Case(
        "aws_ecs_cluster.main",
        look=lambda c, v: ecs_tag(c, v, "Purpose"),
        spoil=lambda c, v: c("ecs").untag_resource(resourceArn=v["arn"], tagKeys=["Purpose"]),
        delete=delete_cluster,
        round=2,
        also={f'aws_ecs_service.service["{key}"]': "create" for key in ("admin", "api", "workers")},
        why="A cluster with services is not deleted: after them.",
    ),
    "aws_ecs_task_definition": Case(
        'aws_ecs_task_definition.template["api"]',
        look=lambda c, v: ecs_tag(c, v, "atena:service"),
        spoil=lambda c, v: c("ecs").tag_resource(resourceArn=v["arn"], tags=[{"key": "atena:service", "value": "spoilt"}]),
        delete=lambda c, v: c("ecs").deregister_task_definition(taskDefinition=v["arn"]),
        why="Nothing but its tags can be changed.",
    ),
    "aws_ecs_service": Case(
        'aws_ecs_service.service["workers"]',
        look=lambda c, v: service(c, v)["deploymentConfiguration"]["maximumPercent"],
        spoil=spoil_service,
        delete=delete_service,
    ),
    "aws_cloudwatch_log_group": Case(
        'aws_cloudwatch_log_group.service["api"]',
        look=lambda c, v: c("logs").describe_log_groups(logGroupNamePrefix=v["name"])["logGroups"][0].get("retentionInDays"),
        spoil=lambda c, v: c("logs").delete_retention_policy(logGroupName=v["name"]),
        delete=lambda c, v: c("logs").delete_log_group(logGroupName=v["name"]),
    ),
    "aws_iam_role": Case(
        "aws_iam_role.task",
        look=lambda c, v: c("iam").get_role(RoleName=v["name"])["Role"].get("Description"),
        spoil=lambda c, v: c("iam").update_role(RoleName=v["name"], Description="spoilt"),
        delete=lambda c, v: c("iam").delete_role(RoleName=v["name"]),
        round=2,
        also={f'aws_ecs_task_definition.template["{key}"]': "replace" for key in ("admin", "api", "workers")},
        why="The new role's ARN is unknown while planning, and no task definition can change its role.",
    ),
    "aws_iam_role_policy": Case(
        "aws_iam_role_policy.execution",
        look=lambda c, v: c("iam").get_role_policy(RoleName=v["role"], PolicyName=v["name"])["PolicyDocument"],
        spoil=spoil_policy,
        delete=lambda c, v: c("iam").delete_role_policy(RoleName=v["role"], PolicyName=v["name"]),
    ),
    "aws_iam_openid_connect_provider": Case(
        "aws_iam_openid_connect_provider.github[0]",
        look=lambda c, v: c("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=v["arn"])["ClientIDList"],
        spoil=None,
        delete=lambda c, v: c("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=v["arn"]),
        also={
            **{f'aws_iam_role.github["{name}"]': "update" for name in ("deploy", "plan", "toggle")},
            **{f'aws_iam_role_policy.github["{name}"]': "update" for name in ("plan", "toggle")},
        },
        why="The emulator can make, read and delete one, but not change it. While planning the new one's ARN is unknown to the roles that trust it.",
    ),
    "aws_route53_record": Case(
        "aws_route53_record.main[0]",
        look=lambda c, v: record(c, v)["AliasTarget"]["EvaluateTargetHealth"],
        spoil=lambda c, v: change_record(c, v, "UPSERT", EvaluateTargetHealth=True),
        delete=lambda c, v: change_record(c, v, "DELETE"),
    ),
    "aws_db_subnet_group": Case(
        "aws_db_subnet_group.main",
        look=subnet_group,
        spoil=lambda c, v: c("rds").modify_db_subnet_group(DBSubnetGroupName=v["name"], DBSubnetGroupDescription="spoilt", SubnetIds=v["subnet_ids"]),
        delete=lambda c, v: c("rds").delete_db_subnet_group(DBSubnetGroupName=v["name"]),
        round=2,
        why="A group in use is not deleted: after the instance.",
    ),
    "aws_db_instance": Case(
        "aws_db_instance.main",
        look=lambda c, v: database(c, v)["BackupRetentionPeriod"],
        spoil=lambda c, v: c("rds").modify_db_instance(DBInstanceIdentifier=v["identifier"], BackupRetentionPeriod=1, ApplyImmediately=True),
        delete=delete_database,
        round=2,
    ),
    "aws_elasticache_subnet_group": Case(
        "aws_elasticache_subnet_group.main",
        look=cache_subnet_group,
        spoil=lambda c, v: c("elasticache").modify_cache_subnet_group(
            CacheSubnetGroupName=v["name"], CacheSubnetGroupDescription="spoilt", SubnetIds=v["subnet_ids"]
        ),
        delete=lambda c, v: c("elasticache").delete_cache_subnet_group(CacheSubnetGroupName=v["name"]),
        round=2,
        why="A group in use is not deleted: after the cluster.",
    ),
    "aws_elasticache_parameter_group": Case(
        "aws_elasticache_parameter_group.main",
        look=eviction,
        spoil=spoil_eviction,
        delete=lambda c, v: c("elasticache").delete_cache_parameter_group(CacheParameterGroupName=v["name"]),
        round=2,
        why="A group in use is not deleted: after the cluster.",
    ),
    "aws_elasticache_cluster": Case(
        "aws_elasticache_cluster.main[0]",
        look=lambda c, v: cache(c, v)["SnapshotRetentionLimit"],
        spoil=lambda c, v: c("elasticache").modify_cache_cluster(CacheClusterId=v["cluster_id"], SnapshotRetentionLimit=5, ApplyImmediately=True),
        delete=delete_cache,
        round=2,
    ),
    "aws_ecr_repository": Case(
        'aws_ecr_repository.service["api"]',
        look=lambda c, v: c("ecr").describe_repositories(repositoryNames=[v["name"]])["repositories"][0]["imageTagMutability"],
        spoil=lambda c, v: c("ecr").put_image_tag_mutability(repositoryName=v["name"], imageTagMutability="IMMUTABLE"),
        delete=lambda c, v: c("ecr").delete_repository(repositoryName=v["name"]),
        round=2,
        also={'aws_ecr_lifecycle_policy.service["api"]': "create", 'aws_ecs_task_definition.template["api"]': "replace"},
        why="Its lifecycle policy is part of it, and while planning the address of the new one is unknown to the definition that names the image.",
    ),
    "aws_ecr_lifecycle_policy": Case(
        'aws_ecr_lifecycle_policy.service["api"]',
        look=expiry,
        spoil=spoil_expiry,
        delete=lambda c, v: c("ecr").delete_lifecycle_policy(repositoryName=v["repository"]),
        action="replace",
        why="The provider changes no policy in place.",
    ),
    "aws_scheduler_schedule": Case(
        'aws_scheduler_schedule.stop_database["main"]',
        look=lambda c, v: schedule(c, v)["ScheduleExpression"],
        spoil=spoil_schedule,
        delete=lambda c, v: c("scheduler").delete_schedule(Name=v["name"], GroupName=v["group_name"]),
    ),
    "aws_ssm_parameter": Case(
        "aws_ssm_parameter.redis_url",
        look=parameter,
        spoil=spoil_parameter,
        delete=lambda c, v: c("ssm").delete_parameter(Name=v["name"]),
        why="Its value is ignored on purpose, so its description is changed.",
    ),
}

# What depends on something goes before it.
ORDER = [
    "aws_ecs_cluster", "aws_lb", "aws_lb_target_group", "aws_nat_gateway", "aws_eip", "aws_internet_gateway", "aws_subnet", "aws_route_table",
    "aws_db_instance", "aws_db_subnet_group", "aws_elasticache_cluster", "aws_elasticache_subnet_group", "aws_elasticache_parameter_group",
    "aws_security_group", "aws_ecr_repository", "aws_iam_role",
]  # fmt: skip
