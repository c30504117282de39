"""What is asked of Parameter Store: tiers, versions, and things that are not there."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils import parameter_store
from ansible_collections.atena.aws.plugins.module_utils.aws_errors import CallFailed, failure
from fakes import Pages


class Aws(Pages):
    def __init__(self, *answers):
        self.answers, self.calls = list(answers), []

    def __call__(self, service, operation, doing, /, **arguments):
        self.calls.append((operation, arguments))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(("value", "tier"), [("x" * 4096, None), ("x" * 4097, "Advanced"), ("é" * 2049, "Advanced"), ("x" * 8192, "Advanced")])
def test_the_tier_is_stated_only_where_it_has_to_be(value, tier):
    for write in (parameter_store.create, parameter_store.update):
        aws = Aws({"Version": 1})
        assert write(aws, "/p", "A", value) == 1
        assert aws.calls[0][1].get("Tier") == tier


def test_a_short_value_for_an_advanced_parameter_is_written_as_advanced_where_aws_wants_to_hear_it():
    refused = failure("You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier.", "ValidationException")
    aws = Aws(refused, {"Version": 7})
    assert parameter_store.update(aws, "/p", "A", "v") == 7
    assert [arguments.get("Tier") for _, arguments in aws.calls] == [None, "Advanced"]
    with pytest.raises(CallFailed):
        parameter_store.update(Aws(failure("the name is invalid", "ValidationException")), "/p", "A", "v")


def test_what_is_new_is_not_written_over_what_somebody_was_faster_with():
    aws = Aws({"Version": 1}, {"Version": 2})
    parameter_store.create(aws, "/p", "A", "v", "what for", {"b": "2", "a": "1"})
    parameter_store.update(aws, "/p", "A", "w")
    created, updated = (arguments for _, arguments in aws.calls)
    assert "Overwrite" not in created and created["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}] and created["Description"] == "what for"
    assert updated["Overwrite"] is True and "Tags" not in updated


def test_all_versions_are_read_over_all_pages_in_order():
    page = [{"Value": "b", "Version": 2, "Labels": ["l"]}], [{"Value": "a", "Version": 1}]
    aws = Aws({"Parameters": page[0], "NextToken": "t"}, {"Parameters": page[1]})
    assert parameter_store.history(aws, "/p", "A") == [{"value": "a", "version": 1, "labels": []}, {"value": "b", "version": 2, "labels": ["l"]}]
    assert aws.calls[1][1]["NextToken"] == "t"


def test_what_is_not_there_has_no_versions_and_is_deleted_already():
    absent = failure("no", "ParameterNotFound")
    assert parameter_store.history(Aws(absent), "/p", "A") == []
    parameter_store.delete(Aws(absent), "/p", "A")
    with pytest.raises(CallFailed):
        parameter_store.history(Aws(failure("no", "AccessDenied")), "/p", "A")
