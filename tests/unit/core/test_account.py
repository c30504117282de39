"""Whose account a module's calls go to is asked with the session that makes them: before the first one, and only where it is not known yet."""

from __future__ import annotations

import http.server
import os
import threading

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import account
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.variables import VERIFIED

OURS, ANOTHER = "111111111111", "222222222222"
ANSWER = (
    "<GetCallerIdentityResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><GetCallerIdentityResult>"
    f"<Arn>arn:aws:iam::{OURS}:user/ana</Arn><UserId>AIDA</UserId><Account>{OURS}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


class Failed(Exception):
    pass


class Module:
    def __init__(self, endpoint, expected):
        self.params = {"region": "us-east-1", "endpoint_url": endpoint, "validate_certs": True, "expected_account_id": expected}

    def fail_json(self, msg, **_):
        raise Failed(msg)


@pytest.fixture
def sts(monkeypatch):
    """An STS that knows one account, and counts who asks."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER.encode())

        def log_message(self, *_):
            pass

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv(VERIFIED, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOURS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_the_expected_account_is_asked_for_and_passes(sts):
    endpoint, asked = sts
    account.refuse_another(Module(endpoint, OURS), "us-east-1")
    assert len(asked) == 1 and "GetCallerIdentity" in asked[0]


def test_another_account_is_refused_with_what_to_do(sts):
    endpoint, _asked = sts
    told = f"These credentials belong to account {OURS} .*user/ana.*, but this environment is in account {ANOTHER}. Nothing was done. Use the other profile"
    with pytest.raises(Failed, match=told):
        account.refuse_another(Module(endpoint, ANOTHER), "us-east-1")


def test_without_an_expected_account_nothing_is_asked(sts):
    endpoint, asked = sts
    account.refuse_another(Module(endpoint, None), "us-east-1")
    account.refuse_another(Module(endpoint, ""), "us-east-1")
    assert asked == []


def test_a_key_that_was_found_to_be_of_the_account_is_not_asked_again(sts, monkeypatch):
    endpoint, asked = sts
    monkeypatch.setenv(VERIFIED, account.proof(OURS, "AKIAOURS"))
    account.refuse_another(Module(endpoint, OURS), "us-east-1")
    assert asked == []


@pytest.mark.parametrize("key", ["AKIAOTHER", ""])
def test_a_proof_of_another_key_proves_nothing(sts, monkeypatch, key):
    """As where a task's own environment or profile gives other credentials than those of the task that asked."""
    endpoint, asked = sts
    monkeypatch.setenv(VERIFIED, account.proof(ANOTHER, key))
    with pytest.raises(Failed, match=f"in account {ANOTHER}"):
        account.refuse_another(Module(endpoint, ANOTHER), "us-east-1")
    assert len(asked) == 1


def test_a_proof_of_another_account_proves_nothing(sts, monkeypatch):
    endpoint, asked = sts
    monkeypatch.setenv(VERIFIED, account.proof(OURS, "AKIAOURS"))
    with pytest.raises(Failed):
        account.refuse_another(Module(endpoint, ANOTHER), "us-east-1")
    assert len(asked) == 1


def test_a_proof_has_no_key():
    assert account.proof(OURS, "AKIAOURS").startswith(f"{OURS}:") and "AKIAOURS" not in account.proof(OURS, "AKIAOURS")
    assert account.proof(OURS, "") == ""


def test_a_region_that_cannot_be_is_refused_before_anything_is_asked(sts):
    endpoint, asked = sts
    with pytest.raises(Failed, match="knows no AWS region 'us-esat-1'"):
        account.refuse_another(Module(endpoint, OURS), "us-esat-1")
    assert asked == []


def test_all_callers_of_a_module_have_one_session(sts):
    endpoint, _asked = sts
    module = Module(endpoint, None)
    module.aws_session = Caller(module)._session
    first, second = Caller(module), Caller(module, "eu-west-1")
    assert first._session is second._session is module.aws_session
    assert (first.client("sts").meta.region_name, second.client("sts").meta.region_name) == ("us-east-1", "eu-west-1")
    assert first.access_key() == "AKIAOURS"
