"""What becomes of Terraform's diagnostics. The texts are Terraform's own."""

import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.terraform import errors

LOCK = """ConditionalCheckFailedException: The conditional request failed
Lock Info:
  ID:        8b6a7f0e-2f0e-4f44-9a6b-2d3c0e4b0c11
  Path:      atena-terraform-state-123456789012/atena/prod/terraform.tfstate
  Operation: OperationTypeApply
  Who:       ana@laptop
  Version:   1.11.4
  Created:   2026-01-31 12:00:00.000000001 +0000 UTC
  Info:


Terraform acquires a state lock to protect the state from being written
by multiple users at the same time."""

INIT = """
Initializing the backend...
\x1b[31m╷\x1b[0m
\x1b[31m│\x1b[0m \x1b[1m\x1b[31mError: \x1b[0mFailed to get existing workspaces: S3 bucket "atena-terraform-state-1" does not exist.
│
│ The referenced S3 bucket must have been previously created.
│
│ Error: operation error S3: ListObjectsV2, NoSuchBucket:
╵
"""


def error(summary, detail="", **others):
    return {"severity": "error", "summary": summary, "detail": detail, **others}


def test_json_lines_and_other_text_are_told_apart():
    lines = ['{"type":"version"}', json.dumps({"type": "diagnostic", "diagnostic": error("Boom")}), "panic: at the disco", "", "[1, 2]"]
    assert errors.from_stream(lines) == ([error("Boom")], ["panic: at the disco"])


def test_the_human_output_is_read_too():
    (found,) = errors.from_text(INIT)
    assert found["severity"] == "error" and "does not exist" in found["summary"]
    assert found["detail"].startswith("The referenced S3 bucket must have been previously created.")
    assert "operation error S3" in found["detail"]


def test_output_without_a_diagnostic_gives_none():
    assert errors.from_text("Initializing the backend...\n") == []


def test_a_missing_state_bucket_says_to_run_bootstrap():
    text = errors.explain("initialize", errors.from_text(INIT))
    assert "bootstrap.yml" in text and "\n" not in text and "operation error" not in text


def test_a_held_lock_names_owner_time_and_what_to_do():
    text = errors.condense(error("Error acquiring the state lock", "Error message: operation error DynamoDB: PutItem, " + LOCK), "/copy")
    assert "ana@laptop" in text and "2026-01-31 12:00:00" in text and "OperationTypeApply" in text
    assert "terraform -chdir=/copy force-unlock 8b6a7f0e-2f0e-4f44-9a6b-2d3c0e4b0c11" in text


def test_a_lock_that_nobody_holds_is_told_as_what_it_is():
    detail = "operation error DynamoDB: PutItem, ResourceNotFoundException: Requested resource not found"
    text = errors.condense(error("Error acquiring the state lock", detail))
    assert "force-unlock" not in text and "ResourceNotFoundException" in text


def test_a_stale_plan_says_to_run_again():
    assert "Run the playbook again" in errors.condense(error("Saved plan is stale", "The given plan file can no longer be applied"))


def test_the_resource_and_its_place_come_first():
    text = errors.condense(error("creating RDS", "no", address="aws_db_instance.main", range={"filename": "database.tf", "start": {"line": 30}}))
    assert text == "aws_db_instance.main (database.tf:30): creating RDS: no."


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ("No valid credential sources found", "AWS_PROFILE"),
        (
            "creating IAM OIDC Provider: operation error IAM: CreateOpenIDConnectProvider, EntityAlreadyExists: Provider with url already exists.",
            "atena_github to existing",
        ),
        ("reading IAM OIDC Provider (arn:aws:iam::1:oidc-provider/x): couldn't be found: GetOpenIDConnectProvider NoSuchEntity: not found", "to create"),
        ("api error ExpiredToken: The security token included in the request is expired", "expired"),
        ("api error InvalidClientTokenId: The security token included in the request is invalid.", "does not accept these credentials"),
        ("Invalid AWS Region: mars-north-1", "atena_region"),
        ("reading S3 Object (atena/prod/gates.json): NoSuchKey", "bootstrap.yml"),
        ("api error AccessDenied: not today", "IAM permissions"),
        ("Post http://localhost:4566/: dial tcp 127.0.0.1:4566: connect: connection refused", "AWS_ENDPOINT_URL"),
        ("could not connect to registry.terraform.io: failed to request discovery document", "TF_CLI_CONFIG_FILE"),
        ("the cached package for x does not match any of the checksums recorded in the dependency lock file", ".terraform.lock.hcl"),
        ("something never seen", ""),
    ],
)
def test_known_causes_come_with_their_remedy(said, advised):
    assert advised in errors.remedy(said) and bool(errors.remedy(said)) is bool(advised)


def test_the_same_error_is_told_once_and_many_are_cut():
    many = [error(f"number {number}") for number in range(9)]
    text = errors.explain("plan", [*many, many[0]])
    assert text.count("number 0") == 1 and "and 4 more errors" in text


def test_without_a_diagnostic_the_last_words_are_shown():
    assert "panic: x" in errors.explain("plan", [], ["panic: x"])
    assert "said nothing" in errors.explain("plan", [], [])


def test_warnings_are_passed_on_but_for_the_lock_tables():
    found = [
        {"severity": "warning", "summary": "Deprecated Parameter", "detail": 'The parameter "dynamodb_table" is deprecated.'},
        {"severity": "warning", "summary": "Argument is deprecated", "detail": "Use y."},
        error("no warning"),
    ]
    assert errors.warnings(found) == ["Argument is deprecated: Use y."]
