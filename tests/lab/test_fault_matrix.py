"""The fault matrix: whatever goes wrong in a release, every service ends on the old release and healthy, the reason is named, the ledger true.

Each case makes one thing go wrong, really: containers crash, run out of memory or cannot be pulled, AWS throttles, credentials expire.
Where AWS would take minutes the clocks are set shorter, for the old and the new release alike (`quick`): health checks every 5 s, no grace
period, a stop timeout of 2 s, a deadline of 20 s for a rollout.

Some causes can be seen before anything starts, and the preflight refuses them. The same cause is then tried once more so that it appears only
after the preflight: a request of the release is held while the test makes it happen.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import bad_commits
import pytest
from emulator_world import docker, foreign_image, until
from faults import Faults

DEADLINE = 20
# Runs whose lock is left behind (their credentials expired) must not keep the next one waiting.
QUICK = ("-e", f"atena_rollout_timeout_seconds={DEADLINE}", "-e", "atena_lock_expiry_seconds=5", "-e", "atena_lock_wait_seconds=60")
# Hundreds of refused calls in a row: without this, waiting politely takes minutes.
NO_PAUSES = {"ATENA_AWS_PAUSE_SCALE": "0.002"}
SECRET = "ADMIN_TOKEN"


# --- What the end must be ---------------------------------------------------------------------------------------------
def assert_on(lab, revisions: dict, version: str) -> None:
    """Every service on these revisions, stable and healthy, and this version answers; nothing of the run is left over."""
    services = lab.services()
    assert {name: service["taskDefinition"] for name, service in services.items()} == revisions
    for service in services.values():
        states = [(deployment["status"], deployment.get("rolloutState")) for deployment in service["deployments"]]
        assert states == [("PRIMARY", "COMPLETED")], service["deployments"]
        assert (service["desiredCount"], service["runningCount"], service["pendingCount"]) == (1, 1, 0)
        for balancer in service["loadBalancers"]:
            targets = lab.client("elbv2").describe_target_health(TargetGroupArn=balancer["targetGroupArn"])["TargetHealthDescriptions"]
            assert [target["TargetHealth"]["State"] for target in targets if target["TargetHealth"]["State"] != "draining"] == ["healthy"]
    assert lab.app.version == version
    assert lab.tasks_of_releases() == []


def assert_ledger(lab, release: str, outcome: str | None, words: tuple[str, ...], left: list[str]) -> None:
    """The newest record is this release's and tells the truth; without an outcome the release was refused and has none."""
    newest = lab.records()[0]
    if outcome is None:
        assert newest["release"] != release
        return
    assert (newest["release"], newest["outcome"]) == (release, outcome), newest
    assert newest["ended_at"]
    assert newest["not_reverted"] == left
    assert bool(newest["reason"]) == (outcome != "succeeded")
    if bad_commits.ERROR_LINE in words:
        assert_evidence(lab, newest, bad_commits.ERROR_LINE)
    if outcome == "succeeded":
        assert newest["step"] == "done"
        assert {entry["name"]: entry["task_definition"] for entry in newest["services"]} == lab.revisions()


def assert_evidence(lab, record: dict, line: str) -> None:
    """The application's own line is kept, here and in the bucket, after ECS and the screen have forgotten it."""
    kept = lab.client("s3").get_object(Bucket=f"atena-terraform-state-{lab.account}", Key=record["evidence"])["Body"].read().decode()
    here = [(lab.infra.parent / "evidence" / f"{record['id']}.{suffix}").read_text() for suffix in ("json", "txt")]
    assert [line in text for text in (kept, *here)] == [True] * 3


# --- What goes wrong --------------------------------------------------------------------------------------------------
@dataclass
class Scene:
    """What a case has to work with."""

    lab: Any
    faults: Faults

    def named(self, key: str) -> str:
        return f"{self.lab.name}-{key}"

    @property
    def group(self) -> str:
        return self.lab.services()[self.named("api")]["loadBalancers"][0]["targetGroupArn"]

    def deregistration_delay(self, seconds: int) -> None:
        attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}
        self.lab.client("elbv2").modify_target_group_attributes(TargetGroupArn=self.group, Attributes=[attribute])

    @contextlib.contextmanager
    def without_secret(self) -> Iterator[None]:
        ssm, name = self.lab.client("ssm"), f"/{self.lab.name.replace('-', '/')}/{SECRET}"
        value = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
        ssm.delete_parameter(Name=name)
        try:
            yield
        finally:
            ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    @contextlib.contextmanager
    def secret_denied(self) -> Iterator[None]:
        iam, role = self.lab.client("iam"), self.named("ecs-execution")
        arn = f"arn:aws:ssm:*:*:parameter/{self.lab.name.replace('-', '/')}/{SECRET}"
        policy = f'{{"Version": "2012-10-17", "Statement": [{{"Effect": "Deny", "Action": "ssm:GetParameters", "Resource": "{arn}"}}]}}'
        iam.put_role_policy(RoleName=role, PolicyName="matrix", PolicyDocument=policy)
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="matrix")

    @contextlib.contextmanager
    def slow_to_leave(self, seconds: int) -> Iterator[None]:
        """A target that leaves stays for so long, as on AWS."""
        self.faults.drain_wholly()
        self.deregistration_delay(seconds)
        try:
            yield
        finally:
            self.deregistration_delay(1)

    def push_foreign_images(self, commit: str) -> None:
        """The commit's images are in ECR, pushed from a machine with another CPU."""
        registry = self.lab.endpoint.partition("//")[2]
        own = docker("version", "--format", "{{.Server.Arch}}").strip()
        token = self.lab.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        docker("login", "--username", "AWS", "--password-stdin", registry, stdin=decoded(token))
        for key in ("api", "workers"):
            name = foreign_image(f"{registry}/{self.named(key)}:sha-{commit}", "amd64" if own == "arm64" else "arm64")
            docker("push", name)
            docker("rmi", name)

    def lose_image(self, commit: str) -> None:
        """With all of its tags: `latest` names it, too."""
        ecr, repository = self.lab.client("ecr"), self.named("api")
        image = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": f"sha-{commit}"}])["imageDetails"][0]
        ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": image["imageDigest"]}])


def decoded(token: str) -> str:
    import base64

    return base64.b64decode(token).decode().partition(":")[2]


Act = Callable[[Scene, str], None]


@dataclass
class Case:
    """One row of the matrix."""

    name: str
    words: tuple[str, ...]  # all of them in the output
    commit: Callable[[Any], str] = bad_commits.harmless
    # A context manager around the run: what is the matter from the start.
    around: Callable[[Scene, str], contextlib.AbstractContextManager] | None = None
    # What happens while the first request of `hold` ({operation, match}) stands still.
    hold: tuple[str, str] | None = None
    meanwhile: Callable[[Scene, str, contextlib.ExitStack], None] | None = None
    outcome: str | None = "failed"  # as the ledger has it; None: refused by the preflight
    arguments: tuple[str, ...] = ()
    environment: dict | None = None
    # What the next run has to put right, because this one could not (its credentials were gone).
    next_run: bool = False
    # Services that somebody else deployed meanwhile, which are not waited for.
    left: tuple[str, ...] = ()
    # Whether it is one of the core's: a fault of each mechanism.
    core: bool = False

    @property
    def succeeds(self) -> bool:
        return self.outcome == "succeeded"


def fault(add: Callable[[Faults], Any]) -> Callable[[Scene, str], contextlib.AbstractContextManager]:
    """A case's `around` that asks for faults."""

    @contextlib.contextmanager
    def around(scene: Scene, commit: str) -> Iterator[None]:
        add(scene.faults)
        yield

    return around


@contextlib.contextmanager
def foreign_images(scene: Scene, commit: str) -> Iterator[None]:
    scene.push_foreign_images(commit)
    yield


@contextlib.contextmanager
def unread_foreign_images(scene: Scene, commit: str) -> Iterator[None]:
    """The preflight may not read what the images are for."""
    scene.push_foreign_images(commit)
    scene.faults.error("ecr:GetDownloadUrlForLayer", "AccessDeniedException", "may not")
    yield


@contextlib.contextmanager
def scaled_to_zero(scene: Scene, commit: str) -> Iterator[None]:
    ecs = scene.lab.client("ecs")

    def scale(count: int) -> None:
        for name in scene.lab.services():
            ecs.update_service(cluster=scene.lab.cluster, service=name, desiredCount=count)
        until(lambda: all(service["runningCount"] == count for service in scene.lab.services().values()))

    scale(0)
    try:
        yield
    finally:
        scale(1)
        settled(scene.lab)


def redeploy_api(scene: Scene, commit: str, stack: contextlib.ExitStack) -> None:
    """Somebody else brings the API back to what it had, by hand, while the release waits."""
    api = scene.lab.services()[scene.named("api")]
    record = next(entry for entry in scene.lab.records()[0]["services"] if entry["name"] == scene.named("api"))
    assert api["taskDefinition"] == record["task_definition"], "the release has not updated the API yet"
    previous = record["previous"]["task_definition"]
    scene.lab.client("ecs").update_service(cluster=scene.lab.cluster, service=scene.named("api"), taskDefinition=previous, forceNewDeployment=True)


def answer_as_before(scene: Scene, commit: str, stack: contextlib.ExitStack) -> None:
    """Two more answers show the API's service as it was before its update."""
    services = json.loads(json.dumps(list(scene.lab.services().values()), default=lambda moment: moment.timestamp()))
    api = next(service for service in services if service["serviceName"] == scene.named("api"))
    record = next(entry for entry in scene.lab.records()[0]["services"] if entry["name"] == scene.named("api"))
    before = {"id": "ecs-svc/of-before", "createdAt": 1.0, "updatedAt": 1.0, "rolloutState": "COMPLETED", "rolloutStateReason": "completed"}
    before["taskDefinition"] = api["taskDefinition"] = record["previous"]["task_definition"]
    api["deployments"] = [{**next(entry for entry in api["deployments"] if entry["status"] == "PRIMARY"), **before}]
    scene.faults.rewrite("ecs:DescribeServices", match=scene.named("api"), patch={"services": services}, times=2)


def running_memory(scene: Scene) -> int:
    ecs = scene.lab.client("ecs")
    arns = ecs.list_tasks(cluster=scene.lab.cluster)["taskArns"]
    return sum(int(task["memory"]) for task in ecs.describe_tasks(cluster=scene.lab.cluster, tasks=arns)["tasks"])


@contextlib.contextmanager
def full_cluster(scene: Scene, commit: str) -> Iterator[None]:
    scene.faults.capacity(scene.lab.cluster, running_memory(scene), "RESOURCE:MEMORY")
    yield


EXPIRED = "The security token included in the request is expired"
REGISTER, RUN, UPDATE = "ecs:RegisterTaskDefinition", "ecs:RunTask", "ecs:UpdateService"

CASES = [
    # --- The image
    Case("image lost on the way", ("CannotPullContainerError", "not found"), hold=(UPDATE, "api"), meanwhile=lambda s, c, _: s.lose_image(c), core=True),
    Case("wrong architecture", ("arm64",), around=foreign_images, outcome=None),
    Case("wrong architecture, unseen", ("exec format error", "exited with code 1"), around=unread_foreign_images),
    # --- The application
    Case("crash at start", (bad_commits.ERROR_LINE, "exited with code 3"), commit=bad_commits.crash_at_start, core=True),
    # A minute against AWS's 30 s of health checks, 30 s of deregistration delay and what lies between; here 5 s against 8 s.
    Case(
        "crash after a minute",
        (bad_commits.ERROR_LINE, "exited with code 4"),
        commit=lambda app: bad_commits.crash_after(app, 5),
        around=lambda scene, _: scene.slow_to_leave(8),
        arguments=("-e", "atena_rollout_timeout_seconds=60"),
    ),
    Case("health check failing", ("ealth check", "codes: [500]"), commit=bad_commits.health_fails),
    Case("health check slow", ("ealth check", "timed out"), commit=lambda app: bad_commits.health_is_slow(app, 4)),
    Case("out of memory", ("exited with code 137", "memory"), commit=bad_commits.memory_hog, core=True),
    # Nothing but its stable_seconds sees it: no load balancer asks the workers, and ECS calls the deployment completed while it runs.
    Case(
        "a worker dies after two seconds",
        (bad_commits.ERROR_LINE, "exited with code 6", "workers"),
        commit=lambda app: bad_commits.worker_dies_after(app, 2),
        arguments=("-e", "atena_stable_seconds=6"),
    ),
    Case("workers fail after the API succeeded", (bad_commits.ERROR_LINE, "exited with code 5", "workers"), commit=bad_commits.workers_crash),
    # --- The secrets
    Case("secret missing", (SECRET,), around=lambda scene, _: scene.without_secret(), outcome=None),
    Case(
        "secret lost on the way",
        ("invalid ssm parameters", SECRET),
        hold=(REGISTER, "api"),
        meanwhile=lambda scene, _, stack: stack.enter_context(scene.without_secret()),
    ),
    Case("secret denied", (SECRET, "ssm:GetParameters"), around=lambda scene, _: scene.secret_denied(), outcome=None),
    Case(
        "secret denied on the way",
        ("is not authorized to perform: ssm:GetParameters", SECRET),
        hold=(REGISTER, "api"),
        meanwhile=lambda scene, _, stack: stack.enter_context(scene.secret_denied()),
    ),
    # --- The migration
    Case("migration fails", ("no_such_table", "exited with code 1", "no service was changed"), commit=bad_commits.migration_fails),
    Case(
        "migration hangs",
        ("took longer than 4 s and was stopped", "no service was changed"),
        commit=bad_commits.migration_hangs,
        arguments=("-e", "atena_migration_timeout_seconds=4"),
    ),
    # --- ECS
    Case("no capacity for the migration", ("RESOURCE:MEMORY", "no service was changed"), around=full_cluster),
    Case(
        "no capacity for the services",
        ("Capacity is unavailable at this time",),
        hold=(UPDATE, "api"),
        meanwhile=lambda scene, *_: scene.faults.capacity(scene.lab.cluster, running_memory(scene)),
    ),
    Case("deregistration too slow", ("deregistration delay", "60 s"), around=lambda scene, _: scene.slow_to_leave(60), outcome=None),
    Case(
        "deregistration slower than it was",
        (f"not done after {DEADLINE} s", "draining"),
        hold=(REGISTER, "api"),
        meanwhile=lambda scene, _, stack: stack.enter_context(scene.slow_to_leave(DEADLINE + 2)),
    ),
    Case(
        "another deployment in the middle",
        ("another deployment took over", "Left as somebody else deployed it: ", "The rollout was interrupted"),
        hold=(UPDATE, "workers"),
        meanwhile=redeploy_api,
        outcome="interrupted",
        left=("api",),
    ),
    Case("answers of before the update", ("Released",), hold=(UPDATE, "workers"), meanwhile=answer_as_before, outcome="succeeded"),
    # --- AWS's bad days
    Case(
        "20 throttles in a row on each call",
        ("Released",),
        around=fault(lambda faults: faults.throttle("ecs:*", every=21, row=20, each_operation=True)),
        environment=NO_PAUSES,
        outcome="succeeded",
    ),
    Case(
        "a 500 now and then",
        ("Released",),
        around=fault(lambda faults: [faults.error("ecs:*", every=4), faults.error("s3:*", every=4), faults.error("elbv2:*", every=3)]),
        environment=NO_PAUSES,
        outcome="succeeded",
    ),
    Case(
        "connection resets",
        ("Released",),
        around=fault(lambda faults: [faults.drop("ecs:*", every=5), faults.drop("ecs:*", every=7, carried_out=True), faults.drop("dynamodb:*", every=3)]),
        environment=NO_PAUSES,
        outcome="succeeded",
        core=True,
    ),
    # ECS's answers are eventually consistent: a task that was just started is not listed yet.
    Case(
        "answers that are behind",
        ("Released",),
        around=fault(lambda faults: faults.rewrite("ecs:DescribeTasks", patch={"tasks": [], "failures": [{"reason": "MISSING"}]}, times=2)),
        outcome="succeeded",
        core=True,
    ),
    Case("credentials expire before a service changes", (EXPIRED,), hold=(RUN, ""), meanwhile=lambda scene, *_: scene.faults.expire(), next_run=True),
    Case("credentials expire between the services", (EXPIRED,), hold=(UPDATE, "workers"), meanwhile=lambda scene, *_: scene.faults.expire(), next_run=True),
    # --- No fault at all
    Case("desired count 0", ("Released",), around=scaled_to_zero, outcome="succeeded"),
]


# --- The runs ---------------------------------------------------------------------------------------------------------
def settled(lab) -> None:
    def ask() -> bool:
        services = lab.services().values()
        return all(len(service["deployments"]) == 1 and service["deployments"][0]["rolloutState"] == "COMPLETED" for service in services) and healthy(lab)

    until(ask, 60)


def healthy(lab) -> bool:
    return lab.app.get("/health")[0] == 200


@pytest.fixture(scope="module")
def quick(lab):
    """The same environment with short clocks: templates of a shorter stop timeout, quicker health checks. As it was, afterwards."""
    ecs, elbv2 = lab.client("ecs"), lab.client("elbv2")
    commit = lab.app.commit
    templates = []
    for name in lab.services():
        family = f"{name}-template"
        found = ecs.describe_task_definition(taskDefinition=family, include=["TAGS"])
        keys = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn", "taskRoleArn", "runtimePlatform")
        definition = {key: found["taskDefinition"][key] for key in keys if key in found["taskDefinition"]}
        containers = [{**container, "stopTimeout": 2} for container in found["taskDefinition"]["containerDefinitions"]]
        answer = ecs.register_task_definition(**definition, containerDefinitions=containers, tags=found["tags"])
        templates.append(answer["taskDefinition"]["taskDefinitionArn"])
    api = f"{lab.name}-api"
    service = lab.services()[api]
    arn = service["loadBalancers"][0]["targetGroupArn"]
    settings = ("HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount", "UnhealthyThresholdCount")
    before = elbv2.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
    delay = next(
        attribute
        for attribute in elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        if attribute["Key"] == "deregistration_delay.timeout_seconds"
    )
    elbv2.modify_target_group(TargetGroupArn=arn, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2, UnhealthyThresholdCount=2)
    elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[{**delay, "Value": "1"}])
    ecs.update_service(cluster=lab.cluster, service=api, healthCheckGracePeriodSeconds=0)
    try:
        bad_commits.harmless(lab.app)
        lab.playbook("deploy.yml", *QUICK).must_succeed()
        yield lab
    finally:
        for template in templates:
            ecs.deregister_task_definition(taskDefinition=template)
        elbv2.modify_target_group(TargetGroupArn=arn, **{name: before[name] for name in settings})
        elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[delay])
        ecs.update_service(cluster=lab.cluster, service=api, healthCheckGracePeriodSeconds=service["healthCheckGracePeriodSeconds"])
        lab.app.back_to(commit)
        lab.playbook("deploy.yml").must_succeed()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name.replace(" ", "-"), marks=[pytest.mark.core] if case.core else []) for case in CASES])
def test_every_fault_ends_on_the_old_release_with_its_reason(quick, case):
    lab = quick
    # What runs, whatever the case before this one may have left checked out.
    good, revisions = lab.app.version, lab.revisions()
    lab.app.back_to(good)
    assert_on(lab, revisions, good)
    try:
        release = case.commit(lab.app)
        code, output = run(lab, case, release)
        for words in case.words:
            assert " ".join(words.split()) in output, output
        assert (code == 0) == case.succeeds, output
        if case.next_run:
            lab.app.back_to(good)
            put_right(lab, good)
            return
        if case.left:
            settled(lab)
        assert_on(lab, lab.revisions() if case.succeeds else revisions, release if case.succeeds else good)
        assert_ledger(lab, release, case.outcome, case.words, [f"{lab.name}-{key}" for key in case.left])
        assert lab.lock() is None
        if not case.succeeds:
            lab.app.back_to(good)
    except BaseException:
        # The cases after this one have nothing to do with what went wrong here.
        lab.app.back_to(good)
        lab.playbook("deploy.yml", *QUICK, "-e", f"release={good}")
        raise


def run(lab, case: Case, release: str) -> tuple[int, str]:
    """The release, in its case's circumstances. Its exit code and its output, with runs of blanks folded."""
    with Faults(lab.endpoint) as faults, contextlib.ExitStack() as stack:
        scene = Scene(lab, faults)
        held = faults.hold(case.hold[0], match=case.hold[1], times=1) if case.hold else None
        if case.around:
            stack.enter_context(case.around(scene, release))
        process = lab.start("deploy.yml", *QUICK, *case.arguments, environment=case.environment)
        stack.callback(end, process)
        if held:
            wait_for(faults, held, process)
            case.meanwhile(scene, release, stack)
            faults.remove(held)
        output = process.communicate(timeout=600)[0]
    return process.returncode, " ".join(output.split())


def end(process) -> None:
    """A run that is still there belongs to a test that failed, and must not disturb the next one."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(faults: Faults, held: str, process) -> None:
    """Until a request is held; the playbook must not end before."""
    deadline = time.monotonic() + 300
    while not faults.hits(held):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def put_right(lab, good: str) -> None:
    """The next run, with credentials that hold, closes what the last one left open and goes to the old release."""
    again = lab.playbook("deploy.yml", *QUICK, "-e", f"release={good}").must_succeed()
    assert "was interrupted" in again.text
    records = lab.records()
    assert [record["outcome"] for record in records[:2]] == ["succeeded", "interrupted"]
    assert_on(lab, lab.revisions(), good)
    assert lab.lock() is None
