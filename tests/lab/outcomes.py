"""Whether the tests that docs/runbook.md names have passed, by what the labs of one run wrote down.

python tests/lab/outcomes.py FILE... [--again FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"
PASSED, FAILED, SKIPPED, SOAK = "passed", "failed", "skipped", "left to the soak"
# What is said of a test with several cases, or of one that passed and whose fixture then failed: the first of these that any of them gave.
WORST_FIRST = (FAILED, PASSED, SKIPPED, SOAK)
SOAK_REASON = "takes long by nature: make test-soak"


def worst(*outcomes: str) -> str:
    return min(outcomes, key=WORST_FIRST.index)


def test_of(node: str) -> str:
    """`test_x.py::test_it`, as the table has it, of a test's whole name: without its class and its case."""
    path, *names = node.partition("[")[0].split("::")
    return f"{Path(path).name}::{names[-1]}"


class Outcomes:
    """Collected by pytest while it runs."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    def add(self, node: str, when: str, outcome: str, reason: str) -> None:
        if outcome == SKIPPED:
            outcome = SOAK if SOAK_REASON in reason else SKIPPED
        elif outcome == PASSED and when != "call":
            return
        name = test_of(node)
        self.of[name] = worst(outcome, self.of.get(name, outcome))


def named(runbook: str) -> list[str]:
    """Each once, in the table's order."""
    return list(dict.fromkeys(re.findall(r"`(test_\w+\.py::test_\w+)`", runbook)))


def merged(files: Iterable[dict[str, str]], again: dict[str, str] | None = None) -> dict[str, str]:
    found: dict[str, str] = {}
    for outcomes in files:
        for name, outcome in outcomes.items():
            found[name] = worst(outcome, found.get(name, outcome))
    return {**found, **(again or {})}


def verdict(names: list[str], found: dict[str, str]) -> tuple[str, bool]:
    """A sentence, and whether all is well. A run of the soak has those only that it runs; the others are left to `make test`."""
    soak_run = bool(found) and SOAK not in found.values()
    rest = [name for name in names if found.get(name) == SOAK or (soak_run and name not in found)]
    missing = [f"{name} ({found.get(name, 'not run')})" for name in names if name not in rest and found.get(name) != PASSED]
    if missing:
        return f"The runbook (docs/runbook.md) names tests that did not pass: {', '.join(missing)}.", False
    other = "make test" if soak_run else "make test-soak"
    return f"Of the {len(names)} tests that docs/runbook.md names {len(names) - len(rest)} passed; {len(rest)} are left to `{other}`.", True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what each lab wrote")
    parser.add_argument("--again", type=Path, metavar="FILE", help="of the tests that ran a second time")
    given = parser.parse_args()
    labs = [json.loads(file.read_text()) for file in given.files]
    says, well = verdict(named(RUNBOOK.read_text()), merged(labs, json.loads(given.again.read_text()) if given.again else None))
    print(says)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
