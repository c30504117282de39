# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the inventory's services to the lists that the modules of a release take."""

from __future__ import annotations


def release_images(services: dict, name: str) -> list[dict]:
    """ecr_image's `images`: one for each service, its repository called as the service is."""
    return [
        {
            "name": key,
            "repository": f"{name}-{key}",
            "dockerfile": service.get("dockerfile", "Dockerfile"),
            "architecture": service.get("architecture", "X86_64"),
        }
        for key, service in services.items()
    ]


def release_services(order: list[str], name: str, images: dict) -> list[dict]:
    """ecs_release_revision's `services`, in the order of the rollout. `images`: ecr_image's result."""
    return [{"name": f"{name}-{key}", "images": {key: images[key]["image"]}} for key in order]


def rollout_services(revisions: list[dict], name: str, services: dict) -> list[dict]:
    """ecs_rollout's `services` from ecs_release_revision's `revisions`."""
    counts = {f"{name}-{key}": int(service.get("desired_count", 1)) for key, service in services.items()}
    return [
        {"name": revision["service"], "task_definition": revision["task_definition"], "initial_count": counts[revision["service"]]} for revision in revisions
    ]


class FilterModule:
    def filters(self):
        return {"release_images": release_images, "release_services": release_services, "rollout_services": rollout_services}
