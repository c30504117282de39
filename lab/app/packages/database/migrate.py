"""Apply the migrations that this database does not have yet: in order, each in a transaction of its own.

Two runs at once are safe: the second waits for the first. A migration that fails, or is stopped (SIGTERM), leaves nothing of itself behind,
and the program ends with exit code 1; run it again once the migration is mended.
"""

import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from database import connect  # noqa: E402 - found through the line above

DIRECTORY = Path(__file__).resolve().parent / "migrations"
FILE_NAME = re.compile(r"^(\d{3,})_([a-z0-9_]+)\.sql$")
# Any number will do, as long as every release uses the same.
LOCK = 7_263_514

stopping = threading.Event()


class Migration(NamedTuple):
    version: int
    name: str
    sql: str


class MigrationError(Exception):
    pass


def read_migrations(directory: Path) -> list[Migration]:
    """All migrations in the order of their numbers; two with one number, or a file of another name, are errors."""
    found: dict[int, Migration] = {}
    for file in sorted(directory.iterdir()):
        match = FILE_NAME.match(file.name)
        if not match:
            raise MigrationError(f"{file.name} is not named NNN_what_it_does.sql")
        migration = Migration(int(match[1]), file.name, file.read_text())
        if migration.version in found:
            raise MigrationError(f"{file.name} and {found[migration.version].name} have the same number")
        found[migration.version] = migration
    return [found[version] for version in sorted(found)]


def pending(migrations: list[Migration], applied: set[int]) -> list[Migration]:
    """What is still to be applied; a gap below what was applied is an error, since its order can no longer be kept."""
    missing = [migration for migration in migrations if migration.version not in applied]
    if applied and missing and missing[0].version < max(applied):
        raise MigrationError(f"{missing[0].name} comes before migration {max(applied)}, which was already applied: give it a later number")
    return missing


def migrate(connection: psycopg.Connection, migrations: list[Migration]) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))
        if not cursor.fetchone()[0]:
            print("INFO migrate: another migration is at work; waiting for its end", flush=True)
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        cursor.execute("SELECT version FROM schema_migrations")
        todo = pending(migrations, {row[0] for row in cursor.fetchall()})
    for migration in todo:
        if stopping.is_set():
            raise MigrationError(f"was told to stop before {migration.name}")
        started = time.monotonic()
        try:
            with connection.transaction():
                connection.execute(migration.sql)
                connection.execute("INSERT INTO schema_migrations (version, name) VALUES (%s, %s)", (migration.version, migration.name))
        except psycopg.Error as error:
            raise MigrationError(f"{migration.name} failed and was rolled back: {str(error).strip()}") from error
        print(f"INFO migrate: applied {migration.name} in {time.monotonic() - started:.2f} s", flush=True)
    return len(todo)


def stop_at_sigterm(connection: psycopg.Connection) -> None:
    """The statement that runs is cancelled: it would go on in the database, and hold the lock, when this program is gone."""

    def stop(_number: int, _frame: object) -> None:
        stopping.set()
        connection.cancel()

    signal.signal(signal.SIGTERM, stop)


def main() -> int:
    try:
        migrations = read_migrations(DIRECTORY)
        with connect(autocommit=True) as connection:
            stop_at_sigterm(connection)
            count = migrate(connection, migrations)
    except KeyError:
        print("ERROR migrate: DATABASE_URL is not set", flush=True)
        return 1
    except MigrationError as error:
        print(f"ERROR migrate: {error}", flush=True)
        return 1
    except psycopg.Error as error:
        print(f"ERROR migrate: the database cannot be used: {str(error).strip()}", flush=True)
        return 1
    print(f"INFO migrate: {count} applied, {len(migrations)} in all: the schema is up to date", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
