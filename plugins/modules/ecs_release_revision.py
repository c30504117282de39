#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: ecs_release_revision
version_added: 0.1.0
short_description: Prepare the task definition revisions of a release, without touching a service
description:
  - For each service takes the newest revision of its template family (registered by Terraform), puts the release's images in by
    digest, and registers a revision in the release family - only if neither the running nor the newest one is the same already.
  - "The gap it closes: M(community.aws.ecs_taskdefinition) does not compare CPU, memory, roles or network mode and takes lists of equal
    length for equal (community.aws issue 574), or registers endlessly (issue 690), has no diff, and knows no template."
author:
  - The atena.aws founders (@atena)
options:
  cluster:
    description: The cluster's name.
    type: str
    required: true
  services:
    description: What to prepare.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The ECS service.
        type: str
        required: true
      template:
        description: The template family. Unset means C(<name>-template).
        type: str
      family:
        description: The release family. Unset means the service's name.
        type: str
      images:
        description:
          - Image of each container, with its digest. A container that is not named keeps the template's image; if that is an ECR image by
            tag it is pinned to the digest that the tag has now.
        type: dict
        default: {}
  release:
    description: The release's name, for example the commit. Kept as the tag C(atena:release) of a revision that is registered.
    type: str
    required: true
  tags:
    description: More tags for a revision that is registered.
    type: dict
    default: {}
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: A revision that would be registered is named C(<family>:next).
  diff_mode:
    support: full
    details: Names each field that differs from the running release.
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Prepare a release of two services
  atena.aws.ecs_release_revision:
    cluster: atena-prod-cluster
    release: 3f1c2aa
    services:
      - name: atena-prod-api
        images:
          api: 123456789012.dkr.ecr.us-east-1.amazonaws.com/atena-prod-api@sha256:0b1c
      - name: atena-prod-workers
        images:
          workers: 123456789012.dkr.ecr.us-east-1.amazonaws.com/atena-prod-workers@sha256:5e77
"""

RETURN = r"""
revisions:
  description: One entry for each service, in the order given.
  returned: success
  type: list
  elements: dict
  contains:
    service:
      description: The service.
      type: str
    task_definition:
      description: ARN of the revision to roll out; C(<family>:next) in check mode for one that would be registered.
      type: str
    template:
      description: ARN of the template it was made from.
      type: str
    running:
      description: ARN of the task definition that the service has now.
      type: str
    registered:
      description: Whether it was (in check mode, would be) registered by this call.
      type: bool
    rollout_needed:
      description: Whether the service does not have it yet.
      type: bool
    images:
      description: The image of each container.
      type: dict
    differences:
      description: The fields in which it differs from what the service has now.
      type: list
      elements: str
rollout_needed:
  description: Whether any service does not have its revision yet.
  returned: success
  type: bool
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.atena.aws.plugins.module_utils import ecs_revision
from ansible_collections.atena.aws.plugins.module_utils.aws_calls import Caller, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.ecs_read import describe_services, describe_task_definition


def pin(call, template, images):
    """Adds to `images` the digest that each ECR tag of the template has now. Returns all images to put in."""
    pinned = dict(images)
    for container, match in ecs_revision.floating_images(template, images).items():
        tag = match["tag"] or "latest"
        answer = call(
            "ecr",
            "describe_images",
            f"find the image {match['repository']}:{tag} of container {container}",
            registryId=match["account"],
            repositoryName=match["repository"],
            imageIds=[{"imageTag": tag}],
        )
        name = match.string.split("@")[0].removesuffix(f":{match['tag']}")
        pinned[container] = f"{name}@{answer['imageDetails'][0]['imageDigest']}"
    return pinned


def prepare(call, module, item, service):
    """Prepares one service. Returns (entry of RETURN's revisions, diff or None, warnings)."""
    template_name = item["template"] or f"{item['name']}-template"
    family = item["family"] or item["name"]
    template = describe_task_definition(call, template_name)
    if not ecs_revision.is_template(template):
        raise CallFailed(
            f"{template['taskDefinitionArn']} is no template (tag {ecs_revision.TEMPLATE_TAG} is not 'true'). Templates are registered by infra.yml; "
            "a release is never made from another release."
        )
    wanted = ecs_revision.compose(template, family, pin(call, template, item["images"]))
    running = describe_task_definition(call, service["taskDefinition"])
    newest = describe_task_definition(call, family, absent_ok=True)
    released = None if ecs_revision.is_template(running) else running
    same = ecs_revision.choose(wanted, [released, newest])
    changes = ecs_revision.differences(released, wanted)
    entry = {
        "service": item["name"],
        "template": template["taskDefinitionArn"],
        "running": service["taskDefinition"],
        "registered": same is None,
        "images": {container["name"]: container["image"] for container in wanted["containerDefinitions"]},
        "differences": list(changes),
    }
    if same:
        entry["task_definition"] = same["taskDefinitionArn"]
    elif module.check_mode:
        entry["task_definition"] = f"{family}:next"
    else:
        inherited = {key: value for key, value in ecs_revision.tags_of(template).items() if not key.startswith(("atena:", "aws:"))}
        tags = {**inherited, **module.params["tags"], ecs_revision.RELEASE_TAG: module.params["release"], "atena:from": template["taskDefinitionArn"]}
        answer = call(
            "ecs",
            "register_task_definition",
            f"register a revision of {family}",
            **wanted,
            tags=[{"key": key, "value": str(value)} for key, value in sorted(tags.items())],
        )
        entry["task_definition"] = answer["taskDefinition"]["taskDefinitionArn"]
    entry["rollout_needed"] = entry["task_definition"] != service["taskDefinition"]
    diff = ecs_revision.as_diff(f"task definition of {item['name']}", changes) if changes else None
    warnings = [f"{item['name']}: image without a digest, it can change under the release: {image}" for image in ecs_revision.unpinned(wanted)]
    return entry, diff, [] if module.check_mode else warnings


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "services": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "template": {"type": "str"},
                    "family": {"type": "str"},
                    "images": {"type": "dict", "default": {}},
                },
            },
            "release": {"type": "str", "required": True},
            "tags": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    call = Caller(module)
    entries, diffs = [], []
    try:
        services = describe_services(call, module.params["cluster"], [item["name"] for item in module.params["services"]])
        for item in module.params["services"]:
            entry, diff, warnings = prepare(call, module, item, services[item["name"]])
            entries.append(entry)
            diffs.extend([diff] if diff else [])
            for warning in warnings:
                module.warn(warning)
    except CallFailed as failed:
        module.fail_json(msg=str(failed))
    except ValueError as refused:
        module.fail_json(msg=f"Nothing was registered: {refused}.")
    module.exit_json(
        changed=any(entry["registered"] for entry in entries),
        revisions=entries,
        rollout_needed=any(entry["rollout_needed"] for entry in entries),
        diff=diffs,
    )


if __name__ == "__main__":
    main()
