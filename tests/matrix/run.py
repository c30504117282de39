"""Every end of ends.toml in turn: what of it this machine has, its unit tests, its first day in the lab, and a table of what was seen."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from . import lab, terraform, units
from .environment import CHECKOUT, MATRIX, End, Failed, Lack, make, seen, variables

TABLE = Path(__file__).resolve().parent / "ends.toml"
COLUMNS = ("Python", "ansible-core", "amazon.aws", "boto3", "botocore", "Terraform")


@dataclass
class Result:
    end: End
    versions: dict[str, str] = field(default_factory=dict)
    unit: units.Outcome | None = None
    steps: list[lab.Step] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    @property
    def ran(self) -> bool:
        return self.unit is not None or bool(self.steps)

    @property
    def good(self) -> bool:
        return not self.trouble and (self.unit is None or self.unit.good) and all(step.good for step in self.steps)

    def as_json(self) -> str:
        told = {"end": self.end.name, "versions": self.versions, "lacks": self.lacks, "trouble": self.trouble}
        if self.unit is not None:
            told["unit"] = {"passed": self.unit.passed, "failed": self.unit.failed, "skipped": self.unit.skipped, "trouble": self.unit.trouble}
        told["lab"] = [{"playbook": step.verb, "code": step.code, "seconds": round(step.seconds, 1), "recap": step.recap} for step in self.steps]
        return json.dumps(told, indent=2) + "\n"


def ends(table: Path = TABLE) -> list[End]:
    return [End(**row) for row in tomllib.loads(table.read_text())["end"]]


def run_end(end: End, with_units: bool, with_lab: bool) -> Result:
    result = Result(end)
    try:
        make(end, os.environ)
        kept = CHECKOUT / ".lab" / "terraform"
        if terraform.find(end.terraform, os.environ, kept) is None:
            terraform.bring(end.terraform, kept)
        found = terraform.find(end.terraform, os.environ, kept)
        if found is None:
            result.lacks.append(f"Terraform {' or '.join(end.terraform)}; name one with TERRAFORM_{end.terraform[0].replace('.', '_')}=")
        environ = variables(end, os.environ, found[0] if found else None)
        result.versions = seen(end, environ)
        result.versions["Terraform"] = found[1] if found else other_terraform(environ)
        say(end, ", ".join(f"{name} {result.versions[name]}" for name in COLUMNS))
        if with_units:
            result.unit = units.run(end, environ)
            say(end, f"unit tests: {result.unit}")
            for name in result.unit.failed:
                say(end, f"  failed: {name}")
        if with_lab:
            for step in lab.first_day(end, environ):
                result.steps.append(step)
                say(end, f"{step} ({step.recap}), {end.directory / f'{step.verb}.log'}")
    except Lack as lack:
        result.lacks.append(str(lack))
    except (Failed, OSError, subprocess.SubprocessError) as failed:
        result.trouble.append(str(failed))
        say(end, str(failed))
    for lack in result.lacks:
        say(end, f"this machine has not: {lack}")
    end.directory.mkdir(parents=True, exist_ok=True)
    (end.directory / "result.json").write_text(result.as_json())
    return result


def other_terraform(environ: dict[str, str]) -> str:
    """In place of the one that is lacking goes whichever is first in PATH: the table tells which it was."""
    found = [version for entry in environ["PATH"].split(os.pathsep) if (version := terraform.version(Path(entry) / "terraform"))]
    return found[0] if found else "none"


def say(end: End, text: str) -> None:
    print(f"{end.name}: {text}", flush=True)


def table(results: list[Result]) -> str:
    head = ["End", *COLUMNS, "Unit tests", "In the lab", "Not on this machine"]
    rows = [
        [
            result.end.name,
            *(result.versions.get(name, "") for name in COLUMNS),
            str(result.unit) if result.unit else "not run",
            ", ".join(str(step) for step in result.steps) or "not run",
            ". ".join([*result.lacks, *(trouble.splitlines()[0] for trouble in result.trouble)]),
        ]
        for result in results
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/bin/test-matrix", description=__doc__)
    parser.add_argument("--end", action="append", choices=[end.name for end in ends()], help="this one only; may be given more than once")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--unit", action="store_true", help="the unit tests only, which need no Docker")
    only.add_argument("--lab", action="store_true", help="the playbooks in the lab only")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = [run_end(end, not chosen.lab, not chosen.unit) for end in ends() if not chosen.end or end.name in chosen.end]
    text = table(results)
    report = MATRIX / "report.md"
    report.write_text(text)
    print(f"\n{text}\nLeft out of the unit tests: {', '.join(units.LEFT_OUT)}. The table is in {report}, each end's logs are beside it.")
    if not any(result.ran for result in results):
        print("Nothing ran: this machine has none of these ends.", file=sys.stderr)
        return 1
    return 0 if all(result.good for result in results) else 1
