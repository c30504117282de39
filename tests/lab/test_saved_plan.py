"""A plan that is kept, looked at, and applied later - or refused, because it no longer means what it meant."""

from __future__ import annotations

import re
import stat

import pytest
from wire import Wire

pytestmark = pytest.mark.lab
GROUP = "/ecs/atena-prod-api"


def retention(lab) -> int:
    return lab.client("logs").describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]["retentionInDays"]


def keep(lab, path, days, *arguments):
    return lab.playbook("infra.yml", "-e", f"atena_log_retention_days={days}", "-e", f"infra_save_plan={path}", *arguments).must_succeed()


def apply(lab, path, days=30, *arguments, environment=None):
    return lab.playbook("infra.yml", "-e", f"atena_log_retention_days={days}", "-e", f"infra_plan_file={path}", *arguments, environment=environment)


def refused(lab, path, days, words):
    with Wire(lab.endpoint) as wire:
        run = apply(lab, path, days, environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_fail()
    assert words in run.text and "Nothing was changed" in run.text, run.output
    assert f"infra_save_plan={path}" in run.text
    assert wire.writes(besides_lock=True) == []


@pytest.fixture(scope="module", autouse=True)
def as_it_was(lab):
    before = retention(lab)
    yield
    lab.playbook("infra.yml").must_succeed()
    assert retention(lab) == before


def test_a_plan_is_kept_private_then_applied_once_and_gone(lab, tmp_path):
    path = tmp_path / "plans" / "prod.tfplan"
    before = retention(lab)
    kept = keep(lab, path, 14)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and retention(lab) == before
    assert "may hold secrets" in kept.text and "nothing was applied" in kept.text
    # The inventory says something else than when it was made: then it is not what would be planned now.
    refused(lab, path, 30, "the inventory has changed since it was made (log_retention_days)")
    looked = apply(lab, path, 14, "--check").must_succeed()
    assert path.exists() and looked.changed == 1 and retention(lab) == before
    done = apply(lab, path, 14).must_succeed()
    assert retention(lab) == 14 and not path.exists() and done.changed == 1
    password = re.search(
        r"postgresql://[^:]+:([^@]+)@", lab.client("ssm").get_parameter(Name="/atena/prod/DATABASE_URL", WithDecryption=True)["Parameter"]["Value"]
    )
    assert password[1] not in kept.output + done.output
    assert "There is no plan" in apply(lab, path, 14).must_fail().text


def test_a_plan_that_somebody_overtook_is_stale(lab, tmp_path):
    path = tmp_path / "old.tfplan"
    keep(lab, path, 7)
    lab.playbook("infra.yml", "-e", "atena_log_retention_days=60").must_succeed()
    refused(lab, path, 7, "is stale and was not applied: the state has changed since it was made (it is at serial")
    assert retention(lab) == 60 and path.exists()


def test_an_empty_plan_is_not_kept(lab, tmp_path):
    lab.playbook("infra.yml").must_succeed()
    run = keep(lab, tmp_path / "none.tfplan", 30)
    assert run.changed == 0 and not (tmp_path / "none.tfplan").exists() and "nothing to change" in run.text
