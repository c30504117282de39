# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which release ran in an environment, and how often each service, so that one that is made again is what it was and not what happens to be checked out."""

from __future__ import annotations

import collections
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_task_definition
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import RELEASE_TAG, tags_of


# --- Decisions --------------------------------------------------------------------------------------------------------
def common(releases: list[str]) -> str:
    """The release that most services run; '' where none runs one. Others were left behind by a release that did not get to its end."""
    counted = collections.Counter(release for release in releases if release)
    return max(counted, key=lambda release: (counted[release], release)) if counted else ""


def counts_of(services: dict[str, Any]) -> dict[str, int]:
    """{service: count} of the power journal's services, which a stop's zeros do not reach."""
    return {name: entry["desired_count"] for name, entry in services.items()}


def asked(record: dict[str, Any] | None, wanted: str) -> str:
    """The release to make the environment with; '' for the commit that is checked out. wanted: 'checked_out', a commit in full, or '' for what ran."""
    return "" if wanted == "checked_out" else wanted or (record or {}).get("release") or ""


def gone_text(release: str, missing: list[str]) -> str:
    return (
        f"The images of the release {release}, which ran before the destroy, are not all there: {', '.join(missing)}. To release the commit that is "
        "checked out in its place: -e redeploy_release=checked_out; another one whose images are there: -e release=<commit>."
    )


# --- Reading ----------------------------------------------------------------------------------------------------------
def running(call: Aws, services: dict[str, Any]) -> str:
    """The release that the described services run; '' where none does."""
    definitions = [describe_task_definition(call, service["taskDefinition"]) for service in services.values()]
    return common([tags_of(definition).get(RELEASE_TAG, "") for definition in definitions])


def missing_images(call: Aws, release: str, repositories: list[str]) -> list[str]:
    """'repository:tag' of the images of a release that ECR does not have."""
    tag = f"sha-{release}"
    return [f"{name}:{tag}" for name in repositories if not _has(call, name, tag)]


def _has(call: Aws, repository: str, tag: str) -> bool:
    def look() -> bool:
        doing = f"find {repository}:{tag}"
        return bool(call("ecr", "describe_images", doing, repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"])

    return absent_as(False, "Image", lambda: absent_as(False, "Repository", look))
