# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan must not do: decided from the plan, before any of it is applied."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.terraform import plan as plans
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import TerraformError
from ansible_collections.atena.aws.plugins.module_utils.terraform.plan import Change

# What holds a queue.
_REDIS_TYPES = ("aws_elasticache_cluster", "aws_elasticache_replication_group", "aws_elasticache_serverless_cache")
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


def written_again(replace: Iterable[str]) -> list[str]:
    """Of addresses that are to be replaced, those that nothing is lost with: Terraform writes a parameter's value again."""
    return [address for address in replace if address.startswith("aws_ssm_parameter.")]


@dataclass(frozen=True)
class Guards:
    """What a plan may do, and what it may not.

    allow_destroy: patterns of addresses that may be destroyed or replaced. mend: patterns of addresses that may be replaced where an earlier apply made only
    half of them.

    no_database, no_redis: tell, if the plan creates one, why it must not; '' where it may. lost_redis: what to do about a Redis that somebody deleted, instead
    of making an empty one; '' where that is meant. chosen: tells, if the plan creates either, with which snapshots they begin (refuse_other_beginnings).
    """

    allow_destroy: Iterable[str] = ()
    mend: Iterable[str] = ()
    no_database: Callable[[], str] = lambda: ""
    no_redis: Callable[[], str] = lambda: ""
    lost_redis: str = ""
    chosen: Callable[[], Mapping[str, str] | None] = lambda: None

    def refuse(self, plan: Mapping[str, Any], changes: list[Change], imports: Collection[str]) -> None:
        """Raises Refused for the first of these that the plan does."""
        refusals = plans.refused(changes, self.allow_destroy, self.mend)
        if refusals:
            raise Refused(plans.refusal(refusals), refusals)
        refuse_impossible(changes)
        # A stop or start names what it may mend: its own apply is what takes the listeners away and makes them.
        if not self.mend:
            refuse_unreachable(plan, changes)
        refuse_empty(changes, ("aws_db_instance",), "database", self.no_database, imports)
        refuse_empty(changes, _REDIS_TYPES, "Redis", self.no_redis, imports)
        refuse_lost_redis(changes, self.lost_redis)
        refuse_other_beginnings(plan, changes, self.chosen)
        refuse_other_versions(plan, changes, imports)


def refuse_empty(changes: Iterable[Change], types: Collection[str], what: str, reason: Callable[[], str], imports: Collection[str] = ()) -> None:
    """reason: tells, if the plan makes one of these types, why it must not be an empty one; '' where it may. what: what people call it. imports: addresses
    that are taken in: whether those are empty nobody knows."""
    found = [change for change in changes if change["type"] in types and (change["action"] in ("create", "replace") or change["address"] in imports)]
    why = reason() if found else ""
    if why:
        verb = "import" if found[0]["address"] in imports else "create"
        unknown = "a" if verb == "import" else "an empty"
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


def refuse_other_versions(plan: Mapping[str, Any], changes: Iterable[Change], imports: Collection[str] = ()) -> None:
    """A database that is replaced though its version satisfies the configuration would be made in whatever version RDS has as its default by then: infra/ asks
    for none (infra/database_version.tf), because it cannot know of a replacement that is asked for, or of a creation that failed half-way.
    """
    wrong = [
        resource["address"]
        for resource in plan.get("resource_changes", [])
        if resource["type"] == "aws_db_instance"
        and "create" in resource["change"]["actions"]
        and (resource["address"] not in imports or "delete" in resource["change"]["actions"])
        and resource["change"].get("after_unknown", {}).get("engine_version")
        and not (resource["change"].get("after") or {}).get("snapshot_identifier")
    ]
    if wrong:
        address = wrong[0]
        raise Refused(
            f"Terraform would recreate {address} in the version that RDS has as its default, not in the configuration's, as long as the database of that name "
            f"is there. Nothing was changed. If its creation failed half-way and it is good: terraform untaint {address}. If it is to go: delete it first, "
            "manually and into a final snapshot, then run this again.",
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
        "meanwhile, without the snapshots' names. Run redeploy.yml again, which resumes with the same snapshots; run nothing else for this environment until "
        "it has ended.",
        [change for change in changes if change["address"] in addresses],
    )


def _begins(snapshot: str) -> str:
    return f"from the snapshot {snapshot}" if snapshot else "empty"


def refuse_impossible(changes: Iterable[Change]) -> None:
    """What AWS would refuse when the rest is applied already."""
    found = [change for change in changes if change.get("impossible")]
    if found:
        raise Refused(f"{' '.join(change['impossible'] for change in found)} Nothing was changed.", found)


def refuse_unreachable(plan: Mapping[str, Any], changes: Iterable[Change]) -> None:
    """A service behind a load balancer that is not there, as of a stopped environment: ECS refuses it when all else of the plan is applied."""
    resources = plan.get("resource_changes", [])
    if any(one["type"] == "aws_lb_listener" and one["change"]["actions"] != ["delete"] for one in resources):
        return
    balanced = [one for one in resources if one["type"] == "aws_ecs_service" and (one["change"].get("after") or {}).get("load_balancer")]
    found = [one["address"] for one in balanced if "create" in one["change"]["actions"]]
    if found:
        raise Refused(
            f"Terraform would create {', '.join(found)} behind the load balancer, which is not there: the environment is stopped, and ECS refuses a service "
            "whose target group no listener forwards to. Nothing was changed. Run start.yml, then infra.yml.",
            [change for change in changes if change["address"] in found],
        )


def refuse_lost_redis(changes: Iterable[Change], why: str) -> None:
    """A Redis that is in the state and that somebody deleted: Terraform would make an empty one without a word. why: what to do instead; '' where it may."""
    found = [change for change in changes if change["type"] in _REDIS_TYPES and change["action"] == "create" and change["outside"]]
    if why and found:
        raise Refused(f"{', '.join(change['address'] for change in found)} was deleted outside of Terraform, with its queue. Nothing was changed. {why}", found)
