"""What the emulator's extension decides of ECR, apart from the emulator."""

import base64

import pytest
from extension.ecr import image_tags, registry

DIGEST = "sha256:" + "a" * 64


class TestRegistry:
    def basic(self, text):
        return "Basic " + base64.b64encode(text.encode()).decode()

    def test_a_token_is_for_its_account_and_region(self):
        assert registry.scope_of(self.basic(f"AWS:{registry.password('123456789012', 'eu-west-1')}")) == ("123456789012", "eu-west-1")

    @pytest.mark.parametrize("text", ["AWS:wrong", "root:lab-token.1.us-east-1", "AWS:", ""])
    def test_anything_else_is_none(self, text):
        assert registry.scope_of(self.basic(text)) is None

    @pytest.mark.parametrize("header", ["", "Bearer x", "Basic ???"])
    def test_so_is_another_kind_of_authorization(self, header):
        assert registry.scope_of(header) is None

    def test_the_first_image_that_is_missing_is_told(self):
        images = [{"imageDigest": DIGEST, "imageTags": ["a"]}]
        assert registry.missing_image("r", images, [{"imageTag": "a"}, {"imageDigest": DIGEST}]) is None
        assert registry.missing_image("r", images, [{"imageTag": "a"}, {"imageTag": "b"}]) == {"imageTag": "b"}
        assert registry.missing_image("r", images, [{"imageTag": "a", "imageDigest": "sha256:other"}]) is not None


class TestAskedByATag:
    def test_an_image_is_told_under_the_tag_that_it_was_asked_for_by(self, monkeypatch):
        described = [{"imageDigest": "sha256:two", "imageTags": ["a", "b"]}, {"imageDigest": "sha256:one", "imageTags": ["c"]}]
        monkeypatch.setitem(image_tags.ecr._images, "r", described)
        told = {digest: {"repositoryName": "r", "imageId": {"imageDigest": digest, "imageTag": "first"}} for digest in ("sha256:two", "sha256:one")}
        asked = [{"imageTag": "b"}, {"imageTag": "none"}, {"imageDigest": "sha256:one"}, {"imageTag": "a"}]
        found = image_tags.as_asked([told["sha256:two"], told["sha256:one"], told["sha256:two"]], asked)
        ids = [image["imageId"] for image in found]
        assert ids == [{"imageDigest": "sha256:two", "imageTag": "b"}, {"imageDigest": "sha256:one"}, {"imageDigest": "sha256:two", "imageTag": "a"}]


class TestImageTags:
    def images(self):
        index = '{"manifests": [{"digest": "sha256:part"}]}'
        return [
            {"imageDigest": "sha256:two", "imageTags": ["a", "b"], "imageId": {"imageDigest": "sha256:two", "imageTag": "a"}},
            {"imageDigest": "sha256:one", "imageTags": ["c"], "imageId": {"imageDigest": "sha256:one", "imageTag": "c"}},
            {"imageDigest": "sha256:part", "imageTags": []},
            {"imageDigest": "sha256:index", "imageTags": ["d"], "imageManifest": index},
        ]

    @pytest.mark.parametrize(
        ("wanted", "gone", "left"),
        [
            ({"imageTag": "a"}, ["a"], ["two", "one", "part", "index"]),
            ({"imageTag": "c"}, ["c"], ["two", "part", "index"]),
            ({"imageDigest": "sha256:two"}, ["a", "b"], ["one", "part", "index"]),
            ({"imageDigest": "sha256:one", "imageTag": "c"}, ["c"], ["two", "part", "index"]),
            ({"imageDigest": "sha256:index"}, ["d"], ["two", "one", "part"]),
        ],
    )
    def test_an_image_goes_with_its_last_tag_or_by_its_digest(self, wanted, gone, left):
        images = self.images()
        ids, failure = image_tags.delete_one(images, wanted)
        assert (failure, [image_id.get("imageTag") for image_id in ids]) == (None, gone)
        assert [image["imageDigest"].removeprefix("sha256:") for image in images] == left

    @pytest.mark.parametrize(
        ("wanted", "code"),
        [
            ({"imageTag": "none"}, "ImageNotFound"),
            ({"imageDigest": "sha256:none"}, "ImageNotFound"),
            ({"imageDigest": "sha256:one", "imageTag": "a"}, "ImageTagDoesNotMatchDigest"),
            ({"imageDigest": "sha256:part"}, "ImageReferencedByManifestList"),
        ],
    )
    def test_what_cannot_be_deleted_stays(self, wanted, code):
        images = self.images()
        ids, failure = image_tags.delete_one(images, wanted)
        assert (ids, failure["failureCode"], images) == ([], code, self.images())
