# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an image is built from when it is built from a commit: a clone of the repository that holds this commit, its submodules and LFS files, and
nothing else of the working tree.

Clones are kept and brought to the next commit. One run at a time uses one of them: a second run takes, or makes, the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator

from ansible_collections.atena.aws.plugins.module_utils.core import commit as commits
from ansible_collections.atena.aws.plugins.module_utils.git import cli as git_cli, clone as git_clone
from ansible_collections.atena.aws.plugins.module_utils.git.cli import GitFailed, Refused
from ansible_collections.atena.aws.plugins.module_utils.images import build_include

_MOST_AT_ONCE = 64
_BEGINNING = re.compile(f"[0-9a-f]{{{commits.SHORTEST},63}}")


def repository_of(path: str) -> tuple[str, str]:
    """The repository that `path` is in - the top of its working tree, or itself if it is bare - and the path below it."""
    doing = f"find the git repository of {path}"
    if git_cli.run(["-C", path, "rev-parse", "--is-bare-repository"], doing).strip() == "true":
        return git_cli.run(["-C", path, "rev-parse", "--absolute-git-dir"], doing).rstrip("\n"), ""
    top, prefix = git_cli.run(["-C", path, "rev-parse", "--show-toplevel", "--show-prefix"], doing).split("\n")[:2]
    return top, prefix.rstrip("/")


def whole(path: str, commit: str) -> str:
    """The commit in full, of which the repository that `path` is in has so many digits; what has the form of no such beginning is left to git."""
    if commits.is_whole(commit) or not _BEGINNING.fullmatch(commit):
        return commit
    top, _prefix = repository_of(path)
    found = git_cli.run(["-C", top, "rev-parse", f"--disambiguate={commit}"], f"find the commit {commit} in {top}").split()
    kinds = {name: git_cli.run(["-C", top, "cat-file", "-t", name], f"find out what {name} is").strip() for name in found}
    named = sorted(name for name, kind in kinds.items() if kind == "commit")
    if len(named) == 1:
        return named[0]
    problem = (
        f"'{commit}' is the beginning of {len(named)} commits of {top} ({', '.join(named)}): write more of it."
        if named
        else (f"{top} has no commit that begins with '{commit}'. Fetch it (git fetch), or correct `commit`.")
    )
    raise GitFailed(f"{problem} Nothing was built.")


def absent(path: str, commit: str, files: list[str]) -> list[str]:
    """Which of the files the commit lacks, looked up in the repository itself; none if a submodule may bring them."""
    top, prefix = repository_of(path)

    def has(name: str) -> bool:
        try:
            git_cli.run(["-C", top, "cat-file", "-e", f"{commit}:{os.path.normpath(os.path.join(prefix, name))}"], "find a file")
        except GitFailed:
            return False
        return True

    return [] if has(os.path.relpath(".gitmodules", prefix or ".")) else [name for name in files if not has(name)]


@contextlib.contextmanager
def of_commit(path: str, commit: str, clones: str, include: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The directory in a clone that is `path` in the repository, at `commit`, with the files of the working tree that `include` names; and what to tell.

    It is this run's alone until the block ends.
    """
    top, prefix = repository_of(path)
    with _one_of(clones) as (directory, lock):
        clone = git_clone.Clone(directory, lock)
        notes = _brought(clone, top, commit)
        context = os.path.join(directory, prefix)
        if not os.path.isdir(context):
            raise GitFailed(f"The commit {commit} has no directory {prefix}: commit it, or set atena_app_path. Nothing was built.")
        try:
            with _told(f"copy what atena_build_include names into {context}"):
                build_include.copy(path, context, include)
            yield context, notes
        finally:
            # What CI put there may be secret (an .npmrc): it does not stay.
            if include and not clone.cleaned():
                clone.remove()


def _brought(clone: git_clone.Clone, source: str, commit: str) -> list[str]:
    """Brings a clone to the commit. One that a killed run left half-done, or that somebody changed, is made anew."""
    with _told(f"write the clone {clone.directory}"):
        if clone.exists:
            try:
                return clone.bring(source, commit)
            except Refused:
                raise
            except GitFailed:
                pass  # told below, if a new clone fails as well
        clone.remove()
        return clone.bring(source, commit)


@contextlib.contextmanager
def _one_of(clones: str) -> Iterator[tuple[str, int]]:
    """A clone's directory that no other run uses, and its open lock. The lock is free again when this process and each git that it started have ended."""
    with _told(f"make {clones}"):
        # mkdir's mode holds for the last directory only, and the one above is the environment's own.
        for directory in (os.path.dirname(clones), clones):
            os.makedirs(directory, mode=0o700, exist_ok=True)
    for number in range(1, _MOST_AT_ONCE + 1):
        with _told(f"write {clones}"):
            lock = os.open(os.path.join(clones, f"{number}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield os.path.join(clones, str(number)), lock
            return
        finally:
            os.close(lock)
    raise GitFailed(f"{_MOST_AT_ONCE} runs are building below {clones} at once. Wait for one of them to end. Nothing was built.")


@contextlib.contextmanager
def _told(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GitFailed(
            f"Could not {doing}: {error.strerror or error}. Check the directory's owner and the disk's free space, or set atena_work_dir. Nothing was built."
        ) from error
