"""What Terraform does about changes behind its back, for every resource type of infra/, on a throw-away environment of its own.

To be affordable, one attribute of every type is changed at once, and then resources are deleted in two rounds. The plans must name
exactly what was touched. Each round costs two plans and one apply; each type has its own tests on the outcome.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from drift_cases import CASES, ORDER, STATE_ONLY, UNREADABLE, VARIABLES

pytestmark = pytest.mark.lab

INFRA = Path(__file__).parents[2] / "infra"
TYPES = sorted({name for path in INFRA.glob("*.tf") for name in re.findall(r'^resource "(\w+)"', path.read_text(), re.MULTILINE)} - STATE_ONLY.keys())
LEAVES = [name for name in CASES if CASES[name].delete and CASES[name].round == 1]
ACTIONS = {("create",): "create", ("update",): "update", ("delete",): "delete", ("delete", "create"): "replace", ("create", "delete"): "replace"}


class Stage:
    """A copy of infra/ with a local state, in an account that nobody else uses."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        # Another 12 digits are another account to the emulator: nothing that exists can be in the way, or be touched.
        account = f"{random.SystemRandom().randrange(10**11, 10**12)}"
        self.environment = {**os.environ, "AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "drift", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
        self.environment.pop("AWS_SESSION_TOKEN", None)
        self.client = cache(lambda service: boto3.client(
            service, region_name=VARIABLES["region"], endpoint_url=os.environ["AWS_ENDPOINT_URL"],
            aws_access_key_id=account, aws_secret_access_key="drift",
        ))  # fmt: skip
        for path in INFRA.glob("*.tf"):
            if path.name != "backend.tf":
                shutil.copy(path, directory)
        bucket, key, stage = f"drift-{account}", "drift/gates.json", "drift"
        self.client("s3").create_bucket(Bucket=bucket)
        gates = json.dumps({"power": "on", "redis": "present"}).encode()
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=gates, ContentType="application/json")
        zone = self.client("route53").create_hosted_zone(Name="example.com", CallerReference=account)["HostedZone"]["Id"].rsplit("/", 1)[-1]
        domain = {"name": "app.example.com", "zone_id": zone}
        variables = {**VARIABLES, "domain": domain, "stage": stage, "state_bucket": bucket, "gates_key": key, "ssm_path": f"/drift/{stage}"}
        (directory / "terraform.tfvars.json").write_text(json.dumps(variables))
        self.terraform("init", "-no-color")

    def terraform(self, *arguments: str) -> str:
        done = subprocess.run(["terraform", *arguments], cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"terraform {' '.join(arguments)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def plan(self) -> dict[str, dict]:
        """What the plan would change, by address. A plan file is left for apply()."""
        self.terraform("plan", "-no-color", "-out=plan")
        changes = json.loads(self.terraform("show", "-json", "plan"))["resource_changes"]
        return {one["address"]: one for one in changes if one["change"]["actions"] not in (["no-op"], ["read"])}

    def apply(self) -> None:
        self.terraform("apply", "-no-color", "plan")

    def values(self) -> dict[str, dict[str, Any]]:
        resources = json.loads(self.terraform("show", "-json"))["values"]["root_module"]["resources"]
        return {one["address"]: one["values"] for one in resources if one["mode"] == "managed"}


@dataclass
class Round:
    """What came of one round: plans as {address: action}, and what each case's `look` saw."""

    planned: dict[str, str]
    afterwards: dict[str, str]
    before: dict[str, Any] = field(default_factory=dict)
    spoilt: dict[str, Any] = field(default_factory=dict)
    mended: dict[str, Any] = field(default_factory=dict)


def kind(address: str) -> str:
    return address.split(".", 1)[0]


def actions(plan: dict[str, dict]) -> dict[str, str]:
    return {address: ACTIONS[tuple(one["change"]["actions"])] for address, one in plan.items()}


def looks(stage: Stage) -> dict[str, Any]:
    values = stage.values()
    return {name: case.look(stage.client, values[case.address]) for name, case in CASES.items() if case.look}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory):
    stage = Stage(tmp_path_factory.mktemp("drift"))
    try:
        stage.plan()
        stage.apply()
        yield stage
    finally:
        stage.terraform("destroy", "-no-color", "-auto-approve")


@pytest.fixture(scope="module")
def spoiling(stage: Stage) -> Round:
    before, values = looks(stage), stage.values()
    for case in CASES.values():
        if case.spoil:
            case.spoil(stage.client, values[case.address])
    spoilt = looks(stage)
    planned = actions(stage.plan())
    stage.apply()
    return Round(planned, actions(stage.plan()), before, spoilt, looks(stage))


def delete(stage: Stage, names: list[str]) -> Round:
    values = stage.values()
    for name in names:
        CASES[name].delete(stage.client, values[CASES[name].address])
    planned = actions(stage.plan())
    stage.apply()
    return Round(planned, actions(stage.plan()), mended=looks(stage))


@pytest.fixture(scope="module")
def leaves(stage: Stage, spoiling: Round) -> Round:
    return delete(stage, LEAVES)


@pytest.fixture(scope="module")
def roots(stage: Stage, leaves: Round) -> Round:
    return delete(stage, ORDER)


def expected(names: list[str]) -> dict[str, str]:
    """What is gone is created; what goes along with one and would only change because of another is created too."""
    wanted: dict[str, str] = {}
    for name in names:
        wanted |= {address: action for address, action in CASES[name].also.items() if wanted.get(address) != "create"}
    return wanted | {CASES[name].address: "create" for name in names}


# -- the table is complete -------------------------------------------------------------------------------------------------------


def test_every_type_in_the_state_has_a_case(stage: Stage) -> None:
    used = {kind(address) for address in stage.values()}
    assert used == {*CASES, *STATE_ONLY}, "add the missing types to drift_cases.py, or remove those that infra/ no longer uses"
    assert used - STATE_ONLY.keys() == set(TYPES)


def test_every_case_is_tried_or_says_why_not() -> None:
    for name, case in CASES.items():
        assert (case.spoil and case.delete) or case.why, name
        assert bool(case.delete and case.round == 2) == (name in ORDER), name


def test_a_fresh_environment_needs_no_second_apply(stage: Stage) -> None:
    assert actions(stage.plan()) == {}


# -- one attribute of each type changed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in TYPES if name not in CASES or CASES[name].spoil])
def test_a_changed_attribute_is_planned_and_mended(name: str, spoiling: Round) -> None:
    case = CASES[name]
    assert spoiling.spoilt[name] != spoiling.before[name], "the test changed nothing"
    assert spoiling.planned.get(case.address) == case.action
    assert spoiling.mended[name] == spoiling.before[name]


def test_changed_attributes_touch_nothing_else(spoiling: Round) -> None:
    assert spoiling.planned == {case.address: case.action for case in CASES.values() if case.spoil}


def test_after_mending_the_attributes_the_plan_is_empty(spoiling: Round) -> None:
    assert spoiling.afterwards == {}


# -- one resource of each type deleted -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in TYPES if name not in CASES or CASES[name].delete])
def test_a_deleted_resource_is_planned_and_created_again(name: str, request: pytest.FixtureRequest) -> None:
    case = CASES[name]
    result = request.getfixturevalue("leaves" if case.round == 1 else "roots")
    assert result.planned.get(case.address) == "create"
    assert case.address not in result.afterwards
    if case.look:
        assert name in result.mended


def test_deleted_leaves_touch_nothing_else(leaves: Round) -> None:
    assert leaves.planned == expected(LEAVES)


def test_deleted_roots_touch_only_what_depends_on_them(roots: Round) -> None:
    assert roots.planned == expected(ORDER)


def test_after_creating_them_again_the_plan_is_empty(leaves: Round, roots: Round) -> None:
    assert (leaves.afterwards, roots.afterwards) == ({}, {})


# -- adoption --------------------------------------------------------------------------------------------------------------------

IDENTIFIERS = {
    "aws_db_instance": lambda v: v["identifier"],
    "aws_ecs_cluster": lambda v: v["name"],
    "aws_ecs_service": lambda v: f"{v['cluster'].rsplit('/', 1)[1]}/{v['name']}",
    "aws_ecs_task_definition": lambda v: v["arn"],
    "aws_route": lambda v: f"{v['route_table_id']}_{v['destination_cidr_block']}",
    "aws_route_table_association": lambda v: f"{v['subnet_id']}/{v['route_table_id']}",
}


def test_the_whole_environment_can_be_imported_unchanged(stage: Stage, roots: Round, tmp_path: Path) -> None:
    """Into an empty state: every resource of AWS is taken over as it is, but for arguments that no provider can read back."""
    for path in stage.directory.glob("*.tf"):
        # infra/ has an import block of its own, for a restored Redis.
        (tmp_path / path.name).write_text(re.sub(r"^import \{.*?^\}", "", path.read_text(), flags=re.MULTILINE | re.DOTALL))
    shutil.copy(stage.directory / "terraform.tfvars.json", tmp_path)
    blocks = [
        f"import {{\n  to = {address}\n  id = {json.dumps(IDENTIFIERS.get(kind(address), lambda v: v['id'])(values))}\n}}\n"
        for address, values in stage.values().items()
        if kind(address) not in STATE_ONLY
    ]
    (tmp_path / "imports.tf").write_text("\n".join(blocks))
    adopter = object.__new__(Stage)
    adopter.directory, adopter.environment, adopter.client = tmp_path, stage.environment, stage.client
    adopter.terraform("init", "-no-color")
    changes = {address: one for address, one in adopter.plan().items() if one["type"] not in STATE_ONLY}
    surprises = {}
    for address, one in changes.items():
        change = one["change"]
        differing = {name for name, value in change["before"].items() if (value or None) != ((change["after"] or {}).get(name) or None)}
        unknown = {name for name, value in change["after_unknown"].items() if value is True}
        rest = (differing | unknown) - UNREADABLE.get(one["type"], set())
        if rest or change["actions"] != ["update"]:
            surprises[address] = (change["actions"], sorted(rest))
    assert surprises == {}
