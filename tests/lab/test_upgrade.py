"""An environment of an earlier build - released twice, in use, its stop killed half-way - is taken over by this one: its records are read, nothing of it is
replaced or destroyed, and it is stopped, started, rolled back, released, destroyed and made again, with its rows and its jobs.

The tests of this file go on from each other. A build stays in BUILDS for as long as somebody may have an environment of it.
"""

from __future__ import annotations

import json

import pytest
from earlier import Earlier
from emulator_world import until

pytestmark = [pytest.mark.lab, pytest.mark.core]
BUILDS = ["e5eeb5ea6b7cf7e19944af9700b762c1f241d224"]
# A lock of a run that died is free soon; the next one waits for that.
EXPIRES, WAITS = ("-e", "atena_lock_expiry_seconds=15"), ("-e", "atena_lock_wait_seconds=90")
# What a stop takes away and a start makes anew.
OFF_AT_NIGHT = ("aws_nat_gateway.", "aws_lb.", "aws_lb_listener.", "aws_route.", "aws_elasticache_cluster.")


@pytest.fixture(scope="module", params=BUILDS, ids=[commit[:7] for commit in BUILDS])
def earlier(lab, request):
    """What people have who upgrade. Queued jobs are the ones that no worker may take yet."""
    made = Earlier(request.param)
    made.check_out()
    first = made.app.commit
    made.before("site.yml", timeout=900).must_succeed()
    made.rows = made.write("a row", 10)
    made.write("a job", 5, delay=86400)
    until(lambda: made.has(made.rows), 60, 0.3)
    made.commits = [first, made.app.change("Say nothing else", **{"packages/api/NOTES.md": "by the earlier build\n"})]
    made.before("deploy.yml").must_succeed()
    made.runs(made.commits[1])
    made.ledger, made.made = made.releases(), made.resources()
    made.killed_before("stop.yml", "elasticache:DeleteCacheCluster", *EXPIRES)
    yield made
    made.app.back_to(first)


def nothing_is_lost(earlier) -> None:
    """Rows and jobs are those of before, and each job is there once; the releases on record are, to the byte, what the earlier build wrote."""
    assert earlier.has(earlier.rows)
    jobs = earlier.jobs()
    assert jobs["notes"] == {"all": 15, "processed": 10, "more_than_once": 0, "times_processed": 10}
    assert (jobs["delayed"], jobs["waiting"], jobs["failed"]) == (5, 0, 0)
    assert {key: earlier.releases()[key] for key in earlier.ledger} == earlier.ledger


def test_its_half_stop_its_lock_and_its_releases_are_read(earlier, tmp_path):
    assert (earlier.stored("power")["state"], earlier.stored("gates")["power"]) == ("stopping", "off"), "the earlier build's stop was not killed half-way"
    told = tmp_path / "status.json"
    run = earlier.now("status.yml", "-e", f"status_save={told}").must_succeed()
    status = json.loads(told.read_text())
    assert status["power"]["state"] == "stopping" and status["power"]["snapshot"] == earlier.stored("power")["redis"]["snapshot"]
    assert all(f"{earlier.name}-{key} 1" in status["power"]["counts"] for key in ("api", "workers"))
    assert status["lock"]["holder"]["reason"] == "stop", status["lock"]
    assert {service["release"] for service in status["services"]} == {earlier.commits[1]}
    assert "stop" in " ".join(status["problems"]), run.output
    run = earlier.now("releases.yml").must_succeed()
    assert [commit for commit in earlier.commits if commit[:12] not in run.output] == [], run.output


def test_its_stop_is_finished_and_a_start_brings_rows_and_jobs_back(earlier):
    earlier.now("stop.yml", *WAITS).must_succeed()
    journal = earlier.stored("power")
    assert journal["state"] == "stopped" and journal["redis"]["snapshot"] and not journal["redis"]["restored"]
    assert earlier.client("rds").describe_db_instances(DBInstanceIdentifier=f"{earlier.name}-db")["DBInstances"][0]["DBInstanceStatus"] == "stopped"
    assert earlier.now("stop.yml").must_succeed().changed == 0
    earlier.now("start.yml").must_succeed()
    earlier.runs(earlier.commits[1])
    nothing_is_lost(earlier)


def test_nothing_of_it_is_replaced_or_destroyed(earlier):
    """Whatever this build's configuration has that the earlier one's had not: it is added, or changed in place."""
    check = earlier.now("infra.yml", "--check").must_succeed()
    planned = earlier.planned()
    assert {address: actions for address, actions in planned.items() if "delete" in actions} == {}
    assert (check.changed > 0) == bool(planned), check.output
    earlier.now("infra.yml").must_succeed()
    there = earlier.resources()
    assert set(earlier.made) <= set(there)
    kept = {address: identity for address, identity in earlier.made.items() if not address.startswith(OFF_AT_NIGHT)}
    assert {address: there[address] for address in kept} == kept
    nothing_is_lost(earlier)


def test_it_goes_back_to_a_release_of_the_earlier_build_and_forth_again(earlier):
    earlier.now("rollback.yml").must_succeed()
    earlier.runs(earlier.commits[0])
    earlier.now("deploy.yml", "-e", f"release={earlier.commits[1]}").must_succeed()
    earlier.runs(earlier.commits[1])
    nothing_is_lost(earlier)


def test_it_is_destroyed_and_made_again_with_its_rows_and_jobs(earlier):
    earlier.now("destroy.yml", "-e", f"destroy_confirm={earlier.name}").must_succeed()
    assert earlier.stored("destroyed")["state"] == "destroyed" and earlier.resources() == {}
    earlier.now("redeploy.yml", "-e", f"release={earlier.commits[1]}", timeout=900).must_succeed()
    earlier.runs(earlier.commits[1])
    nothing_is_lost(earlier)
    assert earlier.planned() == {}
