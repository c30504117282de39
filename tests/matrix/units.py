"""The collection's unit tests in an end's environment, and what came of them."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from .environment import CHECKOUT, End

# What is not about the playbooks' environment: the lab's own programs (they have environments of their own), and the image that ansible-builder makes.
LEFT_OUT = ("lab_core", "lab_provider", "test_execution_environment.py")


@dataclass
class Outcome:
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: int = 0
    # Where there was no test at all to tell of.
    trouble: str = ""

    @property
    def good(self) -> bool:
        return self.passed > 0 and not self.failed and not self.trouble

    def __str__(self) -> str:
        return self.trouble or f"{self.passed} passed, {len(self.failed)} failed, {self.skipped} skipped"


def run(end: End, variables: dict[str, str]) -> Outcome:
    report, log = end.directory / "unit.xml", end.directory / "unit.log"
    report.unlink(missing_ok=True)
    ignored = [f"--ignore=tests/unit/{name}" for name in LEFT_OUT]
    command = [str(end.interpreter), "-m", "pytest", "tests/unit", *ignored, f"--junitxml={report}", "-p", "no:cacheprovider"]
    with log.open("w") as output:
        code = subprocess.run(command, cwd=CHECKOUT, env=variables, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).returncode
    return read(report, code, log)


def read(report: Path, code: int, log: Path) -> Outcome:
    """From pytest's own report; its code tells of what is in none, such as a run that was killed."""
    if not report.exists():
        return Outcome(trouble=f"pytest ended with {code} and no report: {log}")
    outcome = Outcome()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            outcome.failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif "skipped" in kinds:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    if code and not outcome.failed:
        outcome.trouble = f"pytest ended with {code}: {log}"
    return outcome
