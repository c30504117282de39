"""What the emulator's extension decides of load balancers, apart from the emulator."""

import pytest
from extension.elbv2 import listeners, load_balancer_state, target_health

GROUP = {"HealthCheckIntervalSeconds": 10, "HealthyThresholdCount": 3, "UnhealthyThresholdCount": 2}
PROBLEM = ("Target.FailedHealthChecks", "Health checks failed")


class TestTargetHealth:
    def after(self, *outcomes, start=0.0, step=10.0, state="initial"):
        health = target_health.Health(state=state, since=start)
        for number, well in enumerate(outcomes):
            health.checked(None if well else PROBLEM, GROUP, start + number * step)
        return health

    def test_one_good_answer_makes_a_new_target_healthy(self):
        assert self.after(True).state == "healthy"

    def test_a_new_target_has_as_long_as_on_aws(self):
        assert self.after(False, False, step=5).state == "initial"
        assert self.after(False, False, False).state == "unhealthy"

    def test_a_healthy_target_falls_only_after_the_threshold(self):
        assert self.after(True, False).state == "healthy"
        assert self.after(True, False, False).state == "unhealthy"
        assert self.after(True, False, True, False).state == "healthy"

    def test_an_unhealthy_target_rises_only_after_the_threshold(self):
        assert self.after(True, True, state="unhealthy").state == "unhealthy"
        assert self.after(True, True, True, state="unhealthy").state == "healthy"

    def test_it_says_why(self):
        health = self.after(False, False, False)
        assert (health.reason, health.description) == PROBLEM
        assert self.after(True).reason == ""

    @pytest.mark.parametrize(("code", "matcher", "matches"), [(200, "200", True), (204, "200-299", True), (301, "200,301", True), (500, "200-299,301", False)])
    def test_codes_match_as_aws_writes_them(self, code, matcher, matches):
        assert target_health.code_matches(code, matcher) is matches

    def test_traffic_goes_to_healthy_targets_and_fails_open(self):
        targets = [{"Id": "a"}, {"Id": "b"}, {"Id": "c"}]
        assert target_health.choose(targets, ["initial", "healthy", "unhealthy"]) == [{"Id": "b"}]
        assert target_health.choose(targets, ["initial", "unhealthy", "unhealthy"]) == [{"Id": "b"}, {"Id": "c"}]
        assert target_health.choose(targets, ["initial", "draining", "unused"]) == []


class TestListeners:
    def test_a_forward_is_found_in_both_spellings(self):
        actions = [{"TargetGroupArn": "a"}, {"ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "b"}]}}, {"Type": "redirect"}]
        assert listeners.action_targets(actions) == {"a", "b"}


class TestLoadBalancers:
    @pytest.mark.parametrize(("began", "failing", "after"), [(950, [], "provisioning"), (940, [], "active"), (940, ["load_balancer_create"], "failed")])
    def test_a_load_balancer_moves_on(self, settings, began, failing, after):
        settings.update(times={**settings["times"], "load_balancer_create": 60}, failing=failing)
        balancer = {"State": "provisioning", "_began": began}
        load_balancer_state.settle(balancer)
        assert balancer["State"] == after
