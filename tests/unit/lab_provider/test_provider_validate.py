"""What is refused before AWS hears of it."""

from __future__ import annotations

import pytest
from offline import validate
from offline.core import Provider
from offline.plan import null_object
from offline.values import Unknown

AWS, RANDOM = Provider("aws"), Provider("random")


def problems(type_name: str, **values) -> list[str]:
    provider = RANDOM if type_name.startswith("random") else AWS
    config = {**null_object(provider.rows[type_name].block), **values}
    return [" ".join(map(str, problem[0])) for problem in provider.validate_resource(type_name, config)]


RULE = {"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 1, "to_port": 2, "cidr_ipv4": "10.0.0.0/8"}


@pytest.mark.parametrize(
    ("type_name", "values", "where"),
    [
        ("aws_vpc", {"cidr_block": "10.0.0.0/16"}, []),
        ("aws_vpc", {"cidr_block": "10.0.0.1/16"}, ["cidr_block"]),
        ("aws_vpc", {"cidr_block": Unknown}, []),
        ("aws_vpc", {"owner_id": "1"}, ["owner_id"]),
        ("aws_vpc", {"id": "vpc-1"}, ["id"]),
        ("aws_eip", {"domain": "vpc"}, []),
        ("aws_eip", {"domain": "ec2"}, ["domain"]),
        ("aws_vpc_security_group_ingress_rule", RULE, []),
        ("aws_vpc_security_group_ingress_rule", {**RULE, "ip_protocol": "foo"}, ["ip_protocol"]),
        ("aws_vpc_security_group_ingress_rule", {**RULE, "ip_protocol": "50"}, []),
        ("aws_vpc_security_group_ingress_rule", {**RULE, "cidr_ipv4": None}, [""]),
        ("aws_vpc_security_group_ingress_rule", {**RULE, "referenced_security_group_id": Unknown}, ["cidr_ipv4"]),
        ("aws_route", {"route_table_id": "rtb-1", "destination_cidr_block": "0.0.0.0/0"}, [""]),
        ("aws_route", {"route_table_id": "rtb-1", "destination_cidr_block": "0.0.0.0/0", "gateway_id": Unknown}, []),
        ("aws_db_instance", {"engine": "postgres", "instance_class": "db.t4g.micro"}, []),
        ("aws_db_instance", {"engine": "postgresql", "instance_class": "t3"}, ["engine", "instance_class"]),
        ("aws_db_instance", {"instance_class": "db.t4g.micro", "backup_window": "3-4"}, ["backup_window"]),
        ("aws_elasticache_cluster", {"cluster_id": "Redis", "maintenance_window": "sun:05:00-sun:06:00"}, ["cluster_id"]),
        ("aws_cloudwatch_log_group", {"retention_in_days": 31}, ["retention_in_days"]),
        ("aws_iam_role", {"assume_role_policy": "{"}, ["assume_role_policy"]),
        ("aws_ecs_task_definition", {"container_definitions": '{"name": "a"}'}, ["container_definitions"]),
        ("aws_ecs_task_definition", {"container_definitions": "[]", "requires_compatibilities": ["FARGATE", "LAMBDA"]}, ["requires_compatibilities"]),
        ("aws_lb", {"name": "a" * 33}, ["name"]),
        ("aws_lb", {"name": "a", "name_prefix": "b"}, ["name"]),
        ("aws_lb_target_group", {"health_check": [{"path": "health", "interval": 1}]}, ["health_check (0,) interval", "health_check (0,) path"]),
        ("aws_lb_target_group", {"deregistration_delay": "3601"}, ["deregistration_delay"]),
        ("aws_ssm_parameter", {"name": "/a", "type": "Secure", "value": "x"}, ["type"]),
        ("aws_ssm_parameter", {"name": "/a", "type": "String"}, [""]),
        ("random_password", {"length": 0}, ["length"]),
        ("random_id", {"byte_length": 4, "prefix": "a,b"}, ["prefix"]),
    ],
)
def test_arguments(type_name, values, where):
    assert sorted(problems(type_name, **values)) == sorted(where)


@pytest.mark.parametrize(("text", "fine"), [("03:00-04:00", True), ("Sun:05:00-sun:06:00", True), ("25:00-04:00", False), ("sun:05:00", False)])
def test_windows(text, fine):
    try:
        validate.window(text)
    except validate.Invalid:
        assert not fine
    else:
        assert fine


def test_the_provider_block_refuses_what_the_double_cannot_do():
    found = AWS.validate_config({"region": "us-east-1", "s3_use_path_style": True, "assume_role": [{"role_arn": "x"}], "endpoints": []})
    assert [path for path, _, _ in found] == [["assume_role"]]
