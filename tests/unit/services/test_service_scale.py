"""Scaling against an ECS and an Application Auto Scaling of a few lines: what is planned, refused, sent and taken back."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.services import scale as service_scale
from ansible_collections.atena.aws.plugins.module_utils.services.scale import ScaleRun, plan_count
from test_rollout_run import BASE, NAMES, Ecs, ecs  # noqa: F401 - a fixture

FOUR = {"min": 1, "max": 4, "suspended": []}


class Scaled(Ecs):
    """A count alone starts no deployment."""

    def __init__(self):
        super().__init__()
        self.targets, self.registered, self.ends_tasks = {}, [], {}

    def update_service(self, cluster, service, **change):
        self.updates.append((service, change))
        described = self.services[service]
        described["desiredCount"] = change["desiredCount"]
        deployment = described["deployments"][0]
        if change.get("forceNewDeployment"):
            deployment["id"] = f"{service}-{len(self.updates)}"
        grows = change["desiredCount"] > described["runningCount"]
        if not (grows and service in self.bad):
            described["runningCount"] = deployment["runningCount"] = change["desiredCount"]
        self.stopped += self.ends_tasks.pop(service, [])
        return {"service": described}

    def describe_scalable_targets(self, ResourceIds, **_):
        found = {f"service/c/{name}": bounds for name, bounds in self.targets.items()}
        return {
            "ScalableTargets": [
                {"ResourceId": key, "MinCapacity": bounds["min"], "MaxCapacity": bounds["max"]} for key, bounds in found.items() if key in ResourceIds
            ]
        }

    def register_scalable_target(self, ResourceId, **arguments):
        name = ResourceId.rsplit("/", 1)[-1]
        if self.refuse.get(f"bounds of {name}"):
            raise CallFailed(self.refuse[f"bounds of {name}"])
        self.registered.append((name, arguments.get("MinCapacity"), arguments.get("MaxCapacity")))
        return {}


@pytest.fixture
def world(ecs):  # noqa: F811 - for its clock, which only sleeping moves on
    return Scaled()


def scaling(world, check_mode=False, new_deployment=False, guard=None, **counts):
    items = [
        {"name": name, "key": name, **({"count": value, "bounds": None} if not isinstance(value, dict) else {"bounds": None, "count": None, **value})}
        for name, value in counts.items()
    ]
    run = ScaleRun(world, "c", items, check_mode=check_mode, new_deployment=new_deployment, guard=guard, wait_timeout=60)
    run.read()
    return run


def ended(name, number, started=True, deployment=None):
    return {
        "taskArn": f"arn/{name}/{number}",
        "group": name,
        "lastStatus": "STOPPED",
        "startedBy": deployment or f"{name}-0",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "stoppedAt": str(number),
        "containers": [{"name": name, "exitCode": 1}],
        **({"startedAt": "0"} if started else {}),
    }


# --- What is planned --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("has", "wanted", "fresh", "update"),
    [
        (1, 2, False, {"desiredCount": 2}),
        (2, 2, False, {}),
        (2, 2, True, {}),
        (2, 0, False, {"desiredCount": 0}),
        (3, None, True, {}),
        (0, 2, True, {"desiredCount": 2, "forceNewDeployment": True}),
    ],
)
def test_a_count_is_sent_only_where_it_differs(has, wanted, fresh, update):
    assert plan_count({"desiredCount": has}, wanted, fresh) == update


def previous(count=1, is_first=False, bounds=None):
    return {"desiredCount": count, "is_first": is_first, "bounds": bounds}


@pytest.mark.parametrize(
    ("item", "before", "says"),
    [
        ({"count": 2, "bounds": None}, previous(), ""),
        ({"count": -1, "bounds": None}, previous(), "-1 is no count"),
        ({"count": 1, "bounds": None}, previous(0, is_first=True), "no release yet"),
        ({"count": 0, "bounds": None}, previous(0, is_first=True), ""),
        ({"count": 5, "bounds": None}, previous(bounds=FOUR), "give bounds too"),
        ({"count": 5, "bounds": {"max": 5}}, previous(bounds=FOUR), ""),
        ({"count": None, "bounds": {"max": 5}}, previous(bounds=FOUR), ""),
        ({"count": None, "bounds": {"min": 2}}, previous(bounds=FOUR), "1 is outside of the bounds from 2 to 4"),
        ({"count": None, "bounds": None}, previous(9, bounds=FOUR), ""),
    ],
)
def test_what_would_not_stay_or_not_run_is_refused(item, before, says):
    found = service_scale.refusals({"api": {"key": "api", **item}}, {"api": before})
    assert len(found) == bool(says)
    assert says in "".join(found)


def test_every_refusal_is_told_at_once():
    items = {name: {"key": name, "count": 9, "bounds": None} for name in NAMES}
    found = service_scale.refusals(items, {"api": previous(bounds=FOUR), "workers": previous(is_first=True)})
    assert len(found) == 2


# --- What is done -----------------------------------------------------------------------------------------------------
def test_each_service_is_scaled_with_one_call_in_the_order_given(world):
    run = scaling(world, workers=3, api=2)
    assert run.roll_out() == {}
    assert world.updates == [("workers", {"desiredCount": 3}), ("api", {"desiredCount": 2})]
    assert [(entry["previous_count"], entry["desired_count"], entry["updated"]) for entry in run.entries()] == [(1, 3, True), (1, 2, True)]
    assert run.diff() == {"before": {"workers": {"desired_count": 1}, "api": {"desired_count": 1}},
                          "after": {"workers": {"desired_count": 3}, "api": {"desired_count": 2}}}  # fmt: skip


def test_a_second_run_writes_nothing(world):
    world.targets = {"api": FOUR}
    run = scaling(world, api={"count": 1, "bounds": {"min": 1, "max": 4}}, workers=1)
    assert not run.changed
    assert run.roll_out() == {}
    assert (world.updates, world.registered) == ([], [])


def test_bounds_are_set_before_the_count_and_only_what_differs(world):
    world.targets = {"api": FOUR}
    run = scaling(world, api={"count": 6, "bounds": {"min": 1, "max": 8}})
    order = []
    original = world.update_service
    world.update_service = lambda **arguments: (order.append(list(world.registered)), original(**arguments))[1]
    assert run.roll_out() == {}
    assert order == [[("api", None, 8)]]
    entry = run.entries()[0]
    assert (entry["bounds"], entry["previous_bounds"], entry["bounds_updated"]) == ({**FOUR, "max": 8}, FOUR, True)


def test_with_a_new_deployment_that_one_is_waited_for(world):
    run = scaling(world, new_deployment=True, api=2)
    assert run.roll_out() == {}
    assert world.updates == [("api", {"desiredCount": 2, "forceNewDeployment": True})]
    assert run.deployments["api"] == "api-1"


def test_a_lost_lock_ends_it_before_it_writes(world):
    def guard():
        raise CallFailed("This run lost the lock")

    world.targets = {"api": FOUR}
    run = scaling(world, guard=guard, api={"count": 2, "bounds": {"max": 5}})
    with pytest.raises(CallFailed, match="lost the lock"):
        run.roll_out()
    assert (world.updates, world.registered) == ([], [])


# --- What does not come up --------------------------------------------------------------------------------------------
def test_new_tasks_that_fail_end_it_before_its_time(world):
    world.bad = {"api"}
    world.ends_tasks = {"api": [ended("api", number) for number in range(3)]}
    run = scaling(world, api=2)
    failed = run.roll_out()
    assert "3 new tasks failed" in failed["api"]
    assert run.elapsed < 30


def test_two_failures_are_no_certainty_yet(world):
    world.bad = {"api"}
    world.ends_tasks = {"api": [ended("api", number) for number in range(2)]}
    failed = scaling(world, api=2).roll_out()
    assert "not done after 60 s" in failed["api"]


def test_what_ended_before_says_nothing_about_new_tasks(world):
    world.stopped = [ended("api", number) for number in range(5)]
    assert scaling(world, api=2).roll_out() == {}


def test_a_task_that_crashed_on_the_way_is_a_failure_though_the_next_one_lives(world):
    world.ends_tasks = {"api": [ended("api", 1)]}
    assert "exited on their own" in scaling(world, api=2).roll_out()["api"]


def test_what_grew_goes_back_with_its_bounds_and_what_shrank_does_not(world):
    world.targets = {"api": FOUR, "workers": FOUR}
    world.services["workers"] = world._service("workers", "workers:1", count=4)
    world.bad = {"api"}
    run = scaling(world, workers={"count": 2, "bounds": {"max": 2}}, api={"count": 6, "bounds": {"max": 8}})
    failed = run.roll_out()
    assert list(failed) == ["api"]
    world.bad = set()
    assert run.revert() == {}
    assert world.updates[-1] == ("api", {"desiredCount": 1})
    assert world.services["workers"]["desiredCount"] == 2
    assert world.registered == [("workers", None, 2), ("api", None, 8), ("api", None, 4)]


def test_a_count_that_autoscaling_brought_into_the_old_bounds_is_ours(world):
    """The bounds go back first; what they no longer allow, Application Auto Scaling takes back by itself."""
    world.targets, world.bad = {"api": FOUR}, {"api"}
    run = scaling(world, api={"count": 6, "bounds": {"max": 8}})
    assert list(run.roll_out()) == ["api"]
    world.bad, world.services["api"]["desiredCount"] = set(), 4
    assert run.revert() == {}
    assert world.updates[-1] == ("api", {"desiredCount": 1})


def test_a_count_that_somebody_else_set_meanwhile_is_left(world):
    world.bad = {"api"}
    run = scaling(world, api=3, workers=1)
    assert list(run.roll_out()) == ["api"]
    world.services["api"]["desiredCount"] = 5
    assert run.revert() == {"api": "its desired count is 5 by now; somebody else, or autoscaling, set that, so it was left."}
    assert [update for update in world.updates if update[0] == "api"] == [("api", {"desiredCount": 3})]


def test_bounds_that_are_refused_change_no_count(world):
    world.targets = {"api": FOUR, "workers": FOUR}
    world.refuse = {"bounds of workers": "AccessDenied: no."}
    run = scaling(world, api={"count": 2, "bounds": {"max": 5}}, workers={"count": 2, "bounds": {"max": 5}})
    assert run.roll_out() == {"workers": "AccessDenied: no"}
    assert world.updates == []
    assert "workers" in run.revert()
    assert world.registered == [("api", None, 5), ("api", None, 4)]


def test_lines_say_what_was_and_what_may_still_move(world):
    world.targets = {"api": FOUR}
    run = scaling(world, api=2, workers=1)
    assert service_scale.lines(run.entries(), would=True) == [
        "api: would be 1 -> 2, bounds 1 to 4, within which Application Auto Scaling may change it again",
        "workers: 1, as before",
    ]
    assert BASE in run.previous["api"]["taskDefinition"]
