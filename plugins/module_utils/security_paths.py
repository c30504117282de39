# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether security groups let one part of an environment reach another. No call to AWS here.

A group is an item of DescribeSecurityGroups; `groups` is {group id: group}.
"""

from __future__ import annotations

ANYWHERE = "0.0.0.0/0"


def _covers(rule: dict, port: int) -> bool:
    """Whether a rule (an item of IpPermissions) holds for this TCP port."""
    if rule.get("IpProtocol") == "-1":
        return True
    if rule.get("IpProtocol") not in ("tcp", "6"):
        return False
    return rule.get("FromPort", 0) <= port <= rule.get("ToPort", 65535)


def _names(rule: dict, others: list[str], addresses: tuple[str, ...] = (ANYWHERE,)) -> bool:
    """Whether the rule's other side is one of these groups, or one of these address ranges."""
    if any(pair.get("GroupId") in others for pair in rule.get("UserIdGroupPairs", [])):
        return True
    return any(entry.get("CidrIp") in addresses for entry in rule.get("IpRanges", []))


def allows(groups: dict, ids: list[str], direction: str, others: list[str], port: int, addresses: tuple[str, ...] = (ANYWHERE,)) -> bool | None:
    """Whether any of the groups `ids` lets TCP `port` through to or from `others`; None if a group was not read, so that it cannot be known.

    direction: IpPermissions (in) or IpPermissionsEgress (out).
    """
    if any(_covers(rule, port) and _names(rule, others, addresses) for name in ids for rule in groups.get(name, {}).get(direction, [])):
        return True
    return None if any(name not in groups for name in ids) or not ids else False


def label(groups: dict, ids: list[str]) -> str:
    """The groups as people know them: 'atena-prod-ecs-sg (sg-1)'."""
    return ", ".join(f"{groups[name]['GroupName']} ({name})" if name in groups else name for name in ids)


def blocked(groups: dict, source: list[str], target: list[str], port: int, addresses: tuple[str, ...] = (ANYWHERE,)) -> list[str]:
    """What is missing for TCP `port` from the groups `source` to the groups `target`: one sentence for each side, [] if nothing.

    addresses: address ranges that count as the other side too, such as the VPC's own.
    """
    missing = []
    if allows(groups, source, "IpPermissionsEgress", target, port, addresses) is False:
        missing.append(f"{label(groups, source)} has no rule that lets TCP {port} out to {label(groups, target)}")
    if allows(groups, target, "IpPermissions", source, port, addresses) is False:
        missing.append(f"{label(groups, target)} has no rule that lets TCP {port} in from {label(groups, source)}")
    return missing


def no_way_out(groups: dict, source: list[str], port: int = 443) -> list[str]:
    """What is missing for TCP `port` from the groups `source` to the internet, or [].

    A rule that names any address range, prefix list or group on that port counts: VPC endpoints are reached by such.
    """
    for name in source:
        for rule in groups.get(name, {}).get("IpPermissionsEgress", []):
            if _covers(rule, port) and any(rule.get(key) for key in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")):
                return []
    if not source or any(name not in groups for name in source):
        return []
    return [f"{label(groups, source)} has no rule that lets TCP {port} out"]
