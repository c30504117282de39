#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_info
version_added: 0.1.0
short_description: Gather information about an environment
description:
  - Reads services, releases, targets' health, load balancer, database, Redis and secrets of one environment, in parallel.
  - "The gap it closes: the information modules of amazon.aws and community.aws answer for one kind of resource each, at most of a second a
    task; none joins a service with its release and its targets. Missing parts are reported as missing, not as errors."
  - No secret's value is returned; values are read to distinguish a set one from a placeholder.
  - What it costs (O(cost)) is an estimate from list prices; where the rights to read the parts of it are missing, that is reported and nothing fails.
author:
  - The atena.aws founders (@atena)
options:
  name:
    description: The environment's name, which its resources' names begin with.
    type: str
    required: true
  services:
    description: Keys of its services; a service's name is C(<name>-<key>).
    type: list
    elements: str
    required: true
  ssm_path:
    description: Path of its secrets.
    type: str
    required: true
  power:
    description: Where it is written whether the environment is on. Unset, C(power) is null, and what is off on purpose cannot be distinguished from
      what is missing.
    type: dict
    suboptions:
      bucket: {description: The state bucket., type: str, required: true}
      gates_key: {description: Key of the gates., type: str, required: true}
      journal_key: {description: Key of the power journal., type: str, required: true}
  destroy_record:
    description: Where destroy.yml writes down what it did. Unset, C(destroyed) is null, and what was destroyed cannot be distinguished from what was
      never made.
    type: dict
    suboptions:
      bucket: {description: The state bucket., type: str, required: true}
      key: {description: Key of the record., type: str, required: true}
  lock:
    description: The environment's lock. Unset, C(lock) is null.
    type: dict
    suboptions:
      table: {description: DynamoDB table of the locks., type: str, required: true}
      name: {description: Its name; the environment's if unset., type: str}
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.records
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
  - atena.aws.costs
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: How is production?
  atena.aws.environment_info:
    name: atena-prod
    services: [api, workers]
    ssm_path: /atena/prod
  register: environment_now
"""

RETURN = r"""
environment:
  description: The environment's name.
  returned: success
  type: str
account:
  description: The account that was read.
  returned: success
  type: str
  sample: "123456789012"
region:
  description: The region that was read.
  returned: success
  type: str
  sample: us-east-1
services:
  description: Services that exist.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: The service's name., type: str}
    desired_count: {description: Tasks that shall run., type: int}
    running_count: {description: Tasks that run., type: int}
    pending_count: {description: Tasks that are starting., type: int}
    task_definition: {description: ARN of its task definition., type: str}
    is_template: {description: "Whether that is Terraform's template: no release ever ran.", type: bool}
    release: {description: Name of the release that it runs; empty when there is none., type: str}
    released_at: {description: "When that was prepared, ISO 8601; empty when there is none.", type: str}
    rollout_state: {description: ECS's rollout state of the primary deployment., type: str}
    has_load_balancer: {description: Whether it has a target group., type: bool}
    targets: {description: Health states of its targets., type: list, elements: str}
    last_event: {description: The newest service event., type: str}
    waits_for: {description: "What it waits for, in ECS's words; empty when it is settled.", type: str}
missing_services:
  description: Names of services that do not exist.
  returned: success
  type: list
  elements: str
load_balancer:
  description: The load balancer (C(dns_name), C(state)), or null.
  returned: success
  type: dict
database:
  description: >-
    The database (C(status), C(engine), C(engine_version), C(endpoint), the authority of its certificate C(ca), C(certificate_expires_at), C(newest_backup),
    C(restarts_at)), or null.
  returned: success
  type: dict
redis:
  description: >-
    The Redis cluster (C(id), C(status), C(engine_version), C(endpoint), C(came_back_empty_at) - when AWS last replaced or restarted its node, within 14 days,
    empty if it did not), or null.
  returned: success
  type: dict
redis_snapshot:
  description: The newest snapshot of Redis, also while it is off (C(name), C(status), C(created_at), C(size)), or null.
  returned: success
  type: dict
lock:
  description: Who holds the environment's lock (C(locked), C(holder), C(says)), or null.
  returned: success
  type: dict
cost:
  description: >-
    A month at the present rate (C(now)), always on (C(always_on)) and stopped (C(stopped)), with C(currency), C(unpriced) and C(borrowed) (prices that are
    another region's); C(error) alone where it cannot be
    determined; or null.
  returned: success
  type: dict
power:
  description: >-
    What gates and power journal say (C(gates), C(state) - C(running), C(stopping), C(stopped) or C(starting) -, C(since), C(operator), C(host), C(step),
    C(counts) to come back to, C(snapshot) that waits to be restored, C(restarts_at), C(redis_loss) - when Redis came back empty, as far as somebody has dealt
    with that -, the last C(notes)), or null.
  returned: success
  type: dict
destroyed:
  description: >-
    When and by whom it was destroyed (C(state) - C(destroyed), or C(destroying) while that is incomplete -, C(at), C(operator)), and the snapshots that
    redeploy.yml begins with (C(database_snapshot), C(redis_snapshot)), and the C(release) that ran; null of one that exists.
  returned: success
  type: dict
left:
  description: >-
    What a destroy left and AWS bills (C(database_snapshots) and C(redis_snapshots), by name, newest first, C(database_snapshots_gb), C(redis_snapshots_gb),
    C(images_gb), C(log_stored_gb), and C(cost) of a month); null of an environment that exists.
  returned: success
  type: dict
unfinished:
  description: >-
    What was begun and is incomplete (C(work), C(since), C(operator), C(playbook) with its C(options), which finish it, C(besides)); or null.
  returned: success
  type: list
  elements: dict
secrets:
  description: Parameters below the path (C(name), C(type), C(version), C(last_modified), C(is_set)); never a value.
  returned: success
  type: list
  elements: dict
summary:
  description: The same as lines to read.
  returned: success
  type: list
  elements: str
problems:
  description: What needs attention; empty when everything is healthy.
  returned: success
  type: list
  elements: str
"""

import contextlib
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import account, resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import absent_as, told, CallFailed, Denied
from ansible_collections.atena.aws.plugins.module_utils.core.listed import Listed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.cost import prices, read as cost_read
from ansible_collections.atena.aws.plugins.module_utils.cost.arguments import brief, of_left, COST_OPTIONS
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import active_services, describe_task_definition, target_states
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import is_template, tags_of, RELEASE_TAG
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout import primary
from ansible_collections.atena.aws.plugins.module_utils.ecs.service_text import waits_for
from ansible_collections.atena.aws.plugins.module_utils.environment import (
    destroy_record,
    journal as power_journal,
    lock as environment_lock,
    read as environment_read,
    state as power_state,
    unfinished,
)
from ansible_collections.atena.aws.plugins.module_utils.power import text as power_text
from ansible_collections.atena.aws.plugins.module_utils.redis import losses, snapshot as redis_snapshot
from ansible_collections.atena.aws.plugins.module_utils.secrets import store as parameter_store
from ansible_collections.atena.aws.plugins.module_utils.status import text as status_text


def keys_of(params: dict[str, Any]) -> list[tuple[str, str]]:
    """(bucket, key) of every record that is read."""
    asked = [params["power"] or {}, params["destroy_record"] or {}, params["records"] or {}]
    return sorted({(options["bucket"], key) for options in asked for name, key in options.items() if name != "bucket" and key})


def read_services(call: Aws, name: str, keys: list[str]) -> dict[str, Any]:
    cluster, wanted, entries = resource_names.cluster(name), [f"{name}-{key}" for key in keys], []
    # In the order in which the costs ask for them: what several readers ask for is called for once.
    found = absent_as({}, "Cluster", lambda: active_services(call, cluster, sorted(wanted)))
    for service in found.values():
        definition = describe_task_definition(call, service["taskDefinition"])
        entries.append(
            {
                "name": service["serviceName"],
                "desired_count": service["desiredCount"],
                "running_count": service["runningCount"],
                "pending_count": service["pendingCount"],
                "task_definition": service["taskDefinition"],
                "is_template": is_template(definition),
                "release": tags_of(definition).get(RELEASE_TAG, ""),
                "released_at": "" if is_template(definition) or not definition.get("registeredAt") else definition["registeredAt"].isoformat(),
                "rollout_state": primary(service).get("rolloutState", ""),
                "has_load_balancer": any(balancer.get("targetGroupArn") for balancer in service.get("loadBalancers", [])),
                "targets": target_states(call, service),
                "last_event": next((event["message"] for event in service.get("events", [])), ""),
                "waits_for": waits_for(service, primary(service)),
            }
        )
    entries.sort(key=lambda entry: wanted.index(entry["name"]))
    return {"services": entries, "missing_services": [item for item in wanted if item not in {entry["name"] for entry in entries}]}


def read_load_balancer(call: Aws, name: str) -> dict[str, Any]:
    found = environment_read.describe_load_balancer(call, resource_names.load_balancer(name))
    return {"load_balancer": {"dns_name": found["DNSName"], "state": found.get("State", {}).get("Code", "")} if found else None}


def describe_database(call: Aws, identifier: str, listed: bool) -> dict[str, Any] | None:
    """listed: whether the costs list all databases anyway, so that this one need not be asked for."""
    if listed:
        with contextlib.suppress(Denied):
            return next((one for one in cost_read.all_databases(call) if one["DBInstanceIdentifier"] == identifier), None)
    return environment_read.describe_database(call, identifier)


def read_database(call: Aws, name: str, listed: bool) -> dict[str, Any]:
    identifier = resource_names.database(name)
    database = describe_database(call, identifier, listed)
    if not database:
        return {"database": None}
    snapshots = call.pages("rds", "describe_db_snapshots", f"list the snapshots of {identifier}", "DBSnapshots", DBInstanceIdentifier=identifier)
    times = [snapshot["SnapshotCreateTime"] for snapshot in snapshots if snapshot.get("SnapshotCreateTime") and snapshot["Status"] == "available"]
    restart = database.get("AutomaticRestartTime")
    authority, expires = environment_read.certificate_of(database)
    return {
        "database": {
            "status": database["DBInstanceStatus"],
            "engine": database["Engine"],
            "engine_version": database["EngineVersion"],
            "endpoint": (database.get("Endpoint") or {}).get("Address", ""),
            "ca": authority,
            "certificate_expires_at": expires.isoformat() if expires else "",
            "newest_backup": max(times).isoformat() if times else "",
            "restarts_at": restart.isoformat() if restart else "",
        }
    }


def read_redis(call: Aws, name: str) -> dict[str, Any]:
    cluster = environment_read.describe_redis(call, resource_names.redis(name))
    if not cluster:
        return {"redis": None}
    return {
        "redis": {
            "id": cluster["CacheClusterId"],
            "came_back_empty_at": losses.read(call, cluster["CacheClusterId"], cluster.get("CacheClusterCreateTime")),
            "status": cluster["CacheClusterStatus"],
            "engine_version": f"{cluster['Engine']} {cluster['EngineVersion']}",
            "endpoint": environment_read.redis_endpoint(cluster).get("Address", ""),
        }
    }


def read_redis_snapshot(call: Aws, name: str) -> dict[str, Any]:
    newest = next(iter(redis_snapshot.list_snapshots(call, resource_names.redis(name))), None)
    return {"redis_snapshot": {key: newest[key] for key in ("name", "status", "created_at", "size")} if newest else None}


def read_lock(call: Aws, options: dict[str, Any] | None, name: str) -> dict[str, Any]:
    if not options:
        return {"lock": None}
    lock = environment_lock.Lock(call, options["table"], options["name"] or name)
    found = lock.read()
    locked = found is not None and not environment_lock.expired(found, lock.now)
    return {"lock": {"locked": locked, "holder": environment_lock.public(found), "says": environment_lock.standing_text(lock.name, found, lock.now)}}


def read_cost(call: Aws, params: dict[str, Any]) -> dict[str, Any]:
    basis = params["cost"]
    if not basis:
        return {"cost": None}
    try:
        return {"cost": brief(cost_read.sizes(call, params["name"], params["services"], params["ssm_path"], params["power"], basis["described"]), basis)}
    except (CallFailed, prices.PricesUnusable) as failed:
        return {"cost": {"error": str(failed)}}


def read_secrets(call: Aws, path: str) -> dict[str, Any]:
    entries = [parameter_store.parameter_entry(parameter) for parameter in parameter_store.parameters_below(call, path)]
    return {"secrets": sorted(entries, key=lambda entry: entry["name"])}


def read_power(call: Aws, where: dict[str, Any] | None) -> dict[str, Any]:
    found = power_state.read(call, where)
    if found is None:
        return {"power": None}
    counts = power_text.counts({name: entry.as_dict() for name, entry in found.journal.services.items()}) if found.journal else ""
    return {"power": {"gates": found.gates or {}, **power_journal.standing(found.journal).as_dict(), "counts": counts}}


def read_destroyed(call: Aws, where: dict[str, Any] | None) -> dict[str, Any]:
    found = destroy_record.standing(destroy_record.read(call, where["bucket"], where["key"])) if where else None
    return {"destroyed": found._asdict() if found else None}


def read_left(module: AwsModule, call: Aws, result: dict[str, Any]) -> dict[str, Any] | None:
    """What a destroy left, and what that costs; None of an environment that stands."""
    if not status_text.is_destroyed(result):
        return None
    try:
        found, basis = cost_read.left(call, module.params["name"], module.params["services"]), module.params["cost"]
    except CallFailed as failed:
        module.warn(f"What the destroy left was not checked: {failed}")
        return None
    try:
        return {**found, "cost": of_left(found, basis) if basis else None}
    except prices.PricesUnusable as failed:
        return {**found, "cost": {"error": str(failed)}}


def main() -> None:
    module = AwsModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "str", "required": True},
            "ssm_path": {"type": "str", "required": True},
            "power": power_state.POWER_OPTIONS,
            "destroy_record": destroy_record.WHERE_OPTIONS,
            "records": unfinished.OPTIONS,
            "lock": {"type": "dict", "options": {"table": {"type": "str", "required": True}, "name": {"type": "str"}}},
            "cost": COST_OPTIONS,
        },
        supports_check_mode=True,
    )
    name, call = module.params["name"], Listed(Caller(module), keys_of(module.params))
    readers = {
        "account": lambda: {"account": account.of(module, call)},
        "services": lambda: read_services(call, name, module.params["services"]),
        "load_balancer": lambda: read_load_balancer(call, name),
        "database": lambda: read_database(call, name, bool(module.params["cost"])),
        "redis": lambda: read_redis(call, name),
        "redis_snapshot": lambda: read_redis_snapshot(call, name),
        "lock": lambda: read_lock(call, module.params["lock"], name),
        "cost": lambda: read_cost(call, module.params),
        "power": lambda: read_power(call, module.params["power"]),
        "destroyed": lambda: read_destroyed(call, module.params["destroy_record"]),
        "unfinished": lambda: {"unfinished": unfinished.read(call, module.params["records"], name)},
        "secrets": lambda: read_secrets(call, module.params["ssm_path"]),
    }
    result = {}
    try:
        for part in environment_read.side_by_side(call, readers).values():
            result.update(part)
    except CallFailed as failed:
        module.fail_json(**told(failed))
    result["left"] = read_left(module, call, result)
    where = {"environment": name, "region": module.region}
    module.exit_json(changed=False, **where, **result, summary=status_text.summary(result), problems=status_text.problems(result))


if __name__ == "__main__":
    main()
