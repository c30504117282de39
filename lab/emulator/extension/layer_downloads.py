"""A layer's download address leads to the layer.

MiniStack answers GetDownloadUrlForLayer with an address on the real ECR, for any digest. ECR gives out a signed address that needs no
further login, and knows which layers it has.
"""

from __future__ import annotations

import base64
import os
from typing import Any
from urllib.parse import urlencode

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import ecr

from .registry import password

TOKEN = "lab-token"


def address(repository: str, digest: str, token: str) -> str:
    return f"http://localhost:{os.environ['GATEWAY_PORT']}/v2/{repository}/blobs/{digest}?{urlencode({TOKEN: token})}"


def signed(headers: dict[str, str] | None, query: Any) -> dict[str, str]:
    """The request's headers, with the login that its address stands for."""
    values = (query or {}).get(TOKEN)
    token = values[0] if isinstance(values, list) and values else values
    if not token:
        return headers or {}
    return {**(headers or {}), "authorization": "Basic " + base64.b64encode(f"AWS:{token}".encode()).decode()}


def apply() -> None:
    handle = ecr.handle_registry_request

    def download_url(data: dict[str, Any]) -> Any:
        repository, digest = data.get("repositoryName", ""), data.get("layerDigest", "")
        if repository not in ecr._repositories:
            return error_response_json("RepositoryNotFoundException", f"The repository with name '{repository}' does not exist", 400)
        if digest not in ecr._layer_blobs.get(repository, {}):
            return error_response_json("LayersNotFoundException", f"The layer with digest '{digest}' does not exist in '{repository}'", 400)
        return json_response({"downloadUrl": address(repository, digest, password(get_account_id(), get_region())), "layerDigest": digest})

    async def handle_signed(method: str, path: str, headers: dict[str, str], body: Any, query: Any) -> Any:
        return await handle(method, path, signed(headers, query), body, query)

    ecr._get_download_url_for_layer = download_url
    ecr.handle_registry_request = handle_signed
