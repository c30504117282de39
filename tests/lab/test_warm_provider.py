"""The process that starts the offline provider quickly: what it forks lives as long as what Terraform started, and it can be done without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from emulator_world import until
from test_killed import descendants

DIRECTORY = Path(os.environ.get("ATENA_LAB_DIR", "")) / "terraform"
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

from atena_lab import process  # noqa: E402 - found through the line above

pytestmark = [pytest.mark.lab, pytest.mark.skipif(not (DIRECTORY / "terraform.rc").exists(), reason="no lab, or one with the real provider")]


def start(program: Path) -> subprocess.Popen:
    """As Terraform starts a provider; its first line tells Terraform where it listens."""
    command = [str(DIRECTORY / "venv" / "bin" / "python"), "-m", "offline", "random"]
    started = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(program)}, stdout=subprocess.PIPE, text=True)
    assert started.stdout.readline().startswith("1|6|unix|")
    return started


@pytest.fixture
def warm() -> int:
    return until(lambda: (DIRECTORY / "warm.sock").exists() and process.read_pid(DIRECTORY.parent / "provider.pid"))


def test_what_is_forked_ends_with_what_terraform_started(warm):
    before = set(descendants(warm))
    front = start(DIRECTORY)
    (forked,) = set(descendants(warm)) - before
    front.kill()
    front.wait()
    until(lambda: process.start_time(forked) is None)
    assert process.start_time(warm) is not None


def test_without_a_warm_process_it_starts_by_itself(warm, tmp_path):
    for name in ("offline", "schema"):
        shutil.copytree(DIRECTORY / name, tmp_path / name)
    before = set(descendants(warm))
    alone = start(tmp_path)
    assert set(descendants(warm)) == before
    alone.kill()
    alone.wait()
