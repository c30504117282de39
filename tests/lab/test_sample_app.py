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
from redis_wire import Redis

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not ENDPOINT, reason='no lab: start one with `lab/lab up` and `eval "$(lab/lab env)"`')]
# The repository that `lab/lab up` made: lab/app with the bundle of the lab's certificate authority.
APP = Path(os.environ.get("ATENA_LAB_DIR", "")) / "app"
MIGRATE = ["node", "packages/database/dist/migrate.js"]
REENQUEUE = ["node", "packages/workers/dist/reenqueue.js"]


def build(world: World, package: str, commit: str, context: Path = APP) -> str:
    tag = f"{world.name}-{package}:{commit}"
    docker("build", "--quiet", "--tag", tag, "--file", str(context / "packages" / package / "Dockerfile"), "--build-arg", f"GIT_COMMIT={commit}", str(context))
    digest = world.push(tag, f"{package}-{commit}")
    docker("rmi", tag)
    return f"{world.repository}@{digest}"


class Application:
    def __init__(self, world: World) -> None:
        self.world = world
        rds = world.client("rds")
        rds.create_db_instance(
            DBInstanceIdentifier=world.name, Engine="postgres", EngineVersion="16", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
            MasterUsername="atena", MasterUserPassword="secret", DBName="atena",
        )  # fmt: skip
        world.cache()
        self.api_image, self.worker_image = build(world, "api", "one"), build(world, "workers", "one")
        self.cache = cache = world.cache_is()["Endpoint"]
        self.endpoint = world.database()["Endpoint"]
        self.secrets = []
        for name, value in {
            "DATABASE_URL": f"postgresql://atena:secret@{self.endpoint['Address']}:{self.endpoint['Port']}/atena?sslmode=no-verify",
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

    def jobs(self) -> dict:
        return self.call("/jobs")[1]

    def close(self) -> None:
        self.world.client("rds").delete_db_instance(DBInstanceIdentifier=self.world.name, SkipFinalSnapshot=True)
        self.world.drop_cache()


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
    assert app.query("SELECT version FROM schema_migrations ORDER BY version") == [(1,), (2,), (3,)]


def test_a_migration_that_fails_leaves_nothing_and_says_why(app, tmp_path):
    broken = tmp_path / "app"
    shutil.copytree(APP, broken)
    (broken / "packages/database/migrations/004_broken.sql").write_text("CREATE TABLE half (id int);\nSELECT * FROM no_such_table;\n")
    task = app.migrate(build(app.world, "api", "broken", broken))
    assert task["containers"][0]["exitCode"] == 1
    assert any("ERROR migrate: 004_broken.sql failed and was rolled back" in line and "no_such_table" in line for line in app.world.lines(task))
    assert app.query("SELECT to_regclass('half')") == [(None,)]
    assert app.query("SELECT count(*) FROM schema_migrations") == [(3,)]


@pytest.mark.parametrize("killed", [False, True], ids=["stop requested", "killed"])
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
    definition = world.define(["node", "packages/api/dist/server.js"], family="api", image=app.api_image, secrets=app.secrets, stopTimeout=20)
    world.service("api", definition, 1, app.group)
    world.stable("api")
    assert app.call("/health") == (200, {"status": "ok", "version": "one", "database": "ok", "redis": "ok"})
    status, note = app.call("/notes", {"text": "hello"})
    assert status == 202
    time.sleep(1)
    assert app.call(f"/notes/{note['id']}")[0] == 404, "the note is processed and there is no worker"
    assert app.jobs()["waiting"] == 1
    worker = world.define(
        ["node", "packages/workers/dist/worker.js"], family="workers", image=app.worker_image, secrets=app.secrets, stopTimeout=20,
        environment=[{"name": "WORKER_PATIENCE", "value": "2"}],
    )  # fmt: skip
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
    until(lambda: len(ids) > 10)
    done.set()
    writer.join()
    until(lambda: app.jobs()["notes"]["processed"] == len(ids) + 1)
    assert len(ids) > 10
    assert app.jobs()["notes"] == {"all": len(ids) + 1, "processed": len(ids) + 1, "more_than_once": 0, "times_processed": len(ids) + 1}


def test_jobs_are_counted_by_their_state(app):
    before = app.jobs()
    assert app.call("/notes", {"text": "later", "delay": 600})[0] == 202
    assert app.call("/notes", {"text": "bad", "fail": 9, "attempts": 2})[0] == 202
    assert app.call("/notes", {"text": "bad at first", "fail": 1})[0] == 202
    assert len(app.call("/notes", {"text": "many", "count": 20})[1]["ids"]) == 20
    until(lambda: (now := app.jobs())["failed"] == before["failed"] + 1 and now["completed"] == before["completed"] + 21)
    now = app.jobs()
    assert (now["waiting"], now["active"], now["delayed"]) == (0, 0, before["delayed"] + 1)
    assert now["notes"]["all"] - now["notes"]["processed"] == now["delayed"] + now["failed"] == 2
    assert app.call("/notes", {"text": "x", "delay": -1})[0] == 400
    assert app.call("/notes", {"text": "x", "count": 0})[0] == 400


def scale(app, count: int) -> None:
    app.world.update("workers", desiredCount=count)
    app.world.stable("workers")
    until(lambda: app.world.describe("workers")["runningCount"] == count)


def ended(app, tasks: list[str]) -> list[list[str]]:
    """The log lines of these tasks, when they have stopped."""
    return [app.world.lines(app.world.reach(arn, "STOPPED"), "workers") for arn in tasks]


def test_a_stopping_worker_finishes_a_short_job_and_gives_back_a_long_one(app):
    tasks = app.world.client("ecs").list_tasks(cluster=app.world.name, serviceName="workers", desiredStatus="RUNNING")["taskArns"]
    before = app.jobs()
    short = app.call("/notes", {"text": "short", "seconds": 1})[1]["id"]
    until(lambda: app.jobs()["active"] == 1)
    scale(app, 0)
    ended(app, tasks)
    assert app.call(f"/notes/{short}")[0] == 200
    scale(app, 1)
    tasks = app.world.client("ecs").list_tasks(cluster=app.world.name, serviceName="workers", desiredStatus="RUNNING")["taskArns"]
    long = app.call("/notes", {"text": "long", "seconds": 5})[1]["id"]
    until(lambda: app.jobs()["active"] == 1)
    scale(app, 0)
    assert any(f"gave back note {long}" in line for line in ended(app, tasks)[0])
    now = app.jobs()
    assert (now["waiting"], now["active"], now["delayed"], now["failed"]) == (1, 0, before["delayed"], before["failed"])
    scale(app, 1)
    until(lambda: app.call(f"/notes/{long}")[0] == 200)
    assert app.jobs()["notes"]["more_than_once"] == 0


def reenqueued(app) -> str:
    """What the program said of its work; BullMQ complains of this cache's eviction policy, before that or after it."""
    lines = app.world.lines(app.world.ended(REENQUEUE, image=app.worker_image, secrets=app.secrets))
    (said,) = [line for line in lines if "Eviction policy" not in line]
    return said


def test_a_lost_queue_comes_back_from_the_database_once(app):
    scale(app, 0)
    ids = app.call("/notes", {"text": "lost", "count": 30})[1]["ids"]
    before = app.jobs()
    with Redis(app.cache["Address"], app.cache["Port"]) as redis:
        redis("FLUSHALL")
    assert app.jobs()["waiting"] == 0
    said = [reenqueued(app) for _ in range(2)]
    lost = before["waiting"] + before["delayed"] + before["failed"]
    assert said == [
        f"INFO reenqueue: {lost} notes are not processed: {lost} put back, 0 were on the queue",
        f"INFO reenqueue: {lost} notes are not processed: 0 put back, {lost} were on the queue",
    ]
    now = app.jobs()
    assert (now["delayed"], now["waiting"]) == (before["delayed"], len(ids) + before["failed"])
    with Redis(app.cache["Address"], app.cache["Port"]) as redis:
        # A job that is left without a place on the queue, as a queue leaves it that BullMQ 6 paused and 5 resumed.
        assert redis("LREM", "bull:notes:wait", 0, ids[0]) == 1
    assert reenqueued(app) == (f"INFO reenqueue: {lost} notes are not processed: 1 put back, {lost - 1} were on the queue")
    scale(app, 1)
    until(lambda: app.jobs()["failed"] == before["failed"] and app.jobs()["completed"] == len(ids))
    assert app.jobs()["notes"]["more_than_once"] == 0


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
    app.world.drop_cache()
    arn = app.world.client("ecs").list_tasks(cluster=app.world.name, serviceName="api")["taskArns"][0]
    attachment = next(detail["value"] for detail in app.world.task(arn)["attachments"][0]["details"] if detail["name"] == "privateIPv4Address")
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"http://{attachment}:3000/health", timeout=20)
    answer = json.load(error.value)
    assert (error.value.code, answer["redis"], answer["database"], answer["status"]) == (503, "failed", "ok", "failed: redis")


def test_it_is_built_without_a_network_and_its_own_tests_pass():
    name = "atena-lab-sample-app-tests"
    # Anew and without a network: all that it is built from is in the image to build in.
    options = ["--quiet", "--no-cache", "--network", "none", "--target", "build"]
    docker("build", *options, "--tag", name, "--file", str(APP / "packages/api/Dockerfile"), str(APP))
    try:
        docker("run", "--rm", "--network", "none", name, "npm", "test")
    finally:
        docker("rmi", name)


def test_nothing_that_only_builds_it_is_in_its_images(app):
    lines = app.world.lines(app.world.ended(["sh", "-c", "ls node_modules node_modules/.bin"], image=app.api_image))
    assert {"pg", "bullmq", "ioredis"} <= set(lines)
    assert not {"typescript", "tsc", "@types"} & set(lines)


def test_an_image_runs_as_no_root(app):
    task = app.world.ended(["node", "-p", "process.getuid() !== 0"], image=app.api_image)
    assert app.world.lines(task) == ["true"]
