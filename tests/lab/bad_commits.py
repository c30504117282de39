"""Commits of the sample application that go wrong, each in one way. Every function takes the App and returns the commit."""

from __future__ import annotations

import time
import uuid

API = "packages/api/server.py"
WORKER = "packages/workers/worker.py"
MIGRATE = "packages/database/migrate.py"
MIGRATIONS = "packages/database/migrations"
# The line that the application writes before it dies: what a person has to find in the end.
ERROR_LINE = "ERROR the flux capacitor is missing"

DYING = f"""
import os, threading, time

def _die():
    time.sleep({{seconds}})
    print("{ERROR_LINE}", flush=True)
    os._exit({{code}})

threading.Thread(target=_die, daemon=True).start()
"""
HUNGRY = """
_held = []
while True:
    _held.append(bytearray(16 * 1024 * 1024))
    for _page in range(0, len(_held[-1]), 4096):
        _held[-1][_page] = 1
"""


def harmless(app) -> str:
    return app.change("Harmless change", **{"packages/api/NOTES.md": f"{uuid.uuid4()}\n"})


def crash_at_start(app) -> str:
    return _first(app, API, "Crash at start", f'import sys\nprint("{ERROR_LINE}", flush=True)\nsys.exit(3)\n')


def crash_after(app, seconds: float) -> str:
    """The API is well, and then it dies."""
    return _before_main(app, API, f"Crash after {seconds} s", DYING.format(seconds=seconds, code=4))


def workers_crash(app) -> str:
    """Only the workers; the API is well."""
    return _first(app, WORKER, "Crash the workers", f'import sys\nprint("{ERROR_LINE}", flush=True)\nsys.exit(5)\n')


def worker_dies_after(app, seconds: float) -> str:
    """The workers are well, and then they die."""
    return _before_main(app, WORKER, f"Let the workers die after {seconds} s", DYING.format(seconds=seconds, code=6))


def health_fails(app) -> str:
    """It runs, and says that it is not well."""
    broken = '\ndef health():\n    log.error("the health check says no")\n    return 500, {"status": "failed", "version": VERSION}\n\n'
    return _before_main(app, API, "Fail the health check", broken)


def health_is_slow(app, seconds: float) -> str:
    """It runs and is well, but takes so long to say so that the load balancer does not wait for it."""
    slow = f"\nimport time\n_health = health\n\ndef health():\n    time.sleep({seconds})\n    return _health()\n\n"
    return _before_main(app, API, "Answer the health check slowly", slow)


def memory_hog(app) -> str:
    return _before_main(app, API, "Take all memory", HUNGRY)


def new_migration(what: str) -> str:
    """Path of a migration that comes after every other: one that comes before another that was applied is refused, and other tests apply theirs."""
    return f"{MIGRATIONS}/{int(time.time())}_{what}.sql"


def migration_fails(app) -> str:
    sql = "CREATE TABLE half (id int);\nSELECT * FROM no_such_table;\n"
    return app.change("Break the migration", **{new_migration("broken"): sql})


def migration_hangs(app) -> str:
    return app.change("Let the migration hang", **{new_migration("hangs"): "SELECT pg_sleep(3600);\n"})


def _first(app, path: str, message: str, code: str) -> str:
    return app.change(message, **{path: code + app.read(path)})


def _before_main(app, path: str, message: str, code: str) -> str:
    """Puts code after all definitions and before the program starts."""
    source, mark = app.read(path), '\nif __name__ == "__main__":\n'
    assert source.count(mark) == 1, path
    return app.change(message, **{path: source.replace(mark, f"{code}{mark}")})
