"""What a fault is, which requests it meets, and the answers that AWS gives then. Nothing here knows of the emulator.

A fault is asked for as JSON:

    operation        "ecs:UpdateService", "ecs:*" or "*", in boto3's names
    kind             throttle, error, delay, hold (until the fault is forgotten), drop (the connection is reset) or rewrite (the answer
                     is changed)
    times            how many requests it meets in all; for ever without it
    every, row       of each `every` matching requests the last `row` are met: 3 is each third; 21 with row 20 lets one through of 21
    skip             how many matching requests are let through first
    each_operation   count for each operation by itself, where the operation is a wildcard
    match            a regular expression that the request's body must contain
    code, message, status   of an error or a throttling, else the ones that the service itself uses
    seconds          how long the request is held back first, with any kind
    carried_out      whether the operation is carried out all the same (then the answer alone is lost); a throttled, failing or
                     dropped one's is not, unless told
    patch            rewrite: a JSON merge patch (RFC 7396) of the answer; instead of an answer, when not carried out
    replace          rewrite: {regular expression: replacement} on the answer's text
"""

from __future__ import annotations

import fnmatch
import json
import re
import uuid
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from xml.sax.saxutils import escape

from .operations import Call

KINDS = ("throttle", "error", "delay", "hold", "drop", "rewrite")
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Fault:
    operation: str
    kind: str
    times: int | None = None
    every: int = 1
    row: int = 1
    skip: int = 0
    each_operation: bool = False
    match: str = ""
    code: str = ""
    message: str = ""
    status: int = 0
    seconds: float = 0
    carried_out: bool | None = None
    patch: Any = None
    replace: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    seen: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.carried_out is None:
            self.carried_out = self.kind in ("delay", "hold", "rewrite")
        problem = self.problem()
        if problem:
            raise ValueError(problem)

    def problem(self) -> str | None:
        if self.kind not in KINDS:
            return f"kind is {self.kind!r}, not one of {', '.join(KINDS)}"
        if not re.fullmatch(r"\*|[\w-]+:[\w*]+", self.operation):
            return f'operation is {self.operation!r}, not of the form "ecs:UpdateService", "ecs:*" or "*"'
        if not 1 <= self.row <= self.every:
            return f"row is {self.row}, but must be from 1 to every ({self.every})"
        if self.kind == "rewrite" and self.patch is None and not self.replace:
            return "a rewrite needs patch or replace"
        if self.kind == "delay" and self.seconds <= 0:
            return "a delay needs seconds"
        for pattern in (self.match, *self.replace):
            try:
                re.compile(pattern)
            except re.error as error:
                return f"{pattern!r} is no regular expression: {error}"
        return None

    def meets(self, name: str, body: str) -> bool:
        """Whether this request meets the fault; counts it."""
        if not fnmatch.fnmatchcase(name, self.operation) or not re.search(self.match, body):
            return False
        key = name if self.each_operation else ""
        self.seen[key] += 1
        number = self.seen[key] - self.skip
        if number < 1 or (self.times is not None and self.hits[key] >= self.times) or (number - 1) % self.every < self.every - self.row:
            return False
        self.hits[key] += 1
        return True

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "seen": self.seen.total(), "hits": self.hits.total()}


def parse(wish: Any) -> Fault:
    """The fault that a request's JSON describes; ValueError says what is wrong with it."""
    known = {entry.name for entry in fields(Fault)} - {"id", "seen", "hits"}
    if not isinstance(wish, dict) or not {"operation", "kind"} <= wish.keys():
        raise ValueError("a fault is a JSON object with operation and kind")
    unknown = wish.keys() - known
    if unknown:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
    return Fault(**wish)


class Book:
    """The faults that are asked for, in the order in which they came."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self.faults)

    def add(self, fault: Fault) -> Fault:
        self.faults.append(fault)
        return fault

    def remove(self, fault_id: str | None = None) -> int:
        """Remove one, or all; how many went."""
        before = len(self.faults)
        self.faults = [fault for fault in self.faults if fault_id is not None and fault.id != fault_id]
        return before - len(self.faults)

    def decide(self, name: str, body: str) -> tuple[float, Fault | None]:
        """How long this request is held back, and the fault that it then meets. Delays add up; of the rest the first counts."""
        seconds = 0.0
        for fault in self.faults:
            if fault.meets(name, body):
                seconds += fault.seconds
                if fault.kind != "delay":
                    return seconds, fault
        return seconds, None


def failure(fault: Fault, call: Call) -> Answer:
    """The service's own answer to a request that is throttled or fails."""
    status, code, message = _throttling(call) if fault.kind == "throttle" else _internal_error(call)
    return render(call, fault.status or (400 if fault.code and fault.kind == "error" else status), fault.code or code, fault.message or message)


def _throttling(call: Call) -> tuple[int, str, str]:
    if call.service == "s3":
        return 503, "SlowDown", "Please reduce your request rate."
    if call.protocol == "ec2":
        return 503, "RequestLimitExceeded", "Request limit exceeded."
    if call.protocol in ("query", "rest-xml"):
        return 400, "Throttling", "Rate exceeded"
    return 429 if call.protocol == "rest-json" else 400, "ThrottlingException", "Rate exceeded"


def _internal_error(call: Call) -> tuple[int, str, str]:
    if call.service == "s3":
        return 500, "InternalError", "We encountered an internal error. Please try again."
    code = {"ecs": "ServerException", "ecr": "ServerException", "ssm": "InternalServerError", "dynamodb": "InternalServerError"}
    return 500, code.get(call.service, "InternalFailure"), "The request processing has failed because of an unknown error, exception or failure."


def render(call: Call, status: int, code: str, message: str) -> Answer:
    """An error in the words of the call's protocol."""
    request_id = str(uuid.uuid4())
    if call.protocol in ("json", "rest-json"):
        version = "application/x-amz-json-1.1" if call.protocol == "json" else "application/json"
        body = json.dumps({"__type": code, "message": message})
        return status, {"content-type": version, "x-amzn-errortype": code, "x-amzn-requestid": request_id}, body.encode()
    content = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if call.protocol == "ec2":
        body = f"<Response><Errors><Error>{content}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    elif call.service == "s3":
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{content}<RequestId>{request_id}</RequestId></Error>'
    else:
        kind = "Receiver" if status >= 500 else "Sender"
        body = f"<ErrorResponse><Error><Type>{kind}</Type>{content}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    return status, {"content-type": "text/xml", "x-amzn-requestid": request_id}, body.encode()


def rewritten(fault: Fault, body: bytes) -> bytes:
    """The answer as the fault wants it."""
    if fault.patch is not None:
        try:
            body = json.dumps(merge_patch(json.loads(body or b"{}"), fault.patch)).encode()
        except ValueError:
            pass  # no JSON: there is nothing that a merge patch could change
    text = body.decode("utf-8", "surrogateescape")
    for pattern, replacement in fault.replace.items():
        text = re.sub(pattern, replacement, text)
    return text.encode("utf-8", "surrogateescape")


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: null removes a member, an object is merged, anything else takes the old one's place."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
