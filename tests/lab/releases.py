"""Releases to go forth and back between, for the tests of releases: commits of the sample application, each released once."""

from __future__ import annotations

import uuid

from bad_commits import dead_at_once

CRASHING = dead_at_once(3)


def released(lab, count: int, *arguments: str) -> list[str]:
    """Commits and releases `count` harmless changes. Returns their commits, oldest first."""
    commits = []
    for number in range(count):
        commits.append(lab.app.change(f"Harmless change {number}", **{"packages/api/NOTES.md": f"{uuid.uuid4()}\n"}))
        lab.playbook("deploy.yml", *arguments).must_succeed()
    return commits


def assert_settled(lab, commit: str, *, unlocked: bool = True) -> None:
    """`commit` runs everywhere, its record is the newest and true, nobody holds the lock (if it has to be so), and no migration runs."""
    newest = lab.records()[0]
    assert (newest["release"], newest["outcome"], newest["step"]) == (commit, "succeeded", "done")
    assert {entry["name"]: entry["task_definition"] for entry in newest["services"]} == lab.revisions()
    for service in lab.services().values():
        assert (service["desiredCount"], service["runningCount"], len(service["deployments"])) == (1, 1, 1), service["deployments"]
    assert lab.app.version == commit
    assert not unlocked or lab.lock() is None
    assert lab.tasks_of_releases() == []
