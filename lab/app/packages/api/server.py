"""The API: HTTP on port 3000. On SIGTERM it takes no new connections, answers the requests it has, and ends."""

import asyncio
import json
import logging
import os
import signal
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import redis
from bullmq import Queue
from database import connect
from queue_jobs import CREATE_NOTE, QUEUE, configure_logging, redis_url

VERSION = os.environ.get("GIT_COMMIT", "unknown")
PORT = int(os.environ.get("PORT", "3000"))
MAXIMUM_BODY = 64 * 1024
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

    def add_note(self, note_id: str, text: str) -> None:
        options = {"jobId": note_id, "attempts": 5, "backoff": {"type": "exponential", "delay": 500}, "removeOnComplete": 1000}
        self._call(self._queue.add(CREATE_NOTE, {"id": note_id, "text": text}, options))

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
        row = connection.execute("SELECT text, created_at FROM notes WHERE id = %s", (wanted,)).fetchone()
    if row is None:
        return 404, {"error": "there is no such note, or the worker has not committed it yet"}
    return 200, {"id": note_id, "text": row[0], "created_at": row[1].isoformat()}


class Handler(BaseHTTPRequestHandler):
    server_version = "notes"
    queue: JobQueue

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            self._answer(*health())
        elif path == "/":
            self._answer(200, {"name": "notes", "version": VERSION})
        elif path.startswith("/notes/"):
            self._try(lambda: find_note(path.removeprefix("/notes/")))
        else:
            self._answer(404, {"error": "there is nothing here"})

    def do_POST(self) -> None:
        if self.path != "/notes":
            self._answer(404, {"error": "there is nothing here"})
            return
        self._try(self._create_note)

    def _create_note(self) -> tuple[int, dict[str, str]]:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAXIMUM_BODY:
            return 413, {"error": "a note has 64 KiB at most"}
        try:
            text = json.loads(self.rfile.read(length))["text"]
        except (ValueError, KeyError, TypeError):
            text = None
        if not isinstance(text, str) or not text:
            return 400, {"error": 'send {"text": "..."}'}
        note_id = str(uuid.uuid4())
        self.queue.add_note(note_id, text)
        log.info("queued note %s", note_id)
        return 202, {"id": note_id, "status": "queued"}

    def _try(self, act: Any) -> None:
        try:
            status, answer = act()
        except Exception as error:
            log.exception("%s %s failed", self.command, self.path)
            status, answer = 500, {"error": type(error).__name__}
        self._answer(status, answer)

    def _answer(self, status: int, answer: dict[str, str]) -> None:
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
