"""Asking the application whether it is well."""

import http.server
import socket
import threading

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import health


def answers(*given):
    left = list(given)
    return lambda url: left.pop(0)


@pytest.mark.parametrize(
    "given, result",
    [
        ([(200, "fine")], {"healthy": True, "status": 200, "content": "fine", "attempts": 1}),
        ([(503, "starting"), (0, "refused"), (200, "fine")], {"healthy": True, "status": 200, "content": "fine", "attempts": 3}),
        ([(503, "a"), (503, "b"), (503, "c")], {"healthy": False, "status": 503, "content": "c", "attempts": 3}),
    ],
)
def test_200_ends_it_and_so_does_the_last_attempt(given, result):
    pauses = []
    assert health.wait_until_healthy("http://x", 3, 6, ask=answers(*given), sleep=pauses.append) == result
    assert pauses == [6] * (len(given) - 1)


def test_every_failed_attempt_but_the_last_is_told():
    said = []
    health.wait_until_healthy("http://x", 2, 0, said.append, ask=answers((0, "refused"), (503, "bad")), sleep=lambda seconds: None)
    assert said == ["health: attempt 1 of 2: no answer refused"]


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if self.path == "/bad" else 200)
        self.end_headers()
        self.wfile.write(b"words" * 1000)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def url():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("path, status", [("/", 200), ("/bad", 503)])
def test_the_beginning_of_an_answer_is_read(url, path, status):
    assert health.ask(url + path) == (status, ("words" * 60))


def test_no_answer_is_told_with_its_reason():
    status, content = health.ask("http://127.0.0.1:1/")
    assert (status, "refused" in content) == (0, True)


HALF = b"Transfer-Encoding: chunked\r\n\r\nff\r\nhalf"


@pytest.mark.parametrize("said", [b"+OK this is no HTTP\r\n", b"HTTP/1.1 200 OK\r\n" + HALF, b"HTTP/1.1 503 No\r\n" + HALF])
def test_an_answer_that_is_none_or_breaks_off_is_no_answer_and_no_crash(said):
    """Such as of a load balancer that closes a connection, or of another program at that port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            for _attempt in range(2):
                connection = server.accept()[0]
                with connection:
                    connection.recv(65536)
                    connection.sendall(said)

        threading.Thread(target=answer, daemon=True).start()
        told = []
        found = health.wait_until_healthy(f"http://127.0.0.1:{server.getsockname()[1]}/", 2, 0, told.append, sleep=lambda seconds: None)
    assert (found["healthy"], found["status"], found["attempts"], len(told)) == (False, 503 if b"503" in said else 0, 2, 1)


OPTIONS = {"url": "", "path": "/up", "attempts": 2, "delay": 0}


@pytest.mark.parametrize(
    ("options", "balancer", "address"),
    [
        (OPTIONS, {"DNSName": "lb"}, "http://lb"),
        (OPTIONS, None, ""),
        (None, {"DNSName": "lb"}, "http://lb"),
        ({**OPTIONS, "url": "https://app"}, AssertionError("the load balancer is not asked for"), "https://app"),
    ],
)
def test_the_address_is_the_users_own(options, balancer, address):
    def described():
        if isinstance(balancer, Exception):
            raise balancer
        return balancer

    assert health.Application(options, described).address == address


def test_an_answer_is_told_with_where_it_was_asked_for(url):
    application, said = health.Application({**OPTIONS, "url": url, "path": "/bad"}, lambda: None), []
    found = application.ask(said.append, sleep=lambda seconds: None)
    assert not found["healthy"] and len(said) == 1
    assert application.words(found).startswith(f"{url}/bad answered 503 2 times: words")
    silent = {"status": 0, "attempts": 3, "content": "refused", "address": f"{url}/bad"}
    assert application.words(silent) == f"{url}/bad answered nothing 3 times: refused"


class Routed(Answer):
    """As a load balancer with rules: /bad of the host admin.example.com is well."""

    def do_GET(self):
        self.path = "/" if self.headers["Host"] == "admin.example.com" else self.path
        super().do_GET()


ADMIN = {"service": "e-admin", "path": "/bad", "host": "admin.example.com"}


@pytest.mark.parametrize(
    ("routes", "idle", "healthy", "address"),
    [
        ([ADMIN], (), True, "/"),
        ([{**ADMIN, "host": ""}], (), False, "/bad"),
        ([ADMIN, {**ADMIN, "host": "other.example.com"}], (), False, "/bad (host other.example.com)"),
        ([{**ADMIN, "host": ""}], ("e-admin",), True, "/"),
        ([ADMIN], ("e-api",), True, "/bad (host admin.example.com)"),
        ([{**ADMIN, "host": ""}], ("e-admin", "e-api"), True, None),
    ],
)
def test_each_service_with_a_rule_is_asked_unless_it_runs_nothing(routes, idle, healthy, address):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Routed) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        options = {**OPTIONS, "url": url, "path": "/", "service": "e-api", "routes": routes, "attempts": 1}
        found = health.Application(options, lambda: None).ask(lambda text: None, sleep=lambda seconds: None, idle=idle)
        server.shutdown()
    assert (found["healthy"], found["address"]) == (healthy, "" if address is None else url + address)
