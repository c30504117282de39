"""Put every note that the database knows as not processed back on the queue, once.

For a queue that was lost: Redis came back empty, or from an older snapshot. A note whose job the queue still has, in whatever state, is
left alone, so it may be run at any time and as often as one likes, beside running workers too. A note that was to be delayed is
delayed for what is left of it.
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import redis

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bullmq import Queue  # noqa: E402 - after the line above, as those below
from database import connect  # noqa: E402

from queue_jobs import QUEUE, note_job, redis_url  # noqa: E402

BATCH = 500


async def put_back(queue: Queue, client: redis.Redis, rows: list[tuple[Any, ...]]) -> int:
    """How many of these notes had no job any more."""
    pipe = client.pipeline(transaction=False)
    for note_id, *_ in rows:
        pipe.exists(queue.toKey(str(note_id)))
    missing = [row for row, known in zip(rows, pipe.execute(), strict=True) if not known]
    now = datetime.now(UTC)
    if missing:
        # The queue itself takes no second job of an id that it knows: who was faster does not matter.
        await queue.addBulk([note_job(str(note_id), text, wishes, due_at, now) for note_id, text, wishes, due_at in missing])
    return len(missing)


async def reenqueue() -> tuple[int, int]:
    """How many notes are not processed, and how many of them were put back."""
    queue, client = Queue(QUEUE, {"connection": redis_url()}), redis.Redis.from_url(redis_url(), socket_timeout=10, socket_connect_timeout=5)
    found = back = 0
    try:
        with connect() as connection, connection.cursor(name="not_processed") as cursor:
            cursor.execute("SELECT id, text, wishes, due_at FROM notes WHERE processed_at IS NULL ORDER BY created_at, id")
            while rows := cursor.fetchmany(BATCH):
                found += len(rows)
                back += await put_back(queue, client, rows)
    finally:
        client.close()
        await queue.close()
    return found, back


def main() -> int:
    try:
        found, back = asyncio.run(reenqueue())
    except KeyError as error:
        print(f"ERROR reenqueue: {error.args[0]} is not set", flush=True)
        return 1
    except psycopg.Error as error:
        print(f"ERROR reenqueue: the database cannot be used: {str(error).strip()}", flush=True)
        return 1
    except (redis.RedisError, OSError) as error:
        print(f"ERROR reenqueue: Redis cannot be used: {error}", flush=True)
        return 1
    print(f"INFO reenqueue: {found} notes are not processed: {back} put back, {found - back} were on the queue", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
