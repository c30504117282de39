# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is in AWS and not in Terraform's state: an apply was killed before it wrote that down, or AWS's answer to the creation was lost. Created once more it
would be an AlreadyExists for ever, or a second network that costs as the first. So before a plan that creates things is applied, each of them is looked for;
what is there and has this environment's tags is taken in, by `import` blocks beside the configuration for the time of the plan.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Denied
from ansible_collections.atena.aws.plugins.module_utils.core.look import Look
from ansible_collections.atena.aws.plugins.module_utils.core.parallel import each
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Say
from ansible_collections.atena.aws.plugins.module_utils.terraform.finders import AGAIN, FINDERS, NOT_UNIQUE, Found, Values
from ansible_collections.atena.aws.plugins.module_utils.terraform.saved import VARIABLES

NAME = "left_behind.tf"
# infra/ has import blocks of its own for these (redis.tf, kept.tf), which variables open.
_REDIS = "aws_elasticache_cluster.main"
_KEPT = {"aws_ecr_repository.service": "repositories", "aws_cloudwatch_log_group.service": "log_groups"}
# Tags that every thing of an environment has (infra/providers.tf).
_OWN = ("Project", "Stage", "ManagedBy")
# RDS takes up to half an hour to make a database from a snapshot, ElastiCache as long for a Redis.
_PATIENCE, _LOOK_EVERY = 3600, 10


class Foreign(CallFailed):
    """What is there under a planned name, and is not known to be this environment's."""


# --- Decisions --------------------------------------------------------------------------------------------------------
def creations(plan: Values) -> list[tuple[str, str, Values]]:
    """[(address, type, planned values)] of what a plan creates, and that may be there already."""
    found = []
    for resource in plan.get("resource_changes", []):
        change = resource["change"]
        if change["actions"] == ["create"] and resource.get("mode", "managed") == "managed" and resource["type"] not in AGAIN:
            found.append((resource["address"], resource["type"], change.get("after") or {}))
    return found


def is_own(found: Found, after: Values) -> bool:
    """Whether it has the tags that say whose it is; what hangs on a thing of ours has none."""
    if found.tags is None:
        return True
    wanted = {name: (after.get("tags_all") or {}).get(name) for name in _OWN}
    return all(value and found.tags.get(name) == value for name, value in wanted.items())


def foreign_text(address: str, identity: str, after: Values) -> str:
    tags = ", ".join(f"{name}={(after.get('tags_all') or {}).get(name)}" for name in _OWN)
    allowed = json.dumps({"infra_take_in": [address]})
    return (
        f"Terraform would create {address}, but {identity} is there already, and has not the tags of what Terraform made for this environment ({tags}). "
        f"Nothing was changed. If it is this environment's, such as a database that was restored manually, have it imported as it is: infra.yml -e "
        f"'{allowed}'. "
        "If it is somebody else's: choose another atena_project or atena_stage."
    )


def block(address: str, identity: str) -> str:
    """The import block, in HCL: in JSON Terraform reads an address with a key differently from version to version."""
    literal = json.dumps(identity).replace("${", "$${").replace("%{", "%%{")
    return f"import {{\n  to = {address}\n  id = {literal}\n}}\n"


def told(imports: dict[str, str]) -> str:
    """A sentence about what was taken in; '' for nothing."""
    if not imports:
        return ""
    listed = ", ".join(f"{address} ({identity.rsplit('/', 1)[-1]})" for address, identity in sorted(imports.items()))
    return (
        "Taken into Terraform's state instead of being created, as it is there already (an earlier apply was killed, or AWS's answer was lost, or somebody "
        f"created it manually): {listed}"
    )


# --- Looking ----------------------------------------------------------------------------------------------------------
class Search:
    """Looks, plan after plan, for what is there: what a route stands on is known only when its table was found."""

    def __init__(
        self,
        call: Aws,
        *,
        named: Iterable[str] = (),
        but: Iterable[str] = (),
        say: Say | None = None,
        guard: Callable[[], None] = lambda: None,
        patience: float = _PATIENCE,
        looks_only: bool = False,
    ) -> None:
        """named: addresses that may be taken in without the tags. but: types that are not looked for. guard: raises where the run is to end. looks_only: for a
        plan that nobody applies: nothing is waited for, and what the caller may not read is left out, and told."""
        self.call, self.named, self.but, self.guard, self.patience, self.looks_only = call, tuple(named), tuple(but), guard, patience, looks_only
        self.say = say or (lambda text: None)
        self.imports: dict[str, str] = {}
        self.made_at: dict[str, str] = {}
        self.spare: list[str] = []
        self.unseen: dict[str, str] = {}

    def more(self, plan: Values) -> bool:
        """Whether something of what the plan creates is there, and was not known to be. Raises CallFailed."""
        before, look = len(self.imports), Look(self.call)
        created = [one for one in creations(plan) if one[0] not in self.imports and one[1] not in self.but and one[1] in FINDERS]
        # Side by side, as a first apply creates some sixty things; what was found is judged in the plan's order.
        for (address, kind, after), found in zip(created, each(lambda one: self._find(look, *one), created), strict=True):
            self._take(found, address, kind, after)
        return len(self.imports) > before

    def _find(self, look: Look, address: str, kind: str, after: Values) -> list[Found]:
        try:
            return FINDERS[kind](look, after)
        except Denied as denied:
            if not self.looks_only:
                raise
            self.unseen[address] = str(denied)
            return []

    def _take(self, there: list[Found], address: str, kind: str, after: Values) -> None:
        own = [found for found in there if self._is_ours(found, address, kind, after)]
        if not own:
            return
        found = self._settled(own[0], address, kind, after)
        self.imports[address], self.made_at[address] = found.identity, found.made_at
        # At once: an apply that fails tells no warnings.
        self.say(f"{address}: is there already ({found.identity.rsplit('/', 1)[-1]}), and is imported")
        self.spare += [f"{other.identity} ({address})" for other in own[1:]]

    def _is_ours(self, found: Found, address: str, kind: str, after: Values) -> bool:
        # What is still being made does not always tell its tags.
        if is_own(found, after) or address in self.named or (found.waits_for and not found.tags):
            return True
        if kind in NOT_UNIQUE:
            return False
        raise Foreign(foreign_text(address, found.identity, after))

    def _settled(self, found: Found, address: str, kind: str, after: Values) -> Found:
        """The same when it can be changed: what is still being made is waited for."""
        deadline, told = Deadline(self.patience), ""
        while found.waits_for and not self.looks_only:
            self.guard()
            if deadline.passed:
                raise CallFailed(f"{found.identity} is {found.waits_for} all the time. Nothing was changed. Check it in AWS; run this again when it is ready.")
            if told != found.waits_for:
                told = found.waits_for
                self.say(f"{address}: {found.identity.rsplit('/', 1)[-1]} is there already, and is {told}; waiting until it can be imported")
            time.sleep(pace(deadline.elapsed, _LOOK_EVERY))
            now = FINDERS[kind](self.call, after)
            if not now:
                raise CallFailed(f"{found.identity} went away while it was waited for. Nothing was changed. Run this again.")
            found = now[0]
        self._is_ours(found, address, kind, after)
        return found

    def doubled(self, plan: Values) -> None:
        """After the apply: whether AWS made something twice, of what it makes twice without a word, as where a call was sent again for want of an answer."""
        made = [one for one in creations(plan) if one[1] in NOT_UNIQUE and one[0] not in self.imports]
        for (address, _kind, after), found in zip(made, each(lambda one: self._after(one[1], one[2]), made), strict=True):
            own = [one.identity for one in found if is_own(one, after)]
            self.spare += [f"{address}: {', '.join(sorted(own))}"] if len(own) > 1 else []

    def _after(self, kind: str, after: Values) -> list[Found]:
        try:
            return FINDERS[kind](self.call, after)
        except CallFailed:  # all is done; to look for what is too much is no reason to fail
            return []

    def warnings(self) -> list[str]:
        found = [told(self.imports)] if self.imports else []
        if self.unseen:
            found.append(f"Whether {', '.join(sorted(self.unseen))} is there already was not checked: {next(iter(self.unseen.values()))}")
        if self.spare:
            found.append(f"There is more of one thing than Terraform knows, and it may cost: {'; '.join(self.spare)}. Delete manually what is in no state.")
        return found


# --- The file ---------------------------------------------------------------------------------------------------------
def by_variables(imports: dict[str, str], given: dict[str, Any]) -> list[str]:
    """The arguments of a plan for what infra/ has import blocks of its own for. given: the working copy's variables."""
    found = ["-var=redis_taken_in=true"] if any(address.startswith(_REDIS) for address in imports) else []
    kept = {name: set(given.get("kept", {}).get(name, [])) for name in ("repositories", "lifecycle_policies", "log_groups")}
    more = False
    for address in imports:
        resource, _bracket, key = address.partition('["')
        if resource in _KEPT:
            kept[_KEPT[resource]].add(key.removesuffix('"]'))
            more = True
    return [*found, *([f"-var=kept={json.dumps({name: sorted(keys) for name, keys in kept.items()})}"] if more else [])]


def _variables(directory: Path | str) -> dict[str, Any]:
    try:
        return dict(json.loads((Path(directory) / VARIABLES).read_text()))
    except (OSError, ValueError):
        return {}


@contextlib.contextmanager
def beside(directory: Path | str, imports: dict[str, str]) -> Iterator[list[str]]:
    """The blocks in the working copy, for as long as a plan is made; what the plan is told besides. Terraform takes one import block for a resource."""
    path = Path(directory) / NAME
    blocks = {address: identity for address, identity in imports.items() if address.partition("[")[0] not in (_REDIS, *_KEPT)}
    path.write_text("\n".join(block(address, identity) for address, identity in sorted(blocks.items())))
    try:
        yield by_variables(imports, _variables(directory))
    finally:
        path.unlink(missing_ok=True)


def clear(directory: Path | str) -> None:
    """Removes what a run that was killed left beside the configuration."""
    (Path(directory) / NAME).unlink(missing_ok=True)
