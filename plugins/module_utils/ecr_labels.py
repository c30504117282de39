# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The labels of an image in ECR: they are in its configuration blob, which ECR gives out by a signed address, as to an engine that pulls."""

from __future__ import annotations

import http.client
import json

from ansible.module_utils.urls import ConnectionError as UrlError
from ansible.module_utils.urls import open_url
from ansible_collections.atena.aws.plugins.module_utils.aws_errors import CallFailed, CredentialsRefused
from ansible_collections.atena.aws.plugins.module_utils.ecr_tags import MEDIA_TYPES

_LARGEST = 4 << 20


def labels(call, repository: str, digest: str) -> tuple[dict, str]:
    """(labels, why they could not be read, if so). Only refused credentials are a failure: an image that is there can be released without them."""
    try:
        manifest = _manifest(call, repository, digest)
        if "manifests" in manifest:  # of several platforms; build attestations are listed beside them, for the platform 'unknown'
            images = [item for item in manifest["manifests"] if (item.get("platform") or {}).get("architecture") != "unknown"]
            manifest = _manifest(call, repository, images[0]["digest"])
        blob = manifest["config"]["digest"]
        doing = f"read the configuration of {repository}@{blob}"
        url = call("ecr", "get_download_url_for_layer", doing, repositoryName=repository, layerDigest=blob)["downloadUrl"]
        with open_url(url, timeout=10) as answer:
            configuration = json.loads(answer.read(_LARGEST))
        return dict((configuration.get("config") or {}).get("Labels") or {}), ""
    except CredentialsRefused:
        raise
    except CallFailed as failed:
        return {}, str(failed)
    except (OSError, http.client.HTTPException, UrlError, ValueError, LookupError, TypeError, AttributeError) as error:
        return {}, f"Could not read the configuration of {repository}@{digest}: {type(error).__name__}: {error}."


def _manifest(call, repository: str, digest: str) -> dict:
    asked = {"repositoryName": repository, "imageIds": [{"imageDigest": digest}], "acceptedMediaTypes": MEDIA_TYPES}
    return json.loads(call("ecr", "batch_get_image", f"read {repository}@{digest}", **asked)["images"][0]["imageManifest"])
