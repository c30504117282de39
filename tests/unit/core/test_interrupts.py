"""Ctrl-C and SIGTERM: the wait ends with a word, a write is not cut in two."""

import os
import signal

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import Interrupted, interruptible, shielded


@pytest.fixture(autouse=True)
def handlers():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_wait_and_names_itself(number):
    with pytest.raises(Interrupted, match=signal.Signals(number).name), interruptible():
        os.kill(os.getpid(), number)


def test_a_second_signal_does_not_keep_the_words_from_getting_out():
    with pytest.raises(Interrupted), interruptible():
        os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_waits_for_the_end_of_a_write():
    steps = []
    with pytest.raises(Interrupted), interruptible():
        with shielded():
            with shielded():
                os.kill(os.getpid(), signal.SIGTERM)
                steps.append("sent")
            steps.append("answer kept")
        steps.append("never")
    assert steps == ["sent", "answer kept"]


def test_no_library_takes_it_for_an_error_of_its_own():
    with pytest.raises(Interrupted), interruptible():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except Exception:
            pytest.fail("it was caught, and the call would have been tried again")


def test_afterwards_all_is_as_before(handlers):
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) != handlers[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in handlers} == handlers


def test_one_within_another_is_the_outer_one():
    with pytest.raises(Interrupted), interruptible():
        with interruptible():
            pass
        os.kill(os.getpid(), signal.SIGTERM)
