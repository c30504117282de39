"""What IAM policy documents allow: a table of documents, and 'unknown' wherever it depends on something that is not known."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.preflight import iam_policy
from ansible_collections.atena.aws.plugins.module_utils.preflight.iam_policy import ALLOWED, DENIED, UNKNOWN

SECRET = "arn:aws:ssm:us-east-1:42:parameter/atena/prod/TOKEN"
READ = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": "arn:aws:ssm:us-east-1:42:parameter/atena/prod/*"}
VIA = {"kms:viaservice": "ssm.us-east-1.amazonaws.com"}


def allow(**more):
    return {**READ, **more}


CASES = {
    "allowed": ([READ], ALLOWED),
    "no statement": ([], DENIED),
    "another resource": ([allow(Resource=["arn:aws:ssm:us-east-1:42:parameter/other/*"])], DENIED),
    "another action": ([allow(Action=["ssm:GetParameter"])], DENIED),
    "every action": ([allow(Action="*", Resource="*")], ALLOWED),
    "a part of the actions, in other case": ([allow(Action="SSM:get*")], ALLOWED),
    "one character": ([allow(Resource=SECRET.replace("TOKEN", "TOKE?"))], ALLOWED),
    "a dot is a dot": ([allow(Resource=SECRET.replace("/atena", ".atena"))], DENIED),
    "an explicit deny": ([READ, {"Effect": "Deny", "Action": "ssm:*", "Resource": "*"}], DENIED),
    "a deny of something else": ([READ, {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}], ALLOWED),
    "all but": ([allow(Resource="*"), {"Effect": "Deny", "NotAction": "ssm:GetParameters", "Resource": "*"}], ALLOWED),
    "all resources but this": ([{"Effect": "Allow", "Action": "*", "NotResource": SECRET}], DENIED),
    "all resources but another": ([{"Effect": "Allow", "Action": "*", "NotResource": SECRET + "2"}], ALLOWED),
    "a condition that holds": ([allow(Condition={"StringEquals": {"kms:ViaService": "ssm.us-east-1.amazonaws.com"}})], ALLOWED),
    "one of several values": ([allow(Condition={"StringLike": {"kms:ViaService": ["ecr.*", "ssm.*"]}})], ALLOWED),
    "a condition that does not hold": ([allow(Condition={"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}})], DENIED),
    "a negated condition": ([allow(Condition={"StringNotEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}})], ALLOWED),
    "a key that nobody knows": ([allow(Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}})], UNKNOWN),
    "an operator that nobody knows": ([allow(Condition={"DateLessThan": {"kms:ViaService": "x"}})], UNKNOWN),
    "a variable": ([allow(Resource="arn:aws:ssm:us-east-1:42:parameter/${aws:PrincipalTag/stage}/*")], UNKNOWN),
    "an unknown deny": ([READ, {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}], UNKNOWN),
    "an unknown allow beside a known one": ([READ, allow(Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}})], ALLOWED),
    "unknown, and denied": ([allow(Condition={"StringEquals": {"a:b": "c"}}), {"Effect": "Deny", "Action": "*", "Resource": "*"}], DENIED),
}


@pytest.mark.parametrize(("statements", "expected"), CASES.values(), ids=CASES)
def test_a_decision(statements, expected):
    assert iam_policy.decide([{"Statement": statements}], "ssm:GetParameters", SECRET, VIA) == expected


def test_policies_add_up_and_a_statement_may_stand_alone():
    assert iam_policy.decide([{"Statement": []}, {"Statement": READ}], "ssm:GetParameters", SECRET) == ALLOWED


ECS = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
MINE = {"aws:sourceaccount": "42", "aws:sourcearn": "arn:aws:ecs:us-east-1:42:*"}
TASK = {**MINE, "aws:sourcearn": "arn:aws:ecs:us-east-1:42:task/cluster/id"}
TRUSTS = {
    "ECS": (ECS, ALLOWED),
    "several services": ({**ECS, "Principal": {"Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"]}}, ALLOWED),
    "another service": ({**ECS, "Principal": {"Service": "ec2.amazonaws.com"}}, DENIED),
    "an account only": ({**ECS, "Principal": {"AWS": "arn:aws:iam::42:root"}}, DENIED),
    "everybody": ({**ECS, "Principal": "*"}, ALLOWED),
    "another action": ({**ECS, "Action": "sts:TagSession"}, DENIED),
    "this account": ({**ECS, "Condition": {"StringEquals": {"aws:SourceAccount": "42"}, "ArnLike": {"aws:SourceArn": "arn:aws:ecs:us-east-1:42:*"}}}, ALLOWED),
    "another account": ({**ECS, "Condition": {"StringEquals": {"aws:SourceAccount": "43"}}}, DENIED),
    "another region": ({**ECS, "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:ecs:eu-west-1:42:*"}}}, DENIED),
    "some tasks": ({**ECS, "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:ecs:us-east-1:42:task/*"}}}, UNKNOWN),
    "an organisation": ({**ECS, "Condition": {"StringEquals": {"aws:SourceOrgID": "o-1"}}}, UNKNOWN),
}


@pytest.mark.parametrize(("statement", "expected"), TRUSTS.values(), ids=TRUSTS)
def test_a_trust(statement, expected):
    assert iam_policy.trusts({"Statement": [statement]}, "ecs-tasks.amazonaws.com", [MINE, TASK]) == expected
