"""The same work for several things at a time."""

import threading

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.parallel import each


def test_results_come_in_the_order_of_what_they_are_of():
    both = threading.Barrier(3)

    def work(number):
        both.wait(5)  # all three are at work at once, or this breaks
        return number * 2

    assert each(work, [3, 1, 2]) == [6, 2, 4] and each(work, []) == []


def test_one_alone_needs_no_thread():
    assert each(lambda _: threading.current_thread(), [1]) == [threading.current_thread()]


def test_the_first_that_fails_is_told_and_what_has_not_begun_does_not():
    began = []

    def work(number):
        began.append(number)
        raise ValueError(f"no {number}")

    with pytest.raises(ValueError, match="no 0"):
        each(work, range(100), workers=2)
    assert len(began) < 100
