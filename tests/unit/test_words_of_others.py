"""Every way in for text that others wrote: whatever is in it, what comes out moves no cursor and has no secret, not even one with a colour inside."""

import copy
import datetime
import http.server
import json
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import errors as aws_errors, health, redaction
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor, shown
from ansible_collections.atena.aws.plugins.module_utils.diagnosis import evidence, read as diagnosis_read, text as diagnosis
from ansible_collections.atena.aws.plugins.module_utils.ecs import known_secrets, logs as ecs_logs, read as ecs_read, rollout_view, task as ecs_task, task_run
from ansible_collections.atena.aws.plugins.module_utils.environment import lock as environment_lock
from ansible_collections.atena.aws.plugins.module_utils.environment.branches import Branches
from ansible_collections.atena.aws.plugins.module_utils.environment.journal import Journal, new
from ansible_collections.atena.aws.plugins.module_utils.exec.run import NotRun
from ansible_collections.atena.aws.plugins.module_utils.git import cli as git_cli
from ansible_collections.atena.aws.plugins.module_utils.github import api as github_api
from ansible_collections.atena.aws.plugins.module_utils.images import docker as docker_cli, labels as ecr_labels, read as image_read
from ansible_collections.atena.aws.plugins.module_utils.logs.output import LineOutput
from ansible_collections.atena.aws.plugins.module_utils.power import terraform as power_terraform
from ansible_collections.atena.aws.plugins.module_utils.power.run import PowerRun
from ansible_collections.atena.aws.plugins.module_utils.redis import read as redis_read
from ansible_collections.atena.aws.plugins.module_utils.release import prune_read
from ansible_collections.atena.aws.plugins.module_utils.terraform import errors as terraform_errors, view as terraform_view
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import Terraform
from ansible_collections.atena.aws.plugins.modules import ecs_exec, ecs_service_logs_info
from ansible_collections.atena.aws.plugins.plugin_utils import result_file
from test_diagnosis_read import ANSWERS, DEFINITION, REQUEST, TASK, WHEN, Call
from test_ledger import Bucket

SECRET = "a-very-secret-token"
HOSTILE = "said a-very-\x1b[31msecret\x1b[0m-to\u200bken\x9b2J\x1b]0;title\x07\x1bPdata\x1b\\\u202e\x08\x00 at redis://u:hun\x1b[1mter2@h/0 the end"
ACTED_ON = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069]")


def answering(answers):
    """What stands for AWS: operation by operation, with nothing else to be had."""

    def call(service, operation, doing, /, **arguments):
        answer = answers[operation]
        if hasattr(answer, "refusal"):
            raise answer.refusal
        return answer

    call.pages = lambda service, operation, doing, key, /, **arguments: answers[operation][key]
    call.client = lambda service: None
    return call


LOGGED = {
    "get_log_events": {"events": [{"timestamp": 1, "message": HOSTILE}], "nextForwardToken": "0"},
    "get_parameters": {"Parameters": [{"Value": SECRET}]},
}
TASK_DEFINITION = {
    "taskDefinitionArn": DEFINITION,
    "containerDefinitions": [
        {
            "name": "api",
            "secrets": [{"name": "T", "valueFrom": "arn:aws:ssm:us-east-1:1:parameter/a/prod/T"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/a", "awslogs-stream-prefix": "p"}},
        }
    ],
}
SERVICE = {
    **ANSWERS["describe_services"]["services"][0],
    "events": [{"id": "e", "message": HOSTILE}],
    "deployments": [{"id": "d", "status": "PRIMARY", "rolloutState": "FAILED", "rolloutStateReason": HOSTILE}],
}
STOPPED = {
    **{"taskArn": TASK, "taskDefinitionArn": DEFINITION, "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": HOSTILE},
    "containers": [{"name": "api", "reason": HOSTILE, "managedAgents": [{"name": "ExecuteCommandAgent", "lastStatus": "STOPPED", "reason": HOSTILE}]}],
}


# --- Where the environment's secrets are known -----------------------------------------------------------------------------
def one_off_task():
    told = []
    run = task_run.TaskRun(answering(LOGGED), task_run.Started("c", TASK_DEFINITION, TASK), on_line=lambda container, line: told.append(line))
    run.logs["api"].extend([HOSTILE])
    return [*told, task_run.failure_text(TASK, run.result(STOPPED, False)[1] | {"reason": "it failed"})]


def log_of_a_failed_task():
    return ecs_logs.tail_of_task(answering(LOGGED), TASK_DEFINITION, "t1", 5)


def logs(form, tmp_path):
    event = {"timestamp": 1, "eventId": "e", "logStreamName": f"p/{HOSTILE.partition(' at ')[0]}/t1", "message": f"{HOSTILE}\n{HOSTILE}"}
    search = SimpleNamespace(once=lambda: [(SimpleNamespace(service="api"), event)])
    params = {"services": [{"name": "api"}], "follow": False, "format": form, "environment": "a"}
    output = LineOutput(Progress(None), str(tmp_path / "lines"))
    ecs_service_logs_info.show(params, search, output, {"api": 0}, datetime.UTC, Redactor([SECRET]))
    output.close()
    entry, line = output.last[-1]
    return [*map(str, entry.values()), line, (tmp_path / "lines").read_text()]


def command(monkeypatch, tmp_path, ends):
    """What ecs_exec returns and tells, of a command that prints HOSTILE and then ends as `ends` does."""

    class Run:
        task, container, ended = {"taskArn": TASK}, "api", ""

        def __init__(self, *_, **__):
            pass

        def find(self):
            pass

        def run(self, line, timeout, deliver):
            deliver(HOSTILE)
            return ends()

    def fail_json(**result):
        raise SystemExit(json.dumps(result))

    told = tmp_path / "told"
    params = {"progress_file": str(told), "ssm_path": "/a", "command": f"echo {HOSTILE}", "cluster": "c", "service": "s", "key": "s", "timeout": 1, "limit": 9}
    monkeypatch.setattr(ecs_exec, "ExecRun", Run)
    monkeypatch.setattr(ecs_exec, "redactor_of", lambda call, path: (Redactor([SECRET]), ""))
    module = SimpleNamespace(params={**params, "task": None, "container": None, "agent_timeout": 1}, check_mode=False, fail_json=fail_json)
    try:
        result = ecs_exec.run(module)
    except SystemExit as failed:
        result = json.loads(str(failed))
    return [result["command"], *result["stdout_lines"], result.get("msg", "the end"), *(str(json.loads(line)) for line in told.read_text().splitlines()[1:])]


def not_run():
    raise NotRun(HOSTILE)


def diagnosed(part, tmp_path, monkeypatch):
    answers = copy.deepcopy(ANSWERS)
    service, task = answers["describe_services"]["services"][0], answers["describe_tasks"]["tasks"][0]
    service["events"], service["deployments"][0]["rolloutStateReason"] = [{"createdAt": WHEN, "message": HOSTILE}], HOSTILE
    task["stoppedReason"], task["containers"][0]["reason"] = HOSTILE, HOSTILE
    answers["describe_target_health"]["TargetHealthDescriptions"][0]["TargetHealth"]["Description"] = HOSTILE
    answers["get_log_events"]["events"] = [{"timestamp": 0, "message": f"ERROR {HOSTILE}"}]
    monkeypatch.setattr(health, "read", lambda url, timeout: (503, HOSTILE))
    call = Call(describe_db_instances=aws_errors.CallFailed(HOSTILE))
    monkeypatch.setitem(call.__call__.__globals__, "ANSWERS", answers)
    made = diagnosis_read.diagnose(call, {**REQUEST, "url": "http://h/health"})
    facts = made["facts"]
    if part == "facts":
        task = facts["tasks"][0]
        return [
            *(task["stopped_reason"], task["containers"][0]["reason"], task["log_tail"]["api"][0]["message"], facts["unreadable"][0]["why"]),
            *(facts["services"]["a-api"]["events"][0]["message"], facts["services"]["a-api"]["deployments"][0]["reason"]),
            *(facts["target_groups"]["arn:tg"]["targets"][0]["description"], facts["health"]["content"]),
        ]
    if part == "text":
        return diagnosis.as_text(made)
    texts = [open(path, encoding="utf-8").read() for path in evidence.save(made, str(tmp_path))]
    return [str(json.loads(texts[0])), texts[1]]


# --- Where they are not ----------------------------------------------------------------------------------------------------
class Refusal(Exception):
    response = {"Error": {"Code": "AccessDenied", "Message": HOSTILE}, "ResponseMetadata": {"HTTPStatusCode": 403}}


def refused():
    failed = aws_errors.failure_of(Refusal(), "do it")
    return [str(failed), aws_errors.facts_of(failed)["error"]["message"], str(aws_errors.failure_of(OSError(HOSTILE), "do it"))]


def rollout():
    call = answering({"describe_services": {"services": [SERVICE]}, "describe_tasks": {"tasks": [STOPPED]}})
    service = ecs_read.describe_services(call, "c", ["a-api"])["a-api"]
    task = ecs_read.describe_tasks(call, "c", [TASK])[0]
    agent = task["containers"][0]["managedAgents"][0]["reason"]
    news = rollout_view.news({}, rollout_view.snapshot(service, "d", [], False))[0]
    reason = service["deployments"][0]["rolloutStateReason"]
    return [
        news,
        reason,
        task["stoppedReason"],
        agent,
        rollout_view.failure("a-api", task),
        rollout_view.task_state("task", task),
        ecs_task.outcome(task)["reason"],
    ]


def not_started():
    return ecs_task.start_failures({"tasks": [], "failures": [{"reason": HOSTILE, "detail": HOSTILE}]})


def answer_of_the_application(status):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(HOSTILE.encode())

        def log_message(self, *arguments):
            pass

    said = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = health.wait_until_healthy(f"http://127.0.0.1:{server.server_port}", 2, 0, said.append, sleep=lambda seconds: None)
        server.shutdown()
    return [found["content"], *said]


def terraform(form):
    found = {"severity": "error", "summary": HOSTILE, "detail": HOSTILE, "address": f'a["{HOSTILE}"]'}
    if form == "text":
        return terraform_errors.explain("init", terraform_errors.from_text(f"╷\n│ Error: {HOSTILE}\n│\n│ {HOSTILE}\n╵"))
    if form == "none":
        return terraform_errors.explain("push", [], [HOSTILE])
    if form == "warning":
        return terraform_errors.warnings(terraform_errors.from_stream([json.dumps({"type": "diagnostic", "diagnostic": {**found, "severity": "warning"}})])[0])
    if form == "progress":
        return terraform_view.line(json.dumps({"type": "apply_start", "hook": {"resource": {"addr": f'a["{HOSTILE}"]'}, "action": "create"}}))
    return terraform_errors.explain("apply", terraform_errors.from_stream([json.dumps({"type": "diagnostic", "diagnostic": found})])[0])


def last_words_of_redis():
    return redis_read.last_events(answering({"describe_events": {"Events": [{"Message": HOSTILE, "Date": WHEN}]}}), "c", redis_read.CLUSTER)


def github():
    return github_api._message(json.dumps({"message": HOSTILE}).encode())


def locked_state():
    item = {"Info": {"S": json.dumps({"ID": "1", "Who": HOSTILE})}}
    with pytest.raises(aws_errors.CallFailed) as taken:
        power_terraform.StateLock(answering({"put_item": Taken(), "get_item": {"Item": item}}), "t", "b", "k").take("2", "stop", wait=0, project="/", guard=int)
    return str(taken.value)


class Taken(dict):
    """Answers as DynamoDB does where a condition does not hold."""

    refusal = aws_errors.failure("taken", "ConditionalCheckFailedException")


def listed_state(tmp_path, **_):
    program = tmp_path / "terraform"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{HOSTILE.replace(chr(0), '')}\nEND\nexit 1\n")
    program.chmod(0o700)
    power = power_terraform.PowerTerraform(Terraform(str(program), tmp_path), None, None, branches=Branches(), say=None, operation="")
    power._ready = True
    with pytest.raises(aws_errors.CallFailed) as failed:
        power.state()
    return str(failed.value)


def configuration_of_an_image(monkeypatch, **_):
    def broken(*_):
        raise OSError(HOSTILE)

    call = answering({"batch_get_image": {"images": [{"imageManifest": json.dumps({"config": {"digest": "sha256:1"}})}]}})
    for module in (ecr_labels, image_read):
        monkeypatch.setattr(module, "configuration", broken)
    return [ecr_labels.labels(call, "r", "sha256:2")[1], image_read.image(call, f"{'1' * 12}.dkr.ecr.us-east-1.amazonaws.com/r:t", "us-east-1")["why"]]


def labels_of_an_image(monkeypatch, **_):
    call = answering({"batch_get_image": {"images": [{"imageManifest": json.dumps({"config": {"digest": "sha256:1"}})}]}})
    monkeypatch.setattr(ecr_labels, "configuration", lambda *_: {"config": {"Labels": {"atena.build-target": HOSTILE}}})
    return ecr_labels.labels(call, "r", "sha256:2")[0]


def not_deleted():
    failed = {"imageId": {"imageDigest": "sha256:1"}, "failureCode": "KmsError", "failureReason": HOSTILE}
    with pytest.raises(aws_errors.CallFailed) as refused:
        prune_read.delete_images(answering({"batch_delete_image": {"failures": [failed]}}), "r", [{"digest": "sha256:1", "part": False}])
    return str(refused.value)


def health_of_a_start(monkeypatch, **_):
    """An application that is not well after a start or a restore: what is told, returned and put on record."""
    monkeypatch.setattr(health, "read", lambda url, timeout, host: (503, HOSTILE))
    told, journal = [], Journal(Bucket(), "state", "power.json")
    journal.read()
    journal.save(new("a"))
    monkeypatch.setattr(known_secrets, "earlier_values", lambda *_: [])
    run = PowerRun.__new__(PowerRun)
    run.call, run.params = answering({"get_parameters_by_path": {"Parameters": [{"Value": SECRET}]}}), {"redis_url_parameter": "/a/prod/REDIS_URL"}
    run.journal, run.result, run.say, run.branches, run.warnings = journal, {}, told.append, SimpleNamespace(sleep=lambda _seconds: None), []
    with pytest.raises(aws_errors.CallFailed) as failed:
        run.ask(health.Application({"url": "http://h", "path": "/health", "attempts": 2, "delay": 0}, lambda: None))
    return [str(failed.value), *told, run.result["health"]["content"], *(step["says"] for step in journal.read()["steps"])]


def texts_of(found):
    """The strings of whatever came out."""
    if isinstance(found, str):
        return [found]
    return [text for item in (found.values() if isinstance(found, dict) else found) for text in texts_of(item)]


KNOWING = {
    "a redactor": lambda **_: Redactor([SECRET]).text(HOSTILE),
    "a redactor of structures": lambda **_: Redactor([SECRET]).everything({"a": [HOSTILE]}),
    "a one-off task's log": lambda **_: one_off_task(),
    "the last lines of a failed task": lambda **_: log_of_a_failed_task(),
    "logs as text": lambda tmp_path, **_: logs("text", tmp_path),
    "logs as JSON": lambda tmp_path, **_: logs("json", tmp_path),
    "a command": lambda **world: command(ends=lambda: 0, **world),
    "a command that fails": lambda **world: command(ends=lambda: 1, **world),
    "a command that is not run": lambda **world: command(ends=not_run, **world),
    "a diagnosis": lambda **world: diagnosed("facts", **world),
    "a diagnosis as text": lambda **world: diagnosed("text", **world),
    "evidence in files": lambda **world: diagnosed("files", **world),
    "health after a start": lambda **world: health_of_a_start(**world),
    "health, with a redactor": lambda **_: health.beginning(Redactor([SECRET]).text(HOSTILE)),
}
NOT_KNOWING = {
    "text": lambda **_: shown(HOSTILE),
    "a refusal of AWS's": lambda **_: refused(),
    "events, reasons and stopped tasks of ECS": lambda **_: rollout(),
    "RunTask's failures": lambda **_: not_started(),
    "a healthy answer": lambda **_: answer_of_the_application(200),
    "an unhealthy answer": lambda **_: answer_of_the_application(503),
    "Terraform's errors": lambda **_: terraform("json"),
    "Terraform's errors as text": lambda **_: terraform("text"),
    "Terraform's other words": lambda **_: terraform("none"),
    "Terraform's warnings": lambda **_: terraform("warning"),
    "Terraform's progress": lambda **_: terraform("progress"),
    "ElastiCache's events": lambda **_: last_words_of_redis(),
    "GitHub's refusals": lambda **_: github(),
    "Docker's": lambda **_: docker_cli.failure(HOSTILE),
    "git's": lambda **_: git_cli.failure(HOSTILE),
    "the lock of Terraform's state": lambda **_: locked_state(),
    "what Terraform says instead of its state": lambda **world: listed_state(**world),
    "an image's configuration": lambda **world: configuration_of_an_image(**world),
    "an image's labels": lambda **world: labels_of_an_image(**world),
    "images that ECR does not delete": lambda **_: not_deleted(),
}


@pytest.mark.parametrize("way_in", KNOWING.values(), ids=KNOWING)
def test_where_secrets_are_known_neither_they_nor_control_codes_come_through(way_in, tmp_path, monkeypatch):
    texts = texts_of(way_in(tmp_path=tmp_path, monkeypatch=monkeypatch))
    assert any("the end" in text for text in texts)
    for text in texts:
        assert not ACTED_ON.search(text), repr(text)
        assert SECRET not in text and "hunter2" not in text, text


@pytest.mark.parametrize("way_in", NOT_KNOWING.values(), ids=NOT_KNOWING)
def test_where_they_are_not_no_control_code_and_no_password_of_a_url_comes_through(way_in, tmp_path, monkeypatch):
    texts = texts_of(way_in(tmp_path=tmp_path, monkeypatch=monkeypatch))
    assert texts
    for text in texts:
        assert "the end" in text, text
        assert not ACTED_ON.search(text), repr(text)
        assert "hunter2" not in text, text


def test_the_result_file_and_a_lock_of_somebody_elses_have_no_control_codes():
    """What is in a result was shown, so that its secrets are gone already."""
    for text in (result_file.reason_of("t", {"msg": HOSTILE}), *result_file.lines_of([HOSTILE]), environment_lock.from_item(LOCK).reason):
        assert "the end" in text and not ACTED_ON.search(text)


LOCK = {"LockID": {"S": f"{environment_lock.PREFIX}a"}, "reason": {"S": HOSTILE}}


@pytest.mark.parametrize("at", range(280, 301, 5))
def test_a_secret_at_the_end_of_what_is_shown_of_an_answer_goes_before_it_is_cut(at, monkeypatch):
    monkeypatch.setattr(health, "read", lambda url, timeout, host: (503, f"{'.' * at}{SECRET}"))
    status, content = health.ask("http://h", hide=Redactor([SECRET]).text)
    assert (status, content) == (503, f"{'.' * at}[secret]"[:300])


def test_control_codes_are_known_in_one_place():
    """Whoever takes out only those that he thought of lets the others through, or takes them out after the secrets."""
    plugins = Path(redaction.__file__).parents[2]
    knowing = {path.name for path in plugins.rglob("*.py") if re.search(r"\\x1b|\\033|\\u001b|\\e\[", path.read_text(encoding="utf-8"))}
    assert knowing == {"redaction.py"}
