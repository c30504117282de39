"""Create, read, update, delete and import against recorded answers of AWS."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber
from offline import aws as engine
from offline.core import Provider
from offline.failure import Failure
from offline.plan import null_object
from offline.rows.local import identifier_of, password
from offline.rows.stores import database_version, redis_version
from offline.values import Unknown

REGION = "us-east-1"


class World:
    """The provider with default tags, and one stubbed client."""

    def __init__(self, service: str, monkeypatch: pytest.MonkeyPatch):
        self.provider = Provider("aws")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:1")
        self.provider.configure({"region": REGION, "default_tags": [{"tags": {"Project": "p"}}]})
        client = boto3.client(service, region_name=REGION, aws_access_key_id="1", aws_secret_access_key="1")
        self.provider.backend._clients[service, REGION] = client
        self.provider.backend.account = "123456789012"
        self.stub = Stubber(client)
        self.stub.activate()

    def config(self, type_name: str, **values):
        return {**null_object(self.provider.rows[type_name].block), **values}

    def plan(self, type_name: str, prior=None, **values):
        planned, replace, problems = self.provider.plan(type_name, prior, self.config(type_name, **values))
        assert problems == []
        return planned, replace

    def create(self, type_name: str, **values):
        planned, _ = self.plan(type_name, **values)
        return self.provider.apply(type_name, None, planned)


@pytest.fixture
def logs(monkeypatch):
    return World("logs", monkeypatch)


@pytest.fixture
def ec2(monkeypatch):
    return World("ec2", monkeypatch)


GROUP = {"logGroupName": "/a", "arn": f"arn:aws:logs:{REGION}:123456789012:log-group:/a:*", "retentionInDays": 7}
TAGS = {"Project": "p", "Name": "n"}


def answer_group(stub, group=GROUP, tags=TAGS):
    stub.add_response("describe_log_groups", {"logGroups": [group, {**GROUP, "logGroupName": "/ab"}]}, {"logGroupNamePrefix": "/a"})
    stub.add_response("list_tags_for_resource", {"tags": tags})


def existing(logs, **changes):
    answer_group(logs.stub)
    state = logs.provider.read("aws_cloudwatch_log_group", {**logs.config("aws_cloudwatch_log_group", name="/a", tags={"Name": "n"}), "id": "/a"})
    return {**state, "region": REGION, "skip_destroy": False, **changes}


def test_create_sends_tags_and_sets_afterwards_what_the_creation_cannot(logs):
    logs.stub.add_response("create_log_group", {}, {"logGroupName": "/a", "tags": TAGS})
    logs.stub.add_response("put_retention_policy", {}, {"logGroupName": "/a", "retentionInDays": 7})
    answer_group(logs.stub)
    state, failure = logs.create("aws_cloudwatch_log_group", name="/a", retention_in_days=7, tags={"Name": "n"})
    assert failure is None
    assert (state["id"], state["arn"], state["tags_all"]) == ("/a", GROUP["arn"].removesuffix(":*"), TAGS)
    assert Unknown not in state.values()
    logs.stub.assert_no_pending_responses()


def test_create_makes_a_name_from_its_prefix(logs):
    logs.stub.add_response("create_log_group", {})
    logs.stub.add_client_error("describe_log_groups", "AccessDeniedException")
    state, failure = logs.create("aws_cloudwatch_log_group", name_prefix="/pre-")
    assert failure is not None
    assert state["name"].startswith("/pre-")
    assert len(state["name"]) > len("/pre-") + 10


def test_a_half_failed_creation_returns_the_state_with_its_id(ec2):
    ec2.stub.add_response("create_internet_gateway", {"InternetGateway": {"InternetGatewayId": "igw-1"}})
    ec2.stub.add_client_error("attach_internet_gateway", "Gateway.Busy", "not now")
    state, failure = ec2.create("aws_internet_gateway", vpc_id="vpc-1")
    assert state["id"] == "igw-1"
    assert Unknown not in state.values()
    assert (failure.summary, failure.detail) == ("aws_internet_gateway: AttachInternetGateway failed", "Gateway.Busy: not now")


def test_a_failed_creation_returns_no_state(ec2):
    ec2.stub.add_client_error("create_internet_gateway", "InternetGatewayLimitExceeded")
    state, failure = ec2.create("aws_internet_gateway")
    assert state is None
    assert "InternetGatewayLimitExceeded" in failure.detail


def test_read_finds_the_one_of_exactly_this_name(logs):
    state = existing(logs)
    assert (state["name"], state["retention_in_days"], state["tags"]) == ("/a", 7, {"Name": "n"})


@pytest.mark.parametrize("answer", [{"logGroups": []}, None])
def test_what_aws_does_not_know_is_gone(logs, answer):
    if answer is None:
        logs.stub.add_client_error("describe_log_groups", "ResourceNotFoundException")
    else:
        logs.stub.add_response("describe_log_groups", answer)
    assert logs.provider.read("aws_cloudwatch_log_group", {"id": "/a", "region": REGION}) is None


def test_default_tags_are_not_shown_as_own_ones(logs):
    state = existing(logs)
    assert state["tags_all"] == TAGS
    planned, _ = logs.plan("aws_cloudwatch_log_group", state, name="/a", retention_in_days=7, tags={"Name": "n"})
    assert planned == state


def test_a_default_tag_that_was_removed_is_a_change(logs):
    state = existing(logs, tags_all={"Name": "n"})
    planned, replace = logs.plan("aws_cloudwatch_log_group", state, name="/a", retention_in_days=7, tags={"Name": "n"})
    assert (planned["tags_all"], replace) == (TAGS, [])


def test_tags_are_unknown_when_one_of_them_is(logs):
    planned, _ = logs.plan("aws_cloudwatch_log_group", name="/a", tags={"Name": Unknown})
    assert planned["tags_all"] == {"Project": "p", "Name": Unknown}


def test_update_calls_only_for_what_changed(logs):
    state = existing(logs)
    wanted = {"name": "/a", "retention_in_days": 30, "tags": {"Name": "m"}}
    planned, replace = logs.plan("aws_cloudwatch_log_group", state, **wanted)
    assert replace == []
    logs.stub.add_response("put_retention_policy", {}, {"logGroupName": "/a", "retentionInDays": 30})
    logs.stub.add_response("tag_resource", {}, {"resourceArn": state["arn"], "tags": {"Name": "m"}})
    answer_group(logs.stub)
    new, failure = logs.provider.apply("aws_cloudwatch_log_group", state, planned)
    assert (failure, new["retention_in_days"], new["tags"]) == (None, 30, {"Name": "m"})
    logs.stub.assert_no_pending_responses()


def test_another_name_is_another_resource(logs):
    state = existing(logs)
    planned, replace = logs.plan("aws_cloudwatch_log_group", state, name="/b", retention_in_days=7, tags={"Name": "n"})
    assert (planned["name"], replace) == ("/b", ["name"])


def test_delete_waits_until_it_is_gone_and_minds_nothing_that_is_gone_already(logs, monkeypatch):
    monkeypatch.setattr(engine.time, "sleep", lambda seconds: None)
    logs.stub.add_response("delete_log_group", {}, {"logGroupName": "/a"})
    logs.stub.add_response("describe_log_groups", {"logGroups": [GROUP]})
    logs.stub.add_response("describe_log_groups", {"logGroups": []})
    state = {"id": "/a", "region": REGION, "skip_destroy": False}
    logs.provider.apply("aws_cloudwatch_log_group", state, None)
    logs.stub.add_client_error("delete_log_group", "ResourceNotFoundException")
    logs.stub.add_response("describe_log_groups", {"logGroups": []})
    logs.provider.apply("aws_cloudwatch_log_group", state, None)
    logs.stub.assert_no_pending_responses()


def test_skip_destroy_leaves_it_there(logs):
    logs.provider.apply("aws_cloudwatch_log_group", {"id": "/a", "region": REGION, "skip_destroy": True}, None)


def test_a_database_is_not_deleted_without_a_word_on_its_final_snapshot(monkeypatch):
    rds = World("rds", monkeypatch)
    with pytest.raises(Failure, match="aws_db_instance: deleting d"):
        rds.provider.apply("aws_db_instance", {"id": "db-1", "identifier": "d", "region": REGION, "skip_final_snapshot": False}, None)


# -- states that take their time --------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    """Waiting costs nothing; how often it was waited."""
    pauses: list[float] = []
    monkeypatch.setattr(engine.time, "sleep", pauses.append)
    return pauses


CLUSTER = {"CacheClusterId": "c", "ARN": f"arn:aws:elasticache:{REGION}:123456789012:cluster:c", "Engine": "redis", "NumCacheNodes": 1}


def in_state(stub, *states):
    for state in states:
        stub.add_response("describe_cache_clusters", {"CacheClusters": [{**CLUSTER, "CacheClusterStatus": state}]})


def test_a_cache_is_waited_for(monkeypatch, quick):
    cache = World("elasticache", monkeypatch)
    cache.stub.add_response("create_cache_cluster", {})
    in_state(cache.stub, "creating", "snapshotting", "available")
    cache.stub.add_response("list_tags_for_resource", {"TagList": []})
    state, failure = cache.create("aws_elasticache_cluster", cluster_id="c", engine="redis", node_type="t", num_cache_nodes=1)
    assert (failure, state["id"], len(quick)) == (None, "c", 2)
    cache.stub.assert_no_pending_responses()


def test_a_cache_that_cannot_be_restored_is_a_failure_and_known(monkeypatch, quick):
    cache = World("elasticache", monkeypatch)
    cache.stub.add_response("create_cache_cluster", {})
    in_state(cache.stub, "creating", "restore-failed")
    state, failure = cache.create("aws_elasticache_cluster", cluster_id="c", engine="redis", node_type="t", num_cache_nodes=1)
    assert state["id"] == "c"
    assert "unexpected state 'restore-failed', wanted target 'available'" in failure.detail


def test_the_tags_of_a_cache_are_read_when_it_is_available(monkeypatch, quick):
    cache = World("elasticache", monkeypatch)
    in_state(cache.stub, "snapshotting")
    cache.stub.add_client_error("list_tags_for_resource", "InvalidReplicationGroupState", "Cluster not in available state to perform tagging operations.")
    cache.stub.add_response("list_tags_for_resource", {"TagList": [{"Key": "a", "Value": "b"}]})
    found = cache.provider.read("aws_elasticache_cluster", {**cache.config("aws_elasticache_cluster"), "id": "c", "region": REGION})
    assert (found["tags_all"], len(quick)) == ({"a": "b"}, 1)


def test_a_cache_that_goes_while_its_tags_are_waited_for_is_gone(monkeypatch, quick):
    cache = World("elasticache", monkeypatch)
    in_state(cache.stub, "deleting")
    cache.stub.add_client_error("list_tags_for_resource", "InvalidReplicationGroupState", "Cluster not in available state to perform tagging operations.")
    cache.stub.add_client_error("list_tags_for_resource", "CacheClusterNotFound")
    cache.stub.add_client_error("describe_cache_clusters", "CacheClusterNotFound")
    assert cache.provider.read("aws_elasticache_cluster", {**cache.config("aws_elasticache_cluster"), "id": "c", "region": REGION}) is None
    cache.stub.assert_no_pending_responses()


def test_other_errors_of_tags_are_not_waited_for(monkeypatch, quick):
    cache = World("elasticache", monkeypatch)
    in_state(cache.stub, "available")
    cache.stub.add_client_error("list_tags_for_resource", "AccessDenied", "no")
    with pytest.raises(Failure, match="ListTagsForResource failed"):
        cache.provider.read("aws_elasticache_cluster", {**cache.config("aws_elasticache_cluster"), "id": "c", "region": REGION})
    assert quick == []


def test_a_cache_is_deleted_when_its_snapshot_is_taken(monkeypatch, quick):
    cache = World("elasticache", monkeypatch)
    cache.stub.add_client_error("delete_cache_cluster", "InvalidCacheClusterState", "Can only delete cache clusters with state in: available")
    cache.stub.add_response("delete_cache_cluster", {}, {"CacheClusterId": "c"})
    in_state(cache.stub, "deleting")
    cache.stub.add_client_error("describe_cache_clusters", "CacheClusterNotFound")
    cache.provider.apply("aws_elasticache_cluster", {"id": "c", "region": REGION}, None)
    assert len(quick) == 2
    cache.stub.assert_no_pending_responses()


def balancer(state):
    arn = f"arn:aws:elasticloadbalancing:{REGION}:123456789012:loadbalancer/app/b/1"
    return {"LoadBalancers": [{"LoadBalancerArn": arn, "LoadBalancerName": "b", "Type": "application", "State": {"Code": state}}]}


def test_a_load_balancer_is_waited_for_and_may_fail(monkeypatch, quick):
    elbv2 = World("elbv2", monkeypatch)
    elbv2.stub.add_response("create_load_balancer", balancer("provisioning"))
    elbv2.stub.add_response("describe_load_balancer_attributes", {"Attributes": []})
    elbv2.stub.add_response("modify_load_balancer_attributes", {"Attributes": []})
    for state in ("provisioning", "failed"):
        elbv2.stub.add_response("describe_load_balancers", balancer(state))
    state, failure = elbv2.create("aws_lb", name="b", subnets=["subnet-1"])
    assert state["id"].endswith("/app/b/1")
    assert "unexpected state 'failed', wanted target 'active'" in failure.detail
    assert len(quick) == 1


def nat(state, **more):
    return {"NatGateways": [{"NatGatewayId": "nat-1", "State": state, **more}]}


def test_a_nat_gateway_is_waited_for_and_may_fail(ec2, quick):
    ec2.stub.add_response("create_nat_gateway", {"NatGateway": {"NatGatewayId": "nat-1"}})
    ec2.stub.add_response("describe_nat_gateways", nat("pending"))
    ec2.stub.add_response("describe_nat_gateways", nat("failed", FailureCode="Resource.AlreadyAssociated", FailureMessage="it is"))
    state, failure = ec2.create("aws_nat_gateway", allocation_id="eipalloc-1", subnet_id="subnet-1")
    assert (state["id"], failure.detail) == ("nat-1", "Resource.AlreadyAssociated: it is")


def test_a_nat_gateway_is_gone_when_it_is_deleted(ec2, quick):
    ec2.stub.add_response("delete_nat_gateway", {})
    for state in ("deleting", "deleting", "deleted"):
        ec2.stub.add_response("describe_nat_gateways", nat(state))
    ec2.provider.apply("aws_nat_gateway", {"id": "nat-1", "region": REGION}, None)
    assert len(quick) == 2
    ec2.stub.assert_no_pending_responses()


def stopped_database(rds):
    arn = f"arn:aws:rds:{REGION}:123456789012:db:d"
    found = {"DBInstanceIdentifier": "d", "DBInstanceArn": arn, "DbiResourceId": "db-1", "DBInstanceStatus": "stopped", "Engine": "postgres"}
    rds.stub.add_response("describe_db_instances", {"DBInstances": [found]})
    rds.stub.add_response("list_tags_for_resource", {"TagList": [{"Key": "Project", "Value": "p"}]})


def test_a_stopped_database_needs_no_change_and_takes_tags(monkeypatch, quick):
    rds = World("rds", monkeypatch)
    wanted = {"identifier": "d", "engine": "postgres", "instance_class": None}
    stopped_database(rds)
    state = rds.provider.read("aws_db_instance", {**rds.config("aws_db_instance", **wanted), "id": "db-1", "region": REGION})
    defaults = {name: attr.default for name, attr in rds.provider.rows["aws_db_instance"].block.attrs.items() if attr.default is not None}
    state = {**state, **{name: value for name, value in defaults.items() if state.get(name) is None}}
    planned, _ = rds.plan("aws_db_instance", state, **wanted)
    assert (planned, state["status"]) == (state, "stopped")
    planned, _ = rds.plan("aws_db_instance", state, **wanted, tags={"Name": "n"})
    rds.stub.add_response("add_tags_to_resource", {}, {"ResourceName": state["arn"], "Tags": [{"Key": "Name", "Value": "n"}]})
    stopped_database(rds)
    _, failure = rds.provider.apply("aws_db_instance", state, planned)
    assert (failure, quick) == (None, [])
    rds.stub.assert_no_pending_responses()


def test_a_database_from_a_snapshot_is_restored_and_then_given_what_a_restore_does_not_take(monkeypatch, quick):
    rds = World("rds", monkeypatch)
    arn = f"arn:aws:rds:{REGION}:123456789012:db:d"
    found = {"DBInstanceIdentifier": "d", "DBInstanceArn": arn, "DbiResourceId": "db-1", "DBInstanceStatus": "available", "Engine": "postgres"}
    sent = {"DBInstanceIdentifier": "d", "DBSnapshotIdentifier": "s", "DBInstanceClass": "db.t4g.micro", "Engine": "postgres", "StorageType": "gp3"}
    more = {"AutoMinorVersionUpgrade": True, "CopyTagsToSnapshot": False, "PubliclyAccessible": False, "Tags": [{"Key": "Project", "Value": "p"}]}
    rds.stub.add_response("restore_db_instance_from_db_snapshot", {"DBInstance": {**found, "DBInstanceStatus": "creating"}}, {**sent, **more})
    for status in ("creating", "available"):
        rds.stub.add_response("describe_db_instances", {"DBInstances": [{**found, "DBInstanceStatus": status}]}, {"DBInstanceIdentifier": "d"})
    changed = {"DBInstanceIdentifier": "d", "ApplyImmediately": True, "MasterUserPassword": "p", "BackupRetentionPeriod": 7}
    rds.stub.add_response("modify_db_instance", {}, changed)
    rds.stub.add_response("describe_db_instances", {"DBInstances": [found]}, {"Filters": [{"Name": "dbi-resource-id", "Values": ["db-1"]}]})
    rds.stub.add_response("list_tags_for_resource", {"TagList": []})
    wanted = {"identifier": "d", "engine": "postgres", "instance_class": "db.t4g.micro", "storage_type": "gp3", "password": "p", "username": "u"}
    state, failure = rds.create("aws_db_instance", **wanted, snapshot_identifier="s", backup_retention_period=7, skip_final_snapshot=True)
    assert failure is None and state["id"] == "db-1"
    rds.stub.assert_no_pending_responses()


def test_a_schedule_is_made_changed_and_known_by_its_group(monkeypatch):
    scheduler = World("scheduler", monkeypatch)
    target = {"arn": "arn:aws:scheduler:::aws-sdk:rds:stopDBInstance", "role_arn": "arn:aws:iam::123456789012:role/r", "input": "{}"}
    wanted = {"name": "s", "schedule_expression": "rate(1 hour)", "flexible_time_window": [{"mode": "OFF"}], "target": [target]}
    sent = {
        "Name": "s", "ScheduleExpression": "rate(1 hour)", "ScheduleExpressionTimezone": "UTC", "State": "ENABLED", "ActionAfterCompletion": "NONE",
        "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": target["arn"], "RoleArn": target["role_arn"], "Input": "{}"},
    }  # fmt: skip
    retries = {"RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}}
    answer = {**sent, "Arn": "arn:aws:scheduler:us-east-1:1:schedule/default/s", "GroupName": "default", "Target": {**sent["Target"], **retries}}
    scheduler.stub.add_response("create_schedule", {"ScheduleArn": answer["Arn"]}, sent)
    scheduler.stub.add_response("get_schedule", answer, {"GroupName": "default", "Name": "s"})
    state, failure = scheduler.create("aws_scheduler_schedule", **wanted)
    assert (failure, state["id"], state["group_name"], state["arn"]) == (None, "default/s", "default", answer["Arn"])
    planned, _ = scheduler.plan("aws_scheduler_schedule", state, **wanted)
    assert planned == state
    planned, replace = scheduler.plan("aws_scheduler_schedule", state, **{**wanted, "state": "DISABLED"})
    assert replace == []
    changed = {**sent, "GroupName": "default", "State": "DISABLED", "Target": {**sent["Target"], **retries}}
    scheduler.stub.add_response("update_schedule", {"ScheduleArn": answer["Arn"]}, changed)
    scheduler.stub.add_response("get_schedule", {**answer, "State": "DISABLED"})
    state, failure = scheduler.provider.apply("aws_scheduler_schedule", state, planned)
    assert (failure, state["state"]) == (None, "DISABLED")
    scheduler.stub.assert_no_pending_responses()


def test_a_new_security_group_lets_nothing_out(ec2):
    open_rule = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    group = {"GroupId": "sg-1", "GroupName": "g", "Description": "Managed by Terraform", "VpcId": "vpc-1", "IpPermissionsEgress": open_rule}
    ec2.stub.add_response("create_security_group", {"GroupId": "sg-1"})
    ec2.stub.add_response("describe_security_groups", {"SecurityGroups": [group]})
    ec2.stub.add_response("revoke_security_group_egress", {}, {"GroupId": "sg-1", "IpPermissions": open_rule})
    ec2.stub.add_response("describe_security_groups", {"SecurityGroups": [{**group, "IpPermissionsEgress": []}]})
    state, failure = ec2.create("aws_security_group", name="g", vpc_id="vpc-1")
    assert (failure, state["id"]) == (None, "sg-1")
    ec2.stub.assert_no_pending_responses()


def test_import_begins_with_the_id_and_the_providers_defaults(logs):
    state = logs.provider.import_state("aws_cloudwatch_log_group", "/a")
    assert (state["id"], state["name"], state["skip_destroy"], state["region"]) == ("/a", "/a", False, REGION)


def test_import_of_types_with_composite_ids(ec2):
    route = ec2.provider.import_state("aws_route", "rtb-1_10.0.0.0/8")
    assert (route["route_table_id"], route["destination_cidr_block"], route["id"]) == ("rtb-1", "10.0.0.0/8", "r-rtb-110.0.0.0/8")
    found = {"RouteTableAssociationId": "rtbassoc-1", "SubnetId": "subnet-1", "RouteTableId": "rtb-1"}
    ec2.stub.add_response("describe_route_tables", {"RouteTables": [{"Associations": [found]}]}, {"RouteTableIds": ["rtb-1"]})
    assert ec2.provider.import_state("aws_route_table_association", "subnet-1/rtb-1")["id"] == "rtbassoc-1"


def test_arguments_without_an_operation_are_refused_while_planning(ec2):
    _, _, problems = ec2.provider.plan("aws_security_group", None, ec2.config("aws_security_group", name="g", ingress=[{"protocol": "tcp"}]))
    assert [path for path, _, _ in problems] == [["ingress"]]


def test_arguments_inside_blocks_are_refused_too(monkeypatch):
    ecs = World("ecs", monkeypatch)
    balancer = {"container_name": "a", "container_port": 80, "target_group_arn": Unknown, "elb_name": None, "advanced_configuration": []}
    network = {"subnets": ["subnet-1"], "security_groups": None, "assign_public_ip": None}
    for name, refused in ((None, []), ("classic", [["load_balancer"]])):
        blocks = {"load_balancer": [{**balancer, "elb_name": name}], "network_configuration": [network]}
        _, _, problems = ecs.provider.plan("aws_ecs_service", None, ecs.config("aws_ecs_service", name="s", **blocks))
        assert [path for path, _, _ in problems] == refused


def test_without_a_local_endpoint_it_refuses_to_work(monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(Failure, match="local endpoint only"):
        Provider("aws").configure({"region": REGION})


# -- random ----------------------------------------------------------------------------------------------------------------------


def test_a_password_has_what_was_asked_for():
    text = password({"length": 20, "min_numeric": 5, "min_special": 3, "override_special": "_", "upper": False})
    assert len(text) == 20
    assert sum(letter.isdigit() for letter in text) >= 5
    assert text.count("_") >= 3
    assert text == text.lower()


def test_an_identifier_in_all_its_notations():
    found = identifier_of(b"\xff\xee", "p-")
    assert found == {"id": "_-4", "b64_url": "p-_-4", "b64_std": "p-/+4=", "hex": "p-ffee", "dec": "p-65518"}


def test_a_changed_keeper_draws_anew():
    provider = Provider("random")
    prior = {**null_object(provider.rows["random_id"].block), "byte_length": 4, "keepers": {"a": "1"}, "hex": "00", "id": "x"}
    same, replace, _ = provider.plan("random_id", prior, {**null_object(provider.rows["random_id"].block), "byte_length": 4, "keepers": {"a": "1"}})
    assert (same, replace) == (prior, [])
    _, replace, _ = provider.plan("random_id", prior, {**null_object(provider.rows["random_id"].block), "byte_length": 4, "keepers": {"a": "2"}})
    assert replace == ["keepers"]


CHANGED = {"ChangeInfo": {"Id": "/change/C1", "Status": "PENDING", "SubmittedAt": "2027-01-15T12:00:00Z"}}
ALIAS = {"name": "alb.local", "zone_id": "Z9", "evaluate_target_health": False}


def test_a_record_is_made_once_and_known_however_aws_writes_its_names(monkeypatch):
    world = World("route53", monkeypatch)
    sent = {"Name": "app.example.com", "Type": "A", "AliasTarget": {"DNSName": "alb.local", "HostedZoneId": "Z9", "EvaluateTargetHealth": False}}
    read = {**sent, "Name": "app.example.com.", "AliasTarget": {**sent["AliasTarget"], "DNSName": "dualstack.ALB.local."}}
    answer = {"ResourceRecordSets": [read], "IsTruncated": False, "MaxItems": "1"}
    change = {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": [{"Action": "CREATE", "ResourceRecordSet": sent}]}}
    world.stub.add_response("change_resource_record_sets", CHANGED, change)
    world.stub.add_response("list_resource_record_sets", answer)
    given = {"zone_id": "Z1", "name": "app.example.com", "type": "A", "alias": [ALIAS]}
    state, failure = world.create("aws_route53_record", **given)
    assert failure is None and (state["id"], state["fqdn"]) == ("Z1_app.example.com_A", "app.example.com")
    # Read again it is the same, so that no plan proposes anything.
    world.stub.add_response("list_resource_record_sets", answer)
    assert world.provider.read("aws_route53_record", state)["alias"] == [ALIAS]
    # The next name in the zone is another record's.
    world.stub.add_response("list_resource_record_sets", {**answer, "ResourceRecordSets": [{**read, "Name": "b.example.com."}]})
    assert world.provider.read("aws_route53_record", state) is None
    imported = world.provider.import_state("aws_route53_record", "Z1_app.example.com_A")
    world.stub.add_response("list_resource_record_sets", answer)
    # Also what is false: the configuration has to say it, so a null would be another value.
    assert (imported["name"], world.provider.read("aws_route53_record", imported)["alias"]) == ("app.example.com", [ALIAS])


def test_an_oidc_provider_keeps_the_address_as_it_was_written_and_changes_its_clients(monkeypatch):
    world = World("iam", monkeypatch)
    arn, url = "arn:aws:iam::123456789012:oidc-provider/token.example.com", "https://token.example.com"
    answer = {"Url": "token.example.com", "ClientIDList": ["a"], "Tags": [{"Key": "Project", "Value": "p"}]}
    world.stub.add_response("create_open_id_connect_provider", {"OpenIDConnectProviderArn": arn})
    world.stub.add_response("get_open_id_connect_provider", answer)
    state, failure = world.create("aws_iam_openid_connect_provider", url=url, client_id_list=["a"])
    assert failure is None and (state["arn"], state["url"]) == (arn, url)
    world.stub.add_response("get_open_id_connect_provider", answer)
    assert world.provider.read("aws_iam_openid_connect_provider", state)["url"] == url
    planned, replace = world.plan("aws_iam_openid_connect_provider", prior=state, url=url, client_id_list=["b"])
    assert not replace
    world.stub.add_response("add_client_id_to_open_id_connect_provider", {}, {"OpenIDConnectProviderArn": arn, "ClientID": "b"})
    world.stub.add_response("remove_client_id_from_open_id_connect_provider", {}, {"OpenIDConnectProviderArn": arn, "ClientID": "a"})
    world.stub.add_response("get_open_id_connect_provider", {**answer, "ClientIDList": ["b"]})
    changed, failure = world.provider.apply("aws_iam_openid_connect_provider", state, planned)
    assert failure is None and changed["client_id_list"] == ["b"]
    world.stub.assert_no_pending_responses()


# -- versions ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actual", "state", "pending", "kept"),
    [
        ("16.13", "16", None, "16"),
        ("16.13", "16.13", None, "16.13"),
        ("16.14", "16.13", None, "16.14"),  # an automatic upgrade
        ("17.9", "16", None, "17.9"),
        ("16.13", "1", None, "16.13"),
        ("16.13", None, None, "16.13"),  # an import
        ("16.13", "17", "17", "17"),  # it waits for the maintenance window
    ],
)
def test_the_state_keeps_a_part_of_the_version_and_an_import_has_the_whole(actual, state, pending, kept):
    assert database_version(actual, state, pending) == kept


@pytest.mark.parametrize(
    ("actual", "state", "kept"),
    [("7.1.0", "7.1", "7.1"), ("7.1.0", None, "7.1"), ("7.1.0", "7.0", "7.1"), ("6.2.6", "6.x", "6.x"), ("5.0.6", None, "5.0.6"), (None, "7.1", None)],
)
def test_redis_has_two_numbers_in_the_state_after_an_import_too(actual, state, kept):
    assert redis_version(actual, state) == kept


@pytest.mark.parametrize(("wanted", "replaced"), [("7.0", ["engine_version"]), ("7.1", []), ("7.2", [])])
def test_an_older_redis_is_another_cluster(monkeypatch, wanted, replaced):
    cache = World("elasticache", monkeypatch)
    given = {"cluster_id": "c", "engine": "redis", "node_type": "t", "num_cache_nodes": 1}
    prior, _ = cache.plan("aws_elasticache_cluster", **given, engine_version="7.1")
    assert cache.plan("aws_elasticache_cluster", prior, **given, engine_version=wanted)[1] == replaced


def test_a_database_from_a_snapshot_is_asked_for_the_version_of_the_configuration(monkeypatch, quick):
    rds = World("rds", monkeypatch)
    found = {"DBInstanceIdentifier": "d", "DbiResourceId": "db-1", "DBInstanceStatus": "available", "Engine": "postgres", "EngineVersion": "16.13"}
    rds.stub.add_response("restore_db_instance_from_db_snapshot", {"DBInstance": found})
    rds.stub.add_response("describe_db_instances", {"DBInstances": [found]})
    rds.stub.add_client_error(
        "modify_db_instance", "InvalidParameterCombination", "Cannot upgrade postgres from 16.13 to 16",
        expected_params={"DBInstanceIdentifier": "d", "ApplyImmediately": True, "EngineVersion": "16"},
    )  # fmt: skip
    state, failure = rds.create("aws_db_instance", identifier="d", engine="postgres", instance_class="t", engine_version="16", snapshot_identifier="s")
    assert "Cannot upgrade postgres" in failure.detail and state["id"] == "db-1"
    rds.stub.assert_no_pending_responses()


def test_databases_are_told_by_name_and_none_is_no_error(monkeypatch):
    rds = World("rds", monkeypatch)
    wanted = {"filter": [{"name": "db-instance-id", "values": ["d"]}]}
    sent = {"Filters": [{"Name": "db-instance-id", "Values": ["d"]}]}
    rds.stub.add_response("describe_db_instances", {"DBInstances": []}, sent)
    assert rds.provider.read_data("aws_db_instances", wanted)["instance_identifiers"] == []
    found = {"DBInstanceIdentifier": "d", "DBInstanceArn": "arn:d", "EngineVersion": "16.13", "DBName": "n", "MasterUsername": "u", "StorageEncrypted": True}
    rds.stub.add_response("describe_db_instances", {"DBInstances": [found]}, sent)
    assert rds.provider.read_data("aws_db_instances", wanted)["instance_identifiers"] == ["d"]
    rds.stub.add_response("describe_db_instances", {"DBInstances": [found]}, {"DBInstanceIdentifier": "d"})
    told = rds.provider.read_data("aws_db_instance", {"db_instance_identifier": "d"})
    assert (told["engine_version"], told["db_name"], told["master_username"], told["storage_encrypted"]) == ("16.13", "n", "u", True)
