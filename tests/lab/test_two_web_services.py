"""A second service with a port: a listener rule sends it its requests, a release checks both, a stop takes the rule away and a start brings it back.

The tests of this file go on from each other, in an environment of their own that first had one such service.
"""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.error
import urllib.request

import pytest
from bad_commits import ERROR_LINE, admin_crashes
from conftest import App, Lab, Run

pytestmark = pytest.mark.lab

API = {"cpu": 256, "port": 3000, "health_check_path": "/health", "desired_count": 1, "dockerfile": "packages/api/Dockerfile"}
WORKERS = {"cpu": 256, "desired_count": 1, "dockerfile": "packages/workers/Dockerfile"}
ADMIN = {
    **{"cpu": 256, "port": 3001, "health_check_path": "/admin/health", "desired_count": 1, "dockerfile": "packages/api/Dockerfile"},
    "command": ["node", "packages/api/dist/admin.js"],
    "listener_rule": {"priority": 10, "paths": ["/admin", "/admin/*"]},
}
ONE, BOTH = {"api": API, "workers": WORKERS}, {"api": API, "workers": WORKERS, "admin": ADMIN}
HOST = "admin.example.com"


class Routed(Lab):
    name, cluster = "atena-routed", "atena-routed-cluster"

    def __init__(self, lab: Lab):
        super().__init__(lab._on_typed)
        self.services_given: dict = ONE
        self.app = App(lab.directory / "app", f"{self.endpoint}/_alb/{self.name}-alb")

    def playbook(self, name: str, *arguments: str, **options) -> Run:
        given = {"atena_stage": "routed", "atena_work_dir": str(self.directory / "work" / self.name), "atena_services": self.services_given}
        return super().playbook(name, "-e", json.dumps(given), *arguments, **options)

    def get(self, path: str, host: str = "") -> tuple[int, dict]:
        request = urllib.request.Request(self.app.url + path, headers={"Host": host} if host else {})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {}

    def rules(self) -> list[dict]:
        elbv2 = self.client("elbv2")
        balancers = [one for one in elbv2.describe_load_balancers()["LoadBalancers"] if one["LoadBalancerName"] == f"{self.name}-alb"]
        found = []
        for balancer in balancers:
            for listener in elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
                found += [rule for rule in elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"] if not rule["IsDefault"]]
        return found

    def answers(self) -> dict[str, str]:
        """Who answers where, with the release that it is of."""
        return {path: self.get(path)[1].get("name", "") for path in ("/", "/admin")}

    def versions(self) -> set[str]:
        return {self.get(path)[1].get("version", "") for path in ("/", "/admin")}


@pytest.fixture(scope="module")
def routed(lab):
    made = Routed(lab)
    made.playbook("site.yml", timeout=900).must_succeed()
    yield made
    made.services_given = BOTH
    made.playbook("destroy.yml", "-e", f"destroy_confirm={made.name}", timeout=900)


def planned(routed, services: dict) -> tuple[int, str]:
    command = ["terraform", "plan", "-detailed-exitcode", "-no-color", "-input=false", "-lock=false", "-var", f"services={json.dumps(services)}"]
    done = subprocess.run(command, cwd=routed.infra, capture_output=True, text=True, timeout=300)
    return done.returncode, " ".join((done.stdout + done.stderr).replace("│", " ").split())


def with_admin(**changes) -> dict:
    return {"api": {"cpu": 256, "port": 3000}, "admin": {"cpu": 256, "port": 3001, "listener_rule": {"priority": 10, "paths": ["/admin"]}, **changes}}


def with_rule(**rule) -> dict:
    return with_admin(listener_rule=rule)


THIRD = {"cpu": 256, "port": 3002}
BAD = {
    "two that get everything": (with_admin(listener_rule=None), "More than one service has a port and no listener_rule: admin, api."),
    "none that gets the rest": ({"admin": with_admin()["admin"]}, "No service gets the requests that no listener_rule names (admin each have one)"),
    "a rule without a port": (with_admin(port=None), "These services have a listener_rule and no port: admin."),
    "a rule for nothing": (with_rule(priority=10), "a listener_rule with neither hosts nor paths: admin"),
    "a rule for everything": (with_rule(priority=10, paths=["/*"]), "takes every request, so that no other service gets one"),
    "one priority twice": (
        {**with_admin(), "third": {**THIRD, "listener_rule": {"priority": 10, "paths": ["/third"]}}},
        "No two listener rules may have the same priority: admin has 10, third has 10.",
    ),
    "one rule twice": (
        {**with_admin(), "third": {**THIRD, "listener_rule": {"priority": 11, "paths": ["/admin"]}}},
        "Two services have the same hosts and paths in their listener_rule, so that one of them would never get a request: admin, third.",
    ),
    "a priority that there is not": (with_rule(priority=0, paths=["/admin"]), "must be a whole number between 1 and 50000; it is not for admin"),
    "too many values": (
        with_rule(priority=10, paths=[f"/{number}" for number in range(6)]),
        "five values at most. These have more hosts and paths together: admin",
    ),
    "a path without a slash": (with_rule(priority=10, paths=["admin"]), "A path of a listener_rule must begin with / or *"),
    "a host with a scheme": (with_rule(priority=10, hosts=["https://admin.example.com"]), "without scheme or port: such as admin.example.com"),
    "percentages that let nothing happen": (with_admin(minimum_healthy_percent=100, maximum_percent=100), "no deployment ever ends (admin)"),
    "a percentage that there is not": (with_admin(minimum_healthy_percent=101), "must be between 0 and 100, its maximum_percent between 100 and 1000"),
    "a breaker that is off and rolls back": (
        with_admin(circuit_breaker={"enable": False, "rollback": True}),
        "rolls nothing back: remove rollback, or enable it (admin)",
    ),
    "a grace period without a load balancer": (
        {**with_admin(), "workers": {"cpu": 256, "health_check_grace_period": 60}},
        "a health_check_grace_period and no port: workers",
    ),
    "a user that is none": (with_admin(user="no such user"), "must be a user, or user:group"),
    "a capability that there is not": (
        with_admin(drop_capabilities=["CAP_NET_RAW"]),
        "ECS knows no Linux capability CAP_NET_RAW (drop_capabilities of service admin)",
    ),
    "too much storage": (with_admin(ephemeral_storage=201), "a whole number of GiB between 21 and 200"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_settings_are_refused_with_their_remedy_before_anything_is_changed(routed, case):
    services, words = BAD[case]
    code, output = planned(routed, services)
    assert code == 1 and words in output, output


def test_a_playbook_refuses_it_as_well(routed):
    routed.services_given = {**ONE, "admin": {**ADMIN, "listener_rule": {"priority": 10, "path": ["/admin"]}}}
    assert "path" in routed.playbook("infra.yml").must_fail().text
    routed.services_given = {**ONE, "admin": {**ADMIN, "listener_rule": {"priority": 10}}}
    run = routed.playbook("infra.yml").must_fail()
    assert "neither hosts nor paths: admin" in run.text, run.output
    routed.services_given = ONE
    assert routed.rules() == []
    assert routed.playbook("infra.yml").must_succeed().changed == 0, "something was changed"


def test_a_second_one_is_added_and_nothing_of_the_first_is_touched(routed):
    routed.services_given = BOTH
    run = routed.playbook("infra.yml").must_succeed()
    # Changed is what the execution role may read: the images and the log group of the new one as well.
    assert " 1 changed, 0 replaced, 0 destroyed" in run.text and "~ aws_iam_role_policy.execution" in run.text, run.output
    code, output = routed.plan()
    assert code == 0, output
    (rule,) = routed.rules()
    assert (rule["Priority"], [condition["Field"] for condition in rule["Conditions"]]) == ("10", ["path-pattern"])
    assert routed.get("/")[1]["name"] == "notes", "what no rule names goes where it went"


def test_both_answer_after_a_release(routed):
    run = routed.playbook("deploy.yml").must_succeed()
    assert routed.answers() == {"/": "notes", "/admin": "notes admin"}, run.output
    assert routed.versions() == {routed.app.commit}
    assert routed.get("/administrator")[0] == 404, "a path that only begins alike is the API's"
    status = routed.playbook("status.yml").must_succeed()
    assert "atena-routed-admin" in status.text and "Nothing to do" not in status.text, status.output
    assert routed.plan()[0] == 0
    assert routed.playbook("deploy.yml").must_succeed().changed == 0


def test_a_release_that_breaks_one_is_reverted_and_the_other_serves_all_along(routed, good):
    before, statuses, done = routed.app.commit, [], threading.Event()

    def read() -> None:
        while not done.is_set():
            statuses.append(routed.get("/")[0])

    admin_crashes(good)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        run = routed.playbook("deploy.yml").must_fail()
    finally:
        done.set()
        reader.join()
    assert "atena-routed-admin" in run.text and ERROR_LINE in run.text, run.output
    assert set(statuses) == {200} and len(statuses) > 10
    assert routed.answers() == {"/": "notes", "/admin": "notes admin"}
    assert routed.versions() == {before}


def test_a_release_asks_both_at_the_address_of_their_users(routed, good):
    """Its targets are healthy, and its rule leads elsewhere: the load balancer's own checks do not see that."""
    (rule,) = routed.rules()
    conditions = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/elsewhere"]}}]
    routed.client("elbv2").modify_rule(RuleArn=rule["RuleArn"], Conditions=conditions)
    good.change("Say nothing", **{"packages/api/NOTES.md": "routed\n"})
    run = routed.playbook("deploy.yml", "-e", "atena_health_attempts=2").must_fail()
    assert "/admin/health answered 404" in run.text, run.output
    assert " 1 changed, 0 replaced" in routed.playbook("infra.yml").must_succeed().text
    assert routed.answers() == {"/": "notes", "/admin": "notes admin"}


def test_a_rule_that_was_deleted_is_found_and_made_again(routed):
    (rule,) = routed.rules()
    routed.client("elbv2").delete_rule(RuleArn=rule["RuleArn"])
    told = routed.playbook("diagnose.yml")
    assert "No listener or rule sends requests to its target group atena-routed-admin-tg" in told.text, told.output
    refused = routed.playbook("preflight.yml").must_fail()
    assert "atena-routed-admin-tg: no listener or rule forwards to it" in refused.text, refused.output
    routed.playbook("infra.yml").must_succeed()
    assert routed.answers() == {"/": "notes", "/admin": "notes admin"}
    assert "No listener or rule" not in routed.playbook("diagnose.yml").text


def test_a_host_counts_as_well_and_the_rule_stays_the_same(routed):
    (before,) = routed.rules()
    admin = {**ADMIN, "health_check_path": "/admin/health", "listener_rule": {"priority": 20, "hosts": [HOST], "paths": ["/admin", "/admin/*"]}}
    routed.services_given = {**ONE, "admin": admin}
    assert " 1 changed, 0 replaced, 0 destroyed" in routed.playbook("infra.yml").must_succeed().text
    (now,) = routed.rules()
    assert (now["RuleArn"], now["Priority"]) == (before["RuleArn"], "20")
    assert routed.get("/admin")[0] == 404
    assert routed.get("/admin", HOST)[1]["name"] == routed.get("/admin", HOST.upper())[1]["name"] == "notes admin"
    assert routed.get("/", HOST)[1]["name"] == "notes"
    # It is asked under its own name, and does as well.
    routed.app.change("Say nothing again", **{"packages/api/NOTES.md": "routed by host\n"})
    routed.playbook("deploy.yml").must_succeed()
    assert routed.plan()[0] == 0
    routed.services_given = BOTH
    routed.playbook("infra.yml").must_succeed()


def test_a_night_takes_the_rule_along_and_brings_both_back(routed):
    routed.playbook("stop.yml", timeout=900).must_succeed()
    assert routed.rules() == []
    assert routed.plan()[0] == 0
    # ECS would refuse a third one at the very end of the apply.
    routed.services_given = {**BOTH, "third": {**ADMIN, "port": 3002, "listener_rule": {"priority": 30, "paths": ["/third"]}}}
    refused = routed.playbook("infra.yml").must_fail()
    assert "the environment is stopped" in refused.text and "Run start.yml, then infra.yml" in refused.text, refused.output
    routed.services_given = BOTH
    routed.playbook("start.yml", timeout=900).must_succeed()
    assert routed.answers() == {"/": "notes", "/admin": "notes admin"}
    assert len(routed.rules()) == 1
    assert routed.plan()[0] == 0


def test_it_is_taken_away_again(routed):
    routed.services_given = ONE
    refused = routed.playbook("infra.yml").must_fail()
    assert "aws_ecs_service.service" in refused.text and "infra_allow_destroy" in refused.text, refused.output
    # ECR deletes no repository that holds images.
    ecr, repository = routed.client("ecr"), {"repositoryName": f"{routed.name}-admin"}
    # By the digest alone: with a tag beside it only the tag would go.
    digests = {image["imageDigest"] for image in ecr.list_images(**repository)["imageIds"]}
    ecr.batch_delete_image(**repository, imageIds=[{"imageDigest": digest} for digest in digests])
    allowed = ["aws_ecs_service.service*", "aws_lb_*.service*", "aws_vpc_security_group_*port*", "aws_ecr_*.service*", "aws_cloudwatch_log_group.service*"]
    run = routed.playbook("infra.yml", "-e", json.dumps({"infra_allow_destroy": [*allowed, "aws_ecs_task_definition.template*"]})).must_succeed()
    assert " 0 replaced" in run.text, run.output
    assert routed.rules() == [] and routed.get("/")[1]["name"] == "notes"
    assert routed.plan()[0] == 0
