"""GitHub Actions from a bare repository: set up, pushed, deployed, stopped and started by the workflows' own steps, each with no more rights than it uses."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import yaml
from controller import Controller
from github_server import TOKEN, GitHubServer
from runner_cases import Case
from wire import Wire
from workflow_runner import Event, Runner, load

# Workflows run whole releases, stops and starts, as a push and a button do: minutes.
pytestmark = [pytest.mark.lab, pytest.mark.soak]
REPOSITORY = "acme/app"
GITHUB = {"repository": REPOSITORY, "oidc_provider": "create", "toggle_environment": "power"}
# Always on: there are working hours, and nothing is ever due.
HOURS = {"timezone": "UTC", "hours": [{"days": "mon-sun", "start": "00:00", "stop": "24:00"}]}
GIVEN = ("-e", json.dumps({"atena_github": GITHUB, "atena_schedule": HOURS}))
ROLES = {"deploy": "deploy", "toggle": "toggle", "schedule": "toggle", "guard": "toggle", "plan": "plan"}


def git(directory, *arguments):
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    return subprocess.run(["git", "-C", str(directory), *identity, *arguments], capture_output=True, text=True, check=True).stdout.strip()


class Ci:
    """The application's bare repository, a clone of it with the rendered files, GitHub's secrets, and the outcome of each run."""

    def __init__(self, lab, directory, github):
        self.lab, self.github = lab, github
        self.origin, self.clone = directory / "origin.git", directory / "clone"
        subprocess.run(["git", "clone", "--quiet", "--bare", str(lab.app.repository), str(self.origin)], check=True)
        subprocess.run(["git", "clone", "--quiet", str(self.origin), str(self.clone)], check=True)
        self.runner = Runner(lab, self.origin, directory / "runs", github.secrets, {"GITHUB_API_URL": github.url})
        self.calls: dict[str, set[str]] = {}

    def setup(self, *arguments, token=TOKEN):
        environment = {"GITHUB_API_URL": self.github.url, "ATENA_GITHUB_TOKEN": token}
        return self.lab.playbook("ci_setup.yml", *GIVEN, "-e", f"ci_repository_path={self.clone}", *arguments, environment=environment)

    def push(self, message) -> str:
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--allow-empty", "-m", message)
        git(self.clone, "push", "--quiet", "origin", "main")
        return git(self.clone, "rev-parse", "HEAD")

    def run(self, workflow, event, **more):
        """A job, each of its calls to AWS written down for the comparison with its role."""
        event = Event(event, REPOSITORY, git(self.origin, "rev-parse", "main"), **more)
        with Wire(self.lab.endpoint) as wire:
            self.runner.environment["AWS_ENDPOINT_URL"] = wire.endpoint
            done = self.runner.run(f".github/workflows/atena-prod-{workflow}.yml", event)
        self.calls.setdefault(ROLES[workflow], set()).update(actions(wire.calls))
        return done


def actions(calls) -> set[str]:
    """IAM's names of what was called. The image registry is covered by the token that ECR gives; who one is needs no permission."""
    found = set()
    for call in calls:
        if call.service in ("registry", "emulator", "sts", "unsigned"):
            continue
        operation = call.operation
        if call.service == "s3":
            method, _, path = operation.partition(" ")
            within = "/" in path.partition("?")[0].strip("/")
            operation = {"PUT": "PutObject", "DELETE": "DeleteObject"}.get(method, "GetObject" if within else "ListBucket")
        found.add(f"{call.service}:{operation}")
    return found


@pytest.fixture(scope="module")
def ci(lab, tmp_path_factory):
    commit = lab.app.commit
    with GitHubServer(REPOSITORY) as github:
        lab.playbook("infra.yml", *GIVEN).must_succeed()
        try:
            yield Ci(lab, tmp_path_factory.mktemp("ci"), github)
        finally:
            lab.playbook("start.yml", "-e", "start_without_queue=true")
            lab.playbook("infra.yml", "-e", json.dumps({"infra_allow_destroy": ["*github*"]})).must_succeed()
            lab.app.back_to(commit)
            lab.playbook("deploy.yml").must_succeed()
            lab.client("s3").delete_object(Bucket=f"atena-terraform-state-{lab.account}", Key="atena/prod/github.json")


def test_an_account_without_a_provider_is_told_so_before_anything_changes(lab):
    """First of all tests here: the next one makes the provider."""
    given = json.dumps({"atena_github": {"repository": REPOSITORY}})
    run = lab.playbook("infra.yml", "-e", given).must_fail()
    assert "set oidc_provider in atena_github to create" in run.text, run.output


def test_check_mode_writes_nothing_anywhere_and_tells_all(ci):
    with Wire(ci.lab.endpoint) as wire:
        run = ci.setup("--check", "--diff", "-e", f"atena_endpoint_url={wire.endpoint}").must_succeed()
    assert wire.writes() == [] and ci.github.writes == []
    assert git(ci.clone, "status", "--porcelain") == ""
    assert "name: Deploy to Production" in run.output
    for words in ("ALB_DNS_NAME: written now", "AWS_DEPLOY_ROLE_ARN", "files would be written"):
        assert words in run.text, run.output


def test_it_sets_the_secrets_from_terraforms_outputs_and_shows_no_token(ci):
    run = ci.setup("-vvv", "--diff").must_succeed()
    assert TOKEN not in run.output and "encrypted_value" not in run.output
    described = ci.lab.client("elbv2").describe_load_balancers(Names=["atena-prod-alb"])["LoadBalancers"][0]
    role = f"arn:aws:iam::{ci.lab.account}:role/atena-prod-github"
    assert ci.github.secrets["AWS_DEPLOY_ROLE_ARN"] == f"{role}-deploy"
    assert (ci.github.secrets["AWS_TOGGLE_ROLE_ARN"], ci.github.secrets["AWS_PLAN_ROLE_ARN"]) == (f"{role}-toggle", f"{role}-plan")
    assert ci.github.secrets["ALB_DNS_NAME"] == described["DNSName"]
    services = ci.lab.services()["atena-prod-api"]["networkConfiguration"]["awsvpcConfiguration"]
    assert sorted(ci.github.secrets["PRIVATE_SUBNET_IDS"].split(",")) == sorted(services["subnets"])
    assert ci.github.secrets["ECS_SECURITY_GROUP_ID"] == services["securityGroups"][0]


def test_run_again_it_writes_nothing(ci):
    ci.github.writes.clear()
    assert ci.setup().must_succeed().changed == 0
    assert ci.github.writes == []
    # What somebody else wrote is put right, and only that.
    ci.github.put("ECS_SECURITY_GROUP_ID", "sg-somebody-elses")
    assert ci.setup().must_succeed().changed == 1
    assert ci.github.writes == ["ECS_SECURITY_GROUP_ID"] and ci.github.secrets["ECS_SECURITY_GROUP_ID"] != "sg-somebody-elses"


def test_the_job_template_does_it_as_awx_runs_it(ci, tmp_path):
    git(tmp_path, "clone", "--quiet", str(ci.origin), "checkout")
    del ci.github.times["ALB_DNS_NAME"]
    ci.github.writes.clear()
    case = Case(
        "ci-setup",
        "",
        environment={"GITHUB_API_URL": ci.github.url, "ATENA_GITHUB_TOKEN": TOKEN},
        described={"atena_github": GITHUB, "atena_schedule": HOURS},
    )
    job = Controller(ci.lab, tmp_path / "controller").run(case, {"ci_repository_path": str(tmp_path / "checkout")})
    assert (job.rc, job.status) == (0, "successful"), job.output
    result = job.result(ci.lab.name)
    assert (result["outcome"], result["changed"]) == ("succeeded", True)
    assert ci.github.writes == ["ALB_DNS_NAME"] and not job.holds(TOKEN)
    assert len(list((tmp_path / "checkout" / ".github" / "workflows").iterdir())) == 5


def test_a_token_that_github_refuses_is_told_and_kept_out_of_sight(ci):
    run = ci.setup(token="ghp_wrong").must_fail()
    assert "GitHub answered 401 (Bad credentials)" in run.text and "ghp_wrong" not in run.output


def test_without_roles_it_refuses_before_it_writes(ci, tmp_path):
    run = ci.lab.playbook("ci_setup.yml", "-e", f"ci_repository_path={tmp_path}").must_fail()
    assert "atena-prod trusts no repository on GitHub" in run.text and "is no checkout of a git repository" in run.text
    assert list(tmp_path.iterdir()) == []


def test_the_workflows_are_what_github_takes(ci):
    files = sorted((ci.clone / ".github" / "workflows").iterdir())
    assert [file.stem for file in files] == [f"atena-prod-{name}" for name in ("deploy", "guard", "plan", "schedule", "toggle")]
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*checker, *map(str, files)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {file.stem: load(file)["name"] for file in files}
    assert (names["atena-prod-deploy"], names["atena-prod-toggle"]) == ("Deploy to Production", "Environment Toggle")
    for file in files:
        workflow = load(file)
        assert workflow["concurrency"]["cancel-in-progress"] is (file.stem == "atena-prod-plan")
        for step in next(iter(workflow["jobs"].values()))["steps"]:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step.get("uses", "a/b@" + "0" * 40))
    inventory = yaml.safe_load((ci.clone / ".github" / "atena" / "atena-prod.yml").read_text())["environments"]["hosts"]["atena-prod"]
    assert inventory["atena_github"] == GITHUB and "atena_secrets" not in inventory and "atena_endpoint_url" not in inventory


def test_a_push_is_deployed(ci):
    commit = ci.push("Set up continuous deployment")
    done = ci.run("deploy", "push")
    assert done.code == 0, done.output
    assert done.steps[-3:] == ["Build, Push", "Migrate, Deploy API, Deploy Workers, Health Check", "Summary"]
    assert ci.lab.app.version == commit
    assert f"Released {commit}" in done.summary and "deploy succeeded, changed something" in done.summary
    assert ci.lab.records()[0]["release"] == commit


def test_a_push_that_cannot_be_deployed_says_why_in_the_summary(ci):
    before = ci.lab.revisions()
    # No release begins, so nothing is to be taken back: the image of this commit cannot be built.
    (ci.clone / "packages" / "api" / "Dockerfile").write_text("FROM scratch\nCOPY no-such-file /\n")
    ci.push("Break the build")
    try:
        done = ci.run("deploy", "push")
    finally:
        git(ci.clone, "revert", "--no-edit", "HEAD")
        git(ci.clone, "push", "--quiet", "origin", "main")
    assert done.code != 0 and done.steps[-2:] == ["Build, Push", "Summary"]
    assert "deploy failed" in done.summary and "no-such-file" in done.summary
    assert ci.lab.revisions() == before


def test_the_toggle_stops_and_starts_and_tells_github_where_it_is_now(ci):
    done = ci.run("toggle", "workflow_dispatch", inputs={"action": "stop"})
    assert done.code == 0, done.output
    assert "stop succeeded, changed something" in done.summary
    assert [service["desiredCount"] for service in ci.lab.services().values()] == [0, 0]
    # The guard has nothing to do in a stopped environment.
    guarded = ci.run("guard", "schedule")
    assert guarded.code == 0 and "guard succeeded, nothing to change" in guarded.summary
    ci.github.put("ALB_DNS_NAME", "of-yesterday.elb.amazonaws.com")
    ci.github.secrets["ATENA_GITHUB_TOKEN"] = TOKEN
    done = ci.run("toggle", "workflow_dispatch", inputs={"action": "start"})
    assert done.code == 0, done.output
    assert "ALB_DNS_NAME refreshed" in done.summary and TOKEN not in done.output + done.summary
    described = ci.lab.client("elbv2").describe_load_balancers(Names=["atena-prod-alb"])["LoadBalancers"][0]
    assert ci.github.secrets["ALB_DNS_NAME"] == described["DNSName"]
    assert ci.lab.app.get("/health")[0] == 200


def test_the_clock_wakes_a_job_that_finds_nothing_due(ci):
    done = ci.run("schedule", "schedule")
    assert done.code == 0, done.output
    assert "schedule succeeded, nothing to change" in done.summary


def test_a_pull_request_is_planned_but_not_a_strangers(ci):
    """After all of the above, the plan is empty."""
    pull = {"ref": "refs/pull/1/merge", "head_repository": REPOSITORY}
    done = ci.run("plan", "pull_request", **pull)
    assert done.code == 0, done.output
    assert "infra succeeded, nothing to change" in done.summary
    assert ci.run("plan", "pull_request", **{**pull, "head_repository": "stranger/app"}).steps == []


@pytest.mark.parametrize("role", ["deploy", "toggle", "plan"])
def test_each_role_may_do_what_its_jobs_call(ci, role):
    """By the action alone: the emulator checks no permissions, and resources differ from AWS's here and there."""
    document = ci.lab.client("iam").get_role_policy(RoleName=f"atena-prod-github-{role}", PolicyName=role)["PolicyDocument"]
    statements = (json.loads(document) if isinstance(document, str) else document)["Statement"]
    patterns = {action.replace("*", ".*") for statement in statements for action in statement["Action"]}
    assert ci.calls.get(role), "the tests above run this role's jobs"
    missing = {call for call in ci.calls[role] if not any(re.fullmatch(pattern, call) for pattern in patterns)}
    assert missing == set()


def test_the_policies_fit_into_a_role(ci):
    """IAM takes 10,240 characters of inline policies for a role, blanks not counted."""
    for role in ("deploy", "toggle", "plan"):
        document = ci.lab.client("iam").get_role_policy(RoleName=f"atena-prod-github-{role}", PolicyName=role)["PolicyDocument"]
        text = document if isinstance(document, str) else json.dumps(document)
        assert len(re.sub(r"\s", "", text)) < 10240 * 0.9, role
