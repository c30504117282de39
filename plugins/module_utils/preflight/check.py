# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a release can succeed: one verdict over everything that it needs, all findings at once, each with its remedy.

preflight.read gathers the facts; they are judged here, in preflight.access (roles) and in preflight.network (ways and paths).
"""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.ecs import revision as ecs_revision
from ansible_collections.atena.aws.plugins.module_utils.ecs.references import log_groups_of, parameter_name, ports_of, secrets_of
from ansible_collections.atena.aws.plugins.module_utils.environment import destroy_record, unfinished
from ansible_collections.atena.aws.plugins.module_utils.images.bundle import VARIABLES
from ansible_collections.atena.aws.plugins.module_utils.preflight import read as preflight_read
from ansible_collections.atena.aws.plugins.module_utils.preflight.access import check_access, check_roles
from ansible_collections.atena.aws.plugins.module_utils.preflight.database_tls import check_certificate, check_database_tls
from ansible_collections.atena.aws.plugins.module_utils.preflight.findings import bad, doubt, good, not_determined, result_of, unread, verdict_lines
from ansible_collections.atena.aws.plugins.module_utils.preflight.network import check_security_groups, check_way_out

__all__ = ["judge", "preflight", "verdict_lines"]

_INFRA = "Run infra.yml."
_ROLLING = (
    "Set the service back to rolling deployments without hooks and bake time (console: Update service, Deployment options; or aws ecs update-service "
    "--deployment-configuration with strategy=ROLLING), then check again."
)
_START = "Start the environment first (start.yml)."
# ECS's own, when a container says nothing.
_STOP_TIMEOUT = 30
# A new task needs some time to be pulled and to start, beside what the load balancer and the old task take.
_SHORTEST_START = 60
# The Docker architectures of Fargate's platforms.
_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}
# States in which an instance serves connections, though something goes on (RDS user guide, 'Viewing DB instance status').
_SERVING = {
    "available": {"available"},
    "busy": {
        "backing-up",
        "configuring-enhanced-monitoring",
        "configuring-log-exports",
        "modifying",
        "storage-config-upgrade",
        "storage-initialization",
        "storage-optimization",
        "snapshotting",
    },
}


def check_gates(facts: dict, request: dict) -> list[dict]:
    """The environment was not stopped."""
    if not request.get("gates_bucket"):
        return []
    gates, subject = facts.get("gates"), f"s3://{request['gates_bucket']}/{request['gates_key']}"
    if unread(gates):
        return [not_determined("gates", subject, gates)]
    if gates is None:
        return [bad("gates", subject, "does not exist: it is not known what is switched on.", "Run bootstrap.yml.")]
    if facts.get("destroyed"):
        return [_destroyed(facts["destroyed"])]
    power, redis = gates.get("power"), gates.get("redis")
    if power not in ("on", "off"):
        says = 'does not say whether "power" is "on" or "off".'
        return [bad("gates", subject, says, 'S3\'s versions of it hold the last good one; it reads {"power": "on", "redis": "present"}.')]
    findings = [good("gates", "power", "on") if power == "on" else bad("gates", "power", "off: the environment is stopped.", _START)]
    findings += _unfinished(facts.get("journal")) + _begun(facts.get("unfinished"))
    if request.get("redis_id"):
        if redis == "present":
            findings.append(good("gates", "redis", "present"))
        elif redis == "adopt":
            findings.append(bad("gates", "redis", "adopt: a start of the environment is incomplete.", "Run start.yml again: it resumes from there."))
        else:
            findings.append(bad("gates", "redis", f"{redis}: there is no Redis.", _START))
    return findings


def _destroyed(standing: dict) -> dict:
    """Of an environment that was destroyed, or half: this is why the rest is missing."""
    if unread(standing):
        return not_determined("gates", "record of the destroy", standing)
    remedy = "Run redeploy.yml, which also releases." if standing["state"] == destroy_record.DESTROYED else "Run destroy.yml again."
    return bad("gates", "record of the destroy", f"{destroy_record.says(destroy_record.Standing(**standing))}.", remedy)


def _unfinished(journal: dict | None) -> list[dict]:
    """A stop or start whose run died, whatever the gates say so far: the counts are on their way to 0, or back."""
    if unread(journal):
        return [not_determined("gates", "power journal", journal)]
    verb = {"stopping": "stop", "starting": "start"}.get((journal or {}).get("state", ""))
    if journal is None or verb is None:
        return []
    says = f"a {verb} of the environment, begun at {journal['since']}, is incomplete."
    return [bad("gates", "power journal", says, "Run start.yml: it resumes from there, or reverses it.")]


def _begun(found: list[dict] | None) -> list[dict]:
    """What is on record without its end. What a release would meet half-way stands in its way; a redeploy releases itself, and so may whoever mends it."""
    if unread(found):
        return [not_determined("gates", "records", found)]
    findings = []
    for entry in found or []:
        way = unfinished.way_on(entry, unfinished.typed(entry))
        make = bad if entry["work"] in unfinished.IN_THE_WAY else doubt
        findings.append(make("gates", entry["work"], f"{unfinished.began(entry)}.", f"{way}."))
    return findings


def check_lock(facts: dict, request: dict) -> list[dict]:
    """Nobody else is changing the environment."""
    if request.get("lock_held"):
        return [good("lock", request["name"], "held by this run")]
    if not request.get("lock_table"):
        return []
    lock, name = facts.get("lock"), request["name"]
    if unread(lock):
        return [not_determined("lock", name, lock)]
    if lock is None:
        return [good("lock", name, "free")]
    if lock.get("missing"):
        return [bad("lock", name, f"the lock table {request['lock_table']} does not exist.", "Run bootstrap.yml.")]
    if lock["ours"]:
        return [good("lock", name, "held by this run")]
    if lock["expired"]:
        return [doubt("lock", name, lock["standing"])]
    remedy = f"Wait until that run has ended (a release waits with -e atena_lock_wait_seconds=900), or, if it is certainly dead: lock.yml -e lock_force={name}"
    return [bad("lock", name, lock["standing"], remedy)]


def check_services(facts: dict, request: dict) -> list[dict]:
    """The services and their task definitions are there, and what a newer template brings is told."""
    findings = []
    for wanted in request["services"]:
        name = wanted["name"]
        service, template, running = (facts[kind].get(name) for kind in ("services", "templates", "running"))
        if unread(service):
            findings.append(bad("service", name, f"could not be read, so nothing about it is known. {service['unread']}", "Correct that, then check again."))
            continue
        if service is None:
            findings.append(bad("service", name, f"is no active service of {request['cluster']}.", f"{_INFRA} Check atena_services too."))
        else:
            findings.append(good("service", name, "active"))
        findings.append(_template(wanted, template, running))
    return findings


def _template(wanted: dict, template: dict | None, running: dict | None) -> dict:
    name = wanted["name"]
    if unread(template) or unread(running):
        return not_determined("template", name, template if unread(template) else running)
    given = wanted.get("task_definition")
    if template is None:
        says = f"the task definition {given or wanted.get('template') or name + '-template'} does not exist."
        return bad("template", name, says, "Choose another release." if given else _INFRA)
    if given:
        if template.get("status", "ACTIVE") == "ACTIVE":
            return good("template", name, f"{given.rsplit('/', 1)[-1]} is there")
        says = f"{given.rsplit('/', 1)[-1]} was deregistered: no task can be started from it."
        return bad("template", name, says, "Choose another release.")
    if not ecs_revision.is_template(template):
        says = f"{template['taskDefinitionArn'].rsplit('/', 1)[-1]} is no template (tag {ecs_revision.TEMPLATE_TAG}): somebody else registered it."
        return bad("template", name, says, "Run infra.yml, which registers templates.")
    newest = template["taskDefinitionArn"]
    if running is None or ecs_revision.is_template(running):
        return good("template", name, f"{newest.rsplit('/', 1)[-1]}; no release yet")
    origin = ecs_revision.tags_of(running).get("atena:from", "")
    if origin == newest:
        return good("template", name, f"the running release was made from {newest.rsplit('/', 1)[-1]}")
    differences = ecs_revision.differences(running, template)
    changed = [field for field, (_old, new) in differences.items() if not field.endswith("].image") and not (new is None and _is_bundle(field))]
    if not changed:
        return good("template", name, f"{newest.rsplit('/', 1)[-1]} shows what already runs")
    says = f"{newest.rsplit('/', 1)[-1]} is newer than the running release ({origin.rsplit('/', 1)[-1] or 'made otherwise'}); this release picks up: "
    return doubt("template", name, f"{says}{', '.join(changed[:8])}{', ...' if len(changed) > 8 else ''}.", "Nothing to do if that is meant.")


def _is_bundle(field: str) -> bool:
    """What a release adds to its template by itself (release/prepare.py)."""
    return any(f".environment[{name}]." in field for name in VARIABLES)


def check_images(facts: dict, request: dict) -> list[dict]:
    """Each image is in ECR, for the CPU architecture that the task definition asks for."""
    findings, asked = [], {service["name"]: service for service in request["services"]}
    for name, definition in facts["definitions"].items():
        platform = definition.get("runtimePlatform") or {}
        wanted = platform.get("cpuArchitecture") or "X86_64"
        for container, reference in facts["service_images"][name].items():
            image, subject = facts["images"].get(reference), f"{name}/{container}"
            short = reference.rsplit("/", 1)[-1]
            of_release = bool(asked[name].get("task_definition")) or container in (asked[name].get("images") or {})
            if unread(image):
                findings.append(not_determined("image", subject, image))
            elif image is None:
                findings.append(doubt("image", subject, f"{reference} is not in this region's ECR: whether it exists was not checked."))
            elif not image["exists"]:
                findings.append(_missing_image(subject, short, image["why"], of_release))
            else:
                findings.append(good("image", subject, f"{short} is in ECR"))
                findings.append(_architecture(subject, short, wanted, image))
    return findings


def _missing_image(subject: str, short: str, why: str, of_release: bool) -> dict:
    if not of_release:  # a template's tag before the first release, or what runs now: the release brings its own
        remedy = "A task that has to start now could not. deploy.yml builds and pushes it, and releases what is checked out."
        return doubt("image", subject, f"{short}: {why}.", remedy)
    remedy = "Push it again, or release a commit whose images are there: deploy.yml builds and pushes those of the commit that is checked out."
    return bad("image", subject, f"{short}: {why}.", remedy)


def _architecture(subject: str, short: str, wanted: str, image: dict) -> dict:
    platforms = image["platforms"]
    if not platforms or not all(item["architecture"] for item in platforms):
        return doubt("architecture", subject, f"of {short} could not be determined. {image['why']}".strip())
    built = sorted({item["architecture"] for item in platforms if item["os"] in ("linux", "")})
    docker = _ARCHITECTURES.get(wanted, wanted.lower())
    if docker in built:
        return good("architecture", subject, f"{docker}, as {wanted} needs")
    return bad(
        "architecture",
        subject,
        f"{short} is built for {', '.join(built) or 'another operating system'}, and the task definition asks for {wanted} ({docker}): "
        "the container would end with 'exec format error'.",
        f"Build it with --platform linux/{docker}, or set the service's architecture in atena_services and run infra.yml.",
    )


def check_secrets(facts: dict, request: dict) -> list[dict]:
    """Each secret that a task definition names exists and was set."""
    users: dict[str, list[str]] = {}
    for name, definition in facts["definitions"].items():
        for reference in secrets_of(definition):
            users.setdefault(reference, []).append(name)
    findings = []
    for reference, names in users.items():
        name, by = parameter_name(reference, facts["scope"]["region"]), f"wanted by {', '.join(names)}"
        fact = facts["parameters"].get(name) if name else None
        if name is None or fact is None:
            findings.append(doubt("secret", reference, f"is no parameter of this region's Parameter Store ({by}): whether it can be read was not checked."))
        elif unread(fact):
            findings.append(not_determined("secret", name, fact))
        else:
            findings.append(_secret(name, fact["state"], by, request))
    return findings


def _secret(name: str, state: str, by: str, request: dict) -> dict:
    short = name.rsplit("/", 1)[-1]
    ours = name.startswith(f"{(request.get('ssm_path') or '').rstrip('/')}/")
    remedy = f"Run secrets.yml with {short} set." if ours else f"Create it: aws ssm put-parameter --type SecureString --name {name}"
    if state == "missing":
        generated = " (DATABASE_URL and REDIS_URL: infra.yml makes them.)" if short in ("DATABASE_URL", "REDIS_URL") else ""
        return bad("secret", name, f"does not exist ({by}): no task could start.", f"{remedy}{generated}")
    if state == "placeholder":
        return bad("secret", name, f"is still {request.get('placeholder') or 'CHANGE_ME'} ({by}).", remedy)
    if state == "empty":
        return bad("secret", name, f"is empty ({by}).", remedy)
    return good("secret", name, "set")


def check_log_groups(facts: dict, request: dict) -> list[dict]:
    """Each log group exists: ECS starts no task that cannot log."""
    findings = []
    for group, names in _log_group_users(facts).items():
        there = facts["log_groups"].get(group)
        if unread(there):
            findings.append(not_determined("log_group", group, there))
        elif there is None:
            findings.append(doubt("log_group", group, f"is in another region (wanted by {', '.join(names)}): it was not checked."))
        elif there:
            findings.append(good("log_group", group, "exists"))
        else:
            findings.append(bad("log_group", group, f"does not exist (wanted by {', '.join(names)}): no task could start.", f"{_INFRA}"))
    return findings


def _log_group_users(facts: dict) -> dict:
    users: dict[str, list[str]] = {}
    for name, definition in facts["definitions"].items():
        for group in log_groups_of(definition, facts["scope"]["region"]):
            users.setdefault(group, []).append(name)
    return users


def check_target_groups(facts: dict, request: dict) -> list[dict]:
    """Requests reach a new task: listener, port and health check."""
    findings, paths = [], {service["name"]: service.get("health_path") for service in request["services"]}
    for name, service in facts["services"].items():
        if not service or unread(service) or name not in facts["definitions"]:
            continue
        for item in service.get("loadBalancers", []):
            arn = item.get("targetGroupArn")
            if not arn:
                continue
            group, subject = facts["target_groups"].get(arn), arn.rsplit("/", 2)[-2]
            if unread(group):
                findings.append(not_determined("target_group", subject, group))
            elif group is None:
                findings.append(bad("target_group", subject, f"does not exist, and {name} registers its tasks there.", _INFRA))
            else:
                findings.append(_attached(subject, group, facts["balancers"]))
                findings.append(_port(subject, name, item, group, facts["definitions"][name]))
                findings.extend(_health_path(subject, group, paths.get(name)))
    return findings


def _attached(subject: str, group: dict, balancers: dict) -> dict:
    doubtful = None
    for arn in group.get("LoadBalancerArns", []):
        balancer = balancers.get(arn)
        if unread(balancer):
            doubtful = balancer
        elif balancer and group["TargetGroupArn"] in balancer["forwards_to"]:
            state = balancer.get("State", {}).get("Code", "")
            if state in ("active", "active_impaired"):
                return good("target_group", subject, f"a listener of {balancer['LoadBalancerName']} forwards to it")
            return bad("target_group", subject, f"the load balancer {balancer['LoadBalancerName']} is {state}.", "Wait until it is active.")
    if doubtful:
        return not_determined("target_group", subject, doubtful)
    says = "no listener or rule forwards to it: its targets are never checked, so a deployment would wait for ever."
    return bad("target_group", subject, says, "Run infra.yml, which makes listeners and rules; if the environment is stopped, start it instead.")


def _port(subject: str, name: str, item: dict, group: dict, definition: dict) -> dict:
    container, port = item.get("containerName", ""), item.get("containerPort")
    ports = ports_of(definition, container)
    if ports is None:
        says = f"{name} registers the container {container}, which {definition['family']} does not have."
        return bad("port", subject, says, "Give the container that name in atena_services, or recreate the service.")
    if port not in ports:
        says = f"{name} registers port {port} of {container}, whose port mappings are {', '.join(map(str, ports)) or 'none'}."
        return bad("port", subject, says, f"Make the container listen on {port}, or change the port in atena_services and run infra.yml.")
    checked = group.get("HealthCheckPort", "traffic-port")
    if checked not in ("traffic-port", str(port)):
        says = f"its health check asks port {checked}, and {container} listens on {port}: no target would get healthy."
        return bad("port", subject, says, f"Set the health check's port to traffic-port: {_INFRA}")
    if group.get("Port") not in (port, None):
        says = f"its own port is {group['Port']}, and {container} listens on {port}. ECS registers tasks with {port}, so it works; somebody changed one."
        return doubt("port", subject, says, _INFRA)
    return good("port", subject, f"{port}, as {container} listens")


def _health_path(subject: str, group: dict, expected: str | None) -> list[dict]:
    if not expected or group.get("HealthCheckProtocol") not in ("HTTP", "HTTPS"):
        return []
    path = group.get("HealthCheckPath", "/")
    if path == expected:
        return [good("health_path", subject, path)]
    says = f"its health check asks {path}, and the application answers on {expected}: no target would get healthy."
    return [bad("health_path", subject, says, f"{_INFRA} Or correct health_check_path in atena_services.")]


def check_strategy(facts: dict, request: dict) -> list[dict]:
    """A release is a rolling deployment that nobody has to nod through. What was set by hand shows here, and not as a deployment that never ends."""
    findings = []
    for name, service in facts["services"].items():
        if not service or unread(service):
            continue
        controller = (service.get("deploymentController") or {}).get("type") or "ECS"
        configuration = service.get("deploymentConfiguration") or {}
        strategy = configuration.get("strategy") or "ROLLING"
        stages = _hooks(configuration)
        if controller != "ECS":
            says = f"its deployment controller is {controller}, which takes no new task definition from UpdateService."
            findings.append(bad("strategy", name, says, f"Give the service the controller ECS again: {_INFRA}"))
        elif strategy != "ROLLING":
            extras = [f"{configuration['bakeTimeInMinutes']} min bake time"] if configuration.get("bakeTimeInMinutes") else []
            extras += [f"{kind} hook at {stage}" for kind, stage in stages]
            says = f"its deployment strategy is {strategy}{' with ' + ', '.join(extras) if extras else ''}; a release waits for a rolling one."
            findings.append(bad("strategy", name, f"{says} A good release could be reverted at its deadline.", _ROLLING))
        elif any(kind == "PAUSE" for kind, _stage in stages):
            where = ", ".join(stage for kind, stage in stages if kind == "PAUSE")
            says = f"a PAUSE hook stops every deployment at {where} until somebody calls ContinueServiceDeployment."
            findings.append(bad("strategy", name, f"{says} A good release could be reverted at its deadline.", _ROLLING))
        elif stages:
            says = f"each deployment waits for {', '.join(f'the {kind} hook at {stage}' for kind, stage in stages)}. How long that takes is not known here."
            findings.append(doubt("strategy", name, says, _ROLLING))
        else:
            findings.append(_percents(name, int(service.get("desiredCount") or 0), configuration))
    return findings


def _percents(name: str, count: int, configuration: dict) -> dict:
    """ECS starts a new task only within maximumPercent (rounded down), and stops an old one only above minimumHealthyPercent (rounded up)."""
    minimum, maximum = (configuration.get(key, usual) for key, usual in (("minimumHealthyPercent", 100), ("maximumPercent", 200)))
    most, least = count * maximum // 100, -(-count * minimum // 100)
    if count and most <= count <= least:
        says = (
            f"of its {count} task{'' if count == 1 else 's'} ECS may stop none (minimumHealthyPercent {minimum} keeps {least}) and start none in addition to "
            f"them (maximumPercent {maximum} allows {most}): a deployment would wait for ever."
        )
        remedy = f"Lower minimum_healthy_percent or raise maximum_percent of the service in atena_services. {_INFRA}"
        return bad("strategy", name, says, remedy)
    return good("strategy", name, "rolling")


def _hooks(configuration: dict) -> list[tuple[str, str]]:
    """(kind, lifecycle stage) of each hook. Without a kind it is a Lambda function's: there was no other before PAUSE."""
    return [
        (hook.get("targetType") or "AWS_LAMBDA", stage) for hook in configuration.get("lifecycleHooks") or [] for stage in hook.get("lifecycleStages") or ["?"]
    ]


def check_deadline(facts: dict, request: dict) -> list[dict]:
    """A deployment that goes well ends before the rollout's deadline."""
    timeout, findings = request.get("rollout_timeout"), []
    for name, service in facts["services"].items():
        if not timeout or not service or unread(service) or name not in facts["definitions"]:
            continue
        parts = _waiting(name, service, facts)
        unknown = next((part for part in parts.values() if unread(part)), None)
        if unknown:
            findings.append(not_determined("deadline", name, unknown))
            continue
        needed = sum(parts.values())
        sum_of = " + ".join(f"{seconds} s {what}" for what, seconds in parts.items() if seconds)
        remedy = "Raise atena_rollout_timeout_seconds, or lower atena_deregistration_delay_seconds or the service's stop_timeout and run infra.yml."
        if parts["bake time"]:
            remedy += f" {_ROLLING}"
        if needed >= timeout:
            findings.append(bad("deadline", name, f"a deployment may take {sum_of}, and the deadline is {timeout} s: it would be called failed.", remedy))
        elif timeout - needed < _SHORTEST_START:
            says = f"a deployment may take {sum_of}, which leaves {timeout - needed} s of the {timeout} s for the new tasks to start."
            findings.append(doubt("deadline", name, says, remedy))
        else:
            findings.append(good("deadline", name, f"{needed} s of {timeout} s at most are spent waiting for what goes well"))
    return findings


def _waiting(name: str, service: dict, facts: dict) -> dict:
    """{what: seconds} that a deployment spends at the worst beside starting its tasks."""
    healthy = delay = 0
    configuration = service.get("deploymentConfiguration") or {}
    # Of another strategy check_strategy speaks, with its bake time.
    bake = 60 * (configuration.get("bakeTimeInMinutes") or 0) if configuration.get("strategy") in (None, "ROLLING") else 0
    for item in service.get("loadBalancers", []):
        group, attributes = facts["target_groups"].get(item.get("targetGroupArn")), facts["attributes"].get(item.get("targetGroupArn"))
        broken = next((fact for fact in (group, attributes) if unread(fact)), None)
        if broken:
            return {"": broken}
        if group:
            healthy = max(healthy, group.get("HealthCheckIntervalSeconds", 30) * group.get("HealthyThresholdCount", 5))
            delay = max(delay, int((attributes or {}).get("deregistration_delay.timeout_seconds", 300)))
    stop = max(container.get("stopTimeout", _STOP_TIMEOUT) for container in facts["definitions"][name]["containerDefinitions"])
    return {"until a target counts as healthy": healthy, "deregistration delay": delay, "stopTimeout": stop, "bake time": bake}


def check_database(facts: dict, request: dict) -> list[dict]:
    """The database runs."""
    identifier = request.get("database_id")
    if not identifier:
        return []
    remedy = f"If the environment is stopped, start it; else: aws rds start-db-instance --db-instance-identifier {identifier}"
    return [_data("database", identifier, facts.get("database"), "DBInstanceStatus", {"stopped": remedy, "stopping": f"Wait until it is stopped. {remedy}"})]


def check_redis(facts: dict, request: dict) -> list[dict]:
    """Redis runs."""
    identifier = request.get("redis_id")
    return [_data("redis", identifier, facts.get("redis"), "CacheClusterStatus", {})] if identifier else []


def _data(check: str, identifier: str, fact: dict | None, key: str, remedies: dict) -> dict:
    if unread(fact):
        return not_determined(check, identifier, fact)
    if fact is None:
        return bad(check, identifier, "does not exist.", "If the environment is stopped, start it; if it was never made, run infra.yml.")
    state = fact.get(key, "")
    if state in _SERVING["available"]:
        return good(check, identifier, state)
    if state in _SERVING["busy"]:
        return doubt(check, identifier, f"is {state}: it answers, perhaps slowly.", "Wait until it is available if the release can wait.")
    return bad(check, identifier, f"is {state or 'in an unknown state'}, not available.", remedies.get(state, "Wait until it is available, then check again."))


# What changes from day to day: asked before a build, which takes minutes. The release asks for everything, under the lock.
STATE_CHECKS = (check_gates, check_lock, check_services, check_secrets, check_strategy, check_database, check_certificate, check_database_tls, check_redis)
CHECKS = (
    check_gates,
    check_lock,
    check_services,
    check_images,
    check_secrets,
    check_roles,
    check_access,
    check_log_groups,
    check_target_groups,
    check_strategy,
    check_deadline,
    check_way_out,
    check_security_groups,
    check_database,
    check_certificate,
    check_database_tls,
    check_redis,
)


def judge(facts: dict, request: dict) -> dict:
    """The verdict over gathered facts."""
    checks = STATE_CHECKS if request.get("checks") == preflight_read.STATE else CHECKS
    return result_of([found for check in checks for found in check(facts, request)])


def preflight(call: Aws, request: dict) -> dict:
    """Reads and judges everything that the next release of these services needs. Writes nothing.

    request: name, cluster, services, and where they apply ssm_path, placeholder, database_id, redis_id, rollout_timeout, gates_bucket, gates_key, journal_key,
    lock_table, own_token, lock_held (in place of these two, by who holds it), ca_bundles (whether a release tells containers of their image's certificate
    bundle), checks (preflight_read.STATE for STATE_CHECKS only).

    A service: name; optionally images ({container: image} of the release; without them those that run), template (default
    `<name>-template`) or instead of it task_definition (the revision that shall run), health_path (where the application answers health checks).

    Returns {"findings": [{"check", "subject", "status": "ok"|"warning"|"failed", "says", "remedy"}], "failed": n, "warnings": n}. What the caller
    may not read is a warning, never an ok. Raises CallFailed only when nothing can be read: credentials that do not work, no connection.
    """
    return judge(preflight_read.gather(call, request), request)
