# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans with Terraform, inspects the plan, and applies exactly that plan: what terraform_apply does, and each apply of a stop and of a start."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

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
from ansible_collections.atena.aws.plugins.module_utils.terraform.guards import Guards
from ansible_collections.atena.aws.plugins.module_utils.terraform.plan import Change

_DATABASE, _DATABASE_PASSWORD, _DATABASE_URL = "aws_db_instance.main", "random_password.database", "aws_ssm_parameter.database_url"


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
    replace: Iterable[str] = (),
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
        *(f"-replace={address}" for address in replace),
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


def plan_with_what_is_there(
    terraform: Terraform,
    scratch: str,
    search: left_behind.Search | None,
    ahead: Callable[[dict[str, Any], dict[str, str]], bool],
    **how: Any,
) -> tuple[bool, str, list[Diagnostic], dict[str, Any] | None]:
    """make_plan and what it says, with what is in AWS and not in the state taken in. Returns (dirty, path, diagnostics, plan or None).

    search: left_behind.Search. ahead: does, from a plan and what is to be taken in, what has to be in the state before; whether the plan can be made then.
    """
    left_behind.clear(terraform.directory)
    dirty, path, diagnostics = make_plan(terraform, scratch, **how)
    plan = read_plan(terraform, path, scratch) if dirty else None
    while plan and search and search.more(plan):
        if not ahead(plan, search.imports):
            break
        with left_behind.beside(terraform.directory, search.imports) as variables:
            dirty, path, diagnostics = make_plan(terraform, scratch, **how, variables=variables)
        plan = read_plan(terraform, path, scratch) if dirty else None
    return dirty, path, diagnostics, plan


def still_recorded(plan: Mapping[str, Any], imports: Iterable[str]) -> list[str]:
    """Of what is to be taken in the addresses that the state has as something that somebody deleted, such as a database that was restored by hand under its
    own name: Terraform takes nothing in under an address that it knows, without a word, and would create it."""
    gone = {one["address"] for one in plan.get("resource_drift", []) if one["change"]["actions"] == ["delete"]}
    return sorted(gone & set(imports))


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


@dataclass(frozen=True)
class Request:
    """What is asked of Terraform.

    lock_timeout: see lock_arguments. check: only planned. destroy, targets: see make_plan. replace: addresses that are replaced though nothing differs. saved:
    a plan that was kept earlier, instead of a new one. save_as: where a new one is kept, instead of being applied.
    """

    lock_timeout: int | None
    parallelism: int = 10
    check: bool = False
    destroy: bool = False
    targets: Iterable[str] = ()
    replace: Iterable[str] = ()
    saved: str = ""
    save_as: str = ""

    def of_plan(self) -> dict[str, Any]:
        """Arguments of make_plan. What is only looked at needs no lock."""
        lock_timeout = None if self.check or self.save_as else self.lock_timeout
        return {"lock_timeout": lock_timeout, "parallelism": self.parallelism, "destroy": self.destroy, "targets": self.targets, "replace": self.replace}


@dataclass(frozen=True)
class Hooks:
    """What the caller does between the plan and the apply.

    before_apply: called with the changes when the plan was accepted and is going to be applied; what it raises ends it here. reckon: called with the plan; what
    it returns is the result's `cost`.

    search: finds what is in AWS and not in the state: it is taken in. settle: called with the plan and what is taken in ({address: id}) before the apply, for
    what Terraform does to what it creates and not to what it takes in.
    """

    before_apply: Callable[[list[Change]], object] = lambda changes: None
    reckon: Callable[[dict[str, Any]], object] | None = None
    search: left_behind.Search | None = None
    settle: Callable[[dict[str, Any], dict[str, str]], object] = lambda plan, imports: None


class Planned(NamedTuple):
    dirty: bool
    path: str
    diagnostics: list[Diagnostic]
    plan: dict[str, Any] | None  # only where something changes
    imports: dict[str, str]  # {address: id} of what it takes into the state


def plan_and_apply(terraform: Terraform, scratch: str, request: Request, guards: Guards, hooks: Hooks) -> dict[str, Any]:
    """One plan, inspected, and that plan applied (with check: only planned). What an earlier apply could not write to the state is pushed before (with check:
    that it waits is an error).

    Returns {changed, changes, changed_outputs, saved_plan, taken_in, outputs, warnings, and cost where it is reckoned}; raises TerraformError.
    """
    pushed = ""
    if request.check:
        terraform_unrecorded.refuse(terraform)
    else:
        pushed = terraform_unrecorded.push(terraform, scratch, lock_arguments(request.lock_timeout))
    planned = _saved(terraform, scratch, request.saved) if request.saved else _planned(terraform, scratch, request, hooks)
    result: dict[str, Any] = {"changed": planned.dirty, "changes": [], "changed_outputs": [], "saved_plan": "", "taken_in": planned.imports}
    diagnostics = planned.diagnostics
    if planned.plan is None:
        outputs = terraform.json("read the outputs", "output", "-json", scratch=scratch)
    else:
        result.update(_inspected(planned.plan, planned.imports, guards, hooks))
        outputs = planned.plan.get("planned_values", {}).get("outputs", {})
        if request.save_as and not request.check:
            terraform_saved.keep(planned.path, request.save_as)
            result["saved_plan"] = request.save_as
        elif not request.check:
            outputs, diagnostics = _apply(terraform, scratch, request, hooks, planned, result["changes"])
    told = [*([pushed] if pushed else []), *(hooks.search.warnings() if hooks.search else [])]
    return {**result, "outputs": plans.known_outputs(outputs), "warnings": [*told, *errors.warnings(diagnostics)]}


def _saved(terraform: Terraform, scratch: str, path: str) -> Planned:
    terraform_saved.state_of(path)  # before Terraform says in words of its own that it is no plan
    plan = read_plan(terraform, path, scratch)
    terraform_saved.check(terraform, path, plan, scratch)
    # Its import blocks are in it.
    return Planned(True, path, [], plan, imported(plan))


def _planned(terraform: Terraform, scratch: str, request: Request, hooks: Hooks) -> Planned:
    def ahead(plan: dict[str, Any], imports: dict[str, str]) -> bool:
        return _ahead(terraform, scratch, request, hooks, still_recorded(plan, imports), password_first(plan, imports))

    search = _search(request, hooks)
    dirty, path, diagnostics, plan = plan_with_what_is_there(terraform, scratch, search, ahead, **request.of_plan())
    return Planned(dirty, path, diagnostics, plan, hooks.search.imports if hooks.search else {})


def _ahead(terraform: Terraform, scratch: str, request: Request, hooks: Hooks, recorded: list[str], first: list[str]) -> bool:
    """Removes from the state what is gone, and applies what is needed first. Whether a plan can be made then: a run that writes nothing does neither."""
    if request.save_as and recorded:
        raise TerraformError(
            f"{', '.join(recorded)} was deleted outside of Terraform, and what is there under that name now is to be imported. That needs the state to be "
            "changed before a plan is made, so that this plan cannot be saved. Nothing was changed. Run infra.yml without infra_save_plan."
        )
    if request.check or request.save_as:
        return not recorded
    if recorded or first:
        hooks.before_apply([])
    if recorded:
        doing = f"remove what was deleted ({', '.join(recorded)}) from the state"
        terraform.checked(doing, "state", "rm", *lock_arguments(request.lock_timeout), *recorded, scratch=scratch)
    if first:
        apply_alone(terraform, scratch, first, **request.of_plan())
    return True


def _search(request: Request, hooks: Hooks) -> left_behind.Search | None:
    """A part and a destroy take nothing in."""
    return None if request.saved or request.destroy or request.targets else hooks.search


def _inspected(plan: dict[str, Any], imports: Mapping[str, str], guards: Guards, hooks: Hooks) -> dict[str, Any]:
    """What the plan changes; raises Refused where it may not."""
    found: dict[str, Any] = {"changes": plans.changes(plan), "changed_outputs": plans.changed_outputs(plan)}
    for change in found["changes"]:
        # Of a plan that nobody applies, for which nothing was removed from the state.
        if change["action"] == "create" and change["address"] in imports:
            change["action"] = "import"
    if hooks.reckon:
        found["cost"] = hooks.reckon(plan)
    guards.refuse(plan, found["changes"], imports)
    return found


def _apply(
    terraform: Terraform, scratch: str, request: Request, hooks: Hooks, planned: Planned, changes: list[Change]
) -> tuple[dict[str, Any], list[Diagnostic]]:
    """Returns (outputs, diagnostics)."""
    plan, search = planned.plan or {}, _search(request, hooks)
    hooks.before_apply(changes)
    hooks.settle(plan, planned.imports)
    done = apply_plan(terraform, planned.path, scratch, lock_timeout=request.lock_timeout, parallelism=request.parallelism)
    if request.saved:
        terraform_saved.forget(request.saved)
    if search:
        search.doubled(plan)
    return done


def teller(say: Say | None) -> Say | None:
    """What takes Terraform's lines as they come and tells those that a person wants; None if nobody listens (say is None)."""
    if say is None:
        return None

    def tell(text: str) -> None:
        line = terraform_view.line(text)
        if line:
            say(line)

    return tell
