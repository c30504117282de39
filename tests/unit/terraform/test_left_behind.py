"""What is in AWS and not in Terraform's state is found by what the plan wants to create, and taken in if it is this environment's."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.terraform import finders, guards, left_behind
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import TerraformError
from ansible_collections.atena.aws.plugins.module_utils.terraform.left_behind import Foreign, Search
from fakes import Asked
from planned import plan_and_apply

CHECKOUT = Path(__file__).resolve().parents[3]
TAGS = {"Project": "atena", "Stage": "prod", "ManagedBy": "terraform"}
LISTED = [{"Key": key, "Value": value} for key, value in TAGS.items()]


def created(address: str, actions: tuple[str, ...] = ("create",), **after: Any) -> dict[str, Any]:
    kind = address.split(".")[0]
    planned = {"tags_all": {**TAGS, "Name": f"a-{kind}"}, **after}
    return {"address": address, "type": kind, "mode": "managed", "change": {"actions": list(actions), "before": None, "after": planned, "after_unknown": {}}}


def plan(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resource_changes": list(resources)}


class Aws(Asked):
    """Answers by operation; what is not there answers as AWS does."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, []
        super().__init__(self.one)

    def one(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
        self.asked.append((operation, arguments))
        found = self.answers[operation]
        if isinstance(found, Exception):
            raise found
        return found(arguments) if callable(found) else found


def test_each_type_of_infra_is_looked_for_or_may_be_created_again():
    types = set(re.findall(r'^resource "(\w+)"', "".join(path.read_text() for path in (CHECKOUT / "infra").glob("*.tf")), re.MULTILINE))
    assert types - set(finders.FINDERS) - set(finders.AGAIN) == set()
    assert set(finders.FINDERS) & set(finders.AGAIN) == set()


DATABASE = created("aws_db_instance.main", identifier="atena-prod-db")
CACHE = created("aws_elasticache_cluster.main[0]", cluster_id="atena-prod-redis")


def database(status: str = "available", tags: list[dict[str, str]] | None = LISTED) -> dict[str, Any]:
    now = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    return {"DBInstances": [{"DBInstanceIdentifier": "atena-prod-db", "DBInstanceStatus": status, "TagList": tags, "InstanceCreateTime": now}]}


def rules(*found: dict[str, Any]) -> dict[str, Any]:
    return {"SecurityGroupRules": [{"SecurityGroupRuleId": f"sgr-{number}", **rule} for number, rule in enumerate(found)]}


@pytest.mark.parametrize(
    ("resource", "answers", "identity"),
    [
        (created("aws_vpc.main"), {"describe_vpcs": {"Vpcs": [{"VpcId": "vpc-1", "State": "available", "Tags": LISTED}]}}, "vpc-1"),
        (created("aws_eip.nat"), {"describe_addresses": {"Addresses": [{"AllocationId": "eipalloc-1", "Tags": LISTED}]}}, "eipalloc-1"),
        (
            created("aws_nat_gateway.main[0]", subnet_id="s-1"),
            {"describe_nat_gateways": {"NatGateways": [{"NatGatewayId": "nat-0", "State": "deleted"}, {"NatGatewayId": "nat-1", "Tags": LISTED}]}},
            "nat-1",
        ),
        (
            created("aws_route.private_nat[0]", route_table_id="rtb-1", destination_cidr_block="0.0.0.0/0"),
            {"describe_route_tables": {"RouteTables": [{"Routes": [{"DestinationCidrBlock": "10.0.0.0/16"}, {"DestinationCidrBlock": "0.0.0.0/0"}]}]}},
            "rtb-1_0.0.0.0/0",
        ),
        (
            created('aws_route_table_association.public["a"]', route_table_id="rtb-1", subnet_id="s-1"),
            {"describe_route_tables": {"RouteTables": [{"Associations": [{"SubnetId": "s-1"}]}]}},
            "s-1/rtb-1",
        ),
        (
            created("aws_vpc_security_group_egress_rule.x", security_group_id="sg-1", ip_protocol="tcp", from_port=443, to_port=443, cidr_ipv4="0.0.0.0/0"),
            {
                "describe_security_group_rules": rules(
                    {"IsEgress": True, "IpProtocol": "-1", "CidrIpv4": "0.0.0.0/0"},
                    {"IsEgress": False, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "0.0.0.0/0"},
                    {"IsEgress": True, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "0.0.0.0/0"},
                )
            },
            "sgr-2",
        ),
        (DATABASE, {"describe_db_instances": database()}, "atena-prod-db"),
        (
            CACHE,
            {
                "describe_cache_clusters": {"CacheClusters": [{"CacheClusterStatus": "available", "ARN": "arn"}]},
                "list_tags_for_resource": {"TagList": LISTED},
            },
            "atena-prod-redis",
        ),
        (
            created("aws_ssm_parameter.redis_url", name="/a/REDIS_URL"),
            {"describe_parameters": {"Parameters": [{"Name": "/a/REDIS_URL"}]}, "list_tags_for_resource": {"TagList": LISTED}},
            "/a/REDIS_URL",
        ),
        (
            created('aws_ecs_service.service["api"]', name="atena-prod-api", cluster="arn:aws:ecs:r:1:cluster/c"),
            {"describe_services": {"services": [{"status": "ACTIVE", "tags": [{"key": key, "value": value} for key, value in TAGS.items()]}]}},
            "c/atena-prod-api",
        ),
        (
            created('aws_lb_listener.http["api"]', load_balancer_arn="arn:lb", port=80),
            {"describe_listeners": {"Listeners": [{"ListenerArn": "arn:443", "Port": 443}, {"ListenerArn": "arn:80", "Port": 80}]}},
            "arn:80",
        ),
        (
            created('aws_lb_listener_rule.service["admin"]', listener_arn="arn:80", priority=10),
            {
                "describe_rules": {"Rules": [{"RuleArn": "arn:default", "Priority": "default"}, {"RuleArn": "arn:rule", "Priority": "10"}]},
                "describe_tags": {"TagDescriptions": [{"Tags": LISTED}]},
            },
            "arn:rule",
        ),
        (
            created("aws_route53_record.main[0]", zone_id="Z", name="a.example", type="A", alias=[{"name": "lb.amazonaws.com"}]),
            {
                "list_resource_record_sets": {
                    "ResourceRecordSets": [{"Name": "a.example.", "Type": "A", "AliasTarget": {"DNSName": "dualstack.LB.amazonaws.com."}}]
                }
            },
            "Z_a.example_A",
        ),
        (
            created("aws_iam_role.task", name="atena-prod-ecs-task"),
            {"get_role": {"Role": {"RoleName": "atena-prod-ecs-task", "Tags": LISTED}}},
            "atena-prod-ecs-task",
        ),
    ],
)
def test_what_is_there_is_found_by_what_is_planned(resource, answers, identity):
    search = Search(Aws(**answers))
    assert search.more(plan(resource)) and search.imports == {resource["address"]: identity}
    assert not search.more(plan(resource)), "it is no news any more"


@pytest.mark.parametrize(
    ("resource", "answers"),
    [
        (created("aws_vpc.main"), {"describe_vpcs": {"Vpcs": []}}),
        # Somebody's network of the same name costs nobody anything.
        (created("aws_vpc.main"), {"describe_vpcs": {"Vpcs": [{"VpcId": "vpc-1", "Tags": [{"Key": "Stage", "Value": "staging"}]}]}}),
        # Where it lies is not known yet.
        (created('aws_subnet.public["a"]', cidr_block="10.0.0.0/24"), {}),
        (DATABASE, {"describe_db_instances": failure("none", "DBInstanceNotFoundFault")}),
        (created("aws_iam_role.task", name="r"), {"get_role": failure("none", "NoSuchEntity")}),
        (created("aws_ecs_task_definition.template"), {}),
        (created("aws_vpc.main", ("no-op",)), {}),
        # A record that leads elsewhere is somebody's.
        (
            created("aws_route53_record.main[0]", zone_id="Z", name="a.example", type="A", alias=[{"name": "lb.amazonaws.com"}]),
            {"list_resource_record_sets": {"ResourceRecordSets": [{"Name": "a.example.", "Type": "A", "AliasTarget": {"DNSName": "other."}}]}},
        ),
    ],
)
def test_what_is_not_there_or_not_known_is_created(resource, answers):
    search = Search(Aws(**answers))
    assert not search.more(plan(resource)) and search.imports == {}


def test_what_has_other_tags_is_refused_and_named_unless_a_person_says_so():
    aws = Aws(describe_db_instances=database(tags=[]))
    with pytest.raises(Foreign) as refused:
        Search(aws).more(plan(DATABASE))
    said = str(refused.value)
    assert "atena-prod-db is there already" in said and "Project=atena, Stage=prod, ManagedBy=terraform" in said and "Nothing was changed" in said
    assert """infra.yml -e '{"infra_take_in": ["aws_db_instance.main"]}'""" in said
    search = Search(aws, named=["aws_db_instance.main"])
    assert search.more(plan(DATABASE)) and "aws_db_instance.main (atena-prod-db)" in search.warnings()[0]


def test_what_is_still_being_made_is_waited_for(monkeypatch):
    monkeypatch.setattr(left_behind.time, "sleep", lambda seconds: None)
    seen, said = iter(["creating", "creating", "backing-up", "available"]), []
    search = Search(Aws(describe_db_instances=lambda _: database(next(seen))), say=said.append)
    assert search.more(plan(DATABASE))
    assert [line.split(" is there already, and is ")[1].split(";")[0] for line in said[:-1]] == ["creating", "backing-up"]
    assert said[-1] == "aws_db_instance.main: is there already (atena-prod-db), and is imported"
    # A plan that nobody applies waits for nothing.
    assert Search(Aws(describe_db_instances=database("creating")), looks_only=True).more(plan(DATABASE))


@pytest.mark.parametrize(("status", "words"), [("restore-error", "never came up"), ("stopped", "Start it in RDS")])
def test_what_cannot_be_taken_in_says_what_to_do(status, words):
    with pytest.raises(CallFailed, match=words):
        Search(Aws(describe_db_instances=database(status))).more(plan(DATABASE))


def test_what_may_not_be_read_stops_an_apply_and_is_told_by_a_look():
    denied = Aws(describe_vpcs=failure("Could not find it.", "UnauthorizedOperation"))
    with pytest.raises(CallFailed):
        Search(denied).more(plan(created("aws_vpc.main")))
    search = Search(denied, looks_only=True)
    assert not search.more(plan(created("aws_vpc.main"))) and "aws_vpc.main is there already was not checked" in search.warnings()[0]


def test_what_aws_made_twice_is_told_after_the_apply():
    vpcs = [{"VpcId": "vpc-2", "Tags": LISTED}, {"VpcId": "vpc-1", "Tags": LISTED}]
    search = Search(Aws(describe_vpcs={"Vpcs": vpcs}))
    search.doubled(plan(created("aws_vpc.main")))
    assert "aws_vpc.main: vpc-1, vpc-2" in search.warnings()[0]


def test_the_blocks_lie_beside_the_configuration_while_a_plan_is_made(tmp_path):
    with left_behind.beside(tmp_path, {'aws_subnet.public["a"]': "subnet-1", "aws_vpc.main": "vpc-${1}"}):
        text = (tmp_path / left_behind.NAME).read_text()
    assert text == 'import {\n  to = aws_subnet.public["a"]\n  id = "subnet-1"\n}\n\nimport {\n  to = aws_vpc.main\n  id = "vpc-$${1}"\n}\n'
    assert list(tmp_path.iterdir()) == []


# --- In an apply ------------------------------------------------------------------------------------------------------
class Terraform:
    """Plans one after the other, each as it is with what lies beside the configuration then."""

    def __init__(self, directory: Path, *plans: Callable[[str], dict[str, Any]] | dict[str, Any]) -> None:
        self.directory, self.plans, self.commands, self.beside = directory, list(plans), [], []
        self.forgotten: list[str] = []

    def checked(self, doing: str, command: str, *arguments: str, **_options: Any) -> tuple[int, list[str], list[dict[str, str]]]:
        self.commands.append(" ".join([command, *(argument for argument in arguments if argument.startswith("-target"))]))
        file = self.directory / left_behind.NAME
        if command == "state":
            self.forgotten += [argument for argument in arguments if argument.startswith("aws_")]
        if command == "plan":
            self.beside.append(file.read_text() if file.exists() else "")
        return 2, [], []

    def json(self, *_arguments: str, **_options: Any) -> dict[str, Any]:
        return self.plans.pop(0)


def taken_in(resource: dict[str, Any], identity: str) -> dict[str, Any]:
    return {**resource, "change": {**resource["change"], "actions": ["no-op"], "importing": {"id": identity}}}


VPC = created("aws_vpc.main")
SUBNET = created('aws_subnet.public["a"]', cidr_block="10.0.0.0/24")
PLACED = created('aws_subnet.public["a"]', cidr_block="10.0.0.0/24", vpc_id="vpc-1")
NETWORK = {
    "describe_vpcs": {"Vpcs": [{"VpcId": "vpc-1", "Tags": LISTED}]},
    "describe_subnets": {"Subnets": [{"SubnetId": "subnet-1", "Tags": LISTED}]},
}


def test_what_stands_on_something_is_found_when_that_is_known(tmp_path):
    terraform = Terraform(
        tmp_path,
        plan(VPC, SUBNET),
        plan(taken_in(VPC, "vpc-1"), PLACED),
        plan(taken_in(VPC, "vpc-1"), taken_in(PLACED, "subnet-1")),
    )
    settled = []
    result = plan_and_apply(terraform, search=Search(Aws(**NETWORK)), settle=lambda plan, imports: settled.append(dict(imports)))
    assert terraform.commands == ["plan", "plan", "plan", "apply"] and [text.count("import {") for text in terraform.beside] == [0, 1, 2]
    assert result["taken_in"] == settled[0] == {"aws_vpc.main": "vpc-1", 'aws_subnet.public["a"]': "subnet-1"}
    assert [change["action"] for change in result["changes"]] == ["import", "import"] and "aws_vpc.main (vpc-1)" in result["warnings"][0]
    assert list(tmp_path.iterdir()) == []


def test_a_look_tells_the_same_and_settles_nothing(tmp_path):
    terraform = Terraform(tmp_path, plan(VPC), plan(taken_in(VPC, "vpc-1")))
    search = Search(Aws(**NETWORK), looks_only=True)
    result = plan_and_apply(terraform, check=True, search=search, settle=lambda *_: pytest.fail("it was changed"))
    assert terraform.commands == ["plan", "plan"] and result["taken_in"] == {"aws_vpc.main": "vpc-1"}


def test_a_part_and_a_destroy_take_nothing_in(tmp_path):
    for options in ({"destroy": True, "allow_destroy": ["*"]}, {"targets": ("aws_vpc.main",)}):
        plan_and_apply(Terraform(tmp_path, plan(VPC)), search=Search(Aws()), **options)


def test_the_databases_password_is_drawn_before_a_database_is_taken_in_whose_password_nobody_knows(tmp_path):
    password, url = created("random_password.database"), created("aws_ssm_parameter.database_url", name="/a/DATABASE_URL")
    after = plan(taken_in(DATABASE, "atena-prod-db"), url)
    terraform = Terraform(tmp_path, plan(DATABASE, password, url), after)
    aws, proved = Aws(describe_db_instances=database(), describe_parameters={"Parameters": []}), []
    plan_and_apply(terraform, search=Search(aws), before_apply=lambda changes: proved.append(len(changes)))
    assert terraform.commands == ["plan", "plan -target=random_password.database", "apply", "plan", "apply"] and proved == [0, 2]


# What was deleted by hand: the provider knows a database by its resource's id, which the one that was restored under its name has not.
GONE = {"resource_drift": [{**DATABASE, "change": {"actions": ["delete"], "before": {}, "after": None}}]}


def test_what_was_restored_by_hand_under_its_own_name_takes_the_place_of_the_one_that_was_deleted(tmp_path):
    """Terraform ignores an import block for an address that its state has, whatever became of what was there."""
    imported, proved = plan(taken_in(DATABASE, "atena-prod-db")), []
    terraform = Terraform(tmp_path, {**plan(DATABASE), **GONE}, imported)
    result = plan_and_apply(terraform, search=Search(Aws(describe_db_instances=database())), before_apply=lambda changes: proved.append(len(changes)))
    assert terraform.commands == ["plan", "state", "plan", "apply"] and terraform.forgotten == ["aws_db_instance.main"]
    assert proved == [0, 1] and [change["action"] for change in result["changes"]] == ["import"]


def test_a_check_predicts_that_and_leaves_the_state_as_it_is(tmp_path):
    terraform = Terraform(tmp_path, {**plan(DATABASE), **GONE})
    result = plan_and_apply(terraform, search=Search(Aws(describe_db_instances=database()), looks_only=True), check=True)
    assert terraform.commands == ["plan"] and [change["action"] for change in result["changes"]] == ["import"]


def test_a_plan_that_is_to_be_saved_cannot_have_it(tmp_path):
    terraform = Terraform(tmp_path, {**plan(DATABASE), **GONE})
    with pytest.raises(TerraformError, match="aws_db_instance.main was deleted outside of Terraform.*Run infra.yml without infra_save_plan"):
        plan_and_apply(terraform, search=Search(Aws(describe_db_instances=database())), save_as="plan")
    assert terraform.commands == ["plan"]


@pytest.mark.parametrize(("resource", "argument", "what"), [(DATABASE, "no_database", "database"), (CACHE, "no_redis", "Redis")])
def test_rows_and_jobs_that_wait_elsewhere_are_not_replaced_by_what_is_there(tmp_path, resource, argument, what):
    """What nobody knows the content of is no better than an empty one."""
    found = {
        "describe_db_instances": database(),
        "describe_cache_clusters": {"CacheClusters": [{"CacheClusterStatus": "available", "ARN": "a"}]},
        "list_tags_for_resource": {"TagList": LISTED},
    }
    terraform = Terraform(tmp_path, plan(resource), plan(taken_in(resource, "x")))
    with pytest.raises(guards.Refused, match=f"would import a {what}.*they wait"):
        plan_and_apply(terraform, search=Search(Aws(**found)), **{argument: lambda: "they wait"})
    assert "apply" not in terraform.commands


def test_what_the_configuration_has_an_import_block_for_is_told_by_variables(tmp_path):
    """Terraform takes one import block for a resource."""
    (tmp_path / "terraform.auto.tfvars.json").write_text('{"kept": {"repositories": ["api"], "lifecycle_policies": [], "log_groups": []}}')
    found = {"aws_elasticache_cluster.main[0]": "r", 'aws_ecr_repository.service["workers"]': "w", "aws_vpc.main": "vpc-1"}
    with left_behind.beside(tmp_path, found) as variables:
        assert (tmp_path / left_behind.NAME).read_text().count("import {") == 1
    kept = '{"repositories": ["api", "workers"], "lifecycle_policies": [], "log_groups": []}'
    assert variables == ["-var=redis_taken_in=true", f"-var=kept={kept}"]
    assert left_behind.by_variables({"aws_vpc.main": "vpc-1"}, {}) == []


def test_each_import_block_of_infra_is_known_here():
    """A block of ours for the same resource would be an error of Terraform's."""
    text = "".join(path.read_text() for path in (CHECKOUT / "infra").glob("*.tf"))
    own = {name.partition("[")[0] for name in re.findall(r"^import \{.*?to\s+= (\S+)", text, re.MULTILINE | re.DOTALL)}
    assert own - set(finders.AGAIN) - {"aws_ecr_lifecycle_policy.service"} == {left_behind._REDIS, *left_behind._KEPT}
