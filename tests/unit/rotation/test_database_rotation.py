"""Two database users that take turns: whose turn it is, what is written in which order, and what a run that died leaves to the next."""

import json
from urllib.parse import urlsplit

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import calls as aws_calls
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import NoLock
from ansible_collections.atena.aws.plugins.module_utils.rotation import database as database_rotation, run as rotation_run, users as database_users
from ansible_collections.atena.aws.plugins.module_utils.rotation.plan import Standing
from ansible_collections.atena.aws.plugins.module_utils.rotation.users import Turn
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import DatabaseUrl
from secrets_world import CUSTOMERS_KEY, PATH, Killed, World
from test_rollout_run import BASE, NAMES, ecs  # noqa: F401 - a fixture: time passes only when somebody sleeps

USERS = ["db_app_a", "db_app_b"]
MASTER_URL = "postgresql://master:master-password@db.rds:5432/db?sslmode=require"


def url(user, password="some-password"):
    return f"postgresql://{user}:{password}@db.rds:5432/db?sslmode=require"


class Database(World):
    """`users`: {user: its password, None if it cannot log in}, as the program and RDS leave them. `works`: whether the program does."""

    def __init__(self):
        super().__init__(DATABASE_URL=MASTER_URL)
        self.reads = dict.fromkeys(NAMES, ["DATABASE_URL"])
        self.users, self.works, self.said, self.instance = (
            {"master": "master-password"},
            True,
            [],
            {"DBInstanceStatus": "available", "MasterUsername": "master"},
        )
        self.definitions, self.orphans, self.unseen, self.unlisted = {}, [], 0, 0

    def list_tasks(self, **arguments):
        if "startedBy" not in arguments:
            return super().list_tasks(**arguments)
        self.unlisted -= 1
        return {"taskArns": list(self.orphans) if self.unlisted < 0 else []}

    def describe_tasks(self, cluster, tasks):
        if self.unseen and set(tasks) <= set(self.orphans):
            self.unseen -= 1
            return {"tasks": [], "failures": [{"arn": arn, "reason": "MISSING"} for arn in tasks]}
        orphans = [{"taskArn": arn, "taskDefinitionArn": f"{BASE}api:1"} for arn in self.orphans if arn in tasks]
        return {"tasks": orphans} if orphans else super().describe_tasks(cluster, tasks)

    def describe_db_instances(self, DBInstanceIdentifier):
        return {"DBInstances": [dict(self.instance)] if self.instance else []}

    def modify_db_instance(self, DBInstanceIdentifier, MasterUserPassword):
        self._write("master")
        self.users["master"] = MasterUserPassword

    def register_task_definition(self, **definition):
        self._write("register")
        arn = f"{BASE}{definition['family']}:1"
        self.definitions[arn] = {**definition, "taskDefinitionArn": arn}
        return {"taskDefinition": self.definitions[arn]}

    def deregister_task_definition(self, taskDefinition):
        self._write("deregister")
        del self.definitions[taskDefinition]

    def speak(self, call, arguments, **_options):
        command = arguments["overrides"]["containerOverrides"][0]["command"]
        self._write(" ".join(command))
        self.said.append(json.dumps(arguments))
        [container] = self.definitions[arguments["taskDefinition"]]["containerDefinitions"]
        environment = {secret["name"]: self.value(secret["valueFrom"].rsplit("/", 1)[1]) for secret in container["secrets"]}
        admin, following = (urlsplit(environment[name]) for name in ("DATABASE_ADMIN_URL", "DATABASE_URL_NEXT"))
        assert self.users[admin.username] == admin.password, "the program cannot log in"
        if self.works:
            self.users.update({following.username: following.password} if command[-2] == "prepare" else {command[-1]: None})
        return "arn:task/1"

    def describe_task_definition(self, taskDefinition, include):
        if taskDefinition in self.definitions:
            return {"taskDefinition": self.definitions[taskDefinition], "tags": []}
        return super().describe_task_definition(taskDefinition, include)

    def logs_in(self):
        """Whether what the services read is valid."""
        now = urlsplit(self.value("DATABASE_URL"))
        return self.users.get(now.username) == now.password


@pytest.fixture
def world(ecs, monkeypatch):  # noqa: F811
    fake = Database()

    class Task:
        def __init__(self, call, task, **__):
            self.arn = task.arn

        def finish(self):
            if self.arn in fake.orphans:
                fake.calls.append(f"{self.arn} ended")
            return fake.works, {"reason": "exit code 1", "logs": {"api": [f"ERROR cannot use {fake.value('DATABASE_URL_NEXT')}"]}}

    monkeypatch.setattr(database_rotation.task_run, "start", fake.speak)
    monkeypatch.setattr(database_rotation.task_run, "TaskRun", Task)
    return fake


def rotation(world, check_mode=False, **changes):
    params = {
        **{"name": "atena-prod", "path": PATH, "services": NAMES, "power": None, "record": {"bucket": "b", "key": "rotations.json"}},
        **{"operator": "", "health": None, "wait_timeout": 60, "wait_delay": 1, "stable_seconds": 0, "log_lines": 5, "tags": {"Project": "atena"}},
        **{"database": "atena-prod-db", "secret": "DATABASE_URL", "admin_secret": "DATABASE_ADMIN_URL", "next_secret": "DATABASE_URL_NEXT"},
        **{"users": USERS, "owner": "db_owner", "program": {"service": "api", "container": "api", "command": ["users"], "timeout": 60}, **changes},
    }
    for service in world.services.values():
        service["networkConfiguration"] = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    return database_rotation.DatabaseRotation(world, params, NoLock(), check_mode=check_mode)


# --- Decisions --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("now", "turn"),
    [
        (Standing(MASTER_URL, 1), Turn("master", "db_app_a", False)),
        (Standing(url("db_app_a"), 2), Turn("db_app_a", "db_app_b", False)),
        (Standing(url("db_app_b"), 3), Turn("db_app_b", "db_app_a", False)),
        (Standing(MASTER_URL, 1, MASTER_URL, 1), Turn("master", "db_app_a", False)),
        (Standing(url("db_app_a"), 2, MASTER_URL, 1), Turn("master", "db_app_a", True)),
        (Standing(url("db_app_b"), 3, url("db_app_a"), 2), Turn("db_app_a", "db_app_b", True)),
        (Standing(MASTER_URL, 3, MASTER_URL, 1), None),
        (Standing(url("db_app_a", "changed-by-hand"), 3, url("db_app_a"), 1), None),
    ],
)
def test_whose_turn_it_is(now, turn):
    assert database_users.turn(now, USERS) == turn


def test_only_user_and_password_of_an_address_are_replaced():
    assert database_users.with_user(MASTER_URL, "new user", "p@ss/word") == "postgresql://new%20user:p%40ss%2Fword@db.rds:5432/db?sslmode=require"
    assert DatabaseUrl.parse(database_users.with_user(MASTER_URL, "u", "p@ss/word")).password == "p@ss/word"


@pytest.mark.parametrize("sign", "#?[/@:")
def test_a_first_password_that_nobody_encoded_is_no_hindrance(sign):
    """The master's, as somebody wrote it into DATABASE_URL by hand."""
    there = f"postgresql://master:pa{sign}ss@db.rds:5432/db?sslmode=require"
    assert database_users.turn(Standing(there, 1), USERS) == Turn("master", "db_app_a", False)
    assert database_users.with_user(there, "db_app_a", "new") == "postgresql://db_app_a:new@db.rds:5432/db?sslmode=require"


def test_a_password_can_stand_in_an_address_as_it_is():
    passwords = {database_users.new_password() for _ in range(50)}
    assert len(passwords) == 50 and all(len(password) == 40 and password.isalnum() and password.isascii() for password in passwords)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"DBInstanceStatus": "stopped"}, "start.yml"),
        ({"MasterUserSecret": {"SecretArn": "a"}}, "Secrets Manager"),
        ({"MasterUsername": "db_app_a"}, "cannot be one of the two"),
        ({"MasterUsername": "somebody"}, "neither the database's master user nor one of db_app_a, db_app_b"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(world, change, words):
    world.instance.update(change)
    with pytest.raises(CallFailed) as refused:
        rotation(world).run()
    assert words in str(refused.value) and world.calls == [] and "master-password" not in str(refused.value)


def test_a_container_that_is_not_there_is_refused(world):
    with pytest.raises(CallFailed) as refused:
        rotation(world, program={"service": "api", "container": "app", "command": ["users"], "timeout": 60}).run()
    assert "has no container app; it has: api" in str(refused.value) and world.calls == []


@pytest.mark.parametrize(
    ("database", "done"),
    [
        ({"DBInstanceStatus": "available"}, True),
        ({"DBInstanceStatus": "available", "PendingModifiedValues": {"MasterUserPassword": "****"}}, False),
        ({"DBInstanceStatus": "resetting-master-credentials", "PendingModifiedValues": {}}, False),
    ],
)
def test_when_rds_has_done_with_the_password(database, done):
    assert database_users.password_is_set(database) is done


def test_the_program_gets_the_two_addresses_and_no_other_secret():
    running = {
        **{"taskDefinitionArn": "arn:aws-cn:ecs:cn-north-1:42:task-definition/api:7", "revision": 7, "status": "ACTIVE", "family": "api", "cpu": "256"},
        "containerDefinitions": [
            {"name": "api", "image": "i@sha256:0", "secrets": [{"name": "ADMIN_TOKEN", "valueFrom": "a"}], "healthCheck": {"command": ["x"]}},
            {"name": "sidecar", "secrets": [{"name": "KEY", "valueFrom": "k"}]},
        ],
    }
    made = database_users.task_definition(running, "f", "api", "/a/b", {"V": "X", "W": "Y"})
    place = "arn:aws-cn:ssm:cn-north-1:42:parameter/a/b"
    assert made["containerDefinitions"][0] == {
        **{"name": "api", "image": "i@sha256:0"},
        "secrets": [{"name": "V", "valueFrom": f"{place}/X"}, {"name": "W", "valueFrom": f"{place}/Y"}],
    }
    assert made["containerDefinitions"][1] == running["containerDefinitions"][1]
    assert (made["family"], made["cpu"]) == ("f", "256") and not {"revision", "status", "taskDefinitionArn"} & set(made)
    assert running["containerDefinitions"][0]["secrets"][0]["name"] == "ADMIN_TOKEN"


# --- The first turn, and the next ---------------------------------------------------------------------------------------
FIRST = ["label DATABASE_URL", "put DATABASE_ADMIN_URL", "put DATABASE_URL_NEXT", "register", "users prepare db_owner", "put DATABASE_URL"]


def test_the_first_run_moves_from_the_master_user(world):
    result = rotation(world).run()
    assert world.calls == [
        *(*FIRST, "deploy api", "deploy workers", "label DATABASE_URL", "put DATABASE_ADMIN_URL", "master"),
        *("unlabel DATABASE_URL", "unlabel DATABASE_URL", "delete DATABASE_URL_NEXT", "deregister"),
    ]
    assert (result["outcome"], result["old_user"], result["new_user"]) == ("succeeded", "master", "db_app_a")
    assert world.logs_in() and database_users.user_of(world.value("DATABASE_URL")) == "db_app_a"
    assert world.users["master"] not in ("master-password", None)
    assert DatabaseUrl.parse(world.value("DATABASE_ADMIN_URL")).password == world.users["master"]
    assert "db.rds:5432/db?sslmode=require" in world.value("DATABASE_URL")


def test_then_the_two_take_turns_and_the_last_one_is_shut_out(world):
    rotation(world).run()
    first = world.users["db_app_a"]
    world.calls.clear()
    result = rotation(world).run()
    assert world.calls == [
        *("label DATABASE_URL", "put DATABASE_ADMIN_URL", "master", "put DATABASE_URL_NEXT", "register", "users prepare db_owner", "put DATABASE_URL"),
        *("deploy api", "deploy workers", "label DATABASE_URL", "users retire db_app_a"),
        *("unlabel DATABASE_URL", "unlabel DATABASE_URL", "delete DATABASE_URL_NEXT", "deregister"),
    ]
    assert (result["old_user"], result["new_user"]) == ("db_app_a", "db_app_b")
    assert world.users["db_app_a"] is None and world.logs_in()
    rotation(world).run()
    assert world.users["db_app_b"] is None and world.logs_in() and world.users["db_app_a"] not in (None, first)


def test_no_password_is_in_what_ecs_shows_or_this_returns(world):
    run = rotation(world)
    result = run.run()
    shown = json.dumps([world.said, result, world.record(), run.result])
    assert not [password for password in [*world.users.values(), "master-password"] if password in shown]


def test_check_mode_writes_nothing(world):
    result = rotation(world, check_mode=True).run()
    assert world.calls == [] and world.objects == {}
    assert result["lines"][0] == "DATABASE_URL: master would be replaced by db_app_a, with a password of its own"


# --- What does not get well ---------------------------------------------------------------------------------------------
def test_a_program_that_fails_leaves_everything_as_it_was(world):
    world.works = False
    with pytest.raises(rotation_run.RotationFailed) as failed:
        rotation(world).run()
    assert world.value("DATABASE_URL") == MASTER_URL and world.logs_in() and world.labelled("DATABASE_URL") is None
    assert not [call for call in world.calls if call.startswith("deploy")] and world.definitions == {} and world.value("DATABASE_URL_NEXT") is None
    assert "no service was touched: they continue as master" in str(failed.value) and "ERROR cannot use [secret]" in str(failed.value)


def test_tasks_that_do_not_get_well_come_back_to_the_old_user(world, monkeypatch):
    monkeypatch.setattr(database_users, "new_password", lambda: "bad" * 10)
    world.spoils = {url("db_app_a", "bad" * 10)}
    with pytest.raises(rotation_run.RotationFailed) as failed:
        rotation(world).run()
    assert failed.value.outcome == "reverted" and world.value("DATABASE_URL") == MASTER_URL and world.users["master"] == "master-password"
    assert world.labelled("DATABASE_URL") is None and world.definitions == {}


def test_a_user_that_could_not_be_shut_out_is_by_the_next_run(world):
    rotation(world).run()
    real = world.speak

    def fails_once(call, arguments, **_options):
        world.works = "prepare" in json.dumps(arguments)
        return real(call, arguments)

    database_rotation.task_run.start = fails_once
    with pytest.raises(rotation_run.RotationFailed) as failed:
        rotation(world).run()
    assert "healthy with user db_app_b, but db_app_a can still log in" in str(failed.value) and world.logs_in() and world.users["db_app_a"]
    database_rotation.task_run.start, world.works = real, True
    result = rotation(world).run()
    assert (result["outcome"], result["old_user"], result["new_user"]) == ("succeeded", "db_app_a", "db_app_b")
    assert world.users["db_app_a"] is None and world.logs_in()


# --- Runs that died -----------------------------------------------------------------------------------------------------
WRITES = [*FIRST, "deploy api", "deploy workers", "master", "unlabel DATABASE_URL", "delete DATABASE_URL_NEXT", "deregister"]


@pytest.mark.parametrize("where", WRITES)
def test_killed_in_its_first_turn_the_application_works_and_the_next_run_goes_on(world, where):
    world.dies_at = where
    with pytest.raises(Killed):
        rotation(world).run()
    assert world.logs_in()
    rotation(world).run()
    assert world.logs_in() and world.labelled("DATABASE_URL") is None and world.value("DATABASE_URL_NEXT") is None
    assert database_users.user_of(world.value("DATABASE_URL")) in USERS
    assert DatabaseUrl.parse(world.value("DATABASE_ADMIN_URL")).password == world.users["master"] != "master-password"


@pytest.mark.parametrize("where", [*WRITES, "retire"])
def test_killed_in_a_later_turn_too(world, where):
    rotation(world).run()
    world.dies_at = where
    with pytest.raises(Killed):
        rotation(world).run()
    assert world.logs_in()
    result = rotation(world).run()
    assert world.logs_in() and world.labelled("DATABASE_URL") is None and world.value("DATABASE_URL_NEXT") is None
    in_use = database_users.user_of(world.value("DATABASE_URL"))
    assert result["new_user"] == in_use and [user for user in USERS if world.users.get(user)] == [in_use]


@pytest.mark.parametrize(("where", "turns"), [("put DATABASE_ADMIN_URL", 0), ("master", 0), ("unlabel", 0), ("retire", 1), ("unlabel", 1)])
def test_once_the_old_user_may_be_shut_out_nothing_goes_back_to_it(world, where, turns):
    for _ in range(turns):
        rotation(world).run()
    world.calls.clear()
    write = world._write

    def late(what):
        world.dies_at = where if "deploy workers" in world.calls else None
        write(what)

    world._write = late
    with pytest.raises(Killed):
        rotation(world).run()
    world._write, world.dies_at = write, None
    # The tasks are not well any more, for whatever reason.
    world.spoils = {world.value("DATABASE_URL")}
    result = rotation(world).run()
    assert result["outcome"] == "succeeded" and world.logs_in() and world.labelled("DATABASE_URL") is None
    assert [user for user in USERS if world.users.get(user)] == [database_users.user_of(world.value("DATABASE_URL"))]
    assert DatabaseUrl.parse(world.value("DATABASE_ADMIN_URL")).password == world.users["master"]


def test_a_task_of_a_run_that_died_is_waited_for_before_a_user_gets_another_password(world):
    world.orphans = ["arn:orphan"]
    rotation(world).run()
    assert world.calls[0] == "arn:orphan ended"


def test_one_that_ecs_does_not_list_yet_is_looked_for_again_where_a_run_died(world):
    """It would give the user the password of then, after this run gave it another one."""
    world.dies_at = "users prepare"
    with pytest.raises(Killed):
        rotation(world).run()
    world.calls.clear()
    world.orphans, world.unlisted = ["arn:orphan"], 2
    rotation(world).run()
    assert world.calls[0] == "arn:orphan ended"


def test_one_that_ecs_lists_and_does_not_describe_yet_is_no_task_that_has_ended(world):
    world.orphans, world.unseen = ["arn:orphan"], 2
    rotation(world).run()
    assert world.calls[0] == "arn:orphan ended"


def test_one_that_is_never_described_ends_the_rotation_before_anything_is_written(world, monkeypatch):
    monkeypatch.setattr(database_rotation, "Deadline", lambda seconds: aws_calls.Deadline(seconds, clock=database_rotation.time.monotonic))
    world.orphans, world.unseen = ["arn:orphan"], 10**6
    with pytest.raises(rotation_run.RotationFailed, match="lists the task arn:orphan of .* and does not describe it"):
        rotation(world).run()
    assert world.calls == []


def test_what_runs_keeps_a_valid_user_until_it_is_replaced(world):
    """A run that died after the address was changed: its old tasks still have the first user, which the next run must not touch before they are gone."""
    rotation(world).run()
    before = world.users["db_app_a"]
    world.dies_at = "deploy workers"
    with pytest.raises(Killed):
        rotation(world).run()
    assert world.users["db_app_a"] == before
    world.calls.clear()
    rotation(world).run()
    assert world.calls.index("deploy workers") < world.calls.index("users retire db_app_a") and "users prepare db_owner" not in world.calls


def test_the_addresses_that_it_makes_have_the_key_of_the_one_that_the_services_have(world):
    world.keys["DATABASE_URL"] = CUSTOMERS_KEY
    rotation(world).run()
    assert world.keys["DATABASE_ADMIN_URL"] == world.keys["DATABASE_URL_NEXT"] == CUSTOMERS_KEY


def test_the_addresses_stay_encrypted_with_their_own_keys(world):
    """The services' one, and the master's, which somebody gave a key after the first time."""
    world.keys["DATABASE_URL"] = CUSTOMERS_KEY
    rotation(world).run()
    assert world.keys["DATABASE_URL"] == CUSTOMERS_KEY
    world.keys["DATABASE_ADMIN_URL"] = CUSTOMERS_KEY
    rotation(world).run()
    assert world.keys["DATABASE_URL"] == world.keys["DATABASE_ADMIN_URL"] == CUSTOMERS_KEY and world.logs_in()
