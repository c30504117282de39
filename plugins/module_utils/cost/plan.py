# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sizes (cost.items) before and after a Terraform plan, read from `terraform show -json`. Pure functions: no process, no file."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.cost import items as cost_items, model as cost_model, sizes as cost_sizes


def sizes(plan: dict, described: dict | None = None, counts: dict | None = None) -> tuple[dict, dict]:
    """(before, after). described: as cost_sizes.described, for the count of services that Terraform creates with 0 tasks, and for addresses that are
    not known yet. counts: {service's name: tasks} afterwards, whatever the state says."""
    prior = (plan.get("prior_state") or {}).get("values") or {}
    planned = plan.get("planned_values") or {}
    before = _sizes(_resources(prior.get("root_module") or {}), described, {})
    after = _sizes(_resources(planned.get("root_module") or {}), described, counts or {})
    return before, after


def with_what_is_off(before: dict, after: dict, described: dict | None) -> tuple[dict, dict]:
    """What is in neither is off, and comes back with a start; what is in one of them is what the plan is about."""
    if not described or not before["services"] or not after["services"]:
        return before, after
    off = {part: entries for part, entries in described.items() if part in before and not before[part] and not after[part]}
    return cost_sizes.with_what_is_off(before, off), cost_sizes.with_what_is_off(after, off)


def between(before: dict, after: dict, table: dict, region: str, usage: dict | None = None) -> dict:
    """cost_model.difference of two sizes, besides 'unpriced' and 'borrowed'."""
    sides = [cost_model.of(side, table, region, usage) for side in (before, after)]
    missing = sorted({key for side in sides for key in cost_model.unpriced(side)})
    return {**cost_model.difference(*sides), "unpriced": missing, "borrowed": sorted({key for side in sides for key in cost_model.borrowed(side, region)})}


def difference(plan: dict, table: dict, region: str, usage: dict | None = None, described: dict | None = None) -> dict:
    """The same of a plan."""
    return between(*with_what_is_off(*sizes(plan, described), described), table, region, usage)


def _resources(module: dict) -> list[dict]:
    found = [resource for resource in module.get("resources", []) if resource.get("mode", "managed") == "managed"]
    return found + [resource for child in module.get("child_modules", []) for resource in _resources(child)]


def _sizes(resources: list[dict], described: dict | None, counts: dict) -> dict:
    made = cost_items.empty()
    by_type: dict[str, list[dict]] = {}
    for resource in resources:
        by_type.setdefault(resource["type"], []).append(resource.get("values") or {})
    templates = {values.get("family"): values for values in by_type.get("aws_ecs_task_definition", [])}
    expected = {entry["name"]: entry for entry in (described or {}).get("services", [])}
    for values in by_type.get("aws_ecs_service", []):
        made["services"].append(_service(values, templates, expected, counts))
    made["services"].sort(key=lambda service: service["name"])
    made["databases"] = [_database(values) for values in by_type.get("aws_db_instance", [])]
    made["caches"] = [_cluster(values) for values in by_type.get("aws_elasticache_cluster", []) if not values.get("replication_group_id")]
    made["caches"] += [_group(values) for values in by_type.get("aws_elasticache_replication_group", [])]
    zones = next((balancer["addresses"] for balancer in (described or {}).get("load_balancers", [])), 2)
    made["load_balancers"] = [_balancer(values, zones) for values in by_type.get("aws_lb", []) if values.get("load_balancer_type") != "network"]
    made["nat_gateways"] = [{"name": _named(values), "running": True} for values in by_type.get("aws_nat_gateway", [])]
    made["addresses"] = [{"name": _named(values)} for values in by_type.get("aws_eip", [])]
    made["advanced_parameters"] = sum(values.get("tier") == "Advanced" for values in by_type.get("aws_ssm_parameter", []))
    made["keys"] = len(by_type.get("aws_kms_key", []))
    return made


def _named(values: dict) -> str:
    return (values.get("tags") or {}).get("Name", "")


def _service(values: dict, templates: dict, expected: dict, counts: dict) -> dict:
    """Sized by its template: what a change of it costs from the next release on. Terraform itself creates a service with 0 tasks, and ignores later counts."""
    name = values.get("name", "")
    template, said = templates.get(resource_names.template(name), {}), expected.get(name, {})
    platform = (template.get("runtime_platform") or [{}])[0]
    running = values.get("desired_count") or 0
    count = counts.get(name, running or said.get("count", 0))
    if not template and said:
        return {**said, "count": count, "running": running}
    return cost_sizes.service(name, template.get("cpu") or 0, template.get("memory") or 0, platform.get("cpu_architecture") or "", count, running)


def _database(values: dict) -> dict:
    return {
        **{"name": values.get("identifier") or "database", "engine": values.get("engine") or "postgres", "instance_class": values.get("instance_class", "")},
        **{"storage_gb": values.get("allocated_storage") or 0, "storage_type": values.get("storage_type") or "gp2"},
        **{"multi_az": bool(values.get("multi_az")), "running": values.get("status") not in ("stopped", "stopping")},
    }


def _cluster(values: dict) -> dict:
    kind = {"engine": values.get("engine") or "redis", "node_type": values.get("node_type") or ""}
    return {"name": values.get("cluster_id") or "cache", **kind, "nodes": values.get("num_cache_nodes") or 1, "running": True}


def _group(values: dict) -> dict:
    shards, replicas = values.get("num_node_groups") or 1, values.get("replicas_per_node_group")
    nodes = values.get("num_cache_clusters") or shards * ((replicas or 0) + 1)
    kind = {"engine": values.get("engine") or "redis", "node_type": values.get("node_type") or ""}
    return {"name": values.get("replication_group_id") or "cache", **kind, "nodes": nodes, "running": True}


def _balancer(values: dict, zones: int) -> dict:
    # The subnets of one that is not there yet may not be known.
    addresses = 0 if values.get("internal") else len(values.get("subnets") or []) or zones
    return {"name": values.get("name") or "load balancer", "addresses": addresses, "running": True}
