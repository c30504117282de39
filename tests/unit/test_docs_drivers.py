"""What docs/application.md says of drivers and of BullMQ is of the versions that the scripts under tests/drivers run, and of the findings that there are."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.atena.aws.plugins.module_utils.ecs.failure_words import LOG_WORDS

ROOT = Path(__file__).resolve().parents[2]
DRIVERS = ROOT / "tests/drivers"
PAGE = (ROOT / "docs/application.md").read_text()


def pinned(file: str) -> dict[str, str]:
    return {name: version.rsplit("@", 1)[-1] for name, version in json.loads((DRIVERS / file).read_text())["dependencies"].items()}


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as a module, with what it imports from beside it."""
    monkeypatch.syspath_prepend(str(DRIVERS))
    loader = importlib.machinery.SourceFileLoader(f"drivers_{name}", str(DRIVERS / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, loader.name, module)
    loader.exec_module(module)
    return module


def test_every_version_is_exact_so_that_a_table_can_be_made_again():
    versions = [*pinned("drivers.json").values(), *pinned("lines.json").values()]
    versions += [line.partition("==")[2] for line in (DRIVERS / "drivers.txt").read_text().splitlines()]
    assert [version for version in versions if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


def test_the_page_has_the_table_of_the_pinned_drivers(monkeypatch):
    table = script("table", monkeypatch)
    python = dict(line.split("==") for line in (DRIVERS / "drivers.txt").read_text().replace("[binary]", "").splitlines())
    versions = {**pinned("drivers.json"), **python}
    assert "| in the URL | " + " | ".join(f"{driver.title} {versions[driver.package]}" for driver in table.DRIVERS) + " |" in PAGE
    assert [row.title for row in table.ROWS if f"\n| {row.title} | " not in PAGE] == []


def test_the_page_has_the_queues_that_were_counted(monkeypatch):
    bullmq = script("bullmq", monkeypatch)
    assert f"| {bullmq.SIDE_BY_SIDE} | {bullmq.BOTH} | 0 |" in PAGE
    for scenario in bullmq.UPGRADE:
        assert f"| {scenario.title} | {scenario.done} | {scenario.lost} |" in PAGE
    lines = pinned("lines.json")
    assert f"Seen with {lines['bullmq5']} and {lines['bullmq']}" in PAGE
    assert lines == {**lines, **{name: version for name, version in pinned("drivers.json").items() if name in lines}}, "one version of each package"


@pytest.mark.parametrize(
    ("seen", "name", "authority", "cell"),
    [
        ({"tls": True}, False, False, "**yes, verified**"),
        ({"tls": True}, True, False, "yes, authority only"),
        ({"tls": True}, True, True, "yes, unverified"),
        ({"tls": False}, True, True, "plain text"),
        ({"failed": "no", "code": "28000"}, False, False, "no: 28000"),
        ({"failed": "invalid sslmode", "code": ""}, False, False, "no: invalid sslmode"),
    ],
)
def test_a_cell_tells_how_much_was_verified(monkeypatch, seen, name, authority, cell):
    assert script("table", monkeypatch).words(seen, name, authority) == cell


def test_each_finding_that_the_page_names_is_one():
    told = PAGE[PAGE.index("### What the diagnosis says of Node.js") :]
    named = {code for row in re.findall(r"^\| (`[^|]*) \|", told, re.M) for code in re.findall(r"`(\w+)`", row)}
    assert len(named) > 12 and named <= {line.code for line in LOG_WORDS}
    assert {line.code for line in LOG_WORDS if line.code.startswith(("NPM", "BULLMQ", "JOBS"))} <= named
