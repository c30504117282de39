"""What status.yml says, from what environment_info read."""

from copy import deepcopy
from datetime import UTC, datetime

import pytest
from ansible_collections.atena.aws.plugins.module_utils.status_text import age, problems, summary

NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
WELL = {
    "services": [
        {
            "name": "a-api",
            "running_count": 1,
            "desired_count": 1,
            "pending_count": 0,
            "has_load_balancer": True,
            "targets": ["healthy"],
            "release": "0123abc",
            "is_template": False,
            "task_definition": "arn:aws:ecs:us-east-1:1:task-definition/a-api:4",
            "rollout_state": "COMPLETED",
        }
    ],
    "missing_services": [],
    "load_balancer": {"state": "active", "dns_name": "a.elb.amazonaws.com"},
    "database": {
        "status": "available",
        "engine": "postgres",
        "engine_version": "16.3",
        "endpoint": "db:5432",
        "newest_backup": "2026-01-10T03:10:00+00:00",
        "restarts_at": "",
    },
    "redis": {"status": "available", "engine_version": "7.1.0", "endpoint": "r:6379"},
    "secrets": [{"name": "ADMIN_TOKEN", "is_set": True}],
}


@pytest.mark.parametrize(
    "then, words",
    [
        ("2026-01-10T11:59:20+00:00", "40 s"),
        ("2026-01-10T11:50:00+00:00", "10 min"),
        ("2026-01-10T03:10:00+00:00", "8 h"),
        ("2025-12-29T12:00:00+00:00", "12 d"),
        ("2026-01-10T12:00:30+00:00", "0 s"),
    ],
)
def test_an_age_is_told_in_the_unit_that_fits(then, words):
    assert age(then, NOW) == words


def test_all_is_well():
    assert problems(WELL) == []
    text = "\n".join(summary(WELL, NOW))
    for part in ("a-api: 1 of 1 running", "1 of 1 targets healthy", "0123abc", "a-api:4", "newest backup 8 h ago", "secrets: 1, all set"):
        assert part in text


def changed(**parts):
    result = deepcopy(WELL)
    for name, value in parts.items():
        result[name] = {**result[name], **value} if isinstance(value, dict) else value
    return result


@pytest.mark.parametrize(
    "result, problem, line",
    [
        (changed(missing_services=["a-workers"]), "a-workers does not exist", "a-workers: does not exist (run infra.yml)"),
        (changed(services=[{**WELL["services"][0], "running_count": 0}]), "a-api runs 0 of 1 tasks", "a-api: 0 of 1 running"),
        (changed(services=[{**WELL["services"][0], "targets": ["unhealthy"]}]), "a-api has 0 healthy targets for 1 tasks", "0 of 1 targets healthy"),
        (changed(database={"status": "stopped", "restarts_at": "2026-01-16"}), "the database is stopped", "AWS starts it again on 2026-01-16"),
        (changed(redis={"status": "snapshotting"}), "Redis is snapshotting", "redis: snapshotting"),
        (changed(secrets=[{"name": "ADMIN_TOKEN", "is_set": False}]), "the secret ADMIN_TOKEN is not set", "NOT SET: ADMIN_TOKEN (run secrets.yml)"),
    ],
)
def test_each_lack_is_a_problem_and_a_line(result, problem, line):
    assert problems(result) == [problem]
    assert line in "\n".join(summary(result, NOW))


def test_what_was_turned_off_is_no_problem():
    off = {**deepcopy(WELL), "redis": None, "load_balancer": None, "database": None}
    assert problems(off) == []
    assert {"redis: none (off, or infra.yml was never run)", "database: none (run infra.yml)"} <= set(summary(off, NOW))


def test_a_service_before_its_first_release_says_so():
    service = {**WELL["services"][0], "release": "", "is_template": True}
    assert "no release yet" in summary(changed(services=[service]), NOW)[0]


OFF = {
    **{"gates": {"power": "off", "redis": "absent"}, "state": "stopped", "since": "2026-01-09T22:00:00Z", "operator": "ana", "host": "", "step": ""},
    **{"counts": "a-api 1", "snapshot": "a-redis-stop-1", "restarts_at": "2026-01-16T22:00:00Z", "notes": []},
}


def stopped(**power):
    found = deepcopy(WELL)
    found["services"][0].update(running_count=0, desired_count=0, targets=[])
    found.update(load_balancer=None, redis=None, power={**OFF, **power})
    found["database"]["status"] = "stopped"
    return found


def test_a_stopped_environment_is_visibly_stopped_and_that_is_no_problem():
    text = "\n".join(summary(stopped(), NOW))
    for part in (
        "STOPPED since 2026-01-09T22:00:00Z, by ana",
        "brings back a-api 1",
        "again by itself at 2026-01-16T22:00:00Z",
        "waits in the snapshot a-redis-stop-1",
    ):
        assert part in text
    assert problems(stopped()) == []


def test_a_database_that_runs_in_a_stopped_environment_is_a_problem():
    found = stopped()
    found["database"]["status"] = "available"
    assert "guard.yml" in problems(found)[0]


def test_a_stop_that_did_not_end_is_a_problem():
    found = stopped(state="stopping", since="2026-01-09T22:00:00Z", step="redis_snapshot")
    assert "has not ended: at the step redis_snapshot" in summary(found, NOW)[0]
    assert any("run stop.yml again" in problem for problem in problems(found))


def test_what_is_off_without_a_record_is_told_and_what_is_on_is_not():
    assert "no stop is on record" in summary(stopped(state="running"), NOW)[0]
    assert problems(stopped(state="running")) == []
    running = {**WELL, "power": {**OFF, "state": "running", "gates": {"power": "on"}}}
    assert summary(running, NOW) == summary({**WELL, "power": None}, NOW) == summary(WELL, NOW)
    noted = {**running, "power": {**running["power"], "notes": [{"at": "then", "says": "stopped it again"}]}}
    assert "stopped it again" in summary(noted, NOW)[0]
