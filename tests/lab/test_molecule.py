"""The scenarios of extensions/molecule: each role by its playbook, twice, as a check, and a look at what it left."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from conftest import CHECKOUT

SCENARIOS = sorted(path.parent.name for path in (CHECKOUT / "extensions" / "molecule").glob("*/molecule.yml"))
# One that takes the lock; the rest is left to `make test-soak`.
QUICK = ("lock",)


@pytest.mark.parametrize("scenario", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.soak]) for name in SCENARIOS])
def test_a_scenario_converges_once_and_for_all(lab, scenario, tmp_path):
    command = ["molecule", "--env-file", str(tmp_path / "none"), "test", "--scenario-name", scenario]
    environment = {**os.environ, "MOLECULE_EPHEMERAL_DIRECTORY": str(tmp_path / "molecule")}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600)
    output = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    assert done.returncode == 0, output
    for action in ("converge", "idempotence", "check", "verify"):
        assert f"{scenario} ➜ {action}: Executed: Successful" in output, output
