"""`make test-diff`: what a change takes from tests and refusals, for the one who has to say whether it may. It judges nothing, so it never fails for it."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path

from diff.changes import Compared, compare
from diff.git import GitError, Repository
from diff.statements import KINDS, Statement

_HELP = """Lists every assertion, raise and refusal that the working tree no longer has, or has otherwise, than BASE had it.

What only moved is not listed: the same statement as often in the whole tree is no loss. --moves shows these, as two may be the same by chance.
"""


def _place(entry: Statement) -> str:
    return f"{entry.file}:{entry.line} {entry.function or '(module)'}:"


def _said(entry: Statement) -> str:
    return f"the whole test, {len(entry.body)} lines" if entry.kind == "test" else f"{entry.kind}: {entry.text}" if entry.kind == "case" else entry.text


def lines(found: Compared, moves: bool = False):
    lost = sorted(found.lost, key=lambda pair: (pair[0].file, pair[0].line, pair[0].kind != "test", pair[0].text))
    for file, rows in groupby(lost, key=lambda pair: pair[0].file):
        yield f"--- {file}"
        for old, new in rows:
            yield f"{_place(old)} - {_said(old)}"
            if new:
                where = "" if (new.file, new.function) == (old.file, old.function) else f"{_place(new)} "
                yield f"    + {where}{_said(new)}"
        yield ""
    if found.skips:
        yield "--- tests that are left out, or left to `make test-soak`, and were not"
        yield from (f"{_place(entry)} + {entry.text}" for entry in sorted(found.skips, key=lambda entry: (entry.file, entry.line)))
        yield ""
    if moves and found.moved:
        yield "--- moved"
        yield from (f"{_place(old)} > {_place(new)} {_said(new)}" for old, new in found.moved)
        yield ""
    if found.unread:
        yield "--- not compared, as they could not be read"
        yield from (f"{file}: {why}" for file, why in sorted(found.unread.items()))
        yield ""
    gone = Counter(old.kind for old, new in found.lost if new is None)
    altered = Counter(old.kind for old, new in found.lost if new is not None)
    for kind, name in KINDS.items():
        if gone[kind] or altered[kind]:
            yield f"{gone[kind]:5} gone, {altered[kind]:5} altered: {name}"
    yield f"{gone.total()} gone, {altered.total()} altered, {len(found.skips)} skips added; {len(found.moved)} moved; {len(found.unread)} files not compared."


def main(arguments: list[str], directory: Path) -> int:
    parser = argparse.ArgumentParser(prog="test-diff", description=_HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", nargs="?", help="a commit, branch or tag; else where this branch left main, on main the last release, else the last commit")
    parser.add_argument("--moves", action="store_true", help="also what moved")
    asked = parser.parse_args(arguments)
    repository = Repository(directory)
    try:
        base, what = (repository.commit(asked.base), "as asked") if asked.base else repository.default_base()
        found = compare(repository.changes(base))
    except GitError as error:
        print(f"test-diff: {error}", file=sys.stderr)
        return 2
    print(f"From {base[:12]} ({what}) to the working tree.\n")
    print("\n".join(lines(found, asked.moves)))
    return 0
