"""The sample application as a git repository of its own, as a user's would be.

Its first commit is the same on every machine, but for the bundle of the lab's certificate authority, which each lab has of its own (`certs/`, where a user
has AWS's). When lab/app or that changes later, a commit of the lab is added, unless the user has made commits or changed files there: those are never
touched.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .process import run
from .report import LabError, warn
from .settings import LAB_ROOT

SOURCE = LAB_ROOT / "app"
AUTHOR = "Atena Lab"
EMAIL = "lab@atena.invalid"
DATE = "2025-01-01T00:00:00Z"
BRANCH = "main"
CERTIFICATES = "certs"
IGNORED = shutil.ignore_patterns("node_modules", "dist", "*.tsbuildinfo")


def git(repository: Path, *arguments: str, check: bool = True) -> str:
    # Neither the user's configuration (signing, hooks) nor a GIT_DIR around the lab may reach in here.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment.update(
        GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null",
        GIT_AUTHOR_NAME=AUTHOR, GIT_AUTHOR_EMAIL=EMAIL, GIT_AUTHOR_DATE=DATE,
        GIT_COMMITTER_NAME=AUTHOR, GIT_COMMITTER_EMAIL=EMAIL, GIT_COMMITTER_DATE=DATE,
    )  # fmt: skip
    return run(["git", "-C", str(repository), *arguments], check=check, env=environment).stdout.strip()


def ensure(repository: Path, source: Path = SOURCE, bundle: Path | None = None) -> str:
    """bundle: the certificates of the lab's authority; None of a repository that needs none."""
    if shutil.which("git") is None:
        raise LabError(
            "git is not installed.", "Install it (Debian: apt-get install git): the sample application is a git repository, and releases are commits."
        )
    if bundle is not None and not bundle.exists():
        raise LabError(f"{bundle} is missing: the emulator that runs is of an earlier lab.", "Take it down and start anew: lab/lab down; lab/lab up.")
    if not (repository / ".git").exists():
        return create(repository, source, bundle)
    if git(repository, "rev-parse", "--verify", "--quiet", "HEAD", check=False) == "":
        # A killed run: a repository without its first commit holds nothing of the user's that git knows of.
        return commit(repository, source, "Sample application", bundle)
    if has_user_commits(repository):
        return f"at {head(repository)}, with commits of yours: left as it is"
    if git(repository, "status", "--porcelain"):
        warn(f"{repository} has uncommitted changes: the lab leaves it as it is, and deploying leaves them out")
        return f"at {head(repository)}, with uncommitted changes: left as it is"
    before = head(repository)
    commit(repository, source, "Sample application of a newer lab", bundle)
    return f"at {head(repository)}" if head(repository) == before else f"updated from {before} to {head(repository)}"


def create(repository: Path, source: Path, bundle: Path | None = None) -> str:
    if repository.exists() and any(repository.iterdir()):
        raise LabError(f"{repository} is in the way: it is not empty and no git repository.", "Move it away, or choose another ATENA_LAB_DIR.")
    repository.mkdir(parents=True, exist_ok=True)
    git(repository, "init", "--quiet", f"--initial-branch={BRANCH}")
    return commit(repository, source, "Sample application", bundle)


def commit(repository: Path, source: Path, message: str, bundle: Path | None = None) -> str:
    for entry in repository.iterdir():
        if entry.name != ".git":
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    shutil.copytree(source, repository, dirs_exist_ok=True, ignore=IGNORED)
    if bundle is not None:
        (repository / CERTIFICATES).mkdir(exist_ok=True)
        shutil.copyfile(bundle, repository / CERTIFICATES / bundle.name)
    # The same modes everywhere: a checkout's umask must not change the commit.
    git(repository, "config", "core.fileMode", "false")
    git(repository, "add", "--all")
    if git(repository, "status", "--porcelain"):
        git(repository, "commit", "--quiet", "--message", message)
    return f"repository made, at {head(repository)}"


def head(repository: Path) -> str:
    return git(repository, "rev-parse", "--short", "HEAD")


def has_user_commits(repository: Path) -> bool:
    return any(line != EMAIL for line in git(repository, "log", "--format=%ae%n%ce").splitlines())


def describe(repository: Path) -> str:
    return f"{repository}, at {head(repository)}" if (repository / ".git").exists() else "not made yet"


def has_work(repository: Path) -> bool:
    """Does it hold anything of the user's?"""
    return (repository / ".git").exists() and (has_user_commits(repository) or git(repository, "status", "--porcelain") != "")
