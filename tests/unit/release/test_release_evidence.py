"""What the text of a failed release has of its diagnosis."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import failure
from ansible_collections.atena.aws.plugins.module_utils.core.failure import Failure
from ansible_collections.atena.aws.plugins.module_utils.release import evidence

COMMAND = "ansible-playbook -i inventories/prod playbooks/{playbook}"
RECORD = SimpleNamespace(id="20260110-3f1c2aa", started_at="2026-01-10T03:00:00+00:00")


def step(text: str, playbook: str = "", instead: bool = False) -> dict[str, Any]:
    return {"text": text, "command": COMMAND.format(playbook=playbook) if playbook else "", "instead": instead}


def finding(code: str, *steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = {"code": code, "resource": "a-api", "cause": f"It is {code}", "certainty": "certain", "over": False, "minor": False, "caused_by": "", "evidence": []}
    return {**made, "steps": list(steps), **changes}


CAUSE = finding(
    "IMAGE_INCOMPLETE",
    step("Complete the Dockerfile"),
    step("Then release it", "deploy.yml"),
    step("Return", "rollback.yml", True),
    certainty="likely",
    evidence=["Cannot find module"],
)
FOUND = [
    CAUSE,
    finding("TASK_EXITED", step("Return", "rollback.yml"), caused_by="IMAGE_INCOMPLETE"),
    finding("SECRETS_OUTDATED", step("Replace", "restart.yml"), minor=True),
    finding("DATABASE_MISSING", over=True),
]


class Call:
    def __init__(self, failing: Exception | None = None):
        self.failing, self.put = failing, []

    def __call__(self, service: str, operation: str, doing: str, /, **arguments: Any) -> None:
        if self.failing:
            raise self.failing
        self.put.append(arguments)


def gathered(monkeypatch: pytest.MonkeyPatch, directory: str, call: Call) -> tuple[evidence.Evidence, dict[str, Any]]:
    asked: dict[str, Any] = {}

    def diagnose(_call: object, request: dict[str, Any]) -> dict[str, Any]:
        asked.update(request)
        return {"format": 2, "findings": FOUND}

    monkeypatch.setattr(evidence.diagnosis_read, "diagnose", diagnose)
    monkeypatch.setattr(evidence.diagnosis, "as_text", lambda found: "all of it\n")
    params = {
        **{"name": "a", "preflight": {"ssm_path": "/a/prod"}, "services": [{"name": "a-api"}], "log_lines": 5, "ledger": {"bucket": "state"}},
        "evidence": {"directory": directory, "prefix": "evidence/", "playbook_command": COMMAND},
    }
    return evidence.gather_evidence(call, params, "a-cluster", RECORD, ["arn:task"]), asked


def test_it_has_the_causes_of_now_with_commands_that_can_be_pasted_and_no_way_back(monkeypatch, tmp_path):
    """Every service is back by then: another rollback would be one release too far."""
    call = Call()
    found, asked = gathered(monkeypatch, str(tmp_path), call)
    failure = evidence.explain(Failure("The rollout failed.", ["a-api, task t1: exit code 1"], ["Back on what they had before: a-api."]), found)
    cause = ["IMAGE_INCOMPLETE, a-api: It is IMAGE_INCOMPLETE (likely).", "  Cannot find module"]
    assert failure.why == [*cause, "a-api, task t1: exit code 1"]
    assert failure.next == [
        "Complete the Dockerfile.",
        "Then release it: `ansible-playbook -i inventories/prod playbooks/deploy.yml`",
        f"The whole diagnosis: {tmp_path}/{RECORD.id}.txt",
    ]
    assert failure.code == "IMAGE_INCOMPLETE" and "rollback.yml" not in failure.text()
    assert [(item["code"], len(item["steps"])) for item in found.causes] == [("IMAGE_INCOMPLETE", 2)]
    assert (asked["tasks"], asked["since"], asked["playbook_command"]) == (["arn:task"], RECORD.started_at, COMMAND)
    assert found.key == f"evidence/{RECORD.id}.json" and json.loads(call.put[0]["Body"])["findings"] == FOUND


def test_what_cannot_be_saved_is_reported_and_hides_nothing(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    found, _asked = gathered(monkeypatch, str(tmp_path / "file" / "below"), Call(failure("Could not put", "AccessDenied")))
    assert (found.key, found.path) == ("", "") and [item["code"] for item in found.causes] == ["IMAGE_INCOMPLETE"]
    assert [line.split(":")[0] for line in found.notes] == [
        "The diagnosis could not be saved to the bucket",
        f"The diagnosis could not be saved to {tmp_path}/file/below",
    ]
