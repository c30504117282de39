"""What may be piped in, and that no error repeats it."""

import os
import pty

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.atena.aws.plugins.lookup import standard_input


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("s3cret", "A", {"A": "s3cret"}),
        ("s3cret\n", "A", {"A": "s3cret"}),
        ("two\nlines\r\n", "A", {"A": "two\nlines"}),
        ("{{ no }} template: $x\n", "A", {"A": "{{ no }} template: $x"}),
        ('{"A": "one", "B": "two\\n"}', "variables", {"A": "one", "B": "two\n"}),
        ("A: |-\n  one\n  two\n", "variables", {"A": "one\ntwo"}),
    ],
)
def test_one_value_or_many(text, name, found):
    assert standard_input.values(text, name) == found


@pytest.mark.parametrize("text", ["s3cret", "- s3cret", "{s3cret", "1: s3cret", ""])
def test_what_is_no_dictionary_is_refused_without_a_word_of_it(text):
    with pytest.raises(AnsibleLookupError) as refused:
        standard_input.values(text, "variables")
    assert "s3cret" not in str(refused.value) and refused.value.__cause__ is None


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "in").write_bytes(b"\xff\xfes3cret")
    with pytest.raises(AnsibleLookupError, match="no UTF-8"):
        standard_input.read(str(tmp_path / "in"))


def test_a_terminal_and_nothing_at_all_are_refused(tmp_path):
    ours, theirs = pty.openpty()
    with pytest.raises(AnsibleLookupError, match="is a terminal"):
        standard_input.read(os.ttyname(theirs))
    os.close(ours)
    os.close(theirs)
    with pytest.raises(AnsibleLookupError, match="No such file"):
        standard_input.read(str(tmp_path / "none"))
