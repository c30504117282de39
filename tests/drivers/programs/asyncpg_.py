"""asyncpg, a driver of its own: connects as DATABASE_URL says, and tells whether the server sees TLS, or how it failed."""

import asyncio
import json
import os
import ssl

import asyncpg


async def ask() -> bool:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"], timeout=10)
    return await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


try:
    print(json.dumps({"tls": asyncio.run(ask())}))
except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.ClientConfigurationError, ssl.SSLError, OSError, ValueError) as error:
    code = getattr(error, "sqlstate", None) or getattr(error, "verify_message", None) or ""
    print(json.dumps({"failed": (str(error).strip().splitlines() or [type(error).__name__])[0], "code": code}))
