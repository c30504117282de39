"""What a stop and a start decide, on tables: whose Redis that is, what is left to do, what RDS's states mean, what an apply that was killed left."""

import contextlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment import gates as power_gates, journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.gates import ABSENT, ADOPT, OFF, ON, PRESENT
from ansible_collections.atena.aws.plugins.module_utils.power import (
    database as databases,
    read as power_read,
    redis as power_redis,
    services as power_services,
    start as power_start,
    stop as power_stop,
    terraform as power_terraform,
)
from ansible_collections.atena.aws.plugins.module_utils.power.run import PowerFailed
from ansible_collections.atena.aws.plugins.module_utils.secrets.redis_url import RedisUrl

NOON = datetime(2027, 1, 15, 12, 0, 0, tzinfo=UTC)
BORN, LATER = "2027-01-14T07:00:00Z", "2027-01-15T07:00:00Z"


def cache(status="available", created_at=BORN):
    parameters = {"port": 6379, "engine": "redis", "node_type": "cache.t4g.micro"}
    return {"id": "atena-prod-redis", "status": status, "created_at": created_at, "address": "redis.local", "member_of": "", "parameters": parameters}


def journal(state="stopped", **redis):
    waits = {"snapshot": "s-1", "restored": False, "created_at": BORN, "parameters": {}}
    return {**power_journal.new("atena-prod"), "state": state, "redis": {**waits, **redis}}


# --- Gates ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("gates", "cause"),
    [
        (None, "does not exist.*Run bootstrap.yml"),
        ({}, "power is missing"),
        ({"power": "yes", "redis": "present"}, '"power" is "yes", not "on" or "off".*list-object-versions --bucket b --prefix k'),
        ({"power": "on", "redis": "gone"}, '"redis" is "gone", not "present", "adopt" or "absent"'),
        ({"power": True, "redis": "present"}, "power is true or false, not text"),
    ],
)
def test_gates_that_say_nothing_are_a_problem(gates, cause):
    with pytest.raises(CallFailed, match=f"s3://b/k.*{cause}"):
        power_gates.read_as(gates, "s3://b/k")


def test_a_waiting_snapshot_is_named_in_the_gates_as_long_as_there_is_no_redis():
    assert power_gates.wanted(OFF, ABSENT, "s-1").as_dict() == {"power": "off", "redis": "absent", "redis_snapshot": "s-1"}
    assert power_gates.wanted(ON, ADOPT, "s-1").as_dict() == {"power": "on", "redis": "adopt"}
    assert power_gates.read_as(power_gates.wanted(ON, PRESENT).as_dict(), "") == power_gates.wanted(ON, PRESENT)


# --- Redis ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("record", "now", "whose"),
    [
        (None, None, power_redis.NONE),
        (None, cache(), power_redis.OWN),
        (journal(restored=True), cache(created_at=LATER), power_redis.OWN),
        (journal(), cache(), power_redis.SOURCE),
        (journal(), cache(created_at=LATER), power_redis.FOREIGN),
        (journal(restored_created_at=LATER), cache(created_at=LATER), power_redis.RESTORED),
        (journal(restoring_at="2027-01-15T06:59:00Z"), cache(created_at=LATER), power_redis.RESTORED),
        # Clocks may be some minutes apart.
        (journal(restoring_at="2027-01-15T07:05:00Z"), cache(created_at=LATER), power_redis.RESTORED),
        (journal(restoring_at="2027-01-15T08:00:00Z"), cache(created_at=LATER), power_redis.FOREIGN),
        (journal(restoring_at="2027-01-15T06:59:00Z"), cache(created_at=""), power_redis.RESTORED),
    ],
)
def test_whose_cluster_that_is(record, now, whose):
    assert power_redis.origin(record, now) == whose


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (None, "nothing"),
        (cache(), "snapshot"),
        (cache("snapshotting"), "snapshot"),
        (cache("modifying"), "snapshot"),
        (cache("deleting"), "delete"),
        (cache("create-failed"), "delete"),
    ],
)
def test_what_a_stop_does_with_redis_first(now, first):
    assert power_redis.at_stop(now) == first


def test_the_new_snapshot_is_what_a_start_restores():
    changes, note = power_redis.after_snapshot(journal(restored=True), cache(created_at=LATER), "s-2", ran=True)
    assert (changes["snapshot"], changes["restored"], changes["created_at"], changes["parameters"], note) == ("s-2", False, LATER, cache()["parameters"], "")


def test_only_a_stops_own_failed_snapshots_are_worth_nothing():
    def told(name, status="failed", manual=True):
        return {"name": name, "status": status, "manual": manual}

    some = [told("r-stop-1"), told("r-stop-2", "available"), told("r-stop-3", "creating"), told("mine"), told("r-stop-4", manual=False)]
    assert power_redis.failed_snapshots(some, "r") == ["r-stop-1"]


def test_a_foreign_cluster_that_nobody_used_does_not_take_the_queues_place():
    changes, note = power_redis.after_snapshot(journal(), cache(created_at=LATER), "s-2", ran=False)
    assert "snapshot" not in changes and "s-1" in note and "s-2" in note
    changes, note = power_redis.after_snapshot(journal(), cache(created_at=LATER), "s-2", ran=True)
    assert changes["snapshot"] == "s-2" and "s-1" in note


@pytest.mark.parametrize(
    ("record", "redis", "now", "is_lost"),
    [
        (None, PRESENT, None, True),
        (None, PRESENT, cache("deleting"), True),
        (None, PRESENT, cache(), False),
        (journal(), PRESENT, None, False),
        (journal(restored=True), ABSENT, None, False),
    ],
)
def test_a_redis_that_somebody_deleted_is_told(record, redis, now, is_lost):
    assert power_redis.lost(record, power_gates.wanted(ON, redis), now) is is_lost


@pytest.mark.parametrize(
    ("record", "redis", "now", "named", "without", "action", "which"),
    [
        # The usual morning, and one after a restore that failed or a cluster that is still going.
        (journal(), ABSENT, None, "", "", "restore", "s-1"),
        (journal(), ABSENT, cache("create-failed", LATER), "", "", "restore", "s-1"),
        (journal(), ABSENT, cache("deleting"), "", "", "restore", "s-1"),
        # A gate that somebody opened by hand changes nothing about the queue.
        (journal(), PRESENT, None, "", "", "restore", "s-1"),
        # The stop died before the deletion, or the start after the restore.
        (journal(), ABSENT, cache(), "", "", "adopt", ""),
        (journal(), PRESENT, cache(), "", "", "keep", ""),
        (journal(restored_created_at=LATER), ABSENT, cache(created_at=LATER), "", "", "adopt", ""),
        # A restore died before it deleted what the snapshot is to replace: that is not the queue that was asked for.
        (journal(replacing=True), PRESENT, cache(), "", "", "refuse", None),
        (journal(replacing=True), ABSENT, cache(), "", "true", "refuse", None),
        (journal(replacing=True), PRESENT, cache(), "", "s-1", "keep", ""),
        (journal(replacing=True), ABSENT, None, "", "", "restore", "s-1"),
        (journal(replacing=True, restored_created_at=LATER), ABSENT, cache(created_at=LATER), "", "", "adopt", ""),
        (journal(restored_created_at=LATER), ADOPT, cache("modifying", LATER), "", "", "adopt", ""),
        (None, PRESENT, cache(), "", "", "keep", ""),
        # Somebody's empty cluster is not taken for the queue, unless its name was typed.
        (journal(), ABSENT, cache(created_at=LATER), "", "", "refuse", None),
        (journal(), ABSENT, cache(created_at=LATER), "", "true", "refuse", None),
        (journal(), ABSENT, cache(created_at=LATER), "", "s-1", "adopt", ""),
        # Consent to an empty Redis is for where there is no snapshot. One that is there is left alone by name only.
        (journal(restored=True), ABSENT, None, "", "", "refuse", ""),
        (journal(restored=True), ABSENT, None, "", "true", "create", ""),
        (None, ABSENT, None, "", "True", "create", ""),
        (None, PRESENT, None, "", "", "refuse", ""),
        (journal(), ABSENT, None, "", "true", "restore", "s-1"),
        (journal(), ABSENT, None, "", "s-1", "create", ""),
        (journal(), ABSENT, None, "", "s-0", "restore", "s-1"),
        # A named snapshot, only where there is no Redis.
        (journal(), ABSENT, None, "s-0", "", "restore", "s-0"),
        (journal(restored=True), ABSENT, None, "s-0", "", "restore", "s-0"),
        (None, PRESENT, cache(), "s-0", "", "refuse", None),
    ],
)
def test_what_a_start_does_with_redis(record, redis, now, named, without, action, which):
    said, of = power_redis.at_start(record, power_gates.wanted(OFF, redis), now, named, without)
    assert said == action
    assert which is None or of == which
    if said == power_redis.CREATE and power_journal.unrestored(record):
        assert without == power_journal.unrestored(record)  # nothing empty while a snapshot waits, but by its name


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("redis://old.local:6379", "redis://new.local:6380"),
        ("redis://old.local", "redis://new.local:6380"),
        ("rediss://:to%40ken@old.local:6379/2?timeout=1", "rediss://:to%40ken@new.local:6380/2?timeout=1"),
        ("redis://user:pass@old.local:6379/0", "redis://user:pass@new.local:6380/0"),
        ("redis://absent.invalid:6379", "redis://new.local:6380"),
        ("redis://[::1]:6379/1", "redis://new.local:6380/1"),
        ("redis://new.local:6380", "redis://new.local:6380"),
    ],
)
def test_only_the_address_in_the_url_changes(url, wanted):
    assert RedisUrl.parse(url).with_address("new.local", 6380).text == wanted


def test_what_is_no_redis_url_is_refused_without_being_told():
    with pytest.raises(ValueError) as wrong:
        RedisUrl.parse("s3cr3t")
    assert "s3cr3t" not in str(wrong.value)
    assert RedisUrl.parse("rediss://:to%40ken@old.local:6379").password == "to@ken"
    assert RedisUrl.parse("redis://old.local:6379").password == ""


# --- The database -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "stop", "start"),
    [
        ("available", "act", "done"),
        ("stopped", "done", "act"),
        ("stopping", "wait", "wait"),
        ("starting", "wait", "wait"),
        ("backing-up", "wait", "done"),
        ("configuring-enhanced-monitoring", "wait", "done"),
        ("configuring-log-exports", "wait", "done"),
        ("storage-optimization", "wait", "done"),
        ("modifying", "wait", "wait"),
        ("maintenance", "wait", "wait"),
        ("rebooting", "wait", "wait"),
        ("upgrading", "wait", "wait"),
        ("something-new", "wait", "wait"),
        ("storage-full", "refuse", "refuse"),
        ("failed", "refuse", "refuse"),
        ("incompatible-network", "refuse", "refuse"),
        ("inaccessible-encryption-credentials", "refuse", "refuse"),
        ("deleting", "refuse", "refuse"),
    ],
)
def test_what_each_state_of_rds_asks_for(status, stop, start):
    assert databases.toward(status, databases.STOP)[0] == stop
    assert databases.toward(status, databases.START)[0] == start
    for action, reason in (databases.toward(status, databases.STOP), databases.toward(status, databases.START)):
        assert bool(reason) == (action in ("wait", "refuse"))


def snapshot(name, hours_ago=0, status="available", kind="manual"):
    return {"DBSnapshotIdentifier": name, "SnapshotCreateTime": NOON - timedelta(hours=hours_ago), "Status": status, "SnapshotType": kind}


def test_the_newest_complete_backup_counts_if_it_is_young_enough():
    some = [
        snapshot("old", 30),
        snapshot("rds:night", 20, kind="automated"),
        snapshot("going", 0, "creating"),
        {"DBSnapshotIdentifier": "x", "Status": "available"},
    ]
    assert databases.fresh_backup(some, NOON, 24)["DBSnapshotIdentifier"] == "rds:night"
    assert databases.fresh_backup(some, NOON, 10) is None
    assert databases.fresh_backup([], NOON, 10) is None


def test_only_snapshots_of_this_very_instance_count():
    final = {**snapshot("e-db-final-1"), "DbiResourceId": "db-1"}
    own = {**snapshot("e-db-stop-1"), "DbiResourceId": "db-2"}
    some = [final, snapshot("untold"), own]
    assert databases.of_this_life(some, {"DbiResourceId": "db-2"}) == [own]
    assert databases.of_this_life(some, {}) == []


def test_only_a_stops_own_snapshots_are_pruned_and_never_the_last():
    own = [databases.own_name("db", NOON - timedelta(days=days)) for days in range(4)]
    some = [*(snapshot(name) for name in own), snapshot("mine"), snapshot("db-final-ab"), snapshot("rds:db", kind="automated")]
    assert databases.surplus(some, "db", 2) == [own[3], own[2]]
    assert databases.surplus(some, "db", 0) == sorted(own)[:3]
    assert databases.surplus(some, "db", 9) == []
    assert databases.surplus([snapshot(own[0]), snapshot(own[1], status="creating")], "db", 1) == []


# --- Services ---------------------------------------------------------------------------------------------------------
def service(desired, primary="d-1"):
    return {"desiredCount": desired, "deployments": [{"id": primary, "status": "PRIMARY"}], "taskDefinition": "arn:…/api:1"}


@pytest.mark.parametrize(
    ("now", "count", "before", "update"),
    [
        (service(0), 2, "d-1", {"desiredCount": 2, "forceNewDeployment": True}),
        # Sent by a run that was killed: not twice.
        (service(2, "d-2"), 2, "d-1", {}),
        # As it was: a new deployment, so that there is one to wait for.
        (service(2), 2, "d-1", {"desiredCount": 2, "forceNewDeployment": True}),
        (service(1, "d-2"), 2, "d-1", {"desiredCount": 2, "forceNewDeployment": True}),
        (service(0), 0, "d-1", {}),
        (service(3), 0, "d-1", {"desiredCount": 0, "forceNewDeployment": True}),
    ],
)
def test_a_service_comes_back_with_one_new_deployment(now, count, before, update):
    assert power_services.way_back(now, count, before) == update


def test_which_tasks_nothing_would_stop():
    assert power_services.one_off({"group": "family:api"}) and power_services.one_off({})
    assert not power_services.one_off({"group": "service:api"})
    assert power_services.name_of({"taskArn": "a/b/c", "startedBy": "ana", "lastStatus": "RUNNING"}) == "c (ana, running)"


def test_what_is_brought_back_where_nothing_is_on_record():
    now = {"api": service(0), "workers": service(3), "new": service(0)}
    given = {"api": 2, "workers": 1, "new": 1}
    wanted = power_start.counts_back(None, now, given, templates={"new"})
    assert {name: entry["desired_count"] for name, entry in wanted.items()} == {"api": 2, "workers": 3, "new": 0}
    known = {**power_journal.new("e"), "services": {"api": {"desired_count": 5, "bounds": None}, "gone": {"desired_count": 1, "bounds": None}}}
    wanted = power_start.counts_back(known, now, given, templates={"new"})
    assert {name: entry["desired_count"] for name, entry in wanted.items()} == {"api": 5, "workers": 3, "new": 0}


# --- What is left to do -----------------------------------------------------------------------------------------------
BALANCER = {"LoadBalancerName": "atena-prod-alb", "LoadBalancerArn": "arn:lb", "State": {"Code": "active"}, "DNSName": "alb.local"}
GATEWAY = {"NatGatewayId": "nat-1", "State": "available", "VpcId": "vpc-1"}
LISTENER = {"ListenerArn": "arn:listener", "Port": 80, "DefaultActions": [{"TargetGroupArn": "arn:aws:e:r:1:targetgroup/atena-prod-api-tg/ab12"}]}
TABLE = {"RouteTableId": "rtb-1", "Routes": [{"NatGatewayId": "nat-1"}]}
POWERED = {"load_balancer": BALANCER, "listeners": [LISTENER], "rules": [], "nat_gateway": GATEWAY, "route_tables": [TABLE]}
UNPOWERED = {"load_balancer": None, "listeners": [], "rules": [], "nat_gateway": None, "route_tables": []}


def looks(power=ON, redis=PRESENT, state=None, counts=(1, 1), database="available", now=None, parts=None, tasks=()):
    record = {**journal(state), **({} if redis == ABSENT else {"redis": None})} if state else None
    return {
        "gates": power_gates.wanted(power, redis),
        "journal": record,
        "services": {name: service(count) for name, count in zip(("api", "workers"), counts, strict=True)},
        "tasks": list(tasks),
        "database": {"DBInstanceIdentifier": "atena-prod-db", "DBInstanceStatus": database},
        "redis": now,
        "power": parts or (POWERED if power == ON else UNPOWERED),
    }


ON_NOW = {"now": cache()}
OFF_NOW = {"power": OFF, "redis": ABSENT, "counts": (0, 0), "database": "stopped"}


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        (looks(**ON_NOW), ["services", "tasks", "database", "redis", "power"]),
        (looks(**OFF_NOW, state="stopped"), []),
        (looks(**OFF_NOW), []),
        # AWS started the database again.
        (looks(**{**OFF_NOW, "database": "available"}, state="stopped"), ["database"]),
        (looks(**{**OFF_NOW, "database": "stopping"}, state="stopped"), ["database"]),
        # Runs that died: all of it is off, or some of it.
        (looks(**OFF_NOW, state="stopping"), ["power"]),
        (looks(counts=(0, 0), now=cache(), state="stopping"), ["database", "redis", "power"]),
        (looks(**{**OFF_NOW, "now": cache("deleting")}, state="stopping"), ["redis", "power"]),
        (looks(**OFF_NOW, parts=POWERED, state="stopped"), ["power"]),
        (looks(power=ON, redis=ABSENT, counts=(0, 0), database="starting", state="starting"), ["database", "power"]),
        # Somebody's task runs in a stopped environment.
        (looks(**OFF_NOW, state="stopped", tasks=[{"taskArn": "a/b/c"}]), ["tasks"]),
        (looks(counts=(0, 1), now=cache()), ["services", "tasks", "database", "redis", "power"]),
    ],
)
def test_what_is_left_of_a_stop(seen, steps):
    assert [entry["step"] for entry in power_stop.remaining(seen, backup_needed=True)] == steps


def test_a_stop_tells_each_thing_that_it_would_do():
    said = " ".join(entry["says"] for entry in power_stop.remaining(looks(**ON_NOW, tasks=[{"taskArn": "a/b/c", "startedBy": "ana"}]), True))
    for words in (
        "api 1, workers 1",
        "c (ana",
        "take a snapshot, because there is no fresh backup, and stop",
        "verify",
        "destroy the load balancer and the NAT",
    ):
        assert words in said
    refused = power_stop.remaining(looks(**{**ON_NOW, "database": "storage-full"}), False)
    assert "WOULD FAIL" in next(entry["says"] for entry in refused if entry["step"] == "database")


@pytest.mark.parametrize(
    ("database", "told"),
    [
        ({}, ""),
        ({"ReadReplicaDBInstanceIdentifiers": [], "ReadReplicaSourceDBInstanceIdentifier": ""}, ""),
        ({"ReadReplicaDBInstanceIdentifiers": ["reports", "copy"]}, "copy, reports are read replicas of it"),
        ({"ReadReplicaDBClusterIdentifiers": ["arn:cluster"]}, "arn:cluster is a read replica of it"),
        ({"ReadReplicaSourceDBInstanceIdentifier": "main"}, "it is a read replica of main"),
        ({"DBClusterIdentifier": "aurora", "Engine": "aurora-postgresql"}, "it belongs to the cluster aurora"),
        ({"DBInstanceStatus": "storage-full"}, "while it is storage-full"),
        # Stopped already: whatever it is, it needs no stop.
        ({"DBInstanceStatus": "stopped", "ReadReplicaSourceDBInstanceIdentifier": "main"}, ""),
        # That passes.
        ({"DBInstanceStatus": "modifying"}, ""),
    ],
)
def test_what_rds_never_stops_is_known_before_the_services_go(database, told):
    seen = looks(**ON_NOW)
    seen["database"].update(database)
    found = power_stop.impossible(seen)
    assert bool(found) == bool(told) and told in " ".join(found)
    if found:
        assert "atena-prod-db" in found[0] and "WOULD FAIL" in " ".join(entry["says"] for entry in power_stop.remaining(seen, False))


def test_so_is_what_elasticache_never_takes_a_snapshot_of():
    found = power_stop.impossible(looks(now={**cache(), "parameters": {**cache()["parameters"], "node_type": "cache.t1.micro"}}))
    assert len(found) == 1 and "without snapshots" in found[0]
    assert power_stop.impossible(looks(now=cache("create-failed"))) == []


def test_a_stop_of_such_an_environment_is_refused_with_all_reasons():
    stop = SimpleNamespace(seen=looks(now={**cache(), "parameters": {**cache()["parameters"], "engine": "memcached"}}))
    stop.seen["database"]["ReadReplicaDBInstanceIdentifiers"] = ["reports"]
    with pytest.raises(PowerFailed, match=r"(?s)reports.*Memcached.*Nothing was changed"):
        power_stop.Stop.refuse(stop)


RESTORE, KEEP, ADOPTS = ("restore", "s-1"), ("keep", ""), ("adopt", "")


@pytest.mark.parametrize(
    ("seen", "redis", "steps"),
    [
        (looks(**ON_NOW), KEEP, []),
        (looks(**ON_NOW, state="running"), KEEP, []),
        (looks(**{**ON_NOW, "counts": (1, 0)}, state="running"), KEEP, []),
        (looks(**OFF_NOW, state="stopped"), RESTORE, ["database", "redis", "power", "redis_url", "services", "health"]),
        (looks(**{**ON_NOW, "database": "stopped"}, state="running"), KEEP, ["database"]),
        (looks(**{**ON_NOW, "database": "backing-up"}, state="running"), KEEP, []),
        # A stop that died early, one that died late, a start that died.
        (looks(**{**ON_NOW, "counts": (0, 0)}, state="stopping"), KEEP, ["power", "redis_url", "services", "health"]),
        (looks(power=OFF, redis=ABSENT, counts=(0, 0), now=cache(), state="stopping"), ADOPTS, ["redis", "power", "redis_url", "services", "health"]),
        (looks(counts=(0, 0), now=cache(), state="starting"), KEEP, ["power", "redis_url", "services", "health"]),
        # Somebody deleted the load balancer of a running environment.
        (looks(**ON_NOW, parts={**POWERED, "load_balancer": None}, state="running"), KEEP, ["power", "redis_url", "services", "health"]),
        (looks(**OFF_NOW), ("create", ""), ["database", "redis", "power", "redis_url", "services", "health", "reenqueue"]),
    ],
)
def test_what_is_left_of_a_start(seen, redis, steps):
    assert [entry["step"] for entry in power_start.remaining(seen, redis, "node bring-back.js")] == steps


def test_a_start_that_would_be_refused_says_so():
    said = {entry["step"]: entry["says"] for entry in power_start.remaining(looks(**OFF_NOW), ("refuse", "no snapshot"))}
    assert said["redis"] == "WOULD FAIL: no snapshot"


@pytest.mark.parametrize(
    ("parts", "database", "now", "reason"),
    [
        (POWERED, "available", cache(), None),
        (POWERED, "storage-optimization", cache(), None),
        ({**POWERED, "load_balancer": None, "listeners": []}, "available", cache(), None),  # an environment without a web service has none
        ({**POWERED, "load_balancer": {**BALANCER, "State": {"Code": "provisioning"}}}, "available", cache(), "provisioning"),
        ({**POWERED, "listeners": []}, "available", cache(), "no listener"),
        ({**POWERED, "nat_gateway": {**GATEWAY, "State": "pending"}}, "available", cache(), "NAT gateway is pending"),
        ({**POWERED, "route_tables": []}, "available", cache(), "no route"),
        (UNPOWERED, "available", cache(), "NAT gateway is not there"),
        (POWERED, "starting", cache(), "database is starting"),
        (POWERED, "available", cache("creating"), "Redis is creating"),
        (POWERED, "available", None, "Redis is not there"),
    ],
)
def test_when_services_may_start(parts, database, now, reason):
    found = power_start.not_ready(parts, {"DBInstanceStatus": database}, now)
    assert found == [] if reason is None else reason in "; ".join(found)


# --- Terraform --------------------------------------------------------------------------------------------------------
def test_what_an_apply_that_was_killed_had_made_is_found():
    found = power_terraform.missing_from_state({"aws_vpc.main"}, POWERED, "atena-prod")
    assert found == [
        ("aws_lb.main[0]", "arn:lb"),
        ('aws_lb_listener.http["api"]', "arn:listener"),
        ("aws_nat_gateway.main[0]", "nat-1"),
        ("aws_route.private_nat[0]", "rtb-1_0.0.0.0/0"),
    ]
    assert power_terraform.missing_from_state({address for address, _id in found}, POWERED, "atena-prod") == []
    assert power_terraform.missing_from_state(set(), UNPOWERED, "atena-prod") == []


def test_rules_are_taken_in_by_the_service_that_they_forward_to():
    def rule(arn, group):
        return {"RuleArn": arn, "Priority": "10", "Actions": [{"Type": "forward", "TargetGroupArn": f"arn:aws:e:r:1:targetgroup/{group}/cd34"}]}

    # One that somebody made by hand for another target group is nobody's of ours; one that answers by itself has none.
    fixed = {"RuleArn": "arn:fixed", "Priority": "2", "Actions": [{"Type": "fixed-response"}]}
    parts = {**POWERED, "rules": [rule("arn:rule", "atena-prod-admin-tg"), rule("arn:other", "shop-tg"), fixed]}
    found = power_terraform.missing_from_state(set(), parts, "atena-prod")
    assert [entry for entry in found if "rule" in entry[0]] == [('aws_lb_listener_rule.service["admin"]', "arn:rule")]
    assert dict(found)['aws_lb_listener.http["api"]'] == "arn:listener"


def test_with_a_certificate_both_listeners_and_the_record_are_taken_in():
    redirecting = {"ListenerArn": "arn:80", "Port": 80, "DefaultActions": [{"Type": "redirect", "RedirectConfig": {"Port": "443"}}]}
    serving = {**LISTENER, "ListenerArn": "arn:443", "Port": 443}
    parts = {**POWERED, "listeners": [redirecting, serving], "record": "Z1_app.example.com_A"}
    found = dict(power_terraform.missing_from_state(set(), parts, "atena-prod"))
    assert found['aws_lb_listener.http["api"]'] == "arn:80"
    assert found['aws_lb_listener.https["api"]'] == "arn:443"
    assert found["aws_route53_record.main[0]"] == "Z1_app.example.com_A"
    # Killed before the second one was made: 443 comes first (infra/load_balancer.tf), so the one that redirects never stands alone.
    assert 'aws_lb_listener.https["api"]' in dict(power_terraform.missing_from_state(set(), {**parts, "listeners": [serving]}, "atena-prod"))


@pytest.mark.parametrize(
    ("target", "record"),
    [("alb.local.", "Z1_app.example.com_A"), ("dualstack.ALB.local.", "Z1_app.example.com_A"), ("elsewhere.local.", ""), ("", "")],
)
def test_only_a_record_that_leads_to_the_load_balancer_is_its_own(target, record):
    answer = [{"Name": "app.example.com.", "Type": "A", **({"AliasTarget": {"DNSName": target}} if target else {"ResourceRecords": []})}]
    domain = {"name": "app.example.com", "zone_id": "Z1"}
    assert power_read.alias_of(lambda *_args, **_more: {"ResourceRecordSets": answer}, domain, BALANCER) == record
    assert power_read.alias_of(None, {}, BALANCER) == power_read.alias_of(None, domain, None) == ""


def test_a_named_snapshot_must_be_one_of_this_environments():
    own = [{"name": "app-redis-stop-2", "created_at": "2027-01-02T00:00:00Z", "status": "available"}]
    assert power_redis.if_own("app-redis-stop-2", "app-redis", own) == (power_redis.RESTORE, "app-redis-stop-2")
    doing, why = power_redis.if_own("app-prod-redis-stop-1", "app-redis", own)
    assert doing == power_redis.REFUSE
    assert "app-prod-redis-stop-1 is none of app-redis" in why and "start_redis_snapshot=app-redis-stop-2" in why


def test_redis_is_not_deleted_under_a_task_that_came_after_its_snapshot(monkeypatch):
    monkeypatch.setattr(power_stop, "tasks_of", lambda call, cluster: [{"taskArn": "arn:aws:ecs:::task/c/1", "group": "family:report"}])
    monkeypatch.setattr(power_stop.redis_restore, "delete", lambda *_, **__: pytest.fail("Redis was deleted"))
    stop = SimpleNamespace(call=None, cluster="c", journal=SimpleNamespace(step=lambda name: contextlib.nullcontext()))
    with pytest.raises(CallFailed, match="Tasks were started while this stop was in progress: .*report.*app-redis was not deleted"):
        power_stop.Stop._delete(stop, {"id": "app-redis"}, None)


def test_what_a_redis_that_came_back_empty_needs_is_the_command_and_nothing_else():
    on = looks(**ON_NOW, state="running")
    found = power_start.remaining(on, KEEP, "node bring-back.js", "2026-11-30T10:00:00Z")
    assert [entry["step"] for entry in found] == ["reenqueue"]
    assert "came back empty at 2026-11-30T10:00:00Z" in found[0]["says"] and "Would run node bring-back.js" in found[0]["says"]
    found = power_start.remaining(on, KEEP, "", "2026-11-30T10:00:00Z")
    assert [entry["step"] for entry in found] == ["reenqueue"] and "atena_reenqueue_command" in found[0]["says"]
