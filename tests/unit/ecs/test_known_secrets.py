"""Secrets that the caller may read are taken out; where he may not, that is said."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import failure
from ansible_collections.atena.aws.plugins.module_utils.ecs import known_secrets
from ansible_collections.atena.aws.plugins.module_utils.ecs.known_secrets import redactor_of, redactor_of_task
from fakes import Asked, Pages

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


NOW = datetime(2026, 1, 10, tzinfo=UTC)


class Store(Pages):
    """A Parameter Store of {name: [values, the oldest first]}, all of them changed `days` ago."""

    def __init__(self, days=1, refused=False, **values):
        self.values, self.changed, self.refused, self.asked = values, NOW - timedelta(days=days), refused, []

    def __call__(self, service, operation, doing, /, **arguments):
        return getattr(self, operation)(**arguments)

    def _entry(self, name):
        values = self.values[name]
        return {"Name": f"/a/b/{name}", "Type": "SecureString", "Value": values[-1], "Version": len(values), "LastModifiedDate": self.changed}

    def get_parameters_by_path(self, **arguments):
        return {"Parameters": [self._entry(name) for name in self.values]}

    def get_parameters(self, Names, **arguments):
        return {"Parameters": [self._entry(name.rpartition("/")[2]) for name in Names]}

    def get_parameter_history(self, Name, **arguments):
        self.asked.append(Name)
        if self.refused:
            raise failure("Could not read the earlier values: AccessDeniedException.", "AccessDeniedException")
        return {"Parameters": [{"Value": value, "Version": at} for at, value in enumerate(self.values[Name.rpartition("/")[2]], 1)]}


class TestEarlierValues:
    """A task has the values of its start, and prints them also after a rotation."""

    OF_BEFORE, OF_NOW = "zq7xw2lk-of-before", "zq7xw2lk-of-now"

    @pytest.fixture(autouse=True)
    def today(self, monkeypatch):
        today = type("Today", (), {"now": staticmethod(lambda zone: NOW)})
        monkeypatch.setattr(known_secrets, "datetime", SimpleNamespace(datetime=today, UTC=UTC))

    def test_a_value_of_before_a_rotation_goes(self):
        redactor, unknown = redactor_of(Store(T=["CHANGE_ME", self.OF_BEFORE, self.OF_NOW]), "/a/b")
        assert redactor.text(f"{self.OF_BEFORE} {self.OF_NOW} CHANGE_ME") == "[secret] [secret] CHANGE_ME" and unknown == ""

    def test_of_a_task_too(self):
        definition = {
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:42:task-definition/api:1",
            "containerDefinitions": [{"name": "api", "secrets": [{"name": "T", "valueFrom": "arn:aws:ssm:eu-west-1:42:parameter/a/b/T"}]}],
        }
        assert redactor_of_task(Store(T=[self.OF_BEFORE, self.OF_NOW]), definition).text(f"at {self.OF_BEFORE}") == "at [secret]"

    def test_what_never_changed_or_long_ago_costs_no_call(self):
        for store in (Store(T=[self.OF_NOW]), Store(days=91, T=[self.OF_BEFORE, self.OF_NOW])):
            redactor_of(store, "/a/b")
            assert store.asked == []

    def test_however_many_there_are_the_calls_and_the_values_have_an_end(self):
        store = Store(**{f"T{number}": [f"zq7xw2lk-{number}-{version}-" for version in range(30)] for number in range(40)})
        redactor, _ = redactor_of(store, "/a/b")
        assert len(store.asked) == 20
        assert [redactor.text(f"zq7xw2lk-0-{version}-") == "[secret]" for version in range(30)] == [False] * 24 + [True] * 6

    def test_where_they_may_not_be_read_those_of_now_go_and_it_is_said(self):
        redactor, unknown = redactor_of(Store(refused=True, T=[self.OF_BEFORE, self.OF_NOW]), "/a/b")
        assert redactor.text(self.OF_NOW) == "[secret]"
        assert "before they were changed" in unknown and "AccessDeniedException" in unknown
