"""What git knows of a change: which files differ between a commit and the working tree, and what they held."""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path


class GitError(Exception):
    pass


@dataclass(frozen=True)
class Change:
    """A file's two ends; None where it is not, or is a link. Of one that git takes for renamed the names differ."""

    old: str | None
    new: str | None
    before: bytes | None
    after: bytes | None


class Repository:
    def __init__(self, directory: Path):
        self.directory = directory

    def _git(self, *arguments: str, check: bool = True, feed: bytes = b"") -> bytes:
        done = subprocess.run(["git", "-C", str(self.directory), *arguments], input=feed, capture_output=True)
        if done.returncode and check:
            raise GitError(f"git {' '.join(arguments[:2])} failed: {done.stderr.decode(errors='replace').strip()}")
        return b"" if done.returncode else done.stdout

    def commit(self, name: str) -> str:
        found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", check=False).decode().strip()
        if not found:
            raise GitError(f"{name} is no commit here. Say which with BASE=<commit, branch or tag>; a shallow clone may not have it: git fetch --unshallow.")
        return found

    def default_base(self) -> tuple[str, str]:
        """(commit, what it is): where this branch left main; on main the last release, else the last commit."""
        head = self.commit("HEAD")
        for main in ("main", "origin/main"):
            base = self._git("merge-base", "HEAD", main, check=False).decode().strip()
            if base and base != head:
                return base, f"where this branch left {main}"
        tag = self._git("describe", "--tags", "--abbrev=0", "HEAD", check=False).decode().strip()
        return (self.commit(tag), f"the last release, {tag}") if tag else (head, "the last commit, as there is no release and this is main")

    def changes(self, base: str) -> list[Change]:
        """All files that differ, with those that git does not know yet. The whole of both ends is read at once."""
        fields = self._git("diff", "--raw", "-z", "-M", "--abbrev=40", base).decode(errors="surrogateescape").split("\0")
        entries = []
        while len(fields) > 1:
            old_mode, _new_mode, blob, _new_blob, status = fields.pop(0).lstrip(":").split(" ")
            old = fields.pop(0)
            new = fields.pop(0) if status[0] in "RC" else old
            entries.append(
                (None if status[0] in "AC" else old, None if status == "D" else new, blob if old_mode.startswith("100") and status[0] not in "AC" else "")
            )
        untracked = self._git("ls-files", "--others", "--exclude-standard", "-z").decode(errors="surrogateescape").split("\0")
        entries += [(None, path, "") for path in untracked if path]
        blobs = self._blobs([blob for *_paths, blob in entries if blob])
        return [Change(old, new, blobs.get(blob), self._now(new)) for old, new, blob in entries]

    def _blobs(self, names: list[str]) -> dict[str, bytes]:
        names = list(dict.fromkeys(names))
        answer, found = self._git("cat-file", "--batch", feed="".join(f"{name}\n" for name in names).encode()), {}
        for name in names:
            head, _newline, answer = answer.partition(b"\n")
            size = int(head.split()[-1])
            found[name], answer = answer[:size], answer[size + 1 :]
        return found

    def _now(self, path: str | None) -> bytes | None:
        file = self.directory / path if path else None
        try:
            return file.read_bytes() if file and stat.S_ISREG(os.lstat(file).st_mode) else None
        except FileNotFoundError:
            return None
