"""Gathering: answers reduced to facts, parts that fail told as such, and no secret in any of it."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import failure
from ansible_collections.atena.aws.plugins.module_utils.diagnosis import evidence, facts as diagnosis_facts, read as diagnosis_read
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import Database, Task, TaskContainer
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.text import as_text
from fakes import Pages

WHEN = datetime(2026, 1, 10, 3, tzinfo=UTC)
DEFINITION = "arn:aws:ecs:us-east-1:1:task-definition/a-api:2"
TASK = "arn:aws:ecs:us-east-1:1:task/a-cluster/t1"
GROUP = "arn:tg"
SECRETS = {"ADMIN_TOKEN": "a-very-secret-token", "DATABASE_URL": "postgresql://atena:hunter2hunter2@db.rds:5432/atena", "PIN": "4711", "UNSET": "CHANGE_ME"}
REQUEST = {
    "name": "a",
    "cluster": "a-cluster",
    "services": ["a-api", "a-gone"],
    "ssm_path": "/a/prod",
    "database_id": "a-db",
    "redis_id": "a-redis",
    "gates_bucket": "bucket",
    "gates_key": "gates.json",
}


def container(name, **changes):
    return {"name": name, "exitCode": 3, **changes}


def parameter(name, value):
    return {"Name": f"/a/prod/{name}", "Type": "SecureString", "Version": 1, "LastModifiedDate": WHEN, "Value": value}


class Body:
    def read(self):
        return b'{"power": "on", "redis": "present"}'


ANSWERS = {
    "describe_services": {
        "services": [
            {
                "serviceName": "a-api",
                "status": "ACTIVE",
                "desiredCount": 1,
                "runningCount": 0,
                "pendingCount": 1,
                "taskDefinition": DEFINITION,
                "deployments": [{"id": "d2", "status": "PRIMARY", "taskDefinition": DEFINITION, "rolloutState": "IN_PROGRESS"}],
                "events": [{"createdAt": WHEN, "message": "(service a-api) said a-very-secret-token"}],
                "loadBalancers": [{"targetGroupArn": GROUP, "containerName": "api", "containerPort": 3000}],
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s1"], "securityGroups": ["g1"]}},
            }
        ]
    },
    "list_tasks": {"taskArns": [TASK]},
    "describe_tasks": {
        "tasks": [
            {
                "taskArn": TASK,
                "group": "service:a-api",
                "startedBy": "d2",
                "taskDefinitionArn": DEFINITION,
                "lastStatus": "STOPPED",
                "stopCode": "EssentialContainerExited",
                "stoppedReason": "Essential container in task exited",
                "createdAt": WHEN,
                "stoppedAt": WHEN,
                "containers": [container("api", reason="Error: a-very-secret-token")],
            }
        ]
    },
    "describe_task_definition": {
        "taskDefinition": {
            "taskDefinitionArn": DEFINITION,
            "family": "a-api",
            "revision": 2,
            "memory": "512",
            "containerDefinitions": [
                {
                    "name": "api",
                    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a-api:x",
                    "environment": [{"name": "PASSWORD", "value": "in-the-environment"}],
                    "secrets": [
                        {"name": "ADMIN_TOKEN", "valueFrom": "arn:aws:ssm:us-east-1:1:parameter/a/prod/ADMIN_TOKEN"},
                        {"name": "GONE", "valueFrom": "/a/prod/GONE"},
                        {"name": "SHARED", "valueFrom": "/shared/KEY"},
                    ],
                    "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/a-api", "awslogs-stream-prefix": "api"}},
                }
            ],
        },
        "tags": [],
    },
    "describe_load_balancers": {"LoadBalancers": [{"LoadBalancerName": "a-alb", "LoadBalancerArn": "alb", "DNSName": "a.elb", "SecurityGroups": ["g0"]}]},
    "describe_listeners": {"Listeners": [{"Port": 80, "Protocol": "HTTP"}]},
    "describe_target_groups": {"TargetGroups": [{"TargetGroupName": "a-api-tg", "Port": 3000, "HealthCheckPort": "traffic-port", "LoadBalancerArns": ["alb"]}]},
    "describe_target_health": {
        "TargetHealthDescriptions": [{"Target": {"Id": "10.0.0.1", "Port": 3000}, "TargetHealth": {"State": "unhealthy", "Reason": "R"}}]
    },
    "describe_db_instances": {
        "DBInstances": [
            {
                "DBInstanceIdentifier": "a-db",
                "DBInstanceStatus": "available",
                "Engine": "postgres",
                "EngineVersion": "16",
                "Endpoint": {"Address": "db.rds", "Port": 5432},
                "VpcSecurityGroups": [{"VpcSecurityGroupId": "g2"}],
            }
        ]
    },
    "describe_cache_clusters": {"CacheClusters": []},
    "describe_snapshots": {"Snapshots": [{"SnapshotName": "a-redis-1"}]},
    "get_parameters_by_path": {"Parameters": [parameter(name, value) for name, value in SECRETS.items()]},
    "get_parameters": {"Parameters": [{"Name": "/shared/KEY", "Value": "shared-secret-value"}], "InvalidParameters": []},
    "get_object": {"Body": Body()},
    "describe_subnets": {"Subnets": [{"SubnetId": "s1", "VpcId": "v1", "CidrBlock": "10.0.0.0/24", "OwnerId": "1"}]},
    "describe_security_groups": {"SecurityGroups": [{"GroupId": "g1", "GroupName": "ecs", "IpPermissions": [], "IpPermissionsEgress": []}]},
    "describe_route_tables": {"RouteTables": []},
    "describe_nat_gateways": {"NatGateways": [{"NatGatewayId": "n", "State": "available", "CreateTime": WHEN}]},
    "describe_vpc_endpoints": {"VpcEndpoints": []},
    "describe_log_groups": {"logGroups": []},
    "batch_get_image": {"images": []},
    "get_log_events": {
        "events": [
            {"timestamp": int(WHEN.timestamp() * 1000), "message": line + "\n"}
            for line in ("token a-very-secret-token", "pin 4711 of 47110", "password hunter2hunter2", "key shared-secret-value", "the real error")
        ]
    },
}


class Call(Pages):
    """Answers as recorded; `failing` {operation: error} fails instead."""

    def __init__(self, **failing):
        self.failing, self.made = failing, []

    def client(self, service):
        return None

    def __call__(self, service, operation, doing, /, **arguments):
        self.made.append(operation)
        if operation in self.failing:
            raise self.failing[operation]
        return ANSWERS[operation]


def diagnose(**failing):
    return diagnosis_read.diagnose(Call(**failing), REQUEST)


def test_the_facts_are_json_and_have_what_the_answers_tell():
    facts = json.loads(json.dumps(diagnose()))["facts"]
    assert facts["services"]["a-api"]["deployments"][0]["rollout_state"] == "IN_PROGRESS"
    assert facts["missing_services"] == ["a-gone"]
    assert [(task["task_id"], task["state"], task["containers"][0]["exit_code"]) for task in facts["tasks"]] == [("t1", "failed", 3)]
    assert facts["definitions"][DEFINITION]["containers"][0]["memory"] == 512
    assert facts["redis"]["status"] == "absent" and facts["redis"]["snapshots"] == ["a-redis-1"]
    assert facts["gates"] == {"power": "on", "redis": "present"}
    assert facts["secrets"]["missing"] == ["/a/prod/GONE"]
    assert facts["secrets"]["database_url_is_right"] is True
    assert {item["name"]: item["is_set"] for item in facts["secrets"]["parameters"]}["/a/prod/UNSET"] is False
    assert facts["network"]["nat_gateways"] == [{"NatGatewayId": "n", "State": "available"}]
    assert facts["log_groups"] == {"/ecs/a-api": False}
    assert facts["target_groups"][GROUP]["targets"][0]["state"] == "unhealthy"
    assert facts["unreadable"] == []


def test_what_has_not_ended_is_among_them(monkeypatch):
    monkeypatch.setattr(diagnosis_read.unfinished, "read", lambda call, where, name: [{"work": f"stop of {name} in {where['bucket']}"}])
    facts = diagnosis_read.gather(Call(), {**REQUEST, "records": {"bucket": "b"}})
    assert facts["unfinished"] == [{"work": "stop of a in b"}] and diagnosis_read.gather(Call(), REQUEST)["unfinished"] is None


@pytest.mark.parametrize(
    ("since", "tasks", "ids"), [("2026-01-10T02:00:00+00:00", [], ["t1"]), ("2026-01-10T04:00:00+00:00", [], []), ("2026-01-10T04:00:00+00:00", [TASK], ["t1"])]
)
def test_tasks_of_before_are_left_out_unless_they_are_asked_for(since, tasks, ids):
    facts = diagnosis_read.gather(Call(), {**REQUEST, "since": since, "tasks": tasks})
    assert [task["task_id"] for task in facts["tasks"]] == ids


def test_every_cause_in_them_is_found():
    codes = {item["code"] for item in diagnose()["findings"]}
    assert {
        "SERVICE_MISSING",
        "REDIS_MISSING",
        "SECRET_MISSING",
        "SECRET_NOT_SET",
        "IMAGE_MISSING",
        "LOG_GROUP_MISSING",
        "TASK_EXITED",
        "EGRESS_MISSING",
    } <= codes


def test_no_secret_is_in_the_diagnosis_or_its_text():
    made = diagnose()
    everything = json.dumps(made) + as_text(made)
    for value in ("a-very-secret-token", "hunter2hunter2", "shared-secret-value", "in-the-environment", "pin 4711 "):
        assert value not in everything
    tail = [line["message"] for line in made["facts"]["tasks"][0]["log_tail"]["api"]]
    assert tail == ["token [secret]", "pin [secret] of 47110", "password [secret]", "key [secret]", "the real error"]


def test_a_value_of_before_a_rotation_is_not_in_it_either(monkeypatch):
    """The task that failed was started with it."""
    changed = {**parameter("ADMIN_TOKEN", "the-new-token"), "Version": 2, "LastModifiedDate": datetime.now(UTC)}
    monkeypatch.setitem(ANSWERS, "get_parameters_by_path", {"Parameters": [changed]})
    history = {"Parameters": [{"Value": "a-very-secret-token", "Version": 1}, {"Value": "the-new-token", "Version": 2}]}
    monkeypatch.setitem(ANSWERS, "get_parameter_history", history)
    made = diagnose()
    assert "a-very-secret-token" not in json.dumps(made) and made["facts"]["unreadable"] == []
    made = diagnose(get_parameter_history=failure("Could not: AccessDenied", "AccessDenied"))
    assert [item["part"] for item in made["facts"]["unreadable"]] == ["earlier values of the secrets"]


@pytest.mark.parametrize("operation", sorted(set(ANSWERS) - {"describe_task_definition"}))
def test_a_part_that_cannot_be_read_is_told_and_the_others_are_there(operation):
    made = diagnose(**{operation: failure("Could not: AccessDenied", "AccessDenied")})
    assert made["facts"]["unreadable"], operation
    assert {"PARTLY_READABLE", "AWS_NOT_READABLE"} & {item["code"] for item in made["findings"]}
    assert "Status:" in as_text(made)
    # Nothing that was not read is called missing.
    gone = {"describe_db_instances": "DATABASE_MISSING", "describe_cache_clusters": "REDIS_MISSING", "describe_load_balancers": "LOAD_BALANCER_MISSING"}
    assert gone.get(operation) not in {item["code"] for item in made["findings"]}


def test_nothing_can_be_read_at_all():
    made = diagnose(**{operation: failure("Could not: ExpiredToken", "ExpiredToken") for operation in ANSWERS})
    assert [item["code"] for item in made["findings"]] == ["AWS_NOT_READABLE"]
    assert "Status:" in as_text(made)


def test_an_answer_of_an_unforeseen_shape_is_a_part_that_cannot_be_read():
    made = diagnose(describe_db_instances=KeyError("DBInstances"))
    assert [item["part"] for item in made["facts"]["unreadable"]] == ["database"]


@pytest.mark.parametrize("operation", ["get_parameters_by_path", "get_parameters"])
def test_without_the_secrets_no_log_line_is_kept(operation):
    made = diagnose(**{operation: failure("Could not: AccessDenied", "AccessDenied")})
    assert made["facts"]["tasks"][0]["log_tail"] == {} and made["facts"]["logs_withheld"]
    assert "the real error" not in json.dumps(made)


def test_a_cluster_that_does_not_exist_has_no_services_and_no_tasks():
    missing = failure("Could not", "ClusterNotFoundException")
    made = diagnose(describe_services=missing, list_tasks=missing)
    assert made["facts"]["missing_services"] == ["a-api", "a-gone"] and made["facts"]["unreadable"] == []


# --- Facts ---


def ecs_task(**changes):
    return {"taskArn": TASK, "group": "service:a-api", "taskDefinitionArn": DEFINITION, "lastStatus": "STOPPED", "containers": [container("api")], **changes}


@pytest.mark.parametrize(
    ("task", "state"),
    [
        (ecs_task(lastStatus="RUNNING"), "running"),
        (ecs_task(stopCode="EssentialContainerExited"), "failed"),
        (ecs_task(stopCode="EssentialContainerExited", containers=[container("api", exitCode=0)]), "failed"),
        (ecs_task(stopCode="EssentialContainerExited", containers=[container("api", exitCode=0)], group="family:a-api"), "succeeded"),
        (ecs_task(stopCode="TaskFailedToStart", stoppedReason="CannotPullContainerError: x"), "failed"),
        (ecs_task(stopCode="ServiceSchedulerInitiated", stoppedReason="Scaling activity initiated by (deployment x)"), "stopped"),
        (ecs_task(stopCode="ServiceSchedulerInitiated", stoppedReason="Task failed ELB health checks in (target-group x)"), "failed"),
        (ecs_task(stopCode="UserInitiated", stoppedReason="Task stopped by user"), "stopped"),
    ],
)
def test_how_a_task_ended(task, state):
    assert diagnosis_facts.ending(task) == state


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("postgresql://a:b@db.rds:5432/x", True),
        ("postgresql://a:b@DB.rds/x", True),
        ("postgresql://a:b#1@db.rds:5432/x", True),
        ("postgresql://a:1/b?c@db.rds:5432/x", True),
        ("postgresql://a:1/b?c@other:5432/x", False),
        ("postgresql://a:b@db.rds:5433/x", False),
        ("postgresql://a:b@other:5432/x", False),
        ("not a url", False),
        ("postgresql://a:b@[broken", False),
    ],
)
def test_whether_a_url_names_the_endpoint(url, right):
    assert diagnosis_facts.points_to(url, Database(id="a", status="available", endpoint="db.rds", port=5432)) is right


@pytest.mark.parametrize("entry", [None, Database(id="a", status="creating")])
def test_without_an_endpoint_there_is_nothing_to_compare(entry):
    assert diagnosis_facts.points_to("postgresql://a:b@db.rds", entry) is None


def some_task(arn, state, at, service="a-api", started_by="d2", **others):
    known = {"task_id": arn, "task_definition": "td", "last_status": "", "stopped_at": at, "created_at": at}
    return Task(task_arn=arn, state=state, service=service, started_by=started_by, **known, **others)


def test_the_logs_of_the_newest_failures_and_of_one_running_task_are_read():
    def entry(number, state, service="a-api", started_by="d2", code=143):
        at = (WHEN + timedelta(minutes=number)).isoformat()
        arn = f"arn/{number}"
        containers = [TaskContainer(name="api", exit_code=None if state == "running" else code)]
        return some_task(arn, state, at, service=service, started_by=started_by, containers=containers)

    tasks = [entry(n, "failed") for n in range(4)] + [entry(n, "running") for n in (4, 5)] + [entry(6, "stopped"), entry(7, "failed", "", "migrate")]
    assert set(diagnosis_facts.logs_worth_reading(tasks, [])) == {"arn/3", "arn/2", "arn/5", "arn/7"}
    assert set(diagnosis_facts.logs_worth_reading(tasks, ["arn/0", "arn/6"])) == {"arn/0", "arn/6", "arn/3", "arn/2", "arn/5", "arn/7"}


def test_of_tasks_that_were_stopped_as_wanted_only_one_that_ended_badly_is_read():
    """npm as process 1 ends with 1 at a stop; 137 and 143 are ECS's own signals."""

    def entry(number, code):
        at = (WHEN + timedelta(minutes=number)).isoformat()
        return some_task(f"arn/{number}", "stopped", at, containers=[TaskContainer(name="api", exit_code=code)])

    assert diagnosis_facts.logs_worth_reading([entry(n, code) for n, code in enumerate((0, 1, 1, 137, 143, None))], []) == ["arn/2"]


def test_more_lines_are_read_than_are_shown(monkeypatch):
    """The message of an error may stand hundreds of lines before the last one."""
    lines = [{"timestamp": n, "message": f"line {n} a-very-secret-token"} for n in range(100)]
    monkeypatch.setitem(ANSWERS, "get_log_events", {"events": lines, "nextForwardToken": "0"})
    made = diagnose()
    task = made["facts"]["tasks"][0]
    assert [line["message"].split()[1] for line in task["log_tail"]["api"]] == [str(n) for n in range(80, 100)]
    assert [line["message"] for line in task["log_before"]["api"]] == [f"line {n} [secret]" for n in range(80)]


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://a:b@h:5432/d?sslmode=verify-full", "verify-full"),
        ("postgresql://a:b@h:5432/d?application_name=x&sslmode=no-verify", "no-verify"),
        ("postgresql://a:b@h:5432/d", ""),
        ("postgresql://a:b@h:5432/d?sslmode=hunter2", "another"),
        ("postgresql://a:b@[h/d", None),
    ],
)
def test_of_a_database_url_only_a_mode_that_is_known_is_told(url, mode):
    assert diagnosis_facts.sslmode_of(url) == mode


def test_the_file_with_certificates_that_a_container_is_told_of():
    told = [{"name": "PGSSLROOTCERT", "value": "/libpq.pem"}, {"name": "NODE_EXTRA_CA_CERTS", "value": "/node.pem"}]
    assert [diagnosis_facts.bundle_of({"environment": told[:n]}) for n in (0, 1, 2)] == ["", "/libpq.pem", "/node.pem"]
    assert diagnosis_facts.bundle_of({}) == ""


# --- Keeping it ---


def test_it_is_kept_for_its_owner_only(tmp_path):
    made = diagnose()
    directory = tmp_path / "new" / "evidence"
    paths = evidence.save(made, str(directory))
    assert [os.path.basename(path).rpartition(".")[2] for path in paths] == ["json", "txt"]
    assert os.path.basename(paths[0]).startswith("a-20") and sorted(os.listdir(directory)) == sorted(os.path.basename(path) for path in paths)
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in paths] == [0o600, 0o600]
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    with open(paths[0], encoding="utf-8") as file:
        assert json.load(file) == json.loads(json.dumps(made))
    with open(paths[1], encoding="utf-8") as file:
        assert file.read() == as_text(made)


def test_a_name_of_the_callers_is_used():
    assert evidence.keys({"environment": "a", "at": "2026-01-10T03:00:00+00:00"}, "p/", "release-1") == ["p/release-1.json", "p/release-1.txt"]
    assert evidence.keys({"environment": "a", "at": "2026-01-10T03:00:00+00:00"}, "p/") == ["p/a-20260110T030000Z.json", "p/a-20260110T030000Z.txt"]


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    made = diagnose()
    monkeypatch.setattr(evidence.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError):
        evidence.save(made, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_copy_in_the_bucket():
    put = []

    def call(service, operation, doing, /, **arguments):
        put.append((service, operation, arguments["Bucket"], arguments["Key"], arguments["ContentType"]))

    key = evidence.upload(call, diagnose(), "bucket", "a/prod/evidence/")
    assert key.startswith("a/prod/evidence/a-") and key.endswith(".json")
    assert [(item[0], item[1], item[2]) for item in put] == [("s3", "put_object", "bucket")] * 2
    assert put[0][3] == key and put[1][4].startswith("text/plain")
