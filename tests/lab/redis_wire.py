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

    def values(self) -> dict[bytes, Any]:
        """Every key that has no time to live, with its value: of hashes and sets without their order, in which Redis is free after a restore."""
        keys = sorted(self("KEYS", "*"))
        lives, kinds = (self.many([(command, key) for key in keys]) for command in ("PTTL", "TYPE"))
        kept = [(key, kind) for key, left, kind in zip(keys, lives, kinds, strict=True) if left == -1]
        found = self.many([(_READ[kind][0], key, *_READ[kind][1:]) for key, kind in kept])
        return {key: _without_order(kind, value) for (key, kind), value in zip(kept, found, strict=True)}

    def dump(self) -> dict[bytes, bytes]:
        """Every key with its value, as Redis itself serializes it: equal dumps are equal data."""
        keys = sorted(self("KEYS", "*"))
        return dict(zip(keys, self.many([("DUMP", key) for key in keys]), strict=True))


_READ = {
    **{b"string": ("GET",), b"hash": ("HGETALL",), b"set": ("SMEMBERS",), b"list": ("LRANGE", 0, -1)},
    **{b"zset": ("ZRANGE", 0, -1, "WITHSCORES"), b"stream": ("XRANGE", "-", "+")},
}


def _without_order(kind: bytes, value: Any) -> Any:
    if kind == b"hash":
        return dict(zip(value[::2], value[1::2], strict=True))
    return sorted(value) if kind == b"set" else value


def packed(words: tuple) -> bytes:
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
