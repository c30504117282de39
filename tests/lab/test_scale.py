"""Counts and bounds: what the runbook's 'Scale up/down' does, and what it must not."""

import pytest
from emulator_world import until
from faults import Faults
from wire import Wire

API, WORKERS = "atena-prod-api", "atena-prod-workers"


def counts(lab):
    return {name: (service["desiredCount"], service["runningCount"]) for name, service in lab.services().items()}


def bounds(lab, name=API):
    targets = lab.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[f"service/{lab.cluster}/{name}"])
    return [(target["MinCapacity"], target["MaxCapacity"]) for target in targets["ScalableTargets"]]


def one_of_each(lab):
    ecs = lab.client("ecs")
    for name in (API, WORKERS):
        ecs.update_service(cluster=lab.cluster, service=name, desiredCount=1)
    until(lambda: counts(lab) == {API: (1, 1), WORKERS: (1, 1)}, 60)


@pytest.fixture(autouse=True)
def as_before(lab):
    one_of_each(lab)
    yield
    one_of_each(lab)


@pytest.fixture
def registered(lab):
    """The API may run one to three tasks."""
    scaling, target = lab.client("application-autoscaling"), {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
    target["ResourceId"] = f"service/{lab.cluster}/{API}"
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=3)
    yield target["ResourceId"]
    scaling.deregister_scalable_target(**target)


def test_two_of_each_as_in_the_runbook_and_back(lab):
    predicted = lab.playbook("scale.yml", "--check", "--diff", "-e", '{"scale": {"api": 2, "workers": 2}}').must_succeed()
    assert predicted.changed == 1
    assert f"{API}: would be 1 -> 2" in predicted.text
    assert counts(lab) == {API: (1, 1), WORKERS: (1, 1)}
    run = lab.playbook("scale.yml", "-e", '{"scale": {"api": 2, "workers": 2}}').must_succeed()
    assert run.changed == 1
    assert counts(lab) == {API: (2, 2), WORKERS: (2, 2)}
    assert "targets: 2 healthy" in run.text
    assert lab.lock() is None
    with Wire(lab.endpoint) as wire:
        again = lab.playbook("scale.yml", "-e", "scale=api=2,workers=2", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert again.changed == 0
    assert wire.writes(besides_lock=True) == []
    # Neither Terraform nor a release has an opinion about counts.
    assert lab.plan()[0] == 0
    assert lab.playbook("deploy.yml").must_succeed().changed == 0
    assert counts(lab)[API] == (2, 2)
    lab.playbook("scale.yml", "-e", "api=1", "-e", "workers=0").must_succeed()
    assert counts(lab) == {API: (1, 1), WORKERS: (0, 0)}


def test_a_count_outside_of_the_bounds_is_refused_unless_bounds_are_given(lab, registered):
    with Wire(lab.endpoint) as wire:
        refused = lab.playbook("scale.yml", "-e", "scale=api=4,workers=2", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_fail()
    assert '-e \'{"scale": {"api": {"count": 4, "min": 1, "max": 4}}}\'' in refused.text
    assert wire.writes(besides_lock=True) == []
    run = lab.playbook("scale.yml", "--diff", "-e", '{"scale": {"api": {"count": 4, "min": 2, "max": "4"}}}').must_succeed()
    assert "bounds 1 to 3 -> 2 to 4" in run.text
    assert (bounds(lab), counts(lab)[API]) == ([(2, 4)], (4, 4))
    with Faults(lab.endpoint) as lab_itself:
        assert lab_itself.scale(registered, 9) is None  # it is as high as it may be
    assert lab.playbook("scale.yml", "-e", '{"scale": {"api": {"count": 4, "min": 2, "max": 4}}}').must_succeed().changed == 0


def test_what_finds_no_place_goes_back_with_its_bounds(lab, registered):
    with Faults(lab.endpoint) as lab_itself:
        lab_itself.capacity(lab.cluster, 1024)  # room for the two that run
        run = lab.playbook(
            *("scale.yml", "-e", '{"scale": {"api": {"count": 4, "max": 6}, "workers": 0}}', "-e", "scale_timeout_seconds=15"),
        ).must_fail()
    assert "The services were not scaled" in run.text
    assert f"Back on what they had before, and stable: {API}" in run.text
    assert (bounds(lab), counts(lab)) == ([(1, 3)], {API: (1, 1), WORKERS: (0, 0)})
    assert lab.lock() is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-e", "scale=app=2"], "There is no service app here; there are api, workers"),
        (["-e", "scale=api=two"], "api's count is 'two'"),
        ([], "Nothing shows what to scale"),
        (["-e", '{"scale": {"api": {"count": 1, "max": 4}}}'], "has no bounds: it is not registered"),
    ],
)
def test_what_cannot_be_meant_is_refused(lab, arguments, says):
    run = lab.playbook("scale.yml", *arguments).must_fail()
    assert says in run.text
    assert counts(lab) == {API: (1, 1), WORKERS: (1, 1)}
