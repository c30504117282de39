# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A clone that holds one commit and its history: fetched from the repository on this machine, with its submodules and LFS files.

Fetched, not linked to the repository's objects: a build may copy `.git` into the image, and with all objects would go what was never committed, or is on
other branches. Each command names the clone's own `.git`, so that a damaged one never makes git work on a repository around it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.atena.aws.plugins.module_utils.git import cli as git_cli
from ansible_collections.atena.aws.plugins.module_utils.git.cli import GitFailed, Refused

_REF = "refs/atena/build"
# The repository of a submodule that is not checked out any more names a working tree that is not there, and git would refuse to work in it.
_ANY_TREE = "--work-tree=/"
_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
# Files of LFS are checked out as pointers first, so that git asks no server; `git lfs pull` then looks into the repository's own store before.
_AS_POINTERS = {"filter.lfs.process": "", "filter.lfs.smudge": "", "filter.lfs.required": "false"}
_AS_FILES = {
    "filter.lfs.clean": "git-lfs clean -- %f",
    "filter.lfs.smudge": "git-lfs smudge --skip -- %f",
    "filter.lfs.process": "git-lfs filter-process --skip",
    "filter.lfs.required": "true",
}


class Clone:
    """One clone. `lock` is an open file that every git command holds as well."""

    def __init__(self, directory: str, lock: int) -> None:
        self.directory, self._keep = directory, (lock,)
        self._git_directory = os.path.join(directory, ".git")

    @property
    def exists(self) -> bool:
        return not os.path.islink(self.directory) and os.path.isdir(self._git_directory) and not os.path.islink(self._git_directory)

    def remove(self) -> None:
        if os.path.islink(self.directory) or os.path.isfile(self.directory):
            os.unlink(self.directory)
        elif os.path.lexists(self.directory):
            shutil.rmtree(self.directory)

    def _git(self, arguments: list[str], doing: str, **more: Any) -> str:
        # Some commands have to be in the working tree.
        place = ["-C", self.directory, f"--git-dir={self._git_directory}", f"--work-tree={self.directory}"]
        return git_cli.run([*place, *arguments], doing, keep=self._keep, **more)

    def _succeeds(self, arguments: list[str], **more: Any) -> bool:
        try:
            self._git(arguments, "ask git", **more)
        except GitFailed:
            return False
        return True

    def bring(self, source: str, commit: str) -> list[str]:
        """Checks the commit of the repository `source` on this machine out, and nothing else. Returns what the user should know."""
        self._init(commit)
        self._forget_tags()
        self._fetch_from_here(source, commit)
        return self._check_out(commit, source, _setting(source, "remote.origin.url") or source)

    def cleaned(self) -> bool:
        """Whether it could be made to hold the commit's files only."""
        return self._succeeds(["checkout", "--force", "--quiet", "--", "."], settings=_AS_POINTERS) and self._succeeds(["clean", "-ffdxq"])

    def _init(self, commit: str) -> None:
        os.makedirs(self.directory, exist_ok=True)
        os.chmod(self.directory, 0o755)
        if not self.exists:
            kind = ["--object-format=sha256"] if len(commit) == 64 else []
            git_cli.run(["init", "--quiet", "--template=", *kind, "--", self.directory], f"make the clone {self.directory}", keep=self._keep)

    def _forget_tags(self) -> None:
        """Those of the commit's history are fetched with it, as they are now."""
        tags = self._git(["for-each-ref", "--format=delete %(refname)", "refs/tags"], "list the clone's tags")
        if tags:
            self._git(["update-ref", "--stdin"], "drop the clone's tags", given=tags)

    def _fetch_from_here(self, source: str, commit: str) -> None:
        """A commit need not be the tip of a branch; the checkout may be shallow, as CI's is, or lack the files of earlier commits."""
        upload = f"git {_ANY_TREE} -c uploadpack.allowAnySHA1InWant=true upload-pack"
        fetch = ["fetch", "--quiet", "--force", "--update-shallow", f"--upload-pack={upload}"]
        where = ["--", source, f"+{commit}:{_REF}"]
        try:
            self._git([*fetch, *where], f"fetch the commit {commit} from {source}")
        except GitFailed:
            self._git([*fetch, "--depth=1", *where], f"fetch the commit {commit} from {source}")
        self._forget_source()

    def _fetch_from_url(self, url: str, commit: str, doing: str) -> None:
        # git's own rule for addresses that a repository names: no commands, and no paths of this machine.
        rule = {"GIT_PROTOCOL_FROM_USER": "0"}
        if not self._succeeds(["fetch", "--quiet", "--force", "--", url, f"+{commit}:{_REF}"], **rule):
            # Not every server gives out a commit that is not the tip of something.
            self._git(["fetch", "--quiet", "--force", "--", url, "+refs/heads/*:refs/atena/heads/*"], doing, **rule)
        self._forget_source()
        if not self._has(commit):
            raise GitFailed(f"Could not {doing}: none of its branches has this commit. Push it there.")

    def _forget_source(self) -> None:
        """FETCH_HEAD names paths and addresses, which are nobody's business in an image."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._git_directory, "FETCH_HEAD"))

    def _has(self, commit: str) -> bool:
        return self._succeeds(["cat-file", "-e", f"{commit}^{{commit}}"])

    def _check_out(self, commit: str, source: str | None, address: str) -> list[str]:
        doing = f"check the commit {commit} out into {self.directory}"
        self._git(["checkout", "--force", "--quiet", "--detach", commit], doing, settings=_AS_POINTERS)
        self._git(["clean", "-ffdxq"], f"clean {self.directory}")
        notes = self._filters(source, address)
        for path, wanted in self._gitlinks():
            notes += self._submodule(commit, path, wanted, source, address)
        return notes

    # --- Submodules ---------------------------------------------------------------------------------------------------
    def _gitlinks(self) -> list[tuple[str, str]]:
        """[(path, commit)] of the submodules."""
        entries = [entry.partition("\t") for entry in self._git(["ls-files", "--stage", "-z"], "list the commit's files").split("\0") if entry]
        return [(path, about.split()[1]) for about, _tab, path in entries if about.startswith("160000 ")]

    def _described(self, commit: str) -> dict[str, dict[str, str]]:
        """{path: {'name', 'url', 'update', ...}} of .gitmodules."""
        try:
            listed = self._git(["config", "-z", f"--blob={commit}:.gitmodules", "--get-regexp", r"^submodule\."], "read .gitmodules")
        except GitFailed:  # there is none
            return {}
        modules: dict[str, dict[str, str]] = {}
        for entry in listed.split("\0"):
            key, _end, value = entry.partition("\n")
            name, _dot, setting = key.removeprefix("submodule.").rpartition(".")
            modules.setdefault(name, {"name": name})[setting] = value
        return {submodule["path"]: submodule for submodule in modules.values() if "path" in submodule}

    def _submodule(self, outer: str, path: str, commit: str, source: str | None, address: str) -> list[str]:
        submodule = self._described(outer).get(path)
        if submodule is None:
            raise Refused(
                f"The commit {outer} has another repository at {path}, and its .gitmodules does not show where that is from: the image would be without it. "
                f"Add it there (git submodule add <url> {path}), or remove it (git rm --cached {path}). Nothing was built."
            )
        if submodule.get("update") == "none":
            return [f"The submodule {path} is not in the image: .gitmodules says `update = none`."]
        inner = Clone(os.path.join(self.directory, path), *self._keep)
        if not inner.exists:
            inner.remove()
        inner._init(commit)
        url = (_setting(source, f"submodule.{submodule['name']}.url") if source else "") or resolved(address, submodule.get("url", ""))
        fetched = self._fetched_here(inner, commit, source, submodule["name"], path)
        if not fetched and not inner._has(commit):
            inner.remove()  # whatever is the matter with what an earlier run left
            inner._init(commit)
            fetched = self._fetched_here(inner, commit, source, submodule["name"], path)
        if not fetched and not inner._has(commit):
            try:
                inner._fetch_from_url(url, commit, f"fetch the submodule {path} at {commit} from {shown(url)}")
            except GitFailed as failed:
                raise Refused(
                    f"{failed} Fetch it in the checkout, from where it is then taken: git submodule update --init --recursive. Nothing was built."
                ) from None
        return [f"{path}: {note}" for note in inner._check_out(commit, fetched, url)]

    def _fetched_here(self, inner: Clone, commit: str, source: str | None, name: str, path: str) -> str | None:
        """Fetches the submodule's commit from where the checkout has it already, if it has."""
        for place in _places(source, name, path) if source else []:
            with contextlib.suppress(GitFailed):
                inner._fetch_from_here(place, commit)
                return place
        return None

    # --- Filters: LFS, and those that the clone does not have ---------------------------------------------------------
    def _filters(self, source: str | None, address: str) -> list[str]:
        filtered = self._filtered()
        stored = filtered.pop("lfs", [])
        if stored:
            self._pull(stored, source, address)
        unknown = {
            name: paths for name, paths in filtered.items() if not any(self._succeeds(["config", f"filter.{name}.{how}"]) for how in ("smudge", "process"))
        }
        return [
            f"{_some(paths)}: .gitattributes has the filter '{name}' for this, which is set up in your checkout at most. The image has what the commit stores."
            for name, paths in sorted(unknown.items())
        ]

    def _filtered(self) -> dict[str, list[str]]:
        """{filter: [paths]} as .gitattributes says."""
        if not self._git(["ls-files", "-z", "--", ".gitattributes", "**/.gitattributes"], "find .gitattributes"):
            return {}
        told = self._git(["check-attr", "--stdin", "-z", "filter"], "read .gitattributes", given=self._git(["ls-files", "-z"], "list the commit's files"))
        words = told.split("\0")
        found: dict[str, list[str]] = {}
        for path, name in zip(words[0::3], words[2::3], strict=False):
            if name not in ("unspecified", "unset", "set"):
                found.setdefault(name, []).append(path)
        return found

    def _pull(self, paths: list[str], source: str | None, address: str) -> None:
        """Puts LFS's files in place of the pointers."""
        why = f"{_some(paths)}: stored in Git LFS"
        if not self._pointers(paths):
            return
        if not self._succeeds(["lfs", "version"]):
            raise GitFailed(f"{why}, and there is no `git-lfs` command: the image would have pointers instead. Install git-lfs. Nothing was built.")
        settings = {**_AS_FILES, "remote.origin.url": address}
        if source:
            own = _setting(source, "lfs.url")
            settings |= {"lfs.storage": os.path.join(_common_directory(source), "lfs"), **({"lfs.url": own} if own else {})}
        try:
            self._git(["lfs", "pull"], "get the files that are stored in Git LFS", settings=settings)
        except GitFailed as failed:
            raise Refused(f"{failed} Get them in the checkout first: git lfs pull; in GitHub's workflows: ci_setup_lfs. Nothing was built.") from None
        left = self._pointers(paths)
        if left:
            raise Refused(f"{_some(left)}: stored in Git LFS, and not to be had. Get it in the checkout first: git lfs pull. Nothing was built.")

    def _pointers(self, paths: list[str]) -> list[str]:
        """Those that are still pointers."""
        found = []
        for path in paths:
            with contextlib.suppress(FileNotFoundError), open(os.path.join(self.directory, path), "rb") as file:
                if file.read(len(_POINTER)) == _POINTER:
                    found.append(path)
        return found


# --- The repository that it comes from --------------------------------------------------------------------------------
def _setting(source: str, name: str) -> str:
    try:
        return git_cli.run(["-C", source, _ANY_TREE, "config", "--get", name], f"read {name}").rstrip("\n")
    except GitFailed:  # it is not set
        return ""


def _common_directory(source: str) -> str:
    """The `.git` that all working trees of a repository share."""
    return os.path.join(source, git_cli.run(["-C", source, _ANY_TREE, "rev-parse", "--git-common-dir"], f"find the repository of {source}").rstrip("\n"))


def _places(source: str, name: str, path: str) -> list[str]:
    """Where a checkout may have a submodule: in the working tree, in its own `.git`, and in the one that all its working trees share."""
    inside = os.path.join(source, path)
    places = [inside] if os.path.lexists(os.path.join(inside, ".git")) else []
    if ".." not in name.split("/"):
        directories = [source]
        with contextlib.suppress(GitFailed):
            directories += [git_cli.run(["-C", source, _ANY_TREE, "rev-parse", "--absolute-git-dir"], "find it").rstrip("\n"), _common_directory(source)]
        places += [place for directory in dict.fromkeys(directories) if os.path.isdir(place := os.path.join(directory, "modules", name))]
    return places


def resolved(base: str, url: str) -> str:
    """A submodule's URL; one that begins with ./ or ../ is relative to that of the repository around it (gitmodules(5))."""
    if not url.startswith(("./", "../")):
        return url
    base = base.rstrip("/")
    while True:
        if url.startswith("./"):
            url = url[2:]
        elif url.startswith("../"):
            url = url[3:]
            cut = max(base.rfind("/"), base.rfind(":"))
            base, colon = base[:cut], base[cut : cut + 1] == ":"
            if colon:
                return f"{base}:{url}"
        else:
            return f"{base}/{url}"


def shown(url: str) -> str:
    """A URL without the password that may be in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url


def _some(paths: list[str]) -> str:
    return f"{', '.join(paths[:3])}{f' and {len(paths) - 3} more files' if len(paths) > 3 else ''}"
