"""A repository's secrets: what has to be written, how it is sealed, and how GitHub's answers are dealt with."""

import base64
import io
import json
from email.message import Message
from http.client import BadStatusLine, IncompleteRead
from urllib.error import HTTPError, URLError

import pytest
from ansible_collections.atena.aws.plugins.module_utils.github import secrets
from ansible_collections.atena.aws.plugins.module_utils.github.api import GitHub, GitHubFailed
from nacl import exceptions, public

TOKEN = "ghp_never_shown"


# --- Decisions --------------------------------------------------------------------------------------------------------
def kept(value, at="2027-01-15T12:00:00Z"):
    return {**secrets.hashed(value), "updated_at": at}


@pytest.mark.parametrize(
    ("existing", "record", "wanted"),
    [
        ({}, {}, ("create", "is not there")),
        # Deleted by somebody: what we remember of it helps nobody.
        ({}, {"A": kept("v")}, ("create", "is not there")),
        ({"A": "2027-01-15T12:00:00Z"}, {}, ("update", "was not written from here")),
        ({"A": "2027-01-15T12:00:00Z"}, {"A": kept("v")}, ("keep", "is as it should be")),
        ({"A": "2027-01-15T12:00:00Z"}, {"A": kept("other")}, ("update", "has another value")),
        ({"A": "2027-01-16T09:00:00Z"}, {"A": kept("v")}, ("update", "was written by somebody else at 2027-01-16T09:00:00Z")),
        ({"A": "2027-01-15T12:00:00Z"}, {"A": {"updated_at": "2027-01-15T12:00:00Z"}}, ("update", "has another value")),
    ],
)
def test_a_secret_is_written_when_it_has_to_be(existing, record, wanted):
    what, why = secrets.action("A", "v", existing, record)
    assert what == wanted[0] and wanted[1] in why


def test_neither_the_record_nor_the_diff_holds_a_value():
    record = {"A": kept("s3cret-value")}
    planned = secrets.plan({"A": "another-value", "B": "third-value"}, {"A": "2027-01-15T12:00:00Z"}, record)
    shown = json.dumps([record, planned, secrets.diff(planned, {"A": "2027-01-15T12:00:00Z"})])
    assert [entry["action"] for entry in planned] == ["update", "create"]
    assert not [value for value in ("s3cret-value", "another-value", "third-value") if value in shown]
    # The same value leaves another trace each time.
    assert kept("v")["digest"] != kept("v")["digest"]


def test_what_github_would_refuse_is_told_at_once_and_by_name():
    found = " ".join(secrets.problems({"lower": "v", "GITHUB_X": "v", "EMPTY": "", "BIG": "v" * (48 * 1024 + 1), "GOOD_1": "v"}))
    assert [name for name in ("lower", "GITHUB_X", "EMPTY", "BIG") if name not in found] == []
    assert "GOOD_1" not in found


@pytest.mark.parametrize("value", ["plain", 'with "quotes" and $signs\nand lines', "acentuação 🔑", "v" * 8192])
def test_only_the_repositorys_own_key_opens_what_is_sealed(value):
    own = public.PrivateKey.generate()
    sealed = base64.b64decode(secrets.seal(value, base64.b64encode(bytes(own.public_key)).decode()))
    assert public.SealedBox(own).decrypt(sealed).decode() == value
    with pytest.raises(exceptions.CryptoError):
        public.SealedBox(public.PrivateKey.generate()).decrypt(sealed)


# --- GitHub -----------------------------------------------------------------------------------------------------------
class Answer(io.BytesIO):
    def __init__(self, document=None, **headers):
        super().__init__(b"" if document is None else json.dumps(document).encode())
        self.headers = headers


class Broken(Answer):
    """An answer that breaks off while it is read."""

    def read(self, *_):
        raise IncompleteRead(b"{")


def refusal(status, body="{}", **headers):
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return HTTPError("u", status, "refused", message, io.BytesIO(body.encode()))


def broken_refusal():
    return HTTPError("u", 502, "refused", Message(), Broken())


def github(*answers, url="https://ghe.example.com/api/v3/"):
    sent, waited, queue = [], [], list(answers)

    def send(url, **options):
        sent.append((options["method"], url, options))
        answer = queue.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return GitHub(url, TOKEN, "acme/app", send=send, sleep=waited.append, clock=lambda: 1000.0), sent, waited


def test_an_enterprise_servers_address_is_used_and_no_redirect_followed():
    api, sent, _waited = github(Answer({"key_id": "1"}))
    assert api("GET", "actions/secrets/public-key", "read the public key") == {"key_id": "1"}
    method, url, options = sent[0]
    assert (method, url) == ("GET", "https://ghe.example.com/api/v3/repos/acme/app/actions/secrets/public-key")
    assert options["follow_redirects"] == "none" and options["headers"]["Authorization"] == f"Bearer {TOKEN}"
    assert GitHub("", TOKEN, "a/b").url == "https://api.github.com"


def test_all_pages_are_read_but_only_of_the_same_server():
    following = "https://ghe.example.com/api/v3/repositories/1/actions/secrets?page=2"
    api, sent, _waited = github(
        Answer({"secrets": [1]}, Link=f'<{following}>; rel="next", <x>; rel="last"'),
        Answer({"secrets": [2]}, Link='<https://elsewhere.example.com/page3>; rel="next"'),
    )
    assert api.pages("actions/secrets", "secrets", "list the secrets") == [1, 2]
    assert sent[1][1] == following


@pytest.mark.parametrize(
    ("answers", "waits"),
    [
        ([refusal(500), refusal(502)], [1.0, 2.0]),
        ([refusal(429, Retry_After="7")], [7.0]),
        ([refusal(403, X_RateLimit_Remaining="0", X_RateLimit_Reset="1010")], [11.0]),
        ([URLError("connection reset")], [1.0]),
        ([Broken()], [1.0]),
        ([broken_refusal()], [1.0]),
        ([BadStatusLine("+OK")], [1.0]),
    ],
)
def test_what_passes_is_waited_for(answers, waits):
    api, _sent, waited = github(*answers, Answer({}))
    assert api("GET", "x", "look") == {} and waited == waits


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([refusal(401, '{"message": "Bad credentials"}')], ["401 (Bad credentials)", "Make a new one"]),
        ([refusal(404)], ["'Secrets' (read and write)", "acme/app"]),
        ([refusal(403, X_RateLimit_Remaining="0", X_RateLimit_Reset="5000")], ["403"]),
        ([URLError("no such host")] * 4, ["does not answer (no such host)", "GITHUB_API_URL"]),
        ([io.BytesIO(b"<html>")], ["no JSON"]),
    ],
)
def test_what_does_not_pass_says_what_to_do_and_never_the_token(answers, words):
    for answer in answers:
        if isinstance(answer, io.BytesIO):
            answer.headers = {}
    api, _sent, _waited = github(*answers)
    with pytest.raises(GitHubFailed) as failed:
        api("PUT", "actions/secrets/A", "write the secret A", {"encrypted_value": "sealed"})
    assert [word for word in ["write the secret A", *words] if word not in str(failed.value)] == []
    assert TOKEN not in str(failed.value)
