# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How tasks fared, as causes of a diagnosis: why they ended, and what the health check says. No call to AWS here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.diagnosis.aws import image_remedy, restart_command, secret_remedy
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import CERTAIN, LIKELY, Found, View, event_line
from ansible_collections.atena.aws.plugins.module_utils.ecs import failure_words

_UNHEALTHY = re.compile(r"is unhealthy in \(?target-group.*due to \(reason (?P<why>.*)\)\.?$")
_CODES = re.compile(r"codes: \[(?P<codes>[\d, ]+)\]")


def subject_of(view: View, task: dict) -> str:
    if task["service"]:
        return task["service"]
    name = view.definition(task["task_definition"]).get("name") or task["task_definition"].rsplit("/", 1)[-1]
    return f"one-off task of {name}" + (f" ({task['started_by']})" if task["started_by"] else "")


def newest_first(tasks: list[dict]) -> list[dict]:
    return sorted(tasks, key=lambda task: task["stopped_at"] or task["created_at"], reverse=True)


def task_lines(task: dict, others: int = 0) -> list[str]:
    """How a task ended, with its exit codes and the last lines of its log."""
    lines = [
        f"task {task['task_id']}, ended {task['stopped_at'] or 'not yet'} ({task['stop_code'] or 'no stop code'}): {task['stopped_reason'] or 'no reason'}"
    ]
    for container in task["containers"]:
        code, reason = container["exit_code"], container["reason"]
        meaning = failure_words.exit_code_means(code)
        what = "never ran" if code is None else f"exit code {code}{f' ({meaning})' if meaning else ''}"
        lines.append(f"container {container['name']}: {what}{f': {reason}' if reason else ''}")
    for container, tail in task["log_tail"].items():
        lines += [f"last log lines of {container}:", *(f"  | {line['message']}" for line in tail)]
    if others:
        lines.append(f"{others} more {'task' if others == 1 else 'tasks'} ended in the same way")
    return lines


# --- Tasks that ended ---


# The services whose memory has a variable of its own, beside that of all.
_MEMORY = {"api": "atena_api_memory", "workers": "atena_workers_memory"}


def verdict(view: View, task: dict) -> dict:
    """{'code', 'cause', 'remedy', 'certainty'} of one failed task."""
    said = " ".join([*(container["reason"] for container in task["containers"]), task["stopped_reason"]])
    words = failure_words.what_aws_says(said)
    code = words.code if words else ""
    bad = next((container for container in task["containers"] if container["exit_code"] or container["reason"]), (task["containers"] or [{}])[0])
    name, number = bad.get("name", ""), bad.get("exit_code")
    if code == "out_of_memory" or (not code and number == 137):
        return memory_verdict(view, task, name, certain=bool(code))
    if words and code in ("image_missing", "image_not_pulled"):
        return {"code": code, "cause": words.cause, "remedy": image_remedy(view), "certainty": CERTAIN}
    if words and code == "secret_missing":
        return secret_verdict(view, said, words)
    if words:
        return {"code": code, "cause": words.cause, "remedy": plain_remedy(view, words), "certainty": CERTAIN}
    meaning = failure_words.exit_code_means(number)
    if number is not None:
        cause = f"Container {name} ends with exit code {number}{f': {meaning}' if meaning else ''}"
    else:
        cause = f"The task ended before a container ran: {task['stopped_reason'] or 'AWS gave no reason'}"
    if not task["service"]:
        return {"code": "crashes", "cause": cause, "remedy": "Read its log lines, correct what they name, and run it again.", "certainty": CERTAIN}
    remedy = f"Read its last log lines. Correct the application and {view.playbook('deploy.yml')}, or go back: {view.playbook('rollback.yml')}"
    return {"code": "crashes", "cause": cause, "remedy": remedy, "certainty": CERTAIN}


def plain_remedy(view: View, words: failure_words.Words) -> str:
    """The remedy that holds for every environment, with the playbooks as one types them."""
    return re.sub(r"\b(infra|deploy|secrets)\.yml\b", lambda match: view.playbook(match[0]), words.remedy)


def memory_variable(key: str) -> tuple[str, str]:
    """What an inventory has to raise for a service's memory, and what counts more where that is set."""
    of_its_own = f"atena_services.{key or '<service>'}.memory"
    return (_MEMORY[key], f" ({of_its_own}, where that is set)") if key in _MEMORY else (of_its_own, "")


def memory_verdict(view: View, task: dict, container: str, certain: bool) -> dict:
    limit = view.container(task["task_definition"], container).get("memory") or 0
    known = f"it may use {limit} MiB" if limit else "its limit is not known"
    cause = f"Container {container} was killed for its memory: {known} (exit code 137)"
    if not certain:
        cause = f"Container {container} was killed (exit code 137) and AWS names no reason: probably for its memory, {known}"
    key = view.key(task["service"]) if task["service"] else ""
    variable, rather = memory_variable(key)
    remedy = (
        f"Raise {variable}{f' (now {limit}), for instance to {2 * limit}' if limit else ''}, in the inventory{rather}; "
        f"then {view.playbook('infra.yml')} and {view.playbook('deploy.yml')}"
    )
    return {"code": "out_of_memory", "cause": cause, "remedy": remedy, "certainty": CERTAIN if certain else LIKELY}


def secret_verdict(view: View, said: str, words: failure_words.Words) -> dict:
    """AWS names the parameters as they stand in the task definition: names or ARNs."""
    match = re.search(r"invalid (?:ssm )?parameters: (?P<names>[^;\n\"]+)", said, re.IGNORECASE)
    if not match:
        return {"code": words.code, "cause": words.cause, "remedy": plain_remedy(view, words), "certainty": CERTAIN}
    secrets = view.facts["secrets"] or {}
    given = [name.strip(" .]") for name in re.split(r"[,\s]+", match["names"]) if name.strip(" .]").startswith(("/", "arn:"))]
    names = [secrets.get("referred", {}).get(name, "/" + name.split(":parameter/", 1)[-1].lstrip("/")) for name in given]
    path = view.ssm_path + "/"
    cause = f"{', '.join(names)} does not exist in SSM" if names else words.cause
    remedy = secret_remedy(view, names, path) if names else plain_remedy(view, words)
    return {"code": words.code, "cause": cause, "remedy": remedy, "certainty": CERTAIN}


def ended_tasks(view: View) -> Iterator[Found]:
    """One finding for each way in which tasks of a service ended; the newest task is the evidence."""
    groups: dict[tuple[str, str, str, bool], tuple[dict[str, str], list[dict[str, Any]]]] = {}
    seen: set[tuple[str, str]] = set()
    for task in newest_first(view.tasks):
        kind = (task["started_by"], task["task_definition"])
        if not task["service"] and not view.was_asked_for(task):
            if kind in seen or task["state"] == "running":
                continue  # of one-off tasks only the last of its kind tells how things are
            seen.add(kind)
        if task["state"] != "failed":
            continue
        found = verdict(view, task)
        if found["code"] != "health_check_failed":  # health() knows more
            groups.setdefault((found["code"], found["cause"], subject_of(view, task), view.is_past(task)), (found, []))[1].append(task)
    for (code, _cause, subject, past), (found, tasks) in groups.items():
        yield Found(code, subject, found["cause"], found["remedy"], found["certainty"], task_lines(tasks[0], len(tasks) - 1), about=(subject,), past=past)


# --- Health checks ---


def health(view: View) -> Iterator[Found]:
    """Targets that are unhealthy now, and those that ECS replaced because they were."""
    for name, service in view.services.items():
        for side, group in view.target_groups(service):
            unhealthy = [target for target in group["targets"] if target["state"] == "unhealthy"]
            problems = [f"{target['description'] or target['reason']}" for target in unhealthy]
            evidence = [f"target {target['id']}:{target['port']} is unhealthy ({target['reason']}: {target['description']})" for target in unhealthy]
            events = [event for event in service["events"] if _UNHEALTHY.search(event["message"])]
            replaced = [t for t in newest_first(view.tasks) if t["service"] == name and t["state"] == "failed" and "elb health" in t["stopped_reason"].lower()]
            current = [task for task in replaced if not view.is_past(task)]
            asked = any(view.was_asked_for(task) for task in current)
            past = not problems and not asked and (not current or view.is_settled(service))
            if not problems and not replaced:
                continue
            problems += [found["why"] for event in events[:1] if (found := _UNHEALTHY.search(event["message"]))]
            evidence += [event_line(event) for event in events[:2]]
            # What is unhealthy now says more than what was replaced before.
            evidence += running_log(view, name, {target["id"] for target in unhealthy}) or (
                task_lines(replaced[0], len(replaced) - 1) if replaced else running_log(view, name)
            )
            yield health_found(view, service, side, group, problems[0] if problems else "", evidence, past)


def running_log(view: View, name: str, addresses: set[str] | None = None) -> list[str]:
    """The log of the newest task that runs, of those at one of these addresses if they are given."""
    for task in newest_first(view.tasks):
        if addresses is not None and addresses.isdisjoint(task["addresses"]):
            continue
        if task["service"] == name and task["state"] == "running" and task["log_tail"]:
            return [line for tail_of, tail in task["log_tail"].items() for line in (f"last log lines of {tail_of}:", *(f"  | {x['message']}" for x in tail))]
    return []


def health_found(view: View, service: dict, side: dict, group: dict, problem: str, evidence: list[str], past: bool) -> Found:
    """What a failed health check means: the answer's code, or that there was none."""
    name, key = service["name"], view.key(service["name"])
    asked = f"GET {group['path']} on port {group['port']}"
    codes = _CODES.search(problem)
    ports = view.container(service["task_definition"], side["container"]).get("ports") or [side["port"]]
    address = view.facts.get("health")
    if address and address["status"] != 200 and not past:
        evidence = [*evidence, f"{address['url']} answers {address['status'] or 'nothing'}: {address['content']}"]
    common: dict[str, Any] = {"evidence": [f"the health check is {asked}, and expects {group['answers']}", *evidence], "about": (name,), "past": past}
    setting = f"atena_services.{key}"
    if group["port"] not in ports:
        cause = f"The health check asks port {group['port']}, but container {side['container']} listens on {', '.join(str(port) for port in ports)}"
        remedy = f"{view.playbook('infra.yml')} puts the target group back on {setting}.port; correct that first if it is wrong"
        return Found("health_check_port", name, cause, remedy, **common)
    if codes and codes["codes"].strip().startswith(("3", "4")):
        cause = f"The health check's path is wrong: the application answers {asked} with {codes['codes']}"
        remedy = (
            f"Set {setting}.health_check_path to what the application answers with {group['answers']} (here as by default: /health), "
            f"then {view.playbook('infra.yml')}"
        )
        if group["path"] == "/health":
            remedy = f"The path is the usual one: see that the application serves it. {remedy}"
        return Found("health_check_path", name, cause, remedy, **common)
    if codes:
        cause = f"The application says itself that it is not well: it answers {asked} with {codes['codes']}"
        remedy = f"Its log says why. If this release brought it: {view.playbook('rollback.yml')}"
        return Found("health_check_failed", name, cause, remedy, **common)
    if "timed out" in problem.lower():
        cause = f"The application does not answer {asked} within {group['timeout']} s"
        remedy = f"Its log says what it is busy with; a security group would look the same (none was found here). Back: {view.playbook('rollback.yml')}"
        return Found("health_check_timeout", name, cause, remedy, LIKELY, **common)
    cause = f"Nothing answers {asked}: the application does not listen there, or only on 127.0.0.1, or not yet"
    remedy = (
        f"Compare the port in its log with {setting}.port ({group['port']}); correct the one that is wrong, then {view.playbook('infra.yml')} and deploy.yml"
    )
    return Found("health_check_port", name, cause, remedy, LIKELY, **common)


# --- Events, and what is left ---


def events(view: View) -> Iterator[Found]:
    """What ECS could not do for a service, by its own words."""
    for name, service in view.services.items():
        if view.is_settled(service):
            continue
        for event in view.recent_events(service):
            words = failure_words.what_aws_says(event["message"])
            if words and words.code != "health_check_failed":
                yield Found(words.code, name, words.cause, plain_remedy(view, words), evidence=[event_line(event)], about=(name,))


def old_values(view: View) -> Iterator[Found]:
    """A task has the values that its secrets had when it started."""
    secrets = view.facts["secrets"] or {"parameters": [], "referred": {}}
    changed = {item["name"]: item["last_modified"] for item in secrets["parameters"]}
    newer, names, services = [], set(), set()
    for task in view.tasks:
        if task["service"] not in view.services or task["state"] != "running" or not task["started_at"]:
            continue
        for container in view.definition(task["task_definition"]).get("containers", []):
            for secret in container["secrets"]:
                name = secrets["referred"].get(secret["from"], "")
                if changed.get(name) and datetime.fromisoformat(changed[name]) > datetime.fromisoformat(task["started_at"]):
                    names.add(name)
                    services.add(task["service"])
                    newer.append(f"{name} changed {changed[name]}; task {task['task_id']} of {task['service']} started {task['started_at']}")
    if newer:
        cause = f"Running tasks still have the old values of {', '.join(sorted(names))}"
        remedy = f"Replace the tasks: {restart_command(view, sorted(services))}"
        yield Found("old_secrets", ", ".join(sorted(services)), cause, remedy, LIKELY, newer)


def unexplained(view: View) -> Iterator[Found]:
    """When no rule found a cause: services that have fewer tasks than they should, and an address that does not answer."""
    for name, service in view.services.items():
        if service["running_count"] < service["desired_count"]:
            said = [event_line(event) for event in service["events"][:5]]
            said += [f"deployment {item['id']} {item['rollout_state']}: {item['reason']}" for item in service["deployments"]]
            cause = f"It runs {service['running_count']} of {service['desired_count']} tasks, and AWS names no cause"
            remedy = f"If a deployment is going on, wait for it; else read the events, and replace the tasks: {restart_command(view, [name])}"
            yield Found("too_few_tasks", name, cause, remedy, LIKELY, said, about=(name,))
    address = view.facts.get("health")
    if address and address["status"] != 200 and not view.is_off:
        cause = f"The application's address answers {address['status'] or 'nothing'}"
        remedy = f"Nothing in AWS explains it: read the application's log, or go back: {view.playbook('rollback.yml')}"
        yield Found("address", address["url"], cause, remedy, LIKELY, [address["content"]] if address["content"] else [])


RULES = (ended_tasks, health, events, old_values)
