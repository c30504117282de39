"""Whether a plan that was kept may still be applied, and how it is kept."""

import json
import os
import stat
import zipfile

import pytest
from ansible_collections.atena.aws.plugins.module_utils.terraform import saved as terraform_saved
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import Terraform, TerraformError
from planned import plan_and_apply

HERE = {"project": "atena", "stage": "prod", "region": "us-east-1", "state_bucket": "b", "api_memory": 512}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, ""),
        ({"stage": "staging", "api_memory": 1024}, "another environment (stage 'staging' instead of 'prod')"),
        ({"state_bucket": "other"}, "another environment (state_bucket"),
        ({"api_memory": 1024}, "the inventory has changed since it was made (api_memory)"),
        ({"new": 1}, "the inventory has changed since it was made (new)"),
    ],
)
def test_a_plan_is_for_the_environment_whose_variables_it_was_made_with(changed, words):
    found = terraform_saved.other_environment({**HERE, **changed}, HERE)
    assert (found == "") if words == "" else words in found


@pytest.mark.parametrize(
    ("planned", "current", "words"),
    [
        ({"serial": 7, "lineage": "a"}, {"serial": 7, "lineage": "a"}, ""),
        ({"serial": 7, "lineage": "a"}, {"serial": 8, "lineage": "a"}, "serial 8, the plan was made at 7"),
        ({"serial": 7, "lineage": "a"}, {"serial": 7, "lineage": "b"}, "another one"),
        ({"serial": 7, "lineage": "a"}, {}, "no state any more"),
        # The first plan of all: there was no state.
        ({"serial": 0, "lineage": ""}, {}, ""),
        ({"serial": 0, "lineage": ""}, {"serial": 1, "lineage": "b"}, "serial 1"),
    ],
)
def test_a_plan_is_stale_once_the_state_has_changed(planned, current, words):
    found = terraform_saved.stale(planned, current)
    assert (found == "") if words == "" else words in found


def saved_plan(path, serial=7, lineage="a"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tfstate", json.dumps({"serial": serial, "lineage": lineage}))
    return str(path)


def test_what_is_no_plan_is_refused_by_name(tmp_path):
    (tmp_path / "text").write_text("no plan")
    for name, words in (("absent", "There is no plan"), ("text", "cannot be read as a plan")):
        with pytest.raises(TerraformError, match=words) as refused:
            terraform_saved.state_of(str(tmp_path / name))
        assert name in str(refused.value) and "Nothing was changed" in str(refused.value)


def test_a_kept_plan_is_private(tmp_path):
    (tmp_path / "made").write_bytes(b"plan")
    (tmp_path / "made").chmod(0o644)
    before = os.umask(0)
    try:
        terraform_saved.keep(str(tmp_path / "made"), str(tmp_path / "deep" / "kept"))
    finally:
        os.umask(before)
    assert (tmp_path / "deep" / "kept").read_bytes() == b"plan"
    assert stat.S_IMODE((tmp_path / "deep" / "kept").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["kept"]


def test_a_plan_that_cannot_be_kept_says_so(tmp_path):
    (tmp_path / "made").write_bytes(b"plan")
    (tmp_path / "file").write_text("")
    with pytest.raises(TerraformError, match="could not be kept"):
        terraform_saved.keep(str(tmp_path / "made"), str(tmp_path / "file" / "kept"))


@pytest.fixture
def world(tmp_path):
    """A Terraform that writes down what it is asked, and a working copy."""
    shown = {"variables": {name: {"value": value} for name, value in HERE.items()}, "resource_changes": [], "timestamp": "2027-01-15T12:00:00Z"}
    (tmp_path / "shown").write_text(json.dumps(shown))
    program = tmp_path / "terraform"
    program.write_text(f"""#!/bin/sh
echo "$@" >> {tmp_path}/asked
case "$1" in
  show) cat {tmp_path}/shown ;;
  state) echo '{{"serial": 7, "lineage": "a", "resources": []}}' ;;
  plan) for word in "$@"; do case "$word" in -out=*) echo plan > "${{word#-out=}}" ;; esac; done; exit 2 ;;
  apply) echo '{{"type":"outputs","outputs":{{"o":{{"value":1}}}}}}' ;;
esac
""")
    program.chmod(0o755)
    project = tmp_path / "project"
    project.mkdir()
    (project / "terraform.auto.tfvars.json").write_text(json.dumps(HERE))
    return tmp_path, Terraform(str(program), project, environment={"PATH": os.environ["PATH"]})


def run(terraform, **options):
    with terraform.scratch() as scratch:
        return plan_and_apply(terraform, scratch, **options)


def asked(directory):
    return [line.split()[0] for line in (directory / "asked").read_text().splitlines()]


def test_exactly_the_kept_plan_is_applied_and_removed(world):
    directory, terraform = world
    plan = saved_plan(directory / "kept")
    result = run(terraform, saved=plan)
    assert asked(directory) == ["show", "state", "apply"]
    assert f"{plan}" in (directory / "asked").read_text().splitlines()[-1]
    assert result["outputs"] == {"o": 1} and not os.path.exists(plan)


def test_with_check_it_is_judged_and_stays(world):
    directory, terraform = world
    plan = saved_plan(directory / "kept")
    run(terraform, saved=plan, check=True)
    assert asked(directory) == ["show", "state"] and os.path.exists(plan)


def test_a_stale_one_is_refused_before_anything_is_applied(world):
    directory, terraform = world
    plan = saved_plan(directory / "kept", serial=6)
    with pytest.raises(TerraformError, match="stale") as refused:
        run(terraform, saved=plan)
    assert "2027-01-15T12:00:00Z" in str(refused.value) and f"infra_save_plan={plan}" in str(refused.value)
    assert "apply" not in asked(directory) and os.path.exists(plan)


def test_a_new_plan_is_kept_and_not_applied(world):
    directory, terraform = world
    result = run(terraform, save_as=str(directory / "kept"))
    assert asked(directory) == ["plan", "show"] and result["saved_plan"] == str(directory / "kept")
    assert "-lock=false" in (directory / "asked").read_text()
    run(terraform, save_as=str(directory / "none"), check=True)
    assert not (directory / "none").exists()
