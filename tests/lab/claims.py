"""Which test files run in which of several labs (tests/bin/test-lab): each lab takes the next file that none has taken, the longest first.

A file stays whole: its tests share what they have made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Seconds, as measured with three labs at work on 2 cores. They need not be exact: a long file that begins last keeps its lab alone at work.
SECONDS: dict[str, int] = {
    "test_core_playbooks.py": 829,
    "test_unknown.py": 420,
    "test_recovery.py": 533,
    "test_core_night.py": 86,
    "test_lab_terraform.py": 63,
    "test_power.py": 716,
    "test_fault_matrix.py": 700,
    "test_remedies.py": 900,
    "test_two_web_services.py": 600,
    "test_diagnosis.py": 561,
    "test_power_faults.py": 357,
    "test_rollback.py": 340,
    "test_modules_as_documented.py": 331,
    "test_upgrade.py": 333,
    "test_many_releases.py": 294,
    "test_docs_commands.py": 300,
    "test_verified_database.py": 300,
    "test_secrets_verbs.py": 275,
    "test_release.py": 229,
    "test_lock_and_ledger.py": 205,
    "test_cost_and_status.py": 190,
    "test_secrets_never_show.py": 186,
    "test_refusals.py": 176,
    "test_saved_plan.py": 154,
    "test_service_settings.py": 170,
    "test_scale.py": 152,
    "test_artifact.py": 150,
    "test_lagging_answers.py": 400,
    "test_screens.py": 150,
    "test_killed.py": 79,
    "test_guard.py": 137,
    "test_build.py": 180,
    "test_database_tls.py": 180,
    "test_prune.py": 130,
    "test_second_environment.py": 130,
    "test_power_killed.py": 126,
    "test_check_mode.py": 123,
    "test_redis_modules.py": 119,
    "test_two_at_once.py": 77,
    "test_first_day.py": 56,
    "test_result_file.py": 114,
    "test_live_view.py": 112,
    "test_emulator.py": 94,
    "test_operate.py": 93,
    "test_drift.py": 92,
    "test_runner.py": 87,
    "test_emulator_power.py": 75,
    "test_warm_provider.py": 70,
    "test_sample_app.py": 111,
    "test_run_task.py": 63,
    "test_provider_states.py": 53,
    "test_awx_configure.py": 45,
    "test_emulator_recovery.py": 37,
    "test_ci.py": 45,
    "test_schedule.py": 34,
    "test_preflight.py": 33,
    "test_molecule.py": 31,
    "test_lab_command.py": 10,
    "test_faults.py": 5,
}
# Of a file that is not listed.
MIDDLING = 60


def in_order(files: list[str]) -> list[str]:
    return sorted(files, key=lambda name: (-SECONDS.get(name, MIDDLING), name))


def taken(files: list[str], directory: Path) -> Iterator[str]:
    """The files of this lab, each taken when it is asked for; the directory is the labs' common one."""
    for file in in_order(files):
        try:
            (directory / file).touch(exist_ok=False)
        except FileExistsError:
            continue
        yield file


def run(items: list[Any], directory: Path, run_one: Callable[[Any, Any], None]) -> None:
    """Runs a test with the one that follows, by which pytest knows what of the fixtures to keep."""
    files: dict[str, list[Any]] = {}
    for item in items:
        files.setdefault(item.path.name, []).append(item)
    mine = (files[file] for file in taken(list(files), directory))
    now = next(mine, [])
    while now:
        for item, following in zip(now, now[1:], strict=False):
            run_one(item, following)
        after = next(mine, [])
        run_one(now[-1], after[0] if after else None)
        now = after
