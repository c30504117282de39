# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWS has and lacks, as causes of a diagnosis: power, database, Redis, load balancer, network, secrets, images. No call to AWS here."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import Found, View
from ansible_collections.atena.aws.plugins.module_utils.environment import unfinished
from ansible_collections.atena.aws.plugins.module_utils.images.plan import PLATFORMS
from ansible_collections.atena.aws.plugins.module_utils.preflight import network as preflight_network

# States in which RDS and ElastiCache serve their clients.
_DATABASE_SERVES = {"available", "backing-up", "storage-optimization", "configuring-enhanced-monitoring", "configuring-log-exports", "storage-config-upgrade"}
_REDIS_SERVES = {"available", "snapshotting", "modifying"}
_DATABASE_PASSES = {"creating", "starting", "rebooting", "upgrading", "maintenance", "modifying", "renaming", "resetting-master-credentials"}
# What ECS calls from the task's subnet before a container runs, as VPC endpoints name it.
_CALLED_BEFORE_A_START = {"ecr.api", "ecr.dkr", "s3", "ssm", "logs"}
# Terraform writes these two; people write the others (the seed's 'Secrets gerenciados').
_WRITTEN_BY_TERRAFORM = ("DATABASE_URL", "REDIS_URL")


def reading(view: View) -> Iterator[Found]:
    """What could not be read: with expired credentials everything, with missing permissions a part."""
    unread = view.facts["unreadable"]
    if not unread:
        return
    blind = not view.was_read("services")
    yield Found(
        "credentials" if blind else "not_readable",
        view.name,
        "AWS could not be asked how the environment stands" if blind else "Not everything could be read, so a cause may be missing here",
        "Get working credentials, then repeat this." if blind else "Give the caller the permissions that the README of the role `diagnose` lists.",
        evidence=list(dict.fromkeys(f"{item['part']}: {item['why']}" for item in unread)),
    )


def power(view: View) -> Iterator[Found]:
    if view.is_off:
        gates = view.facts["gates"]
        yield Found(
            "powered_off",
            view.name,
            "The environment was stopped on purpose",
            f"Start it: {view.playbook('start.yml')}",
            evidence=[f"the gates object says power {gates.get('power')}, redis {gates.get('redis', 'unknown')}"],
        )


def begun(view: View) -> Iterator[Found]:
    """What is on record without its end: the parts of an environment are on their way then."""
    for entry in view.facts.get("unfinished") or []:
        command = view.playbook(entry["playbook"], *entry["options"])
        code = "unfinished" if entry["work"] in unfinished.IN_THE_WAY else "not_settled"
        cause = unfinished.began(entry)
        yield Found(code, view.name, f"{cause[0].upper()}{cause[1:]}", unfinished.way_on(entry, command))


def services(view: View) -> Iterator[Found]:
    if view.was_read("services"):
        for name in view.facts["missing_services"]:
            remedy = f"Create it: {view.playbook('infra.yml')}. If it should exist, check atena_project, atena_stage and atena_region."
            yield Found("service_missing", name, f"The cluster {view.cluster} has no such service", remedy, about=(name,))
    for name, service in view.services.items():
        if service["desired_count"] == 0 and not view.is_off:
            if view.definition(service["task_definition"]).get("is_template"):
                yield Found("never_released", name, "No release ever ran", f"Release the application: {view.playbook('deploy.yml')}", about=(name,))
            else:
                remedy = f"If that is not wanted: {view.playbook('scale.yml', f'scale={view.key(name)}=1')}"
                yield Found("scaled_to_zero", name, "It is scaled to 0 tasks", remedy, about=(name,))


def database(view: View) -> Iterator[Found]:
    entry = view.database
    identifier = view.request.get("database_id")
    if not identifier or not view.was_read("database"):
        return
    if not entry:
        remedy = f"If it was never there: {view.playbook('infra.yml')}. If it was deleted, restore its final snapshot before."
        yield Found("database_missing", identifier, "The database does not exist", remedy, about=("database",))
        return
    status = entry["status"]
    evidence = [f"RDS: status {status}, {entry['engine']} {entry['engine_version']}, {entry['endpoint'] or 'no endpoint'}"]
    if status in ("stopped", "stopping"):
        if view.is_off:
            return
        if entry["restarts_at"]:
            evidence.append(f"AWS starts it by itself on {entry['restarts_at']}")
        command = f"aws rds start-db-instance --db-instance-identifier {identifier}"
        remedy = f"{view.playbook('start.yml')} starts the whole environment; the database alone: `{command}`"
        yield Found("database_stopped", identifier, f"The database is {status}", remedy, evidence=evidence, about=("database",))
    elif status == "storage-full":
        remedy = f"Raise atena_database.allocated_storage in the inventory, then {view.playbook('infra.yml')}"
        yield Found("database_full", identifier, "The database's disk is full", remedy, evidence=evidence, about=("database",))
    elif status not in _DATABASE_SERVES:
        passes = "It passes by itself: wait, then look again with " + view.playbook("status.yml")
        remedy = (
            passes
            if status in _DATABASE_PASSES
            else f"Look at its events: `aws rds describe-events --source-type db-instance --source-identifier {identifier}`"
        )
        yield Found("database_not_ready", identifier, f"The database is {status}", remedy, evidence=evidence, about=("database",))


def redis(view: View) -> Iterator[Found]:
    entry = view.redis
    if not view.was_read("redis") or not entry:
        return
    if entry["status"] == "absent":
        if view.is_off:
            return
        snapshots = entry.get("snapshots", [])
        gate = (view.facts.get("gates") or {}).get("redis", "")
        evidence = [f"ElastiCache has no cluster {entry['id']}"]
        if gate:
            evidence.append(f"the gates object says redis {gate}")
        if snapshots:
            evidence.append(f"snapshots of it: {', '.join(snapshots)}")
        restore = f"{view.playbook('start.yml')} restores it from its snapshot (a new, empty one would lose the queued jobs)"
        named = f"{view.playbook('start.yml', f'start_redis_snapshot={snapshots[0]}')} restores that snapshot" if snapshots else ""
        empty = f"{view.playbook('start.yml', 'start_without_queue=true')} makes an empty one, and brings back what the database knows"
        remedy = restore if gate == "absent" else f"{named}. Without the queue: {empty}" if named else empty
        yield Found("redis_missing", entry["id"], "Redis does not exist: deleted, or never created", remedy, evidence=evidence, about=("redis",))
    elif entry["status"] not in _REDIS_SERVES:
        remedy = f"It passes by itself: wait, then look again with {view.playbook('status.yml')}"
        evidence = [f"ElastiCache: status {entry['status']}"]
        yield Found("redis_not_ready", entry["id"], f"Redis is {entry['status']}", remedy, evidence=evidence, about=("redis",))
    elif entry.get("came_back_empty_at"):
        remedy = f"{view.playbook('start.yml')} brings back what the database knows (atena_reenqueue_command)"
        evidence = [f"an event of {entry['id']} at {entry['came_back_empty_at']}: its node was recovered or restarted"]
        cause = "Redis came back empty: AWS replaced or restarted its node, and what was queued then is gone"
        yield Found("redis_came_back_empty", entry["id"], cause, remedy, evidence=evidence, about=("redis",))


def addresses(view: View) -> Iterator[Found]:
    """DATABASE_URL and REDIS_URL against the endpoints: a cluster that was made anew may have another."""
    secrets = view.facts["secrets"] or {}
    for key, name, part, entry, label in (
        ("database_url_is_right", "DATABASE_URL", "database", view.database, "the database"),
        ("redis_url_is_right", "REDIS_URL", "redis", view.redis, "Redis"),
    ):
        if secrets.get(key) is False:
            parameter = f"{view.ssm_path}/{name}"
            yield Found(
                f"{part}_address",
                name,
                f"{name} names another address than {label} has",
                f"`aws ssm delete-parameter --name {parameter}`, then {view.playbook('infra.yml')} writes it anew. "
                f"Then let the tasks take it: {restart_command(view, list(view.services))}",
                evidence=[f"{label} is at {entry['endpoint']}:{entry['port']}; the value of {parameter} (not shown) names another host or port"],
                about=(part,),
            )


def restart_command(view: View, names: list[str]) -> str:
    """Replaces the tasks by new ones of the same release: a task keeps the values of its secrets for life."""
    some = [f"restart_services={','.join(sorted(map(view.key, names)))}"] if set(names) != set(view.services) else []
    return view.playbook("restart.yml", *some)


def load_balancer(view: View) -> Iterator[Found]:
    balanced = [service for service in view.services.values() if service["has_load_balancer"]]
    if not balanced or view.is_off or not view.was_read("load_balancer"):
        return
    about = tuple(service["name"] for service in balanced)
    entry, name = view.load_balancer, resource_names.load_balancer(view.name)
    if not entry:
        remedy = f"After a stop: {view.playbook('start.yml')}; else {view.playbook('infra.yml')}"
        yield Found("load_balancer_missing", name, "The load balancer does not exist, so nobody reaches the application", remedy, about=about)
        return
    if entry["state"] not in ("active", "active_impaired"):
        remedy = "It passes by itself: wait some minutes." if entry["state"] == "provisioning" else f"Create it again: {view.playbook('infra.yml')}"
        yield Found("load_balancer_not_ready", name, f"The load balancer is {entry['state'] or 'in an unknown state'}", remedy, about=about)
    for service in balanced:
        for _side, group in view.target_groups(service):
            if not group["load_balancers"]:
                cause = f"No listener sends requests to its target group {group['name']}"
                evidence = [f"listeners of {name}: {', '.join(str(item['port']) for item in entry['listeners']) or 'none'}"]
                remedy = f"Put the listener back: {view.playbook('infra.yml')}"
                yield Found("listener_missing", service["name"], cause, remedy, evidence=evidence, about=(service["name"],))


def way_out(view: View) -> Iterator[Found]:
    """Before a container runs, its task fetches image and secrets from AWS: from a private subnet through NAT, or VPC endpoints."""
    for name, service in view.services.items():
        groups = set(service["security_groups"])
        if groups and groups <= set(view.groups):
            endpoints = {item["GroupId"] for endpoint in view.network["endpoints"] or [] for item in endpoint.get("Groups", [])}
            rules = [rule for group in groups for rule in view.groups[group]["IpPermissionsEgress"]]
            if preflight_network.side(rules, endpoints, ["0.0.0.0/0"], 443) == preflight_network.CLOSED:
                cause = "A security group keeps the tasks from reaching AWS (ECR, SSM, CloudWatch Logs)"
                evidence = [f"no rule of {view.group_names(groups)} lets TCP port 443 out"]
                yield Found("no_way_out", name, cause, f"Put the rule back: {view.playbook('infra.yml')}", evidence=evidence, about=(name,))
        if view.is_off or any(view.network[part] is None for part in ("subnets", "route_tables", "nat_gateways", "endpoints")):
            continue
        for subnet in service["subnets"]:
            state, why = preflight_network.way_out(subnet, service["has_public_address"], _CALLED_BEFORE_A_START, view.network)
            if state == preflight_network.CLOSED:
                remedy = f"After a stop: {view.playbook('start.yml')}; else {view.playbook('infra.yml')} puts NAT gateway and route back"
                cause = "The tasks' subnets have no way out, so no task can fetch its image or its secrets"
                yield Found("no_way_out", name, cause, remedy, evidence=[f"subnet {subnet}: {why}"], about=(name,))


def paths(view: View) -> Iterator[Found]:
    """Security groups from the load balancer to the services, and from them to database and Redis."""
    if view.network["subnets"] is None:
        return
    addresses_of = {subnet["SubnetId"]: subnet["CidrBlock"] for subnet in view.network["subnets"]}
    everywhere = list(addresses_of.values())
    for name, service in view.services.items():
        own, at = set(service["security_groups"]), [addresses_of[subnet] for subnet in service["subnets"] if subnet in addresses_of]
        hops = []
        if view.load_balancer:
            for side in service["balancers"]:
                groups = set(view.load_balancer["security_groups"])
                hops.append(("path_to_service", "the load balancer", "the tasks", groups, own, everywhere, at, side["port"], name))
        for code, label, entry, about in (("path_to_database", "the database", view.database, "database"), ("path_to_redis", "Redis", view.redis, "redis")):
            if entry and entry.get("security_groups"):
                hops.append((code, "the tasks", label, own, set(entry["security_groups"]), at, everywhere, entry["port"], about))
        for code, source, target, out_of, into, from_addresses, to_addresses, port, about in hops:
            problems = preflight_network.path(view.groups, out_of, into, from_addresses, to_addresses, port)
            closed = [what for state, what in problems if state == preflight_network.CLOSED]
            if closed:
                cause = f"The security groups do not let {source} reach {target} on port {port}"
                evidence = [f"TCP port {port} from {view.group_names(out_of)} to {view.group_names(into)}: {what}" for what in closed]
                yield Found(code, name, cause, f"Put the rule back: {view.playbook('infra.yml')}", evidence=evidence, about=(about,))


def secrets(view: View) -> Iterator[Found]:
    known = view.facts["secrets"]
    if not known:
        return
    path = view.ssm_path + "/"
    for name, service in view.services.items():
        gone = {}
        for arn in view.current(service):
            for container in view.definition(arn).get("containers", []):
                for secret in container["secrets"]:
                    parameter = known["referred"].get(secret["from"])
                    if parameter in known["missing"]:
                        definition = view.definition(arn)["name"]
                        gone[parameter] = f"{definition} wants {parameter} as {secret['name']} in container {container['name']}: SSM has no such parameter"
        if gone:
            yield Found(
                "secret_missing",
                name,
                f"A task that starts now fails: {', '.join(sorted(gone))} does not exist in SSM",
                secret_remedy(view, sorted(gone), path),
                evidence=list(gone.values()),
                about=(name,),
            )
    unset = [parameter["name"] for parameter in known["parameters"] if not parameter["is_set"]]
    if unset:
        yield Found(
            "secret_not_set",
            ", ".join(parameter.removeprefix(path) for parameter in unset),
            "Secrets still have the placeholder instead of a value",
            f"Set them: {view.playbook('secrets.yml')}. Then let the tasks take them: {restart_command(view, list(view.services))}",
            evidence=[f"{parameter} is empty or the placeholder" for parameter in unset],
        )


def secret_remedy(view: View, parameters: list[str], path: str) -> str:
    """Who writes a parameter decides what brings it back."""
    outside = [parameter for parameter in parameters if not parameter.startswith(path)]
    by_terraform = [p for p in parameters if p not in outside and p.removeprefix(path) in _WRITTEN_BY_TERRAFORM]
    by_people = [p for p in parameters if p not in outside and p not in by_terraform]
    steps = []
    if by_people:
        steps.append(f"{view.playbook('secrets.yml')} creates and sets {', '.join(by_people)} (if they belong to atena_manual_secrets)")
    if by_terraform:
        steps.append(f"{view.playbook('infra.yml')} writes {', '.join(by_terraform)} anew")
    if outside:
        steps.append(f"{', '.join(outside)} is outside {path}: check the path in the task definition, or create it with `aws ssm put-parameter`")
    return "; ".join(steps) + ". ECS tries again by itself; a release that was taken back needs " + view.playbook("deploy.yml")


def images(view: View) -> Iterator[Found]:
    for name, service in view.services.items():
        for arn in view.current(service):
            definition = view.definition(arn)
            if definition.get("is_template"):
                continue  # never meant to run: it names a tag that exists after the first push
            for container in definition.get("containers", []):
                image = view.facts["images"].get(container["image"])
                if image and image["exists"] is False:
                    cause = f"A task that starts now fails: the image of container {container['name']} is not in ECR"
                    evidence = [f"{definition['name']} wants {container['image']}", image["why"]]
                    yield Found("image_missing", name, cause, image_remedy(view), evidence=evidence, about=(name,))
                    continue
                wanted = PLATFORMS.get(definition["architecture"])
                built = sorted({item["architecture"] for item in (image or {}).get("platforms") or [] if item["architecture"]})
                if wanted and built and wanted not in built:
                    cause = f"The image of container {container['name']} is built for {', '.join(built)}, but its tasks run on {wanted}"
                    remedy = f"Build it for linux/{wanted}: {view.playbook('deploy.yml')}; or set the service's architecture in atena_services"
                    evidence = [f"{definition['name']} ({definition['architecture']}) wants {container['image']}"]
                    yield Found("wrong_architecture", name, cause, remedy, evidence=evidence, about=(name,))


def image_remedy(view: View) -> str:
    return f"{view.playbook('deploy.yml')} builds, pushes and releases the commit that is checked out; an earlier release: {view.playbook('rollback.yml')}"


def log_groups(view: View) -> Iterator[Found]:
    for group, exists in view.facts["log_groups"].items():
        if exists is False:
            cause = "A task that starts now fails: its log group does not exist"
            yield Found("log_group_missing", group, cause, f"Create it: {view.playbook('infra.yml')}")


RULES = (reading, power, begun, services, database, redis, addresses, load_balancer, way_out, paths, secrets, images, log_groups)
