"""Which half of the test files runs in which of several labs (tests/bin/test-lab), so that all take about as long.

A file stays whole: its tests share what they have made. What each takes need not be exact, and a file that is not listed is taken for middling.
"""

from __future__ import annotations

# Seconds, as measured with two labs at work on 2 cores.
SECONDS: dict[str, int] = {
    "test_power.py": 644,
    "test_fault_matrix.py": 496,
    "test_diagnosis.py": 466,
    "test_many_releases.py": 371,
    "test_power_faults.py": 335,
    "test_secrets_verbs.py": 280,
    "test_modules_as_documented.py": 247,
    "test_lock_and_ledger.py": 219,
    "test_power_killed.py": 200,
    "test_killed.py": 190,
    "test_operate.py": 190,
    "test_rollback.py": 189,
    "test_cost_and_status.py": 150,
    "test_check_mode.py": 141,
    "test_runner.py": 140,
    "test_guard.py": 106,
    "test_scale.py": 102,
    "test_release.py": 100,
    "test_secrets_never_show.py": 100,
    "test_awx_configure.py": 100,
    "test_redis_modules.py": 94,
    "test_artifact.py": 90,
    "test_second_environment.py": 87,
    "test_prune.py": 82,
    "test_live_view.py": 81,
    "test_saved_plan.py": 80,
    "test_drift.py": 80,
    "test_schedule.py": 76,
    "test_refusals.py": 74,
    "test_emulator.py": 72,
    "test_two_at_once.py": 69,
    "test_molecule.py": 60,
    "test_emulator_power.py": 52,
    "test_result_file.py": 44,
    "test_sample_app.py": 38,
    "test_provider_states.py": 38,
    "test_emulator_recovery.py": 37,
    "test_run_task.py": 36,
    "test_first_day.py": 34,
    "test_preflight.py": 15,
    "test_lab_command.py": 15,
    "test_recovery.py": 5,
    "test_ci.py": 5,
    "test_faults.py": 5,
}
MIDDLING = 60


def divided(files: list[str], parts: int) -> list[list[str]]:
    """The files in so many parts: the longest first, each to the part that has least to do so far."""
    result: list[list[str]] = [[] for _ in range(parts)]
    load = [0] * parts
    for file in sorted(files, key=lambda name: (-SECONDS.get(name, MIDDLING), name)):
        least = load.index(min(load))
        result[least].append(file)
        load[least] += SECONDS.get(file, MIDDLING)
    return result


def chosen(files: list[str], shard: str) -> list[str]:
    """The files of `shard`, such as '1/2'."""
    number, parts = (int(word) for word in shard.split("/"))
    return divided(files, parts)[number - 1]
