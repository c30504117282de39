"""What is missing for the state's bucket and table."""

import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.terraform import backend

TAGS = {"Project": "atena"}
BLOCKED = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


KEY = "atena/prod/terraform.tfstate"
RULE = {
    **{"ID": "atena.aws old versions of atena/prod/terraform.tfstate", "Status": "Enabled", "Filter": {"Prefix": KEY}},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 20},
}


def bucket_steps(current, region="us-east-1", partition="aws", state_key=KEY):
    return backend.bucket_steps(current, "b", region, partition, TAGS, state_key)


def operations(steps):
    return [step["operation"] for step in steps]


@pytest.fixture
def bucket():
    (policy,) = [step for step in bucket_steps(None) if step["operation"] == "put_bucket_policy"]
    return {
        "public_access": dict(BLOCKED),
        "versioning": "Enabled",
        "encryption": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}],
        "policy": json.loads(policy["arguments"]["Policy"]),
        "tags": dict(TAGS),
        "lifecycle": {"Rules": [RULE]},
    }


@pytest.fixture
def table():
    return {
        "key_schema": [{"AttributeName": "LockID", "KeyType": "HASH"}],
        "billing_mode": "PAY_PER_REQUEST",
        "deletion_protection": True,
        "recovery": "ENABLED",
        "tags": dict(TAGS),
    }


def test_an_absent_bucket_is_made_and_secured():
    assert operations(bucket_steps(None)) == [
        "create_bucket",
        "put_public_access_block",
        "put_bucket_versioning",
        "put_bucket_encryption",
        "put_bucket_policy",
        "put_bucket_tagging",
        "put_bucket_lifecycle_configuration",
    ]


def test_a_bucket_as_it_must_be_is_left_alone(bucket):
    assert bucket_steps(bucket) == []


@pytest.mark.parametrize(
    ("part", "value", "operation"),
    [
        ("public_access", {**BLOCKED, "BlockPublicPolicy": False}, "put_public_access_block"),
        ("public_access", None, "put_public_access_block"),
        ("versioning", "Suspended", "put_bucket_versioning"),
        ("encryption", None, "put_bucket_encryption"),
        ("policy", None, "put_bucket_policy"),
        ("tags", {}, "put_bucket_tagging"),
        ("lifecycle", {}, "put_bucket_lifecycle_configuration"),
        ("lifecycle", {"Rules": [{**RULE, "Status": "Disabled"}]}, "put_bucket_lifecycle_configuration"),
    ],
)
def test_each_setting_that_is_off_is_put_right_alone(bucket, part, value, operation):
    assert operations(bucket_steps({**bucket, part: value})) == [operation]


def test_only_us_east_1_has_no_location_constraint():
    assert "CreateBucketConfiguration" not in bucket_steps(None)[0]["arguments"]
    assert bucket_steps(None, "sa-east-1")[0]["arguments"]["CreateBucketConfiguration"] == {"LocationConstraint": "sa-east-1"}


def test_statements_and_tags_of_others_stay(bucket):
    other = {"Sid": "Audit", "Effect": "Allow"}
    stale = {"Sid": "DenyInsecureTransport", "Effect": "Deny", "Action": "s3:GetObject"}
    steps = bucket_steps({**bucket, "policy": {"Version": "2012-10-17", "Statement": [other, stale]}, "tags": {"Cost": "7"}})
    policy, tags = steps[0]["after"], steps[1]["after"]
    assert policy["Statement"][0] == other and len(policy["Statement"]) == 2
    assert policy["Statement"][1]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert tags == {"Cost": "7", "Project": "atena"}


def test_rules_of_others_stay_and_so_does_what_they_do_with_small_objects(bucket):
    other = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7}}
    staging = {**RULE, "ID": RULE["ID"].replace("prod", "staging"), "Filter": {"Prefix": "atena/staging/terraform.tfstate"}}
    stale = {**RULE, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    lifecycle = {"Rules": [other, stale, staging], "TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}
    (step,) = bucket_steps({**bucket, "lifecycle": lifecycle})
    assert step["arguments"] == {
        "LifecycleConfiguration": {"Rules": [other, staging, RULE]},
        "TransitionDefaultMinimumObjectSize": "varies_by_storage_class",
    }


def test_a_rule_of_the_old_kind_is_written_in_the_new_one(bucket):
    """S3 refuses a configuration in which one rule has a filter and another one only a prefix."""
    (step,) = bucket_steps({**bucket, "lifecycle": {"Rules": [{"ID": "old", "Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 1}}]}})
    old = step["arguments"]["LifecycleConfiguration"]["Rules"][0]
    assert old == {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}


def test_without_a_state_no_version_is_ever_deleted(bucket):
    assert bucket_steps({**bucket, "lifecycle": {}}, state_key="") == []


def test_a_policy_with_a_single_statement_is_understood(bucket):
    steps = bucket_steps({**bucket, "policy": {"Version": "2012-10-17", "Statement": {"Sid": "Audit"}}})
    assert [statement["Sid"] for statement in steps[0]["after"]["Statement"]] == ["Audit", "DenyInsecureTransport"]


def test_a_kms_key_that_somebody_chose_stays(bucket):
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
    assert bucket_steps({**bucket, "encryption": rules}) == []


def test_the_policy_names_the_regions_partition():
    assert "arn:aws-cn:s3:::b/*" in json.dumps(bucket_steps(None, "cn-north-1", "aws-cn"))


def test_an_absent_table_is_made_protected_and_recoverable():
    create, recovery = backend.table_steps(None, "t", TAGS)
    assert create["arguments"]["DeletionProtectionEnabled"] is True and create["arguments"]["BillingMode"] == "PAY_PER_REQUEST"
    assert recovery["operation"] == "update_continuous_backups"


def test_a_table_as_it_must_be_is_left_alone(table):
    assert backend.table_steps(table, "t", TAGS) == []


@pytest.mark.parametrize(
    ("part", "value", "operation"),
    [
        ("billing_mode", "PROVISIONED", "update_table"),
        ("deletion_protection", False, "update_table"),
        ("recovery", "DISABLED", "update_continuous_backups"),
        ("recovery", None, "update_continuous_backups"),
        ("tags", {"Project": "other"}, "tag_resource"),
    ],
)
def test_each_table_setting_that_is_off_is_put_right_alone(table, part, value, operation):
    assert operations(backend.table_steps({**table, part: value}, "t", TAGS)) == [operation]


def test_a_table_with_another_key_is_refused(table):
    assert backend.table_problem(None) is None and backend.table_problem(table) is None
    assert "LockID" in backend.table_problem({**table, "key_schema": [{"AttributeName": "id", "KeyType": "HASH"}]})


def test_a_diff_has_an_entry_for_each_object_that_changes(bucket, table):
    steps = {"bucket": bucket_steps({**bucket, "versioning": None}), "table": backend.table_steps(table, "t", TAGS)}
    assert backend.diff(steps) == [{"before_header": "bucket", "after_header": "bucket", "before": "versioning: null\n", "after": 'versioning: "Enabled"\n'}]
