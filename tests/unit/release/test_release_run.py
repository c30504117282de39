"""What a release does with its services, and what the ledger says of it, where somebody else deploys meanwhile."""

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import health
from ansible_collections.atena.aws.plugins.module_utils.environment import release_record
from ansible_collections.atena.aws.plugins.module_utils.environment.release_record import Previous, Service
from ansible_collections.atena.aws.plugins.module_utils.release import run as release_run
from ansible_collections.atena.aws.plugins.module_utils.release.evidence import Evidence
from ansible_collections.atena.aws.plugins.module_utils.release.run import Release, ReleaseFailed
from test_ledger import PREFIX, Bucket
from test_rollout_run import BASE, NAMES, at, ecs  # noqa: F401 - a fixture

COMMIT = "3f1c2aa9d2f4c5b60718293a4b5c6d7e8f901234"


def released(world, monkeypatch, **services):
    """A release of revision 2 of both services, recorded and about to roll out."""
    bucket = Bucket()

    def call(service, operation, doing, /, **arguments):
        return (bucket if service == "s3" else world)(service, operation, doing, **arguments)

    call.once = world.once
    call.pages = lambda service, *what, **arguments: (bucket if service == "s3" else world).pages(service, *what, **arguments)
    monkeypatch.setattr(release_run, "gather_evidence", lambda *_: Evidence([], []))
    params = {
        **{"name": "atena-prod", "cluster": "c", "release": COMMIT, "rollback_to": None, "operator": "ana", "wait_timeout": 60, "wait_delay": 3},
        **{"ledger": {"bucket": "state", "prefix": PREFIX}, "lock": {"table": "t", "name": "atena-prod", "expires_in": 60}, "log_lines": 5},
        "services": [{"name": name, "initial_count": 1, "stable_seconds": services.get(name, 0)} for name in NAMES],
        "health": {"url": "http://app", "path": "/health", "attempts": 1, "delay": 0},
    }
    release = Release(call, params)
    release.lock = SimpleNamespace(check=lambda: None)
    nothing_known = {"rollout_needed": True, "same": None, "definition": None, "running": None, "images": {}, "changes": {}}
    release.targets = [SimpleNamespace(name=name, arn=f"{BASE}{name}:2", is_first=False, service=world.services[name], **nothing_known) for name in NAMES]
    release.result["services"] = [release._entry(target) for target in release.targets]
    entries = [
        Service(name=name, task_definition=f"{name}:2", desired_count=1, previous=Previous(task_definition=f"{name}:1", desired_count=1, is_first=False))
        for name in NAMES
    ]
    record = release_record.new_record(environment="atena-prod", release=COMMIT, operator="ana", host="h")
    release.record = release.ledger.create(replace(record, services=entries))
    return release


def failing(release):
    """The failure as the run tells it, and the record afterwards."""
    with pytest.raises(ReleaseFailed) as failed:
        release._roll_out()
    release._end(failed.value.outcome, str(failed.value))
    return failed.value, release.ledger.recent()[0]


def test_what_somebody_else_deployed_stays_and_the_release_is_interrupted(ecs, monkeypatch):  # noqa: F811
    ecs.slow = {"workers:2"}
    release = released(ecs, monkeypatch)
    ecs.at_look = {ecs.looks + 5: lambda: ecs.update_service("c", "api", taskDefinition=BASE + "api:9")}
    failed, record = failing(release)
    assert at(ecs) == {"api": "api:9", "workers": "workers:1"}
    assert (record.outcome, record.reverted, record.not_reverted) == (release_record.INTERRUPTED, ["workers"], ["api"])
    assert "another deployment took over: deployment api-3 of api:9" in record.reason
    assert "Left as somebody else deployed it: api: deployment api-3 of api:9" in str(failed)
    assert "Back on what they had before, and stable: workers." in str(failed)
    assert release.result["taken_over"]["api"]["deployment_id"] == "api-3"
    assert release.result["not_reverted"] == ["api"]


def test_it_stays_too_where_it_came_after_the_rollout_and_the_application_is_not_well(ecs, monkeypatch):  # noqa: F811
    release = released(ecs, monkeypatch)

    def unhealthy(*_, **__):
        ecs.update_service("c", "workers", taskDefinition=BASE + "workers:9")
        return {"healthy": False, "status": 500, "content": "", "attempts": 1}

    monkeypatch.setattr(health, "wait_until_healthy", unhealthy)
    _, record = failing(release)
    assert at(ecs) == {"api": "api:1", "workers": "workers:9"}
    assert (record.outcome, record.reverted, record.not_reverted) == (release_record.INTERRUPTED, ["api"], ["workers"])


def test_a_worker_that_dies_within_its_own_time_is_not_released(ecs, monkeypatch):  # noqa: F811
    release = released(ecs, monkeypatch, workers=60)
    ecs.at_look = {ecs.looks + 10: lambda: ecs.lose_task("workers")}
    failed, record = failing(release)
    assert "workers: it was steady, but not for 60 s: workers: task lost0 failed: container workers exited with code 3" in str(failed)
    assert at(ecs) == {"api": "api:1", "workers": "workers:1"}
    assert (record.outcome, record.reverted, record.not_reverted) == (release_record.FAILED, NAMES, [])


@pytest.mark.parametrize(("first", "count", "kept"), [(False, 4, [2]), (False, 2, []), (True, 4, [])])
def test_a_count_in_the_inventory_that_has_no_effect_is_told(ecs, monkeypatch, first, count, kept):  # noqa: F811
    release = released(ecs, monkeypatch)
    release.params["services"][0]["initial_count"] = count
    release.targets = release.targets[:1]
    release.targets[0].is_first, release.targets[0].service["desiredCount"] = first, 2
    assert [entry["count"] for entry in release._counts_kept()] == kept


@pytest.mark.parametrize(
    ("newest", "release", "looks"),
    [
        (COMMIT, COMMIT, True),
        ("a" * 40, COMMIT, False),
        ("a" * 40, COMMIT[:12], True),
        (None, COMMIT, True),
    ],
    ids=["the newest record is of it", "of another commit", "what is meant is not known yet", "nothing is recorded"],
)
def test_what_the_ledger_says_was_released_last_tells_whether_to_look_before_the_lock(ecs, monkeypatch, newest, release, looks):  # noqa: F811
    run = released(ecs, monkeypatch)
    run.params["release"] = release
    records = [replace(run.written, release=newest)] if newest else []
    assert run._may_run_already(records) is looks


def test_a_release_of_another_commit_is_planned_once_and_under_the_lock(ecs, monkeypatch):  # noqa: F811
    run, held = released(ecs, monkeypatch), []

    @contextlib.contextmanager
    def running(*_, **__):
        held.append(True)
        yield
        held.clear()

    planned = []
    run.params.update(release="b" * 40, lock={"wait": 0})
    run.lock = SimpleNamespace(running=running, check=lambda: None)
    monkeypatch.setattr(run, "plan", lambda *_: planned.append(bool(held)) or setattr(run, "unfinished", run.record))
    monkeypatch.setattr(run, "_warn_of_unknown_migrations", lambda: None)
    monkeypatch.setattr(run, "_release", lambda: {"outcome": "succeeded"})
    assert run.run() == {"outcome": "succeeded"} and planned == [True]
