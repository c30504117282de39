# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The labels of an image in ECR."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, CredentialsRefused
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown
from ansible_collections.atena.aws.plugins.module_utils.images.configuration import UNREADABLE, configuration
from ansible_collections.atena.aws.plugins.module_utils.images.tags import MEDIA_TYPES


def labels(call: Call, repository: str, digest: str) -> tuple[dict[str, str], str]:
    """(labels, why they could not be read, if so). Only refused credentials are a failure: an image that is there can be released without them."""
    try:
        manifest = _manifest(call, repository, digest)
        if "manifests" in manifest:  # of several platforms; build attestations are listed beside them, for the platform 'unknown'
            images = [item for item in manifest["manifests"] if (item.get("platform") or {}).get("architecture") != "unknown"]
            manifest = _manifest(call, repository, images[0]["digest"])
        configured = configuration(call, {"repositoryName": repository}, manifest)
        return {name: shown(str(value)) for name, value in ((configured.get("config") or {}).get("Labels") or {}).items()}, ""
    except CredentialsRefused:
        raise
    except CallFailed as failed:
        return {}, str(failed)
    except (*UNREADABLE, AttributeError) as error:
        return {}, f"Could not read the configuration of {repository}@{digest}: {type(error).__name__}: {shown(str(error))}."


def _manifest(call: Call, repository: str, digest: str) -> dict[str, Any]:
    asked = {"repositoryName": repository, "imageIds": [{"imageDigest": digest}], "acceptedMediaTypes": MEDIA_TYPES}
    return json.loads(call("ecr", "batch_get_image", f"read {repository}@{digest}", **asked)["images"][0]["imageManifest"])
