"""What Terraform must not make: a database or a Redis that begins with something else than what is on record. Plans as `terraform show -json` tells them."""

import json
import types
from pathlib import Path

import pytest
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.terraform import guards
from ansible_collections.atena.aws.plugins.modules import terraform_apply
from planned import plan_and_apply
from test_ledger import Bucket

DATABASE, REDIS = "aws_db_instance.main", "aws_elasticache_cluster.main[0]"


def resource(address, actions=("create",), **after):
    return {"address": address, "type": address.split(".")[0], "change": {"actions": list(actions), "before": None, "after": after, "after_unknown": {}}}


class Terraform:
    """Plans what it is given, and says whether it was applied."""

    def __init__(self, *resources):
        self.plan, self.applied, self.directory = {"resource_changes": list(resources)}, False, Path("/nowhere")

    def checked(self, doing, command, *arguments, **_options):
        self.arguments = [*getattr(self, "arguments", []), *arguments]
        self.applied = self.applied or command == "apply"
        return 2, [], []

    def json(self, *_arguments, **_options):
        return self.plan


def run(terraform, **options):
    return plan_and_apply(terraform, allow_destroy=["*"], **options)


def module(record=None, power=None, *, redeploying=False, check=False, monkeypatch):
    """terraform_apply's module, beside a bucket with these records."""
    bucket = Bucket()
    for key, found in (("destroyed", record), ("power", power)):
        if found:
            bucket.objects[key] = json.dumps({**power_journal.new("e"), **found}).encode()
    monkeypatch.setattr(terraform_apply, "Caller", lambda _module: bucket)
    where = {"destroy_record": {"bucket": "state", "key": "destroyed", "redeploying": redeploying}, "power_journal": {"bucket": "state", "key": "power"}}
    return types.SimpleNamespace(params=where, check_mode=check)


# --- A service that nobody would reach --------------------------------------------------------------------------------
WEB = resource('aws_ecs_service.service["admin"]', load_balancer=[{"target_group_arn": "arn:tg"}])


@pytest.mark.parametrize(
    ("resources", "options", "is_refused"),
    [
        ((WEB,), {}, True),
        ((WEB, resource('aws_lb_listener.http["api"]', ("delete",))), {}, True),
        ((WEB, resource('aws_lb_listener.http["api"]', ("no-op",))), {}, False),
        ((WEB, resource('aws_lb_listener.http["api"]')), {}, False),
        ((resource(WEB["address"], ("update",), load_balancer=[{}]),), {}, False),
        ((resource('aws_ecs_service.service["workers"]', load_balancer=[]),), {}, False),
        # A stop's own apply.
        ((WEB,), {"mend": ["aws_lb.main[0]"]}, False),
    ],
)
def test_a_service_is_not_put_behind_a_load_balancer_that_is_off(resources, options, is_refused):
    terraform = Terraform(*resources)
    if not is_refused:
        run(terraform, **options)
        assert terraform.applied
        return
    with pytest.raises(guards.Refused, match="the environment is stopped, and ECS refuses.*Nothing was changed. Run start.yml, then infra.yml."):
        run(terraform, **options)
    assert not terraform.applied


# --- What a redeploy begins with --------------------------------------------------------------------------------------
CHOSEN = {"database": "d", "redis": "r"}
BOTH = (resource(DATABASE, snapshot_identifier="d"), resource(REDIS, snapshot_name="r"))


@pytest.mark.parametrize(
    ("resources", "chosen", "words"),
    [
        (BOTH, CHOSEN, []),
        (BOTH, None, []),
        ((resource(DATABASE), resource(REDIS)), {"database": "", "redis": ""}, []),
        ((resource(DATABASE, snapshot_identifier=None), BOTH[1]), CHOSEN, [f"{DATABASE} would be made empty, and is to be made from the snapshot d"]),
        ((BOTH[0], resource(REDIS, snapshot_name=None)), CHOSEN, [f"{REDIS} would be made empty, and is to be made from the snapshot r"]),
        ((resource(DATABASE), resource(REDIS)), CHOSEN, [DATABASE, REDIS]),
        ((resource(DATABASE, snapshot_identifier="x"),), CHOSEN, ["would be made from the snapshot x, and is to be made from the snapshot d"]),
        (BOTH, {"database": "d", "redis": ""}, [f"{REDIS} would be made from the snapshot r, and is to be made empty"]),
        # What its creation left half-made is made anew, and is to have the rows, too.
        ((resource(DATABASE, ("delete", "create")),), CHOSEN, [DATABASE]),
        # What is there is what it is.
        ((resource(DATABASE, ("update",)), resource(REDIS, ("no-op",)), resource("aws_vpc.main")), CHOSEN, []),
    ],
)
def test_a_redeploy_makes_a_database_and_a_redis_from_what_it_chose_only(resources, chosen, words):
    terraform = Terraform(*resources)
    if not words:
        run(terraform, chosen=lambda: chosen)
        assert terraform.applied
        return
    with pytest.raises(guards.Refused) as refused:
        run(terraform, chosen=lambda: chosen)
    said = str(refused.value)
    assert all(word in said for word in words) and not terraform.applied
    assert "Nothing was changed. Another run for this environment rewrote the working copy" in said and "Run redeploy.yml again" in said
    assert [one["address"] for one in refused.value.details["refused"]] == [one["address"] for one in resources if one["address"] in said]


def replaced(after_unknown, actions=("delete", "create"), **after):
    found = resource(DATABASE, actions, **after)
    return {**found, "change": {**found["change"], "after_unknown": after_unknown}}


@pytest.mark.parametrize(
    ("planned", "refused"),
    [
        (replaced({"engine_version": True}, engine_version=None), True),
        (replaced({"engine_version": True}, ("create",)), True),
        (replaced({}, engine_version="16"), False),
        (replaced({"engine_version": True}, snapshot_identifier="s"), False),  # which has a version
        (replaced({"engine_version": True}, ("update",)), False),
        (replaced({"engine_version": True}, ("delete",)), False),
    ],
)
def test_a_database_is_made_in_no_version_that_nobody_asked_for(planned, refused):
    terraform = Terraform(planned)
    if not refused:
        run(terraform)
        assert terraform.applied
        return
    with pytest.raises(guards.Refused, match="in the version that RDS has as its default, not in the configuration's") as found:
        run(terraform)
    assert not terraform.applied and f"terraform untaint {DATABASE}" in str(found.value)


def test_what_it_chose_is_asked_for_only_where_something_is_made():
    run(Terraform(resource("aws_vpc.main"), resource(DATABASE, ("update",))), chosen=lambda: pytest.fail("the record was read"))


@pytest.mark.parametrize(
    ("state", "redeploying", "check", "expected"),
    [
        ("redeploying", True, False, CHOSEN),
        ("destroyed", True, False, CHOSEN),
        # It is over: what is missing then is infra.yml's, as ever.
        ("redeployed", True, False, None),
        ("redeploying", False, False, None),
        # A check recorded nothing of what it was asked for.
        ("destroyed", True, True, None),
    ],
)
def test_what_it_chose_is_on_record(state, redeploying, check, expected, monkeypatch):
    record = {"state": state, "database": {"snapshot": "d"}, "redis": {"snapshot": "r"}}
    assert terraform_apply.chosen(module(record, redeploying=redeploying, check=check, monkeypatch=monkeypatch)) == expected


def test_it_chose_an_empty_one_where_none_is_on_record(monkeypatch):
    record = {"state": "redeploying", "database": {"snapshot": ""}, "redis": None}
    assert terraform_apply.chosen(module(record, redeploying=True, monkeypatch=monkeypatch)) == {"database": "", "redis": ""}
    assert terraform_apply.chosen(module(redeploying=True, monkeypatch=monkeypatch)) is None


# --- A queue that waits -----------------------------------------------------------------------------------------------
LEFT = {"operator": "o", "began_at": "2027-01-15T12:00:00Z", "database": {"snapshot": "d"}, "redis": {"snapshot": "r"}}
STOPPED = {"state": "stopped", "redis": {"snapshot": "r-stop", "restored": False}}
# What a destroy leaves in the journal of stops and starts.
OVER = {"state": "running", "redis": {"snapshot": "r", "restored": True}}
BY_START, BY_REDEPLOY = "start.yml -e start_without_queue=r-stop", "redeploy.yml -e redeploy_redis_snapshot=none"


@pytest.mark.parametrize(
    ("record", "power", "redeploying", "remedy"),
    [
        (None, None, False, ""),
        (None, OVER, False, ""),
        (None, STOPPED, False, BY_START),
        # The redeploy brought back the database, and died over Redis.
        ({**LEFT, "state": "redeploying"}, OVER, False, BY_REDEPLOY),
        ({**LEFT, "state": "destroyed"}, OVER, False, BY_REDEPLOY),
        ({**LEFT, "state": "redeploying", "redis": {"snapshot": ""}}, OVER, False, ""),
        ({**LEFT, "state": "redeployed"}, OVER, False, ""),
        # It made Redis again, and the environment was stopped since: the stop's is the newer one.
        ({**LEFT, "state": "redeploying"}, STOPPED, False, BY_START),
        ({**LEFT, "state": "redeploying"}, OVER, True, ""),
        ({**LEFT, "state": "redeploying"}, STOPPED, True, BY_START),
    ],
)
def test_no_empty_redis_is_made_while_the_queue_waits_and_the_playbook_that_restores_it_is_named(record, power, redeploying, remedy, monkeypatch):
    caller, terraform = module(record, power, redeploying=redeploying, monkeypatch=monkeypatch), Terraform(resource(REDIS))
    options = {"no_redis": lambda: terraform_apply.no_redis(caller)}
    if not remedy:
        run(terraform, **options)
        assert terraform.applied
        return
    with pytest.raises(guards.Refused) as refused:
        run(terraform, **options)
    said, other = str(refused.value), "redeploy.yml" if remedy == BY_START else "start.yml"
    assert said.startswith(f"Terraform would create an empty Redis ({REDIS}). Nothing was changed.") and said.endswith(remedy)
    assert other not in said and not terraform.applied


def test_a_redis_that_is_adopted_is_no_empty_one_and_one_that_is_replaced_is():
    def refused(*actions, address=REDIS, **change):
        made = resource(address, actions)
        made["change"].update(change)
        try:
            run(Terraform(made), no_redis=lambda: "The queue waits.")
        except guards.Refused as failed:
            return [one["address"] for one in failed.details["refused"]]
        return []

    group = "aws_elasticache_replication_group.main"
    assert refused("update", importing={"id": "e-redis"}) == []
    assert refused("create") == [REDIS] and refused("delete", "create", address=group) == [group]


def test_the_rows_are_spoken_of_before_the_queue():
    with pytest.raises(guards.Refused, match="an empty database.*the rows"):
        run(Terraform(resource(REDIS), resource(DATABASE)), no_redis=lambda: "the queue", no_database=lambda: "the rows")


def test_what_makes_neither_asks_for_no_record():
    def asked():
        pytest.fail("a record was read")

    terraform = Terraform(resource(REDIS, ("update",)), resource(DATABASE, ("no-op",)))
    run(terraform, no_redis=asked, no_database=asked)
    assert terraform.applied


def test_what_rds_would_refuse_is_refused_before_anything_is_applied():
    change = resource(DATABASE, ("update",), engine_version="17")
    change["change"]["before"] = {"engine_version": "16.13"}
    terraform = Terraform(change)
    with pytest.raises(guards.Refused, match="allow_major_version_upgrade: true in atena_database.*Nothing was changed"):
        run(terraform)
    assert not terraform.applied
    change["change"]["after"]["allow_major_version_upgrade"] = True
    run(terraform)
    assert terraform.applied


def test_a_redis_that_somebody_deleted_is_not_made_anew_empty_without_a_word():
    terraform = Terraform(resource(REDIS))
    terraform.plan["resource_drift"] = [
        {"address": REDIS, "type": "aws_elasticache_cluster", "change": {"actions": ["delete"], "before": {"id": "e-redis"}, "after": None}}
    ]
    with pytest.raises(guards.Refused, match="was deleted outside of Terraform, with its queue. Nothing was changed. Restore it."):
        run(terraform, lost_redis="Restore it.")
    assert not terraform.applied
    run(terraform)
    assert terraform.applied


# --- What is replaced though nothing differs ---------------------------------------------------------------------------
URL = "aws_ssm_parameter.redis_url"


def test_a_parameter_that_is_to_be_written_again_needs_no_other_permission():
    terraform = Terraform(resource(URL, ("delete", "create")))
    plan_and_apply(terraform, allow_destroy=guards.written_again([URL]), replace=[URL])
    assert terraform.applied and f"-replace={URL}" in terraform.arguments


@pytest.mark.parametrize(("named", "changed"), [(DATABASE, DATABASE), (URL, DATABASE)])
def test_what_holds_data_is_not_replaced_by_being_named_once(named, changed):
    terraform = Terraform(resource(changed, ("delete", "create")))
    with pytest.raises(guards.Refused, match=DATABASE):
        plan_and_apply(terraform, allow_destroy=guards.written_again([named]), replace=[named])
    assert not terraform.applied
