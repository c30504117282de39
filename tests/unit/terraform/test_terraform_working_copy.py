"""What a working copy holds."""

import json
import os

import pytest
from ansible_collections.atena.aws.plugins.modules import terraform_working_copy as working_copy


@pytest.fixture
def source(tmp_path):
    directory = tmp_path / "source"
    (directory / "modules" / "x").mkdir(parents=True)
    (directory / ".terraform" / "modules").mkdir(parents=True)
    for name in ("main.tf", "modules/x/x.tf", ".terraform/modules/old.tf", "README.md", ".terraform.lock.hcl", "terraform.tfstate", "plan.tfplan"):
        (directory / name).write_text(name)
    return directory


def test_only_the_configuration_is_copied(source):
    assert sorted(working_copy.configuration_files(source)) == ["main.tf", "modules/x/x.tf"]


def test_backend_and_variables_stand_beside_it():
    files = working_copy.wanted_files({"main.tf": b"x"}, {"bucket": "b"}, {"project": "atena"})
    assert sorted(files) == ["backend_override.tf.json", "main.tf", "terraform.auto.tfvars.json"]
    assert json.loads(files["backend_override.tf.json"]) == {"terraform": {"backend": {"s3": {"bucket": "b"}}}}
    assert json.loads(files["terraform.auto.tfvars.json"]) == {"project": "atena"}


def test_versions_of_providers_stand_in_a_file_that_overrides_the_configurations():
    files = working_copy.wanted_files({}, {}, {}, {"hashicorp/aws": "6.62.0"})
    assert json.loads(files["versions_override.tf.json"]) == {"terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": "6.62.0"}}}}


def test_the_same_variables_in_another_order_are_the_same_file():
    one, other = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert working_copy.wanted_files({}, {}, one) == working_copy.wanted_files({}, {}, other)


def test_files_are_private_and_leave_nothing_behind(tmp_path):
    working_copy.write(tmp_path / "new" / "a.tf", b"one")
    working_copy.write(tmp_path / "new" / "a.tf", b"two")
    assert (tmp_path / "new" / "a.tf").read_bytes() == b"two"
    assert os.listdir(tmp_path / "new") == ["a.tf"]
    assert (tmp_path / "new" / "a.tf").stat().st_mode & 0o077 == 0


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    working_copy.write(tmp_path / "a.tf", b"one")

    def refuse(*_):
        raise OSError("no")

    monkeypatch.setattr(working_copy.os, "replace", refuse)
    with pytest.raises(OSError, match="no"):
        working_copy.write(tmp_path / "a.tf", b"two")
    assert (tmp_path / "a.tf").read_bytes() == b"one" and os.listdir(tmp_path) == ["a.tf"]
