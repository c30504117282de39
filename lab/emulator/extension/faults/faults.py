"""AWS's bad days: throttling, errors, delays, lost connections and odd answers, by operation and on demand.

MiniStack always answers, at once and without throttling. Here `POST /_lab/faults` asks for a fault (fault_rules.py says what it may
hold), `GET` lists them with their hits, `DELETE` forgets all, or one by its id. Only calls that come in through the gateway meet
them, never what the emulator does by itself (a service that starts its tasks), and neither do images, application traffic and the
lab's own requests.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
import struct
from typing import Any

import hypercorn.asyncio
from hypercorn.asyncio.tcp_server import TCPServer

from ..common import control
from . import fault_rules, operations

book = fault_rules.Book()
NOT_AWS = ("/_", "/v2/", "/v3/", "/v4/")
_connection: contextvars.ContextVar[asyncio.StreamWriter] = contextvars.ContextVar("connection")


def apply() -> None:
    control.subjects["faults"] = answer
    serve, run = hypercorn.asyncio.serve, TCPServer.run

    async def serve_with_faults(app: Any, config: Any, **options: Any) -> None:
        await serve(with_faults(app), config, **options)

    async def run_known(self: TCPServer) -> None:
        # What the server starts for this connection's requests inherits it.
        _connection.set(self.writer)
        await run(self)

    hypercorn.asyncio.serve, TCPServer.run = serve_with_faults, run_known


def answer(method: str, rest: list[str], wish: Any) -> tuple[int, Any]:
    if method == "POST":
        return 201, book.add(fault_rules.parse(wish)).as_dict()
    if method == "GET":
        return 200, [fault.as_dict() for fault in book.faults]
    if method == "DELETE":
        removed = book.remove(rest[0] if rest else None)
        return (404 if rest and not removed else 200), {"removed": removed}
    return 405, {"error": "POST, GET or DELETE"}


def with_faults(app: Any) -> Any:
    async def app_with_faults(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not book or scope["path"].startswith(NOT_AWS):
            await app(scope, receive, send)
            return
        body, whole = await control.read_body(receive)
        if not whole:
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        call = operations.read_call(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, body)
        seconds, fault = book.decide(call.name, body.decode("utf-8", "replace")) if call else (0.0, None)
        if seconds:
            await asyncio.sleep(seconds)
        if call is None or fault is None:
            await app(scope, _again(body, receive), send)
            return
        if fault.kind == "hold":
            while fault in book.faults:
                await asyncio.sleep(0.05)
            await app(scope, _again(body, receive), send)
            return
        real = Recorded()
        if fault.carried_out:
            await app(scope, _again(body, receive), real)
        if fault.kind == "drop":
            await _reset(receive)
        elif fault.kind == "rewrite":
            if real.status < 300:
                real.body = bytearray(fault_rules.rewritten(fault, bytes(real.body)))
            await control.send_answer(send, real.status, real.headers, bytes(real.body))
        else:
            await control.send_answer(send, *fault_rules.failure(fault, call), head=scope["method"] == "HEAD")

    return app_with_faults


class Recorded:
    """An answer that is kept instead of sent. Before there is one it is an empty JSON answer."""

    # What no longer holds for a changed body, or is made anew.
    DROPPED = {"content-length", "transfer-encoding", "content-encoding", "x-amz-crc32"}

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, {"content-type": "application/x-amz-json-1.1"}, bytearray()

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"] if name.decode().lower() not in self.DROPPED}
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


def _again(body: bytes, receive: Any) -> Any:
    """`receive` for an application that is called after the body was read."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return messages.pop() if messages else await receive()

    return receive_again


async def _reset(receive: Any) -> None:
    """End the connection with a TCP reset, as a load balancer or a firewall in between does."""
    writer = _connection.get()
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
