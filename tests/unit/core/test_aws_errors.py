"""What a person reads when AWS refuses, and before AWS is asked at all."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.account import region_problem
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline, pauses
from ansible_collections.atena.aws.plugins.module_utils.core.errors import (
    THROTTLES,
    CallFailed,
    Conflict,
    CredentialsRefused,
    Denied,
    NotFound,
    ServiceFailed,
    Throttled,
    Unanswered,
    absent_as,
    error_code,
    explain,
    failure,
    failure_of,
    told,
)
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    ResponseStreamingError,
    TokenRetrievalError,
)
from botocore.retries.standard import ThrottledRetryableChecker


def refused(code, message="Words of AWS.", status=400):
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r-1"}}
    return ClientError(answer, "DescribeServices")


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


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("InvalidSignatureException", "Signature expired: 20270101T000000Z is now earlier than 20270101T001500Z"),
        ("SignatureDoesNotMatch", "Signature not yet current: 20270101T001000Z is still later than 20270101T000500Z"),
        ("RequestExpired", "Request has expired."),
    ],
)
def test_a_wrong_clock_is_named_as_such(code, message):
    error = refused(code, message)
    assert "This machine's clock differs from AWS's" in explain(error, "read it")
    error.response["ResponseMetadata"]["HTTPHeaders"] = {"date": "Fri, 01 Jan 2100 00:00:00 GMT"}
    assert "behind AWS's. Set it" in explain(error, "read it")
    assert type(failure_of(error, "read it")) is CredentialsRefused


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


# --- Types ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        # Codes as botocore's service models and the services' references spell them.
        *((refused(code), NotFound) for code in ("NoSuchKey", "NoSuchEntity", "ParameterNotFound", "DBInstanceNotFound", "CacheClusterNotFoundFault")),
        *((refused(code), NotFound) for code in ("ResourceNotFoundException", "ServerSideEncryptionConfigurationNotFoundError", "NoSuchTagSet")),
        (refused("404", "Not Found", 404), NotFound),
        *((refused(code), Denied) for code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")),
        (refused("403", "Forbidden", 403), Denied),
        *((refused(code), CredentialsRefused) for code in ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "SignatureDoesNotMatch")),
        (NoCredentialsError(), CredentialsRefused),
        (TokenRetrievalError(provider="sso", error_msg="expired"), CredentialsRefused),
        *((refused(code), Conflict) for code in ("ConditionalCheckFailedException", "DBSnapshotAlreadyExists", "InvalidDBInstanceState")),
        *((refused(code), Conflict) for code in ("ResourceInUseException", "InvalidCacheClusterStateFault", "BucketAlreadyOwnedByYou")),
        (refused("PreconditionFailed", status=412), Conflict),
        *((refused(code), Throttled) for code in ("ThrottlingException", "TooManyUpdates", "EC2ThrottledException", "PriorRequestNotComplete")),
        # Whatever the code, and what ECS hands on of a service behind it.
        (refused("SomethingNew", status=429), Throttled),
        (refused("InvalidParameterException", "Rate exceeded (Service: Ec2, Status Code: 503, ErrorCode: Throttling)"), Throttled),
        (refused("SlowDown", status=503), Throttled),
        (refused("ServerException", status=500), ServiceFailed),
        *((error, Unanswered) for error in (EndpointConnectionError(endpoint_url="x"), ReadTimeoutError(endpoint_url="x"))),
        *((error, Unanswered) for error in (ConnectionClosedError(endpoint_url="x"), ResponseStreamingError(error="reset"))),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), Unanswered),
        # Neither throttled nor anything else that passes: a quota, a mistake of the caller's, a call that was never sent.
        *((refused(code), CallFailed) for code in ("LimitExceededException", "ClientException", "ValidationException", "InvalidParameterException")),
        (ParamValidationError(report="no"), CallFailed),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, Exception) else "",
)
def test_what_aws_answers_is_a_type(error, kind):
    assert type(failure_of(error, "do it")) is kind


def test_only_what_was_not_answered_is_unsure():
    kinds = (CallFailed, NotFound, Conflict, Denied, CredentialsRefused, Throttled, Unanswered, ServiceFailed)
    assert [kind.__name__ for kind in kinds if kind.unsure] == ["Unanswered", "ServiceFailed"]


def test_our_list_of_throttles_has_all_of_botocores_but_for_quotas():
    """LimitExceededException is what the services say of a quota: asking again does not help."""
    assert set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) - {"LimitExceededException"} <= THROTTLES
    assert "LimitExceededException" not in THROTTLES


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("NoSuchBucket", "Bucket"),
        ("DBInstanceNotFoundFault", "DBInstance"),
        ("ImageNotFoundException", "Image"),
        ("404", ""),
        ("ParameterNotFound", "Parameter"),
    ],
)
def test_what_does_not_exist_is_told_without_the_services_dialects(code, what):
    assert failure("no", code).what == what


def test_absent_is_only_what_was_asked_for():
    def fail():
        raise failure("no", "RepositoryNotFoundException")

    assert absent_as("none", "Repository", fail) == "none"
    with pytest.raises(NotFound):
        absent_as("none", "Image", fail)


def test_a_failure_in_other_words_stays_what_it_is():
    failed = failure_of(refused("DBInstanceNotFound"), "read it").saying("Run infra.yml first.")
    assert (type(failed), str(failed), failed.code, failed.request_id) == (NotFound, "Run infra.yml first.", "DBInstanceNotFound", "r-1")


def test_a_modules_result_has_what_amazon_aws_has():
    failed = failure_of(refused("AccessDenied"), "read it")
    assert told(failed) == {
        "msg": str(failed),
        "error": {"code": "AccessDenied", "message": "Words of AWS."},
        "response_metadata": {"http_status_code": 400, "request_id": "r-1"},
    }


def test_of_what_a_run_makes_of_a_failure_the_cause_is_told():
    made = RuntimeError("The release failed.")
    made.__cause__ = failure_of(refused("Throttling"), "read it")
    assert told(made)["error"]["code"] == "Throttling" and told(made)["msg"] == "The release failed."


def test_a_refusal_of_our_own_has_no_answer_of_aws():
    assert told(CallFailed("Nothing was changed.")) == {"msg": "Nothing was changed."}
