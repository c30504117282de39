"""The verdict over the facts of a healthy environment, and over the same with one thing wrong each."""

import copy
import datetime
import json
from pathlib import Path

import pytest
from ansible_collections.atena.aws.plugins.module_utils.environment import unfinished
from ansible_collections.atena.aws.plugins.module_utils.preflight import check as preflight
from ansible_collections.atena.aws.plugins.module_utils.preflight.findings import FAILED, OK, WARNING, result_of
from fakes import work

# Gathered from the lab's own environment, deployed and healthy.
RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "preflight_facts.json").read_text())
API, WORKERS = "atena-prod-api", "atena-prod-workers"
REQUEST = {
    "name": "atena-prod",
    "cluster": "atena-prod-cluster",
    "services": [{"name": API, "health_path": "/health"}, {"name": WORKERS}],
    "ssm_path": "/atena/prod",
    "database_id": "atena-prod-db",
    "redis_id": "atena-prod-redis",
    "rollout_timeout": 240,
    "ca_bundles": True,
    "now": datetime.datetime(2027, 1, 15, tzinfo=datetime.UTC),
    "gates_bucket": "bucket",
    "gates_key": "atena/prod/gates.json",
    "lock_table": "locks",
}
UNREAD = {"unread": "Could not read it: AccessDenied: no."}
LOCK = {"ours": False, "expired": False, "standing": "atena-prod is locked by ana on laptop."}


@pytest.fixture
def facts():
    return copy.deepcopy(RECORDED)


def judged(facts, **request):
    return preflight.judge(facts, {**REQUEST, **request})


def troubles(result):
    return [item for item in result["findings"] if item["status"] != OK]


def test_a_healthy_environment_has_no_trouble(facts):
    result = judged(facts)
    assert troubles(result) == []
    assert (result["failed"], result["warnings"]) == (0, 0)
    assert {item["check"] for item in result["findings"]} == {
        *("gates", "lock", "service", "template", "image", "architecture", "secret", "role", "access", "log_group", "target_group", "port"),
        *("health_path", "strategy", "deadline", "way_out", "security_group", "database", "certificate", "database_tls", "ca_bundle", "redis"),
    }


def group(facts):
    return next(iter(facts["target_groups"].values()))


def balancer(facts):
    return next(iter(facts["balancers"].values()))


def image(facts, name=API):
    return facts["images"][facts["service_images"][name][name.removeprefix("atena-prod-")]]


def container(facts, name=API):
    return facts["definitions"][name]["containerDefinitions"][0]


def put(store, **values):
    store.update(values)


def newer_template(facts, change=None):
    for kind in ("templates", "definitions"):
        facts[kind][API]["taskDefinitionArn"] += "9"
        facts[kind][API].update(change or {})


def without_release(facts):
    facts["running"][API] = facts["templates"][API]
    facts["service_images"][API] = {"api": "000000000042.dkr.ecr.us-east-1.amazonaws.com/atena-prod-api:latest"}
    facts["images"]["000000000042.dkr.ecr.us-east-1.amazonaws.com/atena-prod-api:latest"] = {"exists": False, "platforms": None, "why": "not there"}


def begun(state):
    return unfinished.of_record(work(state, began_at="2027-01-15", operator="ana"), "atena-prod")


# name: (what is wrong, check, status, words of what it says and of the remedy)
CASES = {
    "stopped": (lambda f: put(f["gates"], power="off"), "gates", FAILED, ["stopped", "start.yml"]),
    "Redis is switched off": (lambda f: put(f["gates"], redis="absent"), "gates", FAILED, ["absent", "start.yml"]),
    "a start is incomplete": (lambda f: put(f["gates"], redis="adopt"), "gates", FAILED, ["is incomplete"]),
    "a stop is incomplete": (
        lambda f: put(f, journal={"state": "stopping", "since": "2027-01-15T12:00:00Z"}),
        *("gates", FAILED, ["a stop of the environment, begun at 2027-01-15", "start.yml"]),
    ),
    "a restore is incomplete": (
        lambda f: put(f, unfinished=begun("restoring")),
        *("gates", FAILED, ["a restore of the database began at 2027-01-15, by ana", "restore_database_confirm=atena-prod finishes it"]),
    ),
    # It releases by itself, and so may whoever mends it.
    "a redeploy is incomplete": (lambda f: put(f, unfinished=begun("redeploying")), "gates", WARNING, ["a redeploy began", "redeploy.yml finishes it"]),
    "records that cannot be read": (lambda f: put(f, unfinished=UNREAD), "gates", WARNING, ["could not be determined"]),
    "destroyed": (
        lambda f: put(f, destroyed={"state": "destroyed", "at": "2027-01-15", "operator": "ana", "database_snapshot": "final-1", "redis_snapshot": ""}),
        *("gates", FAILED, ["DESTROYED at 2027-01-15, by ana", "final-1", "redeploy.yml, which also releases"]),
    ),
    "a record of a destroy that cannot be read": (lambda f: put(f, destroyed=UNREAD), "gates", WARNING, ["could not be determined"]),
    "a journal that cannot be read": (lambda f: put(f, journal=UNREAD), "gates", WARNING, ["could not be determined"]),
    "no gates": (lambda f: put(f, gates=None), "gates", FAILED, ["does not exist", "bootstrap.yml"]),
    "gates that are no gates": (lambda f: put(f, gates={}), "gates", FAILED, ["does not say"]),
    "gates that cannot be read": (lambda f: put(f, gates=UNREAD), "gates", WARNING, ["could not be determined", "AccessDenied"]),
    "locked": (lambda f: put(f, lock=dict(LOCK)), "lock", FAILED, ["ana on laptop", "lock.yml -e lock_force=atena-prod"]),
    "a lock that expired": (lambda f: put(f, lock={**LOCK, "expired": True}), "lock", WARNING, ["ana on laptop"]),
    "no lock table": (lambda f: put(f, lock={"missing": True}), "lock", FAILED, ["the lock table locks does not exist", "bootstrap.yml"]),
    "a lock that cannot be read": (lambda f: put(f, lock=UNREAD), "lock", WARNING, ["could not be determined"]),
    "no service": (lambda f: put(f["services"], **{WORKERS: None}), "service", FAILED, ["no active service of atena-prod-cluster", "infra.yml"]),
    "services that cannot be read": (lambda f: put(f["services"], **{WORKERS: UNREAD}), "service", FAILED, ["AccessDenied"]),
    "no template": (lambda f: put(f["templates"], **{API: None}), "template", FAILED, ["atena-prod-api-template does not exist", "infra.yml"]),
    "somebody's template": (lambda f: put(f["templates"][API], tags=[]), "template", FAILED, ["somebody else registered it"]),
    "a newer template": (lambda f: newer_template(f, {"memory": "1024"}), "template", WARNING, ["api-template:19 is newer", "picks up: memory"]),
    "no image": (lambda f: put(image(f), exists=False, why="gone"), "image", WARNING, ["atena-prod-api@sha256:", "gone", "deploy.yml"]),
    "an image that cannot be read": (
        lambda f: put(f["images"], **{f["service_images"][API]["api"]: UNREAD}),
        "image",
        WARNING,
        ["could not be determined"],
    ),
    "an image of another registry": (
        lambda f: put(f["service_images"][WORKERS], log="docker.io/library/busybox"),
        "image",
        WARNING,
        ["busybox is not in this region's ECR"],
    ),
    "no image yet, and no release": (without_release, "image", WARNING, ["deploy.yml builds and pushes it"]),
    "another architecture": (
        lambda f: put(image(f), platforms=[{"os": "linux", "architecture": "arm64"}]),
        "architecture",
        FAILED,
        ["built for arm64", "asks for X86_64", "exec format error", "--platform linux/amd64"],
    ),
    "another architecture wanted": (
        lambda f: put(f["definitions"][API], runtimePlatform={"cpuArchitecture": "ARM64"}),
        "architecture",
        FAILED,
        ["built for amd64", "asks for ARM64"],
    ),
    "an address that is not verified": (
        lambda f: put(f["parameters"]["/atena/prod/DATABASE_URL"], sslmode="require"),
        *("database_tls", WARNING, ["says sslmode=require", "secrets.yml -e secrets_action=sslmode -e secrets_sslmode=verify-full"]),
    ),
    "an address that any database of RDS would do for": (
        lambda f: put(f["parameters"]["/atena/prod/DATABASE_URL"], sslmode="verify-ca"),
        *("database_tls", WARNING, ["any database with a certificate of the same authority"]),
    ),
    "an address without a mode": (
        lambda f: put(f["parameters"]["/atena/prod/DATABASE_URL"], sslmode=""),
        *("database_tls", WARNING, ["says no sslmode"]),
    ),
    "no bundle": (
        lambda f: put(image(f), bundle={"path": "", "own": []}),
        *("ca_bundle", WARNING, ["atena-prod-api@sha256:", "no certificate bundle", "would refuse its database", "atena_ca_bundle"]),
    ),
    "an image of which no bundle is known": (
        lambda f: put(image(f), bundle=None, why="No blob."),
        "ca_bundle",
        WARNING,
        ["could not be determined", "No blob."],
    ),
    "a certificate that nobody renewed": (
        lambda f: put(f["database"]["CertificateDetails"], ValidTill="2027-04-01 00:00:00+00:00"),
        *("certificate", WARNING, ["by rds-ca-rsa2048-g1", "expires on 2027-04-01, in 76 days", "--ca-certificate-identifier rds-ca-rsa2048-g1"]),
    ),
    "an expired certificate": (
        lambda f: put(f["database"], CertificateDetails={"CAIdentifier": "rds-ca-2019", "ValidTill": "2024-08-22 17:08:50+00:00"}),
        *("certificate", FAILED, ["by rds-ca-2019, expired on 2024-08-22", "--ca-certificate-identifier rds-ca-rsa2048-g1"]),
    ),
    "an unknown architecture": (lambda f: put(image(f), platforms=None, why="No blob."), "architecture", WARNING, ["could not be determined", "No blob."]),
    "a platform without a name": (
        lambda f: put(image(f), platforms=[{"os": "", "architecture": ""}]),
        "architecture",
        WARNING,
        ["could not be determined"],
    ),
    "no secret": (
        lambda f: put(f["parameters"], **{"/atena/prod/ADMIN_TOKEN": {"state": "missing"}}),
        "secret",
        FAILED,
        ["does not exist", f"{API}, {WORKERS}", "secrets.yml with ADMIN_TOKEN set"],
    ),
    "a placeholder": (
        lambda f: put(f["parameters"], **{"/atena/prod/ADMIN_TOKEN": {"state": "placeholder"}}),
        "secret",
        FAILED,
        ["is still CHANGE_ME", "secrets.yml"],
    ),
    "an empty secret": (lambda f: put(f["parameters"], **{"/atena/prod/ADMIN_TOKEN": {"state": "empty"}}), "secret", FAILED, ["is empty"]),
    "a secret that cannot be read": (lambda f: put(f["parameters"], **{"/atena/prod/ADMIN_TOKEN": UNREAD}), "secret", WARNING, ["could not be"]),
    "a secret of Secrets Manager": (
        lambda f: container(f)["secrets"].append({"name": "X", "valueFrom": "arn:aws:secretsmanager:us-east-1:42:secret:x"}),
        "secret",
        WARNING,
        ["no parameter of this region's Parameter Store", "not checked"],
    ),
    "no role": (
        lambda f: put(f["roles"], **{f["definitions"][API]["taskRoleArn"]: {"missing": True}}),
        "role",
        FAILED,
        ["task role of atena-prod-api, atena-prod-workers", "does not exist", "infra.yml"],
    ),
    "no execution role": (lambda f: f["definitions"][API].pop("executionRoleArn"), "role", FAILED, ["names none"]),
    "a role that ECS may not assume": (
        lambda f: put(f["roles"][f["definitions"][API]["executionRoleArn"]], trust={"Statement": []}),
        "role",
        FAILED,
        ["does not let ecs-tasks.amazonaws.com assume it", "infra.yml"],
    ),
    "a role that cannot be read": (lambda f: put(f["roles"], **{f["definitions"][API]["taskRoleArn"]: UNREAD}), "role", WARNING, ["could not be"]),
    "a right that is missing": (
        lambda f: put(f["access"][0]["needs"][0]["decisions"][0], decision="denied"),
        "access",
        FAILED,
        ["may not", "ecr:GetAuthorizationToken on *", "infra.yml"],
    ),
    "a right that depends": (
        lambda f: put(f["access"][0]["needs"][0]["decisions"][0], decision="unknown"),
        "access",
        WARNING,
        ["was not determined", "ecr:GetAuthorizationToken"],
    ),
    "rights that cannot be read": (lambda f: put(f["access"][0]["needs"][0], **UNREAD), "access", WARNING, ["could not be determined", "AccessDenied"]),
    "no log group": (lambda f: put(f["log_groups"], **{"/ecs/atena-prod-api": False}), "log_group", FAILED, ["does not exist", API, "infra.yml"]),
    "a log group elsewhere": (lambda f: put(f["log_groups"], **{"/ecs/atena-prod-api": None}), "log_group", WARNING, ["another region"]),
    "log groups that cannot be read": (lambda f: put(f["log_groups"], **{"/ecs/atena-prod-api": UNREAD}), "log_group", WARNING, ["could not be"]),
    "no target group": (lambda f: put(f["target_groups"], **dict.fromkeys(f["target_groups"])), "target_group", FAILED, ["does not exist"]),
    "no listener": (lambda f: put(balancer(f), forwards_to=[]), "target_group", FAILED, ["no listener or rule forwards to it", "infra.yml", "start"]),
    "no load balancer": (lambda f: put(f["balancers"], **dict.fromkeys(f["balancers"])), "target_group", FAILED, ["no listener or rule forwards to it"]),
    "a load balancer that is not there yet": (
        lambda f: put(balancer(f), State={"Code": "provisioning"}),
        "target_group",
        FAILED,
        ["is provisioning", "Wait"],
    ),
    "listeners that cannot be read": (lambda f: put(f["balancers"], **dict.fromkeys(f["balancers"], UNREAD)), "target_group", WARNING, ["could not be"]),
    "another container": (lambda f: put(container(f), name="web"), "port", FAILED, ["registers the container api", "does not have"]),
    "another port": (lambda f: put(container(f)["portMappings"][0], containerPort=8080), "port", FAILED, ["registers port 3000", "are 8080"]),
    "no port": (lambda f: put(container(f), portMappings=[]), "port", FAILED, ["are none"]),
    "a health check on another port": (lambda f: put(group(f), HealthCheckPort="9000"), "port", FAILED, ["asks port 9000", "traffic-port"]),
    "the target group's own port": (lambda f: put(group(f), Port=80), "port", WARNING, ["its own port is 80", "it works"]),
    "another health path": (lambda f: put(group(f), HealthCheckPath="/up"), "health_path", FAILED, ["asks /up", "answers on /health", "infra.yml"]),
    "draining for longer than the deadline": (
        lambda f: put(next(iter(f["attributes"].values())), **{"deregistration_delay.timeout_seconds": "300"}),
        "deadline",
        FAILED,
        ["300 s deregistration delay", "120 s stopTimeout", "deadline is 240 s", "atena_deregistration_delay_seconds"],
    ),
    "little time left": (
        lambda f: put(next(iter(f["attributes"].values())), **{"deregistration_delay.timeout_seconds": "60"}),
        "deadline",
        WARNING,
        ["leaves 30 s of the 240 s"],
    ),
    "a delay that cannot be read": (lambda f: put(f["attributes"], **dict.fromkeys(f["attributes"], UNREAD)), "deadline", WARNING, ["could not be"]),
    "no way out": (lambda f: [table["Routes"].pop() for table in f["network"]["route_tables"]], "way_out", FAILED, ["no route", "no VPC endpoint"]),
    "routes that cannot be read": (lambda f: put(f["network"], route_tables=UNREAD), "way_out", WARNING, ["could not be determined"]),
    "no rule": (
        lambda f: [item.update(IpPermissions=[]) for item in f["network"]["groups"] if item["GroupName"] == "atena-prod-ecs-sg"],
        "security_group",
        FAILED,
        ["port 3000", "nothing lets it into atena-prod-ecs-sg", "infra.yml"],
    ),
    "groups that cannot be read": (lambda f: put(f["network"], groups=UNREAD), "security_group", WARNING, ["could not be determined"]),
    "a stopped database": (
        lambda f: put(f["database"], DBInstanceStatus="stopped"),
        "database",
        FAILED,
        ["is stopped", "aws rds start-db-instance --db-instance-identifier atena-prod-db"],
    ),
    "a database in backup": (lambda f: put(f["database"], DBInstanceStatus="backing-up"), "database", WARNING, ["is backing-up"]),
    "no database": (lambda f: put(f, database=None), "database", FAILED, ["does not exist"]),
    "a starting Redis": (lambda f: put(f["redis"], CacheClusterStatus="creating"), "redis", FAILED, ["is creating", "Wait"]),
    "no Redis": (lambda f: put(f, redis=None), "redis", FAILED, ["does not exist", "start it"]),
    "Redis that cannot be read": (lambda f: put(f, redis=UNREAD), "redis", WARNING, ["could not be determined"]),
}


@pytest.mark.parametrize(("spoil", "check", "status", "words"), CASES.values(), ids=CASES)
def test_what_is_wrong_is_named_with_its_remedy(facts, spoil, check, status, words):
    spoil(facts)
    result = judged(facts)
    found = [item for item in troubles(result) if item["check"] == check]
    assert found, preflight.verdict_lines(result)
    assert {item["status"] for item in found} == {status}
    said = " ".join(f"{item['says']} {item['remedy']}" for item in found)
    for word in words:
        assert word in said
    # A failure always has a remedy.
    assert all(item["remedy"] for item in troubles(result) if item["status"] == FAILED)


def test_an_image_of_the_release_itself_must_be_there(facts):
    put(image(facts), exists=False, why="gone")
    given = [{"name": API, "health_path": "/health", "images": facts["service_images"][API]}, {"name": WORKERS}]
    found = [item for item in troubles(judged(facts, services=given)) if item["check"] == "image"]
    assert [(item["status"], item["subject"]) for item in found] == [(FAILED, f"{API}/api")]


def test_all_troubles_are_found_at_once(facts):
    for spoil, _check, _status, _words in (CASES[name] for name in ("stopped", "locked", "no image", "a placeholder", "no log group", "no Redis")):
        spoil(facts)
    assert {item["check"] for item in troubles(judged(facts))} == {"gates", "lock", "image", "secret", "log_group", "redis"}


@pytest.mark.parametrize("key", ["gates_bucket", "lock_table", "rollout_timeout", "database_id", "redis_id"])
def test_what_is_not_asked_for_is_not_judged(facts, key):
    judged_checks = {"gates_bucket": "gates", "lock_table": "lock", "rollout_timeout": "deadline", "database_id": "database", "redis_id": "redis"}
    assert judged_checks[key] not in {item["check"] for item in judged(facts, **{key: None})["findings"]}


def test_an_environment_without_redis_is_not_asked_about_its_gate(facts):
    facts["gates"]["redis"] = "absent"
    assert troubles(judged(facts, redis_id=None)) == []


def test_ones_own_lock_is_fine(facts):
    facts["lock"] = {**LOCK, "ours": True}
    assert troubles(judged(facts)) == []


def test_a_newer_template_that_says_the_same_is_no_news(facts):
    newer_template(facts)
    assert troubles(judged(facts)) == []


def test_the_first_release_has_nothing_to_be_newer_than(facts):
    facts["running"][API] = facts["templates"][API]
    assert troubles(judged(facts)) == []


def test_a_given_image_that_is_missing_fails_even_by_tag(facts):
    without_release(facts)
    reference = facts["service_images"][API]["api"]
    services = [{"name": API, "images": {"api": reference}}, {"name": WORKERS}]
    assert [item["check"] for item in troubles(judged(facts, services=services)) if item["status"] == FAILED] == ["image"]


@pytest.mark.parametrize(("status", "expected"), [("ACTIVE", OK), ("INACTIVE", FAILED)])
def test_a_chosen_revision_must_be_active(facts, status, expected):
    facts["templates"][API] = {**facts["running"][API], "status": status}
    services = [{"name": API, "task_definition": "atena-prod-api:1"}, {"name": WORKERS}]
    found = [item for item in judged(facts, services=services)["findings"] if item["check"] == "template" and item["subject"] == API]
    assert [item["status"] for item in found] == [expected]


def test_an_image_for_several_platforms_needs_one_that_fits(facts):
    image(facts)["platforms"] = [{"os": "linux", "architecture": "arm64"}, {"os": "linux", "architecture": "amd64"}]
    assert troubles(judged(facts)) == []


def test_nothing_is_known_when_nothing_can_be_read(facts):
    empty = {key: type(value)() if isinstance(value, dict | list) else None for key, value in facts.items()}
    empty["services"] = {API: UNREAD, WORKERS: UNREAD}
    result = judged({**empty, "gates": UNREAD, "lock": UNREAD, "database": UNREAD, "redis": UNREAD})
    assert result["failed"] == 2
    assert OK not in {item["status"] for item in result["findings"]}


def test_an_image_that_says_itself_where_its_bundle_is_is_as_good(facts):
    put(image(facts), bundle={"path": "", "own": ["PGSSLROOTCERT"]})
    definition = facts["definitions"][WORKERS]["containerDefinitions"][0]
    put(image(facts, WORKERS), bundle={"path": "", "own": []})
    definition["environment"] = [{"name": "NODE_EXTRA_CA_CERTS", "value": "/its/own.pem"}]
    assert troubles(judged(facts)) == []


def test_nobody_asks_for_a_bundle_where_none_is_wanted_or_nothing_is_verified(facts):
    put(image(facts), bundle={"path": "", "own": []})
    assert troubles(judged(facts, ca_bundles=False)) == []
    put(facts["parameters"]["/atena/prod/DATABASE_URL"], sslmode="require")
    assert {item["check"] for item in troubles(judged(facts))} == {"database_tls"}


def test_an_expired_certificate_that_nobody_verifies_stands_in_no_releases_way(facts):
    put(facts["parameters"]["/atena/prod/DATABASE_URL"], sslmode="require")
    put(facts["database"]["CertificateDetails"], ValidTill=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    assert {(item["check"], item["status"]) for item in troubles(judged(facts))} == {("database_tls", WARNING), ("certificate", WARNING)}


def test_what_a_release_tells_of_a_bundle_is_no_difference_from_its_template(facts):
    newer_template(facts, {"memory": "1024"})
    container = facts["running"][API]["containerDefinitions"][0]
    container["environment"] = [*container.get("environment", []), {"name": "PGSSLROOTCERT", "value": "/etc/ssl/certs/rds-global-bundle.pem"}]
    (found,) = troubles(judged(facts))
    assert found["says"].endswith("picks up: memory.")


class TestVerdict:
    def test_failures_come_first_and_have_their_remedies(self, facts):
        put(facts["database"], DBInstanceStatus="stopped")
        put(group(facts), Port=80)
        lines = preflight.verdict_lines(judged(facts), "atena-prod")
        assert lines[0] == "Preflight of atena-prod: 1 of 42 checks failed, 1 warning."
        assert lines[1].startswith("FAILED  database, atena-prod-db: is stopped")
        assert lines[2].startswith("        -> ")
        assert lines[3].startswith("WARNING port, atena-prod-api-tg: ")
        assert lines[-1].startswith("OK      gates (2), lock, ")

    def test_nothing_wrong_is_two_lines(self, facts):
        lines = preflight.verdict_lines(judged(facts))
        assert lines[0] == "Preflight: nothing in 42 checks prevents a release."
        assert len(lines) == 2

    def test_no_check_at_all_is_one(self):
        assert preflight.verdict_lines(result_of([])) == ["Preflight: nothing in 0 checks prevents a release."]


PAUSED = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}
BY_HAND = {
    "blue/green": ({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, FAILED, "its deployment strategy is BLUE_GREEN;"),
    "canary, with all that belongs to it": (
        {"deploymentConfiguration": {"strategy": "CANARY", "bakeTimeInMinutes": 10, "lifecycleHooks": [PAUSED, {"lifecycleStages": ["PRE_SCALE_UP"]}]}},
        FAILED,
        "CANARY with 10 min bake time, PAUSE hook at POST_SCALE_UP, AWS_LAMBDA hook at PRE_SCALE_UP",
    ),
    "percentages that let nothing happen": (
        {"desiredCount": 1, "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 100}},
        *(FAILED, "of its 1 task ECS may stop none (minimumHealthyPercent 50 keeps 1) and start none in addition to them (maximumPercent 100 allows 1)"),
    ),
    "a rolling one that pauses": ({"deploymentConfiguration": {"strategy": "ROLLING", "lifecycleHooks": [PAUSED]}}, FAILED, "ContinueServiceDeployment"),
    "a rolling one with a function": (
        {"deploymentConfiguration": {"lifecycleHooks": [{"hookTargetArn": "arn:f", "lifecycleStages": ["POST_SCALE_UP"]}]}},
        WARNING,
        "waits for the AWS_LAMBDA hook at POST_SCALE_UP",
    ),
    "CodeDeploy": ({"deploymentController": {"type": "CODE_DEPLOY"}}, FAILED, "its deployment controller is CODE_DEPLOY"),
    "another program": ({"deploymentController": {"type": "EXTERNAL"}}, FAILED, "its deployment controller is EXTERNAL"),
}


@pytest.mark.parametrize("case", BY_HAND, ids=str)
def test_a_strategy_that_was_set_by_hand_is_named_with_what_to_do(facts, case):
    change, status, words = BY_HAND[case]
    facts["services"][WORKERS].update(change)
    (found,) = troubles(judged(facts))
    assert (found["check"], found["subject"], found["status"]) == ("strategy", WORKERS, status)
    assert words in found["says"] and found["remedy"]


def test_a_bake_time_counts_to_the_deadline(facts):
    facts["services"][WORKERS]["deploymentConfiguration"]["bakeTimeInMinutes"] = 5
    (found,) = troubles(judged(facts))
    assert (found["check"], found["status"]) == ("deadline", FAILED)
    assert "300 s bake time" in found["says"] and "strategy=ROLLING" in found["remedy"]
