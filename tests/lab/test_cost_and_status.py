"""What an environment costs and how it stands: of the lab's own, of a plan, of two environments at once."""

import json
import os
import sys

import pytest
import yaml
from wire import Wire

GROUP = "/ecs/atena-prod-api"


@pytest.fixture(scope="module")
def inventory(lab, tmp_path_factory):
    """The lab's inventory with two more environments: one of which only the state bucket's gates exist, and one in an account without credentials."""
    directory = tmp_path_factory.mktemp("fleet")
    (directory / "group_vars").mkdir()
    (directory / "group_vars" / "environments.yml").write_text(open("inventories/lab/group_vars/environments.yml").read())
    hosts = {
        "atena-prod": None,
        "atena-empty": {"atena_stage": "empty"},
        "atena-foreign": {"atena_stage": "foreign", "atena_expected_account_id": "999999999999"},
    }
    (directory / "hosts.yml").write_text(yaml.safe_dump({"environments": {"hosts": hosts}}, sort_keys=False))
    lab.client("s3").put_object(
        **{"Bucket": f"atena-terraform-state-{lab.account}", "Key": "atena/empty/gates.json", "ContentType": "application/json"},
        Body=json.dumps({"power": "on", "redis": "present"}).encode(),
    )
    yield str(directory)
    lab.client("s3").delete_object(Bucket=f"atena-terraform-state-{lab.account}", Key="atena/empty/gates.json")


def lines_of(document, group):
    return [line for line in document["lines"] if line["group"] == group]


def cost(lab, tmp_path, *arguments):
    """(run, what it wrote as JSON); nothing was written at AWS."""
    path = tmp_path / "cost.json"
    with Wire(lab.endpoint) as wire:
        # Nothing here answers for the Price List, which need not be asked for minutes.
        environment = {"AWS_ENDPOINT_URL": wire.endpoint, "ATENA_AWS_PAUSE_SCALE": "0.01"}
        run = lab.playbook("cost.yml", "-e", f"cost_save={path}", *arguments, environment=environment).must_succeed()
    assert wire.calls and wire.writes() == []
    return run, json.loads(path.read_text())


def test_the_labs_environment_costs_what_its_design_says(lab, tmp_path):
    run, told = cost(lab, tmp_path, "-e", "cost_compare=true", "-e", "cost_show_prices=true")
    assert told["environment"] == "atena-prod" and told["from"] == "environment"
    assert {group["group"]: group["amounts"]["always_on"] for group in told["groups"]}["ECS Fargate"] == 18.02
    assert [line["quantities"]["always_on"] for line in lines_of(told, "RDS")] == [730, 20]
    assert [line["quantities"]["always_on"] for line in lines_of(told, "Public IPv4")] == [1460, 730]
    assert [line["assumed"] for line in lines_of(told, "ECR")] == [False], "the images are measured"
    # What differs from the design is what was measured: images, logs, snapshots.
    assert 105 < told["totals"]["always_on"] < 115 and told["totals"]["now"] == pytest.approx(told["totals"]["always_on"], abs=0.1)
    assert told["totals"]["stopped"] < told["totals"]["schedule"] < told["totals"]["always_on"]
    assert "Always on: the design said ~$101, now $111.91" in run.text
    assert "nat.hour: 0.045 USD per hour in us-east-1 (2025-10-28; https://aws.amazon.com/vpc/pricing/)" in run.text


def test_a_second_task_shows_any_schedule_counts_and_prices_stay_where_the_price_list_may_not_be_asked(lab, tmp_path):
    schedule = {"cost_schedule": {"timezone": "America/Sao_Paulo", "hours": [{"days": "mon-fri", "start": "08:00", "stop": "19:00"}]}}
    run, told = cost(lab, tmp_path, "-e", "cost_counts=api=2", "-e", json.dumps(schedule), "-e", "cost_refresh=true", "-e", "cost_format=json")
    assert told["change"]["difference"] == pytest.approx(9.01, abs=0.01)
    assert 230 < told["hours"] < 245
    assert told["refreshed"] is None and "The prices stay those of the table" in run.text
    assert '"always_on"' in run.output and run.changed == 0


def test_a_bigger_instance_in_a_plan_shows_in_cost_and_in_infras_summary(lab, tmp_path):
    bigger = ["-e", json.dumps({"atena_database": {**database(), "instance_class": "db.t4g.small"}})]
    try:
        run, told = cost(lab, tmp_path, "-e", "cost_from=plan", *bigger)
        assert told["change"]["difference"] == pytest.approx(11.68, abs=0.01) and "Costs: +$11.68 a month" in run.text
        run = lab.playbook("infra.yml", "--check", *bigger).must_succeed()
        assert "Costs: +$11.68 a month, from $111.91 to $123.59 always on" in run.text
    finally:
        # The working copy keeps what it was given last.
        assert lab.playbook("infra.yml", "--check").must_succeed().changed == 0


def database():
    return yaml.safe_load(open("roles/environment/defaults/main.yml").read())["atena_database"]


def test_status_tells_everything_on_one_screen_with_drift_by_resource_and_attribute(lab, tmp_path):
    path = tmp_path / "status.json"
    logs = lab.client("logs")
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=3)
    try:
        run = lab.playbook("status.yml", "-e", "status_drift=true", "-e", f"status_save={path}").must_succeed()
    finally:
        logs.put_retention_policy(logGroupName=GROUP, retentionInDays=30)
    for words in ("atena-prod-api: 1 of 1 running", "ago; atena-prod-api:", "redis: available", "lock: atena-prod is not locked.", "cost: $"):
        assert words in run.text, run.output
    assert "Healthy, but for what differs from the configuration." in run.text and run.changed == 0
    told = json.loads(path.read_text())
    assert told["drift"] == ['aws_cloudwatch_log_group.service["api"]: retention_in_days is 3, the configuration says 30 (changed outside of Terraform)']
    assert told["environment"] == "atena-prod" and told["problems"] == [] and told["services"][0]["waits_for"] == ""
    assert lab.plan()[0] == 0


# What one status of an environment with two services asks: the account, 4 of ECS, 2 of ELB, RDS, EC2 and ECR each, 3 of ElastiCache, the lock, the logs'
# sizes, 2 of Parameter Store, which of its records there are, and the gates.
STATUS_CALLS = 22


def test_status_asks_for_each_thing_once(lab):
    with Wire(lab.endpoint) as wire:
        lab.playbook("status.yml", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert wire.writes() == [] and len(wire.calls) <= STATUS_CALLS, "\n".join(map(str, wire.calls))
    twice = {str(call) for call in wire.calls if wire.calls.count(call) > 1}
    assert twice <= {"ecs:DescribeTaskDefinition", "ecr:DescribeImages"}, "one for each service"


def test_status_is_the_same_from_an_interpreter_of_its_own(lab, tmp_path):
    """Spelled otherwise, the interpreter is not known to be the controller's, and the module is packed and started as on another host."""
    told = []
    for interpreter in ("{{ ansible_playbook_python }}", os.path.join(os.path.dirname(sys.executable), ".", "python")):
        path = tmp_path / "status.json"
        run = lab.playbook("status.yml", "-vvv", "-e", f"status_save={path}", "-e", json.dumps({"ansible_python_interpreter": interpreter})).must_succeed()
        document = json.loads(path.read_text())
        # How long ago things were is another second later.
        told.append(("FORK atena.aws.environment_info" in run.output, {key: value for key, value in document.items() if key != "summary"}))
    (forked, one), (started_forked, other) = told
    assert forked and not started_forked and one == other


def test_many_environments_are_one_table_with_a_line_each(lab, inventory, tmp_path):
    path = tmp_path / "status.json"
    run = lab.playbook("status.yml", "-e", f"status_save={path}", inventory=inventory).must_fail()
    assert "belong to account" in run.text, "the one of another account fails automatically"
    table = run.output[run.output.index("Show the status]") :]
    rows = [line.strip(" -'\"") for line in table.splitlines()]
    assert sum(row.startswith("environment ") for row in rows) == 1
    assert [row.split()[0] for row in rows if row.startswith("atena-") and " on " in row[:24]] == ["atena-prod", "atena-empty"]
    assert any(row.startswith("atena-foreign") and "not read" in row for row in rows)
    assert any(row.startswith("atena-empty needs attention: atena-empty-api does not exist") for row in rows)
    told = json.loads(path.read_text())["environments"]
    assert [document["environment"] for document in told] == ["atena-prod", "atena-empty", "atena-foreign"]
    assert "error" in told[2] and told[1]["cost"]["now"] == 0
