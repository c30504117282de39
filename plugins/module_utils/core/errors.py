# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWS can answer, as types; and botocore's exceptions as one sentence each: what was being done, why it failed, what to do.

An exception of botocore's becomes a CallFailed in one place, `failure_of`; everything else asks for the type: `except NotFound`, or `absent_as`.
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown

_Default = TypeVar("_Default")
_Found = TypeVar("_Found")

# Refusals for too many calls: nothing was done, so that any call may be sent again (API references, 'Common errors'). botocore's own lists, at both
# ends of what is supported, are compared with this one by tests/unit/core/test_aws_errors.py. LimitExceededException is none: the services use it for quotas.
THROTTLES = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "EC2ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "TooManyUpdates",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "PriorRequestNotComplete",
        "SlowDown",
        "APICallRateForCustomerExceeded",
    }
)
# ECS hands on what a service behind it said, as its own InvalidParameterException: 'Rate exceeded (Service: …; ErrorCode: Throttling…)'.
_THROTTLED_BEHIND = re.compile(r"Rate exceeded|error ?code: \w*Throttl", re.IGNORECASE)
# Credentials with which every further call fails as well.
_CREDENTIALS = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"),
        *("InvalidSignatureException", "InvalidAccessKeyId", "RequestExpired", "TokenRefreshRequired", "InvalidToken", "IncompleteSignature"),
    }
)
# What AWS says where the clock of the caller is wrong: by code, or within a code that says other things, too.
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
_SIGNED_AT = re.compile(r"Signature (expired|not yet current)", re.IGNORECASE)
# botocore's own, by name: nothing was sent.
_NO_CREDENTIALS = frozenset(
    {
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError", "SSOTokenLoadError"),
        *("UnauthorizedSSOTokenError", "ProfileNotFound", "RefreshWithMFAUnsupportedError", "NoAuthTokenError", "LoginRefreshRequired"),
    }
)
_DENIED = re.compile(r"^(AccessDenied(Exception)?|UnauthorizedOperation|NotAuthorized\w*|AuthorizationError|403)$")
# '404' is S3's answer to HEAD, which has no body that could say more.
_NOT_FOUND = re.compile(r"^(404|NoSuch(?P<s3>\w+)|(?P<what>\w*?)(NotFound(Error|Exception|Fault)?|DoesNotExist(Exception|Fault)?))$")
_CONFLICT = re.compile(
    r"AlreadyExists|AlreadyOwnedByYou|InUse(Exception)?$|ConditionalCheckFailed|PreconditionFailed|ConditionalRequestConflict|OperationAborted"
    r"|Invalid\w+State(Fault)?$|UpdateInProgress|Conflict(Exception)?$"
)


class CallFailed(Exception):
    """What could not be done; its text is ready for the user. Of an AWS call that stays failed it is one of the types below, if AWS's answer is of such
    a kind; without a code it is this collection's own refusal.

    `code`: the service's error code; `status`: of the HTTP answer, 0 where none came; `request_id`: what AWS's support asks for; `said`: AWS's own words.
    """

    # Whether AWS may have done it all the same.
    unsure = False

    def __init__(self, message: str, code: str = "", status: int = 0, request_id: str = "", said: str = "") -> None:
        super().__init__(message)
        self.code, self.status, self.request_id, self.said = code, status, request_id, said

    def saying(self, message: str) -> CallFailed:
        """The same failure in other words."""
        again = copy.copy(self)
        again.args = (message,)
        return again


def facts_of(failed: BaseException | None) -> dict[str, Any]:
    """What a module's result has of an AWS call that failed, in amazon.aws's own shape, for playbooks to branch on and for support cases; else {}."""
    while failed is not None and not isinstance(failed, CallFailed):
        failed = failed.__cause__  # what a release or a stop makes of it
    if failed is None or not (failed.code or failed.status):
        return {}
    return {
        "error": {"code": failed.code, "message": failed.said or str(failed)},
        "response_metadata": {"http_status_code": failed.status, "request_id": failed.request_id},
    }


def told(failed: BaseException) -> dict[str, Any]:
    """fail_json's arguments for a failure whose text is ready for the user."""
    return {"msg": str(failed), **facts_of(failed)}


class NotFound(CallFailed):
    """What was named does not exist."""

    @property
    def what(self) -> str:
        """What does not: 'Bucket' of NoSuchBucket, 'DBInstance' of DBInstanceNotFoundFault; '' where the code does not say."""
        match = _NOT_FOUND.match(self.code)
        return (match["s3"] or match["what"] or "") if match else ""


class Conflict(CallFailed):
    """It exists already, is in another state than this needs, or a condition did not hold: nothing was done."""


class Denied(CallFailed):
    """The caller may not do this."""


class CredentialsRefused(CallFailed):
    """AWS does not take these credentials (any more), or there are none: every further call would fail as well."""


class Throttled(CallFailed):
    """Refused for too many calls, again and again: nothing was done."""


class Unanswered(CallFailed):
    """No answer came, or one that was broken off: whether it was done is not known."""

    unsure = True


class ServiceFailed(Unanswered):
    """AWS had an error of its own (5xx): whether it was done is not known."""


def kind_of(code: str, status: int = 0, message: str = "") -> type[CallFailed]:
    """The type for an answer of AWS's."""
    if code in THROTTLES or status == 429 or (code == "InvalidParameterException" and _THROTTLED_BEHIND.search(message)):
        return Throttled
    if status >= 500:
        return ServiceFailed
    if code in _CREDENTIALS or code in _SKEWED:
        return CredentialsRefused
    if _DENIED.match(code):
        return Denied
    if _NOT_FOUND.match(code):
        return NotFound
    return Conflict if _CONFLICT.search(code) or status in (409, 412) else CallFailed


def failure(message: str, code: str = "", status: int = 0, request_id: str = "") -> CallFailed:
    """A failure of the type that its code says, with a text that is ready for the user."""
    return kind_of(code, status)(message, code, status, request_id)


def failure_of(error: Exception, doing: str) -> CallFailed:
    """botocore's exception as one of ours. `doing` completes 'Could not'."""
    answer = getattr(error, "response", None) or {}
    code, status = error_code(error), status_of(error)
    said = shown(answer.get("Error", {}).get("Message", ""))
    facts = (explain(error, doing), code, status, answer.get("ResponseMetadata", {}).get("RequestId", ""), said)
    if answer:
        return kind_of(code, status, said)(*facts)
    if type(error).__name__ in _NO_CREDENTIALS:
        return CredentialsRefused(*facts)
    # An address that is none, an argument of the wrong type: nothing was sent.
    return (CallFailed if is_local(error) else Unanswered)(*facts)


def is_fatal(failed: CallFailed) -> bool:
    """Whether every further call would fail as well, so that there is nothing to judge."""
    return isinstance(failed, CredentialsRefused) or (isinstance(failed, Unanswered) and not isinstance(failed, ServiceFailed))


def is_local(error: Exception) -> bool:
    """Whether botocore itself refused, before anything was sent."""
    return not any(kind.__name__ in ("ConnectionError", "HTTPClientError", "IncompleteReadError", "ResponseParserError") for kind in type(error).__mro__)


def status_of(error: Exception) -> int:
    """The HTTP status of a ClientError; 0 for any other exception."""
    return (getattr(error, "response", None) or {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def absent_as(default: _Default, what: str, function: Callable[[], _Found]) -> _Default | _Found:
    """The function's result, or `default` where AWS says that this (NotFound.what: 'Cluster', 'DBInstance') does not exist."""
    try:
        return function()
    except NotFound as failed:
        if failed.what != what:
            raise
        return default


# Error codes as the services' API references list them under 'Common errors'.
_REMEDIES = {
    "ExpiredToken": "The credentials expired. Get new ones and run the playbook again; it is safe to repeat.",
    "ExpiredTokenException": "The credentials expired. Get new ones and run the playbook again; it is safe to repeat.",
    "InvalidClientTokenId": "AWS does not know this access key. Check AWS_PROFILE or AWS_ACCESS_KEY_ID, and that the key was not deleted.",
    "UnrecognizedClientException": "AWS does not know this access key. Check AWS_PROFILE or AWS_ACCESS_KEY_ID, and that the key was not deleted.",
    "SignatureDoesNotMatch": "The secret key does not belong to the access key. Check AWS_SECRET_ACCESS_KEY, and this machine's clock.",
    "AccessDenied": "The caller may not do this. The role's README lists the IAM permissions that the playbook needs.",
    "AccessDeniedException": "The caller may not do this. The role's README lists the IAM permissions that the playbook needs.",
    "UnauthorizedOperation": "The caller may not do this. The role's README lists the IAM permissions that the playbook needs.",
    "ThrottlingException": "AWS kept refusing for too many calls. Wait a minute and run the playbook again; it is safe to repeat.",
    "ClusterNotFoundException": "The ECS cluster does not exist. Run infra.yml first, and check atena_project, atena_stage and atena_region.",
    "SnapshotQuotaExceededFault": "ElastiCache takes at the most 20 manual snapshots a node in 24 hours, and holds so many as the account's quota says. Delete "
    "old ones (elasticache_snapshot with state=pruned), or wait.",
    "InsufficientCacheClusterCapacity": "AWS has no such node to give there now. Try again later, in another availability zone, or with another node type.",
    "CacheSubnetGroupNotFoundFault": "The subnet group does not exist. Run infra.yml first.",
    "CacheParameterGroupNotFound": "The parameter group does not exist. Run infra.yml first.",
    "RepositoryNotFoundException": "The ECR repository does not exist. Run infra.yml first.",
}

_BOTOCORE_REMEDIES = {
    "ParamValidationError": "If it is an unknown parameter, the installed boto3 is older than that part of AWS: `pip install --upgrade boto3` where Ansible's "
    "modules run.",
    "NoCredentialsError": "No AWS credentials were found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`.",
    "PartialCredentialsError": "Only half of the AWS credentials is set. Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "ProfileNotFound": "Correct AWS_PROFILE, or make that profile with `aws configure --profile`.",
    "EndpointConnectionError": "Nothing answers there. Check the network, the region's name and AWS_ENDPOINT_URL (in the lab: `lab/lab up`).",
    "ConnectTimeoutError": "Nothing answers there. Check the network, the region's name and AWS_ENDPOINT_URL.",
    "TokenRetrievalError": "The SSO session ended. Run `aws sso login` and then the playbook again.",
    "SSOTokenLoadError": "There is no SSO session. Run `aws sso login` and then the playbook again.",
}


def error_code(error: Exception) -> str:
    """The service's code of a ClientError ('AccessDenied'); '' for any other exception."""
    response = getattr(error, "response", None) or {}
    return response.get("Error", {}).get("Code", "")


def _clock_remedy(error: Exception, code: str, message: str) -> str:
    """What to do where AWS refuses a call because of the moment at which it was signed; '' of any other error."""
    if code not in _SKEWED and not _SIGNED_AT.search(message):
        return ""
    date = (getattr(error, "response", None) or {}).get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    off = ""
    try:
        seconds = round(time.time() - parsedate_to_datetime(date).timestamp())
        off = f" is {abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} AWS's"
    except (TypeError, ValueError):
        off = " differs from AWS's by more than five minutes"
    return f"This machine's clock{off}. Set it (`timedatectl set-ntp true`), then run the playbook again; nothing was done."


def explain(error: Exception, doing: str) -> str:
    """One paragraph: 'Could not <doing>: <AWS's words>. <remedy>'. `doing` completes 'Could not'."""
    message = shown((getattr(error, "response", None) or {}).get("Error", {}).get("Message") or str(error))
    code = error_code(error)
    remedy = _clock_remedy(error, code, message) or _REMEDIES.get(code) or _BOTOCORE_REMEDIES.get(type(error).__name__, "")
    head = f"Could not {doing}: {code + ': ' if code else ''}{message}".rstrip(". ")
    return f"{head}. {remedy}".strip()
