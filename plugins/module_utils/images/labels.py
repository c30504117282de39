# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The configuration of an image in ECR, of whatever kind its manifest is, and its labels."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, CredentialsRefused, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown
from ansible_collections.atena.aws.plugins.module_utils.images.configuration import UNREADABLE, configuration
from ansible_collections.atena.aws.plugins.module_utils.images.tags import MEDIA_TYPES


def labels(call: Call, repository: str, digest: str, manifest: str = "") -> tuple[dict[str, str], str]:
    """(labels, why they could not be read, if so). Only refused credentials are a failure: an image that is there can be released without them.
    manifest: the image's, where it is known."""
    try:
        place = {"repositoryName": repository}
        found = _of_manifest(call, place, json.loads(manifest)) if manifest else configured(call, place, digest)
        return {name: shown(str(value)) for name, value in ((found.get("config") or {}).get("Labels") or {}).items()}, ""
    except CredentialsRefused:
        raise
    except CallFailed as failed:
        return {}, str(failed)
    except (*UNREADABLE, AttributeError) as error:
        return {}, f"Could not read the configuration of {repository}@{digest}: {type(error).__name__}: {shown(str(error))}."


def configured(call: Call, place: dict[str, str], digest: str) -> dict[str, Any]:
    """The configuration of one image, by its digest; of several platforms that of the first. `place`, and what is raised, as for `configuration`; NotFound if
    the repository does not hold it."""
    return _of_manifest(call, place, _manifest(call, place, digest))


def _of_manifest(call: Call, place: dict[str, str], manifest: dict[str, Any]) -> dict[str, Any]:
    return of_index(call, place, manifest) if "manifests" in manifest else configuration(call, place, manifest)


def of_index(call: Call, place: dict[str, str], index: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the first image in a manifest list; build attestations are listed beside them, for the platform 'unknown'."""
    images = [item for item in index["manifests"] if (item.get("platform") or {}).get("architecture") != "unknown"]
    return configuration(call, place, _manifest(call, place, images[0]["digest"]))


def _manifest(call: Call, place: dict[str, str], digest: str) -> dict[str, Any]:
    asked = {**place, "imageIds": [{"imageDigest": digest}], "acceptedMediaTypes": MEDIA_TYPES}
    answer = call("ecr", "batch_get_image", f"read {place['repositoryName']}@{digest}", **asked)
    if not answer.get("images"):
        raise NotFound(f"The repository {place['repositoryName']} does not hold {digest}.", code="ImageNotFoundException")
    return json.loads(answer["images"][0]["imageManifest"])
