"""Tell what a database holds, in one line of JSON: the migrations that it has, and how many rows each table.

For a restored database, before it takes the place of another: DATABASE_HOST names the host to ask, all else is as in DATABASE_URL. Reads only;
a database that cannot be reached, or has no table of migrations, is an error.
"""

import json
import os
import sys
from pathlib import Path

import psycopg
from psycopg import sql

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from database import connect  # noqa: E402 - found through the line above


def count(connection: psycopg.Connection) -> dict[str, object]:
    migrations = [row[0] for row in connection.execute("SELECT name FROM schema_migrations ORDER BY version")]
    tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")]
    rows = {}
    for table in tables:
        answer = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        rows[table] = answer[0] if answer else 0
    return {"migrations": migrations, "rows": rows}


def main() -> int:
    host = os.environ.get("DATABASE_HOST")
    try:
        with connect(**({"host": host} if host else {})) as connection:
            connection.read_only = True
            print(json.dumps(count(connection)), flush=True)
    except KeyError:
        print("ERROR count_rows: DATABASE_URL is not set", flush=True)
        return 1
    except psycopg.Error as error:
        print(f"ERROR count_rows: the database cannot be used: {str(error).strip()}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
