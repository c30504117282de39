# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people read of a stop and of a start: what would be done, what is off, what costs on. No call to AWS here."""

from __future__ import annotations


def counts(services: dict) -> str:
    """'api 1, workers 2'."""
    return ", ".join(f"{name} {entry['desired_count']}" for name, entry in sorted(services.items())) or "none"


def _money(amount: float, costs: dict) -> str:
    return f"{costs['currency']}{amount:g}"


def saving(costs: dict) -> list[str]:
    """What a stop saves, and where the figures are from; nothing where there are none."""
    if not costs["running"]:
        return []
    less = _money(costs["running"] - costs["stopped"], costs)
    instead = f"{_money(costs['stopped'], costs)} a month instead of {_money(costs['running'], costs)}"
    return [f"While stopped about {instead}: {less} less. {costs['source']}"]


def still_costs(costs: dict) -> list[str]:
    if not costs["running"]:
        return []
    parts = ", ".join(f"{name} {_money(amount, costs)}" for name, amount in costs["stopped_parts"].items())
    return [f"Still costs, a month: about {_money(costs['stopped'], costs)}{f' ({parts})' if parts else ''}. {costs['source']}"]


def stopped(result: dict, record: dict, costs: dict) -> list[str]:
    """The summary of a stopped environment."""
    redis, database = record.get("redis") or {}, record.get("database") or {}
    lines = [f"Off: services (they come back to {counts(record['services'])}), load balancer, NAT gateway, the database {database.get('id', '')}, Redis"]
    if redis.get("snapshot") and not redis.get("restored"):
        lines.append(f"Redis: its content is in the snapshot {redis['snapshot']}, which start.yml restores")
    else:
        lines.append("Redis: NO snapshot holds its content; start.yml asks before it makes an empty one")
    if database.get("snapshot"):
        lines.append(f"Database backup: {database['snapshot']}{' (taken by this stop)' if result.get('database_snapshot') else ''}")
    lines += still_costs(costs)
    if database.get("restarts_at"):
        lines.append(f"AWS starts the database again automatically at {database['restarts_at']} (it does so after seven days); guard.yml stops it again")
    return lines


def started(result: dict, record: dict) -> list[str]:
    lines = [f"On: {counts(record['services'])}"]
    if result.get("redis_restored"):
        lines.append(f"Redis: restored from the snapshot {result['redis_restored']}, at {(record.get('redis') or {}).get('address', '')}")
    elif result.get("redis_empty"):
        lines.append("Redis: recreated, EMPTY, as was allowed" if not result.get("redis_lost_at") else f"Redis: came back empty at {result['redis_lost_at']}")
    if result.get("redis_url") == "updated":
        lines.append("REDIS_URL: updated, because the address changed")
    if result.get("reenqueued"):
        lines.append(f"Re-enqueued by {result['reenqueued']}")
    if result.get("address"):
        lines.append(f"Address: {result['address']}")
    if result.get("alb_dns_name", "") not in result.get("address", ""):
        lines.append(f"Load balancer: {result['alb_dns_name']}, a new name after each start")
    health = result.get("health")
    if health:
        lines.append(f"Health: {health['status']} {health['content']}")
    return lines


def picture(power: str, redis: str, database: str, counts: dict) -> str:
    """One side of a diff."""
    return "".join(f"{name}: {value}\n" for name, value in (("power", power), ("redis", redis), ("database", database), *sorted(counts.items())))


def diff(seen: dict, after: dict | None) -> dict:
    """Ansible's before and after. seen: as power.read.observe returns it. after: picture's arguments; None if nothing is to change."""
    counts = {name: service["desiredCount"] for name, service in seen["services"].items()}
    before = picture(seen["gates"].power, seen["gates"].redis, seen["database"]["DBInstanceStatus"], counts)
    return {"before": before, "after": picture(**after) if after else before}


def summary(result: dict) -> list[str]:
    """The lines that sum up environment_power's result when it did not fail."""
    name, took = result["name"], result.get("duration_seconds", 0)
    verb = {"stopped": "stop", "started": "start", "redis_restored": "restore the Redis of"}[result["wanted"]]
    head = {
        "nothing_to_do": f"Nothing to do: {name} is {result['wanted']}",
        "predicted": f"Would {verb} {name}, in this order:" if result["changed"] else f"Nothing to do: {name} is {result['wanted']}",
        "stopped": f"Stopped {name} in {took} s",
        "started": f"Started {name} in {took} s",
        "redis_restored": f"Restored the Redis of {name} in {took} s",
    }
    return [head.get(result["outcome"], f"{name}: {result['outcome']}"), *result.get("would", []), *result.get("lines", [])]
