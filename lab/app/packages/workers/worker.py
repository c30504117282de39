"""The worker: takes jobs from the queue and commits their rows. On SIGTERM it finishes the job it has and takes no other.

A job that outlasts the grace period is let go: its lock runs out, and another worker takes it up again. Writing a note twice is
harmless.
"""

import asyncio
import logging
import os
import signal
from typing import Any

from bullmq import Worker
from database import connect
from queue_jobs import CREATE_NOTE, QUEUE, configure_logging, redis_url

VERSION = os.environ.get("GIT_COMMIT", "unknown")
# Below the task's stopTimeout of 120 s.
GRACE = 110
log = logging.getLogger("worker")


def create_note(note: dict[str, str]) -> None:
    with connect() as connection:
        connection.execute("INSERT INTO notes (id, text) VALUES (%s, %s) ON CONFLICT (id) DO NOTHING", (note["id"], note["text"]))


async def process(job: Any, token: str) -> str:
    if job.name != CREATE_NOTE:
        raise ValueError(f"there is no job named {job.name}")
    await asyncio.to_thread(create_note, job.data)
    log.info("committed note %s", job.data["id"])
    return job.data["id"]


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
    try:
        await asyncio.wait_for(worker.close(), GRACE)
    except TimeoutError:
        log.error("a job took too long: another worker will take it up")
        await worker.close(force=True)
    log.info("stopped")


if __name__ == "__main__":
    asyncio.run(main())
