# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions about a release's task definition: what it must be, and whether one like it is there. No call to AWS here.

What of a description was registered, and what DescribeTaskDefinition adds to it, is botocore's knowledge: all that RegisterTaskDefinition takes counts,
at each depth, and nothing else. Its tags do not: they say whose a revision is (register() writes them), and DescribeTaskDefinition answers them beside it.
"""

from __future__ import annotations

import functools
import re
from typing import Any

try:
    import botocore.loaders
    import botocore.model
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.atena.aws.plugins.module_utils.core.partitions import ecr_registry

TEMPLATE_TAG = "atena:template"
RELEASE_TAG = "atena:release"
FROM_TAG = "atena:from"

# Lists that mean a set: their order says nothing.
_UNORDERED = {"environment": "name", "secrets": "name", "containerDefinitions": "name", "volumes": "name", "requiresCompatibilities": None}
# What ECS fills in when a container leaves it out.
_CONTAINER_DEFAULTS = {"essential": True, "cpu": 0}

_REPOSITORY = r"/(?P<repository>[^:@]+)"


@functools.cache
def _registered() -> Any:
    """The shape of what RegisterTaskDefinition takes."""
    model = botocore.model.ServiceModel(botocore.loaders.create_loader().load_service_model("ecs", "service-2"), "ecs")
    return model.operation_model("RegisterTaskDefinition").input_shape


def tags_of(definition: dict) -> dict:
    return {tag["key"]: tag["value"] for tag in definition.get("tags", [])}


def is_template(definition: dict) -> bool:
    """Whether Terraform registered it as a template (no release ever ran from it)."""
    return tags_of(definition).get(TEMPLATE_TAG) == "true"


def ecr_name(image: str) -> re.Match | None:
    """The parts of an image in ECR that has no digest: registry, account, region, repository, tag (None: 'latest' is meant); None for any other."""
    return re.match(f"(?P<registry>{ecr_registry()}){_REPOSITORY}(?::(?P<tag>[^@]+))?$", image)


def ecr_digest(image: str) -> re.Match | None:
    """The parts of an image in ECR that has a digest: registry, account, region, repository, digest; None for any other."""
    return re.match(f"(?P<registry>{ecr_registry()}){_REPOSITORY}(?::[^@]+)?@(?P<digest>sha256:[0-9a-f]+)$", image)


def unpinned(definition: dict) -> list[str]:
    """'container: image' for each image without a digest: they can change under a release."""
    return [f"{c['name']}: {c.get('image', '')}" for c in definition["containerDefinitions"] if "@sha256:" not in c.get("image", "")]


def compose(template: dict, family: str, images: dict, environment: dict | None = None) -> dict:
    """RegisterTaskDefinition's arguments of a release: the template with its images replaced. Tags are added by the caller.

    environment: {container: {name: value}} of variables beside those of the template. Raises ValueError for an image of a container that the template
    does not have.
    """
    names = [container["name"] for container in template["containerDefinitions"]]
    strangers = sorted(set(images) - set(names))
    if strangers:
        raise ValueError(f"the template {template['taskDefinitionArn']} has no container {', '.join(strangers)}; it has: {', '.join(names)}")
    release = {key: value for key, value in template.items() if key in _registered().members and key != "tags"}
    release["family"] = family
    release["containerDefinitions"] = [
        {**container, "image": images.get(container["name"], container.get("image", ""))} for container in template["containerDefinitions"]
    ]
    for container in release["containerDefinitions"]:
        if more := (environment or {}).get(container["name"]):
            container["environment"] = [*(container.get("environment") or []), *({"name": name, "value": value} for name, value in more.items())]
    return release


def canonical(definition: dict) -> dict:
    """One spelling for definitions that mean the same: no empty members, sets in order, ECS's defaults filled in."""
    return _canonical({key: value for key, value in definition.items() if key != "tags"}, _registered())


def _canonical(value: Any, shape: Any, key: str = "") -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        result = {name: _canonical(item, shape.members[name], name) for name, item in value.items() if name in shape.members}
        return {name: item for name, item in result.items() if item not in (None, "", [], {})}
    if shape.type_name == "list" and isinstance(value, list):
        items = [_canonical(item, shape.member) for item in value]
        if key == "containerDefinitions":
            items = [{**_CONTAINER_DEFAULTS, **item} for item in items]
        if key == "portMappings":
            items = [{"protocol": "tcp", "hostPort": item.get("containerPort"), **item} for item in items]
        if key in _UNORDERED:
            name = _UNORDERED[key]
            items = sorted(items, key=lambda item: str(item.get(name, "")) if name else str(item))
        return items
    # A scalar, or a map: its keys are the user's (labels, options), and an empty value of one says something.
    return value


def flatten(value: object, path: str = "") -> dict[str, Any]:
    """{'containerDefinitions[api].image': ...}: one entry a scalar, list members called by their name where they have one."""
    if isinstance(value, dict):
        result = {}
        for name, item in sorted(value.items()):
            result.update(flatten(item, f"{path}.{name}" if path else name))
        return result
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        result = {}
        for index, item in enumerate(value):
            result.update(flatten(item, f"{path}[{item.get('name', index)}]"))
        return result
    return {path: value}


def differences(old: dict | None, new: dict) -> dict:
    """{field: (old value, new value)} of what really differs; None for a side that lacks the field."""
    before = flatten(canonical(old)) if old else {}
    after = flatten(canonical(new))
    return {name: (before.get(name), after.get(name)) for name in sorted({*before, *after}) if before.get(name) != after.get(name) and name != "family"}


def as_diff(name: str, changes: dict) -> dict:
    """Ansible's diff of the changed fields only, a line each."""
    before = [f"{field}: {old}" for field, (old, new) in changes.items() if old is not None]
    after = [f"{field}: {new}" for field, (old, new) in changes.items() if new is not None]
    return {"before_header": name, "after_header": name, "before": "\n".join([*before, ""]), "after": "\n".join([*after, ""])}


def choose(wanted: dict, candidates: list[dict | None]) -> dict | None:
    """The first candidate that already is what is wanted (nothing differs), or None."""
    for candidate in candidates:
        if candidate and not differences(candidate, wanted):
            return candidate
    return None
