"""Restarts against an ECS of a few lines: what is planned, refused, sent, and told when new tasks fail."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.services import restart as service_restart
from ansible_collections.atena.aws.plugins.module_utils.services.restart import RestartRun, plan_restart
from test_rollout_run import BASE, NAMES, Ecs, ecs  # noqa: F401 - a fixture


class Restarted(Ecs):
    """A forced deployment of the revision that a service has; of those in `failing` the tasks fail, and the old one runs on."""

    def __init__(self):
        super().__init__()
        self.failing = set()

    def update_service(self, cluster, service, **change):
        described = self.services[service]
        old = dict(described["deployments"][0], status="ACTIVE")
        answer = super().update_service(cluster, service, **change)
        if service in self.failing:
            described["deployments"][0].update(rolloutState="FAILED", rolloutStateReason="tasks failed to start", runningCount=0, failedTasks=3)
            described["deployments"].append(old)
        return answer


@pytest.fixture
def world(ecs):  # noqa: F811 - for its clock, which only sleeping moves on
    return Restarted()


def restarting(world, *names, check_mode=False, guard=None):
    run = RestartRun(world, "c", list(names or NAMES), check_mode=check_mode, guard=guard, wait_timeout=60)
    run.read()
    return run


@pytest.mark.parametrize(
    ("count", "deployment", "planned"),
    [(1, "api-0", {"forceNewDeployment": True}), (0, "api-0", {}), (1, "api-of-before", {})],
)
def test_what_is_planned(count, deployment, planned):
    assert plan_restart(Ecs._service("api", "api:1", count), deployment) == planned


def test_every_service_gets_a_new_deployment_of_what_it_has(world):
    run = restarting(world)
    assert run.roll_out() == {}
    assert world.updates == [("api", True), ("workers", True)]
    assert [(entry["task_definition"], entry["previous_deployment_id"], entry["deployment_id"]) for entry in run.entries()] == [
        (f"{BASE}api:1", "api-0", "api-1"),
        (f"{BASE}workers:1", "workers-0", "workers-2"),
    ]
    assert service_restart.lines(run.entries()) == ["api: restarted, 1 task(s) of api:1", "workers: restarted, 1 task(s) of workers:1"]


def test_a_lost_answer_starts_no_second_deployment(world):
    world.lose = ["after"]
    run = restarting(world, "api")
    assert run.roll_out() == {}
    assert world.updates == [("api", True)]
    assert run.deployments == {"api": "api-1"}


def test_a_call_that_never_arrived_is_sent_again(world):
    world.lose = ["before"]
    assert restarting(world, "api").roll_out() == {}
    assert world.updates == [("api", True)]


def test_a_service_without_tasks_is_left_alone(world):
    world.services["workers"].update(desiredCount=0, runningCount=0)
    world.services["workers"]["deployments"][0]["runningCount"] = 0
    run = restarting(world)
    assert run.roll_out() == {}
    assert world.updates == [("api", True)]
    assert service_restart.lines(run.entries())[1] == "workers: runs no tasks, so there is nothing to restart"
    assert run.diff()["before"] == {"api": {"deployment": "api-0"}}


def test_check_mode_tells_what_would_come(world):
    run = restarting(world, "api", check_mode=True)
    assert world.updates == []
    assert service_restart.lines(run.entries(), would=True) == ["api: would get a new deployment of api:1, 1 task(s)"]
    assert run.entries()[0]["deployment_id"] == ""


def test_a_template_is_not_restarted(world):
    world.templates = {"api:1"}
    assert service_restart.refusals(restarting(world).previous) == [
        "api has no release yet, only its template, which is not meant to run. Run deploy.yml first."
    ]


def test_a_service_that_does_not_exist_is_named(world):
    world.services["gone"] = {**Ecs._service("gone", "gone:1"), "status": "INACTIVE"}
    with pytest.raises(CallFailed, match="no active service gone"):
        restarting(world, "api", "gone")


def test_one_that_fails_is_told_with_what_still_runs_and_nothing_is_brought_back(world):
    world.failing = {"api"}
    run = restarting(world)
    failed = run.roll_out()
    assert failed == {"api": "api: ECS ended the deployment: tasks failed to start"}
    assert world.updates == [("api", True), ("workers", True)]
    assert run.still_running(failed) == "Tasks that run in addition to those of the failed deployments: api 1 of 1."


def test_a_guard_that_objects_stops_it_before_anything_is_sent(world):
    def lost():
        raise CallFailed("the lock is another run's by now")

    with pytest.raises(CallFailed, match="another run"):
        restarting(world, guard=lost).roll_out()
    assert world.updates == []


def test_an_interrupted_run_says_what_goes_on(world):
    run = restarting(world)
    assert run.left_behind() == "No service was changed."
    run.roll_out()
    assert "api (deployment api-1), workers (deployment workers-2)" in run.left_behind()
