"""`lab/lab doctor`: what the lab needs of this machine, each lack with its remedy."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from . import emulator, engine, own_terraform, packages, process
from .report import LabError, say
from .settings import LAB_ROOT, Settings

FREE_DISK_GIGABYTES = 3.0


def check_system(_: Settings) -> str:
    if sys.platform != "linux":
        raise LabError(
            f"The lab runs on Linux, and this is {sys.platform}: on other systems Docker's containers cannot be reached by their addresses.",
            "Use a Linux machine, or a Linux virtual machine with Docker in it.",
        )
    return platform.platform(terse=True)


def check_python(_: Settings) -> str:
    if find_spec("ministack") is None:
        raise LabError(
            f"The emulator's Python packages are not installed in {sys.prefix}.",
            f"Run `make setup`, or `pip install -c {LAB_ROOT / 'constraints.txt'} -r {LAB_ROOT / 'requirements.txt'}` in a virtual environment.",
        )
    return f"Python {sys.version.split()[0]}, {sys.prefix}"


def check_docker(_: Settings) -> str:
    path = engine.socket_path()
    if path is None:
        raise LabError(f"DOCKER_HOST is {os.environ['DOCKER_HOST']}.", "Unset it: the lab needs an engine on this machine.")
    version = engine.version(path)
    if version is None:
        if os.geteuid() == 0 and (shutil.which("dockerd") or packages.can_install()):
            return "no engine runs; `lab/lab up` will start one" + ("" if shutil.which("dockerd") else ", and install it (docker.io)")
        raise LabError(
            "No Docker engine is running (a docker command alone is only its client).", "Install and start it: `sudo apt-get install docker.io` on Debian."
        )
    if shutil.which("docker"):
        engine.check_client()
    return f"Docker engine {version}"


def check_git(_: Settings) -> str:
    if shutil.which("git") is None:
        raise LabError("git is not installed.", "Install it: `apt-get install git`.")
    return process.run(["git", "--version"]).stdout.strip()


def free_gigabytes(directory: Path) -> float:
    while not directory.exists():
        directory = directory.parent
    return shutil.disk_usage(directory).free / 1024**3


def require_disk(settings: Settings, wanted: float = FREE_DISK_GIGABYTES) -> str:
    places = [settings.directory, Path("/var/lib/docker")]
    for place in places:
        free = free_gigabytes(place)
        if free < wanted:
            raise LabError(
                f"{place} has {free:.1f} GB free; the lab wants {wanted:.0f} GB for images and data.",
                "Make room (`docker system df` shows what Docker holds), or put the lab elsewhere with ATENA_LAB_DIR.",
            )
    return f"{min(free_gigabytes(place) for place in places):.0f} GB free"


def check_port(settings: Settings) -> str:
    emulator.require_same_port(settings)
    if emulator.running(settings) is not None:
        return f"port {settings.port} is this lab's"
    if not process.port_is_free(settings.port):
        owner = process.port_owner(settings.port)
        raise LabError(f"Port {settings.port} is taken{f' by {owner}' if owner else ''}.", "Stop that program, or set ATENA_LAB_PORT to a free port.")
    return f"port {settings.port} is free"


def check_npm(_: Settings) -> str:
    return "npm is there" if shutil.which("npm") else "no npm: `lab/lab up` brings one along from PyPI, for the time of building images"


CHECKS: tuple[tuple[str, Callable[[Settings], str]], ...] = (
    ("system", check_system),
    ("python", check_python),
    ("docker", check_docker),
    ("terraform", own_terraform.check),
    ("git", check_git),
    ("disk", require_disk),
    ("port", check_port),
    ("npm", check_npm),
)


def report(settings: Settings) -> int:
    failed = 0
    for name, check in CHECKS:
        try:
            say(f"ok      {name:<10} {check(settings)}")
        except LabError as error:
            failed += 1
            say(f"MISSING {name:<10} {error}")
    return 1 if failed else 0
