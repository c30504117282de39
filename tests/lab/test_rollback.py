"""Going back to earlier releases of the ledger."""

import uuid

import pytest
from bad_commits import API, new_migration
from releases import CRASHING, assert_settled, released


@pytest.fixture(scope="module")
def commits(lab):
    """Five releases, oldest first; what the repository had is put back at the end."""
    before = lab.app.commit
    found = [before, *released(lab, 4)]
    yield found
    lab.app.back_to(before)
    lab.playbook("deploy.yml").must_succeed()


def test_the_list_marks_what_runs(lab, commits):
    run = lab.playbook("releases.yml").must_succeed()
    marked = [line for line in run.output.splitlines() if line.strip().startswith("* ")]
    assert len(marked) == 1
    assert commits[-1][:12] in marked[0]


@pytest.mark.parametrize("back", [1, pytest.param(2, marks=pytest.mark.soak), pytest.param(3, marks=pytest.mark.soak), 4])
def test_back_to_each_of_the_last_five(lab, commits, back):
    target = commits[-1 - back]
    run = lab.playbook("rollback.yml", "-e", f"release={target[:9]}").must_succeed()
    assert target[:12] in run.text
    assert_settled(lab, target)
    assert lab.records()[0]["kind"] == "rollback"


def test_without_a_name_it_goes_to_what_ran_before(lab, commits):
    lab.playbook("deploy.yml", "-e", f"release={commits[-2]}").must_succeed()
    lab.playbook("deploy.yml", "-e", f"release={commits[-1]}").must_succeed()
    lab.playbook("rollback.yml").must_succeed()
    assert_settled(lab, commits[-2])
    # And again further back, to what ran before that one - not forth.
    lab.playbook("rollback.yml").must_succeed()
    assert_settled(lab, commits[0])


def test_a_release_by_its_commit_is_not_built(lab, commits):
    run = lab.playbook("deploy.yml", "-e", f"release={commits[-1]}").must_succeed()
    assert "Build and push the missing images" not in run.output
    assert_settled(lab, commits[-1])
    assert lab.playbook("deploy.yml", "-e", f"release={commits[-1]}").must_succeed().changed == 0


def test_a_release_by_what_the_list_prints_of_its_commit(lab, commits):
    target = commits[-2]
    assert f" {target[:12]} " in lab.playbook("releases.yml").must_succeed().output
    run = lab.playbook("deploy.yml", "-e", f"release={target[:12]}").must_succeed()
    assert "Build and push the missing images" not in run.output
    assert_settled(lab, target)
    assert lab.records()[0]["release"] == target, "the record has the whole commit"
    lab.playbook("deploy.yml", "-e", f"release={commits[-1][:7]}").must_succeed()
    assert_settled(lab, commits[-1])


@pytest.mark.parametrize(
    "playbook, release, words",
    [
        ("deploy.yml", "0" * 40, "ECR has no image"),
        ("deploy.yml", "0" * 12, "No recorded release and no image in ECR is called"),
        ("deploy.yml", "0" * 4, "is too short"),
        ("rollback.yml", "0" * 40, "No recorded release is called"),
    ],
)
def test_an_unknown_release_is_refused_before_anything_changes(lab, commits, playbook, release, words):
    before = lab.revisions(), lab.records()[0]
    run = lab.playbook(playbook, "-e", f"release={release}").must_fail()
    assert words in run.text
    assert (lab.revisions(), lab.records()[0]) == before


def test_a_release_whose_image_is_gone_is_refused(lab, commits):
    record = next(record for record in lab.records() if record["release"] == commits[1])
    digest = record["images"]["api"].split("@")[1]
    lab.client("ecr").batch_delete_image(repositoryName=f"{lab.name}-api", imageIds=[{"imageDigest": digest}])
    before = lab.revisions()
    run = lab.playbook("rollback.yml", "-e", f"release={commits[1]}").must_fail()
    assert digest[:19] in run.text
    assert "Nothing was changed" in run.text
    assert lab.revisions() == before
    assert lab.lock() is None


def test_a_release_that_failed_is_no_way_back(lab, commits):
    lab.app.change("Crash", **{API: CRASHING})
    crashed = lab.app.commit
    lab.playbook("deploy.yml").must_fail()
    lab.app.back_to(commits[-1])
    run = lab.playbook("rollback.yml", "-e", f"release={crashed}").must_fail()
    assert "never succeeded" in run.text


def test_over_a_migration_it_asks(lab, commits):
    before = lab.app.commit
    table = f"extra_{uuid.uuid4().hex[:8]}"
    lab.app.change("Add a table", **{new_migration(table): f"CREATE TABLE {table} (id int);\n"})
    lab.playbook("deploy.yml").must_succeed()
    migrated = lab.app.commit
    refused = lab.playbook("rollback.yml").must_fail()
    assert "rollback_over_migration=true" in refused.text
    assert_settled(lab, migrated)
    lab.playbook("rollback.yml", "-e", "rollback_over_migration=true").must_succeed()
    assert_settled(lab, before)
    lab.app.back_to(before)


def test_a_release_of_images_that_were_only_built(lab, commits):
    """The last one: which migrations it has is not known, so that no rollback crosses it without a word."""
    before = lab.app.commit
    lab.app.change("Build only", **{"built-only.txt": "x\n"})
    built = lab.app.commit
    lab.playbook("deploy.yml", "-e", "deploy_until=images").must_succeed()
    lab.app.back_to(before)
    assert lab.records()[0]["release"] != built
    lab.playbook("deploy.yml", "-e", f"release={built[:9]}").must_succeed()
    assert_settled(lab, built)
    lab.playbook("deploy.yml", "-e", f"release={commits[-1]}").must_succeed()
