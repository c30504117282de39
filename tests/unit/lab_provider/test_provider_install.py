"""The installer, without the environment that pip makes."""

from __future__ import annotations

import json
import os
import subprocess

import install
import pytest


@pytest.fixture(autouse=True)
def no_venv(monkeypatch):
    monkeypatch.setattr(install, "make_venv", lambda directory: None)


def programs(directory):
    return sorted(path.relative_to(directory / "mirror").as_posix() for path in (directory / "mirror").rglob("terraform-provider-*"))


def test_the_mirror_has_the_layout_that_terraform_expects(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "target", lambda: "linux_amd64")
    install.install(tmp_path)
    assert programs(tmp_path) == [
        f"registry.terraform.io/hashicorp/{name}/{version}/linux_amd64/terraform-provider-{name}_v{version}" for name, version in install.versions().items()
    ]


def test_the_configuration_names_the_mirror_and_keeps_everything_else_direct(tmp_path):
    text = install.install(tmp_path).read_text()
    assert f"path    = {json.dumps(str(tmp_path / 'mirror'))}" in text
    assert text.count('["registry.terraform.io/hashicorp/aws", "registry.terraform.io/hashicorp/random"]') == 2


def test_the_program_is_found_through_terraforms_link(tmp_path):
    install.install(tmp_path)
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    python = tmp_path / "venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$PYTHONPATH $@"\n')
    python.chmod(0o755)
    link = tmp_path / "link"
    link.symlink_to((tmp_path / "mirror" / programs(tmp_path)[0]).parent)
    done = subprocess.run([next(link.iterdir())], capture_output=True, text=True, check=True)
    path, *rest = done.stdout.split()
    assert os.path.samefile(path, tmp_path)
    assert rest == ["-m", "offline", "aws"]


def test_a_second_run_changes_nothing_and_a_change_of_the_sources_does(tmp_path, monkeypatch):
    install.install(tmp_path)
    program = tmp_path / "mirror" / programs(tmp_path)[0]
    before = program.stat().st_mtime_ns
    install.install(tmp_path)
    assert program.stat().st_mtime_ns == before
    monkeypatch.setattr(install, "digest", lambda *paths: "another")
    install.install(tmp_path)
    assert program.stat().st_mtime_ns != before


def test_an_interrupted_run_is_repaired(tmp_path):
    install.install(tmp_path)
    (tmp_path / "program.stamp").unlink()
    (tmp_path / "offline" / "core.py").unlink()
    install.install(tmp_path)
    assert (tmp_path / "offline" / "core.py").exists()


def test_a_directory_that_cannot_be_written_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(install.Problem, match="Name a directory that can be written with --dir"):
        install.install(tmp_path / "file" / "below")


def test_a_failing_step_names_its_remedy():
    with pytest.raises(install.Problem, match="false' failed: no output Try harder"):
        install.run(["false"], "Try harder.")
