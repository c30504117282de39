"""Causes before consequences, what is still so and what is over: the troubles of a night, as facts."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.atena.aws.plugins.module_utils.diagnosis import text as diagnosis_text
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.codes import BY_CODE, CODES, POSITION, cause_of, remedy_of
from ansible_collections.atena.aws.plugins.module_utils.ecs.failure_words import AWS_WORDS, LOG_WORDS
from test_diagnosis import (
    ARN,
    ENDS,
    FACTS,
    GROUP,
    IMAGE,
    NOW,
    TASK,
    broken,
    causes,
    commands,
    denied,
    failing,
    never_ran,
    of_another_revision,
    running,
    setting,
    task,
    unhealthy,
)

REFUSED = 'password authentication failed for user "atena"'
DENIED = f"{ENDS}AccessDeniedException: not authorized"
ALLOWED = {**denied("secrets"), "services": ["a-api", "a-workers"]}


def told(found: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    return [(item["code"], item["caused_by"], item["over"]) for item in found]


# --- The table ---


@pytest.mark.parametrize("entry", CODES, ids=lambda entry: entry.code)
def test_a_code_explains_only_what_comes_after_it(entry):
    """So that no two explain each other, and the table's order is one of causes."""
    assert all(POSITION[code] > POSITION[entry.code] for code in entry.explains)
    assert cause_of(entry) and remedy_of(entry)


def test_the_codes_are_unique_and_have_those_of_aws_and_of_the_logs():
    assert len(BY_CODE) == len(CODES)
    assert {words.code for words in AWS_WORDS} | {line.code for line in LOG_WORDS} <= set(BY_CODE)


def test_a_consequence_of_a_consequence_is_explained_by_both():
    """Else a finding between would keep its remedy although what it comes from is known."""
    for entry in CODES:
        for code in entry.explains:
            missing = set(BY_CODE[code].explains) - set(entry.explains) - {"JOBS_STALLED"}
            assert not missing, f"{entry.code} explains {code}, but not its consequences {missing}"


# --- A cause before its consequences ---


def test_a_refusal_of_the_database_is_certain_and_stands_before_the_unhealthy_application():
    def change(facts):
        unhealthy(facts, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]")
        facts["tasks"] = [running("a-api", REFUSED)]
        facts["health"] = {"url": "http://a.elb/health", "status": 503, "content": "database"}

    found = broken(change)
    assert told(found) == [("DATABASE_CREDENTIALS_REFUSED", "", False), ("HEALTH_CHECK_FAILED", "DATABASE_CREDENTIALS_REFUSED", False)]
    assert found[0]["certainty"] == "certain"
    assert commands(found[0]) == ["infra.yml -e infra_replace=aws_ssm_parameter.database_url", "restart.yml -e restart_services=api"]
    assert commands(found[1]) == [] and found[1]["remedy"] == "", "rollback.yml would not help"
    text = diagnosis_text.as_text({"environment": "a", "at": NOW, "findings": found, "facts": facts_after(change)})
    assert "1 cause, with 1 consequence." in text and text.index("1. DATABASE_CREDENTIALS_REFUSED") < text.index("Consequence: HEALTH_CHECK_FAILED")


def facts_after(change):
    facts = deepcopy(FACTS)
    change(facts)
    return facts


def test_a_likely_cause_stands_before_its_certain_consequence_and_after_what_is_certain_and_another_thing():
    def change(facts):
        failing(task(log_tail={"api": [{"at": NOW, "message": "Error: Cannot find module '/app/main.js'"}]}))(facts)
        facts["log_groups"]["/ecs/a-workers"] = False

    found = broken(change)
    assert [(item["code"], item["certainty"]) for item in found] == [
        ("LOG_GROUP_MISSING", "certain"),
        ("IMAGE_INCOMPLETE", "likely"),
        ("TASK_EXITED", "certain"),
    ]


def test_a_rotated_user_gets_another_password_instead_of_terraforms():
    def change(facts):
        facts["tasks"] = [running("a-api", REFUSED)]
        facts["secrets"]["database_url_user"] = "rotated"

    assert commands(broken(change)[0]) == ["rotate_database_password.yml"]


def test_a_cause_of_one_service_explains_nothing_of_another():
    def change(facts):
        failing(task())(facts)
        facts["tasks"].append(running("a-workers", 'relation "notes" does not exist'))

    assert told(broken(change)) == [("SCHEMA_BEHIND", "", False), ("TASK_EXITED", "", False)]


def test_a_migration_that_lacks_a_table_is_not_told_to_be_run_again():
    """It failed over its own statement: what it exited with is the cause, and shows the line."""
    line = {"at": NOW, "message": 'ERROR 0007_wishes.sql failed and was rolled back: relation "wishes" does not exist'}

    def change(facts):
        facts["tasks"] = [task("", task_id="t9", task_arn=f"{TASK}t9", started_by="atena-aws/migrate", log_tail={"api": [line]})]
        facts["asked_tasks"] = [f"{TASK}t9"]

    found = broken(change)
    assert [item["code"] for item in found] == ["TASK_EXITED"] and "migrate.yml" not in commands(found[0])
    assert any(line["message"] in text for text in found[0]["evidence"])


def test_a_log_line_is_shown_once():
    line = {"at": NOW, "message": REFUSED}
    found = broken(failing(task(log_tail={"api": [line, line, {"at": NOW, "message": "bye"}]})))
    shown = [text for item in found for text in item["evidence"]]
    assert told(found)[0][0] == "DATABASE_CREDENTIALS_REFUSED"
    assert sum(REFUSED in text for text in shown) == 1 and sum("bye" in text for text in shown) == 1
    only_line = broken(failing(task(log_tail={"api": [line]})))
    assert not any(text.startswith("last log lines") for item in only_line for text in item["evidence"]), "a heading with nothing below it"


def test_a_line_that_repeats_is_one_with_its_number():
    line = {"at": NOW, "message": "connecting"}
    found = broken(failing(task(log_tail={"api": [line] * 5})))
    assert "  | connecting  (5 times)" in found[0]["evidence"]


# --- Still so? ---


def test_rights_that_the_execution_role_lost_are_now_while_older_tasks_run_on():
    """The release was rolled back, all targets are healthy: and every task that starts fails."""
    failed = never_ran(DENIED) | {"started_by": "a-api-1", "task_definition": f"{ARN}a-api:1"}

    def change(facts):
        facts["tasks"] = [failed, running()]
        facts["access"] = [denied("secrets", "ssm:GetParameters on /a/prod/*")]

    found = broken(change)
    assert [(item["code"], item["over"], item["certainty"]) for item in found] == [("SECRET_DENIED", False, "certain")]
    assert any("AccessDeniedException" in line for line in found[0]["evidence"]) and any("ssm:GetParameters on" in line for line in found[0]["evidence"])


def test_rights_that_cannot_be_checked_are_not_called_over():
    failed = never_ran(DENIED) | {"started_by": "a-api-1", "task_definition": f"{ARN}a-api:1"}
    assert told(broken(setting(["tasks"], [failed]))) == [("SECRET_DENIED", "", False)]


def test_rights_that_are_back_are_over():
    failed = never_ran(DENIED) | {"started_by": "a-api-1", "task_definition": f"{ARN}a-api:1"}

    def change(facts):
        facts["tasks"], facts["access"] = [failed], [ALLOWED]

    assert told(broken(change)) == [("SECRET_DENIED", "", True)]


def test_a_check_that_finds_nothing_is_no_proof_while_tasks_go_on_failing():
    def change(facts):
        failing(never_ran(DENIED))(facts)
        facts["access"] = [ALLOWED]

    assert told(broken(change)) == [("SECRET_DENIED", "", False)]


def test_a_secret_that_only_a_rolled_back_revision_wants_is_over():
    failed = never_ran(f"{ENDS}invalid ssm parameters: /a/prod/NOT_THERE") | {"started_by": "a-api-1", "task_definition": f"{ARN}a-api:1"}
    assert told(broken(setting(["tasks"], [failed]))) == [("SECRET_MISSING", "", True)]


@pytest.mark.parametrize(("written", "over"), [("2026-01-09T00:00:00+00:00", False), ("2026-01-10T02:59:00+00:00", True)])
def test_credentials_that_a_rolled_back_release_was_refused_with_are_over_when_they_were_written_since(written, over):
    """The older tasks run on with what they read when they started."""

    def change(facts):
        facts["tasks"] = [of_another_revision(log_tail={"api": [{"at": NOW, "message": REFUSED}]}), running()]
        facts["secrets"]["parameters"][0]["last_modified"] = written

    assert [item for item in told(broken(change)) if item[0] != "SECRETS_OUTDATED"] == [("DATABASE_CREDENTIALS_REFUSED", "", over)]


def test_a_restart_that_fails_is_not_over_though_ecs_went_back_to_the_older_tasks():
    """Of the same revision: the next task would be like those that failed."""
    failed = task(number=1)
    assert told(
        broken(
            setting(["tasks"], [failed, running() | {"task_id": "t2", "started_at": "2026-01-10T01:00:00+00:00", "created_at": "2026-01-10T01:00:00+00:00"}])
        )
    ) == [("TASK_EXITED", "", False)]


def later(seconds_up: int) -> dict[str, Any]:
    started = f"2026-01-10T02:{59 - seconds_up // 60:02d}:{60 - seconds_up % 60 - 1:02d}+00:00"
    return running() | {"task_id": "t2", "task_arn": f"{TASK}t2", "created_at": "2026-01-10T02:58:25+00:00", "started_at": started}


@pytest.mark.parametrize(("seconds_up", "over"), [(10, False), (50, True)])
def test_a_later_task_shows_that_it_is_over_when_it_has_outlived_the_one_that_failed(seconds_up, over):
    """A task that ends every ten seconds runs most of the time."""
    assert told(broken(setting(["tasks"], [task(), later(seconds_up)]))) == [("TASK_EXITED", "", over)]


def test_a_health_check_that_failed_earlier_is_told_by_the_words_of_then():
    """Its path is another one now."""
    why = "due to (reason Health checks failed with these codes: [404])."
    failed = of_another_revision(stop_code="ServiceSchedulerInitiated", stopped_reason=f"Task failed ELB health checks in (target-group {GROUP})")

    def change(facts):
        facts["services"]["a-api"]["events"].append(
            {"at": "2026-01-10T02:58:00+00:00", "message": f"(service a-api) (port 3000) is unhealthy in (target-group {GROUP}) {why}"}
        )
        facts["tasks"] = [failed]

    found = broken(change)
    assert told(found) == [("HEALTH_CHECK_FAILED", "", True)]
    assert "codes: [404]" in found[0]["cause"] and "/health" not in found[0]["cause"]


def test_a_path_that_answers_now_is_not_called_wrong_while_the_deployment_goes_on():
    why = "due to (reason Health checks failed with these codes: [404])."
    failed = task(stop_code="ServiceSchedulerInitiated", stopped_reason=f"Task failed ELB health checks in (target-group {GROUP})")

    def change(facts):
        facts["services"]["a-api"]["events"].insert(0, {"at": NOW, "message": f"(service a-api) is unhealthy in (target-group {GROUP}) {why}"})
        facts["services"]["a-api"]["rollout_state"] = "IN_PROGRESS"
        facts["tasks"] = [failed]

    assert "HEALTH_CHECK_PATH_WRONG" not in causes(broken(change))


def test_a_database_that_was_unreachable_then_and_serves_now_is_over():
    failed = of_another_revision(log_tail={"api": [{"at": NOW, "message": "postgres: ECONNREFUSED"}]})
    assert told(broken(setting(["tasks"], [failed]))) == [("DATABASE_UNREACHABLE", "", True)]


def test_a_container_that_ecs_stopped_did_not_end_by_itself():
    failed = task(
        stop_code="ServiceSchedulerInitiated",
        stopped_reason=f"Task failed ELB health checks in (target-group {GROUP})",
        containers=[{"name": "api", "exit_code": 0, "reason": ""}],
    )

    def change(facts):
        failing(failed)(facts)
        unhealthy(facts, "Target.FailedHealthChecks", "Health checks failed")

    evidence = " ".join(line for item in broken(change) for line in item["evidence"])
    assert "asked to stop" in evidence and "automatically" not in evidence


def test_an_image_that_is_there_again_is_over_and_one_that_is_not_is_now():
    failed = never_ran("CannotPullContainerError: x: not found") | {"started_by": "a-api-1", "task_definition": f"{ARN}a-api:1"}
    assert told(broken(setting(["tasks"], [failed]))) == [("IMAGE_MISSING", "", True)]

    def change(facts):
        facts["tasks"] = [failed]
        facts["images"][IMAGE] = {"exists": False, "platforms": None, "why": "not held"}

    assert {item for item in told(broken(change))} == {("IMAGE_MISSING", "", False)}


@pytest.mark.parametrize(("state", "over"), [("succeeded", True), ("failed", False)])
def test_a_schema_that_was_migrated_since_the_complaint_is_over(state, over):
    at = "2026-01-10T02:59:30+00:00"
    migration = task("", state=state, task_id="t9", task_arn=f"{TASK}t9", started_by="ana", created_at=at, stopped_at=at)
    found = broken(setting(["tasks"], [running("a-api", 'relation "notes" does not exist'), migration]))
    assert ("SCHEMA_BEHIND", "", over) in told(found)
