"""extensions/awx/configure.yml with the real modules of awx.awx, which judge every argument, against a double of AWX's API."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import yaml
from awx_apply import AWX, Apply
from awx_double import AwxDouble
from conftest import CHECKOUT, Run

WORKFLOWS = yaml.safe_load((AWX / "workflows.yml").read_text())["awx_workflows"]
TEMPLATES = yaml.safe_load((AWX / "job_templates.yml").read_text())["awx_job_templates"]
HOURS = {"timezone": "America/Sao_Paulo", "hours": [{"days": "mon-fri", "start": "08:00", "stop": "19:00"}]}
INVENTORY = {
    "environments": {
        "hosts": {
            "atena-prod": {"atena_schedule": HOURS},
            "shop-staging": {"atena_project": "shop", "atena_stage": "staging", "atena_manual_secrets": ["ADMIN_TOKEN", "SHOP_KEY"]},
        },
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}", "awx": {"all_aws_credential": "atena-prod AWS"}},
    }
}
FEW = {
    "awx_job_templates": [template for template in TEMPLATES if template["verb"] in ("diagnose", "guard", "secrets")],
    "awx_workflows": [workflow for workflow in WORKFLOWS if workflow["name"] == "guard by the clock"],
}


class Configured:
    """`apply` the definitions to the double; `playbook` runs configure.yml, for the second environment and with less of it: a task is half a second."""

    def __init__(self, awx: AwxDouble, inventory):
        self.awx, self.inventory = awx, inventory

    def apply(self, host: str, check: bool = False, **variables) -> list[str]:
        """What was changed, or would be."""
        self.awx.writes.clear()
        environments = INVENTORY["environments"]
        given = {**environments["vars"], **environments["hosts"][host], **variables}
        done = Apply(self.awx.environment(), host, list(environments["hosts"]), given).run(check)
        return [f"{action} {arguments.get('name') or arguments['identifier']}" for action, arguments, changed in done if changed]

    def playbook(self, *arguments: str) -> Run:
        self.awx.writes.clear()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CONTROLLER_"))}
        done = subprocess.run(
            ["ansible-playbook", "-i", str(self.inventory), str(AWX / "configure.yml"), "--limit", "shop-staging", "-e", json.dumps(FEW), *arguments],
            cwd=CHECKOUT,
            env={**environment, **self.awx.environment(), "NO_COLOR": "1", "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=300,
        )
        return Run(done.returncode, done.stdout)


@pytest.fixture(scope="module")
def configured(tmp_path_factory):
    inventory = tmp_path_factory.mktemp("awx") / "hosts.yml"
    inventory.write_text(yaml.safe_dump(INVENTORY))
    with AwxDouble({f"playbooks/{path.name}" for path in (CHECKOUT / "playbooks").glob("*.yml")}) as awx:
        ours = Configured(awx, inventory)
        for host in INVENTORY["environments"]["hosts"]:
            ours.apply(host)
        yield ours


def test_each_environment_has_a_template_for_every_playbook_and_cannot_reach_another(configured):
    made = configured.awx.kept("job_templates")
    for host in INVENTORY["environments"]["hosts"]:
        for template in TEMPLATES:
            job = made[f"{host} {template['verb']}"]
            assert (job["limit"], job["playbook"]) == (host, f"playbooks/{template['playbook']}")
            credentials = [entry["name"] for entry in configured.awx.associated(job, "credentials")]
            assert credentials == [f"{host} AWS", *([f"{host} secrets"] if template.get("secrets") else [])]
            survey = configured.awx.survey("job_templates", job["name"])
            assert [question["variable"] for question in survey] == [question["variable"] for question in template.get("survey", [])]
            assert job["survey_enabled"] == bool(survey)
    assert {name for name in made if name.startswith("all environments")} == {f"all environments {t['verb']}" for t in TEMPLATES if t.get("for_all")}


def test_jobs_say_what_they_did_as_artifacts_and_wait_for_the_lock(configured):
    given = json.loads(configured.awx.kept("job_templates")["atena-prod deploy"]["extra_vars"])
    assert given == {"atena_lock_wait_seconds": 900, "atena_result_file": "/tmp/atena-result.json"}


def test_a_release_is_predicted_approved_released_and_may_be_taken_back(configured):
    nodes = configured.awx.nodes("atena-prod release with approval")

    def after(identifier, kind):
        return [node["identifier"] for node in configured.awx.associated(nodes[identifier], kind)]

    runs = {identifier: configured.awx.named(node["unified_job_template"]) for identifier, node in nodes.items()}
    assert (runs["predict"], nodes["predict"]["job_type"]) == ("atena-prod deploy", "check")
    assert (runs["deploy"], nodes["deploy"].get("job_type")) == ("atena-prod deploy", None)
    assert (after("predict", "success_nodes"), after("predict", "failure_nodes")) == (["approve"], ["diagnose"])
    assert (after("approve", "success_nodes"), after("approve", "failure_nodes")) == (["deploy"], [])
    assert (after("deploy", "success_nodes"), after("deploy", "failure_nodes")) == (["go back"], ["diagnose"])
    assert (after("go back", "success_nodes"), after("go back", "failure_nodes")) == (["rollback"], ["status"])
    approvals = configured.awx.kept("workflow_approval_templates")
    assert (approvals["Release it?"]["timeout"], approvals["Take it back?"]["timeout"]) == (86400, 3600)
    variables = [question["variable"] for question in configured.awx.survey("workflow_job_templates", "atena-prod release with approval")]
    assert variables == ["deploy_release", "rollback_over_migration"], "`release` would be the target of the way back too"


def test_working_hours_start_the_workflows(configured):
    schedules = configured.awx.kept("schedules")
    started = {name: configured.awx.named(entry["unified_job_template"]) for name, entry in schedules.items()}
    assert started == {
        "atena-prod start 08:00": "atena-prod morning start",
        "atena-prod stop 19:00": "atena-prod nightly stop",
        "atena-prod guard": "atena-prod guard by the clock",
        "shop-staging guard": "shop-staging guard by the clock",
    }
    assert schedules["atena-prod stop 19:00"]["rrule"].startswith("DTSTART;TZID=America/Sao_Paulo:20240101T190000 RRULE:FREQ=WEEKLY")
    assert configured.awx.nodes("atena-prod nightly stop")["stop"]["extra_data"] == {"schedule_act": "true"}


def test_the_credential_type_hands_over_the_secrets_of_its_environment(configured):
    made = configured.awx.kept("credential_types")["shop-staging secrets"]
    assert made["injectors"]["env"] == {"ADMIN_TOKEN": "{{ ADMIN_TOKEN }}", "SHOP_KEY": "{{ SHOP_KEY }}"}
    assert all(field["secret"] for field in made["inputs"]["fields"])
    assert configured.awx.kept("credentials")["shop-staging secrets"]["credential_type"] == made["id"]


def test_again_changes_nothing(configured):
    for host in INVENTORY["environments"]["hosts"]:
        assert configured.apply(host) == []


def test_the_playbook_finds_all_of_it_as_it_would_make_it(configured):
    run = configured.playbook().must_succeed()
    assert run.changed == 0, run.output


def test_a_change_is_predicted_without_a_write(configured):
    changed = {"organization": "Default", "image": "registry.example.com/atena:2", "all_aws_credential": "atena-prod AWS"}
    assert configured.apply("atena-prod", check=True, awx=changed) == ["awx.awx.execution_environment atena.aws"]
    assert configured.awx.writes == []


def test_an_organization_that_is_not_there_is_told(configured):
    refused = configured.playbook("-e", json.dumps({"awx": {"organization": "Nowhere"}})).must_fail()
    assert "organizations/?name=Nowhere" in refused.text
