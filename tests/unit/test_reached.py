"""Which test files of the lab a change reaches."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import reached  # noqa: E402


@pytest.mark.parametrize(
    ("changed", "near", "not_reached"),
    [
        # Through a module, its role and its playbook.
        ("plugins/module_utils/release/prune_plan.py", "test_prune.py", "test_guard.py"),
        # One of several that are imported together, a line each.
        ("plugins/module_utils/status/text.py", "test_cost_and_status.py", "test_molecule.py"),
        ("plugins/modules/environment_guard.py", "test_guard.py", "test_prune.py"),
        ("roles/schedule/tasks/main.yml", "test_schedule.py", "test_prune.py"),
        ("playbooks/lock.yml", "test_lock_and_ledger.py", "test_prune.py"),
        # A filter goes by the names that it registers.
        ("plugins/filter/scale.py", "test_scale.py", "test_prune.py"),
        # A helper of the tests.
        ("tests/lab/redis_wire.py", "test_redis_modules.py", "test_prune.py"),
        ("tests/lab/test_prune.py", "test_prune.py", "test_scale.py"),
    ],
)
def test_a_change_is_followed_to_the_tests(changed, near, not_reached):
    found = reached.distances([changed])
    assert near in found and not_reached not in found


@pytest.mark.parametrize(
    "changed",
    ["infra/dns.tf", "lab/emulator/start.py", "roles/environment/defaults/main.yml", "inventories/lab/hosts.yml", "tests/lab/conftest.py", "new.thing"],
)
def test_what_cannot_be_followed_reaches_everything(changed):
    assert reached.distances([changed, "docs/index.md"]) is None


def test_words_reach_nothing():
    assert reached.distances(["docs/index.md", "README.md", "roles/scale/README.md", "changelogs/fragments/x.yml", "tests/unit/test_x.py"]) == {}


def test_the_nearest_that_fit_are_taken(monkeypatch):
    monkeypatch.setattr(reached.claims, "SECONDS", {"test_a.py": 100, "test_b.py": 10, "test_c.py": 80})
    assert list(reached.that_fit({"test_a.py": 1, "test_b.py": 2, "test_c.py": 1}, 95)) == ["test_c.py", "test_b.py"]  # test_a.py no longer fits


def test_the_change_is_what_differs_and_what_is_new(tmp_path, monkeypatch):
    def git(*arguments):
        subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=T", "-c", "user.email=t@example.com", *arguments], check=True, capture_output=True)

    git("init", "--quiet")
    (tmp_path / "kept.py").write_text("1")
    (tmp_path / "edited.py").write_text("1")
    git("add", ".")
    git("commit", "--quiet", "-m", "x")
    (tmp_path / "edited.py").write_text("2")
    (tmp_path / "new.py").write_text("1")
    monkeypatch.setattr(reached, "CHECKOUT", tmp_path)
    assert reached.changed_since("HEAD") == ["edited.py", "new.py"]
