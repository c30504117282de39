# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Turns botocore's exceptions into one sentence each: what was being done, why it failed, what to do."""

from __future__ import annotations

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


def explain(error: Exception, doing: str) -> str:
    """One paragraph: 'Could not <doing>: <AWS's words>. <remedy>'. `doing` completes 'Could not'."""
    message = (getattr(error, "response", None) or {}).get("Error", {}).get("Message") or str(error)
    code = error_code(error)
    remedy = _REMEDIES.get(code) or _BOTOCORE_REMEDIES.get(type(error).__name__, "")
    head = f"Could not {doing}: {code + ': ' if code else ''}{message}".rstrip(". ")
    return f"{head}. {remedy}".strip()
