"""Which Terraform an end runs with: the one that was named for it, one that was put in place for it, or one of PATH's.

Each is taken for what it says of itself (`terraform version -json`), not for its name. So another way to get a Terraform has two ways in: name the
executable in a variable (TERRAFORM_1_8=/opt/terraform-1.8/terraform), or put it at .lab/terraform/1.8/terraform.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path


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
    for directory in environ.get("PATH", "").split(os.pathsep):
        if directory:
            yield Path(directory) / "terraform"


def find(wanted: list[str], environ: Mapping[str, str], kept: Path) -> tuple[Path, str] | None:
    """The executable and its whole version, of the first wanted minor version that is there."""
    for minor in wanted:
        for executable in candidates(minor, environ, kept):
            found = version(executable)
            if found is not None and f"{found}.".startswith(f"{minor}."):
                return executable, found
    return None
