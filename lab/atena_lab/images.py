"""The images that a lab runs on: official ones where a registry answers, built on this machine otherwise.

The emulator starts databases and caches from `<namespace>/postgres:16-alpine` and `<namespace>/redis:7-alpine`: names of the
lab's own, so that a `postgres:16-alpine` of the user's is never replaced.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import apprepo, base, docker, nodejs, postgres
from .process import run
from .report import say, warn
from .settings import IMAGE_NAMESPACE, LAB_ROOT

RECIPE_LABEL = "atena.lab.recipe"
SOURCE_LABEL = "atena.lab.source"
SOURCES = LAB_ROOT / "images"
CACHE = Path.home() / ".cache" / "atena-lab"
REGISTRY = "https://registry-1.docker.io/v2/"


@dataclass(frozen=True)
class Image:
    tag: str
    folder: str
    upstream: str  # the official image, or the one of ours that it starts from


POSTGRES = Image(f"{IMAGE_NAMESPACE}/postgres:16-alpine", "postgres", "postgres:16-alpine")
REDIS = Image(f"{IMAGE_NAMESPACE}/redis:7-alpine", "redis", "redis:7-alpine")
NODE = Image(f"{IMAGE_NAMESPACE}/node:24-bookworm-slim", "node", "node:24-bookworm-slim")
APP_BUILD = Image(f"{IMAGE_NAMESPACE}/app-build:1", "app-build", NODE.tag)
ALL = (POSTGRES, REDIS, NODE, APP_BUILD)


def recipe(image: Image, sources: Path = SOURCES) -> str:
    """A hash over all that an image is built from: another one means build it again."""
    digest = hashlib.sha256(f"{image.tag} {image.upstream} {postgres.NPM_VERSION}".encode())
    files = [file for folder in ("base", image.folder) for file in sorted((sources / folder).iterdir())]
    if image is APP_BUILD:
        files += [*sorted((sources / NODE.folder).iterdir()), apprepo.SOURCE / "package-lock.json"]
    for file in files:
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
        makers: dict[str, Callable[[Image], None]] = {"postgres": self._postgres, "redis": self._redis, "node": self._node, "app-build": self._app_build}
        say(f"    building {image.tag}")
        makers[image.folder](image)

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

    def _postgres(self, image: Image) -> None:
        context = self._context(image)
        if self.official(image.upstream):
            self._build(image, context, "Dockerfile.official", image.upstream, f"official {image.upstream}")
            return
        server = postgres.fetch_server(self.architecture, context, self.work)
        major, source = "16", f"PostgreSQL {postgres.NPM_VERSION} from the npm registry on Debian {base.SUITE}"
        if server is None:
            (context / "server").mkdir()
            major, source = "15", f"Debian {base.SUITE}'s PostgreSQL 15"
            self._extra_packages = (postgres.DEBIAN_FALLBACK,)
        self._build(image, context, "Dockerfile.local", self._local_base(), source, PG_MAJOR=major)

    def _redis(self, image: Image) -> None:
        if self.official(image.upstream):
            # Nothing to add: a name of ours, and the label that says from which recipe.
            context = self._context(image)
            (context / "Dockerfile.official").write_text("ARG UPSTREAM\nFROM ${UPSTREAM}\n")
            self._build(image, context, "Dockerfile.official", image.upstream, f"official {image.upstream}")
        else:
            self._build(image, self._context(image), "Dockerfile", self._local_base(), f"Debian {base.SUITE}'s Redis")

    def _node(self, image: Image) -> None:
        context = self._context(image)
        if self.official(image.upstream):
            self._build(image, context, "Dockerfile.official", image.upstream, f"official {image.upstream}")
        else:
            shutil.copytree(nodejs.fetch(self.architecture, self.work), context / "nodejs", symlinks=True)
            self._build(image, context, "Dockerfile.local", self._local_base(), f"Node.js from PyPI on Debian {base.SUITE}")

    def _app_build(self, image: Image) -> None:
        context = self._context(image)
        nodejs.fill_cache(context / "npm-cache", apprepo.SOURCE, self.architecture, self.work)
        self._build(image, context, "Dockerfile", image.upstream, "the sample application's lock file")


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
    # An image with children cannot go, and every build left its stages, without names, behind.
    run(["docker", "image", "prune", "--force", "--filter", f"label={RECIPE_LABEL}"], timeout=300)
    removed = []
    for name in sorted(listed, key=lambda name: ("/base:" in name, "/node:" in name)):
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
