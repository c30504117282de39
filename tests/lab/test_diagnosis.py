"""What diagnose.yml shows, saves and hides. (That each cause is found and cured: test_remedies.py)"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from contextlib import contextmanager
from pathlib import Path

import cured
import pytest
from cured import breaker_kept, ended, failing_deployment, pasted, settled
from emulator_world import until
from faults import Faults
from wire import Wire

SECRETS = ("ADMIN_TOKEN", "CLAUDE_API_KEY", "TELEGRAM_BOT_TOKEN", "DATABASE_URL")


class Diagnosis(cured.Diagnosis):
    def shows(self, code: str, *words: str) -> dict:
        """The finding of now, with these words in its evidence."""
        evidence = "\n".join(self[code]["evidence"])
        assert all(word in evidence for word in words), f"no {code} with {words} in:\n{self.text}"
        return self[code]


@pytest.fixture
def diagnose(lab, tmp_path):
    def run(*arguments, **options) -> Diagnosis:
        return Diagnosis(lab.playbook("diagnose.yml", "-e", f"diagnose_save_to={tmp_path}", *arguments, **options).must_succeed(), tmp_path)

    return run


@pytest.fixture
def well(lab):
    """The environment as it was, before and after."""
    before = lab.services()
    with breaker_kept(lab):
        yield
    for name, service in lab.services().items():
        if service["taskDefinition"] != before[name]["taskDefinition"] or service["desiredCount"] != before[name]["desiredCount"]:
            lab.client("ecs").update_service(
                cluster=lab.cluster, service=name, taskDefinition=before[name]["taskDefinition"], desiredCount=before[name]["desiredCount"]
            )
    until(lambda: settled(lab), 120)


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


def failing(lab, arn: str) -> None:
    """Has ECS deploy this revision until a task of it has ended."""
    deployment = failing_deployment(lab, arn)
    until(lambda: ended(lab, deployment), 60)


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


def playbooks(found: Diagnosis, code: str, instead: bool = False) -> list[str]:
    """The playbooks of its printed commands, with their options."""
    return [command.rpartition("/")[2] for command in found.printed(found[code], instead)]


def test_a_secret_that_was_never_set_and_the_commands_that_set_it(lab, well, diagnose):
    lab.client("ssm").put_parameter(Name="/atena/prod/ADMIN_TOKEN", Value="CHANGE_ME", Type="SecureString", Overwrite=True)
    found = diagnose()
    assert found["SECRET_NOT_SET"]["resource"] == "ADMIN_TOKEN" and playbooks(found, "SECRET_NOT_SET") == ["secrets.yml", "restart.yml"]
    first, second = found.printed(found["SECRET_NOT_SET"])
    pasted(first)
    found = diagnose()
    assert "SECRET_NOT_SET" not in found.codes
    assert playbooks(found, "SECRETS_OUTDATED") == ["restart.yml"], "running tasks still have the placeholder"
    pasted(second)
    assert "SECRETS_OUTDATED" not in diagnose().codes


def test_a_container_that_ends_with_an_exit_code_and_no_secret_in_what_is_shown_or_saved(lab, well, diagnose):
    leaking = "console.log(['ERROR the flux capacitor is missing', ...Object.values(process.env)].join('\\n')); process.exit(3)"
    values = [lab.client("ssm").get_parameter(Name=f"/atena/prod/{name}", WithDecryption=True)["Parameter"]["Value"] for name in SECRETS]
    with variation(lab, command=["node", "-e", leaking]) as arn:
        failing(lab, arn)
        found = diagnose("-vvv")
    finding = found.shows("TASK_EXITED", "ERROR the flux capacitor is missing", "exit code 3", "[secret]")
    assert finding["certainty"] == "certain" and finding["resource"] == f"{lab.name}-api"
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
        failing(lab, arn)
        found = diagnose()
    finding = found.shows("DATABASE_CERTIFICATE_NAME", "ERR_TLS_CERT_ALTNAME_INVALID")
    crash = found.shows("TASK_EXITED", "exit code 1", "Node.js v20")
    assert crash["caused_by"] == "DATABASE_CERTIFICATE_NAME" and found.causes == ["DATABASE_CERTIFICATE_NAME"]
    assert found.findings.index(finding) < found.findings.index(crash)


def test_a_command_that_is_not_in_the_image(lab, well, diagnose):
    with variation(lab, command=["no-such-program"]) as arn:
        failing(lab, arn)
        finding = diagnose().shows("COMMAND_NOT_FOUND", "CannotStartContainerError")
    assert finding["resource"] == f"{lab.name}-api" and finding["certainty"] == "certain"


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
    assert found.causes == ["SCHEMA_BEHIND"] and playbooks(found, "SCHEMA_BEHIND") == ["migrate.yml"]
    assert found["TASK_EXITED"]["caused_by"] == "SCHEMA_BEHIND" and not found["TASK_EXITED"]["steps"]


# --- The rest of the environment ---


def test_a_load_balancer_that_is_gone_and_the_command_that_brings_it_back(lab, well, diagnose):
    client = lab.client("elbv2")
    client.delete_load_balancer(LoadBalancerArn=client.describe_load_balancers(Names=[f"{lab.name}-alb"])["LoadBalancers"][0]["LoadBalancerArn"])
    found = diagnose()
    assert found.causes == ["LOAD_BALANCER_MISSING"] and playbooks(found, "LOAD_BALANCER_MISSING") == ["infra.yml"]
    for command in found.printed(found["LOAD_BALANCER_MISSING"]):
        pasted(command)
    until(lambda: settled(lab), 120)
    assert "LOAD_BALANCER_MISSING" not in diagnose().codes


def test_a_service_that_is_scaled_to_nothing(lab, well, diagnose):
    lab.client("ecs").update_service(cluster=lab.cluster, service=f"{lab.name}-workers", desiredCount=0)
    found = diagnose()
    assert found["SCALED_TO_ZERO"]["resource"] == f"{lab.name}-workers" and playbooks(found, "SCALED_TO_ZERO") == ["scale.yml -e scale=workers=1"]
    for command in found.printed(found["SCALED_TO_ZERO"]):
        pasted(command)
    assert "SCALED_TO_ZERO" not in diagnose().codes


def test_an_environment_that_was_stopped_on_purpose_is_told_as_that(lab, diagnose):
    s3, place = lab.client("s3"), {"Bucket": f"atena-terraform-state-{lab.account}", "Key": "atena/prod/gates.json"}
    before = s3.get_object(**place)["Body"].read()
    s3.put_object(**place, Body=json.dumps({"power": "off", "redis": "absent"}).encode(), ContentType="application/json")
    try:
        found = diagnose()
    finally:
        s3.put_object(**place, Body=before, ContentType="application/json")
    assert found.causes == ["ENVIRONMENT_STOPPED"] and playbooks(found, "ENVIRONMENT_STOPPED") == ["start.yml"]


def test_what_the_caller_may_not_read_is_told_and_the_rest_still_found(lab, diagnose):
    with Faults(lab.endpoint) as faults:
        faults.error("rds:DescribeDBInstances", "AccessDenied", "User: someone is not authorized to perform: rds:DescribeDBInstances")
        found = diagnose()
    found.shows("PARTLY_READABLE", "database:", "rds:DescribeDBInstances")
    assert "DATABASE_MISSING" not in found.codes
    assert f"{lab.name}-api: 1 of 1 running" in found.text


def test_without_the_secrets_no_log_line_is_shown(lab, well, diagnose):
    with variation(lab, command=["sh", "-c", "echo 'token: very private'; exit 3"]) as arn, Faults(lab.endpoint) as faults:
        failing(lab, arn)
        faults.error("ssm:GetParametersByPath", "AccessDeniedException", "not authorized to perform: ssm:GetParametersByPath")
        found = diagnose()
    found.shows("TASK_EXITED", "exit code 3")
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
