"""Every cause of the handbook's troubleshooting chapter, and what Node.js programs meet: caused, named first, cured by the printed command, and not without.

Local containers ignore security groups: a missing rule is found in the groups alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from cured import Diagnosis, breaker_kept, ended, failing_deployment, forget_revisions, heals, pasted, revision_with
from database_address import libpq
from emulator_world import until


@pytest.fixture
def diagnose(lab, tmp_path) -> Callable[[], Diagnosis]:
    def run() -> Diagnosis:
        return Diagnosis(lab.playbook("diagnose.yml", "-e", f"diagnose_save_to={tmp_path}").must_succeed(), tmp_path)

    return run


@pytest.fixture(autouse=True)
def well(lab) -> Iterator[None]:
    """Each test begins with an environment that works, and has to leave one by the printed commands alone."""
    heals(lab)
    with breaker_kept(lab):
        yield
        heals(lab)
    forget_revisions(lab)


def cure(lab, diagnose: Callable[[], Diagnosis], code: str, resource: str, *, instead: bool = False, skip: int = 0) -> Diagnosis:
    """The finding is there, and first; without the remedy it stays; with it, as printed, it is gone.

    skip: so many commands that a person runs elsewhere. Returns the first diagnosis.
    """
    found = diagnose()
    assert found.causes[:1] == [code], found.text
    assert found[code]["resource"] == resource
    assert diagnose().causes[:1] == [code], "without its remedy it stays"
    for command in found.printed(found[code], instead)[skip:]:
        pasted(command)
    heals(lab)
    gone = diagnose()
    assert code not in gone.codes and gone.causes == [], gone.text
    return found


API, WORKERS = "atena-prod-api", "atena-prod-workers"


# --- Tasks do not start ---


def test_an_image_that_is_not_in_ecr(lab, diagnose):
    """Deleted under the running service: its tasks run on, and the next one cannot start."""
    running = lab.client("ecs").describe_task_definition(taskDefinition=lab.revisions()[API])["taskDefinition"]["containerDefinitions"][0]["image"]
    repository, digest = running.partition("/")[2].split("@")
    lab.client("ecr").batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    lab.playbook("restart.yml", "-e", "restart_services=api").must_fail()
    found = cure(lab, diagnose, "IMAGE_MISSING", API)
    assert any("CannotPullContainerError" in line for line in found["IMAGE_MISSING"]["evidence"])


def test_a_secret_that_does_not_exist(lab, diagnose):
    lab.client("ssm").delete_parameter(Name="/atena/prod/ADMIN_TOKEN")
    cure(lab, diagnose, "SECRET_MISSING", f"{API}, {WORKERS}")


def test_an_execution_role_that_may_not_read_the_secrets(lab, diagnose):
    """The older tasks run on, all is healthy: and every task that starts fails."""
    iam, role = lab.client("iam"), f"{lab.name}-ecs-execution"
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    found = diagnose()
    assert "Nothing is wrong now" not in found.text
    lab.playbook("restart.yml", "-e", "restart_services=api").must_fail()
    found = cure(lab, diagnose, "SECRET_DENIED", f"{API}, {WORKERS}")
    assert any("AccessDeniedException" in line for line in found["SECRET_DENIED"]["evidence"])


@pytest.fixture
def cut(lab) -> None:
    """Every rule between the parts taken away, and the egress, too."""
    ec2 = lab.client("ec2")
    names = [f"{lab.name}-{part}-sg" for part in ("ecs", "db", "redis")]
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": names}])["SecurityGroups"]
    assert len(groups) == 3
    for group in groups:
        for rule in ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}])["SecurityGroupRules"]:
            # The tasks' own ways to database and Redis stay, so that each message names the side that lacks a rule.
            if rule["IsEgress"] and rule["ToPort"] != 443:
                continue
            revoke = ec2.revoke_security_group_egress if rule["IsEgress"] else ec2.revoke_security_group_ingress
            revoke(GroupId=group["GroupId"], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    tables = ec2.describe_route_tables(Filters=[{"Name": "tag:Name", "Values": [f"{lab.name}-private"]}])["RouteTables"]
    ec2.delete_route(RouteTableId=tables[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")


def test_missing_rules_and_routes(diagnose, cut):
    """Without connectivity; load balancer to the tasks; tasks to the database; tasks to Redis. One command brings all back."""
    found = diagnose()
    expected = {
        "EGRESS_MISSING": (f"{API}, {WORKERS}", "has no route to 0.0.0.0/0"),
        "SERVICE_BLOCKED": (API, "into atena-prod-ecs-sg"),
        "DATABASE_BLOCKED": (f"{API}, {WORKERS}", "into atena-prod-db-sg"),
        "REDIS_BLOCKED": (f"{API}, {WORKERS}", "into atena-prod-redis-sg"),
    }
    for code, (resource, words) in expected.items():
        assert found[code]["resource"] == resource and any(words in line for line in found[code]["evidence"]), found.text
        assert found[code]["certainty"] == "certain"
    assert set(expected) == set(found.causes) and set(expected) == set(diagnose().causes)
    commands = {command for code in expected for command in found.printed(found[code])}
    assert len(commands) == 1, commands
    pasted(commands.pop())
    assert not set(expected) & set(diagnose().codes)


def fails_later(lab, program: str, **changes: Any) -> None:
    """Deploys workers that ECS finds stable, and that fail after a while, again and again: there is nothing that its circuit breaker takes back."""
    command = ["node", "-e", f"console.log('begins'); setTimeout(() => {{ {program} }}, 8000)"]
    arn = revision_with(lab, "workers", command=command, **changes)
    service = lab.client("ecs").update_service(cluster=lab.cluster, service=WORKERS, taskDefinition=arn)["service"]
    deployment = next(item["id"] for item in service["deployments"] if item["status"] == "PRIMARY")
    until(lambda: ended(lab, deployment), 90)


def test_a_container_that_needs_more_memory_than_it_has(lab, diagnose):
    fails_later(lab, "Buffer.alloc(400 << 20, 1)", memory=128)
    found = cure(lab, diagnose, "OUT_OF_MEMORY", WORKERS)
    assert "from 128 to 256" in found["OUT_OF_MEMORY"]["remedy"] and "atena_workers_memory" in found["OUT_OF_MEMORY"]["remedy"]


# --- Health checks ---


class TargetGroup:
    """Its health check at a pace that a test can wait for."""

    def __init__(self, lab):
        self._client = lab.client("elbv2")
        self._arn = self._client.describe_target_groups(Names=[f"{lab.name}-api-tg"])["TargetGroups"][0]["TargetGroupArn"]

    def change(self, **settings: Any) -> None:
        pace = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 4, "UnhealthyThresholdCount": 2}
        self._client.modify_target_group(TargetGroupArn=self._arn, **pace, **settings)

    def unhealthy(self, **settings: Any) -> None:
        self.change(**settings)
        until(lambda: "unhealthy" in self._states(), 60)

    def _states(self) -> list[str]:
        targets = self._client.describe_target_health(TargetGroupArn=self._arn)["TargetHealthDescriptions"]
        return [target["TargetHealth"]["State"] for target in targets]


@pytest.fixture
def target_group(lab) -> TargetGroup:
    return TargetGroup(lab)


def test_a_health_check_with_the_wrong_path(lab, diagnose, target_group):
    target_group.unhealthy(HealthCheckPath="/wrong")
    cure(lab, diagnose, "HEALTH_CHECK_PATH_WRONG", API)


def test_a_health_check_on_the_wrong_port(lab, diagnose, target_group):
    target_group.unhealthy(HealthCheckPort="3999")
    cure(lab, diagnose, "HEALTH_CHECK_PORT_WRONG", API)


def test_an_application_that_does_not_listen_on_its_port(lab, diagnose, target_group):
    target_group.change()
    deployment = failing_deployment(lab, revision_with(lab, environment=[{"name": "PORT", "value": "3001"}]))
    until(lambda: ended(lab, deployment), 120)
    cure(lab, diagnose, "HEALTH_CHECK_NO_ANSWER", API)


# --- The database ---


def test_a_database_that_is_stopped(lab, diagnose):
    rds = lab.client("rds")
    rds.stop_db_instance(DBInstanceIdentifier=f"{lab.name}-db")
    until(lambda: rds.describe_db_instances(DBInstanceIdentifier=f"{lab.name}-db")["DBInstances"][0]["DBInstanceStatus"] == "stopped", 60)
    assert lab.app.get("/health", timeout=30)[0] != 200
    found = cure(lab, diagnose, "DATABASE_STOPPED", f"{lab.name}-db")
    assert found.causes == ["DATABASE_STOPPED"]


def rewrite(lab, name: str, change: Callable[[str], str]) -> None:
    """Writes another value, which tasks take at their next start."""
    ssm = lab.client("ssm")
    value = ssm.get_parameter(Name=f"/atena/prod/{name}", WithDecryption=True)["Parameter"]["Value"]
    ssm.put_parameter(Name=f"/atena/prod/{name}", Value=change(value), Type="SecureString", Overwrite=True)


def heard(lab, words: str, since: float, key: str = "api") -> bool:
    events = lab.client("logs").filter_log_events(logGroupName=f"/ecs/{lab.name}-{key}", startTime=int(since * 1000))["events"]
    return any(words in event["message"] for event in events)


def again(lab, key: str = "api") -> None:
    """New tasks of the same revision, which ECS does not take back."""
    failing_deployment(lab, lab.revisions()[f"{lab.name}-{key}"], key)


def test_credentials_that_the_database_refuses(lab, diagnose, target_group):
    target_group.change()
    since = time.time()
    rewrite(lab, "DATABASE_URL", lambda url: url.replace("postgresql://atena:", "postgresql://atena:wrong"))
    again(lab)
    until(lambda: heard(lab, "authentication failed", since), 60)
    found = cure(lab, diagnose, "DATABASE_CREDENTIALS_REFUSED", API)
    assert found["DATABASE_CREDENTIALS_REFUSED"]["certainty"] == "certain" and found.causes == ["DATABASE_CREDENTIALS_REFUSED"]


# --- Redis ---


def test_a_redis_that_was_deleted(lab, diagnose):
    since = time.time()
    lab.client("elasticache").delete_cache_cluster(CacheClusterId=f"{lab.name}-redis")
    until(lambda: heard(lab, "Redis check failed", since) or lab.app.get("/health", timeout=30)[0] != 200, 60)
    found = cure(lab, diagnose, "REDIS_MISSING", f"{lab.name}-redis")
    assert found.causes == ["REDIS_MISSING"]


def test_a_redis_address_that_is_not_the_clusters(lab, diagnose, target_group):
    target_group.change()
    since = time.time()
    rewrite(lab, "REDIS_URL", lambda url: "redis://192.0.2.1:6379")
    again(lab)
    until(lambda: heard(lab, "Redis check failed", since), 60)
    found = cure(lab, diagnose, "REDIS_URL_WRONG", "REDIS_URL")
    assert found.causes == ["REDIS_URL_WRONG"] and "192.0.2.1" not in found.text.replace("connect ETIMEDOUT 192.0.2.1", "")


# --- What Node.js programs meet ---
WITHOUT_IOREDIS = "cp -r /app /tmp/other && rm -rf /tmp/other/node_modules/ioredis && cd /tmp/other && exec node packages/workers/dist/worker.js"


def test_a_certificate_that_node_refuses(lab, diagnose):
    """The bundle is fetched and committed by a person; here the commit has it, and the revision that fails was given another file."""
    given = [{"name": name, "value": "/nowhere.pem"} for name in ("NODE_EXTRA_CA_CERTS", "PGSSLROOTCERT")]
    deployment = failing_deployment(lab, revision_with(lab, environment=given))
    until(lambda: heard(lab, "certificate", time.time() - 60), 60)
    found = cure(lab, diagnose, "DATABASE_CERTIFICATE_REFUSED", API, skip=1)
    assert deployment and found.printed(found["DATABASE_CERTIFICATE_REFUSED"])[0].startswith("curl -fsSo certs/rds-global-bundle.pem")


def test_tasks_that_have_a_name_of_a_database_that_is_not_there(lab, diagnose):
    since = time.time()
    kept = lab.client("ssm").get_parameter(Name="/atena/prod/DATABASE_URL", WithDecryption=True)["Parameter"]["Value"]
    host = kept.partition("@")[2].partition(":")[0]
    rewrite(lab, "DATABASE_URL", lambda url: url.replace(host, "atena-prod-old.abc123.us-east-1.rds.amazonaws.com"))
    again(lab)
    until(lambda: heard(lab, "ENOTFOUND", since) or heard(lab, "EAI_AGAIN", since), 60)
    rewrite(lab, "DATABASE_URL", lambda url: kept)
    cure(lab, diagnose, "DATABASE_HOST_UNKNOWN", API)


def test_an_image_without_a_module(lab, diagnose):
    fails_later(lab, "require('/app/packages/workers/dist/nowhere.js')")
    cure(lab, diagnose, "IMAGE_INCOMPLETE", WORKERS)


def test_a_worker_without_ioredis(lab, diagnose):
    """It stays up, and does no job."""
    since = time.time()
    lab.client("ecs").update_service(cluster=lab.cluster, service=WORKERS, taskDefinition=revision_with(lab, "workers", command=["sh", "-c", WITHOUT_IOREDIS]))
    until(lambda: heard(lab, "ioredis", since, "workers"), 90)
    cure(lab, diagnose, "BULLMQ_WITHOUT_IOREDIS", WORKERS)


def test_a_schema_that_lacks_a_table(lab, diagnose):
    """As when a database was restored from before a release: the table is gone, and the migrations make it again."""
    url = lab.client("ssm").get_parameter(Name="/atena/prod/DATABASE_URL", WithDecryption=True)["Parameter"]["Value"]
    with psycopg2.connect(libpq(url), connect_timeout=5) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE notes CASCADE; DELETE FROM schema_migrations")
    since = time.time()
    lab.app.get("/notes")
    until(lambda: heard(lab, "does not exist", since), 60)
    cure(lab, diagnose, "SCHEMA_BEHIND", API)


def test_a_policy_that_evicts_jobs(lab, diagnose):
    cache = lab.client("elasticache")
    group = cache.describe_cache_clusters(CacheClusterId=f"{lab.name}-redis")["CacheClusters"][0]["CacheParameterGroup"]["CacheParameterGroupName"]
    changed = [{"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lru"}]
    cache.modify_cache_parameter_group(CacheParameterGroupName=group, ParameterNameValues=changed)
    since = time.time()
    again(lab, "workers")
    until(lambda: heard(lab, "Eviction policy", since, "workers"), 60)
    found = diagnose()
    assert found["REDIS_EVICTION"]["minor"] and "REDIS_EVICTION" in diagnose().codes
    for command in found.printed(found["REDIS_EVICTION"]):
        pasted(command)
    assert "REDIS_EVICTION" not in diagnose().codes
