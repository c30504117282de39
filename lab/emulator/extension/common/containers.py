"""Labs side by side on one Docker engine, and containers that reach each other.

MiniStack names containers and volumes after the account and the resource, so two emulators with the same account take each
other's; it publishes databases on all interfaces of the host; and it leaves the containers of tasks on Docker's default network,
where those of the databases cannot be reached. All of it goes through docker-py's `create` and `get`.
"""

from __future__ import annotations

import os
from typing import Any

from docker.models.containers import ContainerCollection
from docker.models.volumes import VolumeCollection

from .patching import replace

LABEL = "atena.lab"
THEIRS = "ministack-"


def own_name(name: str, prefix: str) -> str:
    """MiniStack's name in this lab's own space; the underscore keeps `lab` apart from `lab-2`."""
    return f"{prefix}_{name.removeprefix(THEIRS)}" if name.startswith(THEIRS) else name


def own_settings(settings: dict[str, Any], prefix: str, network: str, gateway: str) -> dict[str, Any]:
    changed = dict(settings)
    if changed.get("name"):
        changed["name"] = own_name(changed["name"], prefix)
    labels = dict(changed.get("labels") or {})
    changed["labels"] = {**labels, LABEL: prefix}
    if labels.get("ministack"):
        # Reached by their address on the lab's network, from the host too.
        changed.pop("ports", None)
        if not changed.get("network_mode"):
            changed["network"] = changed.get("network") or network
        hosts = changed.get("extra_hosts") or {}
        changed["extra_hosts"] = {name: gateway if address == "host-gateway" else address for name, address in hosts.items()}
    volumes = changed.get("volumes")
    if isinstance(volumes, dict):
        changed["volumes"] = {own_name(name, prefix): bind for name, bind in volumes.items()}
    return changed


def apply() -> None:
    prefix, network, gateway = os.environ["ATENA_LAB_PREFIX"], os.environ["DOCKER_NETWORK"], os.environ["ATENA_LAB_GATEWAY"]
    create, get, get_volume = ContainerCollection.create, ContainerCollection.get, VolumeCollection.get

    def create_in_lab(self: ContainerCollection, image: Any, command: Any = None, **settings: Any) -> Any:
        changed = own_settings(settings, prefix, network, gateway)
        for name in changed.get("volumes") or {}:
            if isinstance(changed["volumes"], dict) and name.startswith(f"{prefix}_"):
                # Made here rather than by the container, so that it carries the lab's label.
                self.client.volumes.create(name=name, labels={LABEL: prefix})
        return create(self, image, command, **changed)

    def get_in_lab(self: ContainerCollection, container_id: str) -> Any:
        return get(self, own_name(container_id, prefix))

    def get_volume_in_lab(self: VolumeCollection, volume_id: str) -> Any:
        return get_volume(self, own_name(volume_id, prefix))

    replace(ContainerCollection, "create", lambda _: create_in_lab)
    replace(ContainerCollection, "get", lambda _: get_in_lab)
    replace(VolumeCollection, "get", lambda _: get_volume_in_lab)
