"""The lab's faults, as a boto3 client meets them."""

from __future__ import annotations

import os
import threading
import time
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from faults import Faults

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not ENDPOINT, reason='no lab: start one with `lab/lab up` and `eval "$(lab/lab env)"`')]


@pytest.fixture
def faults():
    with Faults(ENDPOINT) as faults:
        yield faults


@pytest.fixture
def cluster():
    """A cluster's name of the test's own, so that nobody else's calls are met."""
    name = f"faults-{uuid.uuid4().hex[:8]}"
    client("ecs").create_cluster(clusterName=name)
    yield name
    client("ecs").delete_cluster(cluster=name)


def client(service: str, attempts: int = 1):
    return boto3.client(service, endpoint_url=ENDPOINT, config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}))


def refusal(call, **arguments) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    ("service", "operation", "name", "expected"),
    [
        ("ecs", "list_clusters", "ecs:ListClusters", ("ThrottlingException", 400)),
        ("ssm", "describe_parameters", "ssm:DescribeParameters", ("ThrottlingException", 400)),
        ("elbv2", "describe_load_balancers", "elbv2:DescribeLoadBalancers", ("Throttling", 400)),
        ("rds", "describe_db_instances", "rds:DescribeDBInstances", ("Throttling", 400)),
        ("ec2", "describe_vpcs", "ec2:DescribeVpcs", ("RequestLimitExceeded", 503)),
        ("s3", "list_buckets", "s3:ListBuckets", ("SlowDown", 503)),
        ("route53", "list_hosted_zones", "route53:ListHostedZones", ("Throttling", 400)),
        ("scheduler", "list_schedules", "scheduler:ListSchedules", ("ThrottlingException", 429)),
    ],
)
def test_each_protocol_throttles_in_its_own_words(faults, service, operation, name, expected):
    throttled = faults.throttle(name)
    assert refusal(getattr(client(service), operation)) == expected
    assert faults.hits(throttled) == 1


def test_it_ends_after_its_times(faults, cluster):
    faults.throttle("ecs:DescribeClusters", times=2, match=cluster)
    ask = client("ecs").describe_clusters
    assert [refusal(ask, clusters=[cluster])[0] for _ in range(2)] == ["ThrottlingException"] * 2
    assert ask(clusters=[cluster])["clusters"]


def test_boto_itself_outlasts_a_few(faults, cluster):
    throttled = faults.throttle("ecs:*", times=2, match=cluster)
    assert client("ecs", attempts=5).describe_clusters(clusters=[cluster])["clusters"]
    assert faults.hits(throttled) == 2


def test_other_requests_do_not_meet_it(faults, cluster):
    faults.error("ecs:DescribeClusters", match="another-cluster")
    faults.error("ecs:DescribeServices")
    assert client("ecs").describe_clusters(clusters=[cluster])["clusters"]


def test_an_error_has_the_code_and_the_message_that_were_asked_for(faults, cluster):
    faults.expire("ecs:DescribeClusters", match=cluster)
    with pytest.raises(ClientError, match="The security token included in the request is expired") as caught:
        client("ecs").describe_clusters(clusters=[cluster])
    assert caught.value.response["Error"]["Code"] == "ExpiredTokenException"


def test_an_error_without_a_code_is_the_services_own(faults, cluster):
    faults.error("ecs:DescribeClusters", match=cluster)
    assert refusal(client("ecs").describe_clusters, clusters=[cluster]) == ("ServerException", 500)


def test_a_dropped_connection_is_reset_and_nothing_is_done(faults):
    name = f"faults-{uuid.uuid4().hex[:8]}"
    faults.drop("ecs:CreateCluster", match=name, times=1)
    with pytest.raises(ConnectionClosedError):
        client("ecs").create_cluster(clusterName=name)
    assert not client("ecs").describe_clusters(clusters=[name])["clusters"]


def test_an_answer_alone_can_be_lost(faults):
    name = f"faults-{uuid.uuid4().hex[:8]}"
    faults.drop("ecs:CreateCluster", match=name, carried_out=True)
    with pytest.raises(ConnectionClosedError):
        client("ecs").create_cluster(clusterName=name)
    assert client("ecs").describe_clusters(clusters=[name])["clusters"][0]["status"] == "ACTIVE"
    client("ecs").delete_cluster(cluster=name)


def test_boto_tries_a_dropped_call_again(faults, cluster):
    dropped = faults.drop("ecs:DescribeClusters", match=cluster, every=2, row=1)
    ask = client("ecs", attempts=3).describe_clusters
    assert all(ask(clusters=[cluster])["clusters"] for _ in range(3))
    assert faults.hits(dropped) == 2


def test_a_delay_holds_the_answer_back(faults, cluster):
    faults.delay("ecs:DescribeClusters", 0.5, match=cluster, times=1)
    begin = time.monotonic()
    assert client("ecs").describe_clusters(clusters=[cluster])["clusters"]
    assert time.monotonic() - begin >= 0.5


def test_a_held_request_waits_until_it_is_let_go(faults, cluster):
    held = faults.hold("ecs:DescribeClusters", match=cluster, times=1)
    answers = []
    caller = threading.Thread(target=lambda: answers.append(client("ecs").describe_clusters(clusters=[cluster])["clusters"]))
    caller.start()
    faults.met(held)
    assert client("ecs").describe_clusters(clusters=[cluster])["clusters"], "only one request is held"
    assert not answers
    faults.remove(held)
    caller.join(30)
    assert answers


def test_a_json_answer_is_patched(faults, cluster):
    faults.rewrite("ecs:DescribeClusters", {"clusters": [], "failures": [{"arn": "x", "reason": "MISSING"}]}, match=cluster)
    answer = client("ecs").describe_clusters(clusters=[cluster])
    assert (answer["clusters"], answer["failures"]) == ([], [{"arn": "x", "reason": "MISSING"}])


def test_an_answer_can_be_made_up_altogether(faults, cluster):
    failures = [{"arn": "x", "reason": "RESOURCE:MEMORY"}]
    faults.rewrite("ecs:RunTask", {"tasks": [], "failures": failures}, carried_out=False, match=cluster)
    assert client("ecs").run_task(cluster=cluster, taskDefinition="none")["failures"] == failures


def test_an_xml_answer_is_changed_by_its_text(faults):
    faults.rewrite("sts:GetCallerIdentity", replace={r"<Account>\d+": "<Account>999999999999"}, times=1)
    assert client("sts").get_caller_identity()["Account"] == "999999999999"


def test_s3s_operations_are_told_apart(faults):
    bucket = f"faults-{uuid.uuid4().hex[:8]}"
    s3 = client("s3")
    s3.create_bucket(Bucket=bucket)
    try:
        written = faults.throttle("s3:PutObject", times=1)
        faults.throttle("s3:ListObjectsV2", times=1)
        assert refusal(s3.put_object, Bucket=bucket, Key="a/b", Body=b"x") == ("SlowDown", 503)
        assert refusal(s3.list_objects_v2, Bucket=bucket) == ("SlowDown", 503)
        s3.put_object(Bucket=bucket, Key="a/b", Body=b"x" * 300_000)
        assert len(s3.get_object(Bucket=bucket, Key="a/b")["Body"].read()) == 300_000
        assert faults.hits(written) == 1
    finally:
        for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=entry["Key"])
        s3.delete_bucket(Bucket=bucket)


def test_nothing_is_left_when_the_client_ends():
    with Faults(ENDPOINT) as faults:
        mine = faults.throttle("ecs:DescribeClusters", match="nobody")
    assert mine not in [fault["id"] for fault in faults.list()]


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"operation": "ecs:*", "kind": "explode"}, "not one of throttle"),
        ({"operation": "UpdateService", "kind": "drop"}, "ecs:UpdateService"),
        ({"operation": "ecs:*", "kind": "drop", "colour": "red"}, "has no colour"),
        ({"operation": "ecs:*", "kind": "rewrite"}, "needs patch or replace"),
        ({"operation": "ecs:*", "kind": "drop", "match": "("}, "no regular expression"),
        (["ecs:*"], "a JSON object"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(faults, wish, says):
    with pytest.raises(ValueError, match="400") as refused:
        faults._ask("POST", "faults", wish)
    assert says in str(refused.value)
