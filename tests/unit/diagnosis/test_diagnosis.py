"""From facts to causes. `FACTS` is a healthy environment, as diagnosis.read gathers it; each case breaks one thing of it."""

from copy import deepcopy

import pytest
from ansible_collections.atena.aws.plugins.module_utils.diagnosis import remedies, rules as diagnosis, text as diagnosis_text
from ansible_collections.atena.aws.plugins.module_utils.ecs.failure_words import LOG_WORDS
from ansible_collections.atena.aws.plugins.module_utils.environment import unfinished
from fakes import work

ARN = "arn:aws:ecs:us-east-1:1:task-definition/"
TASK = "arn:aws:ecs:us-east-1:1:task/a-cluster/"
GROUP = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a-api-tg/1"
IMAGE = "1.dkr.ecr.us-east-1.amazonaws.com/a-api@sha256:0"
NOW = "2026-01-10T03:00:00+00:00"


def rule(port, group="", cidr=""):
    pairs, ranges = ([{"GroupId": group}] if group else []), ([{"CidrIp": cidr}] if cidr else [])
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": pairs, "IpRanges": ranges}


def service(name, balanced):
    return {
        "name": name,
        "desired_count": 1,
        "running_count": 1,
        "pending_count": 0,
        "task_definition": f"{ARN}{name}:2",
        "rollout_state": "COMPLETED",
        "has_load_balancer": balanced,
        "balancers": [{"target_group": GROUP, "container": "api", "port": 3000}] if balanced else [],
        "subnets": ["subnet-1"],
        "security_groups": ["sg-ecs"],
        "has_public_address": False,
        "deployments": [
            {
                "id": f"{name}-2",
                "status": "PRIMARY",
                "task_definition": f"{ARN}{name}:2",
                "rollout_state": "COMPLETED",
                "reason": "",
                "running_count": 1,
                "failed_tasks": 0,
                "created_at": NOW,
            }
        ],
        "events": [{"at": NOW, "message": f"(service {name}) has reached a steady state."}],
    }


def definition(name, container, ports):
    secrets = [{"name": key, "from": f"arn:aws:ssm:us-east-1:1:parameter/a/prod/{key}"} for key in ("DATABASE_URL", "ADMIN_TOKEN")]
    entry = {"name": container, "image": IMAGE, "memory": 512, "ports": ports, "stop_timeout": 30, "secrets": secrets}
    return {"name": f"{name}:2", "is_template": False, "release": "0123abc", "cpu": "256", "memory": "512", "architecture": "X86_64", "containers": [entry]}


def parameter(name):
    return {"name": f"/a/prod/{name}", "type": "SecureString", "version": 1, "last_modified": "2026-01-09T00:00:00+00:00", "is_set": True}


FACTS = {
    "at": NOW,
    "request": {"name": "a", "cluster": "a-cluster", "services": ["a-api", "a-workers"], "ssm_path": "/a/prod", "database_id": "a-db", "redis_id": "a-redis"},
    "services": {"a-api": service("a-api", True), "a-workers": service("a-workers", False)},
    "missing_services": [],
    "definitions": {f"{ARN}a-api:2": definition("a-api", "api", [3000]), f"{ARN}a-workers:2": definition("a-workers", "workers", [])},
    "tasks": [],
    "target_groups": {
        GROUP: {
            "name": "a-api-tg",
            "load_balancers": ["alb"],
            "path": "/health",
            "port": 3000,
            "answers": "200",
            "timeout": 5,
            "interval": 15,
            "targets": [{"id": "10.0.10.5", "port": 3000, "state": "healthy", "reason": "", "description": ""}],
        }
    },
    "load_balancer": {"name": "a-alb", "dns_name": "a.elb", "state": "active", "security_groups": ["sg-alb"], "listeners": [{"port": 80, "protocol": "HTTP"}]},
    "database": {
        "id": "a-db",
        "status": "available",
        "engine": "postgres",
        "engine_version": "16.3",
        "endpoint": "db.rds",
        "port": 5432,
        "restarts_at": "",
        "security_groups": ["sg-db"],
    },
    "redis": {"id": "a-redis", "status": "available", "endpoint": "r.cache", "port": 6379, "security_groups": ["sg-redis"]},
    "gates": {"power": "on", "redis": "present"},
    "health": {"url": "http://a.elb/health", "status": 200, "content": "ok"},
    "secrets": {
        "path": "/a/prod",
        "parameters": [parameter("DATABASE_URL"), parameter("ADMIN_TOKEN")],
        "referred": {f"arn:aws:ssm:us-east-1:1:parameter/a/prod/{key}": f"/a/prod/{key}" for key in ("DATABASE_URL", "ADMIN_TOKEN")},
        "missing": [],
        "database_url_is_right": True,
        "redis_url_is_right": True,
    },
    "images": {IMAGE: {"exists": True, "platforms": [{"os": "linux", "architecture": "amd64"}], "why": ""}},
    "log_groups": {"/ecs/a-api": True},
    "network": {
        "groups": [
            {"GroupId": "sg-alb", "GroupName": "a-alb-sg", "IpPermissions": [rule(80, cidr="0.0.0.0/0")], "IpPermissionsEgress": [rule(3000, "sg-ecs")]},
            {
                "GroupId": "sg-ecs",
                "GroupName": "a-ecs-sg",
                "IpPermissions": [rule(3000, "sg-alb")],
                "IpPermissionsEgress": [rule(443, cidr="0.0.0.0/0"), rule(5432, "sg-db"), rule(6379, "sg-redis")],
            },
            {"GroupId": "sg-db", "GroupName": "a-db-sg", "IpPermissions": [rule(5432, "sg-ecs")], "IpPermissionsEgress": []},
            {"GroupId": "sg-redis", "GroupName": "a-redis-sg", "IpPermissions": [rule(6379, "sg-ecs")], "IpPermissionsEgress": []},
        ],
        "subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.10.0/24"}],
        "route_tables": [
            {
                "RouteTableId": "rtb-1",
                "VpcId": "vpc-1",
                "Associations": [{"SubnetId": "subnet-1"}],
                "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}],
            }
        ],
        "nat_gateways": [{"NatGatewayId": "nat-1", "State": "available"}],
        "endpoints": [],
    },
    "unreadable": [],
    "logs_withheld": False,
}


def task(service="a-api", number=2, **changes):
    entry = {
        "task_id": "t1",
        "task_arn": f"{TASK}t1",
        "service": service,
        "started_by": f"{service}-{number}",
        "task_definition": f"{ARN}{service}:2",
        "last_status": "STOPPED",
        "state": "failed",
        "stop_code": "EssentialContainerExited",
        "stopped_reason": "Essential container in task exited",
        "created_at": "2026-01-10T02:58:00+00:00",
        "started_at": "2026-01-10T02:58:10+00:00",
        "stopped_at": "2026-01-10T02:58:20+00:00",
        "addresses": ["10.0.10.5"],
        "containers": [{"name": service.removeprefix("a-"), "exit_code": 1, "reason": ""}],
        "log_tail": {},
    }
    return {**entry, **changes}


def never_ran(reason):
    return task(stop_code="TaskFailedToStart", stopped_reason=reason, containers=[{"name": "api", "exit_code": None, "reason": ""}])


def exited(code):
    return task(containers=[{"name": "api", "exit_code": code, "reason": ""}])


def denied(purpose, *what):
    return {"role": "arn:aws:iam::1:role/a-execution", "purpose": purpose, "refused": list(what), "services": ["a-api", "a-workers"]}


def running(service="a-api", *lines):
    said = [{"at": "2026-01-10T02:59:00+00:00", "message": line} for line in lines]
    container = service.removeprefix("a-")
    return task(service, state="running", last_status="RUNNING", stopped_at="", stop_code="", stopped_reason="", log_tail={container: said} if said else {})


def unhealthy(facts, reason, description):
    facts["target_groups"][GROUP]["targets"] = [{"id": "10.0.10.5", "port": 3000, "state": "unhealthy", "reason": reason, "description": description}]


def broken(change):
    """The findings after `change` was made to a copy of the facts."""
    facts = deepcopy(FACTS)
    change(facts)
    return diagnosis.findings(facts)


def setting(path, value):
    """A change that sets facts[path[0]][path[1]]... to `value`."""

    def change(facts):
        for key in path[:-1]:
            facts = facts[key]
        facts[path[-1]] = value

    return change


def rules_gone(group, key):
    def change(facts):
        next(item for item in facts["network"]["groups"] if item["GroupId"] == group)[key] = []

    return change


def test_nothing_is_found_in_a_healthy_environment():
    assert diagnosis.findings(FACTS) == []
    assert "Nothing wrong was found." in diagnosis_text.as_text({"environment": "a", "at": NOW, "findings": [], "facts": FACTS})


def begun(state):
    return unfinished.of_record(work(state, began_at="2027-01-15", operator="ana"), "a")


def test_what_did_not_end_comes_before_its_consequences_and_a_redeploy_after_all():
    def change(state):
        def apply(facts):
            facts["unfinished"] = begun(state)
            facts["database"] = None

        return apply

    assert [item["code"] for item in broken(change("restoring"))][:2] == ["WORK_INCOMPLETE", "DATABASE_MISSING"]
    assert [item["code"] for item in broken(change("redeploying"))][-1] == "REDEPLOY_INCOMPLETE"


def failing(*tasks):
    """Tasks of the API that failed, in a service that does not get another to run."""

    def change(facts):
        facts["tasks"] = list(tasks)
        facts["services"]["a-api"].update(running_count=0, rollout_state="IN_PROGRESS")
        facts["target_groups"][GROUP]["targets"] = []

    return change


def commands(finding):
    return [step["command"].removeprefix("ansible-playbook ") for step in finding["steps"] if step["command"]]


def causes(found):
    return [item["code"] for item in found if not item["over"] and not item["caused_by"]]


ENDS = "ResourceInitializationError: unable to retrieve secrets from ssm: "
# What is broken, the cause's code, what it is about, the commands of its remedy in their order, and words of cause or evidence.
CASES = [
    (setting(["gates"], {"power": "off", "redis": "absent"}), "ENVIRONMENT_STOPPED", "a", ["start.yml"], "power off"),
    (
        setting(["unfinished"], begun("restoring")),
        "WORK_INCOMPLETE",
        "a",
        ["restore_database.yml -e restore_database_confirm=a"],
        "A restore of the database began at 2027-01-15",
    ),
    (setting(["unfinished"], begun("redeploying")), "REDEPLOY_INCOMPLETE", "a", ["redeploy.yml"], "A redeploy began"),
    (setting(["database", "status"], "stopped"), "DATABASE_STOPPED", "a-db", ["start.yml"], "RDS: status stopped"),
    (setting(["database", "status"], "storage-full"), "DATABASE_FULL", "a-db", ["infra.yml"], "disk"),
    (setting(["database", "status"], "starting"), "DATABASE_NOT_READY", "a-db", ["status.yml"], "starting"),
    (
        setting(["database", "status"], "incompatible-network"),
        "DATABASE_NOT_READY",
        "a-db",
        ["aws rds describe-events --source-type db-instance --source-identifier a-db --duration 1440"],
        "incompatible-network",
    ),
    (setting(["database"], None), "DATABASE_MISSING", "a-db", ["infra.yml", "restore_database.yml"], "does not exist"),
    (
        setting(["redis"], {"id": "a-redis", "status": "absent", "endpoint": "", "snapshots": []}),
        "REDIS_MISSING",
        "a-redis",
        ["start.yml -e start_without_queue=true"],
        "no cluster a-redis",
    ),
    (
        setting(["redis"], {"id": "a-redis", "status": "absent", "endpoint": "", "snapshots": ["a-redis-1"]}),
        "REDIS_MISSING",
        "a-redis",
        ["start.yml -e start_redis_snapshot=a-redis-1", "start.yml -e start_without_queue=true"],
        "a-redis-1",
    ),
    (setting(["redis", "came_back_empty_at"], "2026-11-30T10:00:00Z"), "REDIS_EMPTY", "a-redis", ["start.yml"], "2026-11-30T10:00:00Z"),
    (setting(["redis", "status"], "creating"), "REDIS_NOT_READY", "a-redis", ["status.yml"], "creating"),
    (
        setting(["secrets", "redis_url_is_right"], False),
        "REDIS_URL_WRONG",
        "REDIS_URL",
        ["infra.yml -e infra_replace=aws_ssm_parameter.redis_url", "restart.yml"],
        "r.cache:6379",
    ),
    (
        setting(["secrets", "database_url_is_right"], False),
        "DATABASE_URL_WRONG",
        "DATABASE_URL",
        ["infra.yml -e infra_replace=aws_ssm_parameter.database_url", "restart.yml"],
        "db.rds:5432",
    ),
    (setting(["load_balancer"], None), "LOAD_BALANCER_MISSING", "a-alb", ["infra.yml"], "nobody reaches"),
    (setting(["load_balancer", "state"], "failed"), "LOAD_BALANCER_NOT_READY", "a-alb", ["infra.yml"], "failed"),
    (setting(["target_groups", GROUP, "load_balancers"], []), "LISTENER_MISSING", "a-api", ["infra.yml"], "a-api-tg"),
    (
        rules_gone("sg-alb", "IpPermissionsEgress"),
        "SERVICE_BLOCKED",
        "a-api",
        ["infra.yml"],
        "a-alb-sg (sg-alb) to a-ecs-sg (sg-ecs): nothing lets it out of a-alb-sg",
    ),
    (rules_gone("sg-ecs", "IpPermissions"), "SERVICE_BLOCKED", "a-api", ["infra.yml"], "nothing lets it into a-ecs-sg"),
    (rules_gone("sg-db", "IpPermissions"), "DATABASE_BLOCKED", "a-api, a-workers", ["infra.yml"], "TCP port 5432"),
    (rules_gone("sg-redis", "IpPermissions"), "REDIS_BLOCKED", "a-api, a-workers", ["infra.yml"], "TCP port 6379"),
    (rules_gone("sg-ecs", "IpPermissionsEgress"), "EGRESS_MISSING", "a-api, a-workers", ["infra.yml"], "allows egress on TCP port 443"),
    (setting(["network", "nat_gateways"], []), "EGRESS_MISSING", "a-api, a-workers", ["infra.yml"], "nat-1, which is gone"),
    (setting(["network", "route_tables", 0, "Routes"], []), "EGRESS_MISSING", "a-api, a-workers", ["infra.yml"], "subnet-1"),
    (setting(["secrets", "missing"], ["/a/prod/ADMIN_TOKEN"]), "SECRET_MISSING", "a-api, a-workers", ["secrets.yml", "deploy.yml"], "/a/prod/ADMIN_TOKEN"),
    (setting(["secrets", "missing"], ["/a/prod/DATABASE_URL"]), "SECRET_MISSING", "a-api, a-workers", ["infra.yml", "deploy.yml"], "/a/prod/DATABASE_URL"),
    (setting(["secrets", "parameters", 1, "is_set"], False), "SECRET_NOT_SET", "ADMIN_TOKEN", ["secrets.yml", "restart.yml"], "the placeholder"),
    (
        setting(["images", IMAGE], {"exists": False, "platforms": None, "why": "not held"}),
        "IMAGE_MISSING",
        "a-api",
        ["deploy.yml", "rollback.yml"],
        IMAGE,
    ),
    (
        setting(["images", IMAGE, "platforms"], [{"os": "linux", "architecture": "arm64"}]),
        "IMAGE_WRONG_ARCHITECTURE",
        "a-api",
        ["deploy.yml"],
        "arm64",
    ),
    (setting(["log_groups", "/ecs/a-api"], False), "LOG_GROUP_MISSING", "/ecs/a-api", ["infra.yml"], "does not exist"),
    (setting(["access"], [denied("secrets", "ssm:GetParameters on x")]), "SECRET_DENIED", "a-api, a-workers", ["infra.yml"], "a-execution may not ssm:Get"),
    (setting(["access"], [denied("pull", "ecr:BatchGetImage on x")]), "IMAGE_DENIED", "a-api, a-workers", ["infra.yml"], "a-execution may not ecr:Batch"),
    (setting(["access"], [denied("logs", "logs:PutLogEvents on x")]), "LOGS_DENIED", "a-api, a-workers", ["infra.yml"], "a-execution may not logs:Put"),
    (setting(["access"], [denied("assume", "be assumed")]), "ROLE_NOT_ASSUMABLE", "a-api, a-workers", ["infra.yml"], "a-execution may not be assumed"),
    (setting(["missing_services"], ["a-cron"]), "SERVICE_MISSING", "a-cron", ["infra.yml"], "no such service"),
    (setting(["services", "a-workers", "desired_count"], 0), "SCALED_TO_ZERO", "a-workers", ["scale.yml -e scale=workers=1"], "0 tasks"),
    (setting(["unreadable"], [{"part": "redis", "why": "Could not", "code": "AccessDenied"}]), "PARTLY_READABLE", "a", ["diagnose.yml"], "redis: Could not"),
    (setting(["unreadable"], [{"part": "redis", "why": "Slow", "code": "Throttling"}]), "AWS_THROTTLED", "a", ["diagnose.yml"], "redis: Slow"),
    (
        setting(["unreadable"], [{"part": "services", "why": "Could not", "code": "ExpiredToken"}]),
        "AWS_NOT_READABLE",
        "a",
        ["diagnose.yml"],
        "services: Could not",
    ),
    # How tasks ended.
    (failing(task()), "TASK_EXITED", "a-api", ["deploy.yml", "rollback.yml"], "exit code 1"),
    (failing(exited(0)), "TASK_EXITED", "a-api", ["deploy.yml", "rollback.yml"], "exited on its own"),
    (failing(exited(127)), "TASK_EXITED", "a-api", ["deploy.yml", "rollback.yml"], "not found in the image"),
    (failing(never_ran("CannotPullContainerError: x: not found")), "IMAGE_MISSING", "a-api", ["deploy.yml", "rollback.yml"], "CannotPullContainerError"),
    (
        failing(never_ran(f"{ENDS}invalid ssm parameters: /a/prod/ADMIN_TOKEN")),
        "SECRET_MISSING",
        "a-api",
        ["secrets.yml", "deploy.yml"],
        "/a/prod/ADMIN_TOKEN does not exist in SSM",
    ),
    (failing(never_ran(f"{ENDS}AccessDeniedException: x")), "SECRET_DENIED", "a-api", ["infra.yml"], "AccessDeniedException"),
    (failing(never_ran(f"{ENDS}dial tcp 1.2.3.4:443: i/o timeout")), "EGRESS_MISSING", "a-api", ["infra.yml"], "i/o timeout"),
    (failing(never_ran("CannotPullContainerError: pull command failed: : signal: killed")), "EGRESS_MISSING", "a-api", ["infra.yml"], "signal: killed"),
    (failing(never_ran("ECS was unable to assume the role 'x'")), "ROLE_NOT_ASSUMABLE", "a-api", ["infra.yml"], "unable to assume"),
    (failing(never_ran("You've reached the limit on the number of vCPUs you can run concurrently")), "QUOTA_REACHED", "a-api", ["scale.yml"], "vCPUs"),
    (failing(task(stop_code="SpotInterruption", stopped_reason="Your Spot Task was interrupted.")), "SPOT_INTERRUPTED", "a-api", [], "Spot"),
    (failing(never_ran("A reason nobody ever saw")), "TASK_NOT_STARTED", "a-api", ["deploy.yml", "rollback.yml"], "A reason nobody ever saw"),
    (
        failing(task(containers=[{"name": "api", "exit_code": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}])),
        "OUT_OF_MEMORY",
        "a-api",
        ["infra.yml", "deploy.yml"],
        "it may use 512 MiB",
    ),
    # Health checks.
    (
        lambda facts: unhealthy(facts, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [404]"),
        "HEALTH_CHECK_PATH_WRONG",
        "a-api",
        ["infra.yml"],
        "404",
    ),
    (
        lambda facts: unhealthy(facts, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"),
        "HEALTH_CHECK_FAILED",
        "a-api",
        ["deploy.yml", "rollback.yml"],
        "[503]",
    ),
    (
        lambda facts: unhealthy(facts, "Target.Timeout", "Request timed out"),
        "HEALTH_CHECK_TIMED_OUT",
        "a-api",
        ["deploy.yml", "rollback.yml"],
        "within 5 s",
    ),
    (
        lambda facts: unhealthy(facts, "Target.FailedHealthChecks", "Health checks failed"),
        "HEALTH_CHECK_NO_ANSWER",
        "a-api",
        ["infra.yml", "deploy.yml", "rollback.yml"],
        "Nothing answers",
    ),
]


@pytest.mark.parametrize(("change", "code", "resource", "remedy", "words"), CASES)
def test_a_cause_is_named_with_its_resource_its_evidence_and_its_remedy(change, code, resource, remedy, words):
    finding = next(item for item in broken(change) if item["code"] == code)
    assert (finding["resource"], commands(finding)) == (resource, remedy)
    assert words in " ".join([finding["cause"], *finding["evidence"]])
    assert finding["certainty"] in ("certain", "likely") and not finding["over"] and finding["caused_by"] == ""
    assert all(f"`{step['command']}`" in finding["remedy"] for step in finding["steps"] if step["command"])


@pytest.mark.parametrize(("change", "code", "resource", "remedy", "words"), CASES)
def test_one_broken_thing_is_one_cause(change, code, resource, remedy, words):
    # All rules of a group are several things: it lets the tasks reach neither AWS nor their data.
    others = {"DATABASE_BLOCKED", "REDIS_BLOCKED", "SERVICE_BLOCKED"} if words == "allows egress on TCP port 443" else set()
    assert set(causes(broken(change))) - others == {code}


@pytest.mark.parametrize("line", LOG_WORDS, ids=lambda line: line.code)
def test_every_complaint_of_a_log_has_a_remedy(line):
    text = {
        "DATABASE_CREDENTIALS_REFUSED": 'password authentication failed for user "a"',
        "DATABASE_ENCRYPTION_REQUIRED": "no pg_hba.conf entry",
        "DATABASE_CONNECTIONS_EXHAUSTED": "too many clients",
        "DATABASE_FULL": "postgres: no space left on device",
        "DATABASE_NAME_UNKNOWN": 'database "x" does not exist',
        "SCHEMA_BEHIND": 'relation "x" does not exist',
        "REDIS_FULL": "OOM command not allowed",
        "REDIS_CREDENTIALS_REFUSED": "NOAUTH",
        "REDIS_READ_ONLY": "READONLY You can't write",
        "DATABASE_UNREACHABLE": "database: connection refused",
        "REDIS_UNREACHABLE": "redis: connection refused",
        "OUT_OF_MEMORY": "MemoryError",
        "PORT_TAKEN": "EADDRINUSE",
        "IMAGE_INCOMPLETE": "Cannot find module",
        "IMAGE_WRONG_ARCHITECTURE": "exec format error",
        "REDIS_CERTIFICATE_REFUSED": "redis: certificate verify failed",
        "DATABASE_CERTIFICATE_REFUSED": "certificate verify failed",
        "REDIS_CERTIFICATE_NAME": "redis: ERR_TLS_CERT_ALTNAME_INVALID",
        "DATABASE_CERTIFICATE_NAME": 'server certificate for "a" does not match host name "b"',
        "REDIS_EVICTION": 'IMPORTANT! Eviction policy is allkeys-lru. It should be "noeviction"',
        "BULLMQ_WITHOUT_IOREDIS": "BullMQ could not load the optional 'ioredis' package",
        "JOBS_STALLED": "job stalled more than allowable limit",
        "NPM_IS_PROCESS_1": "npm error signal SIGTERM",
        "NPM_SCRIPT_MISSING": 'npm error Missing script: "work"',
        "DATABASE_CONNECTIONS_ENDED": "terminating connection due to administrator command",
        "REDIS_HOST_UNKNOWN": "getaddrinfo ENOTFOUND a.cache.amazonaws.com",
        "DATABASE_HOST_UNKNOWN": "getaddrinfo ENOTFOUND a.rds.amazonaws.com",
    }[line.code]
    finding = next(item for item in broken(setting(["tasks"], [running("a-api", text)])) if item["code"] == line.code)
    assert finding["certainty"] == ("certain" if line.refusal else "likely")
    assert text in finding["evidence"][0] and finding["resource"] == "a-api" and finding["steps"]


def test_a_log_line_of_long_ago_says_nothing_about_a_running_task():
    old = running("a-workers", "redis: connection refused")
    old["log_tail"]["workers"][0]["at"] = "2026-01-10T02:00:00+00:00"
    assert broken(setting(["tasks"], [old])) == []


# --- Order, and what belongs together ---


def test_what_everything_stands_on_comes_before_its_consequences():
    def change(facts):
        facts["database"]["status"] = "stopped"
        facts["tasks"] = [running("a-api", "the database check failed: connection refused")]
        unhealthy(facts, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]")
        facts["health"] = {"url": "http://a.elb/health", "status": 503, "content": "database: failed"}

    found = broken(change)
    assert [item["code"] for item in found] == ["DATABASE_STOPPED", "HEALTH_CHECK_FAILED"]
    assert any("connection refused" in line for line in found[0]["evidence"]), "the complaint is reported with its cause"
    assert sum("503: database: failed" in line for item in found for line in item["evidence"]) == 1


def test_a_complaint_without_a_known_cause_stands_for_itself():
    found = broken(setting(["tasks"], [running("a-workers", "Error 111 connecting to 10.0.1.9:6379. Connection refused.")]))
    assert [(item["code"], item["resource"]) for item in found] == [("REDIS_UNREACHABLE", "a-workers")]


def test_one_missing_rule_that_stops_all_services_is_told_once():
    found = broken(rules_gone("sg-db", "IpPermissions"))
    assert [(item["code"], item["resource"]) for item in found] == [("DATABASE_BLOCKED", "a-api, a-workers")]


def test_many_tasks_that_end_in_the_same_way_are_one_finding_with_the_newest_as_evidence():
    tasks = [task(task_id=f"t{n}", task_arn=f"{TASK}t{n}", stopped_at=f"2026-01-10T02:58:2{n}+00:00") for n in range(4)]
    tasks[3]["log_tail"] = {"api": [{"at": NOW, "message": "the last words"}]}
    found = broken(setting(["tasks"], tasks))
    assert len(found) == 1
    assert (
        "t3" in found[0]["evidence"][0]
        and "  | the last words" in found[0]["evidence"]
        and "3 more tasks of the same deployment ended in the same way" in found[0]["evidence"]
    )


def of_another_revision(**changes):
    """A task of a deployment that was rolled back."""
    return task(number=1, **{"task_definition": f"{ARN}a-api:1", **changes})


def test_what_failed_in_a_deployment_that_was_replaced_comes_after_what_is_wrong_now():
    found = broken(lambda facts: facts.update(tasks=[of_another_revision()], log_groups={"/ecs/a-api": False}))
    assert [(item["code"], item["over"]) for item in found] == [("LOG_GROUP_MISSING", False), ("TASK_EXITED", True)]


def test_what_is_over_is_a_line_without_a_command_and_is_not_counted():
    facts = {**FACTS, "tasks": [of_another_revision(), of_another_revision(task_id="t2", task_arn=f"{TASK}t2")]}
    found = diagnosis.findings(facts)
    assert [(item["code"], item["over"], item["steps"], item["remedy"], item["times"]) for item in found] == [("TASK_EXITED", True, [], "", 2)]
    text = diagnosis_text.as_text({"environment": "a", "at": NOW, "findings": found, "facts": facts})
    below = text[text.index("Earlier, over:") : text.index("Status:")].strip().splitlines()
    assert text.splitlines()[2] == "Nothing is wrong now."
    assert below[1:] == ["  2026-01-10T02:58:20+00:00 TASK_EXITED, a-api: Container api exited with code 1 (2 times)"]


def test_incidents_are_not_counted_into_each_other():
    def other(number, at):
        return task(number=number, task_id=f"t{number}", task_arn=f"{TASK}t{number}", task_definition=f"{ARN}a-api:1", stopped_at=at)

    found = broken(setting(["tasks"], [other(0, "2026-01-10T02:10:00+00:00"), other(1, "2026-01-10T02:40:00+00:00")]))
    assert [(item["times"], item["at"][11:16]) for item in found] == [(1, "02:40"), (1, "02:10")], "the newest first"


def test_a_task_that_was_asked_about_is_never_past():
    def change(facts):
        facts["tasks"] = [task(number=1)]
        facts["request"]["tasks"] = [f"{TASK}t1"]

    assert [(item["code"], item["over"]) for item in broken(change)] == [("TASK_EXITED", False)]


def test_a_one_off_task_counts_by_its_last_run_only():
    def one_off(name, state, at):
        return task("", state=state, task_id=name, task_arn=TASK + name, started_by="atena-aws/migrate", stopped_at=at)

    failed_first = [one_off("t1", "failed", "2026-01-10T02:00:00+00:00"), one_off("t2", "succeeded", "2026-01-10T02:10:00+00:00")]
    assert broken(setting(["tasks"], failed_first)) == []
    failed_last = [one_off("t1", "succeeded", "2026-01-10T02:00:00+00:00"), one_off("t2", "failed", "2026-01-10T02:10:00+00:00")]
    assert ["t2" in item["evidence"][0] for item in broken(setting(["tasks"], failed_last))] == [True]


def test_tasks_that_were_stopped_as_wanted_are_no_finding():
    assert broken(setting(["tasks"], [task(state="stopped", containers=[{"name": "api", "exit_code": 143, "reason": ""}])])) == []


def test_being_killed_without_a_reason_is_only_likely_for_memory():
    found = broken(setting(["tasks"], [task(containers=[{"name": "api", "exit_code": 137, "reason": ""}])]))
    assert [(item["code"], item["certainty"]) for item in found] == [("OUT_OF_MEMORY", "likely")]


def test_a_stopped_environment_is_not_told_piece_by_piece():
    def change(facts):
        facts["gates"] = {"power": "off", "redis": "absent"}
        facts["database"]["status"] = "stopped"
        facts["redis"] = {"id": "a-redis", "status": "absent", "endpoint": "", "snapshots": ["s"]}
        facts["load_balancer"] = None
        facts["network"]["nat_gateways"] = []
        facts["health"] = {"url": "u", "status": 0, "content": "refused"}
        for item in facts["services"].values():
            item.update(desired_count=0, running_count=0)

    assert [item["code"] for item in broken(change)] == ["ENVIRONMENT_STOPPED"]


def test_what_could_not_be_read_is_not_taken_for_missing():
    parts = ["database", "redis", "load_balancer", "parameters"]

    def change(facts):
        facts.update(database=None, redis=None, load_balancer=None, secrets=None, unreadable=[{"part": part, "why": "denied", "code": "x"} for part in parts])

    assert [item["code"] for item in broken(change)] == ["PARTLY_READABLE"]


def test_nothing_at_all_could_be_read():
    def change(facts):
        for part in ("services", "definitions", "target_groups", "images", "log_groups"):
            facts[part] = {}
        facts.update(tasks=[], database=None, redis=None, load_balancer=None, secrets=None, gates=None, health=None, missing_services=["a-api"])
        facts["network"] = dict.fromkeys(facts["network"])
        facts["unreadable"] = [{"part": part, "why": "ExpiredToken", "code": "ExpiredToken"} for part in ("services", "tasks", "database", "redis")]

    facts = deepcopy(FACTS)
    change(facts)
    found = diagnosis.findings(facts)
    assert [item["code"] for item in found] == ["AWS_NOT_READABLE"] or [item["code"] for item in found][0] == "AWS_NOT_READABLE"
    assert "Diagnosis of a" in diagnosis_text.as_text({"environment": "a", "at": NOW, "findings": found, "facts": facts})


def test_a_health_check_that_ecs_replaced_tasks_for_is_read_from_the_events():
    def change(facts):
        api = facts["services"]["a-api"]
        why = "due to (reason Health checks failed with these codes: [404])."
        api["events"].insert(0, {"at": NOW, "message": f"(service a-api) (port 3000) is unhealthy in (target-group {GROUP}) {why}"})
        api.update(running_count=0)
        facts["target_groups"][GROUP]["targets"] = []
        facts["target_groups"][GROUP]["path"] = "/helth"
        facts["tasks"] = [task(stop_code="ServiceSchedulerInitiated", stopped_reason=f"Task failed ELB health checks in (target-group {GROUP})")]

    found = broken(change)
    assert [item["code"] for item in found] == ["HEALTH_CHECK_PATH_WRONG"]
    assert "GET /helth" in found[0]["cause"] and not found[0]["over"]


def test_the_log_of_the_unhealthy_target_is_shown_rather_than_of_one_that_was_replaced_or_is_well():
    def change(facts):
        unhealthy(facts, "Target.FailedHealthChecks", "Health checks failed")
        replaced = task(stop_code="ServiceSchedulerInitiated", stopped_reason="Task failed ELB health checks in (target-group a)", addresses=[])
        replaced["log_tail"] = {"api": [{"at": NOW, "message": "listens on port 3000"}]}
        well = {**running("a-api", "everything is healthy"), "task_id": "t2", "created_at": NOW, "addresses": ["10.0.20.5"]}
        facts["tasks"] = [replaced, well, running("a-api", "listens on port 3001")]

    evidence = " ".join(next(item for item in broken(change) if item["code"] == "HEALTH_CHECK_NO_ANSWER")["evidence"])
    assert "listens on port 3001" in evidence
    assert "listens on port 3000" not in evidence and "everything is healthy" not in evidence


def test_a_health_check_port_that_is_not_the_containers_is_certain():
    def change(facts):
        unhealthy(facts, "Target.FailedHealthChecks", "Health checks failed")
        facts["target_groups"][GROUP]["port"] = 8080

    assert [(item["code"], item["certainty"]) for item in broken(change)] == [("HEALTH_CHECK_PORT_WRONG", "certain")]


def test_events_count_while_the_service_is_not_where_it_should_be():
    event = {"at": NOW, "message": "(service a-api) was unable to place a task. Reason: Capacity is unavailable at this time."}

    def change(facts):
        facts["services"]["a-api"]["events"].insert(0, event)
        facts["services"]["a-api"]["running_count"] = 0

    assert [item["code"] for item in broken(change)] == ["CAPACITY_UNAVAILABLE"]
    assert broken(lambda facts: facts["services"]["a-api"]["events"].insert(0, event)) == []
    assert broken(lambda facts: facts["services"]["a-api"]["events"].append(event)) == []


def test_too_few_tasks_without_a_cause_are_told_with_the_events():
    found = broken(setting(["services", "a-workers", "running_count"], 0))
    assert [item["code"] for item in found] == ["TOO_FEW_TASKS"]
    assert "runs 0 of 1" in found[0]["evidence"][0] and "steady state" in found[0]["evidence"][1]


def test_an_address_that_does_not_answer_without_a_cause():
    found = broken(setting(["health"], {"url": "http://a.elb/health", "status": 500, "content": "oops"}))
    assert [(item["code"], item["evidence"]) for item in found] == [("ADDRESS_UNHEALTHY", ["http://a.elb/health answers with 500: oops"])]


def test_never_released_is_told_instead_of_scaled_to_zero():
    def change(facts):
        facts["services"]["a-api"]["desired_count"] = facts["services"]["a-api"]["running_count"] = 0
        facts["definitions"][f"{ARN}a-api:2"]["is_template"] = True

    assert [(item["code"], "deploy.yml" in item["remedy"]) for item in broken(change)] == [("NEVER_RELEASED", True)]


def test_tasks_that_started_before_a_secret_changed():
    def change(facts):
        facts["tasks"] = [running()]
        facts["secrets"]["parameters"][1]["last_modified"] = "2026-01-10T02:59:00+00:00"

    found = broken(change)
    assert [item["code"] for item in found] == ["SECRETS_OUTDATED"]
    assert "/a/prod/ADMIN_TOKEN" in found[0]["cause"] and "restart.yml -e restart_services=api`" in found[0]["remedy"]


def test_the_commands_are_those_of_the_callers_place():
    facts = deepcopy(FACTS)
    facts["request"]["playbook_command"] = "ansible-playbook -i inventories/prod playbooks/{playbook} --limit a"
    facts["gates"] = {"power": "off", "redis": "absent"}
    assert "`ansible-playbook -i inventories/prod playbooks/start.yml --limit a`" in diagnosis.findings(facts)[0]["remedy"]


def test_the_memory_variable_of_a_service_that_has_none_of_its_own():
    def change(facts):
        facts["services"]["a-cron"] = {**facts["services"]["a-workers"], "name": "a-cron", "task_definition": f"{ARN}a-cron:2"}
        facts["tasks"] = [task("a-cron", containers=[{"name": "cron", "exit_code": 137, "reason": "OutOfMemoryError: x"}])]

    assert "Raise atena_services.cron.memory in" in broken(change)[0]["remedy"]


def test_the_text_is_read_from_top_to_bottom():
    facts = deepcopy(FACTS)
    facts["database"]["status"] = "stopped"
    facts["log_groups"]["/ecs/a-api"] = False
    facts["logs_withheld"] = True
    text = diagnosis_text.as_text({"environment": "a", "at": NOW, "findings": diagnosis.findings(facts), "facts": facts})
    order = [
        "Diagnosis of a,",
        "2 causes.",
        "1. DATABASE_STOPPED, a-db: The database is stopped",
        "Remedy:",
        "\n       ansible-playbook start.yml\n",
        "Evidence:",
    ]
    order += ["2. LOG_GROUP_MISSING, /ecs/a-api", "Status:", "a-api: 1 of 1 running", "newest event", "load balancer: active", "database: stopped"]
    order += ["http://a.elb/health: 200", "left out"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("api", "atena_api_memory (atena_services.api.memory, where that is set)"),
        ("workers", "atena_workers_memory (atena_services.workers.memory, where that is set)"),
        ("scheduler", "atena_services.scheduler.memory"),
        ("", "atena_services.<service>.memory"),
    ],
)
def test_what_a_services_memory_is_called(key, says):
    """Two services have a variable of their own, which is none for a third."""
    assert "".join(remedies.memory_variable(key)) == says
