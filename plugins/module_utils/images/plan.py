# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions about images in ECR: where to push, what is there already, what is missing. No call to AWS or Docker here."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from ansible_collections.atena.aws.plugins.module_utils.core.partitions import is_endpoint

# Docker's names for ECS's CPU architectures.
PLATFORMS = {"X86_64": "amd64", "ARM64": "arm64"}


def push_registry(endpoint_url: str, proxy_endpoint: str) -> str:
    """host[:port] to push to: ECR's own answer, or the host of the endpoint where a custom one (AWS_ENDPOINT_URL) is in force."""
    if is_endpoint(urlsplit(endpoint_url).hostname or ""):
        return urlsplit(proxy_endpoint).netloc
    return urlsplit(endpoint_url).netloc


# Labels of an image: from what it was built, which files of the working tree were added (JSON), and to which stage of the Dockerfile. All are always set:
# one that is not comes from the base image.
FROM_LABEL, INCLUDE_LABEL, TARGET_LABEL = "atena.build-from", "atena.build-include", "atena.build-target"
COMMIT, WORKING_TREE = "commit", "working_tree"


def origin_labels(origin: dict) -> dict[str, str]:
    """`origin`: {'from': 'commit' or 'working_tree', 'include': [paths and globs], 'target': the stage, '' for the last one}."""
    return {FROM_LABEL: origin["from"], INCLUDE_LABEL: json.dumps(sorted(origin["include"])), TARGET_LABEL: origin["target"]}


def origin_of(labels: dict) -> dict:
    """What an image's labels tell of its origin; without 'from' if nothing, as with images of earlier versions and other builders."""
    try:
        include = json.loads(labels.get(INCLUDE_LABEL) or "[]")
    except ValueError:
        include = []
    return {
        "from": labels.get(FROM_LABEL) or "",
        "include": [str(name) for name in include] if isinstance(include, list) else [],
        "target": labels.get(TARGET_LABEL) or "",
    }


def together(origins: list[dict]) -> dict:
    """The origin of several images as one: the least that is true of all of them."""
    kinds = {origin["from"] for origin in origins}
    kind = next((kind for kind in (WORKING_TREE, "", COMMIT) if kind in kinds), "")
    return {"from": kind, "include": sorted({name for origin in origins for name in origin["include"]})}


def why_anew(wanted: dict, found: dict, *, dirty: bool = False) -> str:
    """Why an image that has the tag is not what is asked for; '' if it is. What has no label is taken as it is."""
    if found["from"] and found["from"] != wanted["from"]:
        was = "the working tree, so that the commit does not show what is in it" if found["from"] == WORKING_TREE else "the commit alone"
        return f"it was built from {was}"
    if found["from"] and sorted(found["include"]) != sorted(wanted["include"]):
        return f"it was built with {', '.join(found['include']) or 'nothing'} of the working tree, and not with {', '.join(wanted['include']) or 'nothing'}"
    if found["from"] and found["target"] != wanted["target"]:
        was = f"the stage {found['target']}" if found["target"] else "the last stage"
        return f"it was built to {was} of the Dockerfile, and not to {wanted['target'] or 'the last one'}"
    return "the working tree has changes that are not committed, so that the tag does not show what is in it" if dirty else ""


def plan(tag: str, also_tags: list[str], digests: dict[str, str], why: str = "") -> dict:
    """What is to be done for one image. `digests`: {tag: digest} of the tags asked that its repository has; `why`: why it is built anew.

    {'build': bool, 'digest': str or None, 'retag': [tags to move to the release's image]}
    """
    digest = None if why else digests.get(tag)
    return {"build": digest is None, "digest": digest, "retag": [name for name in also_tags if digest is None or digests.get(name) != digest]}
