"""Every playbook of a running environment with --check, for real, and once more: the check and the repeat write nothing, counted at the wire.

What switches the environment off, restores it or takes it away is in test_core_night.py and test_recovery.py. That none is missing is held by
outcomes.py, which is told of each playbook that a run of the tests has typed.
"""

from __future__ import annotations

import json
import re
import subprocess
import uuid

import pytest
from github_server import TOKEN, GitHubServer
from wire import Wire

pytestmark = [pytest.mark.lab, pytest.mark.core]
NOTES = "packages/api/NOTES.md"
STATE_LOCK = {"dynamodb:PutItem", "dynamodb:DeleteItem"}
# How many calls of ours a release with a build takes, besides those of its waiting, and a deploy of what runs already.
WITH_A_BUILD, NOTHING_TO_DO = 105, 25
# Kept by default: what is younger than a month.
PRUNE = ("-e", "atena_kept_releases=1", "-e", "prune_min_age_days=0", "-e", "prune_keep_newest=1")


def typed(lab, playbook: str, *arguments: str, **environment: str):
    """(run, the calls that it made)."""
    with Wire(lab.endpoint) as wire:
        run = lab.playbook(playbook, *arguments, environment={"AWS_ENDPOINT_URL": wire.endpoint, **environment}).must_succeed()
    assert wire.calls
    return run, wire


def checked(lab, playbook: str, *arguments: str, **environment: str):
    """With --check nothing is written, the lock neither."""
    run, wire = typed(lab, playbook, "--check", "--diff", *arguments, **environment)
    assert wire.writes() == [], f"{playbook} --check wrote"
    return run


def again(lab, playbook: str, *arguments: str, **environment: str):
    """A second time there is nothing to do, and nothing but locks is written: the environment's, and Terraform's of its state."""
    run, wire = typed(lab, playbook, *arguments, **environment)
    assert set(wire.writes(besides_lock=True)) <= STATE_LOCK, f"{playbook} wrote again"
    assert run.changed == 0, run.output
    return run


# --- The first day ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("playbook", ["bootstrap.yml", "infra.yml", "secrets.yml", "site.yml"])
def test_what_site_did_is_not_done_again(lab, playbook):
    assert checked(lab, playbook).changed == 0
    again(lab, playbook)
    assert lab.plan()[0] == 0


# --- What only reads --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("playbook", "arguments", "says"),
    [
        ("status.yml", (), "Healthy."),
        ("cost.yml", (), "always on"),
        ("diagnose.yml", (), ""),
        ("releases.yml", (), "deploy succeeded"),
        ("preflight.yml", (), "can succeed"),
        ("lock.yml", (), "is not locked"),
        ("logs.yml", ("-e", "logs_since=1h"), ""),
        ("schedule.yml", (), "it is started and stopped manually"),
        ("guard.yml", (), ""),
    ],
)
def test_what_only_reads_writes_nothing(lab, playbook, arguments, says):
    assert checked(lab, playbook, *arguments).changed == 0
    run, wire = typed(lab, playbook, *arguments)
    # A diagnosis is kept in the state bucket, before AWS forgets what it was made from.
    written = [call for call in wire.writes() if not (playbook == "diagnose.yml" and "/evidence/" in call)]
    assert (written, run.changed) == ([], 0)
    assert says in run.text, run.output


# --- Releases ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def pair(lab):
    """Two commits, the second one released: what there is to go back to, and what to prune."""
    before = lab.app.commit
    after = lab.app.change("Something new", **{NOTES: f"{uuid.uuid4()}\n"})
    ran = lab.revisions()
    predicted = checked(lab, "deploy.yml")
    assert f"Would release {after}" in predicted.text and lab.revisions() == ran
    run, wire = typed(lab, "deploy.yml")
    assert run.changed == predicted.changed > 0
    assert lab.app.version == after
    assert wire.ours_besides_waiting() <= WITH_A_BUILD, wire.ours()
    yield before, after
    lab.app.back_to(before)
    lab.playbook("deploy.yml").must_succeed()


def test_a_release_is_predicted_made_and_not_made_again(lab, pair):
    assert f"{pair[1]} already runs" in again(lab, "deploy.yml").text
    _, wire = typed(lab, "deploy.yml")
    assert sum(wire.ours().values()) <= NOTHING_TO_DO, wire.ours()
    newest = lab.records()[0]
    assert (newest["release"], newest["outcome"], newest["migration"]["exit_code"]) == (pair[1], "succeeded", 0)


def test_a_rollback_is_predicted_made_and_not_made_again(lab, pair):
    before, after = pair
    named = ("-e", f"release={before[:12]}")
    ran = lab.revisions()
    assert checked(lab, "rollback.yml", *named).changed > 0
    assert lab.revisions() == ran
    typed(lab, "rollback.yml", *named)
    assert lab.app.version == before and lab.records()[0]["kind"] == "rollback"
    again(lab, "rollback.yml", *named)
    lab.playbook("deploy.yml", "-e", f"release={after}").must_succeed()


def test_what_no_release_needs_is_taken_away_once(lab, pair):
    ecs = lab.client("ecs")

    def active():
        return {arn for arn in ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"] if "template" not in arn}

    there = active()
    assert checked(lab, "prune.yml", *PRUNE).changed == 1
    assert active() == there
    typed(lab, "prune.yml", *PRUNE)
    assert active() < there and set(lab.revisions().values()) <= active()
    again(lab, "prune.yml", *PRUNE)
    assert lab.app.get("/health")[0] == 200


# --- The runbook's daily work -----------------------------------------------------------------------------------------
def one_off_tasks(lab) -> int:
    return len([task for task in lab.ended_tasks() if task.get("startedBy", "").startswith("atena-aws/")])


def test_a_migration_runs_as_often_as_it_is_asked_for(lab):
    before = one_off_tasks(lab)
    assert "Would run" in checked(lab, "migrate.yml").text
    assert one_off_tasks(lab) == before
    for number in (1, 2):
        assert typed(lab, "migrate.yml")[0].changed == 1
        assert one_off_tasks(lab) == before + number


def test_counts_are_predicted_brought_about_and_left(lab):
    def counts():
        return {name.rsplit("-", 1)[1]: (service["desiredCount"], service["runningCount"]) for name, service in lab.services().items()}

    up = ("-e", "scale=api=2,workers=1")
    assert checked(lab, "scale.yml", *up).changed == 1
    assert counts() == {"api": (1, 1), "workers": (1, 1)}
    typed(lab, "scale.yml", *up)
    assert counts() == {"api": (2, 2), "workers": (1, 1)}
    again(lab, "scale.yml", *up)
    typed(lab, "scale.yml", "-e", "scale=api=1")
    assert counts() == {"api": (1, 1), "workers": (1, 1)}


def running(lab) -> set[str]:
    ecs = lab.client("ecs")
    return set(ecs.list_tasks(cluster=lab.cluster, desiredStatus="RUNNING")["taskArns"])


def test_a_restart_brings_new_tasks_each_time(lab):
    tasks, ran = running(lab), lab.revisions()
    assert checked(lab, "restart.yml").changed == 1
    assert running(lab) == tasks
    for _ in range(2):
        typed(lab, "restart.yml")
        assert len(running(lab)) == 2 and not running(lab) & tasks and lab.revisions() == ran
        tasks = running(lab)


def test_a_command_runs_in_a_task_as_often_as_it_is_asked_for(lab):
    # Not the name in /proc/1/comm: Node.js 24 calls its main thread MainThread.
    command = ("-e", "exec_command='cat /proc/1/cmdline'")
    assert "Would run" in checked(lab, "exec.yml", *command).text
    for _ in range(2):
        assert "node" in typed(lab, "exec.yml", *command)[0].output


def test_the_databases_users_take_turns(lab):
    def user():
        parameter = lab.client("ssm").get_parameter(Name="/atena/prod/DATABASE_URL", WithDecryption=True)["Parameter"]["Value"]
        return re.match(r"postgres(?:ql)?://([^:]+):", parameter)[1]

    first = user()
    assert checked(lab, "rotate_database_password.yml").changed == 1
    assert user() == first
    turns = []
    for _ in range(2):
        typed(lab, "rotate_database_password.yml")
        turns.append(user())
        assert lab.app.get("/health")[0] == 200
    assert len({first, *turns}) == len([first, *turns]) or turns[1] == first
    assert lab.plan()[0] == 0


# --- Continuous deployment --------------------------------------------------------------------------------------------
def test_workflows_are_written_once(lab, tmp_path):
    given = ("-e", json.dumps({"atena_github": {"repository": "acme/app", "oidc_provider": "create"}}))
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(lab.app.repository), str(clone)], check=True)
    lab.playbook("infra.yml", *given).must_succeed()
    try:
        with GitHubServer("acme/app") as github:
            environment = {"GITHUB_API_URL": github.url, "ATENA_GITHUB_TOKEN": TOKEN}
            arguments = (*given, "-e", f"ci_repository_path={clone}")
            assert checked(lab, "ci_setup.yml", *arguments, **environment).changed > 0
            assert github.writes == [] and not (clone / ".github").exists()
            assert typed(lab, "ci_setup.yml", *arguments, **environment)[0].changed > 0
            assert len(list((clone / ".github" / "workflows").glob("*.yml"))) >= 4 and github.writes
            # GitHub shows no secret's value, so that each is written anew; the files are not.
            written = {file: file.read_text() for file in clone.glob(".github/workflows/*.yml")}
            typed(lab, "ci_setup.yml", *arguments, **environment)
            assert {file: file.read_text() for file in written} == written
    finally:
        lab.playbook("infra.yml", "-e", json.dumps({"infra_allow_destroy": ["*github*"]})).must_succeed()
