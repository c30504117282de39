# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prepares the revision of a service that a release rolls out: the newest template with its images pinned to digests."""

from __future__ import annotations

import re

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, NotFound, is_fatal
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.ecs import revision as ecs_revision
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_task_definition
from ansible_collections.atena.aws.plugins.module_utils.ecs.register import register
from ansible_collections.atena.aws.plugins.module_utils.images import bundle


def digest_of_tag(call: Call, match: re.Match[str], container: str) -> str:
    """The digest that an ECR tag has now. `match`: ecs_revision.ecr_name's. Raises CallFailed, naming what there is instead."""
    tag, repository = match["tag"] or "latest", match["repository"]
    where = {"registryId": match["account"], "repositoryName": repository}
    try:
        answer = call("ecr", "describe_images", f"find the image {repository}:{tag} of container {container}", **where, imageIds=[{"imageTag": tag}])
    except NotFound as failed:
        if failed.what != "Image":
            raise
        raise failed.saying(
            f"ECR has no image {repository}:{tag}, which container {container} needs. Nothing was changed. releases.yml lists what can be released without "
            "building (the commit as it prints is enough); deploy.yml without `release` builds the commit that is checked out."
        ) from failed
    return answer["imageDetails"][0]["imageDigest"]


def pin(call: Call, template: dict, images: dict) -> dict[str, str]:
    """{container: image by digest}: the given images, and those that the template names by a tag in ECR."""
    named = {container["name"]: container.get("image", "") for container in template["containerDefinitions"]}
    pinned = dict(images)
    for container, image in {**named, **images}.items():
        match = None if "@" in image else ecs_revision.ecr_name(image)
        if match:
            pinned[container] = f"{match['registry']}/{match['repository']}@{digest_of_tag(call, match, container)}"
    return pinned


def bundle_variables(call: Call, template: dict, images: dict, running: dict) -> tuple[dict, list[str]]:
    """({container: {name: value}} of what containers are told of the certificate bundle in their image, what is not known of it, a sentence each).

    Of an image that cannot be read its container is told what that of the release which runs was told.
    """
    region, told, unknown = template["taskDefinitionArn"].split(":")[3], {}, {}
    before = {container["name"]: container for container in running["containerDefinitions"]}
    for container in template["containerDefinitions"]:
        name = container["name"]
        if not bundle.is_known(images.get(name, "")):
            told[name] = bundle.as_before(container, before.get(name, {}))
            continue
        try:
            told[name] = bundle.environment(container, bundle.of_image(call, images.get(name, ""), region))
        except CallFailed as failed:
            if is_fatal(failed):
                raise
            told[name] = bundle.as_before(container, before.get(name, {}))
            unknown[images[name]] = str(failed)
    return told, list(unknown.values())


class Preparation:
    """What one service's revision must be, and whether it is there already. Reads only; register() writes.

    `item`: {'name', 'template', 'family', 'images': {container: image}}, the middle two may be missing or None. `ca_bundles`: whether containers are told
    where their image has a certificate bundle. Raises CallFailed, and ValueError for an image of a container that the template does not have.
    """

    def __init__(self, call: Call, item: dict, service: dict, ca_bundles: bool = False) -> None:
        self.name, self.service = item["name"], service
        self.family = item.get("family") or item["name"]
        self.template = describe_task_definition(call, item.get("template") or resource_names.template(self.name))
        if not ecs_revision.is_template(self.template):
            raise CallFailed(
                f"{self.template['taskDefinitionArn']} is no template (tag {ecs_revision.TEMPLATE_TAG} is not 'true'). Templates are registered by "
                "infra.yml; a release is never made from another release."
            )
        images = pin(call, self.template, item["images"])
        self.running = describe_task_definition(call, service["taskDefinition"])
        told, self.unknown = bundle_variables(call, self.template, images, self.running) if ca_bundles else ({}, [])
        self.wanted = ecs_revision.compose(self.template, self.family, images, told)
        self.is_first = ecs_revision.is_template(self.running)
        released = None if self.is_first else self.running
        self.same, self.newest = ecs_revision.choose(self.wanted, [released]), ""
        if self.same is None:
            # What an earlier run registered and did not get to use, or got no answer about, is the newest.
            newest = describe_task_definition(call, self.family, absent_ok=True)
            self.same, self.newest = ecs_revision.choose(self.wanted, [newest]), newest["taskDefinitionArn"] if newest else ""
        self.changes = ecs_revision.differences(released, self.wanted)
        self.arn = self.same["taskDefinitionArn"] if self.same else f"{self.family}:next"
        # As ECS has it; None as long as it has none.
        self.definition = self.same

    @property
    def images(self) -> dict:
        return {container["name"]: container["image"] for container in self.wanted["containerDefinitions"]}

    @property
    def rollout_needed(self) -> bool:
        return self.arn != self.service["taskDefinition"]

    def register(self, call: Aws, release: str, tags: dict) -> None:
        """Registers the revision, unless one like it is there. Its tags: the template's, `tags`, and where it comes from."""
        if self.same:
            return
        inherited = {key: value for key, value in ecs_revision.tags_of(self.template).items() if not key.startswith(("atena:", "aws:"))}
        every = {**inherited, **tags, ecs_revision.RELEASE_TAG: release, ecs_revision.FROM_TAG: self.template["taskDefinitionArn"]}
        self.definition = register(call, self.wanted, every, self.newest)
        self.arn = self.definition["taskDefinitionArn"]

    def entry(self) -> dict:
        """As modules return it."""
        return {
            "service": self.name,
            "template": self.template["taskDefinitionArn"],
            "running": self.service["taskDefinition"],
            "registered": self.same is None,
            "images": self.images,
            "differences": list(self.changes),
            "task_definition": self.arn,
            "rollout_needed": self.rollout_needed,
        }

    def diff(self) -> list[dict]:
        """Ansible's diff of the fields in which it differs from what the service has; [] if none does."""
        return [ecs_revision.as_diff(f"task definition of {self.name}", self.changes)] if self.changes else []

    def warnings(self) -> list[str]:
        unpinned = [f"{self.name}: image without a digest, it can change under the release: {image}" for image in ecs_revision.unpinned(self.wanted)]
        return unpinned + [f"{self.name}: {says}" for says in self.unknown]
