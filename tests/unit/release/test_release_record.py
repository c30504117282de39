"""What a release's record says: what its images were built from, and which migrations it has."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.environment.release_record import Build
from ansible_collections.atena.aws.plugins.module_utils.release.run import Release, ReleaseFailed
from test_ledger import record as recorded

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
        (None, [("a", None)], UNKNOWN),
    ],
)
def test_it_is_what_was_built_or_what_the_commits_earlier_record_says(given, earlier, wanted):
    records = [recorded(release=letter * 40, build=Build.of(build or {})) for letter, build in earlier]
    assert release(given, records=records)._build() == Build.of(wanted)


@pytest.mark.parametrize(("goal", "wanted"), [(TREE, TREE), ({}, UNKNOWN)])
def test_of_a_rollback_it_is_that_of_the_release_it_goes_back_to(goal, wanted):
    assert release(COMMIT, goal=recorded(build=Build.of(goal)))._build() == Build.of(wanted)


MIGRATION = {"service": "atena-prod-api", "container": "api", "command": ["migrate"], "repeat_incomplete": False}


def warned(build, schema="", records=(), source="packages/database", migration=MIGRATION, goal=None):
    run = release(build, records=records, goal=goal)
    run.params.update(schema=schema, migration=migration, migration_source=source)
    run._warn_of_unknown_migrations()
    return " ".join(run.warnings)


def test_a_commit_without_the_path_of_the_migrations_is_told_when_it_is_released():
    says = warned(COMMIT)
    assert "the commit aaaaaaaaaaaa has no packages/database (atena_migration_source)" in says
    assert "Set atena_migration_source to the directory" in says and "rollback_over_migration=true" in says


def test_of_images_that_others_built_it_is_told_how_they_would_be_known():
    says = warned(UNKNOWN)
    assert "no release of aaaaaaaaaaaa that was built here is recorded" in says and "has no" not in says


@pytest.mark.parametrize(
    "known",
    [{"schema": "s1"}, {"source": ""}, {"migration": None}, {"goal": recorded(schema="")}, {"records": [recorded(schema="s1")]}],
)
def test_nothing_is_told_where_it_is_known_or_not_wanted(known):
    assert warned(COMMIT, **known) == ""


@pytest.mark.parametrize(("schema", "says"), [("", "is not known"), ("s2", "a rollback does not undo them")])
def test_a_rollback_is_refused_for_what_is_the_matter(schema, says):
    records = [recorded("a", id="r9", schema=schema), recorded("b", id="r8", schema="s1")]
    run = release(records=records)
    run.params.update(rollback_to="previous", allow_over_migration=False, migration_source="db")
    with pytest.raises(ReleaseFailed, match=says) as refused:
        run._rollback_goal({})
    assert "Nothing was changed." in str(refused.value) and ("atena_migration_source" in str(refused.value)) == (schema == "")
    assert run.result["migrations_unknown"] == ([] if schema else ["r9"])
