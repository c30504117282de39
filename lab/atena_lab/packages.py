"""Debian packages that the lab installs by itself where it may."""

from __future__ import annotations

import os
import shutil

from .process import run
from .report import LabError, say


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def is_known(package: str) -> bool:
    """By the package lists that are there; an image that never ran `apt-get update` knows none."""
    return shutil.which("apt-cache") is not None and run(["apt-cache", "show", package], check=False).returncode == 0


def install_debian_package(package: str, purpose: str) -> None:
    if not can_install():
        raise LabError(f"{purpose} is missing, and only root on Debian can have the lab install it.", f"Install it: `sudo apt-get install {package}`.")
    say(f"  installing {package} with apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "--yes", "--no-install-recommends", package]
    if run(command, check=False, timeout=600, env=environment).returncode == 0:
        return
    # An image that never ran `apt-get update` knows no packages at all.
    run(["apt-get", "update"], timeout=300, env=environment)
    result = run(command, check=False, timeout=600, env=environment)
    if result.returncode != 0:
        last = "\n".join(result.stderr.strip().splitlines()[-3:])
        raise LabError(f"apt-get could not install {package}: {last}", f"Install it by hand (`apt-get install {package}`) and run the command again.")
