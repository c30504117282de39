# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The certificates with which an application verifies its database: where an image has them, and how its containers are told.

What files are in an image cannot be read from ECR. So whoever builds it looks, and writes down in a label what was seen.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Denied, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import ecr_digest
from ansible_collections.atena.aws.plugins.module_utils.images.configuration import UNREADABLE
from ansible_collections.atena.aws.plugins.module_utils.images.labels import configured

LABEL = "atena.ca-bundle"
# Node, and through libpq or by its example nearly every other driver, take the path of more authorities from these.
VARIABLES = ("NODE_EXTRA_CA_CERTS", "PGSSLROOTCERT")


class Said(NamedTuple):
    """What an image's configuration tells. path: where its bundle is, ''; own: which of VARIABLES it sets itself."""

    path: str
    own: tuple[str, ...]


def is_bundle(content: str) -> bool:
    """Whether a file holds certificates."""
    return "-----BEGIN CERTIFICATE-----" in content


def said(configuration: dict[str, Any]) -> Said:
    """From an image's configuration."""
    config = configuration.get("config") or {}
    names = {entry.partition("=")[0] for entry in config.get("Env") or []}
    return Said(shown(str((config.get("Labels") or {}).get(LABEL) or "")), tuple(name for name in VARIABLES if name in names))


def of_image(call: Call, reference: str, region: str) -> Said | None:
    """Of an image by digest; None if it is not in this region's ECR, or not there. Raises CallFailed if that cannot be known."""
    match = ecr_digest(reference)
    if match is None or match["region"] != region:
        return None
    place = {"registryId": match["account"], "repositoryName": match["repository"]}
    try:
        return said(configured(call, place, match["digest"]))
    except NotFound:
        return None
    except Denied as failed:
        raise failed.saying(f"{_unknown(match)} {failed} The caller needs ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on that repository.") from failed
    except CallFailed as failed:
        raise failed.saying(f"{_unknown(match)} {failed}") from failed
    except (*UNREADABLE, AttributeError) as error:
        raise CallFailed(f"{_unknown(match)} Its configuration could not be read: {type(error).__name__}: {shown(str(error))}.") from error


def _unknown(match: Any) -> str:
    return (
        f"Whether {match['repository']}@{match['digest']} has a certificate bundle is not known (atena_ca_bundle; empty, nobody asks), so its containers get "
        "what those of the running release have."
    )


def is_known(reference: str) -> bool:
    """Whether an image is there to be read: one that a check would only build has no real digest yet."""
    return "@sha256:" not in reference or re.search(r"@sha256:[0-9a-f]{64}$", reference) is not None


def environment(container: dict[str, Any], image: Said | None) -> dict[str, str]:
    """The variables that a container of this image is given beside those of its definition: neither what that sets, nor what the image sets itself."""
    if image is None or not image.path:
        return {}
    return {name: image.path for name in VARIABLES if name not in _set(container) and name not in image.own}


def as_before(container: dict[str, Any], running: dict[str, Any]) -> dict[str, str]:
    """The same as that of the container that runs, whatever its image is."""
    told = {entry["name"]: entry["value"] for entry in running.get("environment") or []}
    return {name: told[name] for name in VARIABLES if name in told and name not in _set(container)}


def _set(container: dict[str, Any]) -> set[str]:
    return {entry["name"] for kind in ("environment", "secrets") for entry in container.get(kind) or []}
