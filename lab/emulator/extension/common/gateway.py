"""Containers reach the emulator (task metadata, AWS_ENDPOINT_URL) though it listens on loopback only.

MiniStack listens on one address. On all interfaces it would be open to the user's whole network; on loopback it is out of the
containers' reach. So it also listens on the lab network's own gateway.
"""

from __future__ import annotations

import os
from typing import Any

import hypercorn.asyncio


def apply() -> None:
    gateway, port = os.environ["ATENA_LAB_GATEWAY"], os.environ["GATEWAY_PORT"]
    serve = hypercorn.asyncio.serve

    async def serve_containers_too(app: Any, config: Any, **options: Any) -> None:
        config.bind = [*config.bind, f"{gateway}:{port}"]
        await serve(app, config, **options)

    hypercorn.asyncio.serve = serve_containers_too
