"""A database keeps its address for its whole life, stopped and started again included.

Docker gives a container another address at each start. On RDS the endpoint's name stays; here, where the address is the name, the
address has to: databases get theirs from the half of the lab's network that Docker hands out to nobody (atena_lab/docker.py).
"""

from __future__ import annotations

import ipaddress
import os
import threading
from collections.abc import Iterable
from typing import Any

from docker.models.containers import ContainerCollection

from ..common.containers import LABEL
from ..common.patching import replace

_lock = threading.Lock()


def apply() -> None:
    prefix, network = os.environ["ATENA_LAB_PREFIX"], os.environ["DOCKER_NETWORK"]
    create = ContainerCollection.create

    def create_with_address(self: ContainerCollection, image: Any, command: Any = None, **settings: Any) -> Any:
        if (settings.get("labels") or {}).get("ministack") != "rds" or settings.get("network") != network:
            return create(self, image, command, **settings)
        with _lock:
            address = free_address(self.client.networks.get(network).attrs["IPAM"]["Config"], taken(self.client.api, prefix, network))
            if address:
                settings["networking_config"] = {network: self.client.api.create_endpoint_config(ipv4_address=address)}
            return create(self, image, command, **settings)

    replace(ContainerCollection, "create", lambda _: create_with_address)


def taken(api: Any, prefix: str, network: str) -> set[str]:
    """Addresses that this lab's containers were made with, running or not."""
    containers = api.containers(all=True, filters={"label": [f"{LABEL}={prefix}", "ministack=rds"]})
    settings = [container["NetworkSettings"]["Networks"].get(network) or {} for container in containers]
    return {address for one in settings if (address := (one.get("IPAMConfig") or {}).get("IPv4Address"))}


def free_address(config: list[dict[str, str]], used: Iterable[str]) -> str | None:
    """The first address outside the range from which Docker hands out; None for a network without such a range."""
    for part in config:
        if part.get("IPRange"):
            subnet, dynamic = ipaddress.IPv4Network(part["Subnet"]), ipaddress.IPv4Network(part["IPRange"])
            kept = {part.get("Gateway"), *used}
            for other in subnet.address_exclude(dynamic):
                found = next((str(address) for address in other.hosts() if str(address) not in kept), None)
                if found:
                    return found
    return None
