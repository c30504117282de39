# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client's side of a Session Manager data channel: what comes in order, acknowledged, and what was sent until it is."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, Protocol

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Clock
from ansible_collections.atena.aws.plugins.module_utils.exec import messages
from ansible_collections.atena.aws.plugins.module_utils.exec.messages import BadMessage, Message
from ansible_collections.atena.aws.plugins.module_utils.exec.websocket import BINARY, PING, TEXT

# Seconds after which what was not acknowledged is sent again, and after how many times it is given up.
_SEND_AGAIN, _TIMES = 1.0, 60
# AWS's own client keeps the connection alive so often.
_PING_EVERY = 300.0
# Messages that came before their turn and wait for it.
_MOST_WAITING = 10_000
_SIZE = {"cols": 300, "rows": 100}


class SessionEnded(Exception):
    """The session is over; its text is what AWS said, or ''."""


class SessionRefused(Exception):
    """The session cannot be had; its text says why."""


class Connection(Protocol):
    """A WebSocket, as a channel needs it."""

    def send(self, kind: int, payload: bytes) -> None: ...

    def receive(self, timeout: float) -> bytes | None: ...

    def close(self) -> None: ...


class Channel:
    def __init__(self, socket: Connection, token: str, clock: Clock = time.monotonic) -> None:
        self._socket, self._clock = socket, clock
        self._expected = self._next = 0
        self._waiting: dict[int, Message] = {}
        # [what was sent, when, how often] by its number.
        self._unacknowledged: dict[int, list[Any]] = {}
        self._pinged = clock()
        self.ready = False
        socket.send(TEXT, messages.opening(token, str(uuid.uuid4())))

    def receive(self, timeout: float) -> bytes:
        """Output of the command; b"" if there was none in time. Raises SessionEnded, SessionRefused and WebSocketError."""
        data = self._socket.receive(timeout)
        self._keep_up()
        if data is None:
            return b""
        try:
            message = messages.unpacked(data)
        except BadMessage:
            return b""  # unacknowledged, so the agent sends it again
        if message.type == messages.ACKNOWLEDGE:
            self._unacknowledged.pop(message.data().get("AcknowledgedMessageSequenceNumber", -1), None)
        elif message.type == messages.CLOSED:
            raise SessionEnded(message.data().get("Output") or "")
        elif message.type == messages.OUTPUT:
            return self._in_turn(message)
        return b""

    def _in_turn(self, message: Message) -> bytes:
        """The output of all that is complete now."""
        if message.sequence > self._expected and len(self._waiting) >= _MOST_WAITING:
            return b""
        # One that came before is acknowledged again: the first time did not arrive.
        self._socket.send(BINARY, messages.packed(messages.acknowledgement(message)))
        if message.sequence >= self._expected:
            self._waiting[message.sequence] = message
        output = []
        while (now := self._waiting.pop(self._expected, None)) is not None:
            self._expected += 1
            output.append(self._act(now))
        return b"".join(output)

    def _act(self, message: Message) -> bytes:
        if message.payload_kind == messages.HANDSHAKE_REQUEST:
            answer, refused = messages.handshake_response(message.data())
            self._input(messages.HANDSHAKE_RESPONSE, answer)
            if refused:
                raise SessionRefused(refused)
        elif message.payload_kind == messages.HANDSHAKE_COMPLETE:
            self.ready = True
            # Wide, so that programs which ask for it break no lines.
            self._input(messages.SIZE, json.dumps(_SIZE).encode())
        elif message.payload_kind in (messages.PLAIN, messages.ERROR, messages.STDERR):
            return message.payload
        return b""

    def _input(self, kind: int, payload: bytes) -> None:
        data = messages.packed(Message(messages.INPUT, self._next, kind, payload, id=uuid.uuid4()))
        self._unacknowledged[self._next] = [data, self._clock(), 1]
        self._next += 1
        self._socket.send(BINARY, data)

    def _keep_up(self) -> None:
        now = self._clock()
        for entry in self._unacknowledged.values():
            if now - entry[1] >= _SEND_AGAIN and entry[2] < _TIMES:
                self._socket.send(BINARY, entry[0])
                entry[1:] = [now, entry[2] + 1]
        if now - self._pinged >= _PING_EVERY:
            self._pinged = now
            self._socket.send(PING, b"keepalive")

    def terminate(self) -> None:
        """Asks the agent to end the command; its process gets no other word."""
        self._input(messages.FLAG, messages.TERMINATE)

    def close(self) -> None:
        self._socket.close()
