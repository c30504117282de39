"""The lab's sample application on the emulator's parts: migrations, queue, worker, health, and a quiet end."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg2
import pytest
from emulator_world import World, docker, until

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not ENDPOINT, reason='no lab: start one with `lab/lab up` and `eval "$(lab/lab env)"`')]
APP = Path(__file__).resolve().parents[2] / "lab" / "app"
MIGRATE = ["python", "packages/database/migrate.py"]


def build(world: World, package: str, commit: str, context: Path = APP) -> str:
    tag = f"{world.name}-{package}:{commit}"
    docker("build", "--quiet", "--tag", tag, "--file", str(context / "packages" / package / "Dockerfile"), "--build-arg", f"GIT_COMMIT={commit}", str(context))
    digest = world.push(tag, f"{package}-{commit}")
    docker("rmi", tag)
    return f"{world.repository}@{digest}"


class Application:
    def __init__(self, world: World) -> None:
        self.world = world
        rds, elasticache = world.client("rds"), world.client("elasticache")
        rds.create_db_instance(
            DBInstanceIdentifier=world.name, Engine="postgres", EngineVersion="16", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
            MasterUsername="atena", MasterUserPassword="secret", DBName="atena",
        )  # fmt: skip
        elasticache.create_cache_cluster(CacheClusterId=world.name, Engine="redis", EngineVersion="7.1", CacheNodeType="cache.t4g.micro", NumCacheNodes=1)
        self.api_image, self.worker_image = build(world, "api", "one"), build(world, "workers", "one")
        cache = elasticache.describe_cache_clusters(CacheClusterId=world.name, ShowCacheNodeInfo=True)["CacheClusters"][0]["CacheNodes"][0]["Endpoint"]
        self.endpoint = world.database()["Endpoint"]
        self.secrets = []
        for name, value in {
            "DATABASE_URL": f"postgresql://atena:secret@{self.endpoint['Address']}:{self.endpoint['Port']}/atena?sslmode=require",
            "REDIS_URL": f"redis://{cache['Address']}:{cache['Port']}",
        }.items():
            world.client("ssm").put_parameter(Name=f"/{world.name}/{name}", Type="SecureString", Value=value)
            self.secrets.append({"name": name, "valueFrom": f"/{world.name}/{name}"})
        self.group = world.target_group(delay=10)

    def query(self, sql: str) -> list[tuple]:
        with psycopg2.connect(
            host=self.endpoint["Address"], port=self.endpoint["Port"], user="atena", password="secret", dbname="atena", sslmode="require"
        ) as connection, connection.cursor() as cursor:  # fmt: skip
            cursor.execute(sql)
            return cursor.fetchall()

    def migrate(self, image: str, **options) -> dict:
        return self.world.ended(MIGRATE, image=image, secrets=self.secrets, **options)

    def call(self, path: str, body: dict | None = None) -> tuple[int, dict]:
        request = urllib.request.Request(f"{ENDPOINT}/_alb/{self.world.name}{path}", json.dumps(body).encode() if body else None)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def close(self) -> None:
        self.world.client("rds").delete_db_instance(DBInstanceIdentifier=self.world.name, SkipFinalSnapshot=True)
        self.world.client("elasticache").delete_cache_cluster(CacheClusterId=self.world.name)


@pytest.fixture(scope="module")
def app():
    world = World(ENDPOINT)
    application = Application(world)
    yield application
    application.close()
    world.close()


def test_two_migrations_at_once_apply_each_once(app):
    definition = app.world.define(MIGRATE, image=app.api_image, secrets=app.secrets)
    tasks = [app.world.reach(arn, "STOPPED") for arn in [app.world.run(definition), app.world.run(definition)]]
    assert [task["containers"][0]["exitCode"] for task in tasks] == [0, 0]
    lines = [line for task in tasks for line in app.world.lines(task)]
    assert sum("applied 001_create_notes.sql" in line for line in lines) == 1
    assert app.query("SELECT version FROM schema_migrations ORDER BY version") == [(1,), (2,)]


def test_a_migration_that_fails_leaves_nothing_and_says_why(app, tmp_path):
    broken = tmp_path / "app"
    shutil.copytree(APP, broken)
    (broken / "packages/database/migrations/003_broken.sql").write_text("CREATE TABLE half (id int);\nSELECT * FROM no_such_table;\n")
    task = app.migrate(build(app.world, "api", "broken", broken))
    assert task["containers"][0]["exitCode"] == 1
    assert any("ERROR migrate: 003_broken.sql failed and was rolled back" in line and "no_such_table" in line for line in app.world.lines(task))
    assert app.query("SELECT to_regclass('half')") == [(None,)]
    assert app.query("SELECT count(*) FROM schema_migrations") == [(2,)]


@pytest.mark.parametrize("killed", [False, True], ids=["told to stop", "killed"])
def test_a_migration_that_ends_in_the_middle_leaves_no_lock(app, tmp_path, killed):
    endless = tmp_path / "app"
    shutil.copytree(APP, endless)
    (endless / "packages/database/migrations/900_endless.sql").write_text("CREATE TABLE half (id int);\nSELECT pg_sleep(3600);\n")
    image = build(app.world, "api", f"endless-{killed}".lower(), endless)
    arn = app.world.run(app.world.define(MIGRATE, image=image, secrets=app.secrets, stopTimeout=20))
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    until(lambda: app.query(sleeping) == [(1,)])
    if killed:
        docker("kill", *docker("ps", "--quiet", "--filter", f"name=ecs-{arn.rpartition('/')[2][:8]}").split())
    else:
        app.world.client("ecs").stop_task(cluster=app.world.name, task=arn)
    ended = app.world.reach(arn, "STOPPED")
    assert ended["containers"][0]["exitCode"] == (137 if killed else 1)
    assert killed or any("900_endless.sql failed and was rolled back" in line for line in app.world.lines(ended))
    # The database itself has noticed, so that the next one need not wait for an hour.
    assert app.migrate(app.api_image)["containers"][0]["exitCode"] == 0
    assert app.query(sleeping) == [(0,)]
    assert app.query("SELECT to_regclass('half')") == [(None,)]


def test_a_note_becomes_a_row_that_the_worker_committed(app):
    app.migrate(app.api_image)
    world = app.world
    definition = world.define(["python", "packages/api/server.py"], family="api", image=app.api_image, secrets=app.secrets, stopTimeout=20)
    world.service("api", definition, 1, app.group)
    world.stable("api")
    assert app.call("/health") == (200, {"status": "ok", "version": "one", "database": "ok", "redis": "ok"})
    status, note = app.call("/notes", {"text": "hello"})
    assert status == 202
    time.sleep(1)
    assert app.call(f"/notes/{note['id']}")[0] == 404, "there is a row and no worker"
    worker = world.define(["python", "packages/workers/worker.py"], family="workers", image=app.worker_image, secrets=app.secrets, stopTimeout=20)
    world.service("workers", worker, 1)
    until(lambda: app.call(f"/notes/{note['id']}")[0] == 200)
    assert app.call(f"/notes/{note['id']}")[1]["text"] == "hello"


def test_nothing_is_lost_while_the_worker_is_replaced(app):
    ids: list[str] = []
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            ids.append(app.call("/notes", {"text": f"note {len(ids)}"})[1]["id"])

    writer = threading.Thread(target=write)
    writer.start()
    app.world.update("workers", forceNewDeployment=True)
    app.world.stable("workers")
    done.set()
    writer.join()
    until(lambda: app.query("SELECT count(*) FROM notes")[0][0] == len(ids) + 1)
    assert len(ids) > 10


def test_no_request_fails_while_the_api_is_replaced(app):
    statuses: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            statuses.append(app.call("/")[0])

    reader = threading.Thread(target=read)
    reader.start()
    app.world.update("api", forceNewDeployment=True)
    app.world.stable("api")
    done.set()
    reader.join()
    assert set(statuses) == {200}


def test_health_names_what_failed(app):
    app.world.client("elasticache").delete_cache_cluster(CacheClusterId=app.world.name)
    arn = app.world.client("ecs").list_tasks(cluster=app.world.name, serviceName="api")["taskArns"][0]
    attachment = next(detail["value"] for detail in app.world.task(arn)["attachments"][0]["details"] if detail["name"] == "privateIPv4Address")
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"http://{attachment}:3000/health", timeout=20)
    answer = json.load(error.value)
    assert (error.value.code, answer["redis"], answer["database"], answer["status"]) == (503, "failed", "ok", "failed: redis")
    app.world.client("elasticache").create_cache_cluster(
        CacheClusterId=app.world.name, Engine="redis", EngineVersion="7.1", CacheNodeType="cache.t4g.micro", NumCacheNodes=1
    )


def test_an_image_runs_as_no_root(app):
    task = app.world.ended(["python", "-c", "import os; print(os.getuid() != 0)"], image=app.api_image)
    assert app.world.lines(task) == ["True"]
