# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether an image is in ECR, and for which platforms it is made."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, NotFound, is_fatal
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown
from ansible_collections.atena.aws.plugins.module_utils.ecs.references import ecr_image
from ansible_collections.atena.aws.plugins.module_utils.images import bundle
from ansible_collections.atena.aws.plugins.module_utils.images.configuration import UNREADABLE, configuration
from ansible_collections.atena.aws.plugins.module_utils.images.labels import of_index
from ansible_collections.atena.aws.plugins.module_utils.images.tags import MEDIA_TYPES


def platforms_of(manifest: dict) -> list[dict] | None:
    """[{"os", "architecture"}] that a manifest itself tells: of a list, one for each image; None for that of a single image."""
    if "manifests" not in manifest:
        return None
    found = [item.get("platform") or {} for item in manifest["manifests"]]
    # Build attestations are listed beside the images, for the platform 'unknown'.
    return [{"os": item.get("os", ""), "architecture": item.get("architecture", "")} for item in found if item.get("architecture") != "unknown"]


def image(call: Call, reference: str, region: str) -> dict[str, Any] | None:
    """{"exists", "platforms": [..] or None, "bundle": bundle.Said as a dictionary or None, "why"}; None for an image that is not in this region's ECR."""
    known = ecr_image(reference)
    if known is None or known["region"] != region:
        return None
    place = {"registryId": known["account"], "repositoryName": known["repository"]}
    try:
        answer = call("ecr", "batch_get_image", f"find the image {reference}", **place, imageIds=[known["image_id"]], acceptedMediaTypes=MEDIA_TYPES)
    except NotFound as failed:
        if failed.what != "Repository":
            raise
        return {"exists": False, "platforms": None, "bundle": None, "why": f"the repository {known['repository']} does not exist"}
    if not answer.get("images"):
        return {"exists": False, "platforms": None, "bundle": None, "why": f"the repository {known['repository']} does not hold it"}
    manifest = json.loads(answer["images"][0]["imageManifest"])
    platforms, told, why = platforms_of(manifest), None, ""
    try:
        configured = configuration(call, place, manifest) if platforms is None else of_index(call, place, manifest)
        platforms = platforms or [{"os": configured["os"], "architecture": configured["architecture"]}]
        told = bundle.said(configured)._asdict()
    except CallFailed as failed:
        if is_fatal(failed):
            raise
        why = str(failed)
    except (*UNREADABLE, AttributeError) as error:
        why = f"Could not read the image's configuration: {type(error).__name__}: {shown(str(error))}."
    return {"exists": True, "platforms": platforms, "bundle": told, "why": why}
