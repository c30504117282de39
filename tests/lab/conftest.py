"""The running lab, as the tests use it: playbooks as a user types them, boto3 to look behind them, the application's repository and address.

tests/bin/test-lab starts the lab; here site.yml is run once, before the first test.
"""

from __future__ import annotations

import collections
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import claims
import outcomes
import pytest
import tiers

# Before they are imported: pytest shows of an assertion what it compared only in files that it rewrote.
pytest.register_assert_rewrite("bad_commits", "emulator_world", "faults", "module_cases", "power", "releases")
from faults import Faults  # noqa: E402

# With this the tests' own libpq verifies a database, as the address of one wants it; what runs in the lab does not see it.
if "ATENA_LAB_DIR" in os.environ:
    os.environ.setdefault("PGSSLROOTCERT", str(Path(os.environ["ATENA_LAB_DIR"]) / "ca" / "rds-global-bundle.pem"))

CHECKOUT = Path(__file__).resolve().parents[2]
RUNNING = pytest.StashKey["Lab"]()
LOCKS = "atena-terraform-locks"
RECAP = re.compile(r"^\S+\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


def pytest_addoption(parser):
    parser.addoption("--claims", type=Path, help="run only the files that no other lab has taken, by what is in this directory")
    parser.addoption("--outcomes", type=Path, help="write down there the outcome of each test, and which playbooks were typed")
    parser.addoption("--tier", choices=tiers.TIERS, default=tiers.ALL, help="which tests: tiers.py (default: all that do not take hours)")
    parser.addoption("--also", action="append", default=[], metavar="FILE", help="with --tier core: this file's tests, too")


def pytest_collection_modifyitems(config, items):
    """Takes those of the tier, and marks those in quarantine."""
    quarantine = tiers.quarantined(tiers.QUARANTINE.read_text().splitlines())
    taken, left = [], []
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        # Whoever asks for a mark gets what has it.
        asked = bool(config.option.markexpr) or tiers.is_taken(config.option.tier, marks, item.path.name, config.option.also)
        (taken if asked else left).append(item)
        if since := quarantine.get(outcomes.test_of(item.nodeid)):
            item.add_marker(pytest.mark.xfail(reason=f"in quarantine since {since[0]}: {since[1]}", strict=False))
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = taken


def pytest_runtestloop(session):
    """With --claims in place of pytest's own loop, of which it keeps all that a run of these tests may meet."""
    if session.config.option.claims is None or session.testsfailed or session.config.option.collectonly:
        return None

    def run_one(item, following):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)

    claims.run(session.items, session.config.option.claims, run_one)
    return True


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    config.pluginmanager.register(FailuresAtOnce(config), "failures-at-once")


class FailuresAtOnce:
    """Shows a failure when it happens: of a run of half an hour one wants to know before its end, and of one that was killed at all.

    At the end it tells what each file took, which tests/lab/claims.py goes by, and the names of what failed instead of showing it all again.
    """

    def __init__(self, config):
        self._config, self._seconds, self._failed, self._outcomes = config, collections.Counter(), [], outcomes.Outcomes()

    def pytest_deselected(self, items):
        for item in items:
            self._outcomes.leave(item.nodeid)

    def typed(self, playbook: str, arguments: tuple[str, ...], run: Run) -> None:
        """A playbook that ended."""
        self._outcomes.type(playbook, arguments, run.code, run.changed)

    def pytest_sessionfinish(self):
        self._config.option.tbstyle = "no"
        if self._config.option.outcomes:
            self._config.option.outcomes.write_text(json.dumps(self._outcomes.document()))

    def pytest_terminal_summary(self, terminalreporter):
        for file, seconds in self._seconds.most_common():
            terminalreporter.write_line(f"{seconds:6.0f} s  {file}")
        for which in self._failed:
            terminalreporter.write_line(f"failed: {which}")

    def in_file(self, path: Path) -> bool:
        """Whether a test of this file failed."""
        return any(which.startswith(f"tests/lab/{path.name}::") for which in self._failed)

    def pytest_runtest_logreport(self, report):
        self._seconds[Path(report.location[0]).name] += report.duration
        self._outcomes.add(report.nodeid, report.when, report.outcome)
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            why = crash.message.strip().partition("\n")[0][:120] if crash else ""
            self._failed.append(f"{report.nodeid} ({report.when}) {why}".rstrip())
            terminal = self._config.pluginmanager.getplugin("terminalreporter")
            terminal.write_line(f"\n{report.nodeid} ({report.when}) failed:\n{report.longreprtext[-6000:]}")


@dataclass
class Run:
    """A finished playbook."""

    code: int
    output: str
    changed: int = field(init=False)

    def __post_init__(self):
        recap = RECAP.search(self.output)
        self.changed = int(recap[2]) if recap else -1

    def must_succeed(self) -> Run:
        assert self.code == 0, self.output
        return self

    def must_fail(self) -> Run:
        assert self.code != 0, self.output
        return self

    @property
    def text(self) -> str:
        """What was told, on the screen and in the file that a failure names, for looking up sentences: with line breaks and runs of blanks folded, and
        without the labels of a failure's parts."""
        named = [CHECKOUT / Path(path).expanduser() for path in re.findall(r"^  Details: +(\S.*)$", self.output, re.MULTILINE)]
        files = [path.read_text() for path in named if path.exists()]
        told = re.sub(r"^  (?:What|Why|State|Next): +", "", "\n".join([self.output, *files]), flags=re.MULTILINE)
        return re.sub(r"\s+", " ", told)


class App:
    """The application's git repository in the lab, and its address."""

    def __init__(self, repository: Path, url: str):
        self.repository, self.url = repository, url

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        done = subprocess.run(["git", "-C", str(self.repository), *identity, *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    @property
    def commit(self) -> str:
        return self.git("rev-parse", "HEAD")

    def change(self, message: str, **files: str) -> str:
        """Commits new contents of files (path with / as __ is not needed: pass a dict through **). Returns the commit."""
        for path, content in files.items():
            target = self.repository / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.commit

    def read(self, path: str) -> str:
        return (self.repository / path).read_text()

    def back_to(self, commit: str) -> None:
        self.git("reset", "--quiet", "--hard", commit)

    def get(self, path: str, data: dict | None = None, timeout: float = 10):
        request = urllib.request.Request(
            self.url + path, data=json.dumps(data).encode() if data is not None else None, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode("utf-8", "replace")
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, {"text": text}

    @property
    def version(self) -> str:
        status, answer = self.get("/health")
        assert status == 200, answer
        return answer["version"]


class Lab:
    """One lab; everything a test needs of it."""

    name = "atena-prod"
    cluster = "atena-prod-cluster"

    def __init__(self, on_typed: Callable[[str, tuple[str, ...], Run], None] = lambda *_: None):
        """on_typed: told of each playbook that ended, with its arguments."""
        self._on_typed = on_typed
        self.endpoint = os.environ["AWS_ENDPOINT_URL"]
        self.directory = Path(os.environ["ATENA_LAB_DIR"])
        self.account = os.environ["AWS_ACCESS_KEY_ID"]
        self.infra = self.directory / "work" / self.name / "infra"
        self.app = App(self.directory / "app", f"{self.endpoint}/_alb/{self.name}-alb")

    def playbook(self, name: str, *arguments: str, inventory: str = "inventories/lab", environment: dict | None = None, timeout: int = 600) -> Run:
        done = subprocess.run(
            ["ansible-playbook", "-i", inventory, f"playbooks/{name}", *arguments],
            cwd=CHECKOUT,
            env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
        )
        run = Run(done.returncode, done.stdout)
        self._on_typed(name, arguments, run)
        return run

    def client(self, service: str):
        return boto3.client(service, region_name="us-east-1")

    def services(self) -> dict:
        names = [f"{self.name}-api", f"{self.name}-workers"]
        described = self.client("ecs").describe_services(cluster=self.cluster, services=names)["services"]
        return {service["serviceName"]: service for service in described}

    def revisions(self) -> dict:
        """{service: task definition ARN}: what a failed release must leave as it was."""
        return {name: service["taskDefinition"] for name, service in self.services().items()}

    def records(self) -> list[dict]:
        """The ledger of releases, newest first."""
        s3 = self.client("s3")
        bucket = f"atena-terraform-state-{self.account}"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{self.name.replace('-', '/')}/releases/")
        keys = sorted((entry["Key"] for page in pages for entry in page.get("Contents", [])), reverse=True)
        return [json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]) for key in keys]

    def lock(self) -> dict | None:
        """The item of the environment's lock; None when nobody holds it."""
        answer = self.client("dynamodb").get_item(TableName=LOCKS, Key={"LockID": {"S": f"atena.aws/{self.name}"}}, ConsistentRead=True)
        return answer.get("Item")

    def ended_tasks(self) -> list[dict]:
        """Every stopped task that ECS still knows."""
        ecs = self.client("ecs")
        pages = ecs.get_paginator("list_tasks").paginate(cluster=self.cluster, desiredStatus="STOPPED", PaginationConfig={"PageSize": 100})
        return [task for page in pages if page["taskArns"] for task in ecs.describe_tasks(cluster=self.cluster, tasks=page["taskArns"])["tasks"]]

    def tasks_of_releases(self) -> list[str]:
        """ARNs of one-off tasks that run: migrations of releases."""
        ecs = self.client("ecs")
        arns = ecs.list_tasks(cluster=self.cluster)["taskArns"]
        tasks = ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"] if arns else []
        return [task["taskArn"] for task in tasks if task.get("startedBy", "").startswith("atena-aws/") and task["lastStatus"] != "STOPPED"]

    def start(self, name: str, *arguments: str, environment: dict | None = None) -> subprocess.Popen:
        """A playbook that is let run: to interrupt it, or to run two at once. Its output is read with `communicate`."""
        return subprocess.Popen(
            ["ansible-playbook", "-i", "inventories/lab", f"playbooks/{name}", *arguments],
            cwd=CHECKOUT,
            env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def plan(self, *arguments: str) -> tuple[int, str]:
        """`terraform plan -detailed-exitcode`, as a person types it in the working copy."""
        command = ["terraform", "plan", "-detailed-exitcode", "-no-color", "-input=false", *arguments]
        done = subprocess.run(command, cwd=self.infra, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout + done.stderr

    def unlock_the_state(self) -> None:
        """Takes Terraform's locks away that a killed test left: nothing of a test is at work any more, and the collection would not break them."""
        dynamodb = self.client("dynamodb")
        for item in dynamodb.scan(TableName=LOCKS)["Items"]:
            if item["LockID"]["S"].endswith(".tfstate"):
                dynamodb.delete_item(TableName=LOCKS, Key={"LockID": item["LockID"]})

    def put_in_order(self) -> Run:
        """No faults, the state unlocked, switched on, as described, and the commit deployed that the repository has. Returns the last playbook that ran."""
        with Faults(self.endpoint) as faults:
            faults.forget_all()
        self.unlock_the_state()
        for name, *arguments in (("start.yml", "-e", "start_without_queue=true"), ("infra.yml",), ("deploy.yml",)):
            run = self.playbook(name, *arguments, "-e", "atena_lock_wait_seconds=320", timeout=900)
            if run.code:
                break
        return run


@pytest.fixture(scope="module", autouse=True)
def in_order(request):
    """After a file that failed, the next one begins with what it would have found: one fault must not look like a hundred."""
    yield
    failures = request.config.pluginmanager.getplugin("failures-at-once")
    if failures.in_file(request.path) and (running := request.config.stash.get(RUNNING, None)):
        run = running.put_in_order()
        terminal = request.config.pluginmanager.getplugin("terminalreporter")
        terminal.write_line(f"\n{request.path.name} failed; the lab was put in order: {'it is' if run.code == 0 else run.output[-3000:]}")


@pytest.fixture(scope="session")
def lab(request) -> Lab:
    """The lab with the application deployed in it by site.yml. Its first run is kept as `lab.first_run`, what it released as `lab.first_commit`."""
    running = Lab(request.config.pluginmanager.getplugin("failures-at-once").typed)
    running.first_commit = running.app.commit
    running.first_run = running.playbook("site.yml", timeout=900).must_succeed()
    request.config.stash[RUNNING] = running
    return running


@pytest.fixture
def good(lab):
    """The application's repository, brought back to the commit it had - a good one - when the test ends."""
    commit = lab.app.commit
    yield lab.app
    lab.app.back_to(commit)
