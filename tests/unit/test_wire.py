"""The counting proxy must tell a write from a read, or the tests that count nothing prove nothing."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from wire import Call, Wire, read_call  # noqa: E402


def signed(service, **more):
    return {"authorization": f"AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host", **more}


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (("POST", "/", signed("ecs", **{"x-amz-target": "AmazonEC2ContainerServiceV20141113.DescribeServices"}), b"{}"), ("ecs:DescribeServices", False)),
        (("POST", "/", signed("ecs", **{"x-amz-target": "AmazonEC2ContainerServiceV20141113.UpdateService"}), b"{}"), ("ecs:UpdateService", True)),
        (("POST", "/", signed("ecr", **{"x-amz-target": "X.GetAuthorizationToken"}), b"{}"), ("ecr:GetAuthorizationToken", False)),
        (("POST", "/", signed("dynamodb", **{"x-amz-target": "DynamoDB_20120810.PutItem"}), b"{}"), ("dynamodb:PutItem", True)),
        (("POST", "/", signed("rds"), b"Action=DescribeDBInstances&Version=2014-10-31"), ("rds:DescribeDBInstances", False)),
        (("POST", "/", signed("rds"), b"Action=StopDBInstance&Version=2014-10-31"), ("rds:StopDBInstance", True)),
        (("GET", "/bucket/key", signed("s3"), b""), ("s3:GET /bucket/key", False)),
        (("PUT", "/bucket/key", signed("s3"), b"x"), ("s3:PUT /bucket/key", True)),
        (("DELETE", "/bucket/key", signed("s3"), b""), ("s3:DELETE /bucket/key", True)),
        (("GET", "/v2/", {}, b""), ("registry:GET /v2/", False)),
        (("PUT", "/v2/atena/manifests/latest", {}, b"{}"), ("registry:PUT /v2/atena/manifests/latest", True)),
        (("POST", "/v2/atena/blobs/uploads/", {}, b""), ("registry:POST /v2/atena/blobs/uploads/", True)),
        (("POST", "/anything", {}, b""), ("unsigned:POST /anything", True)),
        (("POST", "/", signed("novel", **{"x-amz-target": "Novel.Frobnicate"}), b"{}"), ("novel:Frobnicate", True)),
        (("POST", "/_alb/x/notes", {}, b"{}"), ("emulator:POST /_alb/x/notes", False)),
    ],
)
def test_calls_are_named_and_writes_are_known(request_, wanted):
    call = read_call(*request_)
    assert (str(call), call.writes) == wanted


@pytest.mark.parametrize(
    ("service", "operation", "body", "wanted"),
    [
        ("dynamodb", "PutItem", b'{"Item": {"LockID": {"S": "atena.aws/atena-prod"}}, "TableName": "locks"}', True),
        ("dynamodb", "UpdateItem", b'{"Key": {"LockID": {"S": "atena.aws/atena-prod"}}}', True),
        ("dynamodb", "DeleteItem", b'{"Key": {"LockID": {"S": "atena.aws/atena-prod"}}}', True),
        # Terraform's state lock, whose text may well hold the name
        ("dynamodb", "PutItem", b'{"Item": {"LockID": {"S": "bucket/atena/prod/terraform.tfstate"}, "Info": {"S": "atena.aws/atena-prod"}}}', False),
        ("dynamodb", "CreateTable", b'{"TableName": "atena.aws/"}', False),
        ("dynamodb", "BatchWriteItem", b"[]", False),
        ("ecs", "UpdateService", b'{"Key": {"LockID": {"S": "atena.aws/atena-prod"}}}', False),
        ("dynamodb", "PutItem", b"no JSON", False),
    ],
)
def test_what_is_about_the_lock_is_known(service, operation, body, wanted):
    call = read_call("POST", "/", signed(service, **{"x-amz-target": f"X.{operation}"}), body)
    assert (call.writes, call.lock) == (True, wanted)


def test_whose_call_it_is_is_told_by_its_user_agent():
    target = {"x-amz-target": "AmazonEC2ContainerServiceV20141113.DescribeServices"}
    agents = ("Boto3/1.40 md/Botocore#1.40 Ansible atena.aws", "APN/1.0 HashiCorp/1.0 Terraform/1.11.4", "docker/20.10")
    calls = [read_call("POST", "/", signed("ecs", **target, **{"user-agent": agent}), b"{}") for agent in agents]
    assert [call.ours for call in calls] == [True, False, False]
    wire = Wire("http://localhost:1")
    wire.calls += calls + [read_call("GET", f"/bucket/key{number}", signed("s3", **{"user-agent": agents[0]}), b"") for number in range(2)]
    assert wire.ours() == {"ecs:DescribeServices": 1, "s3:GET": 2}


def test_writes_can_be_told_without_those_of_the_lock():
    with Wire("http://localhost:1") as wire:
        wire.calls += [Call("dynamodb", "PutItem", True, lock=True), Call("dynamodb", "GetItem", False, lock=True), Call("ecs", "UpdateService", True)]
    assert wire.writes() == ["dynamodb:PutItem", "ecs:UpdateService"]
    assert wire.writes(besides_lock=True) == ["ecs:UpdateService"]
