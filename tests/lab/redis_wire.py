"""The few Redis commands that tests give, over a plain socket: no client library is needed on this side."""

from __future__ import annotations

import socket
from typing import Any


class RedisError(Exception):
    pass


class Redis:
    """One connection. Answers are bytes, numbers, lists or None, as Redis sends them."""

    def __init__(self, address: str, port: int = 6379, timeout: float = 10) -> None:
        self._socket = socket.create_connection((address, port), timeout=timeout)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Redis:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def __call__(self, *words: Any) -> Any:
        return self.many([words])[0]

    def many(self, commands: list[tuple]) -> list[Any]:
        """Several commands at once; their answers in order."""
        self._socket.sendall(b"".join(packed(words) for words in commands))
        return [self._answer() for _ in commands]

    def _answer(self) -> Any:
        line = self._lines.readline()
        if not line:
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._lines.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._answer() for _ in range(int(rest))]
        return rest

    def dump(self) -> dict[bytes, bytes]:
        """Every key with its value, as Redis itself serializes it: equal dumps are equal data."""
        keys = sorted(self("KEYS", "*"))
        return dict(zip(keys, self.many([("DUMP", key) for key in keys]), strict=True))


def packed(words: tuple) -> bytes:
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
