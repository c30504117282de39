"""The connection to PostgreSQL."""

import os
from typing import Any

import psycopg

# Without it the database works on for a client that was killed, with all the locks that it held, until the statement ends by itself.
NOTICE_A_DEAD_CLIENT = "-c client_connection_check_interval=2s"


def connect(**options: Any) -> psycopg.Connection:
    return psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5, options=NOTICE_A_DEAD_CLIENT, **options)
