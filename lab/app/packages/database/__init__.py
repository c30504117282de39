"""The connection to PostgreSQL."""

import os
from typing import Any

import psycopg


def connect(**options: Any) -> psycopg.Connection:
    return psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5, **options)
