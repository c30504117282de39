# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWS has and lacks now, as causes of a diagnosis: power, database, Redis, load balancer, secrets, images, rights. No call to AWS here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.errors import THROTTLES
from ansible_collections.atena.aws.plugins.module_utils.diagnosis import remedies
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import LIKELY, Found, Step, shown
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import RUNNING, Access, Database, Redis, Service
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.view import View
from ansible_collections.atena.aws.plugins.module_utils.ecs.references import role_name
from ansible_collections.atena.aws.plugins.module_utils.environment import unfinished
from ansible_collections.atena.aws.plugins.module_utils.images.plan import PLATFORMS

# States in which RDS and ElastiCache serve their clients.
DATABASE_SERVES = {"available", "backing-up", "storage-optimization", "configuring-enhanced-monitoring", "configuring-log-exports", "storage-config-upgrade"}
REDIS_SERVES = {"available", "snapshotting", "modifying"}
_DATABASE_PASSES = {"creating", "starting", "rebooting", "upgrading", "maintenance", "modifying", "renaming", "resetting-master-credentials"}
_RIGHTS = {
    "assume": ("ROLE_NOT_ASSUMABLE", "ECS may not assume its execution role"),
    "pull": ("IMAGE_DENIED", "its execution role may not pull the image"),
    "secrets": ("SECRET_DENIED", "its execution role may not read its secrets"),
    "decrypt": ("SECRET_DENIED", "its execution role may not decrypt its secrets"),
    "logs": ("LOGS_DENIED", "its execution role may not write to its log group"),
}


def reading(view: View) -> Iterator[Found]:
    """What could not be read: with expired credentials everything, with missing permissions a part."""
    unread = view.facts.unreadable
    if not unread:
        return
    evidence = shown(*dict.fromkeys(f"{item.part}: {item.why}" for item in unread))
    again = view.step("Then run the diagnosis again", "diagnose.yml")
    if any(item.code in THROTTLES for item in unread):
        steps = [Step("Wait a minute"), again]
        yield Found("AWS_THROTTLED", view.name, "AWS throttles the account's calls, so not everything could be read", steps, evidence=evidence)
    if not view.was_read("services"):
        steps = [Step("Get working credentials"), again]
        yield Found("AWS_NOT_READABLE", view.name, "AWS refuses to show the environment", steps, evidence=evidence)
    else:
        steps = [Step("Give the caller the permissions that the README of the role `diagnose` lists"), again]
        yield Found("PARTLY_READABLE", view.name, "Not everything could be read, so a cause may be missing here", steps, evidence=evidence, folds=True)


def power(view: View) -> Iterator[Found]:
    if view.is_off:
        gates = view.facts.gates or {}
        evidence = shown(f"gates object: power {gates.get('power')}, redis {gates.get('redis', 'unknown')}")
        steps = [view.step("Start the environment", "start.yml")]
        yield Found("ENVIRONMENT_STOPPED", view.name, "The environment was stopped on purpose", steps, evidence=evidence)


def begun(view: View) -> Iterator[Found]:
    """What is on record without its end: the parts of an environment are in transition then."""
    for entry in view.facts.unfinished or []:
        code = "WORK_INCOMPLETE" if entry["work"] in unfinished.IN_THE_WAY else "REDEPLOY_INCOMPLETE"
        cause = unfinished.began(entry)
        steps = [view.step("Finish it", entry["playbook"], *entry["options"])]
        if entry["besides"]:
            steps.append(Step(entry["besides"], instead=True))
        yield Found(code, view.name, f"{cause[0].upper()}{cause[1:]}", steps, at=entry["since"])


def services(view: View) -> Iterator[Found]:
    if view.was_read("services"):
        for name in view.facts.missing_services:
            steps = [
                view.step("Create it", "infra.yml"),
                Step("If it should exist, check atena_project, atena_stage and atena_region in the inventory", instead=True),
            ]
            yield Found("SERVICE_MISSING", name, f"The cluster {view.cluster} has no such service", steps, concerns=(name,))
    for name, service in view.services.items():
        if service.desired_count == 0 and not view.is_off:
            yield _without_tasks(view, name, service)


def _without_tasks(view: View, name: str, service: Service) -> Found:
    if view.definition(service.task_definition).is_template:
        steps = [view.step("Release the application", "deploy.yml")]
        return Found("NEVER_RELEASED", name, "No release ever ran", steps, concerns=(name,))
    steps = [view.step("If that is not wanted, scale it up", "scale.yml", f"scale={view.key(name)}=1")]
    return Found("SCALED_TO_ZERO", name, "It is scaled to 0 tasks", steps, concerns=(name,))


def database(view: View) -> Iterator[Found]:
    entry, identifier = view.database, view.request.get("database_id")
    if not identifier or not view.was_read("database"):
        return
    if not entry:
        steps = [
            view.step("If it never existed, create it", "infra.yml"),
            view.step("If it was deleted, restore it from a snapshot", "restore_database.yml", instead=True),
        ]
        yield Found("DATABASE_MISSING", identifier, "The database does not exist", steps)
        return
    made = _database_state(view, entry)
    if made:
        code, cause, steps = made
        evidence = shown(f"RDS: status {entry.status}, {entry.engine} {entry.engine_version}, {entry.endpoint or 'no endpoint'}")
        if entry.restarts_at and entry.status == "stopped":
            evidence += shown(f"AWS starts it automatically at {entry.restarts_at}")
        yield Found(code, identifier, cause, steps, evidence=evidence)


def _database_state(view: View, entry: Database) -> tuple[str, str, list[Step]] | None:
    status = entry.status
    if status in ("stopped", "stopping"):
        steps = [view.step("Start the environment, with its database", "start.yml")]
        return None if view.is_off else ("DATABASE_STOPPED", f"The database is {status}", steps)
    if status == "storage-full":
        steps = [Step("Raise atena_database.allocated_storage in the inventory"), view.step("Apply it", "infra.yml")]
        return "DATABASE_FULL", "The database's disk is full", steps
    if status in DATABASE_SERVES:
        return None
    steps = [Step("It is temporary: wait"), view.step("Then check again", "status.yml")]
    if status not in _DATABASE_PASSES:
        events = f"aws rds describe-events --source-type db-instance --source-identifier {entry.id} --duration 1440"
        steps = [Step("Read the reason in its events", events)]
    return "DATABASE_NOT_READY", f"The database is {status}", steps


def redis(view: View) -> Iterator[Found]:
    entry = view.redis
    if not view.was_read("redis") or not entry:
        return
    if entry.status == "absent":
        if not view.is_off:
            yield _redis_missing(view, entry)
    elif entry.status not in REDIS_SERVES:
        steps = [Step("It is temporary: wait"), view.step("Then check again", "status.yml")]
        yield Found("REDIS_NOT_READY", entry.id, f"Redis is {entry.status}", steps, evidence=shown(f"ElastiCache: status {entry.status}"))
    elif entry.came_back_empty_at:
        steps = [view.step("Enqueue again what the database has (atena_reenqueue_command)", "start.yml")]
        evidence = shown(f"an event of {entry.id} at {entry.came_back_empty_at}: its node was recovered or restarted")
        cause = "Redis is empty: AWS replaced or restarted its node, and what was queued is gone"
        yield Found("REDIS_EMPTY", entry.id, cause, steps, evidence=evidence, at=entry.came_back_empty_at)


def _redis_missing(view: View, entry: Redis) -> Found:
    gate = (view.facts.gates or {}).get("redis", "")
    evidence = shown(f"ElastiCache has no cluster {entry.id}")
    evidence += shown(f"gates object: redis {gate}") if gate else []
    evidence += shown(f"snapshots of it: {', '.join(entry.snapshots)}") if entry.snapshots else []
    empty = view.step("Create an empty one, and enqueue what the database has", "start.yml", "start_without_queue=true")
    if gate == "absent":
        steps = [view.step("Restore it from its snapshot", "start.yml")]
    elif entry.snapshots:
        steps = [view.step(f"Restore it from {entry.snapshots[0]}", "start.yml", f"start_redis_snapshot={entry.snapshots[0]}"), empty._replace(instead=True)]
    else:
        steps = [empty]
    return Found("REDIS_MISSING", entry.id, "Redis does not exist: it was deleted, or never created", steps, evidence=evidence)


def addresses(view: View) -> Iterator[Found]:
    """DATABASE_URL and REDIS_URL against the endpoints: a cluster that was recreated may have another."""
    secrets = view.facts.secrets
    parts: tuple[tuple[str, bool | None, Any, str], ...] = (
        ("DATABASE_URL", secrets.database_url_is_right if secrets else None, view.database, "the database"),
        ("REDIS_URL", secrets.redis_url_is_right if secrets else None, view.redis, "Redis"),
    )
    for name, is_right, entry, label in parts:
        if is_right is False and entry:
            at, parameter = f"{entry.endpoint}:{entry.port}", f"{view.ssm_path}/{name}"
            evidence = shown(f"{label} is at {at}; the value of {parameter} (not shown) names another host or port")
            cause = f"{name} names another address than {label} has"
            yield Found(f"{name}_WRONG", name, cause, remedies.rewritten(view, name), evidence=evidence)


def load_balancer(view: View) -> Iterator[Found]:
    balanced = [service for service in view.services.values() if service.has_load_balancer]
    if not balanced or view.is_off or not view.was_read("load_balancer"):
        return
    concerns = tuple(service.name for service in balanced)
    entry, name = view.load_balancer, resource_names.load_balancer(view.name)
    if not entry:
        steps = remedies.infrastructure(view, "Create it")
        yield Found("LOAD_BALANCER_MISSING", name, "The load balancer does not exist, so nobody reaches the application", steps, concerns=concerns)
        return
    if entry.state not in ("active", "active_impaired"):
        steps = [Step("It is temporary: wait some minutes")] if entry.state == "provisioning" else [view.step("Create it again", "infra.yml")]
        yield Found("LOAD_BALANCER_NOT_READY", name, f"The load balancer is {entry.state or 'in an unknown state'}", steps, concerns=concerns)
    for service in balanced:
        for _side, group in view.target_groups(service):
            if not group.load_balancers:
                cause = f"No listener or rule sends requests to its target group {group.name}"
                evidence = shown(f"listeners of {name}: {', '.join(str(item.port) for item in entry.listeners) or 'none'}")
                steps = [view.step("Create the listener or its rule", "infra.yml")]
                yield Found("LISTENER_MISSING", service.name, cause, steps, evidence=evidence, concerns=(service.name,))


def secrets(view: View) -> Iterator[Found]:
    if not view.facts.secrets:
        return
    for name, service in view.services.items():
        gone = _missing_parameters(view, service)
        if gone:
            cause = f"A task that starts now fails: {', '.join(sorted(gone))} does not exist in SSM"
            yield Found("SECRET_MISSING", name, cause, remedies.secret(view, sorted(gone)), evidence=shown(*gone.values()), concerns=(name,))
    unset = [parameter.name for parameter in view.facts.secrets.parameters if not parameter.is_set]
    if unset:
        names = ", ".join(parameter.removeprefix(view.ssm_path + "/") for parameter in unset)
        steps = [view.step("Set them", "secrets.yml"), remedies.restart(view, view.services, "Then replace the tasks, for them to take the values")]
        evidence = shown(*(f"{parameter} is empty or the placeholder" for parameter in unset))
        yield Found("SECRET_NOT_SET", names, "Secrets still have the placeholder instead of a value", steps, evidence=evidence)


def _missing_parameters(view: View, service: Service) -> dict[str, str]:
    """{parameter: what wants it} of those that the service's revisions name and SSM lacks."""
    known = view.facts.secrets
    gone = {}
    for arn in service.revisions if known else []:
        for container in view.definition(arn).containers:
            for secret in container.secrets:
                parameter = known.referred.get(secret.source, "") if known else ""
                if known and parameter in known.missing:
                    wants = f"{view.definition(arn).name} wants {parameter} as {secret.name} in container {container.name}"
                    gone[parameter] = f"{wants}: SSM has no such parameter"
    return gone


def images(view: View) -> Iterator[Found]:
    for name, service in view.services.items():
        for arn in service.revisions:
            definition = view.definition(arn)
            if definition.is_template:
                continue  # never meant to run: it names a tag that exists after the first push
            for container in definition.containers:
                image = view.facts.images.get(container.image)
                if image and not image.exists:
                    cause = f"A task that starts now fails: the image of container {container.name} is not in ECR"
                    evidence = shown(f"{definition.name} wants {container.image}", image.why)
                    yield Found("IMAGE_MISSING", name, cause, remedies.image(view), evidence=evidence, concerns=(name,))
                    continue
                wanted = PLATFORMS.get(definition.architecture)
                built = sorted({item["architecture"] for item in (image.platforms if image else None) or [] if item["architecture"]})
                if wanted and built and wanted not in built:
                    cause = f"The image of container {container.name} is built for {', '.join(built)}, but its tasks run on {wanted}"
                    steps = [
                        view.step(f"Build it for linux/{wanted} and release it", "deploy.yml"),
                        Step("Set the service's architecture in atena_services, and apply infra.yml", instead=True),
                    ]
                    evidence = shown(f"{definition.name} ({definition.architecture}) wants {container.image}")
                    yield Found("IMAGE_WRONG_ARCHITECTURE", name, cause, steps, evidence=evidence, concerns=(name,))


def log_groups(view: View) -> Iterator[Found]:
    for group, exists in view.facts.log_groups.items():
        if exists is False:
            cause = "A task that starts now fails: its log group does not exist"
            yield Found("LOG_GROUP_MISSING", group, cause, [view.step("Create it", "infra.yml")])


def rights(view: View) -> Iterator[Found]:
    """What the execution roles may not do now, whether or not a task has met it."""
    for entry in view.facts.access:
        for name in entry.services if entry.refused else []:
            yield _denied(view, entry, name)


def _denied(view: View, entry: Access, service: str) -> Found:
    code, words = _RIGHTS[entry.purpose]
    role = role_name(entry.role)
    steps = [view.step("Have Terraform write the role and its policy again", "infra.yml")]
    steps.append(Step("If a deny or a permissions boundary forbids it, whoever set that has to lift it", instead=True))
    evidence = shown(*(f"{role} may not {item}" for item in entry.refused))
    return Found(code, service, f"A task that starts now fails: {words} ({role})", steps, evidence=evidence, concerns=(service,))


def old_values(view: View) -> Iterator[Found]:
    """A task has the values that its secrets had when it started."""
    known = view.facts.secrets
    newer, names, stale = [], set(), set()
    for task in view.tasks if known else []:
        if task.service not in view.services or task.state != RUNNING or not task.started_at:
            continue
        for container in view.definition(task.task_definition).containers:
            for secret in container.secrets:
                name = known.referred.get(secret.source, "") if known else ""
                changed = known.modified(name) if known and name else ""
                if changed and changed > task.started_at:
                    names.add(name)
                    stale.add(task.service)
                    newer.append(f"{name} changed {changed}; task {task.task_id} of {task.service} started {task.started_at}")
    if newer:
        cause = f"Running tasks have earlier values of {', '.join(sorted(names))}"
        steps = [remedies.restart(view, stale, "Replace the tasks")]
        yield Found("SECRETS_OUTDATED", ", ".join(sorted(stale)), cause, steps, LIKELY, shown(*newer), concerns=tuple(sorted(stale)))


RULES = (reading, power, begun, services, database, redis, addresses, load_balancer, secrets, images, log_groups, rights, old_values)
