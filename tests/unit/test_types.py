"""What mypy checks is everything, and what it is told to overlook is little and has its reason: `make lint` runs it over plugins and lab."""

import io
import re
import tokenize
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for folder in ("plugins", "lab") for path in (CHECKOUT / folder).rglob("*.py") if not path.is_symlink())
SETTINGS = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["mypy"]
MOST = 20
OURS = ("*", "ansible_collections.*", "ansible_collections.atena", "atena_lab", "extension", "offline", "database", "queue_jobs")
OVERLOOKED = re.compile(r"#\s*(type:\s*ignore|mypy:)")
WITH_REASON = re.compile(r"# type: ignore\[[a-z-]+(, [a-z-]+)*\]  # \w.{10,}")


def overlooked(text):
    """The comments that tell mypy to overlook something."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT and OVERLOOKED.search(token.string)]


@pytest.mark.parametrize(
    ("comment", "fine"),
    [
        ("# type: ignore[override]  # Ansible's own has another signature", True),
        ("# type: ignore[override, misc]  # Ansible's own has another signature", True),
        ("# type: ignore[override]", False),
        ("# type: ignore  # Ansible's own has another signature", False),
        ("# type: ignore[override]  # noqa", False),
        ("# mypy: ignore-errors", False),
    ],
)
def test_a_reason_is_told_from_none(comment, fine):
    assert overlooked(f"x = 1  {comment}\ny = '# type: ignore'\n") == [comment]
    assert bool(WITH_REASON.fullmatch(comment)) == fine


def test_what_is_overlooked_is_little_and_has_its_reason():
    found = [(str(path.relative_to(CHECKOUT)), comment) for path in SOURCES for comment in overlooked(path.read_text())]
    assert [entry for entry in found if not WITH_REASON.fullmatch(entry[1])] == []
    assert len(found) <= MOST, "\n".join(f"{path}: {comment}" for path, comment in found)


def test_no_file_is_left_out():
    assert SETTINGS["disallow_untyped_defs"] and SETTINGS["warn_unused_ignores"]
    assert [Path(CHECKOUT / path).resolve() for path in SETTINGS["files"]] == [CHECKOUT / "plugins", CHECKOUT / "lab", CHECKOUT / "lab/lab"]
    assert not {"exclude", "exclude_gitignore", "ignore_errors", "ignore_missing_imports", "follow_imports", "disable_error_code"} & set(SETTINGS)


def test_only_the_imports_of_named_outside_libraries_may_lack_types():
    for override in SETTINGS["overrides"]:
        assert set(override) == {"module", "ignore_missing_imports"}
        assert [name for name in override["module"] if name.startswith(OURS)] == []
