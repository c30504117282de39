"""What a repository has under some tags: one call, whatever of them is missing."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.images.there import there


class Ecr:
    """images: {tag: digest}. merges: an image with several of the tags is told under the first of them only."""

    def __init__(self, images, merges=False, code="ImageNotFound"):
        self.images, self.merges, self.code, self.asked = images, merges, code, []

    def __call__(self, service, operation, doing, /, repositoryName, imageIds, acceptedMediaTypes=None):
        tags = [one["imageTag"] for one in imageIds]
        self.asked.append((operation, tags))
        if operation == "describe_images":
            if tags[0] not in self.images:
                raise failure("no such image", "ImageNotFoundException")
            return {"imageDetails": [{"imageDigest": self.images[tags[0]]}]}
        found, told = [], set()
        for tag in tags:
            digest = self.images.get(tag)
            if digest and not (self.merges and digest in told):
                found.append({"imageId": {"imageTag": tag, "imageDigest": digest}, "imageManifest": f"manifest of {digest}"})
                told.add(digest)
        missing = [{"imageId": {"imageTag": tag}, "failureCode": self.code, "failureReason": "it shows why"} for tag in tags if tag not in self.images]
        return {"images": found, "failures": missing}


@pytest.mark.parametrize("images", [{}, {"sha-1": "d1"}, {"latest": "d0"}, {"sha-1": "d1", "latest": "d0"}, {"sha-1": "d1", "latest": "d1"}])
def test_all_tags_are_asked_for_at_once(images):
    ecr = Ecr(images)
    found = there(ecr, "api", ["sha-1", "latest"])
    assert found.digests == images and ecr.asked == [("batch_get_image", ["sha-1", "latest"])]
    assert {digest: image["imageManifest"] for digest, image in found.images.items()} == {digest: f"manifest of {digest}" for digest in images.values()}


def test_an_image_that_is_told_under_one_of_its_tags_only_is_asked_for_by_the_other():
    ecr = Ecr({"sha-1": "d1", "latest": "d1"}, merges=True)
    assert there(ecr, "api", ["sha-1", "latest"]).digests == {"sha-1": "d1", "latest": "d1"}
    assert ecr.asked == [("batch_get_image", ["sha-1", "latest"]), ("describe_images", ["latest"])]


def test_a_failure_that_is_no_absence_is_told_and_nothing_is_built_over_it():
    with pytest.raises(CallFailed, match="find api:sha-1: KmsError: it shows why"):
        there(Ecr({}, code="KmsError"), "api", ["sha-1"])
