# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a task definition refers to: images, secrets, log groups. No call to AWS here."""

from __future__ import annotations

import re

from ansible_collections.atena.aws.plugins.module_utils.core.partitions import ecr_registry

_IMAGE = r"/(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"


def ecr_image(reference: str) -> dict | None:
    """account, region, repository and ECR's image_id of an image in ECR; None for an image elsewhere."""
    match = re.match(ecr_registry() + _IMAGE, reference)
    if not match:
        return None
    # A digest counts more than a tag beside it, as for the container agent.
    image_id = {"imageDigest": match["digest"]} if match["digest"] else {"imageTag": match["tag"] or "latest"}
    return {"account": match["account"], "region": match["region"], "repository": match["repository"], "image_id": image_id}


def images_of(definition: dict, images: dict | None = None) -> dict:
    """{container: image}; `images` are a release's own, put in place of the definition's."""
    return {container["name"]: (images or {}).get(container["name"], container.get("image", "")) for container in definition["containerDefinitions"]}


def secrets_of(definition: dict) -> list[str]:
    """All `valueFrom` of a definition, each once, in order: of the containers and of their log drivers."""
    found = {}
    for container in definition["containerDefinitions"]:
        for item in [*container.get("secrets", []), *(container.get("logConfiguration") or {}).get("secretOptions", [])]:
            found[item["valueFrom"]] = True
    return list(found)


def parameter_name(reference: str, region: str) -> str | None:
    """The name to ask Parameter Store for (with its version, if it has one); None for a reference to elsewhere."""
    parts = reference.split(":", 5)
    if parts[0] != "arn":
        return reference
    if len(parts) < 6 or parts[2] != "ssm" or parts[3] != region or not parts[5].startswith("parameter/"):
        return None
    name = parts[5].removeprefix("parameter/")
    # A name with levels begins with a slash, which its ARN does not repeat.
    return f"/{name}" if "/" in name else name


def log_groups_of(definition: dict, region: str) -> dict:
    """{group: region} of the containers' awslogs drivers; groups that ECS may create itself are left out."""
    found = {}
    for container in definition["containerDefinitions"]:
        logging = container.get("logConfiguration") or {}
        options = logging.get("options") or {}
        if logging.get("logDriver") == "awslogs" and options.get("awslogs-group") and options.get("awslogs-create-group") != "true":
            found[options["awslogs-group"]] = options.get("awslogs-region", region)
    return found


def ports_of(definition: dict, container: str) -> list[int] | None:
    """The container's ports; None if the definition has no such container."""
    for item in definition["containerDefinitions"]:
        if item["name"] == container:
            return [mapping["containerPort"] for mapping in item.get("portMappings", []) if mapping.get("containerPort")]
    return None


def role_name(arn: str) -> str:
    """The last part of a role's ARN: IAM's calls take it without the path."""
    return arn.rsplit("/", 1)[-1]
