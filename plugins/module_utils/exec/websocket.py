# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A WebSocket client (RFC 6455), as much of it as a session with a container needs: Python's standard library has none."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import socket
import ssl
import struct
import urllib.parse
import urllib.request

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_CONTINUED, _FINAL, _MASKED = 0, 0x80, 0x80
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_AT_ONCE = 1 << 16
# No message of a session is nearly as long.
_LONGEST = 1 << 24


class WebSocketError(Exception):
    """Why there is no connection, or none any more; ready for the user."""


# --- Frames -----------------------------------------------------------------------------------------------------------
def frame(kind: int, payload: bytes, mask: bytes) -> bytes:
    """One whole frame from a client, which masks what it sends."""
    length = len(payload)
    head = struct.pack("!B", _FINAL | kind)
    if length < 126:
        head += struct.pack("!B", _MASKED | length)
    elif length < 1 << 16:
        head += struct.pack("!BH", _MASKED | 126, length)
    else:
        head += struct.pack("!BQ", _MASKED | 127, length)
    return head + mask + _masked(payload, mask)


def _masked(payload: bytes, mask: bytes) -> bytes:
    long_mask = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(long_mask, "big")).to_bytes(len(payload), "big")


def first_frame(data: bytes) -> tuple[int, bool, bytes, int] | None:
    """(kind, whether it is the last of its message, payload, length of the whole frame); None while it is not all there."""
    if len(data) < 2:
        return None
    kind, final, length, at = data[0] & 0x0F, bool(data[0] & _FINAL), data[1] & 0x7F, 2
    if length >= 126:
        size = 2 if length == 126 else 8
        if len(data) < at + size:
            return None
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
    if length > _LONGEST or data[1] & _MASKED:
        raise WebSocketError("The other side does not speak as a WebSocket server does.")
    if len(data) < at + length:
        return None
    return kind, final, data[at : at + length], at + length


# --- Opening ----------------------------------------------------------------------------------------------------------
def accept_key(key: str) -> str:
    """What a server must answer to a client's key."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def handshake_problem(answer: bytes, key: str) -> str:
    """Why the server did not accept; '' if it did. `answer`: its head."""
    status, *lines = answer.decode("latin-1").split("\r\n")
    words = status.split(" ", 2)
    if len(words) < 2 or words[1] != "101":
        return f"it answered '{status}'"
    headers = {name.strip().lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)}
    return "" if headers.get("sec-websocket-accept") == accept_key(key) else "its answer does not belong to this request"


def _connected(parts: urllib.parse.SplitResult, timeout: float) -> socket.socket:
    """A socket to the host of a ws:// or wss:// URL, through the proxy of the process's environment where there is one for it."""
    secure, host = parts.scheme == "wss", parts.hostname or ""
    port = parts.port or (443 if secure else 80)
    proxies = {} if urllib.request.proxy_bypass(host) else urllib.request.getproxies()
    proxy = proxies.get("https" if secure else "http")
    bundle = os.environ.get("AWS_CA_BUNDLE") or None

    def connection_to(name: str, number: int) -> http.client.HTTPConnection:
        if not secure:
            return http.client.HTTPConnection(name, number, timeout=timeout)
        return http.client.HTTPSConnection(name, number, timeout=timeout, context=ssl.create_default_context(cafile=bundle))

    if proxy:
        # Many write HTTPS_PROXY=host:port.
        there = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        connection = connection_to(there.hostname or "", there.port or 8080)
        login = base64.b64encode(f"{urllib.parse.unquote(there.username)}:{urllib.parse.unquote(there.password or '')}".encode()) if there.username else b""
        connection.set_tunnel(host, port, {"Proxy-Authorization": f"Basic {login.decode()}"} if login else {})
    else:
        connection = connection_to(host, port)
    connection.connect()
    return connection.sock


class WebSocket:
    """A connection to `url`. Raises WebSocketError from every method."""

    def __init__(self, url: str, timeout: float = 20) -> None:
        self._url = urllib.parse.urlsplit(url)
        self._buffer = b""
        self._parts: list[bytes] = []
        try:
            self._socket = _connected(self._url, timeout)
            self._open()
        except (OSError, http.client.HTTPException) as error:
            raise WebSocketError(f"{self._url.hostname} cannot be reached: {error}. Check the network, and the proxy if there is one.") from error

    def _open(self) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        path = urllib.parse.urlunsplit(("", "", self._url.path or "/", self._url.query, ""))
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {self._url.netloc}",
            *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
            f"Sec-WebSocket-Key: {key}",
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._buffer and len(self._buffer) < _AT_ONCE:
            self._fill()
        head, _end, self._buffer = self._buffer.partition(b"\r\n\r\n")
        problem = handshake_problem(head, key)
        if problem:
            raise WebSocketError(f"{self._url.hostname} opened no session: {problem}.")

    def _fill(self) -> None:
        fresh = self._socket.recv(_AT_ONCE)
        if not fresh:
            raise WebSocketError(f"{self._url.hostname} broke the connection off.")
        self._buffer += fresh

    def send(self, kind: int, payload: bytes) -> None:
        try:
            self._socket.settimeout(20)
            self._socket.sendall(frame(kind, payload, os.urandom(4)))
        except OSError as error:
            raise WebSocketError(f"The connection to {self._url.hostname} was lost: {error}.") from error

    def receive(self, timeout: float) -> bytes | None:
        """The next message, text or not; None if none came in time."""
        while True:
            found = first_frame(self._buffer)
            if found is None:
                try:
                    self._socket.settimeout(timeout)
                    self._fill()
                except TimeoutError:
                    return None
                except OSError as error:
                    raise WebSocketError(f"The connection to {self._url.hostname} was lost: {error}.") from error
                continue
            kind, final, payload, length = found
            self._buffer = self._buffer[length:]
            if kind == PING:
                self.send(PONG, payload)
            elif kind == CLOSE:
                code = int.from_bytes(payload[:2], "big") if payload else 1005
                reason = payload[2:].decode("utf-8", "replace")
                raise WebSocketError(f"{self._url.hostname} ended the connection ({code}{' ' + reason if reason else ''}).")
            elif kind in (TEXT, BINARY, _CONTINUED):
                self._parts.append(payload)
                if final:
                    message, self._parts = b"".join(self._parts), []
                    return message

    def close(self) -> None:
        """Says good-bye, if the other side still listens."""
        try:
            self._socket.settimeout(2)
            self._socket.sendall(frame(CLOSE, struct.pack("!H", 1000), os.urandom(4)))
        except OSError:
            pass  # it is gone already, which is what was wanted
        self._socket.close()
