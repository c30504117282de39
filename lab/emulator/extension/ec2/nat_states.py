"""A NAT gateway is `pending` before it is available, and `deleting` before it is gone; its address is its own meanwhile.

MiniStack's is available at once and deleted at once. On AWS an Elastic IP stays with a NAT gateway until that is deleted: until then it
cannot be released, and a second gateway with it fails. common/lab_settings.py sets times and failures.
"""

from __future__ import annotations

import time
from typing import Any

from ministack.services import ec2

from ..common import lab_settings
from ..common.patching import replace

IN_USE = ("pending", "available", "deleting")


def apply() -> None:
    replace(ec2, "_create_nat_gateway", _pending_first)
    replace(ec2, "_describe_nat_gateways", _as_of_now)
    replace(ec2, "_delete_nat_gateway", _deleting_first)
    replace(ec2, "_release_address", _only_unused)


def settle(gateway: dict[str, Any], *, taken: bool = False) -> None:
    """Move a gateway on to the state that it has by now."""
    if gateway["State"] == "pending" and lab_settings.over("nat_create", gateway["_began"]):
        if taken or lab_settings.fails("nat_create"):
            gateway.update(State="failed", _failure=failure(gateway, taken))
        else:
            gateway["State"] = "available"
    elif gateway["State"] == "deleting" and lab_settings.over("nat_delete", gateway["_began"]):
        gateway["State"] = "deleted"


def failure(gateway: dict[str, Any], taken: bool) -> tuple[str, str]:
    if taken:
        return "Resource.AlreadyAssociated", f"Elastic IP address [{gateway['AllocationId']}] is already associated"
    return "InternalError", "Network interface could not be created. Please retry."


def settle_all() -> None:
    for gateway in ec2._nat_gateways.values():
        settle(gateway, taken=gateway.get("_taken", False))


def holders(allocation: str) -> list[str]:
    """The gateways that have this address and will not let it go yet."""
    settle_all()
    return [name for name, one in ec2._nat_gateways.items() if allocation and one["AllocationId"] == allocation and one["State"] in IN_USE]


def _pending_first(create: Any) -> Any:
    def create_pending(params: dict[str, Any]) -> Any:
        before = holders(ec2._p(params, "AllocationId"))
        known = set(ec2._nat_gateways)
        status, headers, body = create(params)
        for name in set(ec2._nat_gateways) - known:
            ec2._nat_gateways[name].update(State="pending", _began=time.time(), _taken=bool(before))
        return status, headers, body.replace(b"<state>available</state>", b"<state>pending</state>")

    return create_pending


def _as_of_now(describe: Any) -> Any:
    def describe_now(params: dict[str, Any]) -> Any:
        settle_all()
        status, headers, body = describe(params)
        for name, gateway in ec2._nat_gateways.items():
            if gateway.get("_failure"):
                code, message = gateway["_failure"]
                told = f"<natGatewayId>{name}</natGatewayId><failureCode>{code}</failureCode><failureMessage>{message}</failureMessage>"
                body = body.replace(f"<natGatewayId>{name}</natGatewayId>".encode(), told.encode())
        return status, headers, body

    return describe_now


def _deleting_first(delete: Any) -> Any:
    def delete_slowly(params: dict[str, Any]) -> Any:
        gateway = ec2._nat_gateways.get(ec2._p(params, "NatGatewayId"))
        if gateway is None:
            return delete(params)
        settle_all()
        if gateway["State"] in ("deleting", "deleted"):
            return ec2._xml(200, "DeleteNatGatewayResponse", f"<natGatewayId>{gateway['NatGatewayId']}</natGatewayId>")
        answer = delete(params)
        gateway.update(State="deleting", _began=time.time())
        return answer

    return delete_slowly


def _only_unused(release: Any) -> Any:
    def release_unused(params: dict[str, Any]) -> Any:
        allocation = ec2._p(params, "AllocationId")
        if holders(allocation):
            return ec2._error("InvalidIPAddress.InUse", f"The address with allocation id [{allocation}] cannot be released because it is in use.", 400)
        return release(params)

    return release_unused
