# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Single readings of an environment: one function for one fact. None is what does not exist; no secret's value leaves this file."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, NotFound, absent_as, is_fatal
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Answer, Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.environment import destroy_record, journal as power_journal, lock as environment_lock
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import PowerRecord
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import DatabaseUrl

# --- Secrets ---


def parameter_state(parameter: dict, placeholder: str) -> str:
    """What may be known of a secret's value: 'set', 'placeholder' or 'empty'."""
    value = parameter.get("Value", "")
    return "placeholder" if value == placeholder else "set" if value.strip() else "empty"


def _sslmode(parameter: Answer) -> dict[str, str]:
    """Of a database's address what is no secret: how its connections are verified."""
    if parameter["Name"].rpartition("/")[2] != "DATABASE_URL":
        return {}
    try:
        return {"sslmode": DatabaseUrl.parse(parameter.get("Value", "")).sslmode}
    except ValueError:
        return {}


def parameters(call: Call, names: list[str], placeholder: str) -> dict[str, Any]:
    """{name: {"state": "set"|"placeholder"|"empty"|"missing"} or {"unread": why}} of at most ten parameters; of a DATABASE_URL its "sslmode", too."""
    doing, refused = f"read the parameters {', '.join(names)}", None
    try:
        answer = call("ssm", "get_parameters", doing, Names=names, WithDecryption=True)
    except CallFailed as failed:
        if is_fatal(failed):
            raise
        # Without the key's permission one still learns which of them exist.
        refused = {"unread": str(failed)}
        try:
            answer = call("ssm", "get_parameters", doing, Names=names, WithDecryption=False)
        except CallFailed as again:
            if again.code != failed.code:
                raise
            answer = {"Parameters": []}
    found = {name: refused for name in names if refused}
    for parameter in answer["Parameters"] if not refused else []:
        fact = {"state": parameter_state(parameter, placeholder), **_sslmode(parameter)}
        found[parameter["Name"] + parameter.get("Selector", "")] = fact
    found.update({name: {"state": "missing"} for name in answer.get("InvalidParameters", [])})
    return found


# --- Logs, load balancer ---


def log_group(call: Aws, name: str) -> bool:
    return log_groups(call, [name])[name]


def log_groups(call: Aws, names: list[str]) -> dict[str, bool]:
    """{name: whether there is one}. Of several, what they have in common is listed."""
    doing = f"find the log group{'s' if len(names) > 1 else ''} {', '.join(names)}"
    found = call.pages("logs", "describe_log_groups", doing, "logGroups", logGroupNamePrefix=os.path.commonprefix(names))
    there = {group["logGroupName"] for group in found}
    return {name: name in there for name in names}


def target_group(call: Call, arn: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = absent_as(
        [], "TargetGroup", lambda: call("elbv2", "describe_target_groups", f"read {arn}", TargetGroupArns=[arn])["TargetGroups"]
    )
    return found[0] if found else None


def attributes(call: Call, arn: str) -> dict[str, str]:
    answer: Answer = absent_as(
        {"Attributes": []},
        "TargetGroup",
        lambda: call("elbv2", "describe_target_group_attributes", f"read the attributes of {arn}", TargetGroupArn=arn),
    )
    return {item["Key"]: item.get("Value", "") for item in answer["Attributes"]}


def forwards(actions: list[dict]) -> set:
    """ARNs of the target groups that a listener's or a rule's actions send requests to."""
    found: set[str] = set()
    for action in actions:
        groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
        found.update(group["TargetGroupArn"] for group in groups if group.get("Weight", 1) > 0)
        if not groups and action.get("TargetGroupArn"):
            found.add(action["TargetGroupArn"])
    return found


def balancer(call: Aws, arn: str, groups: list[str]) -> dict[str, Any] | None:
    """A load balancer as described, with `forwards_to`: the target groups that its listeners send requests to (rules are read only if one of `groups` is
    not among them)."""
    found: list[dict[str, Any]] = absent_as(
        [],
        "LoadBalancer",
        lambda: call("elbv2", "describe_load_balancers", f"read the load balancer {arn}", LoadBalancerArns=[arn])["LoadBalancers"],
    )
    if not found:
        return None
    listeners = call.pages("elbv2", "describe_listeners", f"read the listeners of {arn}", "Listeners", LoadBalancerArn=arn)
    reached: set[str] = set().union(*(forwards(listener.get("DefaultActions", [])) for listener in listeners))
    if not reached.issuperset(groups):
        for listener in listeners:
            place = listener["ListenerArn"]
            rules = call.pages("elbv2", "describe_rules", f"read the rules of {place}", "Rules", ListenerArn=place)
            reached = reached.union(*(forwards(rule.get("Actions", [])) for rule in rules))
    return {**found[0], "forwards_to": sorted(reached)}


# --- The environment's own records ---


def gates(call: Call, bucket: str, key: str) -> dict[str, Any] | None:
    """The gates; {} for an object that is no JSON object."""
    try:
        answer = call("s3", "get_object", f"read the gates s3://{bucket}/{key}", Bucket=bucket, Key=key)
    except NotFound:
        return None
    try:
        said = json.loads(answer["Body"].read())
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {}


def journal(call: Call, bucket: str, key: str) -> dict[str, Any] | None:
    """How the power journal says that things stand (power_journal.standing); None if the environment was never stopped."""
    found = power_journal.Journal(call, bucket, key).look()
    return power_journal.standing(found).as_dict() if isinstance(found, PowerRecord) else None


def destroyed(call: Call, bucket: str, key: str) -> dict[str, Any] | None:
    """How the record of a destroy says that things stand (destroy_record.standing)."""
    found = destroy_record.standing(destroy_record.read(call, bucket, key))
    return found._asdict() if found else None


def lock(call: Call, table: str, name: str, own_token: str) -> dict[str, Any] | None:
    """{"ours", "expired", "standing": who holds it, in a sentence}; None when nobody does; {"missing": True} without a table.

    The token, which proves the holding, is not kept.
    """
    reader = environment_lock.Lock(call, table, name)
    try:
        found = reader.read()
    except NotFound:
        return {"missing": True}
    if found is None:
        return None
    now = reader.now
    return {
        "ours": bool(own_token) and found.token == own_token,
        "expired": environment_lock.expired(found, now),
        "standing": environment_lock.standing_text(name, found, now),
    }


# --- Network ---


def vpc_configuration(service: dict) -> dict:
    return (service.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}


def subnets(call: Call, identifiers: list[str]) -> list[dict[str, Any]]:
    return call("ec2", "describe_subnets", f"read the subnets {', '.join(identifiers)}", SubnetIds=identifiers)["Subnets"]


# What may lie around subnets: EC2's operation, the key of its answer, and the name of the filter's argument where it is another.
NETWORK = {
    "groups": ("describe_security_groups", "SecurityGroups"),
    "subnets": ("describe_subnets", "Subnets"),
    "route_tables": ("describe_route_tables", "RouteTables"),
    "nat_gateways": ("describe_nat_gateways", "NatGateways", "Filter"),
    "endpoints": ("describe_vpc_endpoints", "VpcEndpoints"),
}


def of_vpcs(call: Aws, part: str, vpcs: list[str]) -> list[dict[str, Any]]:
    """All of one part of NETWORK in these VPCs."""
    operation, key, *filters = NETWORK[part]
    doing = f"read the {part.replace('_', ' ')} of {', '.join(vpcs)}"
    return call.pages("ec2", operation, doing, key, **{filters[0] if filters else "Filters": [{"Name": "vpc-id", "Values": vpcs}]})
