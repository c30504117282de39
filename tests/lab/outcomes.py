"""What a run of the lab's tests has shown, by what its labs wrote down: whether the tests that docs/runbook.md names have passed, and whether every
playbook was typed for real, again with nothing to do, and with --check.

python tests/lab/outcomes.py FILE...
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
RUNBOOK = CHECKOUT / "docs" / "runbook.md"
PASSED, FAILED, SKIPPED, LEFT = "passed", "failed", "skipped", "left"
# What is said of a test with several cases, or of one that passed and whose fixture then failed: the first of these that any of them gave.
WORST_FIRST = (FAILED, PASSED, SKIPPED, LEFT)
# How a playbook was typed, and ended well.
CHECK, REAL, UNCHANGED = "--check", "for real", "with nothing to do"
# What these are typed for they do each time; GitHub shows no secret's value, so that ci_setup writes each anew.
EACH_TIME = {"ci_setup.yml", "exec.yml", "migrate.yml", "restart.yml", "restore_database.yml", "restore_redis.yml", "rotate_database_password.yml"}


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
        self.typed: Counter[tuple[str, str]] = Counter()

    def add(self, node: str, when: str, outcome: str) -> None:
        if outcome == PASSED and when != "call":
            return
        name = test_of(node)
        self.of[name] = worst(outcome, self.of.get(name, outcome))

    def leave(self, node: str) -> None:
        """A test that this run does not take."""
        self.add(node, "setup", LEFT)

    def type(self, playbook: str, arguments: Iterable[str], code: int, changed: int) -> None:
        if code == 0:
            check = "--check" in arguments
            self.typed[(playbook, CHECK if check else REAL)] += 1
            self.typed[(playbook, UNCHANGED)] += not check and changed == 0

    def document(self) -> dict:
        return {"tests": self.of, "typed": [[*key, times] for key, times in sorted(self.typed.items()) if times]}


def named(runbook: str) -> list[str]:
    """Each once, in the table's order."""
    return list(dict.fromkeys(re.findall(r"`(test_\w+\.py::test_\w+)`", runbook)))


def merged(documents: Iterable[dict]) -> tuple[dict[str, str], Counter[tuple[str, str]]]:
    """(outcome of each test, how often each playbook was typed in which way) over all labs."""
    found: dict[str, str] = {}
    typed: Counter[tuple[str, str]] = Counter()
    for document in documents:
        for name, outcome in document["tests"].items():
            found[name] = worst(outcome, found.get(name, outcome))
        for playbook, way, times in document["typed"]:
            typed[(playbook, way)] += times
    return found, typed


def of_the_runbook(names: list[str], found: dict[str, str]) -> tuple[str, bool]:
    """A sentence, and whether all is well."""
    left = [name for name in names if found.get(name) == LEFT]
    missing = [f"{name} ({found.get(name, 'not run')})" for name in names if found.get(name) not in (PASSED, LEFT)]
    if missing:
        return f"The runbook (docs/runbook.md) names tests that did not pass: {', '.join(missing)}.", False
    rest = f"; {len(left)} are left to `make test-all` and `make test-soak`" if left else ""
    return f"Of the {len(names)} tests that docs/runbook.md names {len(names) - len(left)} passed{rest}.", True


def of_the_playbooks(playbooks: Iterable[str], typed: Counter[tuple[str, str]]) -> tuple[str, bool]:
    """A sentence, and whether each was typed in every way that it has."""
    names = sorted(playbooks)
    missing = [f"{name} {way}" for name in names for way in (CHECK, REAL, *([] if name in EACH_TIME else [UNCHANGED])) if not typed[(name, way)]]
    if missing:
        return f"Playbooks that were not typed and did not end well: {', '.join(missing)}.", False
    return f"All {len(names)} playbooks were typed for real, with --check, and again with nothing to do (but {len(EACH_TIME)} that act each time).", True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what each lab wrote")
    parser.add_argument("--without-playbooks", action="store_true", help="of a run that is not to type them all")
    given = parser.parse_args()
    found, typed = merged(json.loads(file.read_text()) for file in given.files)
    verdicts = [of_the_runbook(named(RUNBOOK.read_text()), found)]
    if not given.without_playbooks:
        verdicts.append(of_the_playbooks([path.name for path in (CHECKOUT / "playbooks").glob("*.yml")], typed))
    for says, _ in verdicts:
        print(says)
    return 0 if all(well for _, well in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
