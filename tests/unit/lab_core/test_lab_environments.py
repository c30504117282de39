"""The emulator has a virtual environment of its own: it insists on one botocore, the playbooks may have any that they support."""

import re
import sys
from pathlib import Path

import pytest
from atena_lab import emulator

CHECKOUT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = {
    "tests/constraints.txt": ["tests/requirements.txt"],
    "lab/constraints.txt": ["lab/requirements.txt", "tests/emulator/requirements.txt"],
}


def pins(file):
    return dict(line.split("==") for line in (CHECKOUT / file).read_text().splitlines() if line and not line.startswith("#"))


@pytest.mark.parametrize("constraints", ENVIRONMENTS)
def test_each_environment_is_pinned_whole_and_to_what_is_required_of_it(constraints):
    pinned = pins(constraints)
    for file in ENVIRONMENTS[constraints]:
        for package, version in pins(file).items():
            assert pinned[re.sub(r"\[.*\]", "", package)] == version


def test_the_playbooks_environment_is_free_of_the_emulator():
    assert "ministack" in pins("lab/constraints.txt")
    assert not {"ministack", "docker", "Hypercorn"} & set(pins("tests/constraints.txt"))


def test_the_emulator_starts_with_its_own_interpreter(tmp_path, monkeypatch):
    monkeypatch.setattr(emulator, "CHECKOUT", tmp_path)
    assert emulator.python() == sys.executable
    own = tmp_path / ".lab" / "emulator-venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.touch()
    assert emulator.python() == str(own)
