"""meta/execution-environment.yml: ansible-builder makes its context, for this image and for anybody's; Terraform is checked before it is unpacked.

No image is built here: base image, Galaxy and Terraform's site are out of reach.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import platform
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
DEFINITION = yaml.safe_load((CHECKOUT / "meta" / "execution-environment.yml").read_text())
VERSION = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["version"]
STEPS = DEFINITION["additional_build_steps"]["append_final"]


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """The build context, made from a copy of what the definition names and an artifact."""
    root = tmp_path_factory.mktemp("ee")
    shutil.copytree(CHECKOUT / "meta", root / "meta")
    (root / "build").mkdir()
    (root / "build" / f"atena-aws-{VERSION}.tar.gz").write_bytes(b"the artifact")
    command = [sys.executable, "-m", "ansible_builder", "create", "-f", "meta/execution-environment.yml", "-c", "context", "--output-filename", "Containerfile"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "context"


def test_the_context_holds_all_that_the_build_copies(context):
    built = context / "_build"
    assert (built / "artifact" / f"atena-aws-{VERSION}.tar.gz").read_bytes() == b"the artifact"
    assert (built / "requirements.txt").read_text() == (CHECKOUT / "requirements.txt").read_text()
    assert (built / "bindep.txt").read_text() == (CHECKOUT / "bindep.txt").read_text()
    galaxy = yaml.safe_load((built / "requirements.yml").read_text())
    assert galaxy == {"collections": [{"name": f"artifact/atena-aws-{VERSION}.tar.gz", "type": "file"}]}


def test_the_containerfile_installs_terraform_after_the_collection(context):
    lines = (context / "Containerfile").read_text().splitlines()
    for step in STEPS:
        assert step in lines
    assert lines.index(STEPS[-1]) > max(number for number, line in enumerate(lines) if "COPY --from=galaxy" in line)
    assert any("--user-pip=requirements.txt" in line and "--user-bindep=bindep.txt" in line for line in lines)


def test_versions_are_the_tested_ones():
    tested = (CHECKOUT / "tests" / "constraints.txt").read_text().splitlines()
    for package in ("ansible_core", "ansible_runner"):
        assert DEFINITION["dependencies"][package]["package_pip"] in tested


def test_an_image_of_somebody_else_finds_what_this_collection_needs(tmp_path):
    """ansible-builder asks every collection in an image, by this file and relative to the collection's root."""
    from ansible_builder._target_scripts import introspect

    collection = tmp_path / "ansible_collections" / "atena" / "aws"
    shutil.copytree(CHECKOUT / "meta", collection / "meta")
    for name in ("requirements.txt", "bindep.txt"):
        shutil.copy(CHECKOUT / name, collection / name, follow_symlinks=False)
    python, system = introspect.process_collection(str(collection))
    assert any(line.startswith("boto3>=") for line in python)
    assert any(line.startswith("git ") for line in system)


class Site:
    """Terraform's download site, with one version. Its `terraform` is a script."""

    def __init__(self, directory: Path):
        self.into = directory / "bin"
        self.into.mkdir()
        arch = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
        archive = directory / "site" / "9.9.9" / f"terraform_9.9.9_linux_{arch}.zip"
        archive.parent.mkdir(parents=True)
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("terraform", "#!/bin/sh\necho Terraform v9.9.9\n")
        self.sum, self.arch = hashlib.sha256(archive.read_bytes()).hexdigest(), arch.upper()

    def step(self, address: str, checksum: str) -> subprocess.CompletedProcess:
        """The build step itself, as the shell of the build gets it."""
        given = {"TERRAFORM_VERSION": "9.9.9", "TERRAFORM_URL": address, "TERRAFORM_INTO": str(self.into), "PYCMD": sys.executable}
        command = next(step for step in STEPS if step.startswith("RUN set -eu;")).removeprefix("RUN ")
        environment = {**os.environ, **given, "TERRAFORM_SHA256_AMD64": "", "TERRAFORM_SHA256_ARM64": "", f"TERRAFORM_SHA256_{self.arch}": checksum}
        return subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.fixture
def address(site, tmp_path):
    handler = functools.partial(_Quiet, directory=str(tmp_path / "site"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_terraform_is_unpacked_if_it_is_the_one_that_is_meant(site, address):
    done = site.step(address, site.sum)
    assert done.returncode == 0, done.stderr
    assert "Terraform v9.9.9" in done.stdout


def test_any_other_ends_the_build_unpacked(site, address):
    done = site.step(address, "0" * 64)
    assert done.returncode != 0
    assert "FAILED" in done.stdout
    assert not list(site.into.iterdir())
