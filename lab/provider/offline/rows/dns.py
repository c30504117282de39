"""Route 53."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..row import Call, Row, Update

Values = dict[str, Any]

ABSOLUTE = "."


def record_set(v: Values) -> dict:
    alias = (v.get("alias") or [None])[0]
    if alias:
        target = {"DNSName": alias["name"], "HostedZoneId": alias["zone_id"], "EvaluateTargetHealth": bool(alias.get("evaluate_target_health"))}
        return {"Name": v["name"], "Type": v["type"], "AliasTarget": target}
    values = [{"Value": value} for value in sorted(v.get("records") or [])]
    return {"Name": v["name"], "Type": v["type"], "TTL": int(v.get("ttl") or 0), "ResourceRecords": values}


def change(action: str | None = None) -> Callable[[Values], dict]:
    """Without an action: create, or overwrite where that is allowed."""

    def arguments(v: Values) -> dict:
        wanted = action or ("UPSERT" if v.get("allow_overwrite") else "CREATE")
        return {"HostedZoneId": v["zone_id"], "ChangeBatch": {"Changes": [{"Action": wanted, "ResourceRecordSet": record_set(v)}]}}

    return arguments


def plain(name: str) -> str:
    """AWS ends every name with a dot, and may lead an alias over dualstack."""
    return name.removesuffix(ABSOLUTE).removeprefix("dualstack.").lower()


def details(answer: dict, v: Values, ctx: Any) -> Values:
    target = answer.get("AliasTarget")
    alias = {"name": plain(target["DNSName"]), "zone_id": target["HostedZoneId"], "evaluate_target_health": target["EvaluateTargetHealth"]} if target else None
    return {
        "name": plain(answer["Name"]),
        "fqdn": plain(answer["Name"]),
        "alias": [alias] if alias else [],
        "records": [one["Value"] for one in answer.get("ResourceRecords") or []],
    }


def imported(identifier: str, ctx: Any) -> Values:
    zone, _, rest = identifier.partition("_")
    name, _, kind = rest.rpartition("_")
    return {"id": identifier, "zone_id": zone, "name": name, "type": kind}


RECORD = Row(
    "aws_route53_record",
    "route53",
    create=Call("change_resource_record_sets", change(), take="name type zone_id alias records ttl"),
    made=lambda v, answer: {"id": f"{v['zone_id']}_{v['name']}_{v['type']}"},
    updates=(Update("change_resource_record_sets", change("UPSERT"), take="alias records ttl"),),
    read=Call(
        "list_resource_record_sets",
        lambda v: {"HostedZoneId": v["zone_id"], "StartRecordName": v["name"], "StartRecordType": v["type"], "MaxItems": "1"},
    ),
    at=lambda v: f"ResourceRecordSets[?Name=='{v['name']}.' && Type=='{v['type']}'] | [0]",
    got=details,
    delete=Call("change_resource_record_sets", change("DELETE")),
    local="allow_overwrite",
    imports=imported,
)

ROWS = [RECORD]
