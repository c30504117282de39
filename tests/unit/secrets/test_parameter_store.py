"""What is asked of Parameter Store: tiers, versions, and things that are not there."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Denied, failure
from ansible_collections.atena.aws.plugins.module_utils.secrets import store as parameter_store
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


def listed(key="alias/customer", kind="SecureString", tier="Standard"):
    return {"Parameters": [{"Name": "/p/A", "Type": kind, "Tier": tier, **({"KeyId": key} if key else {})}]}


@pytest.mark.parametrize(("value", "tier"), [("x" * 4096, None), ("x" * 4097, "Advanced"), ("é" * 2049, "Advanced"), ("x" * 8192, "Advanced")])
def test_the_tier_is_stated_only_where_it_has_to_be(value, tier):
    for write, answers in ((parameter_store.create, []), (parameter_store.update, [listed()])):
        aws = Aws(*answers, {"Version": 1})
        assert write(aws, "/p", "A", value) == 1
        assert aws.calls[-1][1].get("Tier") == tier


def test_a_short_value_for_an_advanced_parameter_is_written_as_advanced_where_aws_wants_to_hear_it():
    refused = failure("You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier.", "ValidationException")
    aws = Aws(listed(), refused, {"Version": 7})
    assert parameter_store.update(aws, "/p", "A", "v") == 7
    assert [arguments.get("Tier") for _, arguments in aws.calls[1:]] == [None, "Advanced"]
    with pytest.raises(CallFailed):
        parameter_store.update(Aws(listed(), failure("the name is invalid", "ValidationException")), "/p", "A", "v")


def test_what_is_new_is_not_written_over_what_somebody_was_faster_with():
    aws = Aws({"Version": 1}, listed(), {"Version": 2})
    parameter_store.create(aws, "/p", "A", "v", "what for", {"b": "2", "a": "1"})
    parameter_store.update(aws, "/p", "A", "w")
    created, _described, updated = (arguments for _, arguments in aws.calls)
    assert "Overwrite" not in created and created["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}] and created["Description"] == "what for"
    assert updated["Overwrite"] is True and "Tags" not in updated


def test_what_is_new_and_was_written_by_an_attempt_whose_answer_was_lost_is_written():
    there = failure("The parameter already exists.", "ParameterAlreadyExists")
    ours, theirs = ({"Parameters": [{"Name": "/p/A", "Value": value, "Version": 1}]} for value in ("v", "another"))
    assert parameter_store.create(Aws(there, ours), "/p", "A", "v") == 1
    with pytest.raises(CallFailed, match="already exists"):
        parameter_store.create(Aws(there, theirs), "/p", "A", "v")


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


@pytest.mark.parametrize("key", ["alias/customer", "arn:aws:kms:us-east-1:1:key/k", "alias/aws/ssm"])
@pytest.mark.parametrize("write", [lambda aws: parameter_store.update(aws, "/p", "A", "v"), lambda aws: parameter_store.rewrite(aws, "/p/A", "v")])
def test_a_new_value_is_encrypted_with_the_key_that_the_parameter_has(key, write):
    aws = Aws(listed(key), {"Version": 2})
    assert write(aws) == 2
    assert aws.calls[1] == ("put_parameter", {"Name": "/p/A", "Value": "v", "Type": "SecureString", "Overwrite": True, "KeyId": key})


def test_an_advanced_one_stays_so_without_a_refusal_and_one_in_the_clear_as_it_is_where_it_is_no_secret():
    aws = Aws(listed(tier="Advanced"), {"Version": 2})
    parameter_store.update(aws, "/p", "A", "v")
    assert aws.calls[1][1]["Tier"] == "Advanced"
    for kept, kind in ((True, "String"), (False, "SecureString")):
        aws = Aws(listed(key="", kind="String"), {"Version": 2})
        parameter_store.rewrite(aws, "/p/A", "v") if kept else parameter_store.update(aws, "/p", "A", "v")
        assert aws.calls[1][1]["Type"] == kind and "KeyId" not in aws.calls[1][1]


def test_many_are_asked_for_with_one_call_for_each_fifty():
    names = [f"/p/{number}" for number in range(60)]

    class Many(Pages):
        asked = ()

        def __call__(self, service, operation, doing, /, ParameterFilters):
            self.asked += (len(ParameterFilters[0]["Values"]),)
            return {"Parameters": [{"Name": name, "Type": "SecureString", "KeyId": f"key{name}"} for name in ParameterFilters[0]["Values"] if name != "/p/7"]}

    aws = Many()
    found = parameter_store.kept(aws, names)
    assert aws.asked == (50, 10) and found["/p/59"].key == "key/p/59" and set(names) - set(found) == {"/p/7"}
    assert parameter_store.kept(Aws(), []) == {}


def test_rights_that_lack_are_named():
    refused = failure("Could not read the keys of /p/A: AccessDeniedException: no.", "AccessDeniedException")
    with pytest.raises(Denied, match="No new value was written.*needs ssm:DescribeParameters"):
        parameter_store.update(Aws(refused), "/p", "A", "v")
    for code in ("AccessDeniedException", "InvalidKeyId"):
        with pytest.raises(CallFailed, match="key alias/customer, and stays so.*kms:Encrypt"):
            parameter_store.update(Aws(listed(), failure("Could not write the secret A: no.", code)), "/p", "A", "v")


def test_one_that_is_not_listed_is_not_written_without_its_key():
    aws = Aws({"Parameters": []})
    with pytest.raises(CallFailed, match="does not list /p/A"):
        parameter_store.update(aws, "/p", "A", "v")
    assert len(aws.calls) == 1
