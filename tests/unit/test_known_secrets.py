"""Secrets that the caller may read are taken out; where he may not, that is said."""

from ansible_collections.atena.aws.plugins.module_utils.aws_errors import failure
from ansible_collections.atena.aws.plugins.module_utils.known_secrets import redactor_of, redactor_of_task
from fakes import Asked

LINE = "token a-secret-token at postgresql://atena:hunter2@db/atena"


def answering(*values):
    return lambda *_, **arguments: {"Parameters": [{"Value": value} for value in values]}


def refusing(*_, **arguments):
    raise failure("Could not list the parameters: AccessDeniedException.", "AccessDeniedException")


def test_values_below_the_path_are_taken_out():
    redactor, unknown = redactor_of(Asked(answering("a-secret-token", "CHANGE_ME")), "/atena/prod")
    assert (redactor.text(LINE), unknown) == ("token [secret] at postgresql://atena:[secret]@db/atena", "")


def test_without_the_right_to_read_them_passwords_in_urls_are_and_it_is_said():
    redactor, unknown = redactor_of(Asked(refusing), "/atena/prod")
    assert redactor.text(LINE) == "token a-secret-token at postgresql://atena:[secret]@db/atena"
    assert "AccessDeniedException" in unknown


def test_without_a_path_nobody_is_asked():
    assert redactor_of(refusing, None)[1] == ""


class TestOfATask:
    DEFINITION = {
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:42:task-definition/api:1",
        "containerDefinitions": [
            {"name": "api", "secrets": [{"name": f"S{i}", "valueFrom": f"arn:aws:ssm:eu-west-1:42:parameter/a/b/S{i}"} for i in range(11)]},
            {"name": "x", "secrets": [{"name": "E", "valueFrom": "arn:aws:secretsmanager:eu-west-1:42:secret:x"}]},
        ],
    }

    def test_what_it_was_given_is_known(self):
        asked = []

        def call(service, operation, doing, /, Names, WithDecryption):
            asked.append(Names)
            return {"Parameters": [{"Value": f"secret-number-{name[-1]}"} for name in Names]}

        redactor = redactor_of_task(call, self.DEFINITION)
        assert [len(names) for names in asked] == [10, 1] and asked[0][0] == "/a/b/S0"
        assert redactor.text("ERROR token secret-number-3, postgres://u:pw@h") == "ERROR token [secret], postgres://u:[secret]@h"

    def test_without_the_permission_it_knows_passwords_in_urls(self):
        def call(*_, **__):
            raise failure("no", "AccessDeniedException")

        assert redactor_of_task(call, self.DEFINITION).text("postgres://u:pw@h") == "postgres://u:[secret]@h"
        assert redactor_of_task(None, {"containerDefinitions": [{"name": "api"}]}).text("x") == "x"
