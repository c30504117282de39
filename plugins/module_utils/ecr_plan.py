# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions about images in ECR: where to push, what is there already, what is missing. No call to AWS or Docker here."""

from __future__ import annotations

from urllib.parse import urlsplit

# Docker's names for ECS's CPU architectures.
PLATFORMS = {"X86_64": "amd64", "ARM64": "arm64"}


def push_registry(endpoint_url: str, proxy_endpoint: str) -> str:
    """host[:port] to push to: ECR's own answer, or the host of the endpoint where a custom one (AWS_ENDPOINT_URL) is in force."""
    host = urlsplit(endpoint_url).hostname or ""
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
        return urlsplit(proxy_endpoint).netloc
    return urlsplit(endpoint_url).netloc


def plan(item: dict, tag: str, also_tags: list[str], details: list[dict]) -> dict:
    """What is to be done for one image. `details`: DescribeImages' answer for its repository, for all tags asked.

    {'build': bool, 'digest': str or None, 'retag': [tags to move to the release's image]}
    """
    digests = {name: image["imageDigest"] for image in details for name in image.get("imageTags", [])}
    digest = digests.get(tag)
    return {"build": digest is None, "digest": digest, "retag": [name for name in also_tags if digest is None or digests.get(name) != digest]}
