"""The API: HTTP on port 3000. On SIGTERM it takes no new connections, answers the requests it has, and ends."""

import asyncio
import json
import logging
import os
import signal
import threading
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import redis
from bullmq import Queue
from database import connect
from queue_jobs import QUEUE, STATES, check_wishes, configure_logging, note_job, redis_url

VERSION = os.environ.get("GIT_COMMIT", "unknown")
PORT = int(os.environ.get("PORT", "3000"))
MAXIMUM_BODY = 64 * 1024
MAXIMUM_COUNT = 1000
log = logging.getLogger("api")


class JobQueue:
    """BullMQ's queue is asynchronous: it lives in an event loop of its own, which the request threads call into."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="queue").start()
        self._queue = self._call(self._open())

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)

    async def _open(self) -> Queue:
        return Queue(QUEUE, {"connection": redis_url()})

    def add(self, jobs: list[dict[str, Any]]) -> None:
        self._call(self._queue.addBulk(jobs))

    def counts(self) -> dict[str, int]:
        counts = self._call(self._queue.getJobCounts(*STATES))
        return {state: counts.get(state, 0) for state in STATES}

    def close(self) -> None:
        self._call(self._queue.close())


def check_database() -> str:
    try:
        with connect() as connection:
            connection.execute("SELECT 1")
    except (psycopg.Error, KeyError) as error:
        log.error("the database check failed: %s", str(error).strip())
        return "failed"
    return "ok"


def check_redis() -> str:
    try:
        client = redis.Redis.from_url(redis_url(), socket_timeout=3, socket_connect_timeout=3)
        client.ping()
        client.close()
    except (redis.RedisError, KeyError, ValueError) as error:
        log.error("the Redis check failed: %s", error)
        return "failed"
    return "ok"


def health() -> tuple[int, dict[str, str]]:
    checks = {"database": check_database(), "redis": check_redis()}
    failed = [name for name, outcome in checks.items() if outcome != "ok"]
    status = f"failed: {', '.join(failed)}" if failed else "ok"
    return (503 if failed else 200), {"status": status, "version": VERSION, **checks}


def find_note(note_id: str) -> tuple[int, dict[str, str]]:
    try:
        wanted = uuid.UUID(note_id)
    except ValueError:
        return 404, {"error": "there is no such note"}
    with connect() as connection:
        row = connection.execute("SELECT text, created_at FROM notes WHERE id = %s AND processed_at IS NOT NULL", (wanted,)).fetchone()
    if row is None:
        return 404, {"error": "there is no such note, or the worker has not committed it yet"}
    return 200, {"id": note_id, "text": row[0], "created_at": row[1].isoformat()}


def count_notes() -> dict[str, int]:
    """What the database knows, to be compared with the queue: nothing is lost if all get processed, doubled if any more than once."""
    with connect() as connection:
        row = connection.execute(
            "SELECT count(*), count(processed_at), count(*) FILTER (WHERE times_processed > 1), coalesce(sum(times_processed), 0) FROM notes"
        ).fetchone()
    return dict(zip(("all", "processed", "more_than_once", "times_processed"), (int(value) for value in row or ()), strict=False))


def keep_notes(notes: list[tuple[str, str]], wishes: dict[str, Any], due_at: datetime | None) -> None:
    """In the database before the queue: what is not on the queue for whatever reason can be put there again (queue_jobs/reenqueue.py)."""
    with connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO notes (id, text, wishes, due_at) VALUES (%s, %s, %s, %s)", [(note_id, text, json.dumps(wishes), due_at) for note_id, text in notes]
        )


class Handler(BaseHTTPRequestHandler):
    server_version = "notes"
    queue: JobQueue

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            self._answer(*health())
        elif path == "/":
            self._answer(200, {"name": "notes", "version": VERSION})
        elif path == "/jobs":
            self._try(lambda: (200, {**self.queue.counts(), "notes": count_notes()}))
        elif path.startswith("/notes/"):
            self._try(lambda: find_note(path.removeprefix("/notes/")))
        else:
            self._answer(404, {"error": "there is nothing here"})

    def do_POST(self) -> None:
        if self.path != "/notes":
            self._answer(404, {"error": "there is nothing here"})
            return
        self._try(self._create_note)

    def _create_note(self) -> tuple[int, dict[str, Any]]:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAXIMUM_BODY:
            return 413, {"error": "a note has 64 KiB at most"}
        try:
            asked = json.loads(self.rfile.read(length))
            text, count = asked["text"], asked.get("count", 1)
        except (ValueError, KeyError, TypeError, AttributeError):
            text, asked, count = None, {}, 1
        if not isinstance(text, str) or not text:
            return 400, {"error": 'send {"text": "..."}'}
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAXIMUM_COUNT:
            return 400, {"error": f"count is a whole number from 1 to {MAXIMUM_COUNT}"}
        try:
            wishes = check_wishes(asked)
        except ValueError as error:
            return 400, {"error": str(error)}
        now = datetime.now(UTC)
        due_at = now + timedelta(seconds=wishes.pop("delay")) if wishes.get("delay") else None
        notes = [(str(uuid.uuid4()), text if count == 1 else f"{text} {number}") for number in range(count)]
        keep_notes(notes, wishes, due_at)
        self.queue.add([note_job(note_id, words, wishes, due_at, now) for note_id, words in notes])
        log.info("queued %s notes, the first is %s", count, notes[0][0])
        return 202, {"id": notes[0][0], "status": "queued", **({"ids": [note_id for note_id, _ in notes]} if count > 1 else {})}

    def _try(self, act: Any) -> None:
        try:
            status, answer = act()
        except Exception as error:
            log.exception("%s %s failed", self.command, self.path)
            status, answer = 500, {"error": type(error).__name__}
        self._answer(status, answer)

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        if not self.path.startswith("/health"):
            log.info(format, *arguments)


class Server(ThreadingHTTPServer):
    # Request threads are waited for when the server closes.
    daemon_threads = False
    request_queue_size = 128


def main() -> None:
    configure_logging()
    Handler.queue = JobQueue()
    server = Server(("0.0.0.0", PORT), Handler)

    def stop(signal_number: int, frame: Any) -> None:
        log.info("stopping: finishing the requests in flight")
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log.info("version %s listens on port %s", VERSION, PORT)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    Handler.queue.close()
    log.info("stopped")


if __name__ == "__main__":
    main()
