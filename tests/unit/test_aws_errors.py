"""What a person reads when AWS refuses, and before AWS is asked at all."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.aws_calls import Deadline, pauses
from ansible_collections.atena.aws.plugins.module_utils.aws_errors import error_code, explain
from ansible_collections.atena.aws.plugins.modules.caller_identity_info import region_problem
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError


def refused(code, message="Words of AWS."):
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeServices")


@pytest.mark.parametrize(
    "error, words",
    [
        (refused("ExpiredToken"), ["Could not read it: ExpiredToken: Words of AWS. ", "safe to repeat"]),
        (refused("AccessDeniedException"), ["IAM permissions"]),
        (refused("ClusterNotFoundException"), ["Run infra.yml first"]),
        (NoCredentialsError(), ["Set AWS_PROFILE"]),
        (ParamValidationError(report='Unknown parameter in input: "Durability"'), ["Durability", "pip install --upgrade boto3"]),
        (EndpointConnectionError(endpoint_url="http://localhost:1"), ["http://localhost:1", "AWS_ENDPOINT_URL"]),
    ],
)
def test_it_says_what_failed_why_and_what_to_do(error, words):
    text = explain(error, "read it")
    for word in words:
        assert word in text


def test_an_error_without_a_remedy_is_still_a_sentence():
    assert explain(refused("SomethingNew", "No."), "read it") == "Could not read it: SomethingNew: No."


def test_only_a_service_has_an_error_code():
    assert (error_code(refused("X")), error_code(NoCredentialsError())) == ("X", "")


@pytest.mark.parametrize("region, words", [("", ["No AWS region is set"]), ("us-east-9", ["'us-east-9'", "us-east-1"]), ("nonsense", ["'nonsense'"])])
def test_a_region_that_is_none_is_told_with_those_like_it(region, words):
    problem = region_problem(region, {"us-east-1", "sa-east-1"})
    for word in words:
        assert word in problem


def test_a_known_region_is_no_problem():
    assert region_problem("sa-east-1", {"sa-east-1"}) is None


def test_pauses_grow_to_the_longest_and_stay_there():
    pause = pauses(3)
    steps = [next(pause) for _ in range(10)]
    assert steps[0] == 0.25
    assert steps == sorted(steps)
    assert steps[-1] == 3


def test_a_deadline_passes_by_its_own_clock():
    moments = iter([100.0, 105.0, 111.0])
    deadline = Deadline(10, clock=lambda: next(moments))
    assert (deadline.passed, deadline.passed) == (False, True)
