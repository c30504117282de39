"""The images that a lab runs on: official ones where a registry answers, built on this machine otherwise.

The emulator starts databases and caches from `<namespace>/postgres:16-alpine` and `<namespace>/redis:7-alpine`: names of the
lab's own, so that a `postgres:16-alpine` of the user's is never replaced.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import base, docker, postgres
from .process import run
from .report import LabError, say, warn
from .settings import IMAGE_NAMESPACE, LAB_ROOT

RECIPE_LABEL = "atena.lab.recipe"
SOURCE_LABEL = "atena.lab.source"
SOURCES = LAB_ROOT / "images"
CACHE = Path.home() / ".cache" / "atena-lab"
REGISTRY = "https://registry-1.docker.io/v2/"
PYTHON_VERSION = "3.11"
WHEEL_PLATFORMS = {
    "amd64": ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64"),
    "arm64": ("manylinux2014_aarch64", "manylinux_2_17_aarch64", "manylinux_2_28_aarch64"),
}


@dataclass(frozen=True)
class Image:
    tag: str
    folder: str
    upstream: str  # the official image


POSTGRES = Image(f"{IMAGE_NAMESPACE}/postgres:16-alpine", "postgres", "postgres:16-alpine")
REDIS = Image(f"{IMAGE_NAMESPACE}/redis:7-alpine", "redis", "redis:7-alpine")
APP_BASE = Image(f"{IMAGE_NAMESPACE}/app-base:1", "app-base", "python:3.11-slim-bookworm")
ALL = (POSTGRES, REDIS, APP_BASE)


def recipe(image: Image, sources: Path = SOURCES) -> str:
    """A hash over all that an image is built from: another one means build it again."""
    digest = hashlib.sha256(f"{image.tag} {image.upstream} {postgres.NPM_VERSION}".encode())
    for folder in ("base", image.folder):
        for file in sorted((sources / folder).iterdir()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def missing() -> list[Image]:
    return [image for image in ALL if docker.image_label(image.tag, RECIPE_LABEL) != recipe(image)]


def ensure() -> str:
    """Build what is missing; says in a few words what came of it."""
    if not missing():
        return "there already"
    with _build_lock() as work:
        wanted = missing()  # another lab may have built them while this one waited
        builder = Builder(work)
        for image in wanted:
            builder.build(image)
    return "built " + ", ".join(image.tag for image in wanted) if wanted else "built by another lab meanwhile"


class Builder:
    """One round of building; what several images need is found out or made once."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.architecture = run(["docker", "version", "--format", "{{.Server.Arch}}"]).stdout.strip()
        self._registry: bool | None = None
        self._extra_packages: tuple[str, ...] = ()

    def build(self, image: Image) -> None:
        makers: dict[str, Callable[[Image, bool], None]] = {"postgres": self._postgres, "redis": self._redis, "app-base": self._app_base}
        say(f"    building {image.tag}")
        makers[image.folder](image, self.official(image.upstream))

    def official(self, upstream: str) -> bool:
        """Is the official image here, or can it be pulled?"""
        label = docker.image_label(upstream, RECIPE_LABEL)
        if label == "":
            return True
        if self._registry is None:
            self._registry = registry_answers()
        if not self._registry:
            return False
        result = run(["docker", "pull", "--quiet", upstream], check=False, timeout=900)
        if result.returncode != 0:
            warn(f"{upstream} could not be pulled ({result.stderr.strip()[:200]}): building one here instead")
        return result.returncode == 0

    def _build(self, image: Image, context: Path, dockerfile: str, upstream: str, source: str, **args: str) -> None:
        docker.build(context, context / dockerfile, image.tag, args={"UPSTREAM": upstream, **args}, labels={RECIPE_LABEL: recipe(image), SOURCE_LABEL: source})

    def _context(self, image: Image) -> Path:
        context = self.work / image.folder
        shutil.copytree(SOURCES / image.folder, context)
        return context

    def _local_base(self) -> str:
        return base.ensure(self.work, self._extra_packages)

    def _postgres(self, image: Image, official: bool) -> None:
        context = self._context(image)
        if official:
            self._build(image, context, "Dockerfile.official", image.upstream, f"official {image.upstream}")
            return
        server = postgres.fetch_server(self.architecture, context)
        major, source = "16", f"PostgreSQL {postgres.NPM_VERSION} from the npm registry on Debian {base.SUITE}"
        if server is None:
            (context / "server").mkdir()
            major, source = "15", f"Debian {base.SUITE}'s PostgreSQL 15"
            self._extra_packages = (postgres.DEBIAN_FALLBACK,)
        self._build(image, context, "Dockerfile.local", self._local_base(), source, PG_MAJOR=major)

    def _redis(self, image: Image, official: bool) -> None:
        if official:
            # Nothing to add: a name of ours, and the label that says from which recipe.
            context = self._context(image)
            (context / "Dockerfile.official").write_text("ARG UPSTREAM\nFROM ${UPSTREAM}\n")
            self._build(image, context, "Dockerfile.official", image.upstream, f"official {image.upstream}")
        else:
            self._build(image, self._context(image), "Dockerfile", self._local_base(), f"Debian {base.SUITE}'s Redis")

    def _app_base(self, image: Image, official: bool) -> None:
        context = self._context(image)
        if self.architecture not in WHEEL_PLATFORMS:
            raise LabError(f"The Docker engine's architecture is {self.architecture}, for which the sample application has no packages.", "Use amd64 or arm64.")
        platforms = [option for name in WHEEL_PLATFORMS[self.architecture] for option in ("--platform", name)]
        run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
             "--implementation", "cp", "--python-version", PYTHON_VERSION, *platforms,
             "--target", str(context / "site-packages"), "--requirement", str(context / "requirements.txt")],
            timeout=600,
        )  # fmt: skip
        self._build(image, context, "Dockerfile", image.upstream if official else self._local_base(), "official" if official else "local")


def registry_answers(timeout: float = 4.0) -> bool:
    try:
        urllib.request.urlopen(REGISTRY, timeout=timeout)
    except urllib.error.HTTPError as error:
        return error.code == 401  # it wants a token: it is there
    except OSError:
        return False
    return True


def remove() -> list[str]:
    """Remove the lab's images (not the official ones they came from); the names of those that went."""
    listed = run(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"{IMAGE_NAMESPACE}/*"]).stdout.split()
    # Derived before base: an image with children cannot go.
    removed = []
    for name in sorted(listed, key=lambda name: "/base:" in name):
        result = run(["docker", "image", "rm", name], check=False)
        if result.returncode == 0:
            removed.append(name)
        else:
            warn(f"{name} stays: {result.stderr.strip().splitlines()[-1]}")
    return removed


@contextmanager
def _build_lock() -> Iterator[Path]:
    """A clean directory to build in, for one process at a time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        work = CACHE / "build"
        base.discard(work / "rootfs")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield work
        except Exception:
            base.discard(work / "rootfs")
            raise
        shutil.rmtree(work)
