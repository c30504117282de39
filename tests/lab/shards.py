"""Which half of the test files runs in which of two labs (tests/bin/test-lab), so that both take about as long.

A file stays whole: its tests share what they have made. What each takes need not be exact, and a file that is not listed is taken for middling.
"""

from __future__ import annotations

# Seconds, as measured with both labs at work on 2 cores.
SECONDS: dict[str, int] = {
    "test_fault_matrix.py": 600,
    "test_diagnosis.py": 400,
    "test_killed.py": 300,
    "test_modules_as_documented.py": 250,
    "test_power.py": 240,
    "test_rollback.py": 200,
    "test_many_releases.py": 200,
    "test_secrets_never_show.py": 200,
    "test_power_faults.py": 200,
    "test_power_killed.py": 200,
    "test_secrets_verbs.py": 250,
    "test_two_at_once.py": 150,
    "test_lock_and_ledger.py": 150,
    "test_release.py": 140,
    "test_schedule.py": 130,
    "test_guard.py": 120,
    "test_redis_modules.py": 120,
    "test_second_environment.py": 120,
    "test_live_view.py": 100,
    "test_scale.py": 100,
    "test_emulator_power.py": 90,
    "test_sample_app.py": 80,
    "test_run_task.py": 70,
    "test_drift.py": 70,
    "test_prune.py": 60,
    "test_check_mode.py": 60,
    "test_refusals.py": 60,
    "test_emulator.py": 60,
    "test_result_file.py": 50,
    "test_first_day.py": 45,
    "test_provider_states.py": 40,
    "test_preflight.py": 20,
    "test_lab_command.py": 8,
    "test_faults.py": 4,
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
