"""Every test file runs in one of the labs, and none in two."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import shards  # noqa: E402

FILES = [f"test_{letter}.py" for letter in "abcdefg"]


def test_each_file_is_in_one_part():
    assert sorted(shards.chosen(FILES, "1/2") + shards.chosen(FILES, "2/2")) == FILES


def test_one_part_is_all():
    assert sorted(shards.chosen(FILES, "1/1")) == FILES


def test_the_parts_take_about_as_long(monkeypatch):
    monkeypatch.setattr(shards, "SECONDS", {"test_a.py": 100, "test_b.py": 60, "test_c.py": 40})
    assert shards.divided(["test_a.py", "test_b.py", "test_c.py"], 2) == [["test_a.py"], ["test_b.py", "test_c.py"]]


def test_what_is_listed_exists():
    there = {path.name for path in Path(shards.__file__).parent.glob("test_*.py")}
    assert set(shards.SECONDS) <= there
