"""The lab's own requests, `/_lab/...` on the gateway: where a test arranges what AWS does by itself.

Answers and takes JSON. Whoever adds a subject registers a handler in `subjects`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import hypercorn.asyncio

PREFIX = "/_lab/"
# subject -> handler(method, the path's parts after the subject, the request's JSON or None) -> (status, answer)
subjects: dict[str, Callable[[str, list[str], Any], tuple[int, Any]]] = {}


def apply() -> None:
    serve = hypercorn.asyncio.serve

    async def serve_lab_too(app: Any, config: Any, **options: Any) -> None:
        await serve(with_lab(app), config, **options)

    hypercorn.asyncio.serve = serve_lab_too


def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
    subject, *rest = path.removeprefix(PREFIX).strip("/").split("/")
    if subject not in subjects:
        return 404, {"error": f"the lab knows {', '.join(sorted(subjects))} under {PREFIX}"}
    try:
        return subjects[subject](method, rest, json.loads(body) if body else None)
    except (ValueError, TypeError) as error:
        return 400, {"error": str(error)}


async def read_body(receive: Any) -> tuple[bytes, bool]:
    """The whole body, and whether it is whole: the client may have gone away."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(chunks), False
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks), True


async def send_answer(send: Any, status: int, headers: dict[str, str], body: bytes, head: bool = False) -> None:
    lines = [(name.encode(), value.encode()) for name, value in {**headers, "content-length": str(len(body))}.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if head else body, "more_body": False})


def with_lab(app: Any) -> Any:
    async def app_with_lab(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await app(scope, receive, send)
            return
        body, whole = await read_body(receive)
        if whole:
            status, content = answer(scope["method"], scope["path"], body)
            await send_answer(send, status, {"content-type": "application/json"}, json.dumps(content).encode())

    return app_with_lab
