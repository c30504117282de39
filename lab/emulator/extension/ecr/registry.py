"""A registry that behaves as ECR does.

MiniStack takes pushes and pulls from anybody, in the default account, and DescribeImages leaves out an image that is not there.
On ECR a client must log in with a token of GetAuthorizationToken, whose account owns the repositories, and DescribeImages fails
with ImageNotFoundException. GetDownloadUrlForLayer gives an address that needs no login; MiniStack's is at the real ECR.
"""

from __future__ import annotations

import base64
import binascii
import os
import time
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, set_request_account_id, set_request_region
from ministack.services import ecr

TOKEN_PREFIX = "lab-token"
TOKEN_HOURS = 12
SIGNATURE = "lab-signature"


def password(account: str, region: str) -> str:
    return f"{TOKEN_PREFIX}.{account}.{region}"


def scope_of(authorization: str) -> tuple[str, str] | None:
    """The account and region that a basic authorization is for, or None if it is no token of this registry."""
    kind, _, encoded = authorization.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    parts = secret.split(".")
    return (parts[1], parts[2]) if user == "AWS" and len(parts) == 3 and parts[0] == TOKEN_PREFIX else None


def missing_image(repository: str, images: list[dict[str, Any]], wanted: list[dict[str, str]]) -> dict[str, str] | None:
    """The first wanted image that the repository does not hold."""
    for image_id in wanted:
        digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
        if not any((digest is None or image["imageDigest"] == digest) and (tag is None or tag in image.get("imageTags", [])) for image in images):
            return image_id
    return None


def _authorization_token(data: dict[str, Any]) -> Any:
    account, region = get_account_id(), get_region()
    token = base64.b64encode(f"AWS:{password(account, region)}".encode()).decode()
    return json_response({
        "authorizationData": [{
            "authorizationToken": token,
            "expiresAt": int(time.time()) + TOKEN_HOURS * 3600,
            "proxyEndpoint": f"https://{account}.dkr.ecr.{region}.amazonaws.com",
        }]
    })  # fmt: skip


def apply() -> None:
    describe_images, handle, get_download_url = ecr._describe_images, ecr.handle_registry_request, ecr._get_download_url_for_layer

    def describe_existing_images(data: dict[str, Any]) -> Any:
        repository, wanted = data.get("repositoryName", ""), data.get("imageIds") or []
        if repository in ecr._repositories:
            missing = missing_image(repository, ecr._images.get(repository, []), wanted)
            if missing is not None:
                image_id = f"{{imageDigest:'{missing.get('imageDigest', 'null')}', imageTag:'{missing.get('imageTag', 'null')}'}}"
                place = f"the repository with name '{repository}' in the registry with id '{get_account_id()}'"
                return error_response_json("ImageNotFoundException", f"The image with imageId {image_id} does not exist within {place}", 400)
        return describe_images(data)

    async def handle_authorized(method: str, path: str, headers: dict[str, str], body: Any, query: Any) -> Any:
        authorization = next((value for name, value in (headers or {}).items() if name.lower() == "authorization"), "")
        signed = (query or {}).get(SIGNATURE)
        if signed and method == "GET" and "/blobs/" in path:
            authorization = "Basic " + base64.b64encode(f"AWS:{signed[0]}".encode()).decode()
        scope = scope_of(authorization)
        if scope is None:
            status, answer_headers, answer = ecr._registry_error(401, "UNAUTHORIZED", "authentication required")
            return status, {**answer_headers, "WWW-Authenticate": 'Basic realm="ecr"'}, answer
        set_request_account_id(scope[0])
        set_request_region(scope[1])
        return await handle(method, path, headers, body, query)

    def download_url(data: dict[str, Any]) -> Any:
        repository, digest = data.get("repositoryName", ""), data.get("layerDigest", "")
        if repository in ecr._repositories and digest not in ecr._layer_blobs.get(repository, {}):
            text = f"The layer with digest '{digest}' does not exist within the repository with name '{repository}'"
            return error_response_json("LayerInaccessibleException", text, 400)
        answer = get_download_url(data)
        if answer[0] != 200:
            return answer
        signature = password(get_account_id(), get_region())
        url = f"http://localhost:{os.environ['GATEWAY_PORT']}/v2/{repository}/blobs/{digest}?{SIGNATURE}={signature}"
        return json_response({"downloadUrl": url, "layerDigest": digest})

    ecr._get_authorization_token = _authorization_token
    ecr._get_download_url_for_layer = download_url
    ecr._describe_images = describe_existing_images
    ecr.handle_registry_request = handle_authorized
