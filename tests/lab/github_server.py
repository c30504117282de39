"""The part of GitHub's REST API that sets a repository's secrets, on this machine: it opens the sealed boxes with the key that belongs to them."""

from __future__ import annotations

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from nacl.public import PrivateKey, SealedBox

TOKEN = "ghp_lab-token-that-is-never-shown"


class GitHubServer:
    """`secrets` is {name: value}, as only GitHub can read them; `writes` counts what was sent."""

    def __init__(self, repository: str):
        self.repository, self.key = repository, PrivateKey.generate()
        self.secrets: dict[str, str] = {}
        self.times: dict[str, str] = {}
        self.writes: list[str] = []
        self._ticks = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status: int, document: dict | None) -> None:
                body = b"" if document is None else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    self.answer(401, {"message": "Bad credentials"})
                else:
                    self.answer(*server.respond(self.command, self.path.split("?")[0], body))

            do_GET = do_PUT = handle_one

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/v3"

    def respond(self, method: str, path: str, body: dict) -> tuple[int, dict | None]:
        base = f"/api/v3/repos/{self.repository}/actions/secrets"
        if not path.startswith(base):
            return 404, {"message": "Not Found"}
        rest = path[len(base) :].strip("/")
        if method == "GET" and rest == "public-key":
            return 200, {"key_id": "568250167242549743", "key": base64.b64encode(bytes(self.key.public_key)).decode()}
        if method == "GET" and not rest:
            return 200, {"total_count": len(self.times), "secrets": [{"name": name, "updated_at": at} for name, at in sorted(self.times.items())]}
        if method == "PUT" and re.fullmatch(r"[A-Z0-9_]+", rest) and body.get("key_id") == "568250167242549743":
            there = rest in self.times
            self.put(rest, SealedBox(self.key).decrypt(base64.b64decode(body["encrypted_value"])).decode())
            self.writes.append(rest)
            return (204, None) if there else (201, {})
        return 422, {"message": "Validation Failed"}

    def put(self, name: str, value: str) -> None:
        """What anybody's writing leaves; also used as 'somebody else'."""
        self._ticks += 1
        self.secrets[name] = value
        self.times[name] = f"2027-01-15T12:{self._ticks // 60:02}:{self._ticks % 60:02}Z"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
