"""The root file system that images start from where no registry has the official ones: Debian, by debootstrap."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from . import docker
from .packages import install_debian_package
from .process import run
from .report import LabError
from .settings import IMAGE_NAMESPACE, LAB_ROOT

SUITE = "bookworm"
PACKAGES = LAB_ROOT / "images" / "base" / "packages.txt"
UNNEEDED = ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")


def package_names(text: str, extra: tuple[str, ...] = ()) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")] + list(extra)


def mirror(sources: dict[str, str]) -> str | None:
    """The first Debian mirror in apt's own sources (file name -> content); None leaves the choice to debootstrap."""
    for name in sorted(sources):
        content = "\n".join(line for line in sources[name].splitlines() if not line.lstrip().startswith("#"))
        if name.endswith(".sources"):
            addresses = re.findall(r"^URIs:\s*(\S+)", content, re.MULTILINE)
        else:
            addresses = re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)", content, re.MULTILINE)
        for address in addresses:
            if address.rstrip("/").endswith("/debian"):
                return address.rstrip("/")
    return None


def apt_sources(root: Path = Path("/etc/apt")) -> dict[str, str]:
    files = [root / "sources.list", *sorted((root / "sources.list.d").glob("*"))]
    return {str(file): file.read_text(errors="replace") for file in files if file.is_file()}


def tag(packages: list[str]) -> str:
    return f"{IMAGE_NAMESPACE}/base:" + hashlib.sha256("\n".join([SUITE, *packages]).encode()).hexdigest()[:12]


def ensure(build_directory: Path, extra_packages: tuple[str, ...] = ()) -> str:
    """Build the base unless it is there; its tag tells what is in it."""
    packages = package_names(PACKAGES.read_text(), extra_packages)
    image = tag(packages)
    if docker.image_exists(image):
        return image
    if os.geteuid() != 0:
        raise LabError(
            "No registry with the official images can be reached, and building a base image here needs root (debootstrap).",
            "Run `lab/lab up` once as root, or load postgres:16-alpine, redis:7-alpine and node:24-bookworm-slim with `docker load`.",
        )
    if shutil.which("debootstrap") is None:
        install_debian_package("debootstrap", "debootstrap")
    root = build_directory / "rootfs"
    discard(root)
    source = mirror(apt_sources())
    log = build_directory / "debootstrap.log"
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, str(root), *([source] if source else [])]
    with log.open("w") as output:
        failed = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False).returncode
    if failed:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        raise LabError(
            f"debootstrap could not build a base image from {source or 'its default mirror'}: {last}",
            f"The whole log is {log}. Check that the mirror answers (`apt-get update`) and that the disk has 1 GB free.",
        )
    for folder in UNNEEDED:
        shutil.rmtree(root / folder, ignore_errors=True)
    import_image(root, image)
    discard(root)
    return image


def import_image(root: Path, image: str) -> None:
    archive = subprocess.Popen(["tar", "-C", str(root), "--numeric-owner", "--exclude=./proc/*", "--exclude=./sys/*", "-c", "."], stdout=subprocess.PIPE)
    result = subprocess.run(["docker", "import", "--change", 'CMD ["/bin/sh"]', "-", image], stdin=archive.stdout, capture_output=True, text=True, check=False)
    assert archive.stdout is not None
    archive.stdout.close()
    if archive.wait() != 0 or result.returncode != 0:
        raise LabError(f"The base image could not be imported: {result.stderr.strip() or 'tar failed'}", "Check the free disk space with `df -h`.")


def discard(root: Path) -> None:
    """Remove a root file system, also a half-made one that a killed run left with /proc mounted in it."""
    if not root.exists():
        return
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{root}/")), reverse=True):
        run(["umount", "--lazy", mount])
    shutil.rmtree(root)
