"""Task images come from the emulator's own registry, by digest, and a missing one is an error.

MiniStack asks the real ECR for `<account>.dkr.ecr.<region>.amazonaws.com/...`, fails, and then runs whatever local image has that
name. ECS runs exactly the image that the registry holds, or stops the task with CannotPullContainerError.
"""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple

from docker.errors import APIError, ImageNotFound
from ministack.core.responses import request_scope
from ministack.services import ecr, ecs

from ..common.patching import replace
from ..ecr.registry import password

ECR_IMAGE = re.compile(
    r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[^@:]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)
NO_PLATFORM = re.compile(r"no matching manifest for (\w+/\w+)")
START_FAILED = "ResourceInitializationError: unable to pull image or start container: "


class EcrImage(NamedTuple):
    account: str
    region: str
    repository: str
    tag: str
    digest: str | None


def parse(image: str) -> EcrImage | None:
    match = ECR_IMAGE.match(image)
    return EcrImage(match["account"], match["region"], match["repository"], match["tag"] or "latest", match["digest"]) if match else None


def find_digest(image: EcrImage, images: list[dict[str, Any]]) -> str | None:
    """The digest under which the repository holds this image."""
    for held in images:
        if held["imageDigest"] == image.digest if image.digest else image.tag in held.get("imageTags", []):
            return held["imageDigest"]
    return None


def registry_digest(image: EcrImage) -> str | None:
    with request_scope(image.account, image.region):
        return find_digest(image, ecr._images.get(image.repository, []))


def apply() -> None:
    replace(ecs, "_run_docker_container", _from_registry)
    replace(ecs, "_prepare_service_images", _resolved_by_registry)
    replace(ecs, "_fail_task_start", _as_ecs_words_it)


def _from_registry(run: Any) -> Any:
    def run_pulled(docker_client: Any, container: dict[str, Any], run_kwargs: dict[str, Any], **options: Any) -> Any:
        name = container["image"]
        image = parse(name)
        if image is None:
            _pull_unless_local(docker_client, name)
            return run(docker_client, container, run_kwargs)
        digest = registry_digest(image)
        if digest is None:
            raise ecs._ImagePullError(f"pull image manifest has been retried 1 time(s): failed to resolve ref {name}: {name}: not found")
        local = f"localhost:{os.environ['GATEWAY_PORT']}/{image.repository}"
        pulled = f"{local}@{digest}"
        try:
            # The same digest is the same content: no need to pull what is there.
            docker_client.images.get(pulled)
        except ImageNotFound:
            _pull(docker_client, local, digest, {"username": "AWS", "password": password(image.account, image.region)})
        return run(docker_client, {**container, "image": pulled}, run_kwargs)

    return run_pulled


def _pull(docker_client: Any, name: str, digest: str, login: dict[str, str]) -> None:
    """docker-py's own pull() forgets the engine's error."""
    try:
        for line in docker_client.api.pull(name, tag=digest, auth_config=login, stream=True, decode=True):
            if "error" in line:
                raise ecs._ImagePullError(as_fargate_words_it(line["error"]))
    except APIError as error:
        raise ecs._ImagePullError(str(error.explanation or error)) from error


def as_fargate_words_it(problem: str) -> str:
    """Docker says in other words that an image of several architectures has none for this machine."""
    match = NO_PLATFORM.search(problem)
    if match is None:
        return problem
    return f"pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor matching platform '{match[1]}'"


def _pull_unless_local(docker_client: Any, name: str) -> None:
    try:
        docker_client.images.get(name)
    except ImageNotFound:
        try:
            docker_client.images.pull(name)
        except APIError as error:
            raise ecs._ImagePullError(str(error.explanation or error)) from error


def _resolved_by_registry(prepare: Any) -> Any:
    """Tags of a service's images are resolved here: MiniStack would ask the real ECR three times."""

    def prepare_from_registry(task: dict[str, Any], definition: dict[str, Any], docker_client: Any) -> Any:
        service = ecs._services.get(f"{ecs._cluster_name_from_arn(task.get('clusterArn', ''))}/{task.get('group', '').partition(':')[2]}")
        deployment = ecs._deployment_for_task(service, task) if service else None
        images = {container["name"]: parse(container["image"]) for container in definition.get("containerDefinitions", [])}
        if deployment is not None and any(images.values()):
            known = {name: registry_digest(image) for name, image in images.items() if image}
            deployment["_image_digests"] = {**deployment.get("_image_digests", {}), **{name: digest for name, digest in known.items() if digest}}
            # What is missing fails when the container is started, with the error that ECS gives.
            deployment["_image_resolution_disabled"] = True
            return deployment
        return prepare(task, definition, docker_client)

    return prepare_from_registry


def _as_ecs_words_it(fail: Any) -> Any:
    def fail_start(task: dict[str, Any], docker_client: Any, reason: str) -> None:
        if reason.startswith(START_FAILED):
            reason = f"CannotStartContainerError: Error response from daemon: {reason.removeprefix(START_FAILED)}"
        if reason.startswith("Cannot"):
            for container in task.get("containers", []):
                container["reason"] = reason
        fail(task, docker_client, reason)

    return fail_start
