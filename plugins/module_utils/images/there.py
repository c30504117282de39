# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a repository of ECR has under some tags, in one call: digests and manifests."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.images.tags import MEDIA_TYPES

# Of a tag that is not there (ECR's API reference, ImageFailure). Any other code says that ECR could not look.
_ABSENT = ("ImageNotFound", "ImageTagDoesNotMatchDigest")


class There(NamedTuple):
    """digests: {tag: digest} of those that there are. images: {digest: the image as BatchGetImage has it}."""

    digests: dict[str, str]
    images: dict[str, dict[str, Any]]


def there(call: Call, repository: str, tags: list[str]) -> There:
    """Raises CallFailed."""
    doing, asked = f"find {repository}:{', '.join(tags)}", [{"imageTag": tag} for tag in tags]
    answer = call("ecr", "batch_get_image", doing, repositoryName=repository, imageIds=asked, acceptedMediaTypes=MEDIA_TYPES)
    found = {image["imageId"].get("imageTag", ""): image for image in answer.get("images", [])}
    absent = set()
    for failure in answer.get("failures", []):
        if failure.get("failureCode") not in _ABSENT:
            raise CallFailed(f"Could not {doing}: {failure.get('failureCode')}: {failure.get('failureReason', '')}")
        absent.add(failure.get("imageId", {}).get("imageTag"))
    digests = {tag: found[tag]["imageId"]["imageDigest"] for tag in tags if tag in found}
    # One image with two of the tags may be told under one of them.
    for tag in set(tags) - set(found) - absent:
        digests.update(absent_as({}, "Image", functools.partial(_digest, call, repository, tag)))
    return There(digests, {image["imageId"]["imageDigest"]: image for image in found.values()})


def _digest(call: Call, repository: str, tag: str) -> dict[str, str]:
    answer = call("ecr", "describe_images", f"find {repository}:{tag}", repositoryName=repository, imageIds=[{"imageTag": tag}])
    return {tag: answer["imageDetails"][0]["imageDigest"]}
