"""psycopg 3, which is libpq: connects as DATABASE_URL says, and tells whether the server sees TLS, or how it failed."""

import json
import os

import psycopg

try:
    with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=10) as connection:
        print(json.dumps({"tls": connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()[0]}))
except psycopg.Error as error:
    print(json.dumps({"failed": str(error).strip().splitlines()[0], "code": error.sqlstate or ""}))
