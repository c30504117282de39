"""An answer leaves in one piece.

Hypercorn writes an answer's head and its body one after the other. When the body comes a few hundred microseconds later, Terraform's S3
backend now and then closes the connection in between (seen in packet traces) and asks again: for its lock, which it then finds held by
itself. AWS's own answers of this size come in one segment.
"""

from __future__ import annotations

from typing import Any

import h11
from hypercorn.events import RawData
from hypercorn.protocol.h11 import H11Protocol


def apply() -> None:
    H11Protocol._send_h11_event = send_head_with_body


async def send_head_with_body(self: H11Protocol, event: Any) -> None:
    try:
        data = self.connection.send(event)
    except h11.LocalProtocolError:
        if self.connection.their_state != h11.ERROR:
            raise
        return
    head = self.__dict__.pop("held_head", b"")
    if isinstance(event, h11.Response):
        self.held_head = data
    else:
        await self.send(RawData(data=head + data))
