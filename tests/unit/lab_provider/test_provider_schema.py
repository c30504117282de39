"""The schema, and that rows, marks and operations name only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import boto3
import cut_schema
import pytest
from offline import schema
from offline.core import Provider
from offline.row import Row

CHECKOUT = Path(__file__).resolve().parents[3]
ROWS: dict[str, Row] = {**Provider("aws").rows, **Provider("random").rows}
AWS_ROWS = [row for row in ROWS.values() if row.provider == "aws"]


def test_each_type_of_the_schema_has_a_row_and_marks_name_known_types():
    cut = {name for provider in cut_schema.TYPES.values() for name in provider["resources"]}
    assert set(ROWS) == cut
    assert set(schema.all_marks()) <= cut


def test_data_sources_are_those_of_the_schema():
    assert set(Provider("aws").data) == set(cut_schema.TYPES["aws"]["data"])


def test_infra_uses_nothing_that_is_missing():
    used = {name for path in (CHECKOUT / "infra").glob("*.tf") for name in re.findall(r'^resource "(\w+)"', path.read_text(), re.MULTILINE)}
    assert used
    assert used <= set(ROWS)


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.type)
def test_marks_name_existing_attributes(row: Row):
    assert [path for path in row.marks.paths() if schema.find(row.block, path) is None] == []


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.type)
def test_rows_name_existing_attributes(row: Row):
    calls = (row.create, *row.updates)
    names = {name for call in calls for name in call.names} | {*row.unread.split(), *row.local.split(), *row.equal}
    assert [name for name in names if not row.block.has(name)] == []


@pytest.mark.parametrize("row", AWS_ROWS, ids=lambda row: row.type)
def test_rows_name_existing_operations(row: Row):
    client = boto3.client(row.service, region_name="us-east-1")
    calls = (row.create, row.read, row.delete, *(update for update in row.updates if not update.run))
    assert [call.operation for call in calls if call.operation not in client.meta.method_to_api_mapping] == []


@pytest.mark.parametrize("row", AWS_ROWS, ids=lambda row: row.type)
def test_every_argument_that_can_change_in_place_has_an_operation_for_it(row: Row):
    """An argument that is sent at creation, and neither replaces the resource nor is updated, would drift for ever."""
    created = set(row.create.names)
    updated = {name for update in row.updates for name in update.names}
    assert created - updated - set(row.marks.new) - set(row.local.split()) - {"overwrite"} == set(LEFTOVERS.get(row.type, ()))


# Optional+computed, and settable at creation alone.
LEFTOVERS = {"aws_db_instance": ("license_model",), "aws_elasticache_cluster": ("preferred_availability_zones",)}


@pytest.mark.parametrize(
    ("text", "obj", "kind"),
    [
        ("string", None, "string"),
        ("set(string)", None, ["set", "string"]),
        ("map(list(number))", None, ["map", ["list", "number"]]),
        ("set(object)", {"port": {"type": "number"}}, ["set", ["object", {"port": "number"}]]),
    ],
)
def test_types_are_in_terraforms_own_notation(text, obj, kind):
    assert schema.parse_type(text, obj) == kind


def test_what_aws_alone_decides_cannot_be_set():
    attrs = ROWS["aws_vpc"].block.attrs
    assert (attrs["arn"].settable, attrs["arn"].computed) == (False, True)
    assert (attrs["id"].settable, attrs["id"].computed) == (False, True)
    assert (attrs["cidr_block"].settable, attrs["cidr_block"].computed) == (True, True)


def test_what_all_types_share_needs_no_mark():
    block = ROWS["aws_lb_target_group"].block
    assert block.attrs["region"].computed
    assert block.attrs["region"].force_new
    assert block.attrs["tags_all"].computed
    assert block.attrs["name"].computed
    assert block.attrs["name_prefix"].force_new


def test_secrets_are_sensitive():
    for type_name, name in (("aws_db_instance", "password"), ("aws_ssm_parameter", "value"), ("random_password", "result"), ("random_password", "bcrypt_hash")):
        assert ROWS[type_name].block.attrs[name].sensitive, (type_name, name)


def test_write_only_arguments_do_not_exist_here():
    assert not ROWS["aws_db_instance"].block.has("password_wo")


def test_blocks_keep_nesting_and_limits():
    nested = ROWS["aws_ecs_service"].block.blocks["network_configuration"]
    assert (nested.nesting, nested.max) == ("list", 1)
    assert nested.block.attrs["subnets"].required
    assert ROWS["aws_lb_listener"].block.blocks["default_action"].required
