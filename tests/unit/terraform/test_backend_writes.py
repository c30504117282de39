"""The writes of a bootstrap, where AWS refuses for a moment, answers late, or another first run is faster."""

import itertools
import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.modules import terraform_backend
from test_ledger import Bucket

GATES = {"power": "on", "redis": "present"}


@pytest.fixture(autouse=True)
def no_time(monkeypatch):
    clock = itertools.count(0, 10)
    monkeypatch.setattr(terraform_backend, "Deadline", lambda seconds: type("Deadline", (), {"passed": property(lambda self: next(clock) >= seconds)})())
    monkeypatch.setattr(terraform_backend.time, "sleep", lambda seconds: None)


def table(*statuses):
    """What stands for AWS: DescribeTable answers one status after the other, the last one for ever. It has no client: whatever is asked goes through `call`,
    which sends again what was refused."""
    left = list(statuses)

    def call(service, operation, doing, **arguments):
        if operation != "describe_table":
            return {}
        status = left.pop(0) if len(left) > 1 else left[0]
        if status is None:
            raise failure("none", "ResourceNotFoundException")
        return {"Table": {"TableStatus": status}}

    return call


CREATE = [{"operation": "create_table", "about": "table", "arguments": {}}]


def test_a_new_table_is_waited_for_by_calls_that_are_sent_again():
    """botocore's waiter sends each of its own once: a throttle in the midst of a bootstrap was its end."""
    terraform_backend.change_table(table(None, "CREATING", "ACTIVE"), "locks", "", CREATE)


def test_a_table_that_never_comes_is_told_with_what_to_do():
    with pytest.raises(CallFailed, match="locks is still CREATING.*Run bootstrap.yml again"):
        terraform_backend.change_table(table("CREATING"), "locks", "", CREATE)


def test_gates_whose_answer_was_lost_are_written():
    bucket = Bucket()

    def lost():
        raise failure("At least one of the pre-conditions you specified did not hold", "PreconditionFailed")  # to the second attempt

    bucket.after["put_object"] = lost
    assert terraform_backend.write_gates(bucket, "state", "gates", GATES) == GATES
    assert json.loads(bucket.objects["gates"]) == GATES


def test_of_two_first_runs_both_go_on_with_what_the_faster_one_wrote():
    bucket = Bucket()
    theirs = {"power": "off", "redis": "absent"}
    bucket.before["put_object"] = lambda: bucket.objects.update(gates=json.dumps(theirs).encode())
    assert terraform_backend.write_gates(bucket, "state", "gates", GATES) == theirs
