"""What people and surveys send as counts."""

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.atena.aws.plugins.filter.scale import scale_services

SERVICES, ORDER = {"api": {}, "workers": {}, "mail": {}}, ["api", "workers"]
BOTH = [{"name": "p-api", "key": "api", "count": 2}, {"name": "p-workers", "key": "workers", "count": 3}]


def asked(given, **single):
    return scale_services(given, SERVICES, "p", ORDER, {"api": "", "workers": "", "mail": "", **single})


@pytest.mark.parametrize(
    "given",
    [
        {"workers": 3, "api": 2},
        {"api": "2", "workers": {"count": "3"}},
        {"api": 2, "workers": 3, "mail": ""},
        '{"api": 2, "workers": 3}',
        "api=2,workers=3",
        " api=2 workers=3 ",
        "api=2, workers=3",
    ],
)
def test_every_way_to_say_it_means_the_same(given):
    assert asked(given) == BOTH


def test_a_variable_with_a_services_name_is_a_count_where_scale_is_silent():
    assert asked("", api="2", workers=3) == BOTH
    assert asked("api=2", api="9", workers=3) == BOTH
    # Something else of that name in the inventory is no count.
    assert asked("api=2,workers=3", mail={"host": "x"}) == BOTH


def test_bounds_come_with_or_without_a_count():
    assert asked({"api": {"count": 6, "min": 0, "max": "8"}}) == [{"name": "p-api", "key": "api", "count": 6, "min": 0, "max": 8}]
    assert asked({"mail": {"max": 8}}) == [{"name": "p-mail", "key": "mail", "max": 8}]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "Nothing shows what to scale"),
        ({}, "Nothing shows what to scale"),
        ({"app": 2}, "There is no service app here; there are api, mail, workers"),
        ("api", "'api' is not of the form service=count"),
        ('{"api": 2', "is not JSON"),
        ([1], "must name services and counts"),
        ({"api": -1}, "api's count is '-1'"),
        ({"api": True}, "api's count is 'True'"),
        ({"api": 1.5}, "api's count is '1.5'"),
        ({"api": "two"}, "api's count is 'two'"),
        ({"api": {"count": 1, "most": 3}}, "api may say count, min, max, not most"),
        ({"api": {}}, "api may say count, min, max, not nothing"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_to_say_it(given, says):
    with pytest.raises(AnsibleFilterError) as refused:
        asked(given)
    assert says in str(refused.value)
