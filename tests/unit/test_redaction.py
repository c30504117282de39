"""Known secrets do not survive in text that others wrote, however they are spelled there."""

import json
from urllib.parse import quote

import pytest
from ansible_collections.atena.aws.plugins.module_utils.redaction import HIDDEN, Redactor, password_of

LONG = 'sk-ant-0123456789/+"ä'
URL = "postgresql://atena:p%40ss-word-1@db.internal:5432/atena"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQ\n-----END KEY-----\n"


@pytest.mark.parametrize(
    "text",
    [
        f"token={LONG}",
        json.dumps({"token": LONG}),
        json.dumps({"token": LONG}, ensure_ascii=False),
        json.dumps({"nested": json.dumps({"token": LONG})}),
        f"GET /?token={quote(LONG, safe='')}",
        f"{LONG}{LONG}",
    ],
)
def test_a_long_secret_goes_however_it_is_spelled(text):
    hidden = Redactor([LONG]).text(text)
    assert "0123456789" not in hidden and HIDDEN in hidden


def test_the_password_of_a_url_goes_alone_too():
    redactor = Redactor([URL])
    assert redactor.text("cannot log in with p@ss-word-1") == f"cannot log in with {HIDDEN}"
    assert redactor.text("cannot log in with p%40ss-word-1") == f"cannot log in with {HIDDEN}"
    assert redactor.text(f"connect {URL}") == f"connect {HIDDEN}"


def test_the_host_of_a_url_is_no_secret():
    assert Redactor([URL]).text("could not translate host name db.internal") == "could not translate host name db.internal"


def test_a_password_in_any_url_goes_even_when_it_is_not_known():
    assert Redactor([]).text("redis://default:an-old-one@cache:6379/0") == f"redis://default:{HIDDEN}@cache:6379/0"
    assert Redactor([]).text("redis://:an-old-one@cache:6379/0") == f"redis://:{HIDDEN}@cache:6379/0"
    assert Redactor([]).text("see https://example.com:443/a@b") == "see https://example.com:443/a@b"


def test_a_line_of_a_longer_secret_goes():
    assert Redactor([KEY]).text("key MIIEvQIBADANBgkqhkiG9w0BAQ") == f"key {HIDDEN}"


def test_a_short_secret_goes_only_where_it_stands_alone():
    redactor = Redactor(["api"])
    assert redactor.text("token api, the rapid api-server") == f"token {HIDDEN}, the rapid {HIDDEN}-server"
    assert redactor.everything({"service": "atena-prod-api"}) == {"service": "atena-prod-api"}


def test_the_longest_goes_first_so_that_nothing_of_it_stays():
    assert Redactor(["password", "password-and-more"]).text("password-and-more") == HIDDEN


@pytest.mark.parametrize("harmless", ["", "CHANGE_ME"])
def test_what_is_no_secret_stays(harmless):
    assert Redactor([harmless]).text("ADMIN_TOKEN is CHANGE_ME") == "ADMIN_TOKEN is CHANGE_ME"


def test_everything_reaches_into_lists_and_dicts():
    assert Redactor([LONG]).everything({"a": [f"x {LONG}", {"b": LONG}], "n": 3}) == {"a": [f"x {HIDDEN}", {"b": HIDDEN}], "n": 3}


@pytest.mark.parametrize(("value", "password"), [(URL, "p%40ss-word-1"), ("plain", ""), ("http://[broken", ""), ("redis://cache:6379", "")])
def test_password_of(value, password):
    assert password_of(value) == password
