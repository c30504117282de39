# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which services read which parameters, by the task definitions that they run."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_task_definition, running_task_definitions
from ansible_collections.atena.aws.plugins.module_utils.ecs.references import parameter_name, secrets_of


def region_of(arn: str) -> str:
    return arn.split(":")[3]


def names_below(definition: dict, path: str) -> set[str]:
    """Names, without the path, of the parameters below it that a task definition reads; a version at the end of a reference counts for its name."""
    region = region_of(definition["taskDefinitionArn"])
    found = {parameter_name(reference, region) for reference in secrets_of(definition)}
    return {name.removeprefix(f"{path}/").partition(":")[0] for name in found if name and name.startswith(f"{path}/")}


def read(call: Call, cluster: str, services: list[str], path: str) -> dict[str, set[str]]:
    """{service: names that it reads} in the order given, of the services that there are."""
    running = running_task_definitions(call, cluster, services)
    definitions = {arn: describe_task_definition(call, arn) for arn in sorted(set(running.values()))}
    return {name: names_below(definitions[running[name]], path) for name in services if name in running}
