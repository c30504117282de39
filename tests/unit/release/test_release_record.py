"""What a release's record says its images were built from."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.release.run import Release

COMMIT = {"from": "commit", "include": ["dist/"]}
TREE = {"from": "working_tree", "include": []}
UNKNOWN = {"from": "", "include": []}


def release(build=None, *, goal=None, records=()):
    params = {"cluster": None, "name": "atena-prod", "ledger": {"bucket": "b", "prefix": "p"}, "lock": {"table": "t", "name": "n", "expires_in": 300}}
    run = Release(None, {**params, "release": "a" * 40, "build": build})
    run.goal, run.records = goal, list(records)
    return run


@pytest.mark.parametrize(
    ("given", "earlier", "wanted"),
    [
        (COMMIT, [("a", TREE)], COMMIT),
        # Built by an earlier run: its record knows.
        (UNKNOWN, [("b", COMMIT), ("a", TREE), ("a", COMMIT)], TREE),
        ({}, [("a", UNKNOWN), ("a", COMMIT)], COMMIT),
        # Records of earlier versions know nothing of it.
        (None, [("a", None)], {}),
    ],
)
def test_it_is_what_was_built_or_what_the_commits_earlier_record_says(given, earlier, wanted):
    records = [{"release": letter * 40, **({"build": build} if build else {})} for letter, build in earlier]
    assert release(given, records=records)._build() == wanted


@pytest.mark.parametrize(("goal", "wanted"), [({"id": "1", "build": TREE}, TREE), ({"id": "1"}, {})])
def test_of_a_rollback_it_is_that_of_the_release_it_goes_back_to(goal, wanted):
    assert release(COMMIT, goal=goal)._build() == wanted
