"""Which part of the test files runs in which of several labs (tests/bin/test-lab), so that all take about as long.

A file stays whole: its tests share what they have made. What each takes need not be exact, and a file that is not listed is taken for middling.
"""

from __future__ import annotations

# Seconds, as measured with three labs at work on 2 cores.
SECONDS: dict[str, int] = {
    "test_power.py": 676,
    "test_fault_matrix.py": 648,
    "test_diagnosis.py": 559,
    "test_modules_as_documented.py": 414,
    "test_many_releases.py": 297,
    "test_power_faults.py": 280,
    "test_rollback.py": 260,
    "test_lock_and_ledger.py": 239,
    "test_secrets_verbs.py": 234,
    "test_release.py": 204,
    "test_check_mode.py": 184,
    "test_power_killed.py": 150,
    "test_live_view.py": 149,
    "test_killed.py": 144,
    "test_saved_plan.py": 141,
    "test_scale.py": 137,
    "test_guard.py": 133,
    "test_first_day.py": 124,
    "test_two_at_once.py": 115,
    "test_refusals.py": 113,
    "test_redis_modules.py": 112,
    "test_operate.py": 110,
    "test_emulator.py": 108,
    "test_artifact.py": 102,
    "test_second_environment.py": 97,
    "test_prune.py": 96,
    "test_drift.py": 88,
    "test_cost_and_status.py": 87,
    "test_secrets_never_show.py": 85,
    "test_result_file.py": 81,
    "test_emulator_power.py": 57,
    "test_provider_states.py": 52,
    "test_sample_app.py": 52,
    "test_runner.py": 50,
    "test_schedule.py": 48,
    "test_run_task.py": 46,
    "test_awx_configure.py": 39,
    "test_emulator_recovery.py": 39,
    "test_preflight.py": 27,
    "test_molecule.py": 20,
    "test_lab_command.py": 8,
    "test_faults.py": 3,
    "test_ci.py": 1,
    "test_recovery.py": 1,
    "test_docs_commands.py": 1,
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
