"""secrets.yml's verbs and rotate_database_password.yml: values read back as written and shown nowhere; rotations that go well, go back, or are killed."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from urllib.parse import urlsplit

import psycopg2
import pytest
from conftest import CHECKOUT
from database_address import libpq
from emulator_world import docker, until
from inprocess import module_utils
from test_killed import descendants, kill
from test_secrets_never_show import Watch
from wire import Wire

PATH, LABEL = "/atena/prod", "atena-before-rotation"
API, WORKERS = "atena-prod-api", "atena-prod-workers"
NAMES = ["ADMIN_TOKEN", "CLAUDE_API_KEY", "TELEGRAM_BOT_TOKEN"]
BUCKET_KEY = "atena/prod/rotations.json"
# A lock of a run that died is free soon; the next one waits for that.
LOCK = ("-e", "atena_lock_expiry_seconds=5", "-e", "atena_lock_wait_seconds=60")


# --- What the tests look at ---------------------------------------------------------------------------------------------
def value(lab, name):
    return lab.client("ssm").get_parameter(Name=f"{PATH}/{name}", WithDecryption=True)["Parameter"]["Value"]


def labelled(lab, name):
    """Versions that carry the mark of a rotation."""
    entries = lab.client("ssm").get_parameter_history(Name=f"{PATH}/{name}")["Parameters"]
    return [entry["Version"] for entry in entries if LABEL in entry.get("Labels", [])]


def record(lab):
    answer = lab.client("s3").get_object(Bucket=f"atena-terraform-state-{lab.account}", Key=BUCKET_KEY)
    return json.load(answer["Body"])["rotations"]


def deployments(lab):
    return {name: service["deployments"][0]["id"] for name, service in lab.services().items()}


def containers(lab, service):
    """Ids of the containers of a service's running tasks."""
    arns = lab.client("ecs").list_tasks(cluster=lab.cluster, serviceName=service)["taskArns"]
    prefix = os.environ["ATENA_LAB_PREFIX"]
    found = [docker("ps", "--quiet", "--filter", f"label=atena.lab={prefix}", "--filter", f"name=ecs-{arn.rpartition('/')[2][:8]}").split() for arn in arns]
    return [identifier for identifiers in found for identifier in identifiers]


def environment_of(lab, service):
    """The variables of each of its running containers."""
    found = [json.loads(docker("inspect", "--format", "{{json .Config.Env}}", identifier)) for identifier in containers(lab, service)]
    return [dict(entry.split("=", 1) for entry in entries) for entries in found]


def steady(lab):
    services = lab.services().values()
    return all(len(service["deployments"]) == 1 and service["runningCount"] == service["desiredCount"] for service in services)


def shown(text, values):
    """Which of the values are in the text, in whatever spelling."""
    spellings = {name: [item for item in module_utils("core.redaction").spellings(secret) if len(item) > 8] for name, secret in values.items()}
    return [name for name, found in spellings.items() if any(item in text for item in found)]


class Visitor(threading.Thread):
    """Asks these paths by turns, again and again, and keeps what went wrong."""

    def __init__(self, url, *paths):
        super().__init__(daemon=True)
        self.urls, self.asked, self.failed, self._end = [url + path for path in paths], 0, [], threading.Event()

    def run(self):
        while not self._end.wait(0.02):
            for url in self.urls:
                self.asked += 1
                try:
                    with urllib.request.urlopen(url, timeout=10) as answer:
                        answer.read()
                except (urllib.error.URLError, OSError) as error:
                    self.failed.append(f"{url}: {error}")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()


def killed_after(lab, operation, playbook, *arguments, number=1):
    """Runs a playbook, and kills it with all its processes when AWS has done this call and nobody knows yet."""
    state = {"seen": 0, "pid": None}

    def after(call):
        state["seen"] += str(call) == operation
        if state["seen"] == number:
            state["seen"] += 1
            kill([state["pid"], *descendants(state["pid"])])
            raise ConnectionAbortedError("the caller is dead")

    with Wire(lab.endpoint, after=after) as wire:
        process = lab.start(playbook, *LOCK, *arguments, environment={"AWS_ENDPOINT_URL": wire.endpoint})
        state["pid"] = process.pid
        output = process.communicate(timeout=300)[0]
    assert state["seen"] > number, f"it never came to {operation} number {number}:\n{output}"


def secrets_yml(lab, *arguments, given=None, directory=None, **options):
    more = []
    if given is not None:
        source = directory / "given.json"
        source.write_text(json.dumps({"atena_secrets": given}))
        more = ["-e", f"@{source}"]
    return lab.playbook("secrets.yml", *(item for argument in arguments for item in ("-e", argument)), *more, **options)


@pytest.fixture(autouse=True, scope="module")
def as_before(lab):
    """The lab's own values, and one task of each service with them."""
    yield
    # Named, or what was changed since would stay.
    lab.playbook("secrets.yml", "-e", "secrets_action=rotate", "-e", f"secrets_names={','.join(NAMES)}", *LOCK).must_succeed()


# --- Values -------------------------------------------------------------------------------------------------------------
def odd(size, alphabet):
    """Text of so many bytes that begins like no other."""
    start = f"zq{uuid.uuid4().hex}-"
    text = start + alphabet * size
    while len(text.encode()) > size:
        text = text[: -max(1, (len(text.encode()) - size) // 4)]
    return text + "x" * (size - len(text.encode()))


MATRIX = [
    {
        "ADMIN_TOKEN": 'it\'s "quoted" `twice` and \\ escaped \\n',
        "CLAUDE_API_KEY": "-----BEGIN\nline two\n\tline $three\n-----END",
        "TELEGRAM_BOT_TOKEN": "$HOME ${x} $(id) %d",
    },
    {"ADMIN_TOKEN": "çãé 漢字 🙂 \u202e.", "CLAUDE_API_KEY": odd(4096, "ab\"'$\n"), "TELEGRAM_BOT_TOKEN": odd(8192, "é$'\"\\ \n")},
]


def unique(values):
    """A beginning of its own for each, so that finding it means it."""
    return {name: secret if secret.startswith("zq") else f"zq{uuid.uuid4().hex} {secret}" for name, secret in values.items()}


@pytest.mark.parametrize("number", range(len(MATRIX)))
def test_values_are_read_back_as_written_and_shown_nowhere(lab, tmp_path, number):
    values = unique(MATRIX[number])
    (tmp_path / "tmp").mkdir()
    temporary = {"ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_REMOTE_TEMP": str(tmp_path / "tmp"), "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "given.json").write_text(json.dumps({"atena_secrets": values}))
    # Everything shown that Ansible shows.
    loud = ["-e", f"@{tmp_path / 'given.json'}", "-vvv", "--diff"]
    with Watch(values.values(), [tmp_path / "tmp"]) as watch:
        run = lab.playbook("secrets.yml", *loud, "-e", "secrets_action=set", environment=temporary).must_succeed()
    assert {name: value(lab, name) for name in values} == values
    assert watch.found == set()
    assert shown(run.output, values) == []
    for verb in (("compare",), ("set", "list"))[number]:
        again = lab.playbook("secrets.yml", *loud, "-e", f"secrets_action={verb}").must_succeed()
        assert again.changed == 0
        assert shown(again.output, values) == []
    described = lab.client("ssm").describe_parameters(ParameterFilters=[{"Key": "Path", "Option": "Recursive", "Values": [PATH]}])["Parameters"]
    tiers = {entry["Name"].rpartition("/")[2]: entry["Tier"] for entry in described}
    assert tiers["TELEGRAM_BOT_TOKEN"] == ("Advanced" if number else "Standard") and tiers["CLAUDE_API_KEY"] == "Standard"


def test_more_than_a_parameter_holds_is_refused_before_anything_is_written(lab, tmp_path):
    before = {name: value(lab, name) for name in NAMES}
    given = {"ADMIN_TOKEN": "harmless-and-fine", "CLAUDE_API_KEY": "é" * 4097}
    refused = secrets_yml(lab, "secrets_action=set", given=given, directory=tmp_path).must_fail()
    assert "CLAUDE_API_KEY has 8194 bytes; the most that a parameter holds is 8192, in the advanced tier" in refused.text
    assert {name: value(lab, name) for name in NAMES} == before


def test_values_come_from_a_vault_standard_input_the_environment_and_a_prompt(lab, tmp_path):
    values = {name: f"zq{uuid.uuid4().hex} $'\"" for name in NAMES}
    command = ["ansible-playbook", "-i", "inventories/lab", "playbooks/secrets.yml", "-vvv", "-e", "secrets_action=set"]
    options = {"cwd": CHECKOUT, "env": {**os.environ, "ANSIBLE_NOCOLOR": "1"}, "text": True, "timeout": 120, "stdout": subprocess.PIPE}
    outputs = []
    # Standard input, where what looks like a template is none.
    values["CLAUDE_API_KEY"] += "\n{{ it }} {% looks %} so"
    piped = {"input": f"{values['CLAUDE_API_KEY']}\n", "stderr": subprocess.STDOUT, "check": False}
    outputs.append(subprocess.run([*command, "-e", "secrets_stdin=CLAUDE_API_KEY"], **piped, **options))
    piped["input"] = json.dumps({"CLAUDE_API_KEY": values["CLAUDE_API_KEY"], "ADMIN_TOKEN": values["ADMIN_TOKEN"]})
    outputs.append(subprocess.run([*command, "-e", "secrets_stdin=variables"], **piped, **options))
    # A file of variables in a vault, and for what is not in there the environment.
    (tmp_path / "password").write_text("the vault's own\n")
    (tmp_path / "vault.yml").write_text(json.dumps({"atena_secrets": {"ADMIN_TOKEN": values["ADMIN_TOKEN"]}}))
    subprocess.run(["ansible-vault", "encrypt", "--vault-password-file", tmp_path / "password", tmp_path / "vault.yml"], check=True, capture_output=True)
    vault = ["-e", f"@{tmp_path / 'vault.yml'}", "--vault-password-file", str(tmp_path / "password")]
    with_variable = {**options, "env": {**options["env"], "TELEGRAM_BOT_TOKEN": values["TELEGRAM_BOT_TOKEN"]}}
    outputs.append(subprocess.run([*command, *vault], stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False, **with_variable))
    for done in outputs:
        assert done.returncode == 0, done.stdout
        assert shown(done.stdout, values) == []
    assert {name: value(lab, name) for name in NAMES} == values
    # A person, where the inventory has no value of its own.
    alone = ["-e", '{"atena_secrets": {}}', "-e", "secrets_names=TELEGRAM_BOT_TOKEN"]
    typed = f"zq{uuid.uuid4().hex} typed"
    output = at_a_terminal([*command, *alone], typed, options["env"])
    assert value(lab, "TELEGRAM_BOT_TOKEN") == typed and typed not in output


def at_a_terminal(command, answer, environment):
    """Types the answer at the first prompt. Returns all that the terminal showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(CHECKOUT)
        os.execvpe(command[0], command, environment)
    said = ""
    try:
        while True:
            chunk = os.read(terminal, 65536).decode("utf-8", "replace")
            if "new value of" in chunk or ("new value of" in said and answer):
                time.sleep(0.5)
                os.write(terminal, f"{answer}\r".encode())
                said, answer = said + chunk, ""
                continue
            said += chunk
    except OSError:  # the program has ended
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, said
    return said


def test_nothing_given_is_no_success(lab):
    run = secrets_yml(lab, "secrets_action=set", '{"atena_secrets": {}}').must_fail()
    assert "No value was given for CLAUDE_API_KEY, ADMIN_TOKEN, TELEGRAM_BOT_TOKEN. Nothing was changed." in run.text
    assert "value of secrets_action must be one of" in secrets_yml(lab, "secrets_action=show").must_fail().text
    assert lab.lock() is None


def test_the_remedy_for_one_secret_leaves_another_that_was_changed_since(lab, tmp_path):
    """As with a vault that is older than a rotation with -e: what it has of that one is told, and written only if it is named."""
    old, new = ({name: f"zq{uuid.uuid4().hex}" for name in NAMES} for _ in range(2))
    secrets_yml(lab, "secrets_action=set", given=old, directory=tmp_path).must_succeed()
    secrets_yml(lab, "secrets_action=set", given={"ADMIN_TOKEN": new["ADMIN_TOKEN"]}, directory=tmp_path).must_succeed()
    lab.client("ssm").put_parameter(Name=f"{PATH}/CLAUDE_API_KEY", Value="CHANGE_ME", Type="SecureString", Overwrite=True)
    file = {**old, "CLAUDE_API_KEY": new["CLAUDE_API_KEY"]}
    mended = secrets_yml(lab, given=file, directory=tmp_path).must_succeed()
    assert {name: value(lab, name) for name in NAMES} == {**old, **{name: new[name] for name in ("ADMIN_TOKEN", "CLAUDE_API_KEY")}}
    assert "ADMIN_TOKEN: left as it is." in mended.text and "-e secrets_names=ADMIN_TOKEN" in mended.text
    secrets_yml(lab, "secrets_action=set", "secrets_names=ADMIN_TOKEN", given=file, directory=tmp_path).must_succeed()
    assert value(lab, "ADMIN_TOKEN") == old["ADMIN_TOKEN"]


# --- List and compare ---------------------------------------------------------------------------------------------------
def test_the_list_tells_all_but_the_values(lab):
    with Wire(lab.endpoint) as wire:
        run = lab.playbook("secrets.yml", "-e", "secrets_action=list", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert run.changed == 0 and wire.writes() == []
    version = lab.client("ssm").get_parameter(Name=f"{PATH}/DATABASE_URL")["Parameter"]["Version"]
    assert re.search(rf"DATABASE_URL set SecureString Standard {version} \S+Z api,workers", run.text)


def test_what_is_not_as_wanted_is_told_by_name(lab, tmp_path):
    ssm = lab.client("ssm")
    ssm.put_parameter(Name=f"{PATH}/STRAY", Value="nobody-knows-why", Type="SecureString")
    ssm.put_parameter(Name=f"{PATH}/ADMIN_TOKEN", Value="CHANGE_ME", Type="SecureString", Overwrite=True)
    gone = value(lab, "TELEGRAM_BOT_TOKEN")
    ssm.delete_parameter(Name=f"{PATH}/TELEGRAM_BOT_TOKEN")
    given = {"CLAUDE_API_KEY": "another value", "ADMIN_TOKEN": "lab-admin-token"}
    try:
        (tmp_path / "given.json").write_text(json.dumps({"atena_secrets": given}))
        checked = lab.playbook("secrets.yml", "--check", "--diff", "-e", "secrets_action=compare", "-e", f"@{tmp_path / 'given.json'}").must_succeed()
        failed = secrets_yml(lab, "secrets_action=compare", "secrets_must_match=true", given=given, directory=tmp_path).must_fail()
    finally:
        ssm.put_parameter(Name=f"{PATH}/TELEGRAM_BOT_TOKEN", Value=gone, Type="SecureString", Overwrite=True)
        ssm.delete_parameter(Name=f"{PATH}/STRAY")
    for text in (checked.text, failed.text):
        assert "not as wanted: ADMIN_TOKEN, CLAUDE_API_KEY, TELEGRAM_BOT_TOKEN" in text
        assert "- ADMIN_TOKEN: CHANGE_ME" in text and "- TELEGRAM_BOT_TOKEN: absent" in text
        assert "STRAY: not in the list: unmanaged" in text and "DATABASE_URL: set, with no value to compare with" in text
        assert "another value" not in text and "nobody-knows-why" not in text
    assert "Not as wanted: ADMIN_TOKEN, CLAUDE_API_KEY, TELEGRAM_BOT_TOKEN." in failed.text
    assert failed.changed == checked.changed == 0


# --- Rotate -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def workers_without_the_token(lab):
    """The workers' task definition without ADMIN_TOKEN: then only the API reads it."""
    ecs, before = lab.client("ecs"), lab.services()[WORKERS]["taskDefinition"]
    now = ecs.describe_task_definition(taskDefinition=before)["taskDefinition"]
    kept = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn", "taskRoleArn", "runtimePlatform")
    (container,) = now["containerDefinitions"]
    container = {**container, "secrets": [secret for secret in container["secrets"] if secret["name"] != "ADMIN_TOKEN"]}
    arn = ecs.register_task_definition(**{key: now[key] for key in kept if key in now}, containerDefinitions=[container])["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster=lab.cluster, service=WORKERS, taskDefinition=arn)
    until(lambda: steady(lab), 90)
    yield
    ecs.update_service(cluster=lab.cluster, service=WORKERS, taskDefinition=before)
    ecs.deregister_task_definition(taskDefinition=arn)
    until(lambda: steady(lab), 90)


def test_a_rotation_reaches_only_the_services_that_read_it(lab, tmp_path, workers_without_the_token):
    before, fresh = deployments(lab), {"ADMIN_TOKEN": f"zq{uuid.uuid4().hex}"}
    arguments = ("secrets_action=rotate", "secrets_names=ADMIN_TOKEN")
    with Visitor(lab.app.url, "/health") as visitor:
        run = secrets_yml(lab, *arguments, given=fresh, directory=tmp_path).must_succeed()
    after = deployments(lab)
    assert (after[API] != before[API], after[WORKERS] == before[WORKERS]) == (True, True)
    assert [entry["ADMIN_TOKEN"] for entry in environment_of(lab, API)] == [fresh["ADMIN_TOKEN"]]
    assert (visitor.failed, labelled(lab, "ADMIN_TOKEN"), lab.lock()) == ([], [], None)
    assert f"New tasks started of: {API}" in run.text and shown(run.output, fresh) == []
    newest = record(lab)[0]
    assert (newest["outcome"], newest["secrets"], newest["services"]) == ("succeeded", ["ADMIN_TOKEN"], [API])
    again = secrets_yml(lab, *arguments, given=fresh, directory=tmp_path).must_succeed()
    assert (again.changed, deployments(lab)) == (0, after)


def test_a_value_that_makes_nobody_well_goes_back(lab, tmp_path):
    good, running = value(lab, "REDIS_URL"), lab.revisions()
    bad = {"REDIS_URL": f"redis://zq{uuid.uuid4().hex}.invalid:6379"}
    arguments = ("secrets_action=rotate", "secrets_names=REDIS_URL", "secrets_timeout_seconds=20")
    with Visitor(lab.app.url, "/health") as visitor:
        run = secrets_yml(lab, *arguments, given=bad, directory=tmp_path).must_fail()
    assert value(lab, "REDIS_URL") == good and labelled(lab, "REDIS_URL") == [] and lab.revisions() == running
    assert {entry["REDIS_URL"] for service in (API, WORKERS) for entry in environment_of(lab, service)} == {good}
    assert "The new value was not adopted." in run.text and "The old value is in place again." in run.text
    assert visitor.failed == [] and visitor.asked > 20
    assert shown(run.output, bad) == []
    assert record(lab)[0]["outcome"] == "reverted" and lab.lock() is None


@pytest.mark.soak
def test_a_rotation_that_was_killed_is_finished_by_the_next_run(lab, tmp_path):
    fresh = {"CLAUDE_API_KEY": f"zq{uuid.uuid4().hex}"}
    (tmp_path / "given.json").write_text(json.dumps({"atena_secrets": fresh}))
    arguments = ["-e", "secrets_action=rotate", "-e", "secrets_names=CLAUDE_API_KEY"]
    before = deployments(lab)
    killed_after(lab, "ssm:PutParameter", "secrets.yml", *arguments, "-e", f"@{tmp_path / 'given.json'}")
    assert len(labelled(lab, "CLAUDE_API_KEY")) == 1 and lab.app.get("/health")[0] == 200
    run = lab.playbook("secrets.yml", *LOCK, *arguments, "-e", '{"atena_secrets": {}}').must_succeed()
    assert "CLAUDE_API_KEY: an earlier rotation is incomplete; finished with version" in run.text
    assert value(lab, "CLAUDE_API_KEY") == fresh["CLAUDE_API_KEY"] and labelled(lab, "CLAUDE_API_KEY") == []
    assert {entry["CLAUDE_API_KEY"] for service in (API, WORKERS) for entry in environment_of(lab, service)} == set(fresh.values())
    assert all(deployments(lab)[name] != before[name] for name in before)
    assert [entry["outcome"] for entry in record(lab)[:2]] == ["succeeded", "interrupted"]


# --- The database's password --------------------------------------------------------------------------------------------
class Database:
    """PostgreSQL itself, and what the lab had of it before."""

    def __init__(self, lab):
        self.lab, self.url = lab, value(lab, "DATABASE_URL")
        self.container = None

    def admits(self, url):
        """Whether somebody can log in so."""
        try:
            psycopg2.connect(libpq(url), connect_timeout=5).close()
        except psycopg2.OperationalError as refused:
            assert "authentication failed" in str(refused) or "not permitted to log in" in str(refused), refused
            return False
        return True

    def ask(self, query, url=None):
        with psycopg2.connect(libpq(url or value(self.lab, "DATABASE_URL")), connect_timeout=5) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall() if cursor.description else []

    def put_back(self):
        """The master user owns everything, and the services have it, as the first apply left it."""
        lab, password = self.lab, urlsplit(self.url).password
        lab.client("rds").modify_db_instance(DBInstanceIdentifier="atena-prod-db", MasterUserPassword=password, ApplyImmediately=True)
        until(lambda: self.admits(self.url), 60)
        lab.client("ssm").put_parameter(Name=f"{PATH}/DATABASE_URL", Value=self.url, Type="SecureString", Overwrite=True)
        for name in ("DATABASE_ADMIN_URL", "DATABASE_URL_NEXT"):
            lab.client("ssm").delete_parameters(Names=[f"{PATH}/{name}"])
        for name in (API, WORKERS):
            lab.client("ecs").update_service(cluster=lab.cluster, service=name, forceNewDeployment=True)
        until(lambda: steady(lab), 120)
        roles = [row[0] for row in self.ask("SELECT rolname FROM pg_roles WHERE rolname IN ('atena_owner', 'atena_app_a', 'atena_app_b')")]
        if "atena_owner" in roles:
            self.ask("REASSIGN OWNED BY atena_owner TO atena; DROP OWNED BY atena_owner")
        for role in roles:
            self.ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")
            self.ask(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.fixture(scope="module")
def database(lab):
    found = Database(lab)
    yield found
    found.put_back()


def rotate(lab, *arguments, **options):
    return lab.playbook("rotate_database_password.yml", *arguments, **options)


OWNERS = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"


def test_check_mode_of_a_database_rotation_writes_nothing(lab, database):
    with Wire(lab.endpoint) as wire:
        run = rotate(lab, "--check", "--diff", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert wire.writes() == [] and run.changed == 1
    assert "DATABASE_URL: atena would be replaced by atena_app_a" in run.text
    assert value(lab, "DATABASE_URL") == database.url


def test_the_first_rotation_moves_from_the_master_user_without_a_failed_request(lab, database):
    with Visitor(lab.app.url, "/health", "/jobs") as visitor:
        run = rotate(lab, "-vvv", "--diff").must_succeed()
    now, admin = value(lab, "DATABASE_URL"), value(lab, "DATABASE_ADMIN_URL")
    assert visitor.failed == [] and visitor.asked > 20
    assert urlsplit(now).username == "atena_app_a" and urlsplit(admin).username == "atena"
    assert (database.admits(now), database.admits(admin), database.admits(database.url)) == (True, True, False)
    assert database.ask(OWNERS) == [("atena_owner",)]
    assert database.ask("SELECT current_user, session_user") == [("atena_owner", "atena_app_a")]
    assert {entry["DATABASE_URL"] for service in (API, WORKERS) for entry in environment_of(lab, service)} == {now}
    assert shown(run.output, {"old": database.url, "new": now, "admin": admin}) == []
    assert labelled(lab, "DATABASE_URL") == [] and lab.lock() is None
    # What ECS and the ledger of rotations show has no password either.
    told = json.dumps([*lab.ended_tasks(), record(lab)[0]], default=str)
    assert shown(told, {"old": database.url, "new": now, "admin": admin}) == []


def test_a_migration_still_makes_what_the_next_user_can_change_and_the_plan_is_empty(lab, database):
    lab.playbook("migrate.yml").must_succeed()
    database.ask("CREATE TABLE made_by_a_migration (id int)")
    assert database.ask(OWNERS) == [("atena_owner",)]
    assert lab.plan()[0] == 0


@pytest.fixture
def rotated(lab, database):
    """After the first turn, also where only the soak is run."""
    if "DATABASE_ADMIN_URL" not in {one["Name"].rsplit("/", 1)[1] for one in lab.client("ssm").get_parameters_by_path(Path=PATH)["Parameters"]}:
        rotate(lab).must_succeed()
    database.ask("CREATE TABLE IF NOT EXISTS made_by_a_migration (id int)")


@pytest.mark.soak
def test_the_next_one_is_killed_twice_and_still_no_request_fails(lab, database, rotated):
    first, admin = value(lab, "DATABASE_URL"), value(lab, "DATABASE_ADMIN_URL")
    with Visitor(lab.app.url, "/health", "/jobs") as visitor:
        killed_after(lab, "ecs:RunTask", "rotate_database_password.yml")
        assert value(lab, "DATABASE_URL") == first and database.admits(first)
        killed_after(lab, "ecs:UpdateService", "rotate_database_password.yml")
        second = value(lab, "DATABASE_URL")
        assert second != first and database.admits(first) and database.admits(second)
        run = rotate(lab, *LOCK).must_succeed()
    assert visitor.failed == [] and visitor.asked > 20
    assert "an earlier rotation from atena_app_a to atena_app_b is incomplete; finished" in run.text
    assert value(lab, "DATABASE_URL") == second and urlsplit(second).username == "atena_app_b"
    assert (database.admits(second), database.admits(first), database.admits(admin)) == (True, False, False)
    database.ask("ALTER TABLE made_by_a_migration ADD COLUMN more int; DROP TABLE made_by_a_migration")
    assert {entry["DATABASE_URL"] for service in (API, WORKERS) for entry in environment_of(lab, service)} == {second}
    assert labelled(lab, "DATABASE_URL") == [] and lab.plan()[0] == 0


# --- As on RDS, where the master user is no superuser -------------------------------------------------------------------
@pytest.fixture
def like_rds(lab, database, rotated):
    """A second database on the same server, with a master user that may make roles and databases, and nothing more."""
    admin = value(lab, "DATABASE_ADMIN_URL")
    url = urlsplit(admin)
    own = f"postgresql://rds_master:rds-master-password@{url.hostname}:{url.port}/rehearsal?sslmode=no-verify"
    connection = psycopg2.connect(libpq(admin))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE rds_master LOGIN CREATEROLE CREATEDB PASSWORD 'rds-master-password'; GRANT pg_signal_backend TO rds_master")
        cursor.execute("CREATE DATABASE rehearsal OWNER rds_master")
        yield own
        cursor.execute("DROP DATABASE rehearsal WITH (FORCE)")
        cursor.execute("DROP ROLE IF EXISTS rehearsal_app_a, rehearsal_owner, rds_master")
    connection.close()


def program(lab, admin, following, *words):
    [api] = containers(lab, API)
    return docker(
        "exec", "--env", f"DATABASE_ADMIN_URL={admin}", "--env", f"DATABASE_URL_NEXT={following}", api, "node", "packages/database/dist/users.js", *words
    )


@pytest.mark.soak
def test_a_master_user_without_a_superusers_rights_can_do_it(lab, database, like_rds):
    database.ask(
        "CREATE TABLE plain (id serial PRIMARY KEY, text text); CREATE SCHEMA other; CREATE TABLE other.deep (id int); CREATE TYPE mood AS ENUM ('well');"
        "CREATE VIEW seen AS SELECT * FROM plain; CREATE SEQUENCE counted; CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        'CREATE TABLE "Odd {name}" (mood mood)',
        like_rds,
    )
    user = like_rds.replace("rds_master:rds-master-password", "rehearsal_app_a:rehearsal-password")
    # Somebody works as the master user all the while.
    working = psycopg2.connect(libpq(like_rds))
    working.autocommit = True
    for _ in range(2):
        program(lab, like_rds, user, "prepare", "rehearsal_owner")
        with working.cursor() as cursor:
            cursor.execute("INSERT INTO plain (text) VALUES ('still here'); SELECT count(*) FROM other.deep")
    kinds = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('public', 'other')"
    assert database.ask(kinds, user) == [("rehearsal_owner",)]
    assert database.ask("SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname = 'one'", user) == [("rehearsal_owner",)]
    database.ask("ALTER TYPE mood ADD VALUE 'better'; INSERT INTO plain (text) VALUES ('new'); CREATE SCHEMA more; DROP FUNCTION one()", user)
    left = psycopg2.connect(libpq(user))
    said = program(lab, like_rds, user, "retire", "rehearsal_app_a")
    assert "rehearsal_app_a can log in no more; 1 of its sessions were ended" in said
    assert not database.admits(user) and database.admits(like_rds)
    left.close()
    working.close()
