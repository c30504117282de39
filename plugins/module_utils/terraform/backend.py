# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is missing for a place where Terraform's state is safe. Pure functions over what AWS says is there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Answer

_SID = "DenyInsecureTransport"
_BLOCKED = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
# Each apply leaves a version, and each holds the passwords of its time. What is older than both goes: a night's worth, and a month to notice a bad one.
_VERSIONS, _DAYS = 20, 30
KEY_SCHEMA = [{"AttributeName": "LockID", "KeyType": "HASH"}]


def _tls_statement(partition: str, bucket: str) -> dict[str, Any]:
    return {
        "Sid": _SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:{partition}:s3:::{bucket}", f"arn:{partition}:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _policy(current: dict[str, Any] | None, partition: str, bucket: str) -> dict[str, Any]:
    """The current policy with our one statement as it must be; statements of others are kept."""
    current = current or {"Version": "2012-10-17", "Statement": []}
    statements = current.get("Statement", [])
    statements = [statements] if isinstance(statements, dict) else statements
    wanted = _tls_statement(partition, bucket)
    if wanted in statements:
        return current
    return {**current, "Statement": [statement for statement in statements if statement.get("Sid") != _SID] + [wanted]}


def _tags(current: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str] | None:
    """All of the current tags with the wanted ones added; None if there is nothing to add."""
    merged = {**current, **wanted}
    return None if merged == current else merged


def _lifecycle(current: Answer, state_key: str) -> list[Answer] | None:
    """The bucket's rules with the one of this state as it must be; None if it is. Those of others are kept, as are those of other environments."""
    wanted = {
        "ID": f"atena.aws old versions of {state_key}",
        "Status": "Enabled",
        "Filter": {"Prefix": state_key},
        "NoncurrentVersionExpiration": {"NoncurrentDays": _DAYS, "NewerNoncurrentVersions": _VERSIONS},
    }
    if wanted in current.get("Rules", []):
        return None
    return [_with_filter(rule) for rule in current.get("Rules", []) if rule.get("ID") != wanted["ID"]] + [wanted]


def _with_filter(rule: Answer) -> Answer:
    """S3 takes no configuration in which one rule has a filter and another one, as they were written until 2016, only a prefix."""
    if "Filter" in rule:
        return rule
    return {**{key: value for key, value in rule.items() if key != "Prefix"}, "Filter": {"Prefix": rule.get("Prefix", "")}}


def _step(operation: str, about: str, before: object, after: object, **arguments: Any) -> dict[str, Any]:
    return {"operation": operation, "about": about, "before": before, "after": after, "arguments": arguments}


def bucket_steps(current: Answer | None, bucket: str, region: str, partition: str, tags: Mapping[str, str], state_key: str = "") -> list[dict[str, Any]]:
    """The calls that make the bucket what it must be. `current` is None if there is no bucket. state_key: of the state whose old versions are to go."""
    steps = []
    if current is None:
        arguments: dict[str, Any] = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        steps.append(_step("create_bucket", "bucket", "absent", bucket, ObjectOwnership="BucketOwnerEnforced", **arguments))
        current = {}
    if current.get("public_access") != _BLOCKED:
        steps.append(_step("put_public_access_block", "public access", current.get("public_access"), "blocked", PublicAccessBlockConfiguration=_BLOCKED))
    if current.get("versioning") != "Enabled":
        steps.append(_step("put_bucket_versioning", "versioning", current.get("versioning"), "Enabled", VersioningConfiguration={"Status": "Enabled"}))
    # Whoever chose a KMS key has something better than the default.
    if not current.get("encryption"):
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        steps.append(_step("put_bucket_encryption", "encryption", None, "AES256", ServerSideEncryptionConfiguration={"Rules": [rule]}))
    policy = _policy(current.get("policy"), partition, bucket)
    if policy != current.get("policy"):
        steps.append(_step("put_bucket_policy", "policy", current.get("policy"), policy, Policy=json.dumps(policy)))
    merged = _tags(current.get("tags") or {}, tags)
    if merged is not None:
        pairs = [{"Key": key, "Value": value} for key, value in sorted(merged.items())]
        steps.append(_step("put_bucket_tagging", "tags", current.get("tags"), merged, Tagging={"TagSet": pairs}))
    lifecycle = current.get("lifecycle") or {}
    rules = _lifecycle(lifecycle, state_key) if state_key else None
    if rules is not None:
        # Not said again, S3 would take its own default for it.
        kept = {key: value for key, value in lifecycle.items() if key == "TransitionDefaultMinimumObjectSize"}
        arguments = {"LifecycleConfiguration": {"Rules": rules}, **kept}
        steps.append(_step("put_bucket_lifecycle_configuration", "lifecycle", lifecycle.get("Rules"), rules, **arguments))
    return steps


def table_problem(current: Answer | None) -> str | None:
    """Why a table of that name cannot be Terraform's lock table, or None."""
    if current is None or current["key_schema"] == KEY_SCHEMA:
        return None
    return "its key is not the string LockID, so it serves something else. Choose another name (atena_lock_table)."


def table_steps(current: Answer | None, table: str, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """The calls that make the lock table what it must be. `current` is None if there is no table."""
    pairs = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
    if current is None:
        create = _step(
            "create_table",
            "table",
            "absent",
            table,
            AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
            KeySchema=KEY_SCHEMA,
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
            Tags=pairs,
        )
        return [create, _recovery(None)]
    steps = []
    if current["billing_mode"] != "PAY_PER_REQUEST":
        steps.append(_step("update_table", "billing mode", current["billing_mode"], "PAY_PER_REQUEST", BillingMode="PAY_PER_REQUEST"))
    if not current["deletion_protection"]:
        steps.append(_step("update_table", "deletion protection", False, True, DeletionProtectionEnabled=True))
    if current["recovery"] != "ENABLED":
        steps.append(_recovery(current["recovery"]))
    merged = _tags(current["tags"], tags)
    if merged is not None:
        steps.append(_step("tag_resource", "tags", current["tags"], merged, Tags=pairs))
    return steps


def _recovery(before: str | None) -> dict[str, Any]:
    return _step(
        "update_continuous_backups",
        "point-in-time recovery",
        before,
        "ENABLED",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )


def diff(steps_by_object: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, str]]:
    """Ansible's before and after: one entry for each object that changes."""
    entries = []
    for name, steps in steps_by_object.items():
        if steps:
            entry = {"before_header": name, "after_header": name}
            for side in ("before", "after"):
                entry[side] = "".join(f"{step['about']}: {json.dumps(step[side])}\n" for step in steps)
            entries.append(entry)
    return entries
