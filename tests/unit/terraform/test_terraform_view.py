"""Which lines of Terraform's -json output a person is told: addresses and times, never a value."""

import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.terraform import view as terraform_view

RESOURCE = {"addr": 'aws_subnet.private["a"]', "resource_type": "aws_subnet"}


def message(kind, **more):
    return json.dumps({"@level": "info", "@message": "Terraform's own words", "type": kind, **more})


def hook(kind, action, **more):
    return message(kind, hook={"resource": RESOURCE, "action": action, "id_key": "id", "id_value": "s3cret", **more})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (hook("apply_start", "create"), 'aws_subnet.private["a"]: creating'),
        (hook("apply_start", "update"), 'aws_subnet.private["a"]: updating'),
        (hook("apply_progress", "create", elapsed_seconds=10), None),
        (hook("apply_progress", "delete", elapsed_seconds=90), 'aws_subnet.private["a"]: still destroying after 1:30'),
        (hook("apply_complete", "create", elapsed_seconds=12), 'aws_subnet.private["a"]: created in 0:12'),
        (hook("apply_complete", "delete", elapsed_seconds=0), 'aws_subnet.private["a"]: destroyed in 0:00'),
        (hook("apply_errored", "create", elapsed_seconds=3), 'aws_subnet.private["a"]: FAILED while creating, after 0:03'),
        (hook("apply_start", "noop"), None),
        (
            message("change_summary", changes={"add": 3, "change": 0, "remove": 1, "import": 0, "operation": "plan"}),
            "Terraform's plan: 3 to create, 1 to destroy",
        ),
        (message("change_summary", changes={"add": 0, "operation": "plan"}), None),
        (message("change_summary", changes={"add": 3, "operation": "apply"}), None),
        (message("refresh_start", hook={"resource": RESOURCE}), None),
        (message("planned_change", change={"resource": RESOURCE, "action": "create"}), None),
        (message("outputs", outputs={"password": {"value": "s3cret"}}), None),
        (message("diagnostic", diagnostic={"summary": "s3cret"}), None),
        ("Terraform crashed", None),
        ("[]", None),
        ("", None),
    ],
)
def test_a_line_follows_from_a_message(text, line):
    told = terraform_view.line(text)
    assert told == line
    assert "s3cret" not in (told or "")
