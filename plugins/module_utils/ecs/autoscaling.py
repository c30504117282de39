# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Application Auto Scaling may do with the count of an ECS service: its bounds, and which of its ways to scale are suspended.

A stop suspends (PAUSED) and deregisters nothing: DeregisterScalableTarget deletes the scaling policies and scheduled actions with the target, and
only whoever made them could make them again. What is suspended keeps its bounds too, so that even a lost journal loses nothing, and a Terraform
configuration that holds the target sees no difference. The count itself may be below the lower bound: UpdateService does not ask.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call

_DIMENSION = "ecs:service:DesiredCount"
# Limit of the API reference ('ResourceIds').
_TARGETS_A_CALL = 50
_SUSPENDED = {
    "dynamic_scaling_in": "DynamicScalingInSuspended",
    "dynamic_scaling_out": "DynamicScalingOutSuspended",
    "scheduled_scaling": "ScheduledScalingSuspended",
}
# What a stop sets: nothing scales the service up again while it is off.
PAUSED = {"suspended": sorted(_SUSPENDED)}


def from_target(target: dict) -> dict:
    """{'min', 'max', 'suspended': names of what is suspended}, fit for JSON."""
    state = target.get("SuspendedState") or {}
    return {"min": target["MinCapacity"], "max": target["MaxCapacity"], "suspended": sorted(name for name, key in _SUSPENDED.items() if state.get(key))}


def to_arguments(bounds: dict) -> dict:
    """RegisterScalableTarget's arguments of what `bounds` names; what it leaves out stays as it is at AWS."""
    arguments: dict[str, Any] = {key: int(bounds[name]) for name, key in (("min", "MinCapacity"), ("max", "MaxCapacity")) if bounds.get(name) is not None}
    if "suspended" in bounds:
        arguments["SuspendedState"] = {key: name in bounds["suspended"] for name, key in _SUSPENDED.items()}
    return arguments


def changes(registered: dict, bounds: dict | None) -> dict:
    """The part of `bounds` that is not so yet; {} if all of it is."""
    return {name: value for name, value in (bounds or {}).items() if value is not None and registered.get(name) != value}


def problems(name: str, key: str, count: int, registered: dict | None, given: dict) -> list[str]:
    """Why a service may not get this count and these bounds ({'min', 'max'}, each None if it was not given), each with the remedy.

    `name` is the service, `key` what the environment calls it. Application Auto Scaling would bring a count outside its bounds back at its next chance.
    """
    named = {side: value for side, value in given.items() if value is not None}
    if registered is None:
        if not named:
            return []
        return [
            f"{name} has no bounds: it is not registered with Application Auto Scaling, and bounds without a scaling policy would do nothing. "
            "Leave min and max out, or register it where its policies are made."
        ]
    least, most = ({**registered, **named}[side] for side in ("min", "max"))
    if least < 0 or least > most:
        return [f"{name}: bounds from {least} to {most} are none; min must be 0 or more and max no less than min."]
    if least <= count <= most:
        return []
    whose = "given here" if named else "that Application Auto Scaling has, which would restore it"
    fitting = f'{{"scale": {{"{key}": {{"count": {count}, "min": {min(least, count)}, "max": {max(most, count)}}}}}}}'
    return [f"{name}: {count} is outside of the bounds from {least} to {most} {whose}. Choose a count within, or give bounds too: -e '{fitting}'"]


def _resource(cluster: str, service: str) -> str:
    return f"service/{cluster}/{service}"


def read(call: Call, cluster: str, services: list[str]) -> dict[str, dict[str, Any]]:
    """{service: bounds} of those that are registered (see from_target)."""
    found, names = {}, {_resource(cluster, service): service for service in services}
    for start in range(0, len(services), _TARGETS_A_CALL):
        answer = call(
            *("application-autoscaling", "describe_scalable_targets", f"read the autoscaling bounds of {', '.join(services)}"),
            ServiceNamespace="ecs",
            ScalableDimension=_DIMENSION,
            ResourceIds=list(names)[start : start + _TARGETS_A_CALL],
        )
        found.update({names[target["ResourceId"]]: from_target(target) for target in answer["ScalableTargets"]})
    return found


def bounds(call: Call, cluster: str, service: str) -> dict[str, Any] | None:
    """{'min', 'max', 'suspended'} of a service; None if it is not registered."""
    return read(call, cluster, [service]).get(service)


def set_bounds(call: Call, cluster: str, service: str, bounds: dict) -> None:
    """Makes what `bounds` names so ('min', 'max', 'suspended', each optional), with one call, and repeating it changes nothing.

    Stop: set_bounds(…, PAUSED) where bounds(…) was not None. Start: set_bounds(…, what bounds(…) said before the stop).
    """
    call(
        *("application-autoscaling", "register_scalable_target", f"set the autoscaling bounds of {service}"),
        ServiceNamespace="ecs",
        ScalableDimension=_DIMENSION,
        ResourceId=_resource(cluster, service),
        **to_arguments(bounds),
    )


def restore(call: Call, cluster: str, service: str, before: dict | None) -> str:
    """Brings a service's bounds back to what they were before a stop. Returns a sentence if that could not be done as it was; '' else.

    A target that is gone stays gone: somebody took it away with its policies, and bounds alone would do nothing.
    """
    if before is None:
        return ""
    now = bounds(call, cluster, service)
    if now is None:
        return f"{service} is no longer registered with Application Auto Scaling, so its bounds ({before['min']} to {before['max']}) were not set."
    wanted = changes(now, before)
    if wanted:
        try:
            set_bounds(call, cluster, service, wanted)
        except CallFailed as failed:
            return f"{failed} Its bounds were {before['min']} to {before['max']}."
    return ""
