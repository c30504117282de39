"""What a release goes back to, and which records it goes by."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from ansible_collections.atena.aws.plugins.module_utils.environment.release_record import Previous, Service
from ansible_collections.atena.aws.plugins.module_utils.release.targets import come_back_to, unfinished_release
from test_ledger import record as release


def target(task_definition, count=2):
    return SimpleNamespace(name="a-api", service={"taskDefinition": task_definition, "desiredCount": count}, is_first=False)


def unfinished(step):
    previous = Previous(task_definition="a-api:1", desired_count=1, is_first=False)
    return release(step=step, services=[Service(name="a-api", task_definition="a-api:2", desired_count=1, previous=previous)])


def now(task_definition):
    return Previous(task_definition=task_definition, desired_count=2, is_first=False)


@pytest.mark.parametrize(
    "has, record, back",
    [
        ("a-api:2", None, now("a-api:2")),
        # It died with the service on its way: what it left is not what was good.
        ("a-api:2", unfinished("rolling_out"), unfinished("rolling_out").services[0].previous),
        ("a-api:1", unfinished("reverting"), unfinished("reverting").services[0].previous),
        # It had not touched the services yet.
        ("a-api:1", unfinished("migrating"), now("a-api:1")),
        # Somebody moved the service elsewhere since.
        ("a-api:9", unfinished("rolling_out"), now("a-api:9")),
    ],
)
def test_it_goes_back_to_what_was_good(has, record, back):
    assert come_back_to(target(has), record) == back


def test_a_service_that_the_record_does_not_know_goes_back_to_what_it_has():
    record = replace(unfinished("rolling_out"), services=[])
    assert come_back_to(target("a-api:2"), record) == now("a-api:2")


@pytest.mark.parametrize("outcomes, found", [([], None), (["succeeded", "running"], None), (["running", "succeeded"], 0), (["interrupted", "failed"], 0)])
def test_only_the_newest_release_can_be_unfinished(outcomes, found):
    records = [release(outcome=outcome) for outcome in outcomes]
    assert unfinished_release(records) == (None if found is None else records[found])
