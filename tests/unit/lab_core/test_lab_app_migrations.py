"""The sample application's migration program: which migrations, in which order."""

import importlib.util
import sys
import types
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "lab" / "app" / "packages" / "database" / "migrate.py"


@pytest.fixture
def migrate(monkeypatch):
    # The driver is in the application's images, not here; the decisions need none of it.
    psycopg = types.ModuleType("psycopg")
    psycopg.Error = type("Error", (Exception,), {})
    psycopg.Connection = object
    monkeypatch.setitem(sys.modules, "psycopg", psycopg)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "database", raising=False)
    spec = importlib.util.spec_from_file_location("lab_app_migrate", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("database", None)


def write(folder, *names):
    for name in names:
        (folder / name).write_text("SELECT 1;")
    return folder


def test_they_come_in_the_order_of_their_numbers(migrate, tmp_path):
    found = migrate.read_migrations(write(tmp_path, "010_c.sql", "002_b.sql", "1000_d.sql", "001_a.sql"))
    assert [migration.version for migration in found] == [1, 2, 10, 1000]


@pytest.mark.parametrize("names", [("1_short.sql",), ("001_a.sql", "readme.md"), ("001_a.sql", "001_b.sql")])
def test_what_has_no_clear_order_is_refused(migrate, tmp_path, names):
    with pytest.raises(migrate.MigrationError):
        migrate.read_migrations(write(tmp_path, *names))


def test_only_what_was_not_applied_is_pending(migrate, tmp_path):
    found = migrate.read_migrations(write(tmp_path, "001_a.sql", "002_b.sql", "003_c.sql"))
    assert [migration.version for migration in migrate.pending(found, {1})] == [2, 3]
    assert migrate.pending(found, {1, 2, 3}) == []
    assert len(migrate.pending(found, set())) == 3


def test_a_database_that_is_ahead_is_fine(migrate, tmp_path):
    found = migrate.read_migrations(write(tmp_path, "001_a.sql"))
    assert migrate.pending(found, {1, 2}) == []


def test_one_that_comes_before_an_applied_one_is_refused(migrate, tmp_path):
    found = migrate.read_migrations(write(tmp_path, "001_a.sql", "002_late.sql", "003_c.sql"))
    with pytest.raises(migrate.MigrationError, match="002_late.sql comes before migration 3"):
        migrate.pending(found, {1, 3})


def test_the_applications_own_migrations_are_in_order(migrate):
    assert [migration.version for migration in migrate.read_migrations(PROGRAM.parent / "migrations")] == [1, 2, 3]
