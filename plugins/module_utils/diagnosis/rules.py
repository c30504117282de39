# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why an environment does not work: from gathered facts to causes, each with its evidence and the command that fixes it. No call to AWS here.

The rules are in diagnosis.aws (what AWS has and lacks), diagnosis.tasks (how tasks fared) and diagnosis.logged (what they complain of). Here they are called,
and what they found is ordered.
"""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.diagnosis import aws as diagnosis_aws, logged, tasks as diagnosis_tasks
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import CERTAIN, Found, View
from ansible_collections.atena.aws.plugins.module_utils.ecs.service_text import service_line

RULES = (*diagnosis_aws.RULES, *diagnosis_tasks.RULES, *logged.RULES)

# What comes first among what is equally certain: what everything else stands on, then what keeps a task from starting, then what a task says.
IMPORTANCE = (
    "credentials",
    "powered_off",
    "unfinished",
    "service_missing",
    "never_released",
    "database_missing",
    "database_stopped",
    "database_not_ready",
    "redis_missing",
    "redis_not_ready",
    "load_balancer_missing",
    "listener_missing",
    "no_way_out",
    "path_to_database",
    "path_to_redis",
    "path_to_service",
    "database_address",
    "redis_address",
    "secret_missing",
    "secret_denied",
    "image_missing",
    "registry_denied",
    "image_not_pulled",
    "wrong_architecture",
    "role_not_assumable",
    "log_group_missing",
    "command_not_found",
    "not_started",
    "no_capacity",
    "no_memory_left",
    "no_cpu_left",
    "no_addresses",
    "out_of_memory",
    "secret_not_set",
    "database_credentials",
    "database_encryption",
    "database_certificate",
    "database_name",
    "redis_certificate",
    "redis_name",
    "redis_credentials",
    "database_absent",
    "database_full",
    "database_connections",
    "redis_full",
    "redis_read_only",
    "schema_behind",
    "bullmq_without_ioredis",
    "npm_script",
    "image_incomplete",
    "port_taken",
    "database_unknown",
    "redis_unknown",
    "database_unreachable",
    "redis_unreachable",
    "database_ended",
    "health_check_path",
    "health_check_port",
    "crashes",
    "health_check_timeout",
    "health_check_failed",
)
# Certain, but a symptom: what a task complained of comes first, though it is only likely.
SYMPTOMS = ("crashes", "health_check_timeout", "health_check_failed")


# Worth knowing, but hardly what brought the environment down.
MINOR = ("redis_came_back_empty", "old_secrets", "not_settled", "scaled_to_zero", "not_readable", "npm_first", "redis_eviction", "jobs_given_up")


def _order(found: Found) -> tuple:
    weight = IMPORTANCE.index(found.code) if found.code in IMPORTANCE else len(IMPORTANCE)
    return found.code in MINOR, found.past, found.certainty != CERTAIN or found.code in SYMPTOMS, weight, found.subject


def _merged(found: list[Found]) -> list[Found]:
    """One finding for one cause, with the evidence of all; a consequence is told with its cause."""
    result: dict[tuple[str, str, bool], Found] = {}
    for item in sorted(found, key=_order):
        key = (item.code, item.subject, item.past)
        if key in result:
            result[key].take(item)
        else:
            result[key] = item
    kept: list[Found] = []
    for item in result.values():
        deeper = next((other for other in result.values() if other is not item and item.explained_by(other)), None)
        if deeper:
            deeper.add(*item.evidence)
            continue
        twin = next((other for other in kept if item.is_twin(other)), None)
        if twin:
            twin.subject = f"{twin.subject}, {item.subject}"
            twin.add(*item.evidence)
        else:
            kept.append(item)
    return kept


def findings(facts: dict) -> list[dict]:
    """[{"code", "cause", "subject", "evidence": [lines], "remedy", "certainty", "past"}].

    First what is wrong now, then what went wrong in deployments that were replaced since; the certain before the likely; and what most else
    stands on first.
    """
    view = View(facts)
    found = [item for rule in RULES for item in rule(view)]
    if all(item.past or item.code in MINOR for item in found):
        found += diagnosis_tasks.unexplained(view)
    return [item.as_dict() for item in sorted(_merged(found), key=_order)]


def state_lines(facts: dict) -> list[str]:
    """How each part stands, a line each."""
    lines = []
    for service in facts["services"].values():
        definition = facts["definitions"].get(service["task_definition"], {})
        targets = [target["state"] for item in service["balancers"] for target in (facts["target_groups"].get(item["target_group"]) or {}).get("targets", [])]
        known = {"release": definition.get("release", ""), "is_template": definition.get("is_template", False)}
        lines.append(service_line({**service, **known, "targets": targets}))
        if service["events"]:
            event = service["events"][0]
            lines.append(f"  newest event, {event['at']}: {event['message']}")
    for part, label in (("load_balancer", "load balancer"), ("database", "database"), ("redis", "Redis")):
        entry = facts.get(part)
        where = (entry or {}).get("endpoint") or (entry or {}).get("dns_name") or ""
        lines.append(f"{label}: {entry['state' if part == 'load_balancer' else 'status']}{', ' + where if where else ''}" if entry else f"{label}: none")
    health = facts.get("health")
    if health:
        lines.append(f"{health['url']}: {health['status'] or 'no answer'} {health['content']}".rstrip())
    return lines


def _headline(found: list[dict]) -> str:
    now = sum(not item["past"] for item in found)
    if not found:
        return "Nothing wrong was found."
    if not now:
        return "Nothing is wrong now. What failed within the last hour or so, in deployments that were replaced since:"
    return "One finding." if now == 1 else f"{now} findings. Begin with the first: those below may be its consequences."


def as_text(diagnosis: dict) -> str:
    """What a person reads at two in the morning: each cause with what to do and what shows it, then how things stand."""
    found, facts = diagnosis["findings"], diagnosis["facts"]
    lines = [f"Diagnosis of {diagnosis['environment']}, {diagnosis['at']}", "", _headline(found), ""]
    for number, item in enumerate(found, 1):
        mark = "" if item["certainty"] == CERTAIN else " (likely)"
        lines += [f"{number}. {item['subject']}: {item['cause']}{mark}", f"   What to do: {item['remedy']}"]
        if item["evidence"]:
            lines += ["   What shows it:", *(f"     {line}" for line in item["evidence"])]
        lines.append("")
    lines += ["How things stand:", *(f"  {line}" for line in state_lines(facts))]
    if facts.get("logs_withheld"):
        lines += ["", "Log lines were left out: the secrets' values could not be read, so they could not be taken out of them. In CloudWatch they are whole."]
    return "\n".join(lines) + "\n"
