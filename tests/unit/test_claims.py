"""Every test file runs in one of the labs, and none in two."""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import claims  # noqa: E402

FILES = ["test_a.py", "test_b.py", "test_c.py"]


@dataclass(frozen=True)
class Item:
    path: Path
    name: str


def test_the_longest_come_first(monkeypatch):
    monkeypatch.setattr(claims, "SECONDS", {"test_c.py": 100, "test_a.py": 1})
    assert claims.in_order(FILES) == ["test_c.py", "test_b.py", "test_a.py"]


def test_two_labs_by_turns_take_each_file_once(tmp_path):
    one, other = claims.taken(FILES, tmp_path), claims.taken(FILES, tmp_path)
    assert [next(one), next(other), next(one)] == FILES
    assert list(one) == list(other) == []


def test_each_test_runs_with_the_one_that_follows_in_its_lab(tmp_path):
    (tmp_path / "test_b.py").touch()
    items = [Item(Path(file), name) for file in FILES for name in ("first", "second")]
    ran = []
    claims.run(items, tmp_path, lambda item, following: ran.append((item, following)))
    mine = [item for item in items if item.path.name != "test_b.py"]
    assert ran == list(zip(mine, [*mine[1:], None], strict=True))


def test_a_lab_that_comes_too_late_runs_nothing(tmp_path):
    for file in FILES:
        (tmp_path / file).touch()
    claims.run([Item(Path(file), "only") for file in FILES], tmp_path, lambda *_: 1 / 0)


def test_what_is_listed_exists():
    there = {path.name for path in Path(claims.__file__).parent.glob("test_*.py")}
    assert set(claims.SECONDS) <= there
