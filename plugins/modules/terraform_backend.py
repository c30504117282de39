#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: terraform_backend
version_added: 0.1.0
short_description: Create the S3 bucket and DynamoDB table for Terraform's state and an environment's records
description:
  - "Makes the state bucket what it must be: versioned, encrypted, closed to the public, reached over TLS only. Statements that others
    added to its policy, other tags, other lifecycle rules, and a KMS key chosen for its encryption are kept."
  - "Makes the lock table what it must be: key C(LockID), paid by request, protected from deletion, with point-in-time recovery."
  - Writes O(gates) to O(gates_key) if that object was never there. An object that is there is never written to.
  - "The gap it closes: M(amazon.aws.s3_bucket) has no check mode, M(community.aws.dynamodb_table) knows neither deletion protection
    nor point-in-time recovery, and M(amazon.aws.s3_object) has no conditional write."
  - Nothing is ever removed but old versions of the state, by O(state_key).
author:
  - The atena.aws founders (@atena)
options:
  bucket:
    description: Name of the state bucket.
    type: str
    required: true
  table:
    description: Name of the lock table.
    type: str
    required: true
  account_id:
    description: The account that must own the bucket. Bucket names are global, so a foreign one may be there already.
    type: str
    required: true
  partition:
    description: The region's partition.
    type: str
    default: aws
  tags:
    description: Tags of the bucket and the table. Other tags that they have stay.
    type: dict
    default: {}
  state_key:
    description:
      - Key of Terraform's state. With it, old versions of that object are deleted by a lifecycle rule of the bucket's, as each of them holds the passwords of
        its time. The 20 versions before the current one stay, and those of the last 30 days.
      - Rules of others stay as they are. Without it no rule is written.
    type: str
    default: ""
  gates_key:
    description: Key of the gates object.
    type: str
    required: true
  gates:
    description: What the gates say at first.
    type: dict
    default: {power: "on", redis: present}
extends_documentation_fragment:
  - atena.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Create the backend for all stages of atena
  atena.aws.terraform_backend:
    bucket: atena-terraform-state-123456789012
    table: atena-terraform-locks
    account_id: "123456789012"
    state_key: atena/prod/terraform.tfstate
    gates_key: atena/prod/gates.json
    tags:
      Project: atena
"""

RETURN = r"""
created:
  description: What did not exist before, of C(bucket), C(table) and C(gates).
  returned: success
  type: list
  elements: str
actions:
  description: What was done, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: ["atena-terraform-locks: deletion protection"]
gates:
  description: What the gates object says; in check mode what it would say.
  returned: success
  type: dict
  sample: {power: "on", redis: present}
"""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import pauses, Caller, Deadline
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed, Conflict, Denied, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.stored_object import StoredObject
from ansible_collections.atena.aws.plugins.module_utils.terraform import backend


def read(call: Caller, service: str, operation: str, doing: str, **arguments: Any) -> dict[str, Any] | None:
    """The answer, or None if AWS says that there is nothing, or that this is not set (NoSuchBucketPolicy, NoSuchTagSet, …)."""
    try:
        return call(service, operation, doing, **arguments)
    except NotFound:
        return None


def read_bucket(call: Caller, bucket: str, account_id: str, region: str) -> dict[str, Any] | None:
    try:
        there = read(call, "s3", "head_bucket", f"find the bucket {bucket}", Bucket=bucket, ExpectedBucketOwner=account_id)
        if there is None:
            return None
    except Denied as error:
        raise error.saying(
            f"The bucket {bucket} exists but refuses account {account_id}: either another account owns that name (choose another one with "
            "atena_state_bucket), or the caller lacks s3:ListBucket on it."
        ) from error
    # Boto3 follows a bucket into its region; Terraform's backend and the gates' data source do not.
    home = there["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region") or region
    if home != region:
        raise CallFailed(
            f"The state bucket {bucket} is in {home}, but this environment is in {region}, and Terraform finds a state bucket in the environment's own region "
            f"only. Give the environments of {region} a bucket of their own, such as atena_state_bucket: {bucket}-{region}"
        )

    def part(operation: str) -> dict[str, Any]:
        return read(call, "s3", operation, f"read the settings of the bucket {bucket} ({operation})", Bucket=bucket) or {}

    policy = part("get_bucket_policy").get("Policy")
    return {
        "public_access": part("get_public_access_block").get("PublicAccessBlockConfiguration"),
        "versioning": part("get_bucket_versioning").get("Status"),
        "encryption": part("get_bucket_encryption").get("ServerSideEncryptionConfiguration", {}).get("Rules"),
        "policy": json.loads(policy) if policy else None,
        "tags": {tag["Key"]: tag["Value"] for tag in part("get_bucket_tagging").get("TagSet", [])},
        "lifecycle": part("get_bucket_lifecycle_configuration"),
    }


def read_table(call: Caller, table: str) -> dict[str, Any] | None:
    answer = read(call, "dynamodb", "describe_table", f"find the table {table}", TableName=table)
    if answer is None:
        return None
    description = answer["Table"]
    backups = call("dynamodb", "describe_continuous_backups", f"read the backup settings of {table}", TableName=table)
    tags = call.pages("dynamodb", "list_tags_of_resource", f"read the tags of {table}", "Tags", ResourceArn=description["TableArn"])
    return {
        "arn": description["TableArn"],
        "key_schema": description["KeySchema"],
        "billing_mode": description.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "deletion_protection": description.get("DeletionProtectionEnabled", False),
        "recovery": backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus"),
        "tags": {tag["Key"]: tag["Value"] for tag in tags},
    }


def read_gates(call: Caller, bucket: str, key: str) -> dict[str, str] | None:
    answer = read(call, "s3", "get_object", f"read s3://{bucket}/{key}", Bucket=bucket, Key=key)
    if answer is not None:
        try:
            return json.loads(answer["Body"].read())
        except ValueError as error:
            raise CallFailed(f's3://{bucket}/{key} is not JSON. It should read {{"power": "on", "redis": "present"}}.') from error
    versions = call.pages("s3", "list_object_versions", f"find earlier versions of {key}", "Versions", Bucket=bucket, Prefix=key)
    if any(version["Key"] == key for version in versions):
        raise CallFailed(
            f"s3://{bucket}/{key} shows what is switched off in this environment; it was there and somebody deleted it. Writing the first one "
            "again could rebuild what is off on purpose, so nothing was done. Restore its last version: remove the delete marker."
        )
    return None


def create(call: Caller, service: str, operation: str, doing: str, **arguments: Any) -> None:
    """Environments of one project share the bucket and the table; in one run of several, another one may have been faster."""
    try:
        call(service, operation, doing, **arguments)
    except Conflict as error:
        if error.code not in ("BucketAlreadyOwnedByYou", "ResourceInUseException"):
            raise


def once_backups_are_ready(act: Callable[[], object]) -> None:
    """For some seconds after a table was made, DynamoDB refuses to set up its backups."""
    deadline = Deadline(120)
    for pause in pauses(5):
        try:
            act()
            return
        except CallFailed as error:
            if error.code != "ContinuousBackupsUnavailableException" or deadline.passed:
                raise
        time.sleep(pause)


def await_table(call: Caller, table: str) -> None:
    """Until it is active. Not by botocore's waiter, which sends each call once."""
    deadline = Deadline(120)
    for pause in pauses(5):
        answer = read(call, "dynamodb", "describe_table", f"find the table {table}", TableName=table)
        status = answer["Table"]["TableStatus"] if answer else "not listed"
        if status == "ACTIVE":
            return
        if deadline.passed:
            raise CallFailed(f"The table {table} is still {status} after two minutes. Run bootstrap.yml again: it resumes from there.")
        time.sleep(pause)


def write_gates(call: Caller, bucket: str, key: str, gates: dict[str, Any]) -> dict[str, Any] | None:
    """Only where there are none: of two first runs one writes them, and both go on with what is there then, which is returned."""
    try:
        StoredObject(call, bucket, key, "the gates").write(gates)
    except Conflict:
        return read_gates(call, bucket, key)
    return gates


def change_table(call: Caller, table: str, arn: str | None, steps: list[dict[str, Any]]) -> None:
    for step in steps:
        target = {"ResourceArn": arn} if step["operation"] == "tag_resource" else {"TableName": table}
        arguments = {**target, **step["arguments"]}
        act = partial(create, call) if step["operation"] == "create_table" else call
        once_backups_are_ready(partial(act, "dynamodb", step["operation"], f"set the {step['about']} of the table {table}", **arguments))
        if step["operation"] in ("create_table", "update_table"):
            # Until it is active, DynamoDB refuses the next change and Terraform's lock.
            await_table(call, table)


def work(module: AwsModule, call: Caller) -> dict[str, Any]:
    params = module.params
    bucket, table, key = params["bucket"], params["table"], params["gates_key"]
    bucket_now = read_bucket(call, bucket, params["account_id"], module.region)
    table_now = read_table(call, table)
    problem = backend.table_problem(table_now)
    if problem:
        raise CallFailed(f"The table {table} cannot hold Terraform's locks: {problem}")
    gates = read_gates(call, bucket, key) if bucket_now is not None else None
    written = params["gates"]
    steps = {
        f"s3://{bucket}": backend.bucket_steps(bucket_now, bucket, module.region, params["partition"], params["tags"], params["state_key"]),
        f"dynamodb table {table}": backend.table_steps(table_now, table, params["tags"]),
        f"s3://{bucket}/{key}": [] if gates is not None else [{"about": "gates", "before": None, "after": params["gates"]}],
    }
    if not module.check_mode:
        for step in steps[f"s3://{bucket}"]:
            act = partial(create, call) if step["operation"] == "create_bucket" else call
            act("s3", step["operation"], f"set the {step['about']} of the bucket {bucket}", Bucket=bucket, **step["arguments"])
        change_table(call, table, (table_now or {}).get("arn"), steps[f"dynamodb table {table}"])
        if gates is None:
            written = write_gates(call, bucket, key, params["gates"])
    found = {"bucket": bucket_now, "table": table_now, "gates": gates}
    return {
        "changed": any(steps.values()),
        "created": [name for name, state in found.items() if state is None],
        "actions": [f"{name}: {step['about']}" for name, group in steps.items() for step in group],
        "gates": written if gates is None else gates,
        **({"diff": backend.diff(steps)} if module._diff else {}),
    }


def main() -> None:
    module = AwsModule(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "table": {"type": "str", "required": True},
            "account_id": {"type": "str", "required": True},
            "partition": {"type": "str", "default": "aws"},
            "tags": {"type": "dict", "default": {}},
            "state_key": {"type": "str", "default": "", "no_log": False},
            "gates_key": {"type": "str", "required": True, "no_log": False},
            "gates": {"type": "dict", "default": {"power": "on", "redis": "present"}},
        },
        supports_check_mode=True,
    )
    try:
        result = work(module, Caller(module))
    except CallFailed as error:
        module.fail_json(**told(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
