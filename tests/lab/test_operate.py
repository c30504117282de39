"""The runbook's daily work: logs as they come, services restarted for a new secret, commands in a running task."""

import hashlib
import json
import os
import signal
import time
import uuid

import pytest
from emulator_world import until
from inprocess import run_module
from test_live_view import Watched
from wire import Wire

API, WORKERS = "atena-prod-api", "atena-prod-workers"
GROUPS = {"api": f"/ecs/{API}", "workers": f"/ecs/{WORKERS}"}


class Writer:
    """Writes lines as tasks do, into streams of its own."""

    def __init__(self, lab):
        self.logs, self.streams = lab.client("logs"), {}
        self.id = uuid.uuid4().hex

    def write(self, service: str, *messages: str, task: str = "", ago: float = 0) -> str:
        """Returns the stream. `ago`: how many seconds ago the first one was; the others follow by a millisecond each."""
        stream = f"{service}/{service}/{task or self.id}"
        if stream not in self.streams:
            self.logs.create_log_stream(logGroupName=GROUPS[service], logStreamName=stream)
            self.streams[stream] = GROUPS[service]
        begin = int((time.time() - ago) * 1000)
        for first in range(0, len(messages), 5000):
            events = [{"timestamp": begin + number, "message": message} for number, message in enumerate(messages[first : first + 5000], first)]
            self.logs.put_log_events(logGroupName=GROUPS[service], logStreamName=stream, logEvents=events)
        return stream

    def close(self):
        for stream, group in self.streams.items():
            self.logs.delete_log_stream(logGroupName=group, logStreamName=stream)


@pytest.fixture
def writer(lab):
    writing = Writer(lab)
    yield writing
    writing.close()


def tasks(lab, service=API):
    ecs = lab.client("ecs")
    arns = ecs.list_tasks(cluster=lab.cluster, serviceName=service, desiredStatus="RUNNING")["taskArns"]
    return {task["taskArn"].rsplit("/", 1)[-1]: task for task in ecs.describe_tasks(cluster=lab.cluster, tasks=arns)["tasks"]}


# --- Logs -------------------------------------------------------------------------------------------------------------
def test_errors_of_all_services_come_in_the_order_of_time_without_the_secrets(lab, writer):
    mark = writer.id[:12]
    writer.write("api", f"ERROR first {mark}", ago=50)
    writer.write("workers", f"Traceback second {mark}", ago=40)
    writer.write("api", f"ERROR third {mark} postgresql://atena:hunter2@db:5432/atena and lab-admin-token", ago=30)
    writer.write("workers", f"everything is healthy {mark}", ago=20)
    with Wire(lab.endpoint) as wire:
        run = lab.playbook("logs.yml", "-e", "logs_errors=true", "-e", "logs_json=yes", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert (run.changed, wire.writes()) == (0, [])
    found = [json.loads(line) for line in run.output.splitlines() if line.startswith("{") and mark in line]
    assert [(entry["service"], entry["message"].split()[1]) for entry in found] == [("api", "first"), ("workers", "second"), ("api", "third")]
    assert found[2]["message"] == f"ERROR third {mark} postgresql://atena:[secret]@db:5432/atena and [secret]"
    assert {(entry["environment"], entry["task"]) for entry in found} == {("atena-prod", writer.id)}
    assert "well" not in "".join(entry["message"] for entry in found)
    assert "hunter2" not in run.output and "lab-admin-token" not in run.output


def test_what_comes_is_shown_at_once_a_new_task_too_until_ctrl_c(lab, writer):
    mark = writer.id[:12]
    writer.write("api", f"before {mark}", ago=5)
    run = Watched(lab.start("logs.yml", "-e", "logs_follow=true", "-e", f"logs_pattern={mark}"))
    until(lambda: f"before {mark}" in run.text, 30)
    writer.write("api", f"while it runs {mark}")
    writer.write("workers", f"of a new task {mark}", task="0123456789abcdef" * 2)
    writer.write("api", f"late {mark}", ago=20)
    until(lambda: all(f"{words} {mark}" in run.text for words in ("while it runs", "of a new task", "late")), 15)
    assert f"workers 01234567  of a new task {mark}" in run.text
    began = time.monotonic()
    os.killpg(run.process.pid, signal.SIGINT)
    text = run.end()
    assert time.monotonic() - began < 10
    assert "Ended: 4 lines." in text
    assert "Traceback (most" not in text
    assert text.count(f"while it runs {mark}") == 1


def test_more_lines_than_a_page_has_go_into_a_file(lab, writer, tmp_path):
    count, path = 25_000, tmp_path / "lines"
    writer.write("workers", *(f"{number} {writer.id}" for number in range(count)), ago=120)
    options = {"services": [{"name": "workers", "group": GROUPS["workers"]}], "pattern": writer.id, "save_to": str(path), "limit": 3}
    result = run_module("ecs_service_logs_info", lab.endpoint, **options)
    assert (result["count"], result["counts"], len(result["events"]), result["saved"]) == (count, {"workers": count}, 3, str(path))
    assert [line.split()[-2] for line in path.read_text().splitlines()] == [str(number) for number in range(count)]


def test_what_cannot_be_meant_is_told_with_what_there_is(lab):
    assert "There is no service web in atena-prod; there are api, workers" in lab.playbook("logs.yml", "-e", "logs_services=web").must_fail().text
    missing = run_module("ecs_service_logs_info", lab.endpoint, services=[{"name": "web", "group": "/ecs/atena-prod-web"}])
    assert "there is no log group /ecs/atena-prod-web. Run infra.yml" in missing["msg"]
    unclear = run_module("ecs_service_logs_info", lab.endpoint, services=[{"name": "api", "group": GROUPS["api"]}], since="yesterday")
    assert "since: 'yesterday' is neither a time ago, such as 30m" in unclear["msg"]


# --- A command in a running task --------------------------------------------------------------------------------------
def execute(lab, command, check=False, **options):
    options = {"cluster": lab.cluster, "service": API, "key": "api", "command": command, "ssm_path": "/atena/prod", **options}
    return run_module("ecs_exec", lab.endpoint, check, **options)


def test_a_command_shows_its_output_and_exit_code(lab):
    (task,) = tasks(lab)
    with Wire(lab.endpoint) as wire:
        checked = lab.playbook("exec.yml", "--check", "-e", 'exec_command="id -u"', environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert f"Would run id -u in container api of task {task}" in checked.text
    assert wire.writes() == []
    cut = lab.playbook("exec.yml", "-e", "exec_command=rm -rf /tmp/x").must_fail()
    assert "The command was cut off at a blank; '-rf /tmp/x' is not part of it" in cut.text
    run = lab.playbook("exec.yml", "-e", "exec_command='echo \"it is $HOSTNAME\" | tr a-z A-Z; echo $ADMIN_TOKEN; exit 3'").must_fail()
    assert "IT IS " in run.text
    assert f"The command exited with 3, in container api of task {task}." in run.text
    assert "[secret]" in run.output and "lab-admin-token" not in run.output


def test_a_command_of_any_kind_comes_back_as_it_was(lab):
    (task,) = tasks(lab, WORKERS)
    for command, lines in {
        "printf 'a\\n\\nb'; printf 'c\\n\\n' >&2": ["a", "", "bc", ""],
        "cat; echo 'no input: \"quoted\"'": ['no input: "quoted"'],
        "seq 20000 | tail -n 3; test -t 1 && echo a terminal": ["19998", "19999", "20000", "a terminal"],
        "echo São Paulo 東京": ["São Paulo 東京"],
    }.items():
        result = execute(lab, command, service=WORKERS, key="workers", task=task[:10])
        assert (result.get("rc"), result.get("stdout_lines"), result["task"]) == (0, lines, task), result
    long = execute(lab, "seq 50000", limit=2)
    assert (long["line_count"], long["stdout_lines"], long["changed"]) == (50000, ["49999", "50000"], True)


def test_a_command_that_takes_too_long_is_ended(lab):
    mark = f"4{uuid.uuid4().int % 10**6:06}"
    result = execute(lab, f"echo begun; sleep {mark}", timeout=2)
    assert "The command was not done after 2 s, and was ended" in result["msg"]
    assert result["stdout_lines"] == ["begun"]

    def left():
        found = execute(lab, f"cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep {mark[:3]}''{mark[3:]}'")
        return found["stdout_lines"] == ["0"]

    # The agent ends it when it hears that the session is over, which nobody waits for.
    until(left, 20)


def test_a_role_without_the_rights_is_told_with_the_remedy(lab):
    iam, role = lab.client("iam"), "atena-prod-ecs-task"
    policy = iam.get_role_policy(RoleName=role, PolicyName="execute-command")["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName="execute-command")
    try:
        result = execute(lab, "true", agent_timeout=1)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="execute-command", PolicyDocument=json.dumps(policy))
    assert "ssmmessages:CreateControlChannel" in result["msg"] and "run infra.yml" in result["msg"]
    assert execute(lab, "true")["rc"] == 0


# --- Restart ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def secret(lab):
    """Sets ADMIN_TOKEN; None takes it away. Afterwards it is what it was."""
    ssm, name = lab.client("ssm"), "/atena/prod/ADMIN_TOKEN"
    before = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]

    def put(value):
        if value is None:
            ssm.delete_parameter(Name=name)
        else:
            ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    yield put
    put(before)


def test_a_restart_brings_a_new_secret_to_every_service(lab, secret):
    before, revisions = {**tasks(lab), **tasks(lab, WORKERS)}, lab.revisions()
    with Wire(lab.endpoint) as wire:
        checked = lab.playbook("restart.yml", "--check", "--diff", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert (checked.changed, wire.writes()) == (1, [])
    assert f"{API}: would get a new deployment of" in checked.text
    value = f"new-{uuid.uuid4().hex}"
    secret(value)
    run = lab.playbook("restart.yml").must_succeed()
    assert run.changed == 1
    assert f"{API}: restarted, 1 task(s)" in run.text and "targets: 1 healthy" in run.text
    assert lab.lock() is None
    assert lab.revisions() == revisions
    assert not set(before) & {*tasks(lab), *tasks(lab, WORKERS)}
    for service in ("api", "workers"):
        seen = execute(lab, 'printf %s "$ADMIN_TOKEN" | sha256sum', service=f"atena-prod-{service}", key=service)
        assert seen["stdout_lines"] == [f"{hashlib.sha256(value.encode()).hexdigest()}  -"], seen


def test_a_restart_that_fails_leaves_the_tasks_of_before_and_says_why(lab, secret):
    (before,) = tasks(lab)
    secret(None)
    run = lab.playbook("restart.yml", "-e", "restart_services=api").must_fail()
    assert "The restart failed" in run.text
    assert f"SECRET_MISSING, {API}" in run.text and "ADMIN_TOKEN" in run.text
    assert "playbooks/secrets.yml`" in run.text, "what to do, to be pasted"
    assert f"Tasks that run in addition to those of the failed deployments: {API} 1 of 1." in run.text
    assert before in tasks(lab)
    assert lab.app.get("/health")[0] == 200
    assert lab.lock() is None
    secret("lab-admin-token")
    lab.playbook("restart.yml", "-e", "restart_services=api").must_succeed()


def test_a_stopped_environment_is_not_restarted(lab):
    s3, place = lab.client("s3"), {"Bucket": f"atena-terraform-state-{lab.account}", "Key": "atena/prod/gates.json"}
    gates = s3.get_object(**place)["Body"].read()
    s3.put_object(**place, Body=json.dumps({**json.loads(gates), "power": "off"}).encode(), ContentType="application/json")
    try:
        with Wire(lab.endpoint) as wire:
            run = lab.playbook("restart.yml", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_fail()
    finally:
        s3.put_object(**place, Body=gates, ContentType="application/json")
    assert "The environment is stopped" in run.text and "Nothing was changed" in run.text
    assert wire.writes(besides_lock=True) == []
