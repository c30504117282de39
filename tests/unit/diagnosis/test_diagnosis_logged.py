"""What Node.js programs print when they fail, as `tests/drivers/lines` recorded it, against what the diagnosis makes of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.atena.aws.plugins.module_utils.ecs.failure_words import LOG_WORDS, what_lines_say
from test_diagnosis import FACTS, NOW, broken, failing, running, task

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "node_lines.json").read_text())
RUNS = {run["what"]: run for run in RECORDED["runs"]}
# The first words of a run's name, and what is found in it; None: nothing. The longest that fits counts.
EXPECTED: dict[str, str | None] = {
    "certificate": "DATABASE_CERTIFICATE_REFUSED",
    "certificate: for another name": "DATABASE_CERTIFICATE_NAME",
    "no encryption": "DATABASE_ENCRYPTION_REQUIRED",
    "wrong password": "DATABASE_CREDENTIALS_REFUSED",
    "no such table": "SCHEMA_BEHIND",
    "ended by an administrator": "DATABASE_CONNECTIONS_ENDED",
    "gone at once": "DATABASE_CONNECTIONS_ENDED",
    "nobody listens": "DATABASE_UNREACHABLE",
    "no such name": "DATABASE_HOST_UNKNOWN",
    "no answer": "DATABASE_UNREACHABLE",
    "Redis: nobody listens": "REDIS_UNREACHABLE",
    "Redis: no such name": "REDIS_HOST_UNKNOWN",
    "Redis: no password": "REDIS_CREDENTIALS_REFUSED",
    "Redis: wrong password": "REDIS_CREDENTIALS_REFUSED",
    "Redis: full": "REDIS_FULL",
    "Redis: certificate": "REDIS_CERTIFICATE_REFUSED",
    # BullMQ 6 gives on what Node.js said, without a word of its own: nothing in it tells what it is about.
    "Redis: certificate; bullmq6-worker": "DATABASE_CERTIFICATE_REFUSED",
    "Redis: TLS to a port without": None,
    "Redis: no TLS to a port with": "REDIS_UNREACHABLE",
    "eviction policy": "REDIS_EVICTION",
    "BullMQ: maxRetriesPerRequest": None,
    "BullMQ 6: queue.client": None,
    "BullMQ 6: a job stalls": "JOBS_STALLED",
    "BullMQ 6 without ioredis": "BULLMQ_WITHOUT_IOREDIS",
    "process": None,
    "process: missing": "IMAGE_INCOMPLETE",
    "process: heap": "OUT_OF_MEMORY",
    "process: port": "PORT_TAKEN",
    "node as process 1": None,
    "npm start as process 1": "NPM_IS_PROCESS_1",
    "npm 10 start as process 1": "NPM_IS_PROCESS_1",
    "npm 9 start as process 1": "NPM_IS_PROCESS_1",
    "npm: a script that is missing": "NPM_SCRIPT_MISSING",
    "npm 10: a script that is missing": "NPM_SCRIPT_MISSING",
    "npm 9: a script that is missing": "NPM_SCRIPT_MISSING",
    "npm": None,
    "log": None,
}


def expected(what: str) -> str | None:
    return EXPECTED[max((words for words in EXPECTED if what.startswith(words)), key=len)]


def facts_with(lines: list[str], service: str = "a-workers", **changes: Any) -> dict[str, Any]:
    """A task that failed and said these, the last twenty of them in what is shown."""
    said = [{"at": NOW, "message": line} for line in lines]
    container = service.removeprefix("a-")
    return task(service, **{"log_tail": {container: said[-20:]}, "log_before": {container: said[:-20]}, **changes})


@pytest.mark.parametrize("what", RUNS)
def test_a_run_is_taken_for_what_it_was(what: str):
    said = {line.code for line in what_lines_say(RUNS[what]["lines"]) if line}
    assert said == {expected(what)} - {None}


def test_each_cause_that_node_has_was_recorded():
    of_others = {
        "IMAGE_WRONG_ARCHITECTURE",
        "DATABASE_FULL",
        "DATABASE_NAME_UNKNOWN",
        "DATABASE_CONNECTIONS_EXHAUSTED",
        "REDIS_READ_ONLY",
        "REDIS_CERTIFICATE_NAME",
    }
    assert {line.code for line in LOG_WORDS} - of_others == {code for code in EXPECTED.values() if code}
    assert {"pg", "bullmq", "bullmq 5", "ioredis", "pino", "winston", "npm", "Node.js"} <= set(RECORDED["versions"])


@pytest.mark.parametrize("what", [what for what in RUNS if expected(what) and expected(what) not in ("NPM_IS_PROCESS_1", "REDIS_EVICTION", "JOBS_STALLED")])
def test_it_is_the_first_cause_of_a_task_that_ended_with_it(what: str):
    """The exit code is certain, and the complaint only likely; it is what the exit code comes from."""
    found = broken(failing(facts_with(RUNS[what]["lines"], "a-api")))
    assert [(item["code"], item["caused_by"]) for item in found] == [(expected(what), ""), ("TASK_EXITED", expected(what))]


def test_a_health_check_that_fails_is_the_consequence_of_what_the_log_complains_of():
    lines = RUNS["certificate: the chain with its root; pg-pino"]["lines"]

    def change(facts: dict[str, Any]) -> None:
        facts["tasks"] = [running("a-api", *lines)]
        group = next(iter(facts["target_groups"].values()))
        why = {"reason": "Target.ResponseCodeMismatch", "description": "Health checks failed with these codes: [503]"}
        group["targets"] = [{"id": "10.0.10.5", "port": 3000, "state": "unhealthy", **why}]

    assert [item["code"] for item in broken(change)] == ["DATABASE_CERTIFICATE_REFUSED", "HEALTH_CHECK_FAILED"]


def remedy(what: str, *, mode: str | None = None, bundle: str = "") -> str:
    def change(facts: dict[str, Any]) -> None:
        facts["tasks"] = [facts_with(RUNS[what]["lines"])]
        if mode is not None:
            facts["secrets"]["database_url_sslmode"] = mode
        for definition in facts["definitions"].values():
            definition["containers"][0]["bundle"] = bundle

    return next(item for item in broken(change) if item["code"] == expected(what))["remedy"]


REFUSED, PLAIN = "certificate: the chain with its root; pg-uncaught", "no encryption; mikro-orm with sslmode=require"


def test_the_remedy_of_a_refused_certificate_is_the_bundle_in_the_image():
    text = remedy(REFUSED, mode="verify-full")
    assert (
        "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem`" in text
        and "`COPY certs/rds-global-bundle.pem /etc/ssl/certs/rds-global-bundle.pem`" in text
    )
    assert "`ansible-playbook deploy.yml`" in text
    assert "`ansible-playbook secrets.yml -e secrets_action=sslmode -e secrets_sslmode=no-verify`" in text, "a way to run until then"
    assert "says no-verify already" in remedy(REFUSED, mode="no-verify"), "not the same once more"


def test_other_partitions_have_a_bundle_of_their_own():
    def change(facts: dict[str, Any]) -> None:
        facts["tasks"] = [facts_with(RUNS[REFUSED]["lines"])]
        for service in facts["services"].values():
            service["task_definition"] = service["task_definition"].replace("arn:aws:", "arn:aws-us-gov:")

    text = next(item["remedy"] for item in broken(change) if item["code"] == "DATABASE_CERTIFICATE_REFUSED")
    assert "curl" not in text and "user guide of this partition" in text and "COPY certs/rds-global-bundle.pem" in text


def test_where_redis_has_tls_too_it_is_said_that_it_may_be_redis():
    def change(facts: dict[str, Any]) -> None:
        facts["tasks"] = [facts_with(RUNS["Redis: certificate; bullmq6-worker"]["lines"])]
        facts["secrets"]["redis_url_is_tls"] = True

    assert "REDIS_URL uses TLS, too" in broken(change)[0]["remedy"]
    assert "REDIS_URL" not in remedy(REFUSED)


def test_a_bundle_that_the_container_is_told_of_is_looked_at_first():
    assert remedy(REFUSED, bundle="/certs/rds.pem").startswith("Its container trusts /certs/rds.pem,")


@pytest.mark.parametrize("mode", ["require", "verify-full", "no-verify"])
def test_without_encryption_the_url_is_looked_at_before_it_is_written_anew(mode: str):
    """MikroORM drops what stands behind the `?`: another sslmode changes nothing."""
    text = remedy(PLAIN, mode=mode)
    assert f"says sslmode={mode} already" in text and "driverOptions: { ssl: true }" in text and "restart.yml" in text
    assert "sslmode=verify-full`" not in text and "delete-parameter" not in text


@pytest.mark.parametrize(("mode", "says"), [("", "says no sslmode"), ("disable", "says sslmode=disable"), (None, "may say no sslmode")])
def test_without_encryption_and_without_a_mode_the_url_gets_one(mode: str | None, says: str):
    text = remedy(PLAIN, mode=mode)
    assert says in text and "secrets.yml -e secrets_action=sslmode -e secrets_sslmode=verify-full`" in text


def test_npm_as_process_1_is_told_of_a_task_that_was_stopped_as_wanted():
    """Nothing failed; each stop cuts off what is under way."""
    lines = RUNS["npm start as process 1 is stopped"]["lines"]
    stopped = facts_with(lines, state="stopped", stop_code="ServiceSchedulerInitiated", stopped_reason="Scaling activity initiated by deployment")
    found = broken(lambda facts: facts.update(tasks=[stopped]))
    assert [(item["code"], item["over"], item["minor"]) for item in found] == [("NPM_IS_PROCESS_1", False, True)]
    assert 'CMD ["node"' in found[0]["remedy"]
    others = facts_with(RUNS[REFUSED]["lines"], state="stopped", stop_code="ServiceSchedulerInitiated")
    assert broken(lambda facts: facts.update(tasks=[others])) == [], "what a task that was stopped complained of before is over"


def test_what_a_stopped_database_did_to_its_clients_belongs_to_that():
    def change(facts: dict[str, Any]) -> None:
        facts["database"]["status"] = "stopped"
        facts["tasks"] = [facts_with(RUNS[what]["lines"]) for what in ("no such name; pg-uncaught", "ended by an administrator; pg-pool-idle")]

    assert [item["code"] for item in broken(change)] == ["DATABASE_STOPPED", "TASK_EXITED"]


def test_a_certificate_is_of_redis_only_where_redis_is_named_near_it():
    lines = [*RUNS["Redis: nobody listens; bullmq6-worker"]["lines"], *["a line"] * 20, *RUNS[REFUSED]["lines"]]
    assert {line.code for line in what_lines_say(lines) if line} == {"REDIS_UNREACHABLE", "DATABASE_CERTIFICATE_REFUSED"}


def test_nothing_recorded_is_slow_to_look_at():
    """Patterns that try a long line again and again would hold up the diagnosis of an environment that is down."""
    assert all(not re.search(r"\.\*.*\.\*", line.pattern) for line in LOG_WORDS)
    assert FACTS["tasks"] == []
