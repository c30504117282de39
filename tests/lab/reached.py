"""Which test files of the lab a change reaches, beyond the core: followed through imports, tasks, templates, roles and playbooks to the tests that name them.

    python tests/lab/reached.py [--base COMMIT] [--seconds N]

Prints their names, the nearest first, as far as they fit into N seconds of one lab (claims.py knows what each takes); what does not fit is told on
standard error. What cannot be followed - infra/, the lab, an inventory, the shared role - counts as reaching everything.
"""

from __future__ import annotations

import argparse
import functools
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import claims

CHECKOUT = Path(__file__).resolve().parents[2]
# No test of the lab depends on these (the docs' commands are a part of the soak).
NOTHING = re.compile(
    r"\.md$|^(docs|changelogs|findings|\.github|tests/(unit|bench)|extensions)/|^(LICENSE|CHANGELOG\.rst|\.gitignore|\.yamllint|\.ansible-lint.*)$"
)
# What can be followed; roles/environment is part of every playbook.
FOLLOWED = re.compile(r"^(plugins/|playbooks/|roles/(?!environment/)|tests/lab/(?!conftest\.py|tiers\.py))")


def changed_since(base: str) -> list[str]:
    """Paths, those that git does not track yet, too."""
    done = subprocess.run(["git", "diff", "--name-only", "--no-renames", base], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    new = subprocess.run(["git", "ls-files", "--others", "--exclude-standard"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return sorted({*done.stdout.split("\n"), *new.stdout.split("\n")} - {""})


def default_base() -> str:
    """Where the branch left origin/main; on main itself what was committed in the twelve hours before its newest commit is the change."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    head, fork = git("rev-parse", "HEAD"), git("merge-base", "HEAD", "origin/main")
    if fork and fork != head:
        return fork
    newest = int(git("log", "-1", "--format=%ct"))
    return git("rev-list", "-1", f"--before={newest - 12 * 3600}", "HEAD") or git("rev-list", "--max-parents=0", "HEAD").split()[0]


def unit_of(path: str) -> str:
    """A role is followed as a whole, as its files name each other in many ways."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "roles" else path


@functools.cache
def text_of(unit: str) -> str:
    place = CHECKOUT / unit
    files = [place] if place.is_file() else sorted(file for file in place.rglob("*") if file.is_file() and file.suffix not in (".md", ".pyc"))
    return "\n".join(file.read_text(errors="replace") for file in files)


@functools.cache
def units() -> tuple[str, ...]:
    found = [path for pattern in ("plugins/**/*.py", "playbooks/*.yml", "tests/lab/*.py") for path in CHECKOUT.glob(pattern)]
    return tuple(sorted([str(path.relative_to(CHECKOUT)) for path in found] + [f"roles/{path.name}" for path in (CHECKOUT / "roles").iterdir()]))


def mentions(unit: str) -> tuple[str, str]:
    """(how those who use a unit write its name, where they may be): two regular expressions."""
    kind, name = unit.split("/")[:2], re.escape(Path(unit).stem)
    if kind[0] == "roles":
        return rf"atena\.aws\.{re.escape(Path(unit).name)}\b", "roles/|playbooks/"
    if kind[0] == "playbooks":
        return rf"(?<![\w-]){name}\.yml\b", "playbooks/|tests/"
    if kind[0] == "tests":
        return rf"^(import|from) {name}\b", "tests/"
    if kind[1] in ("module_utils", "plugin_utils"):
        place = r"\.".join(map(re.escape, Path(unit).with_suffix("").parts[2:]))
        package = re.escape(kind[1]) + "".join(rf"\.{re.escape(part)}" for part in Path(unit).parts[2:-1])
        return rf"\b{kind[1]}(\.{place}\b|\([\"']{place}[\"']\))|\b{package} import (\(\s*)?(\w+( as \w+)?,\s+)*{name}\b", "plugins/|tests/"
    if kind[1] == "filter":
        registered = re.findall(r'"(\w+)":', text_of(unit).partition("def filters")[2])
        return rf"\batena\.aws\.({'|'.join(registered)})\b", "roles/|playbooks/"
    # A module, by a task or by a test's run_module("it").
    return rf"\batena\.aws\.{name}\b|[\"']{name}[\"']", "roles/|playbooks/|tests/|plugins/modules/"


@functools.cache
def users(unit: str) -> frozenset[str]:
    """Who names it: perhaps more than use it, never fewer."""
    pattern, places = mentions(unit)
    name, place = re.compile(pattern, re.MULTILINE), re.compile(places)
    return frozenset(other for other in units() if other != unit and place.match(other) and FOLLOWED.match(other) and name.search(text_of(other)))


def distances(changed: Iterable[str]) -> dict[str, int] | None:
    """{test file: how many steps from the change}; None: everything is reached."""
    front = set()
    for path in changed:
        if NOTHING.search(path):
            continue
        if not FOLLOWED.match(path):
            return None
        front.add(unit_of(path))
    found: dict[str, int] = {}
    for steps in range(len(units())):
        if not front:
            break
        found.update(dict.fromkeys(front, steps))
        front = {user for unit in front for user in users(unit)} - set(found)
    return {Path(unit).name: steps for unit, steps in found.items() if re.fullmatch(r"tests/lab/test_\w+\.py", unit)}


def that_fit(files: dict[str, int], seconds: int) -> Iterator[str]:
    """The nearest first, of those equally near the shortest."""
    for file in sorted(files, key=lambda name: (files[name], claims.SECONDS.get(name, claims.MIDDLING), name)):
        takes = claims.SECONDS.get(file, claims.MIDDLING)
        if takes <= seconds:
            seconds -= takes
            yield file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="", help="the commit that the change is against")
    parser.add_argument("--seconds", type=int, default=900, help="of one lab, for what is added to the core")
    given = parser.parse_args()
    base = given.base or default_base()
    changed = changed_since(base)
    near = distances(changed)
    every = {path.name: 0 for path in CHECKOUT.glob("tests/lab/test_*.py")}
    files = every if near is None else {file: steps for file, steps in near.items() if file in every}
    taken = list(that_fit(files, given.seconds))
    left = sorted(set(files) - set(taken))
    print(f"{len(changed)} files changed since {base[:12]} reach {len(files)} of {len(every)} test files of the lab.", file=sys.stderr)
    if left:
        print(f"Left to `make test-all`, as they do not fit into {given.seconds} s: {', '.join(left)}", file=sys.stderr)
    print("\n".join(taken))


if __name__ == "__main__":
    main()
