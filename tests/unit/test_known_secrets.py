"""Secrets that the caller may read are taken out; where he may not, that is said."""

from ansible_collections.atena.aws.plugins.module_utils.aws_calls import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.known_secrets import redactor_of

LINE = "token a-secret-token at postgresql://atena:hunter2@db/atena"


def answering(*values):
    return lambda *_, **arguments: {"Parameters": [{"Value": value} for value in values]}


def refusing(*_, **arguments):
    raise CallFailed("Could not list the parameters: AccessDeniedException.", "AccessDeniedException")


def test_values_below_the_path_are_taken_out():
    redactor, unknown = redactor_of(answering("a-secret-token", "CHANGE_ME"), "/atena/prod")
    assert (redactor.text(LINE), unknown) == ("token [secret] at postgresql://atena:[secret]@db/atena", "")


def test_without_the_right_to_read_them_passwords_in_urls_are_and_it_is_said():
    redactor, unknown = redactor_of(refusing, "/atena/prod")
    assert redactor.text(LINE) == "token a-secret-token at postgresql://atena:[secret]@db/atena"
    assert "AccessDeniedException" in unknown


def test_without_a_path_nobody_is_asked():
    assert redactor_of(refusing, None)[1] == ""
