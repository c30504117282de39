# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps that several findings have in common. No call to AWS here."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import Step
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.view import View

# Terraform writes these two, under these addresses; people write the others (the seed's 'Secrets gerenciados').
WRITTEN_BY_TERRAFORM = {"DATABASE_URL": "aws_ssm_parameter.database_url", "REDIS_URL": "aws_ssm_parameter.redis_url"}
# The services whose memory has a variable of its own, beside that of all.
_MEMORY = {"api": "atena_api_memory", "workers": "atena_workers_memory"}
_ROLLBACK = "rollback.yml"
# Playbooks that a sentence of ecs.failure_words names.
_NAMED = re.compile(r"\b(infra|deploy|secrets|scale)\.yml\b")


def restart(view: View, names: Iterable[str], text: str = "Replace the tasks, which keep the values of their secrets for life") -> Step:
    """Replaces the tasks by new ones of the same release."""
    known = {name for name in names if name in view.services} or set(view.services)
    some = [f"restart_services={','.join(sorted(map(view.key, known)))}"] if known != set(view.services) else []
    return view.step(text, "restart.yml", *some)


def rollback(view: View) -> Step:
    return view.step("Return to the previous release", _ROLLBACK, instead=True)


def is_rollback(command: str) -> bool:
    """Whether a step's command returns to the previous release."""
    return bool(re.search(rf"(^|[/. ]){re.escape(_ROLLBACK)}( |$)", command))


def rewritten(view: View, name: str, services: Iterable[str] = ()) -> list[Step]:
    """Has Terraform write a parameter that it created again, for the tasks to take."""
    return [
        view.step(f"Have Terraform write {name} again", "infra.yml", f"infra_replace={WRITTEN_BY_TERRAFORM[name]}"),
        restart(view, services, "Then replace the tasks, which keep the values of their secrets for life"),
    ]


def infrastructure(view: View, text: str) -> list[Step]:
    """infra.yml; where the gates could not be read, with the start after a stop."""
    steps = [view.step(text, "infra.yml")]
    if not view.facts.gates:
        steps.append(view.step("After a stop, start the environment", "start.yml", instead=True))
    return steps


def image(view: View) -> list[Step]:
    return [view.step("Build, push and release the commit that is checked out", "deploy.yml"), rollback(view)]


def corrected(view: View, what: str) -> list[Step]:
    """What a person has to change in the application, then a release of it."""
    return [Step(what), view.step("Then release it", "deploy.yml"), rollback(view)]


def memory_variable(key: str) -> tuple[str, str]:
    """What an inventory has to raise for a service's memory, and what counts more where that is set."""
    of_its_own = f"atena_services.{key or '<service>'}.memory"
    return (_MEMORY[key], f" ({of_its_own}, where that is set)") if key in _MEMORY else (of_its_own, "")


def memory(view: View, service: str, limit: int = 0) -> list[Step]:
    variable, rather = memory_variable(view.key(service) if service else "")
    from_to = f" from {limit} to {2 * limit}" if limit else ""
    return [
        Step(f"Raise {variable}{from_to} in the inventory{rather}"),
        view.step("Apply it to the task definition", "infra.yml"),
        view.step("Release with it", "deploy.yml"),
    ]


def secret(view: View, parameters: list[str]) -> list[Step]:
    """Who writes a parameter decides what brings it back."""
    path = view.ssm_path + "/"
    outside = [parameter for parameter in parameters if not parameter.startswith(path)]
    by_terraform = [p for p in parameters if p not in outside and p.removeprefix(path) in WRITTEN_BY_TERRAFORM]
    by_people = [p for p in parameters if p not in outside and p not in by_terraform]
    steps = []
    if by_people:
        steps.append(view.step(f"Create and set {', '.join(by_people)}", "secrets.yml"))
    if by_terraform:
        steps.append(view.step(f"Have Terraform create {', '.join(by_terraform)}", "infra.yml"))
    if outside:
        names = ", ".join(outside)
        steps.append(Step(f"{names} is outside {path}: correct the path in the task definition, or create it with `aws ssm put-parameter`"))
    return [*steps, view.step("ECS retries automatically; a release that was rolled back has to be released again", "deploy.yml")]


def of_words(view: View, sentence: str) -> list[Step]:
    """A remedy of ecs.failure_words, with the commands of the playbooks that it names."""
    named = list(dict.fromkeys(match[0] for match in _NAMED.finditer(sentence)))
    return [Step(sentence.rstrip(".")), *(view.step(_PURPOSES[name], name) for name in named)]


_PURPOSES = {
    "infra.yml": "Apply the infrastructure",
    "deploy.yml": "Build and release",
    "secrets.yml": "Set the secrets",
    "scale.yml": "Scale the services",
}
