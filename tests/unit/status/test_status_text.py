"""What status.yml says, from what environment_info read."""

from copy import deepcopy
from datetime import UTC, datetime

import pytest
from ansible_collections.atena.aws.plugins.filter.status import status_document, status_report, status_table
from ansible_collections.atena.aws.plugins.module_utils.ecs.service_text import age, waits_for
from ansible_collections.atena.aws.plugins.module_utils.environment import unfinished
from ansible_collections.atena.aws.plugins.module_utils.status import fleet as status_fleet
from ansible_collections.atena.aws.plugins.module_utils.status.text import cost_line, left_lines, problems, summary
from fakes import work

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
        "restores a-api 1",
        "again automatically at 2026-01-16T22:00:00Z",
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
    found["unfinished"] = unfinished.of_record(work("stopping", began_at="2026-01-09T22:00:00Z", operator="ana"), "a")
    text = summary(found, NOW)
    assert "is incomplete: at the step redis_snapshot" in text[0] and not any(line.startswith("unfinished:") for line in text)
    assert "a stop began at 2026-01-09T22:00:00Z, by ana, and is incomplete: stop.yml finishes it; start.yml reverses it" in problems(found)


@pytest.mark.parametrize(("state", "command"), [("restoring", "restore_database.yml -e restore_database_confirm=a"), ("redeploying", "redeploy.yml")])
def test_what_else_did_not_end_is_a_problem_and_a_line(state, command):
    begun = unfinished.of_record(work(state, began_at="2026-01-09T22:00:00Z", operator="ana"), "a")
    found = {**deepcopy(WELL), "unfinished": begun}
    (problem,) = problems(found)
    assert f"began at 2026-01-09T22:00:00Z, by ana, and is incomplete: {command} finishes it" in problem
    assert f"unfinished: {problem}" in summary(found, NOW)
    assert problems({**deepcopy(WELL), "unfinished": None}) == problems({**deepcopy(WELL), "unfinished": []}) == []


def test_a_destroy_that_did_not_end_is_told_once_beside_what_else_did_not():
    standing = {"state": "destroying", "at": "then", "operator": "", "database_snapshot": "", "redis_snapshot": ""}
    begun = [unfinished.of_record(work(state, began_at="2026-01-09"), "a")[0] for state in ("destroying", "restoring")]
    told = problems({**deepcopy(WELL), "destroyed": standing, "unfinished": begun})
    assert len(told) == 2 and "destroy.yml" in told[0] and "restore_database.yml" in told[1]


def test_what_is_off_without_a_record_is_told_and_what_is_on_is_not():
    assert "no stop is recorded" in summary(stopped(state="running"), NOW)[0]
    assert problems(stopped(state="running")) == []
    running = {**WELL, "power": {**OFF, "state": "running", "gates": {"power": "on"}}}
    assert summary(running, NOW) == ["power: on, last started 2026-01-09T22:00:00Z, by ana", *summary(WELL, NOW)]
    never = {**running, "power": {**running["power"], "since": "", "operator": "", "snapshot": ""}}
    assert summary(never, NOW) == summary({**WELL, "power": None}, NOW) == summary(WELL, NOW)
    noted = {**running, "power": {**running["power"], "notes": [{"at": "then", "says": "stopped it again"}]}}
    assert "stopped it again" in summary(noted, NOW)[1]


# --- What was added to the screen -------------------------------------------------------------------------------------
SNAPSHOT = {"name": "a-redis-stop-1", "status": "available", "created_at": "2026-01-10T07:00:00Z", "size": "5 MB"}
COST = {"currency": "USD", "now": 111.9, "always_on": 111.91, "stopped": 7.1, "unpriced": []}
HOLDER = {"owner": "ana", "host": "laptop", "reason": "deploy", "acquired_at": "2026-01-10T11:58:00Z"}
LOCK = {"locked": True, "holder": HOLDER, "says": "a is locked by ana on laptop."}


def test_release_age_last_snapshot_lock_and_cost_are_on_the_screen():
    service = {**WELL["services"][0], "released_at": "2026-01-07T12:00:00+00:00"}
    text = "\n".join(summary({**changed(services=[service]), "redis_snapshot": SNAPSHOT, "lock": LOCK, "cost": COST}, NOW))
    for part in (
        "0123abc of 3 d ago",
        "last snapshot a-redis-stop-1 of 5 h ago",
        "lock: a is locked by ana on laptop.",
        "cost: $111.90 a month at the present rate (always on $111.91, stopped $7.10; list prices, cost.yml lists each)",
    ):
        assert part in text


def test_the_snapshot_is_told_while_redis_is_off_and_while_it_is_taken():
    taking = {**SNAPSHOT, "status": "creating", "created_at": ""}
    assert "redis: none (off, or infra.yml was never run), last snapshot a-redis-stop-1 creating" in summary(
        {**WELL, "redis": None, "redis_snapshot": taking}, NOW
    )


def test_costs_that_cannot_be_told_are_no_failure():
    assert summary({**WELL, "cost": {"error": "Could not read the images."}}, NOW)[-1] == "cost: not known. Could not read the images."
    assert "without nat.hour" in summary({**WELL, "cost": {**COST, "unpriced": ["nat.hour"]}}, NOW)[-1]


def described(desired=1, running=1, pending=0, deployments=1, events=("has reached a steady state.",)):
    counts = {"desiredCount": desired, "runningCount": running, "pendingCount": pending}
    return {**counts, "deployments": [{}] * deployments, "events": [{"message": event} for event in events]}


@pytest.mark.parametrize(
    "service, deployment, words",
    [
        (described(), {"rolloutState": "COMPLETED"}, ""),
        (described(), {}, ""),
        (described(pending=1, running=0), {"rolloutState": "IN_PROGRESS", "rolloutStateReason": "In progress."}, "In progress.; has reached a steady state."),
        (described(deployments=2), {"rolloutState": "COMPLETED"}, "has reached a steady state."),
        (described(running=0, events=()), {"rolloutState": "COMPLETED"}, "ECS has reported nothing yet"),
        (described(), {"rolloutState": "FAILED", "rolloutStateReason": "circuit breaker"}, "circuit breaker; has reached a steady state."),
    ],
)
def test_what_a_service_waits_for_is_told_in_ecs_words(service, deployment, words):
    assert waits_for(service, deployment) == words


def test_a_service_that_waits_says_for_what():
    assert "; waits: no capacity" in summary(changed(services=[{**WELL["services"][0], "waits_for": "no capacity"}]), NOW)[0]


# --- Many environments ------------------------------------------------------------------------------------------------
def document(name, result, **more):
    return {"environment": name, **result, "problems": problems(result), "drift": None, **more}


def test_each_environment_is_one_line_and_what_needs_attention_is_below():
    service = {**WELL["services"][0], "release": "0123abcdef", "released_at": "2026-01-07T12:00:00+00:00"}
    well = {**changed(services=[service]), "redis_snapshot": SNAPSHOT, "cost": COST, "lock": LOCK}
    ill = {**changed(services=[], missing_services=["b-api"]), "load_balancer": None, "database": None, "redis": None, "secrets": []}
    off = {**stopped(), "cost": {**COST, "now": 7.1}}
    documents = [document("a-prod", well, drift=["x"]), document("b", ill), document("c", off), {"environment": "d", "error": "no credentials"}]
    head, *lines = status_fleet.table(documents, NOW)
    assert head.split() == ["environment", "power", "tasks", "targets", "release", "database/backup", "redis/snapshot", "lock", "drift", "now/month", "alerts"]
    assert [line.split("  ")[0] for line in lines[:4]] == ["a-prod", "b", "c", "d"]
    assert [part.strip() for part in lines[0].split("  ") if part.strip()] == [
        *("a-prod", "on", "1/1", "1/1", "0123abcd 3 d", "available/8 h", "available/5 h", "ana", "1", "$112", "ok")
    ]
    assert "stopped" in lines[2] and "not read" in lines[3]
    assert lines[4:] == [
        "b needs attention: b-api does not exist",
        "d needs attention: no credentials",
        "4 environments, at the present rate together $119.00 a month (list prices)",
    ]


def test_columns_that_nobody_needs_are_left_out_and_the_table_fits_a_screen():
    documents = [document("atena-prod", {**changed(), "redis_snapshot": SNAPSHOT, "cost": COST}), document("atena-test", {**stopped(), "cost": COST})]
    head, *lines = status_fleet.table(documents, NOW)
    assert "lock" not in head and "drift" not in head
    assert max(map(len, [head, *lines])) <= 100


def test_services_that_run_different_releases_or_wait_show_it():
    services = [{**WELL["services"][0], "release": release, "pending_count": 1} for release in ("aaaaaaaaaa", "bbbbbbbbbb", "")]
    (line,) = status_fleet.table([document("a", changed(services=services))], NOW)[1:]
    assert "3/3 +3" in line and "aaaaaaaa+bbbbbbbb" in line


def test_the_filter_is_the_table():
    assert status_table([document("a", WELL)])[0].startswith("environment")


READ = {"environment": "a", "account": "111111111111", "region": "us-east-1", "changed": False, "warnings": ["x"], "services": [], "summary": ["one", "two"]}


def test_a_document_is_what_the_module_told_without_ansibles_own():
    assert status_document({**READ, "failed": False, "problems": []}, "host") == {
        **{"environment": "a", "account": "111111111111", "region": "us-east-1"},
        **{"services": [], "summary": ["one", "two"], "problems": [], "drift": None},
    }
    assert status_document(READ, "host", {"drift": ["x"]})["drift"] == ["x"]


@pytest.mark.parametrize(("result", "plan"), [({}, None), ({"failed": True, "msg": "no"}, None), (READ, {}), (READ, {"failed": True})])
def test_one_that_was_not_read_or_not_compared_is_an_error(result, plan):
    assert status_document(result, "host", plan) == {"environment": "host", "error": "it could not be read; its own task above shows why"}


@pytest.mark.parametrize(
    ("more", "last"),
    [
        ({}, ["two", "Healthy."]),
        ({"drift": []}, ["two", "drift: none", "Healthy."]),
        ({"drift": ["x differs"]}, ["drift: x differs", "Healthy, but for what differs from the configuration."]),
        ({"problems": ["this", "that"], "drift": []}, ["drift: none", "Needs attention: this; that"]),
        ({"power": {"state": "stopped", "gates": {}}}, ["two", "Stopped, as it is meant to be."]),
        ({"power": {"state": "running", "gates": {"power": "off"}}}, ["two", "Stopped, as it is meant to be."]),
        ({"power": None, "destroyed": {"state": "destroyed"}}, ["two", "Destroyed."]),
        ({"destroyed": {"state": "destroying"}}, ["two", "Healthy."]),
    ],
)
def test_one_environment_is_a_screen_that_ends_with_a_verdict(more, last):
    told = status_report([{**status_document({**READ, "problems": []}, "a"), **more}])
    assert told["title"] == "a, account 111111111111, us-east-1" and told["lines"][:1] == ["one"] and told["lines"][-len(last) :] == last
    assert not told["verbatim"] and told["data"]["status"]["environment"] == "a"


def test_many_are_a_table_and_their_screens_on_request():
    both = [{**document("a", WELL), "account": "1", "region": "r", "summary": ["line"]}, {"environment": "b", "error": "no"}]
    told, detailed = status_report(both), status_report(both, True)
    assert told["title"] == "2 environments" and told["verbatim"] and told["lines"][0].startswith("environment ")
    assert detailed["lines"][:2] == ["a, account 1, r", "line"] and detailed["lines"][-len(told["lines"]) :] == told["lines"]


GONE = {
    **{"services": [], "missing_services": ["a-api"], "load_balancer": None, "database": None, "redis": None, "secrets": []},
    "destroyed": {
        **{"state": "destroyed", "at": "2026-01-09T22:00:00Z", "operator": "ana"},
        **{"database_snapshot": "a-db-final-1", "redis_snapshot": "a-redis-final-1"},
    },
}


def test_one_that_was_destroyed_is_told_with_its_snapshots_and_needs_nothing():
    assert summary(GONE, NOW) == [
        "environment: DESTROYED at 2026-01-09T22:00:00Z, by ana; its rows are in the snapshot a-db-final-1, its queue in a-redis-final-1. "
        "redeploy.yml recreates it"
    ]
    assert problems(GONE) == []
    assert status_fleet.row({**GONE, "environment": "a", "problems": []}, NOW)[1] == "destroyed"


def test_a_destroy_that_has_not_ended_is_what_needs_attention():
    half = {**GONE, "destroyed": {**GONE["destroyed"], "state": "destroying"}}
    assert problems(half) == [
        "a destroy began at 2026-01-09T22:00:00Z, by ana, and is incomplete: run destroy.yml again; redeploy.yml then recreates the environment"
    ]


def test_what_stands_is_told_as_it_is_whatever_a_record_says():
    assert summary({**WELL, "destroyed": GONE["destroyed"]}, NOW) == summary(WELL, NOW)


LEFT = {
    **{"database_snapshots": ["a-db-final-2", "a-db-final-1"], "redis_snapshots": ["a-redis-final-1"], "database_snapshots_gb": 40.0},
    **{"redis_snapshots_gb": 0.01, "images_gb": 1.5, "log_stored_gb": 0.0},
}


def test_what_a_destroy_left_is_named_with_what_it_costs():
    lines = left_lines({**LEFT, "cost": {"now": 3.95, "unpriced": [], "borrowed": ["rds.backup"]}})
    assert "snapshots of the database a-db-final-2, a-db-final-1; of Redis a-redis-final-1; images 1.50 GB" in lines[0]
    assert lines[1].startswith("cost: still about $3.95 a month (at the most") and "some of us-east-1" in lines[1]
    assert left_lines(None) == [] and len(left_lines({**LEFT, "cost": None})) == 1


def test_prices_of_another_region_are_told_in_each_sum():
    [line] = cost_line({**COST, "borrowed": ["nat.hour", "alb.hour"]})
    assert "list prices, 2 of them of us-east-1" in line


@pytest.mark.parametrize(
    ("expires", "problem"),
    [
        ("2026-04-11T00:00:00+00:00", []),
        ("2026-04-09T00:00:00+00:00", ["the database's certificate, by rds-ca-rsa2048-g1, expires on 2026-04-09 (preflight.yml)"]),
        ("2026-01-09T00:00:00+00:00", ["the database's certificate, by rds-ca-rsa2048-g1, expired on 2026-01-09 (preflight.yml)"]),
    ],
)
def test_the_databases_certificate_is_told_and_is_a_problem_when_nobody_renewed_it(expires: str, problem: list[str]) -> None:
    result = changed(database={"ca": "rds-ca-rsa2048-g1", "certificate_expires_at": expires})
    assert f"database: its certificate is by rds-ca-rsa2048-g1 and expires on {expires[:10]}" in summary(result, NOW)
    assert problems(result, NOW) == problem
