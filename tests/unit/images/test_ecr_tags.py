"""The tags that protect what the ledger may go back to."""

from types import SimpleNamespace

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import failure
from ansible_collections.atena.aws.plugins.module_utils.images.tags import keep, plan_kept
from fakes import Pages

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def record(id, digest):
    return SimpleNamespace(id=id, images={"api": f"{REGISTRY}/a-api@sha256:{digest}", "side": "public.ecr.aws/x:1"})


@pytest.mark.parametrize(
    "tags, add, remove",
    [
        ({}, [("a-api", "sha256:1", "kept-r1"), ("a-api", "sha256:2", "kept-r2")], []),
        ({"a-api": {"kept-r1": "sha256:1", "kept-r2": "sha256:2"}}, [], []),
        ({"a-api": {"kept-r0": "sha256:0", "kept-r1": "sha256:1"}}, [("a-api", "sha256:2", "kept-r2")], [("a-api", "kept-r0")]),
        ({"a-api": {"kept-r1": "sha256:9", "kept-r2": "sha256:2"}}, [("a-api", "sha256:1", "kept-r1")], []),
    ],
)
def test_the_tags_follow_the_records(tags, add, remove):
    assert plan_kept([record("r1", "1"), record("r2", "2")], tags) == {"add": add, "remove": remove}


class Ecr(Pages):
    """A repository with images by digest, paged one image a page."""

    def __init__(self, images):
        self.images, self.calls = images, []

    def __call__(self, service, operation, doing, /, **arguments):
        if operation == "describe_images":
            at = int(arguments.get("nextToken", "0"))
            digests = sorted(self.images)
            page = [{"imageDigest": digest, "imageTags": self.images[digest]} for digest in digests[at : at + 1]]
            return {"imageDetails": page, **({"nextToken": str(at + 1)} if at + 1 < len(digests) else {})}
        if operation == "batch_get_image":
            digest = arguments["imageIds"][0]["imageDigest"]
            return {"images": [{"imageManifest": digest}] if digest in self.images else []}
        self.calls.append((operation, arguments.get("imageTag") or ", ".join(one["imageTag"] for one in arguments["imageIds"])))
        if operation == "put_image" and arguments["imageManifest"] == "sha256:1":
            raise failure("somebody was faster", "ImageAlreadyExistsException")
        return {}


def test_an_image_that_is_gone_is_passed_over_and_the_rest_protected():
    ecr = Ecr({"sha256:0": ["kept-r0", "sha-0"], "sha256:1": ["sha-1"], "sha256:3": ["sha-3"]})
    keep(ecr, [record("r1", "1"), record("r2", "2"), record("r3", "3")])
    assert ecr.calls == [("put_image", "kept-r1"), ("put_image", "kept-r3"), ("batch_delete_image", "kept-r0")]


def test_all_that_is_taken_away_of_a_repository_goes_in_one_call():
    ecr = Ecr({"sha256:0": ["kept-r0", "kept-r4"], "sha256:1": ["kept-r1"], "sha256:5": ["kept-r5"]})
    keep(ecr, [record("r1", "1")])
    assert ecr.calls == [("batch_delete_image", "kept-r0, kept-r4, kept-r5")]
