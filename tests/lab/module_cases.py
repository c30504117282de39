"""One run of each module for tests/lab/test_modules_as_documented.py, in the order in which they are made: a later one may use what an earlier one did."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from conftest import CHECKOUT
from emulator_world import until
from faults import Faults
from github_server import TOKEN, GitHubServer
from inprocess import module_utils

power_journal = module_utils("environment.journal")

API, WORKERS = "atena-prod-api", "atena-prod-workers"


class World:
    """What the cases need to know of the lab, and what is made for them and taken away again."""

    def __init__(self, lab, directory: Path):
        self.lab, self.directory = lab, directory
        self.id = f"documented-{uuid.uuid4().hex[:8]}"
        self.bucket = f"atena-terraform-state-{lab.account}"
        self.token = str(uuid.uuid4())
        self.running = lab.revisions()
        self.images = {name: self._definition(arn)["containerDefinitions"][0]["image"] for name, arn in self.running.items()}
        self.repository = lab.client("ecr").create_repository(repositoryName=f"{self.id}-thing")["repository"]["repositoryUri"]
        self.template = self._new_template()
        for number in (1, 2):
            self._new_thing(number)
        self.journal_key, self.github_key = f"{self.id}/power.json", f"{self.id}/github.json"
        self.github = GitHubServer("acme/app").__enter__()
        self._database_that_aws_started()
        releases = lab.client("s3").list_objects_v2(Bucket=self.bucket, Prefix="atena/prod/releases/")["Contents"]
        records = [json.load(lab.client("s3").get_object(Bucket=self.bucket, Key=entry["Key"])["Body"]) for entry in releases]
        self.release = max((record for record in records if record["outcome"] == "succeeded"), key=lambda record: record["id"])

    def _definition(self, arn: str) -> dict:
        return self.lab.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]

    def _new_template(self) -> str:
        """A template of the workers as Terraform would register it after a change: one more variable."""
        now = self._definition(f"{WORKERS}-template")
        kept = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn", "taskRoleArn", "runtimePlatform")
        (container,) = now["containerDefinitions"]
        container = {**container, "environment": [*container.get("environment", []), {"name": "DOCUMENTED", "value": self.id}]}
        answer = self.lab.client("ecs").register_task_definition(
            **{name: now[name] for name in kept if name in now}, containerDefinitions=[container], tags=[{"key": "atena:template", "value": "true"}]
        )
        return answer["taskDefinition"]["taskDefinitionArn"]

    def _new_thing(self, number: int) -> None:
        """An image in a repository of its own, and a revision that needs it."""
        manifest = json.dumps({"schemaVersion": 2, "config": {"digest": f"sha256:{number:064}"}, "layers": []})
        self.lab.client("ecr").put_image(repositoryName=f"{self.id}-thing", imageManifest=manifest, imageTag=f"sha-{number}")
        image = f"{self.repository}@sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
        self.lab.client("ecs").register_task_definition(family=f"{self.id}-thing", containerDefinitions=[{"name": "thing", "image": image, "memory": 64}])

    def _database_that_aws_started(self) -> None:
        """An instance of its own that was stopped for seven days, and a journal that says that it should be off."""
        rds = self.lab.client("rds")

        def comes_to(wanted: str) -> None:
            until(lambda: rds.describe_db_instances(DBInstanceIdentifier=self.id)["DBInstances"][0]["DBInstanceStatus"] == wanted, 90)

        settings = {"Engine": "postgres", "EngineVersion": "16", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20, "DBName": "documented"}
        rds.create_db_instance(DBInstanceIdentifier=self.id, MasterUsername="documented", MasterUserPassword="documented-s3cret", **settings)
        comes_to("available")
        rds.stop_db_instance(DBInstanceIdentifier=self.id)
        comes_to("stopped")
        with Faults(self.lab.endpoint) as emulator:
            assert self.id in emulator.days(7)
        comes_to("available")
        endpoint = rds.describe_db_instances(DBInstanceIdentifier=self.id)["DBInstances"][0]["Endpoint"]
        address = f"postgresql://documented:documented-s3cret@{endpoint['Address']}:{endpoint['Port']}/documented?sslmode=no-verify"
        self.lab.client("ssm").put_parameter(Name="/atena/prod/DOCUMENTED_URL", Value=address, Type="SecureString")
        journal = {**power_journal.new(self.id), "state": power_journal.STOPPED, "database": {"id": self.id, "stopped_at": ""}}
        self.lab.client("s3").put_object(Bucket=self.bucket, Key=self.journal_key, Body=json.dumps(journal).encode(), ContentType="application/json")

    def working_copy(self, **changes) -> dict:
        """terraform_working_copy's options: the environment's own, in another directory."""
        infra = self.lab.infra
        backend = json.loads((infra / "backend_override.tf.json").read_text())["terraform"]["backend"]["s3"]
        variables = {**json.loads((infra / "terraform.auto.tfvars.json").read_text()), **changes}
        return {"source": str(infra), "path": str(self.directory / "copy" / "infra"), "backend": backend, "variables": variables}

    def release_options(self, **changes) -> dict:
        return {
            "name": self.lab.name,
            "services": [{"name": name, "images": {key: self.images[name]}, "stable_seconds": 3} for name, key in ((API, "api"), (WORKERS, "workers"))],
            "health": {"url": self.lab.app.url, "delay": 1},
            "preflight": {"ssm_path": "/atena/prod", "database_id": "atena-prod-db", "redis_id": "atena-prod-redis"},
            "ledger": {"bucket": self.bucket, "prefix": "atena/prod/releases/"},
            "lock": {"table": "atena-terraform-locks", "name": self.lab.name},
            "operator": "arn:aws:iam::000000000042:user/documented",
            "wait_timeout": 240,
            **changes,
        }

    def close(self) -> None:
        """Takes away what the cases left; the services are brought back by the playbook's own last tasks."""
        ecs, ecr, s3, dynamodb, elasticache = (self.lab.client(service) for service in ("ecs", "ecr", "s3", "dynamodb", "elasticache"))
        ecs.deregister_task_definition(taskDefinition=self.template)
        self.lab.client("rds").delete_db_instance(DBInstanceIdentifier=self.id, SkipFinalSnapshot=True, DeleteAutomatedBackups=True)
        for key in (self.journal_key, f"{self.id}/rotations.json"):
            s3.delete_object(Bucket=self.bucket, Key=key)
        for key in (self.journal_key, self.github_key):
            s3.delete_object(Bucket=self.bucket, Key=key)
        self.github.__exit__()
        for key in (self.journal_key, f"{self.id}/destroyed.json"):
            s3.delete_object(Bucket=self.bucket, Key=key)
        for family in (f"{self.id}-thing", f"{self.id}-family"):
            for arn in ecs.list_task_definitions(familyPrefix=family, status="ACTIVE")["taskDefinitionArns"]:
                ecs.deregister_task_definition(taskDefinition=arn)
        ecr.delete_repository(repositoryName=f"{self.id}-thing", force=True)
        ecr.batch_delete_image(repositoryName=API, imageIds=[{"imageTag": tag} for tag in (self.id, f"{self.id}-also")])
        self.lab.client("ssm").delete_parameters(Names=[f"/{self.id}/A_SECRET", "/atena/prod/DOCUMENTED_URL", "/atena/prod/DOCUMENTED_ADMIN_URL"])
        if self.id in dynamodb.list_tables()["TableNames"]:
            dynamodb.update_table(TableName=self.id, DeletionProtectionEnabled=False)
            dynamodb.delete_table(TableName=self.id)
        if self.id in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            s3.delete_bucket_policy(Bucket=self.id)
            for version in s3.list_object_versions(Bucket=self.id).get("Versions", []):
                s3.delete_object(Bucket=self.id, Key=version["Key"], VersionId=version["VersionId"])
            s3.delete_bucket(Bucket=self.id)
        if self.id in [cluster["CacheClusterId"] for cluster in elasticache.describe_cache_clusters()["CacheClusters"]]:
            elasticache.delete_cache_cluster(CacheClusterId=self.id)
        for snapshot in elasticache.describe_snapshots()["Snapshots"]:
            if snapshot["SnapshotName"].startswith(self.id):
                elasticache.delete_snapshot(SnapshotName=snapshot["SnapshotName"])


@dataclass
class Case:
    """One way to call a module: it is run in check mode, for real, and again."""

    module: str
    name: str
    options: dict
    # Whether there is something to change; check mode must say so, and the second run must not.
    changes: bool = False
    # What the diff of check mode must name.
    diff: tuple[str, ...] = ()
    # Why a second run is not made at all, or writes although nothing changes.
    not_again: str = ""
    again_writes: str = ""
    tasks: dict = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.module}: {self.name}"


def result_of(module: str, name: str) -> str:
    """The variable that holds the result of a case's real run, for the options of later ones."""
    return f"{module}_{name.replace(' ', '_')}"


# Documented values that no case returns, and why.
UNSEEN = {
    "elasticache_restore": {"differences": "returned when something is not as recorded: tests/lab/test_redis_modules.py"},
    "ecs_release": {
        **dict.fromkeys(
            ("failed_tasks", "reverted", "not_reverted", "taken_over", "evidence", "code", "findings"),
            "returned by releases that fail: tests/lab/test_release.py",
        ),
    },
    "ssm_secrets_rotation": dict.fromkeys(("failed_tasks", "reverted", "not_reverted"), "returned by values that roll back: tests/lab/test_secrets_verbs.py"),
    "database_password_rotation": dict.fromkeys(("failed_tasks", "reverted", "not_reverted"), "returned by users that roll back: tests/unit"),
    "ecs_scale": dict.fromkeys(("failed_tasks", "reverted", "not_reverted"), "returned by counts that do not come up: tests/lab/test_scale.py"),
    "ecs_restart": {"failed_tasks": "returned by restarts that fail: tests/lab/test_operate.py"},
    "ecs_rollout": dict.fromkeys(("failed_tasks", "reverted", "not_reverted", "taken_over"), "returned by rollouts that fail: tests/lab/test_release.py"),
    "environment_power": {
        **dict.fromkeys(("redis_empty", "reenqueued"), "returned by starts without the queue: tests/lab/test_power.py"),
        "database_snapshot": "returned by stops without a fresh backup: tests/lab/test_power.py",
    },
    "terraform_apply": {"refused": "returned by plans that are refused: tests/lab/test_refusals.py"},
}


# Their cases would take minutes of their own: tests/lab/test_recovery.py compares what they return there.
ELSEWHERE = ("database_restore", "environment_destroy")


def cases(world: World) -> list[Case]:
    lab, name = world.lab, world.lab.name
    lock = {"table": "atena-terraform-locks", "name": world.id}
    workers_now = f"{{{{ ({result_of('ecs_release', 'release')}.services | selectattr('name', 'eq', '{WORKERS}') | first).task_definition }}}}"
    ledger = {"bucket": world.bucket, "prefix": "atena/prod/releases/"}
    rotated = {"name": name, "record": {"bucket": world.bucket, "key": f"{world.id}/rotations.json"}, "operator": "documented", "wait_timeout": 120}
    return [
        Case("caller_identity_info", "who", {"expected_account_id": lab.account}),
        Case("environment_info", "all", {"name": name, "services": ["api", "workers", "none"], "ssm_path": "/atena/prod"}),
        *cost_cases(world),
        Case("environment_lock", "hold", {**lock, "token": world.token, "reason": "documented"}, changes=True),
        Case("environment_lock_info", "held", lock),
        Case("environment_lock", "release", {**lock, "token": world.token, "state": "released"}, changes=True),
        Case("environment_lock_info", "free", lock),
        Case("environment_lock", "hold again", {**lock, "token": world.token}, changes=True),
        Case("environment_lock", "force", {**lock, "state": "forced"}, changes=True),
        Case(
            "database_password_rotation",
            "the first turn",
            {
                **rotated,
                **{"path": "/atena/prod", "services": [], "database": world.id, "users": ["documented_a", "documented_b"], "owner": "documented_owner"},
                **{"secret": "DOCUMENTED_URL", "admin_secret": "DOCUMENTED_ADMIN_URL", "next_secret": "DOCUMENTED_URL_NEXT"},
                "program": {"service": API, "container": "api", "command": ["node", "packages/database/dist/users.js"]},
            },
            changes=True,
            diff=("DOCUMENTED_URL",),
            not_again="each run is another turn: tests/lab/test_secrets_verbs.py",
        ),
        Case(
            "environment_guard",
            "stop again",
            {
                **{"database_id": world.id, "power": {"bucket": world.bucket, "journal_key": world.journal_key}},
                **{"lock": lock, "operator": "documented"},
            },
            changes=True,
            diff=("stopped",),
        ),
        Case(
            "environment_schedule_info",
            "office hours",
            {
                **{"name": name, "power": {"bucket": world.bucket, "journal_key": world.journal_key}},
                "schedule": {"timezone": "America/New_York", "hours": [{"days": "mon-fri", "start": "08:00", "stop": "19:00"}]},
            },
        ),
        Case("release_info", "list", {**ledger, "cluster": lab.cluster, "reference": world.release["id"]}),
        Case(
            "release_preflight_info",
            "all",
            {
                **{"name": name, "services": [{"name": API}, {"name": WORKERS}], "ssm_path": "/atena/prod", "database_id": f"{name}-db"},
                **{"redis_id": f"{name}-redis", "rollout_timeout": 240, "gates_bucket": world.bucket, "gates_key": "atena/prod/gates.json"},
                **{"lock_table": "atena-terraform-locks", "fail_on": "never"},
            },
        ),
        Case(
            "environment_diagnosis_info",
            "kept",
            {
                **{"name": name, "services": ["api", "workers"], "ssm_path": "/atena/prod", "health_path": "/health"},
                **{"save_to": str(world.directory / "evidence"), "bucket": world.bucket, "key_prefix": f"{world.id}/"},
            },
            again_writes="a diagnosis that is to be kept is kept each time",
        ),
        Case(
            "ssm_secrets",
            "set one",
            {"path": f"/{world.id}", "names": ["A_SECRET", "ANOTHER"], "values": {"A_SECRET": "documented-s3cret"}},
            changes=True,
            diff=("A_SECRET",),
        ),
        Case(
            "ssm_secrets_info",
            "list and compare",
            {
                **{"path": "/atena/prod", "cluster": lab.cluster, "services": [API, WORKERS], "desired": ["ADMIN_TOKEN", "NONE"]},
                "values": {"ADMIN_TOKEN": "another-s3cret"},
            },
        ),
        Case(
            "ssm_secrets_rotation",
            "rotate one",
            {
                **rotated,
                **{"path": f"/{world.id}", "services": [API, WORKERS], "names": ["A_SECRET"], "values": {"A_SECRET": "documented-s3cret-2"}},
            },
            changes=True,
            diff=("A_SECRET",),
        ),
        Case(
            "terraform_backend",
            "make it",
            {"bucket": world.id, "table": world.id, "account_id": lab.account, "state_key": "s", "gates_key": "gates.json", "tags": {"Project": world.id}},
            changes=True,
            diff=("versioning", "encryption", "lifecycle", "point-in-time recovery"),
        ),
        Case("terraform_working_copy", "copy", world.working_copy(log_retention_days=14), changes=True),
        Case(
            "terraform_apply",
            "apply",
            {"project_path": str(world.directory / "copy" / "infra"), "cost": costs()},
            changes=True,
            diff=("retention_in_days",),
            again_writes="Terraform locks its state while it plans",
        ),
        Case("terraform_output_info", "outputs", {"project_path": str(world.directory / "copy" / "infra")}),
        Case(
            "github_secrets",
            "set",
            {
                **{"repository": "acme/app", "secrets": {"ALB_DNS_NAME": "alb.example.com"}, "token": TOKEN, "api_url": world.github.url},
                "record": {"bucket": world.bucket, "key": world.github_key},
            },
            changes=True,
            diff=("ALB_DNS_NAME: written now",),
        ),
        Case(
            "ecr_image",
            "build",
            {
                **{"path": str(lab.app.repository), "tag": world.id, "also_tags": [f"{world.id}-also"]},
                "images": [{"name": "api", "repository": API, "dockerfile": "packages/api/Dockerfile"}],
            },
            changes=True,
        ),
        Case(
            "ecs_release_revision",
            "register",
            {
                **{"cluster": lab.cluster, "release": world.id},
                "services": [{"name": WORKERS, "family": f"{world.id}-family", "images": {"workers": world.images[WORKERS]}}],
            },
            changes=True,
            diff=("containerDefinitions[workers].environment[DOCUMENTED]",),
        ),
        Case(
            "ecs_run_task",
            "run",
            {
                **{"cluster": lab.cluster, "service": API},
                "container_overrides": [{"name": "api", "command": ["echo", "documented"]}],
            },
            changes=True,
            not_again="a task runs as often as it is started",
        ),
        Case(
            "ecs_service_logs_info",
            "what that wrote",
            {
                **{"services": [{"name": "api", "group": f"/ecs/{API}"}], "since": "10m", "pattern": "documented", "format": "json"},
                **{"environment": name, "ssm_path": "/atena/prod", "save_to": str(world.directory / "lines")},
            },
        ),
        Case(
            "ecs_exec",
            "in the workers",
            {"cluster": lab.cluster, "service": WORKERS, "key": "workers", "command": "echo documented", "ssm_path": "/atena/prod"},
            changes=True,
            not_again="a command runs as often as it is asked for",
        ),
        Case(
            "ecs_restart",
            "the workers",
            {"cluster": lab.cluster, "services": [WORKERS], "wait_timeout": 240},
            changes=True,
            diff=("a new one of the same task definition",),
            not_again="a restart restarts, however often",
        ),
        Case(
            "ecs_release",
            "release",
            world.release_options(
                release=world.release["release"],
                migration={"service": API, "container": "api", "command": ["node", "packages/database/dist/migrate.js"]},
            ),
            changes=True,
            diff=("containerDefinitions[workers].environment[DOCUMENTED]",),
        ),
        Case(
            "ecs_release",
            "roll back",
            world.release_options(rollback_to=world.release["id"]),
            changes=True,
            diff=("containerDefinitions[workers].environment[DOCUMENTED]",),
        ),
        Case(
            "ecs_rollout",
            "roll out",
            {"cluster": lab.cluster, "services": [{"name": WORKERS, "task_definition": workers_now}], "wait_timeout": 240},
            changes=True,
            diff=("taskDefinition",),
        ),
        Case("ecs_scale", "to two", {"cluster": lab.cluster, "services": [{"name": WORKERS, "count": 2}]}, changes=True, diff=("desired_count",)),
        Case("ecs_scale", "to one", {"cluster": lab.cluster, "services": [{"name": WORKERS, "count": 1}]}, changes=True, diff=("desired_count",)),
        Case(
            "release_prune",
            "old ones",
            {
                **{"name": world.id, "cluster": lab.cluster, "services": ["thing"], "ledger": {"bucket": world.bucket, "prefix": f"{world.id}/releases/"}},
                **{"keep_newest": 1, "min_age_days": 0},
            },
            changes=True,
            diff=(f"{world.id}-thing:1", f"image {world.id}-thing@"),
        ),
        *redis_cases(world),
        *power_cases(world),
        *redeploy_cases(world),
    ]


def costs() -> dict:
    return {"prices": [str(CHECKOUT / "roles" / "cost" / "files" / "prices.json")], "region": "us-east-1"}


def cost_cases(world: World) -> list[Case]:
    """What the environment costs, as it is and as a plan has it; and how it stands, with that."""
    name = world.lab.name
    of = {"name": name, "services": ["api", "workers"], "ssm_path": "/atena/prod", "cost": costs()}
    power = {"bucket": world.bucket, "gates_key": "atena/prod/gates.json", "journal_key": "atena/prod/power.json"}
    planned = {"source": "plan", "plan": {"project_path": str(world.lab.infra)}, "counts": {"api": 2}}
    design = str(CHECKOUT / "roles" / "cost" / "files" / "design.json")
    return [
        Case("environment_info", "with costs", {**of, "power": power, "lock": {"table": "atena-terraform-locks"}}),
        Case("environment_cost_info", "as it is", {**of, "power": power, "reference": design}),
        Case("environment_cost_info", "a plan", {**of, **planned}),
    ]


def redis_cases(world: World) -> list[Case]:
    """A second Redis beside the environment's, from a snapshot of that; what proves that it may go; and both snapshots away."""
    redis, second = f"{world.lab.name}-redis", world.id
    first_one, last_one = f"{world.id}-first", f"{world.id}-last"
    record = f"{{{{ {result_of('elasticache_snapshot', 'take')}.cache.parameters }}}}"
    return [
        Case("elasticache_snapshot", "take", {"source": redis, "name": first_one}, changes=True, diff=(first_one,)),
        Case(
            "elasticache_restore",
            "in addition to it",
            {"name": second, "snapshot": first_one, "parameters": record},
            changes=True,
            diff=("node_type", "security_group_ids", "parameter_group"),
        ),
        Case("elasticache_restore", "is there", {"name": second, "parameters": record}),
        Case("elasticache_snapshot", "of the second", {"source": second, "name": last_one}, changes=True, diff=(last_one,)),
        Case("elasticache_snapshot", "list", {"source": second, "state": "listed"}),
        Case("elasticache_restore", "away", {"name": second, "state": "absent", "snapshot": last_one}, changes=True, diff=("node_type",)),
        Case("elasticache_snapshot", "prune", {"source": second, "state": "pruned", "keep": 0}, changes=True, diff=(last_one,)),
        Case("elasticache_snapshot", "delete", {"source": redis, "name": first_one, "state": "absent"}, changes=True, diff=(first_one,)),
    ]


def power_cases(world: World) -> list[Case]:
    """The environment off, and on again."""
    name = world.lab.name
    options = {
        **{"name": name, "database_id": f"{name}-db", "redis_id": f"{name}-redis", "redis_url_parameter": "/atena/prod/REDIS_URL"},
        "services": [{"name": API, "desired_count": 1}, {"name": WORKERS, "desired_count": 1}],
        "storage": {
            **{"bucket": world.bucket, "state_key": "atena/prod/terraform.tfstate"},
            **{"gates_key": "atena/prod/gates.json", "journal_key": "atena/prod/power.json"},
        },
        "terraform": {"project_path": str(world.lab.infra)},
        "lock": {"table": "atena-terraform-locks", "name": name},
        "operator": "arn:aws:iam::000000000042:user/documented",
        "health": {"url": world.lab.app.url, "delay": 1},
        "wait_timeout": 240,
    }
    return [
        Case("environment_power", "stop", {**options, "state": "stopped"}, changes=True, diff=("power: off", "redis: absent", f"{API}: 0")),
        Case("environment_power", "start", {**options, "state": "started"}, changes=True, diff=("power: on", "redis: present", f"{API}: 1")),
    ]


def redeploy_cases(world: World) -> list[Case]:
    """An environment that never was begins empty."""
    options = {
        **{"name": world.id, "services": ["api"], "database_id": f"{world.id}-db", "operator": "arn:aws:iam::000000000042:user/documented"},
        "storage": {"bucket": world.bucket, "record_key": f"{world.id}/destroyed.json"},
    }
    return [
        Case("environment_redeploy", "begin", {**options, "phase": "begin", "database_snapshot": "none"}),
        Case("environment_redeploy", "end", {**options, "phase": "end"}),
    ]


def restoring(world: World) -> list[dict]:
    """The tasks that bring the environment back to what it was."""
    back = [{"name": name, "task_definition": arn} for name, arn in world.running.items()]
    return [
        {"name": "Bring the services back", "atena.aws.ecs_rollout": {"cluster": world.lab.cluster, "services": back, "wait_timeout": 240}},
        {"name": "Bring the infrastructure back", "atena.aws.terraform_apply": {"project_path": str(world.lab.infra)}},
    ]
