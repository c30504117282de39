# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the inventory's services to the lists that the modules of a release take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def release_images(services: dict, name: str) -> list[dict]:
    """ecr_image's `images`: one for each service, its repository called as the service is."""
    return [
        {
            "name": key,
            "repository": f"{name}-{key}",
            "dockerfile": service.get("dockerfile", "Dockerfile"),
            "target": service.get("target") or "",
            "architecture": service.get("architecture", "X86_64"),
        }
        for key, service in services.items()
    ]


def release_services(
    services: dict, order: list[str], name: str, images: dict, registry: str, tag: str, stable_seconds: int = 60, counts: dict | None = None
) -> list[dict]:
    """ecs_release's `services`, in the order of the rollout. `images`: ecr_image's result; a service that is not in it has `tag` in `registry`.
    `stable_seconds`: of a service that does not say it itself. `counts`: how often a service begins, by its name in ECS, whatever the inventory says."""
    return [
        {
            "name": f"{name}-{key}",
            "images": {key: images[key]["image"] if key in images else f"{registry}/{name}-{key}:{tag}"},
            "initial_count": int((counts or {}).get(f"{name}-{key}", services[key].get("desired_count", 1))),
            "stable_seconds": int(services[key].get("stable_seconds", stable_seconds)),
            **health_path(services[key]),
        }
        for key in order
    ]


def health_path(service: dict) -> dict:
    """Of a service behind the load balancer: where it answers health checks, `/` unless the inventory says otherwise, as in infra/."""
    return {"health_path": service.get("health_check_path", "/")} if service.get("port") else {}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"release_images": release_images, "release_services": release_services}
