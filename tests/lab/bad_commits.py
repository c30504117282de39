"""Commits of the sample application that go wrong, each in one way. Every function takes the App and returns the commit."""

from __future__ import annotations

import time
import uuid

API = "packages/api/src/server.ts"
ADMIN = "packages/api/src/admin.ts"
HEALTH = "packages/api/src/health.ts"
WORKER = "packages/workers/src/worker.ts"
MIGRATE = "packages/database/src/migrate.ts"
MIGRATIONS = "packages/database/migrations"
# The line that the application writes before it dies: what a person has to find in the end.
ERROR_LINE = "ERROR the flux capacitor is missing"

DYING = f"""
setTimeout(() => {{{{
  console.log("{ERROR_LINE}");
  process.exit({{code}});
}}}}, {{milliseconds}});
"""
HUNGRY = """
const held: Buffer[] = [];
for (;;) held.push(Buffer.alloc(16 << 20, 1));
"""


def harmless(app) -> str:
    return app.change("Harmless change", **{"packages/api/NOTES.md": f"{uuid.uuid4()}\n"})


def dead_at_once(code: int, line: str = ERROR_LINE) -> str:
    return f'console.log("{line}");\nprocess.exit({code});\n'


def crash_at_start(app) -> str:
    return _first(app, API, "Crash at start", dead_at_once(3))


def crash_after(app, seconds: float) -> str:
    """The API is well, and then it dies."""
    return _before_main(app, API, f"Crash after {seconds} s", DYING.format(milliseconds=round(seconds * 1000), code=4))


def admin_crashes(app) -> str:
    """Only the second service with a port; the API is well."""
    return _first(app, ADMIN, "Crash the admin service", dead_at_once(7))


def workers_crash(app) -> str:
    """Only the workers; the API is well."""
    return _first(app, WORKER, "Crash the workers", dead_at_once(5))


def worker_dies_after(app, seconds: float) -> str:
    """The workers are well, and then they die."""
    return _before_main(app, WORKER, f"Let the workers die after {seconds} s", DYING.format(milliseconds=round(seconds * 1000), code=6))


def health_fails(app) -> str:
    """It runs, and says that it is not well."""
    return _other_health(app, "Fail the health check", 'log.error("the health check says no");\n  return [500, { status: "failed", version }];')


def health_is_slow(app, seconds: float) -> str:
    """It runs and is well, but takes so long to say so that the load balancer does not wait for it."""
    slow = f"await new Promise((done) => setTimeout(done, {round(seconds * 1000)}));\n  return wellKnown(all, version, log);"
    return _other_health(app, "Answer the health check slowly", slow)


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


def _other_health(app, message: str, body: str) -> str:
    source, declared = app.read(HEALTH), "export async function health("
    assert source.count(declared) == 1
    signature = f"{declared}all: Checks, version: string, log: Logger): Promise<[number, Record<string, string>]>"
    return app.change(message, **{HEALTH: f"{source.replace(declared, 'async function wellKnown(')}\n{signature} {{\n  {body}\n}}\n"})


def _first(app, path: str, message: str, code: str) -> str:
    return app.change(message, **{path: code + app.read(path)})


def _before_main(app, path: str, message: str, code: str) -> str:
    """Puts code after all definitions and before the program starts."""
    source = app.read(path)
    before, mark, after = source.rpartition("\nawait main();\n" if path == WORKER else "\nmain();\n")
    assert mark and not after, path
    return app.change(message, **{path: f"{before}\n{code}{mark}"})
