# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An image's configuration blob in ECR, which holds its platform and its labels. ECR gives it out by a signed address, as to an engine that pulls."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.urls import ConnectionError as UrlError, open_url
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Answer, Call

# What `configuration` raises, besides CallFailed, of a download that broke off or an answer that is none.
UNREADABLE = (OSError, http.client.HTTPException, UrlError, ValueError, LookupError, TypeError)
_LARGEST = 4 << 20


def configuration(call: Call, place: Mapping[str, str], manifest: Answer) -> dict[str, Any]:
    """Of one image's manifest. `place` is repositoryName and, of another account's registry, registryId. Raises CallFailed and UNREADABLE."""
    digest = manifest["config"]["digest"]
    doing = f"read the configuration of {place['repositoryName']}@{digest}"
    url = call("ecr", "get_download_url_for_layer", doing, **place, layerDigest=digest)["downloadUrl"]
    with open_url(url, timeout=10) as answer:
        return json.loads(answer.read(_LARGEST))
