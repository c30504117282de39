"""Lists, as surveys send them."""

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.atena.aws.plugins.filter.answers import answer_list


@pytest.mark.parametrize("given", [["a.b", "c[0]"], "a.b,c[0]", " a.b, c[0] ", "a.b\nc[0]\n", "a.b\r\nc[0]", '["a.b", "c[0]"]', ("a.b", "", "c[0]")])
def test_every_way_to_say_it_means_the_same(given):
    assert answer_list(given) == ["a.b", "c[0]"]


@pytest.mark.parametrize("nothing", ["", "  ", None, [], "[]", "\n"])
def test_no_answer_is_an_empty_list(nothing):
    assert answer_list(nothing) == []


def test_keys_with_quotes_stay_whole():
    assert answer_list('aws_subnet.private["us-east-1a"]') == ['aws_subnet.private["us-east-1a"]']


@pytest.mark.parametrize(("given", "says"), [("[a, b]", "looks like a JSON list"), ({"a": 1}, "must be a list"), (7, "must be a list")])
def test_what_cannot_be_a_list_is_refused(given, says):
    with pytest.raises(AnsibleFilterError, match=says):
        answer_list(given)
