"""Good and bad releases by turns, while somebody asks the application without a pause: nothing drifts, and no request fails."""

import threading
import urllib.error
import urllib.request
import uuid

import pytest
from bad_commits import API
from emulator_world import until
from faults import Faults
from releases import CRASHING


class Visitor(threading.Thread):
    """Asks /health again and again, and keeps what went wrong."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.asked, self.failed, self._end = url, 0, [], threading.Event()

    def run(self):
        while not self._end.wait(0.02):
            self.asked += 1
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=10) as answer:
                    answer.read()
            except (urllib.error.URLError, OSError) as error:
                self.failed.append(str(error))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()


def release_by_turns(lab, count):
    """Every second release crashes at its start."""
    source = lab.app.read(API)
    good = lab.app.commit
    for number in range(count):
        bad = number % 2 == 1
        lab.app.change(f"Release {number}", **{API: CRASHING if bad else f"{source}\n// {uuid.uuid4()}\n"})
        run = lab.playbook("deploy.yml")
        assert (run.code != 0) == bad, run.output
        if bad:
            lab.app.back_to(good)
        else:
            good = lab.app.commit
        assert lab.app.version == good
    return good


def targets(lab):
    group = lab.services()[f"{lab.name}-api"]["loadBalancers"][0]["targetGroupArn"]
    return lab.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]


def check(lab, count):
    before = lab.app.commit
    recorded = len(lab.records())
    try:
        with Visitor(lab.app.url) as visitor:
            last = release_by_turns(lab, count)
        assert visitor.asked > 50 * count / 10
        assert visitor.failed == []
        records = lab.records()[: len(lab.records()) - recorded]
        assert [record["outcome"] for record in reversed(records)] == [("succeeded", "failed")[number % 2] for number in range(count)]
        assert {(s["desiredCount"], s["runningCount"]) for s in lab.services().values()} == {(1, 1)}
        assert lab.app.version == last
        code, output = lab.plan()
        assert code == 0, output
    finally:
        lab.app.back_to(before)
    lab.playbook("deploy.yml").must_succeed()


def test_ten_releases_and_no_failed_request(lab):
    check(lab, 10)


def test_the_visitor_sees_failed_requests_without_draining(lab):
    """Else the tests here could not fail. The task that leaves no longer listens for a second before it ends: in no time at all nobody may ask it."""
    before, source = lab.app.commit, lab.app.read(API)
    closed = "  server.close(async () => {\n"
    assert source.count(closed) == 1
    try:
        lab.app.change("Slow to end", **{API: source.replace(closed, f"{closed}    await new Promise((done) => setTimeout(done, 1000));\n")})
        lab.playbook("deploy.yml").must_succeed()
        lab.app.change("Harmless", **{API: f"{lab.app.read(API)}\n// {uuid.uuid4()}\n"})
        with Faults(lab.endpoint) as faults:
            faults.drain_not_at_all()
            with Visitor(lab.app.url) as visitor:
                lab.playbook("deploy.yml").must_succeed()
                until(lambda: not [target for target in targets(lab) if target["TargetHealth"]["State"] == "draining"])
        assert visitor.failed
    finally:
        lab.app.back_to(before)
    lab.playbook("deploy.yml").must_succeed()


@pytest.mark.soak
def test_a_hundred_releases_and_no_failed_request(lab):
    check(lab, 100)
