"""One write of an object over the version that is known: what both who use it rely on."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Conflict, NotFound, failure
from ansible_collections.atena.aws.plugins.module_utils.core.stored_object import StoredObject, put_over
from test_ledger import Bucket

AT_THIS_MOMENT = failure("A conflicting conditional operation is currently in progress", "ConditionalRequestConflict")
CONDITION = failure("At least one of the pre-conditions you specified did not hold", "PreconditionFailed")


def write(*answers, etag="", ours=""):
    """put_over with a PutObject that answers like this. Returns (what it gives, the conditions that were sent, the pauses)."""
    sent, slept, left = [], [], list(answers)

    def put(**condition):
        sent.append(condition)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"ETag": answer}

    return put_over(etag, put, lambda: ours, slept.append), sent, slept


def test_only_the_known_version_is_written_over_and_of_none_only_none():
    assert write("e2", etag="e1") == ("e2", [{"IfMatch": "e1"}], [])
    assert write("e1") == ("e1", [{"IfNoneMatch": "*"}], [])


def test_what_is_written_at_this_moment_is_waited_for():
    etag, sent, slept = write(*[AT_THIS_MOMENT] * 3, "e2", etag="e1")
    assert (etag, sent, len(slept)) == ("e2", [{"IfMatch": "e1"}] * 4, 3)
    with pytest.raises(Conflict, match="in progress"):
        write(*[AT_THIS_MOMENT] * 100)


@pytest.mark.parametrize("ours", ["e2", ""])
def test_a_condition_that_does_not_hold_is_settled_by_what_is_there(ours):
    assert write(CONDITION, etag="e1", ours=ours)[0] == ours


@pytest.mark.parametrize("code", ["NoSuchKey", "AccessDenied", "OperationAborted"])
def test_any_other_failure_is_told_as_it_is(code):
    with pytest.raises(CallFailed) as failed:
        write(failure("no", code))
    assert failed.value.code == code


def test_an_object_of_another_is_not_written_over_and_one_of_ours_is_known_by_its_answer_that_was_lost():
    bucket = Bucket()
    mine, other = StoredObject(bucket, "state", "k", "it"), StoredObject(bucket, "state", "k", "it")
    assert mine.read() is other.read() is None

    def lost():
        raise CONDITION

    bucket.after["put_object"] = lost
    mine.write({"a": 1})
    mine.write({"a": 2})
    with pytest.raises(Conflict, match="changed by another run"):
        other.write({"a": 3})
    assert mine.read() == {"a": 2}
    bucket.objects.clear()
    with pytest.raises(NotFound, match="was deleted while this run was in progress"):
        mine.write({"a": 4})
    assert bucket.objects == {}
