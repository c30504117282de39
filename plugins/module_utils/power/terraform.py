# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Terraform's part of a stop and a start: a gate and the apply that belongs to it are one thing, also for the person who types `terraform plan`.

Between the moment when a gate says something else and the end of the apply, any plan would propose what is just being done. So both happen under
Terraform's state lock, which is taken here, before the gate is written, and named in the journal before that: a run that was killed leaves a lock
that the next one knows to be its own, so that nobody has to type force-unlock, and a plan says 'locked' instead of something false.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline, pauses
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Conflict, absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Guard, Say, Sleep
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown
from ansible_collections.atena.aws.plugins.module_utils.environment.branches import Branches
from ansible_collections.atena.aws.plugins.module_utils.environment.journal import Journal
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import this_host
from ansible_collections.atena.aws.plugins.module_utils.terraform import plan as terraform_plan, run as terraform_run, unrecorded as terraform_unrecorded
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import Terraform, TerraformError
from ansible_collections.atena.aws.plugins.module_utils.terraform.guards import Guards
from ansible_collections.atena.aws.plugins.module_utils.terraform.left_behind import Search
from ansible_collections.atena.aws.plugins.module_utils.terraform.plan import Change
from ansible_collections.atena.aws.plugins.module_utils.terraform.run import Hooks, Request
from ansible_collections.atena.aws.plugins.module_utils.terraform.unrecorded import Unrecorded

# The only things that a stop lets Terraform destroy (infra/nat.tf, load_balancer.tf, dns.tf). Redis is not among them: it is let go instead.
POWER_RESOURCES = (
    *("aws_nat_gateway.main[0]", "aws_route.private_nat[0]", "aws_lb.main[0]", 'aws_lb_listener.http["*"]', 'aws_lb_listener.https["*"]'),
    *('aws_lb_listener_rule.service["*"]', "aws_route53_record.main[0]"),
)
REDIS_RESOURCE = "aws_elasticache_cluster.main[0]"
# A Terraform that was left alone on another machine, which cannot be looked at from here, has ended after so many seconds.
_LEFT_ALONE = 900
MENDED = "repaired the digest of the state, which the run that was killed could not write any more"
# Of an apply that is a stop's, a start's, a destroy's or a restore's.
_NO_DATABASE = (
    "What is done here never makes a database: the one of this environment is gone, or Terraform does not know it. If it is there, such as one that was "
    "restored manually: infra.yml imports it. To recreate the environment, with the rows of a snapshot: redeploy.yml. To have an empty one, on purpose: "
    "infra.yml first."
)


# --- Decisions --------------------------------------------------------------------------------------------------------
def lock_info(identity: str, path: str, operation: str, now: datetime.datetime) -> dict:
    """What Terraform writes into its lock and shows to whoever finds it taken."""
    return {
        "ID": identity,
        "Operation": operation,
        "Info": "",
        "Who": this_host(),
        "Version": "atena.aws",
        "Created": now.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "Path": path,
    }


def taken_text(info: dict, waited: float, project: str) -> str:
    return (
        f"The Terraform state is locked: {info.get('Who', 'somebody')} has held the lock since {info.get('Created', 'an unknown time')} for "
        f"{info.get('Operation', 'something')}{f' (waited {round(waited)} s)' if waited else ''}. If that run is still active, wait for it. If it was "
        f"killed, and only "
        f"then, release the lock: terraform -chdir={project} force-unlock {info.get('ID', 'ID')}"
    )


def missing_from_state(addresses: set[str], seen: dict, name: str) -> list[tuple[str, str]]:
    """[(address, id)] of what an apply that was killed had created and could not write down any more. Without an import the next apply would fail.

    seen: {"load_balancer": described or None, "listeners": [...], "rules": [...], "nat_gateway": described or None, "route_tables": [...], "record": the id
    of an alias that leads to the load balancer, or ''}.
    """
    found = []
    balancer, gateway = seen["load_balancer"], seen["nat_gateway"]
    if balancer:
        found.append(("aws_lb.main[0]", balancer["LoadBalancerArn"]))
    # One that only redirects names no target group: it is the same service's.
    service = next((service for listener in seen["listeners"] if (service := _service_of(listener["DefaultActions"], name))), "")
    for listener in seen["listeners"]:
        kind = {80: "http", 443: "https"}.get(listener.get("Port"))
        if service and kind:
            found.append((f'aws_lb_listener.{kind}["{service}"]', listener["ListenerArn"]))
    for rule in seen["rules"]:
        if routed := _service_of(rule["Actions"], name):
            found.append((f'aws_lb_listener_rule.service["{routed}"]', rule["RuleArn"]))
    if seen.get("record"):
        found.append(("aws_route53_record.main[0]", seen["record"]))
    if gateway:
        found.append(("aws_nat_gateway.main[0]", gateway["NatGatewayId"]))
        for table in seen["route_tables"]:
            if any(route.get("NatGatewayId") == gateway["NatGatewayId"] for route in table.get("Routes", [])):
                found.append(("aws_route.private_nat[0]", f"{table['RouteTableId']}_0.0.0.0/0"))
    return [(address, identity) for address, identity in found if address not in addresses]


def _service_of(actions: list[dict], name: str) -> str:
    """The service that a listener or a rule forwards to; '' if it forwards to none of this environment's."""
    group = next((action["TargetGroupArn"].split("/")[-2] for action in actions if action.get("TargetGroupArn")), "")
    is_ours = group.startswith(f"{name}-") and group.endswith("-tg")
    return group.removeprefix(f"{name}-").removesuffix("-tg") if is_ours else ""


# --- The lock ---------------------------------------------------------------------------------------------------------
class StateLock:
    """Terraform's lock on the state, in the form that its S3 backend has: taken for longer than one of its commands lasts."""

    def __init__(self, call: Aws, table: str, bucket: str, key: str) -> None:
        self.call, self.table, self.bucket, self.key = call, table, bucket, key
        self.path = f"{bucket}/{key}"
        # {identity: what was written into the lock} of what this object took.
        self._taken: dict[str, str] = {}

    def _table(self, operation: str, doing: str, key: str = "", **arguments: Any) -> dict[str, Any]:
        named = {} if operation == "put_item" else {"Key": {"LockID": {"S": key or self.path}}}
        return self.call("dynamodb", operation, f"{doing} the lock of Terraform's state", TableName=self.table, **named, **arguments)

    def read(self) -> dict | None:
        item = self._table("get_item", "read", ConsistentRead=True).get("Item")
        if not item:
            return None
        try:
            return {key: shown(str(value)) for key, value in json.loads(item["Info"]["S"]).items()}
        except (KeyError, ValueError, AttributeError):
            return {}

    def take(self, identity: str, operation: str, *, wait: float, project: str, guard: Guard, sleep: Sleep = time.sleep) -> None:
        """Raises CallFailed if somebody else has it for longer than `wait` seconds."""
        deadline, pause = Deadline(wait), pauses(5)
        while True:
            guard()
            info = json.dumps(lock_info(identity, self.path, operation, datetime.datetime.now(datetime.UTC)))
            try:
                item = {"LockID": {"S": self.path}, "Info": {"S": info}}
                self._table("put_item", "take", Item=item, ConditionExpression="attribute_not_exists(LockID)")
                self._taken[identity] = info
                return
            except Conflict as failed:
                if failed.code != "ConditionalCheckFailedException":
                    raise
            found = self.read()
            if found is None:
                continue
            if found.get("ID") == identity:
                return  # the answer to our own write was lost
            if deadline.passed:
                raise CallFailed(taken_text(found, deadline.elapsed, project))
            sleep(next(pause))

    def release(self, identity: str) -> bool:
        """Gives it back if it is still this one. Whether it was."""
        info = self._taken.pop(identity, "")
        if not info:
            item = self._table("get_item", "read", ConsistentRead=True).get("Item")
            info = (item or {}).get("Info", {}).get("S", "")
        if f'"{identity}"' not in info:
            return False
        try:
            self._table("delete_item", "release", ConditionExpression="Info = :info", ExpressionAttributeValues={":info": {"S": info}})
        except Conflict as failed:
            if failed.code != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def mend_if_free(self) -> bool:
        """The same where nobody has the lock: whoever writes the state has it, from before the state until after the digest."""
        return self.read() is None and self.mend_digest()

    def mend_digest(self) -> bool:
        """Terraform writes the state, then its digest into the table. Killed in between, it would refuse its own state ever after. Whether it was so."""
        answer = absent_as(None, "Key", lambda: self.call("s3", "get_object", "read Terraform's state", Bucket=self.bucket, Key=self.key))
        if answer is None:
            return False
        state = answer["Body"].read()
        digest, key = hashlib.md5(state, usedforsecurity=False).hexdigest(), f"{self.path}-md5"
        item = self._table("get_item", "read the digest", key, ConsistentRead=True).get("Item")
        if not item or item.get("Digest", {}).get("S") == digest:
            return False
        self._table("put_item", "repair the digest", Item={"LockID": {"S": key}, "Digest": {"S": digest}})
        return True


# --- Terraform --------------------------------------------------------------------------------------------------------
class Limits(NamedTuple):
    """lock_timeout: seconds that Terraform waits for its lock."""

    lock_timeout: int = 60
    parallelism: int = 10


_LIMITS = Limits()


class PowerTerraform:
    """Applies what the gates say. One thread at a time; `journal` names the lock before it is taken."""

    def __init__(
        self,
        terraform: Terraform,
        lock: StateLock,
        journal: Journal,
        *,
        branches: Branches,
        say: Say,
        operation: str,
        limits: Limits = _LIMITS,
    ) -> None:
        self.terraform, self.lock, self.journal = terraform, lock, journal
        self._branches, self._say = branches, say
        self.operation, self.lock_timeout, self.parallelism = operation, limits.lock_timeout, limits.parallelism
        self.warnings: list[str] = []
        # Where that is which an apply did and could not write down; '' if it could. It is to be told first, whatever else becomes of the run.
        self.unrecorded = ""
        self._ready = False
        # Why an apply of this run must not make a Redis; '' where it may.
        self.no_redis = lambda: ""

    def _tell(self, text: str) -> None:
        self._say(f"terraform: {text}")

    def recover(self, journal: Journal | None = None) -> bool:
        """Takes the state's lock back from a run that was killed, once its Terraform has ended. Whether there was one. journal: the one that names it."""
        left = ((journal or self.journal).record or {}).get("terraform_lock")
        found = self.lock.read() if left else None
        if not left or found is None or found.get("ID") != left["id"]:
            return False
        self._outlive(left, found)
        if self.lock.mend_digest():
            self._tell(MENDED)
        self.lock.release(left["id"])
        self._tell(f"released the lock of the state that {left['host']} held since {left['at']}: that run was killed")
        return True

    def _outlive(self, left: dict, found: dict) -> None:
        """Waits until no Terraform of the killed run can be at work any more."""
        here, told = left["host"] == this_host(), False
        deadline = Deadline(_LEFT_ALONE)
        while True:
            self._branches.guard()
            left_here = self.terraform.survivors() if here else []
            going = bool(left_here)
            if not here:
                began = datetime.datetime.fromisoformat(left["at"])
                going = (datetime.datetime.now(datetime.UTC) - began).total_seconds() < _LEFT_ALONE
            if not going:
                return
            if deadline.passed:
                raise CallFailed(taken_text(found, deadline.elapsed, str(self.terraform.directory)))
            if not told:
                where = f"runs here (process {left_here[0]})" if here else f"may still run at {left['host']}"
                self._tell(f"the Terraform of the run that was killed {where}; waiting for its end")
                told = True
            self._branches.sleep(1 if here else 5)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the state's lock: the gates may be written in here, and belong to the apply that follows."""
        identity = str(uuid.uuid4())
        self.journal.change(terraform_lock={"id": identity, "host": this_host(), "at": datetime.datetime.now(datetime.UTC).isoformat()})
        self.lock.take(identity, self.operation, wait=self.lock_timeout, project=str(self.terraform.directory), guard=self._branches.guard)
        try:
            yield
        except BaseException:
            with contextlib.suppress(CallFailed):  # why it failed matters more; the next run gives the lock back
                self.lock.release(identity)
            raise
        # The journal goes on naming it, which does no harm: it is nobody's any more. While a Terraform is still at work it stays.
        self.lock.release(identity)

    @contextlib.contextmanager
    def _working(self) -> Iterator[str]:
        self._branches.guard()
        with self.terraform.scratch() as scratch:
            try:
                if not self._ready:
                    self.terraform.initialize(self.terraform.version(scratch), scratch)
                    self._ready = True
                yield scratch
            except TerraformError as failed:
                if isinstance(failed, Unrecorded):
                    self.unrecorded = failed.sentence
                self._branches.guard()  # an interruption is told as what it is
                raise CallFailed(failed.rest if isinstance(failed, Unrecorded) else str(failed)) from failed

    def mend_digest(self) -> None:
        """Before the first plan, of whatever run was killed between the state and its digest: that lock was given back by hand, or ran out."""
        if self.lock.mend_if_free():
            self._tell(MENDED)

    def refuse_unrecorded(self) -> None:
        """Raises CallFailed if a state waits to be pushed: in check mode, which pushes nothing."""
        try:
            terraform_unrecorded.refuse(self.terraform)
        except TerraformError as waits:
            raise CallFailed(str(waits)) from waits

    def prepare(self) -> None:
        """`terraform init` and the version, before anything is changed: a machine without Terraform is to be told so now. A state that waits is pushed, before
        anything else is written to the state."""
        with self._working() as scratch:
            pushed = terraform_unrecorded.push(self.terraform, scratch, terraform_run.lock_arguments(self.lock_timeout))
        if pushed:
            self._tell(pushed)
            self.warnings.append(pushed)

    def state(self) -> set[str]:
        """Addresses in the state. Nothing is locked and nothing written."""
        with self._working() as scratch:
            code, lines = self.terraform.run("state", "list", scratch=scratch)
            if code and "No state file was found" not in "\n".join(lines):
                raise TerraformError(f"Terraform could not list its state. {shown(' '.join(lines))[:600]}")
            return set() if code else {line.strip() for line in lines if line.strip()}

    def let_go(self, *addresses: str) -> bool:
        """Has Terraform forget objects without touching them; under `locked`. Whether it knew one."""
        known = sorted(self.state() & set(addresses))
        if not known:
            return False
        with self._working() as scratch:
            self.terraform.checked(f"forget {', '.join(known)}", "state", "rm", "-lock=false", *known, scratch=scratch)
        for address in known:
            self._tell(f"{address}: removed from the state, not destroyed")
        return True

    def take_in(self, missing: list[tuple[str, str]], why: str = "which a run that was killed had made") -> None:
        """Imports what is there and not in the state; under `locked`, or where nobody else is at work."""
        for address, identity in missing:
            with self._working() as scratch:
                self.terraform.checked(f"import {address}", "import", "-input=false", "-lock=false", address, identity, scratch=scratch)
            self._tell(f"{address}: imported ({identity.rsplit('/', 1)[-1]}), {why}")

    def plan(self) -> list[Change]:
        """What an apply would change now. Nothing is locked and nothing written."""
        plan = self._plan(destroy=False)
        return terraform_plan.changes(plan) if plan else []

    def _plan(self, destroy: bool) -> dict:
        with self._working() as scratch:
            dirty, path, _diagnostics = terraform_run.make_plan(self.terraform, scratch, lock_timeout=None, parallelism=self.parallelism, destroy=destroy)
            return self.terraform.json("read its own plan", "show", "-json", path, scratch=scratch) if dirty else {}

    def destroy_plan(self) -> tuple[list[Change], dict[str, Any]]:
        """(changes, {address: values as they are}) of a plan that takes everything away. Nothing is locked and nothing written."""
        plan = self._plan(destroy=True)
        before = {change["address"]: change["change"]["before"] or {} for change in plan.get("resource_changes", [])}
        return terraform_plan.changes(plan) if plan else [], before

    def apply(self, allow_destroy: Iterable[str] = (), *, destroy: bool = False, targets: Iterable[str] = ()) -> dict[str, Any]:
        """Plans, inspects and applies; under `locked`. Returns terraform.run's result with `lines`. targets: addresses, where not all is to be applied.

        What the power gate makes holds nothing: where AWS failed half-way in making it, such as for want of a right, it is made anew.
        """
        with self._working() as scratch:
            result = terraform_run.plan_and_apply(
                *(self.terraform, scratch),
                Request(lock_timeout=None, parallelism=self.parallelism, destroy=destroy, targets=targets),
                Guards(allow_destroy=allow_destroy, mend=POWER_RESOURCES, no_database=lambda: _NO_DATABASE, no_redis=self.no_redis),
                # A database is infra.yml's to take in: its password has to be set, too.
                Hooks(before_apply=self._announce, search=None if destroy else self._search()),
            )
        self.warnings += result["warnings"]
        if not result["changed"]:
            self._tell("nothing to change")
        return {**result, "lines": [terraform_plan.describe(change) for change in result["changes"]]}

    def _search(self) -> Search:
        return Search(self.lock.call, but=("aws_db_instance",), say=self._tell, guard=self._branches.guard)

    def _announce(self, changes: list[Change]) -> None:
        self._branches.guard()
        for change in changes:
            # What is created and destroyed Terraform tells itself, as it happens.
            if change["action"] not in ("create", "destroy"):
                self._tell(terraform_plan.describe(change))


def teller(say: Say | None) -> Say | None:
    """Terraform's own lines, each marked as such; None if nobody listens. What it reads is no news: it is the same each time."""
    return None if say is None else terraform_run.teller(lambda line: None if line.startswith("data.") else say(f"terraform: {line}"))
