"""A proxy between the collection and the emulator that writes down every call, and knows which of them write.

It understands what AWS's protocols put on the wire: JSON services name the operation in a header, query services in the form, REST services
and the image registry in method and path. Whatever it does not know counts as a write, so that a new call cannot hide.
"""

from __future__ import annotations

import collections
import http.client
import json
import re
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

READING = re.compile(r"^(Describe|Get|List|Head|BatchGet|BatchCheck|Query|Scan|Select|Lookup|Search|Filter|Assume|Simulate)")
_SIGNED_FOR = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/")
# S3's reading calls are GET and HEAD; so are the registry's.
_REST = {"s3", "registry"}
# What core/calls.py adds to botocore's own name.
OURS = "Ansible atena.aws"
WAITING = {
    *("ecs:DescribeServices", "ecs:DescribeTasks", "ecs:ListTasks", "elasticloadbalancing:DescribeTargetHealth", "logs:GetLogEvents"),
    *("rds:DescribeDBInstances", "rds:DescribeDBSnapshots"),
    *("elasticache:DescribeCacheClusters", "elasticache:DescribeReplicationGroups", "elasticache:DescribeSnapshots"),
}
_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-authorization"}


@dataclass(frozen=True)
class Call:
    service: str
    operation: str
    writes: bool
    # Whether it is about the environment's lock, which a run may take and give back without changing anything.
    lock: bool = False
    # Whether one of the collection's modules sent it, and not Terraform or Docker.
    ours: bool = False

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"


def is_lock(service: str, body: bytes) -> bool:
    """Whether a DynamoDB request is about the item of an environment's lock. Terraform's state lock in the same table is not one."""
    if service != "dynamodb":
        return False
    try:
        request = json.loads(body)
        named = {**request.get("Item", {}), **request.get("Key", {})}
        return named["LockID"]["S"].startswith("atena.aws/")
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def read_call(method: str, path: str, headers: dict, body: bytes) -> Call:
    """What one request asks for. Header names in lower case."""
    call = _named(method, path, headers, body)
    return replace(call, ours=OURS in headers.get("user-agent", ""))


def _named(method: str, path: str, headers: dict, body: bytes) -> Call:
    parts = urlsplit(path)
    if parts.path.startswith("/v2/") or parts.path == "/v2":
        return Call("registry", f"{method} {parts.path}", method not in ("GET", "HEAD"))
    if parts.path.startswith("/_"):  # the emulator's own pages and the load balancer's traffic: not AWS's API
        return Call("emulator", f"{method} {parts.path}", False)
    match = _SIGNED_FOR.search(headers.get("authorization", "")) or _SIGNED_FOR.search(parts.query)
    service = match[1] if match else "unsigned"
    if "x-amz-target" in headers:
        operation = headers["x-amz-target"].rsplit(".", 1)[-1]
        return Call(service, operation, not READING.match(operation), is_lock(service, body))
    if service in _REST:
        return Call(service, f"{method} {parts.path}{'?' + parts.query if parts.query else ''}", method not in ("GET", "HEAD"))
    if b"Action=" in body or "Action=" in parts.query:
        operation = (parse_qs(body.decode("utf-8", "replace")) or parse_qs(parts.query)).get("Action", ["?"])[0]
        return Call(service, operation, not READING.match(operation))
    return Call(service, f"{method} {parts.path}", method not in ("GET", "HEAD"))


class Wire:
    """The running proxy. `calls` grows while it runs; `writes()` are those that change something.

    before(call): called before a request is passed on. after(call): when AWS has answered it, before the caller gets the answer.
    """

    def __init__(self, endpoint: str, before=lambda call: None, after=lambda call: None):
        target = urlsplit(endpoint)
        wire = self
        self.calls: list[Call] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one piece, as the lab has it (extension/common/whole_answers.py)

            def handle_expect_100(self):
                going_on = super().handle_expect_100()
                self.wfile.flush()  # the caller waits for this before it sends the body
                return going_on

            def forward(self):
                body = (
                    self.rfile.read(int(self.headers.get("Content-Length") or 0))
                    if "chunked" not in self.headers.get("Transfer-Encoding", "")
                    else self.unchunk()
                )
                call = read_call(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                wire.calls.append(call)
                before(call)
                connection = http.client.HTTPConnection(target.hostname, target.port, timeout=600)
                try:
                    # The Host header stays the caller's: signatures and the registry's redirects are made for it.
                    headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP | {"content-length"}}
                    connection.request(self.command, self.path, body=body or None, headers={**headers, "Content-Length": str(len(body))})
                    answer = connection.getresponse()
                    data = answer.read()
                    after(call)
                    self.send_response(answer.status, answer.reason)
                    for name, value in answer.getheaders():
                        if name.lower() not in _HOP | {"content-length", "date", "server"}:
                            self.send_header(name, value)
                    length = answer.getheader("Content-Length") if self.command == "HEAD" else None
                    self.send_header("Content-Length", length or str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                finally:
                    connection.close()

            def unchunk(self) -> bytes:
                data = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
                return data

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = forward

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # localhost, not 127.0.0.1: Docker takes both for insecure registries, botocore signs whichever it is given.
        self.endpoint = f"http://localhost:{self._server.server_port}"

    def writes(self, besides_lock: bool = False) -> list[str]:
        """The calls that change something; with `besides_lock`, but for those that take, renew or give back the environment's lock."""
        return [str(call) for call in self.calls if call.writes and not (besides_lock and call.lock)]

    def ours(self) -> collections.Counter[str]:
        """How often the collection itself sent each call; S3's without the name of the object."""
        return collections.Counter(str(call).partition(" /")[0] for call in self.calls if call.ours)

    def ours_besides_waiting(self) -> int:
        """How many calls the collection itself sent, but for what is asked again and again until it is done: how often depends on the machine."""
        return sum(count for call, count in self.ours().items() if call not in WAITING)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
