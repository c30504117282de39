"""What names a commit, and what does not."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import commit as commits
from ansible_collections.atena.aws.plugins.module_utils.core.commit import Commit, NotOne, resolve

FULL = "3f1c2aa9d2f4c5b60718293a4b5c6d7e8f901234"
TWIN = "3f1c2aa9d2f4c5b60718293a4b5c6d7e8f905678"


def test_a_commit_is_whole_short_and_a_tag():
    commit = Commit(FULL)
    assert (str(commit), commit.short, commit.tag) == (FULL, "3f1c2aa9d2f4", f"sha-{FULL}")
    assert Commit.of_tag(commit.tag) == commit == Commit(FULL)
    assert Commit("a" * 64).tag == "sha-" + "a" * 64, "a repository of SHA-256 has longer ones"


@pytest.mark.parametrize("text", ["", FULL[:39], FULL + "0", FULL.upper(), f" {FULL}", f"{FULL}\n", "main", "a" * 63])
def test_anything_else_is_none(text):
    assert not commits.is_whole(text)
    with pytest.raises(ValueError, match="no whole commit"):
        Commit(text)


@pytest.mark.parametrize("tag", ["latest", "kept-20270115T120000Z-3f1c2aa9d2f4-0000", FULL, f"sha-{FULL[:12]}", f"sha-sha-{FULL}"])
def test_other_tags_name_no_commit(tag):
    assert Commit.of_tag(tag) is None


def ask(reference, known):
    return resolve(reference, known, nobody="No recorded release", listed=lambda found: sorted(found) or ["nothing like it"])


@pytest.mark.parametrize("reference", [FULL, FULL[:7], FULL[:12], FULL[:39], FULL[:7].upper(), "20270115T1200", "20270115T120000Z-3f1c2aa9d2f4-0000"])
def test_the_beginning_of_one_names_it(reference):
    assert ask(reference, {FULL: ["20270115T120000Z-3f1c2aa9d2f4-0000"], "b" * 40: ["20270116T120000Z-bbbbbbbbbbbb-0000"]}) == FULL


def test_of_two_that_begin_so_neither_is_taken_and_both_are_named():
    with pytest.raises(NotOne, match="names releases of 2 commits; write more of it. Nothing was changed") as refused:
        ask(FULL[:36], {FULL: [], TWIN: []})
    assert FULL in str(refused.value) and TWIN in str(refused.value)
    assert ask(FULL[:37], {FULL: [], TWIN: []}) == FULL


def test_one_that_is_whole_counts_more_than_a_longer_one_that_begins_so():
    assert ask(FULL, {FULL + "0" * 24: [], FULL: []}) == FULL


@pytest.mark.parametrize("reference", ["", "3f1c2a", "2027"])
def test_less_than_git_itself_writes_is_refused_though_one_begins_so(reference):
    with pytest.raises(NotOne, match="too short: at least 7 characters"):
        ask(reference, {FULL: ["20270115T120000Z-3f1c2aa9d2f4-0000"]})


def test_an_unknown_one_is_refused_with_what_there_is():
    with pytest.raises(NotOne, match="No recorded release is called '3f1c2ab'. Nothing was changed.*\nnothing like it"):
        ask("3f1c2ab", {FULL: []})


def test_a_release_by_a_name_of_its_own_goes_by_it():
    assert ask("v1.2", {"v1.2": [], "v1.2.3": []}) == "v1.2"
