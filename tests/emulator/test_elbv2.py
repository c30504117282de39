"""What the emulator's extension decides of load balancers, apart from the emulator."""

import pytest
from extension.elbv2 import listener_rules, listeners, load_balancer_state, target_health

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


class TestListenerRules:
    @pytest.mark.parametrize(
        ("pattern", "value", "fits"),
        [
            ("/admin/*", "/admin/", True),
            ("/admin/*", "/admin", False),
            ("/admin", "/Admin", False),
            ("*.png", "/a/b.png", True),
            ("/v?", "/v1", True),
            ("/v?", "/v12", False),
            ("/[ab]", "/a", False),
        ],
    )
    def test_only_an_asterisk_and_a_question_mark_mean_something(self, pattern, value, fits):
        assert listener_rules.matches(pattern, value) is fits

    def test_a_host_is_the_same_in_any_case(self):
        assert listener_rules.matches("*.Example.com", "admin.example.COM", ignore_case=True)

    RULES = [{"RuleArn": "one", "ListenerArn": "l", "Priority": "10"}, {"RuleArn": "two", "ListenerArn": "l", "Priority": "default"}]

    @pytest.mark.parametrize(
        ("priority", "own", "code"),
        [("11", "", None), ("10", "", "PriorityInUse"), ("10", "one", None), ("0", "", "ValidationError"), ("x", "", "ValidationError")],
    )
    def test_a_priority_is_one_rules(self, priority, own, code):
        found = listener_rules.priority_problem(priority, "l", self.RULES, own)
        assert (found and found[0]) == code

    @pytest.mark.parametrize(
        "conditions",
        [
            [],
            [{"Field": "path-pattern", "Values": []}],
            [{"Field": "path-pattern", "Values": [f"/{number}" for number in range(6)]}],
            [{"Field": "path-pattern", "Values": ["/" * 129]}],
            [{"Field": "path-pattern", "Values": ["/a"]}, {"Field": "path-pattern", "Values": ["/b"]}],
        ],
    )
    def test_conditions_that_aws_refuses(self, conditions):
        assert listener_rules.condition_problem(conditions)[0] == "ValidationError"

    def test_a_host_and_a_path_are_a_rule(self):
        conditions = [{"Field": "host-header", "Values": ["a.example.com"]}, {"Field": "path-pattern", "Values": ["/a", "/a/*"]}]
        assert listener_rules.condition_problem(conditions) is None

    def test_a_port_has_one_listener(self):
        there = [{"LoadBalancerArn": "b", "Port": 80, "ListenerArn": "l"}]
        assert listener_rules.port_problem("b", 80, there)[0] == "DuplicateListener"
        assert listener_rules.port_problem("b", 81, there) is None
        assert listener_rules.port_problem("c", 80, there) is None

    def test_a_rule_forwards_to_a_group_that_is_there(self):
        assert listener_rules.group_problem([{"TargetGroupArn": "gone"}], {"here": {}})[0] == "TargetGroupNotFound"
        assert listener_rules.group_problem([{"TargetGroupArn": "here"}], {"here": {}}) is None


class TestLoadBalancers:
    @pytest.mark.parametrize(("began", "failing", "after"), [(950, [], "provisioning"), (940, [], "active"), (940, ["load_balancer_create"], "failed")])
    def test_a_load_balancer_moves_on(self, settings, began, failing, after):
        settings.update(times={**settings["times"], "load_balancer_create": 60}, failing=failing)
        balancer = {"State": "provisioning", "_began": began}
        load_balancer_state.settle(balancer)
        assert balancer["State"] == after
