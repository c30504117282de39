#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

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
  - atena.aws.account
  - atena.aws.ca_bundles
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

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_services
from ansible_collections.atena.aws.plugins.module_utils.release.prepare import Preparation


def main() -> None:
    module = AwsModule(
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
            "ca_bundles": {"type": "bool", "default": True},
            "release": {"type": "str", "required": True},
            "tags": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    call, params = Caller(module), module.params
    try:
        services = describe_services(call, params["cluster"], [item["name"] for item in params["services"]])
        prepared = [Preparation(call, item, services[item["name"]], params["ca_bundles"]) for item in params["services"]]
        if not module.check_mode:
            for preparation in prepared:
                preparation.register(call, params["release"], params["tags"])
                for warning in preparation.warnings():
                    module.warn(warning)
    except CallFailed as failed:
        module.fail_json(**told(failed))
    except ValueError as refused:
        module.fail_json(msg=f"Nothing was registered: {refused}.")
    module.exit_json(
        changed=any(preparation.same is None for preparation in prepared),
        revisions=[preparation.entry() for preparation in prepared],
        rollout_needed=any(preparation.rollout_needed for preparation in prepared),
        diff=[diff for preparation in prepared for diff in preparation.diff()],
    )


if __name__ == "__main__":
    main()
