# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tags of images in ECR: moving one, and the tags that protect what the ledger may go back to."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Protocol

from ansible_collections.atena.aws.plugins.module_utils.core.commit import Commit
from ansible_collections.atena.aws.plugins.module_utils.core.errors import Conflict, NotFound, absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.parallel import each
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import ecr_digest

# 'kept-<release id>': as long as an image has one, neither prune.yml nor a lifecycle rule for untagged images takes it.
KEPT = "kept-"
# Limit of the API reference ('imageIds').
_IMAGES_A_CALL = 100
MEDIA_TYPES = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
]


class HasImages(Protocol):
    """What is to be known of a release: the ledger's records have more."""

    @property
    def id(self) -> str: ...

    @property
    def images(self) -> dict[str, str]: ...


def put_tag(call: Call, repository: str, digest: str, tag: str, image: dict[str, Any] | None = None) -> None:
    """Gives an image that is there one more tag; the tag leaves the image that had it. image: as BatchGetImage has it, where that is known."""
    image = image or _image(call, repository, digest)
    arguments = {"repositoryName": repository, "imageManifest": image["imageManifest"], "imageTag": tag}
    if image.get("imageManifestMediaType"):
        arguments["imageManifestMediaType"] = image["imageManifestMediaType"]
    try:
        call("ecr", "put_image", f"give {repository}@{digest} the tag {tag}", **arguments)
    except Conflict as failed:
        if failed.code != "ImageAlreadyExistsException":  # somebody else put it there first
            raise


def _image(call: Call, repository: str, digest: str) -> dict[str, Any]:
    asked = {"repositoryName": repository, "imageIds": [{"imageDigest": digest}], "acceptedMediaTypes": MEDIA_TYPES}
    answer = call("ecr", "batch_get_image", f"read {repository}@{digest}", **asked)
    if not answer.get("images"):
        raise NotFound(
            f"ECR has no image {repository}@{digest} any more, though it had a moment ago. A lifecycle rule or a person deleted it.", "ImageNotFoundException"
        )
    return answer["images"][0]


def plan_kept(records: Sequence[HasImages], tags: dict[str, dict[str, str]]) -> dict[str, list[tuple[str, ...]]]:
    """Which protecting tags to add and to take away.

    `records`: the releases to keep. `tags`: {repository: {tag: digest}} of all protecting tags there are. Images outside ECR are passed over.
    Returns {'add': [(repository, digest, tag)], 'remove': [(repository, tag)]}; a tag is taken away only from a release that is not kept.
    """
    wanted = {}
    for record in records:
        for image in record.images.values():
            found = ecr_digest(image)
            if found:
                wanted[(found["repository"], KEPT + record.id)] = found["digest"]
    add = [(repository, digest, tag) for (repository, tag), digest in wanted.items() if tags.get(repository, {}).get(tag) != digest]
    remove = [(repository, tag) for repository, present in tags.items() for tag in present if tag.startswith(KEPT) and (repository, tag) not in wanted]
    return {"add": sorted(add), "remove": sorted(remove)}


def _tagged(call: Aws, repository: str, account: str = "") -> dict[str, str]:
    """{tag: digest} of a repository. account: the registry's, '' for the caller's own."""
    where = {"repositoryName": repository, **({"registryId": account} if account else {})}
    images = call.pages("ecr", "describe_images", f"list the images of {repository}", "imageDetails", filter={"tagStatus": "TAGGED"}, **where)
    return {tag: image["imageDigest"] for image in images for tag in image.get("imageTags", [])}


def commits_of(call: Aws, repository: str, account: str = "") -> list[Commit]:
    """The commits that its images are named after; none of a repository that does not exist."""
    tags = absent_as({}, "Repository", lambda: _tagged(call, repository, account))
    return sorted(commit for commit in map(Commit.of_tag, tags) if commit)


def protecting_tags(call: Aws, repository: str) -> dict[str, str]:
    """{tag: digest} of the repository's protecting tags."""
    return {tag: digest for tag, digest in _tagged(call, repository).items() if tag.startswith(KEPT)}


def keep(call: Aws, records: Sequence[HasImages]) -> None:
    """Makes the protecting tags those of `records`. An image that is gone cannot be protected and is passed over."""
    repositories = sorted({found["repository"] for record in records for image in record.images.values() if (found := ecr_digest(image))})
    plan = plan_kept(records, dict(zip(repositories, each(functools.partial(protecting_tags, call), repositories), strict=True)))
    each(lambda repository: _bring_about(call, repository, plan), repositories)


def _bring_about(call: Call, repository: str, plan: dict[str, list[tuple[str, ...]]]) -> None:
    """One repository's part of plan_kept's answer."""
    for of, digest, tag in plan["add"]:
        if of == repository:
            absent_as(None, "Image", functools.partial(put_tag, call, repository, digest, tag))
    tags = [tag for of, tag in plan["remove"] if of == repository]
    for start in range(0, len(tags), _IMAGES_A_CALL):
        some = tags[start : start + _IMAGES_A_CALL]
        doing = f"take {'the tag' if len(some) == 1 else 'the tags'} {', '.join(some)} from {repository}"
        call("ecr", "batch_delete_image", doing, repositoryName=repository, imageIds=[{"imageTag": tag} for tag in some])
