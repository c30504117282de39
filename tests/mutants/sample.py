"""How many mutants of plugins/ the unit tests kill: a seeded sample, made by cosmic-ray's operators in a copy of a commit.

    python tests/mutants/sample.py CHECKOUT PYTHON [--count 200] [--seed 1] [--write FILE]

CHECKOUT is changed while this runs (a clone that nobody needs); PYTHON runs its tests. A mutant is a file, drawn by its length, and in it one place of a kind
of operator, drawn evenly. Run are the unit tests that name the file, or a file that imports it; a mutant that no such test names counts as surviving.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import cosmic_ray.plugins
from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import use_mutation

SECONDS = 180
# `int | None` is an annotation nearly everywhere, which nothing evaluates.
LEFT_OUT = re.compile(r"BitOr|BitAnd|BitXor|Shift|_Pow|Decorator|Variable")


def kinds() -> dict[str, list[str]]:
    """{kind: operators}: 'ReplaceBinaryOperator' has a hundred, which are one kind of change."""
    found = collections.defaultdict(list)
    for name in cosmic_ray.plugins.operator_names():
        if not LEFT_OUT.search(name):
            found[name.split("/")[1].split("_")[0]].append(name)
    return dict(sorted(found.items()))


def places(source: str, operator) -> int:
    def walk(node):
        yield from operator.mutation_positions(node)
        for child in getattr(node, "children", []):
            yield from walk(child)

    return sum(1 for _ in walk(get_ast(source)))


def draw(rng: random.Random, files: list[Path]) -> tuple[Path, str, int]:
    """A file, an operator, and which of the places where it can be applied."""
    lengths = [len(file.read_text().splitlines()) for file in files]
    every = kinds()
    while True:
        file = rng.choices(files, weights=lengths)[0]
        source = file.read_text()
        for kind in rng.sample(list(every), len(every)):
            for name in rng.sample(every[kind], min(4, len(every[kind]))):
                if found := places(source, cosmic_ray.plugins.get_operator(name)()):
                    return file, name, rng.randrange(found)


def named(plugins: Path, file: Path) -> str:
    """How those who use a file name it: of our own modules by where they lie, as many a package has its `read` and its `text`."""
    *packages, stem = map(re.escape, file.relative_to(plugins).with_suffix("").parts)
    if packages[0] not in ("module_utils", "plugin_utils"):
        return rf"\b{stem}\b"
    package = r"\.".join(packages)
    return rf"\b{package}(\.{stem}\b| import (\(\s*)?(\w+( as \w+)?,\s+)*{stem}\b)"


def tests_of(checkout: Path, file: Path) -> list[str]:
    """The unit tests that name the file, or one that imports it."""
    plugins = checkout / "plugins"
    imported = re.compile(rf"^from .*{named(plugins, file)}", re.MULTILINE)
    users = [path for path in plugins.glob("**/*.py") if path == file or imported.search(path.read_text())]
    any_of = re.compile("|".join(named(plugins, path) for path in sorted(users)))
    return sorted(str(path.relative_to(checkout)) for path in (checkout / "tests" / "unit").glob("**/test_*.py") if any_of.search(path.read_text()))


def outcome(checkout: Path, python: str, tests: list[str]) -> str:
    if not tests:
        return "no test"
    command = [python, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=checkout, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "killed"
    return "survived" if done.returncode == 0 else "killed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("python")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="a line of JSON for each mutant")
    given = parser.parse_args()
    checkout, rng = given.checkout.resolve(), random.Random(given.seed)
    files = [path for path in sorted(checkout.glob("plugins/**/*.py")) if "doc_fragments" not in path.parts and path.stat().st_size]
    said: collections.Counter[str] = collections.Counter()
    while (number := said.total()) < given.count:
        file, name, place = draw(rng, files)
        try:
            with use_mutation(file, cosmic_ray.plugins.get_operator(name)(), place):
                became = outcome(checkout, given.python, tests_of(checkout, file))
        except AttributeError:
            # cosmic-ray 8.7.0 has no mutant for an exception with a dot in its name, though it counts it as a place.
            continue
        said[became] += 1
        line = json.dumps({"number": number, "file": str(file.relative_to(checkout)), "operator": name, "place": place, "outcome": became})
        print(line, flush=True)
        if given.write:
            with given.write.open("a") as out:
                out.write(line + "\n")
    print(f"{said['killed']} of {given.count} mutants killed ({100 * said['killed'] / given.count:.1f} %), seed {given.seed}: {dict(said)}", file=sys.stderr)


if __name__ == "__main__":
    main()
