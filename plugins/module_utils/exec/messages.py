# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The messages of a Session Manager data channel, over which ECS Exec runs a command: bytes, and what they mean. No connection here.

AWS publishes their form as the sources of its two sides (github.com/aws/session-manager-plugin, src/message; github.com/aws/amazon-ssm-agent).
"""

from __future__ import annotations

import hashlib
import json
import struct
import time
import uuid
from dataclasses import dataclass

INPUT, OUTPUT, ACKNOWLEDGE, CLOSED = "input_stream_data", "output_stream_data", "acknowledge", "channel_closed"
# Kinds of payload.
PLAIN, ERROR, SIZE, HANDSHAKE_REQUEST, HANDSHAKE_RESPONSE, HANDSHAKE_COMPLETE, FLAG, STDERR = 1, 2, 3, 5, 6, 7, 10, 11
TERMINATE = struct.pack("!I", 2)
# The version of AWS's plugin whose part is taken here: the agent asks for the least that it can talk to.
CLIENT_VERSION = "1.2.707.0"
_SUCCESS, _FAILED, _UNSUPPORTED = 1, 2, 3
# Length of the header, type, schema version, milliseconds since 1970, sequence number, flags, id, SHA-256, kind and length of the payload.
_HEAD = struct.Struct("!I32sIQqQ16s32sII")
# What the length of the header leaves out: the last field of it.
_HEADER_LENGTH = _HEAD.size - 4


class BadMessage(Exception):
    """Bytes that are no message of a data channel."""


@dataclass(frozen=True)
class Message:
    type: str
    sequence: int = 0
    payload_kind: int = 0
    payload: bytes = b""
    flags: int = 0
    id: uuid.UUID = uuid.UUID(int=0)

    def data(self) -> dict:
        """The payload as JSON; {} if it is none."""
        try:
            found = json.loads(self.payload)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def packed(message: Message) -> bytes:
    # AWS writes the second half of an id before the first.
    identifier = message.id.bytes[8:] + message.id.bytes[:8]
    head = _HEAD.pack(
        *(_HEADER_LENGTH, message.type.encode().ljust(32), 1, int(time.time() * 1000), message.sequence, message.flags, identifier),
        *(hashlib.sha256(message.payload).digest(), message.payload_kind, len(message.payload)),
    )
    return head + message.payload


def unpacked(data: bytes) -> Message:
    """Raises BadMessage."""
    if len(data) < _HEAD.size:
        raise BadMessage(f"{len(data)} bytes are no message")
    length, kind, _schema, _created, sequence, flags, identifier, digest, payload_kind, payload_length = _HEAD.unpack_from(data)
    payload = data[length + 4 :]
    if payload_length and (len(payload) != payload_length or hashlib.sha256(payload).digest() != digest):
        raise BadMessage("a message came damaged")
    name = kind.strip(b"\0 ").decode("utf-8", "replace")
    return Message(name, sequence, payload_kind, payload, flags, uuid.UUID(bytes=identifier[8:] + identifier[:8]))


def opening(token: str, client_id: str) -> bytes:
    """The text that a client sends first."""
    wish = {"MessageSchemaVersion": "1.0", "RequestId": str(uuid.uuid4()), "TokenValue": token, "ClientId": client_id, "ClientVersion": CLIENT_VERSION}
    return json.dumps(wish).encode()


def acknowledgement(of: Message) -> Message:
    said = {
        "AcknowledgedMessageType": of.type,
        "AcknowledgedMessageId": str(of.id),
        "AcknowledgedMessageSequenceNumber": of.sequence,
        "IsSequentialMessage": True,
    }
    return Message(ACKNOWLEDGE, payload=json.dumps(said).encode(), flags=3, id=uuid.uuid4())


def handshake_response(request: dict) -> tuple[bytes, str]:
    """(answer, why no session can be had; '' if it can) to what the agent asks its client to do."""
    actions, errors = [], []
    for wish in request.get("RequestedClientActions") or []:
        kind = wish.get("ActionType")
        action = {"ActionType": kind, "ActionStatus": _SUCCESS, "ActionResult": None, "Error": ""}
        if kind == "KMSEncryption":
            action.update(ActionStatus=_FAILED, Error="this client does not encrypt with KMS")
        elif kind != "SessionType":
            action.update(ActionStatus=_UNSUPPORTED, Error=f"Unsupported action {kind}")
        if action["Error"]:
            errors.append(action["Error"])
        actions.append(action)
    answer = {"ClientVersion": CLIENT_VERSION, "ProcessedClientActions": actions, "Errors": errors}
    return json.dumps(answer).encode(), "; ".join(errors)
