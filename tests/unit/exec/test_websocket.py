"""The WebSocket client against frames by the book, and against a server of a few lines on this machine."""

import socket
import threading

import pytest
from ansible_collections.atena.aws.plugins.module_utils.exec import websocket
from ansible_collections.atena.aws.plugins.module_utils.exec.websocket import BINARY, CLOSE, PING, PONG, TEXT, WebSocket, WebSocketError, first_frame, frame


def test_the_examples_of_rfc_6455():
    assert websocket.accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert frame(TEXT, b"Hello", bytes.fromhex("37fa213d")) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert first_frame(bytes.fromhex("810548656c6c6f")) == (TEXT, True, b"Hello", 7)
    assert first_frame(bytes.fromhex("010348656c")) == (TEXT, False, b"Hel", 5)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, 70000])
def test_every_length_goes_there_and_back(length):
    payload = bytes(number % 251 for number in range(length))
    sent = frame(BINARY, payload, b"\0\0\0\0")
    # With a mask of zeros a client's frame differs from a server's in one bit and four bytes.
    at = 2 if length < 126 else 4 if length < 65536 else 10
    received = bytes([sent[0], sent[1] & 0x7F]) + sent[2:at] + sent[at + 4 :]
    assert first_frame(received + b"more") == (BINARY, True, payload, len(received))
    for cut in (0, 1, at - 1, len(received) - 1):
        assert first_frame(received[:cut]) is None


def test_what_no_server_sends_is_refused():
    with pytest.raises(WebSocketError, match="does not speak as a WebSocket server"):
        first_frame(frame(TEXT, b"Hello", b"abcd"))
    with pytest.raises(WebSocketError):
        first_frame(b"\x82\x7f" + (1 << 40).to_bytes(8, "big"))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", ""),
        (b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept:  s3pPLMBiTxaQ9kYGzzhZRbK+xOo= ", ""),
        (b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: another", "its answer does not belong to this request"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0", "it answered 'HTTP/1.1 403 Forbidden'"),
        (b"", "it answered ''"),
    ],
)
def test_what_a_server_answers_to_the_opening(answer, problem):
    assert websocket.handshake_problem(answer, "dGhlIHNhbXBsZSBub25jZQ==") == problem


class Server:
    """Accepts one client, sends it `frames`, and keeps what it sends."""

    def __init__(self, frames=b"", status="101 Switching Protocols", torn=False):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.frames, self.status, self.torn = frames, status, torn
        self.request, self.received = b"", b""
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/v1/data-channel/one?role=publish_subscribe"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        client, _ = self.listener.accept()
        with client:
            while b"\r\n\r\n" not in self.request:
                self.request += client.recv(4096)
            key = self.request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0].decode()
            answer = f"HTTP/1.1 {self.status}\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {websocket.accept_key(key)}\r\n\r\n".encode() + self.frames
            for part in [answer[at : at + 1] for at in range(len(answer))] if self.torn else [answer]:
                client.sendall(part)
            while data := client.recv(4096):
                self.received += data

    def end(self):
        self.thread.join(60)
        self.listener.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("torn", [False, True])
def test_a_message_in_parts_with_a_ping_between_them(torn):
    server = Server(b"\x02\x02ab" + b"\x89\x02hi" + b"\x80\x01c" + b"\x81\x01d", torn=torn)
    client = WebSocket(server.url)
    assert client.receive(60) == b"abc"
    assert client.receive(60) == b"d"
    assert client.receive(0.05) is None
    client.send(BINARY, b"answer")
    client.close()
    server.end()
    assert server.request.startswith(b"GET /v1/data-channel/one?role=publish_subscribe HTTP/1.1\r\nHost: 127.0.0.1:")
    kinds, rest = [], server.received
    while rest:
        unmasked = bytes([rest[0], rest[1] & 0x7F])
        length = rest[1] & 0x7F
        kinds.append((unmasked[0] & 0x0F, websocket._masked(rest[6 : 6 + length], rest[2:6])))
        rest = rest[6 + length :]
    assert kinds == [(PONG, b"hi"), (BINARY, b"answer"), (CLOSE, b"\x03\xe8")]


def test_a_closing_frame_is_told_with_its_reason():
    server = Server(b"\x88\x09\x03\xf0" + b"expired")
    with pytest.raises(WebSocketError, match=r"127.0.0.1 ended the connection \(1008 expired\)"):
        WebSocket(server.url).receive(60)


def test_a_refusal_is_told():
    with pytest.raises(WebSocketError, match="opened no session: it answered 'HTTP/1.1 403 Forbidden'"):
        WebSocket(Server(status="403 Forbidden").url)


def test_nobody_there_is_told_with_what_to_check():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(WebSocketError, match="127.0.0.1 cannot be reached: .*the proxy if there is one"):
        WebSocket(f"ws://127.0.0.1:{port}/")


def test_a_proxy_is_asked_for_a_tunnel(monkeypatch):
    listener = socket.create_server(("127.0.0.1", 0))
    asked = []

    def serve():
        client, _ = listener.accept()
        with client:
            asked.append(client.recv(4096))
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    monkeypatch.setenv("http_proxy", f"http://user:pass@127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(WebSocketError, match="407"):
        WebSocket("ws://ssmmessages.example/v1")
    thread.join(60)
    listener.close()
    assert asked[0].startswith(b"CONNECT ssmmessages.example:80 HTTP/1.")
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNz" in asked[0]


def test_ping_is_a_frame_of_its_own():
    assert frame(PING, b"", b"abcd")[0] == 0x89
