# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files of the working tree that an image needs beside the commit, such as what CI made: found by path or glob, copied beside the commit's own."""

from __future__ import annotations

import glob
import os
import shutil
import stat

from ansible_collections.atena.aws.plugins.module_utils.git.cli import GitFailed


def found(root: str, pattern: str) -> list[str]:
    """The files and directories below `root` that a path or glob names. Raises GitFailed if it names none, or what is not below."""
    refused = f"atena_build_include names {pattern!r}, "
    parts = os.path.normpath(pattern).split(os.sep)
    if os.path.isabs(pattern) or ".." in parts or ".git" in parts:
        raise GitFailed(f"{refused}which is not a path below {root}. Name what is in the application's directory, such as dist/. Nothing was built.")
    if parts in ([os.curdir], ["*"], ["**"]):
        raise GitFailed(f"{refused}which is the whole working tree. Name what the image needs, or set atena_build_from: working_tree. Nothing was built.")
    names = [os.path.normpath(name) for name in glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True)]
    names = [name for name in names if name != os.curdir and ".git" not in name.split(os.sep)]
    if not names:
        raise GitFailed(f"{refused}and {root} has nothing of that name: was the step that makes it run before? Nothing was built.")
    return sorted(set(names))


def copy(root: str, target: str, patterns: list[str]) -> None:
    """Copies what the patterns name from `root` to the same places in `target`."""
    for name in [name for pattern in patterns for name in found(root, pattern)]:
        source = os.path.join(root, name)
        if os.path.isdir(source) and not os.path.islink(source):
            _directory(target, name)
            for directory, below, files in os.walk(source):
                below[:] = sorted(entry for entry in below if entry != ".git")
                relative = os.path.relpath(directory, root)
                _directory(target, relative)
                for entry in (*below, *files):
                    if entry in files or os.path.islink(os.path.join(directory, entry)):
                        _file(root, target, os.path.join(relative, entry))
        else:
            _directory(target, os.path.dirname(name))
            _file(root, target, name)


def _directory(target: str, relative: str) -> None:
    """Makes a directory of `target`, which no link leads out of."""
    path = target
    for part in [part for part in relative.split(os.sep) if part not in ("", os.curdir)]:
        path = os.path.join(path, part)
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        if not os.path.isdir(path):
            os.mkdir(path)
            os.chmod(path, 0o755)


def _file(root: str, target: str, relative: str) -> None:
    """Copies a file or a link. Modes are those of git, because Docker's layer cache goes by them; sockets and the like are left."""
    source, copied = os.path.join(root, relative), os.path.join(target, relative)
    mode = os.lstat(source).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        return
    if os.path.isdir(copied) and not os.path.islink(copied):
        shutil.rmtree(copied)
    elif os.path.lexists(copied):
        os.unlink(copied)
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(source), copied)
    else:
        shutil.copyfile(source, copied)
        os.chmod(copied, 0o755 if mode & stat.S_IXUSR else 0o644)
