"""Each cause of the troubleshooting guide really happens here, and diagnose.yml names it, with the command that fixes it.

Security groups are the exception: local containers ignore them, so a missing rule is told from the groups alone.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
from emulator_world import until
from faults import Faults
from wire import Wire

SECRETS = ("ADMIN_TOKEN", "CLAUDE_API_KEY", "TELEGRAM_BOT_TOKEN", "DATABASE_URL")


class Diagnosis:
    """One run of diagnose.yml and what it saved."""

    def __init__(self, run, directory):
        self.run = run
        path = max(directory.glob("*.json"))
        self.paths = [path, path.with_suffix(".txt")]
        self.saved = json.loads(path.read_text())
        self.text = path.with_suffix(".txt").read_text()

    @property
    def codes(self) -> list[str]:
        """What is wrong now. (Earlier tests left tasks that ECS still knows.)"""
        return [item["code"] for item in self.saved["findings"] if not item["over"]]

    def __getitem__(self, code: str) -> dict:
        return self.shows(code)

    def shows(self, code: str, *words: str, tasks: Callable[[], list[str]] | None = None) -> dict:
        """The finding, with these words in its evidence; with one of these tasks: whether or not their deployment was taken back meanwhile."""
        found = [(item, "\n".join(item["evidence"])) for item in self.saved["findings"] if item["code"] == code and (tasks or not item["over"])]
        ids = tasks() if tasks else [""]
        shown = [item for item, evidence in found if all(word in evidence for word in words) and any(task in evidence for task in ids)]
        assert shown, f"no {code} with {words}, {ids} in:\n{self.text}"
        return shown[0]


@pytest.fixture
def diagnose(lab, tmp_path):
    def run(*arguments, **options) -> Diagnosis:
        return Diagnosis(lab.playbook("diagnose.yml", "-e", f"diagnose_save_to={tmp_path}", *arguments, **options).must_succeed(), tmp_path)

    return run


def settled(lab) -> bool:
    """Every service runs what it wants on one deployment, and answers."""
    services = lab.services().values()
    even = all(s["runningCount"] == s["desiredCount"] and s["pendingCount"] == 0 and s["deployments"][0]["rolloutState"] == "COMPLETED" for s in services)
    return even and all(len(s["deployments"]) == 1 for s in services) and lab.app.get("/health")[0] == 200


@pytest.fixture
def well(lab):
    """The environment as it was, before and after."""
    before = lab.services()
    yield
    for name, service in lab.services().items():
        if service["taskDefinition"] != before[name]["taskDefinition"] or service["desiredCount"] != before[name]["desiredCount"]:
            lab.client("ecs").update_service(
                cluster=lab.cluster, service=name, taskDefinition=before[name]["taskDefinition"], desiredCount=before[name]["desiredCount"]
            )
    until(lambda: settled(lab), 120)


def ended(lab, deployment: str) -> list[dict]:
    return [task for task in lab.ended_tasks() if task["startedBy"] == deployment and task["lastStatus"] == "STOPPED"]


@contextmanager
def variation(lab, key="api", **changes):
    """A revision like the one that runs, with its container changed; deregistered afterwards."""
    ecs = lab.client("ecs")
    running = ecs.describe_task_definition(taskDefinition=lab.revisions()[f"{lab.name}-{key}"])["taskDefinition"]
    keep = ("networkMode", "executionRoleArn", "taskRoleArn", "requiresCompatibilities", "cpu", "memory", "runtimePlatform")
    changed = {name: value(running["containerDefinitions"][0]) if callable(value) else value for name, value in changes.items()}
    container = {**running["containerDefinitions"][0], **changed}
    arn = ecs.register_task_definition(family="tried", containerDefinitions=[container], **{name: running[name] for name in keep})
    arn = arn["taskDefinition"]["taskDefinitionArn"]
    yield arn
    ecs.deregister_task_definition(taskDefinition=arn)


def release(lab, arn: str, key="api") -> str:
    """Starts a deployment of this revision; its id."""
    service = lab.client("ecs").update_service(cluster=lab.cluster, service=f"{lab.name}-{key}", taskDefinition=arn)["service"]
    return next(deployment["id"] for deployment in service["deployments"] if deployment["status"] == "PRIMARY")


def released_until_a_task_ended(lab, arn: str, key="api") -> Callable[[], list[str]]:
    """Tells the ids of its tasks that have ended so far. There may be more each time: ECS starts others until its circuit breaker stops it."""
    deployment = release(lab, arn, key)
    until(lambda: ended(lab, deployment), 60)
    return lambda: [task["taskArn"].rsplit("/", 1)[-1] for task in ended(lab, deployment)]


def restarted(lab, key="api") -> None:
    lab.client("ecs").update_service(cluster=lab.cluster, service=f"{lab.name}-{key}", forceNewDeployment=True)


# --- Nothing wrong ---


def test_a_healthy_environment_has_no_findings_and_nothing_is_written(lab, well, diagnose):
    until(lambda: settled(lab), 60)
    with Wire(lab.endpoint) as wire:
        found = diagnose(environment={"AWS_ENDPOINT_URL": wire.endpoint})
    assert found.run.changed == 0
    assert found.codes in ([], ["SECRETS_OUTDATED"])
    assert {"ecs", "ec2", "elasticloadbalancing", "rds", "elasticache", "ssm", "logs", "ecr"} <= {call.service for call in wire.calls}
    assert {str(call).split("?")[0].rsplit("/", 1)[0] for call in wire.calls if call.writes} == {
        f"s3:PUT /atena-terraform-state-{lab.account}/atena/prod/evidence"
    }


def test_check_mode_saves_nothing(lab, tmp_path):
    with Wire(lab.endpoint) as wire:
        run = lab.playbook("diagnose.yml", "--check", "-e", f"diagnose_save_to={tmp_path}", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert wire.calls and wire.writes() == []
    assert "Status:" in run.output and "Would be saved" in run.output
    assert list(tmp_path.iterdir()) == []


def test_the_evidence_is_private_and_a_copy_is_in_the_bucket(lab, diagnose):
    found = diagnose()
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in found.paths] == [0o600, 0o600]
    key = f"atena/prod/evidence/{found.paths[0].name}"
    body = lab.client("s3").get_object(Bucket=f"atena-terraform-state-{lab.account}", Key=key)["Body"].read()
    assert json.loads(body) == found.saved


def test_a_directory_that_cannot_be_written_to_is_a_warning(lab, tmp_path):
    (tmp_path / "file").write_text("in the way")
    run = lab.playbook("diagnose.yml", "-e", f"diagnose_save_to={tmp_path}/file/below").must_succeed()
    assert "was not saved" in run.text and "Status:" in run.output


# --- Tasks that do not start ---


def test_an_image_that_is_not_in_ecr(lab, well, diagnose):
    def gone(container):
        return container["image"].split("@")[0] + "@sha256:" + "0" * 64

    with variation(lab, image=gone) as arn:
        tasks = released_until_a_task_ended(lab, arn)
        found = diagnose()
    finding = found.shows("IMAGE_MISSING", "CannotPullContainerError", "sha256:000000", tasks=tasks)
    assert finding["certainty"] == "certain" and "deploy.yml" in finding["remedy"] and "rollback.yml" in finding["remedy"]


def test_a_secret_that_does_not_exist(lab, well, diagnose):
    parameter = f"arn:aws:ssm:us-east-1:{lab.account}:parameter/atena/prod/NOT_THERE"
    with variation(lab, secrets=lambda container: [*container["secrets"], {"name": "NOT_THERE", "valueFrom": parameter}]) as arn:
        tasks = released_until_a_task_ended(lab, arn)
        finding = diagnose().shows("SECRET_MISSING", "ResourceInitializationError", tasks=tasks)
    assert "/atena/prod/NOT_THERE does not exist in SSM" in finding["cause"] and "secrets.yml" in finding["remedy"]


def test_a_secret_that_was_deleted_under_a_running_service_and_the_command_that_brings_it_back(lab, well, diagnose):
    lab.client("ssm").delete_parameter(Name="/atena/prod/ADMIN_TOKEN")
    try:
        finding = diagnose()["SECRET_MISSING"]
        assert "/atena/prod/ADMIN_TOKEN" in finding["cause"] and "secrets.yml" in finding["remedy"]
    finally:
        lab.playbook("secrets.yml").must_succeed()
    assert "SECRET_MISSING" not in diagnose().codes


def test_a_secret_that_was_never_set_and_the_command_that_sets_it(lab, diagnose):
    lab.client("ssm").put_parameter(Name="/atena/prod/ADMIN_TOKEN", Value="CHANGE_ME", Type="SecureString", Overwrite=True)
    try:
        finding = diagnose()["SECRET_NOT_SET"]
        assert finding["resource"] == "ADMIN_TOKEN" and "secrets.yml" in finding["remedy"]
    finally:
        lab.playbook("secrets.yml").must_succeed()
    found = diagnose()
    assert "SECRET_NOT_SET" not in found.codes
    assert "restart.yml" in found["SECRETS_OUTDATED"]["remedy"], "running tasks still have the placeholder"


def test_a_container_that_needs_more_memory_than_it_has(lab, well, diagnose):
    hungry = ["node", "-e", "console.log('taking it all'); Buffer.alloc(200 << 20, 1)"]
    with variation(lab, command=hungry, memory=64) as arn:
        tasks = released_until_a_task_ended(lab, arn)
        finding = diagnose().shows("OUT_OF_MEMORY", "OutOfMemoryError", "exit code 137", "taking it all", tasks=tasks)
    assert "64 MiB" in finding["cause"] and finding["certainty"] == "certain"
    assert "atena_api_memory (now 64)" in finding["remedy"] and "infra.yml" in finding["remedy"] and "deploy.yml" in finding["remedy"]


def test_a_container_that_ends_with_an_exit_code_and_no_secret_in_what_is_shown_or_saved(lab, well, diagnose):
    leaking = "console.log(['ERROR the flux capacitor is missing', ...Object.values(process.env)].join('\\n')); process.exit(3)"
    values = [lab.client("ssm").get_parameter(Name=f"/atena/prod/{name}", WithDecryption=True)["Parameter"]["Value"] for name in SECRETS]
    with variation(lab, command=["node", "-e", leaking]) as arn:
        tasks = released_until_a_task_ended(lab, arn)
        found = diagnose("-vvv")
    finding = found.shows("TASK_EXITED", "ERROR the flux capacitor is missing", "exit code 3", "[secret]", tasks=tasks)
    assert "exit code 3" in finding["cause"] and "rollback.yml" in finding["remedy"]
    stored = (
        lab.client("s3").get_object(Bucket=f"atena-terraform-state-{lab.account}", Key=f"atena/prod/evidence/{found.paths[0].name}")["Body"].read().decode()
    )
    for where in (found.run.output, found.text, found.paths[0].read_text(), stored):
        assert "flux capacitor" in where
        assert [value for value in values if value in where] == []


def test_what_node_said_long_before_its_last_line_is_the_first_cause(lab, well, diagnose):
    """Below the message it prints the server's whole certificate."""
    recorded = json.loads((Path(__file__).parents[1] / "unit/recorded/node_lines.json").read_text())
    lines = next(run["lines"] for run in recorded["runs"] if run["what"] == "certificate: for another name; pg-uncaught")
    assert not any("does not match" in line for line in lines[-20:]), "in what is shown of a task's end there is nothing of it"
    with variation(lab, command=["sh", "-c", 'printf "%s\\n" "$@"; exit 1', "node", *lines]) as arn:
        tasks = released_until_a_task_ended(lab, arn)
        found = diagnose()
    finding = found.shows("DATABASE_CERTIFICATE_NAME", "ERR_TLS_CERT_ALTNAME_INVALID", tasks=tasks)
    crash = found.shows("TASK_EXITED", "exit code 1", "Node.js v20", tasks=tasks)
    assert found.saved["findings"].index(finding) < found.saved["findings"].index(crash)
    assert "aws ssm delete-parameter --name /atena/prod/DATABASE_URL" in finding["remedy"]


def test_a_command_that_is_not_in_the_image(lab, well, diagnose):
    with variation(lab, command=["no-such-program"]) as arn:
        tasks = released_until_a_task_ended(lab, arn)
        finding = diagnose().shows("COMMAND_NOT_FOUND", "CannotStartContainerError", tasks=tasks)
    assert "CMD" in finding["remedy"]


def test_a_one_off_task_that_was_asked_about(lab, diagnose):
    ecs = lab.client("ecs")
    network = lab.services()[f"{lab.name}-api"]["networkConfiguration"]
    command = {"name": "api", "command": ["sh", "-c", "echo 'relation \"notes\" does not exist' >&2; exit 1"]}
    started = ecs.run_task(
        cluster=lab.cluster, taskDefinition=lab.revisions()[f"{lab.name}-api"], networkConfiguration=network, overrides={"containerOverrides": [command]}
    )
    arn = started["tasks"][0]["taskArn"]
    until(lambda: ecs.describe_tasks(cluster=lab.cluster, tasks=[arn])["tasks"][0]["lastStatus"] == "STOPPED", 60)
    found = diagnose("-e", json.dumps({"diagnose_tasks": [arn]}))
    found.shows("TASK_EXITED", "exit code 1")
    assert "migrate.yml" in found["SCHEMA_BEHIND"]["remedy"]


# --- The network, as far as it can be read ---


@pytest.fixture(scope="module")
def cut(lab, tmp_path_factory):
    """Every rule between the parts taken away and the way out too; afterwards infra.yml, which the remedies name, puts all back."""
    ec2, directory = lab.client("ec2"), tmp_path_factory.mktemp("cut")
    names = [f"{lab.name}-{part}-sg" for part in ("ecs", "db", "redis")]
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": names}])["SecurityGroups"]
    assert len(groups) == 3
    for group in groups:
        for rule in ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}])["SecurityGroupRules"]:
            # The tasks' own ways to database and Redis stay, so that each message names the side that lacks a rule.
            if rule["IsEgress"] and rule["ToPort"] != 443:
                continue
            revoke = ec2.revoke_security_group_egress if rule["IsEgress"] else ec2.revoke_security_group_ingress
            revoke(GroupId=group["GroupId"], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    tables = ec2.describe_route_tables(Filters=[{"Name": "tag:Name", "Values": [f"{lab.name}-private"]}])["RouteTables"]
    ec2.delete_route(RouteTableId=tables[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    try:
        found = Diagnosis(lab.playbook("diagnose.yml", "-e", f"diagnose_save_to={directory}").must_succeed(), directory)
    finally:
        lab.playbook("infra.yml").must_succeed()
    return found


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("SERVICE_BLOCKED", ["port 3000", "into atena-prod-ecs-sg", "from atena-prod-alb-sg"]),
        ("DATABASE_BLOCKED", ["port 5432", "into atena-prod-db-sg", "from atena-prod-ecs-sg"]),
        ("REDIS_BLOCKED", ["port 6379", "into atena-prod-redis-sg", "from atena-prod-ecs-sg"]),
        ("EGRESS_MISSING", ["443 out", "has no route to 0.0.0.0/0"]),
    ],
)
def test_a_missing_rule_or_route(cut, code, words):
    finding = cut.shows(code, *words)
    assert "infra.yml" in finding["remedy"] and finding["certainty"] == "certain"


def test_the_command_that_the_remedy_names_puts_rules_and_routes_back(lab, cut, diagnose):
    assert not [code for code in diagnose().codes if code.startswith(("path_", "no_way"))]


# --- Health checks ---


@pytest.fixture
def target_group(lab, well):
    """Its health check at a pace that a test can wait for; afterwards infra.yml, which the remedies name, puts it back as it was."""
    client = lab.client("elbv2")
    arn = client.describe_target_groups(Names=[f"{lab.name}-api-tg"])["TargetGroups"][0]["TargetGroupArn"]

    def change(**settings):
        client.modify_target_group(TargetGroupArn=arn, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=4, UnhealthyThresholdCount=2, **settings)

    def states():
        return [target["TargetHealth"]["State"] for target in client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]]

    change.states = states
    yield change
    lab.playbook("infra.yml").must_succeed()
    until(lambda: states() == ["healthy"], 120)


def test_a_health_check_with_the_wrong_path(lab, target_group, diagnose):
    target_group(HealthCheckPath="/wrong")
    until(lambda: "unhealthy" in target_group.states(), 60)
    finding = diagnose().shows("HEALTH_CHECK_PATH_WRONG", "GET /wrong on port 3000", "[404]")
    assert finding["certainty"] == "certain" and "HEALTH_CHECK_PATH_WRONG" in finding["remedy"] and "/health" in finding["remedy"]
    assert "infra.yml" in finding["remedy"]


def test_a_health_check_on_the_wrong_port(lab, target_group, diagnose):
    target_group(HealthCheckPort="3999")
    until(lambda: "unhealthy" in target_group.states(), 60)
    finding = diagnose().shows("HEALTH_CHECK_PORT_WRONG", "GET /health on port 3999")
    assert finding["certainty"] == "certain" and "listens on 3000" in finding["cause"] and "infra.yml" in finding["remedy"]


def test_an_application_that_listens_elsewhere(lab, target_group, diagnose):
    target_group()
    with variation(lab, environment=[{"name": "PORT", "value": "3001"}]) as arn:
        release(lab, arn)
        until(lambda: "unhealthy" in target_group.states(), 60)
        finding = diagnose().shows("HEALTH_CHECK_PORT_WRONG", "listens on port 3001")
    assert finding["certainty"] == "likely" and "Nothing answers GET /health on port 3000" in finding["cause"]


# --- The database ---


def database_is(lab, status: str) -> bool:
    return lab.client("rds").describe_db_instances(DBInstanceIdentifier=f"{lab.name}-db")["DBInstances"][0]["DBInstanceStatus"] == status


def test_a_stopped_database(lab, well, diagnose):
    rds = lab.client("rds")
    rds.stop_db_instance(DBInstanceIdentifier=f"{lab.name}-db")
    until(lambda: database_is(lab, "stopped"), 60)
    try:
        assert lab.app.get("/health", timeout=30)[0] != 200
        found = diagnose()
    finally:
        rds.start_db_instance(DBInstanceIdentifier=f"{lab.name}-db")
        until(lambda: database_is(lab, "available"), 60)
    assert found.codes[0] == "DATABASE_STOPPED"
    finding = found.shows("DATABASE_STOPPED", "status stopped", "log of api")
    assert "start.yml" in finding["remedy"] and f"aws rds start-db-instance --db-instance-identifier {lab.name}-db" in finding["remedy"]


@contextmanager
def parameter(lab, name: str, change):
    """The parameter's value changed; the tasks take it up at their next start."""
    ssm = lab.client("ssm")
    value = ssm.get_parameter(Name=f"/atena/prod/{name}", WithDecryption=True)["Parameter"]["Value"]
    ssm.put_parameter(Name=f"/atena/prod/{name}", Value=change(value), Type="SecureString", Overwrite=True)
    try:
        yield value
    finally:
        ssm.put_parameter(Name=f"/atena/prod/{name}", Value=value, Type="SecureString", Overwrite=True)


def heard(lab, words: str, since: float, key="api") -> bool:
    events = lab.client("logs").filter_log_events(logGroupName=f"/ecs/{lab.name}-{key}", startTime=int(since * 1000))["events"]
    return any(words in event["message"] for event in events)


def test_credentials_that_the_database_refuses(lab, target_group, diagnose):
    since = time.time()
    with parameter(lab, "DATABASE_URL", lambda url: url.replace("postgresql://atena:", "postgresql://atena:wrong")):
        restarted(lab)
        until(lambda: heard(lab, "authentication failed", since), 60)
        found = diagnose()
    restarted(lab)
    finding = found.shows("DATABASE_CREDENTIALS_REFUSED", "authentication failed")
    assert "/atena/prod/DATABASE_URL" in finding["remedy"] and "infra.yml" in finding["remedy"]


# --- Redis ---


def test_a_redis_address_that_is_not_the_clusters(lab, target_group, diagnose):
    since = time.time()
    with parameter(lab, "REDIS_URL", lambda url: "redis://192.0.2.1:6379"):
        restarted(lab)
        until(lambda: heard(lab, "Redis check failed", since), 60)
        found = diagnose()
        # What the remedy says.
        lab.client("ssm").delete_parameter(Name="/atena/prod/REDIS_URL")
        lab.playbook("infra.yml").must_succeed()
        lab.playbook("restart.yml").must_succeed()
        assert not [code for code in diagnose().codes if code.startswith("redis")]
    finding = found.shows("REDIS_URL_WRONG", "/atena/prod/REDIS_URL", "log of api")
    assert "infra.yml" in finding["remedy"] and "/start.yml" not in finding["remedy"] and "192.0.2.1" not in finding["cause"]
    assert found.codes.index("REDIS_URL_WRONG") == 0


def test_a_redis_that_was_deleted(lab, diagnose):
    since = time.time()
    cache = lab.client("elasticache")
    cache.delete_cache_cluster(CacheClusterId=f"{lab.name}-redis")
    try:
        until(lambda: lab.app.get("/health", timeout=30)[0] != 200, 60)
        until(lambda: heard(lab, "Redis check failed", since), 60)
        found = diagnose()
    finally:
        # An empty one, of which nobody is told, is not made; what the remedy says of a cluster without a snapshot is.
        refused = lab.playbook("infra.yml").must_fail().text
        lab.playbook("start.yml", "-e", "start_without_queue=true").must_succeed()
        until(lambda: settled(lab), 120)
    assert found.codes[0] == "REDIS_MISSING"
    finding = found.shows("REDIS_MISSING", f"ElastiCache has no cluster {lab.name}-redis", "log of api")
    assert "start.yml -e start_without_queue=true" in finding["remedy"]
    assert "was deleted outside of Terraform, with its queue. Nothing was changed." in refused
    assert not [code for code in diagnose().codes if code.startswith("redis")]


# --- The rest of the environment ---


def test_a_load_balancer_that_is_gone_and_the_command_that_brings_it_back(lab, diagnose):
    client = lab.client("elbv2")
    client.delete_load_balancer(LoadBalancerArn=client.describe_load_balancers(Names=[f"{lab.name}-alb"])["LoadBalancers"][0]["LoadBalancerArn"])
    try:
        finding = diagnose()["LOAD_BALANCER_MISSING"]
        assert "start.yml" in finding["remedy"] and "infra.yml" in finding["remedy"]
    finally:
        lab.playbook("infra.yml").must_succeed()
    until(lambda: settled(lab), 120)
    assert "LOAD_BALANCER_MISSING" not in diagnose().codes


def test_a_service_that_is_scaled_to_nothing(lab, well, diagnose):
    lab.client("ecs").update_service(cluster=lab.cluster, service=f"{lab.name}-workers", desiredCount=0)
    finding = diagnose()["SCALED_TO_ZERO"]
    assert finding["resource"] == f"{lab.name}-workers" and "scale.yml -e scale=workers=1" in finding["remedy"]
    lab.playbook("scale.yml", "-e", "scale=workers=1").must_succeed()
    assert "SCALED_TO_ZERO" not in diagnose().codes


def test_an_environment_that_was_stopped_on_purpose_is_told_as_that(lab, diagnose):
    s3, place = lab.client("s3"), {"Bucket": f"atena-terraform-state-{lab.account}", "Key": "atena/prod/gates.json"}
    before = s3.get_object(**place)["Body"].read()
    s3.put_object(**place, Body=json.dumps({"power": "off", "redis": "absent"}).encode(), ContentType="application/json")
    try:
        found = diagnose()
    finally:
        s3.put_object(**place, Body=before, ContentType="application/json")
    assert found.codes[0] == "ENVIRONMENT_STOPPED" and "start.yml" in found["ENVIRONMENT_STOPPED"]["remedy"]


def test_what_the_caller_may_not_read_is_told_and_the_rest_still_found(lab, diagnose):
    with Faults(lab.endpoint) as faults:
        faults.error("rds:DescribeDBInstances", "AccessDenied", "User: someone is not authorized to perform: rds:DescribeDBInstances")
        found = diagnose()
    found.shows("PARTLY_READABLE", "database:", "rds:DescribeDBInstances")
    assert "DATABASE_MISSING" not in found.codes
    assert f"{lab.name}-api: 1 of 1 running" in found.text


def test_without_the_secrets_no_log_line_is_shown(lab, well, diagnose):
    with variation(lab, command=["sh", "-c", "echo 'token: very private'; exit 3"]) as arn, Faults(lab.endpoint) as faults:
        tasks = released_until_a_task_ended(lab, arn)
        faults.error("ssm:GetParametersByPath", "AccessDeniedException", "not authorized to perform: ssm:GetParametersByPath")
        found = diagnose()
    assert "exit code 3" in found.shows("TASK_EXITED", tasks=tasks)["cause"]
    assert "very private" not in found.run.output + found.text + found.paths[0].read_text()
    assert "Log lines were left out" in found.text


def test_it_works_with_credentials_that_have_expired(lab, tmp_path):
    with Faults(lab.endpoint) as faults:
        faults.expire("ecs:*")
        run = lab.playbook("diagnose.yml", "-e", f"diagnose_save_to={tmp_path}").must_succeed()
    found = Diagnosis(run, tmp_path)
    assert found.codes[0] == "AWS_NOT_READABLE"


def test_the_result_is_as_documented(lab):
    """Every key that the module returns stands in its RETURN, and the other way round."""
    documented = subprocess.run(
        ["ansible-doc", "-j", "atena.aws.environment_diagnosis_info"], capture_output=True, text=True, check=True, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}
    )
    described = json.loads(documented.stdout)["atena.aws.environment_diagnosis_info"]["return"]
    arguments = {"name": lab.name, "services": ["api", "workers"], "region": "us-east-1", "ssm_path": "/atena/prod"}
    done = subprocess.run(
        ["ansible", "localhost", "-m", "atena.aws.environment_diagnosis_info", "-a", json.dumps(arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"},
    )
    returned = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("=> {") + 3 :])[0]
    assert set(returned) - {"changed", "ansible_facts", "warnings"} == set(described)
