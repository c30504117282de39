"""Deleting by tag takes the tag, and an image that is asked for by a tag is told under it, as in ECR.

MiniStack deletes the image whatever it is asked by. In ECR an image goes with its last tag, or by its digest with all of them, and the
parts of a multi-platform image stay as long as that does. BatchGetImage's answer names in MiniStack the tag that the image got last.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import json_response
from ministack.services import ecr


def _failure(image_id: dict[str, str], code: str, reason: str) -> dict[str, Any]:
    return {"imageId": image_id, "failureCode": code, "failureReason": reason}


def parts(image: dict[str, Any]) -> set[str]:
    """The digests that a manifest list names; none for any other manifest."""
    try:
        return {entry["digest"] for entry in json.loads(image.get("imageManifest") or "{}").get("manifests", [])}
    except ValueError:
        return set()


def delete_one(images: list[dict[str, Any]], wanted: dict[str, str]) -> tuple[list[dict[str, str]], dict[str, Any] | None]:
    """Deletes from `images` what one id names. Returns the ids that are gone, and the failure if there was one."""
    digest, tag = wanted.get("imageDigest"), wanted.get("imageTag")
    image = next((image for image in images if image["imageDigest"] == digest or (digest is None and tag in image.get("imageTags", []))), None)
    if image is None:
        return [], _failure(wanted, "ImageNotFound", "Requested image not found")
    tags = image.get("imageTags", [])
    if tag is not None and tag not in tags:
        return [], _failure(wanted, "ImageTagDoesNotMatchDigest", "The tag does not belong to the image")
    if tag is not None and len(tags) > 1:
        tags.remove(tag)
        if image.get("imageId", {}).get("imageTag") == tag:
            image["imageId"]["imageTag"] = tags[-1]
        return [{"imageDigest": image["imageDigest"], "imageTag": tag}], None
    holder = next((other["imageDigest"] for other in images if image["imageDigest"] in parts(other)), None)
    if holder:
        return [], _failure(wanted, "ImageReferencedByManifestList", f"Requested image referenced by manifest list: [{holder}]")
    images.remove(image)
    return [{"imageDigest": image["imageDigest"], "imageTag": name} for name in tags] or [{"imageDigest": image["imageDigest"]}], None


def as_asked(images: list[dict[str, Any]], asked: list[dict[str, str]]) -> list[dict[str, Any]]:
    """BatchGetImage's images, each under the id that it was asked for by; `images` come in that order, without what is missing."""
    found, left = [], list(images)
    for wanted in asked:
        image = next((one for one in left if _is_meant(wanted, one)), None)
        if image is not None:
            left.remove(image)
            digest = image["imageId"]["imageDigest"]
            found.append({**image, "imageId": {"imageDigest": digest, **({"imageTag": wanted["imageTag"]} if wanted.get("imageTag") else {})}})
    return found


def _is_meant(wanted: dict[str, str], image: dict[str, Any]) -> bool:
    described: dict[str, Any] = ecr._find_image(image["repositoryName"], wanted) or {}
    return described.get("imageDigest") == image["imageId"]["imageDigest"]


def apply() -> None:
    without_repository = ecr._batch_delete_image
    by_newest_tag = ecr._batch_get_image

    def batch_get_image(data: dict[str, Any]) -> Any:
        status, headers, body = by_newest_tag(data)
        answer = json.loads(body)
        if "images" in answer:
            answer["images"] = as_asked(answer["images"], data.get("imageIds", []))
            return json_response(answer)
        return status, headers, body

    ecr._batch_get_image = batch_get_image

    def batch_delete_image(data: dict[str, Any]) -> Any:
        repository = data.get("repositoryName", "")
        if repository not in ecr._repositories:
            return without_repository(data)
        gone, failures = [], []
        for wanted in data.get("imageIds", []):
            deleted, failure = delete_one(ecr._images[repository], wanted)
            gone.extend(deleted)
            failures.extend([failure] if failure else [])
        return json_response({"imageIds": gone, "failures": failures})

    ecr._batch_delete_image = batch_delete_image
