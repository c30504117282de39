# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The application's commit, which a release is named after: whole, short, and as the tag of its images; and which one somebody means who wrote its
beginning. No call to AWS or git here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed

# What is shown of a commit, and the least that names one, as git shortens it by itself.
SHORT, SHORTEST = 12, 7
_TAG = "sha-"
# SHA-1, and SHA-256 of repositories that have it.
_WHOLE = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# What an error lists at the most.
_LISTED = 20


@dataclass(frozen=True, order=True)
class Commit:
    """A commit by all its digits."""

    full: str

    def __post_init__(self) -> None:
        if not _WHOLE.fullmatch(self.full):
            raise ValueError(f"'{self.full}' is no whole commit, which has 40 digits from 0 to f (64 in a repository of SHA-256)")

    def __str__(self) -> str:
        return self.full

    @property
    def short(self) -> str:
        return short(self.full)

    @property
    def tag(self) -> str:
        """Of its images in ECR."""
        return tag(self.full)

    @classmethod
    def of_tag(cls, text: str) -> Commit | None:
        """The commit that an image's tag names; None of any other tag."""
        digits = text.removeprefix(_TAG)
        return cls(digits) if digits != text and _WHOLE.fullmatch(digits) else None


def is_whole(text: str) -> bool:
    return _WHOLE.fullmatch(text) is not None


def short(name: str) -> str:
    """What is shown of a release's name: a commit, unless somebody released with a name of their own."""
    return name[:SHORT]


def tag(name: str) -> str:
    return f"{_TAG}{name}"


def means(reference: str, commit: str, names: Iterable[str] = ()) -> bool:
    """Whether a reference may mean this commit, which goes by these names, too: it is one of them, or the beginning of one."""
    return commit.startswith(reference.lower()) or any(name.startswith(reference) for name in (commit, *names))


class NotOne(CallFailed):
    """What somebody wrote names no commit that is known here, or several."""


def resolve(reference: str, known: Mapping[str, Iterable[str]], *, nobody: str, listed: Callable[[set[str]], list[str]]) -> str:
    """The one commit that a reference means.

    known: {commit: the names that it goes by, too, such as the ids of its releases}. nobody: begins the sentence where it means none. listed: lines on
    the commits that it may mean, or, asked for none, on what there is.
    """
    for commit, names in known.items():
        if reference == commit or reference in names:
            return commit
    found = {commit for commit, names in known.items() if means(reference, commit, names)} if reference else set()
    if len(reference) < SHORTEST:
        raise _not_one(f"'{reference}' is too short: at least {SHORTEST} characters distinguish commits", listed(found))
    if len(found) == 1:
        return found.pop()
    problem = f"'{reference}' names releases of {len(found)} commits; write more of it" if found else f"{nobody} is called '{reference}'"
    raise _not_one(problem, listed(found))


def _not_one(problem: str, lines: list[str]) -> NotOne:
    return NotOne("\n".join([f"{problem}. Nothing was changed. Give the id, the commit, or the beginning of one:", *lines[: _LISTED + 1]]))
