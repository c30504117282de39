#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_image
version_added: 0.1.0
short_description: Build a release's images, push them to ECR and return their digests
description:
  - Builds all images at once, pushes each under O(tag), moves O(also_tags) to it, and returns the digests as ECR has them. Each step of a build is
    reported as it
    begins.
  - A tag that is in ECR already is taken as it is, neither built nor pushed, so O(tag) should name the source, for example C(sha-<commit>).
    An image whose labels say that it was built from something else - the working tree in place of the commit, other O(include), another stage of the
    Dockerfile - is rebuilt.
  - With O(commit) the context is a clone that holds this commit, its submodules and the files that it stores in Git LFS, and no other file of the
    working tree. The clones are kept, so that a later build fetches only what is new, and used by one run at a time. Modes are git's, whatever
    the umask, so that Docker's layer cache holds.
  - "The gap it closes: the modules of community.docker build one image after the other, need buildx or know only the classic builder, and
    M(community.docker.docker_login) leaves the registry's password in a file. Here the user's own C(docker build) is used, and ECR's password
    lives in the memory of this module and of the C(docker push) it starts."
author:
  - The atena.aws founders (@atena)
requirements:
  - The C(docker) command and an engine
options:
  path:
    description: Directory that the builds use as their context, or, with O(commit), the directory of that commit. A subdirectory of a repository is fine.
    type: path
    required: true
  commit:
    description:
      - The commit of the git repository that O(path) is in, in full or its beginning of at least 7 digits.
        Unset, the files are taken as they are in O(path), ignored ones as well.
      - Submodules are taken from O(path)'s repository where it has them, else from their address.
    type: str
  clones:
    description: Directory below which the clones are kept. It is made private to the user. Needed with O(commit).
    type: path
  include:
    description: Paths and globs below O(path), without a leading slash, of files that are added to the commit's, such as what CI has made. Only with O(commit).
    type: list
    elements: str
    default: []
  dirty:
    description: Whether O(path) has changes that are not committed, so that O(tag) does not show what is built; it is then built although it is there.
    type: bool
    default: false
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
  ca_bundle:
    description:
      - Path of a file with certificates in PEM that an image may have, for verifying its database. It is searched for in what was built, and where it is the
        image gets the label C(atena.ca-bundle) with its path, by which M(atena.aws.ecs_release) knows of it. Empty, it is not searched for.
      - A Dockerfile may set that label itself.
    type: str
    default: ""
  labels:
    description: Labels for every image, in addition to C(atena.build-from), C(atena.build-include) and C(atena.build-target), which show what it was
      built from.
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
        description: Stage of the Dockerfile to build. Unset or empty, it is the last one.
        type: str
      architecture:
        description: CPU architecture, in ECS's words. Another one than the engine's own needs emulation in the engine.
        type: str
        choices: [X86_64, ARM64]
        default: X86_64
extends_documentation_fragment:
  - atena.aws.progress
  - atena.aws.account
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
    commit: 3f1c2aa07d1ad3a05e8f4a2f1b9ae7b1d1d8a7c5
    clones: /home/ana/.local/state/atena/atena-prod/builds
    tag: sha-3f1c2aa07d1ad3a05e8f4a2f1b9ae7b1d1d8a7c5
    build_args:
      GIT_COMMIT: 3f1c2aa07d1ad3a05e8f4a2f1b9ae7b1d1d8a7c5
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
        why:
          description: Why it was built although the tag was there; empty if it was not.
          type: str
origin:
  description: What all the images together were built from, as their labels say.
  returned: success
  type: dict
  contains:
    from:
      description: V(working_tree) if one of them was; else V(commit); empty if one has no label.
      type: str
    include:
      description: Files of the working tree that were added to the commit's.
      type: list
      elements: str
says:
  description: What the user should know, such as that an image was rebuilt, or that a submodule is left out.
  returned: success
  type: list
  elements: str
"""

import base64
import concurrent.futures
import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, told
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.parallel import each
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module, Say
from ansible_collections.atena.aws.plugins.module_utils.git.cli import GitFailed
from ansible_collections.atena.aws.plugins.module_utils.images import (
    build_context,
    bundle as ca_bundle,
    docker as docker_cli,
    labels as ecr_labels,
    plan as ecr_plan,
)
from ansible_collections.atena.aws.plugins.module_utils.images.tags import put_tag
from ansible_collections.atena.aws.plugins.module_utils.images.there import There, there

_UNKNOWN = "sha256:known-after-push"


class Builder:
    """Builds and pushes; one for each run of the module."""

    def __init__(self, params: dict[str, Any], context: str, engine: dict[str, str], registry: str, environment: dict[str, str], say: Say) -> None:
        self.params, self.context, self.engine, self.registry, self.environment, self.say = params, context, engine, registry, environment, say

    def __call__(self, item: dict[str, Any]) -> None:
        reference = f"{self.registry}/{item['repository']}:{self.params['tag']}"
        arguments = ["build", "--file", os.path.join(self.context, item["dockerfile"]), "--tag", reference]
        platform = ecr_plan.PLATFORMS[item["architecture"]]
        foreign = f"linux/{platform}" if platform != self.engine["architecture"] else ""
        if foreign:
            arguments += ["--platform", foreign]
        if item["target"]:
            arguments += ["--target", item["target"]]
        labels = {**self.params["labels"], **ecr_plan.origin_labels(origin(self.params, item))}
        for option, values in (("--build-arg", self.params["build_args"]), ("--label", labels)):
            for name, value in sorted(values.items()):
                arguments += [option, f"{name}={value}"]
        doing, bundle = f"build the image {item['name']} from {item['dockerfile']}", self.params["ca_bundle"]

        def tell(line: str) -> None:
            found = docker_cli.step(line)
            if found:
                self.say(f"{item['name']}: {found}")

        docker_cli.run([*arguments, self.context], doing, on_line=tell)
        if bundle and ca_bundle.is_bundle(docker_cli.content(reference, bundle, foreign)):
            # Once more, from Docker's cache: a label is part of the image, and what is in it was not known before.
            docker_cli.run([*arguments, "--label", f"{ca_bundle.LABEL}={bundle}", self.context], doing)
        self.say(f"{item['name']}: built; pushing {item['repository']}:{self.params['tag']}")
        docker_cli.run(["push", reference], f"push {reference}", self.environment)
        self.say(f"{item['name']}: pushed")


def build_all(params: dict[str, Any], call: Caller, items: list[dict[str, Any]], context: str, say: Say) -> None:
    """Builds and pushes, side by side. The first failure is raised after all have ended."""
    engine = docker_cli.engine()
    token = call("ecr", "get_authorization_token", "log in to ECR")["authorizationData"][0]
    user, password = base64.b64decode(token["authorizationToken"]).decode().split(":", 1)
    registry = ecr_plan.push_registry(call.client("ecr").meta.endpoint_url, token["proxyEndpoint"])
    with docker_cli.login(registry, user, password, engine["host"]) as environment:
        builder = Builder(params, context, engine, registry, environment, say)
        with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(len(items), 4))) as pool:
            for done in [pool.submit(builder, item) for item in items]:
                done.result()


def origin(params: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """What an image of this run is built from."""
    return {"from": ecr_plan.COMMIT if params["commit"] else ecr_plan.WORKING_TREE, "include": params["include"], "target": item["target"] or ""}


@contextlib.contextmanager
def context_of(params: dict[str, Any], says: list[str]) -> Iterator[str]:
    """The directory to build in."""
    if not params["commit"]:
        yield params["path"]
        return
    with build_context.of_commit(params["path"], params["commit"], params["clones"], params["include"]) as (context, notes):
        says += notes
        yield context


class Looked(NamedTuple):
    """What ECR has of an image; the origin that its labels tell, and why they could not be read."""

    there: There
    origin: dict[str, Any]
    unread: str


def look(call: Caller, params: dict[str, Any], item: dict[str, Any]) -> Looked:
    found = there(call, item["repository"], list(dict.fromkeys([params["tag"], *params["also_tags"]])))
    digest = found.digests.get(params["tag"], "")
    labels, unread = ecr_labels.labels(call, item["repository"], digest, found.images.get(digest, {}).get("imageManifest", "")) if digest else ({}, "")
    return Looked(found, ecr_plan.origin_of(labels), unread)


def finish(module: Module, call: Caller, item: dict[str, Any], planned: dict[str, Any], found: There) -> str:
    """Moves the tags that are to be at the image. Returns its digest; _UNKNOWN of one that a check would only build."""
    if module.check_mode:
        return planned["digest"] or _UNKNOWN
    repository, tag = item["repository"], module.params["tag"]
    found = there(call, repository, [tag]) if planned["build"] else found
    digest = found.digests[tag]
    for other in planned["retag"]:
        put_tag(call, repository, digest, other, found.images.get(digest))
    return digest


def refuse_absent(module: Module, items: list[dict[str, Any]], has: Callable[[str], bool]) -> None:
    """Fails if a Dockerfile is not there. `has`: whether one is."""
    absent = [item["dockerfile"] for item in items if not has(item["dockerfile"])]
    if absent:
        where = module.params["path"] + (f" at {module.params['commit']}" if module.params["commit"] else "")
        module.fail_json(
            msg=f"{where} has no {' and no '.join(absent)}. Correct `dockerfile` in atena_services, or atena_app_path. Nothing was built or pushed."
        )


def build(module: Module, call: Caller, items: list[dict[str, Any]], says: list[str]) -> None:
    """Builds and pushes what is missing; in check mode it looks whether that could begin."""
    params = module.params
    if module.check_mode and params["commit"]:
        absent = [] if params["include"] else build_context.absent(params["path"], params["commit"], [item["dockerfile"] for item in items])
        refuse_absent(module, items, lambda name: name not in absent)
        return
    with context_of(params, says) as context:
        refuse_absent(module, items, lambda name: os.path.isfile(os.path.join(context, name)))
        if not module.check_mode:
            build_all(params, call, items, context, Progress(params["progress_file"]).say)


def run(module: Module) -> dict[str, Any]:
    params, call = module.params, Caller(module)
    if params["commit"]:
        params["commit"] = build_context.whole(params["path"], params["commit"])
    images, says = params["images"], []
    wanted = {item["name"]: origin(params, item) for item in images}
    names = [item["repository"] for item in images]
    uris = {
        repository["repositoryName"]: repository["repositoryUri"]
        for repository in call("ecr", "describe_repositories", f"find the repositories {', '.join(names)}", repositoryNames=names)["repositories"]
    }
    found = dict(zip([item["name"] for item in images], each(lambda item: look(call, params, item), images), strict=True))
    plans = {}
    for item in images:
        looked = found[item["name"]]
        dirty = params["dirty"] and not params["commit"]
        why = ecr_plan.why_anew(wanted[item["name"]], looked.origin, dirty=dirty) if params["tag"] in looked.there.digests else ""
        plans[item["name"]] = {**ecr_plan.plan(params["tag"], params["also_tags"], looked.there.digests, why), "why": why}
        if why:
            says.append(f"{item['repository']}:{params['tag']} is there, but {why}: {'would be' if module.check_mode else 'was'} rebuilt.")
        elif looked.unread:
            module.warn(f"{item['repository']}:{params['tag']} was taken as it is, without knowing whether it was built from the commit. {looked.unread}")
    missing = [item for item in images if plans[item["name"]]["build"]]
    if missing:
        build(module, call, missing, says)
    digests = each(lambda item: finish(module, call, item, plans[item["name"]], found[item["name"]].there), images)
    result = {}
    for item, digest in zip(images, digests, strict=True):
        planned, repository = plans[item["name"]], item["repository"]
        result[item["name"]] = {
            "repository": repository,
            "tag": params["tag"],
            "digest": digest,
            "image": f"{uris[repository]}@{digest}",
            "built": planned["build"],
            "retagged": planned["retag"],
            "why": planned["why"],
        }
    origins = [wanted[item["name"]] if plans[item["name"]]["build"] else found[item["name"]].origin for item in images]
    return {
        "changed": any(image["built"] or image["retagged"] for image in result.values()),
        "images": result,
        "origin": ecr_plan.together(origins),
        "says": says,
    }


def main() -> None:
    module = AwsModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "commit": {"type": "str"},
            "clones": {"type": "path"},
            "include": {"type": "list", "elements": "str", "default": []},
            "dirty": {"type": "bool", "default": False},
            "tag": {"type": "str", "required": True},
            "also_tags": {"type": "list", "elements": "str", "default": ["latest"]},
            "build_args": {"type": "dict", "default": {}},
            "ca_bundle": {"type": "str", "default": ""},
            "labels": {"type": "dict", "default": {}},
            "progress_file": {"type": "path"},
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
        required_by={"commit": "clones"},
        supports_check_mode=True,
    )
    if module.params["include"] and not module.params["commit"]:
        module.fail_json(msg="`include` adds to a commit's files: set `commit` as well. Without it everything in `path` is the context. Nothing was built.")
    try:
        module.exit_json(**run(module))
    except (CallFailed, docker_cli.DockerFailed, GitFailed) as failed:
        module.fail_json(**told(failed))


if __name__ == "__main__":
    main()
