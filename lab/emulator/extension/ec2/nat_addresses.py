"""A NAT gateway tells its address.

MiniStack keeps the allocation id of a NAT gateway and answers with an empty set of addresses.
"""

from __future__ import annotations

import re
from typing import Any

from ministack.services import ec2

from ..common.patching import replace

EMPTY_SET = re.compile(rb"(<natGatewayId>(nat-[0-9a-f]+)</natGatewayId>(?:(?!<natGatewayId>).)*?)<natGatewayAddressSet/>", re.DOTALL)


def apply() -> None:
    for name in ("_create_nat_gateway", "_describe_nat_gateways"):
        replace(ec2, name, _with_addresses)


def address_set(gateway: dict[str, Any], addresses: Any) -> str:
    allocation = gateway.get("AllocationId")
    address = addresses.get(allocation) if allocation else None
    if not address:
        return "<natGatewayAddressSet/>"
    network_interface = f"eni-{gateway['NatGatewayId'].removeprefix('nat-')}"
    return (
        f"<natGatewayAddressSet><item><allocationId>{allocation}</allocationId><publicIp>{address['PublicIp']}</publicIp>"
        f"<networkInterfaceId>{network_interface}</networkInterfaceId><isPrimary>true</isPrimary><status>succeeded</status></item></natGatewayAddressSet>"
    )


def _with_addresses(act: Any) -> Any:
    def act_and_tell(params: dict[str, Any]) -> Any:
        status, headers, body = act(params)

        def fill(match: re.Match[bytes]) -> bytes:
            gateway = ec2._nat_gateways.get(match[2].decode())
            return match[1] + (address_set(gateway, ec2._addresses) if gateway else "<natGatewayAddressSet/>").encode()

        return status, headers, EMPTY_SET.sub(fill, body)

    return act_and_tell
