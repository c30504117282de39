"""Autoscaling bounds: what is read, what is sent, and which counts are refused."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.ecs import autoscaling

CLUSTER = "atena-prod-cluster"
ALL = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True, "ScheduledScalingSuspended": True}


class Aws:
    """Application Auto Scaling of a few lines: what is left out of a call stays as it is."""

    def __init__(self, **targets):
        self.targets = {f"service/{CLUSTER}/{name}": target for name, target in targets.items()}
        self.calls, self.broken = [], None

    def __call__(self, service, operation, doing, /, **arguments):
        assert service == "application-autoscaling"
        self.calls.append((operation, arguments))
        assert (arguments.pop("ServiceNamespace"), arguments.pop("ScalableDimension")) == ("ecs", "ecs:service:DesiredCount")
        if self.broken:
            raise CallFailed(self.broken)
        if operation == "describe_scalable_targets":
            assert len(arguments["ResourceIds"]) <= 50
            return {"ScalableTargets": [{"ResourceId": key, **self.targets[key]} for key in arguments["ResourceIds"] if key in self.targets]}
        self.targets.setdefault(arguments.pop("ResourceId"), {}).update(arguments)
        return {}


def target(least=1, most=4, **suspended):
    return {"MinCapacity": least, "MaxCapacity": most, "SuspendedState": suspended}


def test_a_service_that_is_not_registered_has_no_bounds():
    assert autoscaling.bounds(Aws(), CLUSTER, "api") is None
    assert autoscaling.read(Aws(api=target()), CLUSTER, ["api", "workers"]) == {"api": {"min": 1, "max": 4, "suspended": []}}


def test_many_services_are_read_fifty_at_a_time():
    aws = Aws(s99=target())
    assert list(autoscaling.read(aws, CLUSTER, [f"s{number}" for number in range(100)])) == ["s99"]
    assert len(aws.calls) == 2


def test_a_pause_suspends_everything_and_keeps_the_bounds():
    aws = Aws(api=target(2, 6, DynamicScalingInSuspended=True))
    before = autoscaling.bounds(aws, CLUSTER, "api")
    autoscaling.set_bounds(aws, CLUSTER, "api", autoscaling.PAUSED)
    assert aws.targets[f"service/{CLUSTER}/api"] == target(2, 6, **ALL)
    assert [operation for operation, _ in aws.calls] == ["describe_scalable_targets", "register_scalable_target"]
    assert autoscaling.restore(aws, CLUSTER, "api", before) == ""
    assert autoscaling.bounds(aws, CLUSTER, "api") == before == {"min": 2, "max": 6, "suspended": ["dynamic_scaling_in"]}


def test_what_is_as_it_was_is_not_written_again():
    aws = Aws(api=target())
    assert autoscaling.restore(aws, CLUSTER, "api", {"min": 1, "max": 4, "suspended": []}) == ""
    assert [operation for operation, _ in aws.calls] == ["describe_scalable_targets"]


def test_a_target_that_is_gone_stays_gone_and_is_told():
    aws = Aws()
    assert "no longer registered" in autoscaling.restore(aws, CLUSTER, "api", {"min": 1, "max": 4, "suspended": []})
    assert aws.targets == {}
    assert autoscaling.restore(aws, CLUSTER, "api", None) == ""


@pytest.mark.parametrize(
    ("bounds", "sent"),
    [
        ({"min": 0}, {"MinCapacity": 0}),
        ({"min": None, "max": 3}, {"MaxCapacity": 3}),
        ({"suspended": []}, {"SuspendedState": dict.fromkeys(ALL, False)}),
        (autoscaling.PAUSED, {"SuspendedState": ALL}),
    ],
)
def test_only_what_is_named_is_sent(bounds, sent):
    assert autoscaling.to_arguments(bounds) == sent


FOUR = {"min": 1, "max": 4, "suspended": []}


@pytest.mark.parametrize(
    ("count", "registered", "given", "says"),
    [
        (2, None, {}, ""),
        (2, FOUR, {}, ""),
        (1, FOUR, {}, ""),
        (4, FOUR, {}, ""),
        (5, FOUR, {}, '{"api": {"count": 5, "min": 1, "max": 5}}'),
        (0, FOUR, {}, '{"api": {"count": 0, "min": 0, "max": 4}}'),
        (5, FOUR, {"max": 5}, ""),
        (5, FOUR, {"min": 5, "max": 9}, ""),
        (0, FOUR, {"min": 0, "max": None}, ""),
        (3, FOUR, {"max": 2}, "3 is outside of the bounds from 1 to 2 given here"),
        (3, FOUR, {"min": 5}, "bounds from 5 to 4 are none"),
        (3, FOUR, {"min": -1}, "bounds from -1 to 4 are none"),
        (2, None, {"max": 4}, "not registered with Application Auto Scaling"),
        (2, None, {"min": None, "max": None}, ""),
    ],
)
def test_a_count_that_autoscaling_would_bring_back_is_refused_with_the_remedy(count, registered, given, says):
    found = autoscaling.problems("atena-prod-api", "api", count, registered, given)
    assert len(found) == bool(says)
    assert says in "".join(found)
