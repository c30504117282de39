"""ECS's answers are behind what happens: a stop and a destroy under a worker that still works. No job is lost, and none is done twice.

From the moment that the services are told to go to 0 tasks, ECS's list of tasks is empty for one look, and then it lists tasks that it does not describe
(`failures`, MISSING). The worker has a long job in hand meanwhile, and writes to Redis when it has done it.
"""

from __future__ import annotations

import threading

import pytest
from emulator_world import until
from faults import Faults
from power import QUEUE, emptied_afterwards, without_new_snapshots
from wire import Wire

pytestmark = pytest.mark.lab
JOBS, LONG = 2000, 15
DESTROY = ("-e", "destroy_confirm=atena-prod")


@pytest.fixture(scope="module")
def power(lab):
    with without_new_snapshots(lab), emptied_afterwards(lab) as made:
        yield made


def jobs(lab) -> dict:
    return lab.app.get("/jobs")[1]


def fill(lab) -> None:
    """Long jobs before and after all the others: a worker that is stopped at any moment of this test has one in hand."""
    for text, seconds, count in (("long", LONG, 5), ("short", 0, JOBS // 2), ("short", 0, JOBS // 2), ("long", LONG, 2)):
        status, answer = lab.app.get("/notes", {"text": text, "seconds": seconds, "count": count}, timeout=60)
        assert status == 202, answer
    until(lambda: jobs(lab)["active"])


class Lag:
    """Between the collection and AWS: the answers are behind from the first count on that goes to 0.

    in_hand: how many jobs the workers had when a task was asked for; left: the tasks that there were when Redis's snapshot was taken.
    """

    def __init__(self, power, faults):
        self.power, self.lab, self.faults = power, power.lab, faults
        self.added, self.in_hand, self.left, self._one = [], [], [], threading.Lock()

    def after(self, call) -> None:
        with self._one:
            if str(call) == "ecs:DescribeTasks" and self.added:
                with self.power.redis() as redis:
                    self.in_hand.append(redis("LLEN", f"{QUEUE}:active"))
            if str(call) == "ecs:UpdateService" and not self.added:
                # Two questions are one look: for those that are to run, and for those that are to stop.
                self.added.append(self.faults.rewrite("ecs:ListTasks", patch={"taskArns": []}, times=2))
                self.added.append(self.faults.rewrite("ecs:DescribeTasks", patch={"tasks": [], "failures": [{"reason": "MISSING"}]}, times=3))

    def before(self, call) -> None:
        if str(call) == "elasticache:CreateSnapshot":
            self.left.append(self.tasks())

    def tasks(self) -> list[str]:
        ecs, states = self.lab.client("ecs"), []
        for desired in ("RUNNING", "STOPPED"):
            arns = ecs.list_tasks(cluster=self.lab.cluster, desiredStatus=desired)["taskArns"]
            states += [task["lastStatus"] for task in ecs.describe_tasks(cluster=self.lab.cluster, tasks=arns)["tasks"]] if arns else []
        return [state for state in states if state != "STOPPED"]

    def was_met(self) -> None:
        assert self.in_hand[:3] == [1, 1, 1], f"{self.in_hand}: no worker was at work when the answers were behind: this proves nothing"
        assert self.left == [[]], "the snapshot was taken with a worker at work"
        assert [self.faults.hits(fault) for fault in self.added] == [2, 3]


def under_lag(power, playbook: str, *arguments: str):
    lab = power.lab
    with Faults(lab.endpoint) as faults:
        lag = Lag(power, faults)
        with Wire(lab.endpoint, before=lag.before, after=lag.after) as wire:
            run = lab.playbook(playbook, *arguments, environment={"AWS_ENDPOINT_URL": wire.endpoint}, timeout=900).must_succeed()
        lag.was_met()
    return run


def each_done_once(lab, before: dict) -> None:
    until(lambda: not any(jobs(lab)[state] for state in ("waiting", "active", "delayed")), 600, every=1)
    now = jobs(lab)["notes"]
    made = now["all"] - before["all"]
    assert made == JOBS + 7
    assert {key: now[key] - before[key] for key in now} == {"all": made, "processed": made, "more_than_once": 0, "times_processed": made}


@pytest.mark.parametrize(
    ("off", "on"),
    [(("stop.yml",), ("start.yml",)), (("destroy.yml", *DESTROY), ("redeploy.yml",))],
    ids=["stop", "destroy"],
)
def test_redis_goes_when_the_last_worker_has_gone(power, off, on):
    lab = power.lab
    before = jobs(lab)["notes"]
    fill(lab)
    under_lag(power, *off)
    lab.playbook(*on, timeout=900).must_succeed()
    each_done_once(lab, before)
