# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans with Terraform, inspects the plan, and applies exactly that plan: what terraform_apply does, and each apply of a stop and of a start."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Say
from ansible_collections.atena.aws.plugins.module_utils.terraform import (
    errors,
    left_behind,
    plan as plans,
    saved as terraform_saved,
    unrecorded as terraform_unrecorded,
    view as terraform_view,
)
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import Terraform, TerraformError
from ansible_collections.atena.aws.plugins.module_utils.terraform.errors import Diagnostic
from ansible_collections.atena.aws.plugins.module_utils.terraform.plan import Change

# What holds a queue.
_REDIS_TYPES = ("aws_elasticache_cluster", "aws_elasticache_replication_group", "aws_elasticache_serverless_cache")
_DATABASE, _DATABASE_PASSWORD, _DATABASE_URL = "aws_db_instance.main", "random_password.database", "aws_ssm_parameter.database_url"
# What can begin with a snapshot: which of a redeploy's two it is, and the argument that names it.
_BEGINS_WITH = {
    "aws_db_instance": ("database", "snapshot_identifier"),
    "aws_elasticache_cluster": ("redis", "snapshot_name"),
    "aws_elasticache_replication_group": ("redis", "snapshot_name"),
}


class Refused(TerraformError):
    def __init__(self, text: str, refusals: Iterable[Change]) -> None:
        super().__init__(text)
        self.details = {"refused": [{name: change[name] for name in ("address", "type", "action", "reason")} for change in refusals]}


def lock_arguments(lock_timeout: int | None) -> list[str]:
    """How Terraform takes its own lock; None: somebody else saw to it, or nothing is written."""
    return ["-lock=false"] if lock_timeout is None else [f"-lock-timeout={lock_timeout}s"]


def make_plan(
    terraform: Terraform,
    scratch: str,
    *,
    lock_timeout: int | None,
    parallelism: int = 10,
    destroy: bool = False,
    targets: Iterable[str] = (),
    variables: Iterable[str] = (),
) -> tuple[bool, str, list[Diagnostic]]:
    """Returns (whether it holds a change, the plan file, diagnostics). destroy: the plan takes everything away. targets: addresses; it is of them alone, and of
    what they stand on. variables: as arguments, which hold no secrets."""
    path = os.path.join(scratch, "plan")
    code, _lines, diagnostics = terraform.checked(
        "plan",
        *("plan", "-json", "-input=false", "-detailed-exitcode", f"-out={path}", f"-parallelism={parallelism}", *lock_arguments(lock_timeout)),
        *(("-destroy",) if destroy else ()),
        *(f"-target={address}" for address in targets),
        *variables,
        scratch=scratch,
        accept=(0, 2),
    )
    return code == 2, path, diagnostics


def apply_plan(terraform: Terraform, path: str, scratch: str, *, lock_timeout: int | None, parallelism: int = 10) -> tuple[dict[str, Any], list[Diagnostic]]:
    """Applies the plan file. Returns (outputs, diagnostics)."""
    lock = lock_arguments(lock_timeout)
    try:
        _code, lines, diagnostics = terraform.checked(
            "apply all of the plan", "apply", "-json", "-input=false", f"-parallelism={parallelism}", *lock, path, scratch=scratch
        )
    except TerraformError as failed:
        raise terraform_unrecorded.after_apply(terraform, failed, scratch, lock) from failed
    messages = [json.loads(line) for line in lines if '"type":"outputs"' in line]
    return (messages[-1]["outputs"] if messages else {}), diagnostics


def refuse_empty(changes: Iterable[Change], types: Collection[str], what: str, reason: Callable[[], str], imports: Collection[str] = ()) -> None:
    """reason: tells, if the plan makes one of these types, why it must not be an empty one; '' where it may. what: what people call it. imports: addresses
    that are taken in: whether those are empty nobody knows."""
    found = [change for change in changes if change["type"] in types and (change["action"] in ("create", "replace") or change["address"] in imports)]
    why = reason() if found else ""
    if why:
        verb = "take in" if found[0]["address"] in imports else "create"
        unknown = "a" if verb == "take in" else "an empty"
        raise Refused(f"Terraform would {verb} {unknown} {what} ({', '.join(change['address'] for change in found)}). Nothing was changed. {why}", found)


def beginnings(plan: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """[(address, 'database' or 'redis', name of the snapshot that it begins with or '')] of what the plan creates."""
    found = []
    for resource in plan.get("resource_changes", []):
        kind, argument = _BEGINS_WITH.get(resource["type"], ("", ""))
        change = resource["change"]
        if kind and "create" in change["actions"]:
            found.append((resource["address"], kind, (change.get("after") or {}).get(argument) or ""))
    return found


def refuse_other_versions(plan: Mapping[str, Any], changes: Iterable[Change]) -> None:
    """A database that is replaced though its version satisfies the configuration would be made in whatever version RDS has as its default by then: infra/ asks
    for none (infra/database_version.tf), because it cannot know of a replacement that is asked for, or of a creation that failed half-way.
    """
    wrong = [
        resource["address"]
        for resource in plan.get("resource_changes", [])
        if resource["type"] == "aws_db_instance"
        and "create" in resource["change"]["actions"]
        and resource["change"].get("after_unknown", {}).get("engine_version")
        and not (resource["change"].get("after") or {}).get("snapshot_identifier")
    ]
    if wrong:
        address = wrong[0]
        raise Refused(
            f"Terraform would make {address} anew in the version that RDS has as its default, not in the configuration's, as long as the database of that name "
            f"is there. Nothing was changed. If its creation failed half-way and it is good: terraform untaint {address}. If it is to go: delete it first, by "
            "hand and into a final snapshot, then run this again.",
            [change for change in changes if change["address"] in wrong],
        )


def refuse_other_beginnings(plan: Mapping[str, Any], changes: Iterable[Change], chosen: Callable[[], Mapping[str, str] | None]) -> None:
    """chosen: tells, if the plan creates a database or a Redis, with which snapshots they begin ({"database", "redis"}, '' for an empty one); None for any."""
    created = beginnings(plan)
    wanted = chosen() if created else None
    if wanted is None:
        return
    wrong = [(address, kind, snapshot) for address, kind, snapshot in created if snapshot != wanted[kind]]
    if not wrong:
        return
    made = "; ".join(f"{address} would be made {_begins(snapshot)}, and is to be made {_begins(wanted[kind])}" for address, kind, snapshot in wrong)
    addresses = [address for address, _kind, _snapshot in wrong]
    raise Refused(
        f"Terraform would not begin with what this redeploy chose: {made}. Nothing was changed. Another run for this environment rewrote the working copy "
        "meanwhile, without the snapshots' names. Run redeploy.yml again, which goes on with the same snapshots; run nothing else for this environment until "
        "it has ended.",
        [change for change in changes if change["address"] in addresses],
    )


def _begins(snapshot: str) -> str:
    return f"from the snapshot {snapshot}" if snapshot else "empty"


def plan_with_what_is_there(
    terraform: Terraform,
    scratch: str,
    search: left_behind.Search | None,
    first: Callable[[dict[str, Any], dict[str, str]], list[str]],
    **how: Any,
) -> tuple[bool, str, list[Diagnostic], dict[str, Any] | None]:
    """make_plan and what it says, with what is in AWS and not in the state taken in. Returns (dirty, path, diagnostics, plan or None).

    search: left_behind.Search. first: tells, from a plan, the addresses that have to be applied before what is taken in can be; [] mostly.
    """
    left_behind.clear(terraform.directory)
    dirty, path, diagnostics = make_plan(terraform, scratch, **how)
    plan = read_plan(terraform, path, scratch) if dirty else None
    while plan and search and search.more(plan):
        before = first(plan, search.imports)
        if before:
            apply_alone(terraform, scratch, before, **how)
        with left_behind.beside(terraform.directory, search.imports) as variables:
            dirty, path, diagnostics = make_plan(terraform, scratch, **how, variables=variables)
        plan = read_plan(terraform, path, scratch) if dirty else None
    return dirty, path, diagnostics, plan


def password_first(plan: Mapping[str, Any], imports: Mapping[str, str]) -> list[str]:
    """The database's password is drawn before the database is taken in, where DATABASE_URL is not there to say it: else it would be known only when the
    database is in the state, and a run that dies then could not be finished."""
    created = {one["address"] for one in plan.get("resource_changes", []) if one["change"]["actions"] == ["create"]}
    wanted = _DATABASE in imports and _DATABASE_URL not in imports
    return [_DATABASE_PASSWORD] if wanted and _DATABASE_PASSWORD in created else []


def read_plan(terraform: Terraform, path: str, scratch: str) -> dict[str, Any]:
    return terraform.json("read the plan", "show", "-json", path, scratch=scratch)


def imported(plan: Mapping[str, Any]) -> dict[str, str]:
    """{address: id} of what a plan takes into the state."""
    changes = {one["address"]: one["change"].get("importing") for one in plan.get("resource_changes", [])}
    return {address: importing["id"] for address, importing in changes.items() if importing}


def apply_alone(terraform: Terraform, scratch: str, addresses: Iterable[str], *, lock_timeout: int | None, parallelism: int, **_how: Any) -> None:
    """Applies these and what they stand on, and nothing else."""
    dirty, path, _diagnostics = make_plan(terraform, scratch, lock_timeout=lock_timeout, parallelism=parallelism, targets=addresses)
    if dirty:
        apply_plan(terraform, path, scratch, lock_timeout=lock_timeout, parallelism=parallelism)


def refuse_impossible(changes: Iterable[Change]) -> None:
    """What AWS would refuse when the rest is applied already."""
    found = [change for change in changes if change.get("impossible")]
    if found:
        raise Refused(f"{' '.join(change['impossible'] for change in found)} Nothing was changed.", found)


def refuse_lost_redis(changes: Iterable[Change], why: str) -> None:
    """A Redis that is in the state and that somebody deleted: Terraform would make an empty one without a word. why: what to do instead; '' where it may."""
    found = [change for change in changes if change["type"] in _REDIS_TYPES and change["action"] == "create" and change["outside"]]
    if why and found:
        raise Refused(f"{', '.join(change['address'] for change in found)} was deleted outside of Terraform, with its queue. Nothing was changed. {why}", found)


def plan_and_apply(
    terraform: Terraform,
    scratch: str,
    *,
    allow_destroy: Iterable[str] = (),
    mend: Iterable[str] = (),
    lock_timeout: int | None,
    parallelism: int = 10,
    check: bool = False,
    destroy: bool = False,
    targets: Iterable[str] = (),
    no_database: Callable[[], str] = lambda: "",
    no_redis: Callable[[], str] = lambda: "",
    chosen: Callable[[], Mapping[str, str] | None] = lambda: None,
    before_apply: Callable[[list[Change]], object] = lambda changes: None,
    saved: str = "",
    save_as: str = "",
    reckon: Callable[[dict[str, Any]], object] | None = None,
    lost_redis: str = "",
    search: left_behind.Search | None = None,
    settle: Callable[[dict[str, Any], dict[str, str]], object] = lambda plan, imports: None,
) -> dict[str, Any]:
    """One plan, inspected, and that plan applied (with check: only planned). What an earlier apply could not write to the state is pushed before (with check:
    that it waits is an error).

    mend: patterns of addresses that may be replaced where an earlier apply made only half of them. targets: see make_plan.

    saved: a plan that was kept earlier, instead of a new one. save_as: where a new one is kept, instead of being applied.

    lost_redis: what to do about a Redis that somebody deleted, instead of making an empty one; '' where that is meant.

    no_database, no_redis: tell, if the plan creates one, why it must not; '' where it may. chosen: tells, if it creates either, with which snapshots they
    begin (refuse_other_beginnings). before_apply: called with the changes when the plan was accepted and is going to be applied; what it raises ends it
    here. reckon: called with the plan; what it returns is the result's `cost`.

    search: left_behind.Search, which finds what is in AWS and not in the state: it is taken in. settle: called with the plan and what is taken in ({address:
    id}) before the apply, for what Terraform does to what it creates and not to what it takes in.
    Returns {changed, changes, changed_outputs, outputs, warnings}; raises TerraformError.
    """
    pushed, diagnostics = "", list[Diagnostic]()
    if check:
        terraform_unrecorded.refuse(terraform)
    else:
        pushed = terraform_unrecorded.push(terraform, scratch, lock_arguments(lock_timeout))
    looks = search if not (saved or destroy or targets) else None
    plan: dict[str, Any] | None = None
    if saved:
        terraform_saved.state_of(saved)  # before Terraform says in words of its own that it is no plan
        dirty, path = True, saved
        plan = read_plan(terraform, path, scratch)
    else:
        how = {"lock_timeout": None if check or save_as else lock_timeout, "parallelism": parallelism, "destroy": destroy, "targets": targets}

        def first(plan: dict[str, Any], imports: dict[str, str]) -> list[str]:
            found = [] if check or save_as else password_first(plan, imports)
            if found:
                before_apply([])
            return found

        dirty, path, diagnostics, plan = plan_with_what_is_there(terraform, scratch, looks, first, **how)
    # A plan that was kept has its import blocks in it.
    imports = imported(plan or {}) if saved else search.imports if search else {}
    result: dict[str, Any] = {"changed": dirty, "changes": [], "changed_outputs": [], "saved_plan": "", "taken_in": imports}
    if plan is None:
        outputs = terraform.json("read the outputs", "output", "-json", scratch=scratch)
    else:
        if saved:
            terraform_saved.check(terraform, saved, plan, scratch)
        result["changes"], result["changed_outputs"] = plans.changes(plan), plans.changed_outputs(plan)
        if reckon:
            result["cost"] = reckon(plan)
        refusals = plans.refused(result["changes"], allow_destroy, mend)
        if refusals:
            raise Refused(plans.refusal(refusals), refusals)
        refuse_impossible(result["changes"])
        refuse_empty(result["changes"], ("aws_db_instance",), "database", no_database, imports)
        refuse_empty(result["changes"], _REDIS_TYPES, "Redis", no_redis, imports)
        refuse_lost_redis(result["changes"], lost_redis)
        refuse_other_beginnings(plan, result["changes"], chosen)
        refuse_other_versions(plan, result["changes"])
        outputs = plan.get("planned_values", {}).get("outputs", {})
        if check:
            pass
        elif save_as:
            terraform_saved.keep(path, save_as)
            result["saved_plan"] = save_as
        else:
            before_apply(result["changes"])
            settle(plan, imports)
            outputs, diagnostics = apply_plan(terraform, path, scratch, lock_timeout=lock_timeout, parallelism=parallelism)
            if saved:
                terraform_saved.forget(saved)
            if looks:
                looks.doubled(plan)
    told = [*([pushed] if pushed else []), *(search.warnings() if search else [])]
    return {**result, "outputs": plans.known_outputs(outputs), "warnings": [*told, *errors.warnings(diagnostics)]}


def teller(say: Say | None) -> Say | None:
    """What takes Terraform's lines as they come and tells those that a person wants; None if nobody listens (say is None)."""
    if say is None:
        return None

    def tell(text: str) -> None:
        line = terraform_view.line(text)
        if line:
            say(line)

    return tell
