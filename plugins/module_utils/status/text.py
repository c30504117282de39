# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lines that a person reads of environment_info's result. No call to AWS here."""

from __future__ import annotations

import datetime

from ansible_collections.atena.aws.plugins.module_utils.cost import prices
from ansible_collections.atena.aws.plugins.module_utils.ecs.service_text import age, service_line
from ansible_collections.atena.aws.plugins.module_utils.environment import destroy_record, unfinished
from ansible_collections.atena.aws.plugins.module_utils.environment.read import CERTIFICATE_SOON
from ansible_collections.atena.aws.plugins.module_utils.redis import losses


def snapshot_text(snapshot: dict | None, now: datetime.datetime) -> str:
    """Of Redis: ', last snapshot a-redis-stop-1 of 5 h ago'; '' for none."""
    if not snapshot:
        return ""
    told = f"of {age(snapshot['created_at'], now)} ago" if snapshot["created_at"] else snapshot["status"]
    return f", last snapshot {snapshot['name']} {told}"


def certificate_line(database: dict) -> list[str]:
    """Of whom the database's certificate is, and until when; nothing where RDS tells neither."""
    expires = database.get("certificate_expires_at")
    return [f"database: its certificate is by {database['ca']} and expires on {expires[:10]}"] if expires else []


def cost_line(cost: dict | None) -> list[str]:
    if not cost:
        return []
    if "error" in cost:
        return [f"cost: not known. {cost['error']}"]
    without = f", without {', '.join(cost['unpriced'])}" if cost["unpriced"] else ""
    others = f", {len(cost['borrowed'])} of them of {prices.OTHERWISE}" if cost.get("borrowed") else ""
    rest = f"always on ${cost['always_on']:.2f}, stopped ${cost['stopped']:.2f}; list prices{others}{without}, cost.yml lists each"
    return [f"cost: ${cost['now']:.2f} a month at the present rate ({rest})"]


_MOST_NAMED = 5


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED]) or 'none'}{more}"


def left_lines(left: dict | None) -> list[str]:
    """What a destroy left, and what that costs on."""
    if not left:
        return []
    kept = f"images {left['images_gb']:.2f} GB, logs {left['log_stored_gb']:.2f} GB"
    lines = [
        f"left: snapshots of the database {_names(left['database_snapshots'])}; of Redis {_names(left['redis_snapshots'])}; {kept}; secrets that people set; "
        "the state bucket and the lock table",
    ]
    cost = left.get("cost")
    if cost and "error" in cost:
        return [*lines, f"cost: not known. {cost['error']}"]
    without = f", without {', '.join(cost['unpriced'])}" if cost and cost["unpriced"] else ""
    others = f", some of {prices.OTHERWISE}" if cost and cost["borrowed"] else ""
    at_most = "at the most, as a snapshot costs by what is in it"
    return [*lines, f"cost: still about ${cost['now']:.2f} a month ({at_most}; list prices{others}{without})"] if cost else lines


def summary(result: dict, now: datetime.datetime | None = None) -> list[str]:
    """One line for each part of the environment, the missing parts named."""
    now = now or datetime.datetime.now(datetime.UTC)
    if is_destroyed(result):
        return [f"environment: {destroy_record.says(destroy_record.Standing(**result['destroyed']))}", *left_lines(result.get("left")), *lock_line(result)]
    lines = power_lines(result.get("power"))
    lines += [service_line(service, now) for service in result["services"]]
    lines += [f"{name}: does not exist (run infra.yml)" for name in result["missing_services"]]
    balancer, database, redis = result["load_balancer"], result["database"], result["redis"]
    lines.append(f"load balancer: {balancer['state']}, {balancer['dns_name']}" if balancer else "load balancer: none (off, or infra.yml was never run)")
    if database:
        backup = f"newest backup {age(database['newest_backup'], now)} ago" if database["newest_backup"] else "no backup yet"
        restart = f", AWS starts it again on {database['restarts_at']}" if database["restarts_at"] else ""
        lines.append(
            f"database: {database['status']}, {database['engine']} {database['engine_version']}, {database['endpoint'] or 'no endpoint'}, {backup}{restart}"
        )
        lines += certificate_line(database)
    else:
        lines.append("database: none (run infra.yml)")
    snapshot = snapshot_text(result.get("redis_snapshot"), now)
    lines.append(
        f"redis: {redis['status']}, {redis['engine_version']}, {redis['endpoint'] or 'no endpoint'}{snapshot}"
        if redis
        else f"redis: none (off, or infra.yml was never run){snapshot}"
    )
    lines += [f"unfinished: {unfinished.says(entry)}" for entry in result.get("unfinished") or [] if entry["work"] not in _GOING.values()]
    unset = [secret["name"] for secret in result["secrets"] if not secret["is_set"]]
    lines.append(f"secrets: {len(result['secrets'])}, " + (f"NOT SET: {', '.join(unset)} (run secrets.yml)" if unset else "all set"))
    return lines + lock_line(result) + cost_line(result.get("cost"))


def screen(document: dict) -> list[str]:
    """All that status.yml shows of one environment. document: of the filter status_document."""
    drift = document["drift"]
    told = [] if drift is None else [f"drift: {line}" for line in drift] or ["drift: none"]
    head = f"{document['environment']}, account {document['account']}, {document['region']}"
    return [head, *document["summary"], *told, _verdict(document)]


def _verdict(document: dict) -> str:
    if document["problems"]:
        return f"Needs attention: {'; '.join(document['problems'])}"
    destroyed, power = document.get("destroyed") or {}, document.get("power") or {}
    off = power.get("state") == "stopped" or (power.get("gates") or {}).get("power") == "off"
    stands = "Destroyed" if destroyed.get("state") == destroy_record.DESTROYED else "Stopped, as it is meant to be" if off else "Healthy"
    return f"{stands}, but for what differs from the configuration." if document["drift"] else f"{stands}."


def lock_line(result: dict) -> list[str]:
    return [f"lock: {result['lock']['says']}"] if result.get("lock") else []


_GOING = {"stopping": "stop", "starting": "start"}


def power_lines(power: dict | None) -> list[str]:
    """What the gates and the power journal say; nothing of an environment that was never stopped."""
    if power is None:
        return []
    by = f", by {power['operator']}" if power["operator"] else ""
    if power["state"] in _GOING:
        verb = _GOING[power["state"]]
        going = f"at the step {power['step']}" if power["step"] else "at its beginning"
        lines = [f"power: a {verb} began at {power['since']}{by}, and is incomplete: {going}"]
    elif power["state"] == "stopped":
        lines = [f"power: STOPPED since {power['since']}{by}; start.yml restores {power['counts'] or 'its services'}"]
        if power["restarts_at"]:
            lines.append(f"power: AWS starts the database again automatically at {power['restarts_at']}; guard.yml stops it again")
    elif power["gates"].get("power") == "off":
        lines = ["power: STOPPED, and no stop is recorded; start.yml starts it"]
    else:
        notes = [f"power: {note['at']}: {note['says']}" for note in power["notes"]]
        return ([f"power: on, last started {power['since']}{by}"] if power["since"] else []) + notes
    if power["snapshot"]:
        lines.append(f"power: the queue waits in the snapshot {power['snapshot']}")
    return lines + [f"power: {note['at']}: {note['says']}" for note in power["notes"]]


def is_stopped(result: dict) -> bool:
    """Whether what is missing is off on purpose."""
    power = result.get("power") or {}
    return bool(power) and (power["state"] == "stopped" or (power["state"] == "running" and power["gates"].get("power") == "off"))


def is_destroyed(result: dict) -> bool:
    """Whether what is missing was destroyed to the end: whatever the record says of one that has its parts, they come first."""
    destroyed = result.get("destroyed") or {}
    return bool(destroyed) and destroyed["state"] == destroy_record.DESTROYED and not (result["services"] or result["database"] or result["redis"])


def certificate_problem(database: dict, now: datetime.datetime) -> list[str]:
    """RDS renews a certificate long before its end, so one that is near it was not renewed. What to do about it the preflight tells."""
    if not database.get("certificate_expires_at"):
        return []
    expires = datetime.datetime.fromisoformat(database["certificate_expires_at"])
    if expires - now > CERTIFICATE_SOON:
        return []
    return [f"the database's certificate, by {database['ca']}, {'expired' if expires <= now else 'expires'} on {expires:%Y-%m-%d} (preflight.yml)"]


def problems(result: dict, now: datetime.datetime | None = None) -> list[str]:
    """What a person should look at; empty when all is well."""
    if is_destroyed(result):
        return []
    if result.get("destroyed"):
        others = [unfinished.says(entry) for entry in result.get("unfinished") or [] if entry["work"] != "destroy"]
        return [destroy_record.says(destroy_record.Standing(**result["destroyed"])), *others]
    found = [unfinished.says(entry) for entry in result.get("unfinished") or []]
    found += [f"{name} does not exist" for name in result["missing_services"]]
    stopped = is_stopped(result)
    for service in result["services"]:
        if service["running_count"] != service["desired_count"]:
            found.append(f"{service['name']} runs {service['running_count']} of {service['desired_count']} tasks")
        if service["has_load_balancer"] and service["targets"].count("healthy") < service["desired_count"]:
            found.append(f"{service['name']} has {service['targets'].count('healthy')} healthy targets for {service['desired_count']} tasks")
    if stopped and result["database"] and result["database"]["status"] not in ("stopped", "stopping"):
        found.append(f"the environment is stopped, but the database is {result['database']['status']} (guard.yml stops it, if AWS started it)")
    elif not stopped and result["database"] and result["database"]["status"] != "available":
        found.append(f"the database is {result['database']['status']}")
    if result["database"]:
        found += certificate_problem(result["database"], now or datetime.datetime.now(datetime.UTC))
    if result["redis"] and result["redis"]["status"] != "available":
        found.append(f"Redis is {result['redis']['status']}")
    power = result.get("power") or {}
    lost_at = losses.since((result["redis"] or {}).get("came_back_empty_at") or "", power.get("redis_loss") or "")
    if lost_at:
        found.append(f"{losses.says(result['redis']['id'], lost_at)}. start.yml re-enqueues what the database knows (atena_reenqueue_command)")
    found += [f"the secret {secret['name']} is not set" for secret in result["secrets"] if not secret["is_set"]]
    return found
