"""ECS Exec: ExecuteCommand opens a session over which a command really runs in the task's container.

MiniStack answers ExecuteCommand for any task with an address at which nothing listens, and knows no agents. Here a task that was started with
execute-command has its agent in each running container; ExecuteCommand refuses what ECS refuses, a task role without the rights on ssmmessages
among it; and behind the address is the agent's side of Session Manager's data channel (handshake, sequence numbers, acknowledgements), with
`docker exec` and a terminal behind that. AWS's own Session Manager plugin, built from its sources, was seen to work with it. What differs: a session
that is told to end sends Ctrl-C where the agent kills; no KMS.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shlex
import socket
import struct
import time
import uuid
from typing import Any

import hypercorn.asyncio
from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import ecs, iam

from ..common.patching import replace

PREFIX = "/_lab/session/"
AGENT = "ExecuteCommandAgent"
RIGHTS = tuple(f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data"))
OFF = (
    "The execute command failed because execute command was not enabled when the task was run or the execute command agent isn’t running. "
    "Wait and try again or run a new task with execute command enabled and try again."
)
CHUNK = 1024
# Seconds after which what was not acknowledged is sent again, and how long its acknowledgement is waited for at the end.
SEND_AGAIN, PATIENCE = 0.2, 10.0
HEAD = struct.Struct("!I32sIQqQ16s32sII")
PLAIN, HANDSHAKE_REQUEST, HANDSHAKE_RESPONSE, HANDSHAKE_COMPLETE, FLAG = 1, 5, 6, 7, 10
_sessions: dict[str, dict[str, Any]] = {}


def apply() -> None:
    replace(ecs, "_sanitize", _with_agents)
    replace(ecs, "_execute_command", lambda _: _execute_command)
    serve = hypercorn.asyncio.serve

    async def serve_sessions_too(app: Any, config: Any, **options: Any) -> None:
        await serve(_with_sessions(app), config, **options)

    hypercorn.asyncio.serve = serve_sessions_too


# --- What ECS says ------------------------------------------------------------------------------------------------------------
def agents_of(task: dict[str, Any], container: dict[str, Any]) -> list[dict[str, Any]]:
    """The managed agents of a container, as DescribeTasks tells them."""
    if not task.get("enableExecuteCommand"):
        return []
    status = {"RUNNING": "RUNNING", "STOPPED": "STOPPED"}.get(container.get("lastStatus", ""), "PENDING")
    return [{"name": AGENT, "lastStatus": status, **({"lastStartedAt": task["startedAt"]} if status == "RUNNING" and task.get("startedAt") else {})}]


def _with_agents(sanitize: Any) -> Any:
    def sanitize_with_agents(record: Any) -> Any:
        shown = sanitize(record)
        if isinstance(record, dict) and "taskArn" in record and isinstance(record.get("containers"), list):
            for container in shown["containers"]:
                agents = agents_of(record, container)
                if agents:
                    container["managedAgents"] = agents
        return shown

    return sanitize_with_agents


def problem(request: dict[str, Any], task: dict[str, Any] | None, names: list[str], lacking: list[str]) -> tuple[str, str] | None:
    """(code, message) of what ECS would refuse. `lacking`: rights that the task role does not have."""
    if task is None:
        return "InvalidParameterException", "The referenced task was not found."
    if not request.get("interactive"):
        return "InvalidParameterException", "Interactive is the only mode supported currently."
    if not task.get("enableExecuteCommand") or task.get("lastStatus") != "RUNNING":
        return "InvalidParameterException", OFF
    if request.get("container") and request["container"] not in names:
        return "InvalidParameterException", f"Unable to find container {request['container']} in the task."
    if not request.get("container") and len(names) > 1:
        return "InvalidParameterException", "A container name must be specified for a task with several containers."
    return ("TargetNotConnectedException", "The execute command failed due to an internal error. Try again later.") if lacking else None


def lacking_rights(role: str | None) -> list[str]:
    account, region = get_account_id(), get_region()
    name = (role or "").rpartition("/")[2]
    if not name or iam._roles.get_scoped(account, None, name) is None:
        return list(RIGHTS)
    policies, principal = iam_evaluator._gather_role_policies(name, account), f"arn:aws:sts::{account}:assumed-role/{name}/task"

    def allowed(action: str) -> bool:
        context = iam_evaluator.EvalContext(principal, "AssumedRole", account, action, "*", region, source_ip="", secure_transport=True)
        return iam_evaluator.evaluate(context, policies).decision == "Allow"

    return [action for action in RIGHTS if not allowed(action)]


def _execute_command(request: dict[str, Any]) -> Any:
    cluster = ecs._resolve_cluster_name(request.get("cluster", "default"))
    if cluster is None:
        return error_response_json("ClusterNotFoundException", "Cluster not found.", 400)
    task = ecs._resolve_task(request.get("task", ""), cluster)
    containers = (task or {}).get("containers") or []
    names = [container["name"] for container in containers]
    definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) if task else None
    refused = problem(request, task, names, lacking_rights((definition or {}).get("taskRoleArn")))
    if refused:
        return error_response_json(*refused, 400)
    container = containers[names.index(request["container"])] if request.get("container") else containers[0]
    session = f"ecs-execute-command-{uuid.uuid4().hex[:17]}"
    token = uuid.uuid4().hex
    _sessions[session] = {"token": token, "container": container["runtimeId"], "command": request["command"]}
    return json_response({
        "clusterArn": task["clusterArn"],
        "taskArn": task["taskArn"],
        "containerArn": container.get("containerArn", ""),
        "containerName": container["name"],
        "interactive": True,
        "session": {"sessionId": session, "streamUrl": f"ws://localhost:{os.environ['GATEWAY_PORT']}{PREFIX}{session}", "tokenValue": token},
    })  # fmt: skip


# --- The data channel ---------------------------------------------------------------------------------------------------------
def pack(kind: str, payload: bytes, sequence: int = 0, payload_kind: int = 0, flags: int = 0) -> bytes:
    identifier = uuid.uuid4().bytes
    digest = hashlib.sha256(payload).digest()
    fields = (1, int(time.time() * 1000), sequence, flags, identifier[8:] + identifier[:8], digest, payload_kind, len(payload))
    return HEAD.pack(HEAD.size - 4, kind.encode().ljust(32), *fields) + payload


def unpack(data: bytes) -> tuple[str, int, int, bytes, uuid.UUID]:
    """(type, sequence number, kind of payload, payload, id)"""
    length, kind, _, _, sequence, _, identifier, _, payload_kind, _ = HEAD.unpack_from(data)
    return kind.strip(b"\0 ").decode(), sequence, payload_kind, data[length + 4 :], uuid.UUID(bytes=identifier[8:] + identifier[:8])


def _with_sessions(app: Any) -> Any:
    async def app_with_sessions(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket" and scope["path"].startswith(PREFIX):
            await _Agent(scope["path"].removeprefix(PREFIX), receive, send).serve()
        else:
            await app(scope, receive, send)

    return app_with_sessions


class _Agent:
    """The agent's side of one session."""

    def __init__(self, session: str, receive: Any, send: Any) -> None:
        self._id, self._session = session, _sessions.pop(session, None)
        self._receive, self._send = receive, send
        self._sequence, self._running = 0, ""
        self._terminal: socket.socket | None = None
        self._unacknowledged: dict[int, bytes] = {}
        self._agreed = asyncio.Event()

    async def serve(self) -> None:
        await self._receive()  # websocket.connect
        if self._session is None:
            await self._send({"type": "websocket.close", "code": 1008})
            return
        await self._send({"type": "websocket.accept"})
        opening = json.loads((await self._receive()).get("text") or "{}")
        if opening.get("TokenValue") != self._session["token"]:
            await self._send({"type": "websocket.close", "code": 1008})
            return
        listening = asyncio.create_task(self._listen())
        working = asyncio.create_task(self._work(self._session))
        done, _ = await asyncio.wait({listening, working}, return_when=asyncio.FIRST_COMPLETED)
        if listening in done:  # the client is gone, and with it the terminal
            await self._interrupt()
        for task in (listening, working):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        if self._terminal is not None:
            self._terminal.close()

    async def _listen(self) -> None:
        while (event := await self._receive())["type"] == "websocket.receive":
            if not event.get("bytes"):
                continue
            kind, sequence, payload_kind, payload, identifier = unpack(event["bytes"])
            if kind == "acknowledge":
                self._unacknowledged.pop(json.loads(payload).get("AcknowledgedMessageSequenceNumber"), None)
            if kind != "input_stream_data":
                continue
            heard = {"AcknowledgedMessageType": kind, "AcknowledgedMessageId": str(identifier), "AcknowledgedMessageSequenceNumber": sequence}
            await self._send({"type": "websocket.send", "bytes": pack("acknowledge", json.dumps({**heard, "IsSequentialMessage": True}).encode(), flags=3)})
            if payload_kind == HANDSHAKE_RESPONSE:
                self._agreed.set()
            elif payload_kind == PLAIN and self._terminal is not None:
                await asyncio.to_thread(self._terminal.sendall, payload)
            elif payload_kind == FLAG:
                await self._interrupt()

    async def _interrupt(self) -> None:
        if self._terminal is not None:
            await asyncio.to_thread(_end, self._terminal, self._running)

    async def _output(self, payload: bytes, payload_kind: int) -> None:
        message = pack("output_stream_data", payload, self._sequence, payload_kind)
        self._unacknowledged[self._sequence] = message
        self._sequence += 1
        await self._send({"type": "websocket.send", "bytes": message})

    async def _until_heard(self) -> None:
        """A client may have let pass what came before it was ready: it is sent again."""
        deadline = time.monotonic() + PATIENCE
        await asyncio.sleep(0)
        while self._unacknowledged and time.monotonic() < deadline:
            await asyncio.sleep(SEND_AGAIN)
            for message in list(self._unacknowledged.values()):
                await self._send({"type": "websocket.send", "bytes": message})

    async def _work(self, session: dict[str, Any]) -> None:
        wish = {"ActionType": "SessionType", "ActionParameters": {"SessionType": "InteractiveCommands", "Properties": {}}}
        await self._output(json.dumps({"AgentVersion": "3.3.0.0", "RequestedClientActions": [wish]}).encode(), HANDSHAKE_REQUEST)
        await self._agreed.wait()
        await self._output(json.dumps({"HandshakeTimeToComplete": 1_000_000, "CustomerMessage": ""}).encode(), HANDSHAKE_COMPLETE)
        said = ""
        try:
            terminal, self._running = await asyncio.to_thread(_started, session["container"], session["command"])
            self._terminal = terminal
            while data := await asyncio.to_thread(terminal.recv, CHUNK):
                await self._output(data, PLAIN)
        except Exception as error:  # the container is gone, or has no such program
            said = f"Unable to start command: {error}"
        await self._until_heard()
        closed = {"MessageId": str(uuid.uuid4()), "CreatedDate": "", "DestinationId": "", "SessionId": self._id, "MessageType": "channel_closed"}
        await self._send({"type": "websocket.send", "bytes": pack("channel_closed", json.dumps({**closed, "SchemaVersion": 1, "Output": said}).encode())})


def _started(container: str, command: str) -> tuple[socket.socket, str]:
    """The socket of a terminal in the container, in which the command runs; the engine's id of it."""
    engine = ecs._get_docker().api
    made = engine.exec_create(container, shlex.split(command), stdin=True, tty=True, user="0", environment={"TERM": "xterm-256color", "LANG": "C.UTF-8"})
    stream = engine.exec_start(made["Id"], tty=True, socket=True)
    terminal = getattr(stream, "_sock", stream)
    terminal.settimeout(None)
    return terminal, made["Id"]


def _end(terminal: socket.socket, running: str) -> None:
    """Ctrl-C until the command has ended: one that comes before a shell has started its program is lost."""
    engine, deadline = ecs._get_docker().api, time.monotonic() + PATIENCE
    with contextlib.suppress(OSError):
        while time.monotonic() < deadline and engine.exec_inspect(running)["Running"]:
            terminal.sendall(b"\x03")
            time.sleep(SEND_AGAIN)
