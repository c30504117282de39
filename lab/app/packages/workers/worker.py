"""The worker: takes jobs from the queue and commits their rows.

On SIGTERM it takes no other job, finishes the one it has, and gives it back if that takes too long: the job is waiting again, with no
attempt counted, and nobody has to wait for its lock to run out. A worker that is killed leaves its job active; another one takes it up
when the lock has run out. Writing a note twice is harmless, and counted.
"""

import asyncio
import json
import logging
import os
import signal
import time
from typing import Any

from bullmq import Worker
from bullmq.custom_errors import DelayedError
from database import connect
from queue_jobs import CREATE_NOTE, QUEUE, configure_logging, redis_url

VERSION = os.environ.get("GIT_COMMIT", "unknown")
# How long a stopping worker goes on with its job, and how long it may take altogether: the task's stopTimeout is 120 s.
PATIENCE = float(os.environ.get("WORKER_PATIENCE", "30"))
GRACE = PATIENCE + 30
log = logging.getLogger("worker")
giving_back = asyncio.Event()


def create_note(note: dict[str, Any]) -> None:
    """The note is processed. Its row is there already, unless the database was brought back to a moment before it."""
    with connect() as connection:
        connection.execute(
            "INSERT INTO notes AS known (id, text, wishes, processed_at, times_processed) VALUES (%s, %s, %s, now(), 1) ON CONFLICT (id) DO UPDATE "
            "SET processed_at = coalesce(known.processed_at, now()), times_processed = known.times_processed + 1",
            (note["id"], note["text"], json.dumps({name: note[name] for name in ("fail", "seconds") if name in note})),
        )


async def work(job: Any) -> str:
    await asyncio.sleep(job.data.get("seconds", 0))
    if job.attemptsMade < job.data.get("fail", 0):
        raise RuntimeError(f"attempt {job.attemptsMade + 1} fails, as was asked for")
    await asyncio.to_thread(create_note, job.data)
    log.info("committed note %s", job.data["id"])
    return job.data["id"]


async def process(job: Any, token: str) -> str:
    if job.name != CREATE_NOTE:
        raise ValueError(f"there is no job named {job.name}")
    working, stopping = asyncio.create_task(work(job)), asyncio.create_task(giving_back.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await job.moveToDelayed(round(time.time() * 1000), token)
    await job.promote()
    log.info("gave back note %s", job.data["id"])
    raise DelayedError("given back")


async def main() -> None:
    configure_logging()
    worker = Worker(QUEUE, process, {"connection": redis_url(), "autorun": False, "lockDuration": 10_000, "stalledInterval": 5_000})
    worker.on("failed", lambda job, error, *rest: log.error("job %s failed: %s", getattr(job, "id", job), error))
    worker.on("error", lambda error, *rest: log.error("%s", error))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    running = asyncio.create_task(worker.run())
    log.info("version %s takes jobs from queue %s", VERSION, QUEUE)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
        raise SystemExit("the worker ended by itself")
    log.info("stopping: finishing the job in hand")
    loop.call_later(PATIENCE, giving_back.set)
    try:
        await asyncio.wait_for(worker.close(), GRACE)
    except TimeoutError:
        log.error("a job could not be given back: another worker will take it up")
        await worker.close(force=True)
    log.info("stopped")


if __name__ == "__main__":
    asyncio.run(main())
