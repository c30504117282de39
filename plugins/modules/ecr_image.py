#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: ecr_image
version_added: 0.1.0
short_description: Build a release's images, push them to ECR and return their digests
description:
  - Builds all images at once, pushes each under O(tag), moves O(also_tags) to it, and returns the digests as ECR has them.
  - A tag that is in ECR already is taken as it is, neither built nor pushed, so O(tag) should name the source, for example C(sha-<commit>).
  - "The gap it closes: the modules of community.docker build one image after the other, need buildx or know only the classic builder, and
    M(community.docker.docker_login) leaves the registry's password in a file. Here the user's own C(docker build) is used, and ECR's password
    lives in the memory of this module and of the C(docker push) it starts."
author:
  - The atena.aws founders (@atena)
requirements:
  - The C(docker) command and an engine
options:
  path:
    description: Directory that the builds use as their context.
    type: path
    required: true
  tag:
    description: The tag that names this source.
    type: str
    required: true
  also_tags:
    description: Tags that are moved to the same images after the push.
    type: list
    elements: str
    default: [latest]
  build_args:
    description: Build arguments for every image. They stay readable in the image's history and in the process list; no secrets.
    type: dict
    default: {}
  labels:
    description: Labels for every image.
    type: dict
    default: {}
  images:
    description: The images.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Key of the image in the result.
        type: str
        required: true
      repository:
        description: Name of the ECR repository, which must exist.
        type: str
        required: true
      dockerfile:
        description: Path of the Dockerfile, relative to O(path).
        type: str
        default: Dockerfile
      target:
        description: Stage of the Dockerfile to build.
        type: str
      architecture:
        description: CPU architecture, in ECS's words. Another one than the engine's own needs emulation in the engine.
        type: str
        choices: [X86_64, ARM64]
        default: X86_64
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: The digest of an image that is not built yet cannot be known; it reads C(sha256:known-after-push).
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Build and push both images of a commit
  atena.aws.ecr_image:
    path: /srv/app
    tag: sha-3f1c2aa
    build_args:
      GIT_COMMIT: 3f1c2aa
    images:
      - name: api
        repository: atena-prod-api
        dockerfile: packages/api/Dockerfile
      - name: workers
        repository: atena-prod-workers
        dockerfile: packages/workers/Dockerfile
  register: images
"""

RETURN = r"""
images:
  description: One entry for each image, under its name.
  returned: success
  type: dict
  contains:
    <name>:
      description: The image of this name.
      type: dict
      contains:
        repository:
          description: The repository's name.
          type: str
        tag:
          description: The tag.
          type: str
        digest:
          description: The manifest's digest in ECR.
          type: str
        image:
          description: The image by digest, as a task definition wants it.
          type: str
          sample: 123456789012.dkr.ecr.us-east-1.amazonaws.com/atena-prod-api@sha256:0b1c
        built:
          description: Whether it was (in check mode, would be) built and pushed by this call.
          type: bool
        retagged:
          description: Tags that were (in check mode, would be) moved to it.
          type: list
          elements: str
"""

import base64
import concurrent.futures
import os

from ansible_collections.atena.aws.plugins.module_utils import docker_cli, ecr_plan
from ansible_collections.atena.aws.plugins.module_utils.aws_calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.aws_errors import absent_as, told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.aws_module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.ecr_tags import put_tag

_UNKNOWN = "sha256:known-after-push"


def images_by_tag(call, repository, tags):
    """DescribeImages for each tag, one by one: with several it fails on the first that is missing."""
    details = []
    for tag in tags:
        one = {"repositoryName": repository, "imageIds": [{"imageTag": tag}]}
        details += absent_as([], "Image", lambda tag=tag, one=one: call("ecr", "describe_images", f"look for {repository}:{tag}", **one)["imageDetails"])
    return details


class Builder:
    """Builds and pushes; one for each run of the module."""

    def __init__(self, params, call, engine, registry, environment):
        self.params, self.call, self.engine, self.registry, self.environment = params, call, engine, registry, environment

    def __call__(self, item):
        reference = f"{self.registry}/{item['repository']}:{self.params['tag']}"
        arguments = ["build", "--file", os.path.join(self.params["path"], item["dockerfile"]), "--tag", reference]
        platform = ecr_plan.PLATFORMS[item["architecture"]]
        if platform != self.engine["architecture"]:
            arguments += ["--platform", f"linux/{platform}"]
        if item["target"]:
            arguments += ["--target", item["target"]]
        for option, values in (("--build-arg", self.params["build_args"]), ("--label", self.params["labels"])):
            for name, value in sorted(values.items()):
                arguments += [option, f"{name}={value}"]
        docker_cli.run([*arguments, self.params["path"]], f"build the image {item['name']} from {item['dockerfile']}")
        docker_cli.run(["push", reference], f"push {reference}", self.environment)


def build_all(params, call, items):
    """Builds and pushes, side by side. The first failure is raised after all have ended."""
    engine = docker_cli.engine()
    token = call("ecr", "get_authorization_token", "log in to ECR")["authorizationData"][0]
    user, password = base64.b64decode(token["authorizationToken"]).decode().split(":", 1)
    registry = ecr_plan.push_registry(call.client("ecr").meta.endpoint_url, token["proxyEndpoint"])
    with docker_cli.login(registry, user, password, engine["host"]) as environment:
        builder = Builder(params, call, engine, registry, environment)
        with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(len(items), 4))) as pool:
            for done in [pool.submit(builder, item) for item in items]:
                done.result()


def run(module):
    params, call = module.params, Caller(module)
    tags = [params["tag"], *params["also_tags"]]
    names = [item["repository"] for item in params["images"]]
    uris = {
        repository["repositoryName"]: repository["repositoryUri"]
        for repository in call("ecr", "describe_repositories", f"find the repositories {', '.join(names)}", repositoryNames=names)["repositories"]
    }
    plans = {item["name"]: ecr_plan.plan(item, params["tag"], params["also_tags"], images_by_tag(call, item["repository"], tags)) for item in params["images"]}
    missing = [item for item in params["images"] if plans[item["name"]]["build"]]
    absent = [item["dockerfile"] for item in missing if not os.path.isfile(os.path.join(params["path"], item["dockerfile"]))]
    if absent:
        module.fail_json(
            msg=f"{params['path']} has no {' and no '.join(absent)}. Correct `dockerfile` in atena_services, or atena_app_path. Nothing was built or pushed."
        )
    if missing and not module.check_mode:
        build_all(params, call, missing)
    result = {}
    for item in params["images"]:
        planned, repository = plans[item["name"]], item["repository"]
        digest = planned["digest"] or _UNKNOWN
        if not module.check_mode:
            if planned["build"]:
                digest = images_by_tag(call, repository, [params["tag"]])[0]["imageDigest"]
            for tag in planned["retag"]:
                put_tag(call, repository, digest, tag)
        result[item["name"]] = {
            "repository": repository,
            "tag": params["tag"],
            "digest": digest,
            "image": f"{uris[repository]}@{digest}",
            "built": planned["build"],
            "retagged": planned["retag"],
        }
    return {"changed": any(image["built"] or image["retagged"] for image in result.values()), "images": result}


def main():
    module = AwsModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "tag": {"type": "str", "required": True},
            "also_tags": {"type": "list", "elements": "str", "default": ["latest"]},
            "build_args": {"type": "dict", "default": {}},
            "labels": {"type": "dict", "default": {}},
            "images": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "repository": {"type": "str", "required": True},
                    "dockerfile": {"type": "str", "default": "Dockerfile"},
                    "target": {"type": "str"},
                    "architecture": {"type": "str", "choices": ["X86_64", "ARM64"], "default": "X86_64"},
                },
            },
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (CallFailed, docker_cli.DockerFailed) as failed:
        module.fail_json(**told(failed))


if __name__ == "__main__":
    main()
