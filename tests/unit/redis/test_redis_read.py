"""A cache as ElastiCache describes it, and as it is recorded."""

import json

import pytest
import redis_world
from ansible_collections.atena.aws.plugins.module_utils.core import calls as aws_calls
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.redis import read as redis_read
from botocore.validate import ParamValidator
from fakes import SESSION
from redis_world import GROUP, NAME, cluster, group, node, sharded


@pytest.fixture(scope="module")
def model():
    return SESSION.get_service_model("elasticache")


@pytest.mark.parametrize(
    "shape, described",
    [
        ("CacheCluster", cluster()),
        ("ReplicationGroup", group()),
        ("ReplicationGroup", sharded()),
        ("Snapshot", redis_world.snapshot()),
        ("Snapshot", redis_world.snapshot_of_shards()),
    ],
)
def test_the_answers_of_these_tests_have_the_shapes_that_boto3_knows(model, shape, described):
    shape = model.shape_for(shape)
    assert set(described) <= set(shape.members)
    assert ParamValidator().validate(described, shape).generate_report() == ""


@pytest.fixture
def cache():
    return redis_world.Cache()


def test_a_cluster_is_told_with_all_that_makes_it_again(cache):
    cache.clusters[NAME] = cluster()
    cache.tags[cluster()["ARN"]] = {"Name": NAME, "aws:cloudformation:stack-name": "x"}
    found = redis_read.find(cache, NAME)
    assert (found["kind"], found["status"], found["address"], found["port"]) == ("cluster", "available", f"{NAME}.x.cache.amazonaws.com", 6379)
    assert found["created_at"] == "2026-01-31T12:00:00Z"
    assert found["parameters"] == {
        "id": NAME,
        "kind": "cluster",
        "engine": "redis",
        "engine_version": "7.1.0",
        "node_type": "cache.t4g.micro",
        "num_cache_nodes": 1,
        "port": 6379,
        "subnet_group": "atena-prod-redis",
        "security_group_ids": ["sg-1", "sg-2"],
        "parameter_group": "atena-prod-redis7",
        "maintenance_window": "sun:05:00-sun:06:00",
        "notification_topic_arn": "arn:aws:sns:us-east-1:1:cache",
        "preferred_availability_zone": "us-east-1a",
        "snapshot_window": "03:00-04:00",
        "snapshot_retention_limit": 0,
        "auto_minor_version_upgrade": True,
        "at_rest_encryption": False,
        "transit_encryption": False,
        "transit_encryption_mode": None,
        "auth": False,
        "log_delivery": [],
        "network_type": "ipv4",
        "ip_discovery": "ipv4",
        "tags": {"Name": NAME},
    }
    assert json.loads(json.dumps(found)) == found


def test_a_group_is_told_by_its_primary_node(cache):
    cache.groups[GROUP] = group()
    cache.clusters.update({f"{GROUP}-001": node("001", EngineVersion="8.0.0"), f"{GROUP}-002": node("002", EngineVersion="8.0.1")})
    found = redis_read.find(cache, GROUP)
    assert (found["kind"], found["primary"], found["address"], found["port"]) == ("replication_group", f"{GROUP}-002", f"{GROUP}.x", 6380)
    told = found["parameters"]
    assert (told["engine"], told["engine_version"], told["node_type"], told["port"]) == ("valkey", "8.0.1", "cache.t4g.small", 6380)
    assert (told["num_node_groups"], told["replicas_per_node_group"], told["node_groups"]) == (1, 1, None)
    assert told["preferred_availability_zones"] == ["us-east-1b", "us-east-1a"], "the primary's first"
    assert (told["auth"], told["at_rest_encryption"], told["transit_encryption_mode"], told["kms_key_id"]) == (True, True, "required", "key-1")
    assert told["snapshot_retention_limit"] == 3, "the group's own, not its node's"
    assert told["security_group_ids"] == ["sg-1", "sg-2"]
    assert json.loads(json.dumps(found)) == found


def test_shards_are_told_with_their_slots(cache):
    cache.groups[GROUP] = sharded()
    cache.clusters[f"{GROUP}-0001-001"] = node("0001-001")
    found = redis_read.find(cache, GROUP)
    assert found["address"] == f"clustercfg.{GROUP}.x"
    assert found["parameters"]["num_node_groups"] == 2
    assert found["parameters"]["node_groups"][1] == {
        "id": "0002",
        "slots": "8192-16383",
        "replica_count": 1,
        "availability_zones": ["us-east-1b", "us-east-1a"],
    }


def test_a_group_that_is_being_made_has_no_nodes_yet(cache):
    cache.groups[GROUP] = group(Status="creating", NodeGroups=[], MemberClusters=[])
    found = redis_read.find(cache, GROUP)
    assert (found["status"], found["address"], found["primary"], found["parameters"]["tags"]) == ("creating", "", "", None)


def test_nothing_and_what_is_deleted_is_none(cache):
    assert redis_read.find(cache, NAME) is None
    cache.clusters[NAME] = cluster(CacheClusterStatus="deleted")
    assert redis_read.find(cache, NAME) is None


def test_tags_are_asked_for_only_where_elasticache_answers(cache):
    """It returns an error for the tags of a cluster that is not available."""
    cache.clusters[NAME] = cluster(CacheClusterStatus="modifying")
    cache.list_tags_for_resource = None
    found = redis_read.find(cache, NAME)
    assert (found["address"], found["parameters"]["tags"]) == ("", None)


def test_an_error_is_no_absence(cache):
    def denied(**_):
        raise failure("Could not read Redis: AccessDenied.", "AccessDenied")

    cache.describe_cache_clusters = denied
    with pytest.raises(CallFailed, match="AccessDenied"):
        redis_read.find(cache, NAME)


@pytest.mark.parametrize(
    "status, means",
    [
        ("available", "ready"),
        ("creating", "busy"),
        ("modifying", "busy"),
        ("snapshotting", "busy"),
        ("rebooting cluster nodes", "busy"),
        ("something that AWS adds one day", "busy"),
        ("deleting", "leaving"),
        ("deleted", "leaving"),
        ("create-failed", "failed"),
        ("restore-failed", "failed"),
        ("incompatible-network", "failed"),
    ],
)
def test_what_a_status_means_to_those_who_wait(status, means):
    assert redis_read.standing(status) == means


def test_events_are_a_help_and_no_condition(cache):
    cache.events = ["Restore failed: not enough memory."]
    assert redis_read.last_events(cache, NAME, "cluster") == "ElastiCache's last words: Restore failed: not enough memory."

    def denied(**_):
        raise failure("denied", "AccessDenied")

    cache.describe_events = denied
    assert redis_read.last_events(cache, NAME, "cluster") == ""


def test_what_goes_on_is_told_when_it_changes_and_sometimes_when_it_does_not(cache, monkeypatch):
    monkeypatch.setattr(redis_read.time, "sleep", cache.sleep)
    monkeypatch.setattr(redis_read, "Deadline", lambda seconds: aws_calls.Deadline(seconds, clock=lambda: cache.clock))
    lines = []
    patience = redis_read.Patience(900, 10, lines.append)
    for second, text in ((0, "creating"), (5, "creating"), (31, "creating"), (40, "available")):
        cache.clock = second
        patience.tell(text)
    assert lines == ["[0:00 of 15:00] creating", "[0:31 of 15:00] creating", "[0:40 of 15:00] available"]
